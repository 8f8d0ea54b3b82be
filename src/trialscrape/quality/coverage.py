"""What a set of pages is made of: how much is understood, what is unknown, which fields are filled how often."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from trialscrape.records import Eligibility, Trial
from trialscrape.results import PageResult
from trialscrape.sources.members import OTHER_SITES, REVISITS, SKIPPED
from trialscrape.wording import write_count

_LEFT_OUT = {
    SKIPPED: ("file or folder that is no page", "files and folders that are no pages"),
    OTHER_SITES: ("page of another site", "pages of other sites"),
    REVISITS: ("revisit", "revisits"),
}
"""What is not looked at, in words."""

_INCOMPLETE = frozenset({"cut_page", "stripped_page"})


@dataclass(slots=True)
class Coverage:
    """Counts over pages.

    Attributes:
        pages: How many were looked at.
        failures: Outcome and message of each page that gave no record, with its file before it.
        lines: How many lines are not blank.
        unparsed: How many of them are in no field and no known chrome.
        unknown: How many of those are on whole pages; a cut or stripped page is expected to have some.
        alarms: How many warnings may mean that the site has changed.
        warnings: How often each warning came up, by code and message.
        places: Where each of them came up first, as `file:line`.
        filled: How many records have a value in each field.
    """

    pages: int = 0
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    lines: int = 0
    unparsed: int = 0
    unknown: int = 0
    alarms: int = 0
    warnings: Counter[tuple[str, str]] = field(default_factory=Counter)
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    filled: Counter[str] = field(default_factory=Counter)

    @property
    def alarm(self) -> bool:
        """Whether the site may have changed, a page gave no record, or there was no page."""
        return bool(self.failures or self.unknown or self.alarms or not self.pages)


def measure_coverage(results: Iterable[PageResult]) -> Coverage:
    """Count over the results of pages."""
    counts = Coverage()
    for result in results:
        counts.pages += 1
        if result.trial:
            _count_trial(counts, result, result.trial)
        else:
            counts.failures.append((result.file, result.outcome, result.message or ""))
    return counts


def add_coverage(counts: Coverage, more: Coverage) -> Coverage:
    """Add the counts over later pages; return the sums."""
    counts.pages += more.pages
    counts.failures += more.failures
    counts.lines += more.lines
    counts.unparsed += more.unparsed
    counts.unknown += more.unknown
    counts.alarms += more.alarms
    counts.warnings += more.warnings
    counts.filled += more.filled
    for key, place in more.places.items():
        counts.places.setdefault(key, place)
    return counts


def _count_trial(counts: Coverage, result: PageResult, trial: Trial) -> None:
    counts.lines += result.lines
    counts.unparsed += len(trial.unparsed)
    for line in trial.unparsed:
        counts.places.setdefault(("unparsed", line.text), f"{result.file}:{line.line}")
    codes = {warning.code for warning in trial.warnings}
    counts.unknown += 0 if codes & _INCOMPLETE else len(trial.unparsed)
    for warning in trial.warnings:
        counts.alarms += warning.severity == "alarm"
        key = (warning.code, warning.message)
        counts.warnings[key] += 1
        counts.places.setdefault(key, f"{result.file}:{warning.line}" if warning.line else result.file)
    for name, value in trial:
        if isinstance(value, Eligibility):
            value = (*value.inclusion, *value.exclusion, *value.unassigned)  # noqa: PLW2901  empty where there is none
        counts.filled[name] += value not in (None, ())


def as_json(counts: Coverage, left_out: Mapping[str, int]) -> dict[str, object]:
    """Give the counts as JSON: warnings and unparsed lines in a group each, with the place of the first."""
    groups: dict[str, list[dict[str, object]]] = {}
    for (code, message), place in counts.places.items():
        group = groups.setdefault(code, [])
        count = counts.warnings[code, message] if code != "unparsed" else None
        group.append({"text": message, "count": count, "first": place})
    return {
        "pages": counts.pages,
        "failed": [
            {"file": file, "outcome": outcome, "message": message} for file, outcome, message in counts.failures
        ],
        "left_out": dict(left_out),
        "lines": counts.lines,
        "unparsed_lines": counts.unparsed,
        "alarm": counts.alarm,
        "groups": groups,
        "filled": {name: counts.filled[name] for name in Trial.model_fields},
    }


def write_left_out(name: str, count: int) -> str:
    """Write how many files, folders or pages were not looked at, for a name of `Selection`."""
    return write_count(count, *_LEFT_OUT[name])


def report(counts: Coverage, left_out: Mapping[str, int]) -> Iterator[str]:
    """Write the counts as lines of text, and how many files, folders and pages of other sites were left out."""
    read = counts.pages - len(counts.failures)
    share = 100 * (1 - counts.unparsed / counts.lines) if counts.lines else 0
    yield f"pages   {counts.pages:,}: {read:,} read, {len(counts.failures):,} failed"
    for name, count in left_out.items():
        yield f"skipped {write_left_out(name, count)}"
    yield f"lines   {counts.lines:,}: {share:.2f} % understood, {counts.unparsed:,} unparsed"
    for file, outcome, message in counts.failures:
        yield f"failed  {file}: {outcome}: {message}"
    for (kind, text), place in counts.places.items():
        if kind == "unparsed":
            yield f"unparsed  {place}: {text}"
    for (code, message), times in counts.warnings.most_common():
        yield f"warning {times:,} x {code}: {message} ({counts.places[code, message]})"
    if read:
        yield "field                  filled in"
        yield from (f"  {name:20} {counts.filled[name]:,} of {read:,}" for name in Trial.model_fields)

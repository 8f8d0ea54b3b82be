"""A set of pages as one HTML page to look at: results are counted as they come, summed up, and shown by a template.

The page is `report.html.jinja` beside this module, with `report.css` and `report.js`. It needs no network and no other
file. The template escapes every value, and the policy of the page lets only this style and this script run.
"""

import base64
import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined

from trialscrape.quality.coverage import Coverage, add_coverage, measure_coverage, write_left_out
from trialscrape.records import SEVERITIES, Severity, Term, Trial
from trialscrape.results import Outcome, PageResult
from trialscrape.vocabulary import VOCABULARIES
from trialscrape.wording import write_count

MOST_TRIALS = 5_000
"""Trials in the table; the page says how many more there are."""

MOST_REMARKS = 200
"""Different texts that are listed for a warning code, and for unparsed lines."""

MOST_FAILURES = 500
"""Failed pages that are listed."""

_MOST_CHARACTERS = 300  # of a text from a page
_UNPARSED = "unparsed"
_UNKNOWN_LABEL = "unknown_label"
_ABSENT = "not on the page"
_NO_FIELDS = frozenset({"source", "unparsed", "warnings"})  # each page has the first, and none should have the others
_SIZES = {
    0: "0",
    1: "1 to 9",
    10: "10 to 49",
    50: "50 to 99",
    100: "100 to 499",
    500: "500 to 999",
    1_000: "1,000 to 9,999",
    10_000: "10,000 and more",
}
_LABELS = {
    name: {code: label for label, code in reversed(labels.items())}  # the first label of a code counts
    for name, labels in VOCABULARIES.items()
}


class TrialRow(NamedTuple):
    """What the table shows of one record; texts are cut to 300 characters."""

    nct_id: str
    title: str
    sponsor: str
    status: str
    phase: str
    enrollment: int | None
    estimated: bool
    warnings: int
    codes: str
    file: str


class FailedPage(NamedTuple):
    """A page without a record."""

    file: str
    outcome: str
    message: str


@dataclass(slots=True)
class Tally:
    """What a report keeps of the results of pages; its size does not grow with their number.

    Attributes:
        coverage: The numbers; its lists are empty, since they grow.
        clean: How many records have neither warnings nor unparsed lines.
        outcomes: How many pages had each outcome.
        statuses: How many records have each status; likewise `phases` and, in classes, `enrollments`.
        codes: How many warnings have each code; unparsed lines count under `unparsed`.
        remarks: How often the first different texts of each code came up.
        places: Where each of these came up first, as `file:line`.
        failures: The first pages without a record.
        rows: The first records.
    """

    coverage: Coverage = field(default_factory=Coverage)
    clean: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    enrollments: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    remarks: dict[str, Counter[str]] = field(default_factory=dict)
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    failures: list[FailedPage] = field(default_factory=list)
    rows: list[TrialRow] = field(default_factory=list)


def tally_pages(results: Iterable[PageResult]) -> Tally:
    """Count the results of a batch of pages."""
    tally = Tally()
    coverage = measure_coverage(_tally_results(tally, results))
    tally.coverage = replace(coverage, failures=[], warnings=Counter(), places={})
    return tally


def add_tally(tally: Tally, more: Tally) -> Tally:
    """Add the counts over later pages; return the sums."""
    add_coverage(tally.coverage, more.coverage)
    tally.clean += more.clean
    tally.outcomes += more.outcomes
    tally.statuses += more.statuses
    tally.phases += more.phases
    tally.enrollments += more.enrollments
    tally.codes += more.codes
    for code, texts in more.remarks.items():
        for text, times in texts.items():
            _add_remark(tally, code, text, times, more.places[code, text])
    tally.failures += more.failures[: MOST_FAILURES - len(tally.failures)]
    tally.rows += more.rows[: MOST_TRIALS - len(tally.rows)]
    return tally


def _tally_results(tally: Tally, results: Iterable[PageResult]) -> Iterator[PageResult]:
    """Count results, and pass them on."""
    for result in results:
        tally.outcomes[result.outcome.value] += 1
        if result.trial:
            _tally_trial(tally, result.trial, result.file)
        elif len(tally.failures) < MOST_FAILURES:
            tally.failures.append(
                FailedPage(_cut_text(result.file), result.outcome.value, _cut_text(result.message or ""))
            )
        yield result


def _tally_trial(tally: Tally, trial: Trial, file: str) -> None:
    tally.clean += not (trial.warnings or trial.unparsed)
    tally.statuses[_name_term("Status", trial.overall_status) if trial.overall_status else _ABSENT] += 1
    tally.phases[" / ".join(sorted({_name_term("Phase", phase) for phase in trial.phases})) or _ABSENT] += 1
    tally.enrollments[_name_size(trial.enrollment.count) if trial.enrollment else _ABSENT] += 1
    for code, text, line in _list_remarks(trial):
        tally.codes[code] += 1
        _add_remark(tally, code, text, 1, f"{file}:{line}" if line else file)
    if len(tally.rows) < MOST_TRIALS:
        tally.rows.append(_make_row(trial, file))


def _add_remark(tally: Tally, code: str, text: str, times: int, place: str) -> None:
    texts = tally.remarks.setdefault(code, Counter())
    if text in texts or len(texts) < MOST_REMARKS:
        texts[text] += times
        tally.places.setdefault((code, text), place)


def _list_remarks(trial: Trial) -> Iterator[tuple[str, str, int | None]]:
    for warning in trial.warnings:
        message = f"{warning.field}: {warning.message}" if warning.field else warning.message
        yield warning.code, _cut_text(message), warning.line
    for line in trial.unparsed:
        yield _UNPARSED, _cut_text(line.text), line.line


def _make_row(trial: Trial, file: str) -> TrialRow:
    return TrialRow(
        nct_id=trial.nct_id or "",
        title=_cut_text(trial.title or ""),
        sponsor=_cut_text(trial.sponsor or ""),
        status=_cut_text(trial.overall_status.label if trial.overall_status else ""),
        phase=_cut_text(", ".join(phase.label for phase in trial.phases)),
        enrollment=trial.enrollment.count if trial.enrollment else None,
        estimated=bool(trial.enrollment and trial.enrollment.type == "ESTIMATED"),
        warnings=len(trial.warnings),
        codes=", ".join(dict.fromkeys(warning.code for warning in trial.warnings)),
        file=_cut_text(file),
    )


def _cut_text(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


def _name_term(vocabulary: str, term: Term) -> str:
    """Name a value by its code, so that `Begins enrollment in 3 months` counts with the others of its code."""
    return _LABELS[vocabulary][term.code] if term.code else "unknown label"


def _name_size(count: int) -> str:
    return _SIZES[[*_SIZES][bisect_right([*_SIZES], count) - 1]]


class KeyFigure(NamedTuple):
    """A number at the head of the page."""

    name: str
    value: str
    note: str


class Bar(NamedTuple):
    """A bar of a chart: its words, and its length from 0 to 1."""

    label: str
    value: str
    length: float
    severity: Severity | None = None


class Chart(NamedTuple):
    """Bars under a title; `id` is that of its element."""

    id: str
    title: str
    note: str
    bars: tuple[Bar, ...]


class Remark(NamedTuple):
    """A warning or an unparsed line: its text, how often it came up, and where first."""

    code: str
    severity: Severity
    text: str
    times: int
    place: str


class Remarks(NamedTuple):
    """A list of remarks, and how often others came up that are not in it."""

    listed: tuple[Remark, ...]
    others: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What the page shows.

    Attributes:
        facts: The numbers at its head.
        left_out: How much was not looked at, in words.
        charts: The charts; that of the fields comes first.
        unknown_labels: Values that the vocabulary lacks.
        unparsed: Lines that went into no field.
        warnings: All other warnings.
        failures: Pages without a record, and how many more there are.
        rows: The table of trials, and how many more there are.
    """

    facts: tuple[KeyFigure, ...]
    left_out: tuple[str, ...]
    charts: tuple[Chart, ...]
    unknown_labels: Remarks
    unparsed: Remarks
    warnings: Remarks
    failures: tuple[FailedPage, ...]
    more_failures: int
    rows: tuple[TrialRow, ...]
    more_rows: int


def summarize(tally: Tally, left_out: Mapping[str, int]) -> Summary:
    """Sum up the counts over all pages.

    Args:
        tally: The counts.
        left_out: How many files, folders and pages of other sites were not looked at, by the names of `Selection`.
    """
    read = tally.outcomes[Outcome.OK]
    failed = tally.coverage.pages - read
    others = [code for code in tally.codes if code not in (_UNKNOWN_LABEL, _UNPARSED)]
    return Summary(
        facts=tuple(_list_key_figures(tally, read, failed)),
        left_out=tuple(write_left_out(name, count) for name, count in left_out.items() if count),
        charts=tuple(_draw_charts(tally, read)),
        unknown_labels=_rank_remarks(tally, [_UNKNOWN_LABEL]),
        unparsed=_rank_remarks(tally, [_UNPARSED]),
        warnings=_rank_remarks(tally, others),
        failures=tuple(tally.failures),
        more_failures=failed - len(tally.failures),
        rows=tuple(tally.rows),
        more_rows=read - len(tally.rows),
    )


def _list_key_figures(tally: Tally, read: int, failed: int) -> Iterator[KeyFigure]:
    coverage = tally.coverage
    warnings = tally.codes.total() - tally.codes[_UNPARSED]
    yield KeyFigure("Pages", f"{coverage.pages:,}", "looked at")
    yield KeyFigure("Records", f"{read:,}", f"{tally.clean:,} without warnings or unparsed lines")
    yield KeyFigure("Failed", f"{failed:,}", "pages that gave no record")
    understood = _percent(coverage.lines - coverage.unparsed, coverage.lines)
    yield KeyFigure("Lines understood", understood, f"{coverage.unparsed:,} of {coverage.lines:,} are unparsed")
    yield KeyFigure("Warnings", f"{warnings:,}", f"{coverage.alarms:,} are alarms: the site may have changed")


def _percent(part: int, whole: int) -> str:
    """Write a share, rounded down: 100 % is all of it."""
    return f"{part * 10_000 // whole / 100:.2f} %" if whole else "–"


def _draw_charts(tally: Tally, read: int) -> Iterator[Chart]:
    filled = [(name, tally.coverage.filled[name]) for name in Trial.model_fields if name not in _NO_FIELDS]
    yield Chart(
        "fields",
        "Fields filled",
        f"Of {write_count(read, 'record')}; a field is empty where the page does not say it.",
        tuple(
            Bar(name, f"{count:,} ({count * 100 // read} %)" if read else "–", count / read if read else 0.0)
            for name, count in filled
        ),
    )
    yield _draw_counts("outcomes", "Outcomes", "pages", tally.outcomes.most_common())
    yield _draw_counts("statuses", "Status", "records", tally.statuses.most_common())
    phases = sorted(tally.phases.items(), key=lambda phase: (phase[0] == _ABSENT, phase[0]))
    yield _draw_counts("phases", "Phase", "records", phases)
    sizes = [(name, tally.enrollments[name]) for name in (*_SIZES.values(), _ABSENT)]
    yield _draw_counts("enrollments", "Enrollment", "records by their number of participants", sizes)
    codes = [(code, count) for code, count in tally.codes.most_common() if code != _UNPARSED]
    yield _draw_counts("codes", "Warnings", "warnings by their code", codes)


def _draw_counts(name: str, title: str, counted: str, counts: Iterable[tuple[str, int]]) -> Chart:
    counts = tuple(counts)
    most = max((count for _, count in counts), default=0) or 1
    bars = []
    for label, count in counts:
        severity = SEVERITIES.get(label)
        bars.append(Bar(f"{label} ({severity})" if severity else label, f"{count:,}", count / most, severity))
    return Chart(name, title, f"Number of {counted}.", tuple(bars))


def _rank_remarks(tally: Tally, codes: Iterable[str]) -> Remarks:
    """List what came up under some codes: alarms first, then by how often."""
    codes = [code for code in codes if code in tally.remarks]
    listed = [
        Remark(code, SEVERITIES.get(code, "alarm"), text, times, tally.places[code, text])
        for code in codes
        for text, times in tally.remarks[code].items()
    ]
    order: tuple[Severity, ...] = ("alarm", "doubt", "note")
    listed.sort(key=lambda remark: (order.index(remark.severity), -remark.times))
    return Remarks(tuple(listed), sum(tally.codes[code] for code in codes) - sum(remark.times for remark in listed))


def render_report(summary: Summary, escape: Callable[[str], str]) -> str:
    """Write the page.

    Args:
        summary: What it shows.
        escape: Makes control characters, bidi marks and halves of surrogate pairs visible, in every text. What HTML
            would obey is escaped in any case.

    Returns:
        The page. The same summary gives the same page.
    """

    def show(value: object) -> object:
        is_markup = hasattr(value, "__html__")  # our own, as the template's macros give it
        return escape(value) if isinstance(value, str) and not is_markup else value

    environment = Environment(
        autoescape=True, finalize=show, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = (_read_data("report.css"), _read_data("report.js"))
    return environment.from_string(_read_data("report.html.jinja")).render(
        summary=summary,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _read_data(name: str) -> str:
    return files("trialscrape.quality").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Name a style or script as a content security policy does, so that no other one runs."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

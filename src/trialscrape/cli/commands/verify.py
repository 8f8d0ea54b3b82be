"""`verify`: pages against the registry's records of their studies."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from trialscrape.cli.console import echo_error, report_errors, track, usage_error
from trialscrape.cli.differences import TROUBLE, Difference, print_differences, write_rows
from trialscrape.cli.options import Contact, Rate, Registry, Yes, check_output, make_settings, require_yes
from trialscrape.cli.trouble import Troubles
from trialscrape.errors import RecordFileError
from trialscrape.exports.csv import write_csv_rows
from trialscrape.exports.files import atomic_write
from trialscrape.quality.record_sets import PlacedTrial, read_trials
from trialscrape.quality.registry_files import open_studies
from trialscrape.quality.verify import Finding, RegistryStudy, verify
from trialscrape.results import Outcome
from trialscrape.settings import Settings
from trialscrape.wording import write_count

MOST_UNANSWERED = 3
"""Look-ups in a row without an answer of the registry, after which the command gives up."""

_UNANSWERED = {Outcome.NETWORK_ERROR, Outcome.TIMEOUT, Outcome.BLOCKED_BY_ROBOTS}


class Found(NamedTuple):
    """What looking an id up gave.

    Attributes:
        study: The registry's record, if there is one.
        why: Why there is none.
        cause: The same in words that are the same for all ids that it happened to; empty where there are none.
        answered: Whether the registry answered at all.
    """

    study: RegistryStudy | None
    why: str
    cause: str = ""
    answered: bool = True


def verify_records(  # noqa: PLR0913  a command has as many options as it needs
    records: Annotated[str, typer.Argument(metavar="RECORDS", help="A record file, - for stdin, or a store.")],
    *,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="FILE|DIR", help="The registry's JSON, instead of requests to it."),
    ] = None,
    sponsors: Annotated[
        Path | None,
        typer.Option("--sponsors", metavar="FILE", help="Write the site's names of the registry's sponsors as CSV."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write a finding a line, as JSON, equal ones too.")] = False,
    registry: Registry = None,
    rate: Rate = None,
    contact: Contact = None,
    yes: Yes = False,
) -> None:
    """Compare pages with the registry's records of their studies, field by field.

    Each study's record is requested alone, politely; --against reads its JSON from the disk.
    """
    if against and registry:
        usage_error("give --against or --registry, not both")
    settings = make_settings(registry=registry, rate=rate, contact=contact)
    if not against:
        require_yes(settings, (settings.registry,), yes=yes)
    sponsors = check_output(sponsors)
    tally: Counter[str] = Counter()
    names: Counter[tuple[str, str]] = Counter()
    troubles = Troubles("study", "studies")
    with report_errors(code=TROUBLE), ExitStack() as stack:
        stack.callback(_report_troubles, troubles, tally)  # of a command that is stopped, too
        look_up = stack.enter_context(_open_registry(against, settings))
        trials = read_trials(records, echo_error)
        for findings in stack.enter_context(track(_verify_all(trials, look_up, tally, troubles), "studies")):
            tally.update({finding.verdict for finding in findings})
            names.update((one.registry or "", one.page) for one in findings if one.field == "sponsor" and one.page)
            if as_json:
                write_rows(finding._asdict() for finding in findings)
            else:
                _print_findings(findings)
        if not tally["studies"]:
            raise RecordFileError(f"{records}: expected records, found none")
        if sponsors and not tally["given up"]:
            _write_sponsors(sponsors, names)
    differing = (
        f"{tally['compared']:,} compared, {tally['differs']:,} {'differs' if tally['differs'] == 1 else 'differ'}"
    )
    echo_error(f"{write_count(tally['studies'], 'study', 'studies')}: {differing}, {tally['left out']:,} left out")
    if tally["given up"]:
        echo_error(
            f"gave up after {MOST_UNANSWERED} look-ups in a row without an answer of the registry; the records behind "
            "them were not looked at. Run the command again later, or give --against"
        )
        raise typer.Exit(TROUBLE)
    if tally["differs"] or tally["left out"]:
        raise typer.Exit(1)


@contextmanager
def _open_registry(against: Path | None, settings: Settings) -> Iterator[Callable[[str], Found]]:
    if against:
        find = open_studies(against)
        why = f"there is no record of it in {against}"
        yield lambda nct_id: Found(find(nct_id), why, why)
        return
    # Only here: what works offline imports nothing of the network.
    from trialscrape.fetching.fetcher import Fetcher  # noqa: PLC0415
    from trialscrape.registry.client import fetch_study  # noqa: PLC0415

    with Fetcher(settings) as fetcher:

        def look_up(nct_id: str) -> Found:
            study, answer = fetch_study(fetcher, settings, nct_id)
            cause = answer.cause if answer.status == "error" else "the registry has no such study"
            return Found(study, answer.message, cause, answer.result.value not in _UNANSWERED)

        yield look_up


def _verify_all(
    trials: Iterable[PlacedTrial], look_up: Callable[[str], Found], tally: Counter[str], troubles: Troubles
) -> Iterator[list[Finding]]:
    """Yield the findings of each study; those that cannot be compared are counted, and their troubles collected."""
    unanswered = 0
    for place, trial, _ in trials:
        tally["studies"] += 1
        if trial.nct_id is None:
            tally["left out"] += 1
            tally["without id"] += 1
            continue
        found = look_up(trial.nct_id)
        unanswered = 0 if found.answered else unanswered + 1
        if found.study is not None:
            tally["compared"] += 1
            yield list(verify(trial, found.study))
            continue
        tally["left out"] += 1
        line = f"{place}: {trial.nct_id} is not compared: {found.why}"
        troubles.add(trial.nct_id, found.cause or line, line)
        if unanswered == MOST_UNANSWERED:
            tally["given up"] = 1
            return


def _report_troubles(troubles: Troubles, tally: Counter[str]) -> None:
    for line in troubles.write_lines():
        echo_error(line)
    if count := tally["without id"]:
        echo_error(f"{write_count(count, 'record')} without an NCT id {'is' if count == 1 else 'are'} not compared")


def _print_findings(findings: list[Finding]) -> None:
    shown = [finding for finding in findings if finding.verdict in {"differs", "not_on_page"}]
    if shown:
        print_differences(f"{shown[0].study}: - registry, + page", map(_describe_finding, shown))


def _describe_finding(finding: Finding) -> Difference:
    what = finding.field if finding.item is None else f"{finding.field} of {finding.item!r}"
    if finding.verdict == "not_on_page":
        return Difference(f"{what} is not on the page", None, None)
    return Difference(f"{what} differs", finding.registry, finding.page)


def _write_sponsors(path: Path, names: Counter[tuple[str, str]]) -> None:
    """Write a table of the registry's and the site's names, and how many studies have them."""
    rows = ((registry, site, count) for (registry, site), count in sorted(names.items()))
    with atomic_write(path) as stream:
        write_csv_rows(stream, [("registry", "site", "studies"), *rows])

"""`verify`: pages against the registry's records of their studies."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, report_errors, track, usage_error
from trialscrape.cli.differences import TROUBLE, Difference, print_differences, write_rows
from trialscrape.cli.options import Contact, Rate, Registry, Yes, check_output, make_settings, require_yes
from trialscrape.exports.csv import write_csv_rows
from trialscrape.exports.files import atomic_write
from trialscrape.quality.record_sets import read_trials
from trialscrape.quality.registry_files import open_studies
from trialscrape.quality.verify import Finding, RegistryStudy, verify
from trialscrape.settings import Settings
from trialscrape.wording import write_count

LookUp = Callable[[str], tuple[RegistryStudy | None, str]]
"""An id to the registry's record, or to None and why there is none."""


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

    The registry is asked for each study alone, politely; --against reads its JSON from the disk.
    """
    if against and registry:
        usage_error("give --against or --registry, not both")
    settings = make_settings(registry=registry, rate=rate, contact=contact)
    if not against:
        require_yes(settings, (settings.registry,), yes=yes)
    sponsors = check_output(sponsors)
    tally: Counter[str] = Counter()
    names: Counter[tuple[str, str]] = Counter()
    with report_errors(code=TROUBLE), ExitStack() as stack:
        look_up = stack.enter_context(_open_registry(against, settings))
        for findings in stack.enter_context(track(_verify_all(records, look_up, tally), "studies")):
            tally.update({finding.verdict for finding in findings})
            names.update((one.registry or "", one.page) for one in findings if one.field == "sponsor" and one.page)
            if as_json:
                write_rows(finding._asdict() for finding in findings)
            else:
                _print_findings(findings)
        if sponsors:
            _write_sponsors(sponsors, names)
    differing = (
        f"{tally['compared']:,} compared, {tally['differs']:,} {'differs' if tally['differs'] == 1 else 'differ'}"
    )
    echo_error(f"{write_count(tally['studies'], 'study', 'studies')}: {differing}, {tally['left out']:,} left out")
    if tally["differs"] or tally["left out"]:
        raise typer.Exit(1)


@contextmanager
def _open_registry(against: Path | None, settings: Settings) -> Iterator[LookUp]:
    if against:
        find = open_studies(against)
        yield lambda nct_id: (find(nct_id), f"there is no record of it in {against}")
        return
    # Only here: what works offline imports nothing of the network.
    from trialscrape.fetching.fetcher import Fetcher  # noqa: PLC0415
    from trialscrape.registry.client import fetch_study  # noqa: PLC0415

    with Fetcher(settings) as fetcher:
        yield lambda nct_id: fetch_study(fetcher, settings, nct_id)


def _verify_all(records: str, look_up: LookUp, tally: Counter[str]) -> Iterator[list[Finding]]:
    """Yield the findings of each study; one that cannot be compared is reported and counted."""
    for place, trial, _ in read_trials(records, echo_error):
        tally["studies"] += 1
        study, why = look_up(trial.nct_id) if trial.nct_id else (None, "it has no NCT id")
        if study is None:
            tally["left out"] += 1
            echo_error(f"{place}: {trial.nct_id or trial.title} is not compared: {why}")
            continue
        tally["compared"] += 1
        yield list(verify(trial, study))


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

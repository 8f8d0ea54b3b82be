"""`scrape`: NCT ids to records."""

import sys
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, echo_note, escape_controls, report_errors, usage_error
from trialscrape.cli.options import (
    DEFAULT_STORE,
    Contact,
    Fields,
    FormatName,
    LogFile,
    NoContacts,
    Output,
    Quiet,
    Rate,
    Registry,
    Site,
    StoreFile,
    Tables,
    Target,
    Verbose,
    Yes,
    check_output,
    make_settings,
    open_log,
    refuse_overwriting,
    require_target,
    require_yes,
)
from trialscrape.cli.run_progress import report_run
from trialscrape.cli.trouble import Troubles
from trialscrape.errors import IdFileError, Withdrawn
from trialscrape.exports.files import atomic_write
from trialscrape.exports.jsonl import format_record, format_row
from trialscrape.results import IdResult
from trialscrape.scraping.ids import normalize_ids, read_ids
from trialscrape.scraping.planning import plan
from trialscrape.scraping.run import resume, run_key
from trialscrape.settings import Settings
from trialscrape.store.store import Store
from trialscrape.wording import write_count


def scrape_ids(  # noqa: PLR0913  a command has as many options as it needs
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID|URL", help="NCT ids, or addresses or slugs of study pages.")
    ] = None,
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "-i", "--input", metavar="FILE", help="A list, CSV or text to read ids from, or -; may be repeated."
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option("--column", metavar="NAME", help="The column of a CSV file; default 'NCT Number' or 'nct_id'."),
    ] = None,
    output: Output = None,
    format_: FormatName = None,
    tables: Tables = None,
    fields: Fields = None,
    no_contacts: NoContacts = False,
    store: StoreFile = DEFAULT_STORE,
    site: Site = None,
    registry: Registry = None,
    rate: Rate = None,
    concurrency: Annotated[
        str | None, typer.Option("--concurrency", metavar="N", help="Requests in flight; default 2.")
    ] = None,
    max_age: Annotated[
        str | None, typer.Option("--max-age", metavar="AGE", help="Take younger pages from the store; default 7d.")
    ] = None,
    contact: Contact = None,
    yes: Yes = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log: LogFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the planned requests without sending any.")] = False,
) -> None:
    """Fetch the study pages of NCT ids politely, keep them, and write one record a page.

    With -o trials.jsonl, trials.outcomes.jsonl beside it has one row for every id, in their order. The same command
    resumes a run that was stopped. Where no id gives a record, files that are there stay as they are.
    """
    output = check_output(output)
    settings = make_settings(
        site=site, registry=registry, rate=rate, concurrency=concurrency, contact=contact, max_age=max_age
    )
    require_yes(settings, (settings.site, settings.registry), yes=yes)
    listed = [nct_id for name in inputs or [] for nct_id in _read_id_file(name, column, quiet=quiet)]
    for given in ids or []:
        if "/" not in given and Path(given).is_file():
            usage_error(f"{given} is a file: to read ids from it, run: trialscrape scrape -i {given}")
    ids = normalize_ids([*(ids or []), *listed])
    if not ids:
        usage_error("expected NCT ids, or -i with a file that has some; found none")
    if dry_run:
        if log:
            usage_error("--dry-run sends nothing, so there is nothing to log: leave out --log")
        _print_plan(ids, store, settings)
        return
    read = [Path(name) for name in inputs or [] if name != "-"]
    refuse_overwriting((output,), store, *read)
    target = require_target(output, format_, tables, fields, no_contacts=no_contacts)
    refuse_overwriting((target.outcomes,), store, *read)
    with (
        open_log(log, store, target.path, target.outcomes, *read, quiet=quiet, verbose=verbose),
        report_errors(f"the same command resumes it; fetched pages are in {store}"),
        Store.open(store) as opened,
    ):
        failed = _run(ids, opened, settings, target, quiet=quiet)
    if failed:
        raise typer.Exit(1)


def _print_plan(ids: list[str], path: Path, settings: Settings) -> None:
    """Print the planned requests without sending any, and without making a store."""
    with report_errors(), ExitStack() as stack:
        store = stack.enter_context(Store.open(path, lock=False)) if path.exists() else None
        valid = False
        for planned in plan(ids, store, settings):
            print(escape_controls(planned.text))
            valid = valid or planned.valid
    if not valid:
        raise typer.Exit(1)


def _run(ids: list[str], store: Store, settings: Settings, target: Target, *, quiet: bool) -> int:
    tally: Counter[str] = Counter()
    troubles = Troubles()
    with suppress(Withdrawn), ExitStack() as stack:
        stack.callback(lambda: target.report_troubles(troubles, tally["records"]))  # of a run that is stopped, too
        write = stack.enter_context(target.open())
        rows = stack.enter_context(atomic_write(target.outcomes)) if target.outcomes else None
        # Records that go to the terminal leave no room for a bar.
        report = stack.enter_context(report_run(quiet=quiet, bar=bool(target.path) or not sys.stdout.isatty()))
        for result in resume(ids, store, settings, report):
            _count(tally, result)
            troubles.add_id(result)
            if result.trial:
                write(format_record(result.trial, result.record))
            if rows:
                rows.write(format_row(result.row()) + b"\n")
        target.require_records(tally["records"])
    store.runs.end(run_key(ids, settings))
    outcomes = ", ".join(f"{tally[name]:,} {name}" for name in tally if name not in _SUMS)
    sums = ", ".join(write_count(tally[name], name) for name in ("warning", "unparsed line", "request"))
    kept = target.keeps_former(tally["records"])
    places = f"pages in {store.path}" + (f", records in {target.path}" if target.path and not kept else "")
    echo_note(f"{write_count(len(ids), 'id')}: {outcomes}; {sums}; {places}", quiet=quiet)
    if kept:
        echo_error(f"no id gave a record, so {target.path} stays as it was")
    return tally["failed"]


_SUMS = frozenset({"records", "failed", "warning", "unparsed line", "request"})


def _count(tally: Counter[str], result: IdResult) -> None:
    tally[result.outcome] += 1
    tally["request"] += result.attempts
    tally["records"] += result.trial is not None
    tally["failed"] += result.failed
    if result.trial:
        tally["warning"] += len(result.trial.warnings)
        tally["unparsed line"] += len(result.trial.unparsed)


def _read_id_file(name: str, column: str | None, *, quiet: bool) -> list[str]:
    """Read the ids of a file or of stdin, and report how many there are and where they stood."""
    try:
        id_list = read_ids(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes(), column=column)
    except OSError as error:
        usage_error(f"cannot read {name}: {(error.strerror or str(error)).lower()}")
    except IdFileError as error:
        usage_error(f"{name}: {error}")
    place = f"in column {id_list.column!r}" if id_list.column else "in its text"
    echo_note(f"{name}: {write_count(len(id_list.ids), 'id')} {place}", quiet=quiet)
    return id_list.ids

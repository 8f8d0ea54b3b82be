"""`scrape`: NCT ids to records."""

import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, escape_controls, progress, report_errors, usage_error
from trialscrape.cli.options import (
    DEFAULT_STORE,
    Contact,
    Fields,
    FormatName,
    NoContacts,
    Output,
    Rate,
    Registry,
    Site,
    StoreFile,
    Tables,
    Target,
    check_output,
    make_settings,
    refuse_overwriting,
    require_target,
)
from trialscrape.errors import IdFileError
from trialscrape.exports.files import atomic_write
from trialscrape.exports.jsonl import format_record, format_row
from trialscrape.results import IdResult, Outcome
from trialscrape.scraping.ids import normalize_ids, read_ids
from trialscrape.scraping.run import plan, resume, run_key
from trialscrape.settings import Settings
from trialscrape.store.store import Store
from trialscrape.wording import write_count


def scrape_ids(  # noqa: PLR0913  a command has as many options as it needs
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID|URL]…", help="NCT ids, or addresses or slugs of study pages.")
    ] = None,
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Option("-i", "--input", metavar="FILE|-", help="A list, CSV or text to read ids from; may be repeated."),
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
        int | None, typer.Option("--concurrency", metavar="N", help="Requests in flight; default 2.")
    ] = None,
    max_age: Annotated[
        str | None, typer.Option("--max-age", metavar="AGE", help="Take younger pages from the store; default 7d.")
    ] = None,
    contact: Contact = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the planned requests without sending any.")] = False,
) -> None:
    """Fetch the study pages of NCT ids politely, keep them, and write one record a page.

    With -o trials.jsonl, trials.outcomes.jsonl beside it has one row for every id, in their order. The same command
    resumes a run that was stopped.
    """
    output = check_output(output)
    settings = make_settings(
        site=site, registry=registry, rate=rate, concurrency=concurrency, contact=contact, max_age=max_age
    )
    listed = [nct_id for name in inputs or [] for nct_id in _read_id_file(name, column)]
    for given in ids or []:
        if "/" not in given and Path(given).is_file():
            usage_error(f"{given} is a file: to read ids from it, run: trialscrape scrape -i {given}")
    ids = normalize_ids([*(ids or []), *listed])
    if not ids:
        usage_error("expected NCT ids, or -i with a file that has some; found none")
    if dry_run:
        _print_plan(ids, store, settings)
        return
    read = [Path(name) for name in inputs or [] if name != "-"]
    refuse_overwriting((output,), store, *read)
    target = require_target(output, format_, tables, fields, no_contacts=no_contacts)
    refuse_overwriting((target.outcomes,), store, *read)
    with report_errors(f"the same command resumes it; fetched pages are in {store}"), Store.open(store) as opened:
        failed = _run(ids, opened, settings, target)
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


def _run(ids: list[str], store: Store, settings: Settings, target: Target) -> int:
    tally: Counter[str] = Counter()
    with ExitStack() as stack:
        write = stack.enter_context(target.open())
        rows = stack.enter_context(atomic_write(target.outcomes)) if target.outcomes else None
        bar = stack.enter_context(progress(quiet=target.path is None and sys.stdout.isatty()))
        task = bar.add_task("ids", total=len(ids))
        for result in resume(ids, store, settings):
            _count(tally, result)
            speed = bar.tasks[task].speed or 0  # ids a second, lately
            description = f"ids: {tally['records']:,} ok, {tally['failed']:,} failed, {speed:.1f}/s"
            bar.update(task, advance=1, description=description)
            if result.trial:
                write(format_record(result.trial, result.record))
            if rows:
                rows.write(format_row(result.row()) + b"\n")
    store.runs.end(run_key(ids, settings))
    outcomes = ", ".join(f"{tally[name]:,} {name}" for name in tally if name not in _SUMS)
    sums = ", ".join(write_count(tally[name], name) for name in ("warning", "unparsed line", "request"))
    places = f"pages in {store.path}" + (f", records in {target.path}" if target.path else "")
    echo_error(f"{write_count(len(ids), 'id')}: {outcomes}; {sums}; {places}")
    return tally["failed"]


_SUMS = frozenset({"records", "failed", "warning", "unparsed line", "request"})


def _count(tally: Counter[str], result: IdResult) -> None:
    tally[result.outcome] += 1
    tally["request"] += result.attempts
    tally["records"] += result.trial is not None
    tally["failed"] += result.trial is None or result.outcome is Outcome.STALE
    if result.trial:
        tally["warning"] += len(result.trial.warnings)
        tally["unparsed line"] += len(result.trial.unparsed)
    if result.message:
        echo_error(f"{result.id}: {result.outcome}: {result.message}")


def _read_id_file(name: str, column: str | None) -> list[str]:
    """Read the ids of a file or of stdin, and report how many there are and where they stood."""
    try:
        id_list = read_ids(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes(), column=column)
    except OSError as error:
        usage_error(f"cannot read {name}: {error.strerror}")
    except IdFileError as error:
        usage_error(f"{name}: {error}")
    place = f"in column {id_list.column!r}" if id_list.column else "in its text"
    echo_error(f"{name}: {write_count(len(id_list.ids), 'id')} {place}")
    return id_list.ids

"""The commands that use the network or what it brought: `scrape`, `index` and `store`."""

import os
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, escape_controls, progress, report_errors, usage_error
from trialscrape.cli.options import FormatName, Output, check_output, require_format
from trialscrape.errors import IdFileError, TrialscrapeError
from trialscrape.exports import formats
from trialscrape.exports.files import atomic_write
from trialscrape.exports.jsonl import format_row, name_outcomes
from trialscrape.exports.warc import export_warc
from trialscrape.fetching.fetcher import Fetcher
from trialscrape.results import IdResult, Outcome
from trialscrape.scraping.ids import normalize_ids, read_ids
from trialscrape.scraping.index import SyncReport, sync_index
from trialscrape.scraping.run import plan, resume, run_key
from trialscrape.scraping.sitemap import MAX_BYTES
from trialscrape.settings import Settings
from trialscrape.sources.warc import import_warc
from trialscrape.store.store import Store

index = typer.Typer(help="The local index of the site's study addresses.", no_args_is_help=True)
store_commands = typer.Typer(help="The store of fetched pages.", no_args_is_help=True)

DEFAULT_STORE = Path("trialscrape.db")
StoreFile = Annotated[
    Path, typer.Option("--store", envvar="TRIALSCRAPE_STORE", show_envvar=False, help="The store of fetched pages.")
]
Site = Annotated[str | None, typer.Option("--site", metavar="URL", help="Scheme and host of the site.")]
Registry = Annotated[str | None, typer.Option("--registry", metavar="URL", help="Scheme and host of the registry.")]
Rate = Annotated[float | None, typer.Option("--rate", metavar="N", help="Requests a second over all hosts; default 1.")]
Contact = Annotated[
    str | None, typer.Option("--contact", metavar="TEXT", help="Mail address or URL for the User-Agent.")
]


def scrape(  # noqa: PLR0913  a command has as many options as it needs
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
    settings = make_settings(
        site=site, registry=registry, rate=rate, concurrency=concurrency, contact=contact, max_age=max_age
    )
    listed = [nct_id for name in inputs or [] for nct_id in _read_id_file(name, column)]
    ids = normalize_ids([*(ids or []), *listed])
    if not ids:
        usage_error("expected NCT ids, or -i with a file that has some; found none")
    if dry_run:
        _print_plan(ids, store, settings)
        return
    rows_file = name_outcomes(output) if output else None
    _refuse_overwriting((output, rows_file), store, *[Path(name) for name in inputs or [] if name != "-"])
    chosen = require_format(output, format_)
    with report_errors(f"the same command resumes it; fetched pages are in {store}"), Store.open(store) as opened:
        failed = _run(ids, opened, settings, output, chosen)
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


def _run(ids: list[str], store: Store, settings: Settings, output: Path | None, chosen: formats.Format) -> int:
    tally: Counter[str] = Counter()
    rows_file = name_outcomes(output) if output else None
    with ExitStack() as stack:
        rows = stack.enter_context(atomic_write(rows_file)) if rows_file else None
        records = stack.enter_context(atomic_write(output)) if output else sys.stdout.buffer
        write = stack.enter_context(chosen.open(records))
        bar = stack.enter_context(progress(quiet=output is None and sys.stdout.isatty()))
        task = bar.add_task("ids", total=len(ids))
        for result in resume(ids, store, settings):
            _count(tally, result)
            speed = bar.tasks[task].speed or 0  # ids a second, lately
            description = f"ids: {tally['records']:,} ok, {tally['failed']:,} failed, {speed:.1f}/s"
            bar.update(task, advance=1, description=description)
            if result.trial:
                write(result.trial, result.record)
            if rows:
                rows.write(format_row(result.row()) + b"\n")
    store.runs.end(run_key(ids, settings))
    outcomes = ", ".join(f"{tally[name]:,} {name}" for name in tally if name not in _SUMS)
    sums = ", ".join(f"{tally[name]:,} {name}" for name in ("warnings", "unparsed lines", "requests"))
    places = f"pages in {store.path}" + (f", records in {output}" if output else "")
    echo_error(f"{len(ids):,} ids: {outcomes}; {sums}; {places}")
    return tally["failed"]


_SUMS = frozenset({"records", "failed", "warnings", "unparsed lines", "requests"})


def _count(tally: Counter[str], result: IdResult) -> None:
    tally[result.outcome] += 1
    tally["requests"] += result.attempts
    tally["records"] += result.trial is not None
    tally["failed"] += result.trial is None or result.outcome is Outcome.STALE
    if result.trial:
        tally["warnings"] += len(result.trial.warnings)
        tally["unparsed lines"] += len(result.trial.unparsed)
    if result.message:
        echo_error(f"{result.id}: {result.outcome}: {result.message}")


@index.command("sync")
def index_sync(
    *, store: StoreFile = DEFAULT_STORE, site: Site = None, rate: Rate = None, contact: Contact = None
) -> None:
    """Read the sitemaps that robots.txt names into the store. The same command resumes a sync that was stopped."""
    settings = make_settings(site=site, rate=rate, contact=contact)
    with (
        report_errors("the same command resumes it"),
        Store.open(store) as opened,
        Fetcher(settings) as fetcher,
        progress() as bar,
    ):
        robots = fetcher.get_robots(settings.site)
        if robots.result != "ok" or not robots.sitemaps:
            echo_error(robots.message or f"expected robots.txt of {settings.site} to name a sitemap, found none")
            raise typer.Exit(1)
        task = bar.add_task("sitemaps", total=None)
        failed = 0
        for url in robots.sitemaps:
            report = sync_index(
                opened.slugs,
                url,
                lambda file, validators: fetcher.get(file, validators=validators, limit=MAX_BYTES),
                now=lambda: datetime.now(UTC),
                study_path=settings.study_path,
                progress=lambda done, known: bar.update(task, completed=done, total=known),
            )
            failed += len(report.faults)
            _report_sync(url, report)
    if failed:
        raise typer.Exit(1)


def _report_sync(url: str, report: SyncReport) -> None:
    for fault in report.faults:
        echo_error(f"{fault.url}{f':{fault.line}' if fault.line else ''}: {fault.message}")
    files = f"{report.read:,} files read, {report.unchanged:,} unchanged, {report.resumed:,} done before"
    addresses = f"{report.added:,} added, {report.removed:,} removed, {report.slugs:,} addresses in all"
    echo_error(f"{url}: {files}, {len(report.faults):,} failed; {addresses}")


@index.command("status")
def index_status(*, store: StoreFile = DEFAULT_STORE) -> None:
    """Print the size and the age of the index."""
    with report_errors(), Store.open(store, lock=False) as opened:
        status = opened.slugs.status()
    print(f"addresses  {status.slugs:,} in {status.shards:,} files")
    print(f"read       {status.oldest_sync or 'never'} to {status.newest_sync or 'never'}")
    if status.unfinished_since:
        print(f"unfinished since {status.unfinished_since}; `trialscrape index sync` resumes it")


@store_commands.command("export")
def store_export(
    path: Annotated[Path, typer.Argument(metavar="FILE", callback=check_output, help="The WARC file to write.")],
    *,
    store: StoreFile = DEFAULT_STORE,
) -> None:
    """Write every kept version of every page as WARC."""
    _refuse_overwriting((path,), store)
    with report_errors("the same command starts over"), Store.open(store, lock=False) as opened:
        echo_error(f"{export_warc(opened, path):,} pages written to {path}")


@store_commands.command("import")
def store_import(path: Annotated[Path, typer.Argument(metavar="FILE")], *, store: StoreFile = DEFAULT_STORE) -> None:
    """Read the study pages of a WARC file into the store."""
    with report_errors("the same command continues it"), Store.open(store) as opened:
        report = import_warc(opened, path)
    for fault in report.faults:
        echo_error(fault)
    skipped = "".join(f", {count:,} skipped: {reason}" for reason, count in sorted(report.skipped.items()))
    echo_error(f"{report.new:,} pages new, {report.known:,} known{skipped}")
    if report.faults:
        raise typer.Exit(1)


def _refuse_overwriting(outputs: Iterable[Path | None], store: Path, *inputs: Path) -> None:
    """End a command that would write its output over its input."""
    beside = [Path(f"{store}{suffix}") for suffix in ("", "-wal", "-shm", ".lock")]
    taken = {path.resolve() for path in (*beside, *inputs)}
    for output in filter(None, outputs):
        if {output.resolve(), output.with_name(f"{output.name}.part").resolve()} & taken:
            usage_error(f"expected another file to write than to read, found {output} for both")


def make_settings(**options: object) -> Settings:
    """Make the settings of the options, the environment, and the defaults, in this order of precedence."""
    try:
        chosen = {name: value for name, value in options.items() if value is not None}
        return Settings.from_environment(os.environ, **chosen)
    except TrialscrapeError as error:
        usage_error(str(error))


def _read_id_file(name: str, column: str | None) -> list[str]:
    """Read the ids of a file or of stdin, and report how many there are and where they stood."""
    try:
        id_list = read_ids(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes(), column=column)
    except OSError as error:
        usage_error(f"cannot read {name}: {error.strerror}")
    except IdFileError as error:
        usage_error(f"{name}: {error}")
    place = f"in column {id_list.column!r}" if id_list.column else "in its text"
    echo_error(f"{name}: {len(id_list.ids):,} ids {place}")
    return id_list.ids

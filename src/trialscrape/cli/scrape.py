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

from trialscrape.cli.console import ends_in_words, fail_usage, printable, progress, tell
from trialscrape.cli.options import Output, writable
from trialscrape.errors import TrialscrapeError
from trialscrape.exports.files import atomic_write
from trialscrape.exports.jsonl import json_line, outcomes_path, record_line
from trialscrape.fetching.fetcher import Fetcher
from trialscrape.scraping.ids import IdFileError, read_ids
from trialscrape.scraping.run import Scraped, distinct, go_on, key_of, plans
from trialscrape.scraping.sitemap import MAX_BYTES, SyncReport, sync
from trialscrape.settings import Settings
from trialscrape.sources.warc import export_warc, import_warc
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
    asked: Annotated[
        list[str] | None, typer.Argument(metavar="[ID|URL]…", help="NCT ids, or addresses or slugs of study pages.")
    ] = None,
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Option("-i", "--input", metavar="FILE|-", help="A list, CSV or text to take ids from; may be repeated."),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option("--column", metavar="NAME", help="The column of a CSV file; default 'NCT Number' or 'nct_id'."),
    ] = None,
    output: Output = None,
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be asked of whom.")] = False,
) -> None:
    """Fetch the study pages of NCT ids politely, keep them, and write one record a page.

    With -o trials.jsonl, trials.outcomes.jsonl beside it has one row for every id, in the order asked. A run that was
    stopped is continued by the same command.
    """
    settings = settings_of(
        site=site, registry=registry, rate=rate, concurrency=concurrency, contact=contact, max_age=max_age
    )
    listed = [nct_id for name in inputs or [] for nct_id in _listed_ids(name, column)]
    ids = distinct([*(asked or []), *listed])
    if not ids:
        fail_usage("expected NCT ids, or -i with a file that has some; found none")
    if dry_run:
        _print_plan(ids, store, settings)
        return
    rows_file = outcomes_path(output) if output else None
    _refuse_overwriting((output, rows_file), store, *[Path(name) for name in inputs or [] if name != "-"])
    with ends_in_words(f"the same command resumes it; fetched pages are in {store}"), Store.open(store) as opened:
        failed = _run(ids, opened, settings, output, rows_file)
    if failed:
        raise typer.Exit(1)


def _print_plan(ids: list[str], path: Path, settings: Settings) -> None:
    """Print the planned requests without sending any, and without making a store."""
    with ends_in_words(), ExitStack() as stack:
        store = stack.enter_context(Store.open(path, lock=False)) if path.exists() else None
        valid = False
        for plan in plans(ids, store, settings):
            print(printable(plan.text))
            valid = valid or plan.valid
    if not valid:
        raise typer.Exit(1)


def _run(ids: list[str], store: Store, settings: Settings, output: Path | None, rows_file: Path | None) -> int:
    tally: Counter[str] = Counter()
    with ExitStack() as stack:
        rows = stack.enter_context(atomic_write(rows_file)) if rows_file else None
        records = stack.enter_context(atomic_write(output)) if output else sys.stdout.buffer
        bar = stack.enter_context(progress(quiet=output is None and sys.stdout.isatty()))
        task = bar.add_task("ids", total=len(ids))
        for scraped in go_on(ids, store, settings):
            _count(tally, scraped)
            speed = bar.tasks[task].speed or 0  # ids a second, lately
            told = f"ids: {tally['records']:,} ok, {tally['failed']:,} failed, {speed:.1f}/s"
            bar.update(task, advance=1, description=told)
            if scraped.trial:
                records.write(record_line(scraped.trial) + b"\n")
            if rows:
                rows.write(json_line(scraped.row()) + b"\n")
        records.flush()
    store.end_run(key_of(ids, settings))
    outcomes = ", ".join(f"{tally[name]:,} {name}" for name in tally if name not in _SUMS)
    sums = ", ".join(f"{tally[name]:,} {name}" for name in ("warnings", "unparsed lines", "requests"))
    places = f"pages in {store.path}" + (f", records in {output}" if output else "")
    tell(f"{len(ids):,} ids: {outcomes}; {sums}; {places}")
    return tally["failed"]


_SUMS = frozenset({"records", "failed", "warnings", "unparsed lines", "requests"})


def _count(tally: Counter[str], scraped: Scraped) -> None:
    tally[scraped.outcome] += 1
    tally["requests"] += scraped.attempts
    tally["records"] += scraped.trial is not None
    tally["failed"] += scraped.trial is None or scraped.outcome == "stale"
    if scraped.trial:
        tally["warnings"] += len(scraped.trial.warnings)
        tally["unparsed lines"] += len(scraped.trial.unparsed)
    if scraped.message:
        tell(f"{scraped.id}: {scraped.outcome}: {scraped.message}")


@index.command("sync")
def index_sync(
    *, store: StoreFile = DEFAULT_STORE, site: Site = None, rate: Rate = None, contact: Contact = None
) -> None:
    """Read the sitemaps that robots.txt names into the store; a sync that was stopped is continued."""
    settings = settings_of(site=site, rate=rate, contact=contact)
    with (
        ends_in_words("the same command goes on where it was"),
        Store.open(store) as opened,
        Fetcher(settings) as fetcher,
        progress() as bar,
    ):
        robots = fetcher.get_robots(settings.site)
        if robots.result != "ok" or not robots.sitemaps:
            tell(robots.message or f"expected robots.txt of {settings.site} to name a sitemap, found none")
            raise typer.Exit(1)
        task = bar.add_task("sitemaps", total=None)
        failed = 0
        for url in robots.sitemaps:
            report = sync(
                opened,
                url,
                lambda file, validators: fetcher.get(file, validators=validators, limit=MAX_BYTES),
                now=lambda: datetime.now(UTC),
                study_path=settings.study_path,
                progress=lambda done, known: bar.update(task, completed=done, total=known),
            )
            failed += report.failed
            _tell_report(url, report)
    if failed:
        raise typer.Exit(1)


def _tell_report(url: str, report: SyncReport) -> None:
    for fault in report.faults:
        tell(f"{fault.url}{f':{fault.line}' if fault.line else ''}: {fault.message}")
    files = f"{report.read:,} files read, {report.unchanged:,} unchanged, {report.resumed:,} done before"
    addresses = f"{report.added:,} added, {report.removed:,} removed, {report.slugs:,} addresses in all"
    tell(f"{url}: {files}, {report.failed:,} failed; {addresses}")


@index.command("status")
def index_status(*, store: StoreFile = DEFAULT_STORE) -> None:
    """Tell the size and the age of the index."""
    with ends_in_words(), Store.open(store, lock=False) as opened:
        status = opened.index_status()
    print(f"addresses  {status.slugs:,} in {status.shards:,} files")
    print(f"read       {status.oldest_sync or 'never'} to {status.newest_sync or 'never'}")
    if status.unfinished_since:
        print(f"unfinished since {status.unfinished_since}; `trialscrape index sync` goes on with it")


@store_commands.command("export")
def store_export(
    path: Annotated[Path, typer.Argument(metavar="FILE", callback=writable, help="The WARC file to write.")],
    *,
    store: StoreFile = DEFAULT_STORE,
) -> None:
    """Write every kept version of every page as WARC."""
    _refuse_overwriting((path,), store)
    with ends_in_words("the same command starts over"), Store.open(store, lock=False) as opened:
        tell(f"{export_warc(opened, path):,} pages written to {path}")


@store_commands.command("import")
def store_import(path: Annotated[Path, typer.Argument(metavar="FILE")], *, store: StoreFile = DEFAULT_STORE) -> None:
    """Take the study pages of a WARC file into the store."""
    with ends_in_words("the same command goes on with it"), Store.open(store) as opened:
        report = import_warc(opened, path)
    for fault in report.faults:
        tell(str(fault))
    skipped = "".join(f", {count:,} skipped: {reason}" for reason, count in report.skipped.items())
    tell(f"{report.new:,} pages new, {report.known:,} known{skipped}")
    if report.faults:
        raise typer.Exit(1)


def _refuse_overwriting(outputs: Iterable[Path | None], store: Path, *inputs: Path) -> None:
    """End a command that would write its output over its input."""
    beside = [Path(f"{store}{suffix}") for suffix in ("", "-wal", "-shm", ".lock")]
    taken = {path.resolve() for path in (*beside, *inputs)}
    for output in filter(None, outputs):
        if {output.resolve(), output.with_name(f"{output.name}.part").resolve()} & taken:
            fail_usage(f"expected another file to write than to read, found {output} for both")


def settings_of(**given: object) -> Settings:
    """Take the options that were given, the environment for the rest, and the defaults for what is left."""
    try:
        return Settings.from_environment(
            os.environ, **{name: value for name, value in given.items() if value is not None}
        )
    except TrialscrapeError as error:
        fail_usage(str(error))


def _listed_ids(name: str, column: str | None) -> list[str]:
    """Read the ids of a file or of stdin, and say how many there are and where they stood."""
    try:
        found = read_ids(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes(), column=column)
    except OSError as error:
        fail_usage(f"cannot read {name}: {error.strerror}")
    except IdFileError as error:
        fail_usage(f"{name}: {error}")
    place = f"in column {found.column!r}" if found.column else "in its text"
    tell(f"{name}: {len(found.ids):,} ids {place}")
    return found.ids

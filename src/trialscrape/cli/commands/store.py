"""`index sync`, `index status`, `store export` and `store import`: the local index of addresses, archives of pages."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, echo_note, report_errors, usage_error
from trialscrape.cli.options import (
    DEFAULT_STORE,
    Contact,
    LogFile,
    Quiet,
    Rate,
    Site,
    StoreFile,
    Verbose,
    Yes,
    check_output,
    make_settings,
    open_log,
    refuse_overwriting,
    require_yes,
)
from trialscrape.engines import read_page
from trialscrape.exports.wacz import ARCHIVE, export_wacz
from trialscrape.exports.warc import export_warc
from trialscrape.fetching.fetcher import Fetcher
from trialscrape.scraping.index import SyncReport, sync_index
from trialscrape.scraping.sitemap import MAX_BYTES
from trialscrape.sources.stores import list_pages
from trialscrape.sources.warc import import_warc
from trialscrape.store.store import Store
from trialscrape.wording import suggest_names, write_count


def index_sync(  # noqa: PLR0913  a command has as many options as it needs
    *,
    store: StoreFile = DEFAULT_STORE,
    site: Site = None,
    rate: Rate = None,
    contact: Contact = None,
    yes: Yes = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log: LogFile = None,
) -> None:
    """Read the sitemaps that robots.txt names into the store. The same command resumes a sync that was stopped."""
    settings = make_settings(site=site, rate=rate, contact=contact)
    require_yes(settings, (settings.site,), yes=yes)
    # Not at the top: the other commands of this module show no bar.
    from trialscrape.cli.bar import open_bar  # noqa: PLC0415

    with (
        open_log(log, store, quiet=quiet, verbose=verbose),
        report_errors("the same command resumes it"),
        Store.open(store) as opened,
        Fetcher(settings) as fetcher,
        open_bar(quiet=quiet) as bar,
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
            _report_sync(url, report, quiet=quiet)
    if failed:
        raise typer.Exit(1)


def _report_sync(url: str, report: SyncReport, *, quiet: bool) -> None:
    for fault in report.faults:
        echo_error(f"{fault.url}{f':{fault.line}' if fault.line else ''}: {fault.message}")
    files = f"{write_count(report.read, 'file')} read, {report.unchanged:,} unchanged, {report.resumed:,} done before"
    in_all = write_count(report.slugs, "address", "addresses")
    addresses = f"{report.added:,} added, {report.removed:,} removed, {in_all} in all"
    echo_note(f"{url}: {files}, {len(report.faults):,} failed; {addresses}", quiet=quiet)


def index_status(*, store: StoreFile = DEFAULT_STORE) -> None:
    """Print the size and the age of the index."""
    with report_errors(), Store.open(store, lock=False) as opened:
        status = opened.slugs.status()
    print(f"addresses  {status.slugs:,} in {write_count(status.shards, 'file')}")
    print(f"read       {status.oldest_sync or 'never'} to {status.newest_sync or 'never'}")
    if status.unfinished_since:
        print(f"unfinished since {status.unfinished_since}; `trialscrape index sync` resumes it")


_ARCHIVES = {"warc": (".warc", ".warc.gz"), "wacz": (".wacz",)}


def store_export(
    path: Annotated[Path, typer.Argument(metavar="FILE", callback=check_output, help="The archive to write.")],
    *,
    store: StoreFile = DEFAULT_STORE,
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="warc or wacz; default is by the name of the file."),
    ] = None,
) -> None:
    """Write every kept version of every page as WARC, or as WACZ with the records of the latest ones."""
    refuse_overwriting((path,), store)
    name = _choose_archive(path, format_)
    with report_errors("the same command starts over"), Store.open(store, lock=False) as opened:
        if name == "wacz":
            pages = (replace(page, file=f"{ARCHIVE}!{page.file}") for page in list_pages(opened))
            count = export_wacz(opened, path, map(read_page, pages))
        else:
            count = export_warc(opened, path)
        echo_error(f"{write_count(count, 'page')} written to {path}")


def _choose_archive(path: Path, name: str | None) -> str:
    """Choose the format of an archive by its name, else by the ending of the file."""
    if name is not None and name not in _ARCHIVES:
        usage_error(f"there is no format {name!r}; {suggest_names(name, _ARCHIVES)}")
    chosen = name or next((known for known, ends in _ARCHIVES.items() if path.name.lower().endswith(ends)), None)
    if chosen is None:
        usage_error(
            f"cannot tell the format of {path} by its name: end it in .warc, .warc.gz or .wacz, or add --format"
        )
    return chosen


def store_import(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The WARC file to read, plain or gzip.")],
    *,
    store: StoreFile = DEFAULT_STORE,
) -> None:
    """Read the study pages of a WARC file into the store."""
    with report_errors("the same command continues it"), Store.open(store) as opened:
        report = import_warc(opened, path)
    for fault in report.faults:
        echo_error(fault)
    skipped = "".join(f", {count:,} skipped: {reason}" for reason, count in sorted(report.skipped.items()))
    echo_error(f"{write_count(report.new, 'page')} new, {report.known:,} known{skipped}")
    if report.faults:
        raise typer.Exit(1)

"""`store list`, `history`, `show` and `prune`: what a store keeps, version by version."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import typer

from trialscrape.cli.console import echo_error, escape_controls, report_errors, usage_error
from trialscrape.cli.differences import write_rows
from trialscrape.cli.display import print_record
from trialscrape.cli.options import DEFAULT_STORE, Full, StoreFile, read_count
from trialscrape.engines import read_page
from trialscrape.exports.jsonl import format_record
from trialscrape.quality.diff import compare_trials
from trialscrape.records import Trial
from trialscrape.results import PageResult
from trialscrape.store.database import format_time
from trialscrape.store.pages import PageVersion
from trialscrape.store.store import Store
from trialscrape.wording import write_count

AsJson = Annotated[bool, typer.Option("--json", help="Write a row a line, as JSON.")]
Study = Annotated[
    str, typer.Argument(metavar="ID|URL", help="The NCT id that pages were matched to, or a page's address.")
]


def list_kept(*, as_json: AsJson = False, store: StoreFile = DEFAULT_STORE) -> None:
    """List the kept pages: the study, how many versions there are, when the page was checked, its address."""
    pages = 0
    with report_errors(), Store.open(store, lock=False) as opened:
        for page in opened.pages.summarize():
            pages += 1
            row = page._asdict() | {name: format_time(getattr(page, name)) for name in ("fetched_at", "checked_at")}
            if as_json:
                write_rows([row])
            else:
                studies, versions = ",".join(page.studies) or "-", write_count(page.versions, "version")
                print(escape_controls(f"{studies:11}  {versions}  {row['checked_at']}  {page.url}"))
    sys.stdout.flush()
    echo_error(f"{write_count(pages, 'page')} in {store}")


def history(study: Study, *, as_json: AsJson = False, store: StoreFile = DEFAULT_STORE) -> None:
    """List the versions of a study's page, and which fields changed from each to the next.

    `trialscrape diff STORE@1 STORE@2` shows the changes between two versions.
    """
    with report_errors(), Store.open(store, lock=False) as opened:
        for url in _require_addresses(opened, study):
            if not as_json:
                print(escape_controls(url))
            for row in _list_versions(opened, url):
                if as_json:
                    write_rows([row])
                    continue
                changed = "".join(f"\n    {name} changed" for name in row["changed"] or ())
                failure = f"\n    {row['message']}" if row["message"] else ""
                size, digest = write_count(row["bytes"], "byte"), f"sha256 {row['sha256'][:12]}"
                print(
                    escape_controls(
                        f"  version {row['version']}  {row['fetched_at']}  {size}  {digest}{changed}{failure}"
                    )
                )


def show_page(  # noqa: PLR0913  a command has as many options as it needs
    study: Study,
    *,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", parser=read_count, help="The version that `store history` numbers so."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the record as JSON.")] = False,
    full: Full = False,
    as_page: Annotated[bool, typer.Option("--page", help="Write the page's bytes as they were fetched.")] = False,
    store: StoreFile = DEFAULT_STORE,
) -> None:
    """Show the record of a kept page, or the page itself; without --version, the latest one."""
    if as_json and as_page:
        usage_error("give --json or --page, not both")
    with report_errors(), Store.open(store, lock=False) as opened:
        kept = _require_version(opened, study, version)
        if as_page:
            sys.stdout.buffer.write(kept.page.body)
            return
        result = read_version(opened, kept, spans=not as_json)
    if not result.trial:
        echo_error(f"{result.file}: {result.outcome}: {result.message}")
        raise typer.Exit(1)
    if as_json:
        sys.stdout.buffer.write(format_record(result.trial) + b"\n")
    else:
        print_record(result.trial, fetched_at=kept.page.fetched_at, full=full)


def prune(
    *,
    keep: Annotated[
        int, typer.Option("--keep", metavar="N", parser=read_count, help="How many versions of each page stay.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many would be removed.")] = False,
    store: StoreFile = DEFAULT_STORE,
) -> None:
    """Remove older versions of pages from the store, for good, and give their room back to the disk.

    A version by which a page was matched to its study stays until a later one is matched.
    """
    with report_errors("what was removed stays removed"):
        if dry_run:
            with Store.open(store, lock=False) as opened:
                removed = len(opened.pages.list_prunable(keep))
                echo_error(f"{write_count(removed, 'version')} would be removed; nothing was")
            return
        if not store.is_file():
            usage_error(f"there is no store {store}")
        with Store.open(store) as opened:
            before = store.stat().st_size
            removed = opened.pages.prune(keep)
            if removed:
                opened.database.compact()
            echo_error(
                f"{write_count(removed, 'version')} removed; {store} had {before:,} bytes, has {store.stat().st_size:,}"
            )


def _require_addresses(store: Store, study: str) -> tuple[str, ...]:
    addresses = store.pages.find_addresses(study.upper() if study.upper().startswith("NCT") else study)
    if not addresses:
        do = "`trialscrape store list` lists what there is; a page that was fetched by its address is found by that"
        echo_error(f"{store.path} has no page of {study}: {do}")
        raise typer.Exit(1)
    return addresses


def _require_version(store: Store, study: str, number: int | None) -> PageVersion:
    addresses = _require_addresses(store, study)
    kept = store.pages.latest(addresses[0]) if number is None else store.pages.get_version(number)
    if kept is None or kept.url not in addresses:
        echo_error(f"{store.path} has no version {number} of {study}: `trialscrape store history {study}` lists them")
        raise typer.Exit(1)
    if number is None and len(addresses) > 1:
        echo_error(f"{study} has several pages; {kept.url} was checked last")
    return kept


def _list_versions(store: Store, url: str) -> Iterator[dict[str, Any]]:
    before = None
    for kept in store.pages.versions(url):
        result = read_version(store, kept)
        changed = None
        if result.trial:
            changed = _list_changed(before, result.trial) if before else None
            before = result.trial
        yield {
            "url": url,
            "version": kept.version_id,
            "fetched_at": format_time(kept.page.fetched_at),
            "checked_at": format_time(kept.checked_at),
            "status": kept.status,
            "bytes": len(kept.page.body),
            "sha256": kept.sha256,
            "changed": changed,
            "message": None if result.trial else f"{result.outcome}: {result.message}",
        }


def _list_changed(old: Trial, new: Trial) -> list[str]:
    return list(dict.fromkeys(change.field for change in compare_trials(old, new) if change.field))


def read_version(store: Store, kept: PageVersion, *, spans: bool = False) -> PageResult:
    """Read the record of a kept page, with the id that it was matched to."""
    match = store.pages.find_match(kept.version_id)
    return read_page(replace(kept.page, file=kept.url, match=match), spans=spans)

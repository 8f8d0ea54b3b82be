"""`show`: records in a readable layout, of pages, of record files and of the store."""

import os
import re
import sys
from collections.abc import Container, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

import typer

from trialscrape.cli.commands.history import read_version
from trialscrape.cli.console import echo_error, report_errors, usage_error
from trialscrape.cli.display import print_record
from trialscrape.cli.options import DEFAULT_STORE, Full, StoreFile, find_files
from trialscrape.engines import read_page
from trialscrape.page import Page
from trialscrape.records import Trial
from trialscrape.sources.files import STDIN, read_pages
from trialscrape.sources.outputs import is_own_file
from trialscrape.sources.record_files import read_numbered_records
from trialscrape.sources.skipping import is_own_output
from trialscrape.store.store import Store

if TYPE_CHECKING:
    import io


class _Shown(NamedTuple):
    """A record, or why there is none; where it is from, and when its page was fetched, where that is known."""

    trial: Trial | None
    place: str
    fetched_at: datetime | None = None
    message: str | None = None


def show(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|ID", help="Pages, FILE!MEMBER of archives, record files, or - for stdin; NCT ids among them."
        ),
    ],
    *,
    full: Full = False,
    store: StoreFile = DEFAULT_STORE,
) -> None:
    """Show records in a readable layout, with the lines of the page that each field is from.

    Of each file, the first record. Where NCT ids are given too, all records of these ids in the files. NCT ids alone
    are looked up in the store of fetched pages.

    Long texts and lists are cut, with a line that says so; --full shows them whole.
    """
    ids = [source.upper() for source in sources if _is_id(source)]
    files = [source for source in sources if not _is_id(source)]
    if not files:
        records = _read_store(ids, store)
    else:
        records = _select(_list_files(files, ids), ids) if ids else _take_first(_list_files(files, ids))
    missing, failed, shown = set(ids) if files else set(), False, False
    with report_errors():
        for record in records:
            if record.trial is None:
                echo_error(f"{record.place}: {record.message}")
                failed = True
                continue
            if shown:
                print()
            print_record(record.trial, place=record.place, fetched_at=record.fetched_at, full=full)
            missing.discard(record.trial.nct_id or "")
            shown = True
    if missing:
        echo_error(f"found no record of {', '.join(sorted(missing))} in {', '.join(files)}")
    if failed or missing:
        raise typer.Exit(1)


def _is_id(source: str) -> bool:
    return bool(re.fullmatch("NCT[0-9]{8}", source, re.ASCII | re.IGNORECASE)) and not os.path.lexists(source)


def _list_files(sources: list[str], ids: list[str]) -> list[tuple[str, str]]:
    """List the files to read, each with what is wanted of it: itself, or a member of it."""
    wanted = [(_find_archive(source), source) for source in sources]
    files = find_files([file for file, _ in wanted])
    if ids:
        return [(file, file) for file in files]
    if folder := next((file for file, _ in wanted if Path(file).is_dir()), None):
        usage_error(f"{folder} is a folder; name one page, or NCT ids of pages in it")
    return wanted


def _find_archive(path: str) -> str:
    """Return the part of `FILE!MEMBER` that is a file, or the whole path."""
    file = path
    while "!" in file and not os.path.lexists(file):
        file = file.rpartition("!")[0]
    return file if file and os.path.lexists(file) else path


def _read(file: str) -> Iterator[_Shown]:
    """Read the records of a record file, or the pages of any other file."""
    if _has_records(file):
        for line, trial in read_numbered_records(file):
            yield _Shown(trial, f"{file}:{line}")
        return
    for page in read_pages(file):
        result = read_page(page, spans=True) if isinstance(page, Page) else page
        fetched_at = page.fetched_at if isinstance(page, Page) else None
        yield _Shown(result.trial, result.file, fetched_at, f"{result.outcome}: {result.message}")


def _has_records(file: str) -> bool:
    if file == STDIN:
        return is_own_output(cast("io.BufferedReader", sys.stdin.buffer).peek(1))
    return is_own_file(Path(file))


def _take_first(files: Iterable[tuple[str, str]]) -> Iterator[_Shown]:
    """Take the first record of each file, or the member that is named, and say where there are more."""
    for file, wanted in files:
        found = (one for one in _read(file) if wanted in (file, one.place))
        first = next(found, None)
        if first is None:
            usage_error(f"there is no page {wanted}")
        yield first
        if wanted == file and next(found, None):
            echo_error(f"{file} has more records: name NCT ids behind it, or FILE!MEMBER of an archive")


def _select(files: Iterable[tuple[str, str]], ids: Container[str]) -> Iterator[_Shown]:
    """Take the records of some ids, and report the pages among them that give no record."""
    for file, _ in files:
        for one in _read(file):
            if one.trial is None:
                echo_error(f"{one.place}: {one.message}")
            elif one.trial.nct_id in ids:
                yield one


def _read_store(ids: Iterable[str], path: Path) -> Iterator[_Shown]:
    """Read the page of each id that was fetched last."""
    if not path.is_file():
        usage_error(
            f"there is no store {path} with pages of {', '.join(ids)}: name files or --store, or fetch the ids first"
        )
    with Store.open(path, lock=False) as store:
        for nct_id in ids:
            addresses = store.pages.find_addresses(nct_id)
            kept = store.pages.latest(addresses[0]) if addresses else None
            if kept is None:
                message = f"{path} has no page of it: to fetch it, run: trialscrape scrape {nct_id} --store {path}"
                yield _Shown(None, nct_id, None, message)
                continue
            result = read_version(store, kept, spans=True)
            message = f"{result.outcome}: {result.message}"
            yield _Shown(result.trial, result.file, kept.page.fetched_at, message)

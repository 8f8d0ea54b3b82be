"""Pages to results: one result a page, its record or why there is none. Never an exception, so the run continues.

Pages are read here, or in batches on several cores; the results are the same.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

from trialscrape.errors import PageError, Rejected
from trialscrape.page import Page
from trialscrape.parsing.parser import add_matched_id, parse_page
from trialscrape.records import TracedTrial, Trial
from trialscrape.results import Batch, Outcome, PageResult, make_failure
from trialscrape.sources.containers import unwrap
from trialscrape.sources.files import Files, measure_file, read_pages
from trialscrape.sources.members import ANY_HOST, Selection
from trialscrape.wording import write_count

T = TypeVar("T")

FEW_PAGES = 1_000
"""Pages that are read here before other processes start: they take as long to start as a few hundred pages to read."""

_BATCH = 32  # pages
_BATCH_BYTES = 4 * 1024 * 1024


def parse(
    page: Page | str | bytes, *, file: str | None = None, url: str | None = None, content_type: str | None = None
) -> Trial:
    """Read one saved study page.

    Args:
        page: Its text, HTML, MHTML or webarchive; bytes may be gzip and in any charset.
        file: Where it was saved; goes into `source.file` as given.
        url: Where it came from; goes into `source.url` without `comeFrom`. Without it, the page's own address does.
        content_type: The HTTP header that came with it; its charset counts before one that the page declares.

    Returns:
        The record. Doubts are in its `warnings`, lines the parser does not understand in `unparsed`.

    Raises:
        NotAStudyPage: It is something else, or nothing.
        SeveralPages: It holds more than one study page.
        TooLarge: It is larger than `MAX_BYTES`, or has more lines or markup than the limits.
        Unreadable: It is a broken gzip file, MHTML file or webarchive.
    """
    return parse_page(unwrap(_wrap_page(page, file, url, content_type))).build()


def trace(
    page: Page | str | bytes, *, file: str | None = None, url: str | None = None, content_type: str | None = None
) -> TracedTrial:
    """Read one saved study page like `parse`, with the source lines of each field in `spans`."""
    return parse_page(unwrap(_wrap_page(page, file, url, content_type))).build_traced()


def _wrap_page(page: Page | str | bytes, file: str | None, url: str | None, content_type: str | None) -> Page:
    if isinstance(page, str):
        # Halves of surrogate pairs are written out: no UTF-8 text can hold them.
        page, content_type = page.encode("utf-8", "backslashreplace"), "text/html; charset=utf-8"
    if isinstance(page, bytes):
        return Page(page, file=file, url=url, content_type=content_type)
    return replace(page, file=file or page.file, url=url or page.url, content_type=content_type or page.content_type)


def parse_files(  # noqa: PLR0913  each is one of the command's options
    paths: Iterable[str | Path],
    *,
    strict: bool = False,
    spans: bool = False,
    host: str = ANY_HOST,
    text_column: str | None = None,
    url_column: str | None = None,
) -> Iterator[PageResult]:
    """Read saved pages, one after the other.

    Args:
        paths: Files, folders (read recursively, without what `sources.Files` skips), and `-` for stdin. A file may be a
            page, an archive or a dump with pages, or a store: docs/files.md.
        strict: Reject a page that has warnings or unparsed lines.
        spans: Return `TracedTrial` records.
        host: Only pages of this host, of archives and dumps that give each page's address; `*` is all hosts.
        text_column: The column or key of a dump with the pages; by default the first known one.
        url_column: That with their addresses, likewise.

    Yields:
        One result per page, in the order of the paths and, in a folder, of the names.
    """
    selection = Selection(host=host, text_column=text_column, url_column=url_column)
    items = chain.from_iterable(read_pages(file, selection) for file in Files(paths))
    return _read_batch(items, strict=strict, spans=spans)


def map_pages(  # noqa: PLR0913  each is one of the command's options
    finish: Callable[[Iterable[PageResult]], T],
    files: Iterable[str],
    selection: Selection | None = None,
    *,
    jobs: int | None = 1,
    strict: bool = False,
    spans: bool = False,
) -> Iterator[T]:
    """Read the pages of some files in batches, here or on several cores.

    Args:
        finish: What to make of the results of a batch, in the process that read it. With several jobs it and what it
            returns are pickled.
        files: The files, as `Files` lists them.
        selection: What is wanted of archives and dumps, and a count of what is left out.
        jobs: How many processes read; None for as many as there are cores, once there are more than `FEW_PAGES` pages.
        strict: Reject a page that has warnings or unparsed lines.
        spans: Read `TracedTrial` records.

    Yields:
        What `finish` returned for each batch, in the order of the files.
    """
    work = partial(_finish_batch, finish, strict=strict, spans=spans)
    batches = _make_batches(files, selection)
    if jobs is None:
        few = 0
        for batch in batches:
            if few >= FEW_PAGES:
                batches = chain([batch], batches)
                break
            yield work(batch)
            few += len(batch)
        else:
            return
        jobs = _count_cores()
    if jobs == 1:
        yield from map(work, batches)
        return
    # Not at the top: it takes as long to import as several pages to read.
    from trialscrape.cores import map_on_cores  # noqa: PLC0415

    yield from map_on_cores(work, batches, jobs)


def _count_cores() -> int:
    # A container or a batch system may allow fewer than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _make_batches(files: Iterable[str], selection: Selection | None) -> Iterator[Batch]:
    """Part the files into batches; a container is read here, page by page, so that several jobs share its pages."""
    batch: Batch = []
    size = 0
    for item, length in _list_items(files, selection):
        batch.append(item)
        size += length
        if len(batch) == _BATCH or size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _list_items(files: Iterable[str], selection: Selection | None) -> Iterator[tuple[str | Page | PageResult, int]]:
    for file in files:
        length = measure_file(file)
        if length is not None:
            yield file, length
            continue
        for item in read_pages(file, selection):
            yield item, len(item.body) if isinstance(item, Page) else 0


def _finish_batch(finish: Callable[[Iterable[PageResult]], T], batch: Batch, *, strict: bool, spans: bool) -> T:
    return finish(_read_batch(batch, strict=strict, spans=spans))


def _read_batch(batch: Iterable[str | Page | PageResult], *, strict: bool, spans: bool) -> Iterator[PageResult]:
    for entry in batch:
        for item in read_pages(entry) if isinstance(entry, str) else [entry]:
            yield read_page(item, strict=strict, spans=spans) if isinstance(item, Page) else item


def read_page(page: Page, *, strict: bool = False, spans: bool = False) -> PageResult:
    """Read a page, with what is around it; the other arguments are those of `parse_files`."""
    file = page.file or ""
    try:
        parsed = parse_page(unwrap(page))
        trial = parsed.build_traced() if spans else parsed.build()
        if page.match:
            trial = add_matched_id(trial, page.match)
        if strict:
            _reject_doubt(trial)
    except PageError as error:
        return make_failure(file, error)
    except Exception as error:  # noqa: BLE001  a bug must not cost the user the other pages; it is reported
        message = f"trialscrape failed on this page, please report it: {error!r}"
        return PageResult(file, Outcome.INTERNAL_ERROR, message)
    return PageResult(file, Outcome.OK, trial=trial, lines=parsed.filled)


def _reject_doubt(trial: Trial) -> None:
    for warning in trial.warnings:
        raise Rejected(
            f"{warning.code}: {warning.message} ({write_count(len(trial.warnings), 'warning')} in all)", warning.line
        )
    for line in trial.unparsed:
        raise Rejected(f"expected a known line, found {line.text!r} ({len(trial.unparsed)} in all)", line.line)

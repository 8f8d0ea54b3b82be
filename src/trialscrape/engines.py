"""Pages to results: one result a page, its record or why there is none. Never an exception, so the run continues."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from trialscrape.errors import PageError, Rejected
from trialscrape.page import Page
from trialscrape.parsing.parser import add_matched_id, parse_page
from trialscrape.records import TracedTrial, Trial
from trialscrape.results import Outcome, PageResult, make_failure
from trialscrape.sources.containers import unwrap
from trialscrape.sources.files import Files, read_pages
from trialscrape.sources.members import ANY_HOST, Selection


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
    return map_pages(partial(read_page, strict=strict, spans=spans), Files(paths), selection)


def map_pages(
    work: Callable[[Page], PageResult], files: Iterable[str], selection: Selection | None = None
) -> Iterator[PageResult]:
    """Apply work to every page of some files, in this process, in their order; `selection` is that of `read_pages`."""
    for file in files:
        for page in read_pages(file, selection):
            yield work(page) if isinstance(page, Page) else page


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
        raise Rejected(f"{warning.code}: {warning.message} ({len(trial.warnings)} warnings in all)", warning.line)
    for line in trial.unparsed:
        raise Rejected(f"expected a known line, found {line.text!r} ({len(trial.unparsed)} in all)", line.line)

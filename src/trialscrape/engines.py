"""One result per page: its record, or why there is none. Never an exception, so the run goes on."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from trialscrape.errors import PageError, Rejected
from trialscrape.page import Page
from trialscrape.parsing import parser
from trialscrape.records import Trial
from trialscrape.results import Outcome, PageResult
from trialscrape.sources import files as sources


def parse_files(paths: Iterable[str | Path], *, strict: bool = False, spans: bool = False) -> Iterator[PageResult]:
    """Read saved pages, one after the other.

    Args:
        paths: Files, folders (read recursively, without what `sources.Files` skips), stores, and `-` for stdin.
        strict: Reject a page that has warnings or unparsed lines.
        spans: Give `TracedTrial` records.

    Yields:
        One result per page, in the order of the paths and, in a folder, of the names.
    """
    for file in sources.Files(paths):
        yield from outcomes_of(file, strict=strict, spans=spans)


def outcomes_of(file: str, *, strict: bool = False, spans: bool = False) -> Iterator[PageResult]:
    """Read the page of a file, or the pages of a store; the arguments are those of `parse_files`."""
    try:
        for page in sources.pages_in(file):
            yield _parse_page(page, strict=strict, spans=spans)
    except PageError as error:
        name = os.fsencode(file).decode("utf-8", "backslashreplace")
        yield PageResult(name, Outcome(error.outcome), error.message, error.line)


def _parse_page(page: Page, *, strict: bool, spans: bool) -> PageResult:
    file = page.file or ""
    try:
        read = parser.trace if spans else parser.parse
        trial = read(page.body, file=file, url=page.url, content_type=page.content_type)
        if page.match:
            trial = parser.with_matched_id(trial, page.match.nct_id, page.match.kind)
        if strict:
            _reject_doubt(trial)
    except PageError as error:
        return PageResult(file, Outcome(error.outcome), error.message, error.line)
    except Exception as error:  # noqa: BLE001  a fault of ours must not cost the user the other pages; it is told
        message = f"trialscrape failed on this page, please report it: {error!r}"
        return PageResult(file, Outcome.INTERNAL_ERROR, message)
    return PageResult(file, Outcome.OK, trial=trial)


def _reject_doubt(trial: Trial) -> None:
    for warning in trial.warnings:
        raise Rejected(f"{warning.code}: {warning.message} ({len(trial.warnings)} warnings in all)", warning.line)
    for line in trial.unparsed:
        raise Rejected(f"expected a known line, found {line.text!r} ({len(trial.unparsed)} in all)", line.line)

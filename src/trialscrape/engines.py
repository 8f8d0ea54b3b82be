"""One outcome per page: its record, or why there is none. Never an exception, so the run goes on."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trialscrape.errors import PageError, Rejected
from trialscrape.parsing import parser
from trialscrape.records import Trial
from trialscrape.sources import files as sources


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one page.

    Attributes:
        file: The page's file as given, or found in a folder that was; `-` for stdin.
        outcome: `ok`, or the `outcome` of an error in `trialscrape.errors`; `internal_error` is a fault of ours.
        message: What was expected, what was found, and what to do; None where all is well.
        line: The line of the page's text that the message is about, from 1.
        trial: The record where the outcome is `ok`.
    """

    file: str
    outcome: str
    message: str | None = None
    line: int | None = None
    trial: Trial | None = None


def parse_files(paths: Iterable[str | Path], *, strict: bool = False, spans: bool = False) -> Iterator[Outcome]:
    """Read saved pages, one after the other.

    Args:
        paths: Files, folders (read recursively, without what `sources.Files` skips), stores, and `-` for stdin.
        strict: Reject a page that has warnings or unparsed lines.
        spans: Give `TracedTrial` records.

    Yields:
        One outcome per page, in the order of the paths and, in a folder, of the names.
    """
    for file in sources.Files(paths):
        yield from outcomes_of(file, strict=strict, spans=spans)


def outcomes_of(file: str, *, strict: bool = False, spans: bool = False) -> Iterator[Outcome]:
    """Read the page of a file, or the pages of a store; the arguments are those of `parse_files`."""
    try:
        for saved in sources.pages_in(file):
            yield _outcome(saved, strict=strict, spans=spans)
    except PageError as error:
        name = os.fsencode(file).decode("utf-8", "backslashreplace")
        yield Outcome(name, error.outcome, error.message, error.line)


def _outcome(saved: sources.Saved, *, strict: bool, spans: bool) -> Outcome:
    try:
        read = parser.trace if spans else parser.parse
        trial = read(saved.page, file=saved.file, url=saved.url, content_type=saved.content_type)
        if saved.match:
            trial = parser.with_matched_id(trial, saved.match.nct_id, saved.match.matched_by)
        if strict:
            _reject_doubt(trial)
    except PageError as error:
        return Outcome(saved.file, error.outcome, error.message, error.line)
    except Exception as error:  # noqa: BLE001  a fault of ours must not cost the user the other pages; it is told
        message = f"trialscrape failed on this page, please report it: {error!r}"
        return Outcome(saved.file, "internal_error", message)
    return Outcome(saved.file, "ok", trial=trial)


def _reject_doubt(trial: Trial) -> None:
    for warning in trial.warnings:
        raise Rejected(f"{warning.code}: {warning.message} ({len(trial.warnings)} warnings in all)", warning.line)
    for line in trial.unparsed:
        raise Rejected(f"expected a known line, found {line.text!r} ({len(trial.unparsed)} in all)", line.line)

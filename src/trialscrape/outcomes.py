"""One outcome per page: its record, or why there is none. Never an exception, so the run goes on."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trialscrape import parser, sources
from trialscrape.errors import PageError, Rejected
from trialscrape.records import Trial


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
        paths: Files, folders (read recursively) and `-` for stdin; text or HTML, plain or gzip.
        strict: Reject a page that has warnings or unparsed lines.
        spans: Give `TracedTrial` records.

    Yields:
        One outcome per page, in the order of the paths and, in a folder, of the names.
    """
    for file in sources.files_in(paths):
        yield outcome_of(file, strict=strict, spans=spans)


def outcome_of(file: str, *, strict: bool = False, spans: bool = False) -> Outcome:
    """Read one saved page; the arguments are those of `parse_files`."""
    name = os.fsencode(file).decode("utf-8", "backslashreplace")  # a name may be any bytes, a record may not
    try:
        page = sources.read(file)
        trial = (parser.trace if spans else parser.parse)(page, file=name)
        if strict:
            _reject_doubt(trial)
    except PageError as error:
        return Outcome(name, error.outcome, error.message, error.line)
    except Exception as error:  # noqa: BLE001  a fault of ours must not cost the user the other pages; it is told
        return Outcome(name, "internal_error", f"trialscrape failed on this page, please report it: {error!r}")
    return Outcome(name, "ok", trial=trial)


def _reject_doubt(trial: Trial) -> None:
    for warning in trial.warnings:
        raise Rejected(f"{warning.code}: {warning.message} ({len(trial.warnings)} warnings in all)", warning.line)
    for line in trial.unparsed:
        raise Rejected(f"expected a known line, found {line.text!r} ({len(trial.unparsed)} in all)", line.line)

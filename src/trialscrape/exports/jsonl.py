"""Records and results as lines of JSON, in the model's order."""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

from trialscrape.exports.files import open_output
from trialscrape.records import Trial
from trialscrape.results import PageResult

# JSON lets these stand raw, but a terminal or an editor would obey them.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_ROW_FIELDS = tuple(field.name for field in fields(PageResult) if field.name not in {"trial", "lines"})


def format_record(trial: Trial, record: str | None = None) -> bytes:
    """Write a record as one line of JSON, UTF-8, without the newline.

    Control characters and bidi marks are escaped, so that a terminal does not obey them.

    Args:
        trial: The record.
        record: The same as JSON, where that is at hand.
    """
    return escape_unsafe(record or trial.model_dump_json()).encode()


@contextmanager
def open_jsonl(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes a record, given as its line of JSON, as a line of the file."""
    with open_output(path) as stream:
        yield lambda record: stream.write(record + b"\n")


@contextmanager
def open_jsonl_gz(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes a record like that of `open_jsonl`, compressed."""
    with open_output(path) as stream, gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed:  # no time: same bytes
        yield lambda record: packed.write(record + b"\n")


def format_result(result: PageResult) -> bytes:
    """Write what became of a page as one line of JSON, UTF-8, without the newline and the record."""
    return format_row({name: getattr(result, name) for name in _ROW_FIELDS})


class PageLines(NamedTuple):
    """What became of a page, as it is written: workers give this back instead of models.

    Attributes:
        result: The result without the record.
        record: The record as `format_record` writes it, where there is one.
        row: The result as `format_result` writes it.
        warnings: How many the record has.
        unparsed: How many unparsed lines it has.
    """

    result: PageResult
    record: bytes | None
    row: bytes
    warnings: int
    unparsed: int


def format_pages(results: Iterable[PageResult]) -> list[PageLines]:
    """Write results and their records as lines."""
    return [_format_page(result, result.trial) for result in results]


def _format_page(result: PageResult, trial: Trial | None) -> PageLines:
    row = format_result(result)
    if trial is None:
        return PageLines(result, None, row, 0, 0)
    bare = replace(result, trial=None)
    return PageLines(bare, format_record(trial), row, len(trial.warnings), len(trial.unparsed))


def format_row(row: Mapping[str, object]) -> bytes:
    """Write a row as one line of JSON, UTF-8, without the newline, as safe as `format_record`."""
    return escape_unsafe(json.dumps(row, ensure_ascii=False)).encode()


def escape_unsafe(text: str) -> str:
    """Escape in JSON what a terminal or an editor would obey: control characters and bidi marks."""
    return _UNSAFE.sub(lambda character: f"\\u{ord(character[0]):04x}", text)

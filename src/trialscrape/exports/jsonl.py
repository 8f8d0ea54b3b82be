"""Records and results as lines of JSON, in the model's order."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO, Protocol

from trialscrape.records import Trial
from trialscrape.results import PageResult


class Write(Protocol):
    """Writes a record; its JSON is passed along where it is at hand."""

    def __call__(self, trial: Trial, record: str | None = None) -> None:
        """Write it."""


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
    return _escape_unsafe(record or trial.model_dump_json()).encode()


@contextmanager
def open_jsonl(stream: BinaryIO) -> Iterator[Write]:
    """Yield a function that writes a record as a line."""

    def write(trial: Trial, record: str | None = None) -> None:
        stream.write(format_record(trial, record) + b"\n")

    yield write
    stream.flush()


def format_result(result: PageResult) -> bytes:
    """Write what became of a page as one line of JSON, UTF-8, without the newline and the record."""
    return format_row({name: getattr(result, name) for name in _ROW_FIELDS})


def format_row(row: Mapping[str, object]) -> bytes:
    """Write a row as one line of JSON, UTF-8, without the newline, as safe as `format_record`."""
    return _escape_unsafe(json.dumps(row, ensure_ascii=False)).encode()


def name_outcomes(records: Path) -> Path:
    """Name the outcomes beside the records: `trials.jsonl` gives `trials.outcomes.jsonl`."""
    stem = records.stem if records.suffix in {".json", ".jsonl"} else records.name
    return records.with_name(f"{stem}.outcomes.jsonl")


def _escape_unsafe(text: str) -> str:
    return _UNSAFE.sub(lambda character: f"\\u{ord(character[0]):04x}", text)

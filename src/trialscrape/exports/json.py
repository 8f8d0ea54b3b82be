"""Records as one JSON array, a record a line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from trialscrape.exports.jsonl import Write, format_record
from trialscrape.records import Trial


@contextmanager
def open_json(stream: BinaryIO) -> Iterator[Write]:
    """Yield a function that writes a record as an element of the array."""
    before = b"[\n"

    def write(trial: Trial, record: str | None = None) -> None:
        nonlocal before
        stream.write(before + format_record(trial, record))
        before = b",\n"

    yield write
    stream.write(b"[]\n" if before == b"[\n" else b"\n]\n")
    stream.flush()

"""Records as one JSON array, a record a line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def open_json(stream: BinaryIO) -> Iterator[Callable[[bytes], None]]:
    """Yield a function that writes a record, given as its line of JSON, as an element of the array."""
    before = b"[\n"

    def write(record: bytes) -> None:
        nonlocal before
        stream.write(before + record)
        before = b",\n"

    yield write
    stream.write(b"[]\n" if before == b"[\n" else b"\n]\n")
    stream.flush()

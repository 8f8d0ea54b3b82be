"""Records as one JSON array, a record a line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trialscrape.exports.files import open_output


@contextmanager
def open_json(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes a record, given as its line of JSON, as an element of the array."""
    before = b"[\n"
    with open_output(path) as stream:

        def write(record: bytes) -> None:
            nonlocal before
            stream.write(before + record)
            before = b",\n"

        yield write
        stream.write(b"[]\n" if before == b"[\n" else b"\n]\n")

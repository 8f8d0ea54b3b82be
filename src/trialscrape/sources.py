"""Paths, folders and stdin to the bytes of pages."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from trialscrape.errors import TooLarge, Unreadable
from trialscrape.pages import MAX_BYTES

STDIN = "-"


def files_in(paths: Iterable[str | Path]) -> Iterator[str]:
    """List the files to read, in the order of their names.

    Args:
        paths: Files, folders and `-` for stdin, in the order wanted. A folder is read recursively; what begins with a
            dot in it is passed over, and so is a linked folder. A path that is missing is listed, so that it is told.
    """
    for path in map(str, paths):
        if path == STDIN or not Path(path).is_dir():
            yield path
        else:
            yield from _files_below(path)


def _files_below(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (f"{parent.rstrip('/')}/{name}" for name in sorted(files) if not name.startswith("."))


def read(file: str) -> bytes:
    """Read a file, or stdin for `-`.

    Raises:
        Unreadable: It is missing, no file, or cannot be read.
        TooLarge: It has more than `MAX_BYTES` bytes.
    """
    try:
        if file == STDIN:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        elif not Path(file).is_file() and Path(file).exists():
            raise Unreadable("expected a file, found a device, socket or pipe; pipe it in and read '-'")
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Unreadable(f"expected a readable file: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_BYTES:
        raise TooLarge(f"expected at most {MAX_BYTES:,} bytes, found more")
    return data

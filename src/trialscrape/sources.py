"""Paths, folders, stores and stdin to the bytes of pages."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from trialscrape.errors import TooLarge, Unreadable
from trialscrape.pages import MAX_BYTES
from trialscrape.store import Match, Store, StoreError, is_store

STDIN = "-"


class Saved(NamedTuple):
    """A page that somebody saved.

    Attributes:
        file: Its file as given; `store!address` in a store.
        url: Its address, if known.
        page: Its bytes.
        content_type: The header that it was served with, if known.
        match: How a store knows whose page it is.
    """

    file: str
    url: str | None
    page: bytes
    content_type: str | None = None
    match: Match | None = None


def files_in(paths: Iterable[str | Path]) -> Iterator[str]:
    """List the files to read, in the order of their names.

    Args:
        paths: Files, folders and `-` for stdin, in the order wanted. A folder is read recursively; what begins with a
            dot in it is passed over, and so is a linked folder. A path that is missing is listed, so that it is told.
    """
    if isinstance(paths, str | Path):
        raise TypeError(f"expected a list of paths, found one path: pass [{str(paths)!r}]")
    for path in map(str, paths):
        if path != STDIN and os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises where a path is too long
            yield from _files_below(path)
        else:
            yield path


def _files_below(folder: str) -> Iterator[str]:
    """List a folder's files; a folder that cannot be read, or has none, is listed itself, so that it is told."""
    unreadable: list[str] = []
    empty = True
    for parent, folders, files in os.walk(folder, onerror=lambda error: unreadable.append(str(error.filename))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                empty = False
                yield f"{parent.rstrip('/')}/{name}"
    yield from unreadable or ([folder] if empty else [])


def pages_in(file: str) -> Iterator[Saved]:
    """Read the page of a file, or of stdin for `-`; or every page that a store keeps, in its latest version.

    Raises:
        Unreadable: It is missing, no file, or cannot be read.
        TooLarge: It has more than `MAX_BYTES` bytes.
    """
    # A file's name may be any bytes, a record may not.
    name = os.fsencode(file).decode("utf-8", "backslashreplace")
    if not is_store(file):
        yield Saved(name, None, _read(file))
        return
    try:
        with Store.open(file, lock=False) as store:
            for page in store.pages():
                match = store.match_of(page.version_id)
                yield Saved(f"{name}!{page.url}", page.final_url, page.body, page.content_type, match)
    except StoreError as error:
        raise Unreadable(str(error)) from error


def _read(file: str) -> bytes:
    try:
        if file == STDIN:
            data = sys.stdin.buffer.read(MAX_BYTES + 1) if sys.stdin else b""
        elif os.path.isdir(file):  # noqa: PTH112  as above
            raise Unreadable("expected a folder that can be read and has files in it")
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

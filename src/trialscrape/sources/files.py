"""Paths, folders, stores and stdin to the bytes of pages."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from heapq import merge
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from trialscrape.errors import PageError, Unreadable
from trialscrape.page import Page
from trialscrape.parsing.text import MAX_BYTES, UTF_16_OR_32, PageText, decode
from trialscrape.results import PageResult, make_failure
from trialscrape.sources.containers import find_container, find_inner_container, read_members, unwrap
from trialscrape.sources.members import FIRST_BYTES, Selection, read_file
from trialscrape.sources.outputs import is_own_file
from trialscrape.sources.skipping import is_skipped_file, is_skipped_folder

STDIN = "-"


class Files:
    """The files to read, in the order of their names; iterating finds them folder by folder.

    A folder is read recursively. What cannot be a page is skipped in it: hidden files and folders, linked folders, the
    folder that a browser saves beside a page, what Windows and macOS leave behind, unfinished downloads, and this
    tool's own records, outcomes and files beside a store. A path that the user names is never skipped, even a
    missing one, so that it is reported.

    Attributes:
        skipped: How many files and folders were skipped so far.
    """

    def __init__(self, paths: Iterable[str | Path], *, written: Iterable[Path] = ()) -> None:
        """Take the paths: files, folders and `-` for stdin, in the order wanted.

        Args:
            paths: What to read.
            written: Files that this run writes; they are left out and not counted.
        """
        if isinstance(paths, str | Path):
            raise TypeError(f"expected a list of paths, found one path: pass [{str(paths)!r}]")
        self.skipped = 0
        self._paths = paths
        self._written = {path.resolve() for path in written}

    def __iter__(self) -> Iterator[str]:
        for path in map(str, self._paths):
            if path != STDIN and os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises where a path is too long
                yield from self._walk(path)
            else:
                yield path

    def _walk(self, top: str) -> Iterator[str]:
        """List a folder's files; a folder that cannot be read, or has none, is listed itself and so reported."""
        empty = True
        waiting = [top.rstrip("/")]
        while waiting:
            folder = waiting.pop()
            try:
                folders, files = _list_folder(f"{folder}/")
            except OSError:
                empty = False
                yield folder or "/"
                continue
            written = [path.name for path in self._written if path.parent == Path(f"{folder}/").resolve()]
            for name in files:
                if any(name == own or (name.startswith(own) and name.endswith(".part")) for own in written):
                    continue
                path = f"{folder}/{name}"
                if is_skipped_file(path, _is_file) or is_own_file(Path(path)):
                    self.skipped += 1
                    continue
                empty = False
                yield path
            kept = [
                path
                for name in folders
                if not (is_skipped_folder(path := f"{folder}/{name}", _is_file) or Path(path).is_symlink())
            ]
            self.skipped += len(folders) - len(kept)
            waiting.extend(reversed(kept))
        if empty:
            yield top


_RUN = 1_000


def _list_folder(folder: str) -> tuple[list[str], Iterator[str]]:
    """Return the names of a folder's folders, and of its files one by one, both in their order.

    The names of many files are kept as sorted runs, each one string: a third of the memory of as many strings.
    """
    folders: list[str] = []
    names: list[str] = []
    runs: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            (folders if _is_folder(entry) else names).append(entry.name)
            if len(names) == _RUN:
                runs.append("/".join(sorted(names)))
                names.clear()
    runs.append("/".join(sorted(names)))
    return sorted(folders), merge(*map(_split_names, runs))


def _split_names(run: str) -> Iterator[str]:
    start = 0
    while start < len(run):
        stop = run.find("/", start) % (len(run) + 1)  # the last name ends with the run
        yield run[start:stop]
        start = stop + 1


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(path: str) -> bool:
    return Path(path).is_file()


def measure_file(file: str) -> int | None:
    """Return the size in bytes of a file that is one page; None for a container of many, and for stdin.

    A file that cannot be read counts as a page: reading it says why.
    """
    if file == STDIN:
        return None
    try:
        status = os.stat(file)  # noqa: PTH116  no Path, as in `_open`
        if not stat.S_ISREG(status.st_mode):
            return 0
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123  as above
            start = stream.read(FIRST_BYTES)
        container, _ = find_inner_container(start) if find_container(start) else (None, ())
    except (OSError, ValueError, PageError):
        return 0
    return None if container and container.members else status.st_size


def read_pages(file: str, selection: Selection | None = None) -> Iterator[Page | PageResult]:
    """Read the page of a file, or of stdin for `-`; or every page of a container that has many.

    The body of a page may still have a container of its own around it: `containers.unwrap` takes it out.

    Args:
        file: Its path as given.
        selection: What is wanted of dumps and archives of other sites, and a count of what is left out; by default, all
            sites are read.

    Yields:
        The pages in their order, and a result without a record for what cannot be read: the file, or a member of it.
    """
    # A file's name may be any bytes, a record may not.
    name = os.fsencode(file).decode("utf-8", "backslashreplace")
    try:
        with _open(file) as stream:
            start = stream.read(FIRST_BYTES)
            if find_container(start) is None:
                # One byte more than a page may have: by its first bytes it may be more than too large.
                yield Page(start + stream.read(MAX_BYTES + 1 - len(start)), file=name)
                return
            source = read_file(stream, start=start, path=None if file == STDIN else file)
            yield from read_members(source, name, selection or Selection())
    except PageError as error:
        yield make_failure(name, error)


def read_text(file: str) -> PageText:
    """Read a file that is a text, or an HTML page of one, or stdin for `-`; it may be compressed with gzip.

    Raises:
        Unreadable: It is missing, no file, cannot be read, or is no text.
        TooLarge: It has more bytes, lines or markup than the limits of a page.
    """
    with _open(file) as stream:
        data = stream.read(MAX_BYTES + 1)
    container, _ = find_inner_container(data)
    if container:
        raise Unreadable(f"expected a text, found {container.name}")
    body = unwrap(Page(data)).body
    if b"\0" in body and not body.startswith(UTF_16_OR_32):
        raise Unreadable("expected a text, found binary data")
    return decode(Page(body))


@contextmanager
def _open(file: str) -> Iterator[BinaryIO]:
    # No Path here: it interns the names of all files that a run looks at, in a table that only grows.
    try:
        if file == STDIN:
            yield sys.stdin.buffer if sys.stdin else BytesIO()
            return
        if os.path.isdir(file):  # noqa: PTH112  as above
            _require_readable(file)
            raise Unreadable("there is no page in the folder")
        if os.path.exists(file) and not os.path.isfile(file):  # noqa: PTH110, PTH113  as above
            raise Unreadable("cannot read a device, socket or pipe by its name; pipe it in and read '-'")
        with open(file, "rb") as stream:  # noqa: PTH123  as above
            yield stream
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unreadable(f"cannot read the file: {reason.lower()}") from error


def _require_readable(folder: str) -> None:
    """Raise why a folder cannot be read, if it cannot."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise Unreadable(f"cannot read the folder: {(error.strerror or str(error)).lower()}") from error

"""Paths, folders, stores and stdin to the bytes of pages."""

import json
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from heapq import merge
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from trialscrape.compression import WINDOWS
from trialscrape.errors import Unreadable
from trialscrape.page import Page
from trialscrape.parsing.text import MAX_BYTES
from trialscrape.records import TracedTrial
from trialscrape.sources.containers import FIRST_BYTES, find_file_container

STDIN = "-"

OUTPUT_MARK = b"trialscrape:records"
"""What stands in the last bytes of an output whose first bytes are those of any such file."""


# Windows names the folder of a saved page by its language: "page_files", "page-Dateien".
_FILES_OF_A_PAGE = re.compile(
    r"(.+)[._-](?:files?|Dateien|fichiers|bestanden|archivos|arquivos|ficheiros|filer|tiedostot|pliki|soubory|elemei"
    r"|dosyalar|datoteke|fitxers|failid|fails|bylos|fajlovi|fitxategiak)",
    re.IGNORECASE,
)
_NO_PAGES = re.compile(r"\..*|(?:eh)?thumbs\.db|desktop\.ini|.*\.(?:lock|part|crdownload)", re.IGNORECASE)
_BESIDE_A_STORE = re.compile(r"(.+)-(?:wal|shm|journal)")
_FIRST_BYTES = 8192
_LAST_BYTES = 1024 * 1024
_FIELDS = frozenset(TracedTrial.model_fields)
_FIELD = "|".join(TracedTrial.model_fields).encode()
_OWN_JSON = re.compile(rb'\[?\s*\{"(?:nct_id":|(?:file|id)": ?"(?:[^"\\]|\\.)*", ?"outcome":)')
_OWN_CSV = re.compile(rb"(?:trial_id|(?:%b)(?:_[a-z0-9_]+)?)(?:,(?:[a-z0-9_]+))*\r?\n" % _FIELD)
_OWN_OUTPUTS: Mapping[str, Callable[[bytes, Path], bool]] = {
    ".lines.jsonl": lambda first, _: first.startswith(b'{"id":"'),
    ".registry.json": lambda first, _: bool(re.match(rb'\[\n(?:\{"protocolSection":|\])|\[\]', first)),
    ".metadata.json": lambda first, _: bool(re.match(rb'\{\s*"databases":', first)),
    ".jsonl": lambda first, _: _is_own_json(first),
    ".json": lambda first, _: _is_own_json(first),
    ".ndjson": lambda first, _: first.startswith(b'{"resourceType":"ResearchStudy"'),
    ".jsonl.gz": lambda first, _: _is_own_json(_unpack_start(first)),
    ".csv": lambda first, _: bool(_OWN_CSV.match(first)),
    ".db": lambda first, _: first[68:72] == b"TrlE",
    ".parquet": lambda first, path: first.startswith(b"PAR1") and OUTPUT_MARK in _read_end(path),
    ".xlsx": lambda first, path: first.startswith(b"PK") and OUTPUT_MARK in _read_end(path),
}
"""What this project's own outputs look like, by the end of their names: the first bytes, or something in the file."""


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
                if _is_skipped_file(f"{folder}/{name}"):
                    self.skipped += 1
                    continue
                empty = False
                yield f"{folder}/{name}"
            kept = [path for name in folders if not _is_skipped_folder(Path(path := f"{folder}/{name}"))]
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


def _is_skipped_folder(path: Path) -> bool:
    page = _FILES_OF_A_PAGE.fullmatch(path.name)
    return (
        path.name.startswith(".")
        or path.is_symlink()
        or bool(page and any(path.with_name(page[1] + end).is_file() for end in (".html", ".htm", ".xhtml")))
    )


def _is_skipped_file(file: str) -> bool:
    name = file.rpartition("/")[2]
    store = _BESIDE_A_STORE.fullmatch(file)
    return bool(_NO_PAGES.fullmatch(name)) or bool(store and Path(store[1]).is_file()) or _is_own_output(Path(file))


def _is_own_output(path: Path) -> bool:
    look = next((look for ending, look in _OWN_OUTPUTS.items() if path.name.lower().endswith(ending)), None)
    if look is None:
        return False
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return False
        with path.open("rb") as stream:
            return look(stream.read(_FIRST_BYTES), path)
    except OSError:
        return False


def _is_own_json(first: bytes) -> bool:
    """Return whether these are records, or outcomes; records of chosen fields begin with any of them."""
    if _OWN_JSON.match(first):
        return True
    try:
        keys = json.loads(first.removeprefix(b"[\n").partition(b"\n")[0]).keys()
    except (AttributeError, ValueError, RecursionError):
        return False
    return bool(keys) and keys <= _FIELDS


def _unpack_start(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(WINDOWS["gzip"]).decompress(packed, _FIRST_BYTES)
    except zlib.error:
        return b""


def _read_end(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _LAST_BYTES))
        return stream.read(_LAST_BYTES)


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
            container = find_file_container(stream.read(FIRST_BYTES))
    except (OSError, ValueError):
        return 0
    return None if container and container.pages else status.st_size


def read_pages(file: str) -> Iterator[Page]:
    """Read the page of a file, or of stdin for `-`; or every page of a container that has many.

    The body of a page may still have a container of its own around it: `containers.unwrap` takes it out.

    Raises:
        Unreadable: It is missing, no file, or cannot be read.
    """
    # A file's name may be any bytes, a record may not.
    name = os.fsencode(file).decode("utf-8", "backslashreplace")
    with _open(file) as stream:
        data = stream.read(FIRST_BYTES)
        container = find_file_container(data) if file != STDIN else None
        if container is None or container.pages is None:
            # One byte more than a page may have: by its first bytes it may be more than too large.
            yield Page(data + stream.read(MAX_BYTES + 1 - len(data)), file=name)
            return
    for page in container.pages(file):
        yield replace(page, file=f"{name}!{page.file}")


@contextmanager
def _open(file: str) -> Iterator[BinaryIO]:
    # No Path here: it interns the names of all files that a run looks at, in a table that only grows.
    try:
        if file == STDIN:
            yield sys.stdin.buffer if sys.stdin else BytesIO()
            return
        if os.path.isdir(file):  # noqa: PTH112  as above
            raise Unreadable("cannot read the folder, or it has no pages")
        if os.path.exists(file) and not os.path.isfile(file):  # noqa: PTH110, PTH113  as above
            raise Unreadable("cannot read a device, socket or pipe by its name; pipe it in and read '-'")
        with open(file, "rb") as stream:  # noqa: PTH123  as above
            yield stream
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unreadable(f"cannot read the file: {reason.lower()}") from error

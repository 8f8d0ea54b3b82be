"""The sitemap to the slug index.

A sitemap is read as it comes, piece by piece: an element is dropped as soon as it ends, so memory does not grow with
the file. What is wrong with it is told as data after everything that could be read before the fault.
"""

import re
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from itertools import count as count_from
from typing import Literal, cast
from urllib.parse import urljoin, urlsplit

from lxml import etree
from lxml.etree import _Element

from trialscrape.compression import decompress
from trialscrape.errors import IncompleteBody
from trialscrape.fetching.responses import Response, Validators
from trialscrape.store.slug_index import Sync
from trialscrape.store.store import Store

MAX_BYTES = 256 * 1024 * 1024
"""Decompressed bytes read of one file; the sitemap protocol allows 50 MB."""
MAX_ENTRIES = 1_000_000
"""Entries read of one file; the sitemap protocol allows 50,000."""
MAX_FILES = 10_000
"""Files read of one sitemap."""
MAX_DEPTH = 3
"""Indexes above a file; the sitemap protocol allows one."""
MAX_SLUG = 300
RESUME_WITHIN = timedelta(days=1)
"""How old a reading that did not end may be to be gone on with."""

_PIECE = 1 << 16
_MOUTHFUL = 1 << 10
_QUERY = re.compile("[?#].*", re.DOTALL)
_KINDS: dict[str, Literal["sitemap", "page"]] = {"sitemap": "sitemap", "url": "page"}
_ROOTS = ("urlset", "sitemapindex")
_GZIP = b"\x1f\x8b"

Get = Callable[[str, Validators | None], Response]
"""Fetches an address, with the validators of the copy that is had."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An address in a sitemap: of a further file of the sitemap, or of a page."""

    kind: Literal["sitemap", "page"]
    url: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a file of the sitemap, and in which line; nothing behind it was read."""

    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class FileFault:
    """A fault and the file that it is in."""

    url: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a reading of the sitemap did.

    Attributes:
        read: Files with slugs that were fetched and indexed.
        unchanged: Files that the site said are as they were.
        resumed: Files that the same reading had done before it was interrupted.
        failed: Files that could not be read, or not to their end; what they listed before is kept.
        added: Slugs new to the index.
        removed: Slugs that no file lists any more.
        other: Addresses that are no study page.
        slugs: Size of the index now.
        faults: What was wrong.

    """

    read: int
    unchanged: int
    resumed: int
    failed: int
    added: int
    removed: int
    other: int
    slugs: int
    faults: tuple[FileFault, ...]


def parse_sitemap(
    source: bytes | Iterable[bytes], *, max_bytes: int = MAX_BYTES, max_entries: int = MAX_ENTRIES
) -> Iterator[Entry | Fault]:
    """Read a sitemap or a sitemap index, plain or gzip, whichever its first bytes say.

    Args:
        source: The file: its bytes, or pieces of it.
        max_bytes: Where to stop, decompressed.
        max_entries: Where to stop, in entries.

    Yields:
        An `Entry` for each address; at most one `Fault`, and then as the last.

    """
    count = 0
    try:
        for entry in _entries(_elements(_bounded(_decompressed(_pieces(source)), max_bytes))):
            if count == max_entries:
                yield Fault(f"expected at most {max_entries} entries, found more: the rest was not read")
                return
            count += 1
            yield entry
    except etree.XMLSyntaxError as error:
        yield Fault(f"expected well-formed XML, found: {error.msg}: the rest was not read", error.lineno)
    except IncompleteBody:
        yield Fault("expected the end of the gzip data, found it cut off: the rest was not read")
    except (_Unfit, zlib.error) as error:
        yield Fault(f"{error}: the rest was not read")


def sync(  # noqa: PLR0913  # two are what to do, the rest has defaults or is the clock
    store: Store,
    url: str,
    get: Get,
    *,
    now: Callable[[], datetime],
    study_path: str = "/study/",
    progress: Callable[[int, int], None] = lambda done, known: None,  # noqa: ARG005  # the names tell what is passed
) -> SyncReport:
    """Bring the slug index up to date with the site's sitemap.

    A file is one transaction: a reading that was killed is gone on with by the same call, and does not ask again for
    the files that it had done. Only files on the sitemap's own host are asked for. When all of it was read without a
    fault, files that the sitemap named before and does not name any more are dropped from the index.

    Args:
        store: Where the index is.
        url: The sitemap, or its index.
        get: Fetches a file, politely and bounded.
        now: The time, asked for each file.
        study_path: What the path of a study page begins with; the slug follows.
        progress: Called after each file with the number of files done and known so far.

    """
    started = now()
    reading = _Reading(store, get, now, study_path, store.begin_sync(url, started, not_before=started - RESUME_WITHIN))
    waiting = deque([(url, 0)])
    seen = {url}
    for count in count_from(1):
        file, depth = waiting.popleft()
        further = reading.read_file(file) if count <= MAX_FILES else reading.refuse_file(file)
        new = [found for found in further if found not in seen]
        seen.update(new)
        waiting.extend((found, depth + 1) for found in new if reading.accepts(found, url, depth + 1))
        progress(count, count + len(waiting))
        if not waiting:
            break
    if not reading.faults:
        reading.removed += store.drop_shards(reading.sync, keep=reading.files)
    store.end_sync(reading.sync, now())
    return reading.report()


@dataclass
class _Reading:
    """One reading of a sitemap, and what it has counted so far."""

    store: Store
    get: Get
    now: Callable[[], datetime]
    study_path: str
    sync: Sync
    files: set[str] = field(default_factory=set)
    faults: list[FileFault] = field(default_factory=list)
    read: int = 0
    unchanged: int = 0
    resumed: int = 0
    failed: int = 0
    added: int = 0
    removed: int = 0
    other: int = 0

    def accepts(self, url: str, root: str, depth: int) -> bool:
        """Say whether a file may be asked for, and note why not."""
        if _host(url) != _host(root):
            scheme, host = _host(root)
            self._fail(url, Fault(f"expected a file at {scheme}://{host}, found another place: it was not asked for"))
        elif depth > MAX_DEPTH:
            self._fail(url, Fault(f"expected at most {MAX_DEPTH} indexes above it, found more: it was not asked for"))
        else:
            return True
        return False

    def refuse_file(self, url: str) -> tuple[str, ...]:
        """Note that there are too many files."""
        self._fail(url, Fault(f"expected at most {MAX_FILES} files, found more: it was not asked for"))
        return ()

    def read_file(self, url: str) -> tuple[str, ...]:
        """Read one file; gives the further files that it names."""
        known = self.store.shard(url)
        if url in self.sync.done:
            self.resumed += 1
            self.files.add(url)
            return ()
        got = self.get(url, Validators(known.etag, known.last_modified) if known else None)
        if got.result == "not_modified" and known:
            self.store.touch_shard(url, self.now(), sync=self.sync)
            self.unchanged += 1
            self.files.add(url)
        elif got.result == "ok":
            return self._read_body(url, got)
        else:
            self._fail(url, Fault(f"{got.result}: {got.message}"))
        return ()

    def _read_body(self, url: str, got: Response) -> tuple[str, ...]:
        entries = parse_sitemap(got.body)
        first = next(entries, Fault("expected addresses, found none"))
        if isinstance(first, Fault):
            self._fail(url, first)
            return ()
        if first.kind == "sitemap":
            return self._read_index(url, chain((first,), entries))
        self._read_slugs(url, got, chain((first,), entries))
        return ()

    def _read_index(self, url: str, entries: Iterable[Entry | Fault]) -> tuple[str, ...]:
        further: dict[str, None] = {}
        for entry in entries:
            if isinstance(entry, Fault):
                self._fail(url, entry)
            elif entry.kind == "page":
                self.other += 1
            else:
                further[_joined(url, entry.url)] = None
        return tuple(further)

    def _read_slugs(self, url: str, got: Response, entries: Iterable[Entry | Fault]) -> None:
        faults: list[Fault] = []
        change = self.store.replace_shard(
            url,
            self._slugs(entries, faults),
            self.now(),
            etag=got.etag,
            last_modified=got.last_modified,
            sync=self.sync,
            is_whole=lambda: not faults,
        )
        self.files.add(url)
        self.added += change.added
        self.removed += change.removed
        for fault in faults:
            self._fail(url, fault)
        self.read += not faults

    def _slugs(self, entries: Iterable[Entry | Fault], faults: list[Fault]) -> Iterator[str]:
        for entry in entries:
            if isinstance(entry, Fault):
                faults.append(entry)
            elif slug := slug_of(entry.url, self.study_path):
                yield slug
            else:
                self.other += 1

    def _fail(self, url: str, fault: Fault) -> None:
        self.failed += 1
        self.faults.append(FileFault(url, fault.message, fault.line))

    def report(self) -> SyncReport:
        """Sum up."""
        return SyncReport(
            read=self.read,
            unchanged=self.unchanged,
            resumed=self.resumed,
            failed=self.failed,
            added=self.added,
            removed=self.removed,
            other=self.other,
            slugs=self.store.index_status().slugs,
            faults=tuple(self.faults),
        )


def _joined(base: str, url: str) -> str:
    """Make a relative address whole; one that is no address at all stays as it is and is refused by its host."""
    try:
        return urljoin(base, url)
    except ValueError:
        return url


def _host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def slug_of(url: str, study_path: str = "/study/") -> str | None:
    """Give the slug in the address of a study page, or None for another address."""
    path = "/" + _QUERY.sub("", url.partition("://")[2]).partition("/")[2]
    slug = path.removeprefix(study_path).removesuffix("/")
    fits = path.startswith(study_path) and 0 < len(slug) <= MAX_SLUG and "/" not in slug and slug.isprintable()
    return slug if fits else None


class _Unfit(Exception):  # it carries the text of a fault and never leaves this module
    """The file is not what a sitemap is."""


def _entries(elements: Iterable[_Element]) -> Iterator[Entry]:
    """Yield the addresses of a sitemap from its elements, which come when they end, and drop each at the next."""
    url = ""
    for number, element in enumerate(elements):
        if not number:
            _check_root(element.getroottree().getroot())
        parent = element.getparent()
        if parent is None:
            continue
        namespace, name = _split(element)
        if name == "loc" and _split(parent) in ((namespace, "url"), (namespace, "sitemap")):
            url = (element.text or "").strip()
        elif url and (kind := _KINDS.get(name)):
            yield Entry(kind, url)
            url = ""
        if element.getprevious() is not None:
            del parent[0]


def _check_root(root: _Element) -> None:
    """Refuse what is no sitemap, and any document type: no sitemap needs one, and it can define entities."""
    name = _split(root)[1]
    if root.getroottree().docinfo.internalDTD is not None:
        raise _Unfit("expected a sitemap, found one with a document type declaration")
    if name not in _ROOTS:
        raise _Unfit(f"expected <urlset> or <sitemapindex>, found <{name}>")


def _split(element: _Element) -> tuple[str, str]:
    """Give the namespace of an element, `{…`, and its name."""
    namespace, _, name = str(element.tag).rpartition("}")
    return namespace, name


def _elements(pieces: Iterable[bytes]) -> Iterator[_Element]:
    """Yield each element when it ends; no entity is expanded and nothing else is loaded."""
    parser = etree.XMLPullParser(
        events=("end",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    for piece in pieces:
        try:
            parser.feed(piece)
        finally:  # what ended before a fault in this piece is read all the same
            yield from _ended(parser)
    parser.close()
    yield from _ended(parser)


def _ended(parser: etree.XMLPullParser) -> Iterator[_Element]:
    return (cast("_Element", element) for _, element in parser.read_events())  # no other events were asked for


def _pieces(source: bytes | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(source, bytes):
        return (source[start : start + _PIECE] for start in range(0, len(source), _PIECE))
    return (piece for piece in source if piece)


def _decompressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress what begins as gzip; anything else passes as it is."""
    start = b""
    while len(start) < len(_GZIP) and (piece := next(pieces, b"")):
        start += piece
    whole = chain((start,), pieces) if start else pieces
    return _gunzipped(whole) if start.startswith(_GZIP) else whole


def _gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    # Where the data is broken, what is unpacked at once is lost with it: so not much at once.
    return decompress(
        (piece[at : at + _MOUTHFUL] for piece in pieces for at in range(0, len(piece), _MOUTHFUL)), "gzip"
    )


def _bounded(pieces: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > max_bytes:
            raise _Unfit(f"expected at most {max_bytes} bytes, found more")
        yield piece

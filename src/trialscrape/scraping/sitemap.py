"""Sitemap files: bytes to the addresses that they list.

A file is read piece by piece, and an element is dropped as soon as it ends, so memory does not grow with the file. A
fault is data, and comes after everything that could be read before it.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal, cast

from lxml import etree
from lxml.etree import _Element

from trialscrape.compression import decompress
from trialscrape.errors import IncompleteBody

MAX_BYTES = 256 * 1024 * 1024
"""Decompressed bytes read of one file; the sitemap protocol allows 50 MB."""
MAX_ENTRIES = 1_000_000
"""Entries read of one file; the sitemap protocol allows 50,000."""

_PIECE = 1 << 16
_SMALL_PIECE = 1 << 10
_KINDS: dict[str, Literal["sitemap", "page"]] = {"sitemap": "sitemap", "url": "page"}
_ROOTS = ("urlset", "sitemapindex")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Entry:
    """An address in a sitemap: of a further file of the sitemap, or of a page."""

    kind: Literal["sitemap", "page"]
    url: str


@dataclass(frozen=True, slots=True)
class SitemapFault:
    """What is wrong with a file of the sitemap, and in which line; nothing after it was read."""

    message: str
    line: int | None = None


def parse_sitemap(
    source: bytes | Iterable[bytes], *, max_bytes: int = MAX_BYTES, max_entries: int = MAX_ENTRIES
) -> Iterator[Entry | SitemapFault]:
    """Read a sitemap or a sitemap index, plain or gzip.

    Args:
        source: The file: its bytes, or pieces of it.
        max_bytes: Where to stop, decompressed.
        max_entries: Where to stop, in entries.

    Yields:
        An `Entry` for each address; at most one `SitemapFault`, as the last item.
    """
    count = 0
    try:
        for entry in _entries(_elements(_bounded(_decompressed(_pieces(source)), max_bytes))):
            if count == max_entries:
                yield SitemapFault(f"expected at most {max_entries} entries, found more: the rest was not read")
                return
            count += 1
            yield entry
    except etree.XMLSyntaxError as error:
        yield SitemapFault(f"expected well-formed XML, found: {error.msg}: the rest was not read", error.lineno)
    except IncompleteBody:
        yield SitemapFault("expected the end of the gzip data, found it cut off: the rest was not read")
    except (_Unfit, zlib.error) as error:
        yield SitemapFault(f"{error}: the rest was not read")


class _Unfit(Exception):  # it carries the text of a fault and never leaves this module
    """The file is no sitemap."""


def _entries(elements: Iterable[_Element]) -> Iterator[Entry]:
    """Yield the addresses of a sitemap from its elements, which come when they end; drop each element at the next."""
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
    """Split the tag of an element into its namespace, `{…`, and its name."""
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
        finally:  # elements before a fault in this piece are read too
            yield from _ended(parser)
    parser.close()
    yield from _ended(parser)


def _ended(parser: etree.XMLPullParser) -> Iterator[_Element]:
    return (cast("_Element", element) for _, element in parser.read_events())  # the parser has no other events


def _pieces(source: bytes | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(source, bytes):
        return (source[start : start + _PIECE] for start in range(0, len(source), _PIECE))
    return (piece for piece in source if piece)


def _decompressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress a file that begins as gzip; leave any other as it is."""
    start = b""
    while len(start) < len(_GZIP) and (piece := next(pieces, b"")):
        start += piece
    whole = chain((start,), pieces) if start else pieces
    return _gunzipped(whole) if start.startswith(_GZIP) else whole


def _gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    # Broken data costs all that is unpacked with it: so not much at once.
    return decompress(
        (piece[at : at + _SMALL_PIECE] for piece in pieces for at in range(0, len(piece), _SMALL_PIECE)), "gzip"
    )


def _bounded(pieces: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > max_bytes:
            raise _Unfit(f"expected at most {max_bytes} bytes, found more")
        yield piece

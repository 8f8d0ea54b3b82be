"""What pages come in: the first bytes tell the container, and its row of the table who reads it.

A new container is one file beside this one and one row.
"""

import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from trialscrape.compression import WINDOWS, gunzip
from trialscrape.errors import IncompleteBody, NotAStudyPage, TooLarge, Unreadable
from trialscrape.page import Page
from trialscrape.parsing.text import EXPECTED, MAX_BYTES, SAVE_AGAIN
from trialscrape.sources import warc
from trialscrape.sources.mhtml import read_mhtml
from trialscrape.sources.stores import read_store
from trialscrape.sources.webarchive import read_webarchive

FIRST_BYTES = 64 * 1024
"""Bytes that are looked at to tell a container."""

_GZIP = b"\x1f\x8b"


class Container(NamedTuple):
    """A kind of file that is not a page as such. Without a reader, such a file is refused.

    Attributes:
        first: Its first bytes.
        name: Its name in a message.
        advice: What to do with one that cannot be read here.
        page: Reads the one page in its bytes.
        pages: Reads the pages of a file, one after the other, by its path.
    """

    first: re.Pattern[bytes]
    name: str
    advice: str
    page: Callable[[bytes], Page] | None
    pages: Callable[[str], Iterator[Page]] | None


def _row(
    first: bytes,
    name: str,
    advice: str = "",
    *,
    page: Callable[[bytes], Page] | None = None,
    pages: Callable[[str], Iterator[Page]] | None = None,
) -> Container:
    return Container(re.compile(first, re.IGNORECASE | re.DOTALL), name, advice, page, pages)


_HEADER = rb"[a-z][a-z0-9-]*:[^\n]*\n(?:[ \t][^\n]*\n)*+"
_MAIL = rb"\s*(?:From [^\n]*\n)?(?:%b)*?(?:MIME-Version|Content-Type|Message-ID|Received):" % _HEADER
_JSON = rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]])"
_HAR = rb"(?:\xef\xbb\xbf)?\s*\{\s*\"log\"\s*:"
_ZIP = rb"PK\x03\x04"
_UNPACK = "unpack it and give the files in it"
CONTAINERS = (
    _row(rb"SQLite format 3\x00.{52}TrlS", "a store", "give its file's name", pages=read_store),
    _row(rb"bplist00", "a webarchive", page=read_webarchive),
    _row(_MAIL, "an MHTML file", page=read_mhtml),
    _row(rb"\s*--\S+[ \t]*\r?\nContent-", "the inside of a mail or MHTML file", SAVE_AGAIN),
    _row(_HAR, "a HAR file of a browser", SAVE_AGAIN),
    _row(_JSON, "JSON", SAVE_AGAIN),
    _row(rb"WARC/[0-9]\.", "a WARC archive", "give its file's name", pages=warc.read_archive),
    _row(
        _ZIP + rb".{26}(?:archive/|datapackage|indexes/|pages/)",
        "a WACZ archive",
        "unpack it and give the files of its folder 'archive'",
    ),
    _row(_ZIP + rb".{26}\[Content_Types\]", "an Office document", "save its text as a text file"),
    _row(_ZIP, "a ZIP archive", _UNPACK),
    _row(rb".{257}ustar", "a tar archive", _UNPACK),
    _row(rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    _row(rb"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    _row(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "a bzip2 file", _UNPACK),
    _row(rb"\xfd7zXZ\x00", "an xz file", _UNPACK),
    _row(rb"\x28\xb5\x2f\xfd", "a Zstandard file", _UNPACK),
    _row(rb"PAR1[\x00-\x1f]", "a Parquet table", "write each page in it to a file"),
    _row(rb"SQLite format 3\x00", "an SQLite database that is no store", "write each page in it to a file"),
    _row(rb"%PDF-", "a PDF document", SAVE_AGAIN),
    _row(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", "save its text as a text file"),
    _row(rb"\{\\rtf", "an RTF document", "save its text as a text file"),
    _row(rb"\x89PNG", "a PNG image", SAVE_AGAIN),
    _row(rb"\xff\xd8\xff", "a JPEG image", SAVE_AGAIN),
    _row(rb"GIF8", "a GIF image", SAVE_AGAIN),
)
"""The first that matches decides; what has no row is a page, as text or HTML."""


def find_container(data: bytes) -> Container | None:
    """Find the container that some first bytes are of; None where they are a page's."""
    return next((row for row in CONTAINERS if row.first.match(data, 0, FIRST_BYTES)), None)


def find_file_container(data: bytes) -> Container | None:
    """Find the container of a file by its first bytes, which may be compressed."""
    if data.startswith(_GZIP):
        with suppress(zlib.error):
            data = zlib.decompressobj(WINDOWS["gzip"]).decompress(data, FIRST_BYTES)
    return find_container(data)


def unwrap(page: Page, *, limit: int = MAX_BYTES) -> Page:
    """Take a page out of what is around it: gzip, and the file of a browser.

    Raises:
        NotAStudyPage: It is a known other kind of file.
        TooLarge: It has more bytes than the limit, before or after decompression.
        Unreadable: What is around it is broken.
    """
    data = page.body
    packed = data.startswith(_GZIP)
    if packed:
        data = _gunzip(data, limit)
    container = find_container(data)
    if container and not container.page:
        raise NotAStudyPage(f"{EXPECTED}; found {container.name}; {container.advice}")
    if len(data) > limit:
        raise TooLarge(f"expected at most {limit:,} bytes{' after decompression' if packed else ''}, found more")
    if not packed and container is None:
        return page
    inner = container.page(data) if container and container.page else Page(data)
    return replace(
        page,
        body=inner.body,
        content_type=inner.content_type or page.content_type,
        location=inner.location,
        sha256=page.sha256 or hashlib.sha256(page.body).hexdigest(),
    )


def _gunzip(data: bytes, limit: int) -> bytes:
    """Decompress up to one byte more than the limit."""
    try:
        return gunzip(data, limit + 1)
    except IncompleteBody as error:
        raise Unreadable("expected a whole gzip file, found one that is cut") from error
    except zlib.error as error:
        reason = str(error).rpartition(": ")[2]
        raise Unreadable(f"expected a gzip file, found a broken one: {reason}") from error

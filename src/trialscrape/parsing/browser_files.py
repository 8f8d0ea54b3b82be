"""Pages as browsers save them in one file: MHTML of Chrome and Edge, webarchive of Safari.

Both hold the page and what it shows, each with its address. Only the page is read.
"""

import base64
import binascii
import plistlib
import quopri
import re
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from itertools import islice
from typing import NamedTuple

from trialscrape.errors import NotAStudyPage, Unreadable

MAX_HEAD = 16 * 1024
"""Bytes of the headers above an MHTML file or one of its parts; what follows counts as the body. Real ones have 500."""

MAX_PARTS = 100
"""Parts of an MHTML file that are looked at. Browsers put the page first."""

MAX_OBJECTS = 100_000
"""Objects of a property list: six a resource of the page."""

_PAGE_TYPES = ("text/html", "application/xhtml+xml")
_DECODERS: dict[str, Callable[[bytes], bytes]] = {"quoted-printable": quopri.decodestring, "base64": base64.b64decode}
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
SAVE_AGAIN = "save the study page itself, as HTML or as one .mhtml file"


class BrowserPage(NamedTuple):
    """The page of a browser's file: its bytes, and the address and charset that the file gives it."""

    body: bytes
    url: str | None = None
    charset: str | None = None


def read_mhtml(data: bytes) -> BrowserPage:
    """Read the page of an MHTML file, a mail whose first HTML part has an address (RFC 2557).

    Raises:
        NotAStudyPage: It is another mail.
        Unreadable: The page's base64 is broken.
    """
    mail, body = _split_head(data)
    page, body = _page_part(mail, body) or (mail, body)
    url = page["Content-Location"] or mail["Snapshot-Content-Location"]
    if page.get_content_type() not in _PAGE_TYPES or not url:
        message = f"expected a study page as text or HTML; found a mail ({mail.get_content_type()}); {SAVE_AGAIN}"
        raise NotAStudyPage(message)
    decode = _DECODERS.get(str(page["Content-Transfer-Encoding"]).strip().lower(), bytes)
    try:
        return BrowserPage(decode(body), "".join(str(url).split()), page.get_content_charset())
    except binascii.Error as error:
        raise Unreadable(f"expected base64 in an MHTML file, found something broken: {error}") from error


def _split_head(data: bytes) -> tuple[Message, bytes]:
    blank = _END_OF_HEAD.search(data, 0, MAX_HEAD)
    head, body = (data[: blank.start()], data[blank.end() :]) if blank else (data[:MAX_HEAD], data[MAX_HEAD:])
    return BytesHeaderParser().parsebytes(head), body


def _page_part(mail: Message, body: bytes) -> tuple[Message, bytes] | None:
    """Find the part that is the page: the HTML that `start` names, else the first."""
    boundary, start = mail.get_boundary(), _bare(mail.get_param("start"))
    if mail.get_content_type() != "multipart/related" or not boundary:
        return None
    pages = [part for part in islice(_parts(body, boundary), MAX_PARTS) if part[0].get_content_type() in _PAGE_TYPES]
    return next(
        (part for part in pages if start and _bare(part[0]["Content-ID"]) == start), pages[0] if pages else None
    )


def _bare(content_id: object) -> str:
    return str(content_id or "").strip("<> ")


def _parts(body: bytes, boundary: str) -> Iterator[tuple[Message, bytes]]:
    # Not email's own parser: it looks into nested parts, in time that grows with the square of their depth.
    line = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode("ascii", "replace")) + rb"(?:--)?[ \t]*(?=\r?\n|$)")
    delimiters = line.finditer(body)
    last = next(delimiters, None)
    while last:
        following = next(delimiters, None)
        part = body[last.end() : following.start() if following else len(body)]
        yield _split_head(part.removeprefix(b"\r").removeprefix(b"\n"))
        last = following


def read_webarchive(data: bytes) -> BrowserPage:
    """Read the page of a webarchive, a binary property list.

    Raises:
        NotAStudyPage: It is another property list, or its page is no HTML.
        Unreadable: It is broken.
    """
    try:
        _check_size(data)
        archive = plistlib.loads(data, fmt=plistlib.FMT_BINARY)
    except (plistlib.InvalidFileException, RecursionError, ValueError, IndexError) as error:
        raise Unreadable(f"expected a property list, found a broken one: {error}") from error
    page = archive.get("WebMainResource") if isinstance(archive, dict) else None
    page = page if isinstance(page, dict) else {}
    body, kind = page.get("WebResourceData"), page.get("WebResourceMIMEType")
    if not isinstance(body, bytes) or kind not in _PAGE_TYPES:
        found = f"a webarchive of {kind}" if isinstance(body, bytes) else "a property list"
        raise NotAStudyPage(f"expected a study page as text or HTML; found {found}; {SAVE_AGAIN}")
    url, charset = (page.get(key) for key in ("WebResourceURL", "WebResourceTextEncodingName"))
    return BrowserPage(body, url if isinstance(url, str) else None, charset if isinstance(charset, str) else None)


_TRAILER = 32
_INTEGER, _LONG = 0x1, 0xF


def _check_size(data: bytes) -> None:
    """Refuse a property list whose objects overlap: a small one could hold the same megabytes a thousand times."""
    trailer = data[-_TRAILER:]
    if len(trailer) < _TRAILER:
        raise ValueError("it is cut")
    offset_size, reference_size = trailer[6], trailer[7]
    count, table = (int.from_bytes(trailer[start : start + 8], "big") for start in (8, 24))
    if count > MAX_OBJECTS:
        raise ValueError(f"it has more than {MAX_OBJECTS:,} objects")
    size = 0
    for start in range(table, table + count * offset_size, offset_size or 1):
        size += _object_size(data, int.from_bytes(data[start : start + offset_size], "big"), reference_size)
    if size > len(data):
        raise ValueError("its objects overlap")


def _object_size(data: bytes, at: int, reference_size: int) -> int:
    """Get the bytes of one object that grow with its length."""
    kind, length = data[at] >> 4, data[at] & 0xF
    if kind == _INTEGER:
        return 1 << length
    if length == _LONG:  # it stands in an integer of its own
        width = 1 << (data[at + 1] & 0x3)
        length = int.from_bytes(data[at + 2 : at + 2 + width], "big")
    return length * {0x4: 1, 0x5: 1, 0x6: 2, 0xA: reference_size, 0xD: 2 * reference_size}.get(kind, 0)

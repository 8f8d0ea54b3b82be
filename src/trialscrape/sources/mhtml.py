"""MHTML, the one file in which Chrome and Edge save a page with what it shows, each with its address.

Only the page is read.
"""

import base64
import binascii
import quopri
import re
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from itertools import islice

from trialscrape.errors import NotAStudyPage, Unreadable
from trialscrape.page import Page
from trialscrape.parsing.text import EXPECTED, SAVE_AGAIN

MAX_HEAD = 16 * 1024
"""Bytes of the headers above an MHTML file or one of its parts; what follows counts as the body. Real ones have 500."""

MAX_PARTS = 100
"""Parts of an MHTML file that are looked at. Browsers put the page first."""

PAGE_TYPES = ("text/html", "application/xhtml+xml")
_DECODERS: dict[str, Callable[[bytes], bytes]] = {"quoted-printable": quopri.decodestring, "base64": base64.b64decode}
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


def format_content_type(charset: str | None) -> str | None:
    """Write a charset as an HTTP header would."""
    return f"text/html; charset={charset}" if charset else None


def read_mhtml(data: bytes) -> Page:
    """Read the page of an MHTML file, a mail whose first HTML part has an address (RFC 2557).

    Raises:
        NotAStudyPage: It is another mail.
        Unreadable: The page's base64 is broken.
    """
    mail, body = _split_head(data)
    page, body = _find_page_part(mail, body) or (mail, body)
    url = page["Content-Location"] or mail["Snapshot-Content-Location"]
    if page.get_content_type() not in PAGE_TYPES or not url:
        message = f"{EXPECTED}; found a mail ({mail.get_content_type()}); {SAVE_AGAIN}"
        raise NotAStudyPage(message)
    decode = _DECODERS.get(str(page["Content-Transfer-Encoding"]).strip().lower(), bytes)
    try:
        body = decode(body)
    except binascii.Error as error:
        raise Unreadable(f"expected base64 in an MHTML file, found something broken: {error}") from error
    return Page(body, content_type=format_content_type(page.get_content_charset()), location="".join(str(url).split()))


def _split_head(data: bytes) -> tuple[Message, bytes]:
    blank = _END_OF_HEAD.search(data, 0, MAX_HEAD)
    head, body = (data[: blank.start()], data[blank.end() :]) if blank else (data[:MAX_HEAD], data[MAX_HEAD:])
    return BytesHeaderParser().parsebytes(head), body


def _find_page_part(mail: Message, body: bytes) -> tuple[Message, bytes] | None:
    """Find the part that is the page: the HTML that `start` names, else the first."""
    boundary, start = mail.get_boundary(), _strip_brackets(mail.get_param("start"))
    if mail.get_content_type() != "multipart/related" or not boundary:
        return None
    pages = [
        part for part in islice(_split_parts(body, boundary), MAX_PARTS) if part[0].get_content_type() in PAGE_TYPES
    ]
    return next(
        (part for part in pages if start and _strip_brackets(part[0]["Content-ID"]) == start),
        pages[0] if pages else None,
    )


def _strip_brackets(content_id: object) -> str:
    return str(content_id or "").strip("<> ")


def _split_parts(body: bytes, boundary: str) -> Iterator[tuple[Message, bytes]]:
    # Not email's own parser: it looks into nested parts, in time that grows with the square of their depth.
    line = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode("ascii", "replace")) + rb"(?:--)?[ \t]*(?=\r?\n|$)")
    delimiters = line.finditer(body)
    last = next(delimiters, None)
    while last:
        following = next(delimiters, None)
        part = body[last.end() : following.start() if following else len(body)]
        yield _split_head(part.removeprefix(b"\r").removeprefix(b"\n"))
        last = following

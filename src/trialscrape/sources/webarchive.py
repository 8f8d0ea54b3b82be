"""Webarchive, the one file in which Safari saves a page with what it shows; only the page is read."""

import plistlib

from trialscrape.errors import NotAStudyPage, Unreadable
from trialscrape.page import Page
from trialscrape.parsing.text import EXPECTED, SAVE_AGAIN
from trialscrape.sources.mhtml import PAGE_TYPES, format_content_type

MAX_OBJECTS = 100_000
"""Objects of a property list: six a resource of the page."""


def read_webarchive(data: bytes) -> Page:
    """Read the page of a webarchive, a binary property list.

    Raises:
        NotAStudyPage: It is another property list, or its page is no HTML.
        Unreadable: It is broken.
    """
    try:
        _check_overlap(data)
        archive = plistlib.loads(data, fmt=plistlib.FMT_BINARY)
    except (plistlib.InvalidFileException, RecursionError, ValueError, IndexError) as error:
        raise Unreadable(f"expected a property list, found a broken one: {error}") from error
    page = archive.get("WebMainResource") if isinstance(archive, dict) else None
    page = page if isinstance(page, dict) else {}
    body, kind = page.get("WebResourceData"), page.get("WebResourceMIMEType")
    if not isinstance(body, bytes) or kind not in PAGE_TYPES:
        content = f"a webarchive of {kind}" if isinstance(body, bytes) else "a property list"
        raise NotAStudyPage(f"{EXPECTED}; found {content}; {SAVE_AGAIN}")
    url, charset = (page.get(key) for key in ("WebResourceURL", "WebResourceTextEncodingName"))
    return Page(
        body,
        content_type=format_content_type(charset) if isinstance(charset, str) else None,
        location=url if isinstance(url, str) else None,
    )


_TRAILER = 32
_INTEGER, _LONG = 0x1, 0xF


def _check_overlap(data: bytes) -> None:
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
        size += _measure_object(data, int.from_bytes(data[start : start + offset_size], "big"), reference_size)
    if size > len(data):
        raise ValueError("its objects overlap")


def _measure_object(data: bytes, at: int, reference_size: int) -> int:
    """Return how many bytes of an object grow with its length."""
    kind, length = data[at] >> 4, data[at] & 0xF
    if kind == _INTEGER:
        return 1 << length
    if length == _LONG:  # it stands in an integer of its own
        width = 1 << (data[at + 1] & 0x3)
        length = int.from_bytes(data[at + 2 : at + 2 + width], "big")
    return length * {0x4: 1, 0x5: 1, 0x6: 2, 0xA: reference_size, 0xD: 2 * reference_size}.get(kind, 0)

"""A page's bytes to its text: limit, gzip, charset, and HTML or text, all decided by content."""

import codecs
import gzip
import io
import re
import zlib
from typing import NamedTuple

from trialscrape import html
from trialscrape.errors import NotAStudyPage, TooLarge, Unreadable
from trialscrape.records import PageWarning, warning

MAX_BYTES = 32 * 1024 * 1024
"""Larger pages are refused, before and after decompression. Real ones have 3 to 100 kB."""

MAX_LINES = 1_000_000
"""A page of more lines is refused: each may become a row of `unparsed`. Real ones have a few hundred."""

_GZIP = b"\x1f\x8b"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OTHER_KINDS = (
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"WARC/", "a WARC archive"),
)
_TAG = re.compile(r"\s*<[a-z!?/]", re.IGNORECASE)
_HTML_WITHIN = 1024  # characters; a saved response may have its headers above the page
_WEB_CHARSETS = {
    "ascii": "windows-1252",
    "us-ascii": "windows-1252",
    "iso-8859-1": "windows-1252",
    "latin1": "windows-1252",
}
_ESCAPED_CHARSETS = ("iso-2022-", "hz")
# Python knows these as charsets, but no page is in them: code, or bytes that would not have shown their declaration.
_NO_WEB_CHARSETS = {
    "unicode_escape",
    "raw_unicode_escape",
    "punycode",
    "idna",
    "utf-7",
    "utf-16",
    "utf-32",
    "undefined",
}
_GUESS = "windows-1252"
_CUT_CHARACTER = 12  # characters that three bytes of an escaped one take
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_EXPECTED = "expected a study page as text or HTML"


class PageText(NamedTuple):
    """A page's text, and what was doubtful on the way to it."""

    text: str
    warnings: tuple[PageWarning, ...]


def text_of(page: str | bytes, *, limit: int = MAX_BYTES) -> PageText:
    """Get the text of a page.

    Args:
        page: The page as somebody saved it: text or HTML, as bytes plain or gzip.
        limit: How many bytes (of a str: characters) it may have, decompressed.

    Raises:
        NotAStudyPage: It is a known other kind of file.
        TooLarge: It is larger than the limit.
        Unreadable: It is a broken gzip file.
    """
    if len(page) > limit:
        raise TooLarge(f"expected at most {limit:,} bytes, found {len(page):,}")
    text, warnings = (page, ()) if isinstance(page, str) else _decode(_plain(page, limit))
    try:
        data = text.encode()
    except UnicodeEncodeError:
        # No UTF-8 text can hold half of a surrogate pair, so it is written out.
        text = _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
        data = text.encode()
    text = html.text_of(data) if _is_html(text) else text
    if text.count("\n") > MAX_LINES:
        raise TooLarge(f"expected at most {MAX_LINES:,} lines, found {text.count(chr(10)) + 1:,}")
    return PageText(text, warnings)


def _is_html(text: str) -> bool:
    head = text[:_HTML_WITHIN].lower()
    return "<!doctype html" in head or "<html" in head or bool(_TAG.match(text))


def _plain(data: bytes, limit: int) -> bytes:
    if data.startswith(_GZIP):
        data = _gunzip(data, limit)
    for magic, kind in _OTHER_KINDS:
        if data.startswith(magic):
            raise NotAStudyPage(f"{_EXPECTED}; found {kind}")
    return data


def _gunzip(data: bytes, limit: int) -> bytes:
    try:
        plain = gzip.GzipFile(fileobj=io.BytesIO(data)).read(limit + 1)
    except EOFError as error:
        raise Unreadable("expected a whole gzip file, found one that is cut") from error
    except (OSError, zlib.error) as error:
        raise Unreadable(f"expected a gzip file, found a broken one: {error}") from error
    if len(plain) > limit:
        raise TooLarge(f"expected at most {limit:,} bytes after decompression, found more")
    return plain


def _decode(data: bytes) -> tuple[str, tuple[PageWarning, ...]]:
    for bom, charset in _BOMS:
        if data.startswith(bom):
            return _decode_damaged(data[len(bom) :], charset)
    text, warnings = _decode_damaged(data, "utf-8")
    # Bytes that are UTF-8, be it damaged, are UTF-8 whatever the page declares: tools that save a page often change its
    # bytes only. The charsets that hide in ASCII bytes all use the escape character.
    if "\x1b" not in text and (not warnings or _looks_like_utf8(text, data)):
        return text, warnings
    # Here, not above: bs4 is slow to import, and most pages are UTF-8.
    from bs4.dammit import EncodingDetector  # noqa: PLC0415

    declared = EncodingDetector.find_declared_encoding(data, is_html=True) or ""
    if warnings or declared.startswith(_ESCAPED_CHARSETS):
        return _decode_as_declared(data, declared) or _guess(data) or (text, warnings)
    return text, warnings


def _looks_like_utf8(text: str, data: bytes) -> bool:
    """Tell whether most bytes beyond ASCII were UTF-8, or only the last character is cut."""
    escapes = text.count("\\x") - data.count(b"\\x")
    return sum(not character.isascii() for character in text) >= escapes or "\\x" not in text[:-_CUT_CHARACTER]


def _decode_as_declared(data: bytes, declared: str) -> tuple[str, tuple[PageWarning, ...]] | None:
    try:
        charset = codecs.lookup(_WEB_CHARSETS.get(declared, declared)).name
        return None if charset in _NO_WEB_CHARSETS else (data.decode(charset), ())
    except (ValueError, LookupError):
        return None


def _guess(data: bytes) -> tuple[str, tuple[PageWarning, ...]] | None:
    # bs4's UnicodeDammit would go on with whatever detectors a machine has installed, and then with this. The same
    # bytes must give the same record everywhere, so this is all.
    try:
        text = data.decode(_GUESS)
    except UnicodeDecodeError:
        return None
    message = f"expected UTF-8 or a declared charset, found neither; read as {_GUESS}"
    return text, (warning("guessed_charset", message),)


def _decode_damaged(data: bytes, charset: str) -> tuple[str, tuple[PageWarning, ...]]:
    try:
        return data.decode(charset), ()
    except UnicodeDecodeError as error:
        message = (
            f"expected {charset}, found other bytes, the first {data[error.start : error.end]!r} at {error.start:,}; "
            "they stand in the text as \\xNN"
        )
        line = data.count(b"\n", 0, error.start) + 1
        return data.decode(charset, "backslashreplace"), (warning("undecodable_bytes", message, line=line),)

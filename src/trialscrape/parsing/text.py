"""A page's bytes to its text: charset, HTML or text, decided by content."""

import codecs
import re
from typing import NamedTuple

from trialscrape.errors import NotAStudyPage, TooLarge
from trialscrape.page import Page
from trialscrape.parsing import html
from trialscrape.records import PageWarning, warning

MAX_BYTES = 32 * 1024 * 1024
"""Larger pages are refused, before and after decompression. Real ones have 3 to 100 kB."""

MAX_LINES = 250_000
"""A page of more lines is refused: each may become a row of `unparsed`. Real ones have a few hundred."""

EXPECTED = "expected a study page as text or HTML"
SAVE_AGAIN = "save the study page itself, as HTML or as one .mhtml file"

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
UTF_16_OR_32 = tuple(bom for bom, charset in _BOMS if charset != "utf-8")
"""The byte order marks of texts in which zero bytes are no sign of other data."""

_TAG = re.compile(r"\s*<[a-z!?/]", re.IGNORECASE)
_HTML_WITHIN = 1024  # characters; a saved response may have its headers above the page
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';]+)", re.IGNORECASE)
_DECLARED_WITHIN = 1024  # bytes, as HTML says
_WEB_CHARSETS = {
    "ascii": "windows-1252",
    "us-ascii": "windows-1252",
    "iso-8859-1": "windows-1252",
    "latin1": "windows-1252",
}
_ESCAPED_CHARSETS = ("iso2022", "hz")
# Python knows these as charsets, but no page is in them: code, or bytes that would not have shown their declaration.
_NO_WEB_CHARSETS = {
    "unicode-escape",
    "raw-unicode-escape",
    "punycode",
    "idna",
    "utf-7",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "utf-32-be",
    "undefined",
}
_UTF_16 = {"utf-16": "utf-16-le", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}  # without a byte order mark
_GUESS = "windows-1252"
_CUT_CHARACTER = 12  # characters that three bytes of an escaped one take
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class PageText(NamedTuple):
    """A page's text, the doubts about its bytes, and its own address."""

    text: str
    warnings: tuple[PageWarning, ...]
    url: str | None = None


def decode(page: Page) -> PageText:
    """Decode a page, and take the text out of it where it is HTML.

    Raises:
        NotAStudyPage: It is still encoded for a mail or an address.
        TooLarge: It has more lines or markup than the limits.
    """
    source, warnings = _decode_bytes(page.body, _find_charset(page.content_type))
    text, url = html.read_html(_escape_surrogates(source)) if _is_html(source) else (source, None)
    if text.count("\n") > MAX_LINES:
        raise TooLarge(f"expected at most {MAX_LINES:,} lines, found {text.count(chr(10)) + 1:,}")
    _refuse_encoded(source, text)
    return PageText(text, warnings, url or html.find_address(page.location))


def _is_html(text: str) -> bool:
    head = text[:_HTML_WITHIN].lower()
    return "<!doctype html" in head or "<html" in head or bool(_TAG.match(text))


def _escape_surrogates(text: str) -> str:
    """Write out halves of surrogate pairs, which no UTF-8 text can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
    return text


def _find_charset(content_type: str | None) -> str | None:
    match = _CHARSET.search(content_type or "")
    return match[1].lower() if match else None


def _decode_bytes(data: bytes, charset: str | None) -> tuple[str, tuple[PageWarning, ...]]:
    """Decode a page: by its byte order mark, as UTF-8, by the charset that came with it, or by the one it declares."""
    for bom, of_bom in _BOMS:
        if data.startswith(bom):
            return _decode_damaged(data[len(bom) :], of_bom)
    if charset in _UTF_16 and b"\0" in data:
        return _decode_damaged(data, _UTF_16[charset])
    text, warnings = _decode_damaged(data, "utf-8")
    # UTF-8 bytes, even damaged ones, are UTF-8 whatever the page declares: tools that save a page often change only its
    # bytes. The charsets that hide in ASCII bytes all use the escape character.
    if "\x1b" not in text and (not warnings or _looks_like_utf8(text, data)):
        return text, warnings
    declared = _look_up_charset(charset) or _look_up_charset(_find_declared_charset(data)) or ""
    if warnings or declared.startswith(_ESCAPED_CHARSETS):
        return _decode_whole(data, declared) or (_guess(data) if warnings else None) or (text, warnings)
    return text, warnings


def _find_declared_charset(data: bytes) -> str | None:
    # Here, not above: bs4 is slow to import, and most pages are UTF-8. Its search takes cubic time, so it gets no more
    # than browsers look at.
    from bs4.dammit import EncodingDetector  # noqa: PLC0415

    return EncodingDetector.find_declared_encoding(data[:_DECLARED_WITHIN], is_html=True)


def _look_up_charset(label: str | None) -> str | None:
    """Get Python's name of a charset that a page may be in."""
    try:
        name = codecs.lookup(_WEB_CHARSETS.get(label or "", label or "")).name
    except (ValueError, LookupError):
        return None
    return None if name in _NO_WEB_CHARSETS else name


def _looks_like_utf8(text: str, data: bytes) -> bool:
    """Return whether most bytes beyond ASCII were UTF-8, or only the last character is cut."""
    escapes = text.count("\\x") - data.count(b"\\x")
    return sum(not character.isascii() for character in text) >= escapes or "\\x" not in text[:-_CUT_CHARACTER]


def _decode_whole(data: bytes, charset: str) -> tuple[str, tuple[PageWarning, ...]] | None:
    try:
        return data.decode(charset), ()
    except (ValueError, LookupError):
        return None


def _guess(data: bytes) -> tuple[str, tuple[PageWarning, ...]] | None:
    # bs4's UnicodeDammit would try any detector that a machine has installed, and then this charset. The same
    # bytes must give the same record everywhere, so no detector runs.
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


# Prose never holds a character's bytes in quoted-printable, or a percent-encoded tag. It may hold once: `=3D`, a line
# that ends in `=` where quoted-printable breaks lines, `%20` between letters outside an address.
_SEVERAL = 3
_QUOTED_CHARACTER = re.compile(
    r"=(?:[CD][0-9A-F]|E[0-9A-F]=[89AB][0-9A-F]|F[0-4](?:=[89AB][0-9A-F]){2})=[89AB][0-9A-F]"
)
_SOFT_BREAK = re.compile(r"=(?<![\s=]=)\r?\n(?=\S)")  # a rare character first
_SOFT_BREAK_AT = range(60, 77)
_PERCENT = re.compile(r"%(?:20|3C|[CDEF][0-9A-F]%[89AB])", re.IGNORECASE)
_PERCENT_TAG = re.compile(r"%3C(?:/|%2F|!)?[a-z]", re.IGNORECASE)
_PERCENT_BLANK = re.compile(r"(?<=[^\W\d_])%20(?=[^\W\d_])|%[CDEF][0-9A-F]%[89AB][0-9A-F]", re.IGNORECASE)
_ADDRESS = re.compile(r"://|www\.|@")


def _refuse_encoded(source: str, text: str) -> None:
    """Refuse a page that is still encoded for a mail or an address, at least in part: its record would be corrupt."""
    if "=" in source and _is_quoted_printable(source, text):
        kind = "quoted-printable text, as it stands inside an .mhtml file or a mail"
    elif _PERCENT.search(text) and _is_percent_encoded(text):
        kind = "percent-encoded text, as it stands in an address or a script"
    else:
        return
    raise NotAStudyPage(f"{EXPECTED}; this looks like {kind}; {SAVE_AGAIN}")


def _is_quoted_printable(source: str, text: str) -> bool:
    if _QUOTED_CHARACTER.search(text):
        return True
    attributes = source.count('=3D"')
    if attributes >= _SEVERAL and attributes > source.count('="'):
        return True
    breaks = (match.start() for match in _SOFT_BREAK.finditer(source))
    soft = sum(at - source.rfind("\n", 0, at) in _SOFT_BREAK_AT for at in breaks)
    return text.count("=3D") + soft >= _SEVERAL


def _is_percent_encoded(text: str) -> bool:
    blanks = 0
    for match in re.finditer(r"\S+", text):
        word = match[0]
        if "%" in word and not _ADDRESS.search(word):
            blanks += len(_PERCENT_BLANK.findall(word))
            if blanks >= _SEVERAL or _PERCENT_TAG.search(word):
                return True
    return False

"""The only reader of HTML: a page to the text that its elements print, and the address that it gives itself.

The text is resiliparse's, the extractor that made the text pages this package is built on: block elements become lines,
list items get markers, no class, id or style means anything. What would cost its parser more than linear time or
memory is refused before, in linear time.

Two things are not left to it: U+0000, and U+000B, which it would print as a blank, become U+FFFD, which shows that
something was there; and an empty list, item or `<pre>` is skipped, because it never sees their end and would indent
the rest of the page.
"""

import re
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import NamedTuple

from lxml import etree
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from trialscrape.errors import TooLarge

MAX_TAGS = 1_000_000
"""Tags of a page: each costs up to 350 bytes of memory. Real pages have a few thousand."""

MAX_ATTRIBUTES = 5_000
"""Attributes of an element: each is compared with all before it."""

MAX_ALL_ATTRIBUTES = 500_000
"""Attributes of a page: each costs up to 300 bytes of memory."""

MAX_OPTIONS = 5_000
"""`<option>` elements of a page: each is compared with all before it."""

MAX_INDENT = 16 * 1024 * 1024
"""Blanks that nested lists may add to the text: two a level and line. Real pages get a few hundred."""

MAX_REOPENED = 3_000_000
"""Elements that unclosed `<b>`, `<font>` and the like can become: three of each kind, again in every block."""

MAX_DEPTH = 2_000
"""Elements inside each other in a page of more than 20,000 tags: a tag may look through all that are open."""

_FEW_TAGS = 20_000
_REOPENED = 3  # elements of one kind

_TAB_REFERENCE = re.compile(r"&#(?:0*+11(?![0-9])|[xX]0*+[bB](?![0-9a-fA-F]));?")  # of U+000B, a vertical tab
_SKIPPED = ["noscript", "ul:empty", "ol:empty", "li:empty", "pre:empty"]


class WebPage(NamedTuple):
    """What an HTML page prints, and the address that it gives itself."""

    text: str
    url: str | None


def read_html(html: str) -> WebPage:
    r"""Read an HTML page.

    Args:
        html: The decoded page; the charset that it declares does not matter.

    Returns:
        The text that its elements print, lines parted by `\n`, empty where nothing is printed; and the address of its
        canonical link, `og:url` or "saved from url" comment, the first of them that is one of the web.

    Raises:
        TooLarge: It has more than one of the limits above.
    """
    _check_size(html.encode())
    shown = _TAB_REFERENCE.sub("\ufffd", html.replace("\0", "\ufffd").replace("\v", "\ufffd"))
    tree = HTMLTree.parse(shown)
    text = extract_plain_text(tree, preserve_formatting=True, list_bullets=True, skip_elements=_SKIPPED)
    return WebPage(text, next(_find_addresses(tree, html), None))


def find_address(text: str | None) -> str | None:
    """Return a web address without the blanks around it; None for any other text."""
    text = (text or "").strip()
    return text if text.isprintable() and _WEB_ADDRESS.fullmatch(text) else None


_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"]{1,4000}", re.IGNORECASE)
_SAVED_FROM = re.compile(r"<!--\s*saved from url=\([0-9]{1,5}\)(\S{1,4000})\s*-->", re.IGNORECASE)
_SAVED_FROM_WITHIN = 8192  # browsers write it behind the doctype
_ADDRESSES = (('link[rel~="canonical" i]', "href"), ('meta[property~="og:url" i]', "content"))


def _find_addresses(tree: HTMLTree, html: str) -> Iterator[str]:
    elements = tree.head.query_selector_all if tree.head else lambda _: ()
    named = (element.getattr(attribute) for selector, attribute in _ADDRESSES for element in elements(selector))
    saved = (comment[1] for comment in _SAVED_FROM.finditer(html, 0, _SAVED_FROM_WITHIN))
    return (url for text in chain(named, saved) if (url := find_address(text)))


# A start tag as HTML5 splits it. Each tag of a page begins with one of these, even behind a comment or a quote that is
# not seen here, so looking at each of them misses none; what is no tag and counted does no harm.
_BLANKS = rb"[ \t\n\r\f]"
_ATTRIBUTE = re.compile(
    rb"(?:%b|/)*+[^ \t\n\r\f/>][^ \t\n\r\f/>=]*+"
    rb"(?:%b*+=%b*+(?:\"[^\"]*+\"?|'[^']*+'?|[^ \t\n\r\f>\"'][^ \t\n\r\f>]*+)?+)?+" % (_BLANKS, _BLANKS, _BLANKS)
)
_NAME = re.compile(rb"</?[^ \t\n\r\f/>]*+")
# One that ends where it seems to: its values are in quotes and hold neither tags nor the end of one.
_PLAIN_REST = (
    rb"[a-zA-Z0-9-]*+(?:%b++[^\s<>\"'=/]++(?:=(?:\"[^\"<>]*+\"|'[^'<>]*+'|[^\s<>\"'=`][^\s<>\"'`]*+))?+){0,%d}+%b*+/?>"
    % (_BLANKS, MAX_ATTRIBUTES, _BLANKS)
)
_ODD_START = re.compile(rb"</?[a-zA-Z](?!%b)" % _PLAIN_REST)
_ANY_START = re.compile(rb"</?[a-zA-Z](?![a-zA-Z0-9-]*+>)")
# In a page in lower case: all of a name become one element, with the attributes of all.
_MERGED = (b"html", b"body")
_MERGED_START = re.compile(rb"<(?:%b)[ \t\n\r\f/]" % b"|".join(_MERGED))
_LIST_START = re.compile(rb"<[uo]l(?=[ \t\n\r\f/>])")
_OVERLAP = 10  # times that a byte may stand in something that looks like a tag


def _check_size(html: bytes) -> None:
    """Refuse in linear time what would take the parser or the extractor too much time or memory.

    Each search is left out where the page is too small for what it looks for.
    """
    tags = html.count(b"<")
    if tags > MAX_TAGS:
        raise TooLarge(f"expected at most {MAX_TAGS:,} tags, found more")
    lower = html
    if len(html) > 2 * MAX_ATTRIBUTES:
        # A small page has no room for more attributes in all, and most of its tags are plain.
        starts = _ODD_START if len(html) <= 2 * MAX_ALL_ATTRIBUTES else _ANY_START
        _check_attributes(html, starts, MAX_ALL_ATTRIBUTES)
        lower = html.lower()
        if lower.count(b"<html") + lower.count(b"<body") > len(_MERGED):
            _check_attributes(lower, _MERGED_START, MAX_ATTRIBUTES)
    if tags > MAX_OPTIONS and lower.count(b"<option") > MAX_OPTIONS:
        raise TooLarge(f"expected at most {MAX_OPTIONS:,} options in forms, found more")
    if 2 * tags * tags > MAX_INDENT and 2 * tags * (lower.count(b"<ul") + lower.count(b"<ol")) > MAX_INDENT:
        _check_lists(lower)
    if _REOPENED * tags * tags > MAX_REOPENED:
        _check_formatting(lower, tags)
    if tags > _FEW_TAGS:
        _check_depth(html)


def _check_attributes(html: bytes, starts: re.Pattern[bytes], most: int) -> None:
    total, room = 0, _OVERLAP * len(html)
    for start in starts.finditer(html):
        count, end = _count_attributes(html, start.start())
        total += count
        room -= end - start.start()
        if count > MAX_ATTRIBUTES or total > most or room < 0:
            limits = f"{MAX_ATTRIBUTES:,} attributes in an element and {MAX_ALL_ATTRIBUTES:,} in a page"
            raise TooLarge(f"expected at most {limits}, found more")


def _count_attributes(html: bytes, at: int) -> tuple[int, int]:
    """Count the attributes of the tag that starts here, up to one more than the limit; give where they end, too."""
    name = _NAME.match(html, at)
    count, end = 0, name.end() if name else at
    while count <= MAX_ATTRIBUTES and (attribute := _ATTRIBUTE.match(html, end)):
        count, end = count + 1, attribute.end()
    return count, end


def _check_lists(html: bytes) -> None:
    # Which list a `</ul>` ends, if any, only the parser knows, so none is counted as ended: each indents all that
    # follows. Every tag may start a line.
    starts = (start.start() for start in _LIST_START.finditer(html))
    indent = 0
    for level, (start, stop) in enumerate(pairwise(chain(starts, [len(html)])), 1):
        indent += 2 * level * html.count(b"<", start, stop)
        if indent > MAX_INDENT:
            raise TooLarge(f"expected lists that indent the text by at most {MAX_INDENT:,} blanks, found more")


_FORMATTING_START = re.compile(rb"<(?:b|big|code|em|font|i|s|small|strike|strong|tt|u)(?=[ \t\n\r\f/>])")


def _check_formatting(html: bytes, tags: int) -> None:
    kinds = {
        html[start.start() : _count_attributes(html, start.start())[1]] for start in _FORMATTING_START.finditer(html)
    }
    if _REOPENED * len(kinds) * tags > MAX_REOPENED:
        raise TooLarge(f"expected at most {MAX_REOPENED:,} elements of unclosed formatting, found room for more")


class _Depth:
    """Counts how deep a page's elements stand inside each other, as libxml2 meets them."""

    def __init__(self) -> None:
        self.depth = self.deepest = 0

    def start(self, *_: object) -> None:
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)

    def end(self, *_: object) -> None:
        self.depth -= 1

    def data(self, *_: object) -> None: ...

    comment = data

    def close(self) -> None: ...


def _check_depth(html: bytes) -> None:
    # libxml2 takes linear time for any depth, and stops just beyond the limit.
    depth = _Depth()
    etree.fromstring(html, etree.HTMLParser(target=depth, encoding="utf-8", huge_tree=True))
    if depth.deepest > MAX_DEPTH:
        raise TooLarge(f"expected at most {MAX_DEPTH:,} elements inside each other, found more")

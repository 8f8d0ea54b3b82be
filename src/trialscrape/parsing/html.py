"""The only reader of HTML: a page's bytes to the lines that its elements print, and its address.

One pass over lxml's tree. The lines are those of resiliparse's `extract_plain_text` with formatting and list bullets
kept, the extractor that made the text pages this package is built on. What a tag does is a row of a table below; no
class, id or style means anything here, and a tag without a row is inline.

Where the lines differ from that extractor's, on purpose or because the tree does:

* Markup that is not well-formed gives libxml2 another tree than HTML5: a `<div>` or list inside a `<p>` ends the
  paragraph for good, a lone `</p>` or `</br>` is nothing, `<![CDATA[` is a comment even inside `<svg>`.
* U+0000 becomes U+FFFD, which shows that something was there. That extractor drops it.
* An element without content ends as any other does. There, the end of an empty `<ul></ul>`, `<li></li>` or
  `<pre></pre>` is never seen, and the rest of the page is indented or keeps its blanks.
* Nothing inside a `<noscript>` is printed, wherever it stands; there, one in front of the body is.
* No line of a list item has an indent in its middle, as there after a `<br>` inside an inline tag or in a table.
* The page's blanks neither start nor end a line: there they do at the start of a page and before a `<pre>`.
* A block inside `<pre>`, which HTML forbids, stands as far from its neighbours as elsewhere.
"""

import re
from collections.abc import Callable
from itertools import chain, pairwise
from typing import NamedTuple

from lxml import etree

from trialscrape.errors import TooLarge

MAX_DEPTH = 2_000
"""Elements inside each other. At 2,048 libxml2 stops and drops the rest of the page without a word."""

MAX_LISTS = 50
"""Lists inside each other."""

MAX_INDENT = 16 * 1024 * 1024
"""Blanks that nested lists may add to the text: two a level and line. Real pages get a few hundred."""

MAX_TAGS = 1_000_000
"""Tags of a page: each costs up to 350 bytes of memory. Real pages have a few thousand."""

MAX_ATTRIBUTES = 5_000
"""Attributes of an element: each is compared with all before it."""

MAX_ALL_ATTRIBUTES = 500_000
"""Attributes of a page: each costs up to 300 bytes of memory."""

_BLANK = " \t\n\r\f\v"  # what HTML collapses; NBSP, U+0085 and U+2028 are text
# A blank that must outlive the collapsing of the page's own blanks is kept as a lone surrogate until that is done: no
# text of libxml2 can hold one.
_KEPT = {ord(blank): chr(0xD800 + ord(blank)) for blank in _BLANK}
_KEPT_BLANK = "".join(_KEPT.values())
_SPACE, _TAB, _NEWLINE = (_KEPT[ord(blank)] for blank in " \t\n")

# Newlines due -> what starts a line; empty where that takes more thought.
_PLAIN = {due: _NEWLINE * due for due in range(1, 8)}
_NOT_PLAIN: dict[int, str] = {}


class _Printer:
    """What has been printed, and what the next text has to know.

    Attributes:
        out: The pieces printed so far.
        due: Newlines due before the next text; 0 where it starts the page or a table cell, -1 inside a line.
        plain: What starts a line here, by newlines due: `_PLAIN` or `_NOT_PLAIN`.
        lists: The open lists: the number of the last item, or None where bullets mark the items.
        marker: 0 where the next line opens an item, 1 where it follows one, None elsewhere.
        pre: How many `<pre>` are open.
    """

    __slots__ = ("due", "lists", "marker", "out", "plain", "pre")

    def __init__(self) -> None:
        self.out: list[str] = []
        self.due = 0
        self.plain = _NOT_PLAIN
        self.lists: list[int | None] = []
        self.marker: int | None = None
        self.pre = 0

    def walk(self, top: etree._Element) -> None:  # noqa: C901, PLR0912 - one flat loop: calls cost more than the work
        """Prints `top` and all that is in it, in the page's order and without recursion.

        Most of the time that is not libxml2's is spent here: what most elements need is local and calls no function,
        and a text's few lines stand here twice, for what an element starts with and for what follows it.
        """
        put = self.out.append
        due = self.due
        inside: list[tuple[etree._Element, int, int]] = []
        left = 1  # elements still to come in the innermost open one
        for element in top.iter():
            gap = _GAPS.get(element.tag, -1)
            if gap == _OWN:
                self.due = due
                text = _RULES[element.tag].open(self, element)
                due = self.due
            else:
                if gap > due:  # noqa: PLR1730 - max() takes three times as long
                    due = gap
                text = element.text
            if text:
                if due < 0:
                    put(text)
                elif due in self.plain and not text.isspace():
                    put(self.plain[due])
                    put(text)
                    due = -1
                else:
                    due = self.start(text, due)
            children = len(element)
            if children:
                inside.append((element, gap, left))
                left = children
                continue
            while True:
                if gap == _OWN:
                    self.due = due
                    _RULES[element.tag].close(self)
                    due = self.due
                elif gap > due:
                    due = gap
                text = element.tail
                if text:
                    if due < 0:
                        put(text)
                    elif due in self.plain and not text.isspace():
                        put(self.plain[due])
                        put(text)
                        due = -1
                    else:
                        due = self.start(text, due)
                left -= 1
                if left or not inside:
                    break
                element, gap, left = inside.pop()  # noqa: PLW2901 - a last child's end is its parent's too
        self.due = due

    def start(self, text: str, due: int) -> int:
        """Prints a text that starts a line, a table cell or the page, or stands in `<pre>`; gives what is due then."""
        if not self.pre:
            text = text.lstrip(_BLANK)
            if not text:
                return due
        self.newlines(due)
        if self.marker is not None:
            self.out.append(self.mark())
        elif due and self.lists:
            self.out.append(_SPACE * (2 * len(self.lists) + 2))
        if self.pre:
            self.out.append(text.translate(_KEPT))
            return 0
        self.out.append(text)
        if not self.lists:
            self.plain = _PLAIN
        return -1

    def newlines(self, due: int) -> None:
        if due > 0:
            if not self.pre:
                self.strip()
            if self.out:
                self.out.append(_NEWLINE * due)

    def strip(self) -> None:
        out = self.out
        while out:
            out[-1] = out[-1].rstrip(_KEPT_BLANK)
            if out[-1]:
                break
            out.pop()

    def mark(self) -> str:
        level = len(self.lists)
        hang, self.marker = self.marker or 0, None
        number = self.lists[-1]
        mark = "•" if number is None else f"{number + hang}."
        return _SPACE * (2 * level + 2 * hang) + mark + _SPACE

    def open_list(self, first: int | None) -> None:
        if len(self.lists) == MAX_LISTS:
            raise TooLarge(f"expected at most {MAX_LISTS} lists inside each other, found more")
        self.lists.append(first)
        self.plain = _NOT_PLAIN

    def printed(self) -> str:
        """All that was printed, its blanks collapsed at once: far cheaper than text by text."""
        self.strip()
        page = "".join(self.out)
        if "  " in page or any(blank in page for blank in "\t\n\r\f\v"):
            page = _collapsed(page)
        page = "\n".join([line.strip(" ") for line in page.split(_NEWLINE)])
        for blank, kept in _KEPT.items():
            page = page.replace(kept, chr(blank))
        return page


_TO_SPACES = bytes.maketrans(_BLANK.encode(), b" " * len(_BLANK))


def _collapsed(page: str) -> str:
    # As bytes, because bytes.translate is many times faster than str.translate or a regular expression.
    raw = page.encode("utf-8", "surrogatepass").translate(_TO_SPACES)
    while b"  " in raw:
        raw = raw.replace(b"  ", b" ")
    return raw.decode("utf-8", "surrogatepass")


def _inline(_: _Printer) -> None:
    """The end of what is no block."""


def _block(printer: _Printer) -> None:
    printer.due = max(printer.due, 1)


def _open_ul(printer: _Printer, element: etree._Element) -> str | None:
    _block(printer)
    printer.open_list(None)
    return element.text


def _open_ol(printer: _Printer, element: etree._Element) -> str | None:
    _block(printer)
    printer.open_list(0)  # whatever its start, type or reversed, or its items' value
    return element.text


def _close_list(printer: _Printer) -> None:
    _block(printer)
    printer.lists.pop()
    printer.marker = None


def _open_item(printer: _Printer, element: etree._Element) -> str | None:
    _block(printer)
    if not printer.lists:
        printer.open_list(None)
    number = printer.lists[-1]
    if number is not None:
        printer.lists[-1] = number + 1
    printer.marker = 0
    return element.text


def _close_item(printer: _Printer) -> None:
    _block(printer)
    printer.marker = 1


def _open_pre(printer: _Printer, element: etree._Element) -> str | None:
    _block(printer)
    printer.pre += 1
    printer.plain = _NOT_PLAIN
    return (element.text or "").removeprefix("\n")  # which is no part of it in HTML


def _close_pre(printer: _Printer) -> None:
    _block(printer)
    printer.pre -= 1


def _break(printer: _Printer, element: etree._Element) -> str | None:
    printer.due = max(printer.due, 0) + 1
    return element.text


def _open_cell(printer: _Printer, element: etree._Element) -> str | None:
    if element.getprevious() is not None:
        printer.newlines(printer.due)
        printer.out.append(_TAB * 2)
        printer.due = 0
        printer.plain = _NOT_PLAIN
    return element.text


def _close_cell(printer: _Printer) -> None:
    printer.due = max(printer.due, 0)


def _alt(_: _Printer, element: etree._Element) -> str | None:
    return element.get("alt", "") + (element.text or "")  # libxml2 knows no <image>, so it holds what follows it


def _title(_: _Printer, element: etree._Element) -> str | None:
    parent = element.getparent()
    return None if parent is not None and parent.tag == "head" else element.text


class _Rule(NamedTuple):
    """What a tag does that is more than to be a block.

    Attributes:
        open: Gives the text that the element starts with.
        close: What its end does.
    """

    open: Callable[[_Printer, etree._Element], str | None]
    close: Callable[[_Printer], None] = _inline


_RULES = {
    "ul": _Rule(_open_ul, _close_list),
    "ol": _Rule(_open_ol, _close_list),
    "li": _Rule(_open_item, _close_item),
    "pre": _Rule(_open_pre, _close_pre),
    "td": _Rule(_open_cell, _close_cell),
    "th": _Rule(_open_cell, _close_cell),
    "br": _Rule(_break),
    "area": _Rule(_alt),
    "image": _Rule(_alt),
    "img": _Rule(_alt),
    "title": _Rule(_title),
}
_BLOCKS = (
    "address article aside blockquote center dd details div dl dt fieldset figcaption figure footer form h5 h6 header"
    " hgroup hr main nav section table tr"
)
_OWN = 1_000
# Newlines that part a tag's text from what is before and after it; _OWN where the tag has a rule.
_GAPS = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "p"), 2),
    **dict.fromkeys(_BLOCKS.split(), 1),
    **dict.fromkeys(_RULES, _OWN),
}
# What holds no text of the page. Form fields are among it, because that extractor prints none.
_NOT_PRINTED = (
    *("link", "meta", "noscript", "script", "style", "template"),
    *("button", "iframe", "label", "option", "select", "textarea"),
)
# Inline tags that are frequent: libxml2 takes them out of the tree faster than the loop walks through them.
_FREQUENT_INLINE = (
    *("a", "b", "em", "font", "i", "small", "span", "strong", "sub", "sup", "u"),
    *("g", "path", "svg", "use"),
)
# Bytes. Taking elements out leaves texts side by side, which lxml joins in quadratic time: no matter in such a page.
_SMALL = 300_000


class WebPage(NamedTuple):
    """What an HTML page prints, and the address that it gives itself."""

    text: str
    url: str | None


def read(html: bytes) -> WebPage:
    r"""Read an HTML page.

    Args:
        html: The page in valid UTF-8, whatever its `<meta charset>` or XML declaration says.

    Returns:
        The text that its elements print, lines parted by `\n`, empty where nothing is printed; and the address of its
        canonical link, `og:url` or "saved from url" comment, the first of them that is one of the web.

    Raises:
        TooLarge: It has more than one of the limits above.
    """
    _check_size(html)
    parser = etree.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True, collect_ids=False
    )
    root = etree.fromstring(html, parser)
    if root is None:
        return WebPage("", None)
    url = _address(root) or _saved_from(html)
    printer = _Printer()
    for top in [root, *root.itersiblings()]:  # what follows </html> is an element beside it
        _check_depth(top)
        _thin_out(top, small=len(html) <= _SMALL)
        printer.walk(top)
    return WebPage(printer.printed(), url)


def web_address(text: str | None) -> str | None:
    """Give the address where it is one of the web, without blanks around it; None for any other text."""
    text = (text or "").strip()
    return text if text.isprintable() and _WEB_ADDRESS.fullmatch(text) else None


_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"]{1,4000}", re.IGNORECASE)
_SAVED_FROM = re.compile(rb"<!--\s*saved from url=\([0-9]{1,5}\)(\S{1,4000})\s*-->", re.IGNORECASE)
_SAVED_FROM_WITHIN = 8192  # browsers write it behind the doctype
_ADDRESSES = (("link", "rel", "canonical", "href"), ("meta", "property", "og:url", "content"))


def _address(root: etree._Element) -> str | None:
    for tag, key, word, value in _ADDRESSES:
        for element in root.iterfind(f"head//{tag}"):
            if word in element.get(key, "").lower().split() and (url := web_address(element.get(value))):
                return url
    return None


def _saved_from(html: bytes) -> str | None:
    comment = _SAVED_FROM.search(html, 0, _SAVED_FROM_WITHIN)
    return web_address(comment[1].decode()) if comment else None


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
    """Refuse in linear time what would take the parser or the extractor too much time or memory."""
    tags = html.count(b"<")
    if tags > MAX_TAGS:
        raise TooLarge(f"expected at most {MAX_TAGS:,} tags, found more")
    # A small page has no room for more attributes in all, and most of its tags are plain.
    _check_attributes(html, _ODD_START if len(html) <= 2 * MAX_ALL_ATTRIBUTES else _ANY_START, MAX_ALL_ATTRIBUTES)
    lower = html.lower()
    if lower.count(b"<html") + lower.count(b"<body") > len(_MERGED):
        _check_attributes(lower, _MERGED_START, MAX_ATTRIBUTES)
    if 2 * tags * (lower.count(b"<ul") + lower.count(b"<ol")) > MAX_INDENT:
        _check_lists(lower)


def _check_attributes(html: bytes, starts: re.Pattern[bytes], most: int) -> None:
    total, room = 0, _OVERLAP * len(html)
    for start in starts.finditer(html):
        count, end = _attributes(html, start.start())
        total += count
        room -= end - start.start()
        if count > MAX_ATTRIBUTES or total > most or room < 0:
            limits = f"{MAX_ATTRIBUTES:,} attributes in an element and {MAX_ALL_ATTRIBUTES:,} in a page"
            raise TooLarge(f"expected at most {limits}, found more")


def _attributes(html: bytes, at: int) -> tuple[int, int]:
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


def _thin_out(top: etree._Element, *, small: bool) -> None:
    if small:
        etree.strip_elements(top, *_NOT_PRINTED, with_tail=False)
        etree.strip_tags(top, *_FREQUENT_INLINE)
        return
    for element in list(top.iter(*_NOT_PRINTED)):
        element.text = None
        del element[:]


def _check_depth(top: etree._Element) -> None:
    # Where libxml2 stopped for depth, the elements that were open then are the last child of the last child of ...
    depth = 1
    while len(top):
        top = top[-1]
        depth += 1
    if depth > MAX_DEPTH:
        raise TooLarge(f"expected at most {MAX_DEPTH:,} elements inside each other, found more")

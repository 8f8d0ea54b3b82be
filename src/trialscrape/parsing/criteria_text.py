r"""Criteria in a text from anywhere: a registry, a paper, a protocol.

    text ─lines─▶ marked or not ─▶ items, with their wrapped lines ─criteria─▶ a tree a side

A page has two kinds of markers and indents its lists. Other texts have many kinds, wrap their lines, and often do not
indent at all; so two questions are settled here, and the lines then go the way of a page's:

- What is a marker? A bullet always is. A number or a letter is one where it counts: it begins a list or follows the
  one before (`1.` `2.`), so `E. coli`, `1.73 m2` and `2021.` at the beginning of a line are text.
- What does a line belong to? An item of another kind at the same indent is nested (`1.` over `a)`), a line without a
  marker continues the sentence above where that is unfinished.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

from trialscrape.parsing.criteria import (
    COLUMN_0,
    EMPTY_COMMENT,
    MAX_DEPTH,
    CriteriaLine,
    ParsedCriteria,
    build_criteria,
)
from trialscrape.parsing.lines import split_lines
from trialscrape.parsing.subheadings import Subheading, introduces, list_words, names_group, read_subheading
from trialscrape.records import Eligibility, PageWarning, warning

Order = tuple[int, ...]

_ALWAYS = "•●○◦▪▫■□◾◽◆◇❖⁃∙‣⦁➢➤➔►▶✓✔☐☑☒\uf0b7\uf0a7\uf0d8\uf076\uf0fc"  # no text begins with these
_OFTEN = "-–—−‐*·→»§Ø"  # with these it may, unless a blank follows
_ALIKE = dict.fromkeys("–—−‐", "-")  # authors mix these within a list
_SPACED = {f"{bullet} ": _ALIKE.get(bullet, bullet) for bullet in _ALWAYS + _OFTEN}
# A bullet that no blank follows, one alone on its line, and the letter that is like one.
_BULLET = re.compile(rf"(?P<sure>[{_ALWAYS}]\s*|[{_OFTEN}](?:\s+|$))|[-–—*](?=[^\W\d_])(?![^*]*\*)|(?P<letter>o) +")
_OPENS_COUNT = frozenset("([（［①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳0123456789")
_CLOSES_COUNT = frozenset(".)）．、ivxIVX")  # what may follow a letter that counts
_COUNT = re.compile(
    r"(?:[①-⑳]|[(（\[［](?:[0-9]{1,3}|[ivxIVX]{1,5}|[a-zA-Z])[)）\]］]"
    r"|(?:[0-9]{1,3}(?:\.[0-9]{1,3})*|[ivxIVX]{1,5}|[a-zA-Z])(?:\.?[)）]|[.．、])|[0-9]{1,2}(?:\.[0-9]{1,2})+)"
    r"(?:(?P<blank>\s+|$)|(?<=[^.])(?=[^\W\d_])|(?<=[0-9]\.)(?=[^\W\d_]))"
)
_PLAIN = str.maketrans("（）［］．、", "()[]..")
_UNORDERED: Order = ()
_NUMBERS = frozenset(("1.", "1)", "(1)", "[1]", "1.)"))
_SEVERAL = 2
_ROMAN = {"i": 1, "v": 5, "x": 10}
_BESIDE = 64  # more than the lists that can be nested at one indent
_SEARCHED = 8  # open lists, from the innermost one
_LARGEST_GAP = 2  # a list may skip a number, or give it twice

_ESCAPE = re.compile(r"\\([\\`*_{}\[\]<>()#+\-.!~^|&])")  # the registry's markdown
_RULED = frozenset("-=_*~–—>")
_RULE = re.compile(r" *([-=_*~–—])(?: ?\1){2,}")  # it underlines a heading, or parts sections
_FINISHED = frozenset(".;:!?。；：！？")
_HALVES = frozenset("-/(,–[&+")  # a line that ends with one goes on
_ABBREVIATIONS = frozenset(("approx.", "ca.", "cf.", "dr.", "excl.", "incl.", "no.", "st.", "vs."))
_OPEN_WORDS = list_words(
    """a after all an any are as at be been before between by during each every for from has have in into is its least
    meet meeting meets more most no not of on per than that the their these this those through to under until upon via
    was were which who whose with within without"""
)
_OPEN_CAPITALS = frozenset(word.upper() for word in _OPEN_WORDS - {"a", "all", "as", "is", "its"})  # some are diseases
_SHORTEST = 8  # characters, of what may be a part of a sentence
_NARROWEST, _WIDEST = 45, 140  # characters; texts that are wrapped by hand or by a program
_BEGINS_INSIDE = frozenset("([<>=≥≤≧≦±×%&/,;)]0123456789")


def parse_criteria(text: str) -> Eligibility:
    r"""Read eligibility criteria in a text from anywhere.

    Sides are read from headings only: what stands above the first one, or under one that is not clear, is in
    `unassigned`. In preorder, the texts are those of the lines in their order; nothing is dropped or reworded. A
    wrapped line follows its item's text behind `\n`, a further paragraph behind `\n\n`; `\<`, the registry's escape,
    becomes `<`, and a line that only draws a rule is left out.

    Args:
        text: Any text; with headings such as `Inclusion Criteria:` or without.

    Returns:
        The criteria; `combined` is whether the text has headings of sides.
    """
    return _gather_sides(read_criteria_text(text))


def parse_criteria_with_warnings(text: str) -> tuple[Eligibility, tuple[PageWarning, ...]]:
    """Read criteria like `parse_criteria`, and say what is doubtful; lines count from 1."""
    parsed = read_criteria_text(text)
    warnings = [warning("doubtful_side", doubt.message, line=doubt.at + 1) for doubt in parsed.doubts]
    if parsed.too_deep is not None:
        message = f"expected at most {MAX_DEPTH} levels of criteria, found more; they are read as siblings"
        warnings.append(warning("criteria_too_deep", message, line=parsed.too_deep + 1))
    return _gather_sides(parsed), tuple(warnings)


def read_criteria_text(text: str) -> ParsedCriteria:
    """Read a text's lines."""
    lines = split_lines("\n".join(text.splitlines()))
    return build_criteria(_Reader(lines).read(), None)


def _gather_sides(parsed: ParsedCriteria) -> Eligibility:
    return Eligibility(
        combined=bool(parsed.inclusion or parsed.exclusion),
        inclusion=parsed.inclusion,
        exclusion=parsed.exclusion,
        unassigned=parsed.unassigned,
    )


class _TextLine(NamedTuple):
    """A line that is not blank: its index, its indent, what follows that, and whether a blank line is above it."""

    at: int
    indent: int
    body: str
    after_blank: bool


@dataclass(slots=True)
class _Level:
    """An open list, or an indented line without a marker, whose style is empty.

    Attributes:
        indent: Of its first item.
        style: What its items share.
        order: That of its newest item.
        key: The indent that its nesting amounts to: a list under an item at the same indent counts as deeper.
    """

    indent: int
    style: str
    order: Order
    key: int


@lru_cache(maxsize=4096)
def _read_count(text: str) -> tuple[tuple[str, Order], ...]:
    """Read a number or letter with its brackets: the styles that it may be in, and its place in each."""
    plain = text.translate(_PLAIN)
    core = plain.strip("([.)]")
    shape = plain.replace(core, "{}")
    if core[0] in "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳":
        return (("①", (ord(core) - 0x245F,)),)
    if "." in core:
        order = tuple(map(int, core.split(".")))
        return ((f"1.{len(order)}", order),)
    if core.isdecimal():
        return ((shape.format("1"), (int(core),)),)
    readings = []
    if core.lower() == core or core.upper() == core:
        if set(core.lower()) <= _ROMAN.keys():
            readings.append((shape.format("i" if core.islower() else "I"), (_read_roman(core.lower()),)))
        if len(core) == 1:
            readings.append((shape.format("a" if core.islower() else "A"), (ord(core.lower()) - 96,)))
    return tuple(readings)


@lru_cache(maxsize=4096)
def _write_next(style: str, number: int) -> str:
    """Write how the item behind a number of a list begins."""
    return f"{style.replace('1', str(number + 1))} "


def _read_roman(numeral: str) -> int:
    values = [_ROMAN[letter] for letter in numeral]
    return sum(
        -value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True)
    )


def _find_count(body: str) -> re.Match[str] | None:
    """Find a number or letter at the beginning of a line that may count its item."""
    return _COUNT.match(body) if body[0] in _OPENS_COUNT or body[1:2] in _CLOSES_COUNT else None


class _Reader:
    """Reads the lines of a text into items, from the top to the bottom."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.levels: list[_Level] = []
        self.last: dict[str, Order] = {}  # of each style, the order of its newest item
        self.keys: dict[tuple[int, str], int] = {}  # of each indent and style, the newest list's
        self.lower: set[str] = set()  # the styles of capital letters whose items begin in small letters
        self.found: list[CriteriaLine] = []
        self.more: dict[int, list[str]] = {}  # of each item found, the lines that continue it
        self.indent = 0  # of the newest item
        self.above = ""  # the line that is read, before the one that is being read
        self.expected = ""  # how the next item begins, where the innermost list has numbers

    def read(self) -> list[CriteriaLine]:
        """Read all lines."""
        levels, after_blank = self.levels, True
        item: tuple[str, str, Order, str] | None
        for at, text in enumerate(self.lines):
            if not text or (text[-1] in _RULED and _is_decoration(text)):
                after_blank = True
                continue
            body = text.lstrip()
            indent = len(text) - len(body)
            if style := _SPACED.get(body[:2]):
                item = (body[0], style, _UNORDERED, body[2:].lstrip())
            elif self.expected and indent == self.indent and body.startswith(self.expected):
                marker, top = self.expected[:-1], levels[-1]
                item = (marker, top.style, (top.order[0] + 1,), body[len(marker) :].lstrip())
            else:
                line = _TextLine(at, indent, body, after_blank)
                item = self._find_item(line)
            if item:
                marker, style, order, content = item
                key = self._enter(indent, style, order)
                self.found.append(CriteriaLine(at, key, marker, _unescape(content), after_blank))
                self.indent = indent
            elif not self._join(line):
                self._add_plain(line)
            self.above = text
            after_blank = False
        return self._finish()

    def _finish(self) -> list[CriteriaLine]:
        for index, more in self.more.items():
            item = self.found[index]
            self.found[index] = item._replace(text="\n".join((item.text, *more) if item.text else more))
        return self.found

    def _enter(self, indent: int, style: str, order: Order) -> int:
        """Go to the list of an item, and return its key."""
        top = self.levels[-1] if self.levels else None
        if top and top.style == style and top.indent == indent:
            top.order = order
            key = top.key
        else:
            key = self._place(indent, style, order)
        self.expected = ""
        if order:
            self.last[style] = order
            if style in _NUMBERS:
                self.expected = _write_next(style, order[0])
        return key

    def _find_item(self, line: _TextLine) -> tuple[str, str, Order, str] | None:
        """Find an item whose marker may be a text as well: its marker, how to read that, and its text."""
        body = line.body
        if count := _find_count(body):
            marker = count[0].rstrip()
            reading = self._choose(line, count, _read_count(marker))
            return (marker, *reading, body[count.end() :]) if reading else None
        bullet = _BULLET.match(body)
        if bullet and (bullet["sure"] or self._is_listed(line, bullet)):
            marker = bullet[0].rstrip()
            return marker, _ALIKE.get(marker, marker), _UNORDERED, body[bullet.end() :]
        return None

    def _is_listed(self, line: _TextLine, bullet: re.Match[str]) -> bool:
        """Return whether a bullet that may be the beginning of a text is one of several, or nested."""
        nested = bool(self.levels) and line.indent > self.levels[-1].indent
        return (nested and bullet["letter"] is not None) or self.lookahead.bullets[bullet[0].rstrip()] > 1

    @cached_property
    def lookahead(self) -> "_Lookahead":
        """What all lines begin with; texts whose lists begin with the first item do without."""
        return _look_ahead(self.lines)

    def _choose(
        self, line: _TextLine, count: re.Match[str], readings: tuple[tuple[str, Order], ...]
    ) -> tuple[str, Order] | None:
        """Choose how to read a number or letter; None where it is the beginning of a text."""
        small = line.body[count.end() : count.end() + 1].islower()
        for style, order in readings:
            if self._follows(style, order) and not (small and style[-2:-1] == "A" and style not in self.lower):
                return style, order
        for style, order in readings:
            if self._begins(
                line, style, order, small=small, spaced=count["blank"] is not None or count[0][-1] in "、．"
            ):
                return style, order
        return None

    def _follows(self, style: str, order: Order) -> bool:
        open_lists = self.levels[-_SEARCHED:]
        if _comes_after(self.last.get(style, ()), order):
            return True
        if any(level.style == style and _comes_after(level.order, order) for level in open_lists):
            return True
        return style in _NUMBERS and any(_continues_number(level, order) for level in open_lists)

    def _begins(self, line: _TextLine, style: str, order: Order, *, small: bool, spaced: bool) -> bool:
        """Return whether a list begins here: with its first item, or with one that the next one follows."""
        if len(order) > 1:
            is_child = order[-1] <= 1 and any(level.order == order[:-1] for level in self.levels[-_SEARCHED:])
            return not small and (is_child or self._is_followed(line, style, order))
        if small and style[-2:-1] == "A":  # `E. coli`
            if self._is_followed(line, style, order) and self._is_followed(line, style, (order[0] + 1,)):
                self.lower.add(style)
            return style in self.lower
        if order[0] > 1:
            return spaced and style not in self.last and self._is_followed(line, style, order)
        alone = spaced and (style in _NUMBERS or (style[-1] in ")]①" and not self._is_unfinished_above(line)))
        return (alone and not self._is_open_above(line)) or self._is_followed(line, style, order)

    def _is_followed(self, line: _TextLine, style: str, order: Order) -> bool:
        return self.lookahead.last.get((style, (*order[:-1], order[-1] + 1)), 0) > line.at

    def _is_open_above(self, line: _TextLine) -> bool:
        """Return whether the line above cannot end where it does: `diabetes of type`."""
        return not line.after_blank and _is_open(self.above, capitals=False)

    def _is_unfinished_above(self, line: _TextLine) -> bool:
        """Return whether the line above had no room for a number or letter that its sentence may go on with."""
        if line.after_blank or not self.above or self.above[-1] in _FINISHED:
            return False
        return self._is_overfull(line)

    def _place(self, indent: int, style: str, order: Order) -> int:
        """Find an item's list: one of its kind at this indent, or one under the item above. Return the list's key."""
        levels = self.levels
        while levels and _is_left(levels, indent):
            levels.pop()
        beside = range(len(levels) - 1, _count_left(levels, indent) - 1, -1)
        depth = next((depth for depth in beside if levels[depth].style == style), None)
        if depth is None and style in _NUMBERS and order[0] > 1:
            depth = next((depth for depth in beside if _continues_number(levels[depth], order)), None)
        if depth is not None:
            del levels[depth + 1 :]
            levels[depth].order = order
            return levels[depth].key
        if len(order) > 1:
            self._leave_cousins(order)
        elif order and order[0] > 1 and levels and levels[-1].style and levels[-1].indent >= indent - 1:
            levels.pop()  # as above, behind another list
        return self._push(indent, style, order)

    def _leave_cousins(self, order: Order) -> None:
        for depth in range(len(self.levels) - 1, -1, -1):
            if self.levels[depth].order == order[:-1]:
                del self.levels[depth + 1 :]
                return

    def _push(self, indent: int, style: str, order: Order) -> int:
        levels = self.levels
        if len(levels) > MAX_DEPTH:
            levels.pop()
        known = self.keys.get((indent, style), _BESIDE * indent)  # a list that goes on behind a paragraph
        key = max(_BESIDE * indent, levels[-1].key + 1) if levels else known
        self.keys[indent, style] = key
        levels.append(_Level(indent, style, order, key))
        return key

    def _join(self, line: _TextLine) -> bool:
        """Add a line to the item above it, if it continues that; else return False."""
        above = self.above
        if not above:
            return False
        newest = len(self.found) - 1
        item = self.found[newest]
        is_empty = item.marker is not None and not item.text and newest not in self.more
        if not is_empty:
            if line.after_blank or above[-1] in ":：":
                return False
            full = self._is_overfull(line)
            is_open = _is_open(above, capitals=item.text.isupper())
            if not (is_open or self._is_continued(item, line, full=full)):
                return False
            subheading = read_subheading(line.body)
            if subheading and self._is_heading_of_side(item, line, subheading, is_open=is_open, full=full):
                return False
            inside = is_open or above.endswith((" or", " and"))
            if not subheading and line.body[-1] == ":" and _is_list_label(item, line, inside=inside, full=full):
                return False
        self.more.setdefault(newest, []).append(_unescape(line.body))
        return True

    def _is_continued(self, item: CriteriaLine, line: _TextLine, *, full: bool) -> bool:
        """Return whether a line goes on where the one directly above it ends."""
        end, first = self.above[-1], line.body[0]
        hangs = line.indent > self.indent
        if (item.marker and hangs) or (item.joins and self.levels and line.indent >= self.levels[-1].indent):
            return True
        if _is_only_heading(item):
            return False
        if first.islower() and (item.marker or (full and self.is_wrapped)):
            return True
        if end == ";" and item.marker and full and item.text.isupper():
            return True
        if end in _FINISHED and not _is_abbreviation(_last_word(self.above)):
            return False
        if item.marker:
            return first in _BEGINS_INSIDE or end in _HALVES or full
        if first.islower() or first == "(":
            return full or not (item.text[:1].islower() or names_group(item.text))
        return full and self.is_wrapped

    def _is_heading_of_side(
        self, item: CriteriaLine, line: _TextLine, subheading: Subheading, *, is_open: bool, full: bool
    ) -> bool:
        """Return whether a line that would continue an item is a heading of a side after all, or may be one."""
        small = line.body[0].islower()
        if is_open:
            bare = full and "crit" not in line.body.lower() and ":" not in line.body
            return subheading.side is not None and subheading.alone and not (small or bare)
        # In a wrapped text whose items begin with capitals, a small letter where a line is full begins no heading.
        inside = small and full and item.text[:1].isupper() and self.is_wrapped
        return not inside or (subheading.alone and ":" in line.body)

    def _is_overfull(self, line: _TextLine) -> bool:
        """Return whether the line above had no room for the next word, in a text that may be wrapped."""
        if not _NARROWEST <= self.width <= _WIDEST:
            return False
        word = line.body.partition(" ")[0]
        return len(self.above) + 1 + len(word) > self.width

    @cached_property
    def width(self) -> int:
        """The length of the longest line."""
        return max(map(len, self.lines))

    @cached_property
    def is_wrapped(self) -> bool:
        """Whether several lines go on in small letters where the one above had no room."""
        several = 0
        for above, below in pairwise(self.lines):
            first = below.lstrip()[:1]
            if first.islower() and above and above[-1] not in _FINISHED:
                several += len(above) + 1 + len(below.lstrip().partition(" ")[0]) > self.width
        return several >= _SEVERAL

    def _add_plain(self, line: _TextLine) -> None:
        """Add a line without a marker."""
        nested = False
        key = COLUMN_0
        if line.indent:
            while self.levels and self.levels[-1].indent >= line.indent:
                self.levels.pop()
            nested = bool(self.levels)
            key = self._push(line.indent, "", ())
        else:
            self.levels.clear()
        text = _unescape(line.body)
        joins = line.after_blank and nested
        running = line.body[0].islower() and (joins or self._is_unfinished_in_capitals(line))
        self.found.append(CriteriaLine(line.at, key, None, text, line.after_blank, running, joins))
        self.indent = line.indent
        self.expected = ""

    def _is_unfinished_in_capitals(self, line: _TextLine) -> bool:
        """Return whether the line above may go on, in a text whose items begin with capitals."""
        if line.after_blank or not self.above or self.above[-1] in _FINISHED:
            return False
        return not self.found[-1].text[:1].islower()


class _Lookahead(NamedTuple):
    """Of each style and order, the last line that begins with it; of each doubtful bullet, how many lines do."""

    last: dict[tuple[str, Order], int]
    bullets: Counter[str]


def _look_ahead(lines: list[str]) -> _Lookahead:
    last: dict[tuple[str, Order], int] = {}
    bullets: Counter[str] = Counter()
    for at, line in enumerate(lines):
        body = line.lstrip()
        if not body:
            continue
        if count := _find_count(body):
            last.update(dict.fromkeys(_read_count(count[0].rstrip()), at))
        elif bullet := _BULLET.match(body):
            bullets[bullet[0].rstrip()] += 1
    return _Lookahead(last, bullets)


def _is_list_label(item: CriteriaLine, line: _TextLine, *, inside: bool, full: bool) -> bool:
    """Return whether a line with a colon that would continue an item is a label over a list: `Healthy volunteers:`."""
    if line.body[0].islower():
        return False
    inside = inside or (full and item.text.isupper())
    return names_group(line.body) if inside else introduces(line.body)


def _is_only_heading(item: CriteriaLine) -> bool:
    """Return whether an item is a heading of a side and nothing else, so that no sentence goes on behind it."""
    if "clusi" not in item.text.lower():
        return False
    subheading = read_subheading(item.text, item=item.marker is not None)
    return subheading is not None and subheading.alone


def _is_decoration(text: str) -> bool:
    return _RULE.fullmatch(text) is not None or EMPTY_COMMENT.fullmatch(text) is not None


def _is_left(levels: list[_Level], indent: int) -> bool:
    """Return whether an item at an indent ends the innermost list; one blank less is the same indent (` 9.` `10.`)."""
    level = levels[-1]
    if not level.style:
        return level.indent >= indent
    if level.indent == indent + 1:
        return len(levels) > 1 and levels[-2].indent >= indent
    return level.indent > indent


def _count_left(levels: list[_Level], indent: int) -> int:
    """Count the lists that begin left of an indent, by more than a blank."""
    count = len(levels)
    while count and levels[count - 1].indent >= indent - 1:
        count -= 1
    return count


def _continues_number(level: _Level, order: Order) -> bool:
    """Return whether a number follows that of a list, whatever their brackets are."""
    return level.style in _NUMBERS and level.order[0] + 1 == order[0]


def _comes_after(before: Order, order: Order) -> bool:
    return before[:-1] == order[:-1] and bool(before) and 0 <= order[-1] - before[-1] <= _LARGEST_GAP


def _last_word(line: str) -> str:
    return line[line.rfind(" ") + 1 :]


def _is_open(line: str, *, capitals: bool) -> bool:
    """Return whether no text ends where a line does: `diabetes of`, but not `hepatitis A` or `ALL`."""
    word = _last_word(line)
    return len(line) >= _SHORTEST and (word in _OPEN_WORDS or (capitals and word in _OPEN_CAPITALS))


def _is_abbreviation(word: str) -> bool:
    initial = len(word) == 2 and word[0].isupper()  # noqa: PLR2004  a letter and its point, as in `S. aureus`
    return initial or "." in word[1:-1] or word.lower() in _ABBREVIATIONS  # `i.v.`, `vs.`


def _unescape(text: str) -> str:
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text

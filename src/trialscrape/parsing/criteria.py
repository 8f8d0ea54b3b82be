"""Eligibility criteria: lines to a tree a side, by marker, indent and sub-heading.

• item                    a marker and its text; `1.` counts as one, and so do `•`, `▪` and `●` at column 0
    • nested item         belongs to the item above it with less indent

  continued               an indent and no marker: another paragraph of the item above it
Sub-heading:              column 0 and a `:` at the end: the list under it belongs to it
Plain paragraph           column 0: stands for itself

A sub-heading that names the other side (see `subheadings`) begins a tree of that side, wherever it stands.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from trialscrape.parsing.subheadings import LONGEST_INTRODUCTION, Side, Subheading, introduces, read_subheading
from trialscrape.records import Criterion

MAX_DEPTH = 40
"""Nesting beyond this is read as siblings of this depth. Real pages have three levels; JSON readers stop near 100."""

_ITEM = re.compile(r"( *)([•▪●]|[0-9]{1,9}\.)(?: +(.*))?")
EMPTY_COMMENT = re.compile(r" *<!-- *-->")  # the registry's markdown parts two lists with it
COLUMN_0 = -1
"""The indent of a line without marker and indent: it belongs to no item."""

_ROOT = -2
_LONGEST_QUOTE = 60
_CRITERIA = TypeAdapter(tuple[Criterion, ...])
_Node = dict[str, Any]


class Doubt(NamedTuple):
    """The index of a line from which on it is doubtful whose the criteria are, and why."""

    at: int
    message: str


class ParsedCriteria(NamedTuple):
    """The criteria of a section by side, what is doubtful, and the index of the first line nested too deep, if any."""

    inclusion: tuple[Criterion, ...]
    exclusion: tuple[Criterion, ...]
    unassigned: tuple[Criterion, ...]
    doubts: tuple[Doubt, ...]
    too_deep: int | None


class CriteriaLine(NamedTuple):
    """A line of criteria.

    Attributes:
        at: Its index.
        indent: How deep it stands; `COLUMN_0` for a line that belongs to no item.
        marker: What stands before its text, or None.
        text: Its text.
        after_blank: Whether a blank line is above it.
        running: Whether it may continue a sentence that the line above began.
        joins: Whether it continues the text of the item above it, where that has less indent and no list yet.
    """

    at: int
    indent: int
    marker: str | None
    text: str
    after_blank: bool
    running: bool = False
    joins: bool = False


def read_criteria(lines: Iterable[str], side: Side | None) -> ParsedCriteria:
    """Read a section's lines.

    Args:
        lines: The lines, as `layout` gives them.
        side: The side whose section it is, or None where the section is for both.
    """
    return build_criteria(_split_items(lines), side)


def build_criteria(lines: Iterable[CriteriaLine], side: Side | None) -> ParsedCriteria:
    """Build the tree of each side.

    In preorder, the texts of each side are its lines in their order: nothing is dropped, merged or reworded. A
    continuation paragraph is joined to its item's text by a blank line, a continued line by a newline; where the item
    has a nested list already, it stands behind it as a criterion without a marker.

    Args:
        lines: The lines.
        side: The side whose section it is, or None where it is for both.
    """
    sides = _Sides(side)
    roots: dict[Side | None, _Node] = {root: {"text": "", "children": []} for root in ("inclusion", "exclusion", None)}
    path = [(_ROOT, roots[side])]  # indents and nodes, from the root to the one that a deeper line would belong to
    last, more = roots[side], list[str]()  # the newest node, and what continues its text
    above = last  # the node before it, where both stand at column 0
    too_deep: list[int] = []
    for line in lines:
        at, indent, marker, text, after_blank, running, joins = line
        subheading = read_subheading(text, item=marker is not None, running=running)
        alone = False
        if subheading or sides.heeds(indent):
            alone = subheading is not None and subheading.alone
            if sides.read(line, subheading):
                path = [(_ROOT, roots[sides.side])]
        while path[-1][0] >= indent:
            path.pop()
        if joins and path[-1][1] is last and path[-1][0] > COLUMN_0:
            more.append(f"\n\n{text}" if after_blank else f"\n{text}")
            continue
        if more:
            _finish(last, more)
        if len(path) > MAX_DEPTH:
            too_deep.append(at)
            del path[MAX_DEPTH:]
        introduced = path[-1][1] is last and _mark_heading(last)
        before = last if indent == COLUMN_0 and last.get("marker") is None else roots[side]
        if introduced or alone:
            # A line over a heading is one too, where it has no words of its own: `Eligibility criteria:`.
            _mark_heading(above if introduced else before, most=0)
        above = before
        last = {"kind": "heading" if alone else "criterion", "text": text, "marker": marker, "children": []}
        path[-1][1]["children"].append(last)
        if indent > COLUMN_0 or text.endswith(":"):
            path.append((indent, last))
    _finish(last, more)
    inclusion, exclusion, unassigned = (_CRITERIA.validate_python(root["children"]) for root in roots.values())
    return ParsedCriteria(inclusion, exclusion, unassigned, sides.doubts(), next(iter(too_deep), None))


def _split_items(lines: Iterable[str]) -> Iterator[CriteriaLine]:
    after_blank = True
    for index, line in enumerate(lines):
        if not line or EMPTY_COMMENT.fullmatch(line):
            after_blank = True
            continue
        item = _ITEM.fullmatch(line)
        if item:
            pad, marker, text = item.groups("")
            yield CriteriaLine(index, len(pad), marker, text, after_blank)
        else:
            text = line.lstrip(" ")
            indent = len(line) - len(text) or COLUMN_0
            inside = indent > COLUMN_0
            yield CriteriaLine(index, indent, None, text, after_blank, inside or not after_blank, inside)
        after_blank = False


def _mark_heading(node: _Node, most: int = LONGEST_INTRODUCTION) -> bool:
    """Mark a node as a heading where it only introduces what follows; say whether it is one now."""
    if not node["children"] and introduces(node["text"], most):
        node["kind"] = "heading"
    return node.get("kind") == "heading"  # the root of a side is neither


def _finish(node: _Node, more: list[str]) -> None:
    if more:
        node["kind"] = "criterion"
        node["text"] += "".join(more)
        more.clear()


class _Sides:
    """Whose the lines are, one line after the other.

    A sub-heading that names a side holds until the next one. Where it stands in a list, and a shallower item follows
    the list under it, that item may be the outer list's: whose it is, is unknown.
    """

    def __init__(self, side: Side | None) -> None:
        self.side = side
        self._section = side
        self._doubts: list[Doubt] = []
        # A doubt about lines to come, and the indent beyond which a heading that names a side makes it void.
        self._pending: tuple[Doubt, int] | None = None
        self._floor = COLUMN_0  # the least indent of the current side's list
        self._is_over_nothing = False  # whether no item has followed the last heading that named it

    def heeds(self, indent: int) -> bool:
        """Return whether a line that is no sub-heading may change anything; most do not."""
        return self._is_over_nothing or indent < self._floor or self._pending is not None

    def read(self, line: CriteriaLine, subheading: Subheading | None) -> bool:
        """Read a line, as the heading that it is if any; return whether it begins a tree of another side."""
        before = self.side
        if subheading and subheading.side:
            self._name(line, subheading.side)
        elif subheading and subheading.sides == {before}:
            self._settle()
            self._floor = min(self._floor, line.indent)
        elif subheading:
            self._lose(line, subheading)
        else:
            self._go_on(line)
        return self.side != before

    def doubts(self) -> tuple[Doubt, ...]:
        """Return every doubt, when all lines are read."""
        self._settle()
        return tuple(self._doubts)

    def _name(self, line: CriteriaLine, side: Side) -> None:
        if self._pending and line.indent > self._pending[1]:
            self._pending = None
        self._settle()
        if side != self.side or line.indent < self._floor:
            self._floor = COLUMN_0 if line.indent == COLUMN_0 else sys.maxsize
        self._is_over_nothing = True
        if side != self.side and self._section not in {None, side}:
            self._doubts.append(
                _make_doubt(line, f"a heading of {self._section} criteria only", f"it is read as {side}")
            )
        self.side = side

    def _lose(self, line: CriteriaLine, subheading: Subheading) -> None:
        self._settle()
        self._pending = _make_doubt(line, "a heading that names one side", "what follows is unassigned"), _ROOT
        if not subheading.alone:
            self._settle()
        self._forget()

    def _go_on(self, line: CriteriaLine) -> None:
        self._settle()
        if line.indent == COLUMN_0 or (self._is_over_nothing and not line.marker):
            return
        if self._is_over_nothing:
            self._floor, self._is_over_nothing = min(self._floor, line.indent), False
        elif line.indent < self._floor:
            doubt = _make_doubt(line, f"a heading behind the nested {self.side} criteria", "it is unassigned")
            # In a section for both sides, an item over a nested heading is the name of a group, and no criterion.
            self._pending = doubt, line.indent if self._section is None else sys.maxsize
            self._forget()

    def _settle(self) -> None:
        if self._pending:
            self._doubts.append(self._pending[0])
            self._pending = None

    def _forget(self) -> None:
        self.side, self._floor, self._is_over_nothing = None, COLUMN_0, False


def _make_doubt(line: CriteriaLine, expected: str, consequence: str) -> Doubt:
    return Doubt(line.at, f"expected {expected}, found {line.text[:_LONGEST_QUOTE]!r}; {consequence}")

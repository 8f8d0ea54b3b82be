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
_EMPTY_COMMENT = re.compile(r" *<!-- *-->")  # the registry's markdown parts two lists with it
_COLUMN_0 = -1  # the indent of a line without marker and indent: it belongs to no item
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


class _Line(NamedTuple):
    at: int
    indent: int
    marker: str | None
    text: str
    after_blank: bool


def parse_criteria(lines: Iterable[str], side: Side | None) -> ParsedCriteria:
    """Read a section's lines.

    In preorder, the texts of each side are its lines in their order: nothing is dropped, merged or reworded. A
    continuation paragraph is joined to its item's text by a blank line, a continued line by a newline; where the item
    has a nested list already, it stands behind it as a criterion without a marker.

    Args:
        lines: The lines, as `layout` gives them.
        side: The side whose section it is, or None where the section is for both.
    """
    sides = _Sides(side)
    roots: dict[Side | None, _Node] = {root: _make_node("", None) for root in ("inclusion", "exclusion", None)}
    path = [(_ROOT, roots[side])]  # indents and nodes, from the root to the one that a deeper line would belong to
    last, more = roots[side], list[str]()  # the newest node, and what continues its text
    above = last  # the node before it, where both stand at column 0
    too_deep = None
    for line in _split_items(lines):
        switched, alone = sides.read(line)
        if switched:
            path = [(_ROOT, roots[sides.side])]
        while path[-1][0] >= line.indent:
            path.pop()
        if not line.marker and path[-1][1] is last and _COLUMN_0 < path[-1][0] < line.indent:
            more.append(f"\n\n{line.text}" if line.after_blank else f"\n{line.text}")
            continue
        _finish(last, more)
        if len(path) > MAX_DEPTH:
            too_deep = line.at if too_deep is None else too_deep
            del path[MAX_DEPTH:]
        if path[-1][1] is last and _mark_heading(last):
            _mark_heading(above, most=0)
        above = last if line.indent == _COLUMN_0 and last["marker"] is None else roots[side]
        last = _make_node(line.text, line.marker, "heading" if alone else "criterion")
        if alone:
            _mark_heading(above, most=0)
        path[-1][1]["children"].append(last)
        if line.indent > _COLUMN_0 or line.text.endswith(":"):
            path.append((line.indent, last))
    _finish(last, more)
    inclusion, exclusion, unassigned = (_CRITERIA.validate_python(root["children"]) for root in roots.values())
    return ParsedCriteria(inclusion, exclusion, unassigned, sides.doubts(), too_deep)


def _split_items(lines: Iterable[str]) -> Iterator[_Line]:
    after_blank = True
    for index, line in enumerate(lines):
        if not line or _EMPTY_COMMENT.fullmatch(line):
            after_blank = True
            continue
        item = _ITEM.fullmatch(line)
        if item:
            pad, marker, text = item.groups("")
            yield _Line(index, len(pad), marker, text, after_blank)
        else:
            text = line.lstrip(" ")
            yield _Line(index, len(line) - len(text) or _COLUMN_0, None, text, after_blank)
        after_blank = False


def _make_node(text: str, marker: str | None, kind: str = "criterion") -> _Node:
    return {"kind": kind, "text": text, "marker": marker, "children": []}


def _mark_heading(node: _Node, most: int = LONGEST_INTRODUCTION) -> bool:
    """Mark a node as a heading where it only introduces what follows; say whether it is one now."""
    if not node["children"] and introduces(node["text"], most):
        node["kind"] = "heading"
    return bool(node["kind"] == "heading")


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
        self._pending: Doubt | None = None  # a doubt about lines to come; void where a named side comes instead
        self._floor = _COLUMN_0  # the least indent of the current side's list
        self._is_over_nothing = False  # whether no item has followed the last heading that named it

    def read(self, line: _Line) -> tuple[bool, bool]:
        """Return whether the line begins a tree of another side, and whether it is nothing but a heading of sides."""
        running = line.marker is None and (line.indent > _COLUMN_0 or not line.after_blank)
        subheading = read_subheading(line.text, item=line.marker is not None, running=running)
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
        return self.side != before, subheading is not None and subheading.alone

    def doubts(self) -> tuple[Doubt, ...]:
        """Return every doubt, when all lines are read."""
        self._settle()
        return tuple(self._doubts)

    def _name(self, line: _Line, side: Side) -> None:
        self._pending = None
        if side != self.side or line.indent < self._floor:
            self._floor = _COLUMN_0 if line.indent == _COLUMN_0 else sys.maxsize
        self._is_over_nothing = True
        if side != self.side and self._section not in {None, side}:
            self._doubts.append(
                _make_doubt(line, f"a heading of {self._section} criteria only", f"it is read as {side}")
            )
        self.side = side

    def _lose(self, line: _Line, subheading: Subheading) -> None:
        self._settle()
        self._pending = _make_doubt(line, "a heading that names one side", "what follows is unassigned")
        if not subheading.alone:
            self._settle()
        self._forget()

    def _go_on(self, line: _Line) -> None:
        self._settle()
        if line.indent == _COLUMN_0 or (self._is_over_nothing and not line.marker):
            return
        if self._is_over_nothing:
            self._floor, self._is_over_nothing = min(self._floor, line.indent), False
        elif line.indent < self._floor:
            self._pending = _make_doubt(line, f"a heading behind the nested {self.side} criteria", "it is unassigned")
            self._forget()

    def _settle(self) -> None:
        if self._pending:
            self._doubts.append(self._pending)
            self._pending = None

    def _forget(self) -> None:
        self.side, self._floor, self._is_over_nothing = None, _COLUMN_0, False


def _make_doubt(line: _Line, expected: str, consequence: str) -> Doubt:
    return Doubt(line.at, f"expected {expected}, found {line.text[:_LONGEST_QUOTE]!r}; {consequence}")

"""Eligibility criteria: lines to trees, by marker and indent.

• item                    a marker and its text; `1.` counts as one, and so do `•`, `▪` and `●` at column 0
    • nested item         belongs to the item above it with less indent

  continued               an indent and no marker: another paragraph of the item above it
Sub-heading:              column 0 and a `:` at the end: the list under it belongs to it
Plain paragraph           column 0: stands for itself
"""

import gc
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from trialscrape.records import Criterion, Eligibility

MAX_DEPTH = 40
"""Nesting beyond this is read as siblings of this depth. Real pages have three levels; JSON readers stop near 100."""

_ITEM = re.compile(r"( *)([•▪●]|[0-9]{1,9}\.)(?: +(.*))?")
_WORDS = r"(?:[^\W\d_][\w'/-]* )"
_SIDE = re.compile(rf"{_WORDS}{{0,3}}(inclusion|exclusion)(?: [\w'/()&,-]+){{0,6}}", re.IGNORECASE)
_BARE_SIDE = re.compile(
    r"(?:(?:key|main|major|general|study) ){0,2}(inclusion|exclusion)(?: criteri(?:a|on))?", re.IGNORECASE
)
_MENTION = re.compile(r"(?:in|ex)clu(?:sion|d)", re.IGNORECASE)
_COLUMN_0 = -1  # the indent of a line without marker and indent: it belongs to no item
_CRITERIA = TypeAdapter(tuple[Criterion, ...])


class Tree(NamedTuple):
    """The criteria of a section, and the index of its first line that was nested too deep, if any."""

    criteria: tuple[Criterion, ...]
    too_deep: int | None


def tree_of(lines: Sequence[str]) -> Tree:
    """Read a section's lines.

    In preorder, the texts are the lines in their order: nothing is dropped, merged or reworded. A continuation
    paragraph is joined to its item's text by a blank line, a continued line by a newline; where the item has a nested
    list already, it stands behind it as a criterion without a marker.
    """
    with _no_collection():
        return _grown(lines)


def _grown(lines: Sequence[str]) -> Tree:
    root = _node("", None)
    path = [(_COLUMN_0 - 1, root)]  # indents and nodes, from the root to the one that a deeper line would belong to
    last, more = root, list[str]()  # the newest node, and what continues its text
    too_deep = None
    after_blank = False
    for index, line in enumerate(lines):
        if not line:
            after_blank = True
            continue
        item = _ITEM.fullmatch(line)
        if item:
            pad, marker, text = item.groups("")
            indent = len(pad)
        else:
            marker, text = None, line.lstrip(" ")
            indent = len(line) - len(text) or _COLUMN_0
        while path[-1][0] >= indent:
            path.pop()
        if not item and path[-1][1] is last and _COLUMN_0 < path[-1][0] < indent:
            more.append(f"\n\n{text}" if after_blank else f"\n{text}")
        else:
            last["text"] += "".join(more)
            more.clear()
            if len(path) > MAX_DEPTH:
                too_deep = index if too_deep is None else too_deep
                del path[MAX_DEPTH:]
            last = _node(text, marker)
            path[-1][1]["children"].append(last)
            if indent > _COLUMN_0 or text.endswith(":"):
                path.append((indent, last))
        after_blank = False
    last["text"] += "".join(more)
    return Tree(_CRITERIA.validate_python(root["children"]), too_deep)


@contextmanager
def _no_collection() -> Iterator[None]:
    # Trees have no cycles, and looking for them again and again while millions of nodes are made is not linear.
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _node(text: str, marker: str | None) -> dict[str, Any]:
    return {"text": text, "marker": marker, "children": []}


def split_sides(criteria: Iterable[Criterion]) -> Eligibility:
    """Share the criteria of a combined section out: what stands under a sub-heading that names one side is its.

    What stands under any other sub-heading, or one that is not understood, is nobody's: a criterion on the wrong side
    would be a wrong fact.
    """
    shares: dict[str, list[Criterion]] = {"inclusion": [], "exclusion": [], "unassigned": []}
    current = "unassigned"
    for criterion in criteria:
        side = named_side(criterion)
        if side or _is_other_heading(criterion):
            current = side or "unassigned"
        shares[current].append(criterion)
    return Eligibility(**{side: tuple(share) for side, share in shares.items()})


def named_side(criterion: Criterion) -> str | None:
    """Tell which side a criterion names, where it is a sub-heading that names just one."""
    label, colon, _ = criterion.text.partition(":")
    match = _SIDE.fullmatch(label) if colon else _BARE_SIDE.fullmatch(label.removesuffix("."))
    sides = {side for side in ("inclusion", "exclusion") if side in label.lower()}
    return sides.pop() if match and len(sides) == 1 else None


def _is_other_heading(criterion: Criterion) -> bool:
    return criterion.text.endswith(":") and (criterion.marker is None or bool(_MENTION.search(criterion.text)))

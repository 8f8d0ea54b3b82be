"""The lines of each criterion. The texts of a side are lines of the page, in their order: walking both finds them."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from trialscrape.records import SIDES, Eligibility, walk_tree

_ITEM = re.compile(r"(?:([•▪●]|[0-9]{1,9}\.)(?: +|$))?(.*)")
_EMPTY_COMMENT = re.compile(r"<!-- *-->")


class _Piece(NamedTuple):
    """A line that a side expects: its marker and text, and the criterion it belongs to."""

    marker: str | None
    text: str
    place: str


def find_criterion_lines(
    lines: Sequence[str], spans: dict[str, tuple[int, int]], eligibility: Eligibility
) -> dict[str, tuple[int, int]]:
    """Find the first and last line of each criterion.

    Args:
        lines: The lines of the page.
        spans: The indexes of the first and last line of each section of criteria.
        eligibility: The criteria that were read from them.

    Returns:
        `eligibility.inclusion.2.1` to the indexes of its first and last line; nothing where a line is in no criterion.
    """
    expected = {side: list(_list_pieces(eligibility, side)) for side in SIDES}
    for pieces in expected.values():
        pieces.reverse()
    found: dict[str, tuple[int, int]] = {}
    current = SIDES[0]
    for first, last in sorted(spans[field] for side in SIDES if (field := f"eligibility.{side}") in spans):
        for index in range(first, last + 1):
            line = lines[index].strip(" ")
            if not line or _EMPTY_COMMENT.fullmatch(line):
                continue
            side = next((one for one in (current, *SIDES) if expected[one] and _fits(expected[one][-1], line)), None)
            if side is None:
                return {}
            current, place = side, expected[side].pop().place
            found[place] = (found.get(place, (index, index))[0], index)
    return found


def _list_pieces(eligibility: Eligibility, side: str) -> Iterator[_Piece]:
    for path, criterion in walk_tree(getattr(eligibility, side), lambda one: one.children):
        place = f"eligibility.{side}.{'.'.join(map(str, path))}"
        first, *more = criterion.text.split("\n")
        yield _Piece(criterion.marker, first, place)
        yield from (_Piece(None, text, place) for text in more if text)


def _fits(piece: _Piece, line: str) -> bool:
    if piece.marker is None:
        return line == piece.text
    return (match := _ITEM.fullmatch(line)) is not None and match.groups() == (piece.marker, piece.text)

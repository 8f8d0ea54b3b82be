"""Criteria in texts from anywhere: what is an item, what nests in what, and on which side it is."""

import re
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path

import pytest

import trialscrape
from trialscrape.records import Criterion, Eligibility

TABLE = Path(__file__).with_name("criteria_texts.txt")
ESCAPE = re.compile(r"\\(?:r|x[0-9a-f]{2}|u[0-9a-f]{4})")  # of a character that nobody sees
SIDES = {"I": "inclusion", "E": "exclusion", "U": "unassigned"}


def cases() -> list[tuple[str, str]]:
    rows = [row for row in TABLE.read_text(encoding="utf-8").split("\n") if "⇒" in row and not row.startswith("# ")]
    pairs = [ESCAPE.sub(lambda escape: literal_eval(f'"{escape[0]}"'), row).split("⇒ ") for row in rows]
    return [(text.removesuffix(" ").replace("¶", "\n"), outline) for text, outline in pairs]


def outline(eligibility: Eligibility) -> list[str]:
    """Write the criteria of each side, a line each: side, depth, marker and text."""

    def walk(criteria: tuple[Criterion, ...], depth: int) -> Iterator[str]:
        for each in criteria:
            marked = f"{each.marker}» {each.text}" if each.marker else each.text
            yield f"{depth} {marked}".replace("\n", "⏎")
            yield from walk(each.children, depth + 1)

    return [f"{letter}{line}" for letter, side in SIDES.items() for line in walk(getattr(eligibility, side), 0)]


def by_side(lines: list[str]) -> list[str]:
    """Sort an outline by side; the order within a side stays."""
    return sorted(lines, key=lambda line: "IEU".index(line[0]))


@pytest.mark.parametrize(("text", "expected"), cases())
def test_a_text_is_read_as_its_author_meant_it(text: str, expected: str) -> None:
    assert outline(trialscrape.parse_criteria(text)) == by_side(expected.split("¶"))


def test_the_table_is_long() -> None:
    assert len(cases()) >= 300

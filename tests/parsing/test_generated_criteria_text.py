"""Thousands of invented texts in every style: each line on its side, at its depth, with its marker and its words."""

import re
import time
from collections.abc import Iterable, Iterator
from unicodedata import normalize

import pytest
from bench.criteria_texts import Line, build
from hypothesis import given
from hypothesis import strategies as st

import trialscrape
from trialscrape.parsing.criteria import MAX_DEPTH
from trialscrape.records import Criterion, Eligibility

TEXTS = 10_000
SIDES = ("inclusion", "exclusion", "unassigned")
WORD = re.compile(r"[^\W_]+")


def walk(criteria: Iterable[Criterion], depth: int = 0) -> Iterator[tuple[int, Criterion]]:
    for criterion in criteria:
        yield depth, criterion
        yield from walk(criterion.children, depth + 1)


def read(eligibility: Eligibility) -> list[Line]:
    return [
        Line(side, depth, criterion.marker, " ".join(criterion.text.split()))
        for side in SIDES
        for depth, criterion in walk(getattr(eligibility, side))
    ]


@pytest.mark.parametrize("first", range(0, TEXTS, 1_000))
def test_a_text_gives_its_lines(first: int) -> None:
    for seed in range(first, first + 1_000):
        built = build(seed)
        eligibility = trialscrape.parse_criteria(built.text)
        assert read(eligibility) == [line._replace(is_heading=False) for line in built.lines], (
            f"seed {seed}\n{built.text}"
        )
        assert eligibility.combined == any(line.side != "unassigned" for line in built.lines)


PIECES = st.tuples(
    st.sampled_from(["", "", "  ", "    ", "\t", "   "]),
    st.sampled_from(
        ["", "", "- ", "* ", "• ", "•", "1. ", "2. ", "3) ", "a) ", "b) ", "(i) ", "ii. ", "1.1 ", "o ", "A. "]
    ),
    st.sampled_from(
        [
            "Adults",
            "written consent with",
            "Any of:",
            "E. coli",
            "1.73 m2",
            "Inclusion Criteria:",
            "exclusion criteria",
            "Not eligible if:",
            "---",
            "<!-- -->",
            r"\<18 years",
            "",
        ]
    ),
    st.sampled_from(["\n", "\n", "\n\n", "\r\n", "\x0b", "\u2028"]),
)
TEXT = st.lists(PIECES).map(lambda pieces: "".join("".join(piece) for piece in pieces)) | st.text()


def words(text: str) -> list[str]:
    return WORD.findall(normalize("NFC", text))


def is_part(some: Iterable[str], whole: Iterable[str]) -> bool:
    """Return whether words are among others in the same order."""
    rest = iter(whole)
    return all(word in rest for word in some)


@given(TEXT)
def test_no_word_is_lost_added_or_moved(text: str) -> None:
    eligibility = trialscrape.parse_criteria(text)
    expected = words(text)
    found = [
        [word for _, each in walk(getattr(eligibility, side)) for word in words(f"{each.marker or ''} {each.text}")]
        for side in SIDES
    ]
    assert all(is_part(side, expected) for side in found)
    assert sorted(word for side in found for word in side) == sorted(expected)


@given(TEXT)
def test_the_same_text_gives_the_same_criteria_which_are_read_back(text: str) -> None:
    eligibility = trialscrape.parse_criteria(text)
    assert trialscrape.parse_criteria(text) == eligibility
    assert Eligibility.model_validate_json(eligibility.model_dump_json()) == eligibility
    assert all(depth < MAX_DEPTH for side in SIDES for depth, _ in walk(getattr(eligibility, side)))


HOSTILE = {
    "one line": "lamp " * 200_000,
    "a word": "x" * 1_000_000,
    "wrapped lines of one item": "- lamps\n" + "and more of them\n" * 60_000,
    "deeper and deeper": "".join(" " * (at % 700) + "- a\n" for at in range(2_800)),
    "markers of all kinds": "- a\n* b\n1. c\na) d\ni. e\n(1) f\nA. G\nI. H\n1.1 I\no j\n" * 20_000,
    "numbers": "".join(f"{at % 1000}. a\n" for at in range(110_000)),
    "numbers of many levels": "1." * 300_000 + " a\n" + "1.1.1.1 A\n1.1.1.2 B\n" * 20_000,
    "empty markers": "1.\n" * 300_000,
    "blank lines": "\n" * 1_000_000,
    "blanks": " " * 1_000_000 + "a",
    "headings": "Inclusion criteria:\nExclusion criteria:\n" * 25_000,
    "unclear headings": "Excluded if:\nexclusion criteria of all\n" * 27_000,
    "rules": "- - - - - - - - - -\n" * 50_000,
    "dashes": "-" * 1_000_000 + "x",
    "brackets": "(" * 1_000_000,
    "asterisks": "*a" * 500_000,
    "backslashes": "\\" * 1_000_000,
    "long lines in small letters": ("lamp " * 25 + "\n") * 8_000,
    "numerals": "iiiii) a\nxxxxx. b\n" * 60_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_megabyte_of_anything_takes_linear_time(text: str) -> None:
    began = time.process_time()
    trialscrape.parse_criteria(text)
    assert time.process_time() - began < 30  # quadratic time would be minutes; a slow machine takes some seconds

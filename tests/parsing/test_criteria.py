"""Criteria: what nests in what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialscrape.parsing.criteria import MAX_DEPTH, read_criteria
from trialscrape.records import Criterion

Shape = list[object]


def shape(criteria: tuple[Criterion, ...]) -> Shape:
    """Write a tree as nested lists: `marker text`, then its children."""
    out: Shape = []
    for each in criteria:
        out.append(f"{each.marker} {each.text}" if each.marker else each.text)
        if each.children:
            out.append(shape(each.children))
    return out


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        (["  • a", "  • b"], ["• a", "• b"]),
        (["  1. a", "  2. b"], ["1. a", "2. b"]),
        (["  • a", "", "    • b", "    • c", "  • d"], ["• a", ["• b", "• c"], "• d"]),
        (["  1. a", "", "    1. b", "", "      • c", "  2. d"], ["1. a", ["1. b", ["• c"]], "2. d"]),
        (["    1. a", "", "    1. b"], ["1. a", "1. b"]),
        (["    • a", "  • b"], ["• a", "• b"]),
        (["Sub:", "", "  • a", "  • b", "", "Other:", "", "  • c"], ["Sub:", ["• a", "• b"], "Other:", ["• c"]]),
        (["Sub", "", "  • a"], ["Sub", "• a"]),
        (["  • SUB:", "  • a"], ["• SUB:", "• a"]),
        (["  3. a", "", "    more", "", "  4. b"], ["3. a\n\nmore", "4. b"]),
        (["  3. a", "    more", "  4. b"], ["3. a\nmore", "4. b"]),
        (["  • a", "    • b", "", "      more"], ["• a", ["• b\n\nmore"]]),
        (["  • a", "    • b", "", "    more"], ["• a", ["• b", "more"]]),
        (["  • a", "    • b", "", "    more", "    • c"], ["• a", ["• b", "more", "• c"]]),
        (["Sub:", "", "  text", "  • a"], ["Sub:", ["text", "• a"]]),
        (["A paragraph.", "Another."], ["A paragraph.", "Another."]),
        (["• a", "▪ b", "● c"], ["• a", "▪ b", "● c"]),
        (["Any of:", "• a", "OR", "• b"], ["Any of:", ["• a"], "OR", "• b"]),
        (["•a", "1.5 mg", "2) b"], ["•a", "1.5 mg", "2) b"]),
        (["  •"], ["• "]),
        (["i. a; ii. b"], ["i. a; ii. b"]),
        (["X-ray"], ["X-ray"]),
        (["\u2003a"], ["\u2003a"]),
        (["1. a", "2. b"], ["1. a", "2. b"]),
    ],
)
def test_nesting(lines: list[str], expected: Shape) -> None:
    parsed = read_criteria(lines, "inclusion")
    assert shape(parsed.inclusion) == expected
    assert parsed[1:] == ((), (), (), None)


def test_nesting_beyond_the_limit_becomes_siblings() -> None:
    parsed = read_criteria(["  " * level + f"• {level}" for level in range(1, MAX_DEPTH + 4)], "inclusion")
    deepest = parsed.inclusion
    for _ in range(MAX_DEPTH - 1):
        (node,) = deepest
        deepest = node.children
    assert [node.text for node in deepest] == ["40", "41", "42", "43"]
    assert parsed.too_deep == MAX_DEPTH


def flat(criteria: tuple[Criterion, ...]) -> list[Criterion]:
    return [node for each in criteria for node in [each, *flat(each.children)]]


LINE = st.tuples(
    st.sampled_from(["", " ", "  ", "    ", "      "]),
    st.sampled_from(["", "• ", "1. ", "▪ "]),
    st.sampled_from(["a", "b:", "c d"]),
)


@given(st.lists(LINE | st.just(None)))
def test_preorder_is_the_order_of_the_lines(parts: list[tuple[str, str, str] | None]) -> None:
    lines = ["".join(part) if part else "" for part in parts]
    nodes = flat(read_criteria(lines, "inclusion").inclusion)
    found = "\n".join(f"{node.marker or ''} {node.text}" for node in nodes).split("\n")
    assert [line.strip() for line in found if line] == [line.strip() for line in lines if line]


Row = tuple[list[str], Shape, Shape, Shape, list[int]]
COMBINED: dict[str, Row] = {
    "two sides": (
        ["Inclusion:", "  • a", "Exclusion:", "  • b"],
        ["Inclusion:", ["• a"]],
        ["Exclusion:", ["• b"]],
        [],
        [],
    ),
    "before any side": (
        ["All.", "Inclusion:", "  • a", "More."],
        ["Inclusion:", ["• a"], "More."],
        [],
        ["All."],
        [],
    ),
    "bullets": (
        ["  • Inclusion criteria", "  • a", "  • Exclusion criteria", "  • b"],
        ["• Inclusion criteria", "• a"],
        ["• Exclusion criteria", "• b"],
        [],
        [],
    ),
    "bullets in small letters": (
        ["  • inclusion criteria", "  • a", "  • exclusion criteria", "  • b"],
        ["• inclusion criteria", "• a"],
        ["• exclusion criteria", "• b"],
        [],
        [],
    ),
    "the very words of the page's headings": (
        ["Inclusion criteria", "", "  • a", "", "Exclusion criteria", "", "  • b"],
        ["Inclusion criteria", "• a"],
        ["Exclusion criteria", "• b"],
        [],
        [],
    ),
    "a heading without a side leaves it": (
        ["Inclusion:", "  • a", "Notes:", "  • b"],
        ["Inclusion:", ["• a"], "Notes:", ["• b"]],
        [],
        [],
        [],
    ),
    "non-inclusion": (
        ["Inclusion:", "  • a", "Non-inclusion criteria", "  • b"],
        ["Inclusion:", ["• a"]],
        ["Non-inclusion criteria", "• b"],
        [],
        [],
    ),
    "a nested heading over nothing holds for the shallower list": (
        ["Inclusion:", "  • a", "    • Exclusion Criteria:", "  • b", "  • c"],
        ["Inclusion:", ["• a"]],
        ["• Exclusion Criteria:", "• b", "• c"],
        [],
        [],
    ),
    "a nested heading over its own level": (
        ["Inclusion:", "  • a", "    • Exclusion Criteria:", "    • b", "      • c"],
        ["Inclusion:", ["• a"]],
        ["• Exclusion Criteria:", "• b", ["• c"]],
        [],
        [],
    ),
    "behind a nested list": (
        ["Inclusion:", "  • a", "    • Exclusion Criteria:", "    • b", "  • c", "  • d"],
        ["Inclusion:", ["• a"]],
        ["• Exclusion Criteria:", "• b"],
        ["• c", "• d"],
        [4],
    ),
    "behind a nested list of the same side": (
        ["  • Exclusion:", "  • a", "    • Exclusion (Part B):", "      • b", "  • c"],
        [],
        ["• Exclusion:", "• a", ["• Exclusion (Part B):", ["• b"]], "• c"],
        [],
        [],
    ),
    "the next group": (
        [
            "  • one",
            "    • Inclusion:",
            "      • a",
            "    • Exclusion:",
            "      • b",
            "  • two",
            "    • Inclusion:",
            "      • c",
        ],
        ["• Inclusion:", ["• a"], "• Inclusion:", ["• c"]],
        ["• Exclusion:", ["• b"]],
        ["• one", "• two"],
        [],
    ),
    "behind a nested list, over a heading of its own level": (
        ["Inclusion:", "  • a", "    • Exclusion:", "    • b", "  • c", "  • Inclusion:", "  • d"],
        ["Inclusion:", ["• a"], "• Inclusion:", "• d"],
        ["• Exclusion:", "• b"],
        ["• c"],
        [4],
    ),
    "behind a nested list, over a heading at column 0": (
        ["Inclusion:", "  • a", "    • Exclusion:", "    • b", "  • c", "Exclusion:", "  • d"],
        ["Inclusion:", ["• a"]],
        ["• Exclusion:", "• b", "Exclusion:", ["• d"]],
        ["• c"],
        [4],
    ),
    "a paragraph at column 0 is no shallower item": (
        ["  • Exclusion:", "    • a", "Sleepers", "    • b"],
        [],
        ["• Exclusion:", ["• a"], "Sleepers", "• b"],
        [],
        [],
    ),
    "a continuation": (
        ["Inclusion:", "", "  • a", "", "    Exclusion Criteria:", "", "  • b", "", "    more"],
        ["Inclusion:", ["• a"]],
        ["Exclusion Criteria:", "• b\n\nmore"],
        [],
        [],
    ),
    "a sentence that goes on": (
        ["Inclusion:", "  • Sleepers who meet all", "    exclusion criteria", "  • b"],
        ["Inclusion:", ["• Sleepers who meet all"]],
        [],
        ["exclusion criteria", "• b"],
        [2],
    ),
    "its list on the same line": (
        ["Inclusion Criteria: - a - b", "Exclusion Criteria: - c"],
        ["Inclusion Criteria: - a - b"],
        ["Exclusion Criteria: - c"],
        [],
        [],
    ),
    "both sides in one paragraph": (
        ["Inclusion Criteria: - adult Exclusion Criteria: - asleep", "", "Thanks."],
        [],
        [],
        ["Inclusion Criteria: - adult Exclusion Criteria: - asleep", "Thanks."],
        [0],
    ),
    "not understood": (
        ["Inclusion:", "  • a", "Not eligible if:", "  • b", "Inclusion:", "  • c"],
        ["Inclusion:", ["• a"], "Inclusion:", ["• c"]],
        [],
        ["Not eligible if:", ["• b"]],
        [2],
    ),
    "small letters, where no sentence goes on": (
        ["inclusion criteria", "", "  • a", "", "exclusion criteria", "", "  • b"],
        ["inclusion criteria", "• a"],
        ["exclusion criteria", "• b"],
        [],
        [],
    ),
    "small letters, where a sentence may go on": (
        ["Inclusion", "All who meet the", "exclusion criteria"],
        ["Inclusion", "All who meet the"],
        [],
        ["exclusion criteria"],
        [2],
    ),
    "an item that may be a criterion": (
        ["Inclusion:", "  • a", "  • Pillow exclusion criteria:", "  • b"],
        ["Inclusion:", ["• a"]],
        [],
        ["• Pillow exclusion criteria:", "• b"],
        [2],
    ),
    "a title over both": (
        ["Inclusion and exclusion criteria:", "  • a", "Exclusion:", "  • b"],
        [],
        ["Exclusion:", ["• b"]],
        ["Inclusion and exclusion criteria:", ["• a"]],
        [0],
    ),
    "a title over two headings": (
        ["Inclusion and exclusion criteria:", "Exclusion:", "  • b"],
        [],
        ["Exclusion:", ["• b"]],
        ["Inclusion and exclusion criteria:"],
        [],
    ),
    "its own side in other words": (
        ["Exclusion:", "  • a", "Patients are excluded if:", "  • b"],
        [],
        ["Exclusion:", ["• a"], "Patients are excluded if:", ["• b"]],
        [],
        [],
    ),
    "an empty comment": (
        ["Inclusion:", "  • a", "    • b", "", "<!-- -->", "", "    • c"],
        ["Inclusion:", ["• a", ["• b", "• c"]]],
        [],
        [],
        [],
    ),
}


@pytest.mark.parametrize("row", COMBINED.values(), ids=COMBINED)
def test_a_section_for_both_sides_is_shared_out(row: Row) -> None:
    lines, inclusion, exclusion, unassigned, doubtful = row
    parsed = read_criteria(lines, None)
    assert shape(parsed.inclusion) == inclusion
    assert shape(parsed.exclusion) == exclusion
    assert shape(parsed.unassigned) == unassigned
    assert [doubt.at for doubt in parsed.doubts] == doubtful


def test_a_heading_of_the_other_side_holds_and_is_doubtful() -> None:
    parsed = read_criteria(["  • a", "Extension Inclusion Criteria:", "  • b", "Exclusion:", "  • c"], "exclusion")
    assert shape(parsed.inclusion) == ["Extension Inclusion Criteria:", ["• b"]]
    assert shape(parsed.exclusion) == ["• a", "Exclusion:", ["• c"]]
    (doubt,) = parsed.doubts
    assert doubt == (
        1,
        "expected a heading of exclusion criteria only, found 'Extension Inclusion Criteria:'; it is read as inclusion",
    )


def test_in_a_section_of_one_side_what_is_unassigned_is_doubtful_whatever_follows() -> None:
    lines = ["  • a", "    • Exclusion:", "      • b", "  • c", "    • Inclusion:", "      • d"]
    parsed = read_criteria(lines, "inclusion")
    assert shape(parsed.unassigned) == ["• c"]
    assert [doubt.at for doubt in parsed.doubts] == [1, 3]


@pytest.mark.parametrize(
    ("lines", "own", "unassigned", "doubtful"),
    [
        (["  • a", "Not eligible if:", "  • b"], ["• a"], ["Not eligible if:", ["• b"]], [1]),
        (["  • a", "Adults are eligible if:", "  • b"], ["• a", "Adults are eligible if:", ["• b"]], [], []),
        (["  • a", "Inclusion (Part B):", "  • b"], ["• a", "Inclusion (Part B):", ["• b"]], [], []),
    ],
)
def test_a_section_for_one_side_is_its_own_until_a_line_speaks_of_the_other(
    lines: list[str], own: Shape, unassigned: Shape, doubtful: list[int]
) -> None:
    parsed = read_criteria(lines, "inclusion")
    assert shape(parsed.inclusion) == own
    assert (shape(parsed.exclusion), shape(parsed.unassigned)) == ([], unassigned)
    assert [doubt.at for doubt in parsed.doubts] == doubtful


def test_a_doubt_says_what_it_is_about() -> None:
    unclear = read_criteria(["Inclusion/exclusion criteria: " + "a" * 80], None)
    left = read_criteria(["  • a", "    • Exclusion:", "      • b", "  • c"], "inclusion")
    assert [doubt.message for doubt in (*unclear.doubts, *left.doubts[1:])] == [
        f"expected a heading that names one side, found 'Inclusion/exclusion criteria: {'a' * 30}'; "
        "what follows is unassigned",
        "expected a heading behind the nested exclusion criteria, found 'c'; it is unassigned",
    ]


@pytest.mark.parametrize(
    ("lines", "headings"),
    [
        (["Inclusion Criteria:", "  • a"], ["Inclusion Criteria:"]),
        (["Inclusion", "  • a"], ["Inclusion"]),
        (["Inclusion: women"], []),
        (["Inclusion and exclusion criteria"], ["Inclusion and exclusion criteria"]),
        (["  • Inclusion:", "", "    women"], []),
        (["Patients must have:", "  • a"], ["Patients must have:"]),
        (["Patients must have:", "", "a"], []),
        (["Eligibility criteria:", "", "For adults:", "", "  • a"], ["Eligibility criteria:", "For adults:"]),
        (
            ["Eligibility criteria:", "", "Exclusion criteria:", "", "a"],
            ["Exclusion criteria:", "Eligibility criteria:"],
        ),
        (["Eligibility criteria:", "", "A lamp", "", "For adults:", "", "  • a"], ["For adults:"]),
        (["Adequate sleep:", "", "Exclusion criteria:", "", "a"], ["Exclusion criteria:"]),
        (["Sleepers:", "", "Exclusion criteria:", "", "a"], ["Exclusion criteria:"]),
        (["Inclusion:", "", "  • Must be:", "", "Exclusion:", "", "  • a"], ["Inclusion:", "Exclusion:"]),
        (["  • SLEEPERS:", "    • a"], ["SLEEPERS:"]),
        (["  • SLEEPERS:", "  • a"], []),
        (["  • Adequate organ function:", "    • a"], ["Adequate organ function:"]),
        (["  • Platelets > 100: see below"], []),
        (["  • Platelets > 100:", "    • a"], []),
        (["  • Must not have:", "    • a"], []),
        (["  • Lamps", "    • a"], []),
        (["  • Lamps:", "", "    of brass", "", "    • a"], []),
    ],
)
def test_a_heading_is_what_only_introduces_others(lines: list[str], headings: list[str]) -> None:
    parsed = read_criteria(lines, None)
    nodes = [node for side in (parsed.inclusion, parsed.exclusion, parsed.unassigned) for node in flat(side)]
    assert [node.text for node in nodes if node.kind == "heading"] == headings

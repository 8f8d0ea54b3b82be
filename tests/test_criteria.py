"""Criteria: what nests in what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialscrape.criteria import MAX_DEPTH, named_side, split_sides, tree_of
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
        (["1. a", "2. b"], ["1. a", "2. b"]),
    ],
)
def test_nesting(lines: list[str], expected: Shape) -> None:
    tree = tree_of(lines)
    assert shape(tree.criteria) == expected
    assert tree.too_deep is None


def test_nesting_beyond_the_limit_becomes_siblings() -> None:
    tree = tree_of(["  " * level + f"• {level}" for level in range(1, MAX_DEPTH + 4)])
    deepest = tree.criteria
    for _ in range(MAX_DEPTH - 1):
        (node,) = deepest
        deepest = node.children
    assert [node.text for node in deepest] == ["40", "41", "42", "43"]
    assert tree.too_deep == MAX_DEPTH


def preorder(criteria: tuple[Criterion, ...]) -> list[str]:
    return [line for each in criteria for line in [f"{each.marker or ''} {each.text}", *preorder(each.children)]]


LINE = st.tuples(
    st.sampled_from(["", " ", "  ", "    ", "      "]),
    st.sampled_from(["", "• ", "1. ", "▪ "]),
    st.sampled_from(["a", "b:", "c d"]),
)


@given(st.lists(LINE | st.just(None)))
def test_preorder_is_the_order_of_the_lines(parts: list[tuple[str, str, str] | None]) -> None:
    lines = ["".join(part) if part else "" for part in parts]
    found = "\n".join(preorder(tree_of(lines).criteria)).split("\n")
    assert [line.strip() for line in found if line] == [line.strip() for line in lines if line]


@pytest.mark.parametrize(
    ("text", "marker", "side"),
    [
        ("Key Inclusion Criteria:", None, "inclusion"),
        ("Inclusion:", None, "inclusion"),
        ("Exclusion", None, "exclusion"),
        ("EXCLUSION CRITERIA", None, "exclusion"),
        ("Exclusion criteria for healthy volunteers:", None, "exclusion"),
        ("Inclusion criteria: adults with a tree house", None, "inclusion"),
        ("Inclusion criteria:", "•", "inclusion"),
        ("Inclusion criteria", "•", "inclusion"),
        ("Exclusion Criteria.", None, "exclusion"),
        ("Non-inclusion criteria:", None, None),
        ("Patients are excluded if:", None, None),
        ("Inclusion and exclusion criteria:", None, None),
        ("Inclusion/exclusion criteria:", None, None),
        ("Exclusion of pregnancy by a test", None, None),
        ("Main study:", None, None),
    ],
)
def test_named_side(text: str, marker: str | None, side: str | None) -> None:
    assert named_side(Criterion(text=text, marker=marker, children=())) == side


@pytest.mark.parametrize(
    ("lines", "inclusion", "exclusion", "unassigned"),
    [
        (["Inclusion:", "  • a", "Exclusion:", "  • b"], ["Inclusion:", ["• a"]], ["Exclusion:", ["• b"]], []),
        (["All.", "Inclusion:", "  • a", "More."], ["Inclusion:", ["• a"], "More."], [], ["All."]),
        (
            ["  • Inclusion criteria", "  • a", "  • Exclusion criteria", "  • b"],
            ["• Inclusion criteria", "• a"],
            ["• Exclusion criteria", "• b"],
            [],
        ),
        (["Inclusion:", "  • a", "Notes:", "  • b"], ["Inclusion:", ["• a"]], [], ["Notes:", ["• b"]]),
        (
            ["Inclusion:", "  • a", "Non-inclusion criteria:", "  • b"],
            ["Inclusion:", ["• a"]],
            [],
            ["Non-inclusion criteria:", ["• b"]],
        ),
        (
            ["Inclusion:", "  • a", "  • Excluded are:", "    • b"],
            ["Inclusion:", ["• a", "• Excluded are:", ["• b"]]],
            [],
            [],
        ),
        (
            ["  • Inclusion:", "  • a", "  • Excluded are:", "  • b"],
            ["• Inclusion:", "• a"],
            [],
            ["• Excluded are:", "• b"],
        ),
    ],
)
def test_a_combined_section_is_shared_out(
    lines: list[str], inclusion: Shape, exclusion: Shape, unassigned: Shape
) -> None:
    sides = split_sides(tree_of(lines).criteria)
    assert shape(sides.inclusion) == inclusion
    assert shape(sides.exclusion) == exclusion
    assert shape(sides.unassigned) == unassigned

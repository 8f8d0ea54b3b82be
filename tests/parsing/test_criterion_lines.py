"""The lines of criteria, where the page alone does not say which of two equal lines is whose."""

import pytest

from trialscrape.parsing.criterion_lines import find_criterion_lines
from trialscrape.records import Criterion, Eligibility


def make(*texts: str) -> tuple[Criterion, ...]:
    return tuple(Criterion(kind="criterion", text=text, marker="•", children=()) for text in texts)


def found(lines: str, inclusion: tuple[Criterion, ...], exclusion: tuple[Criterion, ...]) -> dict[str, tuple[int, int]]:
    sides = Eligibility(combined=True, inclusion=inclusion, exclusion=exclusion, unassigned=())
    split = lines.split("\n")
    places = find_criterion_lines(split, {"eligibility.unassigned": (0, len(split) - 1)}, sides)
    return {place.removeprefix("eligibility."): span for place, span in places.items()}


def test_equal_lines_stay_with_the_side_that_runs() -> None:
    lines = "• tea\n• milk\n• rusk\n• rusk"
    assert found(lines, make("tea", "rusk"), make("milk", "rusk")) == {
        "inclusion.1": (0, 0),
        "exclusion.1": (1, 1),
        "exclusion.2": (2, 2),
        "inclusion.2": (3, 3),
    }


def test_the_first_of_two_equal_lines_is_of_inclusion() -> None:
    assert found("• rusk\n• rusk", make("rusk"), make("rusk")) == {"inclusion.1": (0, 0), "exclusion.1": (1, 1)}


def test_a_nested_criterion_is_named_by_its_way_down() -> None:
    (tea,), nested = make("tea"), make("milk", "rum")
    parent = tea.model_copy(update={"children": nested})
    assert found("  • tea\n    • milk\n    • rum", (parent,), ()) == {
        "inclusion.1": (0, 0),
        "inclusion.1.1": (1, 1),
        "inclusion.1.2": (2, 2),
    }


def test_only_ordinary_blanks_around_a_line_are_no_part_of_it() -> None:
    assert found("  • tea\u2003", make("tea\u2003"), ()) == {"inclusion.1": (0, 0)}
    assert found("  • type X ", make("type X"), ()) == {"inclusion.1": (0, 0)}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("  • tea\n\n  <!-- -->\n\n    with milk\n  or rum", {"inclusion.1": (0, 5)}),
        ("• tea\n\nwith milk\nor rum", {"inclusion.1": (0, 3)}),
        ("• tea\nwith milk\nor gin", {}),
        ("• tea\nwith milk\nor rum\nor gin", {}),
        ("1. tea\nwith milk\nor rum", {}),
    ],
)
def test_a_criterion_may_have_several_lines_and_an_unknown_line_ends_the_search(
    lines: str, expected: dict[str, tuple[int, int]]
) -> None:
    assert found(lines, make("tea\n\nwith milk\nor rum"), ()) == expected

"""Two versions of a page, and what changed by meaning."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trialscrape
from support.page import PAGE, with_
from trialscrape.page import Match
from trialscrape.parsing.parser import add_matched_id
from trialscrape.quality import criteria_diff
from trialscrape.quality.criteria_diff import SIDES, compare_criteria, flatten, match_equal
from trialscrape.quality.diff import FIELDS, compare, compare_trials
from trialscrape.quality.pairing import Pair
from trialscrape.records import Criterion, Eligibility, Trial

OLD = trialscrape.parse(PAGE, url="https://ctv.example/study/trees")
ID = "NCT99000100"
FOREST: dict[str, Any] = {
    "label": "Forest",
    "type": {"label": "Experimental", "code": "EXPERIMENTAL"},
    "description": "One hour under an oak.",
    "interventions": [{"type": {"label": "Behavioral", "code": "BEHAVIORAL"}, "name": "Tree bathing"}],
}
BENCH = FOREST | {"label": "Bench", "description": None}
DRUG = {"label": "Drug", "code": "DRUG"}


def changes(new: Trial, old: Trial = OLD) -> list[tuple[object, ...]]:
    return [tuple(change)[1:] for change in compare_trials(old, new)]


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([], []),
        # What says nothing: where the page came from, markers, blanks, the order of arms.
        ([("  • Clerk by trade", "  1. Clerk  by trade")], []),
        # Fields, with both values.
        (
            [("Enrolling", "Completed")],
            [
                (
                    "changed",
                    "overall_status",
                    None,
                    {"label": "Enrolling", "code": "RECRUITING"},
                    {"label": "Completed", "code": "COMPLETED"},
                )
            ],
        ),
        (
            [("Restlessness\n", "Restlessness\nMosses\n")],
            [
                (
                    "changed",
                    "conditions",
                    None,
                    ["Restlessness", "Clerk, Weary"],
                    ["Restlessness", "Mosses", "Clerk, Weary"],
                )
            ],
        ),
        (
            [("None (Open label)", "Double Blind")],
            [
                (
                    "changed",
                    "design.masking",
                    None,
                    {"label": "None (Open label)", "code": "NONE"},
                    {"label": "Double Blind", "code": "DOUBLE"},
                )
            ],
        ),
        (
            [("Flora Example", "Fern Example")],
            [("changed", "central_contacts", None, ["Flora Example"], ["Fern Example"])],
        ),
        # Arms.
        (
            [("One hour under an oak.", "Two hours under an oak.")],
            [("changed", "arms.description", "Forest", "One hour under an oak.", "Two hours under an oak.")],
        ),
        (
            [("Forest\nExp", "Grove\nExp")],
            [("changed", "arms.label", "Forest", "Forest", "Grove")],
        ),
        # Criteria.
        (
            [("  • Restless", "  • Restless at work")],
            [("reworded", "eligibility.inclusion", None, "Restless", "Restless at work")],
        ),
        (
            [("  • Restless\n", "  • Has slept in a filing cabinet\n")],
            [
                ("removed", "eligibility.inclusion", None, "Restless", None),
                ("added", "eligibility.inclusion", None, None, "Has slept in a filing cabinet"),
            ],
        ),
        (
            [("  • Clerk by trade\n  • Restless\n", "  • Restless\n  • Clerk by trade\n")],
            [("moved", "eligibility.inclusion", "Clerk by trade", "1", "2")],
        ),
        (
            [("  • Restless\n", ""), ("  • Fear of trees", "  • Fear of trees\n  • Restless")],
            [("changed_side", "eligibility.exclusion", "Restless", "inclusion", "exclusion")],
        ),
        # Nearly the same words on the other side may say the opposite.
        (
            [("  • Restless\n", ""), ("  • Fear of trees", "  • Fear of trees\n  • Not restless")],
            [
                ("removed", "eligibility.inclusion", None, "Restless", None),
                ("added", "eligibility.exclusion", None, None, "Not restless"),
            ],
        ),
    ],
)
def test_changes(edits: list[tuple[str, str]], expected: list[tuple[object, ...]]) -> None:
    assert changes(trialscrape.parse(with_(*edits), file="elsewhere.txt")) == expected


def test_an_arm_that_is_gone_or_came() -> None:
    page = with_(
        ("in 2 patient", "in 3 patient"),
        ("Office\nActive", "Bench\nExperimental group\nTreatment:\nBehavioral: Tree bathing\nOffice\nActive"),
    )
    new = trialscrape.parse(page)
    assert [arm.label for arm in new.arms] == ["Forest", "Bench", "Office"]
    participants = {"count": 1240, "groups": 2, "placebo_group": False}
    assert changes(new) == [
        ("changed", "participants", None, participants, participants | {"groups": 3}),
        ("added", "arms", "Bench", None, BENCH),
    ]
    assert changes(OLD, new)[1:] == [("removed", "arms", "Bench", BENCH, None)]
    assert changes(OLD.model_copy(update={"arms": OLD.arms[::-1]})) == []


def test_a_code_that_a_newer_vocabulary_gives_a_label_is_no_change() -> None:
    unknown = OLD.model_copy(
        update={"overall_status": OLD.overall_status and OLD.overall_status.model_copy(update={"code": None})}
    )
    assert changes(OLD, unknown) == []


def test_an_id_that_is_not_on_the_page_is_not_what_the_page_says() -> None:
    bare = trialscrape.parse(with_(("NCT99000100\nIAM-7 (Other Identifier)", "")))
    matched = add_matched_id(bare, Match("title+sponsor", ID))
    assert (bare.nct_id, matched.nct_id) == (None, ID)
    assert changes(matched, bare) == []
    assert [change[1] for change in changes(OLD, matched)] == ["nct_id", "identifiers"]


def test_what_is_ignored_is_left_out_with_its_parts() -> None:
    new = trialscrape.parse(with_(("Enrolling", "Completed"), ("Restless\n", "Rested\n"), ("One hour", "Two hours")))
    pairs = [Pair(OLD, new)]
    assert [change.field for change in compare(pairs)] == [
        "overall_status",
        "eligibility.inclusion",
        "arms.description",
    ]
    assert [change.field for change in compare(pairs, ignore=["overall_status", "eligibility"])] == ["arms.description"]
    assert [change.field for change in compare(pairs, ignore=["arms.description", "eligibility.inclusion"])] == [
        "overall_status"
    ]
    assert {change.field for change in compare(pairs)} <= set(FIELDS)


def test_studies_that_came_and_went() -> None:
    other = trialscrape.parse(with_((ID, "NCT99000101")))
    assert [tuple(change) for change in compare([Pair(None, other), Pair(OLD, None)], ignore=FIELDS)] == [
        ("NCT99000101", "added", None, None, None, other.title),
        (ID, "removed", None, None, OLD.title, None),
    ]


# Criteria in depth


def tree(*items: Any) -> tuple[Criterion, ...]:
    """Make criteria of texts; a tuple is a text and what is nested under it."""
    return tuple(
        Criterion(kind="criterion", text=item, marker=None, children=())
        if isinstance(item, str)
        else Criterion(kind="criterion", text=item[0], marker=None, children=tree(*item[1:]))
        for item in items
    )


def sides(inclusion: tuple[Any, ...], exclusion: tuple[Any, ...] = ()) -> Eligibility:
    return Eligibility(combined=False, inclusion=tree(*inclusion), exclusion=tree(*exclusion), unassigned=())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # What is nested moves with what is above it.
        (
            (("a tree", "oak", "elm"), ("a pond", "carp")),
            (("a pond", "carp"), ("a tree", "oak", "elm")),
            [("moved", "a tree", "1", "2")],
        ),
        # Under another criterion it says something else.
        (
            (("a tree", "oak", "elm"), ("a pond", "carp")),
            (("a tree", "oak"), ("a pond", "carp", "elm")),
            [("moved", "elm", "1.2", "2.2")],
        ),
        # The line above it is gone.
        (
            (("any of these", "oak", "elm"),),
            ("oak", "elm"),
            [("removed", None, "any of these", None), ("moved", "oak", "1.1", "1"), ("moved", "elm", "1.2", "2")],
        ),
        # The line above it has other words.
        (
            (("any of these trees", "oak", "elm"),),
            (("all of these trees", "oak", "elm"),),
            [("reworded", None, "any of these trees", "all of these trees")],
        ),
        # Of equal texts, the one under the same line is the same.
        (
            (("a tree", "large"), ("a pond", "large")),
            (("a pond", "large"),),
            [("removed", None, "a tree", None), ("removed", None, "large", None)],
        ),
        # As few as possible moved.
        (
            ("one", "two", "three", "four"),
            ("four", "one", "two", "three"),
            [("moved", "four", "4", "1")],
        ),
        # Most alike first.
        (
            ("tall oak with green leaves", "tall elm with green leaves"),
            ("tall elms with green leaves", "tall oaks with green leaves"),
            [
                ("reworded", None, "tall oak with green leaves", "tall oaks with green leaves"),
                ("reworded", None, "tall elm with green leaves", "tall elms with green leaves"),
            ],
        ),
    ],
)
def test_changes_of_nested_criteria(old: Any, new: Any, expected: list[tuple[object, ...]]) -> None:
    found = compare_criteria(sides(old), sides(new))
    assert [(kind, *values) for kind, _, *values in found] == expected


def test_places_and_numbers_of_what_is_above() -> None:
    flat = flatten(tree(("a", ("b", "c"), "d"), "e"))
    assert [tuple(one) for one in flat] == [
        ("1", None, "a"),
        ("1.1", 0, "b"),
        ("1.1.1", 1, "c"),
        ("1.2", 0, "d"),
        ("2", None, "e"),
    ]


def test_too_many_wordings_are_not_compared_and_nothing_is_lost() -> None:
    many = 5000
    old, new = (sides(tuple(f"{word} number {n} of the list" for n in range(many))) for word in ("oak", "elm"))
    kinds = [change.kind for change in compare_criteria(old, new)]
    assert kinds == ["removed"] * many + ["added"] * many


TEXTS = st.sampled_from(["oak", "oaks", "an elm", "carp", "a large pond", "x"])
TREES = st.recursive(TEXTS, lambda inner: st.tuples(TEXTS, inner, inner) | st.tuples(TEXTS, inner), max_leaves=6)
ELIGIBILITIES = st.builds(
    lambda a, b: sides(tuple(a), tuple(b)), st.lists(TREES, max_size=4), st.lists(TREES, max_size=4)
)


def texts(eligibility: Eligibility) -> list[str]:
    return sorted(one.text for side in SIDES for one in flatten(getattr(eligibility, side)))


@given(ELIGIBILITIES, ELIGIBILITIES)
def test_the_changes_lead_from_the_old_texts_to_the_new(old: Eligibility, new: Eligibility) -> None:
    found = list(compare_criteria(old, new))
    assert bool(found) == (old != new)
    left = texts(old)
    for change in found:
        if change.kind in {"removed", "reworded"}:
            left.remove(change.old or "")
        if change.kind in {"added", "reworded"}:
            left.append(change.new or "")
    assert sorted(left) == texts(new)


@given(st.permutations(range(6)))
def test_the_longest_increasing_subsequence(values: list[int]) -> None:
    found = [values[place] for place in criteria_diff._find_increasing(values)]  # noqa: SLF001  a known algorithm, alone
    assert found == sorted(found)
    longest = max(n for n in range(7) for chosen in combinations(values, n) if list(chosen) == sorted(chosen))
    assert len(found) == longest


def test_equal_values_are_matched_in_their_order() -> None:
    assert match_equal(["a", "b", "a", None], ["a", None, "a", "c"]) == {0: 0, 2: 2}

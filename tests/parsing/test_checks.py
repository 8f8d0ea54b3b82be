"""What a page is warned of once all its sections are read."""

import pytest

import trialscrape
from support.page import PAGE, with_


def missing_volunteers(*lines: str) -> str:
    """Read a page with other lines in place of the heading `Volunteers` and its value, and give the warning."""
    page = with_(("Volunteers\n\nAccepts Healthy Volunteers", "\n".join(lines)))
    (message,) = [w.message for w in trialscrape.parse(page).warnings if w.code == "missing_section"]
    return message.removeprefix("expected the heading 'Volunteers' after 'Ages', found none")


@pytest.mark.parametrize("line", ["X" * 60, "Q", "Ab.c", "A.bc", "Healthy X", "Who, and why"])
def test_a_short_line_that_stands_alone_may_be_the_missing_heading(line: str) -> None:
    assert missing_volunteers(line) == f"; it may be {line!r} in line 64"


@pytest.mark.parametrize("line", ["X" * 61, "all may come", "All may come.", "All of these:", "One;", "One,"])
def test_a_line_that_looks_like_prose_may_not(line: str) -> None:
    assert missing_volunteers(line) == ""


def test_lines_that_stand_alone_come_before_others_and_three_are_named() -> None:
    assert missing_volunteers("Group", "Person", "", "Alone") == "; it may be 'Alone' in line 67"
    assert missing_volunteers("Group", "Person") == "; it may be 'Group' in line 64 or 'Person' in line 65"
    assert missing_volunteers("A", "", "B", "", "C", "", "D") == (
        "; it may be 'A' in line 64 or 'B' in line 66 or 'C' in line 68"
    )


def test_a_sentence_without_arms_gives_one_warning() -> None:
    page = PAGE[: PAGE.index("Forest\n")] + PAGE[PAGE.index("Trial documents") :]
    assert [warning.code for warning in trialscrape.parse(page).warnings] == ["groups_differ"]


PLACEBO = "Placebo Comparator group"


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "field"),
    [
        ("2 patient groups", "3 patient groups", "groups_differ", "1,240 participants in 3 patient groups", "arms"),
        (
            *("2 patient groups", "2 patient groups, including a placebo group", "placebo_differs"),
            *("1,240 participants in 2 patient groups, including a placebo group", "arms"),
        ),
        (
            *("Active Comparator group", PLACEBO, "placebo_differs"),
            *("1,240 participants in 2 patient groups", "arms"),
        ),
        (
            *("1,240 participants", "9 participants", "enrollment_differs"),
            *("9 participants in 2 patient groups", "enrollment"),
        ),
        ("Restlessness\nClerk, Weary\n", "", "empty_section", "Conditions", "conditions"),
        ("Sex\n\nAll\n", "", "missing_section", "Enrollment", "sex"),
    ],
)
def test_a_warning_names_its_line_and_its_field(old: str, new: str, code: str, line: str, field: str) -> None:
    page = with_((old, new))
    (warning,) = trialscrape.parse(page).warnings
    assert (warning.code, warning.field) == (code, field)
    assert warning.line == page.split("\n").index(line) + 1


def test_what_is_missing_above_the_first_heading_names_its_field() -> None:
    warnings = trialscrape.parse(PAGE[PAGE.index("Conditions") :]).warnings
    assert [warning.field for warning in warnings] == ["title", "sponsor", "overall_status"]


def test_a_page_cut_below_the_arms_shows_all_of_them_and_one_cut_among_them_may_not() -> None:
    page = with_(("2 patient groups", "3 patient groups"))
    for end, codes in {"Loading": {"cut_page", "groups_differ"}, "Office": {"cut_page"}}.items():
        assert {warning.code for warning in trialscrape.parse(page[: page.index(end)]).warnings} == codes


def test_only_the_last_section_of_a_cut_page_may_be_empty() -> None:
    page = with_(("Restlessness\nClerk, Weary\n\n", ""))
    warnings = trialscrape.parse(page[: page.index("Behavioral")]).warnings
    assert [warning.field for warning in warnings if warning.code == "empty_section"] == ["conditions"]


def list_unknown_headings(page: str) -> list[int | None]:
    return [warning.line for warning in trialscrape.parse(page).warnings if warning.code == "unknown_heading"]


@pytest.mark.parametrize(
    ("page", "headings"),
    [
        (with_(("Flora Example\n", "Flora Example\n\nMore facts\n\nOak street 5\n")), ["More facts"]),
        (with_(("Clinical trials\n", "Clinical trials\n\nMore facts\n\nOak street 5\n")), []),
        (with_(("\nAges\n", "\nAge range\n"))[: PAGE.index("Volunteers")], ["Age range"]),
        (with_(("\nAges\n", "\nAge range\n"))[PAGE.index("Conditions") :], ["Age range"]),
        (with_(("Behavioral: Tree bathing\n", "nonsense\n\n")), []),  # it is warned of already
    ],
)
def test_a_line_alone_above_others_may_be_an_unknown_heading(page: str, headings: list[str]) -> None:
    assert list_unknown_headings(page) == [page.split("\n").index(heading) + 1 for heading in headings]


def test_of_two_equal_headings_the_later_one_is_told() -> None:
    page = with_(("A longer text about trees.", "Text.\n\nFull description\n\nMore."))
    (warning,) = trialscrape.parse(page).warnings
    assert (warning.code, warning.field) == ("ambiguous_heading", "detailed_description")
    assert warning.line == page[: page.rindex("Full description")].count("\n") + 1


def test_a_doubtful_side_of_a_section_for_both_is_of_neither() -> None:
    page = with_(
        ("Inclusion criteria\n", "Inclusion and exclusion criteria\n"), ("Exclusion criteria\n", "Not eligible if:\n")
    )
    (warning,) = trialscrape.parse(page).warnings
    assert (warning.code, warning.field) == ("doubtful_side", "eligibility.unassigned")


def test_prose_of_no_lines_is_no_text() -> None:
    trial = trialscrape.parse(with_(("Clerks sit under trees.\n\nDo they rest?\n\n", "")))
    assert trial.brief_summary is None
    assert [(warning.code, warning.field) for warning in trial.warnings] == [("empty_section", "brief_summary")]

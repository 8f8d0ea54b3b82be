"""Which line is a heading, and which only looks like one."""

import pytest

from support.page import PAGE, with_
from trialscrape.errors import NotAStudyPage, SeveralPages
from trialscrape.parsing.layout import LAYOUT
from trialscrape.parsing.lines import split_lines
from trialscrape.parsing.sections import FoundSections, Section, find_sections


def headings(page: str) -> dict[str, int]:
    return {found.section.name: found.heading + 1 for found in find(page).sections}


def find(page: str) -> FoundSections:
    return find_sections(split_lines(page), LAYOUT)


WHOLE = headings(PAGE)


def test_the_page_has_every_section() -> None:
    assert [*WHOLE] == [section.name for section in LAYOUT.sections if section.name != "criteria"]


@pytest.mark.parametrize(
    "section", [row for row in LAYOUT.sections if row.headings and row.name not in {"criteria", "status"}]
)
def test_a_section_that_is_gone_takes_no_other_with_it(section: Section) -> None:
    changed = headings(with_((f"\n{section.heading}\n", "\n\n")))
    assert set(changed) == set(WHOLE) - {section.name}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # prose with the words of a heading
        ("Do they rest?", "Conditions"),
        ("Do they rest?", "Inclusion criteria\n\n  • none\n\nExclusion criteria\n\n  • none"),
        ("Do they rest?", "Enrollment\n\nWe will enroll clerks."),
        ("A longer text about trees.", "Inclusion criteria\n\nText.\n\nExclusion criteria\n\nText."),
        ("A longer text about trees.", "Trial design\n\nA text.\n\nSex\n\nA text about it."),
        ("A longer text about trees.", "Masking\n\nNobody knows."),
        ("  • Fear of trees", "Trial design\n\nSee below."),
        ("  • Fear of trees", "  • About\n  • Sex"),
        ("A longer text about trees.", "40 participants in two towns"),
        # values with the words of a heading
        ("Restlessness\n", "Treatments\nSex\n"),
        ("Forest\n", "Masking\n"),
        ("Forest\n", "Sex\n"),
        ("Forest\n", "Trial documents\n"),
        ("Flora Example", "Status"),
    ],
)
def test_a_line_with_the_words_of_a_heading(old: str, new: str) -> None:
    assert set(headings(with_((old, new)))) == set(WHOLE)
    where = PAGE.index(old)
    for name, line in headings(with_((old, new))).items():
        before = PAGE.count("\n", 0, where) + 1 > WHOLE[name]
        assert line == WHOLE[name] + (0 if before else new.count("\n") - old.count("\n")), name


@pytest.mark.parametrize("old", ["A longer text about trees.", "Do they rest?"])
def test_a_value_heading_without_its_value_is_prose(old: str) -> None:
    withdrawn = with_(
        ("Enrollment\n\n1,240 estimated patients\n\n", ""), (old, "Enrollment\n\nNobody came.\n\nSo be it.")
    )
    assert "enrollment" not in headings(withdrawn)


@pytest.mark.parametrize(
    ("gone", "prose"),
    [
        ("Ages\n\n18 to 65 years old\n\n", "Ages\n\nAll may come.\n\nMore text."),
        ("Sex\n\nAll\n\n", "Sex\n\nIt does not matter.\n\nMore text."),
        ("Masking\n\nNone (Open label)\n\n", "Masking\n\nNobody knows.\n\nMore text."),
    ],
)
def test_a_word_of_prose_is_no_heading_of_a_section_that_is_gone(gone: str, prose: str) -> None:
    page = with_((gone, ""), ("A longer text about trees.", prose))
    assert set(headings(page)) == set(WHOLE) - {gone.split("\n", maxsplit=1)[0].lower()}


@pytest.mark.parametrize("blank", ["\n", "\n\n\n"])
def test_blank_lines_do_not_matter(blank: str) -> None:
    assert set(headings(PAGE.replace("\n\n", blank))) == set(WHOLE)


def test_a_heading_stands_at_column_0() -> None:
    assert headings(PAGE.replace("\nSex\n", "\nSex  \n")) == WHOLE
    assert headings("\n".join(f"    {line}" for line in PAGE.split("\n"))) == WHOLE
    assert "sex" not in headings(PAGE.replace("\nSex\n", "\n   Sex\n"))


def test_of_two_lines_the_enrollment_is_the_one_that_the_sentence_repeats() -> None:
    page = with_(("A longer text about trees.", "Text.\n\nEnrollment\n\n40 patients\n\nMore text."))
    assert headings(page)["enrollment"] == WHOLE["enrollment"] + 6


def test_two_prose_lines_are_no_second_page() -> None:
    page = with_(("A longer text about trees.", "Text.\n\nStatus\n\nConditions\n\nMore text."))
    assert set(headings(page)) == set(WHOLE)


def test_a_combined_section_stands_for_two() -> None:
    page = with_(
        ("Inclusion criteria", "Inclusion and exclusion criteria"), ("Exclusion criteria", "Exclusion criteria:")
    )
    assert set(headings(page)) == set(WHOLE) - {"inclusion", "exclusion"} | {"criteria"}
    inner = with_(("Inclusion criteria", "Inclusion and exclusion criteria\n\nInclusion criteria"))
    assert set(headings(inner)) == set(WHOLE) - {"inclusion", "exclusion"} | {"criteria"}
    below = with_(("Inclusion criteria", "Inclusion criteria\n\nInclusion and exclusion criteria"))
    assert set(headings(below)) == set(WHOLE)


def test_a_heading_that_could_be_another_line_is_told() -> None:
    page = with_(("A longer text about trees.", "Text.\n\nFull description\n\nMore text."))
    found = find(page)
    assert [(other.section.name, other.at + 1) for other in found.doubtful] == [
        ("full_description", WHOLE["full_description"] + 4)
    ]
    assert find(PAGE).doubtful == ()


def test_the_form() -> None:
    stripped = "Status\nConditions\nTreatments\nAbout\nText.\nSex\nAges\nVolunteers\nLoading..."
    assert find(stripped).form == "stripped"
    assert find(PAGE).form == "full"
    assert find(PAGE[PAGE.index("Status") :]).form == "full"


@pytest.mark.parametrize(
    ("first", "second"), [(PAGE, PAGE), (PAGE[:900], PAGE), (PAGE, PAGE[:400]), (PAGE[200:], PAGE)]
)
def test_two_pages_are_told(first: str, second: str) -> None:
    with pytest.raises(SeveralPages) as error:
        find(first + "\n\n" + second)
    assert error.value.message == (
        "expected one study page in one file, found the headings of a second one; split the file above its title"
    )
    assert error.value.line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no text: the file is empty or has blanks only"),
        ("\n \n", "found no text: the file is empty or has blanks only"),
        ("hello\nworld", "found none of them in 2 lines that begin with 'hello'"),
        ("x" * 61, f"found none of them in 1 line that begins with '{'x' * 60}'"),
        ("Clinic\n\nAbout\n\nText.", "found 'About' in 5 lines that begin with 'Clinic'"),
    ],
)
def test_no_study_page(text: str, message: str) -> None:
    with pytest.raises(NotAStudyPage) as error:
        find(text)
    expected = "expected a study page, with headings such as 'Status', 'Conditions', 'Study type' in this order; "
    assert error.value.message == expected + message


SHORT = "Status\n\nCompleted\n\nConditions\n\nRestlessness\n"


@pytest.mark.parametrize(
    "above", ["\nMenu\n\nOther Trees\n\n", "\nTrees\n\nF\n\nForesters\n\n", "\nTrees\n\nForesters logo\n\n", "F\n\n"]
)
def test_a_second_beginning_is_known_by_the_lines_above_it(above: str) -> None:
    with pytest.raises(SeveralPages):
        find("Menu\n" + SHORT + above + SHORT)


def test_a_second_page_begins_at_its_first_heading() -> None:
    with pytest.raises(SeveralPages) as error:
        find("Menu\n\nStatus\n\nConditions\nMenu\n\nOther Trees\n\n" + SHORT)
    assert error.value.line == 10


def test_two_headings_that_come_again_are_no_second_page() -> None:
    page = "Menu\n" + SHORT + "\nOther Trees\n\nForesters\n\n" + SHORT
    assert [found.section.name for found in find(page).sections] == ["status", "conditions"]


def test_what_stands_above_the_first_heading_begins_no_second_page() -> None:
    assert len(find("Menu\n\nTrees\n\nF\n\n" + SHORT + "\nStatus\n\nConditions\n").sections) == 2


def test_four_headings_that_come_again_are_a_second_page() -> None:
    blocks = [f"{name}\n\ntext\n\n" for name in ("Status", "Conditions", "Sex", "Volunteers")]
    assert find("".join(blocks[:3] * 2)).sections
    with pytest.raises(SeveralPages):
        find("".join(blocks * 2))


def test_headings_that_prose_may_repeat_are_no_second_page() -> None:
    blocks = [f"{name}\n\ntext\n\n" for name in ("Sex", "Ages", "Volunteers", "Allocation", "Masking")]
    assert set(headings(with_(("A longer text about trees.", "".join(blocks))))) == set(WHOLE)


@pytest.mark.parametrize("number", ["0", "9"])
def test_the_sentence_begins_with_any_digit(number: str) -> None:
    assert "participants" in headings(with_(("1,240 participants", f"{number} participants")))

"""A page to its record: what is doubtful is told, and nothing is lost."""

import copy

import pytest

import trialscrape
from page import PAGE, with_
from trialscrape.records import Term


def told(page: str) -> list[tuple[str, int | None, str]]:
    return [(each.code, each.line, each.message) for each in trialscrape.parse(page).warnings]


def line_of(text: str, page: str = PAGE) -> int:
    return page[: page.index(f"\n{text}\n") + 1].count("\n") + 1


def test_the_page_is_read_without_doubt() -> None:
    trial = trialscrape.parse(PAGE, file="page.txt", url="https://example.org/study/tree")
    assert (trial.nct_id, trial.acronym, trial.sponsor) == (
        "NCT99000100",
        "TREEBATH",
        "Institute for Arboreal Medicine",
    )
    assert trial.overall_status == Term(label="Enrolling", code="RECRUITING")
    assert trial.brief_summary == "Clerks sit under trees.\n\nDo they rest?"
    assert (trial.source.file, trial.source.url) == ("page.txt", "https://example.org/study/tree")
    assert (trial.document_count, trial.location_count, trial.central_contacts) == (1, 3, ("Flora Example",))
    assert trial.warnings == ()
    assert trial.unparsed == ()


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("Enrolling", "Suspended", "unknown_label", "expected a known label, found 'Suspended'; it is kept as it is"),
        ("Phase 2", "Phase 9", "unknown_label", "expected a known label, found 'Phase 9'; it is kept as it is"),
        (
            "Other: Potted plant\n\nStudy",
            "Other: Potted plant\nSpell: rest\n\nStudy",
            "unknown_label",
            "expected a known label, found 'Spell'; it is kept as it is",
        ),
        (
            "18 to 65 years old",
            "Any age",
            "unknown_label",
            "expected a known label, found 'Any age'; it is kept as it is",
        ),
        (
            "1,240 estimated patients",
            "about 1,240 patients",
            "unreadable_line",
            "expected 'N patients' or 'N estimated patients', found 'about 1,240 patients'",
        ),
        (
            "Accepts Healthy Volunteers",
            "Perhaps",
            "unreadable_line",
            "expected 'Accepts Healthy Volunteers' or 'No Healthy Volunteers', found 'Perhaps'",
        ),
        (
            "1,240 participants in",
            "1,250 participants in",
            "enrollment_differs",
            "expected 1,240 participants as enrolled, found 1,250",
        ),
        ("in 2 patient groups", "in 3 patient groups", "groups_differ", "expected 3 arms by this line, found 2"),
        (
            "Potted plant\n\nTrial documents",
            "Plastic plant\n\nTrial documents",
            "unlisted_treatment",
            "expected a line of 'Treatments', found 'Other: Plastic plant'",
        ),
        (
            "Active Comparator group",
            "Quiet Comparator group",
            "unknown_label",
            "expected a known arm type, found 'Quiet Comparator group'; it is kept as it is",
        ),
        (
            "A longer text about trees.",
            "Text.\n\nFull description\n\nMore.",
            "ambiguous_heading",
            "expected the heading 'Full description' once, found it again; the first was taken",
        ),
    ],
)
def test_one_doubt_gives_one_warning(old: str, new: str, code: str, message: str) -> None:
    assert [(found, text) for found, _, text in told(with_((old, new)))] == [(code, message)]


def test_a_warning_names_its_line() -> None:
    assert told(with_(("Enrolling", "Suspended")))[0][1] == line_of("Enrolling")
    assert told(with_(("18 to 65 years old", "Any age")))[0][1] == line_of("18 to 65 years old")


@pytest.mark.parametrize(
    ("heading", "renamed", "warnings"),
    [
        (
            "Ages",
            "Age range",
            [
                (
                    "missing_section",
                    line_of("Sex"),
                    "expected the heading 'Ages' after 'Sex', found none; it may be 'Age range' in line 60",
                ),
                ("unknown_heading", 60, "expected a known heading or none, found 'Age range'"),
            ],
        ),
        (
            "Exclusion criteria",
            "Not for you",
            [
                (
                    "missing_section",
                    line_of("Inclusion criteria"),
                    "expected the heading 'Exclusion criteria' after 'Inclusion criteria', found none; "
                    "it may be 'Not for you' in line 73",
                )
            ],
        ),
        (
            "Conditions",
            "Diseases",
            [
                (
                    "missing_section",
                    line_of("Status and phase"),
                    "expected the heading 'Conditions' after 'Status and phase', found none; "
                    "it may be 'Diseases' in line 16",
                ),
                ("unknown_heading", 16, "expected a known heading or none, found 'Diseases'"),
            ],
        ),
        (
            "Treatments",
            "Cures",
            [
                ("unknown_heading", 21, "expected a known heading or none, found 'Cures'"),
                ("unlisted_treatment", 102, "expected a line of 'Treatments', found 'Behavioral: Tree bathing'"),
                ("unlisted_treatment", 106, "expected a line of 'Treatments', found 'Other: Potted plant'"),
            ],
        ),
    ],
)
def test_a_renamed_heading_is_told(heading: str, renamed: str, warnings: list[object]) -> None:
    assert told(with_((f"\n{heading}\n", f"\n{renamed}\n"))) == warnings


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ([("Enrollment\n\n1,240 estimated patients\n\n", "")], ["Enrollment"]),
        ([("Enrollment\n\n1,240 estimated patients\n\n", ""), ("Enrolling", "Withdrawn")], []),
        ([("Enrollment\n\n1,240 estimated patients\n\n", ""), ("Interventional\n", "Expanded Access\n")], []),
        ([("Trial design\n", "\n")], ["Trial design"]),
        ([("Treatments\n\nBehavioral: Tree bathing\nOther: Potted plant\n\n", "")], []),
        ([("Loading...\n", "\n")], ["Loading..."]),
    ],
)
def test_what_is_missing_is_told_where_it_is_strange(changes: list[tuple[str, str]], missing: list[str]) -> None:
    warnings = told(with_(*changes))
    assert [text.split("'")[1] for code, _, text in warnings if code == "missing_section"] == missing


def test_a_page_cut_anywhere_gives_what_is_there() -> None:
    whole = trialscrape.parse(PAGE)
    for stop in range(PAGE.index("Restlessness"), PAGE.index("Data sourced"), 7):
        trial = trialscrape.parse(PAGE[:stop])
        assert "cut_page" in {each.code for each in trial.warnings}
        assert (trial.title, trial.sponsor, trial.overall_status) == (whole.title, whole.sponsor, whole.overall_status)


def test_a_page_without_its_top_gives_what_is_there() -> None:
    trial = trialscrape.parse(PAGE[PAGE.index("Conditions") :])
    assert [each.message for each in trial.warnings] == [
        "expected the title above the first heading, found none",
        "expected the sponsor above the first heading, found none",
        "expected the heading 'Status and phase', found none",
    ]
    without_chrome = trialscrape.parse(PAGE[PAGE.index("Tree Bathing") :])
    assert without_chrome.model_copy(update={"warnings": ()}) == trialscrape.parse(PAGE)


@pytest.mark.parametrize(
    "mark", ["I\n", "T\n", "É\n", "Institute for Arboreal Medicine logo\n", "Old name logo\n", "\n"]
)
def test_the_sponsors_letter_or_logo_is_chrome(mark: str) -> None:
    assert trialscrape.parse(with_(("\nI\n", f"\n{mark}"))) == trialscrape.parse(PAGE)


def test_unknown_lines_are_kept_where_they_are() -> None:
    page = with_(("Menu", "Menu\n\nSkip to content"), ("© Copyright", "Imprint\n© Copyright"))
    assert [(each.line, each.text) for each in trialscrape.parse(page).unparsed] == [
        (5, "Skip to content"),
        (128, "Imprint"),
    ]


def test_too_deep_criteria_are_told() -> None:
    deep = "".join("  " * level + f"• {level}\n" for level in range(1, 60))
    trial = trialscrape.parse(with_(("  • Clerk by trade\n", deep)))
    assert [each.code for each in trial.warnings] == ["criteria_too_deep"]
    assert trial.warnings[0].line == line_of("Inclusion criteria") + 2 + 40
    assert type(trial).model_validate_json(trial.model_dump_json()) == trial


def test_the_same_page_gives_the_same_bytes() -> None:
    assert trialscrape.parse(PAGE).model_dump_json() == trialscrape.parse(PAGE.encode()).model_dump_json()


def test_trace_names_the_lines_of_each_field() -> None:
    traced = trialscrape.trace(PAGE)
    lines = PAGE.split("\n")
    assert traced.spans["title"] == (5, 5)
    assert [lines[line - 1] for line in traced.spans["phases"]] == ["Phase 2", "Phase 2"]
    first, last = traced.spans["arms"]
    assert (lines[first - 1], lines[last - 1]) == ("Forest", "Other: Potted plant")
    assert traced.model_dump(exclude={"spans"}) == trialscrape.parse(PAGE).model_dump()
    assert type(traced).model_validate_json(traced.model_dump_json()) == traced


def test_errors_survive_a_process_border() -> None:
    error = copy.copy(trialscrape.NotAStudyPage("no", 3))  # by the same protocol as pickle
    assert (error.outcome, error.message, error.line, str(error)) == ("not_a_study_page", "no", 3, "no")


@pytest.mark.parametrize(
    "heading",
    ["Conditions", "Study type", "About", "Enrollment", "Sex", "Ages", "Volunteers", "Masking", "Inclusion criteria"],
)
def test_a_heading_over_nothing_is_told(heading: str) -> None:
    start = PAGE.index(f"\n{heading}\n\n") + len(heading) + 3
    end = PAGE.index("\n\n", start) if heading != "About" else PAGE.index("Full description") - 2
    message = f"expected something under {heading!r}, found nothing"
    assert ("empty_section", line_of(heading), message) in told(PAGE[:start] + PAGE[end:])


def test_identifiers_and_the_status_may_be_empty() -> None:
    assert told(with_(("NCT99000100\nIAM-7 (Other Identifier)\n", ""), ("Enrolling\nPhase 2\n", ""))) == []


def test_what_stands_between_the_sponsor_and_the_first_heading_is_told() -> None:
    page = with_(("Status and phase", "Collaborators\n\nOak Inc\n\nStatus and phase"))
    trial = trialscrape.parse(page)
    assert (trial.title, trial.sponsor) == (trialscrape.parse(PAGE).title, "Institute for Arboreal Medicine")
    assert [(each.code, each.line) for each in trial.warnings] == [("unknown_heading", 11), ("unknown_heading", 13)]


def test_an_nct_id_of_another_study_is_not_this_ones() -> None:
    trial = trialscrape.parse(with_(("NCT99000100\n", "NCT99000999 (Registry Identifier)\nNCT99000100\n")))
    assert trial.nct_id == "NCT99000100"
    assert trialscrape.parse(with_(("NCT99000100\n", "NCT99000999 (Registry Identifier)\n"))).nct_id is None


def test_a_combined_section_is_rendered_as_one() -> None:
    page = with_(
        ("Inclusion criteria\n\n", "Inclusion and exclusion criteria\n\nInclusion:\n\n"),
        ("Exclusion criteria\n", "Exclusion:\n"),
    )
    again = trialscrape.render(trialscrape.parse(page))
    assert "\nInclusion and exclusion criteria\n" in again
    assert trialscrape.parse(again) == trialscrape.parse(page)


def test_a_file_name_that_is_no_text_is_written_out() -> None:
    assert trialscrape.parse(PAGE, file="\udcff").source.file == "\\udcff"


LONG = "9" + ",999" * 1_433


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("1,240 estimated", f"{LONG} estimated", "enrollment"),
        ("1,240 participants", f"{LONG} participants", "participants"),
        ("documents\n1\n", f"documents\n{LONG}\n", "document_count"),
        ("locations\n\n3\n", f"locations\n\n{LONG}\n", "location_count"),
    ],
)
def test_a_number_of_4300_digits_is_no_count(old: str, new: str, field: str) -> None:
    trial = trialscrape.parse(with_((old, new)))
    assert getattr(trial, field) is None
    assert "unreadable_line" in {warning.code for warning in trial.warnings}
    assert any(LONG in line.text for line in trial.unparsed)


def test_the_page_s_own_address_is_used_where_none_is_given() -> None:
    page = "<!-- saved from url=(0041)https://example.org/study/tree?comeFrom=x --><pre>" + PAGE
    assert trialscrape.parse(page).source.url == "https://example.org/study/tree"
    given = 'https://example.org/study/oak?comeFrom={"type":"site"}'
    assert trialscrape.parse(page, url=given).source.url == "https://example.org/study/oak"
    assert trialscrape.parse(PAGE, url=given).source.url == "https://example.org/study/oak"
    assert trialscrape.parse(PAGE).source.url is None


def test_the_charset_that_came_with_a_page_is_its_charset() -> None:
    page = PAGE.replace("Institute for Arboreal Medicine", "Институт").encode("cp1251")
    header = "text/html; charset=windows-1251"
    trial = trialscrape.parse(page, content_type=header)
    assert (trial.sponsor, trial.warnings) == ("Институт", ())
    assert trialscrape.trace(page, content_type=header).sponsor == "Институт"
    assert [warning.code for warning in trialscrape.parse(page).warnings] == ["guessed_charset"]

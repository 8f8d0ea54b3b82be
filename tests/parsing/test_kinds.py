"""What the kinds of sections write: the lines of a page, with their indents."""

import pytest

import trialscrape
from support.page import PAGE, with_

CRITERIA = """Men and women:

  • Adults
    • of 18 years

    and more
      1. or 17
      with consent
  • Clerks
A paragraph.
Patients must have:
  1. sleep
    • at night"""


def written(page: str, heading: str, end: str) -> str:
    """Parse a page and render it; give what is written between two headings."""
    return trialscrape.render(trialscrape.parse(page)).partition(f"\n{heading}\n\n")[2].partition(f"\n\n{end}\n")[0]


def test_criteria_are_written_with_their_indents() -> None:
    page = with_(("  • Clerk by trade\n  • Restless", CRITERIA))
    assert written(page, "Inclusion criteria", "Exclusion criteria") == CRITERIA.replace("\n\n", "\n")


@pytest.mark.parametrize(
    ("study_type", "rest", "has_heading"),
    [
        ("Expanded Access", "", 0),
        ("Observational", "", 0),
        ("Interventional", "", 1),
        ("Observational", "Masking\n\nNone (Open label)\n\n", 1),
        ("Observational", "20 participants in 1 patient group\n\n", 1),
    ],
)
def test_the_heading_of_the_design_is_written_where_pages_have_it(study_type: str, rest: str, has_heading: int) -> None:
    start, stop = PAGE.index("Trial design"), PAGE.index("Trial documents")
    page = PAGE[:start] + (f"Trial design\n\n{rest}" if has_heading else "") + PAGE[stop:]
    text = trialscrape.render(trialscrape.parse(page.replace("\nInterventional\n", f"\n{study_type}\n")))
    assert text.count("\nTrial design\n") == has_heading


def test_the_lines_above_the_first_heading_are_written_in_the_page_s_order() -> None:
    banner = "The trial is taking place at:\n\nI\n\nICON | Fox City\n\nVeeva-enabled site\n\n"
    head = trialscrape.render(trialscrape.parse(with_(("Menu\n\n", f"Menu\n\n{banner}")))).partition("\nStatus")[0]
    assert head.split("\n\n") == [
        "ClinicalTrials.Veeva",
        "Menu",
        "The trial is taking place at:",
        "ICON | Fox City logo",
        "ICON | Fox City",
        "Veeva-enabled site",
        "Tree Bathing for Restless Clerks (TREEBATH)",
        "Institute for Arboreal Medicine logo",
        "Institute for Arboreal Medicine\n",
    ]


@pytest.mark.parametrize("exclusion", ["", "  • Fear of trees\n\n"])
def test_criteria_on_neither_side_are_written_behind_the_last_side(exclusion: str) -> None:
    criteria = f"{exclusion}Adults are eligible if:\n  • awake"
    page = with_(("  • Fear of trees", criteria))
    assert trialscrape.parse(page).eligibility.unassigned
    assert written(page, "Exclusion criteria", "Trial design") == criteria


def test_a_line_that_is_no_value_stays_between_those_that_are() -> None:
    trial = trialscrape.parse(with_(("Other: Potted plant\n\nStudy", "nonsense\nOther: Potted plant\n\nStudy")))
    assert [intervention.name for intervention in trial.interventions] == ["Tree bathing", "Potted plant"]
    assert [line.text for line in trial.unparsed] == ["nonsense"]


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("One hour under an oak.", "One hour under an oak.\n\nOr two.", "ambiguous_arms", "Forest"),
        ("Active Comparator group", "Quiet Comparator group", "unknown_label", "Quiet Comparator group"),
        ("Potted plant\n\nTrial", "Plastic plant\n\nTrial", "unlisted_treatment", "Other: Plastic plant"),
    ],
)
def test_a_doubt_about_arms_names_its_line_and_the_field(old: str, new: str, code: str, line: str) -> None:
    page = with_((old, new))
    (warning,) = trialscrape.parse(page).warnings
    assert (warning.code, warning.field) == (code, "arms")
    assert warning.line == page.split("\n").index(line) + 1

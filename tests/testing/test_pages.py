"""The pages that are written from registry studies: what real pages show, in both forms."""

from typing import Any

import pytest

from support.text import text_of
from trialscrape.testing.markdown import read_markdown
from trialscrape.testing.pages import (
    Display,
    print_ages,
    split_criteria,
    write_blocks,
    write_html,
    write_stripped_text,
    write_text,
    write_wordless_text,
)

STUDY: dict[str, Any] = {
    "protocolSection": {
        "identificationModule": {
            "nctId": "NCT99000500",
            "briefTitle": "Warm Lamps  Against Day Blindness",
            "acronym": "LAMP OWL",
            "orgStudyIdInfo": {"id": "L-1"},
            "secondaryIdInfos": [{"id": "R01", "type": "NIH"}],
        },
        "statusModule": {"overallStatus": "NOT_YET_RECRUITING"},
        "sponsorCollaboratorsModule": {
            "leadSponsor": {"name": "3Q Plumage", "class": "INDUSTRY"},
            "collaborators": [{"name": "A ministry", "class": "FED"}, {"name": "A firm", "class": "INDUSTRY"}],
        },
        "descriptionModule": {"briefSummary": "Owls see.\n\n* by day\n* by night"},
        "conditionsModule": {"conditions": ["Day Blindness", "Other"]},
        "designModule": {
            "studyType": "INTERVENTIONAL",
            "phases": ["PHASE1", "PHASE2"],
            "enrollmentInfo": {"count": 1240, "type": "ESTIMATED"},
            "designInfo": {
                "allocation": "NA",
                "interventionModel": "SEQUENTIAL",
                "primaryPurpose": "ECT",
                "maskingInfo": {"masking": "NONE"},
            },
        },
        "armsInterventionsModule": {
            "armGroups": [
                {
                    "label": "Lamp",
                    "type": "PLACEBO_COMPARATOR",
                    "description": "Less than 5 \\[sic\\]",
                    "interventionNames": ["Device: Lamp"],
                },
                {"label": "Dark", "type": "NO_INTERVENTION"},
            ],
            "interventions": [{"type": "DEVICE", "name": "Lamp"}],
        },
        "eligibilityModule": {
            "eligibilityCriteria": (
                "Inclusion Criteria:\n\n1. Weight \\< 2 kg\n2. Either:\n\n   * an owl\n   * a \\[barn\\] owl\n3. Awake"
                "\n\nExclusion Criteria:\n\n* Lost"
            ),
            "healthyVolunteers": True,
            "sex": "ALL",
            "minimumAge": "1 Month",
            "maximumAge": "16 Years",
        },
        "contactsLocationsModule": {
            "centralContacts": [{"name": "Flora Example, MD"}, {"name": "Ulf"}],
            "locations": [{}],
        },
    },
    "documentSection": {"largeDocumentModule": {"largeDocs": [{}, {}]}},
}
DISPLAY = Display(begins_in=4, referring_site=("Nest | Owl City", True))
TEXT = """ClinicalTrials.Veeva

Menu
The trial is taking place at:
N

Nest | Owl City

Veeva-enabled site

Warm Lamps Against Day Blindness (LAMP OWL)

3

3Q Plumage

Status and phase

Begins enrollment in 4 months
Phase 2
Phase 1

Conditions

Day Blindness
Other

Treatments

Device: Lamp

Study type

Interventional

Funder types

Industry
Other U.S. Federal agency

Identifiers

NCT99000500
L-1
R01 (U.S. NIH Grant/Contract)

Details and patient eligibility

About

Owls see.

  • by day
  • by night

Enrollment

1,240 estimated patients

Sex

All

Ages

1 month to 16 years old

Volunteers

Accepts Healthy Volunteers

Inclusion criteria

  1. Weight < 2 kg

  2. Either:

    • an owl
    • a [barn] owl
  3. Awake

Exclusion criteria

  • Lost

Trial design

Primary purpose

Educational/Counseling/Training

Allocation

N/A

Interventional model

Sequential Assignment

Masking

None (Open label)

1,240 participants in 2 patient groups, including a placebo group

Lamp
Placebo Comparator group
Description:
Less than 5 \\[sic\\]
Treatment:
Device: Lamp
Dark
No Intervention group

Trial documents
2

Trial contacts and locations

1

Loading...

Central trial contact

Flora Example, MD; Ulf

Data sourced from clinicaltrials.gov

Clinical trials

Find clinical trialsTrials by location
© Copyright 2026 Veeva Systems"""


def test_a_page_is_written_as_the_site_shows_it() -> None:
    assert write_text(STUDY, DISPLAY) == TEXT


def test_the_html_page_prints_the_same_lines() -> None:
    printed = text_of(write_html(STUDY, DISPLAY)).text
    assert [line for line in printed.split("\n") if line] == [line for line in TEXT.split("\n") if line]


def test_a_stripped_page_keeps_headings_and_long_lines() -> None:
    lines = write_stripped_text(STUDY, DISPLAY).split("\n")
    assert lines[:7] == [
        *("Status and phase", "Conditions", "Treatments", "Study type", "Funder types", "Identifiers", "About"),
    ]
    assert lines[-8:-5] == [
        "Masking",
        "1,240 participants in 2 patient groups, including a placebo group",
        "Loading...",
    ]


def test_a_wordless_page_lacks_the_lines_of_a_single_word() -> None:
    lines = write_wordless_text(STUDY, DISPLAY).split("\n")
    assert "Begins enrollment in 4 months" in lines
    assert not {"Menu", "Conditions", "Lamp", "Description:", "NCT99000500"} & {*lines}


@pytest.mark.parametrize(
    ("low", "high", "label"),
    [
        (None, None, None),
        ("18 Years", None, "18+ years old"),
        ("1 Year", None, "1+ years old"),
        (None, "14 Days", "Under 14 days old"),
        (None, "1 Hour", "Under 1 hour old"),
        ("24 Hours", "48 Hours", "24 to 48 hours old"),
        ("1 Day", "30 Days", "1 to 30 days old"),
        ("9 Weeks", "60 Months", "9 weeks to 60 months old"),
    ],
)
def test_ages_are_printed_as_on_real_pages(low: str | None, high: str | None, label: str | None) -> None:
    limits = {"minimumAge": low, "maximumAge": high}
    assert print_ages({"protocolSection": {"eligibilityModule": limits}}) == label


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("Inclusion Criteria:\n\n* a\n\nExclusion Criteria:\n\n* b", ("* a", "* b")),
        ("Key Inclusion Criteria:\n\n* a\n\nExclusion Criteria:\n\n* b", None),
        ("Inclusion Criteria:\n\n* a\n* Exclusion Criteria:\n* b", None),
        ("Inclusion Criteria:\n\n* a", None),
    ],
)
def test_the_registrys_own_lines_give_two_sections(text: str, sides: tuple[str, str] | None) -> None:
    assert split_criteria({"protocolSection": {"eligibilityModule": {"eligibilityCriteria": text}}}) == sides


@pytest.mark.parametrize(
    ("markdown", "lines"),
    [
        ("a\n\nb\nc", ["a", "", "b c"]),
        ("* a\n* b", ["  • a", "  • b"]),
        ("3. a\n4. b", ["  1. a", "  2. b"]),
        ("* a\n\n  1. b\n  2. c\n* d", ["  • a", "", "    1. b", "    2. c", "  • d"]),
        ("* a\n  * b\n* c", ["  • a", "    • b", "  • c"]),
        ("* a\n\n  more\n* b", ["  • a", "", "    more", "", "  • b"]),
        ("* * a\n* b", ["    • a", "  • b"]),
        ("* a\n*\n* b", ["  • a", "  • b"]),
        ("1. a\n\n<!-- -->\n\n1. b", ["  1. a", "", "<!-- -->", "  1. b"]),
        ("\\< 5 \\[x\\] \\* &amp; *so*", ["< 5 [x] * & so"]),
        ("a  \nb", ["a", "b"]),
    ],
)
def test_markdown_is_printed_in_the_lines_of_a_page(markdown: str, lines: list[str]) -> None:
    assert write_blocks(read_markdown(markdown)) == lines

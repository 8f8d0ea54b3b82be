"""A page, and the registry's record of its study."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import trialscrape
from support.page import PAGE, with_
from trialscrape.errors import RecordFileError
from trialscrape.page import Match
from trialscrape.parsing.parser import add_matched_id
from trialscrape.quality.registry_files import open_studies
from trialscrape.quality.verify import Finding, verify

ID = "NCT99000100"
REAL = Path(__file__).parents[3] / "shared" / "registry"
STUDY: dict[str, Any] = {
    "protocolSection": {
        "identificationModule": {
            "nctId": ID,
            "orgStudyIdInfo": {"id": "IAM-7"},
            "briefTitle": "Tree Bathing for Restless Clerks",
            "officialTitle": "A Study of Clerks Under Trees",
            "acronym": "TREEBATH",
        },
        "statusModule": {"overallStatus": "RECRUITING"},
        "sponsorCollaboratorsModule": {
            "leadSponsor": {"name": "Institute for Arboreal Medicine", "class": "OTHER"},
            "collaborators": [{"name": "Institutes of Shade", "class": "NIH"}],
        },
        "descriptionModule": {
            "briefSummary": "Clerks sit under trees.\n\nDo they rest?",
            "detailedDescription": "A longer text  about trees\\.",
        },
        "conditionsModule": {"conditions": ["Clerk, Weary", "Restlessness"]},
        "designModule": {
            "studyType": "INTERVENTIONAL",
            "phases": ["PHASE2"],
            "designInfo": {
                "allocation": "RANDOMIZED",
                "interventionModel": "PARALLEL",
                "primaryPurpose": "TREATMENT",
                "maskingInfo": {"masking": "NONE"},
            },
            "enrollmentInfo": {"count": 1240, "type": "ESTIMATED"},
        },
        "armsInterventionsModule": {
            "armGroups": [
                {
                    "label": "Forest",
                    "type": "EXPERIMENTAL",
                    "description": "One hour under an oak.",
                    "interventionNames": ["Behavioral: Tree bathing"],
                },
                {"label": "Office", "type": "ACTIVE_COMPARATOR", "interventionNames": ["Other: Potted plant"]},
            ],
            "interventions": [
                {"type": "BEHAVIORAL", "name": "Tree bathing"},
                {"type": "OTHER", "name": "Potted plant"},
            ],
        },
        "eligibilityModule": {
            "eligibilityCriteria": (
                "Inclusion Criteria:\n\n* Clerk by trade\n* Restless\n\nExclusion Criteria:\n\n* Fear of trees"
            ),
            "healthyVolunteers": True,
            "sex": "ALL",
            "minimumAge": "18 Years",
            "maximumAge": "65 Years",
        },
        "contactsLocationsModule": {
            "centralContacts": [{"name": "Flora Example", "role": "CONTACT"}],
            "locations": [{"facility": "Wood"}, {"facility": "Grove"}, {"facility": "Park"}],
        },
    },
    "documentSection": {"largeDocumentModule": {"largeDocs": [{"label": "Protocol"}]}},
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the study with one value of its protocol section replaced; None removes it."""
    study = deepcopy(STUDY)
    place = study["protocolSection"]
    *names, last = path.split(".")
    for name in names:
        place = place[int(name)] if isinstance(place, list) else place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return study


def find(page: str = PAGE, study: dict[str, Any] = STUDY) -> list[tuple[object, ...]]:
    """Return what is not equal, without the id."""
    findings = list(verify(trialscrape.parse(page), study))
    assert {finding.study for finding in findings} == {ID}
    return [tuple(finding)[1:] for finding in findings if finding.verdict != "equal"]


def test_a_faithful_page_is_equal_in_all_that_both_show() -> None:
    findings = list(verify(trialscrape.parse(PAGE), STUDY))
    assert [tuple(finding) for finding in findings if finding.verdict != "equal"] == []
    assert [(finding.field, finding.item) for finding in findings] == [
        *((name, None) for name in ("title", "acronym", "nct_id", "sponsor", "overall_status", "phases", "conditions")),
        *((name, None) for name in ("interventions", "study_type", "funder_types", "identifiers", "brief_summary")),
        *((name, None) for name in ("detailed_description", "enrollment", "sex", "ages.minimum", "ages.maximum")),
        *((name, None) for name in ("healthy_volunteers", "design.primary_purpose", "design.allocation")),
        *((name, None) for name in ("design.intervention_model", "design.masking", "location_count")),
        *((name, None) for name in ("central_contacts", "document_count")),
        *((f"arms.{name}", "Forest") for name in ("type", "description", "interventions")),
        *((f"arms.{name}", "Office") for name in ("type", "interventions")),
        ("eligibility.inclusion", None),
        ("eligibility.exclusion", None),
    ]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("statusModule.overallStatus", "COMPLETED", ("overall_status", None, "differs", "RECRUITING", "COMPLETED")),
        ("designModule.phases", ["NA"], ("phases", None, "differs", ["PHASE2"], None)),
        (
            "designModule.enrollmentInfo.type",
            "ACTUAL",
            ("enrollment", None, "differs", "1240 ESTIMATED", "1240 ACTUAL"),
        ),
        ("eligibilityModule.minimumAge", "18 Months", ("ages.minimum", None, "differs", "18 YEARS", "18 MONTHS")),
        ("eligibilityModule.maximumAge", None, ("ages.maximum", None, "differs", "65 YEARS", None)),
        ("eligibilityModule.healthyVolunteers", False, ("healthy_volunteers", None, "differs", True, False)),
        (
            "designModule.designInfo.maskingInfo.masking",
            "DOUBLE",
            ("design.masking", None, "differs", "NONE", "DOUBLE"),
        ),
        (
            "conditionsModule.conditions",
            ["Restlessness"],
            ("conditions", None, "differs", ["Clerk, Weary", "Restlessness"], ["Restlessness"]),
        ),
        ("contactsLocationsModule.locations", None, ("location_count", None, "differs", 3, 0)),
        (
            "sponsorCollaboratorsModule.leadSponsor.name",
            "IAM",
            ("sponsor", None, "other_name", "Institute for Arboreal Medicine", "IAM"),
        ),
        (
            "identificationModule.briefTitle",
            "Trees",
            ("title", None, "differs", "Tree Bathing for Restless Clerks (TREEBATH)", "Trees"),
        ),
        (
            "armsInterventionsModule.armGroups.1.interventionNames",
            ["Other: Chair"],
            ("arms.interventions", "Office", "differs", ["Other: Potted plant"], ["Other: Chair"]),
        ),
        (
            "armsInterventionsModule.armGroups.1.type",
            "OTHER",
            ("arms.type", "Office", "differs", "ACTIVE_COMPARATOR", "OTHER"),
        ),
    ],
)
def test_what_the_registry_says_otherwise(path: str, value: object, expected: tuple[object, ...]) -> None:
    assert find(study=changed(path, value)) == [expected]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        # The official title, with the acronym or without.
        ("identificationModule.briefTitle", "Another"),
        ("identificationModule.briefTitle", "Tree Bathing for Restless Clerks (TREEBATH)"),
        # The page's bracket is no acronym of the registry's.
        ("identificationModule.acronym", None),
        # Markdown, blanks, other markers, and a heading of the same meaning.
        (
            "eligibilityModule.eligibilityCriteria",
            "Key inclusion criteria\n\n1. Clerk by\n   trade\n\n<!-- -->\n2. Restless\n\n"
            "Exclusion Criteria :\n\n- Fear  of trees\n",
        ),
        ("descriptionModule.briefSummary", "* Clerks sit under trees.\n* Do they rest?"),
    ],
)
def test_what_makes_no_difference(path: str, value: object) -> None:
    study = changed(path, value)
    if value == "Another":
        study["protocolSection"]["identificationModule"]["officialTitle"] = "Tree Bathing for Restless Clerks"
    if path.endswith("acronym"):
        study["protocolSection"]["identificationModule"]["briefTitle"] += " (TREEBATH)"
    assert find(study=study) == []


def test_a_lost_arm_and_one_that_the_registry_does_not_have() -> None:
    page = with_(("1,240 participants in 2", "1,240 participants in 1"), ("Office\nActive Comparator group\n", ""))
    page = page.replace("Treatment:\nOther: Potted plant\n", "")
    assert find(page) == [("arms", "Office", "differs", None, "Office")]
    study = changed(
        "armsInterventionsModule.armGroups", STUDY["protocolSection"]["armsInterventionsModule"]["armGroups"][:1]
    )
    assert find(study=study) == [("arms", "Office", "differs", "Office", None)]


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        # On the other side, which is the worst fault.
        (
            "Inclusion Criteria:\n\n* Clerk by trade\n\nExclusion Criteria:\n\n* Fear of trees\n* Restless",
            [
                ("eligibility.inclusion", None, "differs", ["Restless"], []),
                ("eligibility.exclusion", None, "differs", [], ["Restless"]),
            ],
        ),
        (
            "Inclusion Criteria:\n\n* Clerk by trade\n* Very restless\n\nExclusion Criteria:\n\n* Fear of trees",
            [("eligibility.inclusion", None, "differs", ["Restless"], ["Very restless"])],
        ),
        (
            "Inclusion Criteria:\n\n* Restless\n* Clerk by trade\n\nExclusion Criteria:\n\n* Fear of trees",
            [
                (
                    "eligibility.inclusion",
                    None,
                    "differs",
                    ["Clerk by trade", "Restless"],
                    ["Restless", "Clerk by trade"],
                )
            ],
        ),
        # Without two headings, the sides are not known.
        ("Clerk by trade\nRestless\nFear of trees", []),
        ("Clerk by trade\nRestless", [("eligibility", None, "differs", ["Fear of trees"], [])]),
    ],
)
def test_criteria_are_compared_by_side_and_line(criteria: str, expected: list[tuple[object, ...]]) -> None:
    assert find(study=changed("eligibilityModule.eligibilityCriteria", criteria)) == expected


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        ("", []),
        # It is of no side, so the sides are not compared alone, and the line is not lost.
        ("Clerks of any age.\n\n", [("eligibility", None, "differs", [], ["Clerks of any age."])]),
    ],
)
def test_text_above_the_heading_of_inclusion_is_compared(above: str, expected: list[tuple[object, ...]]) -> None:
    criteria = STUDY["protocolSection"]["eligibilityModule"]["eligibilityCriteria"]
    assert find(study=changed("eligibilityModule.eligibilityCriteria", above + criteria)) == expected


def test_criteria_that_the_page_does_not_assign_are_on_no_wrong_side() -> None:
    page = with_(("Inclusion criteria", "Inclusion and exclusion criteria"), ("Exclusion criteria\n\n", ""))
    trial = trialscrape.parse(page)
    assert [one.text for one in trial.eligibility.unassigned] == ["Clerk by trade", "Restless", "Fear of trees"]
    assert find(page) == []
    lost = find(page.replace("  • Restless\n", ""))
    assert lost == [("eligibility", None, "differs", [], ["Restless"])]


def test_a_side_and_unassigned_criteria_are_compared_together() -> None:
    page = with_(
        (
            "  • Clerk by trade\n  • Restless\n\nExclusion criteria\n\n  • Fear of trees",
            "  • Clerk by trade\n    • Exclusion:\n      • Fear of trees\n  • Restless",
        )
    )
    trial = trialscrape.parse(page)
    assert [[one.text for one in side] for side in (trial.eligibility.inclusion, trial.eligibility.unassigned)] == [
        ["Clerk by trade"],
        ["Restless"],
    ]
    (finding,) = find(page)
    assert finding[:3] == ("eligibility", None, "differs")  # the same lines in another order, and on no wrong side


@pytest.mark.parametrize("name", ["IAM", "  ", None])
def test_another_sponsor_is_never_an_error(name: str | None) -> None:
    study = changed("sponsorCollaboratorsModule.leadSponsor.name", name)
    (finding,) = find(study=study)
    assert (finding[0], finding[2]) == ("sponsor", "other_name")


def test_what_the_page_leaves_out_is_told_apart() -> None:
    bare = trialscrape.parse(with_(("NCT99000100\nIAM-7 (Other Identifier)", ""), ("A longer text about trees.", "")))
    findings = verify(add_matched_id(bare, Match("title+sponsor", ID)), STUDY)
    assert [tuple(finding) for finding in findings if finding.verdict != "equal"] == [
        (ID, "nct_id", None, "not_on_page", None, ID),
        (ID, "identifiers", None, "not_on_page", None, ["IAM-7", ID]),
        (ID, "detailed_description", None, "not_on_page", None, "A longer text about trees."),
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("armsInterventionsModule.armGroups", "many"),
        ("designModule.enrollmentInfo", [1]),
        ("descriptionModule.briefSummary", 5),
    ],
)
def test_a_record_of_another_shape_is_reported(path: str, value: object) -> None:
    with pytest.raises(RecordFileError, match=f"the registry's record of {ID} has another shape than version 2: "):
        list(verify(trialscrape.parse(PAGE), changed(path, value)))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real records are not beside the project")
def test_real_records_have_the_expected_shape() -> None:
    trial = trialscrape.parse(PAGE)
    for path in REAL.glob("*.json"):
        study = json.loads(path.read_text(encoding="utf-8"))
        found = {finding.field: finding for finding in verify(trial, study)}
        assert isinstance(found["overall_status"], Finding)
        assert found["title"].verdict == "differs"
        assert {"ages.minimum", "arms", "location_count", "interventions"} <= found.keys()


# Files of the registry


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(STUDY),
        json.dumps([STUDY]),
        json.dumps({"studies": [STUDY], "nextPageToken": "x"}, indent=1),
        json.dumps(STUDY) + "\n\n" + json.dumps(STUDY) + "\n",
        "\ufeff" + json.dumps(STUDY, indent=2),
    ],
)
def test_studies_are_found_in_files_and_folders(tmp_path: Path, text: str) -> None:
    path = tmp_path / f"{ID}.json"
    path.write_text(text, encoding="utf-8")
    for source in (path, tmp_path):
        look_up = open_studies(source)
        assert look_up(ID) == STUDY
        assert look_up("NCT99000101") is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "expected the registry's JSON, found broken JSON"),
        (json.dumps(STUDY).encode() + b"\n{", "expected the registry's JSON, found broken JSON"),
        (b"[]", "expected the registry's JSON of studies, found none"),
        (b'[{"protocolSection": {}}]', "study 1: expected the registry's JSON"),
        (b"[1]", "study 1: expected the registry's JSON"),
        (b"\xff\xfe", "found bytes that are not UTF-8"),
    ],
)
def test_what_is_no_study_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / f"{ID}.json"
    path.write_bytes(data)
    with pytest.raises(RecordFileError, match=message):
        open_studies(path)
    with pytest.raises(RecordFileError, match=message):
        open_studies(tmp_path)(ID)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordFileError, match="no such file or directory"):
        open_studies(tmp_path / "none.json")

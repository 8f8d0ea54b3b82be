"""FHIR R5, validated by fhir.resources."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.researchstudy import ResearchStudy

from support.records import all_lines, changed, line_of, record_of, write
from trialscrape.exports.fhir import make_research_study
from trialscrape.vocabulary import NOT_SEEN, SEEN


def make(**changes: Any) -> dict[str, Any]:
    return make_research_study(json.loads(changed(**changes)))


def test_every_record_is_a_valid_research_study(tmp_path: Path) -> None:
    write(tmp_path / "a.ndjson", all_lines(), "fhir")
    lines = (tmp_path / "a.ndjson").read_text(encoding="utf-8").splitlines()
    for text, line in zip(lines, all_lines(), strict=True):
        study: Any = ResearchStudy.model_validate_json(text)
        record = json.loads(line)
        assert study.title == record["title"]
        assert [group.name for group in study.comparisonGroup or []] == [arm["label"] for arm in record["arms"]]
        (group,) = study.contained
        sides = record["eligibility"]
        asked = sum(
            one["kind"] == "criterion" or bool(one["children"])
            for side in ("inclusion", "exclusion")
            for one in sides[side]
        )
        assert sum("criterion" in one.code.text for one in group.characteristic or []) == asked
        assert all(one.exclude is ("Exclusion" in one.code.text) for one in group.characteristic or [])


PHASES = [
    ([], None, None),
    (["PHASE2"], "phase-2", "PHASE2"),
    (["PHASE1", "PHASE2"], "phase-1-phase-2", "PHASE1, PHASE2"),
    (["PHASE3", "PHASE2"], "phase-2-phase-3", "PHASE3, PHASE2"),
    (["EARLY_PHASE1"], "early-phase-1", "EARLY_PHASE1"),
    (["PHASE1", "PHASE4"], None, "PHASE1, PHASE4"),
    ([None], None, "None"),
]


@pytest.mark.parametrize(("codes", "code", "text"), PHASES)
def test_two_phases_are_one_code(codes: list[str | None], code: str | None, text: str | None) -> None:
    phase = make(phases=[{"label": str(one), "code": one} for one in codes]).get("phase")
    assert (phase and phase["text"]) == text
    coding = phase.get("coding") if phase else None
    assert (coding[0]["code"] if coding else None) == code


# The code systems of R5, each with all its codes, copied by hand from the package hl7.fhir.r5.core 5.0.0, files
# CodeSystem-*.json. Each has this address; those at terminology.hl7.org/CodeSystem/… are R4's.
R5_CODES = {
    "http://hl7.org/fhir/research-study-phase": (
        "n-a early-phase-1 phase-1 phase-1-phase-2 phase-2 phase-2-phase-3 phase-3 phase-4"
    ),
    "http://hl7.org/fhir/research-study-prim-purp-type": (
        "treatment prevention diagnostic supportive-care screening health-services-research basic-science "
        "device-feasibility"
    ),
    "http://hl7.org/fhir/research-study-arm-type": (
        "active-comparator placebo-comparator sham-comparator no-intervention experimental other-arm-type"
    ),
    "http://hl7.org/fhir/research-study-status": (
        "overall-study active active-but-not-recruiting administratively-completed approved closed-to-accrual "
        "closed-to-accrual-and-intervention completed disapproved enrolling-by-invitation in-review "
        "not-yet-recruiting recruiting temporarily-closed-to-accrual "
        "temporarily-closed-to-accrual-and-intervention terminated withdrawn"
    ),
    "http://hl7.org/fhir/research-study-party-role": (
        "sponsor lead-sponsor sponsor-investigator primary-investigator collaborator funding-source general-contact "
        "recruitment-contact sub-investigator study-director study-chair irb"
    ),
    "http://hl7.org/fhir/title-type": (
        "primary official scientific plain-language subtitle short-title acronym earlier-title language autotranslated "
        "human-use machine-use duplicate-uid"
    ),
}

CODED: dict[str, list[tuple[str, str | None]]] = {
    "Phase": [
        ("EARLY_PHASE1", "early-phase-1"),
        ("PHASE1", "phase-1"),
        ("PHASE2", "phase-2"),
        ("PHASE3", "phase-3"),
        ("PHASE4", "phase-4"),
    ],
    "PrimaryPurpose": [
        ("TREATMENT", "treatment"),
        ("PREVENTION", "prevention"),
        ("DIAGNOSTIC", "diagnostic"),
        ("ECT", None),
        ("SUPPORTIVE_CARE", "supportive-care"),
        ("SCREENING", "screening"),
        ("HEALTH_SERVICES_RESEARCH", "health-services-research"),
        ("BASIC_SCIENCE", "basic-science"),
        ("DEVICE_FEASIBILITY", "device-feasibility"),
        ("OTHER", None),
    ],
    "ArmGroupType": [
        ("EXPERIMENTAL", "experimental"),
        ("ACTIVE_COMPARATOR", "active-comparator"),
        ("PLACEBO_COMPARATOR", "placebo-comparator"),
        ("SHAM_COMPARATOR", "sham-comparator"),
        ("NO_INTERVENTION", "no-intervention"),
        ("OTHER", "other-arm-type"),
    ],
    "Status": [
        ("ACTIVE_NOT_RECRUITING", "active-but-not-recruiting"),
        ("COMPLETED", "completed"),
        ("ENROLLING_BY_INVITATION", "enrolling-by-invitation"),
        ("NOT_YET_RECRUITING", "not-yet-recruiting"),
        ("RECRUITING", "recruiting"),
        ("SUSPENDED", None),  # closed to accrual may not mean that the study stands still
        ("TERMINATED", "terminated"),
        ("UNKNOWN", None),
        ("WITHDRAWN", "withdrawn"),
        ("APPROVED_FOR_MARKETING", None),
        ("AVAILABLE", None),
        ("NO_LONGER_AVAILABLE", None),
        ("TEMPORARILY_NOT_AVAILABLE", None),
        ("WITHHELD", None),
    ],
}


def list_codings(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the system and code of every coding inside a resource."""
    if isinstance(value, list):
        for one in value:
            yield from list_codings(one)
    elif isinstance(value, dict):
        yield from ((one["system"], one["code"]) for one in value.get("coding", ()))
        for one in value.values():
            yield from list_codings(one)


def test_every_code_of_the_registry_is_one_of_r5_or_keeps_its_words() -> None:
    places: dict[str, Callable[[Any], tuple[dict[str, Any], Callable[[Any], Any]]]] = {
        "Phase": lambda term: ({"phases": [term]}, lambda study: study["phase"]),
        "PrimaryPurpose": lambda term: (
            {"design": {**record_of()["design"], "primary_purpose": term}},
            lambda study: study["primaryPurposeType"],
        ),
        "ArmGroupType": lambda term: (
            {"arms": [{**record_of()["arms"][0], "type": term}]},
            lambda study: study["comparisonGroup"][0]["type"],
        ),
        "Status": lambda term: ({"overall_status": term}, lambda study: study["progressStatus"][0]["state"]),
    }
    for enumeration, rows in CODED.items():
        known = set(SEEN[enumeration].values()) | set(NOT_SEEN.get(enumeration, {}).values())
        assert {code for code, _ in rows} == known
        for code, expected in rows:
            changes, find = places[enumeration]({"label": "As it says", "code": code})
            concept = find(make(**changes))
            assert concept["text"] == "As it says"
            assert [one["code"] for one in concept.get("coding", ())] == ([expected] if expected else []), code


def test_every_coding_is_of_r5() -> None:
    found = {one for line in all_lines() for one in list_codings(make_research_study(json.loads(line)))}
    for system, code in found:
        assert code in R5_CODES[system].split()
    assert {system for system, _ in found} == set(R5_CODES)
    written = {code for rows in CODED.values() for _, code in rows if code}
    assert written <= {code for codes in R5_CODES.values() for code in codes.split()}


def test_who_may_take_part_is_a_group() -> None:
    study = make_research_study(json.loads(line_of()))
    assert study["recruitment"] == {"actualNumber": 120, "eligibility": {"reference": "#eligibility"}}
    (group,) = study["contained"]
    kinds = [(one["code"]["text"], one["exclude"]) for one in group["characteristic"]]
    assert kinds == [
        ("Age", False),
        ("Sex", False),
        ("Healthy volunteers accepted", False),
        *[("Inclusion criterion", False)] * 3,
        *[("Exclusion criterion", True)] * 2,
    ]
    # One of these, so they must not be two characteristics, which would both have to hold.
    saucer = group["characteristic"][4]["valueCodeableConcept"]["text"]
    assert saucer == "One of these kinds of saucer:\n  • porcelain\n  • enamel"
    ages = group["characteristic"][0]["valueRange"]
    assert (ages["low"]["value"], ages["high"]["value"], ages["low"]["code"]) == (18, 65, "a")


def test_what_is_of_neither_side_is_no_characteristic() -> None:
    one = {"kind": "criterion", "text": "Tea?", "marker": "•", "children": []}
    eligibility = {"combined": True, "inclusion": [], "exclusion": [], "unassigned": [one]}
    (group,) = make(eligibility=eligibility)["contained"]
    assert group["description"] == "Criteria of unclear side:\n• Tea?"
    assert not any("criterion" in one["code"]["text"] for one in group["characteristic"])


def test_what_has_no_code_keeps_its_words() -> None:
    study = make(
        overall_status={"label": "Suspended", "code": "SUSPENDED"},
        nct_id=None,
        enrollment={"count": 7, "type": "ESTIMATED"},
    )
    assert study["progressStatus"] == [{"state": {"text": "Suspended"}}]
    assert study["recruitment"]["targetNumber"] == 7
    assert "id" not in study
    ResearchStudy.model_validate(study)

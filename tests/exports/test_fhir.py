"""FHIR R5, validated by fhir.resources."""

import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.researchstudy import ResearchStudy

from support.records import all_lines, changed, line_of, write
from trialscrape.exports.fhir import make_research_study


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

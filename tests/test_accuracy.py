"""Studies to pages to records: no value of a record differs from the registry without a warning."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bench.accuracy import (
    PARTS,
    WRITERS,
    Score,
    is_warned,
    read_registry,
    score_criteria,
    score_page,
    score_part,
    score_studies,
)
from bench.studies import make_study

import trialscrape
from trialscrape.records import warning
from trialscrape.testing import labels
from trialscrape.testing.pages import write_text

REGISTRY = Path(os.environ.get("TRIALSCRAPE_REAL_PAGES") or os.devnull).parent / "registry"
STUDIES = 300

CODES = {
    "Status": labels.STATUSES,
    "Phase": labels.PHASES,
    "InterventionType": labels.TREATMENTS,
    "StudyType": labels.STUDY_TYPES,
    "AgencyClass": labels.FUNDERS,
    "OrgStudyIdType": labels.IDENTIFIERS,
    "SecondaryIdType": labels.IDENTIFIERS,
    "Sex": labels.SEXES,
    "PrimaryPurpose": labels.PURPOSES,
    "DesignAllocation": labels.ALLOCATIONS,
    "InterventionalAssignment": labels.MODELS,
    "ArmGroupType": labels.ARMS,
}


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return score_studies(make_study(number) for number in range(STUDIES))


@pytest.mark.parametrize("form", WRITERS)
def test_every_value_of_a_generated_page_is_right_or_doubted(scores: dict[str, Score], form: str) -> None:
    score = scores[form]
    assert score.silent == []
    assert score.pages == STUDIES
    assert score.fields[0] > 0.998 * score.fields[1]
    assert score.criteria[0] == score.criteria[1] > 2_000
    assert score.warned < 0.2 * STUDIES


@pytest.mark.parametrize("form", PARTS)
def test_a_page_that_lost_a_part_says_so(scores: dict[str, Score], form: str) -> None:
    score = scores[form]
    assert score.silent == []
    assert score.warned == score.pages == STUDIES


@pytest.mark.skipif(not REGISTRY.is_dir(), reason="no folder of real registry studies beside TRIALSCRAPE_REAL_PAGES")
def test_every_value_of_a_real_study_is_right() -> None:
    for form, score in score_studies(read_registry(REGISTRY)).items():
        assert score.failures == (), form
        assert score.pages == 10
        assert score.warned == (0 if form in WRITERS else 10)


@pytest.mark.skipif(not REGISTRY.is_dir(), reason="no OpenAPI file beside TRIALSCRAPE_REAL_PAGES")
def test_pages_know_every_value_of_the_registrys_enumerations() -> None:
    schemas = yaml.safe_load((REGISTRY / "ctg-oas-v2.yaml").read_text(encoding="utf-8"))["components"]["schemas"]
    for name, table in CODES.items():
        assert {*schemas[name]["enum"]} - {"NA"} <= {*table}, name


def test_the_generated_studies_hold_every_value_of_every_enumeration() -> None:
    codes = {code for number in range(STUDIES) for code in walk(make_study(number)[0])}
    for table in (*CODES.values(), labels.MASKINGS):
        assert {*table} <= codes


def walk(value: object) -> Iterator[str]:
    """Give every text of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from walk(part)


def test_a_study_is_the_same_each_time_and_another_for_another_seed() -> None:
    assert make_study(7, 1) == make_study(7, 1) != make_study(7, 2)


def test_a_wrong_value_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    study, display = make_study(4)
    assert score_page(study, display, "text").failures == ()
    shown = write_text(study, display)
    ages = next(line for line in shown.split("\n") if line.endswith(" old"))
    monkeypatch.setitem(WRITERS, "text", lambda *_: shown.replace(ages, "17+ years old"))
    (failure,) = score_page(study, display, "text").silent
    assert (failure.field, failure.found["label"]) == ("ages", "17+ years old")


def test_an_invented_value_of_a_stripped_page_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    study, display = make_study(0)
    shown = PARTS["stripped text"](study, display)
    invented = shown.replace("About\n", "About\nThe owls of this page are in no registry.\n")
    monkeypatch.setitem(PARTS, "stripped text", lambda *_: invented)
    (failure,) = score_part(study, display, "stripped text").failures
    assert (failure.field, failure.is_warned) == ("brief_summary", True)


def node(text: str, *children: dict[str, Any], kind: str = "criterion", marker: str | None = "•") -> dict[str, Any]:
    return {"kind": kind, "text": text, "marker": marker, "children": [*children]}


@pytest.mark.parametrize(
    ("found", "right", "total"),
    [
        ([node("a", node("b")), node("c")], 3, 3),
        ([node("a", node("b"))], 2, 3),
        ([node("a"), node("b"), node("c")], 2, 4),
        ([node("a", node("b")), node("c", marker="1.")], 2, 4),
        ([node("a", node("b")), node("c", kind="heading")], 2, 4),
        ([node("c"), node("a", node("b"))], 2, 3),
        ([], 0, 3),
    ],
)
def test_criteria_are_right_by_text_kind_marker_place_and_order(
    found: list[dict[str, Any]], right: int, total: int
) -> None:
    expected = [node("a", node("b")), node("c")]
    score = score_criteria("NCT99000000", "eligibility.inclusion", expected, found, warned=False)
    assert score.criteria == (right, total)
    assert (score.failures == ()) == (found == expected)


@pytest.mark.parametrize(
    ("code", "about", "field", "warned"),
    [
        ("unknown_label", "arms", "arms", True),
        ("unknown_label", "arms", "sex", False),
        ("unknown_heading", None, "sex", False),
        ("stripped_page", None, "sex", True),
        ("doubtful_side", "eligibility.inclusion", "eligibility.exclusion", True),
        ("doubtful_side", "eligibility.inclusion", "eligibility.combined", False),
    ],
)
def test_a_warning_tells_of_its_field_or_of_the_whole_page(
    code: str, about: str | None, field: str, *, warned: bool
) -> None:
    study, display = make_study(0)
    trial = trialscrape.parse(write_text(study, display))
    doubted = trial.model_copy(update={"warnings": (warning(code, "expected", field=about),)})
    assert is_warned(doubted, field) == warned

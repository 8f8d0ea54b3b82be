"""Records as FHIR R5: a `ResearchStudy` a line, with its eligibility as a `Group` inside."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trialscrape.exports.files import open_output
from trialscrape.exports.jsonl import escape_unsafe
from trialscrape.exports.registry import drop_empty
from trialscrape.exports.tables import Record, format_intervention, write_side
from trialscrape.records import walk_tree

_FHIR = "http://hl7.org/fhir"  # where R5 has its code systems; those of R4 are at terminology.hl7.org
_REGISTRY = "https://clinicaltrials.gov"
_CODES = {
    "research-study-status": {
        "ACTIVE_NOT_RECRUITING": "active-but-not-recruiting",
        "COMPLETED": "completed",
        "ENROLLING_BY_INVITATION": "enrolling-by-invitation",
        "NOT_YET_RECRUITING": "not-yet-recruiting",
        "RECRUITING": "recruiting",
        "TERMINATED": "terminated",
        "WITHDRAWN": "withdrawn",
    },
    "research-study-prim-purp-type": {
        "BASIC_SCIENCE": "basic-science",
        "DEVICE_FEASIBILITY": "device-feasibility",
        "DIAGNOSTIC": "diagnostic",
        "HEALTH_SERVICES_RESEARCH": "health-services-research",
        "PREVENTION": "prevention",
        "SCREENING": "screening",
        "SUPPORTIVE_CARE": "supportive-care",
        "TREATMENT": "treatment",
    },
    "research-study-arm-type": {
        "ACTIVE_COMPARATOR": "active-comparator",
        "EXPERIMENTAL": "experimental",
        "NO_INTERVENTION": "no-intervention",
        "OTHER": "other-arm-type",
        "PLACEBO_COMPARATOR": "placebo-comparator",
        "SHAM_COMPARATOR": "sham-comparator",
    },
}
"""R5's codes by code system and by the registry's code; what has no code of the same meaning is not in it."""

_PHASES = {
    ("EARLY_PHASE1",): "early-phase-1",
    ("PHASE1",): "phase-1",
    ("PHASE1", "PHASE2"): "phase-1-phase-2",
    ("PHASE2",): "phase-2",
    ("PHASE2", "PHASE3"): "phase-2-phase-3",
    ("PHASE3",): "phase-3",
    ("PHASE4",): "phase-4",
}
_UNITS = {"YEARS": "a", "MONTHS": "mo", "WEEKS": "wk", "DAYS": "d", "HOURS": "h", "MINUTES": "min"}


@contextmanager
def open_fhir(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes a record, given as its line of JSON, as a line with a resource."""
    with open_output(path) as stream:

        def write(line: bytes) -> None:
            resource = json.dumps(make_research_study(json.loads(line)), ensure_ascii=False, separators=(",", ":"))
            stream.write(escape_unsafe(resource).encode() + b"\n")

        yield write


def make_research_study(record: Record) -> Record:
    """Make the `ResearchStudy` of a record.

    What FHIR has no code for keeps the page's words. `status` is that of the resource, which a page does not say.
    """
    study = {
        "resourceType": "ResearchStudy",
        "id": record.get("nct_id"),
        "contained": [_make_group(record)],
        "url": (record.get("source") or {}).get("url"),
        "identifier": [
            {"system": _REGISTRY if one["value"] == record.get("nct_id") else None, "value": one["value"]}
            for one in record.get("identifiers") or ()
        ],
        "title": record.get("title"),
        "label": [{"type": _make_concept("title-type", "acronym", "Acronym"), "value": record.get("acronym")}]
        if record.get("acronym")
        else None,
        "status": "unknown",
        "primaryPurposeType": _make_coded(
            "research-study-prim-purp-type", (record.get("design") or {}).get("primary_purpose")
        ),
        "phase": _make_phase(record.get("phases") or []),
        "studyDesign": [_words(term) for term in _list_design(record)],
        "focus": [{"concept": {"text": format_intervention(one)}} for one in record.get("interventions") or ()],
        "condition": [{"text": condition} for condition in record.get("conditions") or ()],
        "descriptionSummary": record.get("brief_summary"),
        "description": record.get("detailed_description"),
        "associatedParty": _list_parties(record),
        "progressStatus": [{"state": _make_coded("research-study-status", record.get("overall_status"))}],
        "recruitment": {
            **_make_numbers(record.get("enrollment")),
            "eligibility": {"reference": "#eligibility"},
        },
        "comparisonGroup": [_make_comparison(arm) for arm in record.get("arms") or ()],
    }
    kept: Record = drop_empty(study)
    return kept


def _make_concept(system: str, code: str, words: str) -> Record:
    return {"coding": [{"system": f"{_FHIR}/{system}", "code": code}], "text": words}


def _words(term: Record | None) -> Record | None:
    return {"text": term["label"]} if term else None


def _list_design(record: Record) -> list[Record | None]:
    design = record.get("design") or {}
    return [record.get("study_type"), *(design.get(name) for name in ("allocation", "intervention_model", "masking"))]


def _make_coded(system: str, term: Record | None) -> Record | None:
    """Give a term its code of a system, or only the page's words where it has none."""
    code = _CODES[system].get(term["code"]) if term else None
    return _make_concept(system, code, term["label"]) if term and code else _words(term)


def _make_phase(phases: list[Record]) -> Record | None:
    words = ", ".join(phase["label"] for phase in phases)
    code = _PHASES.get(tuple(sorted(str(phase["code"]) for phase in phases)))
    return _make_concept("research-study-phase", code, words) if code else {"text": words}


def _list_parties(record: Record) -> Iterable[Record]:
    parties = [(record.get("sponsor"), "sponsor", "Sponsor")]
    parties += [(name, "general-contact", "Contact") for name in record.get("central_contacts") or ()]
    return [
        {"name": name, "role": _make_concept("research-study-party-role", code, words)}
        for name, code, words in parties
        if name
    ]


def _make_numbers(enrollment: Record | None) -> Record:
    if not enrollment:
        return {}
    return {"actualNumber" if enrollment["type"] == "ACTUAL" else "targetNumber": enrollment["count"]}


def _make_comparison(arm: Record) -> Record:
    return {
        "name": arm["label"],
        "type": _make_coded("research-study-arm-type", arm["type"]),
        "description": arm["description"],
        "intendedExposure": [{"display": format_intervention(one)} for one in arm["interventions"]],
    }


def _make_group(record: Record) -> Record:
    """Make the group of those who may take part.

    The characteristics of a group hold together, so a list under a criterion, of which one item may be enough, is not
    taken apart: each criterion of the first level is one, with what is nested under it. What is of neither side cannot
    be a characteristic, and stands in the description.
    """
    characteristics = [*_list_characteristics(record)]
    for side, exclude in (("inclusion", False), ("exclusion", True)):
        for criterion in (record.get("eligibility") or {}).get(side) or ():
            if criterion["kind"] == "criterion" or criterion["children"]:
                value = {"valueCodeableConcept": {"text": _write_tree(criterion)}}
                characteristics.append(
                    {"code": {"text": f"{side.capitalize()} criterion"}, **value, "exclude": exclude}
                )
    unassigned = write_side(record, "unassigned")
    return {
        "resourceType": "Group",
        "id": "eligibility",
        "type": "person",
        "membership": "definitional",
        "description": f"Criteria of unclear side:\n{unassigned}" if unassigned else None,
        "characteristic": characteristics,
    }


def _list_characteristics(record: Record) -> Iterator[Record]:
    ages = record.get("ages") or {}
    limits = {"low": _make_quantity(ages.get("minimum")), "high": _make_quantity(ages.get("maximum"))}
    if any(limits.values()):
        yield {"code": {"text": "Age"}, "valueRange": limits, "exclude": False}
    elif ages:
        yield {"code": {"text": "Age"}, "valueCodeableConcept": {"text": ages["label"]}, "exclude": False}
    if record.get("sex"):
        yield {"code": {"text": "Sex"}, "valueCodeableConcept": _words(record["sex"]), "exclude": False}
    if record.get("healthy_volunteers") is not None:
        accepted = {"valueBoolean": record["healthy_volunteers"]}
        yield {"code": {"text": "Healthy volunteers accepted"}, **accepted, "exclude": False}


def _make_quantity(age: Record | None) -> Record | None:
    if not age:
        return None
    return {
        "value": age["value"],
        "unit": age["unit"].lower(),
        "system": "http://unitsofmeasure.org",
        "code": _UNITS[age["unit"]],
    }


def _write_tree(criterion: Record) -> str:
    lines = [criterion["text"]]
    for path, below in walk_tree(criterion["children"], lambda one: one["children"]):
        lines.append(f"{'  ' * len(path)}{below['marker'] + ' ' if below['marker'] else ''}{below['text']}")
    return "\n".join(lines)

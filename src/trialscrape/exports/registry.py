"""Records as studies in JSON of the ClinicalTrials.gov API v2, one array: only what the page says."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trialscrape.exports.json import open_json
from trialscrape.exports.jsonl import escape_unsafe
from trialscrape.exports.tables import Record, format_intervention, read_code, walk_criteria

_HEADINGS = {"inclusion": "Inclusion Criteria:", "exclusion": "Exclusion Criteria:", "unassigned": None}
_INDENT = "  "


@contextmanager
def open_registry(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes a record, given as its line of JSON, as a study of the array."""
    with open_json(path) as write:

        def write_study(line: bytes) -> None:
            study = json.dumps(make_study(json.loads(line)), ensure_ascii=False, separators=(",", ":"))
            write(escape_unsafe(study).encode())

        yield write_study


def make_study(record: Record) -> Record:
    """Make the registry's study of a record. A label without a code is left out: the registry has no such value."""
    modules = {
        "identificationModule": {
            "nctId": record.get("nct_id"),
            **_list_identifiers(record),
            "briefTitle": record.get("brief_title") or record.get("title"),
            "acronym": record.get("acronym"),
        },
        "statusModule": {"overallStatus": read_code(record.get("overall_status"))},
        "sponsorCollaboratorsModule": {"leadSponsor": {"name": record.get("sponsor"), "class": _only_class(record)}},
        "descriptionModule": {
            "briefSummary": record.get("brief_summary"),
            "detailedDescription": record.get("detailed_description"),
        },
        "conditionsModule": {"conditions": record.get("conditions")},
        "designModule": _make_design_module(record),
        "armsInterventionsModule": {"armGroups": _list_arms(record), "interventions": _list_interventions(record)},
        "eligibilityModule": _make_eligibility_module(record),
        "contactsLocationsModule": {
            "centralContacts": [{"name": name} for name in record.get("central_contacts") or ()],
        },
    }
    return {"protocolSection": drop_empty(modules) or {}}


def drop_empty(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Return JSON without what is null or empty, at every depth; None where nothing is left."""
    if isinstance(value, dict):
        kept = {key: drop_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not None} or None
    if isinstance(value, list):
        return [item for item in map(drop_empty, value) if item is not None] or None
    return None if value == "" else value


def _only_class(record: Record) -> str | None:
    """Return the class of the lead sponsor: the page says it only where all funders have one."""
    funders = record.get("funder_types") or []
    return read_code(funders[0]) if len(funders) == 1 else None


def _list_identifiers(record: Record) -> Record:
    """Sort the identifiers: the registry's first one has no type on the page, where it is the only one without."""
    others = [one for one in record.get("identifiers") or () if one["value"] != record.get("nct_id")]
    untyped = [one for one in others if one["type"] is None]
    first = untyped[0] if len(untyped) == 1 else None
    secondary = [{"id": one["value"], "type": read_code(one["type"])} for one in others if one is not first]
    return {"orgStudyIdInfo": {"id": first["value"]} if first else None, "secondaryIdInfos": secondary}


def _make_design_module(record: Record) -> Record:
    design = record.get("design") or {}
    return {
        "studyType": read_code(record.get("study_type")),
        "phases": [read_code(phase) for phase in record.get("phases") or ()],
        "designInfo": {
            "allocation": read_code(design.get("allocation")),
            "interventionModel": read_code(design.get("intervention_model")),
            "primaryPurpose": read_code(design.get("primary_purpose")),
            "maskingInfo": {"masking": read_code(design.get("masking"))},
        },
        "enrollmentInfo": record.get("enrollment"),
    }


def _list_arms(record: Record) -> list[Record]:
    return [
        {
            "label": arm["label"],
            "type": read_code(arm["type"]),
            "description": arm["description"],
            "interventionNames": [format_intervention(one) for one in arm["interventions"]],
        }
        for arm in record.get("arms") or ()
    ]


def _list_interventions(record: Record) -> list[Record]:
    arms = [
        (arm["label"], {format_intervention(one) for one in arm["interventions"]}) for arm in record.get("arms") or ()
    ]
    return [
        {
            "type": read_code(one["type"]),
            "name": one["name"],
            "armGroupLabels": [label for label, names in arms if format_intervention(one) in names],
        }
        for one in record.get("interventions") or ()
    ]


def _make_eligibility_module(record: Record) -> Record:
    ages = record.get("ages") or {}
    return {
        "eligibilityCriteria": write_markdown(record),
        "healthyVolunteers": record.get("healthy_volunteers"),
        "sex": read_code(record.get("sex")),
        "minimumAge": _write_age(ages.get("minimum")),
        "maximumAge": _write_age(ages.get("maximum")),
    }


def _write_age(age: Record | None) -> str | None:
    if not age:
        return None
    unit = age["unit"].capitalize()
    return f"{age['value']} {unit.removesuffix('s') if age['value'] == 1 else unit}"


def write_markdown(record: Record) -> str | None:
    """Write all criteria as the registry does: Markdown, with a heading a side where the page has a section a side."""
    eligibility = record.get("eligibility") or {}
    parts = []
    for side in ("unassigned", "inclusion", "exclusion"):
        if eligibility.get(side):
            heading = None if eligibility["combined"] else _HEADINGS[side]
            parts.append("\n\n".join(filter(None, (heading, _write_side(record, side)))))
    return "\n\n".join(parts) or None


def _write_side(record: Record, side: str) -> str:
    text, before = "", ""
    for path, criterion in walk_criteria(record, side):
        marker = criterion["marker"]
        pad = _INDENT * (len(path) - 1)
        bullet = "" if marker is None else f"{marker} " if marker[0].isdecimal() else "* "
        body = re.sub(r"\n(?=[^\n])", f"\n{pad}{' ' * len(bullet)}", criterion["text"])
        between = "\n" if bullet and before else "\n\n"
        text += f"{between if text else ''}{pad}{bullet}{body}"
        before = bullet
    return text

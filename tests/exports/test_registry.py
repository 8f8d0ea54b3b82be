"""Studies in the registry's JSON: valid by its API description, read by a client, and back from its own."""

import json
from pathlib import Path
from typing import Any

import clinicaltrials
import jsonschema
import pytest
import yaml

from support.records import REGISTRY, all_lines, changed, line_of, record_of, write
from trialscrape.exports.registry import make_study, write_markdown
from trialscrape.vocabulary import VOCABULARIES

needs_registry = pytest.mark.skipif(not REGISTRY.exists(), reason=f"the registry's data is not at {REGISTRY}")
STUDIES = sorted(REGISTRY.glob("NCT*.json"))


def studies(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_a_study_says_what_the_page_says(tmp_path: Path) -> None:
    write(tmp_path / "a.registry.json", [line_of()], "registry")
    assert studies(tmp_path / "a.registry.json") == [
        {
            "protocolSection": {
                "identificationModule": {
                    "nctId": "NCT99000001",
                    "secondaryIdInfos": [{"id": "QFI-2031-07", "type": "OTHER"}],
                    "briefTitle": "Evening Lumivane Syrup Against Restless Teacup Syndrome",
                    "acronym": "LANTERN",
                },
                "statusModule": {"overallStatus": "COMPLETED"},
                "sponsorCollaboratorsModule": {"leadSponsor": {"name": "Quillfeather Institute of Imaginary Medicine"}},
                "descriptionModule": {
                    "briefSummary": "Teacups that rattle at night keep whole households awake. This study compares an "
                    "evening spoon of Lumivane syrup with a placebo syrup that looks and tastes alike."
                },
                "conditionsModule": {"conditions": ["Restless Teacup Syndrome", "Saucer Tremor, Chronic"]},
                "designModule": {
                    "studyType": "INTERVENTIONAL",
                    "phases": ["PHASE4"],
                    "designInfo": {
                        "allocation": "RANDOMIZED",
                        "interventionModel": "PARALLEL",
                        "primaryPurpose": "TREATMENT",
                        "maskingInfo": {"masking": "TRIPLE"},
                    },
                    "enrollmentInfo": {"count": 120, "type": "ACTUAL"},
                },
                "armsInterventionsModule": {
                    "armGroups": [
                        {
                            "label": "Lumivane",
                            "type": "EXPERIMENTAL",
                            "description": "10 ml of Lumivane syrup each evening for 28 days",
                            "interventionNames": ["Drug: Lumivane syrup"],
                        },
                        {
                            "label": "Placebo",
                            "type": "PLACEBO_COMPARATOR",
                            "description": "10 ml of placebo syrup each evening for 28 days",
                            "interventionNames": ["Drug: Matching placebo syrup"],
                        },
                    ],
                    "interventions": [
                        {"type": "DRUG", "name": "Lumivane syrup", "armGroupLabels": ["Lumivane"]},
                        {"type": "DRUG", "name": "Matching placebo syrup", "armGroupLabels": ["Placebo"]},
                    ],
                },
                "eligibilityModule": {
                    "eligibilityCriteria": "Inclusion Criteria:\n\n"
                    "* Rattling heard on at least three nights of the last seven\n"
                    "* One of these kinds of saucer:\n  * porcelain\n  * enamel\n"
                    "* Able to keep a rattle diary\n\n  A helper of the same household may write it down.\n\n"
                    "Exclusion Criteria:\n\n"
                    "1. Known allergy to violet flavour\n2. Use of a saucer clamp within 14 days",
                    "healthyVolunteers": False,
                    "sex": "ALL",
                    "minimumAge": "18 Years",
                    "maximumAge": "65 Years",
                },
                "contactsLocationsModule": {
                    "centralContacts": [{"name": "Ximena Fictive, PhD"}, {"name": "Tobias Madeup-Other"}]
                },
            }
        }
    ]


@pytest.mark.parametrize(
    ("changes", "place", "expected"),
    [
        ({"nct_id": None, "identifiers": []}, ("identificationModule", "nctId"), None),
        ({"overall_status": {"label": "Napping", "code": None}}, ("statusModule",), None),
        ({"phases": [{"label": "Phase 9", "code": None}]}, ("designModule", "phases"), None),
        (
            {"funder_types": [{"label": "NIH", "code": "NIH"}]},
            ("sponsorCollaboratorsModule", "leadSponsor", "class"),
            "NIH",
        ),
        (
            {"identifiers": [{"value": "NCT99000001", "type": None}, {"value": "A", "type": None}]},
            ("identificationModule", "orgStudyIdInfo"),
            {"id": "A"},
        ),
        (
            {"identifiers": [{"value": "A", "type": None}, {"value": "B", "type": None}]},
            ("identificationModule", "secondaryIdInfos"),
            [{"id": "A"}, {"id": "B"}],
        ),
        ({"healthy_volunteers": None}, ("eligibilityModule", "healthyVolunteers"), None),
        (
            {"ages": {"label": "", "minimum": {"value": 1, "unit": "MONTHS", "years": 0.083333}, "maximum": None}},
            ("eligibilityModule", "minimumAge"),
            "1 Month",
        ),
    ],
)
def test_what_the_page_does_not_say_is_left_out(
    changes: dict[str, Any], place: tuple[str, ...], expected: object
) -> None:
    value: Any = make_study(json.loads(changed(**changes)))["protocolSection"]
    for name in place:
        value = value.get(name) if value else None
    assert value == expected


def test_every_enumeration_is_the_registrys() -> None:
    """A small check of its own, where the API description is not at hand."""
    codes = {name: set(labels.values()) for name, labels in VOCABULARIES.items()}
    for line in all_lines():
        protocol = make_study(json.loads(line))["protocolSection"]
        design = protocol.get("designModule", {})
        assert set(design.get("phases", [])) <= codes["Phase"]
        for arm in protocol.get("armsInterventionsModule", {}).get("armGroups", []):
            assert arm.get("type", "OTHER") in codes["ArmGroupType"]


@needs_registry
def test_every_study_is_valid_by_the_api_description() -> None:
    document = yaml.load((REGISTRY / "ctg-oas-v2.yaml").read_text(), Loader=yaml.CSafeLoader)
    document["components"]["schemas"]["SecondaryIdType"]["enum"].append(
        "CTIS"
    )  # the description is a draft from before it
    for schema in document["components"]["schemas"].values():
        if schema.get("type") == "object" and "properties" in schema:
            schema["additionalProperties"] = False
    root = {"$ref": "#/components/schemas/Study", "components": document["components"]}
    validator = jsonschema.Draft202012Validator(root)
    for line in all_lines():
        validator.validate(make_study(json.loads(line)))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"protocolSection": {"statusModule": {"overallStatus": "NAPPING"}}})


def test_a_client_reads_every_study() -> None:
    for line in all_lines():
        record = json.loads(line)
        study: Any = clinicaltrials.Study.from_dict(make_study(record))
        names = study.protocol_section.identification_module
        assert (names and names.nct_id) == record["nct_id"]
        if record["conditions"]:
            assert study.protocol_section.conditions_module.conditions == record["conditions"]


def test_criteria_are_text_again() -> None:
    for line in all_lines():
        record = json.loads(line)
        text = write_markdown(record) or ""
        at = 0
        for side in ("unassigned", "inclusion", "exclusion"):
            for criterion in record["eligibility"][side]:
                first = criterion["text"].split("\n")[0]
                at = text.find(first, at) + len(first)
                assert at >= len(first), f"{record['nct_id']}: {first!r} is missing, or out of its order"


# Round trip


def term(enumeration: str, code: str | None) -> dict[str, str] | None:
    """Return a term as a page prints it."""
    labels = {value: label for label, value in reversed(VOCABULARIES[enumeration].items())}  # the first label counts
    return {"label": labels[code], "code": code} if code else None


def make_record(study: dict[str, Any]) -> dict[str, Any]:
    """Make the record that a page of a study would give, as far as the page shows the study."""
    protocol = study["protocolSection"]
    names, design = protocol["identificationModule"], protocol["designModule"]
    arms = protocol.get("armsInterventionsModule", {})
    info, eligibility = design.get("designInfo", {}), protocol["eligibilityModule"]
    kinds = {
        f"{term('InterventionType', one['type'])['label']}: {one['name']}": one  # type: ignore[index]
        for one in arms.get("interventions", [])
    }
    return record_of(
        nct_id=names["nctId"],
        title=names["briefTitle"],
        brief_title=names["briefTitle"],
        acronym=names.get("acronym"),
        identifiers=[
            {"value": names["nctId"], "type": None},
            {"value": names["orgStudyIdInfo"]["id"], "type": None},
            *(
                {"value": one["id"], "type": term("SecondaryIdType", one["type"])}
                for one in names.get("secondaryIdInfos", [])
                if one.get("type")
            ),
        ],
        overall_status=term("Status", protocol["statusModule"]["overallStatus"]),
        sponsor=protocol["sponsorCollaboratorsModule"]["leadSponsor"]["name"],
        conditions=protocol["conditionsModule"]["conditions"],
        brief_summary=protocol["descriptionModule"]["briefSummary"],
        detailed_description=protocol["descriptionModule"].get("detailedDescription"),
        study_type=term("StudyType", design["studyType"]),
        phases=[term("Phase", code) for code in design.get("phases", []) if code != "NA"],
        enrollment=design["enrollmentInfo"],
        design={
            "allocation": term("DesignAllocation", info.get("allocation")),
            "intervention_model": term("InterventionalAssignment", info.get("interventionModel")),
            "primary_purpose": term("PrimaryPurpose", info.get("primaryPurpose")),
            "masking": term("DesignMasking", info.get("maskingInfo", {}).get("masking")),
        },
        interventions=[{"type": term("InterventionType", one["type"]), "name": one["name"]} for one in kinds.values()],
        arms=[
            {
                "label": arm["label"],
                "type": term("ArmGroupType", arm.get("type")),
                "description": arm.get("description"),
                "interventions": [
                    {"type": term("InterventionType", kinds[name]["type"]), "name": kinds[name]["name"]}
                    for name in arm.get("interventionNames", [])
                ],
            }
            for arm in arms.get("armGroups", [])
        ],
        sex=term("Sex", eligibility["sex"]),
        healthy_volunteers=eligibility.get("healthyVolunteers"),
    )


SHOWN = {
    "identificationModule": ("nctId", "orgStudyIdInfo", "briefTitle", "acronym"),
    "statusModule": ("overallStatus",),
    "descriptionModule": ("briefSummary", "detailedDescription"),
    "conditionsModule": ("conditions",),
    "designModule": ("studyType", "enrollmentInfo"),
    "eligibilityModule": ("sex", "healthyVolunteers"),
}


@needs_registry
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_of_the_registry_comes_back(path: Path) -> None:
    study = json.loads(path.read_text(encoding="utf-8"))
    protocol, back = study["protocolSection"], make_study(make_record(study))["protocolSection"]
    for module, names in SHOWN.items():
        for name in names:
            expected = protocol[module].get(name)
            if name == "orgStudyIdInfo":
                expected = {"id": expected["id"]}
            assert back[module].get(name) == expected, name
    own = protocol["designModule"]["designInfo"]
    for name in ("allocation", "interventionModel", "primaryPurpose"):
        assert back["designModule"].get("designInfo", {}).get(name) == own.get(name)
    phases = [code for code in protocol["designModule"].get("phases", []) if code != "NA"]
    assert back["designModule"].get("phases", []) == phases
    arms = protocol.get("armsInterventionsModule", {})
    got = back.get("armsInterventionsModule", {})
    assert got.get("armGroups") == arms.get("armGroups")
    ours = [(one["type"], one["name"], sorted(one.get("armGroupLabels", []))) for one in got.get("interventions", [])]
    theirs = [
        (one["type"], one["name"], sorted(one.get("armGroupLabels", []))) for one in arms.get("interventions", [])
    ]
    assert ours == theirs

"""Invented registry studies, the same for the same number and seed, that cover every enumeration and every trap.

Each is a study in the shape of the registry's API (version 2) and what the site decides about its page. Every fourth
study is as plain as most real ones; the others hold what real pages made hard: headings among the values, several NCT
ids, brackets, decimals, lists in lists, sub-headings of every spelling, labels that nobody knows.
"""

import re
from collections.abc import Sequence
from random import Random
from typing import Any, TypeVar

from bench.truth import INLINE, LEADS, SIDES
from trialscrape.testing import labels
from trialscrape.testing.pages import Display

T = TypeVar("T")

TITLES = (
    "Warm Lamps Against Day Blindness in Owls",
    "A Study of Tree Bathing® in Restless Clerks Aged 6-11 Years",
    "0.9% Brine Versus Tap Water for Sore Paws: An Open Trial",
    "Sleep of Lakes in Atopic Moths (AM)",
    "Long Walks for Short Legs (Part B)",
    "Humming Stones for Lakes (an observational study)",
    "Étude de la mélatonine chez les hérissons – phase pilote",
    "Does the [Blue] Lamp Help?",
    "Treatment",
    "Conditions",
    "Effect of 2,4-D on Mosses, 250 µg/m² (Moss-Cohort of the North) in Winter",
    "Trial of Device That Is Not Approved or Cleared by the U.S. FDA",
    "Tea & Biscuits < 5 g for Night Shifts",
    "Enrollment of Herons in a Register " + "With a Very Long Name " * 8,
)
ACRONYMS = ("LAMP-OWL", "FACE COVID-19", "BRAVO II", "ReLIGHT", "C-MOTHS", "NIH_HVX6", "OWL3", "PRIDE", "HUCMSC")
SPONSORS = (
    "Institute for Arboreal Medicine",
    "3Q Plumage",
    "iLamps GmbH & Co. KG",
    "Other",
    "Université de l'Étang (UE)",
    "Saint Moth University (SMU)",
    "Ärztehaus am See",
    "Sponsor logo works",
    "X",
)
CONDITIONS = (
    "Day Blindness",
    "Moth, Atlas",
    "Diabetes Mellitus, Type 2",
    "Weary Clerk Syndrome (WCS)",
    "Sex",
    "Other",
    "COVID-19",
    "HER2/neu, 3+",
    "0.5 mm Thorns: Removal",
    "Ménière’s Lamp",
    "Phase 2",
    "Healthy",
    "Pain\u2028Chronic",
    "Treatments",
)
NAMES = (
    "Lamp",
    "Brine 0.9%",
    "Tea, green (2 cups): daily",
    "2: H",
    "Phase 1 - dose finding",
    "MSC®",
    "Placebo",
    "Drug: inner name",
    "Walk [slow]",
    "β-lamp 5 µg/kg; twice",
    "Treatment:",
    "250 mg/m² moss — oral",
    "Alder",
)
LONE_IDS = (
    "KY20242307",
    "[2022]00100-3",
    "817/2559(EC1)",
    "01/2025",
    "Sacral ESP Block",
    "EUDRACT 2007-001234-56",
    "AB\\12\\C",
    "NCT 9900001",
    "RD.06.SPR.18250",
    "GET73 ¹H-MRS",
    "١٢٣٤",
)
PROSE = (
    "Clerks sit under trees for 1.5 hours, and are asked how they feel.",
    "Does the lamp help? Nobody knows (yet); see Part 2.",
    "The dose is 5 mg/kg [range 2-8], given when the score is < 3 or > 7.",
    "Owls were counted.\u2029Then they slept.",
    "Primary Objective:",
    "Inclusion criteria are listed below.",
    "32 participants are expected in 2 groups.",
    "Ein Uhu heult – laut & lang – um 3 °C.",
    "Drug: none",
    "e.g. moss",
    "١٢ participants in ٢ patient groups",
    "Cafe\u0301 and\x85tea, 5\x1fmg\u200b",
)
HEADINGS_IN_PROSE = ("Inclusion criteria", "Enrollment", "Sex", "Treatments", "Masking", "Exclusion criteria", "Ages")
CRITERIA = (
    "Age ≥ 18 years",
    "Owner of a lamp of 0.5 to 1.5 kg",
    "HbA1c < 7.5% (58 mmol/mol) within 30 days",
    "No fever > 38.5 °C in the last 7 days",
    "Signed informed consent (the clerk's or a parent's).",
    "eGFR 15-59 mL/min/1.73m²; UACR > 300 mg/g",
    "History of *any* thorn, e.g., rose or gorse",
    "Allergy to E. coli asparaginase",
    "Met an exclusion criterion of the parent study",
    "Use of a lamp within 5 days before inclusion",
    "Other protocol-defined inclusion/exclusion criteria may apply",
    "Exclusion of pregnancy by a test",
    "Sex: female",
    "lower case, no full stop",
    "Weight\u2028of 40 kg or more",
    "Dose: 2 x 10^6 cells/kg & rising",
    "[Moss 2004] score of 3_4",
    "Über 3 m – at night\xa0only",
    "Able to walk",
    "i. Owners of lamps; ii. friends of owls; iii. neither",
    "Pulse\x85of 60\x1fto 80",
    "Cafe\u0301 au lait spots",
    "١٨ years or older",
    "Pain " + "and more pain " * 30,
)
STATEMENTS = (
    "Blood pressure of at most 140 mmHg, with",
    "Not more than 2 lamps of this kind:",
    "At least 3 of these, which were seen by a nurse:",
    "Heart failure",
)
GROUPS = ("Any of the following:", "HEALTHY SUBJECTS:", "Patients must have:")
ARM_NAMES = (
    "Lamp",
    "Controls",
    "A",
    "b",
    "1",
    "Cohort 2: late starters",
    "usual care",
    "Part B (fasted)",
    "Masking",
    "Sex",
    "Other",
)
ARM_TEXTS = (
    "One lamp each night.",
    "Treatment: twice a day",
    "as in the Experimental group",
    "Tea \\[green\\] \\<5 g",
    "Sex",
    "Note: the description is on file; see Part 1.",
    "Two visits,\n\nno tablet",
    "0.5 mL/kg",
)
AGES = (
    (None, None),
    ("18 Years", None),
    ("18 Years", "65 Years"),
    (None, "14 Days"),
    ("1 Month", "16 Years"),
    ("9 Weeks", "60 Months"),
    (None, "1 Hour"),
    ("24 Hours", "48 Hours"),
    ("30 Minutes", "90 Minutes"),
    ("35 Weeks", None),
    ("1 Day", "30 Days"),
    ("0 Days", "28 Days"),
    ("1 Year", None),
    ("100 Years", "120 Years"),
    (None, "1 Minute"),
)
COUNTS = (0, 1, 2, 32, 999, 1_000, 12_345, 1_234_567)
CONTACTS = (
    "Flora Example",
    "Dr. Ulf Neverwas, MD, PhD",
    "Study Center",
    "Xiǎo Mèng",
    "Call Center, 1-800-000-0000 ext. 5",
)
SPECIAL = re.compile(r"[\\<>\[\]*_~&^`]")  # what the registry writes with a backslash


def make_study(number: int, seed: int = 1) -> tuple[dict[str, Any], Display]:
    """Make the study of a number, and what the site decides about its page."""
    random = Random(f"{seed}-{number}")
    is_plain = number % 4 == 0
    study_type = random.choice([*["INTERVENTIONAL"] * 7, *["OBSERVATIONAL"] * 3, "EXPANDED_ACCESS"])
    treatments = _make_treatments(random, number, is_plain=is_plain, study_type=study_type)
    protocol = {
        "identificationModule": _make_names(random, number, is_plain=is_plain),
        "statusModule": {"overallStatus": _make_status(random, number, study_type)},
        "sponsorCollaboratorsModule": _make_sponsors(random, number),
        "descriptionModule": _make_description(random, is_plain=is_plain),
        "conditionsModule": {
            "conditions": _sample(random, CONDITIONS[: 4 if is_plain else None], random.randint(1, 7))
        },
        "designModule": _make_design(random, number, study_type),
        "armsInterventionsModule": _make_arms(random, number, study_type, treatments, is_plain=is_plain),
        "eligibilityModule": _make_eligibility(random, number, is_plain=is_plain),
        "contactsLocationsModule": {
            "centralContacts": [
                {"name": name} for name in _sample(random, CONTACTS, random.choice([0, 0, 1, 1, 2, 3]))
            ],
            "locations": [{}] * random.choice([0, 0, 1, 3, 1_200]),
        },
    }
    documents = [{"typeAbbrev": "Prot"}] * random.choice([0] * 6 + [1, 2, 13])
    study = {"protocolSection": protocol, "documentSection": {"largeDocumentModule": {"largeDocs": documents}}}
    return study, _make_display(random, study_type)


def _sample(random: Random, options: Sequence[T], count: int) -> list[T]:
    return random.sample(options, min(count, len(options)))


def _cycle(options: Sequence[T], number: int) -> T:
    return options[number % len(options)]


def _escape(text: str) -> str:
    return SPECIAL.sub(r"\\\g<0>", text)


def _make_display(random: Random, study_type: str) -> Display:
    return Display(
        shows_identifiers=random.random() < 0.8,
        shows_status=study_type != "EXPANDED_ACCESS" or random.random() < 0.5,
        begins_in=random.choice([None, 1, 4, 12]),
        has_logo=random.random() < 0.4,
        reverses_funders=random.random() < 0.3,
        referring_site=random.choice([None] * 8 + [("ICON | Salt Lake City, UT", True), ("Other", False)]),
        has_site_links=random.random() < 0.3,
        year=random.choice([2025, 2026]),
    )


def _make_names(random: Random, number: int, *, is_plain: bool) -> dict[str, Any]:
    nct_id = f"NCT99{number % 1_000_000:06}"
    names: dict[str, Any] = {"nctId": nct_id, "briefTitle": random.choice(TITLES[: 3 if is_plain else None])}
    if random.random() < 0.3:
        names["acronym"] = random.choice(ACRONYMS)
    names["orgStudyIdInfo"] = {"id": random.choice(LONE_IDS)} | ({"type": "NIH"} if random.random() < 0.1 else {})
    types = list(labels.IDENTIFIERS)
    others = [
        {"id": f"R{number}-{place}", "type": _cycle(types, number + place)} for place in range(random.randint(0, 3))
    ]
    if not is_plain:
        others += random.choice(
            [
                [],
                [{"id": random.choice(LONE_IDS)}],
                [{"id": "NCT99999999"}],
                [{"id": "NCT99999998", "type": "REGISTRY"}],
                [{"id": "2023-A00386-39", "type": "OTHER", "domain": "IDRCB"}],
                [{"id": "WIRB Pr. No.: 20080089 (old)", "type": "OTHER"}],
                [{"id": "X-7", "type": "LOCAL_IDENTIFIER"}],
            ]
        )
    return names | ({"secondaryIdInfos": others} if others else {})


def _make_status(random: Random, number: int, study_type: str) -> str:
    if study_type == "EXPANDED_ACCESS":
        return random.choice(
            ["AVAILABLE", "NO_LONGER_AVAILABLE", "TEMPORARILY_NOT_AVAILABLE", "APPROVED_FOR_MARKETING"]
        )
    return "PAUSED" if random.random() < 0.01 else _cycle(list(labels.STATUSES), number)


def _make_sponsors(random: Random, number: int) -> dict[str, Any]:
    classes = list(labels.FUNDERS)
    lead = {"name": random.choice(SPONSORS), "class": _cycle(classes, number)}
    return {
        "leadSponsor": lead,
        "collaborators": [
            {"name": "Somebody", "class": random.choice(classes)} for _ in range(random.choice([0, 0, 1, 3]))
        ],
    }


def _make_description(random: Random, *, is_plain: bool) -> dict[str, str]:
    pool = PROSE[:3] if is_plain else PROSE
    summary = _make_prose(random, pool, random.randint(1, 3))
    if random.random() < 0.6:
        return {"briefSummary": summary}
    detailed = _make_prose(random, pool, random.randint(1, 5))
    if not is_plain and random.random() < 0.4:
        heading = random.choice(HEADINGS_IN_PROSE)
        detailed = "\n\n".join([_escape(random.choice(pool)), heading, detailed, _escape(random.choice(PROSE[:4]))])
    return {"briefSummary": summary, "detailedDescription": detailed}


def _make_prose(random: Random, pool: Sequence[str], count: int) -> str:
    parts = [_escape(random.choice(pool)) for _ in range(count)]
    if random.random() < 0.3:
        parts += ["It is asked:", "\n".join(f"* {_escape(random.choice(pool))}" for _ in range(random.randint(1, 4)))]
    return "\n\n".join(parts)


def _make_design(random: Random, number: int, study_type: str) -> dict[str, Any]:
    design: dict[str, Any] = {"studyType": study_type}
    if random.random() < 0.97:
        count = random.choice(COUNTS)
        design["enrollmentInfo"] = {"count": count, "type": random.choice(["ACTUAL", "ESTIMATED"])}
    if study_type == "OBSERVATIONAL":
        design["designInfo"] = {"observationalModel": "COHORT", "timePerspective": "PROSPECTIVE"}
    if study_type != "INTERVENTIONAL":
        return design
    phases = list(labels.PHASES)
    design["phases"] = random.choice(
        [["NA"], [_cycle(phases, number)], [_cycle(phases, number)], phases[1:3], phases[2:4]]
    )
    if random.random() < 0.95:
        purpose = "MUSING" if random.random() < 0.01 else _cycle(list(labels.PURPOSES), number)
        design["designInfo"] = {
            "primaryPurpose": purpose,
            "allocation": _cycle(list(labels.ALLOCATIONS), number),
            "interventionModel": _cycle(list(labels.MODELS), number),
            "maskingInfo": {"masking": _cycle(list(labels.MASKINGS), number + number // 5)},
        }
    return design


def _make_treatments(random: Random, number: int, *, is_plain: bool, study_type: str) -> list[dict[str, str]]:
    if study_type == "OBSERVATIONAL" and random.random() < 0.3:
        return []
    types = list(labels.TREATMENTS)
    names = _sample(random, NAMES[:3] if is_plain else NAMES, random.randint(1, 5))
    rows = [{"type": _cycle(types, number + place), "name": name} for place, name in enumerate(names)]
    if not is_plain and random.random() < 0.03:
        rows.append({"type": "NANO_LAMP", "name": "tiny"})
    return rows


def _make_arms(
    random: Random, number: int, study_type: str, treatments: list[dict[str, str]], *, is_plain: bool
) -> dict[str, Any]:
    module: dict[str, Any] = {"interventions": treatments} if treatments else {}
    if study_type == "EXPANDED_ACCESS" or random.random() < (0.4 if study_type == "OBSERVATIONAL" else 0.05):
        return module
    lines = [f"{labels.TREATMENTS.get(row['type'], 'Nano Lamp')}: {row['name']}" for row in treatments]
    names = _sample(random, ARM_NAMES[: 4 if is_plain else None], random.choice([1, 1, 2, 2, 3, 4, 6]))
    arms = []
    for place, name in enumerate(names):
        arm: dict[str, Any] = {"label": name}
        if study_type == "INTERVENTIONAL":
            arm["type"] = _cycle(list(labels.ARMS), number + place)
            if random.random() < 0.005:
                arm["type"] = "WAITLIST_COMPARATOR"
        if random.random() < 0.6:
            arm["description"] = random.choice(ARM_TEXTS[: 1 if is_plain else None])
        if lines and arm.get("type") != "NO_INTERVENTION" and random.random() < 0.85:
            arm["interventionNames"] = _sample(random, lines, random.randint(1, 3))
        if not is_plain and arm.get("interventionNames") and random.random() < 0.05:
            arm["label"] = random.choice([arm["interventionNames"][0], arm.get("description", name)])
        arms.append(arm)
    return module | {"armGroups": arms}


def _make_eligibility(random: Random, number: int, *, is_plain: bool) -> dict[str, Any]:
    low, high = _cycle(AGES, number)
    ages = {name: age for name, age in (("minimumAge", low), ("maximumAge", high)) if age}
    return ages | {
        "sex": _cycle(list(labels.SEXES), number),
        "healthyVolunteers": random.random() < 0.4,
        "eligibilityCriteria": _make_list(random) if is_plain else _make_criteria(random),
    }


def _make_list(random: Random) -> str:
    """Make the text of most studies: two flat lists under the registry's own lines."""
    sides = ("Inclusion Criteria:", "Exclusion Criteria:")
    return "\n\n".join(part for side in sides for part in (side, _write_items(random, random.randint(1, 8), 0)))


def _make_criteria(random: Random) -> str:
    forms = ["two"] * 3 + ["combined"] * 2 + ["bullets", "one", "none", "swapped", "mixed", "inline"]
    form = random.choice(forms)
    if form == "two":
        return "\n\n".join(["Inclusion Criteria:", _make_side(random), "Exclusion Criteria:", _make_side(random)])
    if form == "none":
        return _make_side(random)
    if form == "inline":
        lines = [random.choice(INLINE["inclusion"]), random.choice(CRITERIA), random.choice(INLINE["exclusion"])]
        return "\n\n".join(map(_escape, lines))
    if form == "mixed":
        return "Inclusion Criteria: - Able to walk - Owner of a lamp Exclusion Criteria: - Fever"
    inclusion, exclusion = random.choice(SIDES["inclusion"][1:]), random.choice(SIDES["exclusion"][1:])
    if form == "one":
        return "\n\n".join([random.choice([inclusion, exclusion]), _make_side(random)])
    if form == "bullets":
        rows = [inclusion, *random.choices(CRITERIA, k=3), exclusion, *random.choices(CRITERIA, k=3)]
        return "\n".join(f"* {_escape(row)}" for row in rows)
    parts = [[inclusion, _make_side(random)], [exclusion, _make_side(random)]]
    first = (
        [random.choice(CRITERIA[:6])] if random.random() < 0.1 else ["Eligibility criteria:"] * (random.random() < 0.1)
    )
    flat = [part for each in (parts[::-1] if form == "swapped" else parts) for part in each]
    return "\n\n".join([*map(_escape, first), *(flat)])


def _make_side(random: Random) -> str:
    """Make the criteria of one side in one of the shapes of real texts."""
    shape = random.choice(["list", "list", "nested", "nested", "groups", "paragraphs", "literal", "between", "deep"])
    size = random.randint(1, 6)
    if shape == "list":
        return _write_items(random, size, 0)
    if shape == "nested":
        return _write_items(random, size, 2)
    if shape == "groups":
        return "\n\n".join(
            part for lead in _sample(random, LEADS[:5], 2) for part in (lead, _write_items(random, size, 1))
        )
    if shape == "paragraphs":
        return "\n\n".join(_escape(random.choice(CRITERIA)) for _ in range(size))
    if shape == "literal":
        return "\n\n".join(f"{random.choice('•▪●')} {_escape(random.choice(CRITERIA))}" for _ in range(size))
    if shape == "between":
        return "\n\n".join([_write_items(random, size, 0), "OR", _write_items(random, size, 1)])
    return (
        f"* * {_escape(random.choice(CRITERIA))}\n  * {_escape(random.choice(CRITERIA))}\n{_write_items(random, 2, 0)}"
    )


def _write_items(random: Random, count: int, depth: int, indent: str = "", *, is_ordered: bool | None = None) -> str:
    """Write a list with lists in it, at most so deep, in the registry's markdown."""
    is_ordered = random.random() < 0.4 if is_ordered is None else is_ordered
    lines = []
    for number in range(1, count + 1):
        marker = f"{number}. " if is_ordered else "* "
        pad = indent + " " * len(marker)
        nests = depth > 0 and random.random() < 0.4
        text = random.choice(STATEMENTS + GROUPS) if nests else random.choice(CRITERIA)
        lines.append(f"{indent}{marker}{_escape(text)}")
        chance = random.random()
        if chance < 0.06:
            lines += ["", f"{pad}{_escape(random.choice(CRITERIA))}", ""]
        if nests:
            lines += ["", _write_items(random, random.randint(1, 3), depth - 1, pad)]
            if chance < 0.1:
                lines += ["", f"{pad}<!-- -->", "", _write_items(random, 2, 0, pad, is_ordered=True)]
            elif chance < 0.16:
                lines += ["", f"{pad}{_escape(random.choice(CRITERIA))}", ""]
        elif chance > 0.97:
            lines.append(f"{indent}{marker.rstrip(' ')}")
    return "\n".join(lines)

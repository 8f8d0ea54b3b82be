"""Whole pages against records and outcomes that were written by hand; how to add one is in fixtures/README.md."""

import email
import gzip
import json
import os
import plistlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from unicodedata import normalize

import pytest
from resiliparse.extract.html2text import extract_plain_text

import trialscrape
from trialscrape.parsing.layout import LAYOUT
from trialscrape.vocabulary import SEEN

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
LAYOUTS = ROOT.parent / "shared" / "layouts"
REAL_PAGES = Path(os.environ.get("TRIALSCRAPE_REAL_PAGES") or os.devnull)

GOOD = sorted(path.name for path in (FIXTURES / "pages").iterdir())
BAD: list[dict[str, Any]] = json.loads((FIXTURES / "bad.json").read_text(encoding="utf-8"))
CHARSETS = {"saved-windows-1252.html": "cp1252", "guessed-charset.txt": "cp1252", "saved-utf-16.html": "utf-16"}

# The chrome of all pages, written once more: what is known here does not come from the parser.
HEADINGS = """Status and phase|Status|Conditions|Treatments|Study type|Funder types|Identifiers|About|Full description
Details and patient eligibility|Enrollment|Sex|Ages|Volunteers|Inclusion criteria|Exclusion criteria|Trial design
Inclusion and exclusion criteria|Primary purpose|Allocation|Interventional model|Masking|Trial documents
Trial contacts and locations|Loading...|Central trial contact|Data sourced from clinicaltrials.gov"""
FOOTER = "Clinical trials|Find clinical trialsTrials by location|Research sites|Resources|Legal"
CHROME = {*re.split(r"[|\n]", HEADINGS), *FOOTER.split("|"), "ClinicalTrials.Veeva", "Menu", "<!-- -->"}
COPYRIGHT = re.compile(r"© Copyright 20[0-9]{2} Veeva Systems")
WARNINGS = """ambiguous_arms ambiguous_heading criteria_too_deep cut_page doubtful_side enrollment_differs groups_differ
guessed_charset missing_section placebo_differs stripped_page undecodable_bytes unknown_heading unknown_label
unlisted_treatment unreadable_line"""


def printed(file: str) -> str:
    """Return the text of a good page without the parser: for HTML, what the extractor of the text pages prints."""
    data = (FIXTURES / "pages" / file).read_bytes()
    data = gzip.decompress(data) if file.endswith(".gz") else data
    if file.endswith(".mhtml"):
        parts = email.message_from_bytes(data).walk()
        html = next(part for part in parts if part.get_content_type() == "text/html")
        data = cast("bytes", html.get_payload(decode=True))
    elif file.endswith(".webarchive"):
        data = plistlib.loads(data)["WebMainResource"]["WebResourceData"]
    text = data.decode(CHARSETS.get(file, "utf-8-sig"), errors="backslashreplace")
    if re.search(r"\.(html|mhtml|webarchive)", file):
        text = extract_plain_text(text, preserve_formatting=True, main_content=False, list_bullets=True)
    return text


def numbered(text: str) -> list[tuple[int, str]]:
    """Return the non-blank lines of a text with their numbers, normalized as the parser does."""
    plain = normalize("NFC", re.sub("[\t\u00a0]", " ", text.replace("\r\n", "\n")))
    return [(number, line.strip(" ")) for number, line in enumerate(plain.split("\n"), 1) if line.strip(" ")]


def is_chrome(line: str, trial: trialscrape.Trial) -> bool:
    names = [trial.sponsor, trial.referring_site and trial.referring_site.name]
    marks = [mark for name in names if name for mark in (f"{name} logo", name[0], name[0].upper())]
    gone = trial.sponsor is None and line.endswith(" logo")
    return gone or line in CHROME or line in marks or bool(COPYRIGHT.fullmatch(line))


def content(text: str, trial: trialscrape.Trial) -> list[str]:
    return [line for _, line in numbered(text) if not is_chrome(line, trial)]


def unaccounted(text: str, page: str | bytes) -> list[tuple[int, str]]:
    """Find the lines that are in no field, no chrome, and not told as unparsed either."""
    trial = trialscrape.trace(page)
    told = {line.line for line in trial.unparsed}
    told |= {number for first, last in trial.spans.values() for number in range(first, last + 1)}
    return [(n, line) for n, line in numbered(text) if n not in told and not is_chrome(line, trial)]


def expected(file: str) -> dict[str, Any]:
    """Read an expected record; a field that it does not name is empty, so a new field leaves it as it is."""
    record: dict[str, Any] = json.loads((FIXTURES / "expected" / f"{file}.json").read_text(encoding="utf-8"))
    fields = trialscrape.Trial.model_fields
    absent = {
        name: [] if fields[name].default == () else fields[name].default for name in fields.keys() - record.keys()
    }
    return {name: (record | absent)[name] for name in fields} if absent else record


def comparable(record: dict[str, Any]) -> str:
    """Write a record as JSON; the order of keys counts, the order of warnings and their messages do not."""
    warnings = [{name: warning[name] for name in ("code", "field", "line")} for warning in record["warnings"]]
    warnings.sort(key=lambda warning: (warning["line"] or 0, warning["code"]))
    source = {name: value for name, value in record["source"].items() if name != "sha256"}
    return json.dumps(record | {"source": source, "warnings": warnings}, ensure_ascii=False, indent=1)


def test_every_page_has_an_expected_record_and_every_record_a_page() -> None:
    assert {f"{file}.json" for file in GOOD} == {path.name for path in (FIXTURES / "expected").iterdir()}
    assert sorted(row["file"] for row in BAD) == sorted(path.name for path in (FIXTURES / "bad").iterdir())
    assert len(GOOD) >= 25
    assert len(BAD) >= 40


@pytest.mark.parametrize("file", GOOD)
def test_a_page_gives_the_record_that_was_written_by_hand(file: str) -> None:
    written = trialscrape.parse((FIXTURES / "pages" / file).read_bytes(), file=file).model_dump_json()
    assert comparable(json.loads(written)) == comparable(expected(file))
    assert trialscrape.Trial.model_validate_json(written).model_dump_json() == written


@pytest.mark.parametrize("file", GOOD)
def test_rendering_gives_the_lines_of_the_page_back(file: str) -> None:
    trial = trialscrape.parse((FIXTURES / "pages" / file).read_bytes())
    there = content(printed(file), trial)
    back = content(trialscrape.render(trial), trial)
    assert Counter(back) == Counter(there)
    if not trial.warnings and not trial.eligibility.unassigned:
        assert back == there


@pytest.mark.parametrize("file", GOOD)
def test_every_line_of_a_page_is_accounted_for(file: str) -> None:
    assert unaccounted(printed(file), (FIXTURES / "pages" / file).read_bytes()) == []


@pytest.mark.parametrize("row", BAD, ids=[row["file"] for row in BAD])
def test_a_bad_page_gives_its_outcome(row: dict[str, Any]) -> None:
    (outcome,) = trialscrape.parse_files([FIXTURES / "bad" / row["file"]])
    assert (outcome.outcome, outcome.line, outcome.trial) == (row["outcome"], row["line"], None)
    assert row["contains"] in (outcome.message or "")


def test_the_fixtures_show_every_label_warning_heading_and_kind_of_outcome() -> None:
    records = [expected(file) for file in GOOD]
    shown = {term for record in records for term in labels(record)}
    assert [pair for name, codes in SEEN.items() for pair in codes.items() if (name, *pair) not in shown] == []
    assert {warning["code"] for record in records for warning in record["warnings"]} == set(WARNINGS.split())
    lines = {line for file in GOOD for _, line in numbered(printed(file))}
    assert [heading for row in LAYOUT.sections for heading in row.headings if heading not in lines] == []
    assert {heading for row in LAYOUT.sections for heading in row.headings} <= CHROME
    assert {row["outcome"] for row in BAD} == {"not_a_study_page", "several_pages", "unreadable"}


def labels(record: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Return every term of a record: its registry enumeration, label and code."""
    design = record["design"] or {}
    treatments = [*record["interventions"], *(given for arm in record["arms"] for given in arm["interventions"])]
    for enumeration, terms in {
        "Status": [record["overall_status"]],
        "Phase": record["phases"],
        "InterventionType": [treatment["type"] for treatment in treatments],
        "StudyType": [record["study_type"]],
        "AgencyClass": record["funder_types"],
        "SecondaryIdType": [identifier["type"] for identifier in record["identifiers"]],
        "Sex": [record["sex"]],
        "PrimaryPurpose": [design.get("primary_purpose")],
        "DesignAllocation": [design.get("allocation")],
        "InterventionalAssignment": [design.get("intervention_model")],
        "DesignMasking": [design.get("masking")],
        "ArmGroupType": [arm["type"] for arm in record["arms"]],
    }.items():
        yield from ((enumeration, term["label"], term["code"]) for term in terms if term)


# Real pages: read where they lie, never copied. Facts were read off the pages by eye.

PLACEBO = "Placebo Comparator"
REAL_FACTS: dict[str, dict[str, Any]] = {
    "000_b5e3fb02b817c742.txt": {
        "nct_id": "NCT07240987",
        "acronym": None,
        "sponsor initial": "T",
        "overall_status": "NOT_YET_RECRUITING",
        "phases": ["PHASE2", "PHASE1"],
        "conditions": 3,
        "interventions": [("DRUG", "MSCs"), ("DRUG", "0.9% sodium chloride")],
        "study_type": "INTERVENTIONAL",
        "funder_types": ["OTHER"],
        "identifiers": [("NCT07240987", None), ("KY20242307", None)],
        "about lines": 1,
        "detailed_description": None,
        "enrollment": (32, "ESTIMATED"),
        "sex": "ALL",
        "ages": ("18+ years old", (18, "YEARS"), None),
        "healthy_volunteers": False,
        "criteria": (4, 13, 0),
        "markers": {"•"},
        "design": ("TREATMENT", "NON_RANDOMIZED", "PARALLEL", "DOUBLE"),
        "participants": (32, 4, True),
        "arms": [
            ("DKD", "Experimental", False, ["MSCs"]),
            ("HN", "Experimental", False, ["MSCs"]),
            ("non-DKD", PLACEBO, False, ["0.9% sodium chloride"]),
            ("non-HN", PLACEBO, False, ["0.9% sodium chloride"]),
        ],
        "document_count": 2,
        "location_count": 0,
        "central_contacts": 0,
    },
    "002_07ae2afbbb8c1d7f.txt": {
        "nct_id": "NCT06731192",
        "acronym": "HUCMSC",
        "sponsor initial": "G",
        "overall_status": "NOT_YET_RECRUITING",
        "phases": ["PHASE3", "PHASE2"],
        "conditions": 1,
        "interventions": [("BIOLOGICAL", "hUC-MSC"), ("DRUG", "Placebo control drug")],
        "study_type": "INTERVENTIONAL",
        "funder_types": ["OTHER"],
        "identifiers": [("NCT06731192", None), ("MR-44-24-042448", "OTHER_GRANT"), ("[2022]00100-3", None)],
        "about lines": 1,
        "detailed_description": None,
        "enrollment": (40, "ESTIMATED"),
        "sex": "ALL",
        "ages": ("3 to 12 years old", (3, "YEARS"), (12, "YEARS")),
        "healthy_volunteers": False,
        "criteria": (8, 15, 0),
        "markers": {"•"},
        "design": ("TREATMENT", "RANDOMIZED", "PARALLEL", "SINGLE"),
        "participants": (40, 2, True),
        "arms": [
            ("MSC Theatment", "Experimental", True, ["hUC-MSC"]),
            ("Placebo Control", PLACEBO, True, ["Placebo control drug"]),
        ],
        "document_count": None,
        "location_count": 0,
        "central_contacts": 1,
    },
}


@pytest.mark.parametrize("file", REAL_FACTS)
@pytest.mark.skipif(not REAL_PAGES.is_dir(), reason="TRIALSCRAPE_REAL_PAGES names no folder of real pages")
def test_a_real_page_says_what_a_reader_sees(file: str) -> None:
    text = (REAL_PAGES / file).read_text(encoding="utf-8")
    trial = trialscrape.parse(text)
    assert facts(trial) == REAL_FACTS[file]
    assert (trial.unparsed, trial.warnings, trial.source.form) == ((), (), "full")
    assert unaccounted(text, text) == []
    assert content(trialscrape.render(trial), trial) == content(text, trial)


def facts(trial: trialscrape.Trial) -> dict[str, Any]:
    """Return what REAL_FACTS tells of a page, in short forms."""
    age, design, sides = trial.ages, trial.design, trial.eligibility
    return {
        "nct_id": trial.nct_id,
        "acronym": trial.acronym,
        "sponsor initial": (trial.sponsor or "")[:1],
        "overall_status": code(trial.overall_status),
        "phases": [code(phase) for phase in trial.phases],
        "conditions": len(trial.conditions),
        "interventions": [(code(treatment.type), treatment.name) for treatment in trial.interventions],
        "study_type": code(trial.study_type),
        "funder_types": [code(funder) for funder in trial.funder_types],
        "identifiers": [(identifier.value, code(identifier.type)) for identifier in trial.identifiers],
        "about lines": len((trial.brief_summary or "").split("\n")),
        "detailed_description": trial.detailed_description,
        "enrollment": trial.enrollment and (trial.enrollment.count, trial.enrollment.type),
        "sex": code(trial.sex),
        "ages": age and (age.label, *(limit and (limit.value, limit.unit) for limit in (age.minimum, age.maximum))),
        "healthy_volunteers": trial.healthy_volunteers,
        "criteria": (len(sides.inclusion), len(sides.exclusion), len(sides.unassigned)),
        "markers": {criterion.marker for criterion in (*sides.inclusion, *sides.exclusion)},
        "design": design
        and tuple(map(code, (design.primary_purpose, design.allocation, design.intervention_model, design.masking))),
        "participants": trial.participants and tuple(trial.participants.model_dump().values()),
        "arms": [
            (arm.label, arm.type and arm.type.label, bool(arm.description), [given.name for given in arm.interventions])
            for arm in trial.arms
        ],
        "document_count": trial.document_count,
        "location_count": trial.location_count,
        "central_contacts": len(trial.central_contacts),
    }


def code(term: trialscrape.Term | None) -> str | None:
    return term.code if term else None


# What the masked layouts are warned of, beyond being cut or stripped: mostly about the line at which a copy ends.
LAYOUT_WARNINGS = {
    "efficacy-of-a-dietary-supplement-in-infants.a.txt": ["unreadable_line"],
    "holding-cuddling-plus-oral-sucrose-versus-oral-sucrose-for-reducing-venipuncture-pain-in-newborns.a.txt": [
        "unknown_label"
    ],
    "cervicogenic-headache-dose-response.a.txt": ["ambiguous_arms", "unlisted_treatment"],
    "comparison-of-patient-comfort-after-two-anesthetic-protocols-for-injections-into-the-eye.a.txt": ["doubtful_side"],
    "letrozole-versus-clomifene-citrate-for-ovulation-induction.a.txt": ["unlisted_treatment"],
    "efficacy-tolerance-and-satisfaction-with-clobex-r-spray-when-used-as-monotherapy-or-add-on-therapy-i.a.txt": [
        "ambiguous_arms"
    ],
    "exploring-muscle-breakdown-during-exercise-recovery.a.txt": ["doubtful_side"],
    "injectable-filler-for-cheek-flattening.a.txt": ["doubtful_side"],
    # The last line but one may be a treatment, or the name of the arm whose second line is cut.
    "a-study-of-tocilizumab-in-combination-with-dmards-in-patients-with-moderate-to-severe-rheumatoid-art.a.txt": [
        "ambiguous_arms"
    ],
    # Both sides stand in one paragraph.
    "investigation-of-safety-and-efficacy-of-once-daily-semaglutide-in-obese-subjects-without-diabetes-me.a.txt": [
        "doubtful_side"
    ],
    # The mask writes a treatment's second mention in other words.
    "extension-at-10-years-of-the-observational-study-evaluating-efficacy-and-costs-of-secondary-prophy.a.txt": [
        "unlisted_treatment",
        "unlisted_treatment",
    ],
}
LAYOUT_UNPARSED = {
    # The copy ends within an arm's second line, so its name is not known to be one.
    "efficacy-and-safety-of-hydroxychloroquine-for-treatment-of-covid19.a.txt": 1,
    "evaluate-the-effect-of-omalizumab-on-markers-of-asthma-impairment-in-patients-with-persistent-allerg.a.txt": 1,
    "a-study-to-the-assess-the-change-in-condition-and-adverse-events-of-onabotulinumtoxina-x-injection-i.a.txt": 1,
}


def layout_text(file: Path) -> str:
    """Return the text of a masked layout: its remarks are no part of it, and its `<…>` are no tags."""
    lines = [line for line in file.read_text(encoding="utf-8").split("\n") if not line.startswith("# ")]
    return "\n".join(lines).replace("<", "‹")


@pytest.mark.skipif(not LAYOUTS.is_dir(), reason="the masked layouts are not beside the project")
def test_every_masked_layout_is_read_and_accounted_for() -> None:
    files = sorted(LAYOUTS.glob("*.[abc].txt"))
    assert len(files) > 200
    for file in files:
        text = layout_text(file)
        trial = trialscrape.parse(text)
        assert trial.source.form == ("full" if file.name.endswith(".a.txt") else "stripped"), file.name
        codes = [warning.code for warning in trial.warnings]
        more = [code for code in codes if code not in {"cut_page", "stripped_page"}]
        assert more == LAYOUT_WARNINGS.get(file.name, []), file.name
        assert unaccounted(text, text) == [], file.name
        left = [line.text for line in trial.unparsed if "‹cut>" not in line.text]
        assert len(left) == LAYOUT_UNPARSED.get(file.name, 2 * file.name.endswith(".c.txt")), file.name

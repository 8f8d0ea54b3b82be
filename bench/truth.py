"""What the record of a page must say, from the registry's JSON of the study: the truth that accuracy is measured by.

It is written from the definition of the record, for the pages of `trialscrape.testing.pages`, and shares nothing with
the parser or the registry client. Values are JSON, as `Trial.model_dump(mode="json")` gives it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from unicodedata import normalize

from trialscrape.testing import labels, pages
from trialscrape.testing.markdown import ListBlock, MarkdownBlock, TextBlock, collapse_blanks, read_markdown
from trialscrape.testing.pages import Display, RegistryStudy

SIDES: Mapping[str, Sequence[str]] = {
    "inclusion": (
        "Inclusion Criteria:",
        "Key Inclusion Criteria:",
        "key Inclusion Criteria:",
        "Inclusion criteria",
        "Inclusion Criteria",
        "Inclusion Criteria :",
        "Inclusion:",
        "Inclusion",
        "INCLUSION CRITERIA",
        "Inclusion Criteria (in summary):",
        "Inclusion criteria (Part A)",
        "Inclusion Criteria -",
        "A. Inclusion Criteria:",
        "Patient's inclusion criteria",
        "Hearing group (planned 30) - Inclusion criteria:",
    ),
    "exclusion": (
        "Exclusion Criteria:",
        "Exclusion criteria:",
        "Key Exclusion Criteria:",
        "key Exclusion Criteria:",
        "Exclusion criteria",
        "Exclusion Criteria",
        "Exclusion Criteria :",
        "Exclusion:",
        "Exclusion",
        "EXCLUSION CRITERIA FOR BOTH GROUPS",
        "Exclusion Criteria (any of the following):",
        "Exclusion criteria (Part A)",
        "Exclusion Criteria -",
        "B. Exclusion Criteria:",
        "Non inclusion criteria",
        "Patient's exclusion criteria",
    ),
}
"""Sub-headings of a section for both sides, by the side that they name; from real pages."""

INLINE: Mapping[str, Sequence[str]] = {
    "inclusion": ("Inclusion Criteria: - Able to walk - Owner of a lamp", "Inclusion Criteria: owners of lamps"),
    "exclusion": ("Exclusion Criteria: - Fever - Cough", "Key Exclusion Criteria: any fever"),
}
"""Sub-headings with their criteria behind them on the line: they name the side, and are criteria."""

LEADS = (
    "Patients must have:",
    "For adolescent participants:",
    "For parent participants:",
    "HEALTHY SUBJECTS:",
    "Any of the following:",
    "Eligibility criteria:",
)
"""Lines that only introduce others, and name no side."""

_SIDE_BY_TEXT = {text: side for table in (SIDES, INLINE) for side, texts in table.items() for text in texts}
_HEADINGS = {*(text for texts in SIDES.values() for text in texts), *LEADS}
_LITERAL_MARKERS = ("• ", "▪ ", "● ")
_DAYS_A_YEAR = 365.25
_YEARS = {
    "YEARS": 1,
    "MONTHS": 1 / 12,
    "WEEKS": 7 / _DAYS_A_YEAR,
    "DAYS": 1 / _DAYS_A_YEAR,
    "HOURS": 1 / _DAYS_A_YEAR / 24,
    "MINUTES": 1 / _DAYS_A_YEAR / 24 / 60,
}
_Node = dict[str, Any]


def expect_record(study: RegistryStudy, display: Display | None = None) -> dict[str, Any]:
    """Return the value that each field of a page's record must have; those of the design and the criteria by path."""
    display = display or Display()
    design = pages.get_design(study) if _get_type(study) != "EXPANDED_ACCESS" else None
    sponsor = pages.get_part(study, "sponsorCollaboratorsModule", "leadSponsor", "name")
    record = {
        "nct_id": pages.get_part(study, "identificationModule", "nctId") if display.shows_identifiers else None,
        "title": pages.print_title(study),
        "brief_title": collapse_blanks(pages.get_part(study, "identificationModule", "briefTitle")),
        "acronym": pages.get_part(study, "identificationModule", "acronym"),
        "sponsor": collapse_blanks(sponsor),
        "overall_status": _expect_status(study, display),
        "phases": [_make_term(labels.PHASES, code) for code in pages.list_phases(study)],
        "conditions": [collapse_blanks(name) for name in pages.get_part(study, "conditionsModule", "conditions")],
        "interventions": [_make_treatment(code, name) for code, name in pages.list_treatments(study)],
        "study_type": _make_term(labels.STUDY_TYPES, _get_type(study)),
        "funder_types": [_make_term(labels.FUNDERS, code) for code in pages.list_funders(study, display)],
        "identifiers": [_make_identifier(*row) for row in pages.list_identifiers(study, display)],
        "brief_summary": _expect_prose(study, "briefSummary"),
        "detailed_description": _expect_prose(study, "detailedDescription"),
        "enrollment": _expect_enrollment(study),
        "sex": _make_term(labels.SEXES, pages.get_part(study, "eligibilityModule", "sex")),
        "ages": _expect_ages(study),
        "healthy_volunteers": pages.get_part(study, "eligibilityModule", "healthyVolunteers"),
        "eligibility.combined": pages.split_criteria(study) is None,
        **{f"design.{part}": _make_term(table, (design or {}).get(part)) for part, table in _DESIGN.items()},
        "participants": _expect_participants(study),
        "arms": []
        if _get_type(study) == "EXPANDED_ACCESS"
        else [_expect_arm(study, arm) for arm in pages.list_arms(study)],
        "document_count": pages.count_documents(study),
        "location_count": pages.count_locations(study),
        "central_contacts": pages.list_contacts(study),
        "referring_site": _expect_site(display),
        **{f"eligibility.{side}": nodes for side, nodes in _expect_criteria(study).items()},
    }
    return {field: _normalize(value) for field, value in record.items()}


_DESIGN = {
    "primary_purpose": labels.PURPOSES,
    "allocation": labels.ALLOCATIONS,
    "intervention_model": labels.MODELS,
    "masking": labels.MASKINGS,
}


def _get_type(study: RegistryStudy) -> str:
    return str(pages.get_part(study, "designModule", "studyType"))


def _make_term(table: Mapping[str, str], code: str | None) -> dict[str, str | None] | None:
    return {"label": pages.print_label(table, code), "code": code if code in table else None} if code else None


def _make_treatment(code: str, name: str) -> dict[str, Any]:
    return {"type": _make_term(labels.TREATMENTS, code), "name": name}


def _make_identifier(value: str, code: str | None) -> dict[str, Any]:
    """Return an identifier; a last bracket that is no known type belongs to its value."""
    if code and code not in labels.IDENTIFIERS:
        return {"value": f"{value} ({pages.print_label(labels.IDENTIFIERS, code)})", "type": None}
    return {"value": value, "type": _make_term(labels.IDENTIFIERS, code)}


def _expect_status(study: RegistryStudy, display: Display) -> dict[str, str | None] | None:
    label = pages.print_status(study, display)
    code = pages.get_part(study, "statusModule", "overallStatus")
    return {"label": label, "code": code if code in labels.STATUSES else None} if label else None


def _expect_prose(study: RegistryStudy, name: str) -> str | None:
    text = pages.get_part(study, "descriptionModule", name)
    return "\n".join(pages.write_blocks(read_markdown(text))) if text else None


def _expect_enrollment(study: RegistryStudy) -> dict[str, Any] | None:
    enrollment = pages.get_enrollment(study)
    return {"count": enrollment[0], "type": enrollment[1]} if enrollment else None


def _expect_ages(study: RegistryStudy) -> dict[str, Any] | None:
    low, high = (_expect_age(pages.get_part(study, "eligibilityModule", name)) for name in ("minimumAge", "maximumAge"))
    return {"label": pages.print_ages(study), "minimum": low, "maximum": high} if low or high else None


def _expect_age(age: str | None) -> dict[str, Any] | None:
    if not age:
        return None
    count, word = age.split()
    unit = word.upper().removesuffix("S") + "S"
    return {"value": int(count), "unit": unit, "years": round(int(count) * _YEARS[unit], 6)}


def _expect_participants(study: RegistryStudy) -> dict[str, Any] | None:
    sentence = pages.count_participants(study)
    if sentence is None or _get_type(study) == "EXPANDED_ACCESS":
        return None
    return dict(zip(("count", "groups", "placebo_group"), sentence, strict=True))


def _expect_arm(study: RegistryStudy, arm: Mapping[str, Any]) -> dict[str, Any]:
    codes = {
        f"{pages.print_label(labels.TREATMENTS, code)}: {name}": (code, name)
        for code, name in pages.list_treatments(study)
    }
    description = collapse_blanks(arm.get("description") or "")
    return {
        "label": collapse_blanks(arm["label"]),
        "type": _make_term(labels.ARMS, arm.get("type")),
        "description": description or None,
        "interventions": [_make_treatment(*codes[collapse_blanks(name)]) for name in arm.get("interventionNames", ())],
    }


def _expect_site(display: Display) -> dict[str, Any] | None:
    return dict(zip(("name", "veeva_enabled"), display.referring_site, strict=True)) if display.referring_site else None


def _expect_criteria(study: RegistryStudy) -> dict[str, list[_Node]]:
    """Return the criteria of each side as the definition of the record has them."""
    sides: dict[str, list[_Node]] = {"inclusion": [], "exclusion": [], "unassigned": []}
    split = pages.split_criteria(study)
    if split:
        for side, text in zip(("inclusion", "exclusion"), split, strict=True):
            _add_blocks(read_markdown(text), sides, side, names_sides=False)
    else:
        text = pages.get_part(study, "eligibilityModule", "eligibilityCriteria") or ""
        _add_blocks(read_markdown(text), sides, "unassigned", names_sides=True)
    return sides


def _add_blocks(
    blocks: Iterable[MarkdownBlock], sides: dict[str, list[_Node]], side: str, *, names_sides: bool
) -> None:
    """Add top-level blocks: a list belongs to a line above it that ends in a colon, else to the side."""
    lead: _Node | None = None
    for block in blocks:
        if isinstance(block, ListBlock):
            for item in _read_items(block):
                if names_sides and item["text"] in _SIDE_BY_TEXT:
                    side, lead = _SIDE_BY_TEXT[item["text"]], None
                (lead["children"] if lead else sides[side]).append(item)
            continue
        for line in [] if block.is_comment else block.lines:
            side = _SIDE_BY_TEXT.get(line, side) if names_sides else side
            if line[:2] in _LITERAL_MARKERS:
                (lead["children"] if lead else sides[side]).append(_make_node(line[2:], line[0]))
                continue
            node = _make_node(line, None)
            sides[side].append(node)
            lead = node if line.endswith(":") else None


def _read_items(block: ListBlock) -> list[_Node]:
    nodes: list[_Node] = []
    for number, item in enumerate(block.items, 1):
        nodes += _read_item(item, f"{number}." if block.is_ordered else "•")
    return nodes


def _read_item(item: Iterable[MarkdownBlock], marker: str) -> list[_Node]:
    """Read an item: what stands behind its nested list is a child of its own; one without a text is its list."""
    parts = [part for part in item if not (isinstance(part, TextBlock) and part.is_comment)]
    nodes: list[_Node] = []
    for part in parts:
        children = nodes[0]["children"] if nodes else nodes
        if isinstance(part, ListBlock):
            children += _read_items(part)
        elif not nodes:
            nodes.append(_make_node("\n".join(part.lines), marker))
        elif children:
            children.append(_make_node("\n".join(part.lines), None))
        else:
            nodes[0]["text"] += "\n\n" + "\n".join(part.lines)
            nodes[0]["kind"] = "criterion"
    return nodes


def _make_node(text: str, marker: str | None) -> _Node:
    return {"kind": "heading" if text in _HEADINGS else "criterion", "text": text, "marker": marker, "children": []}


def _normalize(value: Any) -> Any:  # noqa: ANN401  it is JSON
    """Normalize all strings as the record does: NFC, no-break blanks as blanks."""
    if isinstance(value, str):
        return "\n".join(line.rstrip(" ") for line in normalize("NFC", value).replace("\xa0", " ").split("\n"))
    if isinstance(value, list):
        return [_normalize(each) for each in value]
    return {key: _normalize(each) for key, each in value.items()} if isinstance(value, dict) else value

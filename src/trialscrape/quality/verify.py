"""A page against its registry record, field by field.

The registry's record is its JSON (API version 2). Compared is what both can show; blanks, list markers and the
backslashes of the registry's markdown do not count, neither does the order of what is a set.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from trialscrape.errors import RecordFileError
from trialscrape.quality.criteria_diff import SIDES, flatten, match_equal
from trialscrape.records import Age, Intervention, Term, Trial

Verdict = Literal["equal", "differs", "not_on_page", "other_name"]

RegistryStudy = Mapping[str, Any]

_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
_MARKER = re.compile(r"^\s*(?:[*+•-]|[0-9]{1,3}[.)])\s+")
_SIDE = re.compile(r"\W*(?:(?:key|main|major) )?(inclusion|exclusion) criteria\W*", re.IGNORECASE)
_AGE = re.compile(r"([0-9]+) ([A-Za-z]+?)s?")
_COMMENT = "<!-- -->"


class Finding(NamedTuple):
    """What the comparison of one field found.

    Attributes:
        study: The NCT id.
        field: The field, as `overall_status`, `design.masking`, `arms` or `eligibility.inclusion`.
        item: The label of the arm, where it is about one.
        verdict: `equal`; `differs`; `not_on_page`, where the page says nothing of it; `other_name` for a sponsor, since
            the site has names of its own.
        page: What the page says; of criteria the lines that the registry does not have.
        registry: What the registry says; of criteria the lines that the page does not have.
    """

    study: str
    field: str
    item: str | None
    verdict: Verdict
    page: Any
    registry: Any


class Compared(NamedTuple):
    """A field that both show: how to read it from a record, and from the registry's protocol section."""

    field: str
    of_page: Callable[[Trial], Any]
    of_registry: Callable[[Mapping[str, Any]], Any]


def verify(trial: Trial, study: RegistryStudy) -> Iterator[Finding]:
    """Compare a page with the registry's record of its study.

    Args:
        trial: What the page says.
        study: The registry's JSON of one study, with its `protocolSection`.

    Yields:
        A finding for each field of which one of them says something.

    Raises:
        RecordFileError: The registry's JSON has another shape.
    """
    nct_id = trial.nct_id or get_id(study) or ""
    try:
        findings = _compare_study(trial, study)
    except (AttributeError, KeyError, TypeError) as error:
        # Most of the registry's fields are compared as they are; a model of all would say no more than this.
        raise RecordFileError(f"the registry's record of {nct_id} has another shape than version 2: {error}") from error
    return (finding._replace(study=nct_id) for finding in findings if finding)


def _compare_study(trial: Trial, study: RegistryStudy) -> list[Finding | None]:
    protocol = study["protocolSection"]
    return [
        *_compare_title(trial, _follow(protocol, "identificationModule") or {}),
        *(_judge(fact.field, fact.of_page(trial), fact.of_registry(protocol)) for fact in FACTS),
        *_compare_documents(trial, study),
        *_find_lost_arms(trial, _follow(protocol, "armsInterventionsModule", "armGroups") or []),
        *_compare_criteria(trial, _follow(protocol, "eligibilityModule", "eligibilityCriteria")),
    ]


def get_id(study: object) -> str | None:
    """Return the NCT id of the registry's JSON of a study; None where it is something else."""
    value = _follow(study, "protocolSection", "identificationModule", "nctId") if isinstance(study, Mapping) else None
    return value if isinstance(value, str) else None


def _judge(field: str, page: Any, registry: Any, item: str | None = None) -> Finding | None:  # noqa: ANN401  any JSON
    if page is None and registry is None:
        return None
    verdict: Verdict = "equal" if page == registry else "not_on_page" if page is None else "differs"
    if field == "sponsor" and verdict == "differs":
        verdict = "other_name"
    return Finding("", field, item, verdict, page, registry)


def _compare_title(trial: Trial, names: Mapping[str, Any]) -> Iterator[Finding | None]:
    """Compare the title with both of the registry's, with or without the acronym that the site adds."""
    acronym = _simplify_line(names.get("acronym"))
    titles = [title for name in ("briefTitle", "officialTitle") if (title := _simplify_line(names.get(name)))]
    shown = _simplify_line(trial.title)
    forms = {*titles, *(f"{title} ({acronym})" for title in titles)}
    yield _judge("title", shown, shown if shown in forms else next(iter(titles), None))
    # What the page's last bracket holds is an acronym only if the registry has one.
    yield _judge("acronym", acronym and trial.acronym, acronym)


def _compare_documents(trial: Trial, study: RegistryStudy) -> Iterator[Finding | None]:
    # Where the section is missing, the study has none, or the file has only the protocol.
    documents = _follow(study, "documentSection", "largeDocumentModule", "largeDocs")
    if documents:
        yield _judge("document_count", trial.document_count, len(documents))


def _find_lost_arms(trial: Trial, arms: list[Mapping[str, Any]]) -> Iterator[Finding | None]:
    """Compare arms by label; where the page shows arms, one that it lacks is lost."""
    if not trial.arms:
        yield _judge("arms", None, _sort_set(_simplify_line(arm.get("label")) for arm in arms))
        return
    labels = [_simplify_line(arm.get("label")) for arm in arms]
    shown = [_simplify_line(arm.label) for arm in trial.arms]
    matches = match_equal(labels, shown)
    for number, label in enumerate(labels):
        if number not in matches:
            yield Finding("", "arms", label, "differs", None, label)
            continue
        arm, other = trial.arms[matches[number]], arms[number]
        yield _judge("arms.type", _get_code(arm.type), other.get("type"), label)
        description = _simplify_prose(other.get("description"))
        yield _judge("arms.description", _simplify_prose(arm.description), description, label)
        names = _sort_set(map(_simplify_line, other.get("interventionNames") or []))
        yield _judge("arms.interventions", _sort_set(map(_name_intervention, arm.interventions)), names, label)
    for number in sorted(set(range(len(shown))) - set(matches.values())):
        yield Finding("", "arms", shown[number], "differs", shown[number], None)


def _name_intervention(intervention: Intervention) -> str | None:
    return _simplify_line(f"{intervention.type.label}: {intervention.name}")


def _compare_criteria(trial: Trial, text: str | None) -> Iterator[Finding | None]:
    """Compare the criteria line by line, side by side where both tell the sides apart."""
    registry = _divide_sides(text)
    eligibility = trial.eligibility
    page = {
        side: [line for one in flatten(getattr(eligibility, side)) for line in _list_criteria_lines(one.text)]
        for side in SIDES
    }
    if set(registry) != {"inclusion", "exclusion"} or page["unassigned"]:
        registry = {"": [line for lines in registry.values() for line in lines]}
        page = {"": [line for lines in page.values() for line in lines]}
    for side, lines in registry.items():
        yield _judge_lines(f"eligibility.{side}".removesuffix("."), page[side], lines)


def _divide_sides(text: str | None) -> dict[str, list[str]]:
    """Divide the registry's criteria where each side has one heading, inclusion first."""
    lines = _list_lines(text)
    headings = [(number, match[1].lower()) for number, line in enumerate(lines) if (match := _SIDE.fullmatch(line))]
    if [side for _, side in headings] != ["inclusion", "exclusion"] or headings[0][0]:
        return {"": [line for line in lines if not _SIDE.fullmatch(line)]}
    middle = headings[1][0]
    return {"inclusion": lines[1:middle], "exclusion": lines[middle + 1 :]}


def _list_criteria_lines(text: str) -> list[str]:
    return [line for line in _list_lines(text) if not _SIDE.fullmatch(line)]


def _judge_lines(field: str, page: list[str], registry: list[str]) -> Finding | None:
    """Judge two lists of lines; a line that one of them breaks into two is the same."""
    if not page and not registry:
        return None
    if " ".join(page) == " ".join(registry):
        return Finding("", field, None, "equal", None, None)
    if not page:
        return Finding("", field, None, "not_on_page", None, registry)
    more, missing = (
        list((Counter(one) - Counter(other)).elements()) for one, other in ((page, registry), (registry, page))
    )
    if not more and not missing:  # in another order
        more, missing = page, registry
    return Finding("", field, None, "differs", more, missing)


# Fields


def _follow(value: Any, *path: str) -> Any:  # noqa: ANN401  any JSON
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _at(*path: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda protocol: _follow(protocol, *path)


def _simplify_line(text: str | None) -> str | None:
    return " ".join(unicodedata.normalize("NFC", _ESCAPE.sub("", text or "")).split()) or None


def _read_text(*path: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda protocol: _simplify_line(_follow(protocol, *path))


def _simplify_prose(text: str | None) -> str | None:
    """Return a text without blank lines and list markers, which the page sets in its own way."""
    return "\n".join(_list_lines(text)) or None


def _list_lines(text: str | None) -> list[str]:
    bare = (_simplify_line(_MARKER.sub("", line)) for line in (text or "").split("\n"))
    return [line for line in bare if line and line != _COMMENT]


def _sort_set(values: Iterable[str | None]) -> list[str] | None:
    return sorted({value for value in values if value}) or None


def _get_code(term: Term | None) -> str | None:
    return (term.code or term.label) if term else None


def _read_interventions(protocol: Mapping[str, Any]) -> list[str] | None:
    listed = _follow(protocol, "armsInterventionsModule", "interventions") or []
    return _sort_set(f"{one.get('type')}: {_simplify_line(one.get('name'))}" for one in listed)


def _read_funders(protocol: Mapping[str, Any]) -> list[str] | None:
    module = _follow(protocol, "sponsorCollaboratorsModule") or {}
    return _sort_set(
        one.get("class") for one in [module.get("leadSponsor") or {}, *(module.get("collaborators") or [])]
    )


def _read_identifiers(protocol: Mapping[str, Any]) -> list[str] | None:
    module = _follow(protocol, "identificationModule") or {}
    others = [module.get("orgStudyIdInfo") or {}, *(module.get("secondaryIdInfos") or [])]
    return _sort_set([module.get("nctId"), *(_simplify_line(one.get("id")) for one in others)])


def _read_enrollment(protocol: Mapping[str, Any]) -> str | None:
    info = _follow(protocol, "designModule", "enrollmentInfo") or {}
    return None if info.get("count") is None else f"{info['count']} {info.get('type')}"


def _read_registry_age(name: str) -> Callable[[Mapping[str, Any]], Any]:
    def read(protocol: Mapping[str, Any]) -> str | None:
        text = _simplify_line(_follow(protocol, "eligibilityModule", name))
        match = _AGE.fullmatch(text or "")
        return f"{match[1]} {match[2].upper()}S" if match else text

    return read


def _read_limit(name: str) -> Callable[[Trial], Any]:
    def read(trial: Trial) -> str | None:
        age: Age | None = getattr(trial.ages, name, None)
        return f"{age.value} {age.unit}" if age else None

    return read


def _read_page_id(trial: Trial) -> str | None:
    matched = any(warning.code == "nct_id_not_on_page" for warning in trial.warnings)
    return None if matched else trial.nct_id


def _read_part(name: str) -> Callable[[Trial], Any]:
    return lambda trial: _get_code(getattr(trial.design, name)) if trial.design else None


_DESIGN = ("designModule", "designInfo")
FACTS = (
    Compared("nct_id", _read_page_id, _at("identificationModule", "nctId")),
    Compared(
        "sponsor",
        lambda trial: _simplify_line(trial.sponsor),
        _read_text("sponsorCollaboratorsModule", "leadSponsor", "name"),
    ),
    Compared("overall_status", lambda trial: _get_code(trial.overall_status), _at("statusModule", "overallStatus")),
    Compared(
        "phases",
        lambda trial: _sort_set(map(_get_code, trial.phases)),
        lambda protocol: _sort_set(one for one in _follow(protocol, "designModule", "phases") or [] if one != "NA"),
    ),
    Compared(
        "conditions",
        lambda trial: _sort_set(map(_simplify_line, trial.conditions)),
        lambda protocol: _sort_set(map(_simplify_line, _follow(protocol, "conditionsModule", "conditions") or [])),
    ),
    Compared(
        "interventions",
        lambda trial: _sort_set(f"{_get_code(one.type)}: {_simplify_line(one.name)}" for one in trial.interventions),
        _read_interventions,
    ),
    Compared("study_type", lambda trial: _get_code(trial.study_type), _at("designModule", "studyType")),
    Compared("funder_types", lambda trial: _sort_set(map(_get_code, trial.funder_types)), _read_funders),
    Compared(
        "identifiers",
        lambda trial: _sort_set(_simplify_line(one.value) for one in trial.identifiers),
        _read_identifiers,
    ),
    Compared(
        "brief_summary",
        lambda trial: _simplify_prose(trial.brief_summary),
        lambda protocol: _simplify_prose(_follow(protocol, "descriptionModule", "briefSummary")),
    ),
    Compared(
        "detailed_description",
        lambda trial: _simplify_prose(trial.detailed_description),
        lambda protocol: _simplify_prose(_follow(protocol, "descriptionModule", "detailedDescription")),
    ),
    Compared(
        "enrollment",
        lambda trial: f"{trial.enrollment.count} {trial.enrollment.type}" if trial.enrollment else None,
        _read_enrollment,
    ),
    Compared("sex", lambda trial: _get_code(trial.sex), _at("eligibilityModule", "sex")),
    Compared("ages.minimum", _read_limit("minimum"), _read_registry_age("minimumAge")),
    Compared("ages.maximum", _read_limit("maximum"), _read_registry_age("maximumAge")),
    Compared(
        "healthy_volunteers",
        lambda trial: trial.healthy_volunteers,
        _at("eligibilityModule", "healthyVolunteers"),
    ),
    Compared("design.primary_purpose", _read_part("primary_purpose"), _at(*_DESIGN, "primaryPurpose")),
    Compared("design.allocation", _read_part("allocation"), _at(*_DESIGN, "allocation")),
    Compared("design.intervention_model", _read_part("intervention_model"), _at(*_DESIGN, "interventionModel")),
    Compared("design.masking", _read_part("masking"), _at(*_DESIGN, "maskingInfo", "masking")),
    Compared(
        "location_count",
        lambda trial: trial.location_count,
        lambda protocol: len(_follow(protocol, "contactsLocationsModule", "locations") or []),
    ),
    Compared(
        "central_contacts",
        lambda trial: _sort_set(map(_simplify_line, trial.central_contacts)),
        lambda protocol: _sort_set(
            _simplify_line(one.get("name"))
            for one in _follow(protocol, "contactsLocationsModule", "centralContacts") or []
        ),
    ),
)
"""What a page and the registry both show in one value; title, arms and criteria are compared in a way of their own."""

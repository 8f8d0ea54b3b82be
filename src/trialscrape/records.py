"""What a trial is: frozen models, in the order of their JSON.

They know nothing of labels or pages, so they read their own JSON back: `Trial.model_validate_json(line)`.
Codes are enumerations of the ClinicalTrials.gov API v2.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from typing import Annotated, Final, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal["alarm", "doubt", "note"]
"""What a warning asks for: the site may have changed; look at this page; nothing."""

SEVERITIES: Mapping[str, Severity] = {
    "ambiguous_arms": "doubt",
    "ambiguous_heading": "doubt",
    "criteria_too_deep": "doubt",
    "cut_page": "doubt",
    "doubtful_side": "doubt",
    "empty_section": "alarm",
    "enrollment_differs": "doubt",
    "groups_differ": "doubt",
    "guessed_charset": "doubt",
    "missing_section": "alarm",
    "nct_id_not_on_page": "note",
    "old_record": "doubt",
    "placebo_differs": "doubt",
    "stripped_page": "doubt",
    "undecodable_bytes": "doubt",
    "unknown_heading": "alarm",
    "unknown_label": "alarm",
    "unlisted_treatment": "doubt",
    "unreadable_line": "alarm",
}
"""Every warning code, and how severe it is."""

SIDES = ("inclusion", "exclusion", "unassigned")
"""The sides of the eligibility criteria, in their order."""

_LONGEST_SHOWN = 80
_Node = TypeVar("_Node")

SCHEMA_VERSION: Final = 2
"""Version of the record: it grows when a field changes its meaning."""

NctId = Annotated[str, Field(pattern=r"^NCT[0-9]{8}$")]
Count = Annotated[int, Field(ge=0, lt=2**63)]  # what databases and Parquet hold
_LineNumber = Annotated[int, Field(ge=1, lt=2**63)]


def walk_tree(
    nodes: Iterable[_Node], children: Callable[[_Node], Iterable[_Node]], above: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], _Node]]:
    """Walk trees in preorder; the path of a node is its number among its siblings, from 1, behind those above it."""
    for number, node in enumerate(nodes, 1):
        path = (*above, number)
        yield path, node
        yield from walk_tree(children(node), children, path)


class _Record(BaseModel):
    # What the page does not say is in the JSON too, so the schema requires it.
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Term(_Record):
    """A value of a closed vocabulary."""

    label: str = Field(description="What the page prints.")
    code: str | None = Field(
        description="ClinicalTrials.gov API v2 enumeration value; null where the label is unknown."
    )


class Intervention(_Record):
    """One treatment of the study."""

    type: Term = Field(description="`InterventionType`.")
    name: str = Field(description="What is given or done.")


class Identifier(_Record):
    """One identifier of the study; the type is null where the page gives none."""

    value: str = Field(description="The identifier.")
    type: Term | None = Field(description="`OrgStudyIdType` or `SecondaryIdType`; null where the page gives none.")


class Enrollment(_Record):
    """How many participants the study has, or expects."""

    count: Count = Field(description="How many.")
    type: Literal["ACTUAL", "ESTIMATED"] = Field(description="Whether they were counted or are expected.")


class Age(_Record):
    """An age limit."""

    value: Count = Field(description="How many units.")
    unit: Literal["YEARS", "MONTHS", "WEEKS", "DAYS", "HOURS", "MINUTES"] = Field(description="The unit.")
    years: float = Field(ge=0, description="The same in years, six decimals, so that ages of all units compare.")


class Ages(_Record):
    """The ages that may take part: the page's words, and the limits read from them."""

    label: str = Field(description="What the page prints.")
    minimum: Age | None = Field(description="The least age; null without one.")
    maximum: Age | None = Field(description="The greatest age, included; null without one.")


class Criterion(_Record):
    """One line of the eligibility criteria, with what is nested under it."""

    kind: Literal["criterion", "heading"] = Field(
        description="`heading` for a line that only introduces others and states no requirement of its own."
    )
    text: str = Field(description="The words of the page, without the marker.")
    marker: str | None = Field(description="What stood before the text (`•`, `1.`); null for a line without one.")
    children: tuple["Criterion", ...] = Field(description="What is nested under it.")


class PlacedCriterion(NamedTuple):
    """A criterion and its place.

    Attributes:
        side: `inclusion`, `exclusion` or `unassigned`.
        path: Its number among its siblings, from 1, behind those of the criteria that it is nested under.
        criterion: The criterion, with what is nested under it.
    """

    side: str
    path: tuple[int, ...]
    criterion: Criterion


class Eligibility(_Record):
    """The criteria; `unassigned` holds what the page gives to neither side, or not clearly."""

    combined: bool = Field(
        description="Whether the page has one section for both sides, so that they were read from sub-headings."
    )
    inclusion: tuple[Criterion, ...] = Field(description="Who may take part.")
    exclusion: tuple[Criterion, ...] = Field(description="Who may not.")
    unassigned: tuple[Criterion, ...] = Field(description="What the page gives to neither side, or not clearly.")


class Design(_Record):
    """The design rows of an interventional study."""

    primary_purpose: Term | None = Field(description="`PrimaryPurpose`.")
    allocation: Term | None = Field(description="`DesignAllocation`.")
    intervention_model: Term | None = Field(description="`InterventionalAssignment`.")
    masking: Term | None = Field(description="`DesignMasking`.")


class Participants(_Record):
    """The sentence above the arms."""

    count: Count = Field(description="How many participants.")
    groups: Count = Field(description="In how many groups.")
    placebo_group: bool = Field(description="Whether one of them gets a placebo.")


class Arm(_Record):
    """One arm or group; observational groups have no type."""

    label: str = Field(description="Its name.")
    type: Term | None = Field(description="`ArmGroupType`; observational groups have none.")
    description: str | None = Field(description="Its description.")
    interventions: tuple[Intervention, ...] = Field(description="What it gets.")


class ReferringSite(_Record):
    """The research site whose listing led to the page: the banner above the title."""

    name: str = Field(description="Its name.")
    veeva_enabled: bool = Field(description="Whether the banner says that it uses Veeva.")


class Source(_Record):
    """Where the page came from, and whether it is the full or the stripped text form."""

    model_config = ConfigDict(serialize_by_alias=True)

    schema_version: Literal[2] = Field(default=SCHEMA_VERSION, alias="schema", description="Version of the record.")
    file: str | None = Field(description="The page's file as given; `archive!member` for a member of an archive.")
    url: str | None = Field(description="As fetched, or what the saved page says of itself.")
    sha256: str = Field(description="Of the page's bytes as they were given, in hexadecimal.")
    form: Literal["full", "stripped"] = Field(
        description="Whether the page has its headings and chrome (full), or lacks some (stripped)."
    )


class UnparsedLine(_Record):
    """A line of the page that went into no field and is no known chrome; `line` counts from 1."""

    line: _LineNumber = Field(description="Its number, from 1.")
    text: str = Field(description="The line.")


class PageWarning(_Record):
    """Something doubtful. The codes are stable and listed in docs/warnings.md."""

    code: str = Field(description="What is doubtful, as a stable code.")
    severity: Severity = Field(description="`alarm`: the site may have changed; `doubt`: look at this page; `note`.")
    field: str | None = Field(description="The field it is about; null where it is about the page.")
    line: _LineNumber | None = Field(description="The line it is about, from 1.")
    message: str = Field(description="What was expected, and what was found.")


def warning(code: str, message: str, *, field: str | None = None, line: int | None = None) -> PageWarning:
    """Make a warning; its code says how severe it is."""
    return PageWarning(code=code, severity=SEVERITIES[code], field=field, line=line, message=message)


class Trial(_Record):
    """One study page. Null is what the page does not say; an empty list is an empty section."""

    nct_id: NctId | None = Field(default=None, description="The first identifier that is an NCT id.")
    title: str | None = Field(default=None, description="The title line, whole.")
    brief_title: str | None = Field(default=None, description="The title without the acronym's bracket.")
    acronym: str | None = Field(default=None, description="The title's last round bracket, where it is an acronym.")
    sponsor: str | None = Field(default=None, description="The line under the title.")
    overall_status: Term | None = Field(default=None, description="The status; ClinicalTrials.gov API v2 `Status`.")
    phases: tuple[Term, ...] = Field(default=(), description="The phases, in the page's order; `Phase`.")
    conditions: tuple[str, ...] = Field(default=(), description="The conditions, a line each.")
    interventions: tuple[Intervention, ...] = Field(
        default=(), description="The treatments, with their types; `InterventionType`."
    )
    study_type: Term | None = Field(default=None, description="The study type; `StudyType`.")
    funder_types: tuple[Term, ...] = Field(
        default=(), description="The classes of sponsor and collaborators; `AgencyClass`."
    )
    identifiers: tuple[Identifier, ...] = Field(default=(), description="All identifiers, the NCT id included.")
    brief_summary: str | None = Field(default=None, description="The lines of About.")
    detailed_description: str | None = Field(default=None, description="The lines of Full description.")
    enrollment: Enrollment | None = Field(default=None, description="How many participants the study has, or expects.")
    sex: Term | None = Field(default=None, description="Which sexes may take part; `Sex`.")
    ages: Ages | None = Field(
        default=None, description="Which ages may take part; null on a full page is a study without limits."
    )
    healthy_volunteers: bool | None = Field(default=None, description="Whether healthy volunteers may take part.")
    eligibility: Eligibility = Field(description="The criteria, by side.")
    design: Design | None = Field(default=None, description="The design rows; null where there is none of them.")
    participants: Participants | None = Field(default=None, description="What the sentence above the arms says.")
    arms: tuple[Arm, ...] = Field(default=(), description="The arms or groups.")
    document_count: Count | None = Field(default=None, description="How many trial documents the page lists.")
    location_count: Count | None = Field(default=None, description="How many locations the page has.")
    central_contacts: tuple[str, ...] = Field(default=(), description="The central contacts, a person or centre each.")
    referring_site: ReferringSite | None = Field(
        default=None, description="The research site whose listing led to the page."
    )
    source: Source = Field(description="Where the page came from.")
    unparsed: tuple[UnparsedLine, ...] = Field(
        default=(), description="Every line that went into no field and is no known chrome."
    )
    warnings: tuple[PageWarning, ...] = Field(default=(), description="What is doubtful.")

    def criteria(self) -> Iterator[PlacedCriterion]:
        """Walk all criteria in preorder, side by side: inclusion, exclusion, unassigned."""
        for side in SIDES:
            for path, criterion in walk_tree(getattr(self.eligibility, side), lambda one: one.children):
                yield PlacedCriterion(side, path, criterion)

    def __repr__(self) -> str:
        counts = f"criteria {sum(1 for _ in self.criteria())}, arms {len(self.arms)}, warnings {len(self.warnings)}"
        return f"<{type(self).__name__} {self.nct_id}: {_shorten(self.title)}; {counts}>"

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        counts = {side: len(getattr(self.eligibility, side)) for side in SIDES}
        facts = {
            "title": self.title,
            "sponsor": self.sponsor,
            "status": self.overall_status and self.overall_status.label,
            "phases": ", ".join(term.label for term in self.phases),
            "conditions": ", ".join(self.conditions),
            "interventions": ", ".join(intervention.name for intervention in self.interventions),
            "ages": self.ages and self.ages.label,
            "criteria": ", ".join(f"{count} {side}" for side, count in counts.items() if count),
            "arms": ", ".join(arm.label for arm in self.arms),
            "warnings": ", ".join(sorted({warning.code for warning in self.warnings})),
        }
        rows = "".join(
            f"<tr><th>{name}</th><td>{escape(_shorten(value))}</td></tr>" for name, value in facts.items() if value
        )
        return f"<table><caption>{self.nct_id or 'no NCT id on the page'}</caption>{rows}</table>"


def _shorten(text: str | None) -> str:
    return f"{text[:_LONGEST_SHOWN]}…" if text and len(text) > _LONGEST_SHOWN else str(text)


class TracedTrial(Trial):
    """A trial with the source lines of each field.

    `spans` maps a field (`conditions`, `eligibility.inclusion`, …), or a criterion by its side and path
    (`eligibility.inclusion.2.1`), to `[first, last]`, both from 1 and inclusive,
    counted in the page's text; for an HTML page that is the text its elements give.
    """

    spans: dict[str, tuple[int, int]] = Field(description="A field to its first and last line, from 1.")

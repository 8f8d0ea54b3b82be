"""A trial back to the text of its page.

Of a page that was read without doubt, the lines that are not blank come back in their order, known chrome aside. What
the record does not hold is written in one canonical way: indents follow the nesting of the criteria, and blank lines
stand between blocks only. A stripped page comes back stripped. A section for both sides comes back as its unassigned
criteria, then inclusion, then exclusion: how they alternated on the page is not in the record. Of a page with two
sections, what is unassigned comes last.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from trialscrape.parsing.sections import BANNER, SITE, VEEVA_ENABLED
from trialscrape.records import Arm, Criterion, Identifier, Intervention, Term, Trial
from trialscrape.vocabulary import HEALTHY_VOLUNTEERS

Lines = Iterable[str]


class _Row(NamedTuple):
    """A heading, what writes the lines under it, and whether it stands there without any."""

    heading: str
    lines: Callable[[Trial], Lines]
    always: bool = False


def render(trial: Trial) -> str:
    """Write the page text of a trial; lines that were unparsed come last, behind the footer."""
    stripped = trial.source.form == "stripped"
    blocks = [] if stripped and trial.title is None else list(_preamble(trial))
    blocks += ["Status and phase" if trial.phases else "Status", "\n".join(_status(trial))]
    criteria_rows = _COMBINED if trial.eligibility.combined else _TWO_SIDES
    for row in (*_HEAD, *criteria_rows, *_TAIL):
        text = "\n".join(row.lines(trial))
        if text or row.always:
            blocks += [row.heading, text]
    blocks += [line.text for line in trial.unparsed]
    separator = "\n" if stripped else "\n\n"
    return separator.join(filter(None, blocks)).replace("Trial documents\n\n", "Trial documents\n") + "\n"


def _preamble(trial: Trial) -> Iterator[str]:
    yield from SITE
    if trial.referring_site:
        name = trial.referring_site.name
        yield from (BANNER, f"{name} logo", name, VEEVA_ENABLED if trial.referring_site.veeva_enabled else "")
    yield trial.title or ""
    if trial.sponsor:
        yield from (f"{trial.sponsor} logo", trial.sponsor)


def _status(trial: Trial) -> Lines:
    return (*_label(trial.overall_status), *_labels(trial.phases))


def _label(term: Term | None) -> Lines:
    return (term.label,) if term else ()


def _labels(terms: Iterable[Term]) -> Lines:
    return (term.label for term in terms)


def _text(value: str | int | None) -> Lines:
    return () if value is None else (str(value),)


def _interventions(interventions: Iterable[Intervention]) -> Lines:
    return (f"{intervention.type.label}: {intervention.name}" for intervention in interventions)


def _identifiers(identifiers: Iterable[Identifier]) -> Lines:
    return (f"{i.value} ({i.type.label})" if i.type else i.value for i in identifiers)


def _enrollment(trial: Trial) -> Lines:
    if trial.enrollment:
        estimated = "estimated " if trial.enrollment.type == "ESTIMATED" else ""
        yield f"{trial.enrollment.count:,} {estimated}{_noun('patient', trial.enrollment.count)}"


def _volunteers(trial: Trial) -> Lines:
    return (label for label, accepted in HEALTHY_VOLUNTEERS.items() if accepted is trial.healthy_volunteers)


def _side(name: str) -> Callable[[Trial], Lines]:
    return lambda trial: _criteria(getattr(trial.eligibility, name))


def _both_sides(trial: Trial) -> Lines:
    sides = trial.eligibility
    return _criteria((*sides.unassigned, *sides.inclusion, *sides.exclusion))


def _criteria(criteria: Iterable[Criterion], level: int = 1) -> Iterator[str]:
    for criterion in criteria:
        at_margin = level == 1 and criterion.marker is None and (not criterion.children or criterion.text.endswith(":"))
        pad = "" if at_margin else "  " * level
        first, *more = criterion.text.split("\n")
        yield pad + (f"{criterion.marker} {first}".rstrip(" ") if criterion.marker else first)
        yield from (f"{pad}  {line}" if line else "" for line in more)
        yield from _criteria(criterion.children, level if at_margin else level + 1)


def _design(field: str) -> Callable[[Trial], Lines]:
    return lambda trial: _label(getattr(trial.design, field) if trial.design else None)


def _participants(trial: Trial) -> Lines:
    told = trial.participants
    if told:
        yield (
            f"{told.count:,} {_noun('participant', told.count)} in {told.groups:,} "
            f"{_noun('patient group', told.groups)}{', including a placebo group' if told.placebo_group else ''}"
        )
        yield ""
    for arm in trial.arms:
        yield from _arm(arm)


def _arm(arm: Arm) -> Lines:
    yield arm.label
    if arm.type:
        yield f"{arm.type.label} group"
    if arm.description is not None:
        yield from ("Description:", arm.description)
    if arm.interventions:
        yield from ("Treatment:", *_interventions(arm.interventions))


def _noun(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


_HEAD = (
    _Row("Conditions", lambda trial: trial.conditions, always=True),
    _Row("Treatments", lambda trial: _interventions(trial.interventions)),
    _Row("Study type", lambda trial: _label(trial.study_type), always=True),
    _Row("Funder types", lambda trial: _labels(trial.funder_types)),
    _Row("Identifiers", lambda trial: _identifiers(trial.identifiers), always=True),
    _Row("Details and patient eligibility", lambda _: (), always=True),
    _Row("About", lambda trial: _text(trial.brief_summary), always=True),
    _Row("Full description", lambda trial: _text(trial.detailed_description)),
    _Row("Enrollment", _enrollment),
    _Row("Sex", lambda trial: _label(trial.sex), always=True),
    _Row("Ages", lambda trial: _text(trial.ages.label if trial.ages else None)),
    _Row("Volunteers", _volunteers, always=True),
)
_TWO_SIDES = (
    _Row("Inclusion criteria", _side("inclusion"), always=True),
    _Row("Exclusion criteria", _side("exclusion"), always=True),
    _Row("", _side("unassigned")),
)
_COMBINED = (_Row("Inclusion and exclusion criteria", _both_sides),)
_TAIL = (
    _Row("Trial design", lambda _: (), always=True),
    _Row("Primary purpose", _design("primary_purpose")),
    _Row("Allocation", _design("allocation")),
    _Row("Interventional model", _design("intervention_model")),
    _Row("Masking", _design("masking")),
    _Row("", _participants),  # no heading: the sentence begins the block
    _Row("Trial documents", lambda trial: _text(trial.document_count)),
    _Row("Trial contacts and locations", lambda trial: _text(trial.location_count), always=True),
    _Row("Loading...", lambda _: (), always=True),
    _Row("Central trial contact", lambda trial: _text("; ".join(trial.central_contacts) or None)),
    _Row("Data sourced from clinicaltrials.gov", lambda _: (), always=True),
    _Row("Clinical trials", lambda _: ("", "Find clinical trialsTrials by location"), always=True),
    _Row("© Copyright 2026 Veeva Systems", lambda _: (), always=True),
)

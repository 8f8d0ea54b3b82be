"""One record, laid out for a terminal."""

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from trialscrape.cli.console import escape_controls
from trialscrape.records import Arm, Criterion, Term, Trial


def display(trial: Trial) -> RenderableType:
    """Lay out a record."""
    head = Text(escape_controls(trial.title or "no title"), style="bold")
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, value in _list_facts(trial):
        if value:
            table.add_row(name, Text(escape_controls(value)))
    parts: list[RenderableType] = [Panel(head, subtitle=Text(trial.nct_id or "no NCT id on the page")), table]
    sides = ((side, getattr(trial.eligibility, side)) for side in ("inclusion", "exclusion", "unassigned"))
    parts += [_display_criteria(side, criteria) for side, criteria in sides if criteria]
    parts += [_display_arm(arm) for arm in trial.arms]
    parts += [
        Text(escape_controls(f"unparsed, line {line.line}: {line.text}"), style="yellow") for line in trial.unparsed
    ]
    parts += [Text(escape_controls(f"{warning.code}: {warning.message}"), style="yellow") for warning in trial.warnings]
    return Group(*parts)


def _list_facts(trial: Trial) -> Iterator[tuple[str, str]]:
    enrollment, participants, volunteers = trial.enrollment, trial.participants, trial.healthy_volunteers
    yield "sponsor", trial.sponsor or ""
    yield "status", ", ".join(_labels((trial.overall_status, *trial.phases)))
    yield "conditions", "\n".join(trial.conditions)
    yield (
        "interventions",
        "\n".join(f"{intervention.type.label}: {intervention.name}" for intervention in trial.interventions),
    )
    yield "study type", ", ".join(_labels((trial.study_type, *(term for _, term in trial.design or ()))))
    yield "funders", ", ".join(_labels(trial.funder_types))
    yield "identifiers", "\n".join(identifier.value for identifier in trial.identifiers)
    yield "enrollment", f"{enrollment.count:,} {enrollment.type.lower()}" if enrollment else ""
    yield "groups", str(participants.groups) if participants else ""
    yield "sex", ", ".join(_labels((trial.sex,)))
    yield "ages", trial.ages.label if trial.ages else ""
    yield "healthy volunteers", {True: "accepted", False: "not accepted", None: ""}[volunteers]
    yield "locations", "" if trial.location_count is None else f"{trial.location_count:,}"
    yield "contacts", "\n".join(trial.central_contacts)
    yield "summary", trial.brief_summary or ""
    yield "description", trial.detailed_description or ""


def _labels(terms: Iterable[Term | None]) -> list[str]:
    return [term.label for term in terms if term]


def _display_criteria(side: str, criteria: Iterable[Criterion]) -> Tree:
    tree = Tree(Text(f"{side} criteria", style="cyan"))
    _grow(tree, criteria)
    return tree


def _grow(tree: Tree, criteria: Iterable[Criterion]) -> None:
    for criterion in criteria:
        marked = f"{criterion.marker} {criterion.text}" if criterion.marker else criterion.text
        _grow(tree.add(Text(escape_controls(marked))), criterion.children)


def _display_arm(arm: Arm) -> Tree:
    kind = f" ({arm.type.label})" if arm.type else ""
    tree = Tree(Text.assemble(("arm ", "cyan"), escape_controls(arm.label + kind)))
    if arm.description:
        tree.add(Text(escape_controls(arm.description)))
    for intervention in arm.interventions:
        tree.add(Text(escape_controls(f"{intervention.type.label}: {intervention.name}")))
    return tree

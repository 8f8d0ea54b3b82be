"""One record, laid out for a terminal: what it says, the lines of the page it is from, and where the page is from."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from trialscrape.cli.console import escape_controls
from trialscrape.records import SIDES, Arm, Criterion, Term, TracedTrial, Trial
from trialscrape.store.database import format_time

MOST_LINES = 12
"""Lines on the terminal that a field takes at most, unless all is wanted."""


class _Field(NamedTuple):
    """A row: a name, what stands there, and the fields of the record that say where it is from."""

    name: str
    value: str | RenderableType
    traced: tuple[str, ...] = ()
    lines: str = ""
    style: str = ""


class _Cut(NamedTuple):
    """Something to print, without the lines behind the first ones."""

    whole: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.whole, options, pad=False)
        # A line that says that one line is missing would take its place.
        shown = lines if len(lines) <= MOST_LINES + 1 else lines[:MOST_LINES]
        for line in shown:
            yield from line
            yield Segment.line()
        if more := len(lines) - len(shown):
            yield Text(f"… {more:,} more lines; --full shows all", style="dim")


def print_record(
    trial: Trial, *, place: str | None = None, fetched_at: datetime | None = None, full: bool = False
) -> None:
    """Print a record to stdout.

    Args:
        trial: The record; one with spans is shown with the lines of its fields.
        place: Where the record is from, if that is not what it says itself.
        fetched_at: When its page was fetched, where that is known.
        full: Show long texts and lists whole.
    """
    Console(markup=False, highlight=False).print(display(trial, place=place, fetched_at=fetched_at, full=full))


def display(
    trial: Trial, *, place: str | None = None, fetched_at: datetime | None = None, full: bool = False
) -> RenderableType:
    """Lay out a record; the arguments are those of `print_record`."""
    head = Text(escape_controls(trial.title or "no title"), style="bold")
    spans = trial.spans if isinstance(trial, TracedTrial) else {}
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    if spans:
        table.add_column(style="dim", justify="right", no_wrap=True)
    table.add_column(ratio=1)
    if spans:
        table.add_row("", "line")
    for name, value, traced, lines, style in _list_fields(trial, _describe_source(trial, place, fetched_at)):
        if not value:
            continue
        shown = Text(escape_controls(value), style=style) if isinstance(value, str) else value
        cells = [name, lines or _format_spans(spans[field] for field in traced if field in spans)] if spans else [name]
        table.add_row(*cells, shown if full else _Cut(shown))
    return Group(Panel(head, subtitle=Text(trial.nct_id or "no NCT id on the page")), table)


def _format_spans(spans: Iterable[tuple[int, int]]) -> str:
    found = list(spans)
    if not found:
        return ""
    first, last = min(first for first, _ in found), max(last for _, last in found)
    return f"{first}" if first == last else f"{first}–{last}"


def _describe_source(trial: Trial, place: str | None, fetched_at: datetime | None) -> str:
    """Say where the page is, where it was fetched and when, and in which form it is."""
    source = trial.source
    form = f"{source.form} page" + (f", fetched {format_time(fetched_at)}" if fetched_at else "")
    return "\n".join(filter(None, dict.fromkeys((place, source.file, source.url, form))))


def _list_fields(trial: Trial, source: str) -> Iterator[_Field]:
    enrollment, participants, design = trial.enrollment, trial.participants, trial.design
    yield _Field("sponsor", trial.sponsor or "", ("sponsor",))
    yield _Field("status", _join_labels(trial.overall_status), ("overall_status",))
    yield _Field("phases", _join_labels(*trial.phases), ("phases",))
    yield _Field("conditions", "\n".join(trial.conditions), ("conditions",))
    yield _Field(
        "interventions", "\n".join(f"{one.type.label}: {one.name}" for one in trial.interventions), ("interventions",)
    )
    yield _Field("study type", _join_labels(trial.study_type), ("study_type",))
    for name in type(design).model_fields if design else ():
        yield _Field(name.replace("_", " "), _join_labels(getattr(design, name)), (f"design.{name}",))
    yield _Field("funders", _join_labels(*trial.funder_types), ("funder_types",))
    yield _Field("identifiers", "\n".join(identifier.value for identifier in trial.identifiers), ("identifiers",))
    yield _Field("enrollment", f"{enrollment.count:,} {enrollment.type.lower()}" if enrollment else "", ("enrollment",))
    yield _Field("groups", str(participants.groups) if participants else "", ("participants",))
    yield _Field("sex", _join_labels(trial.sex), ("sex",))
    yield _Field("ages", trial.ages.label if trial.ages else "", ("ages",))
    volunteers = {True: "accepted", False: "not accepted", None: ""}[trial.healthy_volunteers]
    yield _Field("healthy volunteers", volunteers, ("healthy_volunteers",))
    yield _Field("documents", _format_count(trial.document_count), ("document_count",))
    yield _Field("locations", _format_count(trial.location_count), ("location_count",))
    yield _Field("contacts", "\n".join(trial.central_contacts), ("central_contacts",))
    yield _Field("referring site", trial.referring_site.name if trial.referring_site else "", ("referring_site",))
    yield _Field("summary", trial.brief_summary or "", ("brief_summary",))
    yield _Field("description", trial.detailed_description or "", ("detailed_description",))
    for side in SIDES:
        if criteria := getattr(trial.eligibility, side):
            yield _Field(side, _lay_out_criteria(criteria), (f"eligibility.{side}",))
    for number, arm in enumerate(trial.arms):
        yield _Field("" if number else "arms", _lay_out_arm(arm), () if number else ("arms",))
    for line in trial.unparsed:
        yield _Field("unparsed", line.text, lines=str(line.line), style="yellow")
    for warning in trial.warnings:
        message = f"{warning.code}: {warning.message}"
        yield _Field("warning", message, lines=str(warning.line or ""), style="yellow")
    yield _Field("source", source, style="dim")


def _join_labels(*terms: Term | None) -> str:
    return ", ".join(term.label for term in terms if term)


def _format_count(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _lay_out_criteria(criteria: Iterable[Criterion]) -> Tree:
    tree = Tree("", hide_root=True, guide_style="dim")
    _grow(tree, criteria)
    return tree


def _grow(tree: Tree, criteria: Iterable[Criterion]) -> None:
    for criterion in criteria:
        marker = f"{criterion.marker} " if criterion.marker else ""
        marked = marker + criterion.text.replace("\n", "\n" + " " * len(marker))
        style = "bold" if criterion.kind == "heading" else ""
        _grow(tree.add(Text(escape_controls(marked), style=style)), criterion.children)


def _lay_out_arm(arm: Arm) -> Tree:
    kind = f" ({arm.type.label})" if arm.type else ""
    tree = Tree(Text(escape_controls(arm.label + kind), style="bold"), guide_style="dim")
    if arm.description:
        tree.add(Text(escape_controls(arm.description)))
    for intervention in arm.interventions:
        tree.add(Text(escape_controls(f"{intervention.type.label}: {intervention.name}")))
    return tree

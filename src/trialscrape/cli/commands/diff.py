"""`diff`: what changed between two sets of records."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, report_errors, usage_error
from trialscrape.cli.differences import TROUBLE, Difference, print_differences, write_rows
from trialscrape.quality.diff import FIELDS, StudyChange, compare
from trialscrape.quality.pairing import Pair, pair_trials
from trialscrape.quality.record_sets import read_trials
from trialscrape.sources.files import STDIN
from trialscrape.wording import write_count


def diff(
    old: Annotated[
        str,
        typer.Argument(metavar="OLD", help="A record file, - for stdin, a store, STORE@2026-01-31 or STORE@VERSION."),
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Likewise.")],
    *,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="FIELD", help="Leave out its changes; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write a change a line, as JSON.")] = False,
) -> None:
    """Show what changed between two sets of records, by meaning.

    Arms are matched by label, criteria by text.
    """
    if unknown := [name for name in ignore or [] if name not in FIELDS]:
        usage_error(f"there is no field {', '.join(unknown)}; choose from {', '.join(FIELDS)}")
    if old == new == STDIN:
        usage_error("stdin can be read once: give a file for one of the two")
    tally: Counter[str] = Counter()
    with report_errors(code=TROUBLE):
        pairs = pair_trials(read_trials(old, echo_error), read_trials(new, echo_error), echo_error)
        changes = compare(_count_pairs(pairs, tally), ignore=ignore or ())
        for study, changes_of_study in groupby(changes, key=lambda change: change.study):
            listed = list(changes_of_study)
            kind = listed[0].change if listed[0].field is None else "changed"
            tally[kind] += 1
            if as_json:
                write_rows(change._asdict() for change in listed)
            else:
                print_differences(study, map(_describe_change, listed))
    counts = ", ".join(f"{tally[kind]:,} {kind}" for kind in ("changed", "added", "removed"))
    echo_error(f"{write_count(tally['studies'], 'study', 'studies')}: {counts}")
    if tally.total() > tally["studies"]:
        raise typer.Exit(1)


def _count_pairs(pairs: Iterable[Pair], tally: Counter[str]) -> Iterator[Pair]:
    for pair in pairs:
        tally["studies"] += 1
        yield pair


def _describe_change(change: StudyChange) -> Difference:
    """Say what changed; a criterion that moved or changed its side has no values to show."""
    field = change.field or "study"
    if change.change == "moved":
        return Difference(f"{field} moved from {change.old} to {change.new}: {change.item}", None, None)
    if change.change == "changed_side":
        return Difference(f"{field} changed side from {change.old} to {change.new}: {change.item}", None, None)
    item = "" if change.item is None else f" of {change.item!r}" if change.change == "changed" else f" {change.item!r}"
    return Difference(f"{field}{item} {change.change}", change.old, change.new)

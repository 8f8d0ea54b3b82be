"""`diff`: what changed between two sets of records."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from trialscrape.cli.console import echo_error, escape_controls, report_errors, usage_error
from trialscrape.exports.jsonl import format_row
from trialscrape.quality.diff import FIELDS, Change, compare
from trialscrape.quality.pairing import Pair, pair_trials
from trialscrape.quality.record_files import STDIN, read_trials

_TROUBLE = 2  # 1 says that something changed


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

    Arms are matched by label, criteria by text. Exit code 0 when nothing changed, 1 when something did, 2 for trouble.
    """
    if unknown := [name for name in ignore or [] if name not in FIELDS]:
        usage_error(f"there is no field {', '.join(unknown)}; choose from {', '.join(FIELDS)}")
    if old == new == STDIN:
        usage_error("stdin can be read once: give a file for one of the two")
    tally: Counter[str] = Counter()
    with report_errors(code=_TROUBLE):
        pairs = pair_trials(read_trials(old, echo_error), read_trials(new, echo_error), echo_error)
        changes = compare(_count_pairs(pairs, tally), ignore=ignore or ())
        for study, changes_of_study in groupby(changes, key=lambda change: change.study):
            listed = list(changes_of_study)
            kind = listed[0].change if listed[0].field is None else "changed"
            tally[kind] += 1
            if as_json:
                _write_rows(listed)
            else:
                print_changes(study, listed)
    counts = ", ".join(f"{tally[kind]:,} {kind}" for kind in ("changed", "added", "removed"))
    echo_error(f"{tally['studies']:,} studies: {counts}")
    if tally.total() > tally["studies"]:
        raise typer.Exit(1)


def _count_pairs(pairs: Iterable[Pair], tally: Counter[str]) -> Iterator[Pair]:
    for pair in pairs:
        tally["studies"] += 1
        yield pair


def _write_rows(changes: Iterable[Change]) -> None:
    # Not as text: on a narrow terminal that would not be JSON.
    sys.stdout.buffer.writelines(format_row(change._asdict()) + b"\n" for change in changes)


# For people


def print_changes(study: str, changes: Iterable[Change]) -> None:
    """Print the changes of a study for a person: what was there before behind a `-`, what is there now behind a `+`."""
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(Text(escape_controls(study), style="bold"))
    for change in changes:
        console.print(Text(f"  {escape_controls(_describe(change))}", style="cyan"))
        before, now = _list_values(change)
        for mark, style, values in (("-", "red", before), ("+", "green", now)):
            for value in values:
                console.print(Text(f"    {mark} {escape_controls(value)}".replace("\n", "\n      "), style=style))


def _describe(change: Change) -> str:
    field = change.field or "study"
    if change.change == "moved":
        return f"{field} moved from {change.old} to {change.new}: {change.item}"
    if change.change == "changed_side":
        return f"{field} changed side from {change.old} to {change.new}: {change.item}"
    item = "" if change.item is None else f" of {change.item!r}" if change.change == "changed" else f" {change.item!r}"
    return f"{field}{item} {change.change}"


def _list_values(change: Change) -> tuple[list[str], list[str]]:
    """Return the lines to show of a change: of two lists what only one of them has."""
    if change.change in {"moved", "changed_side"}:
        return [], []
    old, new = change.old, change.new
    if isinstance(old, list) and isinstance(new, list):
        gone, came = [one for one in old if one not in new], [one for one in new if one not in old]
        if gone or came:
            old, new = gone, came
    return _format_lines(old), _format_lines(new)


def _format_lines(value: Any) -> list[str]:  # noqa: ANN401  any value of a record
    if value is None:
        return []
    return [_format_value(one) for one in value] if isinstance(value, list) else [_format_value(value)]


def _format_value(value: Any) -> str:  # noqa: ANN401  as above
    """Write a value as the page would, where it has a label or a name."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        if "code" in value or value.keys() == {"label", "minimum", "maximum"}:
            return str(value["label"])
        if value.keys() == {"type", "name"}:
            return f"{_format_value(value['type'])}: {value['name']}"
        filled = ((name, _format_lines(one)) for name, one in value.items())
        return "; ".join(f"{name.replace('_', ' ')}: {', '.join(lines)}" for name, lines in filled if lines)
    return json.dumps(value, ensure_ascii=False)

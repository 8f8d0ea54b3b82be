"""Differences between two versions or sources of a study, for a person and for a program."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from trialscrape.cli.console import escape_controls
from trialscrape.exports.jsonl import format_row

TROUBLE = 2
"""The exit code of a command that compares, where it could not: 1 says that something differs."""


class Difference(NamedTuple):
    """What differs, in words, and the two values as in the JSON of a record."""

    what: str
    old: Any
    new: Any


def write_rows(rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows to stdout as JSON lines in UTF-8, whatever the terminal's charset is."""
    sys.stdout.buffer.writelines(format_row(row) + b"\n" for row in rows)


def print_differences(study: str, differences: Iterable[Difference]) -> None:
    """Print the differences of a study for a person: the old value behind a `-`, the new one behind a `+`."""
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(Text(escape_controls(study), style="bold"))
    for what, old, new in differences:
        console.print(Text(f"  {escape_controls(what)}", style="cyan"))
        before, now = _leave_common(old, new)
        for mark, style, values in (("-", "red", before), ("+", "green", now)):
            for value in _format_lines(values):
                console.print(Text(f"    {mark} {escape_controls(value)}".replace("\n", "\n      "), style=style))


def _leave_common(old: Any, new: Any) -> tuple[Any, Any]:  # noqa: ANN401  any values of a record
    """Leave out of two lists what both have, unless that is everything."""
    if isinstance(old, list) and isinstance(new, list):
        gone, came = [one for one in old if one not in new], [one for one in new if one not in old]
        if gone or came:
            return gone, came
    return old, new


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

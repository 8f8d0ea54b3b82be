"""The formats of records: a name to the endings of its files and what writes it.

A new format is one file beside this one and one row.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from trialscrape.errors import UnknownFormat
from trialscrape.exports.json import open_json
from trialscrape.exports.jsonl import open_jsonl
from trialscrape.extras import load_extra


class Format(NamedTuple):
    """A format of records.

    Attributes:
        ending: What the name of such a file ends in.
        open: Opens a writer on a file, or on stdout for None. The writer takes a record as its line of JSON; the file
            gets its name when the writer is closed.
        library: The optional library that it needs, and the extra that installs it.
    """

    ending: str
    open: Callable[[Path | None], AbstractContextManager[Callable[[bytes], object]]]
    library: tuple[str, str] | None = None


FORMATS = {
    "jsonl": Format(".jsonl", open_jsonl),
    "json": Format(".json", open_json),
}
"""Every format by its name; the first is the default of stdout."""


def choose_format(path: Path | None, name: str | None) -> Format:
    """Choose a format by its name, else by the ending of the file, else the default.

    Raises:
        UnknownFormat: There is no such name or ending.
        MissingExtraError: The format needs a library that is not installed.
    """
    chosen = _find_format(path, name)
    if chosen.library:
        load_extra(*chosen.library)
    return chosen


def name_outcomes(records: Path) -> Path:
    """Name the outcomes beside the records: `trials.jsonl` gives `trials.outcomes.jsonl`."""
    ending = next((row.ending for row in FORMATS.values() if records.name.lower().endswith(row.ending)), "")
    return records.with_name(f"{records.name[: len(records.name) - len(ending)]}.outcomes.jsonl")


def _find_format(path: Path | None, name: str | None) -> Format:
    if name is None and path is None:
        return next(iter(FORMATS.values()))
    for known, row in FORMATS.items():
        if name == known or (name is None and path and path.name.lower().endswith(row.ending)):
            return row
    if name is not None:
        raise UnknownFormat(f"there is no format {name!r}; choose from {', '.join(FORMATS)}")
    endings = ", ".join(row.ending for row in FORMATS.values())
    raise UnknownFormat(f"cannot tell the format of {path} by its name: end it in one of {endings}, or add --format")

"""The formats of records: a name to the endings of its files and what writes it.

A new format is one file beside this one and one row.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from trialscrape.errors import UnknownFormat
from trialscrape.exports.json import open_json
from trialscrape.exports.jsonl import open_jsonl


class Format(NamedTuple):
    """A format of records.

    Attributes:
        ending: What the name of such a file ends in.
        open: Opens a writer on a stream. The writer takes a record as its line of JSON; the file is complete when it
            is closed.
    """

    ending: str
    open: Callable[[BinaryIO], AbstractContextManager[Callable[[bytes], None]]]


FORMATS = {
    "jsonl": Format(".jsonl", open_jsonl),
    "json": Format(".json", open_json),
}
"""Every format by its name; the first is the default of stdout."""


def choose_format(path: Path | None, name: str | None) -> Format:
    """Choose a format by its name, else by the ending of the file, else the default.

    Raises:
        UnknownFormat: There is no such name or ending.
    """
    if name is None and path is None:
        return next(iter(FORMATS.values()))
    for known, row in FORMATS.items():
        if name == known or (name is None and path and path.name.lower().endswith(row.ending)):
            return row
    if name is not None:
        raise UnknownFormat(f"there is no format {name!r}; choose from {', '.join(FORMATS)}")
    endings = " or ".join(row.ending for row in FORMATS.values())
    raise UnknownFormat(f"cannot tell the format of {path} by its name: end it in {endings}, or add --format")

"""The formats of records: a name to the endings of its files and what writes it.

A new format is one file beside this one and one row.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from trialscrape.errors import UnknownFormat
from trialscrape.extras import load_extra
from trialscrape.wording import suggest_names

Writer = AbstractContextManager[Callable[[bytes], object]]


class Format(NamedTuple):
    """A format of records. Its module is imported when it is used.

    Attributes:
        ending: What the name of such a file ends in.
        file_writer: The function that opens a writer on a file, or on stdout for None, as `module:function`. The writer
            takes a record as its line of JSON; the file gets its name when the writer is closed. A text that the writer
            returns is what the user should know.
        library: The optional library that it needs, and the extra that installs it.
        table_writer: The function that opens a writer on a folder, which gets a file for each table.
        stdout: Whether it can be written to stdout.
        traced: Whether it shows the lines that a record came from, so that `parse` reads them.
    """

    ending: str
    file_writer: str
    library: tuple[str, str] | None = None
    table_writer: str | None = None
    stdout: bool = True
    traced: bool = False

    def open(self, path: Path | None) -> Writer:
        """Open the writer on a file, or on stdout for None."""
        writer: Writer = resolve_name(f"{__package__}.{self.file_writer}")(path)
        return writer

    def open_tables(self, folder: Path) -> Writer:
        """Open the writer on a folder of tables; the format must have one."""
        writer: Writer = resolve_name(f"{__package__}.{self.table_writer}")(folder)
        return writer


FORMATS = {
    "jsonl": Format(".jsonl", "jsonl:open_jsonl"),
    "json": Format(".json", "json:open_json"),
    "jsonl.gz": Format(".jsonl.gz", "jsonl:open_jsonl_gz"),
    "csv": Format(".csv", "csv:open_csv", table_writer="csv:open_csv_tables"),
    "parquet": Format(
        ".parquet", "parquet:open_parquet", ("pyarrow", "parquet"), table_writer="parquet:open_parquet_tables"
    ),
    "sqlite": Format(".db", "sqlite:open_sqlite", stdout=False),
    "xlsx": Format(".xlsx", "xlsx:open_xlsx", ("xlsxwriter", "xlsx"), stdout=False),
    "lines": Format(".lines.jsonl", "lines:open_lines", traced=True),
    "registry": Format(".registry.json", "registry:open_registry"),
    "fhir": Format(".ndjson", "fhir:open_fhir"),
}
"""Every format by its name; the first is the default of stdout."""


def choose_format(path: Path | None, name: str | None) -> Format:
    """Choose a format by its name or its ending, else by the ending of the file, else the default.

    Raises:
        UnknownFormat: There is no such name or ending, or the format needs a file.
        MissingExtraError: The format needs a library that is not installed.
    """
    chosen = _find_format(path, name)
    if path is None and not chosen.stdout:
        raise UnknownFormat(f"cannot write {name} to stdout: name a file that ends in {chosen.ending}")
    return _load(chosen)


def choose_tables(name: str | None) -> Format:
    """Choose the format of the files of tables by its name, else CSV.

    Raises:
        UnknownFormat: There is no such format of tables.
        MissingExtraError: The format needs a library that is not installed.
    """
    having = [known for known, row in FORMATS.items() if row.table_writer]
    chosen = find_name(name or "csv")
    if chosen not in having:
        raise UnknownFormat(f"there are no tables as {name!r}; {suggest_names(chosen, having)}")
    return _load(FORMATS[chosen])


def find_name(name: str) -> str:
    """Return the name of a format that is given by its name or its ending: `.db` is `sqlite`; any other as it is."""
    plain = name.lower().removeprefix(".")
    by_ending = {row.ending.removeprefix("."): known for known, row in FORMATS.items()}
    return plain if plain in FORMATS else by_ending.get(plain, name)


def name_outcomes(records: Path) -> Path:
    """Name the outcomes beside the records: `trials.jsonl` gives `trials.outcomes.jsonl`."""
    found = _find_ending(records)
    return records.with_name(f"{records.name[: len(records.name) - len(found.ending if found else '')]}.outcomes.jsonl")


def _load(chosen: Format) -> Format:
    if chosen.library:
        load_extra(*chosen.library)
    return chosen


def _find_format(path: Path | None, name: str | None) -> Format:
    if name is not None:
        chosen = find_name(name)
        if chosen not in FORMATS:
            raise UnknownFormat(f"there is no format {name!r}; {suggest_names(chosen, FORMATS)}")
        return FORMATS[chosen]
    if path is None:
        return next(iter(FORMATS.values()))
    found = _find_ending(path)
    if not found:
        endings = ", ".join(row.ending for row in FORMATS.values())
        raise UnknownFormat(
            f"cannot tell the format of {path} by its name: end it in one of {endings}, or add --format"
        )
    return found


def _find_ending(path: Path) -> Format | None:
    """Find the format whose ending a file has: the longest, for `trials.lines.jsonl` is not `.jsonl`."""
    having = [row for row in FORMATS.values() if path.name.lower().endswith(row.ending)]
    return max(having, key=lambda row: len(row.ending), default=None)

"""Records as CSV: one row a trial, or the tables."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from trialscrape.exports.files import atomic_write, open_output
from trialscrape.exports.tables import (
    TRIAL_COLUMNS,
    Cell,
    Column,
    Record,
    Row,
    choose_columns,
    make_trial_row,
    open_tables,
)

_FORMULA = re.compile("'*[=+\\-@\x00-\x1f\x7f＝＋－＠]")  # the wide ones are formulas to some versions of Excel


def guard_cell(text: str) -> str:
    """Put `'` before a text that a spreadsheet would take for a formula or obey; `restore_cell` takes it away."""
    return f"'{text}" if _FORMULA.match(text) else text


def restore_cell(text: str) -> str:
    """Return what `guard_cell` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def write_csv_rows(stream: BinaryIO, rows: Iterable[Iterable[Cell]]) -> None:
    """Write rows as lines of CSV, with texts that are harmless in a spreadsheet."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([_write_cell(cell) for cell in row] for row in rows)
    stream.write(text.getvalue().encode("utf-8", "backslashreplace"))


def _write_cell(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return guard_cell(cell) if isinstance(cell, str) else "" if cell is None else str(cell)


@contextmanager
def open_csv(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes a record, given as its line of JSON, as a row.

    The columns are those of `TRIAL_COLUMNS` whose field the first record has.
    """
    kept: list[int] | None = None
    with open_output(path) as stream:

        def write_header(record: Record | None) -> list[int]:
            columns = choose_columns(record)
            write_csv_rows(stream, [[TRIAL_COLUMNS[index].name for index in columns]])
            return columns

        def write(line: bytes) -> None:
            nonlocal kept
            record = json.loads(line)
            kept = write_header(record) if kept is None else kept
            row = make_trial_row(record)
            write_csv_rows(stream, [[row[index] for index in kept]])

        yield write
        if kept is None:
            write_header(None)


@contextmanager
def open_csv_tables(folder: Path) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes a record, given as its line of JSON, into the files of the tables."""
    with open_tables(folder, ".csv", _open_csv_table) as write:
        yield lambda line: write(json.loads(line))


@contextmanager
def _open_csv_table(path: Path, columns: tuple[Column, ...]) -> Iterator[Callable[[Iterable[Row]], object]]:
    with atomic_write(path) as stream:
        write_csv_rows(stream, [[column.name for column in columns]])
        yield lambda rows: write_csv_rows(stream, rows)

"""Records as an Excel file: one row a trial. It needs XlsxWriter, the extra `xlsx`."""

import json
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from trialscrape.errors import FileError
from trialscrape.exports.files import atomic_write
from trialscrape.exports.tables import TRIAL_COLUMNS, Cell, choose_columns, make_trial_row
from trialscrape.extras import load_extra
from trialscrape.sources.outputs import OUTPUT_MARK

MOST_CHARACTERS = 32_767
"""What a cell may hold, by Excel, which counts units of UTF-16; a longer text is cut, and the writer says so."""

MOST_ROWS = 1_048_576
"""Rows of a sheet, by Excel, the header included."""

_NARROWEST = 16
"""Characters that a column shows at least: an NCT id and room around it."""

_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


@contextmanager
def open_xlsx(path: Path | None) -> Iterator[Callable[[bytes], str | None]]:
    """Yield a function that writes a record, given as its line of JSON, as a row.

    The columns are those of the CSV. A text stays a text, whatever it begins with.

    Raises:
        FileError: The file cannot be written, or there are more records than a sheet has rows.
    """
    if path is None:
        raise FileError("cannot write an Excel file to stdout: name a file with -o")
    library: Any = load_extra("xlsxwriter", "xlsx")
    with atomic_write(path) as stream, TemporaryDirectory() as folder, _translate_xlsx_errors(path, library):
        made = Path(folder, "book")
        book = library.Workbook(str(made), {**_OPTIONS, "tmpdir": folder})
        sheet = book.add_worksheet("trials")
        sheet.freeze_panes(1, 0)
        bold = book.add_format({"bold": True})
        kept: list[int] = []
        row = 0

        def write_header(columns: list[int]) -> None:
            kept.extend(columns)
            for place, name in enumerate(TRIAL_COLUMNS[index].name for index in kept):
                sheet.set_column(place, place, max(len(name) + 3, _NARROWEST))  # the name, and the filter's button
                sheet.write_string(0, place, name, bold)

        def write(line: bytes) -> str | None:
            nonlocal row
            record = json.loads(line)
            row += 1
            if row == 1:
                write_header(choose_columns(record))
            if row == MOST_ROWS:
                raise FileError(f"cannot write {path}: Excel has {MOST_ROWS:,} rows. Choose another format")
            cells = make_trial_row(record)
            cut = [index for place, index in enumerate(kept) if _put_cell(sheet, row, place, cells[index])]
            if not cut:
                return None
            names = ", ".join(TRIAL_COLUMNS[index].name for index in cut)
            return f"{record.get('nct_id') or f'row {row + 1}'}: cut at {MOST_CHARACTERS:,} characters: {names}"

        try:
            yield write
            if not row:
                write_header(choose_columns(None))
            sheet.autofilter(0, 0, row, len(kept) - 1)
            book.close()
        finally:
            sheet.row_data_fh.close()  # the library's file of rows, which it leaves open where the book is not written
        _copy(made, stream)


@contextmanager
def _translate_xlsx_errors(path: Path, library: Any) -> Iterator[None]:  # noqa: ANN401  XlsxWriter's types are its own
    """Turn what the system says of the library's temporary files into a `FileError`."""
    try:
        yield
    except (OSError, library.exceptions.XlsxWriterException) as error:
        raise FileError(f"cannot write {path}: {str(getattr(error, 'strerror', None) or error).lower()}") from error


def _copy(book: Path, stream: BinaryIO) -> None:
    """Copy the file, with our mark as the archive's comment, whose length is the last thing in it."""
    with book.open("r+b") as made:
        made.seek(-2, os.SEEK_END)
        made.write(struct.pack("<H", len(OUTPUT_MARK)) + OUTPUT_MARK)
        made.seek(0)
        copyfileobj(made, stream)


def _put_cell(sheet: Any, row: int, column: int, cell: Cell) -> bool:  # noqa: ANN401  XlsxWriter's types are its own
    """Write a cell, and return whether it was cut."""
    if isinstance(cell, str):
        text = _cut_text(cell)
        sheet.write_string(row, column, text)
        return text != cell
    if cell is not None:
        sheet.write(row, column, cell)
    return False


def _cut_text(text: str) -> str:
    if 2 * len(text) <= MOST_CHARACTERS:  # whatever its characters are
        return text
    return text.encode("utf-16-le")[: 2 * MOST_CHARACTERS].decode("utf-16-le", "ignore")

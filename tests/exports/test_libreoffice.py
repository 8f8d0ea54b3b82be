"""The CSV and the Excel file, opened by LibreOffice: what its cells show, against the record."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from support.records import changed, line_of, write, write_tables
from trialscrape.exports.csv import restore_cell
from trialscrape.exports.tables import TRIAL_COLUMNS, make_trial_row

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SOFFICE, reason="needs LibreOffice, as `apt-get install libreoffice-calc` brings it"),
]

# How LibreOffice reads CSV: comma, `"`, UTF-8, from line 1, every column by its own guess, or as text (2).
GUESS = "CSV:44,34,76,1"
AS_TEXT = "CSV:44,34,76,1," + "/".join(f"{number}/2" for number in range(1, 100))
# What it writes: the content of the cells, not their formatting, and UTF-8.
TO_CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false"

# What a spreadsheet may take for something else, each in a column of text.
ODD: dict[str, dict[str, Any]] = {
    "formulas": {"title": "=1+1", "brief_title": "+1+1", "acronym": "@SUM(1)", "sponsor": "-1", "conditions": ["=2*2"]},
    "a link": {"title": '=HYPERLINK("http://example.org";"x")', "sponsor": "https://example.org"},
    "quoted": {"title": "'=1", "brief_title": "''", "acronym": "'a'", "sponsor": 'a "b", c;d'},
    "dates": {"title": "01/2025", "brief_title": "2022-00100", "acronym": "1-2", "sponsor": "2025-01-02"},
    "numbers": {"title": "1e5", "brief_title": "00123", "acronym": "12:30", "sponsor": "50 %"},
    "numbers of others": {"title": "(5)", "brief_title": "1,240", "acronym": "$5", "sponsor": "1.10"},
    "truth": {"title": "TRUE", "brief_title": "false", "acronym": "#N/A", "sponsor": "NULL"},
    "lines": {"brief_summary": "one\ntwo\n\n  • three\n", "title": " blanks ", "acronym": "a\tb"},
    "signs": {"title": "Ärger 🫖 漢字 עברית \u202ex", "acronym": "\ufeffa", "sponsor": "＝1"},
    "long": {"brief_summary": 'long, "quoted"\n' * 2_000, "title": "🫖" * 16_383},
}
RECORDS = [line_of(), *(changed(nct_id=f"NCT9900090{number}", **odd) for number, odd in enumerate(ODD.values()))]

Convert = Callable[..., Path]


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """LibreOffice without a window: a file to another one, by its filters."""

    def convert(path: Path, to: str, *options: str) -> Path:
        own = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
        command = [str(SOFFICE), own, "--headless", *options, "--convert-to", to, "--outdir", str(tmp_path / "out")]
        subprocess.run([*command, str(path)], capture_output=True, timeout=180, check=True)
        return tmp_path / "out" / f"{path.stem}.{to.partition(':')[0]}"

    return convert


def read_cells(path: Path) -> list[list[str]]:
    csv.field_size_limit(10_000_000)
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def list_texts(line: bytes) -> dict[str, str]:
    """Return the cells of text of a record that are not empty, by column."""
    row = zip(TRIAL_COLUMNS, make_trial_row(json.loads(line)), strict=True)
    return {column.name: str(cell) for column, cell in row if column.type == "text" and cell is not None}


def test_an_excel_file_shows_every_cell_as_it_is(convert: Convert, tmp_path: Path) -> None:
    assert write(tmp_path / "a.xlsx", RECORDS, "xlsx") == []
    header, *rows = read_cells(convert(tmp_path / "a.xlsx", TO_CSV))
    assert header == [column.name for column in TRIAL_COLUMNS]
    assert len(rows) == len(RECORDS)
    for row, line in zip(rows, RECORDS, strict=True):
        shown = dict(zip(header, row, strict=True))
        assert {name: shown[name] for name in list_texts(line)} == list_texts(line)
        assert (shown["enrollment_count"], shown["ages_maximum_years"]) == ("120", "65")
        assert (shown["healthy_volunteers"], shown["participants_placebo_group"]) == ("FALSE", "TRUE")


def test_a_csv_read_as_text_shows_every_cell_as_it_is_written(convert: Convert, tmp_path: Path) -> None:
    write(tmp_path / "a.csv", RECORDS, "csv")
    header, *rows = read_cells(convert(tmp_path / "a.csv", TO_CSV, f"--infilter={AS_TEXT}"))
    for row, line in zip(rows, RECORDS, strict=True):
        shown = dict(zip(header, row, strict=True))
        assert {name: restore_cell(shown[name]) for name in list_texts(line)} == list_texts(line)


def test_no_cell_of_a_csv_is_a_formula_even_where_its_type_is_guessed(convert: Convert, tmp_path: Path) -> None:
    write(tmp_path / "a.csv", RECORDS, "csv")
    sheet = openpyxl.load_workbook(convert(tmp_path / "a.csv", "xlsx", f"--infilter={GUESS}")).active
    header, *rows = sheet.iter_rows()
    names = [cell.value for cell in header]
    guessed = {}
    for row, line in zip(rows, RECORDS, strict=True):
        assert {cell.data_type for cell in row} <= {"s", "n", "b", "d", "inlineStr"}
        shown: dict[str, Any] = dict(zip(names, (cell.value for cell in row), strict=True))
        for name, text in list_texts(line).items():
            if not isinstance(shown[name], str):
                guessed[text] = shown[name]
    # A CSV does not say what is text, so what looks like a number becomes one: the docs name the Excel file instead.
    assert guessed["00123"] == 123
    assert guessed["1.10"] == 1.1
    assert "=1+1" not in guessed


@pytest.mark.parametrize("table", ["identifiers", "criteria"])
def test_tables_read_as_text_are_as_they_were_written(table: str, convert: Convert, tmp_path: Path) -> None:
    ids = [{"value": value, "type": None} for value in ("01/2025", "2022-00100", "=1", "00123")]
    write_tables(tmp_path / "t", [changed(identifiers=ids)], "csv")
    path = tmp_path / f"t/{table}.csv"
    assert read_cells(convert(path, TO_CSV, f"--infilter={AS_TEXT}")) == read_cells(path)

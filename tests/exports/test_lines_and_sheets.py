"""Criterion lines, Excel and data frames."""

import json
from pathlib import Path
from unicodedata import normalize

import openpyxl
import pandas as pd
import polars as pl
import pytest

import trialscrape
from support.records import LANTERN, PAGES, all_lines, changed, line_of, query, write
from trialscrape.errors import FileError
from trialscrape.exports import xlsx
from trialscrape.exports.frames import to_frame
from trialscrape.exports.tables import TRIAL_COLUMNS
from trialscrape.records import Trial

TEXTS = sorted(
    path.name for path in PAGES.glob("*.txt") if path.name not in {"broken-bytes.txt", "guessed-charset.txt"}
)


def test_a_criterion_is_a_line(tmp_path: Path) -> None:
    write(tmp_path / "a.lines.jsonl", [line_of(spans=True)], "lines")
    rows = [json.loads(line) for line in (tmp_path / "a.lines.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [
        *(f"NCT99000001/inclusion/{path}" for path in ("1", "2", "2.1", "2.2", "3")),
        *(f"NCT99000001/exclusion/{path}" for path in ("1", "2")),
    ]
    lines = (PAGES / LANTERN).read_text().split("\n")
    allergy = lines.index("  1. Known allergy to violet flavour") + 1
    assert rows[5] == {
        "id": "NCT99000001/exclusion/1",
        "nct_id": "NCT99000001",
        "url": None,
        "side": "exclusion",
        "path": "1",
        "kind": "criterion",
        "marker": "1.",
        "text": "Known allergy to violet flavour",
        "line": allergy,
        "last_line": allergy,
    }
    diary = lines.index("  • Able to keep a rattle diary") + 1
    assert (rows[4]["line"], rows[4]["last_line"]) == (diary, diary + 2)


def test_without_spans_the_lines_are_unknown(tmp_path: Path) -> None:
    write(tmp_path / "a.lines.jsonl", [line_of()], "lines")
    rows = [json.loads(line) for line in (tmp_path / "a.lines.jsonl").read_text().splitlines()]
    assert {(row["line"], row["last_line"]) for row in rows} == {(None, None)}


@pytest.mark.parametrize("page", TEXTS)
def test_the_text_is_that_of_the_page_in_its_lines(page: str, tmp_path: Path) -> None:
    write(tmp_path / "a.lines.jsonl", [line_of(page, spans=True)], "lines")
    text = normalize(
        "NFC", (PAGES / page).read_text(encoding="utf-8-sig").replace("\t", " ").replace("\xa0", " ")
    ).split("\n")
    before = dict.fromkeys(("inclusion", "exclusion", "unassigned"), 0)
    for row in map(json.loads, (tmp_path / "a.lines.jsonl").read_text().splitlines()):
        place = " ".join(" ".join(text[row["line"] - 1 : row["last_line"]]).split())
        assert place == " ".join(f"{row['marker'] or ''} {row['text']}".split()), row
        assert row["line"] > before[row["side"]]
        before[row["side"]] = row["last_line"]


def test_ids_are_unique_and_duckdb_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "a.lines.jsonl"
    write(path, {json.loads(line)["nct_id"]: line for line in all_lines()}.values(), "lines")
    count = len(path.read_text().splitlines())
    assert query("SELECT count(*), count(DISTINCT id) FROM read_json(?)", path) == [(count, count)]


# Excel


def test_a_sheet_has_the_columns_of_the_csv(tmp_path: Path) -> None:
    write(tmp_path / "a.xlsx", [line_of(), changed(title="=1+1", sponsor="https://example.org", acronym="7")], "xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["trials"]
    header, first, second = sheet.iter_rows(values_only=True)
    assert list(header) == [column.name for column in TRIAL_COLUMNS]
    assert sheet.auto_filter.ref == f"A1:{sheet.cell(3, len(header)).coordinate}"
    row = dict(zip(header, first, strict=True))
    assert (row["enrollment_count"], row["ages_maximum_years"], row["healthy_volunteers"]) == (120, 65, False)
    assert second[1] == "=1+1"
    assert [cell.data_type for cell in sheet[3]][1] == "s"
    assert dict(zip(header, second, strict=True))["acronym"] == "7"


def test_a_long_text_is_cut_and_reported(tmp_path: Path) -> None:
    notes = write(tmp_path / "a.xlsx", [line_of(), changed(brief_summary="x" * 32_768)], "xlsx")
    assert notes == ["NCT99000001: cut at 32,767 characters: brief_summary"]
    assert len(pd.read_excel(tmp_path / "a.xlsx")["brief_summary"].iloc[1]) == 32_767


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x" * 32_767, 32_767),
        ("🫖" * 16_383, 16_383),
        ("🫖" * 16_384, 16_383),  # each is two of Excel's characters, and none is cut in half
        ("x" + "🫖" * 16_383, 16_384),
    ],
)
def test_the_length_of_a_cell_is_counted_as_excel_counts(text: str, kept: int, tmp_path: Path) -> None:
    notes = write(tmp_path / "a.xlsx", [changed(title=text)], "xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["trials"]
    assert sheet["B2"].value == text[:kept]
    assert len(notes) == (kept < len(text))


def test_more_records_than_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "MOST_ROWS", 3)
    write(tmp_path / "a.xlsx", [line_of()] * 2, "xlsx")
    before = (tmp_path / "a.xlsx").read_bytes()
    with pytest.raises(FileError, match=r"a.xlsx: Excel has 3 rows. Choose another format"):
        write(tmp_path / "a.xlsx", [line_of()] * 3, "xlsx")
    assert (tmp_path / "a.xlsx").read_bytes() == before


# Frames and notebooks


def trials() -> list[Trial]:
    return [Trial.model_validate_json(line) for line in all_lines()]


def test_pandas_gets_types_that_do_not_depend_on_the_data() -> None:
    frame = to_frame(trials())
    assert len(frame) == len(all_lines())
    assert list(frame) == [column.name for column in TRIAL_COLUMNS]
    assert dict(frame.dtypes) == dict(to_frame([]).dtypes)
    row = frame[frame["nct_id"] == "NCT99000001"].iloc[0]
    assert (row["conditions"], row["enrollment_count"]) == ("Restless Teacup Syndrome; Saucer Tremor, Chronic", 120)
    assert row["detailed_description"] is pd.NA


def test_polars_gets_the_same() -> None:
    frame = trialscrape.to_frame(trials(), engine="polars")
    assert frame.schema == trialscrape.to_frame([], engine="polars").schema
    assert frame["enrollment_count"].dtype == pl.Int64
    assert frame["title"].to_list() == [trial.title for trial in trials()]
    with pytest.raises(ValueError, match="expected the engine 'pandas' or 'polars', found 'dask'"):
        to_frame([], engine="dask")  # type: ignore[arg-type]


def test_a_record_shows_itself_shortly() -> None:
    trial = Trial.model_validate_json(changed(title="<b>" + "long " * 100))
    shown = "<b>" + ("long " * 100)[:77]
    assert repr(trial) == f"<Trial NCT99000001: {shown}…; criteria 7, arms 2, warnings 0>"
    html = trial._repr_html_()
    assert "&lt;b&gt;long" in html
    assert "<b>" not in html
    assert "3 inclusion, 2 exclusion" in html
    assert len(html) < 2_000


def test_criteria_are_walked_flat() -> None:
    trial = Trial.model_validate_json(line_of())
    assert [(one.side, one.path, one.criterion.text[:9]) for one in trial.criteria()] == [
        ("inclusion", (1,), "Rattling "),
        ("inclusion", (2,), "One of th"),
        ("inclusion", (2, 1), "porcelain"),
        ("inclusion", (2, 2), "enamel"),
        ("inclusion", (3,), "Able to k"),
        ("exclusion", (1,), "Known all"),
        ("exclusion", (2,), "Use of a "),
    ]

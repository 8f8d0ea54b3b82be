"""Parquet, read by pyarrow, DuckDB and polars."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.records import all_lines, changed, line_of, query, write, write_tables
from trialscrape.exports import parquet
from trialscrape.exports.parquet import make_schema
from trialscrape.exports.tables import TABLES
from trialscrape.records import Trial


def flatten(criteria: list[dict[str, Any]]) -> list[str]:
    return [text for one in criteria for text in (one["text"], *flatten(one["children"]))]


def test_records_come_back_nested(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(path, all_lines(), "parquet")
    table: Any = pq.read_table(path)
    rows = table.to_pylist()
    for row, line in zip(rows, all_lines(), strict=True):
        record = json.loads(line)
        for side in ("inclusion", "exclusion", "unassigned"):
            criteria = row["eligibility"][side]
            assert [one["text"] for one in criteria] == flatten(record["eligibility"][side])
            assert all(one["depth"] == one["path"].count(".") + 1 for one in criteria)
        assert row["eligibility"]["combined"] == record["eligibility"]["combined"]
        del row["eligibility"], record["eligibility"]
        assert row == record


def test_the_schema_is_that_of_the_model_whatever_the_data(tmp_path: Path) -> None:
    assert make_schema().names == list(Trial.model_fields)
    schemas = []
    for number, lines in enumerate(([], [line_of()], [changed(ages=None, design=None, phases=[])])):
        write(tmp_path / f"{number}.parquet", lines, "parquet")
        schemas.append(pq.read_schema(tmp_path / f"{number}.parquet"))
    assert schemas[0] == schemas[1] == schemas[2] == make_schema()
    assert schemas[0].field("healthy_volunteers").type == pa.bool_()
    assert schemas[0].field("enrollment").type.field("count").type == pa.int64()


def test_chosen_fields_and_spans_are_columns(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [b'{"title":"A","nct_id":null}'], "parquet")
    assert pq.read_table(tmp_path / "a.parquet").to_pydict() == {"title": ["A"], "nct_id": [None]}
    write(tmp_path / "b.parquet", [line_of(spans=True)], "parquet")
    (row,) = pq.read_table(tmp_path / "b.parquet").to_pylist()
    assert dict(row["spans"]) == json.loads(line_of(spans=True))["spans"]


def test_row_groups_bound_what_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROWS", 20)
    write(tmp_path / "a.parquet", all_lines(), "parquet")
    file: Any = pq.ParquetFile(tmp_path / "a.parquet")
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert sizes == [20, 20, len(all_lines()) - 40]


def test_duckdb_and_polars_ask_it(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(path, all_lines(), "parquet")
    criteria = "SELECT nct_id, unnest(eligibility.exclusion) AS one FROM read_parquet(?)"
    found = query(
        "WITH criteria AS (" + criteria + ") FROM criteria SELECT nct_id, one.text WHERE one.text LIKE '%violet%'", path
    )
    assert found == [("NCT99000001", "Known allergy to violet flavour")]
    frame = pl.read_parquet(path)
    assert frame.filter(pl.col("nct_id") == "NCT99000001")["conditions"].to_list() == [
        ["Restless Teacup Syndrome", "Saucer Tremor, Chronic"]
    ]


def test_tables_are_those_of_the_csv(tmp_path: Path) -> None:
    notes = write_tables(tmp_path / "t", all_lines(), "parquet")
    assert notes == write_tables(tmp_path / "c", all_lines(), "csv")
    for table in TABLES:
        got = pq.read_table(tmp_path / f"t/{table.name}.parquet")
        assert got.column_names == [column.name for column in table.columns]
        expected = query("SELECT count(*) FROM read_csv(?)", tmp_path / f"c/{table.name}.csv")
        assert [(len(got),)] == expected

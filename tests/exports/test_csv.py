"""CSV and its tables, read by other programs."""

import csv
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.records import LANTERN, ROOT, all_lines, changed, line_of, query, write, write_tables
from trialscrape.exports.csv import guard_cell, restore_cell
from trialscrape.exports.tables import TABLES, TRIAL_COLUMNS
from trialscrape.records import Trial

# From the page two-arms-loose-criteria.txt, by hand.
LANTERN_CELLS = {
    "nct_id": "NCT99000001",
    "title": "Evening Lumivane Syrup Against Restless Teacup Syndrome (LANTERN)",
    "acronym": "LANTERN",
    "overall_status": "COMPLETED",
    "overall_status_label": "Completed",
    "phases": "PHASE4",
    "conditions": "Restless Teacup Syndrome; Saucer Tremor, Chronic",
    "interventions": "Drug: Lumivane syrup; Drug: Matching placebo syrup",
    "funder_types": "INDUSTRY; OTHER",
    "identifiers": "NCT99000001; QFI-2031-07 (Other Identifier)",
    "detailed_description": "",
    "enrollment_count": "120",
    "enrollment_type": "ACTUAL",
    "ages_label": "18 to 65 years old",
    "ages_minimum_years": "18.0",
    "ages_maximum_years": "65.0",
    "healthy_volunteers": "false",
    "eligibility_combined": "false",
    "eligibility_inclusion": "• Rattling heard on at least three nights of the last seven\n"
    "• One of these kinds of saucer:\n  • porcelain\n  • enamel\n"
    "• Able to keep a rattle diary\n\nA helper of the same household may write it down.",
    "eligibility_exclusion": "1. Known allergy to violet flavour\n2. Use of a saucer clamp within 14 days",
    "eligibility_unassigned": "",
    "design_masking": "TRIPLE",
    "participants_placebo_group": "true",
    "arms": "Lumivane; Placebo",
    "location_count": "13",
    "source_file": LANTERN,
    "source_form": "full",
    "warnings": "",
}


def rows(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(10_000_000)
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_trial_is_a_row(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [line_of()], "csv")
    (row,) = rows(tmp_path / "a.csv")
    assert {name: row[name] for name in LANTERN_CELLS} == LANTERN_CELLS
    assert list(row) == [column.name for column in TRIAL_COLUMNS]


def test_every_field_has_columns_and_every_name_is_its_own() -> None:
    names = [column.name for column in TRIAL_COLUMNS]
    for field in Trial.model_fields:
        assert any(name == field or name.startswith(f"{field}_") for name in names), field
    for table in TABLES:
        columns = [column.name.lower() for column in table.columns]
        assert len(set(columns)) == len(columns), table.name
        assert set(table.key) <= set(columns)


@pytest.mark.parametrize("lines", [[], [line_of()], [changed(ages=None, enrollment=None, phases=[], arms=[])]])
def test_the_columns_are_the_same_whatever_the_data(lines: list[bytes], tmp_path: Path) -> None:
    write(tmp_path / "a.csv", lines, "csv")
    header = (tmp_path / "a.csv").read_text().partition("\n")[0].rstrip("\r")
    assert header == ",".join(column.name for column in TRIAL_COLUMNS)


def test_chosen_fields_choose_the_columns(tmp_path: Path) -> None:
    chosen = {name: json.loads(line_of())[name] for name in ("sex", "nct_id", "ages")}
    write(tmp_path / "a.csv", [json.dumps(chosen).encode()], "csv")
    assert (tmp_path / "a.csv").read_bytes() == (
        b"sex,sex_label,nct_id,ages_label,ages_minimum_years,ages_maximum_years\r\n"
        b"ALL,All,NCT99000001,18 to 65 years old,18.0,65.0\r\n"
    )


# Formulas

GUARDED = [
    ("=1+1", "'=1+1"),
    ("+1", "'+1"),
    ("-1", "'-1"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\tx", "'\tx"),
    ("\rx", "'\rx"),
    ("\x00x", "'\x00x"),
    ("＝1", "'＝1"),
    ("'=1", "''=1"),
    ("'quoted'", "'quoted'"),
    ("a=1", "a=1"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "cell"), GUARDED)
def test_a_formula_is_made_harmless_and_comes_back(text: str, cell: str) -> None:
    assert guard_cell(text) == cell
    assert restore_cell(cell) == text


@given(st.text(st.sampled_from("'=+-@\t\x00ab"), max_size=6))
def test_every_text_comes_back(text: str) -> None:
    cell = guard_cell(text)
    assert restore_cell(cell) == text
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\x00"}


def test_a_formula_in_a_record_is_harmless_in_the_file(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [changed(title='=HYPERLINK("http://example.org")', conditions=["@x", "=y"])], "csv")
    (row,) = rows(tmp_path / "a.csv")
    assert (row["title"], row["conditions"]) == ('\'=HYPERLINK("http://example.org")', "'@x; =y")


# What is printed in any cell, and the characters that a spreadsheet, a CSV reader or a lazy writer may trip over.
TEXTS = st.text(st.sampled_from("'=+-@\t\r\n\x00\x1f\x7f＝＋－＠\",; aé🫖"), min_size=1, max_size=8)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
def test_the_rule_in_the_docs_gives_every_cell_back(pairs: list[tuple[str, str]]) -> None:
    docs = (ROOT / "docs/exports.md").read_text(encoding="utf-8")
    rule = re.search(r"^`(\^.+)`\.", docs, re.MULTILINE)
    assert rule
    guarded = re.compile(rule[1])
    with TemporaryDirectory() as folder:
        lines = [changed(title=title, conditions=[condition]) for title, condition in pairs]
        write(Path(folder, "a.csv"), lines, "csv")
        write_tables(Path(folder, "t"), lines, "csv")
        trials, conditions = rows(Path(folder, "a.csv")), rows(Path(folder, "t/conditions.csv"))
    cells = [(row["title"], row["conditions"]) for row in trials]
    assert [row["condition"] for row in conditions] == [condition for _, condition in cells]
    assert not any(re.match(r"[=+\-@\x00-\x1f\x7f＝＋－＠]", cell) for pair in cells for cell in pair)
    assert [tuple(cell[1:] if guarded.match(cell) else cell for cell in pair) for pair in cells] == pairs


# Other programs


def test_pandas_polars_and_duckdb_read_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    big = 'long text, with "quotes"\n' * 40_000  # 1 MB
    write(path, [*all_lines(), changed(brief_summary=big)], "csv")
    count = len(all_lines()) + 1
    frame = pd.read_csv(path)
    assert (len(frame), frame["brief_summary"].iloc[-1]) == (count, big)
    assert frame["enrollment_count"].dropna().iloc[-1] == 120
    assert pl.read_csv(path, infer_schema_length=None)["brief_summary"][-1] == big
    sums = "SELECT count(*), max(length(brief_summary)), sum(enrollment_count) FROM read_csv(?)"
    expected = sum((json.loads(line)["enrollment"] or {"count": 0})["count"] for line in all_lines()) + 120
    assert query(sums, path) == [(count, len(big), expected)]


def test_a_path_stays_what_it_is_where_it_is_read_as_text(tmp_path: Path) -> None:
    def make(text: str, *children: object) -> dict[str, object]:
        return {"kind": "criterion", "text": text, "marker": "1.", "children": list(children)}

    eligibility = {"combined": False, "exclusion": [], "unassigned": []}
    inclusion = [make("one of", *(make(f"item {number}") for number in range(1, 11)))]
    write_tables(tmp_path / "t", [changed(eligibility={**eligibility, "inclusion": inclusion})], "csv")
    assert pd.read_csv(tmp_path / "t/criteria.csv")["path"].iloc[-1] == 1.1  # as the docs say
    frame = pd.read_csv(tmp_path / "t/criteria.csv", dtype=str)
    assert (frame["path"].iloc[-1], frame["marker"].iloc[-1]) == ("1.10", "1.")


def test_tables_join_by_their_keys(tmp_path: Path) -> None:
    notes = write_tables(tmp_path / "t", all_lines(), "csv")
    frames: dict[str, Any] = {table.name: pd.read_csv(tmp_path / f"t/{table.name}.csv") for table in TABLES}
    for table in TABLES:
        frame = frames[table.name]
        assert list(frame) == [column.name for column in table.columns]
        assert not frame.duplicated(list(table.key)).any(), table.name
        assert set(frame["trial_id"]) <= set(frames["trials"]["trial_id"])
    assert len(frames["trials"]) == len(all_lines())
    ids = [json.loads(line)["nct_id"] for line in all_lines()]
    assert len(notes) == sum(one is not None for one in ids) - len({one for one in ids if one})
    assert "NCT99000020: another record of this trial; its trial_id is NCT99000020#2" in notes
    inner = query(
        "SELECT a.label, i.name FROM read_csv(?) x "
        "JOIN read_csv(?) a ON a.trial_id = x.trial_id AND a.number = x.arm "
        "JOIN read_csv(?) i ON i.trial_id = x.trial_id AND i.number = x.intervention "
        "WHERE x.trial_id = 'NCT99000001' ORDER BY a.number",
        *(tmp_path / f"t/{name}.csv" for name in ("arm_interventions", "arms", "interventions")),
    )
    assert inner == [("Lumivane", "Lumivane syrup"), ("Placebo", "Matching placebo syrup")]


def test_the_criteria_are_a_table(tmp_path: Path) -> None:
    write_tables(tmp_path / "t", [line_of()], "csv")
    columns = ("side", "path", "depth", "marker", "text")
    assert [tuple(row[name] for name in columns) for row in rows(tmp_path / "t/criteria.csv")] == [
        ("inclusion", "1", "1", "•", "Rattling heard on at least three nights of the last seven"),
        ("inclusion", "2", "1", "•", "One of these kinds of saucer:"),
        ("inclusion", "2.1", "2", "•", "porcelain"),
        ("inclusion", "2.2", "2", "•", "enamel"),
        (
            "inclusion",
            "3",
            "1",
            "•",
            "Able to keep a rattle diary\n\nA helper of the same household may write it down.",
        ),
        ("exclusion", "1", "1", "1.", "Known allergy to violet flavour"),
        ("exclusion", "2", "1", "2.", "Use of a saucer clamp within 14 days"),
    ]

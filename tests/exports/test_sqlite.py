"""The database of records, asked by SQLite, sqlite-utils and Datasette."""

import json
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote

import pytest
import sqlite_utils
from datasette.utils import escape_fts

from support.records import all_lines, changed, line_of, record_of, write
from trialscrape.errors import FileError
from trialscrape.exports.sqlite import make_metadata
from trialscrape.exports.tables import TABLES
from trialscrape.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trials.db"


def ask(path: Path, query: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query, values).fetchall()


def test_the_tables_are_whole_and_refer_to_each_other(path: Path) -> None:
    write(path, all_lines(), "sqlite")
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    assert ask(path, "PRAGMA foreign_key_check") == []
    for table in TABLES:
        assert sqlite_utils.Database(path).table(table.name).count, table.name
        assert len(ask(path, f"PRAGMA foreign_key_list({table.name})")) >= len(table.refers)
    row = ask(path, "SELECT phases, ages_minimum_years, healthy_volunteers FROM trials WHERE nct_id = 'NCT99000001'")
    assert row == [("PHASE4", 18.0, 0)]
    assert sorted(path.parent.iterdir()) == [path, path.with_name("trials.metadata.json")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("lumivane", ["NCT99000001"]), ("saucer tremor", ["NCT99000001"]), ("violet AND porcelain", ["NCT99000001"])],
)
def test_titles_conditions_and_criteria_are_searched(query: str, expected: list[str], path: Path) -> None:
    write(path, all_lines(), "sqlite")
    found = [row["trial_id"] for row in sqlite_utils.Database(path).table("trials").search(query)]
    assert sorted(found) == expected
    ask(path, "VACUUM")
    assert [row["trial_id"] for row in sqlite_utils.Database(path).table("trials").search(query)] == found


def test_a_trial_is_replaced_and_the_others_stay(path: Path) -> None:
    write(path, [line_of(), line_of("criteria-nested.txt")], "sqlite")
    before = ask(path, "SELECT count(*) FROM trials")
    notes = write(path, [changed(title="Morning Syrup", arms=[], conditions=["Calm"])], "sqlite")
    assert notes == []
    assert ask(path, "SELECT count(*) FROM trials") == before
    assert ask(path, "SELECT condition FROM conditions WHERE trial_id = 'NCT99000001'") == [("Calm",)]
    assert ask(path, "SELECT count(*) FROM arms WHERE trial_id = 'NCT99000001'") == [(0,)]
    search = "SELECT trial_id FROM trials WHERE rowid IN (SELECT rowid FROM trials_fts WHERE trials_fts MATCH ?)"
    assert (ask(path, search, "evening"), ask(path, search, "morning")) == ([], [("NCT99000001",)])
    ask(path, "INSERT INTO trials_fts (trials_fts, rank) VALUES ('integrity-check', 1)")
    ask(path, "INSERT INTO criteria_fts (criteria_fts, rank) VALUES ('integrity-check', 1)")


def test_two_records_of_one_trial_are_reported(path: Path) -> None:
    notes = write(path, [line_of(), changed(title="Second")], "sqlite")
    assert notes == ["NCT99000001: another record of this trial; it replaces the former one"]
    assert ask(path, "SELECT title FROM trials") == [("Second",)]


@pytest.mark.parametrize(
    ("nct_id", "source", "key"),
    [
        ("NCT99000001", {}, "NCT99000001"),
        (None, {"url": "https://example.org/study/a"}, "https://example.org/study/a"),
        (None, {"url": None, "sha256": "ab12"}, "sha256:ab12"),
        (None, {"url": None, "sha256": "", "file": "a.txt"}, "a.txt"),
    ],
)
def test_a_trial_without_an_id_has_another_key(
    nct_id: str | None, source: dict[str, Any], key: str, path: Path
) -> None:
    whole = {**record_of()["source"], **source}
    write(path, [changed(nct_id=nct_id, source=whole)] * 2, "sqlite")
    assert ask(path, "SELECT trial_id, nct_id FROM trials") == [(key, nct_id)]


def test_a_record_that_nothing_identifies_is_refused(path: Path) -> None:
    write(path, [line_of()], "sqlite")
    before = path.read_bytes()
    with pytest.raises(FileError) as caught:
        write(path, [b'{"title":"A"}'], "sqlite")
    assert str(caught.value) == (
        "cannot write tables: a record has neither 'nct_id' nor 'source': add both to --fields"
    )
    assert path.read_bytes() == before


def make_store(path: Path) -> None:
    Store.open(path).close()


def make_other(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE mine (a)")


def make_newer(path: Path) -> None:
    write(path, [line_of()], "sqlite")
    ask(path, "PRAGMA user_version = 99")


OTHERS = [
    (make_store, "it is a store of fetched pages. Name another file"),
    (make_other, "it is the database of another program. Name another file"),
    (make_newer, "its tables have version 99, these 1. Remove it, or name another file"),
    (lambda path: path.write_text("notes"), "it is no database. Remove it, or name another file"),
]


@pytest.mark.parametrize(("make", "reason"), OTHERS)
def test_what_is_no_database_of_records_is_kept(make: Any, reason: str, path: Path) -> None:
    make(path)
    before = path.read_bytes()
    with pytest.raises(FileError) as caught:
        write(path, [line_of()], "sqlite")
    assert str(caught.value) == f"cannot write {path}: {reason}"
    assert path.read_bytes() == before


def test_a_store_in_use_is_kept(path: Path) -> None:
    with Store.open(path), pytest.raises(FileError, match="it is a store of fetched pages"):
        write(path, [line_of()], "sqlite")


def test_an_error_and_a_full_disk_leave_the_former_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, [line_of()], "sqlite")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="Expecting value"):
        write(path, [changed(title="Other"), b"no record"], "sqlite")
    assert path.read_bytes() == before
    real = sqlite3.connect

    def connect_small(*names: Any, **options: Any) -> sqlite3.Connection:
        database: sqlite3.Connection = real(*names, **options)
        if "mode=rw" in names[0]:
            database.execute("PRAGMA max_page_count = 100")
        return database

    monkeypatch.setattr(sqlite3, "connect", connect_small)
    with pytest.raises(FileError) as caught:
        write(path, [changed(nct_id=f"NCT9901{n:04}") for n in range(500)], "sqlite")
    assert str(caught.value) == f"cannot write {path}: database or disk is full"
    assert path.read_bytes() == before


def test_a_database_with_a_write_ahead_log_is_updated_or_kept(path: Path) -> None:
    write(path, [line_of()], "sqlite")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("PRAGMA journal_mode = WAL")
        reader.execute("UPDATE trials SET acronym = 'CHANGED'")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM trials").fetchone()
        with pytest.raises(FileError) as caught:
            write(path, [line_of("criteria-nested.txt")], "sqlite")
    reason = "another program has it open. Close that program, or name another file"
    assert str(caught.value) == f"cannot write {path}: {reason}"
    assert ask(path, "SELECT acronym FROM trials") == [("CHANGED",)]
    write(path, [line_of("criteria-nested.txt")], "sqlite")
    assert not path.with_name("trials.db-wal").exists()
    assert ask(path, "SELECT trial_id, acronym FROM trials ORDER BY trial_id")[0] == ("NCT99000001", "CHANGED")
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_log_that_a_killed_program_left_is_not_lost(path: Path) -> None:
    write(path, [line_of()], "sqlite")
    change = "PRAGMA journal_mode = WAL; UPDATE trials SET acronym = 'CHANGED';"
    code = f"import os, sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript({change!r}); os._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert path.with_name("trials.db-wal").stat().st_size
    write(path, [line_of("criteria-nested.txt")], "sqlite")
    assert ask(path, "SELECT trial_id, acronym FROM trials ORDER BY trial_id")[0] == ("NCT99000001", "CHANGED")
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_the_canned_questions_have_answers(path: Path) -> None:
    child = {"label": "1 to 9 years old", "minimum": {"value": 1, "unit": "YEARS", "years": 1.0}, "maximum": None}
    odd = {"label": "Young at heart", "minimum": None, "maximum": None}
    adults = {"label": "18+ years old", "minimum": {"value": 18, "unit": "YEARS", "years": 18.0}, "maximum": None}

    def warn(code: str, severity: str) -> list[dict[str, Any]]:
        return [{"code": code, "severity": severity, "field": None, "line": None, "message": "m"}]

    records = [
        line_of(),
        changed(nct_id="NCT99000500", ages=child),
        changed(nct_id="NCT99000501", ages=None),  # no limits
        changed(nct_id="NCT99000502", ages=None, warnings=warn("nct_id_not_on_page", "note")),  # nor here
        changed(nct_id="NCT99000503", ages=None, warnings=warn("cut_page", "doubt")),  # perhaps below the cut
        changed(nct_id="NCT99000504", ages=odd),
        changed(nct_id="NCT99000505", ages=adults),
    ]
    write(path, records, "sqlite")
    written = json.loads(path.with_name("trials.metadata.json").read_text())
    assert written == json.loads(json.dumps(make_metadata("trials")))
    values = {"drug": "lumivane", "words": "saucer", "side": "inclusion", "condition": "teacup"}
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        database.create_function("escape_fts", 1, escape_fts)
        answers = {
            name: [dict(row) for row in database.execute(query["sql"], values)]
            for name, query in written["databases"]["trials"]["queries"].items()
        }
    assert [row["trial_id"] for row in answers["children_and_drug"]] == [
        f"NCT9900050{number}" for number in (0, 1, 2) for _ in range(5)
    ]
    assert {row["text"] for row in answers["criteria_with_words"]} == {"One of these kinds of saucer:"}
    assert len(answers["placebo_arms"]) == 7
    assert [row["trial_id"] for row in answers["unreliable"]] == ["NCT99000502", "NCT99000503"]


def test_what_datasette_shows_is_in_the_tables() -> None:
    pages = make_metadata("trials")["databases"]["trials"]["tables"]
    assert set(pages) == {table.name for table in TABLES}
    for table in TABLES:
        columns = {column.name for column in table.columns}
        page = pages[table.name]
        assert {*page["facets"], *page["columns"]} <= columns, table.name


@pytest.fixture
def datasette(path: Path) -> Iterator[str]:
    """Start Datasette on the database, at a port that is free."""
    write(path, all_lines(), "sqlite")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "datasette", str(path), "-m", str(path.with_name("trials.metadata.json"))]
    server = subprocess.Popen([*command, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/trials"
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}.json", timeout=5).close()  # noqa: S310  our own server
                break
            except URLError:
                assert time.monotonic() < end, "Datasette did not start"
                time.sleep(0.1)
        yield url
    finally:
        server.kill()
        server.wait()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  our own server
        text: str = answer.read().decode()
        return text


@pytest.mark.slow
def test_datasette_searches_and_answers(datasette: str) -> None:
    rows = json.loads(get(f"{datasette}/trials.json?_search=lumivane&_shape=array"))
    assert [row["trial_id"] for row in rows] == ["NCT99000001"]
    page = get(f"{datasette}/criteria?_search=porcelain")
    assert re.search(r'<input[^>]+name="_search"[^>]+value="porcelain"', page)
    assert 'href="/trials/trials/NCT99000001"' in page
    question = f"{datasette}/criteria_with_words.json?_shape=array&words={quote('violet')}&side=exclusion"
    assert [row["text"] for row in json.loads(get(question))] == ["Known allergy to violet flavour"]


@pytest.mark.slow
def test_datasette_describes_the_tables_and_counts_their_values(datasette: str) -> None:
    page = get(f"{datasette}/trials")
    assert "One row a trial, the newest id first." in page
    ids = re.findall(r'<td class="col-nct_id[^"]*">(NCT\d{8})</td>', page)
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 20
    facets = json.loads(get(f"{datasette}/trials.json?_size=0"))["facet_results"]
    assert list(facets) == ["overall_status", "phases", "study_type"]
    # An arm's intervention leads to its row, and a criterion to the title of its trial.
    assert "Evening Lumivane Syrup Against Restless Teacup Syndrome (LANTERN)</a>" in get(f"{datasette}/criteria")


@pytest.mark.slow
@pytest.mark.parametrize("words", ["", '"', "18-65 (years", "NEAR(", "violet"])
def test_a_question_takes_whatever_is_typed(words: str, datasette: str) -> None:
    for side in ("", "exclusion"):
        answer = get(f"{datasette}/criteria_with_words.json?_shape=array&words={quote(words)}&side={side}")
        assert [row["text"] for row in json.loads(answer)] == ["Known allergy to violet flavour"] * (words == "violet")


@pytest.mark.slow
def test_a_browser_shows_datasette(datasette: str, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("needs Chromium, as `apt-get install chromium` brings it")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
    command = [
        chromium,
        *options,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=2000",
        "--dump-dom",
    ]
    shown = {
        view: subprocess.run(
            [*command, datasette + view], capture_output=True, text=True, timeout=180, check=True
        ).stdout
        for view in ("/trials", "/criteria?_search=saucer", "/criteria_with_words?words=saucer&side=exclusion")
    }
    table, search, question = shown.values()
    trials = {json.loads(line)["nct_id"] or line for line in all_lines()}
    assert f"{len(trials)} rows" in table
    assert "2 rows where search matches" in search
    assert "Criteria that hold some words" in question
    assert "Use of a saucer clamp within 14 days" in question

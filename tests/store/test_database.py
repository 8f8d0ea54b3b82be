"""The file of a store: what is one, and what its errors say."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from trialscrape.errors import StoreError
from trialscrape.store.database import APPLICATION_ID, Database, is_store, open_reading, open_writing, translate_errors


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trialscrape.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = open_writing(path)
    yield database
    database.close()


def test_only_a_store_is_one(path: Path, tmp_path: Path) -> None:
    open_writing(path).close()
    assert is_store(path)
    for name, head in {
        "empty": b"",
        "text": b"NCT99000001\n" * 20,
        "cut": path.read_bytes()[:70],
        "marked": b"x" * 68 + APPLICATION_ID.to_bytes(4, "big") + b"x" * 28,
        "recipes": b"SQLite format 3\0" + bytes(84),
    }.items():
        (tmp_path / name).write_bytes(head)
        assert not is_store(tmp_path / name), name
    for missing in (tmp_path / "none", tmp_path, "a\0b"):
        assert not is_store(missing)


@pytest.mark.parametrize(
    ("method", "values"),
    [("execute", [()]), ("execute_many", [[(1,)]]), ("fetch_rows", []), ("find_row", []), ("fetch_row", [])],
)
def test_an_error_of_sqlite_names_the_file(database: Database, path: Path, method: str, values: list[object]) -> None:
    with pytest.raises(StoreError) as caught:
        getattr(database, method)("DELETE FROM recipe", *values)
    assert str(caught.value) == f"{path}: SQLite refused the operation (SQLITE_ERROR: no such table: recipe)"


def test_a_full_file_is_reported_and_nothing_is_written(database: Database, path: Path) -> None:
    database.execute("CREATE TABLE recipe (text BLOB)")
    database.execute("PRAGMA max_page_count = 100")
    with pytest.raises(StoreError) as caught, database.transaction():
        database.execute_many("INSERT INTO recipe VALUES (zeroblob(?))", [(10,), (1_000_000,)])
    assert str(caught.value) == (
        f"{path}: the disk or the quota is full: free some space and give the same command again, all that was finished"
        " is kept (SQLITE_FULL: database or disk is full)"
    )
    assert database.fetch_rows("SELECT * FROM recipe") == []
    with database.transaction():
        database.execute("INSERT INTO recipe VALUES (zeroblob(10))")
    assert len(database.fetch_rows("SELECT * FROM recipe")) == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (sqlite3.OperationalError("odd"), "SQLite refused the operation (SQLite: odd)"),
        (
            PermissionError(13, "Permission denied"),
            "it cannot be opened: check that you may read and write the file and its folder (Permission denied)",
        ),
    ],
)
def test_an_error_without_a_name_of_sqlite_is_told_too(path: Path, error: Exception, message: str) -> None:
    with pytest.raises(StoreError) as caught, translate_errors(path):
        raise error
    assert str(caught.value) == f"{path}: {message}"
    assert caught.value.__cause__ is error


def test_a_reader_writes_nothing(database: Database, path: Path) -> None:
    reader = open_reading(path)
    with pytest.raises(StoreError, match="it cannot be written: make the file and its folder writable"):
        reader.execute("DELETE FROM page")
    reader.close()
    database.execute("DELETE FROM page")


def test_the_lock_is_released_with_the_file(database: Database, path: Path) -> None:
    with pytest.raises(StoreError, match="expected to use the store alone"):
        open_writing(path)
    database.close()
    open_writing(path).close()


def test_rows_that_depend_on_others_go_with_them(database: Database) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        database.execute("INSERT INTO finished VALUES ('key', 0, 'NCT99000001', '{}', NULL)")

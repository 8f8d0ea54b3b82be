"""The records of two sets that are of one study, however many there are: they are kept on the disk meanwhile."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from trialscrape.errors import RecordFileError
from trialscrape.quality.record_sets import PlacedTrial
from trialscrape.records import Trial

_SCHEMA = """CREATE TABLE kept (
    is_new INTEGER NOT NULL,
    number INTEGER NOT NULL,
    key TEXT NOT NULL,
    nct_id TEXT,
    url TEXT,
    place TEXT NOT NULL,
    checked_at TEXT,
    record TEXT NOT NULL,
    is_paired INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (is_new, number),
    UNIQUE (is_new, key)
) WITHOUT ROWID;
CREATE INDEX kept_url ON kept (is_new, url);"""


class Pair(NamedTuple):
    """The two records of one study; None where a set has none."""

    old: Trial | None
    new: Trial | None


def pair_trials(
    old: Iterable[PlacedTrial], new: Iterable[PlacedTrial], report: Callable[[str], object]
) -> Iterator[Pair]:
    """Pair records by their NCT id, else by their address, else by their file.

    A store may hold two pages of one study; the one that was checked last is taken, and the other reported.

    Args:
        old: The old records.
        new: The new records.
        report: Called with a message for each page that is left out.

    Yields:
        A pair for each study: those of the new records in their order, then what only the old records have.

    Raises:
        RecordFileError: A record has neither id, address nor file, or a file has two records of one study.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as table:  # a file of its own that ends with it
        table.row_factory = sqlite3.Row
        table.executescript(_SCHEMA)
        table.execute("BEGIN")
        for is_new, placed in ((0, old), (1, new)):
            for number, one in enumerate(placed):
                _keep(table, is_new, number, one, report)
        yield from _match(table)


def name_study(trial: Trial) -> str | None:
    """Return the NCT id of a record, else its address, else its file."""
    return trial.nct_id or trial.source.url or trial.source.file


def _keep(
    table: sqlite3.Connection, is_new: int, number: int, placed: PlacedTrial, report: Callable[[str], object]
) -> None:
    place, trial, checked_at = placed
    key = name_study(trial)
    if key is None:
        raise RecordFileError(
            f"{place}: expected a record with an NCT id, an address or a file, found none: leave it out"
        )
    time = checked_at and checked_at.isoformat()
    kept = table.execute("SELECT * FROM kept WHERE is_new = ? AND key = ?", (is_new, key)).fetchone()
    if kept:
        if time is None or kept["checked_at"] is None:
            raise RecordFileError(
                f"{place}: expected one record of {key}, found a second; the first is {kept['place']}: remove one"
            )
        later, other = (place, kept["place"]) if time >= kept["checked_at"] else (kept["place"], place)
        report(f"{key} has several pages: {later} was checked last and is taken, {other} is left out")
        if other == place:
            return
        table.execute("DELETE FROM kept WHERE is_new = ? AND key = ?", (is_new, key))
    row = (is_new, number, key, trial.nct_id, trial.source.url, place, time, trial.model_dump_json(exclude={"spans"}))
    table.execute("INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)", row)


def _match(table: sqlite3.Connection) -> Iterator[Pair]:
    for row in table.execute("SELECT * FROM kept WHERE is_new = 1 ORDER BY number"):
        other = _find_old(table, row)
        if other:
            table.execute("UPDATE kept SET is_paired = 1 WHERE is_new = 0 AND number = ?", (other["number"],))
        yield Pair(_load_trial(other) if other else None, _load_trial(row))
    for row in table.execute("SELECT * FROM kept WHERE is_new = 0 AND is_paired = 0 ORDER BY number"):
        yield Pair(_load_trial(row), None)


def _find_old(table: sqlite3.Connection, new: sqlite3.Row) -> sqlite3.Row | None:
    """Find the old record of a new one: by its key, else, where one of them has no id, by its address."""
    query = "SELECT * FROM kept WHERE is_new = 0 AND key = ?"
    by_key: sqlite3.Row | None = table.execute(query, (new["key"],)).fetchone()
    if by_key:
        return by_key
    query = """SELECT * FROM kept AS old WHERE is_new = 0 AND url = ? AND is_paired = 0
        AND (nct_id IS NULL OR ? IS NULL)
        AND NOT EXISTS (SELECT 1 FROM kept WHERE is_new = 1 AND key = old.key) ORDER BY number"""
    by_address: sqlite3.Row | None = table.execute(query, (new["url"], new["nct_id"])).fetchone()
    return by_address


def _load_trial(row: sqlite3.Row) -> Trial:
    return Trial.model_validate_json(row["record"])

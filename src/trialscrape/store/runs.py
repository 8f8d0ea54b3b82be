"""How far each run came: the ids that it finished, the pages that it got, and the registry's answers."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from trialscrape.results import Outcome
from trialscrape.store.database import Database, format_time


@dataclass(frozen=True, slots=True)
class FinishedId:
    """A finished id of a run: its position among the ids, its outcome row and its record, both as JSON."""

    position: int
    nct_id: str
    outcome: str
    record: str | None


class PageNote(NamedTuple):
    """How a run got a page for an id that it has not finished, and how many requests that took."""

    outcome: Outcome
    attempts: int


class KeptAnswer(NamedTuple):
    """What the registry said of an id, as JSON; None where a list lacked the id. `attempts` are the id's requests."""

    nct_id: str
    attempts: int
    answer: str | None


class Runs:
    """The part of a store that keeps how far each run came."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, key: str, now: datetime, *, not_before: datetime | None = None) -> None:
        """Begin a run, or resume the one of the same key that did not end and is neither too old nor of the future."""
        with self._db.transaction():
            if not_before:
                query = "DELETE FROM run WHERE run_key = ? AND (started_at < ? OR started_at > ?)"
                self._db.execute(query, (key, format_time(not_before), format_time(now)))
            self._db.execute("INSERT OR IGNORE INTO run VALUES (?, ?)", (key, format_time(now)))

    def end(self, key: str) -> None:
        """Forget a run whose output is written; the next run of the same key starts from the beginning."""
        with self._db.transaction():
            self._db.execute("DELETE FROM run WHERE run_key = ?", (key,))

    def finish_id(self, key: str, finished: FinishedId) -> None:
        """Record that an id is done, durably; what was recorded for the same position before is replaced."""
        with self._db.transaction():
            self._db.execute(
                """INSERT INTO finished (run_key, position, nct_id, outcome, record) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (run_key, position) DO UPDATE
                SET nct_id = excluded.nct_id, outcome = excluded.outcome, record = excluded.record""",
                (key, finished.position, finished.nct_id, finished.outcome, finished.record),
            )

    def list_finished(self, key: str, *, without: Iterable[str] = ()) -> dict[str, int]:
        """Return the ids that a run has finished, with their positions, in that order.

        Args:
            key: The run.
            without: Leave out ids that ended in one of these outcomes.
        """
        rows = self._db.fetch_rows(
            """SELECT nct_id, position FROM finished WHERE run_key = ?
            AND ifnull(json_extract(outcome, '$.outcome'), '') NOT IN (SELECT value FROM json_each(?))
            ORDER BY position""",
            (key, json.dumps(list(without))),
        )
        return {row["nct_id"]: row["position"] for row in rows}

    def get_finished(self, key: str, position: int) -> FinishedId:
        """Return what a run has finished at a position; it must be there."""
        query = "SELECT position, nct_id, outcome, record FROM finished WHERE run_key = ? AND position = ?"
        return FinishedId(*self._db.fetch_row(query, (key, position)))

    def note_page(self, key: str, nct_id: str, url: str, note: PageNote) -> None:
        """Record how this run got a page for an id, so that a resumed run does not fetch it again."""
        with self._db.transaction():
            query = "INSERT OR REPLACE INTO noted VALUES (?, ?, ?, ?, ?)"
            self._db.execute(query, (key, nct_id, url, *note))

    def find_page_note(self, key: str, nct_id: str, url: str) -> PageNote | None:
        """Return how a run got a page for an id, or None."""
        query = "SELECT how, attempts FROM noted WHERE run_key = ? AND nct_id = ? AND url = ?"
        row = self._db.find_row(query, (key, nct_id, url))
        return PageNote(Outcome(row["how"]), row["attempts"]) if row else None

    def keep_answers(self, key: str, answers: Iterable[KeptAnswer]) -> None:
        """Keep what the registry said of some ids, so that a resumed run does not ask again."""
        with self._db.transaction():
            query = "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?)"
            self._db.execute_many(query, ((key, *answer) for answer in answers))

    def find_answer(self, key: str, nct_id: str) -> KeptAnswer | None:
        """Return what the registry said of an id in a run, if that is kept."""
        query = "SELECT nct_id, attempts, answer FROM answer WHERE run_key = ? AND nct_id = ?"
        row = self._db.find_row(query, (key, nct_id))
        return KeptAnswer(*row) if row else None

    def drop_answer(self, key: str, nct_id: str) -> None:
        """Drop what the registry said of an id that is finished for good."""
        with self._db.transaction():
            self._db.execute("DELETE FROM answer WHERE run_key = ? AND nct_id = ?", (key, nct_id))

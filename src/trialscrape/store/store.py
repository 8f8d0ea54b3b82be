"""What is kept between runs: every page that was fetched, whose it is, and how far a run came.

A store is one SQLite file (`database`) that has the slug index too (`slug_index`). All times are aware datetimes, kept
in UTC to the second. A store may be used from several threads; they take turns.
"""

import hashlib
import json
import sqlite3
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from trialscrape.addresses import drop_referrer
from trialscrape.store.database import StoreError, as_text, as_time, is_store
from trialscrape.store.slug_index import SlugIndex

__all__ = [
    "Added",
    "Fetched",
    "KeptAnswer",
    "Known",
    "Match",
    "Note",
    "Page",
    "Row",
    "Store",
    "StoreError",
    "is_store",
    "run_key",
]

_PROCESS = uuid.uuid4().hex  # names this process in the store: the system gives its numbers again

_PAGE = """SELECT url, final_url, fetched_at, status, body, etag, last_modified, content_type, version_id, checked_at,
    sha256, length FROM version JOIN page USING (page_id)"""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page as it was fetched.

    Attributes:
        url: The address that was asked for; it names the page in the store.
        final_url: The address that answered, after redirects.
        fetched_at: When.
        status: The HTTP status.
        body: The body, without any transfer or content encoding.
        etag: The validator, as it was sent.
        last_modified: Likewise.
        content_type: The header, as it was sent.

    """

    url: str
    final_url: str
    fetched_at: datetime
    status: int
    body: bytes
    etag: str | None = None
    last_modified: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Fetched):
    """A page as it is kept: one version of it.

    Attributes:
        version_id: Numbers the versions of all pages in the order in which they came.
        checked_at: When the site last said that this is what it has, by the clock of that moment.
        sha256: Of the body, in hexadecimal.

    """

    version_id: int
    checked_at: datetime
    sha256: str


class Added(NamedTuple):
    """Where a page went: its version, and whether that is new or was there already."""

    version_id: int
    is_new: bool


class Match(NamedTuple):
    """How a page was matched to an id, and the current id of its study.

    `matched_by` is `nct_id` where the page shows the id asked for, `current_nct_id` where it shows the registry's
    current one for an old id; where it shows no identifier, `title+sponsor`, `title+summary` or `title+facts` says what
    it has in common with the registry's record.
    """

    matched_by: str
    nct_id: str


@dataclass(frozen=True, slots=True)
class Known:
    """The page that is known to be an id's.

    Attributes:
        page: The version that was matched.
        match: How. A page with a later version has changed since and must be matched again.

    """

    page: Page
    match: Match


class KeptAnswer(NamedTuple):
    """What the registry said of an id, as JSON; None where a list lacked the id. `attempts` are the id's requests."""

    nct_id: str
    attempts: int
    answer: str | None


class Note(NamedTuple):
    """How a run came by a page for an id that it has not finished, and how many requests that took."""

    how: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Row:
    """A finished id of a run: its place in the order asked, its outcome row and its record line, both as JSON."""

    position: int
    nct_id: str
    outcome: str
    record: str | None


def run_key(asked: Iterable[str]) -> str:
    """Give the key of a run: a hash of what was asked, in its order."""
    return hashlib.sha256(json.dumps(list(asked)).encode()).hexdigest()


class Store(SlugIndex):
    """A store, open; a context manager that closes it.

    Every method raises `StoreError` where the file cannot be read or written.
    """

    # Pages

    def add_page(self, page: Fetched, *, ids: Iterable[str] = (), historic: bool = False) -> Added:
        """Keep a page that was fetched.

        The same bytes with the same status as the latest version make no new version: its time of check and its
        validators are renewed.

        Args:
            page: What was fetched. How a visitor came to its address (`comeFrom`) is dropped.
            ids: The ids that it was fetched for.
            historic: It may be older than what is kept, as from an archive. Otherwise it is the latest version, even if
                the clock was put back.

        """
        page = replace(page, url=drop_referrer(page.url), final_url=drop_referrer(page.final_url))
        sha256 = hashlib.sha256(page.body).hexdigest()
        packed = zlib.compress(page.body, 6)
        with self.transaction():
            page_id = self._page_id(page.url)
            self._rows("INSERT OR IGNORE INTO asked (nct_id, page_id) VALUES (?, ?)", [(one, page_id) for one in ids])
            checked_at = fetched_at = as_text(page.fetched_at)
            latest = self._latest_of(page_id)
            if latest and historic and fetched_at < latest["fetched_at"]:
                same = self._one(
                    "SELECT version_id FROM version WHERE page_id = ? AND sha256 = ? AND status = ?",
                    (page_id, sha256, page.status),
                )
                if same:
                    return Added(same[0], is_new=False)
            elif latest and (latest["sha256"], latest["status"]) == (sha256, page.status):
                checked_at = max(checked_at, latest["checked_at"]) if historic else checked_at
                self._renew(latest["version_id"], checked_at, page.etag, page.last_modified, page.final_url)
                return Added(latest["version_id"], is_new=False)
            elif latest:
                fetched_at = max(fetched_at, latest["fetched_at"])
            times = (fetched_at, checked_at)
            return Added(self._insert_version(page_id, page, times, sha256, packed), is_new=True)

    def touch(
        self, url: str, checked_at: datetime, *, etag: str | None = None, last_modified: str | None = None
    ) -> None:
        """Note that the site said that a page is unchanged (304).

        Args:
            url: The address that was asked for.
            checked_at: When.
            etag: The validator that came with the answer; None leaves the old one.
            last_modified: Likewise.

        Raises:
            StoreError: If no page of this address is kept.

        """
        with self.transaction():
            latest = self._latest_of(self._known_page_id(url))
            self._renew(latest["version_id"], as_text(checked_at), etag, last_modified, None)

    def latest(self, url: str) -> Page | None:
        """Give the latest version of the page that was asked for at an address."""
        return self._page(f"{_PAGE} WHERE url = ? ORDER BY fetched_at DESC, version_id DESC LIMIT 1", (url,))

    def versions(self, url: str) -> Iterator[Page]:
        """Yield all versions of a page, the oldest first."""
        numbers = self._all(
            "SELECT version_id FROM version JOIN page USING (page_id) WHERE url = ? ORDER BY fetched_at, version_id",
            (url,),
        )
        return (page for (number,) in numbers if (page := self._page(f"{_PAGE} WHERE version_id = ?", (number,))))

    def pages(self) -> Iterator[Page]:
        """Yield the latest version of every page, in the order in which their addresses were first kept.

        One page is in memory at a time; pages that are added meanwhile are met too.
        """
        after = 0
        while row := self._one("SELECT page_id, url FROM page WHERE page_id > ? ORDER BY page_id LIMIT 1", (after,)):
            after = row["page_id"]
            if page := self.latest(row["url"]):
                yield page

    def all_versions(self) -> Iterator[Page]:
        """Yield every version of every page, in the order in which they came, one in memory at a time."""
        after = 0
        while page := self._page(f"{_PAGE} WHERE version_id > ? ORDER BY version_id LIMIT 1", (after,)):
            after = page.version_id
            yield page

    # Ids

    def set_match(self, nct_id: str, url: str, match: Match | None) -> None:
        """Record that the latest version of a page is an id's, and how that was matched; None takes it back.

        Raises:
            StoreError: If no page of this address is kept.

        """
        with self.transaction():
            page_id = self._known_page_id(url)
            version_id = self._latest_of(page_id)["version_id"] if match else None
            self._run(
                """INSERT INTO asked (nct_id, page_id, version_id, matched_by, matched_id) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET version_id = excluded.version_id, matched_by = excluded.matched_by,
                matched_id = excluded.matched_id""",
                (nct_id, page_id, version_id, *(match or (None, None))),
            )

    def for_id(self, nct_id: str, *, under: str = "") -> Known | None:
        """Give the page that was matched to an id; of several, the one that was checked last.

        Args:
            nct_id: The id.
            under: What the page's address must begin with, such as `https://ctv.veeva.com/study/`: another site's page
                is no answer.

        """
        row = self._one(
            """SELECT version_id, matched_by, matched_id
            FROM asked JOIN version USING (version_id, page_id) JOIN page USING (page_id)
            WHERE nct_id = ? AND matched_by IS NOT NULL AND substr(url, 1, length(?)) = ?
            ORDER BY checked_at DESC, version_id DESC LIMIT 1""",
            (nct_id, under, under),
        )
        if row is None:
            return None
        page = _page_of(self._some(f"{_PAGE} WHERE version_id = ?", (row["version_id"],)), self.path)
        return Known(page, Match(row["matched_by"], row["matched_id"]))

    def is_known(self, nct_id: str) -> bool:
        """Tell whether a page was matched to an id."""
        return self._one("SELECT 1 FROM asked WHERE nct_id = ? AND matched_by IS NOT NULL", (nct_id,)) is not None

    def match_of(self, version_id: int) -> Match | None:
        """Give the match of a page's version; None where it has none, or was matched to several studies."""
        rows = self._all("SELECT matched_by, matched_id FROM asked WHERE version_id = ? ORDER BY nct_id", (version_id,))
        return Match(*rows[0]) if len({row["matched_id"] for row in rows}) == 1 else None

    def ids_of(self, url: str) -> tuple[str, ...]:
        """Give the ids that an address was fetched for."""
        rows = self._all("SELECT nct_id FROM asked JOIN page USING (page_id) WHERE url = ? ORDER BY nct_id", (url,))
        return tuple(nct_id for (nct_id,) in rows)

    # Pages that end the process

    def begin_parsing(self, version_id: int) -> None:
        """Record that a page is being parsed, so that the next run knows it if this process dies meanwhile."""
        with self.transaction(synced=False):
            self._run("INSERT OR IGNORE INTO parsing VALUES (?, ?)", (version_id, _PROCESS))

    def end_parsing(self, version_id: int) -> None:
        """Record that a page was parsed, whatever came of it, and forget that a process died of it before."""
        with self.transaction(synced=False):
            self._run("DELETE FROM parsing WHERE version_id = ?", (version_id,))

    def died_parsing(self, version_id: int) -> bool:
        """Tell whether a process that has ended was parsing a page when it died."""
        query = "SELECT 1 FROM parsing WHERE version_id = ? AND process != ?"
        return self._one(query, (version_id, _PROCESS)) is not None

    # Runs

    def begin_run(self, key: str, now: datetime, *, not_before: datetime | None = None) -> None:
        """Begin a run, or resume the one of the same key that did not end and is neither too old nor of the future."""
        with self.transaction():
            if not_before:
                query = "DELETE FROM run WHERE run_key = ? AND (started_at < ? OR started_at > ?)"
                self._run(query, (key, as_text(not_before), as_text(now)))
            self._run("INSERT OR IGNORE INTO run VALUES (?, ?)", (key, as_text(now)))

    def finish(self, key: str, row: Row) -> None:
        """Record that an id is done, durably; what was recorded for the same position before is replaced."""
        with self.transaction():
            self._run(
                """INSERT INTO finished (run_key, position, nct_id, outcome, record) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (run_key, position) DO UPDATE
                SET nct_id = excluded.nct_id, outcome = excluded.outcome, record = excluded.record""",
                (key, row.position, row.nct_id, row.outcome, row.record),
            )

    def finished(self, key: str, *, without: Iterable[str] = ()) -> dict[str, int]:
        """Give the ids that a run has finished, with their positions, in that order.

        Args:
            key: The run.
            without: Leave out ids that ended in one of these outcomes.

        """
        rows = self._all(
            """SELECT nct_id, position FROM finished WHERE run_key = ?
            AND ifnull(json_extract(outcome, '$.outcome'), '') NOT IN (SELECT value FROM json_each(?))
            ORDER BY position""",
            (key, json.dumps(list(without))),
        )
        return {row["nct_id"]: row["position"] for row in rows}

    def row(self, key: str, position: int) -> Row:
        """Give what a run has finished at a position; it must be there."""
        query = "SELECT position, nct_id, outcome, record FROM finished WHERE run_key = ? AND position = ?"
        return Row(*self._some(query, (key, position)))

    def keep_answers(self, key: str, answers: Iterable[KeptAnswer]) -> None:
        """Keep what the registry said of some ids, so that a resumed run does not ask again."""
        with self.transaction():
            self._rows("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?)", ((key, *answer) for answer in answers))

    def kept_answer(self, key: str, nct_id: str) -> KeptAnswer | None:
        """Give what the registry said of an id in a run, where that is kept."""
        query = "SELECT nct_id, attempts, answer FROM answer WHERE run_key = ? AND nct_id = ?"
        row = self._one(query, (key, nct_id))
        return KeptAnswer(*row) if row else None

    def drop_answer(self, key: str, nct_id: str) -> None:
        """Drop what the registry said of an id, the id being finished for good."""
        with self.transaction():
            self._run("DELETE FROM answer WHERE run_key = ? AND nct_id = ?", (key, nct_id))

    def note(self, key: str, nct_id: str, url: str, note: Note) -> None:
        """Note how a run came by a page for an id, so that the run, gone on with, does not come by it anew."""
        with self.transaction():
            self._run("INSERT OR REPLACE INTO noted VALUES (?, ?, ?, ?, ?)", (key, nct_id, url, *note))

    def noted(self, key: str, nct_id: str, url: str) -> Note | None:
        """Give what a run has noted of a page for an id."""
        query = "SELECT how, attempts FROM noted WHERE run_key = ? AND nct_id = ? AND url = ?"
        row = self._one(query, (key, nct_id, url))
        return Note(*row) if row else None

    def end_run(self, key: str) -> None:
        """Forget a run, its output being written; the next run of the same key begins anew."""
        with self.transaction():
            self._run("DELETE FROM run WHERE run_key = ?", (key,))

    # Underneath

    def _page(self, query: str, values: tuple[object, ...]) -> Page | None:
        row = self._one(query, values)
        return _page_of(row, self.path) if row else None

    def _page_id(self, url: str) -> int:
        self._run("INSERT OR IGNORE INTO page (url) VALUES (?)", (url,))
        return int(self._some("SELECT page_id FROM page WHERE url = ?", (url,))[0])

    def _known_page_id(self, url: str) -> int:
        row = self._one("SELECT page_id FROM page WHERE url = ?", (url,))
        if row is None:
            raise StoreError(f"{self.path}: expected a page that is kept, found none of {url}: add it first")
        return int(row[0])

    def _latest_of(self, page_id: int) -> Any:  # noqa: ANN401  # a row, or None for a page that is being added
        return self._one(
            """SELECT version_id, fetched_at, checked_at, sha256, status FROM version
            WHERE page_id = ? ORDER BY fetched_at DESC, version_id DESC LIMIT 1""",
            (page_id,),
        )

    def _insert_version(self, page_id: int, page: Fetched, times: tuple[str, str], sha256: str, packed: bytes) -> int:
        cursor = self._run(
            """INSERT INTO version (page_id, final_url, fetched_at, checked_at, status, etag, last_modified,
            content_type, sha256, length, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                page_id,
                page.final_url,
                *times,
                page.status,
                page.etag,
                page.last_modified,
                page.content_type,
                sha256,
                len(page.body),
                packed,
            ),
        )
        return cursor.lastrowid or 0

    def _renew(
        self, version_id: int, checked_at: str, etag: str | None, last_modified: str | None, final_url: str | None
    ) -> None:
        self._run(
            """UPDATE version SET checked_at = ?, etag = coalesce(?, etag),
            last_modified = coalesce(?, last_modified), final_url = coalesce(?, final_url) WHERE version_id = ?""",
            (checked_at, etag, last_modified, final_url, version_id),
        )


def _page_of(row: sqlite3.Row, path: Path) -> Page:
    """Unpack a page, and see that it is what was kept."""
    try:
        body = zlib.decompressobj().decompress(row["body"], row["length"] + 1)
    except zlib.error:
        body = b""
    if hashlib.sha256(body).hexdigest() != row["sha256"]:
        raise StoreError(
            f"{path}: the body of {row['url']} kept at {row['fetched_at']} is not what was written: the file is"
            " damaged; keep a copy, and start with a new store"
        )
    return Page(
        url=row["url"],
        final_url=row["final_url"],
        fetched_at=as_time(row["fetched_at"]),
        status=row["status"],
        body=body,
        etag=row["etag"],
        last_modified=row["last_modified"],
        content_type=row["content_type"],
        version_id=row["version_id"],
        checked_at=as_time(row["checked_at"]),
        sha256=row["sha256"],
    )

"""The SQLite file that keeps every page, the slug index, and one lock.

What a method has written is durable when the method returns: each is one transaction in write-ahead mode with
`synchronous=FULL`, so it survives `kill -9` and, as far as the disk keeps its word, a power cut. A transaction that did
not end leaves nothing behind.

One run at a time writes: `Store.open(path)` holds a lock of the operating system on `<path>.lock`, which vanishes with
its process however that ends; the empty file stays and means nothing. `Store.open(path, lock=False)` reads beside a
running one. Folders on a network may not keep such locks, nor SQLite's own: a store belongs on a local disk.

All times are aware datetimes, kept in UTC to the second. A store may be used from several threads; they take turns.
"""

import hashlib
import json
import os
import sqlite3
import sys
import threading
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from math import log
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from trialscrape.errors import TrialscrapeError
from trialscrape.slugs import words_of

APPLICATION_ID = 0x54726C53
"""Marks an SQLite file as ours (`TrlS`)."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE page (
            page_id INTEGER PRIMARY KEY,
            url TEXT NOT NULL UNIQUE
        )""",
        """CREATE TABLE version (
            version_id INTEGER PRIMARY KEY,
            page_id INTEGER NOT NULL REFERENCES page,
            final_url TEXT NOT NULL,
            fetched_at TEXT NOT NULL,
            checked_at TEXT NOT NULL,
            status INTEGER NOT NULL,
            etag TEXT,
            last_modified TEXT,
            content_type TEXT,
            sha256 TEXT NOT NULL,
            length INTEGER NOT NULL,
            body BLOB NOT NULL
        )""",
        "CREATE INDEX version_of_page ON version (page_id, fetched_at, version_id)",
        """CREATE TABLE asked (
            nct_id TEXT NOT NULL,
            page_id INTEGER NOT NULL REFERENCES page,
            version_id INTEGER REFERENCES version,
            proof TEXT,
            PRIMARY KEY (nct_id, page_id)
        ) WITHOUT ROWID""",
        "CREATE INDEX asked_of_page ON asked (page_id)",
        "CREATE TABLE run (run_key TEXT PRIMARY KEY, started_at TEXT NOT NULL)",
        """CREATE TABLE finished (
            run_key TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
            position INTEGER NOT NULL,
            nct_id TEXT NOT NULL,
            outcome TEXT NOT NULL,
            record TEXT,
            PRIMARY KEY (run_key, position),
            UNIQUE (run_key, nct_id)
        )""",
        """CREATE TABLE noted (
            run_key TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
            nct_id TEXT NOT NULL,
            url TEXT NOT NULL,
            how TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            PRIMARY KEY (run_key, nct_id, url)
        ) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE sync (
            sync_id INTEGER PRIMARY KEY AUTOINCREMENT,
            url TEXT NOT NULL,
            started_at TEXT NOT NULL,
            ended_at TEXT
        )""",
        """CREATE TABLE shard (
            shard_id INTEGER PRIMARY KEY,
            url TEXT NOT NULL UNIQUE,
            etag TEXT,
            last_modified TEXT,
            synced_at TEXT NOT NULL,
            sync_id INTEGER,
            slugs INTEGER NOT NULL
        )""",
        "CREATE TABLE slug (slug_id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE)",
        """CREATE TABLE listed (
            shard_id INTEGER NOT NULL REFERENCES shard,
            slug_id INTEGER NOT NULL,
            PRIMARY KEY (shard_id, slug_id)
        ) WITHOUT ROWID""",
        "CREATE INDEX listed_slug ON listed (slug_id)",
        # The words of a slug and nothing more: which slugs hold a word is all that is asked.
        """CREATE VIRTUAL TABLE slug_words USING fts5 (
            slug, content='slug', content_rowid='slug_id', detail='none', columnsize=0, tokenize='ascii'
        )""",
        "CREATE TABLE word (word TEXT PRIMARY KEY, slugs INTEGER NOT NULL) WITHOUT ROWID",
    ),
)
"""The schema as steps: a file at version n has had the first n of them (`PRAGMA user_version`)."""

# What SQLite's error means to the user; the longest prefix of its name decides.
_FAULTS: Mapping[str, str] = {
    "SQLITE_FULL": "the disk or the quota is full: free some space and give the same command again, all that was"
    " finished is kept",
    "SQLITE_IOERR": "it could not be read or written (a full disk, a quota, a failing disk): see to the disk and give"
    " the same command again, all that was finished is kept",
    "SQLITE_READONLY": "it cannot be written: make the file and its folder writable, or name another store",
    "SQLITE_CANTOPEN": "it cannot be opened: check that you may read and write the file and its folder",
    "SQLITE_NOTADB": "expected a store made by trialscrape, found another kind of file: name another store",
    "SQLITE_CORRUPT": "the file is damaged: keep a copy, and start with a new store",
    "SQLITE_BUSY": "another program is writing to it: wait for it to end, then give the same command again",
}
_INDEX_MODULE = "fts5"
_BATCH = 200
_HEADER = 100  # bytes of an SQLite file's header
_MARK = slice(68, 72)  # where PRAGMA application_id stands in it
"""Rows fetched at a time where many are read: a reader may stop, or write, between two batches."""


class StoreError(TrialscrapeError):
    """The store cannot be opened, read or written; the message says why and what to do."""


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
        checked_at: When the site last said that this is what it has; never before `fetched_at`.
        sha256: Of the body, in hexadecimal.

    """

    version_id: int
    checked_at: datetime
    sha256: str


class Added(NamedTuple):
    """Where a page went: its version, and whether that is new or was there already."""

    version_id: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The page that is known to be an id's.

    Attributes:
        page: The version that was proven.
        proof: How, in the words given to `set_proof`.
        is_latest: Whether it is still the page's latest version; if not, the page has changed since and must be proven
            again.

    """

    page: Page
    proof: str
    is_latest: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the scraper: when it first began, and how many ids it had finished when it was begun now."""

    key: str
    started_at: datetime
    finished: int


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


@dataclass(frozen=True, slots=True)
class Sync:
    """A reading of the sitemap, and the addresses of the shards that it has done, if it was begun before."""

    sync_id: int
    started_at: datetime
    done: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of the sitemap as it was last read, and how many slugs it listed."""

    url: str
    etag: str | None
    last_modified: str | None
    synced_at: datetime
    slugs: int


class Change(NamedTuple):
    """What a shard changed in the index: slugs that are new to it, and slugs that are listed nowhere any more."""

    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """The slug index: its size, the ages of its shards, and when a reading began that has not ended."""

    shards: int
    slugs: int
    oldest_sync: datetime | None
    newest_sync: datetime | None
    unfinished_since: datetime | None


class Near(NamedTuple):
    """A slug that resembles another: 1.0 is the same words or the same beginning to the end, 0.0 nothing in common."""

    slug: str
    score: float


class Weight(NamedTuple):
    """What a word tells: how many slugs hold it, and what sharing it is worth: the rarer, the more."""

    slugs: int
    worth: float


def is_store(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a store, by its first bytes; a file that cannot be read is none."""
    try:
        if not Path(path).is_file():  # opening a pipe would wait for its writer
            return False
        with Path(path).open("rb") as file:
            head = file.read(_HEADER)
    except (OSError, ValueError):
        return False
    return head.startswith(b"SQLite format 3\0") and head[_MARK] == APPLICATION_ID.to_bytes(4, "big")


def run_key(asked: Iterable[str]) -> str:
    """Give the key of a run: a hash of what was asked, in its order."""
    return hashlib.sha256(json.dumps(list(asked)).encode()).hexdigest()


class Store:
    """A store, open; a context manager that closes it.

    Every method raises `StoreError` where the file cannot be read or written.

    Attributes:
        path: The file, as it was given.

    """

    def __init__(self, path: Path, database: sqlite3.Connection, lock: int | None) -> None:
        self.path = path
        self._database = database
        self._lock = lock
        self._turn = threading.RLock()
        self._in_transaction = False

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, lock: bool = True) -> Self:
        """Open a store, and make it or bring it up to date where needed.

        Args:
            path: The file; its folder must exist.
            lock: Hold the store for writing, alone. Without, the file must exist and is only read, beside whoever
                writes it.

        Raises:
            StoreError: If another run holds the store, or the file is missing, foreign, newer than this code, or
                cannot be read or written.

        """
        path = Path(path)
        if lock:
            return cls(path, *_open_locked(path))
        return cls(path, _open_reading(path), None)

    def close(self) -> None:
        """Close the file and give up the lock."""
        with self._turn:
            self._database.close()
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write several things as one: all of them are durable at the end, or none is written.

        Transactions nest; the outermost counts.
        """
        with self._turn:
            if self._in_transaction:
                yield
                return
            self._run("BEGIN IMMEDIATE")
            self._in_transaction = True
            try:
                yield
                self._run("COMMIT")
            finally:
                self._in_transaction = False
                # Still open only after an error. A full disk can end the transaction by itself.
                if self._database.in_transaction:
                    with suppress(StoreError):
                        self._run("ROLLBACK")

    # Pages

    def add_page(self, page: Fetched, *, ids: Iterable[str] = (), historic: bool = False) -> Added:
        """Keep a page that was fetched.

        The same bytes with the same status as the latest version make no new version: its time of check and its
        validators are renewed.

        Args:
            page: What was fetched.
            ids: The ids that it was fetched for.
            historic: It may be older than what is kept, as from an archive. Otherwise it is the latest version, even if
                the clock was put back.

        """
        sha256 = hashlib.sha256(page.body).hexdigest()
        packed = zlib.compress(page.body, 6)
        with self.transaction():
            page_id = self._page_id(page.url)
            self._rows("INSERT OR IGNORE INTO asked (nct_id, page_id) VALUES (?, ?)", [(one, page_id) for one in ids])
            fetched_at = _text(page.fetched_at)
            latest = self._latest_of(page_id)
            if latest and historic and fetched_at < latest["fetched_at"]:
                same = self._one(
                    "SELECT version_id FROM version WHERE page_id = ? AND sha256 = ? AND status = ?",
                    (page_id, sha256, page.status),
                )
                if same:
                    return Added(same[0], is_new=False)
            elif latest and (latest["sha256"], latest["status"]) == (sha256, page.status):
                self._renew(latest["version_id"], fetched_at, page.etag, page.last_modified, page.final_url)
                return Added(latest["version_id"], is_new=False)
            elif latest:
                fetched_at = max(fetched_at, latest["fetched_at"])
            return Added(self._insert_version(page_id, page, fetched_at, sha256, packed), is_new=True)

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
            self._renew(latest["version_id"], _text(checked_at), etag, last_modified, None)

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

    def set_proof(self, nct_id: str, url: str, proof: str | None) -> None:
        """Note that the latest version of a page is an id's, and how that was proven; None takes it back.

        Raises:
            StoreError: If no page of this address is kept.

        """
        with self.transaction():
            page_id = self._known_page_id(url)
            version_id = self._latest_of(page_id)["version_id"] if proof is not None else None
            self._run(
                """INSERT INTO asked (nct_id, page_id, version_id, proof) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET version_id = excluded.version_id, proof = excluded.proof""",
                (nct_id, page_id, version_id, proof),
            )

    def for_id(self, nct_id: str) -> Known | None:
        """Give the page that was proven to be an id's; of several, the one that was checked last."""
        row = self._one(
            """SELECT version_id, proof, page_id FROM asked JOIN version USING (version_id, page_id)
            WHERE nct_id = ? AND proof IS NOT NULL ORDER BY checked_at DESC, version_id DESC LIMIT 1""",
            (nct_id,),
        )
        if row is None:
            return None
        page = _page_of(self._some(f"{_PAGE} WHERE version_id = ?", (row["version_id"],)), self.path)
        return Known(page, row["proof"], is_latest=self._latest_of(row["page_id"])["version_id"] == page.version_id)

    def urls_for(self, nct_id: str) -> tuple[tuple[str, str | None], ...]:
        """Give every address whose page was fetched for an id, with its proof or None, in the order first kept."""
        rows = self._all(
            "SELECT url, proof FROM asked JOIN page USING (page_id) WHERE nct_id = ? ORDER BY page_id", (nct_id,)
        )
        return tuple((url, proof) for url, proof in rows)

    def ids_of(self, url: str) -> tuple[str, ...]:
        """Give the ids that an address was fetched for."""
        rows = self._all("SELECT nct_id FROM asked JOIN page USING (page_id) WHERE url = ? ORDER BY nct_id", (url,))
        return tuple(nct_id for (nct_id,) in rows)

    # Runs

    def begin_run(self, key: str, now: datetime) -> Run:
        """Begin a run, or go on with the one of the same key that did not end."""
        with self.transaction():
            self._run("INSERT OR IGNORE INTO run VALUES (?, ?)", (key, _text(now)))
            (started_at,) = self._some("SELECT started_at FROM run WHERE run_key = ?", (key,))
            (finished,) = self._some("SELECT count(*) FROM finished WHERE run_key = ?", (key,))
            return Run(key, _time(started_at), finished)

    def finish(self, key: str, row: Row) -> None:
        """Note that an id is done, durably; what was noted for the same position before is replaced."""
        with self.transaction():
            self._run(
                """INSERT INTO finished (run_key, position, nct_id, outcome, record) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (run_key, position) DO UPDATE
                SET nct_id = excluded.nct_id, outcome = excluded.outcome, record = excluded.record""",
                (key, row.position, row.nct_id, row.outcome, row.record),
            )

    def finished(self, key: str) -> dict[str, int]:
        """Give the ids that a run has finished, with their positions, in that order."""
        rows = self._all("SELECT nct_id, position FROM finished WHERE run_key = ? ORDER BY position", (key,))
        return {row["nct_id"]: row["position"] for row in rows}

    def row(self, key: str, position: int) -> Row:
        """Give what a run has finished at a position; it must be there."""
        query = "SELECT position, nct_id, outcome, record FROM finished WHERE run_key = ? AND position = ?"
        return Row(*self._some(query, (key, position)))

    def note(self, key: str, nct_id: str, url: str, note: Note) -> None:
        """Note how a run came by a page for an id, so that the run, gone on with, does not come by it anew."""
        with self.transaction():
            self._run("INSERT OR REPLACE INTO noted VALUES (?, ?, ?, ?, ?)", (key, nct_id, url, *note))

    def noted(self, key: str, nct_id: str, url: str) -> Note | None:
        """Give what a run has noted of a page for an id."""
        query = "SELECT how, attempts FROM noted WHERE run_key = ? AND nct_id = ? AND url = ?"
        row = self._one(query, (key, nct_id, url))
        return Note(*row) if row else None

    def rows(self, key: str) -> Iterator[Row]:
        """Yield what a run has finished, in the order asked, a few at a time in memory."""
        query = """SELECT position, nct_id, outcome, record FROM finished
            WHERE run_key = ? AND position > ? ORDER BY position LIMIT ?"""
        after = -1
        while batch := self._all(query, (key, after, _BATCH)):
            after = batch[-1]["position"]
            yield from (Row(*row) for row in batch)

    def end_run(self, key: str) -> None:
        """Forget a run, its output being written; the next run of the same key begins anew."""
        with self.transaction():
            self._run("DELETE FROM run WHERE run_key = ?", (key,))

    def runs(self) -> tuple[Run, ...]:
        """Give the runs that did not end, the oldest first."""
        rows = self._all(
            """SELECT run.run_key, started_at, count(position) FROM run LEFT JOIN finished USING (run_key)
            GROUP BY run.run_key ORDER BY started_at, run.run_key"""
        )
        return tuple(Run(key, _time(started_at), finished) for key, started_at, finished in rows)

    # The slug index

    def begin_sync(self, url: str, now: datetime, *, not_before: datetime) -> Sync:
        """Begin a reading of a sitemap, or go on with the last one if that did not end.

        One that began before `not_before` is not gone on with: what it did is too old to count as done.
        """
        with self.transaction():
            row = self._one("SELECT * FROM sync WHERE url = ? ORDER BY sync_id DESC LIMIT 1", (url,))
            if row and row["ended_at"] is None and row["started_at"] >= _text(not_before):
                done = self._all("SELECT url FROM shard WHERE sync_id = ?", (row["sync_id"],))
                return Sync(row["sync_id"], _time(row["started_at"]), frozenset(shard for (shard,) in done))
            self._run("DELETE FROM sync WHERE url = ?", (url,))
            sync_id = self._run("INSERT INTO sync (url, started_at) VALUES (?, ?)", (url, _text(now))).lastrowid
            return Sync(sync_id or 0, _time(_text(now)), frozenset())

    def end_sync(self, sync: Sync, now: datetime) -> None:
        """Note that a reading of the sitemap came to its end."""
        with self.transaction():
            self._run("UPDATE sync SET ended_at = ? WHERE sync_id = ?", (_text(now), sync.sync_id))

    def shard(self, url: str) -> Shard | None:
        """Give what is known of a shard of the sitemap."""
        row = self._one("SELECT url, etag, last_modified, synced_at, slugs FROM shard WHERE url = ?", (url,))
        if row is None:
            return None
        return Shard(row["url"], row["etag"], row["last_modified"], _time(row["synced_at"]), row["slugs"])

    def shards(self) -> tuple[str, ...]:
        """Give the addresses of all shards in the index."""
        return tuple(url for (url,) in self._all("SELECT url FROM shard ORDER BY shard_id"))

    def touch_shard(self, url: str, synced_at: datetime, *, sync: Sync | None = None) -> None:
        """Note that the site said that a shard is unchanged."""
        with self.transaction():
            self._run(
                "UPDATE shard SET synced_at = ?, sync_id = ? WHERE url = ?",
                (_text(synced_at), sync and sync.sync_id, url),
            )

    def replace_shard(  # noqa: PLR0913  # they are the columns of one row
        self,
        url: str,
        slugs: Iterable[str],
        synced_at: datetime,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        sync: Sync | None = None,
        is_whole: Callable[[], bool] = lambda: True,
    ) -> Change:
        """Put what a shard lists into the index, in place of what it listed before.

        Args:
            url: The shard.
            slugs: What it lists; read once, a slug at a time, and never held in memory as a whole.
            synced_at: When it was fetched.
            etag: Its validator, for the next time.
            last_modified: Likewise.
            sync: The reading that it belongs to.
            is_whole: Asked when the slugs are read to their end. If it says no, they are part of a shard: they are
                added, nothing is taken away, and the shard does not count as read.

        """
        with self.transaction():
            self._receive(slugs)
            whole = is_whole()
            self._run(
                "INSERT OR IGNORE INTO shard (url, synced_at, slugs) VALUES (?, ?, 0)",
                (url, _text(synced_at)),
            )
            (shard_id,) = self._some("SELECT shard_id FROM shard WHERE url = ?", (url,))
            change = Change(self._list_slugs(shard_id), self._unlist_slugs(shard_id) if whole else 0)
            (count,) = self._some("SELECT count(*) FROM listed WHERE shard_id = ?", (shard_id,))
            self._run("UPDATE shard SET slugs = ? WHERE shard_id = ?", (count, shard_id))
            if whole:
                self._run(
                    "UPDATE shard SET etag = ?, last_modified = ?, synced_at = ?, sync_id = ? WHERE shard_id = ?",
                    (etag, last_modified, _text(synced_at), sync and sync.sync_id, shard_id),
                )
            else:
                self._run("UPDATE shard SET etag = NULL, last_modified = NULL WHERE shard_id = ?", (shard_id,))
            self._receive(())
            return change

    def drop_shards(self, *, keep: Iterable[str]) -> int:
        """Take all shards but some out of the index, with what only they listed; gives the number of slugs removed."""
        removed = 0
        with self.transaction():
            self._receive(())
            for url in set(self.shards()).difference(keep):
                (shard_id,) = self._some("SELECT shard_id FROM shard WHERE url = ?", (url,))
                removed += self._unlist_slugs(shard_id)
                self._run("DELETE FROM shard WHERE shard_id = ?", (shard_id,))
        return removed

    def index_status(self) -> IndexStatus:
        """Tell the size and the age of the slug index."""
        shards, oldest, newest = self._some("SELECT count(*), min(synced_at), max(synced_at) FROM shard")
        (slugs,) = self._some("SELECT count(*) FROM slug")
        (unfinished,) = self._some("SELECT min(started_at) FROM sync WHERE ended_at IS NULL")
        return IndexStatus(shards, slugs, *(time and _time(time) for time in (oldest, newest, unfinished)))

    def slug_exists(self, slug: str) -> bool:
        """Tell whether the sitemap listed a slug."""
        return self._one("SELECT 1 FROM slug WHERE slug = ?", (slug,)) is not None

    def near(self, slug: str, words: Iterable[str] = (), *, limit: int = 10) -> tuple[Near, ...]:
        """Give the slugs of the index that resemble one that may not be in it, the best first.

        Two kinds are found: slugs with the same beginning (cut elsewhere, or numbered), which are its neighbours in the
        alphabet, and slugs that share its rarer words (renamed studies).

        Args:
            slug: The slug that a title gives.
            words: More words, such as those of a title that goes on where the slug is cut.
            limit: How many to give at most.

        """
        wanted = tuple(dict.fromkeys((*words_of(slug), *words)))
        weights = self._weights(wanted)
        found = set(self._neighbours(slug)) | set(self._with_words(weights))
        scored = (Near(other, _likeness(slug, other, weights)) for other in found)
        return tuple(sorted(scored, key=lambda near: (-near.score, near.slug))[:limit])

    # Underneath

    def _run(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        with self._turn, _translated(self.path):
            return self._database.execute(query, values)

    def _rows(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._turn, _translated(self.path):
            self._database.executemany(query, rows)

    def _all(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        with self._turn, _translated(self.path):
            return self._database.execute(query, values).fetchall()

    def _one(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Row | None:
        rows = self._all(query, values)
        return rows[0] if rows else None

    def _some(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Row:
        """Give the one row of a query that cannot be without."""
        return self._all(query, values)[0]

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
            """SELECT version_id, fetched_at, sha256, status FROM version
            WHERE page_id = ? ORDER BY fetched_at DESC, version_id DESC LIMIT 1""",
            (page_id,),
        )

    def _insert_version(self, page_id: int, page: Fetched, fetched_at: str, sha256: str, packed: bytes) -> int:
        cursor = self._run(
            """INSERT INTO version (page_id, final_url, fetched_at, checked_at, status, etag, last_modified,
            content_type, sha256, length, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                page_id,
                page.final_url,
                fetched_at,
                fetched_at,
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
            """UPDATE version SET checked_at = max(checked_at, ?), etag = coalesce(?, etag),
            last_modified = coalesce(?, last_modified), final_url = coalesce(?, final_url) WHERE version_id = ?""",
            (checked_at, etag, last_modified, final_url, version_id),
        )

    def _receive(self, slugs: Iterable[str]) -> None:
        """Take in slugs, in place of those taken in before; a table of their own spares memory and sorts them."""
        self._run("CREATE TEMP TABLE IF NOT EXISTS incoming (slug TEXT PRIMARY KEY) WITHOUT ROWID")
        self._run("DELETE FROM incoming")
        self._rows("INSERT OR IGNORE INTO incoming VALUES (?)", ((slug,) for slug in slugs))

    def _list_slugs(self, shard_id: int) -> int:
        """List the incoming slugs under a shard; gives how many are new to the index."""
        (last,) = self._some("SELECT coalesce(max(slug_id), 0) FROM slug")
        self._run("INSERT OR IGNORE INTO slug (slug) SELECT slug FROM incoming ORDER BY slug")
        self._run("INSERT INTO slug_words (rowid, slug) SELECT slug_id, slug FROM slug WHERE slug_id > ?", (last,))
        added = self._count_words("SELECT slug FROM slug WHERE slug_id > ?", (last,), 1)
        self._run(
            "INSERT OR IGNORE INTO listed SELECT ?, slug_id FROM incoming JOIN slug USING (slug)",
            (shard_id,),
        )
        return added

    def _unlist_slugs(self, shard_id: int) -> int:
        """Take what did not come in again from a shard; gives how many slugs no shard lists any more."""
        self._run("CREATE TEMP TABLE IF NOT EXISTS gone (slug_id INTEGER PRIMARY KEY, slug TEXT)")
        self._run("DELETE FROM gone")
        self._run(
            """INSERT INTO gone SELECT slug_id, slug FROM listed JOIN slug USING (slug_id)
            WHERE shard_id = ? AND slug NOT IN (SELECT slug FROM incoming)""",
            (shard_id,),
        )
        self._run("DELETE FROM listed WHERE shard_id = ? AND slug_id IN (SELECT slug_id FROM gone)", (shard_id,))
        self._run("DELETE FROM gone WHERE EXISTS (SELECT 1 FROM listed WHERE listed.slug_id = gone.slug_id)")
        # The words must be taken out by the text that they were put in by, so before the slug itself goes.
        self._run("INSERT INTO slug_words (slug_words, rowid, slug) SELECT 'delete', slug_id, slug FROM gone")
        removed = self._count_words("SELECT slug FROM gone", (), -1)
        self._run("DELETE FROM slug WHERE slug_id IN (SELECT slug_id FROM gone)")
        return removed

    def _count_words(self, query: str, values: tuple[object, ...], step: int) -> int:
        """Add to, or take from, the words' counts what the slugs of a query hold; gives the number of slugs."""
        counts: Counter[str] = Counter()
        slugs = 0
        with _translated(self.path):
            for (slug,) in self._database.execute(query, values):
                slugs += 1
                counts.update(words_of(slug))
        self._rows(
            "INSERT INTO word VALUES (?, ?) ON CONFLICT DO UPDATE SET slugs = slugs + excluded.slugs",
            sorted((word, step * count) for word, count in counts.items()),
        )
        return slugs

    def _weights(self, words: tuple[str, ...]) -> dict[str, Weight]:
        rows = self._all(
            "SELECT word, slugs FROM word WHERE word IN (SELECT value FROM json_each(?))", (json.dumps(words),)
        )
        counts = {row["word"]: int(row["slugs"]) for row in rows}
        (total,) = self._some("SELECT coalesce(max(slug_id), 0) FROM slug")
        return {word: Weight(held := counts.get(word, 0), log((total + 2) / (held + 1))) for word in words}

    def _neighbours(self, slug: str) -> Iterator[str]:
        """Yield the slugs before and behind one in the alphabet: no others share a longer beginning with it."""
        behind = "SELECT slug FROM slug WHERE slug >= ? ORDER BY slug LIMIT 5"
        before = "SELECT slug FROM slug WHERE slug < ? ORDER BY slug DESC LIMIT 5"
        return (other for query in (behind, before) for (other,) in self._all(query, (slug,)))

    def _with_words(self, weights: Mapping[str, Weight]) -> Iterator[str]:
        """Yield the slugs that share the most of the rarer words, by reading no more than some thousand entries."""
        words = sorted((word for word, weight in weights.items() if weight.slugs), key=lambda word: weights[word].slugs)
        worth: defaultdict[int, float] = defaultdict(float)
        budget = _ENTRIES
        while words and (budget := budget - weights[words[0]].slugs) >= 0:
            for number in self._holding(words[:1]):
                worth[number] += weights[words[0]].worth
            del words[:1]
        # Each word that is left is in so many slugs that only those that hold three of them tell anything; and words
        # like `of` tell nothing where rarer ones have found something.
        together = words[:3] if words and (not worth or weights[words[0]].slugs <= _COMMON) else []
        for number in self._holding(together) if len(together) > 1 else ():
            worth[number] += sum(weights[word].worth for word in together)
        best = nlargest(_SCORED, worth, key=worth.__getitem__)
        rows = self._all("SELECT slug FROM slug WHERE slug_id IN (SELECT value FROM json_each(?))", (json.dumps(best),))
        return (slug for (slug,) in rows)

    def _holding(self, words: list[str]) -> list[int]:
        query = " AND ".join(f'"{word}"' for word in words)
        rows = self._all("SELECT rowid FROM slug_words WHERE slug_words MATCH ? LIMIT ?", (query, _ENTRIES))
        return [number for (number,) in rows]


_PAGE = """SELECT url, final_url, fetched_at, status, body, etag, last_modified, content_type, version_id, checked_at,
    sha256, length FROM version JOIN page USING (page_id)"""
_ENTRIES = 1000
"""Entries of the word index read for one look-up, which keeps it to a few milliseconds in an index of 600,000."""
_COMMON = 2_500
"""Slugs that hold a word from which on it is one of those that every title has."""
_SCORED = 20
"""Slugs whose likeness is worked out in full."""


def _likeness(slug: str, other: str, weights: Mapping[str, Weight]) -> float:
    """Say how much two slugs have in common: by their words or their beginning, whichever says more."""
    words = set(words_of(other))
    wanted = sum(weight.worth for weight in weights.values())
    shared = sum(weight.worth for word, weight in weights.items() if word in words)
    recall = shared / wanted if wanted else 0.0
    precision = len(words & weights.keys()) / len(words) if words else 0.0
    by_words = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
    same = next(
        (place for place, (a, b) in enumerate(zip(slug, other, strict=False)) if a != b), min(len(slug), len(other))
    )
    by_beginning = same / max(len(slug), len(other), 1)
    return round(max(by_words, by_beginning), 3)


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
        fetched_at=_time(row["fetched_at"]),
        status=row["status"],
        body=body,
        etag=row["etag"],
        last_modified=row["last_modified"],
        content_type=row["content_type"],
        version_id=row["version_id"],
        checked_at=_time(row["checked_at"]),
        sha256=row["sha256"],
    )


def _text(time: datetime) -> str:
    """Write a time so that the order of the texts is that of the times."""
    if time.tzinfo is None:
        raise ValueError(f"expected a time with its zone, found {time.isoformat()}")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what SQLite or the system reports about the store into a `StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        meaning = next((text for code, text in _FAULTS.items() if name.startswith(code)), "it cannot be used as asked")
        raise StoreError(f"{path}: {meaning} ({name or 'SQLite'}: {error})") from error
    except OSError as error:
        raise StoreError(
            f"{path}: it cannot be opened: check that you may read and write the file and its folder ({error.strerror})"
        ) from error


def _open_locked(path: Path) -> tuple[sqlite3.Connection, int]:
    """Open a store for writing, with its lock."""
    if not path.parent.is_dir():
        raise StoreError(f"{path}: expected a folder to put the store in, found no {path.parent}: make it first")
    with _translated(path):
        lock = _take_lock(path)
        try:
            return _connect_writing(path), lock
        except BaseException:
            os.close(lock)
            raise


def _open_reading(path: Path) -> sqlite3.Connection:
    """Open a store for reading; one of an older version is brought up to date before."""
    if not path.is_file():
        raise StoreError(f"{path}: expected a store, found no such file: `trialscrape scrape` makes one")
    with _translated(path):
        connection = _connect_reading(path)
        if _version(connection, path) == len(MIGRATIONS):
            return connection
        connection.close()
        writing, lock = _open_locked(path)
        writing.close()
        os.close(lock)
        return _connect_reading(path)


def _connect(path: Path, query: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?{query}", uri=True, isolation_level=None, check_same_thread=False, timeout=10
    )
    connection.row_factory = sqlite3.Row
    return connection


def _connect_writing(path: Path) -> sqlite3.Connection:
    connection = _connect(path, "mode=rwc")
    try:
        version = _version(connection, path)
        _require_index_module(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = OFF")  # everything in it is public
        connection.execute("PRAGMA cache_size = -32000")  # the slug index is written in the order of the alphabet
        _migrate(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_reading(path: Path) -> sqlite3.Connection:
    # Where nothing can be written, SQLite cannot share the file with a writer, and need not: there is none.
    alone = not os.access(path.resolve().parent, os.W_OK) and not Path(f"{path.resolve()}-wal").exists()
    return _connect(path, "mode=ro&immutable=1" if alone else "mode=ro")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Give the schema version of a file that is ours, or empty; refuse any other."""
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if mark != APPLICATION_ID and (mark or version or tables):
        raise StoreError(f"{path}: expected a store made by trialscrape, found another SQLite file: name another store")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: expected a store of version {len(MIGRATIONS)} or older, found version {version}: a newer"
            " trialscrape wrote it; update trialscrape, or name another store"
        )
    return int(version)


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the schema up to date, step by step, each of them whole or not at all."""
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def _require_index_module(connection: sqlite3.Connection, path: Path) -> None:
    if not connection.execute("SELECT 1 FROM pragma_module_list WHERE name = ?", (_INDEX_MODULE,)).fetchone():
        raise StoreError(
            f"{path}: this Python's SQLite was built without {_INDEX_MODULE}, which the slug index needs: use a Python"
            " whose SQLite has it (those of python.org and of the common distributions do)"
        )


def _take_lock(path: Path) -> int:
    """Lock a store for this process, or say who has it."""
    place = Path(f"{path.resolve()}.lock")
    lock = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock_file(lock)
    except OSError as error:
        holder = os.read(lock, 100).decode("ascii", "replace").strip()
        os.close(lock)
        raise StoreError(
            f"{path}: expected to use the store alone, found it in use by process {holder or 'unknown'}: wait for that"
            f" run to end or stop it, or name another store. The lock {place} ends with its process and need not be"
            " removed"
        ) from error
    os.ftruncate(lock, 0)
    os.write(lock, b"%d\n" % os.getpid())
    return lock


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _lock_file(lock: int) -> None:
        os.lseek(lock, 1 << 30, os.SEEK_SET)  # Windows locks bytes for reading too: one that nobody reads
        msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        os.lseek(lock, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock_file(lock: int) -> None:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

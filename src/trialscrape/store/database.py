"""The SQLite file: its schema, the lock that one run holds, and the errors that SQLite may meet.

What a method has written is durable when the method returns: each is one transaction in write-ahead mode with
`synchronous=FULL`, so it survives `kill -9` and, as far as the disk keeps its word, a power cut. A transaction that did
not end leaves nothing behind.

One run at a time writes: `open(path)` holds a lock of the operating system on `<path>.lock`, which vanishes with its
process however that ends; the empty file stays and means nothing. `open(path, lock=False)` reads beside a running one.
Folders on a network may not keep such locks, nor SQLite's own: a store belongs on a local disk.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Self

from trialscrape.errors import TrialscrapeError
from trialscrape.exports.files import FileError, FileInUseError, open_alone

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
    (
        # What the registry said of an id that a run has not finished; null where only its own record can tell.
        """CREATE TABLE answer (
            run_key TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
            nct_id TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            answer TEXT,
            PRIMARY KEY (run_key, nct_id)
        ) WITHOUT ROWID""",
        # `title NCT99000001` was: by title and sponsor, and the current id is that one.
        "ALTER TABLE asked RENAME COLUMN proof TO matched_by",
        "ALTER TABLE asked ADD COLUMN matched_id TEXT",
        """UPDATE asked SET
            matched_id = CASE instr(matched_by, ' ') WHEN 0 THEN nct_id
                ELSE substr(matched_by, instr(matched_by, ' ') + 1) END,
            matched_by = CASE WHEN matched_by LIKE 'title%' THEN 'title+sponsor' WHEN instr(matched_by, ' ') = 0
                THEN matched_by ELSE substr(matched_by, 1, instr(matched_by, ' ') - 1) END
            WHERE matched_by IS NOT NULL""",
        "CREATE INDEX asked_of_version ON asked (version_id)",
        # How a visitor came to a page is no part of its address.
        """UPDATE OR IGNORE page SET url = substr(url, 1, instr(url, '?comeFrom=') - 1)
            WHERE instr(url, '?comeFrom=')""",
        """UPDATE version SET final_url = substr(final_url, 1, instr(final_url, '?comeFrom=') - 1)
            WHERE instr(final_url, '?comeFrom=')""",
        # The rows of an interrupted run have another shape now; the pages that it fetched are kept.
        "DELETE FROM run",
        # Which sitemap names a shard: only that one may drop it.
        "ALTER TABLE shard ADD COLUMN sitemap TEXT",
        # Pages that are being parsed. A row of another process was left by one that died meanwhile.
        "CREATE TABLE parsing (version_id INTEGER PRIMARY KEY REFERENCES version, process TEXT NOT NULL)",
    ),
)
"""The schema as steps: a file at version n has had the first n of them (`PRAGMA user_version`)."""

# What SQLite's error means to the user, by the beginning of its name.
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
_HEADER = 100  # bytes of an SQLite file's header
_MARK = slice(68, 72)  # where PRAGMA application_id stands in it


class StoreError(TrialscrapeError):
    """The store cannot be opened, read or written; the message says why and what to do."""


def is_store(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a store, by its first bytes; a file that cannot be read is none."""
    try:
        # No Path here: it interns the names of all files that a run looks at, in a table that only grows.
        if not os.path.isfile(path):  # noqa: PTH113  opening a pipe would wait for its writer
            return False
        with open(path, "rb") as file:  # noqa: PTH123  as above
            head = file.read(_HEADER)
    except (OSError, ValueError):
        return False
    return head.startswith(b"SQLite format 3\0") and head[_MARK] == APPLICATION_ID.to_bytes(4, "big")


class Database:
    """The file, open; a context manager that closes it. Threads take turns.

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

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self, *, synced: bool = True) -> Iterator[None]:
        """Write several things as one: all of them are durable at the end, or none is written.

        Transactions nest; the outermost counts.

        Args:
            synced: Wait for the disk. Without, a power cut may undo the transaction, but not the end of the process,
                however it ends; and it takes a tenth of the time.

        """
        with self._turn:
            if self._in_transaction:
                yield
                return
            self._run(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
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

    def _run(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        with self._turn, translated(self.path):
            return self._database.execute(query, values)

    def _rows(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._turn, translated(self.path):
            self._database.executemany(query, rows)

    def _all(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        with self._turn, translated(self.path):
            return self._database.execute(query, values).fetchall()

    def _one(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Row | None:
        rows = self._all(query, values)
        return rows[0] if rows else None

    def _some(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Row:
        """Give the one row of a query that cannot be without."""
        return self._all(query, values)[0]


def as_text(time: datetime) -> str:
    """Write a time so that the order of the texts is that of the times."""
    if time.tzinfo is None:
        raise ValueError(f"expected a time with its zone, found {time.isoformat()}")
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"  # strftime gives year 1 as "1"


def as_time(text: str) -> datetime:
    """Read a time back."""
    return datetime.fromisoformat(text)


@contextmanager
def translated(path: Path) -> Iterator[None]:
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
    with translated(path):
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
    with translated(path):
        version = _kept_version(path)
        if not version:
            return _empty()
        if version < len(MIGRATIONS):
            writing, lock = _open_locked(path)
            writing.close()
            os.close(lock)
        return _connect_reading(path)


def _kept_version(path: Path) -> int:
    """Give the schema version of a store; 0 where the run that was making it has not come to that, and nothing is kept.

    Only while a store is made has it a rollback journal, which must be undone before the file can be read.
    """
    with closing(_connect_reading(path)) as connection:
        try:
            return _version(connection, path)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_READONLY_ROLLBACK" or not is_store(path):
                raise
            return 0


def _empty() -> sqlite3.Connection:
    """Give a store that is empty, and nowhere."""
    connection = _connect("file::memory:")
    _migrate(connection, 0)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    connection.row_factory = sqlite3.Row
    return connection


def _connect_writing(path: Path) -> sqlite3.Connection:
    connection = _connect(f"{path.resolve().as_uri()}?mode=rwc")
    try:
        version = _version(connection, path)
        _require_index_module(connection, path)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = OFF")  # everything in it is public
        connection.execute("PRAGMA cache_size = -32000")  # the slug index is written in the order of the alphabet
        _migrate(connection, version)
        # Not before: until then a new store has all or nothing in its one file, whose first bytes say what it is.
        connection.execute("PRAGMA journal_mode = WAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_reading(path: Path) -> sqlite3.Connection:
    # Where nothing can be written, SQLite cannot share the file with a writer, and need not: there is none.
    place = path.resolve()
    shared = any(Path(f"{place}{suffix}").exists() for suffix in ("-wal", "-journal"))
    alone = not os.access(place.parent, os.W_OK) and not shared
    return _connect(f"{place.as_uri()}?mode=ro{'&immutable=1' if alone else ''}")


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
    """Bring the schema up to date, all of it or nothing."""
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    for statement in chain.from_iterable(MIGRATIONS[version:]):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
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
    try:
        lock = open_alone(place)
    except FileInUseError as error:
        raise StoreError(
            f"{path}: expected to use the store alone, found it in use by process {_holder(place)}: wait for that run"
            f" to end or stop it, or name another store. The lock {place} ends with its process and need not be removed"
        ) from error
    except FileError as error:
        raise StoreError(f"{path}: {error}") from error
    with suppress(OSError):  # the number helps who reads it, the lock holds without
        os.ftruncate(lock, 0)
        os.write(lock, b"%d\n" % os.getpid())
    return lock


def _holder(place: Path) -> str:
    """Give the process that a lock names; it has not written its number yet if it has just begun."""
    return place.read_bytes()[:20].decode("ascii", "replace").strip() or "unknown"

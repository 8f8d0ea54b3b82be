"""The SQLite file: its schema, its transactions, and the lock that one run holds.

What a method has written is durable when the method returns: each is one transaction in write-ahead mode with
`synchronous=FULL`, so it survives `kill -9` and, as far as the disk keeps its word, a power cut. A transaction that did
not end leaves nothing behind.

One run at a time writes: `open_writing(path)` holds a lock of the operating system on `<path>.lock`, which ends with
its process; the file itself stays and means nothing. `open_reading(path)` reads while another run writes. Folders on a
network may not keep such locks, nor SQLite's own: a store belongs on a local disk.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout

from trialscrape.errors import StoreError

APPLICATION_ID = 0x54726C53
"""Marks an SQLite file as a store of trialscrape (`TrlS`)."""

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
        # The words of a slug and nothing more: a search needs only which slugs hold a word.
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
    """The open file. Threads take turns.

    Every method raises `StoreError` where the file cannot be read or written.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: FileLock | None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._turn = threading.RLock()
        self._in_transaction = False

    def close(self) -> None:
        """Close the file and release the lock."""
        with self._turn:
            self._connection.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    @contextmanager
    def transaction(self, *, synced: bool = True) -> Iterator[None]:
        """Write several things as one: all of them are durable at the end, or none is written.

        Transactions nest; the outermost counts.

        Args:
            synced: Wait for the disk. Without, the transaction survives the end of the process, however it ends, and
                takes a tenth of the time; a power cut may undo it until the next synced one.
        """
        with self._turn:
            if self._in_transaction:
                yield
                return
            self.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            self.execute("BEGIN IMMEDIATE")
            self._in_transaction = True
            try:
                yield
                self.execute("COMMIT")
            finally:
                self._in_transaction = False
                # Still open only after an error. A full disk can end the transaction by itself.
                if self._connection.in_transaction:
                    with suppress(StoreError):
                        self.execute("ROLLBACK")

    def compact(self) -> None:
        """Give the room of removed rows back to the disk; until it ends, this takes the size of the file once more."""
        self.execute("VACUUM")
        self.fetch_rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def execute(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run a statement; its rows are read one by one, so only inside a transaction."""
        with self._turn, translate_errors(self.path):
            return self._connection.execute(query, values)

    def execute_many(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Run a statement once for each row of values."""
        with self._turn, translate_errors(self.path):
            self._connection.executemany(query, rows)

    def fetch_rows(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._turn, translate_errors(self.path):
            return self._connection.execute(query, values).fetchall()

    def find_row(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        return next(iter(self.fetch_rows(query, values)), None)

    def fetch_row(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Row:
        """Return the first row of a query that always has one."""
        return self.fetch_rows(query, values)[0]


def open_writing(path: Path) -> Database:
    """Open a store for writing, alone, and make it or bring it up to date where needed."""
    if not path.parent.is_dir():
        raise StoreError(f"{path}: expected a folder to put the store in, found no {path.parent}: make it first")
    with translate_errors(path):
        lock = _take_lock(path)
        try:
            return Database(path, _connect_writing(path), lock)
        except BaseException:
            lock.release()
            raise


def open_reading(path: Path) -> Database:
    """Open a store for reading, also while another run writes it; bring an older version up to date before."""
    if not path.is_file():
        raise StoreError(f"{path}: expected a store, found no such file: `trialscrape scrape` makes one")
    with translate_errors(path):
        version = _read_version(path)
        if not version:
            return Database(path, _make_empty(), None)
        if version < len(MIGRATIONS):
            open_writing(path).close()
        return Database(path, _connect_reading(path), None)


def format_time(time: datetime | None) -> str:
    """Write a time so that the order of the texts is that of the times."""
    if time is None or time.tzinfo is None:
        raise ValueError(f"expected a time with its zone, found {time and time.isoformat()}")
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"  # strftime gives year 1 as "1"


def parse_time(text: str) -> datetime:
    """Read a time back."""
    return datetime.fromisoformat(text)


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Translate an error of SQLite or the system into a `StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        meaning = next(
            (text for code, text in _FAULTS.items() if name.startswith(code)), "SQLite refused the operation"
        )
        raise StoreError(f"{path}: {meaning} ({name or 'SQLite'}: {error})") from error
    except OSError as error:
        raise StoreError(
            f"{path}: it cannot be opened: check that you may read and write the file and its folder ({error.strerror})"
        ) from error


def _read_version(path: Path) -> int:
    """Return the schema version of a store; 0 where the run that makes it has not set one, and nothing is kept yet.

    A store has a rollback journal only while it is made; the journal must be undone before the file can be read.
    """
    with closing(_connect_reading(path)) as connection:
        try:
            return _check_version(connection, path)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_READONLY_ROLLBACK" or not is_store(path):
                raise
            return 0


def _make_empty() -> sqlite3.Connection:
    """Return an empty store in memory."""
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
        version = _check_version(connection, path)
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
    if not os.access(place.parent, os.W_OK):
        return _connect(f"{place.as_uri()}?mode=ro{'' if shared else '&immutable=1'}")
    # Without the right to write, it would leave the files beside the store that it makes for reading.
    mode = "rw" if os.access(place, os.W_OK) else "ro"
    connection = _connect(f"{place.as_uri()}?mode={mode}")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of a store or an empty file; refuse any other file."""
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


def _take_lock(path: Path) -> FileLock:
    """Lock a store for this process, or say which process has it."""
    place = Path(f"{path.resolve()}.lock")

    def check_and_sign(descriptor: int) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            kind = "a hard link" if stat.S_ISREG(status.st_mode) else "no ordinary file"
            raise StoreError(f"{path}: cannot write {place}: it is {kind}. Remove it, or name another file")
        with suppress(OSError):  # the number helps who reads it, the lock holds without
            os.ftruncate(descriptor, 0)
            os.write(descriptor, b"%d\n" % os.getpid())

    if place.is_symlink():
        raise StoreError(f"{path}: cannot write {place}: it is a symbolic link. Remove it, or name another file")
    lock = FileLock(place, blocking=False, thread_local=False, fallback_to_soft=False, on_acquired=check_and_sign)
    try:
        lock.acquire()
    except Timeout as error:
        raise StoreError(
            f"{path}: expected to use the store alone, found it in use by process {_read_holder(place)}: wait for that"
            f" run to end or stop it, or name another store. The lock {place} ends with its process and need not be"
            " removed"
        ) from error
    return lock


def _read_holder(place: Path) -> str:
    """Return the process that a lock names; one that has just begun has not written its number yet."""
    with suppress(OSError):  # Windows refuses to read what is locked
        return place.read_bytes()[:20].decode("ascii", "replace").strip() or "unknown"
    return "unknown"

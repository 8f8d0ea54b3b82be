"""Records as an SQLite database: the tables, with keys, indexes and full-text search, to be updated trial by trial.

The database is written beside its name, on a copy of the former one, and replaces it when it is whole.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trialscrape.errors import FileError, FileInUseError
from trialscrape.exports.files import atomic_write
from trialscrape.exports.tables import TABLES, Record, Table, identify, make_rows
from trialscrape.store.database import APPLICATION_ID as STORE_ID

APPLICATION_ID = 0x54726C45
"""Marks an SQLite file as a database of records of trialscrape (`TrlE`)."""

VERSION = 1
"""The version of the tables; it grows when they change."""

SEARCHED = {
    "trials": ("title", "conditions", "eligibility_inclusion", "eligibility_exclusion", "eligibility_unassigned"),
    "criteria": ("text",),
}
"""The columns of the full-text search over each table, which is `<table>_fts`."""

_OWN_FILE = "mode=rw&nolock=1"  # `atomic_write` holds the file
_WAL = 2  # in the header of a database that keeps a write-ahead log
_MAGIC = b"SQLite format 3\0"
_TYPES = {"text": "TEXT", "integer": "INTEGER", "real": "REAL", "boolean": "INTEGER"}
_INDEXES = (
    ("trials", "nct_id"),
    ("trials", "overall_status"),
    ("trials", "ages_minimum_years"),
    ("conditions", "condition"),
    ("interventions", "name"),
    ("identifiers", "value"),
)
# `escape_fts` is Datasette's: odd characters in what somebody types are words too, and no errors.
_QUERIES = {
    "children_and_drug": (
        "Children under 12 with a drug, and the inclusion criteria",
        "A word of the drug's name, or nothing for all. No ages mean no limits, unless the page is cut or stripped.",
        """SELECT trials.trial_id, trials.title, trials.ages_label, criteria.path, criteria.text
FROM trials JOIN criteria ON criteria.trial_id = trials.trial_id AND criteria.side = 'inclusion'
WHERE coalesce(ages_minimum_years, 0) < 12
  AND (ages_label IS NULL OR ages_minimum_years IS NOT NULL OR ages_maximum_years IS NOT NULL)
  AND coalesce(warnings, '') NOT LIKE '%cut_page%' AND coalesce(warnings, '') NOT LIKE '%stripped_page%'
  AND EXISTS (SELECT 1 FROM interventions
    WHERE interventions.trial_id = trials.trial_id AND type = 'DRUG' AND name LIKE '%' || :drug || '%')
ORDER BY trials.trial_id, criteria.number""",
    ),
    "criteria_with_words": (
        "Criteria that hold some words",
        "Words, all of which a criterion has, and its side: inclusion, exclusion or unassigned; nothing for all sides.",
        """SELECT criteria.trial_id, trials.title, criteria.side, criteria.path, criteria.text
FROM criteria_fts JOIN criteria ON criteria.rowid = criteria_fts.rowid JOIN trials USING (trial_id)
WHERE criteria_fts MATCH coalesce(nullif(escape_fts(:words), ''), '""') AND (:side = '' OR criteria.side = :side)
ORDER BY criteria_fts.rank""",
    ),
    "placebo_arms": (
        "Trials with a placebo arm, by condition",
        "A word of the condition, or nothing for all conditions.",
        """SELECT trials.trial_id, trials.title, conditions.condition, arms.label
FROM trials JOIN conditions USING (trial_id) JOIN arms USING (trial_id)
WHERE arms.type = 'PLACEBO_COMPARATOR' AND conditions.condition LIKE '%' || :condition || '%'
ORDER BY trials.trial_id""",
    ),
    "unreliable": (
        "Trials with doubts",
        "Every record with warnings.",
        """SELECT trial_id, title, warnings, unparsed, source_file
FROM trials WHERE warnings IS NOT NULL ORDER BY trial_id""",
    ),
}

_PAGES: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "trials": (
        "One row a trial, the newest id first. Its conditions, arms and criteria are linked from the row.",
        ("overall_status", "phases", "study_type"),
        {
            "trial_id": "The NCT id, else the address of the page, else its digest.",
            "ages_minimum_years": "The lower limit in years; empty where the page has none.",
            "ages_maximum_years": "The upper limit in years; empty where the page has none.",
            "warnings": "What is doubtful about the record.",
        },
    ),
    "conditions": ("The conditions of each trial, in the order of the page.", ("condition",), {}),
    "interventions": ("The treatments that each page lists.", ("type",), {}),
    "identifiers": ("The ids of each trial, the NCT id too.", ("type",), {}),
    "arms": ("The groups of each trial.", ("type",), {}),
    "arm_interventions": (
        "What each group gets.",
        ("type",),
        {
            "arm": "The number of the arm.",
            "intervention": "The number of the intervention; empty where the page does not list it.",
        },
    ),
    "criteria": (
        "One row a criterion, nested ones behind the one that they belong to.",
        ("side", "kind"),
        {
            "side": "inclusion, exclusion, or unassigned where the page leaves that unclear.",
            "path": "Its place on its side: 2.1 is the first one under the second.",
            "kind": "criterion, or heading for a line that only introduces others.",
        },
    ),
}
"""What Datasette shows over each table: a description, the columns to count values of, and descriptions of columns."""


@contextmanager
def open_sqlite(path: Path | None) -> Iterator[Callable[[bytes], str | None]]:
    """Yield a function that writes a record, given as its line of JSON, into the tables.

    A trial that the database has is replaced. Where this run wrote it, the function returns a sentence that says so.
    `<name>.metadata.json` beside it has questions for Datasette.

    Raises:
        FileError: The file cannot be written, or is something else: a store, another database.
    """
    if path is None:
        raise FileError("cannot write a database to stdout: name a file with -o")
    _refuse_others(path)
    with atomic_write(path):
        with (
            _explain_sqlite(path),
            closing(_open_sqlite(path.with_name(f"{path.name}.part"), _OWN_FILE)) as database,
        ):
            _prepare(database, path)
            written: set[str] = set()

            def write(line: bytes) -> str | None:
                record = json.loads(line)
                key = identify(record)
                with _explain_sqlite(path):
                    _put_record(database, record, key)
                note = f"{key}: another record of this trial; it replaces the former one" if key in written else None
                written.add(key)
                return note

            yield write
            database.execute("COMMIT")
        with atomic_write(path.with_name(f"{path.stem}.metadata.json")) as stream:
            stream.write(json.dumps(make_metadata(path.stem), indent=1).encode() + b"\n")


def make_metadata(name: str) -> Record:
    """Make the metadata for Datasette: what the database and its tables are, and questions to it."""
    queries = {
        key: {"title": title, "description": description, "sql": sql}
        for key, (title, description, sql) in _QUERIES.items()
    }
    tables: Record = {
        table: {"description": description, "facets": facets, "columns": columns}
        for table, (description, facets, columns) in _PAGES.items()
    }
    # Those without an NCT id come last: their long keys would make the first page wide.
    tables["trials"] |= {"sort_desc": "nct_id", "size": 20, "label_column": "title"}
    database = {"title": "Clinical trials", "source": "trialscrape", "queries": queries, "tables": tables}
    return {"databases": {name: database}, "title": "Clinical trials"}  # it begins as `sources.outputs` knows it


def _refuse_others(path: Path) -> None:
    """Refuse a file that is not a database of records: it would be lost."""
    try:
        with path.open("rb") as stream:
            head = stream.read(100)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
    owner = int.from_bytes(head[68:72])
    if head and not head.startswith(_MAGIC):
        raise FileError(f"cannot write {path}: it is no database. Remove it, or name another file")
    if owner == STORE_ID:
        raise FileError(f"cannot write {path}: it is a store of fetched pages. Name another file")
    if head and owner != APPLICATION_ID:
        raise FileError(f"cannot write {path}: it is the database of another program. Name another file")
    version = int.from_bytes(head[60:64])
    if head and version != VERSION:
        raise FileError(
            f"cannot write {path}: its tables have version {version}, these {VERSION}. Remove it, or name another file"
        )


@contextmanager
def _explain_sqlite(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise FileInUseError(
                f"cannot write {path}: another program has it open. Close that program, or name another file"
            ) from error
        raise FileError(f"cannot write {path}: {error}") from error


def _open_sqlite(path: Path, options: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, isolation_level=None)


def _settle(path: Path) -> None:
    """Bring a write-ahead log into its database: SQLite would apply one that is left to the file that comes after.

    Raises:
        sqlite3.OperationalError: Another program uses the database.
    """
    with path.open("rb") as stream:
        has_log = stream.read(19)[18] == _WAL
    if has_log or path.with_name(f"{path.name}-wal").exists():
        with closing(_open_sqlite(path, "mode=rw")) as former:
            former.execute("PRAGMA journal_mode = DELETE")


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    """Copy the former database, or make the tables, and begin."""
    # Nobody else sees the file before it is whole, so it needs no journal.
    database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON")
    if path.exists() and path.stat().st_size:
        _settle(path)
        with closing(_open_sqlite(path, "mode=ro")) as former:
            former.backup(database)
        database.execute("PRAGMA journal_mode = OFF")
    database.execute("BEGIN")
    if not database.execute("SELECT 1 FROM sqlite_schema").fetchone():
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {VERSION}")
        for statement in make_statements():
            database.execute(statement)


def make_statements() -> Iterator[str]:
    """Make the statements that create the tables, their indexes and the search."""
    for table in TABLES:
        yield _create_table(table)
    for name, column in _INDEXES:
        yield f"CREATE INDEX {name}_{column} ON {name} ({column})"
    yield "CREATE INDEX arm_interventions_intervention ON arm_interventions (trial_id, intervention)"
    for name, columns in SEARCHED.items():
        yield from _create_search(name, columns)


def _create_table(table: Table) -> str:
    columns = [
        f'"{column.name}" {_TYPES[column.type]}{" NOT NULL" if column.name in table.key else ""}'
        for column in table.columns
    ]
    keys = [f"PRIMARY KEY ({', '.join(table.key)})"]
    keys += [
        f"FOREIGN KEY ({', '.join(own)}) REFERENCES {other} ({', '.join(_find(other).key)}) ON DELETE CASCADE"
        for own, other in table.refers.items()
    ]
    lines = ",\n    ".join([*columns, *keys])
    return f"CREATE TABLE {table.name} (\n    {lines}\n)"


def _find(name: str) -> Table:
    return next(table for table in TABLES if table.name == name)


def _create_search(name: str, columns: tuple[str, ...]) -> Iterator[str]:
    """Make a search over columns of a table, which keeps their words only, and what keeps it up to date."""
    listed = ", ".join(columns)
    search = f"{name}_fts"
    yield f'CREATE VIRTUAL TABLE {search} USING fts5 ({listed}, content="{name}", tokenize="porter unicode61")'
    new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("new", "old"))
    add = f"INSERT INTO {search} (rowid, {listed}) VALUES (new.rowid, {new});"  # noqa: S608  our own names
    remove = f"INSERT INTO {search} ({search}, rowid, {listed}) VALUES ('delete', old.rowid, {old});"  # noqa: S608
    yield f"CREATE TRIGGER {name}_added AFTER INSERT ON {name} BEGIN {add} END"
    yield f"CREATE TRIGGER {name}_removed AFTER DELETE ON {name} BEGIN {remove} END"
    yield f"CREATE TRIGGER {name}_changed AFTER UPDATE ON {name} BEGIN {remove} {add} END"


def _put_record(database: sqlite3.Connection, record: Record, key: str) -> None:
    database.execute("DELETE FROM trials WHERE trial_id = ?", (key,))
    for table, rows in make_rows(record, key):
        marks = ", ".join("?" * len(table.columns))
        database.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)  # noqa: S608  names of our own tables

"""Records of the fixtures as their lines of JSON, and ways to change and write them."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import trialscrape
from trialscrape.exports.formats import FORMATS
from trialscrape.exports.jsonl import format_record

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "fixtures/pages"
LANTERN = "two-arms-loose-criteria.txt"
REGISTRY = ROOT.parent / "shared/registry"


@cache
def line_of(page: str = LANTERN, *, spans: bool = False) -> bytes:
    """Return the record of a fixture."""
    read = trialscrape.trace if spans else trialscrape.parse
    return format_record(read((PAGES / page).read_bytes(), file=page))


@cache
def all_lines() -> tuple[bytes, ...]:
    """Return the records of all fixtures, in the order of their names."""
    return tuple(line_of(path.name) for path in sorted(PAGES.iterdir()))


def record_of(page: str = LANTERN, **changes: Any) -> dict[str, Any]:
    """Return the record of a fixture as JSON, read, with other values."""
    return {**json.loads(line_of(page)), **changes}


def changed(page: str = LANTERN, **changes: Any) -> bytes:
    """Return the record of a fixture with other values."""
    return json.dumps(record_of(page, **changes)).encode()


def write(path: Path, lines: Iterable[bytes], format_: str) -> list[str]:
    """Write records in a format, and return what it said of them."""
    with FORMATS[format_].open(path) as put:
        return [note for note in map(put, lines) if isinstance(note, str)]


def query(sql: str, *values: object) -> list[Any]:
    """Ask DuckDB."""
    import duckdb  # noqa: PLC0415  the tests that do not ask need not wait for it

    with duckdb.connect() as database:
        return database.execute(sql, [str(value) for value in values]).fetchall()


def write_tables(folder: Path, lines: Iterable[bytes], format_: str) -> list[str]:
    """Write records as tables, and return what the format said of them."""
    with FORMATS[format_].open_tables(folder) as put:
        return [note for note in map(put, lines) if isinstance(note, str)]

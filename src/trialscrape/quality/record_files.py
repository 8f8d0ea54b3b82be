"""Where records to compare come from: record files, stores, and what a store held at an earlier time."""

import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from pydantic import ValidationError

from trialscrape.engines import read_page
from trialscrape.errors import RecordFileError, StoreError
from trialscrape.records import Source, TracedTrial, Trial
from trialscrape.store.database import is_store
from trialscrape.store.pages import PageVersion
from trialscrape.store.store import Store

if TYPE_CHECKING:
    from io import BufferedReader

STDIN = "-"
_SCHEMA = Source.model_fields["schema_version"].default
_GZIP = b"\x1f\x8b"
_LONGEST_LINE = 64 * 1024 * 1024  # bytes; the largest page gives a record of a third of it


class PlacedTrial(NamedTuple):
    """A record, where it stood, and when its page was checked last; None outside a store."""

    place: str
    trial: Trial
    checked_at: datetime | None = None


def read_trials(source: str, report: Callable[[str], object]) -> Iterator[PlacedTrial]:
    """Read the records of a record file, of a store, or of a store at some time.

    Args:
        source: A file of records as `parse` writes them (JSON lines, plain or gzip, or a JSON array), `-` for stdin, or
            a store. `STORE@2026-01-31` are its pages as they were at the end of that day (UTC), `STORE@12` is the one
            version of a page that `store history` numbers so.
        report: Called with a message for each page of a store that gives no record.

    Raises:
        RecordFileError: There is no such file, it is neither, or a line is no record; the message says which.
    """
    path, _, moment = source.rpartition("@")
    if source == STDIN:
        yield from _read_records(sys.stdin.buffer, source)
    elif is_store(source):
        yield from _read_store(source, None, report)
    elif moment and not Path(source).exists() and is_store(path):
        yield from _read_store(path, moment, report)
    else:
        try:
            with Path(source).open("rb") as stream:
                yield from _read_records(stream, source)
        except OSError as error:
            raise RecordFileError(f"cannot read {source}: {(error.strerror or str(error)).lower()}") from error


# Record files: one way for all commands is being made; this part is what it replaces.


def _read_records(stream: BinaryIO, name: str) -> Iterator[PlacedTrial]:
    lines = cast("BufferedReader | GzipFile", stream)
    if lines.peek(len(_GZIP)).startswith(_GZIP):
        lines = GzipFile(fileobj=stream)
    try:
        if lines.peek(1)[:1] == b"[":
            yield from _read_array(lines.read(), name)
            return
        number = 0
        while line := lines.readline(_LONGEST_LINE):
            number += 1
            if line.strip():
                place = f"{name}:{number}"
                yield PlacedTrial(place, _read_record(line, place))
    except (EOFError, BadGzipFile, zlib.error) as error:
        raise RecordFileError(f"cannot read {name}: it is a broken gzip file ({error})") from error


def _read_array(data: bytes, name: str) -> Iterator[PlacedTrial]:
    try:
        records = json.loads(data)
    except ValueError as error:
        raise RecordFileError(f"{name}: expected a JSON array of records, found broken JSON: {error}") from error
    for number, record in enumerate(records, 1):
        place = f"{name}: record {number}"
        yield PlacedTrial(place, _read_record(json.dumps(record).encode(), place))


def _read_record(line: bytes, place: str) -> Trial:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordFileError(f"{place}: expected a record, found broken JSON: {error}") from error
    source = record.get("source") if isinstance(record, dict) else None
    if not isinstance(source, dict):
        raise RecordFileError(f"{place}: expected a record that `parse` or `scrape` wrote, found other JSON")
    schema = source.get("schema", 1)
    if schema != _SCHEMA:
        newer = isinstance(schema, int) and schema > _SCHEMA
        do = "update trialscrape" if newer else "parse the pages again"
        raise RecordFileError(f"{place}: expected a record of schema {_SCHEMA}, found schema {schema}: {do}")
    try:
        return (TracedTrial if "spans" in record else Trial).model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise RecordFileError(f"{place}: expected a record, found at {field}: {first['msg'].lower()}") from error


# Stores


def _read_store(path: str, moment: str | None, report: Callable[[str], object]) -> Iterator[PlacedTrial]:
    try:
        with Store.open(path, lock=False) as store:
            for kept in _list_versions(store, moment):
                match = store.pages.find_match(kept.version_id)
                result = read_page(replace(kept.page, file=kept.url, match=match))
                if result.trial:
                    yield PlacedTrial(f"{path}!{kept.url}", result.trial, kept.checked_at)
                else:
                    report(f"{path}!{kept.url}: {result.outcome}: {result.message}; it is left out")
    except StoreError as error:
        raise RecordFileError(str(error)) from error


def _list_versions(store: Store, moment: str | None) -> Iterator[PageVersion]:
    if moment is None:
        return store.pages.all_latest()
    if re.fullmatch("[0-9]{1,18}", moment):
        kept = store.pages.get_version(int(moment))
        if kept is None:
            raise RecordFileError(f"{store.path} has no version {moment}: `trialscrape store history` lists them")
        return iter([kept])
    try:
        day = date.fromisoformat(moment)
    except ValueError:
        expected = "expected a date such as 2026-01-31 or the number of a version behind the @"
        raise RecordFileError(f"{store.path}@{moment}: {expected}, found {moment!r}") from None
    return store.pages.all_latest(until=datetime.combine(day, time.max, UTC))

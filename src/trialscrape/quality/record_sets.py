"""Where records to compare come from: record files, stores, and what a store held at an earlier time."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import NamedTuple

from trialscrape.engines import read_page
from trialscrape.errors import RecordFileError, StoreError
from trialscrape.records import Trial
from trialscrape.sources.record_files import read_numbered_records
from trialscrape.store.database import is_store
from trialscrape.store.pages import PageVersion
from trialscrape.store.store import Store


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
    if is_store(source):
        yield from _read_store(source, None, report)
    elif moment and not Path(source).exists() and is_store(path):
        yield from _read_store(path, moment, report)
    else:
        for line, trial in read_numbered_records(source):
            yield PlacedTrial(f"{source}:{line}", trial)


def _read_store(path: str, moment: str | None, report: Callable[[str], object]) -> Iterator[PlacedTrial]:
    try:
        with Store.open(path, lock=False) as store:
            for kept in _choose_versions(store, moment):
                match = store.pages.find_match(kept.version_id)
                result = read_page(replace(kept.page, file=kept.url, match=match))
                if result.trial:
                    yield PlacedTrial(f"{path}!{kept.url}", result.trial, kept.checked_at)
                else:
                    report(f"{path}!{kept.url}: {result.outcome}: {result.message}; it is left out")
    except StoreError as error:
        raise RecordFileError(str(error)) from error


def _choose_versions(store: Store, moment: str | None) -> Iterator[PageVersion]:
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

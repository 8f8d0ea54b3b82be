"""Criteria as lines of JSON, one a criterion: for search and for language models."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trialscrape.exports.files import open_output
from trialscrape.exports.jsonl import escape_unsafe
from trialscrape.exports.tables import Record, identify, walk_criteria
from trialscrape.records import SIDES


@contextmanager
def open_lines(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes each criterion of a record, given as its line of JSON, as a line of its own."""
    with open_output(path) as stream:

        def write(line: bytes) -> None:
            rows = (
                json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in list_criteria(json.loads(line))
            )
            stream.write("".join(f"{escape_unsafe(row)}\n" for row in rows).encode())

        yield write


def list_criteria(record: Record) -> Iterator[Record]:
    """List the criteria of a record, in the order of the sides and of the page.

    `id` is the key of the trial, the side and the path. `line` and `last_line` are the lines of the page's text that it
    stands in, from 1; null where the record has no spans.
    """
    key = identify(record)
    spans, source = record.get("spans") or {}, record.get("source") or {}
    for side in SIDES:
        for path, criterion in walk_criteria(record, side):
            place = ".".join(map(str, path))
            first, last = spans.get(f"eligibility.{side}.{place}", (None, None))
            yield {
                "id": f"{key}/{side}/{place}",
                "nct_id": record.get("nct_id"),
                "url": source.get("url"),
                "side": side,
                "path": place,
                "kind": criterion["kind"],
                "marker": criterion["marker"],
                "text": criterion["text"],
                "line": first,
                "last_line": last,
            }

"""Files of records, as `parse` and `scrape` write them, back to records: JSON lines or one array, plain or gzip.

Records of schema 1 are lifted to schema 2. What they do not hold stays unknown, and a warning says so.
"""

import codecs
import gzip
import io
import json
import os
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, BinaryIO, NamedTuple, cast

from pydantic import ValidationError

from trialscrape.errors import RecordFileError
from trialscrape.parsing import values
from trialscrape.parsing.subheadings import introduces, read_subheading
from trialscrape.records import SEVERITIES, TracedTrial, Trial, warning
from trialscrape.sources.files import STDIN
from trialscrape.vocabulary import AGE_UNIT, AGE_UNITS_A_YEAR

MAX_RECORD = 64 * 1024 * 1024
"""Bytes of one record: more is an error, so that memory stays bounded."""

SCHEMA = 2
"""The schema of the records that are given."""

_CHUNK = 256 * 1024
_BETWEEN = re.compile(r"\s*([\[,\]]?)\s*")
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # half of a surrogate pair, in JSON
_LONGEST_QUOTE = 40
_OLD = (
    "expected a record of schema 2, found schema 1: the referring site, the digest, and whether one section held both "
    "sides are unknown; read the page again"
)
_ADVICE = "give what `parse` or `scrape` wrote as .jsonl or .json"
# By the kind of pydantic's error.
_FAULTS = {"missing": "found no {where}", "extra_forbidden": "found {where}, which is no field"}
_LIMITS = {
    "greater_than_equal": ", which is less than {ge}",
    "less_than": ", which is not less than {lt:,}",
    "literal_error": ", where {expected} may stand",
    "string_pattern_mismatch": ", which does not match {pattern}",
}
_A_YEAR = {AGE_UNIT[unit]: number for unit, number in AGE_UNITS_A_YEAR.items()}


def read_records(path: str | os.PathLike[str]) -> Iterator[Trial]:
    """Read the records of a file, one after the other.

    Args:
        path: JSON lines or one JSON array, plain or gzip, which the content tells; `-` for stdin.

    Yields:
        The records in their order; `TracedTrial` for those with spans.

    Raises:
        RecordFileError: It cannot be read, or is no file of records; the message has the line where reading stopped.
    """
    return (trial for _, trial in read_numbered_records(path))


def read_numbered_records(path: str | os.PathLike[str]) -> Iterator[tuple[int, Trial]]:
    """Read records like `read_records`, each with the line at which it begins."""
    name = os.fspath(path)
    with _open_records(name) as stream:
        for found in _find_values(stream, name):
            yield found.line, _build(found, name)


class _Found(NamedTuple):
    line: int
    value: object


@contextmanager
def _open_records(name: str) -> Iterator[io.BufferedReader]:
    try:
        if name == STDIN:
            yield _unpack(cast("io.BufferedReader", sys.stdin.buffer))
            return
        with open(name, "rb") as stream:  # noqa: PTH123  a Path would intern the name of every file
            yield _unpack(stream)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordFileError(f"cannot read {name}: its gzip data is damaged or ends early") from error
    except OSError as error:
        raise RecordFileError(f"cannot read {name}: {(error.strerror or str(error)).lower()}") from error


def _unpack(stream: io.BufferedReader) -> io.BufferedReader:
    if stream.peek(2)[:2] != b"\x1f\x8b":
        return stream
    return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=stream)))


def _find_values(stream: io.BufferedReader, name: str) -> Iterator[_Found]:
    """Find the values of the file: an array or an object that was laid out over lines, or one value a line."""
    start = stream.peek(1)[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"SQLite format 3\0"):
        raise RecordFileError(f"{name} is an SQLite file, not a file of records: {_ADVICE}")
    try:
        yield from _split_values(stream, name) if re.match(rb"\[|\{\s*\n", start) else _find_line_values(stream, name)
    except (RecursionError, UnicodeDecodeError) as error:
        raise RecordFileError(f"{name} is not a file of records: {_ADVICE}") from error


def _find_line_values(stream: BinaryIO, name: str) -> Iterator[_Found]:
    for number in count(1):
        line = stream.readline(MAX_RECORD + 1)
        if len(line) > MAX_RECORD:
            raise _too_long(name, number)
        if not line:
            return
        line = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not line:
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise _broken(name, number, line.decode("utf-8", "backslashreplace")) from error
        if _HALF.search(line):
            _refuse_halves(name, number, value)
        yield _Found(number, value)


def _split_values(stream: BinaryIO, name: str) -> Iterator[_Found]:
    """Find the values of an array, or objects laid out over lines, with no more of them in memory than needed."""
    text = codecs.getincrementaldecoder("utf-8-sig")()
    decode = json.JSONDecoder().raw_decode
    buffer, at, line = "", 0, 1
    marks: tuple[str, ...] = ("[", "")  # what may stand before the next value
    end = "[]"  # what may end the file
    while True:
        between = cast("re.Match[str]", _BETWEEN.match(buffer, at))
        try:
            value, stop = decode(buffer, between.end())
        except ValueError as error:
            if len(buffer) - at > MAX_RECORD:
                raise _too_long(name, line) from error
            more = stream.read(max(_CHUNK, len(buffer) - at))
            buffer, at = buffer[at:] + text.decode(more, final=not more), 0
            if more:
                continue
            if "".join(buffer[:_CHUNK].split()) == end:
                return
            raise _broken(name, line + buffer.count("\n", 0, between.end() - at), buffer[between.end() :]) from error
        line += buffer.count("\n", at, between.end())
        if between[1] not in marks:
            raise _broken(name, line, between[1])
        if end == "[]":
            marks, end = ((",",), "]") if between[1] else (("",), "")
        if _HALF.search(buffer[between.end() : stop].encode()):
            _refuse_halves(name, line, value)
        yield _Found(line, value)
        line += buffer.count("\n", between.end(), stop)
        at = stop


def _refuse_halves(name: str, line: int, value: object) -> None:
    """Refuse half of a surrogate pair, which JSON can write and UTF-8 cannot."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        found = error.object[error.start : error.end].encode("ascii", "backslashreplace").decode()
        raise RecordFileError(
            f"{name}:{line}: expected a record, found half of a character, {found}: {_ADVICE}"
        ) from error


def _too_long(name: str, line: int) -> RecordFileError:
    return RecordFileError(f"{name}:{line}: expected a record of at most {MAX_RECORD:,} bytes, found a longer one")


def _broken(name: str, line: int, found: str) -> RecordFileError:
    shown = repr(found[:_LONGEST_QUOTE]) if found.strip() else "the end of the file"
    return RecordFileError(f"{name}:{line}: expected a record as JSON, found {shown}: {_ADVICE}, whole")


def _build(found: _Found, name: str) -> Trial:
    """Make the record of a value.

    Raises:
        RecordFileError: It is none, or one of a schema that this version does not know.
    """
    place, record = f"{name}:{found.line}", found.value
    if not isinstance(record, dict):
        raise RecordFileError(f"{place}: expected a record, found another JSON value: {_ADVICE}")
    if "outcome" in record:
        raise RecordFileError(f"{place}: expected a record, found an outcome: give the file of the records beside it")
    source = record.get("source")
    if not isinstance(source, dict):
        raise RecordFileError(f"{place}: expected a record, found no 'source' in it: {_ADVICE}, without --fields")
    schema = source.get("schema", 1)
    if schema == 1:
        record = _lift(record)
    elif schema != SCHEMA:
        raise RecordFileError(
            f"{place}: expected a record of schema 1 or {SCHEMA}, found {schema!r}: use the "
            "trialscrape that wrote it, or a newer one"
        )
    model = TracedTrial if "spans" in record else Trial
    try:
        return model.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        limit = _LIMITS.get(first["type"], ", which cannot stand there").format(**first.get("ctx", {}))
        fault = _FAULTS.get(first["type"], "found {input!r:.{longest}} at {where}{limit}")
        message = fault.format(where=where, input=first["input"], longest=_LONGEST_QUOTE, limit=limit)
        raise RecordFileError(f"{place}: expected a record, {message}: {_ADVICE}") from error


def _lift(record: dict[str, Any]) -> dict[str, Any]:
    """Lift a record of schema 1. What is malformed stays so: the model refuses it."""
    lifted = dict(record)
    if isinstance(title := record.get("title"), str):
        lifted["brief_title"], lifted["acronym"] = values.title(title)
    if isinstance(ages := record.get("ages"), dict):
        lifted["ages"] = {name: _add_years(age) for name, age in ages.items()}
    if isinstance(eligibility := record.get("eligibility"), dict):
        sides = {side: _add_kinds(criteria) for side, criteria in eligibility.items()}
        lifted["eligibility"] = {"combined": bool(eligibility.get("unassigned")), **sides}
    warnings = record.get("warnings")
    if isinstance(warnings, list):
        known = [_add_severity(old) for old in warnings]
        lifted["warnings"] = [*known, warning("old_record", _OLD, field="source").model_dump()]
    lifted["source"] = {**record.get("source", {}), "schema": SCHEMA, "sha256": ""}
    return lifted


def _add_years(age: object) -> object:
    if not isinstance(age, dict) or age.get("unit") not in _A_YEAR or not isinstance(age.get("value"), int):
        return age
    return {**age, "years": round(age["value"] / _A_YEAR[age["unit"]], 6)}


def _add_kinds(criteria: object) -> object:
    if not isinstance(criteria, list):
        return criteria
    return [_add_kind(criterion) if isinstance(criterion, dict) else criterion for criterion in criteria]


def _add_kind(criterion: dict[str, Any]) -> dict[str, Any]:
    text, children = str(criterion.get("text")), criterion.get("children")
    subheading = read_subheading(text, item=criterion.get("marker") is not None, running=False)
    is_heading = bool(subheading and subheading.alone) or bool(children and "\n" not in text and introduces(text))
    return {**criterion, "kind": "heading" if is_heading else "criterion", "children": _add_kinds(children)}


def _add_severity(old: object) -> object:
    if not isinstance(old, dict):
        return old
    return {"severity": SEVERITIES.get(str(old.get("code")), "doubt"), "field": None, **old}

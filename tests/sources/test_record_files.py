"""Files of records, read back: what parse and scrape write, what jq makes of it, and what is broken."""

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import trialscrape
from support.records import all_lines, changed, line_of, record_of
from trialscrape.errors import RecordFileError
from trialscrape.exports.jsonl import format_record
from trialscrape.sources import record_files
from trialscrape.sources.record_files import read_records

LINES = b"".join(line + b"\n" for line in all_lines())
ARRAY = b"[\n" + b",\n".join(all_lines()) + b"\n]\n"
PRETTY = b"\n".join(json.dumps(json.loads(line), indent=2).encode() for line in all_lines())
ADVICE = "give what `parse` or `scrape` wrote as .jsonl or .json"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trials"


GOOD = {
    "lines": LINES,
    "blank lines between": LINES.replace(b"\n", b"\r\n\n"),
    "no newline at the end": LINES[:-1],
    "byte order mark": b"\xef\xbb\xbf" + LINES,
    "array": ARRAY,
    "array in one line": ARRAY.replace(b"\n", b""),
    "array with a byte order mark": b"\xef\xbb\xbf" + ARRAY,
    "laid out array": json.dumps([json.loads(line) for line in all_lines()], indent=4).encode(),
    "laid out objects": PRETTY,
    "gzip": gzip.compress(LINES),
    "gzip in two members": gzip.compress(LINES[:1000]) + gzip.compress(LINES[1000:]),
    "gzip of an array": gzip.compress(ARRAY),
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("chunk", [64, 256 * 1024])
def test_records_come_back_as_they_were(data: bytes, chunk: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_files, "_CHUNK", chunk)
    path.write_bytes(data)
    assert [format_record(trial) for trial in read_records(path)] == list(all_lines())


@pytest.mark.parametrize("data", [b"", b"\n\n", b"[]", b"[\n]\n", b" [ ] "])
def test_no_records_are_no_records(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    assert list(read_records(path)) == []


def test_escaped_pairs_are_characters(path: Path) -> None:
    path.write_bytes(changed(title="Tea 🫖 \\ud83e") + b"\n")
    assert b"\\ud83e\\uded6" in path.read_bytes()
    (trial,) = read_records(path)
    assert trial.title == "Tea 🫖 \\ud83e"


def test_stdin_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(LINES))))
    assert len(list(read_records("-"))) == len(all_lines())


def test_spans_come_back(path: Path) -> None:
    path.write_bytes(line_of(spans=True))
    (trial,) = read_records(path)
    assert isinstance(trial, trialscrape.TracedTrial)
    assert format_record(trial) == line_of(spans=True)


ONE = line_of()
BAD: dict[str, tuple[bytes, str]] = {
    "broken line": (
        ONE + b"\n" + ONE[:50],
        f":2: expected a record as JSON, found {ONE[:40].decode()!r}: {ADVICE}, whole",
    ),
    "text": (b"\nAbout\n", f":2: expected a record as JSON, found 'About': {ADVICE}, whole"),
    "another value": (b"17\n", f":1: expected a record, found another JSON value: {ADVICE}"),
    "outcomes": (
        b'{"file": "a", "outcome": "ok", "message": null, "line": null}\n',
        ":1: expected a record, found an outcome: give the file of the records beside it",
    ),
    "chosen fields": (
        b'{"nct_id":"NCT99000001"}\n',
        f":1: expected a record, found no 'source' in it: {ADVICE}, without --fields",
    ),
    "newer schema": (
        changed(source=record_of()["source"] | {"schema": 3}),
        ":1: expected a record of schema 1 or 2, found 3: use the trialscrape that wrote it, or a newer one",
    ),
    "wrong value": (
        ONE + b"\n" + changed(enrollment={"count": -1, "type": "ACTUAL"}),
        f":2: expected a record, found -1 at enrollment.count, which is less than 0: {ADVICE}",
    ),
    "number beyond any database": (
        changed(location_count=2**63),
        f":1: expected a record, found {2**63} at location_count, which is not less than {2**63:,}: {ADVICE}",
    ),
    "half of a character": (
        ONE + b"\n" + changed(title="a\ud83e b"),
        rf":2: expected a record, found half of a character, \ud83e: {ADVICE}",
    ),
    "half of a character in an array": (
        b"[\n" + changed(title="\udfff") + b"]",
        rf":2: expected a record, found half of a character, \udfff: {ADVICE}",
    ),
    "wrong id": (
        changed(nct_id="NCT1"),
        rf":1: expected a record, found 'NCT1' at nct_id, which does not match ^NCT[0-9]{{8}}$: {ADVICE}",
    ),
    "wrong word": (
        changed(source=record_of()["source"] | {"form": "half"}),
        f":1: expected a record, found 'half' at source.form, where 'full' or 'stripped' may stand: {ADVICE}",
    ),
    "missing part": (
        changed(enrollment={"count": 1}),
        f":1: expected a record, found no enrollment.type: {ADVICE}",
    ),
    "unknown field": (changed(mood="good"), f":1: expected a record, found mood, which is no field: {ADVICE}"),
    "cut array": (
        ARRAY[:-2],
        f":{len(all_lines()) + 2}: expected a record as JSON, found the end of the file: {ADVICE}, whole",
    ),
    "array without commas": (
        b"[\n" + ONE + b"\n" + ONE + b"]",
        f":3: expected a record as JSON, found the end of the file: {ADVICE}, whole",
    ),
    "text behind an array": (
        b"[\n" + ONE + b"]\n" + ONE,
        f":3: expected a record as JSON, found ']': {ADVICE}, whole",
    ),
    "too deep": (b"[" * 100_000, " is not a file of records: " + ADVICE),
    "store": (b"SQLite format 3\0" + bytes(100), f" is an SQLite file, not a file of records: {ADVICE}"),
    "not UTF-8": (b"[\xff\xfe", " is not a file of records: " + ADVICE),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_what_is_broken_is_named_with_its_line(data: bytes, message: str, path: Path) -> None:
    path.write_bytes(data)
    with pytest.raises(RecordFileError) as caught:
        list(read_records(path))
    assert str(caught.value) == f"{path}{message}"


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(missing_ok=True), "no such file or directory"),
    "folder": (Path.mkdir, "is a directory"),
    "cut gzip": (lambda path: path.write_bytes(gzip.compress(LINES)[:-50]), "its gzip data is damaged or ends early"),
    "damaged gzip": (
        lambda path: path.write_bytes(gzip.compress(LINES)[:2000] + b"?" * 2000),
        "its gzip data is damaged or ends early",
    ),
}


@pytest.mark.parametrize(("make", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_reported(make: Callable[[Path], object], reason: str, path: Path) -> None:
    make(path)
    with pytest.raises(RecordFileError) as caught:
        list(read_records(path))
    assert str(caught.value) == f"cannot read {path}: {reason}"


def test_a_record_without_end_takes_bounded_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_files, "MAX_RECORD", 10_000)
    for data in (b'{"a": "' + b"x" * 20_000, b'[{"a": "' + b"x" * 900_000):
        path.write_bytes(data)
        with pytest.raises(RecordFileError) as caught:
            list(read_records(path))
        assert str(caught.value) == f"{path}:1: expected a record of at most 10,000 bytes, found a longer one"


# Schema 1


def lower(record: dict[str, Any]) -> dict[str, Any]:
    """Make a record of schema 1: without what schema 2 added."""

    def strip(criterion: dict[str, Any]) -> dict[str, Any]:
        return {
            "text": criterion["text"],
            "marker": criterion["marker"],
            "children": [strip(child) for child in criterion["children"]],
        }

    old = {name: value for name, value in record.items() if name not in {"brief_title", "referring_site"}}
    sides = ("inclusion", "exclusion", "unassigned")
    old["eligibility"] = {side: [strip(one) for one in record["eligibility"][side]] for side in sides}
    if record["ages"]:
        limits = {
            name: age and {k: v for k, v in age.items() if k != "years"}
            for name, age in record["ages"].items()
            if name != "label"
        }
        old["ages"] = {"label": record["ages"]["label"], **limits}
    old["source"] = {name: record["source"][name] for name in ("file", "url", "form")}
    old["warnings"] = [{name: one[name] for name in ("code", "line", "message")} for one in record["warnings"]]
    return old  # fmt: skip


@pytest.mark.parametrize("line", all_lines(), ids=lambda line: json.loads(line)["source"]["file"])
def test_a_record_of_schema_1_is_lifted(line: bytes, path: Path) -> None:
    record = json.loads(line)
    path.write_text(json.dumps(lower(record)))
    (trial,) = read_records(path)
    lifted = json.loads(format_record(trial))
    warning = lifted["warnings"].pop()
    assert (warning["code"], warning["severity"], warning["field"]) == ("old_record", "doubt", "source")
    assert lifted.pop("source") == record["source"] | {"sha256": ""}
    assert lifted.pop("referring_site") is None
    combined = lifted["eligibility"].pop("combined")
    assert combined == bool(record["eligibility"]["unassigned"])
    for warned in record["warnings"]:
        warned["field"] = None
    unknown = {name: record.pop(name) for name in ("source", "referring_site")}
    del record["eligibility"]["combined"], unknown
    assert lifted == record

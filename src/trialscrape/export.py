"""Records and outcomes to files: one JSON line each, in the model's order, `.part` until it is whole."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO

from trialscrape.outcomes import Outcome
from trialscrape.records import Trial

# JSON lets these stand raw, but a terminal or an editor would obey them.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_ROW_FIELDS = tuple(field.name for field in fields(Outcome) if field.name != "trial")


def record_line(trial: Trial) -> bytes:
    """Write a record as one line of JSON, UTF-8, without the newline.

    Control characters and the marks that change the direction of writing are escaped: data, but nothing to obey.
    """
    return _safe(trial.model_dump_json()).encode()


def outcome_line(outcome: Outcome) -> bytes:
    """Write an outcome as one line of JSON, UTF-8, without the newline and the record."""
    return json_line({name: getattr(outcome, name) for name in _ROW_FIELDS})


def json_line(row: Mapping[str, object]) -> bytes:
    """Write a row as one line of JSON, UTF-8, without the newline, as safe as `record_line`."""
    return _safe(json.dumps(row, ensure_ascii=False)).encode()


def outcomes_path(records: Path) -> Path:
    """Name the outcomes beside the records: `trials.jsonl` gives `trials.outcomes.jsonl`."""
    stem = records.stem if records.suffix in {".json", ".jsonl"} else records.name
    return records.with_name(f"{stem}.outcomes.jsonl")


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name only when all is written; until then, and after an error, it is `<name>.part`."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def _safe(text: str) -> str:
    return _UNSAFE.sub(lambda character: f"\\u{ord(character[0]):04x}", text)

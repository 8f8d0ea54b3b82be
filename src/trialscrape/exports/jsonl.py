"""Records and outcomes as lines of JSON, in the model's order, and the files that take them."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from trialscrape.exports.files import whole_file
from trialscrape.records import Trial
from trialscrape.results import PageResult

__all__ = ["json_line", "outcome_line", "outcomes_path", "record_line", "whole_file"]

# JSON lets these stand raw, but a terminal or an editor would obey them.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_ROW_FIELDS = tuple(field.name for field in fields(PageResult) if field.name != "trial")


def record_line(record: Trial | str) -> bytes:
    """Write a record, or its JSON, as one line of JSON, UTF-8, without the newline.

    Control characters and the marks that change the direction of writing are escaped: data, but nothing to obey.
    """
    return _safe(record if isinstance(record, str) else record.model_dump_json()).encode()


def outcome_line(result: PageResult) -> bytes:
    """Write an outcome as one line of JSON, UTF-8, without the newline and the record."""
    return json_line({name: getattr(result, name) for name in _ROW_FIELDS})


def json_line(row: Mapping[str, object]) -> bytes:
    """Write a row as one line of JSON, UTF-8, without the newline, as safe as `record_line`."""
    return _safe(json.dumps(row, ensure_ascii=False)).encode()


def outcomes_path(records: Path) -> Path:
    """Name the outcomes beside the records: `trials.jsonl` gives `trials.outcomes.jsonl`."""
    stem = records.stem if records.suffix in {".json", ".jsonl"} else records.name
    return records.with_name(f"{stem}.outcomes.jsonl")


def _safe(text: str) -> str:
    return _UNSAFE.sub(lambda character: f"\\u{ord(character[0]):04x}", text)

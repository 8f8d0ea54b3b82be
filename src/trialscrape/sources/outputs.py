"""What this project's own outputs look like in each format, so that a folder's pages are read without them."""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from trialscrape.compression import WINDOWS
from trialscrape.records import TracedTrial
from trialscrape.sources.skipping import is_own_output

OUTPUT_MARK = b"trialscrape:records"
"""What stands in the last bytes of an output whose first bytes are those of any such file."""

_FIRST_BYTES = 8192
_LAST_BYTES = 1024 * 1024
_FIELDS = frozenset(TracedTrial.model_fields)
_FIELD = "|".join(TracedTrial.model_fields).encode()
_OWN_CSV = re.compile(rb"(?:trial_id|(?:%b)(?:_[a-z0-9_]+)?)(?:,(?:[a-z0-9_]+))*\r?\n" % _FIELD)
_OWN_OUTPUTS: Mapping[str, Callable[[bytes, Path], bool]] = {
    ".lines.jsonl": lambda first, _: first.startswith(b'{"id":"'),
    ".registry.json": lambda first, _: bool(re.match(rb'\[\n(?:\{"protocolSection":|\])|\[\]', first)),
    ".metadata.json": lambda first, _: bool(re.match(rb'\{\s*"databases":', first)),
    ".jsonl": lambda first, _: _is_own_json(first),
    ".json": lambda first, _: _is_own_json(first),
    ".ndjson": lambda first, _: first.startswith(b'{"resourceType":"ResearchStudy"'),
    ".jsonl.gz": lambda first, _: _is_own_json(_unpack_start(first)),
    ".csv": lambda first, _: bool(_OWN_CSV.match(first)),
    ".db": lambda first, _: first[68:72] == b"TrlE",
    ".parquet": lambda first, path: first.startswith(b"PAR1") and OUTPUT_MARK in _read_end(path),
    ".xlsx": lambda first, path: first.startswith(b"PK") and OUTPUT_MARK in _read_end(path),
}


def is_own_file(path: Path) -> bool:
    """Tell whether a file is an output of this project: by the end of its name and what is in it."""
    look = next((look for ending, look in _OWN_OUTPUTS.items() if path.name.lower().endswith(ending)), None)
    try:
        if look is None or not path.is_file():  # opening a pipe would wait for its writer
            return False
        with path.open("rb") as stream:
            return look(stream.read(_FIRST_BYTES), path)
    except OSError:
        return False


def _is_own_json(first: bytes) -> bool:
    """Return whether these are records, or outcomes; records of chosen fields begin with any of them."""
    if is_own_output(first):
        return True
    try:
        keys = json.loads(first.removeprefix(b"[\n").partition(b"\n")[0]).keys()
    except (AttributeError, ValueError, RecursionError):
        return False
    return bool(keys) and keys <= _FIELDS


def _unpack_start(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(WINDOWS["gzip"]).decompress(packed, _FIRST_BYTES)
    except zlib.error:
        return b""


def _read_end(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _LAST_BYTES))
        return stream.read(_LAST_BYTES)

"""The ids that a user asks for: from a list, a CSV file of the registry, or any text with NCT ids in it."""

import csv
import io
import re
from collections.abc import Iterable
from typing import NamedTuple

from trialscrape.addresses import drop_referrer, mask_passwords
from trialscrape.errors import IdFileError

_LIKE_NCT_ID = re.compile(r"(?<![A-Za-z0-9])NCT[0-9][A-Za-z0-9]*", re.IGNORECASE)
_ID_LIST = re.compile(r"\s*NCT[0-9]+\s*(?:,\s*(?:NCT[0-9]+\s*)?)+", re.IGNORECASE)
_REGISTRY_ADDRESS = re.compile(
    r"https?://(?:www\.|classic\.|beta\.)?clinicaltrials\.gov/(?:ct2/show/|study/|show/|api/v2/studies/)"
    r"(NCT[0-9]{8})\b",
    re.IGNORECASE,
)
_ID_COLUMNS = ("nct number", "nct_id")
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_DELIMITERS = ",;\t"


class IdList(NamedTuple):
    """The ids of a file, and the name of their column; None where they stood anywhere in its text."""

    ids: list[str]
    column: str | None


def read_ids(data: bytes, *, column: str | None = None) -> IdList:
    """Read the ids of a file.

    A CSV file with a column `NCT Number` or `nct_id` gives the values of that column only. Any other text gives every
    line that is an address, and from the other lines what looks like an NCT id.

    Args:
        data: The file: UTF-8, UTF-16 with a byte order mark, or windows-1252, as Excel writes them.
        column: Read this column of a CSV file.

    Returns:
        The ids as written, each once, malformed ones too; lines and cells that begin with `#` are left out.

    Raises:
        IdFileError: The file is an Excel workbook, has no such column, or is no text.
    """
    text = _decode(data)
    header, rows = _read_table(text)
    wanted = _ID_COLUMNS if column is None else (column.lower(),)
    columns = [place for place, name in enumerate(header) if name.lower() in wanted]
    if not columns and column is not None:
        raise IdFileError(f"expected a column {column!r}, found {', '.join(map(repr, header)) or 'none'}")
    if not columns:
        return IdList(extract_ids(text), None)
    cells = (row[columns[0]].strip() for row in rows if len(row) > columns[0])
    return IdList(_drop_repeats(cell for cell in cells if not cell.startswith("#")), header[columns[0]])


def extract_ids(text: str) -> list[str]:
    """Extract each line that is an address, and from every other line what looks like an NCT id.

    Malformed ids are included, so that they are reported. Lines that begin with `#` are left out.
    """
    ids: list[str] = []
    for line in text.removeprefix("\ufeff").splitlines():
        entry = line.strip()
        if entry.startswith(("http://", "https://")):
            ids.append(entry)
        elif not entry.startswith("#"):
            ids += _LIKE_NCT_ID.findall(entry)
    return _drop_repeats(ids)


def normalize_ids(ids: Iterable[str]) -> list[str]:
    """Normalize what a user asks for, and leave out repetitions.

    Blanks around it, small letters of an id, and the `comeFrom` of an address do not count. Ids may have commas between
    them. An address of the registry stands for its id. A password in an address is masked, so that it is neither shown
    nor kept.
    """
    parts = (part for entry in ids for part in (entry.split(",") if _ID_LIST.fullmatch(entry) else [entry]))
    return _drop_repeats(map(_normalize_id, parts))


def _normalize_id(entry: str) -> str:
    entry = drop_referrer(mask_passwords(entry.strip()))
    if registered := _REGISTRY_ADDRESS.match(entry):
        return registered[1].upper()
    return entry.upper() if _LIKE_NCT_ID.fullmatch(entry) else entry


def _drop_repeats(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(nct_id for nct_id in ids if nct_id))


def _decode(data: bytes) -> str:
    if data.startswith(b"PK\x03\x04"):
        raise IdFileError("this is an Excel workbook: save it there as CSV, and give that file")
    charset = next((charset for bom, charset in _BOMS.items() if data.startswith(bom)), None)
    try:
        return data.decode(charset or "utf-8")
    except UnicodeDecodeError as error:
        if charset is None and b"\0" not in data:
            return data.decode("windows-1252", "replace")
        raise IdFileError(f"expected text, found other bytes at {error.start:,}: save the file as UTF-8") from None


def _read_table(text: str) -> tuple[list[str], Iterable[list[str]]]:
    """Read a text as CSV, with the most frequent delimiter of its first line; return header and rows."""
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [name.strip() for name in next(rows, [])]
        return header, list(rows)
    except csv.Error:
        return [], []  # prose with a quotation mark that nothing closes

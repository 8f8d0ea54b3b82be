"""What a user asks for, from files: a list, a CSV file of the registry, or any text with NCT ids in it."""

import csv
import io
import re
from collections.abc import Iterable
from typing import NamedTuple

from trialscrape.errors import TrialscrapeError

_LIKE_NCT_ID = re.compile(r"(?<![A-Za-z0-9])NCT[0-9][A-Za-z0-9]*", re.IGNORECASE)
_ID_COLUMNS = ("nct number", "nct_id")
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_DELIMITERS = ",;\t"


class IdFileError(TrialscrapeError):
    """A file of ids that cannot be read; the message says why and what to do."""


class IdList(NamedTuple):
    """The ids of a file, and where in it they stood: in a column, or anywhere in its text."""

    ids: list[str]
    column: str | None


def read_ids(data: bytes, *, column: str | None = None) -> IdList:
    """Read the ids of a file.

    A CSV file with a column `NCT Number` or `nct_id` gives what stands in it, so that ids in its other columns are not
    taken. Any other text gives every line that is an address, and from the other lines what looks like an NCT id.

    Args:
        data: The file: UTF-8, UTF-16 with a byte order mark, or windows-1252, as Excel writes them.
        column: Take this column of a CSV file.

    Returns:
        The ids as they stand there, each once, malformed ones too; lines and cells that begin with `#` are left out.

    Raises:
        IdFileError: The file is an Excel workbook, has no such column, or is no text.
    """
    text = _decode(data)
    header, rows = _table(text)
    wanted = _ID_COLUMNS if column is None else (column.lower(),)
    named = [place for place, name in enumerate(header) if name.lower() in wanted]
    if not named and column is not None:
        raise IdFileError(f"expected a column {column!r}, found {', '.join(map(repr, header)) or 'none'}")
    if not named:
        return IdList(extract_ids(text), None)
    cells = (row[named[0]].strip() for row in rows if len(row) > named[0])
    return IdList(_distinct(cell for cell in cells if not cell.startswith("#")), header[named[0]])


def extract_ids(text: str) -> list[str]:
    """Take from a text each line that is an address, and from every other line what looks like an NCT id.

    An id with a digit too few or too many is taken too, so that it is reported. Lines that begin with `#` are left out.
    """
    found: list[str] = []
    for line in text.removeprefix("\ufeff").splitlines():
        entry = line.strip()
        if entry.startswith(("http://", "https://")):
            found.append(entry)
        elif not entry.startswith("#"):
            found += _LIKE_NCT_ID.findall(entry)
    return _distinct(found)


def is_like_nct_id(text: str) -> bool:
    """Tell whether a text looks like an NCT id, be it in small letters or with a wrong number of digits."""
    return bool(_LIKE_NCT_ID.fullmatch(text))


def _distinct(ids: Iterable[str]) -> list[str]:
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


def _table(text: str) -> tuple[list[str], Iterable[list[str]]]:
    """Read a text as CSV, with the delimiter that its first line holds most often: header and rows."""
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [name.strip() for name in next(rows, [])]
        return header, list(rows)
    except csv.Error:
        return [], []  # prose with a quotation mark that nothing closes

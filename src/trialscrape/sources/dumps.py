"""JSON lines and Parquet in which every row is a page: a column with its text or HTML, and one with its address."""

import importlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from types import ModuleType
from typing import Any, BinaryIO

from trialscrape.errors import NotAStudyPage, TooLarge, Unreadable
from trialscrape.page import Page
from trialscrape.parsing.text import EXPECTED, MAX_BYTES, SAVE_AGAIN
from trialscrape.sources.members import ByteStream, Failure, Item, Selection

TEXT_COLUMNS = ("text", "content", "html", "body", "raw_content")
URL_COLUMNS = ("url", "uri", "warc_target_uri")
"""The names that corpora of web pages use, the first that there is counts."""

MAX_LINE = 2 * MAX_BYTES
"""Bytes of a line of JSON: those of a page, half of them escaped."""

BATCH = 16
"""Rows of a Parquet table that are in memory: each may be a large page."""

_BUFFER = 1024 * 1024
_MOST_NAMES = 20
_UTF_8 = "text/html; charset=utf-8"
_TEXT_KEY = re.compile(rb'"(?:%b)"\s*:' % "|".join(TEXT_COLUMNS).encode())
_NO_DUMP = f"{EXPECTED}; found JSON; {SAVE_AGAIN}"


def read_json_lines(source: ByteStream, selection: Selection) -> Iterator[Item]:
    """Read the pages of JSON lines; each is named by the number of its line.

    Raises:
        NotAStudyPage: It is other JSON.
    """
    lines = _split_lines(source)
    number, line = next(((number, line) for number, line in lines if line is None or line.strip()), (0, b""))
    row = _load_row(line) if line else None
    if row is None or _find_column(row, selection.text_column, TEXT_COLUMNS) is None:
        _refuse_other_json(row, line, lines, selection)
    yield from _read_line(number, line, selection)
    for number, line in lines:
        if line is None or line.strip():
            yield from _read_line(number, line, selection)


def _refuse_other_json(
    row: Mapping[str, Any] | None,
    line: bytes | None,
    following: Iterator[tuple[int, bytes | None]],
    selection: Selection,
) -> None:
    """Refuse JSON whose first line is no row of a dump, unless it only is a broken one."""
    if row is None and line and _TEXT_KEY.search(line):
        return
    second = next(following, (0, None))[1]
    if row is None or not (selection.text_column or (second and _load_row(second) is not None)):
        raise NotAStudyPage(_NO_DUMP)
    raise NotAStudyPage(_explain_missing(row, selection.text_column, "JSON lines"))


def _split_lines(source: ByteStream) -> Iterator[tuple[int, bytes | None]]:
    """Split bytes into lines with their number from 1; None is a line that is too long."""
    parts: list[bytes] = []
    size, number = 0, 1
    for piece in source.pieces():
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            parts.append(piece[start:end])
            yield number, (b"".join(parts) if size + end - start <= MAX_LINE else None)
            parts, size, number, start = [], 0, number + 1, end + 1
        size += len(piece) - start
        if size <= MAX_LINE:
            parts.append(piece[start:])
        else:
            parts.clear()
    if size:
        yield number, (b"".join(parts) if size <= MAX_LINE else None)


def _load_row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _read_line(number: int, line: bytes | None, selection: Selection) -> Iterator[Item]:
    name = str(number)
    if line is None:
        yield Failure(name, TooLarge(f"expected at most {MAX_LINE:,} bytes in a line of JSON, found more"))
        return
    row = _load_row(line)
    if row is None:
        yield Failure(name, Unreadable(f"expected a JSON object in one line, found {_quote_line(line)}"))
        return
    column = _find_column(row, selection.text_column, TEXT_COLUMNS)
    url_column = _find_column(row, selection.url_column, URL_COLUMNS)
    url = row[url_column] if url_column else None
    url = url if isinstance(url, str) else None
    if not selection.accepts(url):
        return
    if column is None:
        yield Failure(name, NotAStudyPage(_explain_missing(row, selection.text_column, "this line")))
    else:
        yield _make_row_page(name, row[column], url, column)


def _make_row_page(name: str, text: object, url: str | None, column: str) -> Item:
    if isinstance(text, str):
        # Halves of surrogate pairs are written out: no UTF-8 text can hold them.
        return Page(text.encode("utf-8", "backslashreplace"), content_type=_UTF_8, url=url, file=name)
    found = "null" if text is None else type(text).__name__
    return Failure(name, NotAStudyPage(f"expected the text of a page in {column!r}, found {found}"))


def _quote_line(line: bytes) -> str:
    text = line[:60].decode("utf-8", "backslashreplace")
    return repr(text if len(line) <= len(text) else f"{text}…")


def _find_column(names: Iterable[str], wanted: str | None, known: tuple[str, ...]) -> str | None:
    return next((name for name in ((wanted,) if wanted else known) if name in names), None)


def _explain_missing(names: Iterable[str], wanted: str | None, place: str) -> str:
    listed = list(names)
    found = ", ".join(listed[:_MOST_NAMES]) + ("…" if len(listed) > _MOST_NAMES else "")
    expected = f"the column {wanted!r}" if wanted else f"a column with pages ({', '.join(TEXT_COLUMNS)})"
    advice = "name one with --text-column (and that of the addresses with --url-column)"
    return f"expected {expected} in {place}, found {found or 'none'}; {advice}"


def read_parquet(source: ByteStream, selection: Selection) -> Iterator[Item]:
    """Read the pages of a Parquet table; each is named by the number of its row, from 1.

    Raises:
        NotAStudyPage: It has no column with pages.
        TooLarge: It is large and does not lie on the disk by itself.
        Unreadable: It is broken or cut, or pyarrow is not installed.
    """
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise Unreadable(
            "Parquet tables need pyarrow, which is not installed: run `pip install 'trialscrape[parquet]'`"
        ) from error
    table = _open_parquet(parquet, source.open_seekable("a Parquet table"))
    names = table.schema_arrow.names
    text = _find_column(names, selection.text_column, TEXT_COLUMNS)
    url = _find_column(names, selection.url_column, URL_COLUMNS)
    if text is None:
        raise NotAStudyPage(_explain_missing(names, selection.text_column, "a Parquet table"))
    if selection.url_column and url is None:
        raise NotAStudyPage(_explain_missing(names, selection.url_column, "a Parquet table"))
    is_text = _check_type(arrow, table, text)
    if url:
        _check_type(arrow, table, url)
    content_type = _UTF_8 if is_text else None
    first = 1
    for group in range(table.num_row_groups):
        rows = _read_rows(arrow, table, group, [name for name in (text, url) if name])
        try:
            for number, (body, address) in enumerate(rows, first):
                page_url = address.decode("utf-8", "backslashreplace") if address else None
                if not selection.accepts(page_url):
                    pass
                elif body is None:
                    yield _make_row_page(str(number), None, page_url, text)
                else:
                    yield Page(body, content_type=content_type, url=page_url, file=str(number))
        except Exception as error:  # noqa: BLE001  as above; the other groups may be whole
            message = f"expected a whole group of rows in a Parquet table, found a broken one: {_reason(error)}"
            yield Failure(f"rows from {first}", Unreadable(message))
        first += table.metadata.row_group(group).num_rows


def _open_parquet(parquet: ModuleType, stream: BinaryIO) -> Any:  # noqa: ANN401  # pyarrow has no types
    try:
        return parquet.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False)
    except Exception as error:  # pyarrow raises errors of several classes
        raise Unreadable(f"expected a whole Parquet table, found a cut or broken one: {_reason(error)}") from error


def _check_type(arrow: ModuleType, table: Any, column: str) -> bool:  # noqa: ANN401  # pyarrow has no types
    """Tell whether a column holds text; otherwise it holds bytes.

    Raises:
        NotAStudyPage: It holds something else.
    """
    kind = table.schema_arrow.field(column).type
    kind = kind.value_type if arrow.types.is_dictionary(kind) else kind
    if kind in (arrow.binary(), arrow.large_binary()):
        return False
    if kind not in (arrow.string(), arrow.large_string()):
        raise NotAStudyPage(f"expected text in the column {column!r} of a Parquet table, found {kind}")
    return True


def _read_rows(
    arrow: ModuleType,
    table: Any,  # noqa: ANN401  # pyarrow has no types
    group: int,
    columns: list[str],
) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Read the bytes of a text and of its address from each row of a group; without a second column there is none."""
    for batch in table.iter_batches(BATCH, row_groups=[group], columns=columns, use_threads=False):
        lists: list[Iterable[bytes | None]] = []
        for name in columns:
            column = batch.column(name)
            column = column.dictionary_decode() if arrow.types.is_dictionary(column.type) else column
            # As bytes, since a table may hold text that is no UTF-8.
            lists.append(column.cast(arrow.large_binary()).to_pylist())
        bodies, urls = (*lists, repeat(None))[:2]
        yield from zip(bodies, urls, strict=False)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

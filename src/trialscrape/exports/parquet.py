"""Records as Parquet: nested columns by the model, or the tables. It needs pyarrow, the extra `parquet`."""

import json
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel

from trialscrape.exports.files import atomic_write, open_output
from trialscrape.exports.tables import Column, Record, Row, open_tables, walk_criteria
from trialscrape.extras import load_extra
from trialscrape.records import SIDES, Criterion, TracedTrial
from trialscrape.sources.outputs import OUTPUT_MARK

ROWS = 2_000
"""Records in a row group."""

_CELLS = 100_000  # in a row group of a table
_MOST_BYTES = 16 * 1024 * 1024  # of records in a row group
_METADATA = {OUTPUT_MARK: b"2"}


@contextmanager
def open_parquet(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes a record, given as its line of JSON, as a row.

    The columns are the fields of the model that the first record has, all but `spans` for no record. The criteria of a
    side are a list in preorder, each with its path and depth, for a column cannot hold a tree of any depth.
    """
    schema = None
    waiting: list[Record] = []
    size = 0
    with open_output(path) as stream, _Groups(stream) as groups:

        def flush() -> None:
            nonlocal schema, size
            if schema is None:
                schema = make_schema(waiting[0] if waiting else None)
            groups.write(schema, waiting)
            waiting.clear()
            size = 0

        def write(line: bytes) -> None:
            nonlocal size
            waiting.append(_flatten(json.loads(line)))
            size += len(line)
            if len(waiting) == ROWS or size > _MOST_BYTES:
                flush()

        yield write
        flush()


@contextmanager
def open_parquet_tables(folder: Path) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes a record, given as its line of JSON, into the files of the tables."""
    with open_tables(folder, ".parquet", _open_parquet_table) as write:
        yield lambda line: write(json.loads(line))


@contextmanager
def _open_parquet_table(path: Path, columns: tuple[Column, ...]) -> Iterator[Callable[[Iterable[Row]], object]]:
    arrow: Any = load_extra("pyarrow", "parquet")
    kinds = {"text": arrow.string(), "integer": arrow.int64(), "real": arrow.float64(), "boolean": arrow.bool_()}
    schema = arrow.schema([(column.name, kinds[column.type]) for column in columns], metadata=_METADATA)
    names = [column.name for column in columns]
    waiting: list[Record] = []
    with atomic_write(path) as stream, _Groups(stream) as groups:

        def write(rows: Iterable[Row]) -> None:
            waiting.extend(dict(zip(names, row, strict=True)) for row in rows)
            if len(waiting) * len(names) >= _CELLS:
                groups.write(schema, waiting)
                waiting.clear()

        yield write
        groups.write(schema, waiting)


class _Groups:
    """The row groups of one file; the first one makes its schema."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer:
            self._writer.close()

    def write(self, schema: Any, rows: list[Record]) -> None:  # noqa: ANN401  pyarrow has no types
        """Write rows as a group."""
        arrow: Any = load_extra("pyarrow", "parquet")
        if self._writer is None:
            parquet: Any = load_extra("pyarrow.parquet", "parquet")
            self._writer = parquet.ParquetWriter(self._stream, schema, compression="zstd")
        if rows:
            self._writer.write_table(arrow.Table.from_pylist(rows, schema=schema))


def make_schema(record: Record | None = None) -> Any:  # noqa: ANN401  pyarrow has no types
    """Make the Arrow schema of the model; with a record, of its fields, in its order."""
    arrow: Any = load_extra("pyarrow", "parquet")
    named = {field.alias or name: field.annotation for name, field in TracedTrial.model_fields.items()}
    names = [name for name in named if name != "spans"] if record is None else [*record]
    return arrow.schema([(name, _make_type(arrow, named[name])) for name in names], metadata=_METADATA)


def _make_type(arrow: Any, annotation: Any) -> Any:  # noqa: ANN401  pyarrow has no types
    """Translate the type of a field."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType}:
        return _make_type(arrow, next(one for one in inner if one is not types.NoneType))
    if origin is tuple and inner[0] is Criterion:
        texts = ("path", "kind", "marker", "text")
        return arrow.list_(arrow.struct([("depth", arrow.int64()), *((name, arrow.string()) for name in texts)]))
    if origin is tuple:
        return arrow.list_(_make_type(arrow, inner[0]))
    if origin is dict:
        return arrow.map_(*(_make_type(arrow, one) for one in inner))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return arrow.struct([(field.alias or name, _make_type(arrow, field.annotation)) for name, field in fields])
    if origin is Literal:
        return _make_type(arrow, type(inner[0]))
    if get_origin(annotation) is not None:  # Annotated
        return _make_type(arrow, inner[0])
    return {str: arrow.string(), int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_()}[annotation]


def _flatten(record: Record) -> Record:
    """Make a record whose trees are lists, and whose spans are pairs."""
    flat = dict(record)
    if record.get("eligibility"):
        sides = {side: [_place(*found) for found in walk_criteria(record, side)] for side in SIDES}
        flat["eligibility"] = {**record["eligibility"], **sides}
    if "spans" in record:
        flat["spans"] = list(record["spans"].items())
    return flat


def _place(path: tuple[int, ...], criterion: Record) -> Record:
    rest = {name: value for name, value in criterion.items() if name != "children"}
    return {"path": ".".join(map(str, path)), "depth": len(path), **rest}

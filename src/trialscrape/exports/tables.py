"""Records as flat tables: their columns, types and keys, once for CSV, Parquet, SQLite, Excel and data frames.

A record comes as its JSON, read. What a record was written without (`--fields`) is null.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from trialscrape.errors import FileError
from trialscrape.exports.files import make_folder
from trialscrape.records import SIDES, walk_tree

Record = dict[str, Any]
Cell = str | int | float | bool | None
Row = tuple[Cell, ...]
ColumnType = Literal["text", "integer", "real", "boolean"]


class Column(NamedTuple):
    """A column: its name, and the type of its cells. All may be null, except those of the key."""

    name: str
    type: ColumnType = "text"


class Table(NamedTuple):
    """A table with one or more rows a record.

    Attributes:
        name: Its name.
        columns: Its columns; the first is `trial_id`.
        key: The columns that tell its rows apart.
        refers: Columns to the table whose key they are.
        rows: Makes the rows of a record, without `trial_id` and `nct_id`.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    refers: dict[tuple[str, ...], str]
    rows: Callable[[Record], Iterable[Row]]


class _Cells(NamedTuple):
    """A column of the trials, the field it is made of, and how."""

    name: str
    type: ColumnType
    make: Callable[[Record], Cell]


def read_code(term: Record | None) -> str | None:
    """Return the registry's code of a term; None for none, or where its label is unknown."""
    return term["code"] if term else None


def _label(term: Record | None) -> str | None:
    return term["label"] if term else None


def _follow_path(field: str, *below: str) -> Callable[[Record], Any]:
    def get(record: Record) -> Any:  # noqa: ANN401  any JSON
        value = record.get(field)
        for name in below:
            value = value[name] if value else None
        return value

    return get


def _join_list(field: str, write: Callable[[Any], str] = str, between: str = "; ") -> Callable[[Record], Cell]:
    """Join a list; null where it is empty."""
    return lambda record: between.join(map(write, record.get(field) or ())) or None


def _text(name: str, *place: str) -> _Cells:
    return _Cells(name, "text", _follow_path(*place or (name,)))


def _term(name: str, *place: str) -> tuple[_Cells, _Cells]:
    get = _follow_path(*place or (name,))
    return (
        _Cells(name, "text", lambda record: read_code(get(record))),
        _Cells(f"{name}_label", "text", lambda record: _label(get(record))),
    )


def format_intervention(intervention: Record) -> str:
    """Write `Drug: MSCs`."""
    return f"{intervention['type']['label']}: {intervention['name']}"


def _write_identifier(identifier: Record) -> str:
    return f"{identifier['value']} ({identifier['type']['label']})" if identifier["type"] else identifier["value"]


def write_side(record: Record, side: str) -> str | None:
    """Write the criteria of a side as text: one a line, with its marker, nested ones two blanks further in."""
    lines = (
        f"{'  ' * (len(path) - 1)}{criterion['marker'] + ' ' if criterion['marker'] else ''}{criterion['text']}"
        for path, criterion in walk_criteria(record, side)
    )
    return "\n".join(lines) or None


def walk_criteria(record: Record, side: str) -> Iterator[tuple[tuple[int, ...], Record]]:
    """Walk the criteria of a side in preorder, with the path of each."""
    return walk_tree((record.get("eligibility") or {}).get(side) or (), lambda criterion: criterion["children"])


_TRIAL_CELLS = (
    _text("nct_id"),
    _text("title"),
    _text("brief_title"),
    _text("acronym"),
    _text("sponsor"),
    *_term("overall_status"),
    _Cells("phases", "text", _join_list("phases", lambda term: term["code"] or term["label"])),
    _Cells("conditions", "text", _join_list("conditions")),
    _Cells("interventions", "text", _join_list("interventions", format_intervention)),
    *_term("study_type"),
    _Cells("funder_types", "text", _join_list("funder_types", lambda term: term["code"] or term["label"])),
    _Cells("identifiers", "text", _join_list("identifiers", _write_identifier)),
    _text("brief_summary"),
    _text("detailed_description"),
    _Cells("enrollment_count", "integer", _follow_path("enrollment", "count")),
    _text("enrollment_type", "enrollment", "type"),
    *_term("sex"),
    _text("ages_label", "ages", "label"),
    _Cells("ages_minimum_years", "real", _follow_path("ages", "minimum", "years")),
    _Cells("ages_maximum_years", "real", _follow_path("ages", "maximum", "years")),
    _Cells("healthy_volunteers", "boolean", _follow_path("healthy_volunteers")),
    _Cells("eligibility_combined", "boolean", _follow_path("eligibility", "combined")),
    *(
        _Cells(f"eligibility_{side}", "text", lambda record, side=side: write_side(record, side))  # type: ignore[misc]
        for side in SIDES
    ),
    *_term("design_primary_purpose", "design", "primary_purpose"),
    *_term("design_allocation", "design", "allocation"),
    *_term("design_intervention_model", "design", "intervention_model"),
    *_term("design_masking", "design", "masking"),
    _Cells("participants_count", "integer", _follow_path("participants", "count")),
    _Cells("participants_groups", "integer", _follow_path("participants", "groups")),
    _Cells("participants_placebo_group", "boolean", _follow_path("participants", "placebo_group")),
    _Cells("arms", "text", _join_list("arms", lambda arm: arm["label"])),
    _Cells("document_count", "integer", _follow_path("document_count")),
    _Cells("location_count", "integer", _follow_path("location_count")),
    _Cells("central_contacts", "text", _join_list("central_contacts")),
    _text("referring_site_name", "referring_site", "name"),
    _Cells("referring_site_veeva_enabled", "boolean", _follow_path("referring_site", "veeva_enabled")),
    _Cells("source_schema", "integer", _follow_path("source", "schema")),
    _text("source_file", "source", "file"),
    _text("source_url", "source", "url"),
    _text("source_sha256", "source", "sha256"),
    _text("source_form", "source", "form"),
    _Cells("unparsed", "text", _join_list("unparsed", lambda line: line["text"], "\n")),
    _Cells("warnings", "text", _join_list("warnings", lambda warning: warning["code"])),
)

TRIAL_COLUMNS = tuple(Column(cells.name, cells.type) for cells in _TRIAL_CELLS)
"""The columns of a trial in one row: each begins with the name of its field."""


def make_trial_row(record: Record) -> Row:
    """Make the one row of a trial, in the order of `TRIAL_COLUMNS`."""
    return tuple(cells.make(record) for cells in _TRIAL_CELLS)


def choose_columns(record: Record | None) -> list[int]:
    """Return the indexes of the trial columns whose field a record has, in the order of its fields; all for None."""
    if record is None:
        return list(range(len(TRIAL_COLUMNS)))
    return [
        index
        for field in record
        for index, column in enumerate(TRIAL_COLUMNS)
        if column.name == field or column.name.startswith(f"{field}_")
    ]


def _list_conditions(record: Record) -> Iterator[Row]:
    yield from enumerate(record.get("conditions") or (), 1)


def _row_interventions(record: Record) -> Iterator[Row]:
    for number, one in enumerate(record.get("interventions") or (), 1):
        yield number, read_code(one["type"]), _label(one["type"]), one["name"]


def _row_identifiers(record: Record) -> Iterator[Row]:
    for number, one in enumerate(record.get("identifiers") or (), 1):
        yield number, one["value"], read_code(one["type"]), _label(one["type"])


def _row_arms(record: Record) -> Iterator[Row]:
    for number, arm in enumerate(record.get("arms") or (), 1):
        yield number, arm["label"], read_code(arm["type"]), _label(arm["type"]), arm["description"]


def _list_arm_interventions(record: Record) -> Iterator[Row]:
    places: dict[str, int] = {}
    for number, listed in enumerate(record.get("interventions") or (), 1):
        places.setdefault(format_intervention(listed), number)
    for arm_number, arm in enumerate(record.get("arms") or (), 1):
        for number, one in enumerate(arm["interventions"], 1):
            place = places.get(format_intervention(one))
            yield arm_number, number, place, read_code(one["type"]), _label(one["type"]), one["name"]


def _list_criteria(record: Record) -> Iterator[Row]:
    number = 0
    for side in SIDES:
        for path, criterion in walk_criteria(record, side):
            number += 1
            place = ".".join(map(str, path))
            yield number, side, place, len(path), criterion["kind"], criterion["marker"], criterion["text"]


_IDS = (Column("trial_id"), Column("nct_id"))
_NUMBER = Column("number", "integer")
_TERM = (Column("type"), Column("type_label"))
_OF_TRIAL: dict[tuple[str, ...], str] = {("trial_id",): "trials"}

TABLES = (
    Table(
        "trials", (Column("trial_id"), *TRIAL_COLUMNS), ("trial_id",), {}, lambda record: [make_trial_row(record)[1:]]
    ),
    Table("conditions", (*_IDS, _NUMBER, Column("condition")), ("trial_id", "number"), _OF_TRIAL, _list_conditions),
    Table(
        "interventions",
        (*_IDS, _NUMBER, *_TERM, Column("name")),
        ("trial_id", "number"),
        _OF_TRIAL,
        _row_interventions,
    ),
    Table(
        "identifiers", (*_IDS, _NUMBER, Column("value"), *_TERM), ("trial_id", "number"), _OF_TRIAL, _row_identifiers
    ),
    Table(
        "arms",
        (*_IDS, _NUMBER, Column("label"), *_TERM, Column("description")),
        ("trial_id", "number"),
        _OF_TRIAL,
        _row_arms,
    ),
    Table(
        "arm_interventions",
        (*_IDS, Column("arm", "integer"), _NUMBER, Column("intervention", "integer"), *_TERM, Column("name")),
        ("trial_id", "arm", "number"),
        {("trial_id", "arm"): "arms", ("trial_id", "intervention"): "interventions"},
        _list_arm_interventions,
    ),
    Table(
        "criteria",
        (
            *_IDS,
            _NUMBER,
            Column("side"),
            Column("path"),
            Column("depth", "integer"),
            Column("kind"),
            Column("marker"),
            Column("text"),
        ),
        ("trial_id", "number"),
        _OF_TRIAL,
        _list_criteria,
    ),
)
"""Every table, each behind those that it refers to.

`number` counts the rows of a trial, or of an arm, from 1 in the order of the page. `trial_id` is what `identify` gives;
`nct_id` is null where the page has none.
"""


def identify(record: Record) -> str:
    """Return the key of a trial: its NCT id, else its page's address, else the digest or the file of the page.

    Raises:
        FileError: The record was written without all of these.
    """
    source = record.get("source") or {}
    digest = source.get("sha256")
    key = record.get("nct_id") or source.get("url") or (f"sha256:{digest}" if digest else source.get("file"))
    if not key:
        raise FileError("cannot write tables: a record has neither 'nct_id' nor 'source': add both to --fields")
    return str(key)


def make_rows(record: Record, key: str) -> Iterator[tuple[Table, list[Row]]]:
    """Make the rows of a record for every table, in the order of `TABLES`."""
    ids = (key, record.get("nct_id"))
    for table in TABLES:
        yield table, [(*ids, *row) for row in table.rows(record)]


OpenTable = Callable[[Path, tuple[Column, ...]], AbstractContextManager[Callable[[Iterable[Row]], object]]]
"""Opens a file for the rows of a table with these columns."""


@contextmanager
def open_tables(folder: Path, ending: str, open_table: OpenTable) -> Iterator[Callable[[Record], str | None]]:
    """Open a file for each table in a folder, which is made if needed, and yield the function that writes a record.

    A second record of one trial gets a key of its own; the function returns a sentence that says so.
    """
    seen: dict[str, int] = {}  # keys, and how many records of that trial there were
    make_folder(folder)
    with ExitStack() as stack:
        writers = {
            table.name: stack.enter_context(open_table(folder / f"{table.name}{ending}", table.columns))
            for table in TABLES
        }

        def write(record: Record) -> str | None:
            key = own = identify(record)
            times = seen.get(key, 0)
            while own in seen:  # an address may end in `#2` itself
                times += 1
                own = f"{key}#{times}"
            seen[own] = 1
            seen[key] = max(times, 1)
            for table, rows in make_rows(record, own):
                writers[table.name](rows)
            return None if own == key else f"{key}: another record of this trial; its trial_id is {own}"

        yield write

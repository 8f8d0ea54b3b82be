"""Which format the records of a run have."""

import re
from pathlib import Path

import pytest

from trialscrape.errors import UnknownFormat
from trialscrape.exports.formats import FORMATS, choose_format, find_name
from trialscrape.exports.tables import TABLES, TRIAL_COLUMNS

NAMES = ", ".join(FORMATS)
ENDINGS = ", ".join(row.ending for row in FORMATS.values())


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        (None, None, "jsonl"),
        (None, "json", "json"),
        ("trials.jsonl", None, "jsonl"),
        ("trials.JSON", None, "json"),
        ("trials.json", "jsonl", "jsonl"),
        ("trials.txt", "json", "json"),
    ],
)
def test_a_name_counts_before_the_ending_of_the_file(path: str | None, name: str | None, expected: str) -> None:
    assert choose_format(Path(path) if path else None, name) is FORMATS[expected]


@pytest.mark.parametrize("dot", ["", "."])
def test_an_ending_is_as_good_as_a_name(dot: str) -> None:
    for name, row in FORMATS.items():
        assert find_name(dot + row.ending.removeprefix(".")) == find_name(name.upper()) == name
    assert find_name("nope") == "nope"


@pytest.mark.parametrize(
    ("path", "name", "message"),
    [
        (
            "trials.txt",
            None,
            f"cannot tell the format of trials.txt by its name: end it in one of {ENDINGS}, or add --format",
        ),
        (None, "nope", f"there is no format 'nope'; choose from {NAMES}"),
        ("trials.json", "nope", f"there is no format 'nope'; choose from {NAMES}"),
    ],
)
def test_what_no_format_has_is_refused(path: str | None, name: str | None, message: str) -> None:
    with pytest.raises(UnknownFormat) as refused:
        choose_format(Path(path) if path else None, name)
    assert str(refused.value) == message


def test_every_format_and_column_is_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs/exports.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([\w.]+)` \| `(\.[\w.]+)` \|", page, re.MULTILINE))
    assert listed == {name: row.ending for name, row in FORMATS.items()}
    named = set(re.findall(r"`(\w+)`", page.split("## CSV")[1].split("## Tables")[0]))
    terms = {f"{name}_label" for name in named}
    assert {column.name for column in TRIAL_COLUMNS} <= named | terms
    tables = dict(re.findall(r"^\| `(\w+)` \| (`trial_id`[^|]*) \|", page, re.MULTILINE))
    assert {name: tuple(re.findall(r"\w+", key)) for name, key in tables.items()} == {
        table.name: table.key for table in TABLES
    }

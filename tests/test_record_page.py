"""The page on the record, and its picture, say what the models and the parser say."""

import json
import re
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin
from xml.etree import ElementTree as ET

import pytest
from pydantic import BaseModel

from trialscrape import records
from trialscrape.engines import parse
from trialscrape.vocabulary import NOT_SEEN, SEEN

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/record.md").read_text()
USUAL = "two-arms-loose-criteria.txt"
SIMPLE = {str: "text", int: "whole number", float: "number", bool: "true or false"}
MODELS = [
    one
    for one in vars(records).values()
    if isinstance(one, type) and issubclass(one, BaseModel) and one.__module__ == records.__name__ and one.model_fields
    if one is not records.TracedTrial
]
_ROW = re.compile(r"\| `(\w+)` \| (.*?) \| (.*?) \| `(.*?)`(?: \(`([\w.-]+)`\))? \|")
_TERM = re.compile(r"([^;]+?) → `(\w+)`(?:; |$)")


class Row(NamedTuple):
    """A field of a model as the page has it; `page` names the fixture of the example."""

    field: str
    type: str
    where: str
    example: str
    page: str


def read_section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def rows(section: str) -> list[Row]:
    lines = [line for line in read_section(section).splitlines() if line.startswith("| `")]
    return [Row(*match.groups(USUAL)) for line in lines for match in [_ROW.fullmatch(line)] if match]


def name_type(annotation: Any) -> str:
    """Name the type of a field as the page does."""
    parts = get_args(annotation)
    origin = get_origin(annotation)
    if origin in (UnionType, Union):
        one = name_type(next(part for part in parts if part is not NoneType))
        return "true, false or null" if one == "true or false" else f"{one} or null"
    if origin is tuple:
        return f"list of {name_type(parts[0])}"
    if origin is Literal:
        *most, last = (f"`{part}`" for part in parts)
        return f"{', '.join(most)} or {last}" if most else last
    if origin is Annotated:
        return name_type(parts[0])
    return SIMPLE.get(annotation) or str(annotation.__name__)


@cache
def read_page(name: str) -> Any:
    path = ROOT / "fixtures/pages" / name
    return json.loads(parse(path.read_bytes(), file=name).model_dump_json())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_page_has_every_field_with_its_type(model: type[BaseModel]) -> None:
    fields = [(field.alias or name, name_type(field.annotation)) for name, field in model.model_fields.items()]
    assert [(row.field, row.type) for row in rows(model.__name__)] == fields


@pytest.mark.parametrize(("model", "row"), [(model.__name__, row) for model in MODELS for row in rows(model.__name__)])
def test_an_example_is_what_the_parser_gives(model: str, row: Row) -> None:
    value = read_page(row.page)
    place = re.search(r"^(?:.* )?Example: `([\w.]+)`", read_section(model), re.MULTILINE)
    for part in place[1].split(".") if place else []:
        value = value[int(part) if part.isdigit() else part]
    # A `…` on the page stands for anything.
    pattern = ".*".join(map(re.escape, row.example.split("…")))
    assert re.fullmatch(pattern, json.dumps(value[row.field], ensure_ascii=False))


def test_the_page_has_every_vocabulary() -> None:
    table = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) ?\|$", PAGE.split("\n## Vocabularies\n")[1], re.MULTILINE)
    assert {name: dict(_TERM.findall(seen)) for name, seen, _ in table} == SEEN
    assert {name: dict(_TERM.findall(others)) for name, _, others in table if others} == NOT_SEEN


def test_a_field_of_a_vocabulary_names_it() -> None:
    for model in MODELS:
        for row in rows(model.__name__):
            if row.type in {"Term", "Term or null", "list of Term"}:
                assert re.findall(r"\. `(\w+)`$", row.where)[0] in SEEN, (model.__name__, row.field)


def test_the_picture_shows_lines_of_the_page_and_values_of_its_record() -> None:
    picture = ET.parse(ROOT / "docs/images/record.svg")  # noqa: S314  our own file
    texts: dict[str, list[str]] = {kind: [] for kind in ("line", "field", "value")}
    for element in picture.iter("{http://www.w3.org/2000/svg}text"):
        texts.get(element.get("class", ""), []).append(element.text or "")
    lines = (ROOT / "fixtures/pages" / USUAL).read_text().splitlines()
    assert len(texts["line"]) >= 12
    assert set(texts["line"]) <= {line.strip() for line in lines}
    assert set(texts["field"]) <= set(records.Trial.model_fields)
    record = json.dumps(read_page(USUAL), ensure_ascii=False)
    assert all(value.strip(" …,[]{}") in record for value in texts["value"])

"""Chosen fields, and no personal names."""

import json
from typing import Any

import pytest

from support.records import all_lines, changed, line_of, record_of
from trialscrape.errors import UnknownField
from trialscrape.exports.fields import REMOVED, choose_fields, make_filter, remove_names
from trialscrape.records import Trial


def test_the_fields_come_in_the_order_wanted() -> None:
    select = make_filter(choose_fields("title, nct_id,title"))
    assert select(line_of()) == (
        b'{"title":"Evening Lumivane Syrup Against Restless Teacup Syndrome (LANTERN)","nct_id":"NCT99000001"}'
    )


def test_all_fields_are_the_same_bytes() -> None:
    select = make_filter(choose_fields(",".join(Trial.model_fields)))
    assert [select(line) for line in all_lines()] == list(all_lines())
    assert make_filter()(line_of()) is line_of()


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(UnknownField) as caught:
        choose_fields("nct_id,xyz")
    assert str(caught.value) == f"there is no field 'xyz'; choose from {', '.join(Trial.model_fields)}, spans"


NAMES: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "sponsor", "Quillfeather Institute of Imaginary Medicine"),
    ({"central_contacts": ["Ada Quill, MD"], "sponsor": "Ada Quill"}, "sponsor", REMOVED),
    ({"central_contacts": ["Dr. Ada Quill"], "sponsor": "Ada Quill"}, "sponsor", REMOVED),
    ({"central_contacts": ["Ada Quill"], "brief_summary": "Ask Ada Quill."}, "brief_summary", f"Ask {REMOVED}."),
    ({"central_contacts": ["Ada Quill"], "brief_summary": "Ada Quillon"}, "brief_summary", "Ada Quillon"),
    ({"central_contacts": ["Teacup Pharma"], "sponsor": "Teacup Pharma"}, "sponsor", "Teacup Pharma"),
    ({"central_contacts": ["Clinical Trials"], "brief_summary": "Clinical Trials"}, "brief_summary", "Clinical Trials"),
    ({"central_contacts": ["MD Tea Center"], "sponsor": "MD Tea Center"}, "sponsor", "MD Tea Center"),
    ({"funder_types": [{"label": "Individual", "code": "INDIV"}], "sponsor": "Ada Quill"}, "sponsor", REMOVED),
    ({"unparsed": [{"line": 3, "text": "Ada Quill"}]}, "unparsed", [{"line": 3, "text": REMOVED}]),
    (
        {
            "unparsed": [{"line": 3, "text": "Ada Quill"}],
            "warnings": [{"code": "unreadable_line", "line": 3, "message": "expected a count, found 'Ada Quill'"}],
        },
        "warnings",
        [{"code": "unreadable_line", "line": 3, "message": f"expected a count, found '{REMOVED}'"}],
    ),
]


@pytest.mark.parametrize(("changes", "field", "expected"), NAMES)
def test_names_go_wherever_they_stand(changes: dict[str, Any], field: str, expected: object) -> None:
    cleaned = remove_names(record_of(**changes))
    assert cleaned[field] == expected
    assert cleaned["central_contacts"] == []


def test_no_name_of_a_contact_is_left_in_any_record() -> None:
    select = make_filter(contacts=False)
    for line in all_lines():
        cleaned = select(line).decode()
        Trial.model_validate_json(cleaned)
        for contact in json.loads(line)["central_contacts"]:
            assert contact not in cleaned
    assert b"Ada" not in select(changed(central_contacts=["Ada Quill"], unparsed=[{"line": 1, "text": "Ada"}]))

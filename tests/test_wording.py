"""Numbers of things in messages, and names that there are not."""

import pytest

from trialscrape.wording import suggest_names, write_count

COUNTS = [
    ((0, "page"), "0 pages"),
    ((1, "page"), "1 page"),
    ((2000, "unparsed line"), "2,000 unparsed lines"),
    ((1, "study", "studies"), "1 study"),
    ((3, "study", "studies"), "3 studies"),
]


@pytest.mark.parametrize(("arguments", "expected"), COUNTS)
def test_a_count_agrees_with_its_noun(arguments: tuple[int, str, str | None], expected: str) -> None:
    assert write_count(*arguments) == expected


NAMES = [
    ("cvs", "did you mean csv"),
    ("JSON", "did you mean json or jsonl"),
    ("xml", "choose from csv, json, jsonl"),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_a_name_that_is_near_is_suggested(name: str, expected: str) -> None:
    assert suggest_names(name, ["csv", "json", "jsonl"]) == expected

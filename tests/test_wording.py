"""Numbers of things in messages."""

import pytest

from trialscrape.wording import write_count

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

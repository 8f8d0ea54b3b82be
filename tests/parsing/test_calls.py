"""How much work a page costs, counted in calls: no noise of the machine moves it."""

import sys
from collections import Counter
from types import FrameType

import pytest

import trialscrape
from support.page import PAGE

PYTHON, C = 767, 675
SLACK = 1.05


def calls(page: str) -> Counter[str]:
    """Count the calls of Python and of C functions that one page takes, after one that warms up."""
    trialscrape.parse(page).model_dump_json()
    counts: Counter[str] = Counter()

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        counts[event] += 1

    sys.setprofile(count)
    try:
        trialscrape.parse(page).model_dump_json()
    finally:
        sys.setprofile(None)
    return counts


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each version of Python counts calls in its own way")
def test_a_page_takes_no_more_calls_than_it_did() -> None:
    counts = calls(PAGE)
    assert PYTHON / SLACK <= counts["call"] <= PYTHON * SLACK, "where it fell, lower the number here"
    assert C / SLACK <= counts["c_call"] <= C * SLACK, "where it fell, lower the number here"

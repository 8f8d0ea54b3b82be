"""What a command says of a run, without a run: lines, durations and causes."""

import pytest

from trialscrape.cli.run_progress import describe_progress, write_duration, write_lines
from trialscrape.cli.trouble import Troubles
from trialscrape.results import IdResult, Outcome
from trialscrape.scraping.progress import RunProgress

HALF = RunProgress(ids=150, ids_done=55, ids_failed=0, requests=120, expected_requests=300, seconds_left=180.0)
DURATIONS = [
    (0, "0 s"),
    (0.2, "1 s"),
    (2.001, "2 s"),
    (2.6, "3 s"),
    (80, "80 s"),
    (90, "2 min"),
    (180, "3 min"),
    (5400, "2 h"),
    (129_600, "2 days"),
]


@pytest.mark.parametrize(("seconds", "expected"), DURATIONS)
def test_a_duration_has_one_unit(seconds: float, expected: str) -> None:
    assert write_duration(seconds) == expected


def test_a_line_says_requests_ids_and_time() -> None:
    assert describe_progress(HALF) == "120 of about 300 requests, 55 of 150 ids, about 3 min left"
    kept = RunProgress(ids=9, ids_done=2, ids_failed=0, requests=0, expected_requests=0, seconds_left=0.0)
    assert describe_progress(kept) == "2 of 9 ids"
    one = RunProgress(ids=1, ids_done=1, ids_failed=1, requests=1, expected_requests=1, seconds_left=0.0)
    assert describe_progress(one) == "1 of about 1 request, 1 of 1 id (1 failed), about 0 s left"


def test_there_is_a_line_every_30_seconds_and_an_estimate_before() -> None:
    lines: list[str] = []
    times = iter([0.0, 1.0, 29.0, 30.0, 30.0, 31.0, 59.0, 60.0, 60.0])
    report = write_lines(lines.append, clock=lambda: next(times))
    report(RunProgress(150, 0, 0, 0, 80, 80.0))
    for _ in range(5):
        report(HALF)
    assert lines == ["about 80 requests, 80 s", describe_progress(HALF), describe_progress(HALF)]


def test_a_run_without_requests_says_nothing() -> None:
    lines: list[str] = []
    report = write_lines(lines.append, clock=lambda: 0.0)
    report(RunProgress(2, 0, 0, 0, 0, 0.0))
    report(RunProgress(2, 2, 0, 0, 0, 0.0))
    assert lines == []


def refused(number: int) -> IdResult:
    nct_id = f"NCT{number:08}"
    message = f"cannot fetch http://127.0.0.1:9/study/{nct_id}: the connection broke"
    return IdResult(nct_id, Outcome.NETWORK_ERROR, message=message, cause="connection refused by 127.0.0.1:9")


def test_trouble_is_told_once_a_cause() -> None:
    troubles = Troubles()
    troubles.add_id(IdResult("NCT99000001", Outcome.NOT_FOUND, message="there is no NCT99000001"))
    for number in range(1000):
        troubles.add_id(refused(number))
    troubles.add_id(IdResult("NCT99000002", Outcome.NEW))
    assert list(troubles.write_lines()) == [
        "network_error: connection refused by 127.0.0.1:9 (1,000 ids: NCT00000000, NCT00000001, NCT00000002, …)",
        "NCT99000001: not_found: there is no NCT99000001",
    ]
    troubles.add_id(IdResult("NCT99000003", Outcome.NOT_FOUND, message="there is no NCT99000003"))
    assert list(troubles.write_lines())[1] == "not_found: there is no … (2 ids: NCT99000001, NCT99000003)"


def test_no_more_than_twenty_lines_are_printed() -> None:
    troubles = Troubles()
    for number in range(23):
        troubles.add_id(IdResult(f"NCT{number:08}", Outcome.MISMATCH, message=f"cause {number}"))
    lines = list(troubles.write_lines("the outcomes file has them all"))
    assert (len(lines), lines[0]) == (21, "NCT00000000: mismatch: cause 0")
    assert lines[-1] == "… and 3 more of 23 ids; the outcomes file has them all"
    assert list(troubles.write_lines())[-1] == "… and 3 more of 23 ids"


PAGES = {
    "other words behind found": (
        [
            ("a", "expected 'Status', found none in 5 lines, 'x'"),
            ("b", "expected 'Status', found none in 6 lines, \"y'\""),
        ],
        ["rejected: expected 'Status', found none in … lines, … (2 pages: a, b)"],
    ),
    "a list of them is one": (
        [("a", "expected it; found 'x', 'y' in 3 lines"), ("b", "expected it; found 'it\\'s' in 3 lines")],
        ["rejected: expected it; found … in … lines (2 pages: a, b)"],
    ),
    "other words before it": (
        [("a", "expected 1 page, found none"), ("b:7", "expected 2 pages, found none")],
        ["a: rejected: expected 1 page, found none", "b:7: rejected: expected 2 pages, found none"],
    ),
    "nothing found": (
        [(name, "cannot read the file: permission denied") for name in "abcd"],
        ["rejected: cannot read the file: permission denied (4 pages: a, b, c, …)"],
    ),
}


@pytest.mark.parametrize(("pages", "lines"), PAGES.values(), ids=PAGES)
def test_pages_with_the_same_trouble_are_a_line(pages: list[tuple[str, str]], lines: list[str]) -> None:
    troubles = Troubles("page")
    for place, message in pages:
        troubles.add_page(place, "rejected", message)
    assert list(troubles.write_lines()) == lines


def test_a_million_causes_are_counted_and_not_kept() -> None:
    troubles = Troubles("study", "studies")
    for number in range(5_000):
        troubles.add(str(number), f"cause {number}")
    troubles.add_uncounted(10)
    troubles.add("x", "cause 999")
    lines = list(troubles.write_lines())
    assert lines[0] == "cause 999 (2 studies: 999, x)"
    assert lines[-1] == "… and 4,990 more of 5,011 studies"
    assert len(troubles._counts) == 1_000  # noqa: SLF001  what it holds is the point

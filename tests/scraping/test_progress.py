"""How far a run is, and how long the rest takes: expected values by hand."""

import pytest

from trialscrape.results import IdResult, Outcome
from trialscrape.scraping.progress import (
    ProgressMeter,
    RunProgress,
    Speed,
    estimate_open,
    estimate_seconds,
    guess_speed,
    update_speed,
)
from trialscrape.settings import Settings

SECONDS = {
    "the rate is the limit": (80, Speed(30, 30), 1.0, 80),
    "nearly at the rate": (80, Speed(27, 30), 1.0, 80),
    "the site is slower than the rate": (80, Speed(15, 30), 1.0, 160),
    "the answers are slow, whatever the rate": (80, Speed(120, 30), 500.0, 20),
    "nothing is left": (0, Speed(0, 30), 1.0, 0),
}


@pytest.mark.parametrize(("left", "speed", "rate", "expected"), SECONDS.values(), ids=SECONDS)
def test_the_time_left(left: float, speed: Speed, rate: float, expected: float) -> None:
    assert estimate_seconds(left, speed, rate) == pytest.approx(expected)


OPEN = {
    "before the first": (0, 0, 80, 80),
    "as planned": (20, 20, 60, 60),
    "half as many as planned": (10, 25, 60, 30),
    "one that took many proves little": (9, 1, 60, 140),
    "none is open": (20, 10, 0, 0),
}


@pytest.mark.parametrize(("taken", "planned", "still_planned", "expected"), OPEN.values(), ids=OPEN)
def test_the_requests_of_open_ids(taken: int, planned: int, still_planned: int, expected: float) -> None:
    assert estimate_open(taken, planned, still_planned) == pytest.approx(expected)


def test_the_first_guess_is_the_rate_or_what_the_requests_in_flight_allow() -> None:
    assert guess_speed(Settings(rate=1, concurrency=2)) == Speed(5, 5)
    assert guess_speed(Settings(rate=100, concurrency=2)) == Speed(20, 5)


def test_what_is_long_ago_counts_less() -> None:
    assert update_speed(Speed(40, 20), 6, 60) == Speed(26, 70)
    assert update_speed(Speed(40, 20), 0, 0) == Speed(40, 20)


def test_a_run_is_measured_by_its_requests() -> None:
    meter = ProgressMeter([3, 2, None, 2], Settings(rate=1), now=0)
    assert meter.measure(0, 0, now=0) == RunProgress(4, 0, 0, 0, 7, 7)
    assert meter.measure(2, 1, now=2) == RunProgress(4, 1, 0, 2, 7, 5)
    meter.end_id(IdResult("a", Outcome.NOT_FOUND, attempts=3))
    meter.end_id(IdResult("b", Outcome.TIMEOUT, attempts=4))
    meter.end_id(IdResult("c", Outcome.NOT_FOUND, attempts=9))  # it took them in an earlier process
    # 7 were taken where 5 were planned: the last id takes 2 * 12 / 10, rounded up.
    assert meter.measure(7, 0, now=7) == RunProgress(4, 3, 3, 7, 10, 3)
    meter.end_id(IdResult("d", Outcome.NOT_FOUND, attempts=2))
    assert meter.measure(9, 0, now=9) == RunProgress(4, 4, 4, 9, 9, 0)

"""How far a run is, and how long the rest takes: arithmetic over counts; times come from the caller."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from trialscrape.results import IdResult, Outcome
from trialscrape.settings import Settings

_TYPICAL_SECONDS = 0.5  # from a request to its answer; a guess, until some were measured
_TRUST_SECONDS = 5.0  # how long that guess weighs as much as what was measured
_HALF_LIFE = 60.0  # seconds until what was measured weighs half
_AT_THE_LIMIT = 0.9  # of the rate: a run so fast is held up by the rate and nothing else
_TRUST_REQUESTS = 5.0  # how many requests the plan weighs as much as


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run of `scrape` is.

    Attributes:
        ids: How many ids the run has.
        ids_done: How many of them are done.
        ids_failed: How many of these have no record, or one of a page that could not be fetched again.
        requests: Requests sent so far, retries and redirects included, robots.txt not.
        expected_requests: About how many there will be in all; 0 for a run that needs none.
        seconds_left: About how long the rest takes.
    """

    ids: int
    ids_done: int
    ids_failed: int
    requests: int
    expected_requests: int
    seconds_left: float


class Speed(NamedTuple):
    """Requests and the seconds that they took; what is long ago counts less."""

    requests: float
    seconds: float


def guess_speed(settings: Settings) -> Speed:
    """Return the speed of a run that has not begun: its rate, or what its requests in flight allow if that is less."""
    a_second = min(settings.rate, settings.concurrency / _TYPICAL_SECONDS)
    return Speed(a_second * _TRUST_SECONDS, _TRUST_SECONDS)


def update_speed(speed: Speed, requests: int, seconds: float) -> Speed:
    """Return the speed after so many more requests in so many seconds."""
    kept = 0.5 ** (seconds / _HALF_LIFE)
    return Speed(speed.requests * kept + requests, speed.seconds * kept + seconds)


def estimate_open(taken: int, planned: int, still_planned: int) -> float:
    """Return about how many requests the open ids need.

    Args:
        taken: Requests that the ids done took.
        planned: Requests that were planned for them.
        still_planned: Requests that are planned for the open ids.
    """
    return still_planned * (_TRUST_REQUESTS + taken) / (_TRUST_REQUESTS + planned)


def estimate_seconds(left: float, speed: Speed, rate: float) -> float:
    """Return about how many seconds so many requests take: at the rate where that is the limit, else at the speed."""
    a_second = speed.requests / speed.seconds
    return left / (rate if a_second >= _AT_THE_LIMIT * rate else max(a_second, 1e-9))


class ProgressMeter:
    """Counts what a run has done. Times are seconds of any clock.

    Args:
        needed: About how many requests each id needs, by position; None for one that an earlier process finished.
        settings: The settings.
        now: When the run begins.
    """

    def __init__(self, needed: list[int | None], settings: Settings, now: float) -> None:
        self._needed, self._rate = needed, settings.rate
        self._speed, self._now, self._requests = guess_speed(settings), now, 0
        self._ended = self._failed = self._taken = self._planned = 0
        self._still_planned = sum(filter(None, needed))

    def end_id(self, result: IdResult) -> None:
        """Count the result of the next id, in the order of the ids."""
        needed = self._needed[self._ended]
        self._ended += 1
        self._failed += result.failed
        if needed is not None:
            self._taken += result.attempts
            self._planned += needed
            self._still_planned -= needed

    def measure(self, requests: int, further_done: int, now: float) -> RunProgress:
        """Return how far the run is.

        Args:
            requests: Requests sent so far.
            further_done: Ids that are done but wait for one before them.
            now: The time.
        """
        self._speed = update_speed(self._speed, requests - self._requests, now - self._now)
        self._requests, self._now = requests, now
        # An id of a resumed run may have taken requests in an earlier process.
        taken = min(self._taken, requests)
        expected = max(requests, math.ceil(taken + estimate_open(taken, self._planned, self._still_planned)))
        return RunProgress(
            ids=len(self._needed),
            ids_done=self._ended + further_done,
            ids_failed=self._failed,
            requests=requests,
            expected_requests=expected,
            seconds_left=estimate_seconds(expected - requests, self._speed, self._rate),
        )

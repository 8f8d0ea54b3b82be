"""When a request may start, on a clock that only sleeps move."""

import math
import threading
from collections.abc import Callable

import pytest

from trialscrape.errors import Stopped
from trialscrape.fetching.throttle import HostTimes, StopSignal, Throttle


class Clock:
    """A clock that sleeps move forward; `before` runs before each."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.now = 100.0
        self.sleeps: list[float] = []
        self.before = before

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.before()
        self.sleeps.append(round(seconds, 6))
        self.now += seconds


def finish(work: Callable[[], object]) -> None:
    """Do something in a thread, and fail where it does not come to an end."""
    done = threading.Event()

    def run() -> None:
        work()
        done.set()

    threading.Thread(target=run, daemon=True).start()
    assert done.wait(5)


def make_throttle(interval: float) -> tuple[Clock, Throttle]:
    clock = Clock()
    return clock, Throttle(interval, StopSignal(clock, clock.sleep))


def take(throttle: Throttle, host: HostTimes) -> None:
    with throttle.turn(host) as sent:
        sent()


def test_turns_are_an_interval_apart_over_all_hosts() -> None:
    clock, throttle = make_throttle(2.0)
    first, second = HostTimes(), HostTimes()
    take(throttle, first)
    clock.now += 0.5
    take(throttle, second)
    take(throttle, second)
    clock.now += 2.0
    take(throttle, first)
    assert clock.sleeps == [1.5, 2.0]
    assert (first.started, second.started) == (106.0, 104.0)


def test_the_interval_counts_from_when_the_head_was_sent() -> None:
    clock, throttle = make_throttle(2.0)
    host = HostTimes()
    with throttle.turn(host) as sent:
        clock.now += 5  # connecting
        sent()
        clock.now += 1  # the answer
    assert host.started == 105.0
    take(throttle, host)
    assert clock.sleeps == [1.0]


def test_the_interval_counts_from_the_end_where_no_head_was_sent() -> None:
    clock, throttle = make_throttle(2.0)
    host = HostTimes()
    with throttle.turn(host):
        clock.now += 5
    take(throttle, host)
    assert clock.sleeps == [2.0]


def test_a_host_has_its_own_delay_and_pause() -> None:
    clock, throttle = make_throttle(1.0)
    slow, other = HostTimes(delay=10.0), HostTimes()
    take(throttle, slow)
    take(throttle, other)
    take(throttle, slow)
    slow.not_before = clock.now + 25
    take(throttle, slow)
    assert clock.sleeps == [1.0, 9.0, 25.0]


def test_a_short_delay_of_a_host_is_kept_too() -> None:
    clock, throttle = make_throttle(0.25)
    host = HostTimes(delay=0.75)
    take(throttle, host)
    finish(lambda: take(throttle, host))
    assert clock.sleeps == [0.75]


def test_a_wait_for_a_host_ends_when_its_pause_is_over() -> None:
    clock, throttle = make_throttle(1.0)
    throttle.wait_for(HostTimes())
    throttle.wait_for(HostTimes(started=99.0, delay=1.0))
    assert clock.sleeps == []
    host = HostTimes(started=95.0, delay=8.0, not_before=102.0)
    clock.before = lambda: setattr(host, "not_before", 110.0)
    throttle.wait_for(host)
    assert clock.sleeps == [3.0, 7.0]


def test_one_that_waits_for_its_host_does_not_hold_up_others() -> None:
    slow, other = HostTimes(not_before=150.0), HostTimes()
    clock = Clock(lambda: take(throttle, other))
    throttle = Throttle(1.0, StopSignal(clock, clock.sleep))
    finish(lambda: take(throttle, slow))
    assert (other.started, slow.started) == (100.0, 150.0)


def test_only_one_has_a_turn_until_its_head_is_sent() -> None:
    _, throttle = make_throttle(1.0)
    second = threading.Thread(target=take, args=(throttle, HostTimes()), daemon=True)
    with throttle.turn(HostTimes()) as sent:
        second.start()
        second.join(0.3)
        assert second.is_alive()
        sent()
        second.join(5)
        assert not second.is_alive()
        sent()  # a second time does nothing


class Interrupted(BaseException):
    """What may end a wait from outside, as Ctrl-C does."""


@pytest.mark.parametrize("error", [Interrupted, ValueError])
def test_a_wait_for_a_turn_that_fails_lets_others_have_theirs(error: type[BaseException]) -> None:
    clock, throttle = make_throttle(1.0)
    take(throttle, HostTimes())

    def fail() -> None:
        clock.before = lambda: None
        raise error

    clock.before = fail
    with pytest.raises(error):
        take(throttle, HostTimes())
    finish(lambda: take(throttle, HostTimes()))


def test_a_request_that_fails_lets_others_have_their_turn() -> None:
    _, throttle = make_throttle(1.0)
    with pytest.raises(Interrupted), throttle.turn(HostTimes()):
        raise Interrupted
    finish(lambda: take(throttle, HostTimes()))


def test_nobody_has_a_turn_after_the_stop() -> None:
    clock = Clock()
    stop = StopSignal(clock, clock.sleep)
    throttle = Throttle(1.0, stop)
    stop.set()
    with pytest.raises(Stopped, match=r"^the fetcher was stopped; make a new one to continue$"):
        take(throttle, HostTimes())
    with pytest.raises(Stopped):
        stop.wait(1)


class Sleeper(threading.Event):
    """An event that nobody sets, and whose waits end early: after half of their time, or an eighth of a second."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Let some of the time pass."""
        self.waits.append(timeout)
        self.clock.now += max(0.125, (timeout or 0) / 2)
        return self.is_set()


def test_a_pause_takes_its_time_and_does_not_spin() -> None:
    clock = Clock()
    stop = StopSignal(clock, None)
    stop.stopped = sleeper = Sleeper(clock)
    stop.wait(1.0)
    assert sleeper.waits == [1.0, 0.5, 0.25, 0.125]
    assert clock.now == 101.0


def test_a_pause_ends_with_the_stop() -> None:
    stop = StopSignal(lambda: 0.0, None)
    stop.set()
    with pytest.raises(Stopped):
        stop.wait(math.inf)


def test_a_lock_is_not_waited_for_after_the_stop() -> None:
    stop = StopSignal(lambda: 0.0, None)
    lock = threading.Lock()
    with stop.held(lock):
        assert lock.locked()
        threading.Timer(0.05, stop.set).start()
        with pytest.raises(Stopped):
            stop.acquire(lock)
    assert not lock.locked()
    with pytest.raises(Interrupted), stop.held(lock):
        raise Interrupted
    assert not lock.locked()

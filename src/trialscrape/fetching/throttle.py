"""When a request may start: one clock for a run, one interval for all hosts, and each host's own delay and pause."""

import logging
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from trialscrape.errors import Stopped

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class HostTimes:
    """What holds up requests to one host: when the last started, its delay, its pause. Times are on the run's clock."""

    started: float = -math.inf
    delay: float = 0.0
    not_before: float = -math.inf


class StopSignal:
    """The run's clock, and the one thing that ends all its waits."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None] | None) -> None:
        self.clock = clock
        self.stopped = threading.Event()
        self._sleep = sleep or self._pause

    def set(self) -> None:
        """End the run."""
        self.stopped.set()

    def check(self) -> None:
        """Raise `Stopped` where the run is over."""
        if self.stopped.is_set():
            raise Stopped("the fetcher was stopped; make a new one to continue")

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds of the clock, or until the run is stopped."""
        self._sleep(seconds)
        self.check()

    def acquire(self, lock: "threading.Lock | threading.Semaphore") -> None:
        """Take a lock, unless the run ends first."""
        while not lock.acquire(timeout=0.1):
            self.check()

    @contextmanager
    def held(self, lock: "threading.Lock | threading.Semaphore") -> Iterator[None]:
        """Hold a lock, taken with `acquire`."""
        self.acquire(lock)
        try:
            yield
        finally:
            lock.release()

    def _pause(self, seconds: float) -> None:
        # The event may wake a moment early, and a rate must not be exceeded by a moment either.
        end = self.clock() + seconds
        while (left := end - self.clock()) > 0 and not self.stopped.wait(left):
            pass


class Throttle:
    """When the next request may start: one interval for all hosts, and each host's own delay and pause."""

    def __init__(self, interval: float, stop: StopSignal) -> None:
        self._interval = interval
        self._stop = stop
        self._gate = threading.Lock()
        self._started = -math.inf

    def wait_for(self, host: HostTimes) -> None:
        """Wait for the delay and pause of this host, without holding up requests to others."""
        while (left := self._left(host)) > 0:
            _log.info("waiting %.1f s, as the host asks", left)
            self._stop.wait(left)

    def _left(self, host: HostTimes) -> float:
        return max(host.started + host.delay, host.not_before) - self._stop.clock()

    @contextmanager
    def turn(self, host: HostTimes) -> Iterator[Callable[[], None]]:
        """Wait until a request may start, and let no other start until its head is sent.

        So neither a slow connection nor a thread that sleeps between its turn and its request can bring two requests
        closer together on the wire than the interval. The caller calls the yielded function when the head is
        sent; the end of the request does so too.
        """
        self._enter(host)
        with ExitStack() as over:
            over.callback(self._leave, host)
            yield over.close

    def _enter(self, host: HostTimes) -> None:
        while True:
            self._stop.acquire(self._gate)
            try:
                if self._left(host) <= 0:
                    # Waiting here, and not outside, lets one thread wake up for a turn, and not all that want one.
                    while (left := self._started + self._interval - self._stop.clock()) > 0:
                        self._stop.wait(left)
                    self._stop.check()
                    return
            except BaseException:
                self._gate.release()
                raise
            self._gate.release()
            self.wait_for(host)

    def _leave(self, host: HostTimes) -> None:
        self._started = host.started = self._stop.clock()
        self._gate.release()

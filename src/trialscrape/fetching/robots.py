"""robots.txt of each host (RFC 9309): fetched when it is first needed, kept for the run."""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from protego import Protego

from trialscrape.fetching.responses import Request, Response, Result
from trialscrape.fetching.throttle import StopSignal
from trialscrape.settings import Settings
from trialscrape.wording import write_count

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Robots:
    """What a host's robots.txt says to this program.

    Where it could not be fetched, `result` is what every page of the host gets instead of a request, and `message`
    says why, and `cause` the same in short; otherwise `result` is `ok`. `delay` is in seconds, `sitemaps` are the
    addresses it names, as written. Where `answered` is false, a later page requests it again.
    """

    result: Result
    message: str = ""
    cause: str = ""
    rules: Protego = field(default_factory=lambda: Protego.parse(""), repr=False)
    delay: float = 0.0
    sitemaps: tuple[str, ...] = ()
    answered: bool = True


@dataclass(slots=True)
class _Host:
    lock: threading.Lock = field(default_factory=threading.Lock)
    robots: Robots | None = None
    requests: int = 0
    next_request: float = -math.inf


class RobotsCache:
    """The robots.txt of every host of a run; safe to use from several threads.

    Args:
        fetch: Follows a request to its response.
        settings: How often it is requested, and which delay is too long.
        stop: The run's clock and end.
    """

    def __init__(self, fetch: Callable[[Request], Response], settings: Settings, stop: StopSignal) -> None:
        self._fetch, self._settings, self._stop = fetch, settings, stop
        self._hosts: dict[str, _Host] = {}

    def get(self, url: httpx.URL) -> Robots:
        """Return the rules for an address: once they answered, for the run; until then requested now and then."""
        address = robots_url(url)
        host = self._hosts.setdefault(str(address), _Host())
        with self._stop.held(host.lock):
            waits = host.requests >= self._settings.robots_asks or self._stop.clock() < host.next_request
            if host.robots is None or not (host.robots.answered or waits):
                request = Request(address, self._settings.robots_limit, truncate=True, obey_robots=False)
                host.robots = read_robots(self._fetch(request), self._settings)
                _log_robots(str(address), host.robots)
                host.requests += 1
                host.next_request = self._stop.clock() + self._settings.robots_pause
            return host.robots


def _log_robots(address: str, robots: Robots) -> None:
    if robots.result == Result.OK:
        delay = f"a delay of {robots.delay:g} s" if robots.delay else "no delay"
        _log.info("%s is obeyed: %s, %s", address, delay, write_count(len(robots.sitemaps), "sitemap"))
    else:
        _log.warning("nothing is requested from the host of %s: %s", address, robots.message)


def robots_url(url: httpx.URL) -> httpx.URL:
    """Return the address of the robots.txt that applies to an address."""
    return url.copy_with(raw_path=b"/robots.txt", fragment=None)


def read_robots(response: Response, settings: Settings) -> Robots:
    """Read what was fetched as robots.txt: 4xx allows all, no answer forbids all (RFC 9309)."""
    client_error = response.status is not None and httpx.codes.is_client_error(response.status)
    if response.result == Result.HTTP_STATUS and client_error:
        return Robots(Result.OK)
    if response.result != Result.OK:
        # A host that cannot be reached at all is better called so than "blocked".
        reached = response.result in (Result.SERVER_ERROR, Result.TIMEOUT, Result.HTTP_STATUS)
        blocked = Result.BLOCKED_BY_ROBOTS if reached else response.result
        return Robots(blocked, f"its robots.txt must be read first; {response.message}", response.cause, answered=False)
    body = response.body
    if len(body) >= settings.robots_limit:
        # The last line of a file that was cut may be half a rule, and half a rule forbids more than was meant.
        body = body.rpartition(b"\n")[0]
    rules = Protego.parse(body.decode("utf-8-sig", errors="replace"))
    delay = _read_delay(rules, settings.user_agent)
    result, message, cause = Result.OK, "", ""
    if delay > settings.crawl_delay_limit:
        limit = f"more than the {settings.crawl_delay_limit:g} s allowed"
        message = f"{response.final_url} asks for a delay of {delay:g} s, {limit}; ask the site for permission"
        result, cause = Result.BLOCKED_BY_ROBOTS, f"{response.final_url} asks for a delay of {delay:g} s, {limit}"
    return Robots(result, message, cause, rules, delay, tuple(rules.sitemaps))


def _read_delay(rules: Protego, agent: str) -> float:
    """Return the seconds between two requests that robots.txt asks for, as Crawl-delay or Request-rate."""
    rate = rules.request_rate(agent)
    interval = rate.seconds / rate.requests if rate and rate.requests else 0.0
    return max(rules.crawl_delay(agent) or 0.0, interval)

"""The only user of the network: one polite GET at a time slot, and one result for whatever comes back.

    url ──robots──▶ turn (rate) ──▶ request ──▶ bounded body ──▶ Fetched
                      ▲                │ fault that may pass
                      └── wait ◀───────┘

Rules: one clock for all hosts, so that no two requests of a run start closer than 1/rate, retries, redirects and
robots.txt included; a host's Crawl-delay and Retry-After only make it slower; robots.txt first (RFC 9309), and no
request where it forbids or cannot be had; no byte of a body is given out unless the whole body arrived.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self, cast

import httpx
import tenacity
from protego import Protego

from trialscrape.addresses import mask_passwords, may_lead_to, resolve_path
from trialscrape.fetching.responses import Ask, Reply, Result, pause_message, reply_of, reply_to_failure
from trialscrape.fetching.throttle import Pace, Paced, Run, Stopped
from trialscrape.fetching.transport import Transport, Wire, make_client, trace_of
from trialscrape.settings import Settings

__all__ = ["Fetched", "Fetcher", "Result", "Robots", "Stopped", "Validators"]


@dataclass(frozen=True, slots=True)
class Validators:
    """What a kept page was served with, to ask whether it changed."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one address.

    `body` is decoded and whole for `ok`, empty for all others. `attempts` counts the requests sent for this address,
    retries and redirects included and robots.txt not. `message` is empty for `ok` and `not_modified`, and otherwise
    says what was expected, what was found, and what to do.
    """

    result: Result
    url: str
    final_url: str
    status: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    content_type: str | None = None
    body: bytes = field(default=b"", repr=False)
    attempts: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Robots:
    """What a host's robots.txt says to this program.

    Where it could not be had, `result` is what a page of the host gets instead of being asked for, and `message` why;
    otherwise `result` is `ok`. `delay` is in seconds, `sitemaps` are the addresses it names, as written. Where
    `answered` is false, a later page asks for it again.
    """

    result: Result
    rules: Protego = field(repr=False)
    delay: float = 0.0
    sitemaps: tuple[str, ...] = ()
    message: str = ""
    answered: bool = True


@dataclass(slots=True)
class _Host(Paced):
    """What a run knows of one scheme, host and port."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    robots: Robots | None = None
    asks: int = 0
    ask_again: float = -math.inf


class Fetcher:
    """One client for a whole run; safe to use from several threads. Use it as a context manager.

    Args:
        settings: Rate, limits, timeouts and the User-Agent.
        transport: What sends the requests; a pool of HTTP/1.1 connections with verified TLS where None. Its answers
            must be unread streams, so that bodies stay bounded.
        sleep: Waits for so many seconds *of the clock*; where None, a wait that `stop` ends at once.
        clock: Seconds, never going back. Rate, pauses and the total timeout are measured on it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._run = Run(clock, sleep)
        self._pace = Pace(1 / settings.rate, self._run)
        self._wire = Wire(clock)
        self._slots = threading.BoundedSemaphore(settings.concurrency)
        self._hosts: dict[str, _Host] = {}
        self._hosts_lock = threading.Lock()
        self._client = make_client(settings, transport or Transport(settings, self._wire))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stop(self) -> None:
        """End every wait and every open connection now; the threads inside `get` leave it with `Stopped`.

        A thread that is just connecting leaves at the latest after the connect timeout.
        """
        self._run.stopped.set()
        self._wire.cut()

    def close(self) -> None:
        """Stop, and close the client."""
        self.stop()
        self._client.close()

    def get(self, url: str, *, validators: Validators | None = None, limit: int | None = None) -> Fetched:
        """Fetch an address politely. Whatever the network does is a result.

        Args:
            url: An http or https address; anything else gives `network_error` without a request.
            validators: Ask only for what changed since; an unchanged page gives `not_modified`.
            limit: The largest body to take, in bytes, where it is not the settings' one.

        Raises:
            Stopped: `stop` or `close` was called.
        """
        self._run.check()
        target = _target(url)
        if isinstance(target, str):
            shown = mask_passwords(url)
            return Fetched("network_error", shown, shown, message=target)
        ask = Ask(limit=limit or self._settings.body_limit, headers=_conditions(validators))
        return replace(self._follow(target, ask), url=url)

    def robots(self, url: str) -> Robots:
        """Return what the robots.txt of this address's host says, asking for it where that was not done yet.

        Raises:
            Stopped: `stop` or `close` was called.
        """
        self._run.check()
        target = _target(url)
        if isinstance(target, str):
            return Robots("network_error", Protego.parse(""), message=target)
        return self._robots(target)

    def _follow(self, target: httpx.URL, ask: Ask) -> Fetched:
        """Ask for an address and the ones it redirects to."""
        seen: list[httpx.URL] = []
        attempts = 0
        while True:
            seen.append(target)
            refused = self._refusal(target, ask)
            reply, sent = (refused, 0) if refused else self._persist(target, ask)
            attempts += sent
            if reply.location is None:
                return _fetched(reply, seen, attempts)
            following = _next(reply.location, seen, self._settings.redirects)
            if isinstance(following, str):
                return _fetched(replace(reply, message=following), seen, attempts)
            target = following

    def _refusal(self, target: httpx.URL, ask: Ask) -> Reply | None:
        """Return why an address is not asked for, or None where it may be."""
        forbidden = self._settings.forbidden_path
        if may_lead_to(_split_path(target)[0], forbidden):
            found = (
                f"expected a page that may be asked for, found {target}; {forbidden} is never asked for: leave it out"
            )
            return Reply("blocked_by_robots", found)
        if ask.obey:
            robots = self._robots(target)
            if robots.result != "ok":
                return Reply(robots.result, f"{target} was not asked for: {robots.message}")
            if not robots.rules.can_fetch(str(target), self._settings.user_agent):
                found = f"expected leave to ask for {target}, found that {_robots_url(target)} forbids it; leave it out"
                return Reply("blocked_by_robots", found)
        left = self._host(target).not_before - self._run.clock()
        if left > self._settings.retry_after_limit:
            return Reply("rate_limited", pause_message(target, left, self._settings))
        return None

    def _robots(self, target: httpx.URL) -> Robots:
        """Return the rules of a host: once they answered, for the run; until then asked for again now and then."""
        host = self._host(target)
        with self._run.held(host.lock):
            known = host.robots
            over = host.asks >= self._settings.robots_asks or self._run.clock() < host.ask_again
            if known and (known.answered or over):
                return known
            host.robots = self._ask_robots(_robots_url(target))
            host.asks += 1
            host.ask_again = self._run.clock() + self._settings.robots_pause
            host.delay = host.robots.delay if host.robots.result == "ok" else 0.0
            return host.robots

    def _ask_robots(self, url: httpx.URL) -> Robots:
        fetched = self._follow(url, Ask(limit=self._settings.robots_limit, cut=True, obey=False))
        return _read_robots(fetched, self._settings)

    def _host(self, target: httpx.URL) -> _Host:
        with self._hosts_lock:
            return self._hosts.setdefault(str(_robots_url(target)), _Host())

    def _persist(self, target: httpx.URL, ask: Ask) -> tuple[Reply, int]:
        """Ask until an answer comes that a retry would not mend. Return it, and how many requests it took."""
        settings = self._settings
        backoff = tenacity.wait_exponential(multiplier=settings.backoff, max=settings.backoff_limit)
        jitter = tenacity.wait_random(0, settings.backoff)
        sent = 0

        def once() -> Reply:
            nonlocal sent
            sent += 1
            return self._once(target, ask)

        retrying = tenacity.Retrying(
            sleep=self._run.wait,
            stop=tenacity.stop_after_attempt(settings.retries + 1),
            wait=lambda state: max(backoff(state) + jitter(state), _last_reply(state).pause or 0),
            retry=tenacity.retry_if_result(lambda reply: reply.again),
            retry_error_callback=_last_reply,
        )
        reply = retrying(once)
        if reply.again and sent > 1:
            reply = replace(reply, message=f"{reply.message} (asked {sent} times)")
        return reply, sent

    def _once(self, target: httpx.URL, ask: Ask) -> Reply:
        """Wait for a turn and send one request."""
        host = self._host(target)
        self._pace.wait_for(host)
        with self._run.held(self._slots), self._pace.turn(host) as sent:
            self._wire.start(self._settings.total_timeout)
            reply = self._exchange(target, ask, sent)
        if reply.pause is not None:
            host.not_before = max(host.not_before, self._run.clock() + reply.pause)
        return reply

    def _exchange(self, target: httpx.URL, ask: Ask, sent: Callable[[], None]) -> Reply:
        """Send one request and read its answer; the only place where foreign errors are translated."""
        try:
            request = self._client.build_request(
                "GET", target, headers=ask.headers, extensions={"trace": trace_of(sent)}
            )
            response = self._client.send(request, stream=True)
            try:
                sent()
                return reply_of(response, ask, self._settings)
            finally:
                response.close()
        except Exception as error:
            self._run.check()
            reply = reply_to_failure(error, target, ask, self._settings)
            if reply is None:
                raise
            return reply


def _target(url: str) -> httpx.URL | str:
    """Return the address to ask for, the dots of its path resolved, or what is wrong with it."""
    expected = f"expected an address as https://ctv.veeva.com/study/<slug>, found {mask_passwords(url)!r}"
    try:
        target = httpx.URL(url)
        host = target.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError) as error:
        return f"{expected}: {error}"
    if target.scheme not in ("http", "https") or not host:
        return expected
    if target.userinfo:
        return f"{expected}; leave out the name and password"
    if max(map(len, host.split("."))) > _LABEL or (target.port is not None and not 0 < target.port < _PORTS):
        return f"{expected}; its host or port cannot exist"
    path, query = _split_path(target)
    return target.copy_with(raw_path=f"{resolve_path(path)}{query}".encode("ascii"))


_LABEL, _PORTS = 63, 65536  # RFC 1035: octets of a label; TCP: number of ports


def _site(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _robots_url(url: httpx.URL) -> httpx.URL:
    return url.copy_with(raw_path=b"/robots.txt", fragment=None)


def _split_path(url: httpx.URL) -> tuple[str, str]:
    """Return the path as it is sent, and the query with its `?`."""
    path, mark, query = url.raw_path.decode("ascii").partition("?")
    return path, mark + query


def _conditions(validators: Validators | None) -> tuple[tuple[str, str], ...]:
    """Return the headers that ask for changes only; a validator that no header can hold is left out."""
    if validators is None:
        return ()
    pairs = (("If-None-Match", validators.etag), ("If-Modified-Since", validators.last_modified))
    return tuple((name, value) for name, value in pairs if value and value.isascii() and value.isprintable())


def _next(location: str, seen: list[httpx.URL], most: int) -> httpx.URL | str:
    """Return where a redirect leads, or why it is not followed."""
    here = seen[-1]
    expected = f"expected a page or a redirect within {here.scheme}://{here.netloc.decode('ascii')}, found that {here}"
    there = _target(str(here.join(location)))
    if isinstance(there, str) or _site(there) != _site(here):
        return f"{expected} redirects to {mask_passwords(location)!r}; give that address if it is the one wanted"
    if there in seen:
        return f"{expected} redirects in a circle, to {there}; look at it in a browser"
    if len(seen) > most:
        return f"{expected} is reached after {most} redirects and redirects again; look at it in a browser"
    return there


def _fetched(reply: Reply, seen: list[httpx.URL], attempts: int) -> Fetched:
    return Fetched(
        result=reply.result,
        url=str(seen[0]),
        final_url=str(seen[-1]),
        status=reply.status,
        etag=reply.headers.get("etag"),
        last_modified=reply.headers.get("last-modified"),
        content_type=reply.headers.get("content-type"),
        body=reply.body,
        attempts=attempts,
        message=reply.message,
    )


def _last_reply(state: tenacity.RetryCallState) -> Reply:
    return cast("Reply", cast("tenacity.Future", state.outcome).result())


def _read_robots(fetched: Fetched, settings: Settings) -> Robots:
    """Return the rules in what was fetched as robots.txt: 4xx allows all, no answer forbids all (RFC 9309)."""
    client_error = fetched.status is not None and httpx.codes.is_client_error(fetched.status)
    if fetched.result == "http_status" and client_error:
        return Robots("ok", Protego.parse(""))
    if fetched.result != "ok":
        result: Result = "blocked_by_robots" if fetched.result in _FORBIDS else fetched.result
        return Robots(
            result, Protego.parse(""), message=f"its robots.txt must be read first; {fetched.message}", answered=False
        )
    rules = Protego.parse(_robots_text(fetched.body, settings.robots_limit))
    delay = _delay(rules, settings.user_agent)
    if delay > settings.crawl_delay_limit:
        asks = f"expected a delay of at most {settings.crawl_delay_limit:g} s in {fetched.final_url}, found {delay:g} s"
        return Robots("blocked_by_robots", rules, delay, tuple(rules.sitemaps), f"{asks}; ask the site for leave")
    return Robots("ok", rules, delay, tuple(rules.sitemaps))


# A host that cannot be reached at all is better called so than "blocked".
_FORBIDS = {"server_error", "timeout", "http_status"}


def _robots_text(body: bytes, limit: int) -> str:
    # The last line of a file that was cut may be half a rule, and half a rule forbids more than was meant.
    whole = body.rpartition(b"\n")[0] if len(body) >= limit else body
    return whole.decode("utf-8-sig", errors="replace")


def _delay(rules: Protego, agent: str) -> float:
    """Return the seconds between two requests that robots.txt asks for, by either of its words for it."""
    asked = rules.request_rate(agent)
    spread = asked.seconds / asked.requests if asked and asked.requests else 0.0
    return max(rules.crawl_delay(agent) or 0.0, spread)

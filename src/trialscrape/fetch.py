"""The only user of the network: one polite GET at a time slot, and one result for whatever comes back.

    url ──robots──▶ turn (rate) ──▶ request ──▶ bounded body ──▶ Fetched
                      ▲                │ fault that may pass
                      └── wait ◀───────┘

Rules: one clock for all hosts, so that no two requests of a run start closer than 1/rate, retries, redirects and
robots.txt included; a host's Crawl-delay and Retry-After only make it slower; robots.txt first (RFC 9309), and no
request where it forbids or cannot be had; no byte of a body is given out unless the whole body arrived.
"""

import contextlib
import math
import re
import socket
import ssl
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Literal, Self, cast
from urllib.parse import unquote

import httpcore
import httpx
import tenacity
from protego import Protego

from trialscrape.errors import TrialscrapeError
from trialscrape.settings import Settings

Result = Literal[
    "ok",  # 200, with the whole body
    "not_modified",  # 304 to the validators sent
    "http_status",  # an answer that is none of the others: 404, 403, 204 …
    "blocked_by_robots",
    "rate_limited",  # 429 to the last, or a longer pause asked for than the settings allow
    "timeout",
    "network_error",  # no whole answer, or a redirect that is not followed
    "server_error",  # 5xx to the last
    "too_large",
]


class Stopped(TrialscrapeError):
    """The fetcher was stopped or closed while, or before, it was asked: there is no result to keep."""


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
class _Host:
    """What a run knows of one scheme, host and port. Times are on the run's clock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    robots: Robots | None = None
    asks: int = 0
    ask_again: float = -math.inf
    started: float = -math.inf
    delay: float = 0.0
    not_before: float = -math.inf


@dataclass(frozen=True, slots=True)
class _Ask:
    """How an address is asked for. `cut` takes the first `limit` bytes of a larger body instead of refusing it."""

    limit: int
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    obey: bool = True


@dataclass(frozen=True, slots=True)
class _Reply:
    """What one request gave. `again` says that the fault may pass, `pause` what Retry-After asks for, in seconds."""

    result: Result
    message: str = ""
    status: int | None = None
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytes = field(default=b"", repr=False)
    location: str | None = None
    again: bool = False
    pause: float | None = None


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
        self._run = _Run(clock, sleep)
        self._pace = _Pace(1 / settings.rate, self._run)
        self._wire = _Wire(clock)
        self._slots = threading.BoundedSemaphore(settings.concurrency)
        self._hosts: dict[str, _Host] = {}
        self._hosts_lock = threading.Lock()
        self._client = _client(settings, transport or _Transport(settings, self._wire))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            return Fetched("network_error", url, url, message=target)
        ask = _Ask(limit=limit or self._settings.body_limit, headers=_conditions(validators))
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

    def _follow(self, target: httpx.URL, ask: _Ask) -> Fetched:
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

    def _refusal(self, target: httpx.URL, ask: _Ask) -> _Reply | None:
        """Return why an address is not asked for, or None where it may be."""
        forbidden = self._settings.forbidden_path
        if _plain_path(target).startswith(forbidden):
            found = (
                f"expected a page that may be asked for, found {target}; {forbidden} is never asked for: leave it out"
            )
            return _Reply("blocked_by_robots", found)
        if ask.obey:
            robots = self._robots(target)
            if robots.result != "ok":
                return _Reply(robots.result, f"{target} was not asked for: {robots.message}")
            if not robots.rules.can_fetch(str(target), self._settings.user_agent):
                found = f"expected leave to ask for {target}, found that {_robots_url(target)} forbids it; leave it out"
                return _Reply("blocked_by_robots", found)
        left = self._host(target).not_before - self._run.clock()
        if left > self._settings.retry_after_limit:
            return _Reply("rate_limited", _pause_message(target, left, self._settings))
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
        fetched = self._follow(url, _Ask(limit=self._settings.robots_limit, cut=True, obey=False))
        return _read_robots(fetched, self._settings)

    def _host(self, target: httpx.URL) -> _Host:
        with self._hosts_lock:
            return self._hosts.setdefault(str(_robots_url(target)), _Host())

    def _persist(self, target: httpx.URL, ask: _Ask) -> tuple[_Reply, int]:
        """Ask until an answer comes that a retry would not mend. Return it, and how many requests it took."""
        settings = self._settings
        backoff = tenacity.wait_exponential(multiplier=settings.backoff, max=settings.backoff_limit)
        jitter = tenacity.wait_random(0, settings.backoff)
        sent = 0

        def once() -> _Reply:
            nonlocal sent
            sent += 1
            return self._once(target, ask)

        retrying = tenacity.Retrying(
            sleep=self._run.wait,
            stop=tenacity.stop_after_attempt(settings.retries + 1),
            wait=lambda state: max(backoff(state) + jitter(state), _reply_of(state).pause or 0),
            retry=tenacity.retry_if_result(lambda reply: reply.again),
            retry_error_callback=_reply_of,
        )
        reply = retrying(once)
        if reply.again and sent > 1:
            reply = replace(reply, message=f"{reply.message} (asked {sent} times)")
        return reply, sent

    def _once(self, target: httpx.URL, ask: _Ask) -> _Reply:
        """Wait for a turn and send one request."""
        host = self._host(target)
        self._pace.wait_for(host)
        with self._run.held(self._slots), self._pace.turn(host) as turn:
            self._wire.start(self._settings.total_timeout)
            reply = self._exchange(target, ask, turn)
        if reply.pause is not None:
            host.not_before = max(host.not_before, self._run.clock() + reply.pause)
        return reply

    def _exchange(self, target: httpx.URL, ask: _Ask, turn: "_Turn") -> _Reply:
        """Send one request and read its answer; the only place where foreign errors are translated."""
        try:
            request = self._client.build_request(
                "GET", target, headers=ask.headers, extensions={"trace": turn.on_event}
            )
            response = self._client.send(request, stream=True)
            try:
                turn.sent()
                return _reply(response, ask, self._settings)
            finally:
                response.close()
        except Exception as error:
            self._run.check()
            reply = _failure(error, target, ask, self._settings)
            if reply is None:
                raise
            return reply


class _Run:
    """The run's clock, and the one thing that ends all its waits."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None] | None) -> None:
        self.clock = clock
        self.stopped = threading.Event()
        self._sleep = sleep or self._pause

    def check(self) -> None:
        if self.stopped.is_set():
            raise Stopped("expected an open fetcher, found one that was stopped; make a new one to go on")

    def wait(self, seconds: float) -> None:
        self._sleep(seconds)
        self.check()

    def acquire(self, lock: "threading.Lock | threading.Semaphore") -> None:
        """Take a lock, but do not wait for it longer than the run lasts."""
        while not lock.acquire(timeout=0.1):
            self.check()

    @contextlib.contextmanager
    def held(self, lock: "threading.Lock | threading.Semaphore") -> Iterator[None]:
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


class _Pace:
    """When the next request may start: one interval for all hosts, and each host's own delay and pause."""

    def __init__(self, interval: float, run: _Run) -> None:
        self._interval = interval
        self._run = run
        self._gate = threading.Lock()
        self._started = -math.inf

    def wait_for(self, host: _Host) -> None:
        """Wait for what only this host asks for, without holding up requests to others."""
        while (left := self._left(host)) > 0:
            self._run.wait(left)

    def _left(self, host: _Host) -> float:
        return max(host.started + host.delay, host.not_before) - self._run.clock()

    @contextlib.contextmanager
    def turn(self, host: _Host) -> Iterator["_Turn"]:
        """Wait until a request may start, and let nobody else start one until its head is sent.

        So neither a slow connection nor a thread that sleeps between its turn and its request can bring two requests
        closer together on the wire than the interval.
        """
        self._enter(host)
        turn = _Turn(lambda: self._leave(host))
        try:
            yield turn
        finally:
            turn.sent()

    def _enter(self, host: _Host) -> None:
        while True:
            self._run.acquire(self._gate)
            try:
                if self._left(host) <= 0:
                    # Waiting here, and not outside, lets one thread wake up for a turn, and not all that want one.
                    while (left := self._started + self._interval - self._run.clock()) > 0:
                        self._run.wait(left)
                    self._run.check()
                    return
            except BaseException:
                self._gate.release()
                raise
            self._gate.release()
            self.wait_for(host)

    def _leave(self, host: _Host) -> None:
        self._started = host.started = self._run.clock()
        self._gate.release()


class _Turn:
    """The right to start one request, given back when its head is sent or the request is over."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave: Callable[[], None] | None = leave

    def sent(self) -> None:
        leave, self._leave = self._leave, None
        if leave:
            leave()

    def on_event(self, name: str, _info: dict[str, Any]) -> None:
        """Listen to the `trace` extension of httpcore."""
        if name == "http11.send_request_headers.complete":
            self.sent()


class _Wire(httpcore.SyncBackend):
    """Connections that end at the deadline of the request that uses them, and all at once when the run is stopped.

    A read timeout alone does not end an answer that comes byte by byte. A connection serves one request at a time, in
    the thread that asked for it, so the deadline is the thread's.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._thread = threading.local()
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[_Stream] = weakref.WeakSet()
        self._over = False

    def start(self, total: float) -> None:
        """Begin a request that has `total` seconds."""
        self._thread.deadline = self._clock() + total

    def left(self, timeout: float | None) -> float:
        """Return how long the next step may take: the timeout, or what is left of the request's time if less."""
        left: float = self._thread.deadline - self._clock()
        if left <= 0:
            raise httpcore.ReadTimeout("the total timeout")
        return left if timeout is None else min(timeout, left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect, as httpcore does."""
        plain = super().connect_tcp(host, port, self.left(timeout), local_address, socket_options)
        return self.watch(plain)

    def watch(self, stream: httpcore.NetworkStream) -> "_Stream":
        """Put a connection under the deadline."""
        watched = _Stream(stream, self)
        with self._lock:
            self._open.add(watched)
            over = self._over
        if over:
            watched.cut()
        return watched

    def cut(self) -> None:
        """End all connections; a thread that reads one gets an error at once."""
        with self._lock:
            self._over = True
            streams = list(self._open)
        for stream in streams:
            stream.cut()


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, wire: _Wire) -> None:
        self._inner = inner
        self._wire = wire

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._wire.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._wire.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return self._wire.watch(self._inner.start_tls(ssl_context, server_hostname, self._wire.left(timeout)))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        return self._inner.get_extra_info(info)

    def cut(self) -> None:
        # The plain socket's shutdown, since an SSLSocket's own one is not made to be called while another thread reads.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._inner.get_extra_info("socket"), socket.SHUT_RDWR)


class _Transport(httpx.BaseTransport):
    """httpx's own transport, but over `_Wire`, which httpx gives no way to pass in."""

    def __init__(self, settings: Settings, wire: _Wire) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=settings.concurrency,
            max_keepalive_connections=settings.concurrency,
            keepalive_expiry=30.0,
            network_backend=wire,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        with _as_httpx():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Incoming(answer), extensions=answer.extensions
        )

    def close(self) -> None:
        self._pool.close()


class _Incoming(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextlib.contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpcore's errors as the ones of httpx, which are all that a transport may raise."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise httpx.TimeoutException(str(error)) from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise httpx.NetworkError(str(error)) from error


class _Broken(Exception):
    """A body that did not arrive whole, or in no known coding."""


class _Larger(Exception):
    """A body above the limit."""


def _client(settings: Settings, transport: httpx.BaseTransport) -> httpx.Client:
    return httpx.Client(
        transport=transport,
        headers={
            "User-Agent": settings.user_agent,
            "Accept": "text/html,application/xhtml+xml,application/xml,application/json,text/plain;q=0.9,*/*;q=0.5",
            # Only what is unpacked below with a bound.
            "Accept-Encoding": "gzip, deflate",
        },
        timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
        # Redirects are followed by hand: each needs its turn, robots.txt and the same site.
        follow_redirects=False,
        # No netrc: nothing but what the settings say goes to the site.
        trust_env=False,
        # No cookies kept: a page must not depend on what was asked before it.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def _target(url: str) -> httpx.URL | str:
    """Return the address to ask for, or what is wrong with it."""
    expected = f"expected an address as https://ctv.veeva.com/study/<slug>, found {url!r}"
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
    return target


_LABEL, _PORTS = 63, 65536  # RFC 1035: octets of a label; TCP: number of ports


def _site(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _robots_url(url: httpx.URL) -> httpx.URL:
    return url.copy_with(raw_path=b"/robots.txt", fragment=None)


def _plain_path(url: httpx.URL) -> str:
    """Return the path as a server may take it: unquoted, in lower case, without doubled slashes."""
    return re.sub("/{2,}", "/", unquote(url.path)).lower()


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
    there = here.join(location)
    if isinstance(_target(str(there)), str) or _site(there) != _site(here):
        return f"{expected} redirects to {location!r}; give that address if it is the one wanted"
    if there in seen:
        return f"{expected} redirects in a circle, to {there}; look at it in a browser"
    if len(seen) > most:
        return f"{expected} is reached after {most} redirects and redirects again; look at it in a browser"
    return there


def _fetched(reply: _Reply, seen: list[httpx.URL], attempts: int) -> Fetched:
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


def _reply_of(state: tenacity.RetryCallState) -> _Reply:
    return cast("_Reply", cast("tenacity.Future", state.outcome).result())


def _reply(response: httpx.Response, ask: _Ask, settings: Settings) -> _Reply:
    """Read an answer, its body included."""
    status, headers = response.status_code, response.headers
    if status == httpx.codes.OK:
        return _Reply("ok", status=status, headers=headers, body=_body(response, ask))
    _drain(response)
    if status == httpx.codes.NOT_MODIFIED and ask.headers:
        return _Reply("not_modified", status=status, headers=headers)
    if response.has_redirect_location:
        return _Reply("network_error", status=status, headers=headers, location=headers["location"])
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return _busy(response, settings)
    found = f"expected a page at {response.url}, found HTTP {status} {response.reason_phrase}".rstrip()
    return _Reply("http_status", f"{found}; check the address", status=status, headers=headers)


def _busy(response: httpx.Response, settings: Settings) -> _Reply:
    """Return what 429 and 5xx mean: ask again, unless the host wants a longer pause than the run will make."""
    status, headers = response.status_code, response.headers
    result: Result = "rate_limited" if status == httpx.codes.TOO_MANY_REQUESTS else "server_error"
    pause = _retry_after(headers, datetime.now(UTC))
    if pause is not None and pause > settings.retry_after_limit:
        message = _pause_message(response.url, pause, settings)
    else:
        message = f"expected a page at {response.url}, found HTTP {status} {response.reason_phrase}; try again later"
    again = pause is None or pause <= settings.retry_after_limit
    return _Reply(result, message, status=status, headers=headers, again=again, pause=pause)


def _pause_message(url: httpx.URL, pause: float, settings: Settings) -> str:
    return (
        f"expected that {url.host} can be asked again within {settings.retry_after_limit:g} s, found that it asks for "
        f"a pause of {pause:.0f} s; run again after that"
    )


def _retry_after(headers: httpx.Headers, now: datetime) -> float | None:
    """Return the seconds that `Retry-After` asks for, or None where it says nothing readable.

    A date is taken against the answer's own `Date`, so that a wrong clock on either side does not shorten the wait.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    then = _date(text)
    if then is None:
        return None
    return max(0.0, (then - (_date(headers.get("date", "")) or now)).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


def _failure(error: Exception, target: httpx.URL, ask: _Ask, settings: Settings) -> _Reply | None:
    """Return what an error means, or None where it is none of the network's."""
    expected = f"expected the whole of {target}, found"
    match error:
        case _Larger():
            return _Reply("too_large", f"{expected} more than {ask.limit} bytes; raise the body limit if that is right")
        case _Broken():
            return _Reply("network_error", f"{expected} {error}; try again later", again=True)
        case zlib.error():
            return _Reply("network_error", f"{expected} damaged compression ({error}); try again later", again=True)
        case httpx.TimeoutException():
            limits = f"{settings.read_timeout:g} s for the next bytes, {settings.total_timeout:g} s in all"
            return _Reply("timeout", f"{expected} no end in time ({limits}); try again later", again=True)
        case UnicodeError():
            return _Reply("network_error", f"{expected} that it cannot be asked for ({error}); check the address")
        case httpx.RemoteProtocolError() | httpx.InvalidURL():
            # Not the transport's, which has other errors: the client reads Location even where it follows none.
            return _Reply("network_error", f"{expected} a redirect to no address ({error}); look at it in a browser")
        case httpx.HTTPError():
            found = str(error) or type(error).__name__
            return _Reply("network_error", f"{expected} a broken connection ({found}); try again later", again=True)
        case _:
            return None


_PIECE = 65_536  # bytes unpacked at a time: what memory may be needed beyond the limit
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # wbits of zlib for each coding
_RAW_DEFLATE = -15


def _body(response: httpx.Response, ask: _Ask) -> bytes:
    """Return the whole decoded body, with no more than the limit and a piece in memory.

    Raises:
        _Larger: It is above the limit, unless only its head is asked for.
        _Broken: It ends early, or is in a coding that was not offered.
    """
    length = response.headers.get("content-length", "")
    if length.isdecimal() and float(length) > ask.limit + _PIECE and not ask.cut:
        raise _Larger
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding in _WINDOWS:
        # Compression may lengthen what cannot be compressed, by less than a piece.
        packed = _at_most(response.iter_raw(), ask.limit + _PIECE, cut=ask.cut)
        return b"".join(_at_most(_unpacked(packed, coding), ask.limit, cut=ask.cut))
    if coding in ("identity", ""):
        return b"".join(_at_most(response.iter_raw(), ask.limit, cut=ask.cut))
    raise _Broken(f"the coding {coding!r}, where gzip, deflate or none was asked for")


def _at_most(pieces: Iterator[bytes], limit: int, *, cut: bool) -> Iterator[bytes]:
    """Pass pieces on up to the limit; above it, end there or refuse, as was asked."""
    room = limit
    for piece in pieces:
        yield piece[:room]
        room -= len(piece)
        if room < 0:
            if cut:
                return
            raise _Larger


def _unpacked(packed: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """Unpack a compressed body in pieces of bounded size, all members of it."""
    unpacker = None
    for chunk in packed:
        data, full = chunk, False
        while data or full:
            if unpacker is None or unpacker.eof:
                unpacker = zlib.decompressobj(_window(coding, data))
            piece = unpacker.decompress(data, _PIECE)
            yield piece
            # Zeros after the end are padding; anything else is another member.
            data = unpacker.unused_data.lstrip(b"\0") if unpacker.eof else unpacker.unconsumed_tail
            full = len(piece) == _PIECE and not unpacker.eof
    if unpacker and not unpacker.eof:
        raise _Broken("a compressed body that ends early")


def _window(coding: str, start: bytes) -> int:
    # "deflate" means zlib's format, but some servers send it bare; zlib's first byte has 8 in its lower half.
    bare = coding == "deflate" and start[0] & 0x0F != zlib.DEFLATED
    return _RAW_DEFLATE if bare else _WINDOWS[coding]


def _drain(response: httpx.Response) -> None:
    """Read a short body that nobody needs, since only then the connection can serve the next request."""
    left = _PIECE
    with contextlib.suppress(httpx.HTTPError):
        for chunk in response.iter_raw():
            left -= len(chunk)
            if left < 0:
                return


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

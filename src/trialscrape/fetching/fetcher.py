"""The only user of the network: one polite GET at a time slot, and one result for whatever comes back.

    url ──robots──▶ turn (rate) ──▶ request ──▶ bounded body ──▶ Response
                      ▲                │ fault that may pass
                      └── wait ◀───────┘

Rules: one clock for all hosts, so that no two requests of a run start closer than 1/rate, retries, redirects and
robots.txt included; a host's Crawl-delay and Retry-After only make it slower; robots.txt first (RFC 9309), and no
request where it forbids or cannot be fetched; no part of a body is returned unless the whole body arrived.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Self, cast

import httpx
import tenacity

from trialscrape.addresses import mask_passwords, may_lead_to, resolve_path
from trialscrape.fetching.responses import (
    Request,
    Response,
    Result,
    Validators,
    explain_failure,
    pause_cause,
    pause_message,
    read_response,
)
from trialscrape.fetching.robots import Robots, RobotsCache, robots_url
from trialscrape.fetching.throttle import HostTimes, StopSignal, Throttle
from trialscrape.fetching.transport import DeadlineBackend, Transport, make_client, trace_head
from trialscrape.settings import Settings

_log = logging.getLogger(__name__)


class Fetcher:
    """One client for a whole run; safe to use from several threads. Use it as a context manager.

    Args:
        settings: Rate, limits, timeouts and the User-Agent.
        transport: What sends the requests; a pool of HTTP/1.1 connections with verified TLS where None. Its answers
            must be unread streams, so that bodies stay bounded.
        sleep: Waits for so many seconds *of the clock*; where None, a wait that `stop` ends at once.
        clock: Seconds, never going back. Rate, pauses and the total timeout are measured on it.

    Attributes:
        requests: How many requests were sent, retries and redirects included, robots.txt not.
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
        self._stop = StopSignal(clock, sleep)
        self._throttle = Throttle(1 / settings.rate, self._stop)
        self._network = DeadlineBackend(clock)
        self._in_flight = threading.BoundedSemaphore(settings.concurrency)
        self._hosts: dict[_Origin, HostTimes] = {}
        self._robots = RobotsCache(self._follow, settings, self._stop)
        self._client = make_client(settings, transport or Transport(settings, self._network))
        self.requests = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stop(self) -> None:
        """End every wait and every open connection now; the threads inside `get` leave it with `Stopped`.

        A thread that is just connecting leaves at the latest after the connect timeout.
        """
        self._stop.set()
        self._network.shut_down()

    def close(self) -> None:
        """Stop, and close the client."""
        self.stop()
        self._client.close()

    def get(self, url: str, *, validators: Validators | None = None, limit: int | None = None) -> Response:
        """Fetch an address politely. Whatever the network does is a result.

        Args:
            url: An http or https address; anything else gives `network_error` without a request.
            validators: Take the page only if it changed; an unchanged one gives `not_modified`.
            limit: The largest body to take, in bytes, where it is not the settings' one.

        Raises:
            Stopped: `stop` or `close` was called.
        """
        self._stop.check()
        try:
            target = _parse_url(url)
        except ValueError as error:
            masked = mask_passwords(url)
            return Response(Result.NETWORK_ERROR, masked, masked, message=str(error))
        request = Request(target, limit or self._settings.body_limit, _conditional_headers(validators))
        return replace(self._follow(request), url=url)

    def get_robots(self, url: str) -> Robots:
        """Return what the robots.txt of this address's host says; it is fetched where that was not done yet.

        Raises:
            Stopped: `stop` or `close` was called.
        """
        self._stop.check()
        try:
            return self._robots_for(_parse_url(url))
        except ValueError as error:
            return Robots(Result.NETWORK_ERROR, str(error))

    def _follow(self, request: Request) -> Response:
        """Fetch an address and the ones it redirects to."""
        seen: list[httpx.URL] = []
        attempts = 0
        while True:
            seen.append(request.url)
            response = self._refuse(request) or self._retry(request)
            attempts += response.attempts
            response = replace(response, url=str(seen[0]), attempts=attempts)
            if response.location is None:
                return response
            try:
                target = _resolve_redirect(response.location, seen, self._settings.redirects)
            except ValueError as error:
                return replace(response, message=str(error))
            request = replace(request, url=target)

    def _refuse(self, request: Request) -> Response | None:
        """Return why an address is not requested, or None where it may be."""
        target, forbidden = request.url, self._settings.forbidden_path

        def refusal(result: Result, message: str, cause: str) -> Response:
            _log.info("%s", message)
            return Response(result, str(target), str(target), message=message, cause=cause)

        if may_lead_to(_split_path(target)[0], forbidden):
            message = f"{target} was not requested: {forbidden} never is; leave it out"
            return refusal(Result.BLOCKED_BY_ROBOTS, message, f"{forbidden} is never requested")
        if request.obey_robots:
            robots = self._robots_for(target)
            if robots.result != Result.OK:
                return refusal(robots.result, f"{target} was not requested: {robots.message}", robots.cause)
            if not robots.rules.can_fetch(str(target), self._settings.user_agent):
                message = f"{target} was not requested: {robots_url(target)} forbids it; leave it out"
                return refusal(Result.BLOCKED_BY_ROBOTS, message, f"{robots_url(target)} forbids it")
        pause = self._host(target).not_before - self._stop.clock()
        if pause > self._settings.retry_after_limit:
            message, cause = pause_message(target, pause, self._settings), pause_cause(target, self._settings)
            return refusal(Result.RATE_LIMITED, message, cause)
        return None

    def _robots_for(self, target: httpx.URL) -> Robots:
        robots = self._robots.get(target)
        self._host(target).delay = robots.delay
        return robots

    def _host(self, target: httpx.URL) -> HostTimes:
        return self._hosts.setdefault(_origin(target), HostTimes())

    def _retry(self, request: Request) -> Response:
        """Send a request until no retry would help, or no retry is left."""
        settings = self._settings
        backoff = tenacity.wait_exponential(multiplier=settings.backoff, max=settings.backoff_limit)
        jitter = tenacity.wait_random(0, settings.backoff)
        retrying = tenacity.Retrying(
            sleep=self._stop.wait,
            stop=tenacity.stop_after_attempt(settings.retries + 1),
            wait=lambda state: max(backoff(state) + jitter(state), _last_response(state).pause or 0),
            retry=tenacity.retry_if_result(lambda response: response.may_pass),
            retry_error_callback=_last_response,
        )
        response = retrying(lambda: self._send(request, retrying.statistics["attempt_number"]))
        attempts = retrying.statistics["attempt_number"]
        retried = f" (tried {attempts} times)" if response.may_pass and attempts > 1 else ""
        return replace(response, attempts=attempts, message=response.message + retried)

    def _send(self, request: Request, attempt: int) -> Response:
        """Wait for a turn and send one request."""
        host = self._host(request.url)
        self._throttle.wait_for(host)
        with self._stop.held(self._in_flight), self._throttle.turn(host) as sent:
            self.requests += request.obey_robots  # no other request may start now
            began = self._stop.clock()
            self._network.begin_request(self._settings.total_timeout)
            response = self._exchange(request, sent)
            seconds = self._stop.clock() - began
        _log_request(response, seconds, attempt)
        if response.pause is not None:
            _log.info("%s asks for a pause of %.0f s", request.url.host, response.pause)
            host.not_before = max(host.not_before, self._stop.clock() + response.pause)
        return response

    def _exchange(self, request: Request, sent: Callable[[], None]) -> Response:
        """Send one request and read its answer; the only place where foreign errors are translated."""
        try:
            trace = {"trace": trace_head(sent)}
            with self._client.stream("GET", request.url, headers=request.headers, extensions=trace) as answer:
                sent()
                return read_response(answer, request, self._settings)
        except Exception as error:
            self._stop.check()
            response = explain_failure(error, request, self._settings)
            if response is None:
                raise
            return response


def _log_request(response: Response, seconds: float, attempt: int) -> None:
    """Log a request; where it brought no answer, as a warning that says why."""
    status = f"HTTP {response.status}" if response.status else response.result.value
    _log.info("GET %s: %s, %d bytes, %.2f s, attempt %d", response.url, status, len(response.body), seconds, attempt)
    if response.may_pass or (response.message and response.status is None):
        _log.warning("%s", response.message)


def _last_response(state: tenacity.RetryCallState) -> Response:
    return cast("Response", cast("tenacity.Future", state.outcome).result())


def _parse_url(url: str) -> httpx.URL:
    """Return the address to request, the dots of its path resolved.

    Raises:
        ValueError: What is wrong with it.
    """
    expected = f"expected an address as https://ctv.veeva.com/study/<slug>, found {mask_passwords(url)!r}"
    try:
        target = httpx.URL(url)
        host = target.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(f"{expected}: {error}") from None
    if target.scheme not in ("http", "https") or not host:
        raise ValueError(expected)
    if target.userinfo:
        raise ValueError(f"{expected}; leave out the name and password")
    if max(map(len, host.split("."))) > _LABEL or (target.port is not None and not 0 < target.port < _PORTS):
        raise ValueError(f"{expected}; its host or port cannot exist")
    path, query = _split_path(target)
    return target.copy_with(raw_path=f"{resolve_path(path)}{query}".encode("ascii"))


_LABEL, _PORTS = 63, 65536  # RFC 1035: octets of a label; TCP: number of ports

_Origin = tuple[str, str, int | None]


def _origin(url: httpx.URL) -> _Origin:
    return url.scheme, url.host, url.port


def _split_path(url: httpx.URL) -> tuple[str, str]:
    """Return the path as it is sent, and the query with its `?`."""
    path, mark, query = url.raw_path.decode("ascii").partition("?")
    return path, mark + query


def _conditional_headers(validators: Validators | None) -> tuple[tuple[str, str], ...]:
    """Return the headers that ask for changes only; a validator that no header can hold is left out."""
    if validators is None:
        return ()
    pairs = (("If-None-Match", validators.etag), ("If-Modified-Since", validators.last_modified))
    return tuple((name, value) for name, value in pairs if value and value.isascii() and value.isprintable())


def _resolve_redirect(location: str, seen: list[httpx.URL], limit: int) -> httpx.URL:
    """Return where a redirect leads.

    Raises:
        ValueError: Why it is not followed.
    """
    here = seen[-1]
    site = f"{here.scheme}://{here.netloc.decode('ascii')}"
    elsewhere = (
        f"{here} redirects to {mask_passwords(location)!r}, not to a page of {site}; "
        "give that address if it is the one you want"
    )
    try:
        there = _parse_url(str(here.join(location)))
    except ValueError:
        raise ValueError(elsewhere) from None
    if _origin(there) != _origin(here):
        raise ValueError(elsewhere)
    if there in seen:
        raise ValueError(f"{here} redirects in a circle, to {there}; look at it in a browser")
    if len(seen) > limit:
        raise ValueError(f"{here} redirects again after {limit} redirects; look at it in a browser")
    return there

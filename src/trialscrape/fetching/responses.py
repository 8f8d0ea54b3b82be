"""What one address gave, be it an answer or a failure, and whether another request may help."""

import re
import socket
import ssl
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from urllib.parse import urlsplit

import httpx

from trialscrape.addresses import mask_passwords
from trialscrape.errors import BodyTooLarge, IncompleteBody
from trialscrape.fetching.decoding import drain, read_body
from trialscrape.settings import Settings


class Result(StrEnum):
    """What became of an address."""

    OK = "ok"  # 200, with the whole body
    NOT_MODIFIED = "not_modified"  # 304 to the validators sent
    HTTP_STATUS = "http_status"  # an answer that is none of the others: 404, 403, 204 …
    BLOCKED_BY_ROBOTS = "blocked_by_robots"
    RATE_LIMITED = "rate_limited"  # 429 after all retries, or a longer pause than the settings allow
    TIMEOUT = "timeout"
    NETWORK_ERROR = "network_error"  # no whole answer, or a redirect that is not followed
    SERVER_ERROR = "server_error"  # 5xx, 408 or 425 after all retries
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Validators:
    """What a kept page was served with, to ask whether it changed."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An address and how it is requested.

    `truncate` takes the first `limit` bytes of a larger body instead of refusing it.
    """

    url: httpx.URL
    limit: int
    headers: tuple[tuple[str, str], ...] = ()
    truncate: bool = False
    obey_robots: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """What one address gave.

    `body` is decoded and whole for `ok`, empty for all others. `attempts` counts the requests sent for this address,
    retries and redirects included and robots.txt not. `message` is empty for `ok` and `not_modified`, and otherwise
    says what failed, why, and what to do; `cause` says why without the address's path. `location` is a redirect that
    was not followed. `may_pass` says that a later request may succeed, `pause` how many seconds `Retry-After` asks for
    before it.
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
    cause: str = ""
    location: str | None = None
    may_pass: bool = False
    pause: float | None = None


def read_response(answer: httpx.Response, request: Request, settings: Settings) -> Response:
    """Read an answer, its body included."""
    status, headers, url = answer.status_code, answer.headers, str(request.url)
    response = Response(
        Result.HTTP_STATUS,
        url,
        url,
        status=status,
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
        content_type=headers.get("content-type"),
    )
    if status == httpx.codes.OK:
        return replace(response, result=Result.OK, body=read_body(answer, request.limit, truncate=request.truncate))
    drain(answer)
    if status == httpx.codes.NOT_MODIFIED and request.headers:
        return replace(response, result=Result.NOT_MODIFIED)
    if answer.has_redirect_location:
        return replace(response, result=Result.NETWORK_ERROR, location=headers["location"])
    message = f"{url} answered HTTP {status} {answer.reason_phrase}".rstrip()
    cause = f"HTTP {status} {answer.reason_phrase}".rstrip() + f" from {_name_host(request.url)}"
    response = replace(response, cause=cause)
    if status not in _MAY_PASS and status < httpx.codes.INTERNAL_SERVER_ERROR:
        return replace(response, message=f"{message}; check the address")
    result = Result.RATE_LIMITED if status == httpx.codes.TOO_MANY_REQUESTS else Result.SERVER_ERROR
    pause = _read_retry_after(headers, datetime.now(UTC))
    if pause is not None and pause > settings.retry_after_limit:
        message, cause = pause_message(request.url, pause, settings), pause_cause(request.url, settings)
        return replace(response, result=result, message=message, cause=cause, pause=pause)
    return replace(response, result=result, message=f"{message}; try again later", may_pass=True, pause=pause)


_MAY_PASS = {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS}


def pause_message(url: httpx.URL, pause: float, settings: Settings) -> str:
    """Say that a host asks for a longer pause than the settings allow."""
    return (
        f"{url.host} asks for a pause of {pause:.0f} s, more than the {settings.retry_after_limit:g} s allowed; "
        "run again after that"
    )


def pause_cause(url: httpx.URL, settings: Settings) -> str:
    """Say the same without the pause, which shrinks as time passes."""
    return f"{url.host} asks for a longer pause than the {settings.retry_after_limit:g} s allowed"


def _name_host(url: httpx.URL) -> str:
    return url.netloc.decode("ascii")


def _read_retry_after(headers: httpx.Headers, now: datetime) -> float | None:
    """Return the seconds that `Retry-After` asks for, or None where it is unreadable.

    A date is taken against the answer's own `Date`, so that a wrong clock on either side does not shorten the wait.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    then = _parse_date(text)
    if then is None:
        return None
    return max(0.0, (then - (_parse_date(headers.get("date", "")) or now)).total_seconds())


def _parse_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


def explain_failure(error: Exception, request: Request, settings: Settings) -> Response | None:
    """Return what an error of the network means, or None for any other error."""
    host = _name_host(request.url)

    def failure(
        reason: str,
        advice: str = "try again later",
        *,
        result: Result = Result.NETWORK_ERROR,
        may_pass: bool = True,
    ) -> Response:
        through = f" through the proxy {mask_passwords(settings.proxy)}" if settings.proxy else ""
        message = f"cannot fetch {request.url}{through}: {reason}; {advice}"
        cause = _find_cause(error, settings.proxy, host) or f"{reason} ({host})"
        return Response(result, str(request.url), str(request.url), message=message, cause=cause, may_pass=may_pass)

    if problem := _find_distrust(error):
        reason = f"its certificate is not trusted ({problem})"
        return failure(reason, "look at the address in a browser", may_pass=False)
    match error:
        case BodyTooLarge():
            reason, advice = f"it has more than {request.limit} bytes", "raise the body limit if that is right"
            return failure(reason, advice, result=Result.TOO_LARGE, may_pass=False)
        case IncompleteBody():
            return failure(str(error))
        case httpx.TimeoutException():
            limits = f"{settings.read_timeout:g} s for the next bytes, {settings.total_timeout:g} s in all"
            return failure(f"no complete answer in time ({limits})", result=Result.TIMEOUT)
        case UnicodeError():
            return failure(f"the address cannot be sent ({error})", "check it", may_pass=False)
        case httpx.RemoteProtocolError() | httpx.InvalidURL():
            # Not the transport's, which has other errors: the client reads Location even where it follows none.
            return failure(f"it redirects to no address ({error})", "look at it in a browser", may_pass=False)
        case httpx.ProxyError():
            # Its answer to CONNECT, as "407 Proxy Authentication Required"; a 5xx is about the host behind it.
            return failure(f"the proxy refuses ({error})", "check the proxy", may_pass=not str(error).startswith("4"))
        case httpx.HTTPError():
            return failure(f"the connection broke ({str(error) or type(error).__name__})")
        case _:
            return None


def _find_cause(error: BaseException | None, proxy: str, host: str) -> str:
    """Return why no connection came about, where the system says so, or nothing."""
    place = f"the proxy {urlsplit(proxy).netloc.rpartition('@')[2]}" if proxy else host
    while error:
        if isinstance(error, ConnectionRefusedError):
            return f"connection refused by {place}"
        if isinstance(error, socket.gaierror):
            return f"no address known for {place}"
        error = error.__cause__ or error.__context__
    return ""


def _find_distrust(error: BaseException | None) -> str:
    """Return what is wrong with a certificate that an error is about, or nothing."""
    while error:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__context__  # httpcore's pool takes the cause away
    return ""

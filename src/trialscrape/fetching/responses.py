"""What one request gave, be it an answer or a failure, and whether to ask again."""

import re
import ssl
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx

from trialscrape.addresses import mask_passwords
from trialscrape.fetching.decoding import Broken, Larger, drain, whole_body
from trialscrape.settings import Settings

Result = Literal[
    "ok",  # 200, with the whole body
    "not_modified",  # 304 to the validators sent
    "http_status",  # an answer that is none of the others: 404, 403, 204 …
    "blocked_by_robots",
    "rate_limited",  # 429 to the last, or a longer pause asked for than the settings allow
    "timeout",
    "network_error",  # no whole answer, or a redirect that is not followed
    "server_error",  # 5xx, 408 or 425 to the last
    "too_large",
]


@dataclass(frozen=True, slots=True)
class Ask:
    """How an address is asked for. `cut` takes the first `limit` bytes of a larger body instead of refusing it."""

    limit: int
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    obey: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What one request gave. `again` says that the fault may pass, `pause` what Retry-After asks for, in seconds."""

    result: Result
    message: str = ""
    status: int | None = None
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytes = field(default=b"", repr=False)
    location: str | None = None
    again: bool = False
    pause: float | None = None


def reply_of(response: httpx.Response, ask: Ask, settings: Settings) -> Reply:
    """Read an answer, its body included."""
    status, headers = response.status_code, response.headers
    if status == httpx.codes.OK:
        return Reply("ok", status=status, headers=headers, body=whole_body(response, ask.limit, cut=ask.cut))
    drain(response)
    if status == httpx.codes.NOT_MODIFIED and ask.headers:
        return Reply("not_modified", status=status, headers=headers)
    if response.has_redirect_location:
        return Reply("network_error", status=status, headers=headers, location=headers["location"])
    if status in _MAY_PASS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return _busy(response, settings)
    found = f"expected a page at {response.url}, found HTTP {status} {response.reason_phrase}".rstrip()
    return Reply("http_status", f"{found}; check the address", status=status, headers=headers)


_MAY_PASS = {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS}


def _busy(response: httpx.Response, settings: Settings) -> Reply:
    """Return what 408, 425, 429 and 5xx mean: ask again, unless the host wants a longer pause than a run makes."""
    status, headers = response.status_code, response.headers
    result: Result = "rate_limited" if status == httpx.codes.TOO_MANY_REQUESTS else "server_error"
    pause = _retry_after(headers, datetime.now(UTC))
    if pause is not None and pause > settings.retry_after_limit:
        message = pause_message(response.url, pause, settings)
    else:
        message = f"expected a page at {response.url}, found HTTP {status} {response.reason_phrase}; try again later"
    again = pause is None or pause <= settings.retry_after_limit
    return Reply(result, message, status=status, headers=headers, again=again, pause=pause)


def pause_message(url: httpx.URL, pause: float, settings: Settings) -> str:
    """Say that a host asks for a longer pause than the settings allow."""
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


def reply_to_failure(error: Exception, target: httpx.URL, ask: Ask, settings: Settings) -> Reply | None:
    """Return what an error means, or None where it is none of the network's."""
    through = f" through the proxy {mask_passwords(settings.proxy)}" if settings.proxy else ""
    expected = f"expected the whole of {target}{through}, found"
    if reason := _distrust(error):
        found = f"a certificate that is not trusted ({reason})"
        return Reply("network_error", f"{expected} {found}; look at the address in a browser")
    match error:
        case Larger():
            return Reply("too_large", f"{expected} more than {ask.limit} bytes; raise the body limit if that is right")
        case Broken():
            return Reply("network_error", f"{expected} {error}; try again later", again=True)
        case zlib.error():
            return Reply("network_error", f"{expected} damaged compression ({error}); try again later", again=True)
        case httpx.TimeoutException():
            limits = f"{settings.read_timeout:g} s for the next bytes, {settings.total_timeout:g} s in all"
            return Reply("timeout", f"{expected} no end in time ({limits}); try again later", again=True)
        case UnicodeError():
            return Reply("network_error", f"{expected} that it cannot be asked for ({error}); check the address")
        case httpx.RemoteProtocolError() | httpx.InvalidURL():
            # Not the transport's, which has other errors: the client reads Location even where it follows none.
            return Reply("network_error", f"{expected} a redirect to no address ({error}); look at it in a browser")
        case httpx.ProxyError():
            # Its answer to CONNECT, as "407 Proxy Authentication Required"; a 5xx is about the host behind it.
            passes = not str(error).startswith("4")
            return Reply("network_error", f"{expected} its refusal ({error}); check the proxy", again=passes)
        case httpx.HTTPError():
            found = str(error) or type(error).__name__
            return Reply("network_error", f"{expected} a broken connection ({found}); try again later", again=True)
        case _:
            return None


def _distrust(error: BaseException | None) -> str:
    """Return what is wrong with a certificate that an error is about, or nothing where it is about something else."""
    while error:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__context__  # httpcore's pool takes the cause away
    return ""

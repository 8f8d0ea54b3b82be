import base64
import gzip
import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest

from support.network import (
    PAGE,
    PATH,
    SITE,
    WarpClock,
    certificate,
    fetch,
    paths,
    proxy_server,
    quick,
    raw_page,
    raw_server,
    read_head,
    robots,
)
from trialscrape.errors import Stopped
from trialscrape.fetching.fetcher import Fetcher
from trialscrape.fetching.responses import Response, Validators
from trialscrape.fetching.transport import trace_head
from trialscrape.settings import Settings
from trialscrape.testing.replica import Fault, Replica

# A page


def test_a_page_comes_whole_with_its_validators(replica: Replica) -> None:
    response = fetch(replica)
    assert (response.result, response.status, response.body, response.attempts, response.message) == (
        "ok",
        200,
        PAGE,
        1,
        "",
    )
    assert response.url == response.final_url == replica.url + PATH
    assert "body" not in repr(response)
    assert response.content_type == "text/html; charset=utf-8"
    assert response.etag
    assert response.last_modified == "Thu, 01 Jan 2026 00:00:00 GMT"


def test_the_agent_is_honest_and_takes_only_what_it_can_bound(replica: Replica) -> None:
    fetch(replica, contact="someone@example.org")
    for request in replica.requests:
        assert request.headers["user-agent"].startswith("trialscrape/")
        assert request.headers["user-agent"].endswith(" (+someone@example.org)")
        assert request.headers["accept-encoding"] == "gzip, deflate"
        assert "cookie" not in request.headers
        assert "authorization" not in request.headers


def test_cookies_are_not_kept(replica: Replica) -> None:
    replica.faults[PATH] = Fault(headers={"Set-Cookie": "a=b; Path=/"})
    with Fetcher(quick(replica.url)) as fetcher:
        fetcher.get(replica.url + PATH)
        fetcher.get(replica.url + PATH)
    assert all("cookie" not in request.headers for request in replica.requests)


@pytest.mark.parametrize("which", ["etag", "last_modified"])
def test_an_unchanged_page_is_not_sent_again(replica: Replica, which: str) -> None:
    with Fetcher(quick(replica.url)) as fetcher:
        first = fetcher.get(replica.url + PATH)
        again = fetcher.get(replica.url + PATH, validators=Validators(**{which: getattr(first, which)}))
        other = fetcher.get(replica.url + PATH, validators=Validators(etag='"other"'))
    assert (again.result, again.status, again.body, again.message) == ("not_modified", 304, b"", "")
    assert again.etag == first.etag
    assert other.result == "ok"


def test_a_validator_that_no_header_can_hold_is_left_out(replica: Replica) -> None:
    with Fetcher(quick(replica.url)) as fetcher:
        response = fetcher.get(replica.url + PATH, validators=Validators(etag='"a\r\nX-Y: z"', last_modified="é"))
    assert response.result == "ok"
    assert not {"x-y", "if-none-match", "if-modified-since"} & set(replica.requests[-1].headers)


@pytest.mark.parametrize("status", [204, 304, 400, 403, 404, 410, 418])
def test_another_status_is_reported_and_not_retried(replica: Replica, status: int) -> None:
    replica.faults[PATH] = Fault(status=status, body=b"" if status in (204, 304) else b"no")
    response = fetch(replica)
    assert (response.result, response.status, response.body, response.attempts) == ("http_status", status, b"", 1)
    assert f"{replica.url}{PATH} answered HTTP {status} " in response.message


def test_many_missing_pages_use_one_connection(replica: Replica) -> None:
    with Fetcher(quick(replica.url)) as fetcher:
        for number in range(3):
            assert fetcher.get(f"{replica.url}/study/no-{number}").status == 404
    assert len({request.client for request in replica.requests}) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "study",
        "ftp://example.org/",
        "http://",
        "http://[::1",
        f"http://{'a' * 70}.example/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://\ud800/",
        "http://a..b/",
        "http://a b/",
        "http://no-such-host.invalid/",
        "\x00",
    ],
)
def test_an_impossible_address_is_a_result_and_no_exception(url: str) -> None:
    with Fetcher(quick("http://127.0.0.1", retries=0)) as fetcher:
        response = fetcher.get(url)
        assert fetcher.get_robots(url).result == "network_error"
    assert (response.result, response.url, response.body) == ("network_error", url, b"")
    assert response.message.startswith("expected an address as ") or " was not requested: " in response.message


@pytest.mark.parametrize(
    ("url", "possible"),
    [
        (f"http://{'a' * 64}.example/", False),
        (f"http://{'a' * 63}.example/", True),
        ("http://site.example:0/", False),
        ("http://site.example:1/", True),
        ("http://site.example:65535/", True),
        ("http://site.example:65536/", False),
    ],
)
def test_a_host_or_port_that_cannot_be_is_not_requested(url: str, *, possible: bool) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(PAGE)))
    with Fetcher(quick("http://site.example"), transport=transport) as fetcher:
        response = fetcher.get(url)
    if possible:
        assert response.result == "ok"
    else:
        assert response.message == (
            f"expected an address as https://ctv.veeva.com/study/<slug>, found {url!r}; its host or port cannot exist"
        )


@pytest.mark.parametrize("url", ["http://me:secret@127.0.0.1/", "http://:secret@127.0.0.1:99999/", "ftp://secret@a/"])
def test_a_password_in_an_address_is_refused_and_not_shown(url: str) -> None:
    with Fetcher(quick("http://127.0.0.1", retries=0)) as fetcher:
        response, robots = fetcher.get(url), fetcher.get_robots(url)
    assert (response.result, robots.result, response.attempts) == ("network_error", "network_error", 0)
    assert "secret" not in f"{response} {robots}"
    assert "://***@" in response.message
    assert response.url == response.final_url == url.replace(url.partition("://")[2].partition("@")[0], "***")


# Faults that may pass


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503])
def test_a_server_error_that_passes_is_waited_out(replica: Replica, status: int) -> None:
    replica.faults[PATH] = Fault(status=status, times=2)
    response = fetch(replica)
    assert (response.result, response.body, response.attempts) == ("ok", PAGE, 3)


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503])
def test_a_server_error_that_stays_is_reported_after_the_retries(replica: Replica, status: int) -> None:
    replica.faults[PATH] = Fault(status=status)
    response = fetch(replica)
    assert (response.result, response.status, response.body, response.attempts) == ("server_error", status, b"", 4)
    assert response.message.endswith("; try again later (tried 4 times)")
    assert len(paths(replica)) == 4


BROKEN = {
    "closed before any answer": Fault(cut=-1),
    "reset before any answer": Fault(cut=-1, end="reset"),
    "closed after headers": Fault(cut=0),
    "shorter than Content-Length": Fault(cut=10),
    "reset in the middle": Fault(cut=10, end="reset"),
    "bad chunking": Fault(bad_chunk=True),
    "chunked, closed in the middle": Fault(body=b"5\r\nhello\r\n", headers={"Transfer-Encoding": "chunked"}, cut=10),
    "short gzip": Fault(body=gzip.compress(PAGE)[:-9], headers={"Content-Encoding": "gzip"}),
    "damaged gzip": Fault(body=b"\x1f\x8b" + PAGE, headers={"Content-Encoding": "gzip"}),
    "coding that was not offered": Fault(body=PAGE, headers={"Content-Encoding": "br"}),
    "endless headers": Fault(headers={f"X-{number}": "x" * 4000 for number in range(50)}),
    "no HTTP": Fault(headers={"Bad header\x00": ""}),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_half_a_page_is_never_given_out(replica: Replica, fault: Fault) -> None:
    replica.faults[PATH] = fault
    response = fetch(replica)
    assert (response.result, response.body, response.attempts) == ("network_error", b"", 4)
    assert response.message.startswith(f"cannot fetch {replica.url}{PATH}: ")


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_a_broken_page_is_requested_again(replica: Replica, fault: Fault) -> None:
    replica.faults[PATH] = replace(fault, times=2)
    response = fetch(replica)
    assert (response.result, response.body, response.attempts) == ("ok", PAGE, 3)


def test_a_refused_connection_is_retried_and_reported() -> None:
    with Fetcher(quick("http://127.0.0.1")) as fetcher:
        with Replica(SITE) as replica:
            assert fetcher.get(replica.url + PATH).result == "ok"
        response = fetcher.get(replica.url + "/study/another")
    assert (response.result, response.body, response.attempts) == ("network_error", b"", 4)
    assert response.message.endswith("Connection refused); try again later (tried 4 times)")


@pytest.mark.parametrize(
    ("made", "trusted", "reason"),
    [
        ({}, False, "unable to get local issuer certificate"),
        ({"name": "other.example"}, True, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ],
    ids=["not trusted", "of another host"],
)
def test_a_certificate_that_is_not_trusted_is_reported_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: dict[str, Any], reason: str, *, trusted: bool
) -> None:
    context, file = certificate(tmp_path, **made)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    requested: list[str] = []

    def answer(path: str, _connection: socket.socket) -> None:
        requested.append(path)

    with raw_server(answer, context) as url, Fetcher(quick(url)) as fetcher:
        response = fetcher.get(url + PATH)
        robots_txt = fetcher.get_robots(url)
    assert (response.result, response.body, requested) == ("network_error", b"", [])
    assert response.message == f"{url}{PATH} was not requested: {robots_txt.message}"
    assert robots_txt.message == (
        f"its robots.txt must be read first; cannot fetch {url}/robots.txt: its certificate is not trusted ({reason}); "
        "look at the address in a browser"
    )


def test_a_broken_handshake_is_tried_again(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    handshakes: list[str | None] = []

    def refuse(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int:
        handshakes.append(name)
        return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR

    context.sni_callback = refuse
    with raw_server(lambda *_: None, context) as url, Fetcher(quick(url)) as fetcher:
        robots_txt = fetcher.get_robots(url.replace("127.0.0.1", "localhost"))
    assert (robots_txt.result, handshakes) == ("network_error", ["localhost"] * 4)
    assert robots_txt.message.endswith("try again later (tried 4 times)")


# Answers and requests


def make_answer(body: bytes, head: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


FORGED = make_answer(b"<p>forged")
BEHIND = {
    "in the same packet": [make_answer(PAGE) + FORGED],
    "later": [make_answer(PAGE), FORGED],
    "half of it": [make_answer(PAGE) + FORGED[:20], FORGED[20:]],
    "half of a head, to take the next": [make_answer(PAGE) + b"HTTP/1.1 404 Not Found\r\nX-Rest: "],
    "behind chunks": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(PAGE), PAGE) + FORGED
    ],
    "behind an error": [make_answer(b"no", "404 Not Found") + FORGED],
    "behind one that has no body": [b"HTTP/1.1 304 Not Modified\r\n\r\n" + FORGED],
    "a line end": [make_answer(PAGE) + b"\r\n"],
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("pieces", BEHIND.values(), ids=BEHIND)
def test_what_is_behind_an_answer_is_no_answer_to_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], *, tls: bool
) -> None:
    context, file = certificate(tmp_path) if tls else (None, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file) if tls else "")
    said = threading.Event()

    def answer(path: str, connection: socket.socket) -> None:
        while path:
            for piece in pieces if path == "/study/first" else [make_answer(path.encode())]:
                connection.sendall(piece)
                time.sleep(0.02)
            if path == "/study/first":
                said.set()
            path = (read_head(connection).decode().split() or ["", ""])[1]

    with raw_server(answer, context) as url, Fetcher(quick(url, read_timeout=2.0, total_timeout=4.0)) as fetcher:
        first = fetcher.get(url + "/study/first")
        assert said.wait(5)
        others = [fetcher.get(f"{url}/study/{number}") for number in range(3)]
    assert (first.status, first.attempts) in [(200, 1), (304, 1), (404, 1)]
    assert first.body in (PAGE, b"")
    assert [(other.result, other.attempts, other.body) for other in others] == [
        ("ok", 1, f"/study/{number}".encode()) for number in range(3)
    ]


def test_one_that_waits_for_no_answer_keeps_its_connection() -> None:
    connections: list[list[str]] = []

    def answer(path: str, connection: socket.socket) -> None:
        requested: list[str] = []
        connections.append(requested)
        while path:
            requested.append(path)
            connection.sendall(make_answer(PAGE, "200 OK" if path == PATH else "404 Not Found"))
            path = (read_head(connection).decode().split() or ["", ""])[1]

    with raw_server(answer) as url, Fetcher(quick(url)) as fetcher:
        assert [fetcher.get(url + PATH).result for _ in range(3)] == ["ok"] * 3
    assert connections == [["/robots.txt", PATH, PATH, PATH]]


# Proxies


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("login", ["", "me:se%20cr%C3%A9t@"])
def test_a_proxy_carries_all_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, *, tls: bool
) -> None:
    context, file = certificate(tmp_path) if tls else (None, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file) if tls else "")
    heads: list[bytes] = []
    page = raw_page(f"200 OK\r\nContent-Length: {len(PAGE)}", PAGE)
    with raw_server(page, context) as url, proxy_server(heads) as proxy:
        host = url.partition("//")[2]
        settings = quick(url, proxy=proxy.replace("//", f"//{login}"), total_timeout=5.0, read_timeout=5.0)
        with Fetcher(settings) as fetcher:
            assert (fetcher.get(url + PATH).body, fetcher.get(url + PATH).body) == (PAGE, PAGE)
    lines = [head.split(b" HTTP/")[0].decode() for head in heads]
    if tls:
        assert lines == [f"CONNECT {host}"] * 3
    else:
        assert lines == [f"GET {url}/robots.txt"] + [f"GET {url}{PATH}"] * 2
    secret = base64.b64encode("me:se crét".encode())
    assert all((b"Proxy-Authorization: Basic " + secret + b"\r\n" in head) == bool(login) for head in heads)


def test_a_proxy_of_the_environment_is_not_used(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert fetch(replica).result == "ok"


@pytest.mark.parametrize(
    ("status", "attempts"), [("407 Proxy Authentication Required", 1), ("403 Forbidden", 1), ("502 Bad Gateway", 4)]
)
def test_a_proxy_that_refuses_a_tunnel_is_reported(status: str, attempts: int) -> None:
    heads: list[bytes] = []
    refusal = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
    with proxy_server(heads, refusal) as proxy:
        settings = quick("https://site.example", proxy=proxy.replace("//", "//me:secret@"))
        with Fetcher(settings) as fetcher:
            robots_txt = fetcher.get_robots(settings.site)
    masked = proxy.replace("//", "//***@")
    again = f" (tried {attempts} times)" if attempts > 1 else ""
    assert (robots_txt.result, len(heads)) == ("network_error", attempts)
    assert robots_txt.message == (
        "its robots.txt must be read first; cannot fetch https://site.example/robots.txt through the proxy "
        f"{masked}: the proxy refuses ({status}); check the proxy{again}"
    )
    assert "secret" not in repr(settings)


def test_a_proxy_that_is_not_there_is_named() -> None:
    with raw_server(lambda *_: None) as gone:
        pass
    with Fetcher(quick("http://site.example", proxy=gone, retries=0)) as fetcher:
        robots_txt = fetcher.get_robots("http://site.example")
    assert robots_txt.message.startswith(
        "its robots.txt must be read first; cannot fetch http://site.example/robots.txt through the proxy "
        f"{gone}: the connection broke ("
    )


def test_a_request_is_sent_when_its_host_has_the_head_and_not_its_proxy() -> None:
    sent: list[str] = []
    trace = trace_head(lambda: sent.append("sent"))
    for method, times in ((b"CONNECT", 0), (b"GET", 1)):
        trace("http11.send_request_headers.started", {"request": httpcore.Request(method, "https://site.example")})
        assert len(sent) == 0
        trace("http11.send_request_headers.complete", {"return_value": None})
        trace("http11.send_request_body.complete", {"return_value": None})
        assert len(sent) == times


# 429 and Retry-After


def fetch_warped(replica: Replica, **changes: Any) -> tuple[Response, WarpClock]:
    warp = WarpClock()
    with Fetcher(quick(replica.url, **changes), sleep=warp.sleep, clock=warp.clock) as fetcher:
        return fetcher.get(replica.url + PATH), warp


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("wanted", "least", "most"), [(2, 2, 2.1), ("1.5", 1.5, 1.6), ("date+30", 29, 30.1)])
def test_retry_after_is_waited_out(replica: Replica, status: int, wanted: int | str, least: float, most: float) -> None:
    replica.faults[PATH] = Fault(status=status, retry_after=wanted, times=1)
    response, warp = fetch_warped(replica)
    assert (response.result, response.attempts) == ("ok", 2)
    assert least <= max(warp.sleeps) <= most


def test_retry_after_is_waited_out_in_real_seconds(replica: Replica) -> None:
    replica.faults[PATH] = Fault(status=429, retry_after=1, times=1)
    assert fetch(replica).result == "ok"
    first, second = (request.time for request in replica.requests if request.path == PATH)
    assert 1.0 <= second - first < 1.5


def test_retry_after_is_a_date_of_the_servers_clock(replica: Replica) -> None:
    wrong = {"Date": "Thu, 01 Jan 2015 00:00:00 GMT", "Retry-After": "Thu, 01 Jan 2015 00:00:40 GMT"}
    replica.faults[PATH] = Fault(status=429, headers=wrong, times=1)
    response, warp = fetch_warped(replica)
    assert response.result == "ok"
    assert 40 <= max(warp.sleeps) < 40.1


def test_a_date_without_zone_or_date_header_is_read() -> None:
    answered = itertools.count()
    head = "429 Slow\r\nContent-Length: 0\r\nRetry-After: Sun Nov  6 08:49:37 1994"
    busy, fine = raw_page(head, b""), raw_page(f"200 OK\r\nContent-Length: {len(PAGE)}", PAGE)

    def answer(path: str, connection: socket.socket) -> None:
        (busy if path == "/robots.txt" or next(answered) == 0 else fine)(path, connection)

    with raw_server(answer) as url, Fetcher(quick(url)) as fetcher:
        assert fetcher.get(url + PATH).result == "ok"


@pytest.mark.parametrize("wanted", [None, "soon", "-5", "nan", "inf", "", "1e9", "Foo, 99 Bar 2026 99:99:99 GMT"])
def test_without_a_readable_retry_after_the_wait_doubles(replica: Replica, wanted: str | None) -> None:
    replica.faults[PATH] = Fault(status=429, retry_after=wanted, times=3)
    response, warp = fetch_warped(replica, backoff=10.0, backoff_limit=1000.0, rate=1e6)
    assert (response.result, response.attempts) == ("ok", 4)
    waits = [seconds for seconds in warp.sleeps if seconds > 1]
    assert [10 * 2**retry <= waits[retry] <= 10 * 2**retry + 10 for retry in range(3)] == [True] * 3


def test_the_wait_does_not_double_without_end(replica: Replica) -> None:
    replica.faults[PATH] = Fault(status=429, times=3)
    response, warp = fetch_warped(replica, backoff=10.0, backoff_limit=15.0)
    assert (response.result, response.attempts) == ("ok", 4)
    waits = [seconds for seconds in warp.sleeps if seconds > 1]
    assert [least <= wait <= least + 10 for least, wait in zip((10, 15, 15), waits, strict=True)] == [True] * 3


def test_retry_after_never_shortens_the_wait(replica: Replica) -> None:
    replica.faults[PATH] = Fault(status=429, retry_after=0, times=1)
    _, warp = fetch_warped(replica, backoff=10.0, backoff_limit=1000.0)
    assert max(warp.sleeps) >= 10


@pytest.mark.parametrize("wanted", [None, 2, "date+2"])
def test_429_for_ever_is_rate_limited_and_bounded(replica: Replica, wanted: int | str | None) -> None:
    replica.faults[PATH] = Fault(status=429, retry_after=wanted)
    response, warp = fetch_warped(replica)
    assert (response.result, response.status, response.body, response.attempts) == ("rate_limited", 429, b"", 4)
    assert response.message == (
        f"{replica.url}{PATH} answered HTTP 429 Too Many Requests; try again later (tried 4 times)"
    )
    assert sum(warp.sleeps) < 10


@pytest.mark.parametrize("wanted", [121, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"])
@pytest.mark.parametrize(("status", "result"), [(429, "rate_limited"), (503, "server_error")])
def test_a_pause_beyond_the_limit_ends_the_requests(
    replica: Replica, status: int, result: str, wanted: int | str
) -> None:
    replica.faults[PATH] = Fault(status=status, retry_after=wanted, times=1)
    warp = WarpClock()
    with Fetcher(quick(replica.url), sleep=warp.sleep, clock=warp.clock) as fetcher:
        response = fetcher.get(replica.url + PATH)
        later = fetcher.get(replica.url + "/study/another")
    assert (response.result, response.attempts) == (result, 1)
    assert response.message.startswith("127.0.0.1 asks for a pause of ")
    assert (later.result, later.attempts) == ("rate_limited", 0)
    assert paths(replica) == [PATH]


def test_a_pause_holds_for_the_whole_host_and_no_other(replica: Replica) -> None:
    replica.faults[PATH] = Fault(status=429, retry_after=50)
    warp = WarpClock()
    with Replica(SITE) as other, Fetcher(quick(replica.url, retries=0), sleep=warp.sleep, clock=warp.clock) as fetcher:
        assert fetcher.get(replica.url + PATH).result == "rate_limited"
        assert fetcher.get(other.url + PATH).result == "ok"
        assert sum(warp.sleeps) < 10
        assert fetcher.get(replica.url + "/study/another").result == "http_status"
    assert 49 < max(warp.sleeps) <= 50


# Time


SLOW: dict[str, tuple[Fault, dict[str, Any]]] = {
    "late headers": (Fault(delay=60), {}),
    "late headers, and a read may take longer": (Fault(delay=60), {"read_timeout": 30.0}),
    "a byte of the body now and then": (Fault(drip=0.1), {}),
    "a byte of the headers now and then": (Fault(drip=0.1, drip_head=True), {}),
}


@pytest.mark.parametrize(("fault", "changes"), SLOW.values(), ids=SLOW)
def test_a_slow_answer_ends_in_timeout(replica: Replica, fault: Fault, changes: dict[str, Any]) -> None:
    replica.faults[PATH] = fault
    read_timeout = changes.get("read_timeout", 0.3)
    before = time.monotonic()
    response = fetch(replica, retries=0, **changes)
    least = read_timeout if fault.delay and not changes else 0.6
    assert least <= time.monotonic() - before < 1.2
    assert (response.result, response.body, response.attempts) == ("timeout", b"", 1)
    assert f"no complete answer in time ({read_timeout:g} s for the next bytes, 0.6 s in all)" in response.message


def test_a_dripping_body_of_an_error_is_not_waited_for(replica: Replica) -> None:
    replica.faults[PATH] = Fault(status=404, drip=0.1)
    before = time.monotonic()
    assert fetch(replica).result == "http_status"
    assert time.monotonic() - before < 1.2


def test_a_long_body_of_an_error_is_not_read(replica: Replica) -> None:
    replica.faults[PATH] = Fault(status=404, size=1_000_000_000_000)
    before = time.monotonic()
    response, peak = measure_peak(replica)
    assert time.monotonic() - before < 10
    assert (response.result, response.attempts) == ("http_status", 1)
    assert peak < 2_000_000


def test_no_step_begins_after_the_deadline(replica: Replica) -> None:
    with Fetcher(quick(replica.url, total_timeout=1e-9, retries=0)) as fetcher:
        robots_txt = fetcher.get_robots(replica.url)
    assert (robots_txt.result, robots_txt.answered, replica.requests) == ("blocked_by_robots", False, [])
    assert "no complete answer in time" in robots_txt.message


def test_a_page_that_is_slow_once_is_fetched(replica: Replica) -> None:
    replica.faults[PATH] = Fault(delay=60, times=1)
    response = fetch(replica)
    assert (response.result, response.attempts) == ("ok", 2)


# Redirects


def test_a_redirect_on_the_site_is_followed(replica: Replica) -> None:
    replica.faults["/study/old"] = Fault(redirect=PATH, status=301)
    replica.faults["/study/older"] = Fault(redirect=replica.url + "/study/old", status=308)
    response = fetch(replica, "/study/older")
    assert (response.result, response.body, response.attempts) == ("ok", PAGE, 3)
    assert (response.url, response.final_url) == (replica.url + "/study/older", replica.url + PATH)


@pytest.mark.parametrize(("count", "result"), [(5, "ok"), (6, "network_error")])
def test_five_redirects_are_followed_and_not_six(replica: Replica, count: int, result: str) -> None:
    for number in range(count):
        replica.faults[f"/study/{number}"] = Fault(redirect=f"/study/{number + 1}" if number + 1 < count else PATH)
    response = fetch(replica, "/study/0")
    assert (response.result, response.attempts) == (result, 6)
    if count == 6:
        assert response.body == b""
        assert response.message == (f"{replica.url}/study/5 redirects again after 5 redirects; look at it in a browser")


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (PATH, "redirects in a circle"),
        ("file:///etc/hosts", "redirects to 'file:///etc/hosts', not to a page of http://{host}; give that address"),
        ("https://{host}/", "redirects to 'https://{host}/'"),
        (
            "http://me:pw@other.example/x",
            f"{PATH} redirects to 'http://***@other.example/x', not to a page of http://{{host}}; "
            "give that address if it is the one you want",
        ),
        ("//user:pw@{host}/", "redirects to '//***@{host}/'"),
        ("http://127.0.0.1:port/", ": it redirects to no address"),
        ("javascript:alert(1)", ": it redirects to no address"),
        ("http://[", "redirects to"),
        ("http://127.0.0.1:99999/", "redirects to"),
    ],
)
def test_a_redirect_elsewhere_is_not_followed(replica: Replica, there: str, reason: str) -> None:
    host = replica.url.removeprefix("http://")
    replica.faults[PATH] = Fault(redirect=there.format(host=host))
    response = fetch(replica)
    assert (response.result, response.status, response.body, response.attempts) == (
        "network_error",
        response.status,
        b"",
        1,
    )
    assert reason.format(host=host) in response.message
    assert "pw" not in response.message


def test_another_host_gets_no_request(replica: Replica) -> None:
    with Replica(SITE) as other:
        replica.faults[PATH] = Fault(redirect=other.url + PATH)
        assert fetch(replica).result == "network_error"
        assert other.requests == []


def test_a_redirect_without_target_is_another_status(replica: Replica) -> None:
    replica.faults[PATH] = Fault(status=302)
    assert fetch(replica).result == "http_status"


@pytest.mark.parametrize(
    "there",
    [
        "/study-search?q=1",
        "/study-search",
        "/Study-Search/x",
        "//{host}/study-search",
        "/x/../study%2Dsearch",
        "/.//study-search",
        "/x/%2e%2e/study-search",
        "/x/.%2E/./study-search",
        "/x/..%2fstudy-search",
        r"/x\..\study-search",
        "/x/..%5Cstudy-search",
        "/%2e/%252fstudy-search",
    ],
)
def test_the_search_is_never_requested(replica: Replica, there: str) -> None:
    target = there.format(host=replica.url.removeprefix("http://"))
    replica.faults["/robots.txt"] = Fault(body="User-agent: *\nAllow: /\n")
    replica.faults[PATH] = Fault(redirect=target)
    response = fetch(replica)
    assert (response.result, response.attempts) == ("blocked_by_robots", 1)
    assert paths(replica) == [PATH]
    assert response.message.startswith(f"{response.final_url} was not requested: /study-search never is")
    assert response.url == replica.url + PATH != response.final_url


def test_dots_are_resolved_before_an_address_is_requested(replica: Replica) -> None:
    replica.faults["/robots.txt"] = Fault(body="User-agent: *\nDisallow: /secret\n", content_type="text/plain")
    replica.faults["/study/up"] = Fault(redirect="/x/%2e%2e/study/./there?q=%2e%2e/")
    replica.faults["/study/round"] = Fault(redirect="/study/%2E/round")
    with Fetcher(quick(replica.url)) as fetcher:
        responses = [fetcher.get(replica.url + path) for path in ("/study/up", "/x/%2e%2e/secret", "/study/round")]
    assert paths(replica) == ["/study/up", "/study/there?q=%2e%2e/", "/study/round"]
    assert [response.result for response in responses] == ["http_status", "blocked_by_robots", "network_error"]
    assert "redirects in a circle" in responses[2].message


# Size


def measure_peak(replica: Replica, **changes: Any) -> tuple[Response, int]:
    """Fetch, and return the most bytes that were in use at once beyond those before."""
    with Fetcher(quick(replica.url, total_timeout=20.0, read_timeout=5.0, **changes)) as fetcher:
        fetcher.get_robots(replica.url)
        tracemalloc.start()
        response = fetcher.get(replica.url + PATH)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return response, peak


@pytest.mark.parametrize(
    "fault",
    [
        Fault(size=1_000_000_000),
        Fault(size=1_000_000_000, headers={"Connection": "close"}, length=False),
        Fault(gzip_bomb=10_000_000_000),
    ],
    ids=["1 GB", "1 GB without length", "10 GB in 10 MB"],
)
def test_a_huge_body_is_too_large_and_takes_no_memory(replica: Replica, fault: Fault) -> None:
    replica.faults[PATH] = fault
    response, peak = measure_peak(replica, body_limit=2_000_000)
    assert (response.result, response.body, response.attempts) == ("too_large", b"", 1)
    assert response.message == (
        f"cannot fetch {replica.url}{PATH}: it has more than 2000000 bytes; raise the body limit if that is right"
    )
    # The limit, the double's own block of a million zeros, and what the two sides buffer.
    assert peak < 2_000_000 + 1_000_000 + 1_500_000


def test_a_body_that_says_it_is_huge_is_not_begun(replica: Replica) -> None:
    replica.faults[PATH] = Fault(size=1_000_000_000, drip=0.1)
    assert fetch(replica, retries=0).result == "too_large"


def packed(coding: str, body: bytes) -> bytes:
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    forms = {
        "gzip": gzip.compress(body),
        "x-gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw": raw.compress(body) + raw.flush(),
        "members": gzip.compress(body[:1000]) + gzip.compress(body[1000:]) + b"\0" * 100,
        "identity": body,
    }
    return forms[coding]


@pytest.mark.parametrize("form", ["gzip", "x-gzip", "deflate", "raw", "members", "identity"])
@pytest.mark.parametrize(
    "body", [PAGE * 40, bytes(300_000), bytes(65_539), os.urandom(200_000)], ids=["page", "zeros", "edge", "noise"]
)
@pytest.mark.parametrize("room", [0, -1])
def test_the_limit_is_exact_and_compression_included(replica: Replica, form: str, body: bytes, room: int) -> None:
    coding = {"raw": "deflate", "members": "gzip"}.get(form, form)
    replica.faults[PATH] = Fault(body=packed(form, body), headers={"Content-Encoding": coding})
    response = fetch(replica, body_limit=len(body) + room, total_timeout=5.0)
    assert (response.result, response.body) == (("ok", body) if room == 0 else ("too_large", b""))


def test_a_caller_may_set_another_limit(replica: Replica) -> None:
    with Fetcher(quick(replica.url, body_limit=10)) as fetcher:
        assert fetcher.get(replica.url + PATH).result == "too_large"
        assert fetcher.get(replica.url + PATH, limit=1000).result == "ok"


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
def test_an_empty_body_is_whole(replica: Replica, headers: dict[str, str]) -> None:
    replica.faults[PATH] = Fault(body=b"", headers=headers)
    response = fetch(replica)
    assert (response.result, response.body) == ("ok", b"")


# Rate


def starts(*replicas: Replica) -> list[float]:
    return sorted(request.time for replica in replicas for request in replica.requests)


def test_the_rate_holds_over_threads_hosts_retries_and_redirects(replica: Replica) -> None:
    interval = 0.08
    replica.faults[PATH] = Fault(status=503, times=2)
    replica.faults["/study/old"] = Fault(redirect=PATH)
    with Replica(SITE) as other:
        urls = [replica.url + "/study/old", other.url + PATH, replica.url + PATH, other.url + "/study/none"] * 3
        with Fetcher(quick(replica.url, rate=1 / interval, concurrency=4)) as fetcher, ThreadPoolExecutor(6) as pool:
            responses = list(pool.map(fetcher.get, urls))
        times = starts(replica, other)
    assert {response.result for response in responses} == {"ok", "http_status"}
    assert len(times) == 2 + 12 + 2 + 3
    gaps = [late - early for early, late in itertools.pairwise(times)]
    # What the double sees is late by as long as its threads wait for the processor.
    assert min(gaps) > interval - 0.03
    assert times[-1] - times[0] >= interval * (len(times) - 1) - 0.03
    assert times[-1] - times[0] < interval * (len(times) - 1) * 1.3


def test_a_slow_connection_does_not_bring_requests_closer_together() -> None:
    """The rate counts when a request is sent, not when its connection was begun."""
    sent: list[float] = []
    delays = itertools.cycle([0.15, 0.0])

    class SlowToConnect(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.extensions["trace"]("connection.connect_tcp.started", {})
            time.sleep(next(delays))
            sent.append(time.monotonic())
            request.extensions["trace"]("http11.send_request_headers.complete", {})
            return httpx.Response(200, stream=httpx.ByteStream(PAGE))

    fetcher = Fetcher(quick("http://example.org", rate=10.0), transport=SlowToConnect())
    with fetcher, ThreadPoolExecutor(2) as pool:
        list(pool.map(fetcher.get, ["http://example.org/"] * 5))
    assert min(late - early for early, late in itertools.pairwise(sent)) >= 0.1


def test_no_more_requests_are_in_flight_than_allowed(replica: Replica) -> None:
    replica.faults[PATH] = Fault(delay=0.2)
    with Fetcher(quick(replica.url, concurrency=2)) as fetcher, ThreadPoolExecutor(6) as pool:
        list(pool.map(fetcher.get, [replica.url + PATH] * 6))
    times = [request.time for request in replica.requests if request.path == PATH]
    assert all(third - first > 0.19 for first, third in zip(times, times[2:], strict=False))
    assert times[1] - times[0] < 0.15


def test_the_bound_on_requests_in_flight_is_not_the_transports() -> None:
    flying: list[int] = []
    lock = threading.Lock()

    class Busy(httpx.BaseTransport):
        def __init__(self) -> None:
            self.flying = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            with lock:
                self.flying += 1
                flying.append(self.flying)
            request.extensions["trace"]("http11.send_request_headers.complete", {})
            time.sleep(0.05)
            with lock:
                self.flying -= 1
            return httpx.Response(200, stream=httpx.ByteStream(PAGE))

    with (
        Fetcher(quick("http://example.org", concurrency=3), transport=Busy()) as fetcher,
        ThreadPoolExecutor(8) as pool,
    ):
        list(pool.map(fetcher.get, ["http://example.org/"] * 12))
    assert max(flying) == 3


@pytest.mark.parametrize("rule", ["Crawl-delay: 0.2", "Request-rate: 5/1"])
def test_a_crawl_delay_makes_it_slower(replica: Replica, rule: str) -> None:
    replica.faults["/robots.txt"] = robots(f"User-agent: *\n{rule}\n")
    with Fetcher(quick(replica.url)) as fetcher, ThreadPoolExecutor(3) as pool:
        assert fetcher.get_robots(replica.url).delay == 0.2
        list(pool.map(fetcher.get, [replica.url + PATH] * 3))
    assert min(late - early for early, late in itertools.pairwise(starts(replica))) > 0.18


def test_a_crawl_delay_does_not_slow_another_host(replica: Replica) -> None:
    replica.faults["/robots.txt"] = robots("User-agent: *\nCrawl-delay: 60\n")
    with Replica(SITE) as other, Fetcher(quick(replica.url)) as fetcher, ThreadPoolExecutor(2) as pool:
        fetcher.get_robots(replica.url)
        waiting = pool.submit(fetcher.get, replica.url + PATH)
        assert fetcher.get(other.url + PATH).result == "ok"
        fetcher.stop()
        assert isinstance(waiting.exception(), Stopped)


def test_a_crawl_delay_does_not_make_it_faster(replica: Replica) -> None:
    replica.faults["/robots.txt"] = robots("User-agent: *\nCrawl-delay: 0.01\n")
    with Fetcher(quick(replica.url, rate=5.0)) as fetcher:
        fetcher.get(replica.url + PATH)
    assert min(late - early for early, late in itertools.pairwise(starts(replica))) > 0.19


def test_a_crawl_delay_beyond_the_limit_is_a_refusal(replica: Replica) -> None:
    replica.faults["/robots.txt"] = robots("User-agent: *\nCrawl-delay: 86400\n")
    with Fetcher(quick(replica.url, robots_pause=0.0)) as fetcher:
        responses = [fetcher.get(replica.url + PATH) for _ in range(2)]
    assert [response.result for response in responses] == ["blocked_by_robots"] * 2
    assert responses[0].message == (
        f"{replica.url}{PATH} was not requested: {replica.url}/robots.txt asks for a delay of 86400 s, more than the "
        "120 s allowed; ask the site for permission"
    )
    assert len(replica.requests) == 1


# The end


def test_stop_ends_every_wait_at_once(replica: Replica) -> None:
    replica.faults["/study/slow"] = Fault(delay=60)
    replica.faults["/study/busy"] = Fault(status=429, retry_after=60)
    urls = [replica.url + path for path in ("/study/slow", "/study/busy", "/study/slow", "/study/slow")]
    patient = quick(replica.url, read_timeout=60.0, total_timeout=60.0)
    with Fetcher(patient) as fetcher, ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(fetcher.get, url) for url in urls]
        time.sleep(0.4)
        before = time.monotonic()
        fetcher.stop()
        assert {type(thread.exception(timeout=5)) for thread in waiting} == {Stopped}
        assert time.monotonic() - before < 1
        for method in (fetcher.get, fetcher.get_robots):
            with pytest.raises(Stopped, match="the fetcher was stopped"):
                method(replica.url + PATH)


def test_a_stop_is_no_result_of_the_network(replica: Replica) -> None:
    replica.faults[PATH] = Fault(delay=60)
    patient = quick(replica.url, read_timeout=60.0, total_timeout=60.0, retries=0)
    with Fetcher(patient) as fetcher, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetcher.get, replica.url + PATH)
        time.sleep(0.3)
        fetcher.stop()
        assert isinstance(waiting.exception(timeout=2), Stopped)


def test_stop_does_not_wait_for_one_that_is_connecting() -> None:
    connecting, stopped = threading.Event(), threading.Event()

    class Stuck(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            connecting.set()
            stopped.wait(5)
            raise httpx.ConnectError("never", request=request)

    with Fetcher(quick("http://example.org"), transport=Stuck()) as fetcher, ThreadPoolExecutor(2) as pool:
        stuck = pool.submit(fetcher.get, "http://a.example/")
        connecting.wait(5)
        waiting = pool.submit(fetcher.get, "http://b.example/")
        time.sleep(0.1)
        fetcher.stop()
        assert isinstance(waiting.exception(timeout=2), Stopped)
        assert not stuck.done()
        stopped.set()
        assert isinstance(stuck.exception(timeout=2), Stopped)


def test_stop_ends_the_wait_for_a_turn(replica: Replica) -> None:
    with Fetcher(quick(replica.url, rate=0.01)) as fetcher, ThreadPoolExecutor(3) as pool:
        fetcher.get_robots(replica.url)
        waiting = [pool.submit(fetcher.get, replica.url + PATH) for _ in range(3)]
        time.sleep(0.2)
        fetcher.stop()
        assert {type(thread.exception(timeout=2)) for thread in waiting} == {Stopped}
    assert paths(replica) == []


def test_a_closed_fetcher_says_so(replica: Replica) -> None:
    with Fetcher(quick(replica.url)) as fetcher:
        pass
    for url in (replica.url + PATH, "no address"):
        for method in (fetcher.get, fetcher.get_robots):
            with pytest.raises(Stopped):
                method(url)


WAITS = {
    "for an answer": ("/study/slow", {}),
    "for a turn": (PATH, {"rate": 0.01}),
    "for a retry": ("/study/busy", {}),
}


@pytest.mark.parametrize(("path", "changes"), WAITS.values(), ids=WAITS)
def test_ctrl_c_ends_it_promptly(replica: Replica, path: str, changes: dict[str, float]) -> None:
    replica.faults["/study/slow"] = Fault(delay=60)
    replica.faults["/study/busy"] = Fault(status=429, retry_after=60)
    program = (
        "from trialscrape.fetching.fetcher import Fetcher; from trialscrape.settings import Settings\n"
        f"with Fetcher(Settings(**{ ({'rate': 500.0} | changes)!r})) as fetcher:\n"
        f"    fetcher.get({replica.url + path!r})\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as process:
        expected = "/robots.txt" if changes else path
        while not any(request.path == expected for request in replica.requests):
            time.sleep(0.02)
        time.sleep(0.2)
        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        try:
            _, stderr = process.communicate(timeout=10)
        finally:
            process.kill()
    assert time.monotonic() - before < 2
    assert stderr.endswith("KeyboardInterrupt\n")
    assert process.returncode == -signal.SIGINT


def test_an_error_of_the_program_itself_is_not_hidden() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError(request.url)

    site = "https://example.org"
    with (
        Fetcher(Settings(site=site), transport=httpx.MockTransport(answer)) as fetcher,
        pytest.raises(ZeroDivisionError),
    ):
        fetcher.get(site + PATH)

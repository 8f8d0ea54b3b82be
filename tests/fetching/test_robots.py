"""Which addresses robots.txt lets the fetcher request."""

import gzip
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.network import PAGE, PATH, WarpClock, fetch, paths, quick, robots
from trialscrape.fetching.fetcher import Fetcher
from trialscrape.settings import Settings
from trialscrape.testing.replica import Fault, Replica


def test_what_robots_forbids_is_not_requested(replica: Replica) -> None:
    replica.faults["/robots.txt"] = robots("User-agent: *\nDisallow: /study/an-\n")
    with Fetcher(quick(replica.url)) as fetcher:
        response = fetcher.get(replica.url + PATH)
        other = fetcher.get(replica.url + "/study/other")
    assert (response.result, response.attempts, other.status) == ("blocked_by_robots", 0, 404)
    assert response.message == (
        f"{replica.url}{PATH} was not requested: {replica.url}/robots.txt forbids it; leave it out"
    )
    assert paths(replica) == ["/study/other"]


def test_a_redirect_obeys_robots_too(replica: Replica) -> None:
    replica.faults["/robots.txt"] = robots("User-agent: *\nDisallow: /secret\n")
    replica.faults[PATH] = Fault(redirect="/secret/page")
    assert fetch(replica).result == "blocked_by_robots"
    assert paths(replica) == [PATH]


def test_robots_is_requested_once_by_many_threads(replica: Replica) -> None:
    with Fetcher(quick(replica.url, concurrency=4)) as fetcher, ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(fetcher.get, [replica.url + PATH] * 16))
    assert {response.result for response in responses} == {"ok"}
    assert [request.path for request in replica.requests].count("/robots.txt") == 1
    assert replica.requests[0].path == "/robots.txt"


BLOCKED = "blocked_by_robots"
RULES = {
    "for this program": (
        "User-agent: *\nAllow: /\n\nUser-agent: trialscrape\nDisallow: /study/\n",
        "blocked_by_robots",
    ),
    "behind a byte order mark": (b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /\r\n", BLOCKED),
    "at the start of 5 MB": (
        "User-agent: *\nDisallow: /study/\n" + "# nothing to see\n" * 300_000,
        "blocked_by_robots",
    ),
    "none": ("", "ok"),
    "without agent": ("Disallow: /", "ok"),
    "wrong delay": ("User-agent: *\nCrawl-delay: soon\nCrawl-delay: -1\nRequest-rate: x/y\n", "ok"),
    "bytes": (bytes(range(256)) * 20, "ok"),
    "a page": ("<!doctype html><title>Just a moment...</title>", "ok"),
    "a wrong byte order mark": (b"\xef\xbb\xbf\xff\xfeUser-agent\x00: *\nDisallow: /\n", "ok"),
}


@pytest.mark.parametrize(("text", "result"), RULES.values(), ids=RULES)
def test_rules_that_can_be_read_are_obeyed_and_garbage_forbids_nothing(
    replica: Replica, text: str | bytes, result: str
) -> None:
    replica.faults["/robots.txt"] = robots(text)
    assert fetch(replica, total_timeout=5.0).result == result


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_missing_robots_allows_all(replica: Replica, status: int) -> None:
    replica.faults["/robots.txt"] = Fault(status=status)
    assert fetch(replica).result == "ok"


def test_a_robots_that_passes_its_trouble_is_obeyed(replica: Replica) -> None:
    replica.faults["/robots.txt"] = Fault(status=503, times=2)
    assert fetch(replica).result == "ok"


SILENT = {
    "500": (Fault(status=500), BLOCKED),
    "503": (Fault(status=503), BLOCKED),
    "timeout": (Fault(delay=60), BLOCKED),
    "drip": (Fault(drip=0.1), BLOCKED),
    "429": (Fault(status=429), "rate_limited"),
    "reset": (Fault(cut=3, end="reset"), "network_error"),
    "elsewhere": (Fault(redirect="https://example.org/robots.txt"), "network_error"),
    "circle": (Fault(redirect="/robots.txt"), "network_error"),
}


@pytest.mark.parametrize(("fault", "result"), SILENT.values(), ids=SILENT)
def test_a_robots_that_does_not_answer_forbids_all(replica: Replica, fault: Fault, result: str) -> None:
    replica.faults["/robots.txt"] = fault
    response = fetch(replica, retries=1)
    assert (response.result, response.attempts) == (result, 0)
    assert response.message.startswith(f"{replica.url}{PATH} was not requested: its robots.txt must be read first; ")
    assert paths(replica) == []


def test_robots_forbids_until_it_answers(replica: Replica) -> None:
    replica.faults["/robots.txt"] = Fault(status=500, times=4)
    warp = WarpClock()
    with Fetcher(quick(replica.url, retries=1), sleep=warp.sleep, clock=warp.clock) as fetcher:
        results = []
        for _ in range(4):
            results.append(fetcher.get(replica.url + PATH).result)
            before = len(replica.requests)
            again = fetcher.get(replica.url + PATH).result
            assert (again, len(replica.requests) - before) == (results[-1], int(again == "ok"))
            warp.sleep(61)
    assert results == ["blocked_by_robots", "blocked_by_robots", "ok", "ok"]


def test_a_silent_robots_is_not_requested_without_end(replica: Replica) -> None:
    replica.faults["/robots.txt"] = Fault(status=500)
    warp = WarpClock()
    settings = quick(replica.url, retries=1, robots_pause=0.0, robots_asks=3)
    with Fetcher(settings, sleep=warp.sleep, clock=warp.clock) as fetcher:
        assert {fetcher.get(replica.url + PATH).result for _ in range(10)} == {"blocked_by_robots"}
    assert len(replica.requests) == 6
    assert max(warp.sleeps) < 0.1


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
def test_a_rule_cut_in_half_is_no_rule(replica: Replica, headers: dict[str, str]) -> None:
    start = b"User-agent: *\n#" + b"x" * 470
    cut = b"\nDisallow: /study-other/"
    assert len(start + cut[:19]) == 504
    whole = start + cut + b"\n" + os.urandom(200_000)
    body = gzip.compress(whole) if headers else whole
    replica.faults["/robots.txt"] = robots(body, headers=headers)
    assert fetch(replica, robots_limit=len(start) + len(b"\nDisallow: /")).result == "ok"
    assert fetch(replica, "/study-other/x", robots_limit=len(start + cut) + 1).result == "blocked_by_robots"


def test_a_robots_that_is_a_bomb_takes_no_memory(replica: Replica) -> None:
    replica.faults["/robots.txt"] = Fault(gzip_bomb=10_000_000_000)
    with Fetcher(quick(replica.url, total_timeout=20.0)) as fetcher:
        tracemalloc.start()
        assert fetcher.get(replica.url + PATH).result == "ok"
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8_000_000


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet="User-agent: *\nDisallow/Crawlyqt0123456789$%\r", max_size=300))
def test_any_robots_gives_a_result(text: bytes | str) -> None:
    body = text if isinstance(text, bytes) else b"User-agent: *\n" + text.encode()

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(body if request.url.path == "/robots.txt" else PAGE))

    warp = WarpClock()
    site = "https://example.org"
    transport = httpx.MockTransport(answer)
    with Fetcher(Settings(site=site), transport=transport, sleep=warp.sleep, clock=warp.clock) as fetcher:
        assert fetcher.get(site + PATH).result in ("ok", "blocked_by_robots")


def test_robots_names_the_sitemaps(replica: Replica) -> None:
    with Fetcher(quick(replica.url)) as fetcher:
        robots_txt = fetcher.get_robots(replica.url)
    assert (robots_txt.result, robots_txt.answered) == ("ok", True)
    assert robots_txt.sitemaps == (replica.url + "/sitemap.xml",)

"""Measure, and print a table: what was asked, what came out, and against what.

Every ratio is of two things measured by turns in this one process (commands: by turns on this one machine); the best
of several rounds counts, since everything else only adds time.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from platform import python_version
from tempfile import TemporaryDirectory
from typing import NamedTuple

import lxml.html
import trafilatura
from bs4 import BeautifulSoup

import trialscrape
from bench.inputs import hostile_criteria, paths_of, saved_html, site_of
from trialscrape.records import Trial
from trialscrape.replica import Fault, Replica

PAGES = sorted(Path("fixtures/pages").glob("*.txt"))
ROUNDS = 15


class Figure(NamedTuple):
    """One row: what was measured, the goal, and what came out."""

    what: str
    goal: str
    got: str
    reached: bool


def best(*works: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Time each piece of work by turns; give the best seconds of each."""
    least = [float("inf")] * len(works)
    for _ in range(rounds):
        for index, work in enumerate(works):
            began = time.perf_counter()
            work()
            least[index] = min(least[index], time.perf_counter() - began)
    return least


def text_pages() -> Iterator[Figure]:
    """Page text to JSON line, against re-reading that line."""
    # Whole pages only: one that is cut or doubtful makes warnings, which are not what is measured here.
    pages = [page.read_bytes() for page in PAGES]
    texts = [page.decode() for page in pages if not trialscrape.parse(page).warnings]
    lines = [trialscrape.parse(text).model_dump_json() for text in texts]

    def write() -> None:
        for text in texts:
            trialscrape.parse(text).model_dump_json()

    def read() -> None:
        for line in lines:
            Trial.model_validate_json(line)

    writing, reading = best(write, read)
    each = f"{1e6 * writing / len(texts):.0f} against {1e6 * reading / len(texts):.0f} µs a page"
    yield ratio("page text to JSON line / re-reading the line", writing / reading, 2.0, each)


def html_pages() -> Iterator[Figure]:
    """A saved HTML page to its JSON line, against the usual ways to get at a page's text."""
    page = saved_html(66_000)
    text = page.decode()
    ours, tree, soup, extract = best(
        lambda: trialscrape.parse(page).model_dump_json(),
        lambda: lxml.html.fromstring(page),
        lambda: BeautifulSoup(text, "lxml").get_text(),
        lambda: trafilatura.extract(text),
    )
    size = f"{len(page) / 1000:.0f} kB page, {1e3 * ours:.2f} ms"
    yield ratio("HTML page to JSON line / lxml.html.fromstring", ours / tree, 1.5, size)
    yield Figure("BeautifulSoup get_text() / HTML page to JSON line", "≥ 10", f"{soup / ours:.1f}", soup / ours >= 10)
    yield Figure("trafilatura.extract / HTML page to JSON line", "> 1", f"{extract / ours:.1f}", extract > ours)


def start() -> Iterator[Figure]:
    """The version, against a Python that does nothing."""
    command = Path(sys.executable).with_name("trialscrape")
    ours, bare = best(
        lambda: subprocess.run([command, "--version"], capture_output=True, check=True),
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
    )
    yield ratio("trialscrape --version / python -c pass", ours / bare, 4.0, f"{1e3 * ours:.0f} ms")


def growth() -> Iterator[Figure]:
    """Hostile criteria of 1, 2, 4 and 8 MB: the time a megabyte must not grow."""
    sizes = (1, 2, 4, 8)
    pages = [hostile_criteria(size * 1_000_000) for size in sizes]
    seconds = best(*[lambda page=page: trialscrape.parse(page) for page in pages], rounds=2)
    each = [took / size for took, size in zip(seconds, sizes, strict=True)]
    told = ", ".join(f"{size} MB {took:.2f} s" for size, took in zip(sizes, seconds, strict=True))
    yield ratio("seconds a MB of hostile criteria, 8 MB / 1 MB", each[-1] / each[0], 1.3, told)


def index() -> Iterator[Figure]:
    """600,000 addresses from local sitemap files into the store, and look-ups in them; in a process of its own."""
    with TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-m", "bench.index", folder], capture_output=True, text=True, check=True)
    got = json.loads(done.stdout)
    yield Figure("index 600,000 addresses", "≤ 60 s", f"{got['seconds']:.0f} s", got["seconds"] <= 60)
    yield Figure("its memory", "≤ 300 MB", f"{got['megabytes']:.0f} MB", got["megabytes"] <= 300)
    told = f"{got['median']:.1f} ms (95 of 100 within {got['p95']:.1f} ms)"
    yield Figure("a candidate look-up in it, median", "≤ 5 ms", told, got["median"] <= 5)


def pages_over_http() -> Iterator[Figure]:
    """Registry, page, match, store and record of an id over loopback, with nothing to wait for."""
    ids = [f"NCT99{number:06}" for number in range(200)]
    with Replica(site_of(ids)) as replica, TemporaryDirectory() as folder:
        settings = trialscrape.Settings(site=replica.url, registry=replica.url, rate=100_000, concurrency=1)
        began = time.perf_counter()
        outcomes = list(trialscrape.scrape(ids, store=Path(folder) / "store.db", settings=settings))
        each = 1e3 * (time.perf_counter() - began) / len(ids)
    found = sum(outcome.outcome == "ok" for outcome in outcomes)
    note = f"{each:.1f} ms an id, its answers included; {found} of {len(ids)} ok"
    yield Figure("fetch, match, store and parse of a page", "≤ 10 ms", note, each <= 10 and found == len(ids))


def rate() -> Iterator[Figure]:
    """The default rate over 30 s, against a replica that answers after 1 s, as the replica saw it."""
    ids = [f"NCT99{number:06}" for number in range(16)]
    site = site_of(ids)
    slow = {path: Fault(delay=1.0) for path in paths_of(site)}
    with Replica(site, faults=slow) as replica, TemporaryDirectory() as folder:
        settings = trialscrape.Settings(site=replica.url, registry=replica.url)
        list(trialscrape.scrape(ids, store=Path(folder) / "store.db", settings=settings))
        times = [request.time for request in replica.requests]
    gaps = [second - first for first, second in pairwise(times)]
    held = len(gaps) / sum(gaps)
    told = f"{100 * held:.1f} % ({len(times)} requests in {sum(gaps):.0f} s)"
    yield Figure("1 request a second, held over 30 s", "≥ 98 %", told, held >= 0.98)
    # The replica notes a request when its thread wakes up, which may be some milliseconds late or early.
    yield Figure(
        "the shortest time between two requests", "≥ 1 s", f"{min(gaps):.4f} s as received", min(gaps) >= 0.999
    )


def ratio(what: str, got: float, most: float, note: str) -> Figure:
    """Make a row of a ratio that should be at most so much."""
    return Figure(what, f"≤ {most:g}", f"{got:.2f} ({note})", got <= most)


def main() -> None:
    """Print the table."""
    packages = ("trialscrape", "pydantic", "lxml", "beautifulsoup4", "trafilatura")
    print(f"Python {python_version()}, " + ", ".join(f"{name} {version(name)}" for name in packages))
    print()
    print("| figure | goal | measured | reached |")
    print("|---|---|---|---|")
    for measure in (text_pages, html_pages, start, growth, rate, index, pages_over_http):
        for row in measure():
            print(f"| {row.what} | {row.goal} | {row.got} | {'yes' if row.reached else 'no'} |", flush=True)


if __name__ == "__main__":
    main()

"""Measure, and print a table: what was asked, what came out, and against what.

Every ratio is of two things measured by turns in this one process (commands: by turns on this one machine); the best
of several rounds counts, since everything else only adds time.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import NamedTuple

import lxml.html
import trafilatura
from bs4 import BeautifulSoup

import trialscrape
from bench.inputs import hostile_criteria, saved_html
from trialscrape.records import Trial

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
    for measure in (text_pages, html_pages, start, growth):
        for row in measure():
            print(f"| {row.what} | {row.goal} | {row.got} | {'yes' if row.reached else 'no'} |", flush=True)


if __name__ == "__main__":
    main()

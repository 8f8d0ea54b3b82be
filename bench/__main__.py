"""Measure, and write the table of docs/benchmarks.md: what was measured, the goal, and what came out.

Every ratio is of two things measured by turns, in a random order in each round, by the processor time of this thread
(of commands: of their processes), so that what else runs on the machine counts little. Each row shows the ratio of the
5 % quantiles, which the goal is about, and the ratio of the medians.
"""

import cProfile
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from platform import python_version
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import trafilatura
from resiliparse.extract.html2text import extract_plain_text

import trialscrape
from bench.cores import measure_all
from bench.criteria import compare, typical_text
from bench.inputs import SHAPES, hostile_criteria, paths_of, site_of
from bench.soup import scrape_with_soup
from trialscrape.page import Page
from trialscrape.parsing.text import decode
from trialscrape.records import Trial
from trialscrape.testing.replica import Fault, Replica

SLICES = 40  # of each piece of work
SLICE = 0.004  # seconds that a slice takes at least
QUANTILES = 20  # the first of which is the 5 % quantile
ONE_MODEL = "import pydantic\nclass Trial(pydantic.BaseModel): title: str"
DOCUMENT = Path(__file__).parents[1] / "docs/benchmarks.md"
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end -->)", re.DOTALL)


class Figure(NamedTuple):
    """One row: what was measured, the goal, and what came out."""

    what: str
    goal: str
    got: str
    reached: bool


class Timing(NamedTuple):
    """Seconds of processor time that a piece of work takes: the 5 % quantile and the median of its slices."""

    low: float
    median: float


def timings(
    *works: Callable[[], object], slices: int = SLICES, clock: Callable[[], float] = time.thread_time
) -> list[Timing]:
    """Time each piece of work by turns, in a random order in each round; short work is repeated within a slice."""
    random = Random(3)
    repeats = [_repeats(work, clock) for work in works]
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(slices):
        for index in random.sample(range(len(works)), len(works)):
            began = clock()
            for _ in range(repeats[index]):
                works[index]()
            seconds[index].append((clock() - began) / repeats[index])
    return [
        Timing(statistics.quantiles(each, n=QUANTILES, method="inclusive")[0], statistics.median(each))
        for each in seconds
    ]


def _repeats(work: Callable[[], object], clock: Callable[[], float]) -> int:
    work()  # once, so that nothing is imported or cached within a slice
    began = clock()
    work()
    return max(1, round(SLICE / max(clock() - began, 1e-6)))


def children() -> float:
    """The clock of commands: processor seconds of all processes that this one started and that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def json_line(page: str | bytes) -> str:
    """What is measured: a page to its JSON line."""
    return trialscrape.parse(page).model_dump_json()


def read_again(html: str, line: str) -> None:
    """The least that it could cost: the page's text, and a record that is known already."""
    extract_plain_text(html, preserve_formatting=True, list_bullets=True)
    Trial.model_validate_json(line)


def text_pages() -> Iterator[Figure]:
    """Page text to JSON line, against re-reading that line, for each shape of page."""
    for shape, page in SHAPES.items():
        text = decode(Page(page)).text
        line = trialscrape.parse(text).model_dump_json()
        ours, reading = timings(partial(json_line, text), partial(Trial.model_validate_json, line))
        yield ratio(f"{shape}: page text to JSON line / re-reading the line", ours, reading, 6.0)


def html_pages() -> Iterator[Figure]:
    """An HTML page to its JSON line, against compiled code alone and against other ways, for each shape of page."""
    for shape, page in SHAPES.items():
        text = page.decode()
        ours, compiled, soup, extract = timings(
            partial(json_line, page),
            partial(read_again, text, json_line(page)),
            partial(scrape_with_soup, text),
            partial(trafilatura.extract, text),
        )
        yield ratio(f"{shape}: HTML page to JSON line / its text + re-reading the line", ours, compiled, 2.5)
        goal = 6.0 if shape == "saved by a browser" else 2.5
        yield ratio(f"{shape}: a script with BeautifulSoup / HTML page to JSON line", soup, ours, goal, least=True)
        yield ratio(f"{shape}: trafilatura.extract / HTML page to JSON line", extract, ours, 1.0, least=True)


def calls() -> Iterator[Figure]:
    """Python's calls for a line of the page's text that is not blank."""
    for shape, page in SHAPES.items():
        text = decode(Page(page)).text
        profile = cProfile.Profile(builtins=False)
        profile.runcall(json_line, text)
        made = sum(row.callcount for row in profile.getstats())
        each = made / sum(1 for line in text.split("\n") if line.strip())
        yield Figure(f"{shape}: Python calls a line of its text", "≤ 7", f"{each:.1f}", each <= 7)


def free_text() -> Iterator[Figure]:
    """A text of 15 criteria to its tree; `compare` shows other packages on the same texts."""
    for name, marker in {"bulleted": "* ", "numbered": "{}. "}.items():
        (ours,) = timings(partial(trialscrape.parse_criteria, typical_text(marker)))
        told = f"{1 / ours.low:,.0f} (median {1 / ours.median:,.0f})"
        yield Figure(f"{name} texts of 15 criteria a second", "≥ 9,000", told, 1 / ours.low >= 9_000)


def start() -> Iterator[Figure]:
    """The version, against a Python that does nothing."""
    command = Path(sys.executable).with_name("trialscrape")
    ours, bare = timings(
        lambda: subprocess.run([command, "--version"], capture_output=True, check=True),
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
        clock=children,
    )
    yield ratio("trialscrape --version / python -c pass", ours, bare, 2.5)
    with TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_bytes(next(iter(SHAPES.values())))
        ours, library, model = timings(
            lambda: subprocess.run([command, "parse", page], capture_output=True, check=True),
            lambda: subprocess.run([sys.executable, "-c", "import pydantic; pydantic.BaseModel"], check=True),
            lambda: subprocess.run([sys.executable, "-c", ONE_MODEL], check=True),
            clock=children,
        )
    yield ratio("trialscrape parse with one page / importing pydantic's BaseModel", ours, library, 2.5)
    yield ratio("trialscrape parse with one page / defining one model with it", ours, model, 2.5)


def growth() -> Iterator[Figure]:
    """Hostile criteria of 1 and 8 MB: the time a megabyte must not grow."""
    few, many = (hostile_criteria(size * 1_000_000) for size in (1, 8))
    small, large = timings(lambda: trialscrape.parse(few), lambda: trialscrape.parse(many), slices=5)
    each = Timing(large.low / 8, large.median / 8)
    yield ratio("seconds a MB of hostile criteria, 8 MB / 1 MB", each, small, 1.3)


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
    found = sum(outcome.outcome == "new" for outcome in outcomes)
    note = f"{each:.1f} ms an id, its answers included; {found} of {len(ids)} found"
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


def many_pages() -> Iterator[Figure]:
    """20,000 pages on two cores; the memory of 100,000 pages; these on a Ray cluster of this machine."""
    got = measure_all()
    # With two cores, the work of all processes takes half of its processor time on the clock.
    faster = got["one"] / (got["two"] / 2)
    note = f"{faster:.2f} ({got['one']:.1f} s in one process, {got['two']:.1f} s in three)"
    yield Figure("20,000 HTML pages with 2 jobs / with 1, by processor time", "≥ 1.8", note, faster >= 1.8)
    growth = got["large"] / got["small"]
    note = f"{growth:.2f} ({got['large']:.0f} and {got['small']:.0f} MB, all processes)"
    yield Figure("memory of 100,000 pages / of 1,000", "≤ 1.1", note, growth <= 1.1)
    share = got["local"] / got["ray"]
    note = f"{share:.2f} ({got['ray']:.0f} and {got['local']:.0f} s, records {'equal' if got['same'] else 'DIFFER'})"
    yield Figure("rate of Ray / of 2 jobs, 100,000 pages", "≥ 0.8", note, share >= 0.8 and bool(got["same"]))


def ratio(what: str, first: Timing, second: Timing, goal: float, *, least: bool = False) -> Figure:
    """Make a row of a ratio that should be at most, or at least, so much."""
    got = first.low / second.low
    note = f"medians {first.median / second.median:.2f}; {1e3 * first.low:.2f} and {1e3 * second.low:.2f} ms"
    reached = got >= goal if least else got <= goal
    return Figure(what, f"{'≥' if least else '≤'} {goal:g}", f"{got:.2f} ({note})", reached)


def profile_pages() -> Iterator[str]:
    """Where the time of a page goes: the functions that take most of it themselves, on the shapes in turn."""
    texts = [decode(Page(page)).text for page in SHAPES.values()]
    profile = cProfile.Profile()
    for _ in range(50):
        for text in texts:
            profile.runcall(json_line, text)
    rows = sorted(profile.getstats(), key=lambda row: row.inlinetime, reverse=True)
    total = sum(row.inlinetime for row in rows)
    yield "| function | share of the time |"
    yield "|---|---|"
    for row in rows[:12]:
        name = row.code if isinstance(row.code, str) else f"{Path(row.code.co_filename).stem}.{row.code.co_qualname}"
        yield f"| `{name}` | {100 * row.inlinetime / total:.0f} % |"


def measure_everything() -> Iterator[str]:
    """Give the lines of the document that are measured."""
    packages = ("trialscrape", "pydantic", "lxml", "resiliparse", "beautifulsoup4", "trafilatura")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    yield f"{datetime.now(UTC):%d %B %Y}, Python {python_version()}, {versions}."
    yield from ("", "| figure | goal | measured | reached |", "|---|---|---|---|")
    for measure in (text_pages, html_pages, calls, free_text, start, growth, many_pages, rate, index, pages_over_http):
        for row in measure():
            yield f"| {row.what} | {row.goal} | {row.got} | {'yes' if row.reached else 'no'} |"
    yield from ("", *compare(), "", *profile_pages())


def main() -> None:
    """Print the measured lines as they come, and write them into the document."""
    lines = []
    for line in measure_everything():
        print(line, flush=True)
        lines.append(line)
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(MEASURED.sub(lambda _: "\n".join(lines) + "\n", text), encoding="utf-8")


if __name__ == "__main__":
    main()

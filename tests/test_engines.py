"""Pages read on several cores give what they give on one, in the same order, whatever happens to a process."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest

from support.finishes import die_of_a_page, die_once
from support.page import PAGE
from trialscrape import Page, Store, cores, engines
from trialscrape.exports.jsonl import PageLines, format_pages
from trialscrape.quality.coverage import Coverage, add_coverage, measure_coverage, report
from trialscrape.results import Outcome
from trialscrape.sources.files import Files

KILLED = "the process that read this page was killed; it may need more memory than there is"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of 100 pages, some broken, and a store of 50."""
    for number in range(100):
        text = PAGE.replace("NCT99000100", f"NCT99{number:06}")
        (tmp_path / f"{number:03}.txt").write_text("no page" if number % 10 == 7 else text, encoding="utf-8")
    with Store.open(tmp_path / "050-kept.db") as store, store.transaction():
        for number in range(50):
            body = PAGE.replace("NCT99000100", f"NCT99{number + 1000:06}").encode()
            page = Page(body, content_type="text/html; charset=utf-8", fetched_at=datetime(2026, 1, 2, tzinfo=UTC))
            store.pages.add(f"https://example.org/study/{number}", page)
    return tmp_path


def read(folder: Path, jobs: int | None) -> list[PageLines]:
    return list(chain.from_iterable(engines.map_pages(format_pages, Files([folder]), jobs=jobs)))


def test_two_jobs_give_what_one_gives(folder: Path) -> None:
    one = read(folder, 1)
    assert [line.result.outcome for line in one].count(Outcome.OK) == 140
    assert [line.result.file.rpartition("/")[2] for line in one[49:51]] == ["049.txt", "0"]
    assert [line.result.file.rpartition("/")[2] for line in one[99:101]] == ["49", "050.txt"]
    assert read(folder, 2) == one


def test_many_pages_are_read_on_all_cores(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "FEW_PAGES", 64)
    monkeypatch.setattr(engines, "_count_cores", lambda: 2)
    assert read(folder, None) == read(folder, 1)


def test_few_pages_start_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(jobs: int) -> None:
        raise AssertionError(f"{jobs} processes for few pages")

    monkeypatch.setattr(cores, "_open_pool", start)
    assert len(read(folder, None)) == 150


def test_coverage_adds_up(folder: Path) -> None:
    def measure(jobs: int) -> list[str]:
        counts = Coverage()
        for part in engines.map_pages(measure_coverage, Files([folder]), jobs=jobs):
            add_coverage(counts, part)
        return list(report(counts, {}))

    whole = measure_coverage(engines.parse_files([folder]))
    assert measure(2) == measure(1) == list(report(whole, {}))
    assert measure(2)[0] == "pages   150: 140 read, 10 failed"


def test_a_killed_process_costs_nothing(folder: Path) -> None:
    (folder / "kill").touch()
    results = engines.map_pages(die_once, Files([folder], written=[folder / "kill"]), jobs=2)
    assert list(chain.from_iterable(results)) == read(folder, 1)
    assert not (folder / "kill").exists()


def test_a_page_that_kills_each_process_costs_itself(folder: Path) -> None:
    (folder / "033-deadly.txt").write_text(PAGE, encoding="utf-8")
    deadly = list(chain.from_iterable(engines.map_pages(die_of_a_page, Files([folder]), jobs=2)))
    failed = [line.result for line in deadly if line.result.outcome == "internal_error"]
    assert [(Path(result.file).name, result.message) for result in failed] == [("033-deadly.txt", KILLED)]
    others = [line for line in read(folder, 1) if not line.result.file.endswith("deadly.txt")]
    assert [line for line in deadly if not line.result.file.endswith("deadly.txt")] == others


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    own = [int(word) for word in path.read_text().split()] if path.exists() else []
    return own + [below for child in own for below in children(child)]


def test_an_interrupt_ends_all_processes(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    for number in range(6_000):
        (pages / f"{number}.txt").write_text(PAGE, encoding="utf-8")
    command = [sys.executable, "-m", "trialscrape", "parse", "pages", "-o", "trials.jsonl", "--jobs", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not list(tmp_path.glob("trials.jsonl*.part")) or len(children(process.pid)) < 3:
            assert process.poll() is None
            time.sleep(0.01)
        begun = children(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said.startswith("stopped; what was written is in ")
    assert said.count("\n") == 1, said
    for pid in begun:
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            time.sleep(0.01)
    assert not (tmp_path / "trials.jsonl").exists()

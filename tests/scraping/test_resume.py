"""Resuming an interrupted run, and commands that must not write over what they read."""

import os
import re
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import trialscrape
from support.page import PAGE
from trialscrape.parsing.parser import parse_page
from trialscrape.scraping.run import run_key
from trialscrape.settings import Settings
from trialscrape.store.store import Store
from trialscrape.testing.replica import Fault, Replica, Site, Study

ID, OTHER = "NCT99000100", "NCT99000101"
STUDIES = (
    Study(nct_id=ID, slug="tree-bathing", brief_title="Tree Bathing", page=PAGE.encode()),
    Study(nct_id=OTHER, slug="tree-climbing", brief_title="Tree Climbing", page=PAGE.replace(ID, OTHER).encode()),
)


def quick(replica: Replica, **changes: object) -> Settings:
    defaults: dict[str, object] = {"rate": 500.0, "retries": 0, "concurrency": 1, "backoff": 0.0}
    return Settings(site=replica.url, registry=replica.url, **(defaults | changes))


def interrupt(store: Path, settings: Settings) -> trialscrape.IdResult:
    """Begin a run of two ids, and leave it after the first."""
    with closing(trialscrape.scrape([ID, OTHER], store=store, settings=settings)) as run:  # type: ignore[type-var]  # it is a generator
        return next(run)


def test_what_may_have_passed_is_tried_again(tmp_path: Path) -> None:
    with Replica(Site(studies=STUDIES), faults={"/study/tree-bathing": Fault(status=500)}) as replica:
        settings = quick(replica)
        assert interrupt(tmp_path / "store.db", settings).outcome == "server_error"
        replica.faults.clear()
        outcomes = list(trialscrape.scrape([ID, OTHER], store=tmp_path / "store.db", settings=settings))
    assert [result.outcome for result in outcomes] == ["new", "new"]


def test_an_interrupted_run_is_forgotten_after_a_day(tmp_path: Path) -> None:
    with Replica(Site(studies=STUDIES)) as replica:
        settings = quick(replica, max_age=timedelta(0))
        assert interrupt(tmp_path / "store.db", settings).outcome == "new"
        with Store.open(tmp_path / "store.db") as store:
            key = run_key([ID, OTHER], settings)
            assert ID in store.runs.list_finished(key)
            now = datetime.now(UTC)
            store.runs.begin(key, now, not_before=now - timedelta(days=1))
            assert ID in store.runs.list_finished(key)
            store.runs.begin(key, now, not_before=now + timedelta(days=1))
            assert not store.runs.list_finished(key)


def test_a_fault_of_trialscrape_costs_one_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "trialscrape.engines.parse_page", lambda page: 1 / 0 if "bathing" in page.url else parse_page(page)
    )
    with Replica(Site(studies=STUDIES)) as replica:
        outcomes = list(trialscrape.scrape([ID, OTHER], store=tmp_path / "store.db", settings=quick(replica)))
    assert [result.outcome for result in outcomes] == ["internal_error", "new"]
    assert "please report it: ZeroDivisionError" in str(outcomes[0].message)


def test_one_id_is_no_list_of_ids() -> None:
    with pytest.raises(TypeError, match=rf"pass \['{ID}'\]"):
        list(trialscrape.scrape(ID))


@pytest.mark.parametrize(
    "arguments",
    [
        ["scrape", ID, "-o", "trialscrape.db"],
        ["scrape", ID, "-o", "x.db", "--store", "x.db"],
        ["scrape", ID, "-o", "link"],
        ["scrape", ID, "-o", "trialscrape.db-wal"],
        ["scrape", "-i", "ids.csv", "-o", "ids.csv"],
        ["store", "export", "trialscrape.db"],
        ["store", "export", "pipe"],
    ],
)
def test_nothing_that_is_read_is_written_over(arguments: list[str], tmp_path: Path) -> None:
    with Store.open(tmp_path / "trialscrape.db"):
        pass
    (tmp_path / "ids.csv").write_text(ID)
    (tmp_path / "link").symlink_to("trialscrape.db")
    os.mkfifo(tmp_path / "pipe")
    kept = (tmp_path / "trialscrape.db").read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "trialscrape", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "expected" in done.stderr
    assert (tmp_path / "trialscrape.db").read_bytes() == kept
    assert (tmp_path / "ids.csv").read_text() == ID
    assert (tmp_path / "pipe").is_fifo()


def test_the_bar_on_a_terminal_shows_the_counts(tmp_path: Path) -> None:
    with Replica(Site(studies=STUDIES), faults={"/study/tree-bathing": Fault(delay=0.5)}) as replica:
        own = {"TRIALSCRAPE_SITE": replica.url, "TRIALSCRAPE_REGISTRY": replica.url, "TRIALSCRAPE_RATE": "500"}
        shown, terminal = os.openpty()
        done = subprocess.run(
            [sys.executable, "-m", "trialscrape", "scrape", ID, OTHER, "-o", "trials.jsonl"],
            cwd=tmp_path,
            env={**os.environ, **own, "COLUMNS": "120", "TERM": "xterm"},
            stderr=terminal,
            check=False,
        )
    os.close(terminal)
    shown_text = os.read(shown, 1_000_000).decode()
    os.close(shown)
    assert done.returncode == 0
    assert re.search(r"ids: [12] ok, 0 failed, [0-9.]+/s", shown_text)
    assert re.search(r"[12]/2", shown_text)

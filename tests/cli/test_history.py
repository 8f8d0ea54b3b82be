"""`store list`, `history`, `show` and `prune` as processes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import trialscrape
from support.commands import IDS, STUDIES, UNKNOWN, Runner, rows
from trialscrape.page import Page
from trialscrape.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
URL, OTHER = (f"https://ctv.example/study/{study.slug}" for study in STUDIES[:2])
BODY = STUDIES[0].page if isinstance(STUDIES[0].page, bytes) else b""
ENDED = BODY.replace(b"Enrolling", b"Completed").replace(b"  \xe2\x80\xa2 Restless\n", b"")


@pytest.fixture
def store(run: Runner) -> Path:
    """A store with three versions of one page, the last matched, and one of another, fetched by its address."""
    path = run.folder / "trialscrape.db"
    first = Page(BODY, "text/plain; charset=utf-8", URL, fetched_at=NOON)
    with Store.open(path) as opened:
        opened.pages.add(URL, first, ids=[IDS[0]])
        opened.pages.add(URL, replace(first, body=b"Are you a robot?", fetched_at=NOON + HOUR))
        last, _ = opened.pages.add(URL, replace(first, body=ENDED, fetched_at=NOON + 2 * HOUR))
        opened.pages.set_match(IDS[0], last, trialscrape.page.Match("nct_id", IDS[0]))
        opened.pages.touch(URL, NOON + 3 * HOUR)
        opened.pages.add(OTHER, replace(first, url=OTHER))
    return path


def test_what_is_kept_is_listed(run: Runner, store: Path) -> None:
    done = run("store", "list")
    assert done.stdout.splitlines() == [
        f"{IDS[0]}  3 versions  2026-03-01T15:00:00Z  {URL}",
        f"-            1 version  2026-03-01T12:00:00Z  {OTHER}",
    ]
    assert (done.returncode, done.stderr) == (0, "2 pages in trialscrape.db\n")
    assert rows(run("store", "list", "--json", "--store", str(store)).stdout)[0] == {
        "url": URL,
        "studies": [IDS[0]],
        "versions": 3,
        "fetched_at": "2026-03-01T14:00:00Z",
        "checked_at": "2026-03-01T15:00:00Z",
    }


@pytest.mark.usefixtures("store")
def test_the_versions_of_a_page_and_what_changed(run: Runner) -> None:
    done = run("store", "history", IDS[0].lower())
    address, first, second, failure, third, *changed = done.stdout.splitlines()
    assert (address, done.stderr, done.returncode) == (URL, "", 0)
    assert first.startswith(f"  version 1  2026-03-01T12:00:00Z  {len(BODY):,} bytes  sha256 ")
    assert second.startswith("  version 2  2026-03-01T13:00:00Z  16 bytes  sha256 ")
    assert failure.startswith("    not_a_study_page: expected a study page")
    assert third.startswith(f"  version 3  2026-03-01T14:00:00Z  {len(ENDED):,} bytes  sha256 ")
    assert changed == ["    overall_status changed", "    eligibility.inclusion changed"]
    listed = rows(run("store", "history", URL, "--json").stdout)
    assert [row["version"] for row in listed] == [1, 2, 3]
    assert [row["changed"] for row in listed] == [None, None, ["overall_status", "eligibility.inclusion"]]
    assert [row["message"] is None for row in listed] == [True, False, True]
    assert listed[2]["checked_at"] == "2026-03-01T15:00:00Z"


@pytest.mark.usefixtures("store")
def test_a_version_is_shown(run: Runner) -> None:
    assert "Completed" in run("store", "show", IDS[0]).stdout
    assert run("store", "show", IDS[0], "--version", "1", "--page").stdout.encode() == BODY
    (record,) = rows(run("store", "show", IDS[0], "--version", "1", "--json").stdout)
    assert record == trialscrape.parse(BODY, url=URL, file=URL).model_dump(mode="json")
    done = run("store", "show", IDS[0], "--version", "2")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{URL}: not_a_study_page: ")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["history", UNKNOWN],
            1,
            f"trialscrape.db has no page of {UNKNOWN}: `trialscrape store list` lists what there",
        ),
        (["show", IDS[0], "--version", "4"], 1, f"has no version 4 of {IDS[0]}: `trialscrape store history {IDS[0]}`"),
        (["show", IDS[0], "--version", "99"], 1, "has no version 99"),
        (["show", IDS[0], "--page", "--json"], 2, "give --json or --page, not both"),
        (["list", "--store", "none.db"], 1, "none.db: expected a store, found no such file"),
        (["prune"], 2, "--keep"),
        (["prune", "--keep", "0"], 2, "--keep"),
        (["prune", "--keep", "1", "--store", "none.db"], 2, "there is no store none.db"),
    ],
)
def test_what_is_not_there_is_reported(run: Runner, arguments: list[str], code: int, message: str) -> None:
    done = run("store", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert not (run.folder / "none.db").exists()


def list_versions(path: Path) -> list[int]:
    with Store.open(path, lock=False) as opened:
        return [kept.version_id for kept in opened.pages.all_versions()]


def test_older_versions_are_removed_and_what_matches_rest_on_stays(run: Runner, store: Path) -> None:
    with Store.open(store) as opened:
        noise = bytes(range(256)) * 4000
        opened.pages.add(URL, Page(noise[::-1], fetched_at=NOON + 4 * HOUR))
        opened.pages.add(URL, Page(BODY, fetched_at=NOON + 5 * HOUR))
    assert run("store", "prune", "--keep", "1", "--dry-run").stderr == "3 versions would be removed; nothing was\n"
    assert list_versions(store) == [1, 2, 3, 4, 5, 6]
    done = run("store", "prune", "--keep", "2")
    assert done.stderr.startswith("2 versions removed; trialscrape.db had ")
    assert list_versions(store) == [3, 4, 5, 6]
    assert run("store", "prune", "--keep", "1").returncode == 0
    assert list_versions(store) == [3, 4, 6]
    with Store.open(store, lock=False) as opened:
        matched = opened.pages.find_matched(IDS[0], under="https://")
        assert matched is not None
        assert matched[0].version_id == 3


def test_the_room_of_what_is_removed_is_given_back(run: Runner, store: Path) -> None:
    with Store.open(store) as opened:
        for number in range(3):
            noise = b"".join(n.to_bytes(4, "big") for n in range(number * 100_000, (number + 1) * 100_000))
            opened.pages.add(OTHER, Page(noise, fetched_at=NOON + number * HOUR))
        opened.pages.add(OTHER, Page(BODY, fetched_at=NOON + 9 * HOUR))
    before = store.stat().st_size
    assert run("store", "prune", "--keep", "1").returncode == 0
    assert store.stat().st_size < before / 2


def test_a_store_in_use_is_not_pruned(run: Runner, store: Path) -> None:
    with Store.open(store):
        done = run("store", "prune", "--keep", "1")
    assert done.returncode == 1
    assert "expected to use the store alone, found it in use by process" in done.stderr
    assert list_versions(store) == [1, 2, 3, 4]

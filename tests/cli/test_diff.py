"""`diff` as a process."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import trialscrape
from support.commands import COMMAND, IDS, STUDIES, Runner, rows
from support.page import PAGE, with_
from trialscrape.store.store import Store


def write(path: Path, *pages: str) -> str:
    records = [trialscrape.parse(page).model_dump_json() + "\n" for page in pages]
    path.write_text("".join(records))
    return str(path)


def run_diff(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, "diff", *arguments], input=stdin, capture_output=True, text=True, check=False)


OTHER = with_(("NCT99000100", "NCT99000101"))
CHANGED = with_(
    ("Enrolling", "Completed"),
    ("Restlessness\n", "Restlessness\nMosses\n"),
    ("  • Clerk by trade\n  • Restless\n", "  • Restless\n  • Clerk by trade or training\n"),
    ("One hour under an oak.", "Two hours\x1b[2J under an oak."),
)


def test_changes_for_a_person(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old.jsonl", PAGE, OTHER), write(tmp_path / "new.jsonl", CHANGED)
    done = run_diff(old, new)
    assert done.stdout.splitlines() == [
        "NCT99000100",
        "  overall_status changed",
        "    - Enrolling",
        "    + Completed",
        "  conditions changed",
        "    + Mosses",
        "  eligibility.inclusion reworded",
        "    - Clerk by trade",
        "    + Clerk by trade or training",
        "  arms.description of 'Forest' changed",
        "    - One hour under an oak.",
        "    + Two hours\\x1b[2J under an oak.",
        "NCT99000101",
        "  study removed",
        "    - Tree Bathing for Restless Clerks (TREEBATH)",
    ]
    assert (done.returncode, done.stderr) == (1, "2 studies: 1 changed, 0 added, 1 removed\n")


def test_changes_for_a_program(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old.jsonl", PAGE, OTHER), write(tmp_path / "new.jsonl", CHANGED)
    done = run_diff(old, "-", "--json", "--ignore", "arms", "--ignore", "conditions", stdin=Path(new).read_text())
    assert rows(done.stdout) == [
        {
            "study": "NCT99000100",
            "change": "changed",
            "field": "overall_status",
            "item": None,
            "old": {"label": "Enrolling", "code": "RECRUITING"},
            "new": {"label": "Completed", "code": "COMPLETED"},
        },
        {
            "study": "NCT99000100",
            "change": "reworded",
            "field": "eligibility.inclusion",
            "item": None,
            "old": "Clerk by trade",
            "new": "Clerk by trade or training",
        },
        {
            "study": "NCT99000101",
            "change": "removed",
            "field": None,
            "item": None,
            "old": "Tree Bathing for Restless Clerks (TREEBATH)",
            "new": None,
        },
    ]
    assert done.returncode == 1


def test_nothing_changed_is_0(tmp_path: Path) -> None:
    old = write(tmp_path / "old.jsonl", PAGE, OTHER)
    new = write(tmp_path / "new.jsonl", OTHER, PAGE)
    done = run_diff(old, new)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "2 studies: 0 changed, 0 added, 0 removed\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["old.jsonl", "none.jsonl"], "cannot read none.jsonl: no such file or directory\n"),
        (["old.jsonl", "page.txt"], "page.txt:1: expected a record as JSON, found "),
        (["old.jsonl", "twice.jsonl"], "twice.jsonl:2: expected one record of NCT99000100, found a second"),
        (["-", "-"], "stdin can be read once"),
        (["old.jsonl", "old.jsonl", "--ignore", "statsu"], "there is no field statsu; choose from nct_id, title"),
        (["old.jsonl"], "Missing argument"),
    ],
)
def test_trouble_is_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("old.jsonl"), PAGE)
    write(Path("twice.jsonl"), PAGE, PAGE)
    Path("page.txt").write_text(PAGE)
    done = run_diff(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_versions_in_a_store(run: Runner) -> None:
    assert run("scrape", *IDS[:2]).returncode == 0
    with Store.open(run.folder / "trialscrape.db") as store:
        kept = store.pages.latest(f"{run.replica.url}/study/{STUDIES[0].slug}")
        assert kept is not None
        body = kept.page.body.replace(b"Enrolling", b"Suspended")
        store.pages.add(kept.url, replace(kept.page, body=body))
    assert run("diff", "trialscrape.db", "trialscrape.db").returncode == 0
    done = run("diff", f"trialscrape.db@{kept.version_id}", "trialscrape.db", "--json")
    assert sorted((row["study"], row["change"], row["field"]) for row in rows(done.stdout)) == [
        (IDS[0], "changed", "overall_status"),
        (IDS[1], "added", None),
    ]


def test_nothing_of_the_network_is_imported(tmp_path: Path) -> None:
    old = write(tmp_path / "old.jsonl", PAGE)
    program = (
        "import sys\nfrom trialscrape import __main__\n"
        "try:\n    __main__.main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        "print(sorted({'httpx', 'httpcore', 'ssl', 'trialscrape.scraping'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "diff", old, old], capture_output=True, text=True, check=False
    )
    assert json.loads(done.stdout) == []

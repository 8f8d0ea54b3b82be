"""What `scrape` and `index sync` print and log, and what they ask before they are fast."""

import re
from pathlib import Path

import pytest

from support.commands import IDS, STUDIES, UNKNOWN, Runner, estimate, summary
from trialscrape.testing.replica import Fault


def words(text: str) -> str:
    """Return the words of a message, which may be wrapped."""
    return " ".join(text.split())


def test_quiet_leaves_out_all_but_errors(run: Runner) -> None:
    (run.folder / "ids.txt").write_text(f"{IDS[0]} {UNKNOWN}")
    done = run("scrape", "-q", "-i", "ids.txt", "-o", "trials.jsonl")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{UNKNOWN}: not_found: the registry has no study {UNKNOWN}; check the id\n"
    assert run("index", "sync", "--quiet").stderr == ""
    assert run("parse", "-q", "trialscrape.db", "-o", "parsed.jsonl").stderr == ""


def test_the_log_has_each_request_and_the_messages(run: Runner) -> None:
    run.replica.faults[f"/study/{STUDIES[0].slug}"] = Fault(status=503, times=1)
    for _ in range(2):
        done = run("scrape", IDS[0], "--log", "run.log")
        assert done.returncode == 0
    log = (run.folder / "run.log").read_text()
    assert all(
        re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ trialscrape[.a-z]*: ", line)
        for line in log.splitlines()
    )
    url = f"{run.replica.url}/study/{STUDIES[0].slug}"
    lines = [re.sub(r"\S+ (\S+) \S+: ", r"\1 ", line, count=1) for line in log.splitlines()]
    requests = [re.sub(r", [0-9]+ bytes, [0-9.]+ s", "", line) for line in lines if url in line]
    assert requests == [
        f"INFO GET {url}: HTTP 503, attempt 1",
        f"WARNING {url} answered HTTP 503 Service Unavailable; try again later",
        f"INFO GET {url}: HTTP 200, attempt 2",
    ]
    assert f"INFO {run.replica.url}/robots.txt is obeyed: no delay, 1 sitemap" in lines
    assert f"INFO {estimate(2).strip()}" in lines
    assert "INFO " + summary("1 id: 1 cached", 0).strip() in lines


def test_verbose_prints_requests_and_no_message_twice(run: Runner) -> None:
    done = run("scrape", "-v", IDS[0])
    assert done.returncode == 0
    assert done.stderr.count("GET ") == 3  # robots.txt, the registry, the page
    assert done.stderr.count("1 id: 1 new") == 1


WRONG = {
    "quiet and verbose": (["-q", "-v"], "expected -q or -v, found both"),
    "a log in no folder": (["--log", "nope/run.log"], "cannot write nope/run.log: no such file or directory"),
    "a log that is the store": (
        ["--log", "trialscrape.db"],
        "cannot write trialscrape.db: this command uses it for something else",
    ),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_a_log_that_cannot_be_kept_ends_a_run_before_it_begins(run: Runner, options: list[str], message: str) -> None:
    for command in (["scrape", IDS[0]], ["index", "sync"]):
        done = run(*command, *options)
        assert done.returncode == 2
        assert message in words(done.stderr)
    assert run.replica.requests == []


def test_a_log_is_not_the_unfinished_output(run: Runner) -> None:
    done = run("scrape", IDS[0], "-o", "a.jsonl", "--log", "a.jsonl.part")
    assert done.returncode == 2
    assert "cannot write a.jsonl.part: this command uses it for something else" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_log_on_a_full_disk_is_reported_once(run: Runner) -> None:
    done = run("scrape", IDS[0], "--log", "/dev/full")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        estimate(2).strip(),
        "cannot write /dev/full: no space left on device; the log ends here",
        summary("1 id: 1 new", 2).strip(),
    ]


def test_a_host_that_is_not_there_is_one_line(run: Runner) -> None:
    nowhere = {"SITE": "http://127.0.0.1:9", "REGISTRY": "http://127.0.0.1:9", "RETRIES": "0"}
    done = run("scrape", *IDS[:4], "-o", "trials.jsonl", **nowhere)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:-1] == [
        f"network_error: connection refused by 127.0.0.1:9 (4 ids: {IDS[0]}, {IDS[1]}, {IDS[2]}, …)"
    ]


FAST = {
    "an option": (["scrape", IDS[0], "--rate", "5"], {"RATE": ""}),
    "the environment": (["scrape", IDS[0]], {"RATE": "2.5"}),
    "the index": (["index", "sync", "--rate", "5"], {"RATE": ""}),
}


@pytest.mark.parametrize(("command", "settings"), FAST.values(), ids=FAST)
def test_a_fast_run_on_the_real_site_must_be_agreed_to(
    run: Runner, command: list[str], settings: dict[str, str]
) -> None:
    done = run(*command, SITE="https://CTV.veeva.com.", **settings)
    assert done.returncode == 2
    assert "other readers keep to 2 requests a second. Lower --rate or TRIALSCRAPE_RATE to 2, or add --yes" in words(
        done.stderr
    )
    assert list(run.folder.iterdir()) == []


def test_a_fast_run_that_was_agreed_to_is_planned(run: Runner) -> None:
    done = run("scrape", IDS[0], "--dry-run", "-y", SITE="", REGISTRY="")
    assert done.returncode == 0
    assert run("scrape", IDS[0], "--dry-run", SITE="", REGISTRY="").returncode == 2
    assert run("scrape", IDS[0], "--dry-run", SITE="", REGISTRY="", RATE="2").returncode == 0

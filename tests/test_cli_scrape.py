"""`scrape`, `index` and `store` as processes: what they write, how they end, and what a killed run leaves."""

import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from page import PAGE, with_
from trialscrape import parser
from trialscrape.records import Trial
from trialscrape.replica import Asked, Fault, Replica, Site, Study
from trialscrape.store import Store

COMMAND = [sys.executable, "-m", "trialscrape"]
TITLE, SLUG = "Tree Bathing for Restless Clerks", "tree-bathing-for-restless-clerks"
FIELDS = ["id", "outcome", "url", "attempts", "proof", "message"]


def study(number: int) -> Study:
    """Return the invented study `NCT9900<number>`."""
    nct_id, title = f"NCT9900{number}", f"{TITLE} Part {number}"
    return Study(
        nct_id=nct_id,
        slug=f"{SLUG}-part-{number}",
        page=with_(("NCT99000100", nct_id), (TITLE, title)).encode(),
        brief_title=title,
        acronym="TREEBATH",
        sponsor="Institute for Arboreal Medicine",
    )


STUDIES = tuple(study(number) for number in range(1000, 1012))
IDS = [each.nct_id for each in STUDIES]
UNKNOWN = "NCT99009999"


@pytest.fixture
def replica() -> Iterator[Replica]:
    with Replica(Site(studies=STUDIES)) as running:
        yield running


def environment(replica: Replica, changes: Mapping[str, str]) -> dict[str, str]:
    settings = {"SITE": replica.url, "REGISTRY": replica.url, "RATE": "500", "BACKOFF": "0.01", "BACKOFF_LIMIT": "0.02"}
    own = {f"TRIALSCRAPE_{name}": value for name, value in (settings | dict(changes)).items()}
    return {name: value for name, value in os.environ.items() if not name.startswith("TRIALSCRAPE_")} | own


@dataclass(frozen=True)
class Runner:
    """Runs commands in a folder, with settings for a replica from the environment."""

    replica: Replica
    folder: Path

    def start(self, *arguments: str, command: list[str] | None = None, **settings: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*(command or COMMAND), *arguments],
            cwd=self.folder,
            env=environment(self.replica, settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(
        self, *arguments: str, stdin: str = "", command: list[str] | None = None, **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments, command=command, **settings)
        output, told = process.communicate(stdin.encode(), timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, output.decode(), told.decode())

    def written(self) -> tuple[bytes, bytes]:
        """Give the records and the outcomes, as bytes."""
        return (self.folder / "trials.jsonl").read_bytes(), (self.folder / "trials.outcomes.jsonl").read_bytes()

    def asked(self) -> list[str]:
        """Give the paths that were asked for, robots.txt left out."""
        return [path_of(asked) for asked in self.replica.requests if asked.path != "/robots.txt"]


def path_of(asked: Asked) -> str:
    return asked.path.split("?")[0]


@pytest.fixture
def run(replica: Replica, tmp_path: Path) -> Runner:
    return Runner(replica, tmp_path)


def elsewhere(run: Runner, name: str) -> Runner:
    (run.folder / name).mkdir()
    return replace(run, folder=run.folder / name)


def rows(lines: bytes | str) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.splitlines()]


def wait_for(true: object) -> None:
    """Wait until a function gives something true."""
    assert callable(true)
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)


# What is written


def test_records_and_outcomes_are_written_in_the_order_asked(run: Runner) -> None:
    done = run("scrape", IDS[1], UNKNOWN, IDS[0], "-o", "trials.jsonl")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"{UNKNOWN}: not_found: the registry has no study {UNKNOWN}; check the id",
        "3 ids: 2 ok, 1 not_found; 5 requests; records in trials.jsonl",
    ]
    records, outcomes = run.written()
    address = f"{run.replica.url}/study/"
    assert [Trial.model_validate_json(line) for line in records.splitlines()] == [
        parser.parse(page, url=address + each.slug) for each in STUDIES[1::-1] if isinstance(page := each.page, bytes)
    ]
    assert rows(outcomes) == [
        dict(zip(FIELDS, values, strict=True))
        for values in (
            [IDS[1], "ok", address + STUDIES[1].slug, 2, "nct_id", None],
            [UNKNOWN, "not_found", None, 1, None, f"the registry has no study {UNKNOWN}; check the id"],
            [IDS[0], "ok", address + STUDIES[0].slug, 2, "nct_id", None],
        )
    ]
    assert list(rows(outcomes)[0]) == FIELDS
    files = {path.name for path in run.folder.iterdir()}
    assert files - {"trialscrape.db.lock"} == {"trials.jsonl", "trials.outcomes.jsonl", "trialscrape.db"}


def test_all_well_is_0_and_records_go_to_stdout(run: Runner) -> None:
    done = run("scrape", *IDS[:2])
    assert (done.returncode, done.stderr) == (0, "2 ids: 2 ok; 4 requests\n")
    assert [row["nct_id"] for row in rows(done.stdout)] == IDS[:2]
    run.replica.requests.clear()
    again = run("scrape", *IDS[:2])
    assert (again.returncode, again.stderr, again.stdout) == (0, "2 ids: 2 cached; 0 requests\n", done.stdout)
    assert run.replica.requests == []
    assert run("scrape", *IDS[:2], "--max-age", "0").stderr == "2 ids: 2 unchanged; 2 requests\n"


def test_ids_are_taken_from_a_file_or_stdin(run: Runner) -> None:
    table = f"\ufeffrank,id\n1,{IDS[2].lower()}\n# {IDS[5]}\n\n2,{IDS[1]}\n3,{IDS[2]}\n"
    (run.folder / "ids.csv").write_text(table, encoding="utf-8")
    for arguments, stdin in ((["-i", "ids.csv"], ""), (["-i", "-"], table)):
        done = run("scrape", IDS[0], *arguments, stdin=stdin)
        assert done.returncode == 0
        assert [row["nct_id"] for row in rows(done.stdout)] == [IDS[0], IDS[2], IDS[1]]


def test_a_dry_run_asks_nobody(run: Runner) -> None:
    run("scrape", IDS[0])
    run.replica.requests.clear()
    url = run.replica.url
    done = run("scrape", "--dry-run", *IDS[:2], "trees", STUDIES[3].slug, "-o", "trials.jsonl", CONTACT="a@b.example")
    assert (done.returncode, done.stderr) == (0, "")
    assert [re.sub(r"trialscrape/\S+", "trialscrape", line) for line in done.stdout.splitlines()] == [
        "robots.txt first, at most 500 requests a second, as trialscrape (+a@b.example)",
        f"{IDS[0]}: nothing, {url}/study/{STUDIES[0].slug} is kept and young enough",
        f"{IDS[1]}: GET {url}/api/v2/studies/{IDS[1]}, then {url}/study/… by its titles",
        "trees: nothing, it is no id, address or slug",
        f"{STUDIES[3].slug}: GET {url}/study/{STUDIES[3].slug}",
    ]
    old = run("scrape", "--dry-run", IDS[0], "--max-age", "0").stdout.splitlines()
    assert old[1:] == [f"{IDS[0]}: GET {url}/study/{STUDIES[0].slug} if it changed"]
    assert run.replica.requests == []
    assert not list(run.folder.glob("trials.*"))


def test_options_win_over_the_environment(run: Runner) -> None:
    options = ["--site", run.replica.url, "--registry", run.replica.url, "--contact", "c@d.example", "--rate", "400"]
    done = run("scrape", IDS[0], *options, SITE="http://127.0.0.1:9", REGISTRY="http://127.0.0.1:9", CONTACT="a@b.example")
    assert done.returncode == 0
    assert {asked.headers["user-agent"].split()[-1] for asked in run.replica.requests} == {"(+c@d.example)"}


WRONG: dict[str, tuple[list[str], dict[str, str], str]] = {
    "no ids": ([], {}, "expected NCT ids, or -i with a file that has some; found none"),
    "no ids in a file": (["-i", "-"], {}, "expected NCT ids, or -i with a file that has some; found none"),
    "no such file": (["-i", "nope.txt"], {}, "expected a readable text file for -i: [Errno 2] No such file"),
    "no text": (["-i", sys.executable], {}, "expected a readable text file for -i: 'utf-8' codec can't decode"),
    "no folder": ([IDS[0], "-o", "nope/trials.jsonl"], {}, "expected a file in an existing folder, found"),
    "not a file": ([IDS[0], "-o", "/dev/full"], {}, "expected a file in an existing folder, found /dev/full"),
    "rate of 0": ([IDS[0], "--rate", "0"], {}, "setting rate: expected a number above 0, found '0.0'"),
    "rate in words": ([IDS[0], "--rate", "fast"], {}, "'fast' is not a valid float"),
    "age": ([IDS[0], "--max-age", "7w"], {}, "expected an age as 7d, 12h, 30m or 0, found '7w'"),
    "site": ([IDS[0], "--site", "ftp://a"], {}, "setting site: expected scheme and host, as https://ctv.veeva.com"),
    "environment": ([IDS[0]], {"RATE": "fast"}, "TRIALSCRAPE_RATE: expected a number, found 'fast'"),
    "unknown variable": ([IDS[0]], {"RATES": "1"}, "found TRIALSCRAPE_RATES"),
    "unknown option": ([IDS[0], "--nope"], {}, "No such option: --nope"),
}


@pytest.mark.parametrize(("arguments", "settings", "message"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_2_and_told(run: Runner, arguments: list[str], settings: dict[str, str], message: str) -> None:
    done = run("scrape", *arguments, **settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(re.sub("[│╭╮╰╯─]", " ", done.stderr).split())
    assert run.replica.requests == []
    assert list(run.folder.iterdir()) == []


# How a run ends early, and goes on


def test_ctrl_c_says_how_to_go_on_and_going_on_works(run: Runner) -> None:
    command = ["scrape", *IDS, "-o", "trials.jsonl"]
    other = elsewhere(run, "undisturbed")
    other(*command)
    run.replica.requests.clear()
    slow = f"/study/{STUDIES[6].slug}"
    run.replica.faults[slow] = Fault(delay=20)
    process = run.start(*command)
    wait_for(lambda: slow in run.asked())
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    output, told = process.communicate(timeout=20)
    assert time.monotonic() - began < 3
    assert (process.returncode, output) == (130, b"")
    assert told.decode() == "stopped; the same command goes on with it; what was fetched is in trialscrape.db\n"
    assert not (run.folder / "trials.jsonl").exists()
    finished = finished_in(run)
    assert set(IDS[:6]) <= finished
    run.replica.faults.clear()
    run.replica.requests.clear()
    assert run(*command).returncode == 0
    assert not finished & ids_of(run.replica.requests)
    assert run.written() == other.written()


def finished_in(run: Runner) -> set[str]:
    """Give the ids that the interrupted run in a folder's store has finished."""
    with Store.open(run.folder / "trialscrape.db", lock=False) as store:
        return {nct_id for going in store.runs() for nct_id in store.finished(going.key)}


def kept_in(run: Runner) -> set[str]:
    """Give the paths of the pages in a folder's store."""
    with Store.open(run.folder / "trialscrape.db", lock=False) as store:
        return {page.url.removeprefix(run.replica.url) for page in store.all_versions()}


def ids_of(requests: list[Asked]) -> set[str]:
    """Give the ids for which something was asked."""
    known = {each.slug: each.nct_id for each in run_studies()}
    names = {path_of(asked).rpartition("/")[2] for asked in requests}
    return {known.get(re.sub(r"-1$", "", name), name) for name in names}


def run_studies() -> tuple[Study, ...]:
    return (*STUDIES, *KILLED)


# A run of 40 ids in which everything happens: most are found, some in each other way not.
NUMBERS = range(2000, 2036)
UNNAMED = ("NCT99002003\nIAM-7 (Other Identifier)\n\n", "")
KILLED = tuple(
    {
        2003: replace(one, page=(one.page or b"").replace(UNNAMED[0].encode(), b"")),  # proven by its title
        2007: replace(one, page=None),  # unresolved
        2011: replace(one, page=PAGE.encode()),  # mismatch
        2019: replace(one, nct_id="NCT99002919", aliases=(one.nct_id,), page=(one.page or b"").replace(one.nct_id.encode(), b"NCT99002919")),  # old id
        2023: replace(one, page=b"<p>Are you human?"),  # not_a_study_page
    }.get(number, one)
    for number in NUMBERS
    if isinstance((one := study(number)).page, bytes)
)
FORTY = [f"NCT9900{number}" for number in NUMBERS]
FORTY[9:9] = [UNKNOWN, "NCT99"]
FORTY[27:27] = [KILLED[5].slug, "NCT99009998"]
KILLS = 50
GO_ON = ["scrape", *FORTY, "-o", "trials.jsonl"]


def test_kill_9_at_fifty_random_moments_changes_nothing(tmp_path: Path) -> None:
    chance = random.Random(40)  # noqa: S311  a test that can be repeated
    with Replica(Site(studies=KILLED)) as replica:
        replica.faults[f"/study/{KILLED[30].slug}"] = Fault(status=403)
        run = Runner(replica, tmp_path)
        undisturbed = elsewhere(run, "undisturbed")
        assert undisturbed(*GO_ON).returncode == 1
        expected = undisturbed.written()
        outcomes = [row["outcome"] for row in rows(expected[1])]
        assert len(outcomes) == len(FORTY) == 40
        assert set(outcomes) >= {"ok", "not_found", "unresolved", "mismatch", "invalid_id", "server_error"}
        kills = goes = 0
        while kills < KILLS:
            goes += 1
            one = elsewhere(run, f"go-{goes}")
            kills += killed_until_done(one, chance)
            assert one.written() == expected
            assert not list(one.folder.glob("*.part"))


def killed_until_done(run: Runner, chance: random.Random) -> int:
    """Start the run again and again, kill it each time, until it is done. Give how often it was killed."""
    kills = 0
    done: set[str] = set()
    kept: set[str] = set()
    while True:
        run.replica.requests.clear()
        # Each go names itself, since what a killed one has sent may come in late.
        name = f"{run.folder.name}-{kills}"
        process = run.start(*GO_ON, CONTACT=name, RATE="300")
        own = [f"(+{name})"]
        # From just before its first request to about its end.
        wait_for(lambda: process.poll() is not None or any(map(matches(own[0]), list(run.replica.requests))))
        time.sleep(chance.uniform(0, 0.35))
        process.kill()
        process.communicate()
        asked = [each for each in run.replica.requests if each.headers["user-agent"].endswith(own[0])]
        assert not done & ids_of(asked)
        assert not kept & {path_of(each) for each in asked}
        now_kept = kept_in(run)
        assert kept <= now_kept
        done, kept = finished_in(run), now_kept
        if process.returncode == 1 or is_written(run):
            return kills
        kills += 1


def matches(name: str) -> "object":
    return lambda asked: asked.headers["user-agent"].endswith(name)


def is_written(run: Runner) -> bool:
    with Store.open(run.folder / "trialscrape.db", lock=False) as store:
        return not store.runs() and (run.folder / "trials.outcomes.jsonl").exists()

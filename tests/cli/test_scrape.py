"""`scrape`, `index` and `store` as processes: what they write, how they end, and what a killed run leaves."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Self

import pytest

import trialscrape
from support.commands import (
    COMMAND,
    FIELDS,
    IDS,
    STUDIES,
    UNKNOWN,
    Runner,
    elsewhere,
    environment,
    estimate,
    get_path,
    rows,
    study,
    summary,
    wait_for,
)
from support.page import PAGE
from trialscrape.records import Trial
from trialscrape.scraping.run import run_key
from trialscrape.settings import Settings
from trialscrape.store.store import Store
from trialscrape.testing.replica import Fault, Replica, Site, Study

# What is written


def test_records_and_outcomes_are_written_in_the_order_asked(run: Runner) -> None:
    done = run("scrape", IDS[1], UNKNOWN, IDS[0], "-o", "trials.jsonl")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        estimate(4).strip(),
        f"{UNKNOWN}: not_found: the registry has no study {UNKNOWN}; check the id",
        summary("3 ids: 2 new, 1 not_found", 4, output="trials.jsonl").strip(),
    ]
    records, outcomes = run.written()
    address = f"{run.replica.url}/study/"
    assert [Trial.model_validate_json(line) for line in records.splitlines()] == [
        trialscrape.parse(page, url=address + one.slug) for one in STUDIES[1::-1] if isinstance(page := one.page, bytes)
    ]
    assert rows(outcomes) == [
        dict(zip(FIELDS, values, strict=True))
        for values in (
            [IDS[1], "new", address + STUDIES[1].slug, 2, "nct_id", None, "then", None],
            [UNKNOWN, "not_found", None, 1, None, f"the registry has no study {UNKNOWN}; check the id", None, None],
            [IDS[0], "new", address + STUDIES[0].slug, 1, "nct_id", None, "then", None],
        )
    ]
    assert list(rows(outcomes)[0]) == FIELDS
    files = {path.name for path in run.folder.iterdir()}
    assert files - {"trialscrape.db.lock"} == {"trials.jsonl", "trials.outcomes.jsonl", "trialscrape.db"}


def test_without_a_record_former_records_and_outcomes_stay(run: Runner) -> None:
    for option, output in (("-o", "trials.jsonl"), ("--tables", "tables")):
        run("scrape", IDS[0], UNKNOWN, option, output)
        written = [path for path in run.folder.rglob("*") if "trialscrape.db" not in path.name and path.is_file()]
        before = {path: path.read_bytes() for path in written}
        for _ in range(2):  # the run has ended: the same command asks again
            done = run("scrape", UNKNOWN, option, output)
            assert done.returncode == 1
            assert done.stderr.splitlines() == [
                estimate(2).strip(),
                f"{UNKNOWN}: not_found: the registry has no study {UNKNOWN}; check the id",
                summary("1 id: 1 not_found", 1).strip(),
                f"no id gave a record, so {output} stays as it was",
            ]
        now = [path for path in run.folder.rglob("*") if "trialscrape.db" not in path.name and path.is_file()]
        assert {path: path.read_bytes() for path in now} == before
    done = run("scrape", UNKNOWN, "-o", "new.jsonl")
    assert (done.returncode, (run.folder / "new.jsonl").read_bytes()) == (1, b"")
    assert rows((run.folder / "new.outcomes.jsonl").read_bytes())[0]["outcome"] == "not_found"


def test_all_well_is_0_and_records_go_to_stdout(run: Runner) -> None:
    done = run("scrape", *IDS[:2])
    assert (done.returncode, done.stderr) == (
        0,
        estimate(3) + summary("2 ids: 2 new", 3),
    )
    assert [row["nct_id"] for row in rows(done.stdout)] == IDS[:2]
    run.replica.requests.clear()
    again = run("scrape", *IDS[:2])
    assert (again.returncode, again.stderr, again.stdout) == (
        0,
        summary("2 ids: 2 cached", 0),
        done.stdout,
    )
    assert run.replica.requests == []
    assert run("scrape", *IDS[:2], "--max-age", "0").stderr == estimate(2) + summary("2 ids: 2 unchanged", 2)


def test_records_are_written_as_tables_and_without_contacts(run: Runner) -> None:
    done = run("scrape", IDS[0], IDS[1], "--tables", "tables", "--no-contacts")
    assert done.returncode == 0
    assert done.stderr == estimate(3) + summary("2 ids: 2 new", 3, "tables")
    trials = (run.folder / "tables/trials.csv").read_text()
    assert all(one in trials for one in IDS[:2])
    assert "Flora Example" not in trials
    assert [row["outcome"] for row in rows((run.folder / "tables/outcomes.jsonl").read_bytes())] == ["new", "new"]


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
        "robots.txt first, requests at most 500 a second, as trialscrape (+a@b.example)",
        f"{IDS[0]}: no request: {url}/study/{STUDIES[0].slug} is kept and young enough",
        f"{IDS[1]}: {url} in a list with others, then GET {url}/study/… by its titles",
        "trees: no request: it is no id, address or slug",
        f"{STUDIES[3].slug}: GET {url}/study/{STUDIES[3].slug}",
    ]
    old = run("scrape", "--dry-run", IDS[0], "--max-age", "0").stdout.splitlines()
    assert old[1:] == [f"{IDS[0]}: GET {url}/study/{STUDIES[0].slug} if it changed"]
    assert run.replica.requests == []
    assert sorted(path.name for path in run.folder.iterdir()) == ["trialscrape.db", "trialscrape.db.lock"]


def test_a_dry_run_shows_what_a_terminal_would_obey(run: Runner) -> None:
    done = run("scrape", "--dry-run", "trees\x1b[2J\u202e")
    assert done.stdout.splitlines()[1] == "trees\\x1b[2J\\u202e: no request: it is no id, address or slug"


def test_options_win_over_the_environment(run: Runner) -> None:
    options = ["--site", run.replica.url, "--registry", run.replica.url, "--contact", "c@d.example", "--rate", "400"]
    done = run(
        "scrape", IDS[0], *options, SITE="http://127.0.0.1:9", REGISTRY="http://127.0.0.1:9", CONTACT="a@b.example"
    )
    assert done.returncode == 0
    assert {request.headers["user-agent"].split()[-1] for request in run.replica.requests} == {"(+c@d.example)"}


WRONG: dict[str, tuple[list[str], dict[str, str], str]] = {
    "no ids": ([], {}, "expected NCT ids, or -i with a file that has some; found none"),
    "no ids in a file": (["-i", "-"], {}, "expected NCT ids, or -i with a file that has some; found none"),
    "no such file": (["-i", "nope.txt"], {}, "cannot read nope.txt: no such file or directory"),
    "no text": (["-i", sys.executable], {}, "save the file as UTF-8"),
    "no folder": ([IDS[0], "-o", "nope/trials.jsonl"], {}, "cannot write nope/trials.jsonl: there is no folder"),
    "not a file": ([IDS[0], "-o", "/dev/full"], {}, "cannot write /dev/full: it is not a regular file"),
    "rate of 0": ([IDS[0], "--rate", "0"], {}, "setting rate: expected a number above 0, found '0'"),
    "rate in words": ([IDS[0], "--rate", "fast"], {}, "setting rate: expected a number, found 'fast'"),
    "concurrency": ([IDS[0], "--concurrency", "1.5"], {}, "setting concurrency: expected a whole number, found '1.5'"),
    "age": ([IDS[0], "--max-age", "7w"], {}, "expected an age as 7d, 12h, 30m or 0, found '7w'"),
    "site": ([IDS[0], "--site", "ftp://a"], {}, "setting site: expected scheme and host, as https://ctv.veeva.com"),
    "environment": ([IDS[0]], {"RATE": "fast"}, "setting rate: expected a number, found 'fast'"),
    "unknown variable": ([IDS[0]], {"RATES": "1"}, "found TRIALSCRAPE_RATES"),
    "unknown option": ([IDS[0], "--nope"], {}, "No such option: --nope"),
}


@pytest.mark.parametrize(("arguments", "settings", "message"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_reported(run: Runner, arguments: list[str], settings: dict[str, str], message: str) -> None:
    done = run("scrape", *arguments, **settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(re.sub("[│╭╮╰╯─]", " ", done.stderr).split())
    assert run.replica.requests == []
    assert list(run.folder.iterdir()) == []


def test_a_file_among_the_ids_gets_a_hint(run: Runner) -> None:
    (run.folder / "ids.csv").write_text(IDS[0])
    done = run("scrape", "ids.csv")
    assert done.returncode == 2
    assert "ids.csv is a file: to read ids from it, run: trialscrape scrape -i ids.csv" in " ".join(
        done.stderr.replace("│", " ").split()
    )


OVERWRITING = [
    ["scrape", IDS[0], "-o", "trialscrape.db"],
    ["scrape", IDS[0], "-o", "x.db", "--store", "x.db"],
    ["scrape", IDS[0], "-o", "link"],
    ["scrape", IDS[0], "-o", "trialscrape.db-wal"],
    ["scrape", "-i", "ids.csv", "-o", "ids.csv"],
    ["store", "export", "trialscrape.db"],
    ["store", "export", "pipe"],
]


@pytest.mark.parametrize("arguments", OVERWRITING, ids=" ".join)
def test_nothing_that_is_read_is_written_over(run: Runner, arguments: list[str]) -> None:
    Store.open(run.folder / "trialscrape.db").close()
    (run.folder / "ids.csv").write_text(IDS[0])
    (run.folder / "link").symlink_to("trialscrape.db")
    os.mkfifo(run.folder / "pipe")
    kept = (run.folder / "trialscrape.db").read_bytes()
    done = run(*arguments)
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert (run.folder / "trialscrape.db").read_bytes() == kept
    assert (run.folder / "ids.csv").read_text() == IDS[0]
    assert (run.folder / "pipe").is_fifo()


def test_the_bar_on_a_terminal_shows_the_counts(run: Runner) -> None:
    run.replica.faults[f"/study/{STUDIES[0].slug}"] = Fault(delay=0.5)
    shown, terminal = os.openpty()
    command = [*COMMAND, "scrape", *IDS[:2], "-o", "trials.jsonl"]
    env = environment(run.replica) | {"COLUMNS": "120", "TERM": "xterm"}
    assert subprocess.run(command, cwd=run.folder, env=env, stderr=terminal, check=False).returncode == 0
    os.close(terminal)
    text = os.read(shown, 1_000_000).decode()
    os.close(shown)
    assert "about 3 requests, " in text
    assert "0 of about 3 requests, 0 of 2 ids, about 1 s left" in text
    assert "3 of about 3 requests, 2 of 2 ids, about 0 s left" in text


# How a run ends early, and is resumed


def finished_in(run: Runner, ids: list[str]) -> set[str]:
    """Return the ids that the interrupted run in a folder's store has finished."""
    key = run_key(ids, Settings(site=run.replica.url, registry=run.replica.url))
    with Store.open(run.folder / "trialscrape.db", lock=False) as store:
        return set(store.runs.list_finished(key))


def kept_in(run: Runner) -> set[str]:
    """Return the paths of the pages in a folder's store."""
    with Store.open(run.folder / "trialscrape.db", lock=False) as store:
        return {page.url.removeprefix(run.replica.url) for page in store.pages.all_versions()}


def requested_ids(paths: Iterable[str]) -> set[str]:
    """Return the ids, or the slugs given instead, that requests were for."""
    slugs = {f"/study/{one.slug}{form}": nct_id for nct_id, one in BY_ID.items() for form in ("", "-1")}
    return {slugs.get(path, path.rpartition("/")[2]) for path in paths}


def test_ctrl_c_says_how_to_resume_and_resuming_works(run: Runner) -> None:
    command = ["scrape", *IDS, "-o", "trials.jsonl"]
    undisturbed = elsewhere(run, "undisturbed")
    undisturbed(*command)
    run.replica.requests.clear()
    slow = f"/study/{STUDIES[6].slug}"
    run.replica.faults[slow] = Fault(delay=20)
    process = run.start(*command)
    wait_for(lambda: slow in run.requested() and len(kept_in(run)) >= 6)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    output, messages = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert (process.returncode, output) == (130, b"")
    assert (
        messages.decode()
        == estimate(13) + "stopped; the same command resumes it; fetched pages are in trialscrape.db\n"
    )
    assert not (run.folder / "trials.jsonl").exists()
    finished = finished_in(run, IDS)
    assert finished
    run.replica.faults.clear()
    run.replica.requests.clear()
    assert run(*command).returncode == 0
    assert not finished & requested_ids(run.requested())
    assert run.written() == undisturbed.written()


def test_two_runs_on_one_store(run: Runner) -> None:
    run.replica.faults[f"/study/{STUDIES[0].slug}"] = Fault(delay=4)
    first = run.start("scrape", IDS[0], "-o", "trials.jsonl")
    wait_for(run.requested)
    second = run("scrape", IDS[1], "-o", "others.jsonl")
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == (
        f"trialscrape.db: expected to use the store alone, found it in use by process {first.pid}: wait for that run "
        f"to end or stop it, or name another store. The lock {run.folder}/trialscrape.db.lock ends with its process "
        "and need not be removed\n"
    )
    assert first.communicate(timeout=20)[1] == (estimate(2) + summary("1 id: 1 new", 2, output="trials.jsonl")).encode()
    assert first.returncode == 0
    assert run("scrape", IDS[1], "-o", "others.jsonl").returncode == 0


# Starts a command that can make no file larger than so many bytes: what a full disk or a quota does to it.
SMALL_DISK = """
import os, resource, sys
for name in [name for name in os.environ if name.startswith("COVERAGE")]:
    del os.environ[name]  # or it would tell that it cannot write down what was covered
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("size", [1_000, 100_000, 180_000, 320_000])
def test_a_full_disk_is_reported_and_resuming_works(run: Runner, size: int) -> None:
    command = ["scrape", *IDS, "-o", "trials.jsonl"]
    undisturbed = elsewhere(run, "undisturbed")
    undisturbed(*command)
    done = replace(run, command=(sys.executable, "-c", SMALL_DISK, str(size), *COMMAND))(*command)
    assert (done.returncode, done.stdout) == (1, "")
    *_, message = done.stderr.splitlines()
    assert message.startswith("trialscrape.db: ")
    assert "give the same command again, all that was finished is kept" in message
    assert not (run.folder / "trials.jsonl").exists()
    finished = finished_in(run, IDS) if size > 1_000 else set()
    kept = kept_in(run) if size > 1_000 else set()
    assert finished or size < 320_000
    run.replica.requests.clear()
    assert run(*command).returncode == 0
    assert not finished & requested_ids(run.requested())
    assert not kept & set(run.requested())
    assert run.written() == undisturbed.written()


def test_an_output_that_cannot_be_written_is_reported_and_resuming_works(run: Runner) -> None:
    (run.folder / "trials.jsonl.part").mkdir()
    done = run("scrape", IDS[0], "-o", "trials.jsonl")
    assert done.returncode == 1
    assert done.stderr == "cannot write trials.jsonl.part: is a directory\n"
    (run.folder / "trials.jsonl.part").rmdir()
    assert run("scrape", IDS[0], "-o", "trials.jsonl").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_stdout_is_reported_and_nothing_is_fetched_twice(run: Runner) -> None:
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [*COMMAND, "scrape", IDS[0]],
            cwd=run.folder,
            env=environment(run.replica),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr.decode() == estimate(2) + "cannot write output: no space left on device\n"
    run.replica.requests.clear()
    # The run did not end, so its outcome is still that of the first process.
    assert run("scrape", IDS[0]).stderr == summary("1 id: 1 new", 2)
    assert run.replica.requests == []


def test_a_store_that_cannot_be_opened_is_reported(run: Runner) -> None:
    (run.folder / "file").write_text("no store")
    for store, message in {
        "file/trialscrape.db": "expected a folder to put the store in, found no file: make it first",
        "file": "expected a store made by trialscrape, found another kind of file: name another store",
        ".": "it cannot be opened: check that you may read and write the file and its folder",
    }.items():
        done = run("scrape", IDS[0], "--store", store)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"{store}: {message}")
        assert len(done.stderr.splitlines()) == 1
    assert run.replica.requests == []
    assert (run.folder / "file").read_text() == "no store"


AS_NOBODY = """
import os, sys
import trialscrape.cli.commands.scrape
from trialscrape.__main__ import main
if os.geteuid() == 0:  # root may write everywhere
    os.setuid(65534)
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="modes of folders are those of POSIX")
def test_a_read_only_folder_is_reported(run: Runner, open_folder: Path) -> None:
    open_folder.chmod(0o555)
    nobody = replace(run, folder=open_folder, command=(sys.executable, "-c", AS_NOBODY))
    done = nobody("scrape", IDS[0], "-o", "trials.jsonl")
    assert (done.returncode, done.stdout) == (1, "")
    assert "trialscrape.db: it cannot be opened: check that you may read and write" in done.stderr
    assert "(Permission denied)" in done.stderr
    assert run.replica.requests == []


def test_a_reader_that_goes_away_is_no_crash(run: Runner) -> None:
    run.replica.faults[f"/study/{STUDIES[8].slug}"] = Fault(delay=1)
    pipe = run.start("scrape", *IDS)
    assert pipe.stdin
    assert pipe.stdout
    assert pipe.stderr
    pipe.stdin.close()
    pipe.stdout.readline()
    pipe.stdout.close()
    assert pipe.stderr.read().decode() == estimate(13)
    pipe.stderr.close()
    assert pipe.wait(20) == 141


# The other commands


def test_the_index_is_synced_and_reported(run: Runner) -> None:
    sitemap = f"{run.replica.url}/sitemap.xml"
    first = run("index", "sync")
    assert (first.returncode, first.stdout) == (0, "")
    assert first.stderr == (
        f"{sitemap}: 1 file read, 0 unchanged, 0 done before, 0 failed; 12 added, 0 removed, 12 addresses in all\n"
    )
    status = run("index", "status")
    assert status.returncode == 0
    assert status.stdout.splitlines()[0] == "addresses  12 in 1 file"
    assert re.fullmatch(r"read       20\S+ \S+ to 20\S+ \S+", status.stdout.splitlines()[1])


def test_a_renamed_study_is_found_by_the_index(run: Runner) -> None:
    run.replica.site = Site(studies=(replace(STUDIES[0], slug=f"{STUDIES[0].slug}-of-the-city"),))
    assert run("scrape", IDS[0]).stderr.splitlines()[-1] == summary("1 id: 1 unresolved", 3).strip()
    run("index", "sync")
    assert run("scrape", IDS[0]).stderr == estimate(2) + summary("1 id: 1 new", 2)


def test_a_sitemap_that_fails_is_reported(run: Runner) -> None:
    run.replica.faults["/sitemap-0.xml.gz"] = Fault(status=404)
    done = run("index", "sync")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0].startswith(f"{run.replica.url}/sitemap-0.xml.gz: ")
    run.replica.faults["/robots.txt"] = Fault(body="User-agent: *\nAllow: /")
    done = run("index", "sync", "--store", "other.db")
    message = f"expected robots.txt of {run.replica.url} to name a sitemap, found none\n"
    assert (done.returncode, done.stderr) == (1, message)


def test_kept_pages_are_parsed_exported_and_imported_without_any_request(run: Runner) -> None:
    records = run("scrape", *IDS[:3]).stdout
    run.replica.requests.clear()
    parsed = run("parse", "trialscrape.db")
    assert parsed.returncode == 0
    assert bare(parsed.stdout) == bare(records)
    assert run("store", "export", "pages.warc.gz").stderr == "3 pages written to pages.warc.gz\n"
    done = run("store", "import", "pages.warc.gz", "--store", "other.db")
    assert (done.returncode, done.stderr) == (0, "3 pages new, 0 known, 1 skipped: not a response\n")
    again = run("store", "import", "pages.warc.gz", "--store", "other.db")
    assert (again.returncode, again.stderr) == (0, "0 pages new, 3 known, 1 skipped: not a response\n")
    assert bare(run("parse", "other.db").stdout) == bare(records)
    assert run("store", "export", "pages.wacz").stderr == "3 pages written to pages.wacz\n"
    assert bare(run("parse", "pages.wacz", "pages.warc.gz").stdout) == bare(records + records)
    other = run("parse", "pages.wacz", "--host", "example.org")
    assert (other.returncode, other.stderr.splitlines()) == (
        1,
        [
            "0 pages, 0 ok, 0 failed, 0 warnings, 0 unparsed lines, 3 of other sites",
            "found no page of example.org; name another host with --host, or all with --host '*'",
        ],
    )
    assert run.replica.requests == []
    # The imported pages need not be fetched: the registry says only whose they are.
    taken = run("scrape", *IDS[:3], "--store", "other.db")
    assert (taken.stderr, taken.stdout) == (
        estimate(4) + summary("3 ids: 3 cached", 1).replace("trialscrape.db", "other.db"),
        records,
    )


def without_identifiers(one: Study) -> Study:
    """Return a study whose page shows no identifier."""
    return replace(one, page=changed(one, f"{one.nct_id}\nIAM-7 (Other Identifier)\n\n", ""))


def by_id(lines: str) -> dict[str | None, Trial]:
    """Read records by their ids, in the order of those: a store has them as they came."""
    records = [Trial.model_validate_json(line) for line in lines.splitlines()]
    return {record.nct_id: record for record in sorted(records, key=lambda record: str(record.nct_id))}


def test_scrape_and_parse_of_a_kept_page_give_the_same_record(run: Runner) -> None:
    odd = replace(without_identifiers(STUDIES[1]), aliases=("NCT99009001",))
    run.replica.site = Site(studies=(STUDIES[0], odd))
    address = f"{run.replica.url}/study/{STUDIES[0].slug}"
    scraped = by_id(run("scrape", f"{address}?comeFrom=%7B%22type%22%3A%22site%22%7D", odd.nct_id).stdout)
    parsed = by_id(run("parse", "trialscrape.db").stdout)
    assert list(parsed) == list(scraped) == [IDS[0], odd.nct_id]
    assert [record.source.url for record in parsed.values()] == [address, f"{run.replica.url}/study/{odd.slug}"]
    for nct_id, record in parsed.items():
        assert record.source.file == f"trialscrape.db!{record.source.url}"
        source = record.source.model_copy(update={"file": None})
        assert record.model_copy(update={"source": source}) == scraped[nct_id]
    # Asked for by another id, the page is still that study's.
    assert list(by_id(run("scrape", "NCT99009001").stdout)) == [odd.nct_id]
    assert by_id(run("parse", "trialscrape.db").stdout) == parsed


def test_a_page_that_changed_since_is_no_longer_known_to_be_an_ids(run: Runner) -> None:
    odd = without_identifiers(STUDIES[1])
    run.replica.site = Site(studies=(odd,))
    run("scrape", odd.nct_id)
    run.replica.site = Site(studies=(replace(odd, page=changed(odd, "sit under", "lie under")),))
    run("scrape", STUDIES[1].slug, "--max-age", "0")
    (record,) = rows(run("parse", "trialscrape.db").stdout)
    assert (record["nct_id"], record["warnings"]) == (None, [])


def bare(lines: str) -> list[dict[str, object]]:
    """Read records without their sources, in the order of their ids: a store has them as they came."""
    found = [{name: value for name, value in row.items() if name != "source"} for row in rows(lines)]
    return sorted(found, key=lambda row: str(row["nct_id"]))


def test_what_is_no_archive_or_store_is_reported(run: Runner) -> None:
    (run.folder / "text").write_text("no archive")
    for arguments in (["store", "import", "text"], ["store", "export", "x.warc.gz", "--store", "nope.db"]):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "expected" in done.stderr
        assert "Traceback" not in done.stderr


# A run of 40 ids in which everything happens: most are found, some in each other way not.


def with_old_id(one: Study) -> Study:
    current = one.nct_id.replace("2", "3")
    return replace(one, nct_id=current, aliases=(one.nct_id,), page=changed(one, one.nct_id, current))


def changed(one: Study, old: str, new: str) -> bytes:
    assert isinstance(one.page, bytes)
    return one.page.replace(old.encode(), new.encode())


PLAIN = [study(number) for number in range(2000, 2036)]
ODD = {
    3: without_identifiers(PLAIN[3]),
    7: replace(PLAIN[7], page=None),
    11: replace(PLAIN[11], page=PAGE.encode()),
    19: with_old_id(PLAIN[19]),
    23: replace(PLAIN[23], page=b"<p>Are you human?"),
}
KILLED = [ODD.get(place, one) for place, one in enumerate(PLAIN)]
FORTY = [one.nct_id for one in PLAIN]
FORTY[9:9] = [UNKNOWN, "NCT99"]
FORTY[27:27] = ["NCT99009998", "tree-bathing-for-nobody"]
BY_ID = dict(zip(IDS, STUDIES, strict=True)) | {one.nct_id: one for one in PLAIN}
RESUME = ["scrape", *FORTY, "-o", "trials.jsonl"]
MAY_PASS = FORTY[30]  # what failed is tried again by each process
KILLS = 50


# Starts the command in a process of its own for each line, having imported it once: that is what takes its time.
STARTER = """
import os, sys
import trialscrape.cli.commands.scrape
from trialscrape.__main__ import main
for line in sys.stdin:
    folder, name, *sys.argv[1:] = line.split()
    process = os.fork()
    if process == 0:
        os.chdir(folder)
        os.environ["TRIALSCRAPE_CONTACT"] = name
        main()
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


class Starter:
    """Starts runs that can be killed."""

    def __init__(self, replica: Replica) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", STARTER],
            env=environment(replica, RATE="250"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def start(self, folder: Path, name: str, arguments: Iterable[str]) -> int:
        """Start a command in a folder, under a name; return its process."""
        assert self._process.stdin
        print(folder, name, *arguments, file=self._process.stdin, flush=True)
        return self._number()

    def code(self) -> int:
        """Wait for the process to end, and return its exit code."""
        return self._number()

    def _number(self) -> int:
        assert self._process.stdout
        return int(self._process.stdout.readline())


def test_kill_9_at_fifty_random_moments_changes_nothing(tmp_path: Path) -> None:
    chance = random.Random(40)  # noqa: S311  a test that can be repeated
    with Replica(Site(studies=tuple(KILLED))) as replica:
        replica.faults[f"/study/{BY_ID[MAY_PASS].slug}"] = Fault(status=403)
        run = Runner(replica, tmp_path)
        undisturbed = elsewhere(run, "undisturbed")
        assert undisturbed(*RESUME).returncode == 1
        expected = undisturbed.written()
        assert Counter(row["outcome"] for row in rows(expected[1])) == {
            "new": 32,
            "not_found": 2,
            "unresolved": 2,
            "mismatch": 1,
            "invalid_id": 1,
            "not_a_study_page": 1,
            "server_error": 1,
        }
        with Starter(replica) as starter:
            kills = goes = 0
            while kills < KILLS:
                goes += 1
                one = elsewhere(run, f"go-{goes}")
                kills += killed_until_done(one, starter, chance)
                assert one.written() == expected
                assert not list(one.folder.glob("*.part"))


def killed_until_done(run: Runner, starter: Starter, chance: random.Random) -> int:
    """Start the run again and again, kill it each time, until it is done. Return how often it was killed."""
    finished: set[str] = set()
    kept: set[str] = set()
    answered: set[str] = set()
    for kills in count():
        # Each process has its own name, since the requests of a killed one may come in late.
        answered = answered_in(run) if kills else set()
        mine = requests_of(run, name := f"{run.folder.name}-{kills}")
        process = starter.start(run.folder, name, RESUME)
        wait_for(lambda: is_over(process) or mine())  # noqa: B023  it is called before the next go
        time.sleep(chance.uniform(0, 0.3))
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        code = starter.code()
        assert not finished & requested_ids(mine()) - {MAY_PASS}
        assert not kept & set(mine())
        assert kept <= kept_in(run)
        assert not answered & set(mine())
        finished, kept = finished_in(run, FORTY), kept_in(run)
        if code == 1 or (not finished and (run.folder / "trials.outcomes.jsonl").exists()):
            return kills
        assert code == -signal.SIGKILL
    raise AssertionError


def answered_in(run: Runner) -> set[str]:
    """Return the registry's addresses whose answers are kept in a folder's store, and that of a list, if any."""
    key = run_key(FORTY, Settings(site=run.replica.url, registry=run.replica.url))
    with Store.open(run.folder / "trialscrape.db", lock=False) as store:
        answers = {nct_id: store.runs.find_answer(key, nct_id) for nct_id in FORTY}
    alone = {f"/api/v2/studies/{nct_id}" for nct_id, answer in answers.items() if answer and answer.answer}
    return alone | {"/api/v2/studies"} if any(answers.values()) else set()


def requests_of(run: Runner, name: str) -> Callable[[], list[str]]:
    """Return a function that lists the paths that a process of this name has requested."""
    sign = f"(+{name})"
    requests = run.replica.requests
    return lambda: [get_path(request) for request in list(requests) if request.headers["user-agent"].endswith(sign)]


def is_over(process: int) -> bool:
    """Tell whether a process has ended and was waited for."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False

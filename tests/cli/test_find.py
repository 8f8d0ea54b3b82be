"""`find` as a process: the index of a replica, searched without any request."""

import pytest

from support.commands import IDS, STUDIES, Runner


@pytest.fixture(autouse=True)
def _indexed(run: Runner) -> None:
    assert run("index", "sync").returncode == 0
    run.replica.requests.clear()


def test_what_is_found_can_be_scraped(run: Runner) -> None:
    done = run("find", "tree", "part 1", "restless")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "0 of 12 addresses\n")
    done = run("find", "tree", "Part 1003")
    address = f"{run.replica.url}/study/{STUDIES[3].slug}"
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{address}\n", "1 of 12 addresses\n")
    assert run.requested() == []
    scraped = run("scrape", "-i", "-", "-o", "trials.jsonl", stdin=done.stdout)
    assert scraped.returncode == 0, scraped.stderr
    assert run.requested() == [f"/study/{STUDIES[3].slug}"]


def test_ids_are_printed_where_the_store_knows_them(run: Runner) -> None:
    by_address = f"{run.replica.url}/study/{STUDIES[1].slug}"
    assert run("scrape", IDS[0], by_address).returncode == 0
    done = run("find", "--ids", "--limit", "3", "clerks", "part100*")
    # The first was matched, the second shows its id, the third is not kept.
    unknown = f"{run.replica.url}/study/{STUDIES[2].slug}"
    assert done.stdout.splitlines() == [IDS[0], IDS[1], unknown]
    assert done.stderr == "3 of 12 addresses (no more than 3)\n"
    assert run("find", "clerks", "part1001", "--site", "https://ctv.example").stdout == (
        f"https://ctv.example/study/{STUDIES[1].slug}\n"
    )


def test_words_that_no_address_can_hold_are_wrong_usage(run: Runner) -> None:
    done = run("find", "µ", "*")
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected words with letters a to z or digits" in done.stderr


def test_without_an_index_it_says_what_to_do(run: Runner) -> None:
    assert run("scrape", IDS[0], "--store", "pages.db").returncode == 0
    done = run("find", "tree", "--store", "pages.db")
    expected = "pages.db has no index of addresses: run `trialscrape index sync --store pages.db` first\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
    assert "no such file" in run("find", "tree", "--store", "none.db").stderr

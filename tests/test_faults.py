"""A fault at every write, fsync, rename and removal of a small run, and a kill at each of them.

A library of a few lines stands before the system's and lets the n-th of these calls on files of one folder fail. It is
compiled here, so these tests need a C compiler and the `LD_PRELOAD` of Linux.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not COMPILER, reason="there is no C compiler, or this is not Linux"
)

LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[4096];
static long left = -1;
static int fault;

/* Let the call after so many on files of a folder fail with an error, or kill the process where that is below 0. */
void arm(const char *where, long after, int error) {
    snprintf(folder, sizeof folder, "%s/", where);
    left = after;
    fault = error;
}

/* Give how many calls are left before the one that fails: below 0 if it has come. */
long calls_left(void) { return left; }

static int fails(const char *path) {
    if (left < 0 || strncmp(path, folder, strlen(folder)) || left-- > 0)
        return 0;
    if (fault < 0)
        kill(getpid(), SIGKILL);
    errno = fault;
    return 1;
}

static int fd_fails(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 2);
    if (length < 0)
        return 0;
    memcpy(path + length, "/", 2); /* the folder itself counts too */
    return fails(path);
}

#define BEFORE(type, name, check, arguments, ...) \
    type name arguments { \
        static type(*real) arguments; \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        return check ? -1 : real(__VA_ARGS__); \
    }

BEFORE(ssize_t, write, fd_fails(fd), (int fd, const void *data, size_t size), fd, data, size)
BEFORE(ssize_t, pwrite, fd_fails(fd), (int fd, const void *data, size_t size, off_t at), fd, data, size, at)
BEFORE(ssize_t, pwrite64, fd_fails(fd), (int fd, const void *data, size_t size, off64_t at), fd, data, size, at)
/* The disk is not waited for: no power is cut here. */
int fsync(int fd) { return fd_fails(fd) ? -1 : 0; }
int fdatasync(int fd) { return fd_fails(fd) ? -1 : 0; }
BEFORE(int, ftruncate, fd_fails(fd), (int fd, off_t size), fd, size)
BEFORE(int, ftruncate64, fd_fails(fd), (int fd, off64_t size), fd, size)
BEFORE(int, rename, fails(to), (const char *from, const char *to), from, to)
BEFORE(int, unlink, fails(path), (const char *path), path)
"""

RUN = """
import ctypes, json, sys
from datetime import UTC, datetime
from pathlib import Path
from trialscrape.errors import TrialscrapeError
from trialscrape.exports.files import atomic_write
from trialscrape.page import Match, Page
from trialscrape.store.database import is_store
from trialscrape.store.runs import FinishedId
from trialscrape.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = [f"NCT9900000{number}" for number in range(3)]
arm, calls_left = ctypes.CDLL(None).arm, ctypes.CDLL(None).calls_left

def scrape(folder):
    with Store.open(folder / "trialscrape.db") as store:
        store.runs.begin("key", NOON)
        done = store.runs.list_finished("key")
        with atomic_write(folder / "outcomes.jsonl") as rows, atomic_write(folder / "trials.jsonl") as records:
            for position, nct_id in enumerate(IDS):
                if nct_id not in done:
                    url = f"https://ctv.example/study/{nct_id}"
                    with store.transaction(synced=False):
                        page = Page(nct_id.encode() * 3000, fetched_at=NOON)
                        version, _ = store.pages.add(url, page, ids=[nct_id])
                        store.pages.begin_parsing(version)
                    with store.transaction():
                        store.pages.end_parsing(version)
                        store.pages.set_match(nct_id, version, Match("nct_id", nct_id))
                        store.runs.finish_id("key", FinishedId(position, nct_id, '{"outcome": "new"}', "record"))
                row = store.runs.get_finished("key", position)
                records.write(f"{row.nct_id} {row.record}\\n".encode())
                rows.write(f"{row.nct_id} {row.outcome}\\n".encode())
        store.runs.end("key")

def attempt(folder, after, error):
    arm(str(folder).encode(), after, error)
    try:
        scrape(folder)
    except TrialscrapeError as caught:
        return str(caught)
    return None
"""

FAULTS = """
for after in range(1000):
    folder = Path(sys.argv[1]) / str(after)
    folder.mkdir()
    (folder / "trials.jsonl").write_text("former")
    message = attempt(folder, after, int(sys.argv[2]))
    came = calls_left() < 0
    left = (folder / "trials.jsonl").read_text()
    again = attempt(folder, -1, 0)
    with Store.open(folder / "trialscrape.db") as store:
        pages = [kept.page.body.decode() for kept in store.pages.all_latest()]
    print(json.dumps([came, message, left, again, (folder / "trials.jsonl").read_text(), pages]), flush=True)
    if not came:
        break
"""

KILLS = """
import os

def apart(*arguments):
    process = os.fork()
    if not process:
        attempt(*arguments)
        os._exit(0)
    return os.waitpid(process, 0)[1]

for after in range(1000):
    folder = Path(sys.argv[1]) / str(after)
    folder.mkdir()
    (folder / "trials.jsonl").write_text("former")
    store = folder / "trialscrape.db"
    killed = apart(folder, after, -1)
    pages, is_known = [], not store.exists() or is_store(store) or not store.stat().st_size
    if store.exists():
        with Store.open(store, lock=False) as reader:
            pages = [kept.page.body.decode() for kept in reader.pages.all_latest()]
    left = (folder / "trials.jsonl").read_text()
    again = apart(folder, -1, 0)
    names = sorted(each.name for each in folder.iterdir())
    found = [killed, is_known, pages, left, again, (folder / "trials.jsonl").read_text(), names]
    print(json.dumps(found), flush=True)
    if not killed:
        break
"""

IDS = [f"NCT9900000{number}" for number in range(3)]
RECORDS = "".join(f"{nct_id} record\n" for nct_id in IDS)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("library")
    (folder / "faults.c").write_text(LIBRARY)
    assert COMPILER
    command = [COMPILER, "-shared", "-fPIC", "-o", str(folder / "faults.so"), str(folder / "faults.c"), "-ldl"]
    subprocess.run(command, check=True)
    return os.environ | {"LD_PRELOAD": str(folder / "faults.so")}


def run(script: str, environment: dict[str, str], *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", RUN + script, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_a_fault_at_any_place_is_reported_and_costs_nothing(
    tmp_path: Path, environment: dict[str, str], error: int
) -> None:
    done = run(FAULTS, environment, tmp_path, error)
    assert (done.returncode, done.stderr) == (0, "")
    results: list[list[Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) > 50  # places, of which the last is behind the end
    assert results[-1][0] is False
    messages = []
    for place, (came, message, left, again, records, pages) in enumerate(results):
        where = (place, message)
        assert came or message is None, where
        # A fault may be ignored where nothing is lost by it: the number in a lock, the log that is not yet
        # written back. Where nothing is reported, all is done.
        assert left in ({RECORDS} if message is None else {"former", RECORDS}), where
        assert (again, records, pages) == (None, RECORDS, [nct_id * 3000 for nct_id in IDS]), where
        messages += [message] if message else []
    assert len(messages) > 20
    expected = ("trialscrape.db: the disk or the quota is full", "trialscrape.db: it could not be read or written")
    for message in messages:
        of_store = any(text in message for text in expected) and "give the same command again" in message
        reason = os.strerror(error).lower()
        assert of_store or (message.startswith("cannot write ") and message.endswith(f".jsonl: {reason}")), message


def test_the_next_run_resumes_after_a_kill_at_any_place(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run(KILLS, environment, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    results: list[list[Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) > 50
    assert [killed for killed, *_ in results] == [signal.SIGKILL] * (len(results) - 1) + [0]
    counts = []
    for place, (_, is_known, pages, left, again, records, names) in enumerate(results):
        assert is_known, place
        assert pages == [nct_id * 3000 for nct_id in IDS][: len(pages)], place
        assert left in {"former", RECORDS}, place
        assert (again, records) == (0, RECORDS), place
        assert names == ["outcomes.jsonl", "trials.jsonl", "trialscrape.db", "trialscrape.db.lock"], place
        counts.append(len(pages))
    assert counts == sorted(counts)  # what was kept once stays
    assert set(counts) == {0, 1, 2, 3}

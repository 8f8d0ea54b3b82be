"""Runs of the command against a replica of the site."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from support.page import with_
from trialscrape.testing.replica import RecordedRequest, Replica, Study

COMMAND = (sys.executable, "-m", "trialscrape")
TITLE, SLUG = "Tree Bathing for Restless Clerks", "tree-bathing-for-restless-clerks"
FIELDS = ["id", "outcome", "url", "attempts", "matched_by", "message", "fetched_at", "changed"]


def summary(outcomes: str, requests: int, output: str = "") -> str:
    """Return the last line of a scrape whose pages are read without doubt."""
    places = "pages in trialscrape.db" + (f", records in {output}" if output else "")
    return f"{outcomes}; 0 warnings, 0 unparsed lines, {requests} request{'' if requests == 1 else 's'}; {places}\n"


def estimate(requests: int) -> str:
    """Return the line that says, before a run, how many requests are to come: one is taken for half a second."""
    return f"about {requests} request{'' if requests == 1 else 's'}, {max(1, round(requests / 4))} s\n"


def study(number: int) -> Study:
    """Return the invented study `NCT9900<number>`."""
    nct_id, title = f"NCT9900{number}", f"{TITLE} Part {number}"
    return Study(
        nct_id=nct_id,
        slug=f"{SLUG}-part{number}",
        page=with_(("NCT99000100", nct_id), (TITLE, title)).encode(),
        brief_title=title,
        acronym="TREEBATH",
        sponsor="Institute for Arboreal Medicine",
    )


STUDIES = tuple(study(number) for number in range(1000, 1012))
IDS = [one.nct_id for one in STUDIES]
UNKNOWN = "NCT99009999"


def environment(replica: Replica, **changes: str) -> dict[str, str]:
    settings = {"SITE": replica.url, "REGISTRY": replica.url, "RATE": "500", "BACKOFF": "0.01", "BACKOFF_LIMIT": "0.02"}
    own = {f"TRIALSCRAPE_{name}": value for name, value in (settings | changes).items()}
    # Output is buffered, as a user's is.
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("TRIALSCRAPE_")}
    return foreign | own | {"PYTHONUNBUFFERED": ""}


@dataclass(frozen=True)
class Runner:
    """Runs commands in a folder, with settings for a replica from the environment."""

    replica: Replica
    folder: Path
    command: tuple[str, ...] = COMMAND

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start a command; `RATE="1"` sets `TRIALSCRAPE_RATE`."""
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=self.folder,
            env=environment(self.replica, **settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(self, *arguments: str, stdin: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        process = self.start(*arguments, **settings)
        output, messages = process.communicate(stdin.encode(), timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, output.decode(), messages.decode())

    def written(self) -> tuple[bytes, bytes]:
        """Return the records and the outcomes, as bytes; runs at two times have the same where only these differ."""
        outcomes = (self.folder / "trials.outcomes.jsonl").read_bytes()
        timeless = re.sub(rb'"fetched_at": "20[0-9-]+T[0-9:]+Z"', b'"fetched_at": "then"', outcomes)
        return (self.folder / "trials.jsonl").read_bytes(), timeless

    def requested(self) -> list[str]:
        """Return the paths that were requested, robots.txt left out."""
        return [get_path(request) for request in self.replica.requests if request.path != "/robots.txt"]


def get_path(request: RecordedRequest) -> str:
    return request.path.split("?")[0]


def elsewhere(run: Runner, name: str) -> Runner:
    (run.folder / name).mkdir()
    return replace(run, folder=run.folder / name)


def rows(lines: bytes | str) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.splitlines()]


def wait_for(true: Callable[[], object]) -> None:
    """Wait until a function gives something true."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)

"""Many pages on several machines: the unit of work is a shard, whose output is whole or not there.

A shard is an archive, or a slice of a folder. A run writes what is missing, so the same command resumes it.
"""

import hashlib
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from trialscrape.engines import map_pages
from trialscrape.errors import ClusterError
from trialscrape.exports.files import atomic_write
from trialscrape.exports.formats import FORMATS, name_outcomes
from trialscrape.exports.jsonl import format_pages
from trialscrape.extras import load_extra
from trialscrape.sources.files import measure_file
from trialscrape.sources.members import Selection

SHARD_PAGES = 2_000
"""Pages of a folder that are one shard: some seconds of work."""

_TRIES = 3
_AHEAD = 2  # shards a core: the next one waits for a free core, not for the run


class PageShard(NamedTuple):
    """What one task reads and writes.

    Attributes:
        name: What the names of its output begin with. It is made of the files and options, so that a run with others
            does not take this one's output for its own.
        files: The files to read, as the user named them.
        folder: Where the output goes.
        selection: What is wanted of archives and dumps.
        format: The name of its format.
        strict: Reject a page that has warnings or unparsed lines.
        spans: Add the source lines of each field.
        base: The folder that relative names are meant from.
    """

    name: str
    files: tuple[str, ...]
    folder: str
    selection: Selection
    format: str = "jsonl"
    strict: bool = False
    spans: bool = False
    base: str = "."

    @property
    def records(self) -> Path:
        """The file of its records; once it is there, the shard is done."""
        return Path(self.folder, f"{self.name}{FORMATS[self.format].ending}")


class ShardSummary(NamedTuple):
    """What a shard gave.

    Attributes:
        shard: Its name.
        outcomes: How many pages had each outcome.
        bytes: The size of its records.
        sha256: Of its records, in hexadecimal.
    """

    shard: str
    outcomes: dict[str, int]
    bytes: int
    sha256: str


def plan_shards(  # noqa: PLR0913  each is one of the command's options
    files: Iterable[str], folder: Path, format_name: str, *, selection: Selection, strict: bool, spans: bool
) -> Iterator[PageShard]:
    """Part the files into shards, in their order."""
    base = str(Path.cwd())
    wanted = [selection.host, selection.text_column, selection.url_column]

    def make(names: list[str]) -> PageShard:
        key = hashlib.sha256(json.dumps([base, names, wanted, strict, spans]).encode()).hexdigest()[:12]
        stem = re.sub(r"[^A-Za-z0-9.-]+", "-", Path(names[0]).stem)[:40]
        return PageShard(f"{stem}-{key}", tuple(names), str(folder), selection, format_name, strict, spans, base)

    part: list[str] = []
    for file in files:
        if measure_file(file) is None:
            yield make([file])
            continue
        part.append(file)
        if len(part) == SHARD_PAGES:
            yield make(part)
            part = []
    if part:
        yield make(part)


def read_shard(shard: PageShard) -> ShardSummary:
    """Read a shard's pages and write its records and outcomes, unless that was done before.

    Raises:
        FileError: The output cannot be written.
        OSError: The folder that the names are meant from is not on this machine.
    """
    os.chdir(shard.base)
    if not shard.records.exists():
        # The records get their name last: when they are there, all is.
        with (
            FORMATS[shard.format].open(shard.records) as write,
            atomic_write(name_outcomes(shard.records)) as rows,
        ):
            parts = map_pages(format_pages, shard.files, shard.selection, strict=shard.strict, spans=shard.spans)
            for page in chain.from_iterable(parts):
                if page.record:
                    write(page.record)
                rows.write(page.row + b"\n")
    return _summarize_shard(shard)


def _summarize_shard(shard: PageShard) -> ShardSummary:
    with name_outcomes(shard.records).open(encoding="utf-8") as rows:
        outcomes = Counter(json.loads(row)["outcome"] for row in rows)
    with shard.records.open("rb") as records:
        digest = hashlib.file_digest(records, "sha256").hexdigest()
        return ShardSummary(shard.name, dict(sorted(outcomes.items())), records.tell(), digest)


def map_on_ray(
    work: Callable[[PageShard], ShardSummary], shards: Iterable[PageShard], *, address: str | None = None
) -> Iterator[ShardSummary | tuple[PageShard, str]]:
    """Do the work of each shard in a Ray cluster, in any order; what fails is tried three times.

    Args:
        work: `read_shard`.
        shards: What to do.
        address: Of a running cluster; None for one that is started on this machine and ends with the run.

    Yields:
        What a shard gave, or the shard that failed and why.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: There is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report the run to its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray = load_extra("ray", "ray")
    _join_cluster(ray, address)
    try:
        task = ray.remote(max_retries=_TRIES - 1, retry_exceptions=True)(work)
        most = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        running: dict[Any, PageShard] = {}
        for shard in chain(shards, [None]):
            while running and (shard is None or len(running) >= most):
                (done,), _ = ray.wait(list(running))
                yield _get_result(ray, done, running.pop(done))
            if shard:
                running[task.remote(shard)] = shard
    finally:
        ray.shutdown()


def _join_cluster(ray: Any, address: str | None) -> None:  # noqa: ANN401  Ray's types are its own
    quiet = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        ray.init(include_dashboard=False, **quiet)
        return
    try:
        # Ray itself would wait for minutes, and end the process.
        host, _, port = address.rpartition("://")[2].rpartition(":")
        if host:
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address=address, **quiet)
    except (OSError, ValueError) as error:
        raise ClusterError(f"no Ray cluster answers at {address}: {str(error).lower()}") from error


def _get_result(ray: Any, done: Any, shard: PageShard) -> ShardSummary | tuple[PageShard, str]:  # noqa: ANN401  Ray's types are its own
    try:
        return ShardSummary(*ray.get(done))
    except ray.exceptions.RayError as error:
        return shard, str(getattr(error, "cause", None) or error).strip().splitlines()[-1]


def write_manifest(folder: Path, summaries: Iterable[ShardSummary]) -> Counter[str]:
    """Write `manifest.json`, which names every shard with its counts and digest; return the sums of the outcomes."""
    ordered = sorted(summaries)
    total: Counter[str] = Counter()
    for summary in ordered:
        total.update(summary.outcomes)
    manifest = {"outcomes": dict(sorted(total.items())), "shards": [summary._asdict() for summary in ordered]}
    with atomic_write(folder / "manifest.json") as stream:
        stream.write(json.dumps(manifest, indent=1).encode() + b"\n")
    return total

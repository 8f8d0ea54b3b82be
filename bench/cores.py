"""Many pages on two cores and on a Ray cluster of this machine; in processes of their own, for time and memory."""

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.inputs import SHAPES
from trialscrape.engines import map_pages
from trialscrape.exports.jsonl import format_pages
from trialscrape.results import PageResult
from trialscrape.sources.files import Files


class Share(NamedTuple):
    """What one batch gave, and what its process had used until then."""

    lines: list[bytes]
    process: int
    seconds: float
    kilobytes: int


def format_batch(results: Iterable[PageResult]) -> Share:
    """Write a batch as lines, and look at what this process has used."""
    lines = [line.record for line in format_pages(results) if line.record]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Share(lines, os.getpid(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def fill(folder: Path, count: int) -> Path:
    """Make a folder of HTML pages: links to a few files, so that it takes no room on the disk."""
    pages = folder / str(count)
    pages.mkdir()
    files = [folder / f"{number}.html" for number in range(len(SHAPES))]
    for file, page in zip(files, SHAPES.values(), strict=True):
        file.write_bytes(page)
    for number in range(count):
        os.link(files[number % len(files)], pages / f"{number:06}.html")
    return pages


def measure(pages: Path, jobs: int) -> dict[str, float]:
    """Write the records of a folder; give the processor time and the memory of all processes, added up."""
    used: dict[int, Share] = {}
    with (pages.parent / "trials.jsonl").open("wb") as stream:
        for share in map_pages(format_batch, Files([pages]), jobs=jobs):
            stream.writelines(line + b"\n" for line in share.lines)
            used[share.process] = share._replace(lines=[])
    own = format_batch([])
    used[own.process] = own
    return {
        "seconds": sum(share.seconds for share in used.values()),
        "megabytes": sum(share.kilobytes for share in used.values()) / 1024,
    }


def measure_apart(pages: Path, jobs: int) -> dict[str, float]:
    """Do so in a new process, whose memory nothing else has used."""
    command = [sys.executable, "-m", "bench.cores", str(pages), str(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def time_command(pages: Path, output: Path, *options: str) -> float:
    """Run `parse` on a folder; give the seconds on the clock."""
    command = [str(Path(sys.executable).with_name("trialscrape")), "parse", str(pages), "-o", str(output), *options]
    began = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - began


def digest_lines(*files: Path) -> list[bytes]:
    """Give the digests of all lines, sorted; the lines themselves take gigabytes, which later rows would count."""
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests += [hashlib.sha256(line).digest() for line in stream]
    return sorted(digests)


def measure_all() -> dict[str, float]:
    """Give all figures, by name."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        some, few, many = (fill(folder, count) for count in (20_000, 1_000, 100_000))
        one, two = measure_apart(some, 1), measure_apart(some, 2)
        small, large = measure_apart(few, 2), measure_apart(many, 2)
        local = time_command(many, folder / "local.jsonl", "--jobs", "2")
        ray = time_command(many, folder / "shards", "--engine", "ray")
        same = digest_lines(*(folder / "shards").glob("*[0-9a-f].jsonl")) == digest_lines(folder / "local.jsonl")
        return {
            "one": one["seconds"],
            "two": two["seconds"],
            "small": small["megabytes"],
            "large": large["megabytes"],
            "local": local,
            "ray": ray,
            "same": same,
        }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))

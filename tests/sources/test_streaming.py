"""What large archives and dumps cost: they come through a pipe, and the memory is that of a few pages.

Each is made while it is read, so none of it lies anywhere, and the peak is that of the whole process.
"""

import json
import resource
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator

import pytest

from support.archives import SITE, make_warc
from support.page import PAGE

MOST = 200_000
"""kB of memory that a process may take; one that reads a single page takes a third of it."""

SIZE = 2_000_000_000
"""Bytes of each archive, unpacked."""

MEASURE = """
import resource, sys
from collections import Counter
from trialscrape import parse_files
from trialscrape.engines import map_pages
from trialscrape.results import Outcome, PageResult
from trialscrape.sources.members import Selection

selection, count = Selection("ctv.veeva.com"), Counter()
for result in map_pages(lambda page: PageResult(page.file, Outcome.OK), ["-"], selection):
    count[str(result.outcome)] += 1
    last = result.message
print(dict(count), dict(+selection.left_out), last, sep="\\n")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
PEAK_OF_PARENT = resource.getrusage(resource.RUSAGE_SELF)


def repeat(piece: bytes, size: int = SIZE) -> Iterator[bytes]:
    run = piece * (1 + 1_000_000 // len(piece))
    for _ in range(1 + size // len(run)):
        yield run


def compress(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def make_row(url: str) -> bytes:
    return json.dumps({"url": url, "text": PAGE * 4}).encode() + b"\n"


def make_tar_of(name: str, size: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size = size
    yield info.tobuf()
    yield from pieces
    yield bytes(-size % 512 + 1024)


OTHERS = make_row("https://example.org/a")
STREAMS: dict[str, tuple[Callable[[], Iterator[bytes]], str, str]] = {
    "a dump of other sites": (
        lambda: compress(iter((make_row(f"{SITE}/study/a"), *repeat(OTHERS), make_row(f"{SITE}/study/b")))),
        "{'ok': 2}",
        "of other sites",
    ),
    "a WET of other sites": (
        lambda: iter(
            (
                *repeat(make_warc(("conversion", "https://example.org/a", "text/plain", PAGE.encode() * 20), packed=False)),
                make_warc(("conversion", f"{SITE}/study/a", "text/plain", PAGE.encode()), packed=False),
            )
        ),
        "{'ok': 1}",
        "of other sites",
    ),
}

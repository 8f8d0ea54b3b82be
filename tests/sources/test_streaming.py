"""What large archives and dumps cost: they come through a pipe, and the memory is that of a few pages.

Each is made while it is read, so none of it lies anywhere, and the peak is that of a process of its own.
"""

import json
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain

import pytest

from support.archives import SITE, make_warc
from support.page import PAGE

MOST = 200_000
"""kB of memory that a process may take: a page of 32 MiB and half of all bytes would be too many."""
SIZE = 400_000_000
"""Bytes of each archive, unpacked."""
MEASURE = """
import pathlib, re, resource
from collections import Counter
from trialscrape.sources.files import read_pages
from trialscrape.results import Outcome, PageResult
from trialscrape.sources.members import Selection

selection, count, message = Selection("ctv.veeva.com"), Counter(), None
for item in read_pages("-", selection):
    result = item if isinstance(item, PageResult) else PageResult(item.file, Outcome.OK)
    count[str(result.outcome)] += 1
    message = result.message
print(dict(count), dict(+selection.left_out), message, sep="\\n")
# The peak that `getrusage` tells is at least that of the process which started this one.
status = pathlib.Path("/proc/self/status")
peak = status.exists() and re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())
print(peak[1] if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
TEXT = PAGE.encode()


def repeat(piece: bytes, size: int = SIZE) -> Iterator[bytes]:
    times = 1 + 1_000_000 // len(piece)
    for _ in range(size // (times * len(piece))):
        yield piece * times


def count(piece: bytes, size: int = SIZE) -> int:
    times = 1 + 1_000_000 // len(piece)
    return size // (times * len(piece)) * times


def compress(pieces: Iterator[bytes], level: int = 1) -> Iterator[bytes]:
    packer = zlib.compressobj(level, wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def make_row(url: str) -> bytes:
    return json.dumps({"url": url, "text": 20 * PAGE}).encode() + b"\n"


def make_member(size: int) -> bytes:
    info = tarfile.TarInfo("page.txt")
    info.size = size
    return info.tobuf()


def make_dump() -> Iterator[bytes]:
    return compress(chain([make_row(f"{SITE}/study/a")], repeat(OTHER_ROW), [make_row(f"{SITE}/study/b")]))


def make_wet() -> Iterator[bytes]:
    page = make_warc(("conversion", f"{SITE}/study/a", "text/plain", TEXT), packed=False)
    return chain([page], repeat(OTHER_RECORD), [page])


def make_tar() -> Iterator[bytes]:
    return compress(chain(repeat(make_member(20_480) + (20 * TEXT)[:20_480]), [bytes(1024)]))


def make_large_member() -> Iterator[bytes]:
    return chain([make_member(SIZE)], repeat(b"x" * 1_000_000), [make_member(512), TEXT[:512], bytes(1024)])


def make_bomb() -> Iterator[bytes]:
    return compress(
        chain([make_member(512), TEXT[:512], make_member(10_000_000_000)], repeat(bytes(1_000_000))), level=9
    )


def make_line() -> Iterator[bytes]:
    row = make_row(f"{SITE}/study/a")
    return chain([row, b'{"text": "'], repeat(b"x" * 1_000_000), [b'"}\n', row])


OTHER_ROW = make_row("https://example.org/study/a")
OTHER_RECORD = make_warc(("conversion", "https://example.org/study/a", "text/plain", 20 * TEXT), packed=False)
STREAMS: dict[str, tuple[Callable[[], Iterator[bytes]], dict[str, int], dict[str, int], str]] = {
    "a dump of other sites": (make_dump, {"ok": 2}, {"of other sites": count(OTHER_ROW)}, "None"),
    "a WET file of other sites": (make_wet, {"ok": 2}, {"of other sites": count(OTHER_RECORD)}, "None"),
    "a tar.gz of pages": (make_tar, {"ok": count(bytes(512 + 20_480))}, {}, "None"),
    "a large member": (make_large_member, {"ok": 2}, {}, "None"),
    "a bomb": (
        make_bomb,
        {"ok": 2, "too_large": 1},
        {},
        "the gzip file is no file of pages: it unpacks to more than 1,000 times its size",
    ),
    "a line without end": (
        make_line,
        {"ok": 2, "too_large": 1},
        {},
        "None",
    ),
}


@pytest.mark.parametrize(("make", "outcomes", "left_out", "message"), STREAMS.values(), ids=STREAMS.keys())
def test_a_large_archive_through_a_pipe_takes_little_memory(
    make: Callable[[], Iterator[bytes]], outcomes: dict[str, int], left_out: dict[str, int], message: str
) -> None:
    # Without a buffer, nothing is left to write where the process has seen enough and ended.
    command = [sys.executable, "-c", MEASURE]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert process.stdin
    assert process.stdout
    with suppress(BrokenPipeError):
        for piece in make():
            process.stdin.write(piece)
    process.stdin.close()
    lines = process.stdout.read().decode().splitlines()
    assert process.wait() == 0
    process.stdout.close()
    assert lines[:3] == [str(outcomes), str(left_out), message]
    assert int(lines[3]) < MOST

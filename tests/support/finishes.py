"""What tests make of the results of a batch; other processes import it by its name."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

from trialscrape.exports.jsonl import PageLines, format_pages
from trialscrape.results import PageResult


def die_once(results: Iterable[PageResult]) -> list[PageLines]:
    """Write lines, but kill the first process that reads a page beside a file `kill`; the file is removed before."""
    lines = format_pages(results)
    for kill in {Path(line.result.file).with_name("kill") for line in lines}:
        if kill.exists():
            kill.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    return lines


def die_of_a_page(results: Iterable[PageResult]) -> list[PageLines]:
    """Write lines, but kill each process that has read a page of the name `deadly.txt`."""
    lines = format_pages(results)
    if any(line.record and line.result.file.endswith("deadly.txt") for line in lines):
        os.kill(os.getpid(), signal.SIGKILL)
    return lines

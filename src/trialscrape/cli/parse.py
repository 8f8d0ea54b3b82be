"""`parse`: saved pages to records."""

import sys
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import ends_in_words, progress, tell
from trialscrape.cli.options import Format, Output, Paths, find_files, format_of
from trialscrape.engines import map_pages, read_page
from trialscrape.exports.files import atomic_write
from trialscrape.exports.jsonl import outcomes_path, result_line
from trialscrape.results import PageResult

_MOST_TOLD = 20


def parse(
    paths: Paths,
    *,
    output: Output = None,
    format_: Format = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail a page that has warnings or unparsed lines.")] = False,
    spans: Annotated[bool, typer.Option("--spans", help="Add the source lines of each field.")] = False,
) -> None:
    """Read saved study pages and write one record a page.

    With -o trials.jsonl, trials.outcomes.jsonl beside it has one row for every page: file, outcome, message, line.
    """
    chosen = format_of(output, format_)
    rows_file = outcomes_path(output) if output else None
    files = find_files(paths, written=(output, rows_file))
    tally: Counter[str] = Counter()
    left = f"what was written is in {output}.part, the same command starts over" if output else ""
    with ends_in_words(left), ExitStack() as stack:
        rows = stack.enter_context(atomic_write(rows_file)) if rows_file else None
        records = stack.enter_context(atomic_write(output)) if output else sys.stdout.buffer
        write = stack.enter_context(chosen.open(records))
        bar = stack.enter_context(progress(quiet=output is None and sys.stdout.isatty()))
        work = partial(read_page, strict=strict, spans=spans)
        for result in map_pages(work, bar.track(files, description="pages")):
            _count(tally, result)
            if result.trial:
                write(result.trial)
            if rows:
                rows.write(result_line(result) + b"\n")
    tally["skipped"] = files.skipped
    _summarize(tally, output)
    if tally["failed"]:
        raise typer.Exit(1)


def _count(tally: Counter[str], result: PageResult) -> None:
    tally["pages"] += 1
    tally[result.outcome] += 1
    if result.trial:
        tally["warnings"] += len(result.trial.warnings)
        tally["unparsed lines"] += len(result.trial.unparsed)
        return
    tally["failed"] += 1
    if tally["failed"] <= _MOST_TOLD:
        place = f"{result.file}:{result.line}" if result.line else result.file
        tell(f"{place}: {result.outcome}: {result.message}")


def _summarize(tally: Counter[str], output: Path | None) -> None:
    if tally["failed"] > _MOST_TOLD:
        tell(f"… and {tally['failed'] - _MOST_TOLD:,} more that failed")
    told = ("pages", "ok", "failed", "warnings", "unparsed lines")
    counts = ", ".join(f"{tally[name]:,} {name}" for name in (*told, "skipped") if name in told or tally[name])
    tell(f"{counts}; records in {output}" if output else counts)

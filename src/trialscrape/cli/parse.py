"""`parse`: saved pages to records."""

import sys
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, progress, report_errors
from trialscrape.cli.options import FormatName, Output, Paths, find_files, require_format
from trialscrape.engines import map_pages, read_page
from trialscrape.exports.files import atomic_write
from trialscrape.exports.jsonl import format_result, name_outcomes
from trialscrape.results import PageResult

_MOST_SHOWN = 20


def parse_pages(
    paths: Paths,
    *,
    output: Output = None,
    format_: FormatName = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail a page that has warnings or unparsed lines.")] = False,
    spans: Annotated[bool, typer.Option("--spans", help="Add the source lines of each field.")] = False,
) -> None:
    """Read saved study pages and write one record a page.

    With -o trials.jsonl, trials.outcomes.jsonl beside it has one row for every page: file, outcome, message, line.
    """
    chosen = require_format(output, format_)
    rows_file = name_outcomes(output) if output else None
    files = find_files(paths, written=(output, rows_file))
    tally: Counter[str] = Counter()
    left = f"what was written is in {output}.part, the same command starts over" if output else ""
    with report_errors(left), ExitStack() as stack:
        rows = stack.enter_context(atomic_write(rows_file)) if rows_file else None
        records = stack.enter_context(atomic_write(output)) if output else sys.stdout.buffer
        write = stack.enter_context(chosen.open(records))
        bar = stack.enter_context(progress(quiet=output is None and sys.stdout.isatty()))
        work = partial(read_page, strict=strict, spans=spans)
        for result in map_pages(work, bar.track(files, description="pages")):
            _count_result(tally, result)
            if result.trial:
                write(result.trial)
            if rows:
                rows.write(format_result(result) + b"\n")
    tally["skipped"] = files.skipped
    _summarize(tally, output)
    if tally["failed"]:
        raise typer.Exit(1)


def _count_result(tally: Counter[str], result: PageResult) -> None:
    tally["pages"] += 1
    tally[result.outcome] += 1
    if result.trial:
        tally["warnings"] += len(result.trial.warnings)
        tally["unparsed lines"] += len(result.trial.unparsed)
        return
    tally["failed"] += 1
    if tally["failed"] <= _MOST_SHOWN:
        place = f"{result.file}:{result.line}" if result.line else result.file
        echo_error(f"{place}: {result.outcome}: {result.message}")


def _summarize(tally: Counter[str], output: Path | None) -> None:
    if tally["failed"] > _MOST_SHOWN:
        echo_error(f"… and {tally['failed'] - _MOST_SHOWN:,} more that failed")
    always = ("pages", "ok", "failed", "warnings", "unparsed lines")
    counts = ", ".join(f"{tally[name]:,} {name}" for name in (*always, "skipped") if name in always or tally[name])
    echo_error(f"{counts}; records in {output}" if output else counts)

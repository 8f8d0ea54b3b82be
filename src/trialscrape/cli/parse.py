"""`parse`: saved pages to records."""

import sys
from collections import Counter
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, progress, report_errors
from trialscrape.cli.options import FormatName, Jobs, Output, Paths, find_files, require_format
from trialscrape.engines import map_pages
from trialscrape.exports.files import atomic_write
from trialscrape.exports.jsonl import PageLines, format_pages, name_outcomes

_MOST_SHOWN = 20


def parse_pages(  # noqa: PLR0913  a command has as many options as it needs
    paths: Paths,
    *,
    output: Output = None,
    format_: FormatName = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail a page that has warnings or unparsed lines.")] = False,
    spans: Annotated[bool, typer.Option("--spans", help="Add the source lines of each field.")] = False,
    jobs: Jobs = None,
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
        tracked = bar.track(files, description="pages")
        for page in chain.from_iterable(map_pages(format_pages, tracked, jobs=jobs, strict=strict, spans=spans)):
            _count_page(tally, page)
            if page.record:
                write(page.record)
            if rows:
                rows.write(page.row + b"\n")
    tally["skipped"] = files.skipped
    _summarize(tally, output)
    if tally["failed"]:
        raise typer.Exit(1)


def _count_page(tally: Counter[str], page: PageLines) -> None:
    result = page.result
    tally["pages"] += 1
    tally[result.outcome] += 1
    tally["warnings"] += page.warnings
    tally["unparsed lines"] += page.unparsed
    if page.record:
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

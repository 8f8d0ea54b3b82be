"""`parse`: saved pages to records."""

import sys
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, progress, report_errors
from trialscrape.cli.options import (
    FormatName,
    Host,
    Output,
    Paths,
    TextColumn,
    UrlColumn,
    find_files,
    make_selection,
    require_format,
)
from trialscrape.engines import map_pages, read_page
from trialscrape.exports.files import atomic_write
from trialscrape.exports.jsonl import format_result, name_outcomes
from trialscrape.results import PageResult
from trialscrape.sources.members import OTHER_SITES, REVISITS, SKIPPED

_MOST_SHOWN = 20


def parse_pages(  # noqa: PLR0913  each is an option
    paths: Paths,
    *,
    output: Output = None,
    format_: FormatName = None,
    host: Host = None,
    text_column: TextColumn = None,
    url_column: UrlColumn = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail a page that has warnings or unparsed lines.")] = False,
    spans: Annotated[bool, typer.Option("--spans", help="Add the source lines of each field.")] = False,
) -> None:
    """Read saved study pages and write one record a page.

    A file may be a page (text, HTML, .mhtml, .webarchive), an archive of pages
    (zip, tar, WARC, WET, WACZ), a dump with a page a row (JSON lines, Parquet),
    or a store; each may be compressed with gzip, bzip2, xz or zstd. Its first
    bytes tell, and what is in an archive is read in the same way.

    With -o trials.jsonl, trials.outcomes.jsonl beside it has one row for every page: file, outcome, message, line.
    """
    chosen = require_format(output, format_)
    rows_file = name_outcomes(output) if output else None
    files = find_files(paths, written=(output, rows_file))
    selection = make_selection(host, text_column, url_column)
    tally: Counter[str] = Counter()
    left = f"what was written is in {output}.part, the same command starts over" if output else ""
    with report_errors(left), ExitStack() as stack:
        rows = stack.enter_context(atomic_write(rows_file)) if rows_file else None
        records = stack.enter_context(atomic_write(output)) if output else sys.stdout.buffer
        write = stack.enter_context(chosen.open(records))
        bar = stack.enter_context(progress(quiet=output is None and sys.stdout.isatty()))
        work = partial(read_page, strict=strict, spans=spans)
        for result in map_pages(work, bar.track(files, description="pages"), selection):
            _count_result(tally, result)
            if result.trial:
                write(result.trial)
            if rows:
                rows.write(format_result(result) + b"\n")
    tally.update(selection.left_out)
    tally[SKIPPED] += files.skipped
    _summarize(tally, output)
    if not tally["pages"]:
        echo_error(f"found no page of {selection.host}; name another host with --host, or all with --host '*'")
    if tally["failed"] or not tally["pages"]:
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
    names = (*always, *(name for name in (SKIPPED, OTHER_SITES, REVISITS) if tally[name]))
    counts = ", ".join(f"{tally[name]:,} {name}" for name in names)
    echo_error(f"{counts}; records in {output}" if output else counts)

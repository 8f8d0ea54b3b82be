"""`report`: a set of pages as one HTML page to look at."""

from collections import Counter
from functools import reduce
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, echo_note, escape_controls, report_errors, track
from trialscrape.cli.options import (
    Host,
    Jobs,
    Paths,
    Quiet,
    TextColumn,
    UrlColumn,
    check_output,
    find_files,
    make_selection,
)
from trialscrape.engines import map_pages
from trialscrape.exports.files import open_output
from trialscrape.quality.report import Tally, add_tally, render_report, summarize, tally_pages
from trialscrape.results import Outcome
from trialscrape.sources.members import SKIPPED
from trialscrape.wording import write_count


def write_report(  # noqa: PLR0913  a command has as many options as it needs
    paths: Paths,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The HTML file to write, or - for stdout.")
    ],
    host: Host = None,
    text_column: TextColumn = None,
    url_column: UrlColumn = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Write one HTML page that shows what the pages hold and how well they are understood.

    It reads the same files as `parse`. The page needs no network and no other file.
    """
    target = check_output(output)
    files = find_files(paths, written=(target,))
    selection = make_selection(host, text_column, url_column)
    with report_errors(), open_output(target) as stream:
        with track(files, "pages", quiet=quiet) as tracked:
            tally = reduce(add_tally, map_pages(tally_pages, tracked, selection, jobs=jobs), Tally())
        summary = summarize(tally, selection.left_out + Counter({SKIPPED: files.skipped}))
        stream.write(render_report(summary, escape_controls).encode())
    pages, read = tally.outcomes.total(), tally.outcomes[Outcome.OK]
    place = f"; report in {output}" if target else ""
    echo_note(f"{write_count(pages, 'page')}, {read:,} read, {pages - read:,} failed{place}", quiet=quiet)
    if not pages:
        echo_error(f"found no page of {selection.host}; name another host with --host, or all with --host '*'")
    if not read:
        raise typer.Exit(1)

"""`report`: a set of pages as one HTML page to look at."""

from collections import Counter
from contextlib import suppress
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
from trialscrape.cli.trouble import Troubles
from trialscrape.engines import map_pages
from trialscrape.errors import Withdrawn
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

    It reads the same files as `parse`. The page needs no network and no other file. Where no page gives a record, a
    report that is there stays as it is.
    """
    target = check_output(output)
    files = find_files(paths, written=(target,))
    selection = make_selection(host, text_column, url_column)
    is_there = bool(target and target.exists())
    with report_errors(), suppress(Withdrawn), open_output(target) as stream:
        with track(files, "pages", quiet=quiet) as tracked:
            tally = reduce(add_tally, map_pages(tally_pages, tracked, selection, jobs=jobs), Tally())
        pages, read = tally.outcomes.total(), tally.outcomes[Outcome.OK]
        if is_there and not read:
            raise Withdrawn
        summary = summarize(tally, selection.left_out + Counter({SKIPPED: files.skipped}))
        stream.write(render_report(summary, escape_controls).encode())
    kept = is_there and not read
    _report_troubles(tally, pages - read)
    place = f"; report in {output}" if target and not kept else ""
    echo_note(f"{write_count(pages, 'page')}, {read:,} read, {pages - read:,} failed{place}", quiet=quiet)
    if not pages:
        echo_error(f"found no page of {selection.host}; name another host with --host, or all with --host '*'")
    if kept:
        echo_error(f"no page gave a record, so {output} stays as it was")
    if not read:
        raise typer.Exit(1)


def _report_troubles(tally: Tally, failed: int) -> None:
    """Print why pages failed, as `parse` does."""
    troubles = Troubles("page")
    for page in tally.failures:
        troubles.add_page(page.file, page.outcome, page.message)
    troubles.add_uncounted(failed - len(tally.failures))
    for line in troubles.write_lines("`trialscrape check` lists them all"):
        echo_error(line)

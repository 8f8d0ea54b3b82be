"""The commands that look at pages or at the record: `check`, `show`, `schema`."""

import json
import os
from collections import Counter
from functools import reduce
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trialscrape.cli.console import echo_error, escape_controls, progress, usage_error
from trialscrape.cli.display import display
from trialscrape.cli.options import Host, Jobs, Paths, Quiet, TextColumn, UrlColumn, find_files, make_selection
from trialscrape.engines import map_pages, read_page
from trialscrape.exports.jsonl import format_row
from trialscrape.page import Page
from trialscrape.quality.coverage import Coverage, add_coverage, as_json, measure_coverage, report
from trialscrape.records import SCHEMA_VERSION, TracedTrial, Trial
from trialscrape.sources.files import read_pages
from trialscrape.sources.members import SKIPPED


def check(  # noqa: PLR0913  a command has as many options as it needs
    paths: Paths,
    *,
    host: Host = None,
    text_column: TextColumn = None,
    url_column: UrlColumn = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Report how many lines of the pages are parsed, what is unknown, and how often each field is filled.

    It reads the same files as `parse`.

    Writes no records. Exit code 1 when anything is unparsed or unknown: the alarm for a changed site.
    """
    files = find_files(paths)
    selection = make_selection(host, text_column, url_column)
    with progress(quiet=quiet) as bar:
        tracked = bar.track(files, description="pages")
        counts = reduce(add_coverage, map_pages(measure_coverage, tracked, selection, jobs=jobs), Coverage())
    left_out = selection.left_out + Counter({SKIPPED: files.skipped})
    if json_:
        print(format_row(as_json(counts, left_out)).decode())
    else:
        for line in report(counts, left_out):
            print(escape_controls(line))
    if counts.alarm:
        raise typer.Exit(1)


def show(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="One saved page, FILE!MEMBER of an archive, or - for stdin.")
    ],
) -> None:
    """Show one record in a readable layout."""
    file = _find_archive(path)
    find_files([file])
    if Path(file).is_dir():
        usage_error(f"{file} is a folder; name one page")
    pages = (page for page in read_pages(file) if path in (file, page.file))
    page = next(pages, None)
    if page is None:
        usage_error(f"there is no page {path}")
    result = read_page(page) if isinstance(page, Page) else page
    if not result.trial:
        echo_error(f"{result.file}: {result.outcome}: {result.message}")
        raise typer.Exit(1)
    Console(markup=False, highlight=False).print(display(result.trial))


def _find_archive(path: str) -> str:
    """Return the part of `FILE!MEMBER` that is a file, or the whole path."""
    file = path
    while "!" in file and not os.path.lexists(file):
        file = file.rpartition("!")[0]
    return file if file and os.path.lexists(file) else path


def schema(
    *,
    spans: Annotated[bool, typer.Option("--spans", help="The schema of records with spans.")] = False,
) -> None:
    """Print the JSON Schema of a record."""
    model = TracedTrial if spans else Trial
    name = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://example.org/trialscrape/schema/{SCHEMA_VERSION}/{model.__name__}.json",
        "version": SCHEMA_VERSION,
    }
    print(json.dumps(name | model.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False))

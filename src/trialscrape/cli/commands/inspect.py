"""`check` and `schema`: how well pages are understood, and what a record is."""

import json
from collections import Counter
from functools import reduce
from typing import Annotated

import typer

from trialscrape.cli.console import escape_controls, track
from trialscrape.cli.options import Host, Jobs, Paths, Quiet, TextColumn, UrlColumn, find_files, make_selection
from trialscrape.engines import map_pages
from trialscrape.exports.jsonl import format_row
from trialscrape.quality.coverage import Coverage, add_coverage, as_json, measure_coverage, report
from trialscrape.records import SCHEMA_VERSION, TracedTrial, Trial
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

    Writes no records. Its exit code is the alarm for a changed site.
    """
    files = find_files(paths)
    selection = make_selection(host, text_column, url_column)
    with track(files, "pages", quiet=quiet) as tracked:
        counts = reduce(add_coverage, map_pages(measure_coverage, tracked, selection, jobs=jobs), Coverage())
    left_out = selection.left_out + Counter({SKIPPED: files.skipped})
    if json_:
        print(format_row(as_json(counts, left_out)).decode())
    else:
        for line in report(counts, left_out):
            print(escape_controls(line))
    if counts.alarm:
        raise typer.Exit(1)


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

"""The commands that look at pages or at the record: `check`, `show`, `schema`."""

import json
from functools import reduce
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trialscrape.cli.console import echo_error, escape_controls, progress, usage_error
from trialscrape.cli.display import display
from trialscrape.cli.options import Jobs, Paths, find_files
from trialscrape.engines import map_pages, parse_files
from trialscrape.quality.coverage import Coverage, add_coverage, measure_coverage, report
from trialscrape.records import SCHEMA_VERSION, TracedTrial, Trial


def check(paths: Paths, *, jobs: Jobs = None) -> None:
    """Report how many lines of the pages are parsed, what is unknown, and how often each field is filled.

    Writes no records. Exit code 1 when anything is unparsed or unknown: the alarm for a changed site.
    """
    files = find_files(paths)
    with progress() as bar:
        parts = map_pages(measure_coverage, bar.track(files, description="pages"), jobs=jobs)
        counts = reduce(add_coverage, parts, Coverage())
    for line in report(counts, skipped=files.skipped):
        print(escape_controls(line))
    if counts.alarm:
        raise typer.Exit(1)


def show(path: Annotated[str, typer.Argument(metavar="PATH", help="One saved page, or - for stdin.")]) -> None:
    """Show one record in a readable layout."""
    find_files([path])
    if Path(path).is_dir():
        usage_error(f"{path} is a folder; name one page")
    result = next(parse_files([path]))
    if not result.trial:
        echo_error(f"{result.file}: {result.outcome}: {result.message}")
        raise typer.Exit(1)
    Console(markup=False, highlight=False).print(display(result.trial))


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

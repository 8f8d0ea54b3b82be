"""The commands: records to stdout or a file, talk to stderr, and the exit code is the result.

0 all well, 1 some pages failed or `check` has an alarm, 2 wrong usage, 130 stopped by Ctrl-C.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console

from trialscrape import __version__
from trialscrape.cli import scrape as cli_scrape
from trialscrape.cli.console import Output, ends_in_words, fail_usage, printable, progress, tell
from trialscrape.cli.display import display
from trialscrape.engines import outcomes_of
from trialscrape.exports import jsonl as export
from trialscrape.quality import coverage as survey
from trialscrape.records import TracedTrial, Trial
from trialscrape.results import PageResult
from trialscrape.sources import files as sources

app = typer.Typer(
    help="Study pages of ClinicalTrials.Veeva as validated records, with every line accounted for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_MOST_TOLD = 20
Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH…", help="Saved pages: files, folders (recursively), or - for stdin.", show_default=False
    ),
]


app.command()(cli_scrape.scrape)
app.add_typer(cli_scrape.index, name="index")
app.add_typer(cli_scrape.store_commands, name="store")


class Format(StrEnum):
    """How records are written."""

    jsonl = "jsonl"
    json = "json"


def _show_version(asked: bool) -> None:  # noqa: FBT001  typer calls it with the flag
    if asked:
        print(f"trialscrape {__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Study pages of ClinicalTrials.Veeva as validated records, with every line accounted for."""


@app.command()
def parse(
    paths: Paths,
    *,
    output: Output = None,
    format_: Annotated[Format, typer.Option("--format", help="JSON lines, or one JSON array.")] = Format.jsonl,
    strict: Annotated[bool, typer.Option("--strict", help="Fail a page that has warnings or unparsed lines.")] = False,
    spans: Annotated[bool, typer.Option("--spans", help="Add the source lines of each field.")] = False,
) -> None:
    """Read saved study pages and write one record a page.

    With -o trials.jsonl, trials.outcomes.jsonl beside it has one row for every page: file, outcome, message, line.
    """
    rows_file = export.outcomes_path(output) if output else None
    files = _files(paths, written=(output, rows_file))
    tally: Counter[str] = Counter()
    left = f"what was written is in {output}.part, the same command starts over" if output else ""
    with ends_in_words(left), ExitStack() as stack:
        rows = stack.enter_context(export.whole_file(rows_file)) if rows_file else None
        records = stack.enter_context(export.whole_file(output)) if output else sys.stdout.buffer
        write = stack.enter_context(_writer(records, format_))
        bar = stack.enter_context(progress(quiet=output is None and sys.stdout.isatty()))
        for file in bar.track(files, description="pages"):
            for outcome in outcomes_of(file, strict=strict, spans=spans):
                _count(tally, outcome)
                if outcome.trial:
                    write(outcome.trial)
                if rows:
                    rows.write(export.outcome_line(outcome) + b"\n")
    tally["skipped"] = files.skipped
    _summarize(tally, output)
    if tally["failed"]:
        raise typer.Exit(1)


@app.command()
def check(paths: Paths) -> None:
    """Tell how much of the pages is understood, what is unknown, and which fields are filled how often.

    Writes no records. Exit code 1 when anything is unparsed or unknown: the alarm for a changed site.
    """
    files = _files(paths)
    with progress() as bar:
        counts = survey.survey(bar.track(files, description="pages"))
    for line in survey.report(counts, skipped=files.skipped):
        print(printable(line))
    if counts.alarm:
        raise typer.Exit(1)


@app.command()
def show(path: Annotated[str, typer.Argument(metavar="PATH", help="One saved page, or - for stdin.")]) -> None:
    """Show one record for a person."""
    _files([path])
    if Path(path).is_dir():
        fail_usage(f"expected one page, found the folder {path}")
    outcome = next(outcomes_of(path))
    if not outcome.trial:
        tell(f"{outcome.file}: {outcome.outcome}: {outcome.message}")
        raise typer.Exit(1)
    Console(markup=False, highlight=False).print(display(outcome.trial))


@app.command()
def schema(
    *,
    spans: Annotated[bool, typer.Option("--spans", help="The schema of records with spans.")] = False,
) -> None:
    """Print the JSON Schema of a record."""
    model = TracedTrial if spans else Trial
    print(json.dumps(model.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False))


def _files(paths: list[str], written: Iterable[Path | None] = ()) -> sources.Files:
    """Find the files to read, without those that this run writes; a mistyped path ends the command before it begins."""
    missing = [path for path in paths if path != sources.STDIN and not os.path.lexists(path)]
    if missing:
        fail_usage(f"found no file or folder {', '.join(missing)}")
    outputs = [path.resolve() for path in written if path]
    if any(Path(path).resolve() in outputs for path in paths if path != sources.STDIN):
        fail_usage("expected other files to write than to read, found one that is both")
    return sources.Files(paths, written=outputs)


@contextmanager
def _writer(stream: BinaryIO, format_: Format) -> Iterator[Callable[[Trial], None]]:
    """Give the function that writes a record: as a line, or as an element of one array."""
    before, after, last = (b"", b"\n", b"") if format_ is Format.jsonl else (b"[\n", b"", b"\n]\n")

    def write(trial: Trial) -> None:
        nonlocal before
        stream.write(before + export.record_line(trial) + after)
        before = b"" if format_ is Format.jsonl else b",\n"

    yield write
    stream.write((b"[" if before == b"[\n" else b"") + last)
    stream.flush()


def _count(tally: Counter[str], outcome: PageResult) -> None:
    tally["pages"] += 1
    tally[outcome.outcome] += 1
    if outcome.trial:
        tally["warnings"] += len(outcome.trial.warnings)
        tally["unparsed lines"] += len(outcome.trial.unparsed)
        return
    tally["failed"] += 1
    if tally["failed"] <= _MOST_TOLD:
        place = f"{outcome.file}:{outcome.line}" if outcome.line else outcome.file
        tell(f"{place}: {outcome.outcome}: {outcome.message}")


def _summarize(tally: Counter[str], output: Path | None) -> None:
    if tally["failed"] > _MOST_TOLD:
        tell(f"… and {tally['failed'] - _MOST_TOLD:,} more that failed")
    told = ("pages", "ok", "failed", "warnings", "unparsed lines")
    counts = ", ".join(f"{tally[name]:,} {name}" for name in (*told, "skipped") if name in told or tally[name])
    tell(f"{counts}; records in {output}" if output else counts)

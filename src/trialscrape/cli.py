"""The commands: records to stdout or a file, talk to stderr, and the exit code is the result.

0 all well, 1 some pages failed or `check` has an alarm, 2 wrong usage, 130 stopped by Ctrl-C.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from trialscrape import __version__, export, sources, survey
from trialscrape.display import display, printable
from trialscrape.outcomes import Outcome, outcome_of
from trialscrape.records import TracedTrial, Trial

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
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File for the records; default is stdout.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="JSON lines, or one JSON array.")] = Format.jsonl,
    strict: Annotated[bool, typer.Option("--strict", help="Fail a page that has warnings or unparsed lines.")] = False,
    spans: Annotated[bool, typer.Option("--spans", help="Add the source lines of each field.")] = False,
) -> None:
    """Read saved study pages and write one record a page.

    With -o trials.jsonl, trials.outcomes.jsonl beside it has one row for every page: file, outcome, message, line.
    """
    rows_file = _rows_file(output)
    files = _files(paths, own=(output, rows_file))
    tally: Counter[str] = Counter()
    try:
        with ExitStack() as stack:
            records = stack.enter_context(export.whole_file(output)) if output else sys.stdout.buffer
            rows = stack.enter_context(export.whole_file(rows_file)) if rows_file else None
            write = stack.enter_context(_writer(records, format_))
            for file in stack.enter_context(_progress(files, quiet=output is None and sys.stdout.isatty())):
                outcome = outcome_of(file, strict=strict, spans=spans)
                _count(tally, outcome)
                if outcome.trial:
                    write(outcome.trial)
                if rows:
                    rows.write(export.outcome_line(outcome) + b"\n")
    except KeyboardInterrupt:
        left = f"; what was written is in {output}.part, the same command begins anew" if output else ""
        _tell(f"stopped{left}")
        raise typer.Exit(130) from None
    _summarize(tally, output)
    if tally["failed"]:
        raise typer.Exit(1)


@app.command()
def check(paths: Paths) -> None:
    """Tell how much of the pages is understood, what is unknown, and which fields are filled how often.

    Writes no records. Exit code 1 when anything is unparsed or unknown: the alarm for a changed site.
    """
    with _progress(_files(paths)) as files:
        counts = survey.survey(files)
    for line in survey.report(counts):
        print(printable(line))
    if counts.alarm:
        raise typer.Exit(1)


@app.command()
def show(path: Annotated[str, typer.Argument(metavar="PATH", help="One saved page, or - for stdin.")]) -> None:
    """Show one record for a person."""
    if Path(path).is_dir():
        _fail(f"expected one page, found the folder {path}")
    outcome = outcome_of(path)
    if not outcome.trial:
        _tell(f"{outcome.file}: {outcome.outcome}: {outcome.message}")
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


def _files(paths: list[str], own: Iterable[Path | None] = ()) -> list[str]:
    """List the files to read, without the files that this run or an earlier one writes."""
    written = {path.absolute() for path in own if path}
    written |= {path.with_name(f"{path.name}.part") for path in written}
    files = [file for file in sources.files_in(paths) if Path(file).absolute() not in written]
    if not files:
        _tell(f"expected pages, found no file in {', '.join(paths)}")
        raise typer.Exit(1)
    return files


def _rows_file(output: Path | None) -> Path | None:
    if output is None:
        return None
    if output.is_dir() or not output.parent.is_dir():
        _fail(f"expected a file in an existing folder for -o, found {output}")
    return export.outcomes_path(output)


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


@contextmanager
def _progress(files: list[str], *, quiet: bool = False) -> Iterator[Iterable[str]]:
    """Give the files, with a bar on stderr where somebody looks at it."""
    console = Console(stderr=True)
    columns = (TextColumn("pages"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        yield progress.track(files)


def _count(tally: Counter[str], outcome: Outcome) -> None:
    tally["pages"] += 1
    tally[outcome.outcome] += 1
    if outcome.trial:
        tally["warnings"] += len(outcome.trial.warnings)
        tally["unparsed lines"] += len(outcome.trial.unparsed)
        return
    tally["failed"] += 1
    if tally["failed"] <= _MOST_TOLD:
        place = f"{outcome.file}:{outcome.line}" if outcome.line else outcome.file
        _tell(f"{place}: {outcome.outcome}: {outcome.message}")


def _summarize(tally: Counter[str], output: Path | None) -> None:
    if tally["failed"] > _MOST_TOLD:
        _tell(f"… and {tally['failed'] - _MOST_TOLD:,} more that failed")
    told = ("pages", "ok", "failed", "warnings", "unparsed lines")
    counts = ", ".join(f"{tally[name]:,} {name}" for name in told)
    _tell(f"{counts}; records in {output}" if output else counts)


def _tell(message: str) -> None:
    print(printable(message), file=sys.stderr)


def _fail(message: str) -> NoReturn:
    raise typer.BadParameter(printable(message))

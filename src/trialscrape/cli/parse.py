"""`parse`: saved pages to records."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import typer

from trialscrape.cli.console import echo_error, echo_note, progress, report_errors, usage_error
from trialscrape.cli.options import (
    MOST_SHOWN,
    Fields,
    FormatName,
    Host,
    Jobs,
    NoContacts,
    Output,
    Paths,
    Quiet,
    Tables,
    TextColumn,
    UrlColumn,
    find_files,
    make_selection,
    require_format,
    require_target,
)
from trialscrape.engines import map_pages
from trialscrape.exports.files import atomic_write, make_folder
from trialscrape.exports.jsonl import PageLines, format_pages
from trialscrape.shards import PageShard, ShardSummary, map_on_ray, plan_shards, read_shard, write_manifest
from trialscrape.sources.files import Files
from trialscrape.sources.members import OTHER_SITES, REVISITS, SKIPPED
from trialscrape.wording import write_count

Engine = Literal["here", "ray"]


def parse_pages(  # noqa: PLR0913  a command has as many options as it needs
    paths: Paths,
    *,
    output: Output = None,
    format_: FormatName = None,
    tables: Tables = None,
    fields: Fields = None,
    no_contacts: NoContacts = False,
    host: Host = None,
    text_column: TextColumn = None,
    url_column: UrlColumn = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail a page that has warnings or unparsed lines.")] = False,
    spans: Annotated[bool, typer.Option("--spans", help="Add the source lines of each field.")] = False,
    jobs: Jobs = None,
    quiet: Quiet = False,
    engine: Annotated[Engine, typer.Option("--engine", help="What runs the work; ray writes a folder.")] = "here",
    ray_address: Annotated[
        str | None,
        typer.Option("--ray-address", metavar="ADDRESS", help="A running cluster; default is one of this machine."),
    ] = None,
) -> None:
    """Read saved study pages and write one record a page.

    A file may be a page (text, HTML, .mhtml, .webarchive), an archive of pages
    (zip, tar, WARC, WET, WACZ), a dump with a page a row (JSON lines, Parquet),
    or a store; each may be compressed with gzip, bzip2, xz or zstd. Its first
    bytes tell, and what is in an archive is read in the same way.

    With -o trials.jsonl, trials.outcomes.jsonl beside it has one row for every page: file, outcome, message, line.
    With --engine ray, the folder of -o gets records and outcomes by the shard, and manifest.json.
    """
    selection = make_selection(host, text_column, url_column)
    if engine == "ray":
        folder = _require_folder(output)
        require_format(folder / "shard", format_ or "jsonl")
        if tables or fields or no_contacts:
            usage_error("--tables, --fields and --no-contacts do not work with --engine ray: convert its records")
        plan = partial(
            plan_shards,
            folder=folder.resolve(),
            format_name=format_ or "jsonl",
            selection=selection,
            strict=strict,
            spans=spans,
        )
        _parse_on_ray(plan, find_files(paths), folder, ray_address, quiet=quiet)
        return
    if ray_address:
        usage_error("--ray-address needs --engine ray")
    target = require_target(output, format_, tables, fields, no_contacts=no_contacts)
    spans = spans or target.traced
    files = find_files(paths, written=(target.path, target.outcomes))
    tally: Counter[str] = Counter()
    left = f"what was written is in {target.path}.part, the same command starts over" if output and target.path else ""
    with report_errors(left), ExitStack() as stack:
        write = stack.enter_context(target.open())
        rows = stack.enter_context(atomic_write(target.outcomes)) if target.outcomes else None
        bar = stack.enter_context(progress(quiet=quiet or (target.path is None and sys.stdout.isatty())))
        tracked = bar.track(files, description="pages")
        for page in chain.from_iterable(
            map_pages(format_pages, tracked, selection, jobs=jobs, strict=strict, spans=spans)
        ):
            _count_page(tally, page)
            if page.record:
                write(page.record)
            if rows:
                rows.write(page.row + b"\n")
    tally.update(selection.left_out)
    tally[SKIPPED] += files.skipped
    _summarize(tally, target.path, quiet=quiet)
    if not tally["pages"]:
        echo_error(f"found no page of {selection.host}; name another host with --host, or all with --host '*'")
    if tally["failed"] or not tally["pages"]:
        raise typer.Exit(1)


def _require_folder(path: Path | None) -> Path:
    if path is None or (path.exists() and not path.is_dir()):
        usage_error(f"--engine ray writes into a folder: expected -o with one, found {path or 'none'}")
    if not path.parent.is_dir():
        usage_error(f"cannot make {path}: there is no folder {path.parent}")
    return path


def _parse_on_ray(
    plan: Callable[[Iterable[str]], Iterable[PageShard]],
    files: Files,
    folder: Path,
    address: str | None,
    *,
    quiet: bool,
) -> None:
    summaries: list[ShardSummary] = []
    failed = 0
    with (
        report_errors(f"the same command writes the shards that are missing in {folder}"),
        progress(quiet=quiet) as bar,
    ):
        make_folder(folder)
        shards = plan(bar.track(files, description="pages"))
        for summary in map_on_ray(read_shard, shards, address=address):
            if isinstance(summary, ShardSummary):
                summaries.append(summary)
                continue
            shard, message = summary
            failed += 1
            echo_error(f"{shard.files[0]} and what follows it ({write_count(len(shard.files), 'file')}): {message}")
        tally = write_manifest(folder, summaries)
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in tally.most_common())
    counts = f"{write_count(len(summaries), 'shard')}, {failed:,} failed, {write_count(files.skipped, 'skipped file')}"
    pages = write_count(tally.total(), "page")
    note = f"{counts}; {pages}: {outcomes or 'none'}; manifest in {folder / 'manifest.json'}"
    echo_note(note, quiet=quiet)
    if failed or tally.total() > tally["ok"]:
        raise typer.Exit(1)


def _count_page(tally: Counter[str], page: PageLines) -> None:
    result = page.result
    tally["pages"] += 1
    tally[result.outcome] += 1
    tally["warning"] += page.warnings
    tally["unparsed line"] += page.unparsed
    if page.record:
        return
    tally["failed"] += 1
    if tally["failed"] <= MOST_SHOWN:
        place = f"{result.file}:{result.line}" if result.line else result.file
        echo_error(f"{place}: {result.outcome}: {result.message}")


def _summarize(tally: Counter[str], output: Path | None, *, quiet: bool) -> None:
    if tally["failed"] > MOST_SHOWN:
        echo_error(f"… and {tally['failed'] - MOST_SHOWN:,} more that failed")
    counts = ", ".join(
        (
            write_count(tally["pages"], "page"),
            *(f"{tally[name]:,} {name}" for name in ("ok", "failed")),
            *(write_count(tally[name], name) for name in ("warning", "unparsed line")),
            *(f"{tally[name]:,} {name}" for name in (SKIPPED, OTHER_SITES) if tally[name]),
            *(write_count(count, "revisit") for count in (tally[REVISITS],) if count),
        )
    )
    echo_note(f"{counts}; records in {output}" if output else counts, quiet=quiet)

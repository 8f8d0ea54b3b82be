"""`parse`: saved pages to records."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from functools import partial
from itertools import chain
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, echo_note, report_errors, track, usage_error
from trialscrape.cli.options import (
    Fields,
    FormatName,
    Host,
    Jobs,
    NoContacts,
    Output,
    Paths,
    Quiet,
    Tables,
    Target,
    TextColumn,
    UrlColumn,
    find_files,
    make_selection,
    require_target,
)
from trialscrape.cli.trouble import Troubles
from trialscrape.engines import map_pages
from trialscrape.errors import Withdrawn
from trialscrape.exports.files import atomic_write
from trialscrape.exports.jsonl import PageLines, format_pages
from trialscrape.sources.members import OTHER_SITES, REVISITS, SKIPPED
from trialscrape.wording import write_count

ENGINES = ("here", "ray")


def _read_engine(name: str) -> str:
    if name not in ENGINES:
        usage_error(f"expected one of {', '.join(ENGINES)}, found {name!r}")
    return name


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
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="|".join(ENGINES),
            parser=_read_engine,
            autocompletion=lambda: list(ENGINES),
            help="What runs the work; default is here; ray writes a folder.",
        ),
    ] = "here",
    quiet: Quiet = False,
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
    Where no page gives a record, files that are there stay as they are.
    With --engine ray, the folder of -o gets records and outcomes by the shard, and manifest.json.
    """
    selection = make_selection(host, text_column, url_column)
    if engine == "ray":
        if tables or fields or no_contacts:
            usage_error("--tables, --fields and --no-contacts do not work with --engine ray: convert its records")
        # Not at the top: who does not use it need not wait for its import.
        from trialscrape.cli.commands.cluster import parse_on_ray  # noqa: PLC0415

        parse_on_ray(
            find_files(paths),
            output,
            format_ or "jsonl",
            selection,
            strict=strict,
            spans=spans,
            address=ray_address,
            quiet=quiet,
        )
        return
    if ray_address:
        usage_error("--ray-address needs --engine ray")
    target = require_target(output, format_, tables, fields, no_contacts=no_contacts)
    files = find_files(paths, written=(target.path, target.outcomes))
    left = f"what was written is in {target.path}.part, the same command starts over" if output and target.path else ""
    read = partial(map_pages, format_pages, selection=selection, jobs=jobs, strict=strict, spans=spans or target.traced)
    with report_errors(left):
        tally = _write_records(target, files, read, quiet=quiet)
    tally.update(selection.left_out)
    tally[SKIPPED] += files.skipped
    _summarize(tally, target, selection.host, quiet=quiet)
    if tally["failed"] or not tally["pages"]:
        raise typer.Exit(1)


def _write_records(
    target: Target, files: Iterable[str], read: Callable[[Iterable[str]], Iterable[list[PageLines]]], *, quiet: bool
) -> Counter[str]:
    """Write what is read of the files, report what failed, and count."""
    tally: Counter[str] = Counter()
    troubles = Troubles("page")
    with suppress(Withdrawn), ExitStack() as stack:
        stack.callback(lambda: target.report_troubles(troubles, tally["ok"]))  # of a run that is stopped, too
        write = stack.enter_context(target.open())
        rows = stack.enter_context(atomic_write(target.outcomes)) if target.outcomes else None
        shares_terminal = target.path is None and sys.stdout.isatty()
        tracked = stack.enter_context(track(files, "pages", quiet=quiet or shares_terminal))
        for page in chain.from_iterable(read(tracked)):
            _count_page(tally, troubles, page)
            if page.record:
                write(page.record)
            if rows:
                rows.write(page.row + b"\n")
        target.require_records(tally["ok"])
    return tally


def _count_page(tally: Counter[str], troubles: Troubles, page: PageLines) -> None:
    result = page.result
    tally["pages"] += 1
    tally[result.outcome] += 1
    tally["warning"] += page.warnings
    tally["unparsed line"] += page.unparsed
    if not page.record:
        tally["failed"] += 1
        place = f"{result.file}:{result.line}" if result.line else result.file
        troubles.add_page(place, result.outcome, result.message or "")


def _summarize(tally: Counter[str], target: Target, host: str, *, quiet: bool) -> None:
    kept = target.keeps_former(tally["ok"])
    counts = ", ".join(
        (
            write_count(tally["pages"], "page"),
            *(f"{tally[name]:,} {name}" for name in ("ok", "failed")),
            *(write_count(tally[name], name) for name in ("warning", "unparsed line")),
            *(f"{tally[name]:,} {name}" for name in (SKIPPED, OTHER_SITES, REVISITS) if tally[name]),
        )
    )
    place = hint = ""
    if target.path and not kept:
        place = f"; records in {target.path}"
        hint = "; run `trialscrape check PATH` to see them" if tally["warning"] or tally["unparsed line"] else ""
    echo_note(f"{counts}{place}{hint}", quiet=quiet)
    if not tally["pages"]:
        echo_error(f"found no page of {host}; name another host with --host, or all with --host '*'")
    if kept:
        echo_error(f"no page gave a record, so {target.path} stays as it was")

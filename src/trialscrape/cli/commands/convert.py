"""`convert`: records to another format."""

import sys
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, report_errors, track
from trialscrape.cli.options import (
    Fields,
    FormatName,
    NoContacts,
    Tables,
    find_files,
    refuse_overwriting,
    require_target,
)
from trialscrape.errors import RecordFileError
from trialscrape.exports.jsonl import format_record
from trialscrape.sources.record_files import read_records
from trialscrape.wording import write_count


def convert(  # noqa: PLR0913  a command has as many options as it needs
    records: Annotated[
        str, typer.Argument(metavar="IN", help="Records as .jsonl or .json, plain or gzip; - for stdin.")
    ],
    output: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="File for the records; default is stdout.")
    ] = None,
    *,
    format_: FormatName = None,
    tables: Tables = None,
    fields: Fields = None,
    no_contacts: NoContacts = False,
) -> None:
    """Write the records that parse or scrape wrote in another format.

    The ending of OUT chooses the format. A file that is there stays as it is until the new one is whole; a database is
    updated trial by trial.
    """
    target = require_target(output, format_, tables, fields, no_contacts=no_contacts)
    find_files([records])
    if records != "-":
        refuse_overwriting((target.path,), Path(records))
    count = 0
    with report_errors("the same command starts over"):
        trials = read_records(records)
        # Before the output is opened: an input without records leaves no trace.
        first = next(trials, None)
        if first is None:
            kept = f"so {target.path} stays as it was" if target.is_there else "so nothing was written"
            raise RecordFileError(f"{records}: expected records, found none, {kept}")
        quiet = target.path is None and sys.stdout.isatty()
        with target.open() as write, track(chain([first], trials), "records", quiet=quiet) as tracked:
            for trial in tracked:
                write(format_record(trial))
                count += 1
    echo_error(f"{write_count(count, 'record')} from {records}" + (f" in {target.path}" if target.path else ""))

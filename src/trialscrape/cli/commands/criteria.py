"""`criteria`: a text of eligibility criteria to its criteria by side."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, usage_error
from trialscrape.cli.options import find_files
from trialscrape.errors import PageError
from trialscrape.parsing.criteria_text import parse_criteria_with_warnings
from trialscrape.sources.files import STDIN, read_text


def print_criteria(
    path: Annotated[str, typer.Argument(metavar="FILE", help="A text of criteria, or - for stdin.")],
) -> None:
    """Read eligibility criteria in a text from anywhere and write them by side, as one line of JSON.

    What is doubtful goes to stderr. Criteria that no heading gives to a side are unassigned.
    """
    find_files([path])
    if Path(path).is_dir():
        usage_error(f"{path} is a folder; name one text")
    name = "stdin" if path == STDIN else path
    try:
        text, of_bytes, _ = read_text(path)
    except PageError as error:
        echo_error(f"{name}: {error.outcome}: {error.message}")
        raise typer.Exit(1) from error
    if not text.strip("\ufeff \t\r\n"):
        echo_error(f"{name}: expected a text of eligibility criteria, found none")
        raise typer.Exit(1)
    eligibility, warnings = parse_criteria_with_warnings(text)
    for warning in (*of_bytes, *warnings):
        place = f"{name}:{warning.line}" if warning.line else name
        echo_error(f"{place}: {warning.code}: {warning.message}")
    sys.stdout.buffer.write(eligibility.model_dump_json().encode() + b"\n")

"""Talk to a person: on stderr, with no control character of a page in it, and a bar only where somebody looks."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from trialscrape.errors import TrialscrapeError

_SUSPECT = re.compile(r"[^\n\x20-\x7e]")


def escape_controls(text: str) -> str:
    """Write out what a terminal would obey or hide: control characters, bidi marks, and other unprintable ones."""
    return _SUSPECT.sub(lambda match: _visible(match[0]), text)


def _visible(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()


@contextmanager
def report_errors(how_to_go_on: str = "") -> Iterator[None]:
    """Tell what ended a command early: an error of ours in one line, Ctrl-C with how to go on."""
    try:
        yield
    except TrialscrapeError as error:
        echo_error(str(error))
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        echo_error(f"stopped; {how_to_go_on}" if how_to_go_on else "stopped")
        raise typer.Exit(130) from None


def echo_error(message: str) -> None:
    """Say a line on stderr."""
    print(escape_controls(message), file=sys.stderr)


def usage_error(message: str) -> NoReturn:
    """End the command as used wrongly, with exit code 2."""
    raise typer.BadParameter(escape_controls(message))


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Progress]:
    """Give a progress display that shows only on a terminal, and is gone at the end."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as shown:
        yield shown

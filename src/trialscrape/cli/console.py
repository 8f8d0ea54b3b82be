"""Messages and progress on stderr: control characters are escaped, and the bar shows only on a terminal."""

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
    """Escape what a terminal would obey or hide: control characters, bidi marks and other unprintable characters."""
    return _SUSPECT.sub(lambda match: _visible(match[0]), text)


def _visible(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()


@contextmanager
def report_errors(how_to_resume: str = "", *, code: int = 1) -> Iterator[None]:
    """Report what ended a command early, with an exit code: one line for an error, and for Ctrl-C how to resume."""
    try:
        yield
    except TrialscrapeError as error:
        echo_error(str(error))
        raise typer.Exit(code) from error
    except KeyboardInterrupt:
        echo_error(f"stopped; {how_to_resume}" if how_to_resume else "stopped")
        raise typer.Exit(130) from None


def echo_error(message: str) -> None:
    """Print a message to stderr."""
    print(escape_controls(message), file=sys.stderr)


def usage_error(message: str) -> NoReturn:
    """End the command with a usage error, exit code 2."""
    raise _UsageError(escape_controls(message))


class _UsageError(typer.BadParameter):
    """A usage error that is about an option says which, and no more than that before the message."""

    def format_message(self) -> str:
        return f"{self.param.opts[0]}: {self.message}" if self.param else self.message


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Progress]:
    """Yield a progress display that shows only on a terminal and disappears at the end."""
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

"""Messages, progress and logs: control characters are escaped, and the bar shows only on a terminal."""

import logging
import re
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, TypeVar

import typer

from trialscrape.addresses import mask_passwords
from trialscrape.errors import TrialscrapeError

_log = logging.getLogger("trialscrape.messages")
_log.addHandler(logging.NullHandler())  # without --log, a message is printed and no more
_Item = TypeVar("_Item")

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
    _log.error("%s", message)


def echo_note(message: str, *, quiet: bool = False) -> None:
    """Print a message that a quiet command leaves out."""
    if not quiet:
        print(escape_controls(message), file=sys.stderr)
    _log.info("%s", message)


def usage_error(message: str) -> NoReturn:
    """End the command with a usage error, exit code 2."""
    raise _UsageError(escape_controls(message))


class _UsageError(typer.BadParameter):
    """A usage error that is about an option says which, and no more than that before the message."""

    def format_message(self) -> str:
        option = self.param.opts[0] if self.param else ""
        return f"{option}: {self.message}" if option.startswith("-") else self.message


class _LineFormatter(logging.Formatter):
    """One line a message, without what a terminal would obey, and without passwords."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        return escape_controls(mask_passwords(super().format(record))).replace("\n", "\\n")


class _Stderr(logging.Handler):
    """Log lines on the stderr of now: a bar on a terminal puts its own in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != _log.name:  # these are printed anyway
            print(self.format(record), file=sys.stderr)


class _LogFile(logging.FileHandler):
    """A log file; where it cannot be written to, this is reported once, and the command continues without it."""

    is_broken = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self.is_broken:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  logging calls it so
        self.is_broken = True
        error = sys.exc_info()[1]
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        echo_error(f"cannot write {self.baseFilename}: {reason.lower()}; the log ends here")

    def close(self) -> None:
        with suppress(OSError):  # what could not be written was reported
            super().close()


@contextmanager
def keep_log(file: Path | None, *, verbose: bool = False) -> Iterator[None]:
    """Log what the library does: all of it to a file, and what is worth knowing to stderr where verbose.

    The file gets each message of the command too.
    """
    handlers: list[logging.Handler] = []
    if verbose:
        handlers.append(_Stderr(logging.INFO))
        handlers[0].setFormatter(_LineFormatter())
    if file:
        try:
            handlers.append(_LogFile(file, "a", encoding="utf-8"))
        except OSError as error:
            usage_error(f"cannot write {file}: {(error.strerror or str(error)).lower()}")
        handlers[-1].setFormatter(_LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("trialscrape")
    if handlers:
        root.setLevel(logging.DEBUG if file else logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(logging.NOTSET)


@contextmanager
def track(items: Iterable[_Item], description: str, *, quiet: bool = False) -> Iterator[Iterable[_Item]]:
    """Yield some items, and show on a terminal how many were taken."""
    if quiet or not sys.stderr.isatty():
        yield items
        return
    # Not at the top: it takes as long to import as dozens of pages to read.
    from trialscrape.cli.bar import open_bar  # noqa: PLC0415

    with open_bar() as bar:
        yield bar.track(items, description=description)

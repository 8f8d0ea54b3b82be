"""What several commands take: saved pages, the file for records and its format, the store, and settings."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

import typer

from trialscrape.cli.console import echo_error, keep_log, usage_error
from trialscrape.cli.trouble import Troubles
from trialscrape.errors import MissingExtraError, TrialscrapeError, UnknownField, UnknownFormat, Withdrawn
from trialscrape.exports import formats
from trialscrape.exports.fields import choose_fields, make_filter
from trialscrape.settings import Settings
from trialscrape.sources.files import STDIN, Files
from trialscrape.sources.members import Selection
from trialscrape.wording import write_count

MOST_SHOWN = 20
"""Messages about single pages or records that a command prints; the rest are counted."""

Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH", help="Files, folders (recursively), or - for stdin."),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host", metavar="NAME", help="Read pages of this host from archives and dumps; default is the site, * is all."
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option("--text-column", metavar="NAME", help="Column of a dump with the pages; default is a known name."),
]
UrlColumn = Annotated[
    str | None,
    typer.Option("--url-column", metavar="NAME", help="Column of a dump with their addresses, likewise."),
]


def read_count(text: str) -> int:
    """Read the value of an option: a whole number of 1 or more."""
    if not re.fullmatch("0*[1-9][0-9]{0,17}", text, re.ASCII):
        usage_error(f"expected a whole number of 1 or more, found {text!r}")
    return int(text)


Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        parser=read_count,
        help="Processes that read pages; default is one for few pages, else all cores.",
    ),
]


def check_output(path: Path | None) -> Path | None:
    """Refuse an output that is not a file; return the path behind a link, or None for `-`."""
    if path is None or path == Path("-"):
        return None
    path = path.resolve() if path.is_symlink() else path
    if not path.parent.is_dir():
        usage_error(f"cannot write {path}: there is no folder {path.parent}")
    if path.exists() and not path.is_file():
        usage_error(f"cannot write {path}: it is not a regular file")
    return path


Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="File for the records; default is stdout."),
]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        autocompletion=lambda: list(formats.FORMATS),
        help=f"{', '.join(formats.FORMATS)}; default is by the name of the file.",
    ),
]


Tables = Annotated[
    Path | None,
    typer.Option("--tables", metavar="DIR", help="Folder for flat tables, as csv or parquet, instead of one file."),
]
Fields = Annotated[
    str | None, typer.Option("--fields", metavar="NAME,…", help="Fields to write, in this order; default is all.")
]
NoContacts = Annotated[
    bool, typer.Option("--no-contacts", help="Leave out the contacts, and their names wherever else they stand.")
]


class Target(NamedTuple):
    """Where records go.

    Attributes:
        path: The file, or the folder of tables; None for stdout.
        outcomes: The file of the outcomes beside it.
        writer: Opens what writes them.
        select: What a record passes first.
        traced: Whether the records should have spans.
        is_there: Whether there are records already that these would replace.
    """

    path: Path | None
    outcomes: Path | None
    writer: Callable[[], formats.Writer]
    select: Callable[[bytes], bytes]
    traced: bool = False
    is_there: bool = False

    def keeps_former(self, records: int) -> bool:
        """Tell whether the former records and outcomes stay, since there are none to replace them."""
        return self.is_there and not records

    def require_records(self, records: int) -> None:
        """End the writing of no records where there are former ones.

        Raises:
            Withdrawn: The former records and outcomes stay.
        """
        if self.keeps_former(records):
            raise Withdrawn

    def report_troubles(self, troubles: Troubles, records: int) -> None:
        """Print what went wrong, and where all messages are."""
        for line in troubles.write_lines(self.locate_messages(records)):
            echo_error(line)

    def locate_messages(self, records: int) -> str:
        """Say where all messages are, also those that are not printed."""
        if self.keeps_former(records):
            return "with -o and a new name, an outcomes file has them all"
        return "the outcomes file has them all" if self.outcomes else "with -o, an outcomes file has them all"

    @contextmanager
    def open(self) -> Iterator[Callable[[bytes], None]]:
        """Yield the function that writes a record, given as its line of JSON, and reports what its format says."""
        notes = 0
        with self.writer() as write:

            def write_selected(record: bytes) -> None:
                nonlocal notes
                note = write(self.select(record))
                if isinstance(note, str):
                    notes += 1
                    if notes <= MOST_SHOWN:
                        echo_error(note)

            yield write_selected
        if notes > MOST_SHOWN:
            echo_error(f"… and {write_count(notes - MOST_SHOWN, 'more note')}")


def require_target(
    output: Path | None, format_: str | None, tables: Path | None, fields: str | None, *, no_contacts: bool
) -> Target:
    """Choose where records go and how; what cannot be ends the command before it begins."""
    if output and tables:
        usage_error("expected -o or --tables, found both")
    try:
        select = make_filter(choose_fields(fields), contacts=not no_contacts)
        if tables:
            tables = _check_folder(tables)
            return Target(
                tables,
                tables / "outcomes.jsonl",
                partial(formats.choose_tables(format_).open_tables, tables),
                select,
                is_there=tables.exists() and any(tables.iterdir()),
            )
        output = check_output(output)
        chosen = formats.choose_format(output, format_)
    except (UnknownFormat, UnknownField, MissingExtraError) as error:
        usage_error(str(error))
    return Target(
        output,
        formats.name_outcomes(output) if output else None,
        partial(chosen.open, output),
        select,
        chosen.traced,
        is_there=bool(output and output.exists()),
    )


def require_format(output: Path, name: str) -> str:
    """Return the name of a format that a file can have; one that it cannot have ends the command before it begins."""
    try:
        formats.choose_format(output, name)
    except (UnknownFormat, MissingExtraError) as error:
        usage_error(str(error))
    return formats.find_name(name)


def _check_folder(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        usage_error(f"cannot write tables into {path}: it is not a folder")
    if not path.parent.is_dir():
        usage_error(f"cannot make {path}: there is no folder {path.parent}")
    return path


def find_files(paths: list[str], written: Iterable[Path | None] = ()) -> Files:
    """Find the files to read, without those that this run writes; a mistyped path ends the command before it begins."""
    missing = [path for path in paths if path != STDIN and not os.path.lexists(path)]
    if missing:
        ids = [path for path in missing if re.fullmatch("(?i)NCT[0-9]{8}", path)]
        hint = f"; to fetch studies by their ids, run: trialscrape scrape {' '.join(ids[:3])}" if ids else ""
        usage_error(f"there is no file or folder {', '.join(missing)}{hint}")
    outputs = [path.resolve() for path in written if path]
    for path in paths:
        if path != STDIN and Path(path).resolve() in outputs:
            usage_error(f"cannot write {path}: this command reads it")
    return Files(paths, written=outputs)


def make_selection(host: str | None, text_column: str | None, url_column: str | None) -> Selection:
    """Make the selection of the options; the default host is that of the site in the settings."""
    settings = make_settings()
    site = urlsplit(settings.site).hostname or ""
    return Selection(host or site, settings.study_path, text_column, url_column)


POLITE_RATE = 2.0
"""Requests a second that other readers of the site keep to; more need the user's word."""
_REAL_HOSTS = [urlsplit(Settings.model_fields[name].default).hostname for name in ("site", "registry")]

DEFAULT_STORE = Path("trialscrape.db")
Full = Annotated[bool, typer.Option("--full", help="Show long texts and lists whole.")]
StoreFile = Annotated[
    Path,
    typer.Option(
        "--store",
        metavar="FILE",
        envvar="TRIALSCRAPE_STORE",
        help=f"The store of fetched pages; default is {DEFAULT_STORE}.",
    ),
]
Site = Annotated[str | None, typer.Option("--site", metavar="URL", help="Scheme and host of the site.")]
Registry = Annotated[str | None, typer.Option("--registry", metavar="URL", help="Scheme and host of the registry.")]
Rate = Annotated[str | None, typer.Option("--rate", metavar="N", help="Requests a second over all hosts; default 1.")]
Contact = Annotated[
    str | None, typer.Option("--contact", metavar="TEXT", help="Mail address or URL for the User-Agent.")
]


Yes = Annotated[
    bool,
    typer.Option(
        "-y", "--yes", help=f"Agree to more than {POLITE_RATE:g} requests a second to the real site or registry."
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only: no progress and no summary.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print each request too, and what decides them.")]
LogFile = Annotated[
    Path | None, typer.Option("--log", metavar="FILE", help="Append a line for all that happens, with its time.")
]


def require_yes(settings: Settings, hosts: Iterable[str], *, yes: bool) -> None:
    """End a command that would send more to the real site or registry than others do, unless the user agreed.

    Args:
        settings: The settings, with the rate.
        hosts: The addresses of the hosts that the command requests something from.
        yes: Whether the user agreed.
    """
    if yes or settings.rate <= POLITE_RATE:
        return
    for url in hosts:
        host = (urlsplit(url).hostname or "").rstrip(".")
        if any(host == real or host.endswith(f".{real}") for real in _REAL_HOSTS):
            usage_error(
                f"a rate of {settings.rate:g} is more than {host} may like: other readers keep to {POLITE_RATE:g} "
                f"requests a second. Lower --rate or TRIALSCRAPE_RATE to {POLITE_RATE:g}, or add --yes if its owner "
                "agrees"
            )


def open_log(
    log: Path | None, store: Path, *others: Path | None, quiet: bool, verbose: bool
) -> AbstractContextManager[None]:
    """Open the log of a command, before it begins.

    Args:
        log: The log file.
        store: The store, which is no log file.
        others: Files that the command reads or writes, likewise.
        quiet: Whether the command prints errors only.
        verbose: Whether it prints the log.
    """
    if quiet and verbose:
        usage_error("expected -q or -v, found both")
    used = [path for path in others if path]
    refuse_overwriting((log,), store, *used, *(path.with_name(f"{path.name}.part") for path in used))
    return keep_log(log, verbose=verbose)


def refuse_overwriting(outputs: Iterable[Path | None], store: Path, *inputs: Path) -> None:
    """End a command that would write its output over its input."""
    beside = [Path(f"{store}{suffix}") for suffix in ("", "-wal", "-shm", ".lock")]
    taken = {path.resolve() for path in (*beside, *inputs)}
    for output in filter(None, outputs):
        if {output.resolve(), output.with_name(f"{output.name}.part").resolve()} & taken:
            usage_error(f"cannot write {output}: this command uses it for something else")


def make_settings(**options: object) -> Settings:
    """Make the settings of the options, the environment, and the defaults, in this order of precedence."""
    try:
        chosen = {name: value for name, value in options.items() if value is not None}
        return Settings.from_environment(os.environ, **chosen)
    except TrialscrapeError as error:
        usage_error(str(error))

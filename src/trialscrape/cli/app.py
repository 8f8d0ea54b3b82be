"""The commands: records to stdout or a file, messages to stderr, and the exit code is the result.

0 all well, 1 some pages failed or `check` has an alarm, 2 wrong usage, 130 stopped by Ctrl-C,
141 the reader of stdout left early.
"""

import sys
from pkgutil import resolve_name
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from trialscrape import __version__

PIPE_CLOSED = 128 + 13
"""The exit code of a command that SIGPIPE ends: nothing failed, and `check` raised no alarm."""


class _Commands(TyperGroup):
    """The commands. Where the reader of stdout leaves early, typer would end them with 1."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  typer keeps these types to itself
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            sys.exit(PIPE_CLOSED)


COMMANDS = {
    "parse": "parse.parse_pages",
    "criteria": "criteria.print_criteria",
    "scrape": "scrape.scrape_ids",
    "convert": "convert.convert",
    "check": "inspect.check",
    "report": "report.write_report",
    "show": "inspect.show",
    "schema": "inspect.schema",
    "find": "find.find",
    "diff": "diff.diff",
    "verify": "verify.verify_records",
    "explain": "explain.explain",
    "index": "store.index",
    "store": "store.store_commands",
}
"""The commands, as help lists them: a name to the module beside this one, and what it calls the command."""


_TRY = (
    "Try `trialscrape parse page.html` with a study page that you saved, `trialscrape show page.html` to look at it, "
    "and `trialscrape scrape NCT04280705 -o trials.jsonl` to fetch one."
)


def make_app(name: str | None = None) -> typer.Typer:
    """Make the command line of one command, or of all: what a command does not need is not imported."""
    app = typer.Typer(
        cls=_Commands,
        callback=_accept_options,
        epilog=_TRY,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for known in [name] if name in COMMANDS else COMMANDS:
        command = resolve_name(f"{__package__}.{COMMANDS[known]}")
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=known)
        else:
            app.command(known)(command)
    return app


def _show_version(requested: bool) -> None:  # noqa: FBT001  typer calls it with the flag
    if requested:
        print(f"trialscrape {__version__}")
        raise typer.Exit


def _accept_options(
    *,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Study pages of ClinicalTrials.Veeva as validated records, with every line accounted for."""

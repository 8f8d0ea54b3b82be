"""The commands: records to stdout or a file, messages to stderr, and the exit code is the result.

0 all well, 1 some pages failed or `check` has an alarm, 2 wrong usage, 130 stopped by Ctrl-C,
141 the reader of stdout left early.
"""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from trialscrape import __version__
from trialscrape.cli import store
from trialscrape.cli.inspect import check, schema, show
from trialscrape.cli.parse import parse_pages
from trialscrape.cli.scrape import scrape_ids

PIPE_CLOSED = 128 + 13
"""The exit code of a command that SIGPIPE ends: nothing failed, and `check` raised no alarm."""


class _Commands(TyperGroup):
    """The commands. Where the reader of stdout leaves early, typer would end them with 1."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  typer keeps these types to itself
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            sys.exit(PIPE_CLOSED)


app = typer.Typer(
    cls=_Commands,
    help="Study pages of ClinicalTrials.Veeva as validated records, with every line accounted for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(requested: bool) -> None:  # noqa: FBT001  typer calls it with the flag
    if requested:
        print(f"trialscrape {__version__}")
        raise typer.Exit


@app.callback()
def accept_options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Study pages of ClinicalTrials.Veeva as validated records, with every line accounted for."""


app.command("parse")(parse_pages)
app.command("scrape")(scrape_ids)
app.command()(check)
app.command()(show)
app.command()(schema)
app.add_typer(store.index, name="index")
app.add_typer(store.store_commands, name="store")

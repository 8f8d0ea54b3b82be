"""The commands: records to stdout or a file, messages to stderr, and the exit code is the result.

0 all well, 1 some pages failed or `check` has an alarm, 2 wrong usage, 130 stopped by Ctrl-C.
"""

from typing import Annotated

import typer

from trialscrape import __version__
from trialscrape.cli import store
from trialscrape.cli.convert import convert
from trialscrape.cli.inspect import check, schema, show
from trialscrape.cli.parse import parse_pages
from trialscrape.cli.scrape import scrape_ids

app = typer.Typer(
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
app.command()(convert)
app.command()(check)
app.command()(show)
app.command()(schema)
app.add_typer(store.index, name="index")
app.add_typer(store.store_commands, name="store")

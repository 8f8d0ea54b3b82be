"""The commands: records to stdout or a file, messages to stderr, and the exit code is the result.

0 all well, 1 some pages failed or `check` has an alarm, 2 wrong usage, 130 stopped by Ctrl-C,
141 the reader of stdout left early.
"""

import sys
from pkgutil import resolve_name
from typing import Annotated, Any

import typer
from typer.main import get_command

from trialscrape import __version__
from trialscrape.cli.commands import COMMANDS, GROUPS
from trialscrape.cli.help import WIDTH, DocumentedCommand, DocumentedGroup

PIPE_CLOSED = 128 + 13
"""The exit code of a command that SIGPIPE ends: nothing failed, and `check` raised no alarm."""

# typer keeps two columns free.
_LAYOUT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH + 2}


class _NamedCommand(DocumentedCommand):
    """A command of the table that is imported when it is run, or its help or its options are wanted."""

    def __init__(self, key: str) -> None:
        super().__init__(key.rpartition(" ")[2], short_help=COMMANDS[key].summary, rich_markup_mode=None)
        self._key = key

    def make_context(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401  typer keeps these types to itself
        """Begin a run of the command itself."""
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        app.command(self.name, cls=DocumentedCommand, context_settings=_LAYOUT)(_load(self._key))
        return get_command(app).make_context(*arguments, **more)


class _Commands(DocumentedGroup):
    """All commands. Where the reader of stdout leaves early, typer would end them with 1."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401  as above
        super().__init__(**attributes)
        self.commands = {key: _NamedCommand(key) for key in COMMANDS if " " not in key}
        for name, summary in GROUPS.items():
            within = [_NamedCommand(key) for key in COMMANDS if key.startswith(f"{name} ")]
            self.commands[name] = DocumentedGroup(
                name=name,
                help=summary,
                short_help=summary,
                commands=within,
                no_args_is_help=True,
                rich_markup_mode=None,
                context_settings=_LAYOUT,
            )

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  as above
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            sys.exit(PIPE_CLOSED)


def make_app(name: str | None = None) -> typer.Typer:
    """Make the command line. A command is imported when it runs.

    Args:
        name: A command that is imported now, while Ctrl-C still ends the program at once.
    """
    if name in COMMANDS:
        _load(name)
    return typer.Typer(
        cls=_Commands,
        callback=_accept_options,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings=_LAYOUT,
    )


def _load(key: str) -> Any:  # noqa: ANN401  each command has its own parameters
    return resolve_name(f"{__package__}.commands.{COMMANDS[key].function}")


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

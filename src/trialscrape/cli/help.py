"""Help as plain text: usage, options, and what the table of commands says of examples, exit codes and variables.

It is the same in a terminal, in a pipe and in the docs, and does not depend on how a version of typer lays it out.
"""

from typing import Any

from typer.core import TyperCommand, TyperGroup

from trialscrape.cli.commands import COMMANDS, EXIT_CODES, ROOT_EXAMPLES, SITE, VARIABLES

WIDTH = 100
"""Columns that help takes at most."""


class DocumentedCommand(TyperCommand):
    """A command whose help has the sections of the table."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  typer keeps these types to itself
        """Return what stands behind the command in its usage."""
        pieces = ["[OPTIONS]"]
        for one in self.params:
            if not one.opts[0].startswith("-"):
                name = f"{one.metavar}…" if one.nargs != 1 else str(one.metavar)
                pieces.append(name if one.required else f"[{name}]")
        return pieces

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  as above
        """Write the help."""
        command = COMMANDS[ctx.command_path.partition(" ")[2]]
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        _write_examples(formatter, command.examples)
        _write_rows(formatter, "Arguments", [_describe(one) for one in self.params if not one.opts[0].startswith("-")])
        _write_rows(formatter, "Options", _list_options(self, ctx))
        codes = {0: command.well, 1: command.failed, 2: command.trouble, **EXIT_CODES}
        _write_rows(formatter, "Exit codes", [(str(code), meaning) for code, meaning in codes.items()])
        _write_rows(formatter, "Environment variables", [(name, VARIABLES[name]) for name in command.variables])
        _write_link(formatter, command.page)


class DocumentedGroup(TyperGroup):
    """A group of commands whose help has an example of each."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  typer keeps these types to itself
        """Return what stands behind the command in its usage."""
        return ["[OPTIONS]", "COMMAND …"]

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  as above
        """Write the help."""
        group = ctx.command_path.partition(" ")[2]
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        examples = [COMMANDS[f"{group} {name}"].examples[0] for name in self.commands] if group else ROOT_EXAMPLES
        _write_examples(formatter, examples, "Examples" if group else "Try")
        _write_rows(formatter, "Commands", [(name, one.short_help or "") for name, one in self.commands.items()])
        _write_rows(formatter, "Options", _list_options(self, ctx))
        formatter.write_paragraph()
        formatter.write(f"`{ctx.command_path} COMMAND --help` has the options, examples and exit codes of a command.\n")
        _write_link(formatter, "changes" if group else "commands")


def _describe(param: Any) -> tuple[str, str]:  # noqa: ANN401  typer keeps these types to itself
    """Describe an argument, or an option: its names and, unless it is a flag, its metavar."""
    is_option = param.opts[0].startswith("-")
    names = ", ".join(sorted(param.opts, key=len)) if is_option else ""
    required = " (required)" if is_option and param.required else ""
    return " ".join(filter(None, (names, param.metavar))), f"{param.help}{required}"


def _list_options(command: TyperCommand | TyperGroup, ctx: Any) -> list[tuple[str, str]]:  # noqa: ANN401  as above
    return [_describe(one) for one in command.get_params(ctx) if one.opts[0].startswith("-")]


def _write_examples(formatter: Any, examples: Any, heading: str = "Examples") -> None:  # noqa: ANN401  as above
    with formatter.section(heading):
        formatter.write("".join(f"  {example}\n" for example in examples))  # a command to copy is not wrapped


def _write_rows(formatter: Any, heading: str, rows: list[tuple[str, str]]) -> None:  # noqa: ANN401  as above
    if rows:
        with formatter.section(heading):
            formatter.write_dl(rows)


def _write_link(formatter: Any, page: str) -> None:  # noqa: ANN401  as above
    formatter.write_paragraph()
    formatter.write(f"Docs: {SITE}{'' if page == 'index' else f'{page}/'}\n")

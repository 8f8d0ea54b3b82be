"""Help has the same sections for every command, and neither it nor a message shows types of Python."""

import inspect
import re
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from trialscrape.cli.app import make_app
from trialscrape.cli.commands import COMMANDS, EXIT_CODES, GROUPS, ROOT_EXAMPLES, VARIABLES
from trialscrape.cli.help import WIDTH
from trialscrape.settings import Settings

ROOT = Path(__file__).parents[2]
ALL = ["", *GROUPS, *COMMANDS]
FOREIGN = re.compile(
    r"<\w|list\[|\bbool\b|\bNone\b|(?i:input should|value error|pydantic|valid integer|parse string|errno|traceback)"
)
"""Words of Python and of pydantic."""


def run(*arguments: str, **environ: str) -> Result:
    # The test's own environment may set some variables.
    own = dict.fromkeys(name for name in ("TRIALSCRAPE_STORE", "TRIALSCRAPE_SITE") if name not in environ)
    env: dict[str, str | None] = {**own, **environ}
    return CliRunner().invoke(make_app(), arguments, env=env, prog_name="trialscrape", terminal_width=WIDTH)


def read_help(name: str) -> str:
    done = run(*name.split(), "--help")
    assert done.exit_code == 0, done.output
    return done.stdout


def read_section(text: str, heading: str) -> list[str]:
    found = re.search(rf"^{heading}:\n((?:  .*\n)+)", text, re.MULTILINE)
    return [line[2:] for line in found[1].splitlines()] if found else []


@pytest.mark.parametrize("name", ALL)
def test_help_shows_no_types_and_is_not_too_wide(name: str) -> None:
    text = read_help(name)
    assert not FOREIGN.search(text)
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_examples_exit_codes_variables_and_a_link(name: str) -> None:
    text, command = read_help(name), COMMANDS[name]
    assert text.startswith(f"Usage: trialscrape {name} [OPTIONS]")
    assert read_section(text, "Examples") == list(command.examples)
    assert command.examples
    assert all(f"trialscrape {name}" in example for example in command.examples)
    codes = [line.split()[0] for line in read_section(text, "Exit codes")]
    assert codes == ["0", "1", "2", *map(str, EXIT_CODES)]
    assert [line.split()[0] for line in read_section(text, "Environment variables")] == list(command.variables)
    docs = ROOT / "docs" / f"{command.page}.md"
    assert f"`{name}" in docs.read_text() or f"trialscrape {name}" in docs.read_text()
    address = "" if command.page == "index" else f"{command.page}/"
    assert text.endswith(f"\nDocs: https://example.org/trialscrape/docs/{address}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_begins_with_what_the_function_says(name: str) -> None:
    said = inspect.getdoc(resolve_name(f"trialscrape.cli.commands.{COMMANDS[name].function}"))
    assert said
    assert " ".join(said.split()) in " ".join(read_help(name).split())


def list_params(name: str) -> list[Any]:
    """Return the arguments and options of a command, as typer made them."""
    command = get_command(make_app())
    for part in name.split():
        command = command.commands[part]  # type: ignore[attr-defined]  # it is a group
    params: list[Any] = command.make_context(name, ["--help"], resilient_parsing=True).command.params
    return params


@pytest.mark.parametrize("name", COMMANDS)
def test_the_store_is_a_variable_of_the_commands_that_open_it(name: str) -> None:
    variables = {one.envvar for one in list_params(name)}
    assert ("TRIALSCRAPE_STORE" in variables) == ("TRIALSCRAPE_STORE" in COMMANDS[name].variables)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_says_what_it_is_and_what_it_takes(name: str) -> None:
    for one in list_params(name):
        assert one.help, one.name
        is_flag = one.opts[0].startswith("-") and one.is_flag
        assert bool(one.metavar) != is_flag, one.name


def test_every_variable_is_heeded_by_some_command() -> None:
    assert {name for command in COMMANDS.values() for name in command.variables} == set(VARIABLES)


@pytest.mark.parametrize(("name", "listed"), [("", [*COMMANDS, *GROUPS]), *((group, COMMANDS) for group in GROUPS)])
def test_a_group_lists_its_commands(name: str, listed: list[str]) -> None:
    within = [key.removeprefix(name).strip() for key in listed if key.startswith(name)]
    shown = [line.split()[0] for line in read_section(read_help(name), "Commands")]
    assert shown == [key for key in within if " " not in key]


def test_without_a_command_there_are_three_to_try() -> None:
    done = run()
    assert (done.exit_code, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    tried = lines.index("Try:")
    assert lines[tried + 1 : tried + 4] == [f"  {example}" for example in ROOT_EXAMPLES]
    assert tried < lines.index("Commands:")


NUMBER = "expected a whole number of 1 or more, found"
WRONG: dict[str, tuple[list[str], str]] = {
    "jobs in words": (["parse", ".", "--jobs", "all"], f"Error: --jobs: {NUMBER} 'all'"),
    "no jobs": (["check", ".", "--jobs", "0"], f"Error: --jobs: {NUMBER} '0'"),
    "half a job": (["report", ".", "-o", "-", "--jobs", "1.5"], f"Error: --jobs: {NUMBER} '1.5'"),
    "empty number": (["find", "lake", "--limit", ""], f"Error: --limit: {NUMBER} ''"),
    "negative number": (["find", "lake", "--limit", "-1"], f"Error: --limit: {NUMBER} '-1'"),
    "nothing to keep": (["store", "prune", "--keep", "0"], f"Error: --keep: {NUMBER} '0'"),
    "version": (["store", "show", "NCT99000001", "--version", "x"], f"Error: --version: {NUMBER} 'x'"),
    "huge number": (["store", "prune", "--keep", "9" * 40], f"Error: --keep: {NUMBER} '{'9' * 40}'"),
    "engine": (["parse", ".", "--engine", "spark"], "Error: --engine: expected one of here, ray, found 'spark'"),
    "format": (["parse", ".", "--format", "doc"], "doc"),
    "fields": (["parse", ".", "--fields", "mood"], "mood"),
    "rate": (["verify", "x", "--rate", "fast"], "Error: setting rate: expected a number, found 'fast'"),
    "no rate": (["verify", "x", "--rate", "nan"], "Error: setting rate: expected a number above 0, found 'nan'"),
    "age": (["scrape", "NCT99000001", "--max-age", "soon"], "expected an age as 7d, 12h, 30m or 0, found 'soon'"),
    "site": (["index", "sync", "--site", "ctv"], "Error: setting site: expected scheme and host"),
    "contact": (["index", "sync", "--contact", "ü"], "Error: setting contact: expected printable ASCII"),
    "folder for a file": (["parse", ".", "-o", "."], "Error: cannot write .: it is not a regular file"),
    "no such path": (["parse", "nope"], "Error: there is no file or folder nope"),
    "no argument": (["parse"], "Error: Missing argument 'PATH'."),
    "no value": (["parse", ".", "--jobs"], "Error: Option '--jobs' requires an argument."),
    "no such option": (["parse", ".", "--job"], "Error: No such option: --job"),
    "no such command": (["pars"], "Error: No such command 'pars'. Did you mean 'parse'?"),
    "no such command of a group": (["store", "sho"], "Error: No such command 'sho'. Did you mean 'show'?"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_reported_in_our_words(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert not FOREIGN.search(done.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("setting", [name for name in Settings.model_fields if name != "contact"])
def test_a_wrong_setting_of_the_environment_is_reported_in_our_words(setting: str) -> None:
    done = run("scrape", "NCT99000001", "--dry-run", **{f"TRIALSCRAPE_{setting.upper()}": "\x01<"})
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.search(rf"Error: setting {setting}: expected .*, found '", done.stderr)
    assert not FOREIGN.search(done.stderr.replace("<", ""))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["store", "list"], "expected a store, found "),
        (["index", "status"], "expected a store, found "),
        (["diff", ".", "."], "cannot read .: is a directory"),
    ],
)
def test_a_folder_in_place_of_a_file_is_reported_in_our_words(
    command: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*command, TRIALSCRAPE_STORE=str(tmp_path))
    assert done.exit_code in (1, 2)
    assert message in done.stderr
    assert not FOREIGN.search(done.stderr)

"""Shells complete commands, options and values, and listing commands imports none of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trialscrape.cli.app import make_app
from trialscrape.cli.commands import COMMANDS, GROUPS
from trialscrape.exports.formats import FORMATS

BASH = shutil.which("bash")


def complete(line: str) -> list[str]:
    """Return what a shell offers behind a line."""
    environment = {
        "_TRIALSCRAPE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    done = CliRunner().invoke(make_app(), [], env=environment, prog_name="trialscrape")
    assert done.exit_code == 0, done.output
    return done.stdout.split()


OFFERED: dict[str, list[str]] = {
    "trialscrape ": [*(name for name in COMMANDS if " " not in name), *GROUPS],
    "trialscrape s": ["scrape", "show", "schema", "store"],
    "trialscrape st": ["store"],
    "trialscrape --ver": ["--version"],
    "trialscrape store ": ["list", "history", "show", "prune", "export", "import"],
    "trialscrape index s": ["sync", "status"],
    "trialscrape parse --f": ["--format", "--fields"],
    "trialscrape parse page.html --engine ": ["here", "ray"],
    "trialscrape parse --format j": [name for name in FORMATS if name.startswith("j")],
    "trialscrape store prune --k": ["--keep"],
    "trialscrape nope ": [*(name for name in COMMANDS if " " not in name), *GROUPS],
}


@pytest.mark.parametrize(("line", "offered"), OFFERED.items(), ids=OFFERED)
def test_what_is_offered(line: str, offered: list[str]) -> None:
    assert complete(line) == offered


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_options(name: str) -> None:
    offered = complete(f"trialscrape {name} --")
    assert "--help" in offered
    assert ("--store" in offered) == ("TRIALSCRAPE_STORE" in COMMANDS[name].variables)


@pytest.mark.parametrize("arguments", [[], ["--help"]], ids=["completion", "help"])
def test_listing_the_commands_imports_none(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom trialscrape import __main__\n"
        f"sys.argv[1:] = {arguments}\n"
        "try:\n    __main__.main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        "loaded = {'httpx', 'lxml', 'trialscrape.engines', 'trialscrape.cli.options'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    completing = {"_TRIALSCRAPE_COMPLETE": "complete_bash", "COMP_WORDS": "trialscrape s", "COMP_CWORD": "1"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=environment | (completing if not arguments else {}),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "scrape" in done.stdout


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_it_installs_itself_in_the_shell_that_runs_it(tmp_path: Path) -> None:
    assert BASH
    command = f"{Path(sys.executable).parent}/trialscrape --install-completion; echo $?"
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run([BASH, "--norc", "-c", command], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.endswith("\n0\n"), done.stdout + done.stderr
    (script,) = (tmp_path / ".bash_completions").iterdir()
    assert "_TRIALSCRAPE_COMPLETE=complete_bash" in script.read_text()
    assert str(script) in (tmp_path / ".bashrc").read_text()

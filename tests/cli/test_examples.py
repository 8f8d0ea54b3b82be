"""Every example of every help is run as a person would copy it, with files of the names that it uses."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trialscrape.cli.commands import COMMANDS, ROOT_EXAMPLES
from trialscrape.testing.replica import Replica

ROOT = Path(__file__).parents[2]
STAND_INS = {"NCT04280705": "NCT99000001", "alport": "teacup", "syndrom*": "rest*"}
"""What help says of real studies, and the invented study instead."""

COMPARING = ("diff", "verify")
"""Commands whose exit code 1 is an answer."""

EXAMPLES = [(name, example) for name, command in COMMANDS.items() for example in command.examples]


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with Replica(ROOT / "fixtures/site") as running:
        yield running


@pytest.fixture(scope="module")
def prepared(replica: Replica, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the examples name, made by the commands themselves."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "pages").mkdir()
    page = ROOT / "fixtures/pages/two-arms-loose-criteria.txt"
    for name in ("page.html", "pages/a.txt"):
        shutil.copy(page, folder / name)
    shutil.copytree(ROOT / "fixtures/registry", folder / "registry")
    (folder / "protocol.txt").write_text("Inclusion criteria:\n- Adults\nExclusion criteria:\n- Teacups\n")
    (folder / "ids.csv").write_text("NCT Number,Title\nNCT99000001,Teacups\n")
    (folder / "old.html").write_text(page.read_text().replace("Completed", "Terminated", 1))
    for command in (
        "parse page.html -o trials.jsonl",
        "parse page.html -o new.jsonl",
        "parse old.html -o old.jsonl",
        "scrape NCT99000001 -o scraped.jsonl",
        "index sync",
        "store export crawl.warc.gz",
        "store export pages.warc.gz",
    ):
        done = run(f"trialscrape {command}", folder, replica)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copytree(prepared, tmp_path / "work")


def run(command: str, folder: Path, replica: Replica, **settings: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    others = {name: value for name, value in os.environ.items() if not name.startswith("TRIALSCRAPE_")}
    own = {"SITE": replica.url, "REGISTRY": replica.url, "RATE": "500"} | settings
    return subprocess.run(  # noqa: S602  the commands are those of our own help
        command,
        shell=True,
        cwd=folder,
        env={**others, "PATH": path, **{f"TRIALSCRAPE_{name}": value for name, value in own.items()}},
        capture_output=True,
        text=True,
        check=False,
    )


def replace_studies(example: str) -> str:
    for shown, invented in STAND_INS.items():
        example = example.replace(shown, invented)
    return example


@pytest.mark.parametrize(
    ("name", "example"), [*EXAMPLES, *(("", example) for example in ROOT_EXAMPLES)], ids=lambda value: value or "none"
)
def test_an_example_runs(name: str, example: str, folder: Path, replica: Replica) -> None:
    done = run(replace_studies(example), folder, replica)
    assert done.returncode in ((0, 1) if name in COMPARING else (0,)), done.stderr
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout or done.stderr or ">" in example


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_heeds_the_settings_that_its_help_names(name: str, folder: Path, replica: Replica) -> None:
    command = COMMANDS[name]
    done = run(replace_studies(command.examples[0]), folder, replica, SITE="nonsense")
    assert ("setting site: expected scheme and host" in done.stderr) == ("TRIALSCRAPE_…" in command.variables)
    assert (done.returncode == 2) == ("TRIALSCRAPE_…" in command.variables)

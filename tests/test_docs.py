"""What the README and the docs show is what happens: their commands are run, their tables compared."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_docs import PAGE, PICTURE, render_page, render_picture
from trialscrape import errors
from trialscrape.records import SEVERITIES, Trial
from trialscrape.results import Outcome
from trialscrape.settings import Settings
from trialscrape.testing.replica import Replica

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
README_REPLICA = "http://127.0.0.1:8799"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[tuple[str, str]]:
    return [(page.name, text) for page in PAGES for found, text in BLOCK.findall(page.read_text()) if found == kind]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder like the project's, for commands that write."""
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
    shutil.copy(ROOT / "README.md", tmp_path)
    (tmp_path / "output").mkdir()
    return tmp_path


@pytest.fixture
def replica() -> Iterator[str]:
    """The replica that the README names, at a port that is free."""
    with Replica(ROOT / "fixtures/site") as running:
        yield running.url


@pytest.mark.parametrize(("page", "session"), blocks("console"))
def test_a_session_prints_what_is_shown(page: str, session: str, copy: Path, replica: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE):
        done = subprocess.run(  # noqa: S602  the commands are those of our own documents
            command.replace(README_REPLICA, replica),
            shell=True,
            cwd=copy,
            env={**os.environ, "PATH": path, "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        # A `…` in a document stands for anything.
        pattern = ".*".join(map(re.escape, expected.split("…")))
        printed = done.stdout.replace(replica, README_REPLICA)
        assert re.fullmatch(pattern, printed, re.DOTALL), f"{page}: {command}\n{done.stdout}"


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_an_example_runs(page: str, code: str, copy: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), page
    assert done.stdout


def test_the_documents_have_examples() -> None:
    assert len(blocks("console")) >= 3
    assert blocks("python")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake (\w+)", "".join(p.read_text() for p in PAGES)))))
def test_a_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_warning_and_outcome_is_in_the_docs() -> None:
    page = (ROOT / "docs/warnings.md").read_text()
    warnings, outcomes = page.split("# Outcomes")
    assert dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", warnings, re.MULTILINE)) == SEVERITIES
    listed = set(re.findall(r"^\| `(\w+)`", outcomes, re.MULTILINE))
    assert listed == {each.outcome for each in errors.PageError.__subclasses__()} | {"ok", "internal_error"}
    of_ids = (ROOT / "docs/scrape.md").read_text().split("## Outcomes")[1].split("\n## ")[0]
    cells = "".join(re.findall(r"^\| (`[^|]*)\|", of_ids, re.MULTILINE))
    assert listed | set(re.findall(r"`(\w+)`", cells)) == set(Outcome)


def test_the_docs_have_the_help_of_every_command() -> None:
    assert PAGE.read_text() == render_page(), "a help has changed: `make commands` writes docs/commands.md again"


def test_the_picture_shows_what_show_prints() -> None:
    # Colours and places are those of a version of rich; the texts are ours.
    kept, printed = (re.findall(r"<text [^>]*>(.*?)</text>", svg) for svg in (PICTURE.read_text(), render_picture()))
    assert kept == printed, "`show` prints something else: `make commands` draws docs/images/show.svg again"
    assert len(kept) > 50


def test_the_readme_lists_every_field() -> None:
    table = (ROOT / "README.md").read_text().split("## What you get")[1].split("\n## ")[0]
    assert set(Trial.model_fields) <= set(re.findall(r"`(\w+)`", table))


def test_every_setting_is_in_the_docs_with_its_default() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", (ROOT / "docs/scrape.md").read_text(), re.MULTILINE))
    shown = {"": "none", "7 days, 0:00:00": "`7d`"}
    defaults = {name: str(field.default) for name, field in Settings.model_fields.items()}
    settings = {name: shown.get(default, f"`{default}`") for name, default in defaults.items()}
    assert {name: default for name, default in listed.items() if name in settings} == settings


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"

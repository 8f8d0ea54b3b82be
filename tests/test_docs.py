"""What the README and the docs show is what happens: their commands are run, their tables compared."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import trialscrape
from command_docs import PAGE, PICTURE, render_page, render_picture
from trialscrape import errors
from trialscrape.records import SEVERITIES, Trial
from trialscrape.results import Outcome
from trialscrape.settings import Settings
from trialscrape.testing.replica import Replica, Site, Study

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
README_REPLICA = "http://127.0.0.1:8799"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r'^```\w+ title="([\w.-]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[tuple[str, str]]:
    return [(page.name, text) for page in PAGES for found, text in BLOCK.findall(page.read_text()) if found == kind]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder like the project's, for commands that write."""
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
    shutil.copy(ROOT / "README.md", tmp_path)
    (tmp_path / "output").mkdir()
    return tmp_path


def write_files(page: str, folder: Path) -> None:
    """Write the files that a page shows: the blocks with a title."""
    text = next(one.read_text() for one in PAGES if one.name == page)
    for name, content in FILE.findall(text):
        (folder / name).write_text(content)


@pytest.fixture
def replica(copy: Path) -> Iterator[str]:
    """The replica that the README names, at a port that is free; a session may edit its pages."""
    with Replica(copy / "fixtures/site") as running:
        yield running.url


@pytest.mark.parametrize(("page", "session"), blocks("console"))
def test_a_session_prints_what_is_shown(page: str, session: str, copy: Path, replica: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    write_files(page, copy)
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


def test_the_example_of_the_readme_survives_a_failed_page(copy: Path) -> None:
    code = next(code for page, code in blocks("python") if page == "README.md")
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=True)
    first, *_, last = done.stdout.splitlines()
    assert first == "Rattling heard on at least three nights of the last seven []"
    assert last.startswith("README.md not_a_study_page expected a study page")


def test_the_example_of_the_readme_has_the_right_types(tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(next(code for page, code in blocks("python") if page == "README.md"))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(tmp_path / "example.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "Success: no issues found in 1 source file\n")


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


def test_the_citation_has_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["title"], citation["version"]) == ("trialscrape", trialscrape.__version__)
    about = (ROOT / "docs/about-the-data.md").read_text()
    assert re.findall(r"trialscrape ([0-9.]+[0-9])", about) == [trialscrape.__version__]


def test_every_public_name_is_in_the_reference() -> None:
    page = (ROOT / "docs/api.md").read_text()
    listed = re.findall(r"^(?:::: |`)trialscrape\.(\w+)", page, re.MULTILINE)
    assert sorted(listed) == sorted(trialscrape.__all__)


def test_a_thousand_ids_take_as_many_requests_as_the_answer_says(tmp_path: Path) -> None:
    page = (ROOT / "fixtures/pages/two-arms-loose-criteria.txt").read_bytes()
    ids = [f"NCT99{number:06}" for number in range(100_001, 101_001)]
    studies = (
        Study(
            nct_id=nct_id,
            slug=f"{'longer' if nct_id in ids[:30] else 'brief'}-title-of-{nct_id.lower()}",
            page=page.replace(b"NCT99000001", nct_id.encode()),
            brief_title=f"Brief Title of {nct_id}",
            official_title=f"Longer Title of {nct_id}",
        )
        for nct_id in ids
    )
    with Replica(Site(studies=tuple(studies))) as replica:
        settings = Settings(site=replica.url, registry=replica.url, rate=100_000)
        results = list(trialscrape.scrape(ids, store=tmp_path / "store.db", settings=settings))
        paths = Counter(request.path.split("/")[1] for request in replica.requests)
    assert {result.outcome for result in results} == {Outcome.NEW}
    assert paths == {"robots.txt": 1, "api": 2, "study": 1_000 + 30}


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

"""The architecture page says what is true: its examples work, and it names every module."""

import base64
import re
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import Field
from typer.testing import CliRunner

import trialscrape
from support.page import PAGE
from trialscrape.cli.app import make_app
from trialscrape.exports import formats
from trialscrape.parsing import layout, parser, preamble, renderer
from trialscrape.parsing.sections import Layout
from trialscrape.records import Trial
from trialscrape.sources import containers

ROOT = Path(__file__).parents[1]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def example(name: str) -> tuple[str, str]:
    """Return the two blocks of an example: the new code, and the new row."""
    code, row = re.findall(rf"^```python {name}\n(.*?)^```$", ARCHITECTURE, re.MULTILINE | re.DOTALL)
    return code, row


def run(code: str, **names: Any) -> dict[str, Any]:
    """Run code of the page, and return the names that it can use and gives."""
    exec(code, names)  # noqa: S102  the code is that of our own document
    return names


def test_a_section_is_a_field_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    field, row = example("section")
    names = run(
        f"class LongerTrial(Trial):\n{textwrap.indent(field, '    ')}", Trial=Trial, Field=Field, __name__=__name__
    )
    (section,) = run(f"rows = ({row})", **vars(layout))["rows"]
    place = next(i for i, other in enumerate(layout.SECTIONS) if other.name == "treatments")
    longer = Layout(preamble.SITE, [*layout.SECTIONS[:place], section, *layout.SECTIONS[place:]])
    monkeypatch.setattr(parser, "LAYOUT", longer)
    monkeypatch.setattr(renderer, "LAYOUT", longer)
    monkeypatch.setattr(parser, "Trial", names["LongerTrial"])
    page = PAGE.replace("\nTreatments\n", "\nWhy stopped\n\nThe kettle broke.\nSo did the spare one.\n\nTreatments\n")
    trial = trialscrape.parse(page)
    assert trial.model_dump()["why_stopped"] == "The kettle broke.\nSo did the spare one."
    assert (trial.unparsed, trial.warnings) == ((), ())
    assert "\n\nWhy stopped\n\nThe kettle broke.\nSo did the spare one.\n\nTreatments\n" in trialscrape.render(trial)


@pytest.mark.parametrize("arguments", [["--format", "markdown", "-o", "studies"], ["-o", "studies.md"]])
def test_a_format_is_a_file_and_a_row(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, row = example("format")
    app = make_app("parse")  # imported before, as its help names all formats
    rows = run(f"rows = {{{row}}}", **vars(formats))["rows"]
    monkeypatch.setitem(sys.modules, "trialscrape.exports.markdown", SimpleNamespace(**run(code)))
    monkeypatch.setattr(formats, "FORMATS", formats.FORMATS | rows)
    monkeypatch.chdir(tmp_path)
    Path("page.txt").write_text(PAGE, encoding="utf-8")
    done = CliRunner().invoke(app, ["parse", "page.txt", *arguments])
    assert done.exit_code == 0, done.output
    trial = trialscrape.parse(PAGE)
    assert Path(arguments[-1]).read_text(encoding="utf-8") == f"- {trial.nct_id}: {trial.title}\n"


def test_a_container_is_a_file_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    code, row = example("container")
    rows = run(f"rows = ({row})", **vars(containers))["rows"]
    monkeypatch.setitem(sys.modules, "trialscrape.sources.data_urls", SimpleNamespace(**run(code)))
    monkeypatch.setattr(containers, "CONTAINERS", (*rows, *containers.CONTAINERS))
    address = b"data:text/plain;charset=utf-8;base64," + base64.b64encode(PAGE.encode())
    expected = trialscrape.parse(PAGE).model_dump(exclude={"source"})
    assert trialscrape.parse(address).model_dump(exclude={"source"}) == expected
    with pytest.raises(trialscrape.Unreadable, match="expected base64 in a data: address"):
        trialscrape.parse(b"data:text/plain;base64,QQ=")


def test_every_module_is_named() -> None:
    listed = set(re.findall(r"`([\w/]+)`", ARCHITECTURE))
    package = ROOT / "src/trialscrape"
    modules = {path.relative_to(package).with_suffix("").as_posix() for path in package.rglob("*.py")}
    assert {module for module in modules if not module.endswith("__")} <= listed

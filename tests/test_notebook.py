"""The notebook of the docs runs, and shows what it would show today."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs/notebook.ipynb"


def list_outputs(notebook: Any) -> list[tuple[list[str], str]]:
    """What each cell shows: the kinds of it, and its text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [(sorted(output.data), output.data["text/plain"]) for output in outputs]


def test_the_notebook_shows_what_it_would_show_today(tmp_path: Path) -> None:
    for folder in ("docs", "output"):
        (tmp_path / folder).mkdir()
    shutil.copytree(ROOT / "fixtures/site", tmp_path / "fixtures/site")
    stored = nbformat.read(NOTEBOOK, as_version=4)
    shown = list_outputs(stored)
    assert [kinds for kinds, _ in shown] == [["text/html", "text/plain"], ["image/png", "text/plain"]]
    client = NotebookClient(
        stored, timeout=120, resources={"metadata": {"path": str(tmp_path / "docs")}}, kernel_name="python3"
    )
    executed = client.execute()
    assert list_outputs(executed) == shown


def test_the_notebook_is_small_and_names_no_machine() -> None:
    text = NOTEBOOK.read_text()
    assert len(text) < 40_000
    words = "".join(line for line in text.splitlines() if '"image/png"' not in line)
    assert not re.search(r"/(home|root|tmp|work|Users)\b|\w:\\\\", words)
    sources = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert sum(line.strip() != "" for source in sources for line in source) <= 14

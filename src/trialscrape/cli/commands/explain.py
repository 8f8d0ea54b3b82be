"""`explain`: the row of the docs on a warning or an outcome."""

import re
from pathlib import Path
from typing import Annotated

import typer

import trialscrape
from trialscrape.cli.console import usage_error
from trialscrape.wording import suggest_names

_PAGES = ("warnings.md", "scrape.md")
# In an installation they lie in the package, in a checkout beside it.
_FOLDERS = (Path(trialscrape.__file__).parent / "docs", Path(trialscrape.__file__).parents[2] / "docs")


def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A warning or an outcome, as doubtful_side or stale.")],
) -> None:
    """Say what a warning or an outcome means, and what to do."""
    rows = read_rows()
    if code not in rows:
        usage_error(f"there is no warning or outcome {code!r}; {suggest_names(code, sorted(rows))}")
    for names, cells in rows[code]:
        print(code)
        for name, cell in zip(names, cells, strict=True):
            print(f"  {name}: {cell.replace('`', '')}")


def read_rows() -> dict[str, list[tuple[list[str], list[str]]]]:
    """Read the tables of the docs: a code to the rows about it, each with the names of its columns."""
    folder = next(folder for folder in _FOLDERS if (folder / _PAGES[0]).is_file())
    rows: dict[str, list[tuple[list[str], list[str]]]] = {}
    for page in _PAGES:
        names: list[str] = []
        for line in (folder / page).read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if not line.startswith("|"):
                names = []
            elif not names:
                names = cells
            elif names[0] in {"code", "outcome"}:
                for code in re.findall(r"`(\w+)`", cells[0]):
                    rows.setdefault(code, []).append((names[1:], cells[1:]))
    return rows

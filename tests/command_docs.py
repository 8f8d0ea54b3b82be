"""Write what the docs show of the command line: the help of every command, and a picture of `show`. `make commands`."""

from io import StringIO
from pathlib import Path

from rich.console import Console
from typer.testing import CliRunner

import trialscrape
from trialscrape.cli.app import make_app
from trialscrape.cli.commands import COMMANDS, GROUPS
from trialscrape.cli.display import display
from trialscrape.cli.help import WIDTH

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/commands.md"
PICTURE = ROOT / "docs/images/show.svg"
SHOWN = "fixtures/pages/two-arms-loose-criteria.txt"

HEAD = """# Commands

Records go to stdout or a file, messages to stderr, and the exit code is the result. This page is what `--help` prints.
`trialscrape --install-completion` lets the shell complete commands and options.
"""

# A frame of its own: rich's has a font that a browser would fetch from elsewhere.
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect width="{width}" height="{height}" rx="8" fill="#292929"/>
<text class="{unique_id}-matrix" x="{terminal_x}" y="29" fill="#868887">$ trialscrape show SHOWN</text>
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
""".replace("SHOWN", SHOWN)


def render_page() -> str:
    """Return the page with the help of every command."""
    first = [name for name in COMMANDS if " " not in name]
    of_groups = [
        name for group in GROUPS for name in (group, *(key for key in COMMANDS if key.startswith(f"{group} ")))
    ]
    return HEAD + "".join(_render_help(name) for name in ("", *first, *of_groups))


def _render_help(name: str) -> str:
    arguments = [*name.split(), "--help"]
    done = CliRunner().invoke(make_app(), arguments, prog_name="trialscrape", terminal_width=WIDTH)
    return f"\n## trialscrape {name}".rstrip() + f"\n\n```text\n{done.stdout}```\n"


def render_picture() -> str:
    """Return the picture of `show`."""
    console = Console(record=True, width=WIDTH, file=StringIO(), markup=False, highlight=False, force_terminal=True)
    console.print(display(trialscrape.trace((ROOT / SHOWN).read_bytes(), file=SHOWN)))
    return console.export_svg(title="", code_format=FRAME, unique_id="show")


if __name__ == "__main__":
    for path, text in ((PAGE, render_page()), (PICTURE, render_picture())):
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))

"""`show`: which records it shows of which sources, where it says they are from, and what it cuts."""

import gzip
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from support.commands import IDS, Runner
from support.page import PAGE, with_
from trialscrape.cli.app import make_app

FIRST, SECOND = "NCT99000100", "NCT99000200"
LONG = "\n".join(f"{number}. Owns teacup {number}" for number in range(1, 41))


def show(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(make_app(), ["show", *arguments], input=stdin, prog_name="trialscrape")


def shown(done: Result) -> list[str]:
    """Return the ids of the records that were shown, by the lower edge of each frame."""
    return re.findall(r"─ (NCT\d+) ─", done.stdout)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two pages, and their records in one file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("TRIALSCRAPE_STORE", raising=False)
    Path("a.txt").write_text(PAGE, encoding="utf-8")
    Path("b.txt").write_text(with_((FIRST, SECOND)), encoding="utf-8")
    CliRunner().invoke(make_app(), ["parse", "a.txt", "b.txt", "-o", "trials.jsonl"])
    CliRunner().invoke(make_app(), ["parse", "a.txt", "b.txt", "-o", "traced.jsonl", "--spans"])
    Path("packed.jsonl.gz").write_bytes(gzip.compress(Path("trials.jsonl").read_bytes()))
    Path("pages").mkdir()
    for name in ("a.txt", "b.txt"):
        Path("pages", name).write_bytes(Path(name).read_bytes())
    Path("pages/c.txt").write_text("no page")
    return tmp_path


SOURCES: dict[str, tuple[list[str], list[str]]] = {
    "a page": (["a.txt"], [FIRST]),
    "several": (["b.txt", "a.txt"], [SECOND, FIRST]),
    "a record file": (["trials.jsonl"], [FIRST]),
    "a record of a file": (["trials.jsonl", SECOND], [SECOND]),
    "an id in small letters": (["trials.jsonl", SECOND.lower()], [SECOND]),
    "an id before the file": ([SECOND, "packed.jsonl.gz"], [SECOND]),
    "both, in the order of the file": (["trials.jsonl", SECOND, FIRST], [FIRST, SECOND]),
    "a record in two files": (["trials.jsonl", "b.txt", SECOND], [SECOND, SECOND]),
    "a page of a folder": (["pages", SECOND], [SECOND]),
}


@pytest.mark.parametrize(("arguments", "ids"), SOURCES.values(), ids=SOURCES)
def test_what_is_shown(arguments: list[str], ids: list[str]) -> None:
    done = show(*arguments)
    assert done.exit_code == 0, done.output
    assert shown(done) == ids


def test_a_file_with_more_records_says_so() -> None:
    assert show("trials.jsonl").stderr == (
        "trials.jsonl has more records: name NCT ids behind it, or FILE!MEMBER of an archive\n"
    )
    assert show("a.txt").stderr == ""


FAULTS: dict[str, tuple[list[str], int, str]] = {
    "an id that no file has": (["trials.jsonl", "NCT99000999"], 1, "found no record of NCT99000999 in trials.jsonl"),
    "an id without a store": (
        [FIRST],
        2,
        "there is no store trialscrape.db with pages of NCT99000100: name files or --store",
    ),
    "a folder": (["pages"], 2, "pages is a folder; name one page, or NCT ids of pages in it"),
    "no page": (["pages/c.txt"], 1, "pages/c.txt: not_a_study_page: expected a study page"),
    "outcomes": (["trials.outcomes.jsonl"], 1, "give the file of the records beside it"),
    "no such file": (["nope.txt"], 2, "there is no file or folder nope.txt"),
    "nothing": ([], 2, "Missing argument 'FILE|ID'"),
}


@pytest.mark.parametrize(("arguments", "code", "message"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_shown_is_reported(arguments: list[str], code: int, message: str) -> None:
    done = show(*arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.stderr


def test_a_page_that_fails_does_not_stop_the_others() -> None:
    done = show("pages/c.txt", "a.txt")
    assert (done.exit_code, shown(done)) == (1, [FIRST])
    done = show("pages", FIRST)
    assert (done.exit_code, shown(done)) == (0, [FIRST])
    assert "pages/c.txt: not_a_study_page" in done.stderr


@pytest.mark.parametrize("file", ["a.txt", "trials.jsonl"])
def test_stdin_may_be_a_page_or_records(run: Runner, file: str) -> None:
    done = run("show", "-", stdin=Path(file).read_text())
    assert done.returncode == 0
    assert f"─ {FIRST} ─" in done.stdout


def test_the_lines_of_the_page_are_beside_the_fields() -> None:
    number = PAGE.splitlines().index("Institute for Arboreal Medicine") + 1
    row = rf"sponsor +{number}  Institute for Arboreal Medicine"
    assert re.search(row, show("a.txt").stdout)
    assert re.search(row, show("traced.jsonl").stdout)
    # A record without spans does not know them.
    assert re.search(r"sponsor +Institute for Arboreal Medicine", show("trials.jsonl").stdout)


@pytest.mark.parametrize(
    ("file", "lines"),
    [("a.txt", ["a.txt", "full page"]), ("trials.jsonl", ["trials.jsonl:1", "a.txt", "full page"])],
)
def test_the_source_is_at_the_end(file: str, lines: list[str]) -> None:
    text = show(file).stdout
    assert [line.strip() for line in text[text.rindex("\nsource") + len("\nsource") :].splitlines()] == lines


def test_long_criteria_are_cut_unless_all_are_wanted() -> None:
    at = PAGE.index("Inclusion criteria\n") + len("Inclusion criteria\n\n")
    page = PAGE[:at] + LONG + PAGE[PAGE.index("\n\n", at) :]
    Path("long.txt").write_text(page, encoding="utf-8")
    text = show("long.txt").stdout
    assert "12. Owns teacup 12" in text
    assert "13. Owns teacup 13" not in text
    assert re.search(r"… \d\d more lines; --full shows all", text)
    whole = show("long.txt", "--full").stdout
    assert "40. Owns teacup 40" in whole
    assert "--full" not in whole


def test_a_kept_page_is_found_by_its_id(run: Runner) -> None:
    assert run("scrape", IDS[0], "-o", "trials.jsonl").returncode == 0
    done = run("show", IDS[0].lower())
    assert (done.returncode, done.stderr) == (0, "")
    source = done.stdout[done.stdout.rindex("\nsource") :]
    assert run.replica.url in source
    assert re.search(r"full page, fetched 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", source)
    done = run("show", IDS[0], IDS[1])
    assert done.returncode == 1
    assert done.stderr == (
        f"{IDS[1]}: trialscrape.db has no page of it: to fetch it, run: "
        f"trialscrape scrape {IDS[1]} --store trialscrape.db\n"
    )
    Path("trialscrape.db").rename("other.db")
    assert run("show", IDS[0], "--store", "other.db").returncode == 0
    assert run("show", "other.db", IDS[0]).returncode == 0

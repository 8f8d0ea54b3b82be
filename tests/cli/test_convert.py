"""`convert`, and what `parse` writes in other formats: run in this process, so that it is quick."""

import gzip
import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from support.page import PAGE, with_
from support.records import all_lines, changed, line_of, query
from trialscrape.cli.app import make_app
from trialscrape.exports.formats import FORMATS
from trialscrape.exports.sqlite import APPLICATION_ID
from trialscrape.exports.tables import TABLES
from trialscrape.sources.files import Files
from trialscrape.store.store import Store

LINES = b"".join(line + b"\n" for line in all_lines())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with records and a page, and work in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trials.jsonl").write_bytes(LINES)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/page.txt").write_text(PAGE)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(make_app(), arguments, terminal_width=500)


@pytest.mark.parametrize("name", FORMATS)
def test_records_become_a_file_of_each_format(name: str, folder: Path) -> None:
    output = folder / f"out{FORMATS[name].ending}"
    done = run("convert", "trials.jsonl", output.name)
    assert (done.exit_code, done.stdout) == (0, ""), done.stderr
    assert done.stderr.splitlines()[-1] == f"{len(all_lines())} records from trials.jsonl in {output.name}"
    assert output.stat().st_size
    beside = {"out.metadata.json"} if name == "sqlite" else set()
    assert {path.name for path in folder.iterdir()} == {"trials.jsonl", "pages", output.name} | beside
    assert run("convert", "trials.jsonl", "other", "--format", name).exit_code == 0
    if name not in {"sqlite", "xlsx"}:
        assert (folder / "other").read_bytes() == output.read_bytes()


def test_lines_and_arrays_come_back_as_they_were(folder: Path) -> None:
    for output in ("a.json", "b.jsonl.gz", "c.jsonl"):
        source = {"a.json": "trials.jsonl", "b.jsonl.gz": "a.json", "c.jsonl": "b.jsonl.gz"}[output]
        assert run("convert", source, output).exit_code == 0
    assert (folder / "c.jsonl").read_bytes() == LINES
    assert gzip.decompress((folder / "b.jsonl.gz").read_bytes()) == LINES


def test_stdin_and_stdout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder
    packed = io.BufferedReader(io.BytesIO(gzip.compress(LINES)))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=packed))
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=output, isatty=lambda: False))
    with pytest.raises(SystemExit) as ended:
        make_app("convert")(["convert", "-", "--fields", "nct_id"])
    assert ended.value.code == 0
    ids = [json.loads(line) for line in output.getvalue().splitlines()]
    assert ids == [{"nct_id": json.loads(line)["nct_id"]} for line in all_lines()]


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_tables_are_a_folder(format_: str, folder: Path) -> None:
    done = run("convert", "trials.jsonl", "--tables", "tables", "--format", format_)
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in (folder / "tables").iterdir()} == {f"{table.name}.{format_}" for table in TABLES}


WRONG = [
    (["trials.jsonl", "a.txt"], "cannot tell the format of a.txt by its name"),
    (["trials.jsonl", "a.csv", "--format", "cvs"], "there is no format 'cvs'; choose from jsonl, json"),
    (["trials.jsonl", "a.csv", "--fields", "titel"], "there is no field 'titel'; choose from nct_id, title"),
    (["trials.jsonl", "--format", "sqlite"], "cannot write sqlite to stdout: name a file that ends in .db"),
    (["trials.jsonl", "a.csv", "--tables", "t"], "expected -o or --tables, found both"),
    (["trials.jsonl", "--tables", "t", "--format", "json"], "there are no tables as 'json'; choose from csv, parquet"),
    (["trials.jsonl", "--tables", "trials.jsonl"], "cannot write tables into trials.jsonl: it is not a folder"),
    (["trials.jsonl", "--tables", "no/where"], "cannot make no/where: there is no folder no"),
    (["trials.jsonl", "no/a.csv"], "cannot write no/a.csv: there is no folder no"),
    (["trials.jsonl", "trials.jsonl"], "cannot write trials.jsonl: this command reads it"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_usage_ends_before_it_begins(arguments: list[str], message: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    done = run("convert", *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("name", FORMATS)
def test_a_broken_line_leaves_what_was_there(name: str, folder: Path) -> None:
    output = folder / f"out{FORMATS[name].ending}"
    (folder / "one.jsonl").write_bytes(line_of() + b"\n")
    assert run("convert", "one.jsonl", output.name).exit_code == 0
    before = output.read_bytes()
    (folder / "broken.jsonl").write_bytes(changed(title="Other") + b"\n{\n")
    done = run("convert", "broken.jsonl", output.name)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith("broken.jsonl:2: expected a record as JSON, found '{'")
    assert output.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_reported(folder: Path) -> None:
    (folder / "locked").mkdir(mode=0o555)
    for ending in (".csv", ".db"):
        done = run("convert", "trials.jsonl", f"locked/a{ending}")
        assert done.exit_code == 1
        assert done.stderr.strip() == f"cannot write locked/a{ending}.part: permission denied"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trialscrape.exports import files  # noqa: PLC0415  the place to break

    real = files.open_locked

    def open_full(path: Path) -> int:
        os.close(real(path))
        path.unlink()
        return os.open("/dev/full", os.O_RDWR)

    monkeypatch.setattr(files, "open_locked", open_full)
    monkeypatch.setattr(os, "ftruncate", lambda *_: None)
    for name in ("jsonl", "csv", "json", "jsonl.gz", "lines", "fhir", "registry", "parquet", "xlsx"):
        output = folder / f"out{FORMATS[name].ending}"
        output.write_bytes(b"former")
        done = run("convert", "trials.jsonl", output.name)
        assert done.exit_code == 1, name
        assert f"cannot write {output.name}: no space left on device" in done.stderr, name
        assert output.read_bytes() == b"former"


def test_a_store_stays_a_store(folder: Path) -> None:
    Store.open(folder / "trialscrape.db").close()
    before = (folder / "trialscrape.db").read_bytes()
    for command in (["convert", "trials.jsonl", "trialscrape.db"], ["parse", "pages", "-o", "trialscrape.db"]):
        done = run(*command)
        assert done.exit_code == 1
        assert "cannot write trialscrape.db: it is a store of fetched pages. Name another file" in done.stderr
    assert (folder / "trialscrape.db").read_bytes() == before


# What parse writes


@pytest.mark.parametrize("name", FORMATS)
def test_parse_does_not_read_its_own_output(name: str, folder: Path) -> None:
    output = f"pages/out{FORMATS[name].ending}"
    fields = [] if name in {"lines", "registry", "fhir"} else ["--fields", "title,nct_id"]
    for arguments in ([], fields):
        for _ in range(2):
            done = run("parse", "pages", "-o", output, *arguments)
            assert done.exit_code == 0, done.stderr
            assert "1 page, 1 ok, 0 failed" in done.stderr
        found = Files(["pages"])
        assert list(found) == ["pages/page.txt"]
        assert found.skipped == (3 if name == "sqlite" else 2)
    stem = output.removesuffix(FORMATS[name].ending)
    assert (folder / f"{stem}.outcomes.jsonl").exists()


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_parse_does_not_read_its_own_tables(format_: str, folder: Path) -> None:
    for _ in range(2):
        done = run("parse", ".", "--tables", "pages/tables", "--format", format_)
        assert done.exit_code == 0, done.stderr
        assert "1 page, 1 ok, 0 failed" in done.stderr
    assert (folder / "pages/tables/outcomes.jsonl").exists()


def test_foreign_files_with_our_endings_are_read(folder: Path) -> None:
    foreign = {
        "a.csv": "name,age\nx,1\n",
        "b.json": '{"title": "Notes", "body": ""}',
        "c.parquet": "PAR1 and more",
        "d.db": "SQLite format 3\0",
        "e.ndjson": '{"resourceType":"Patient"}',
        "f.jsonl.gz": "no gzip",
        "g.lines.jsonl": "{}",
    }
    for name, text in foreign.items():
        (folder / "pages" / name).write_text(text)
    found = [Path(path).name for path in Files(["pages"])]
    assert found == sorted([*foreign, "page.txt"])


def test_options_work_together(folder: Path) -> None:
    (folder / "pages/page.txt").write_text(
        with_(
            ("Institute for Arboreal Medicine", "Ada Quill, MD"),
            ("Flora Example", "Ada Quill, MD"),
        )
    )
    done = run("parse", "pages", "-o", "a.parquet", "--fields", "sponsor,central_contacts", "--no-contacts", "--spans")
    assert done.exit_code == 0, done.stderr
    assert query("SELECT sponsor, central_contacts FROM 'a.parquet'") == [("[name removed]", [])]
    assert len(query("SELECT * FROM 'a.parquet'")[0]) == 2


def test_ray_writes_whole_records_only(folder: Path) -> None:
    done = run("parse", "pages", "--engine", "ray", "-o", "shards", "--no-contacts")
    assert done.exit_code == 2
    assert "--engine ray: convert its records" in done.stderr
    assert not (folder / "shards").exists()


def test_the_mark_of_a_database_is_known_to_the_walk() -> None:
    assert APPLICATION_ID.to_bytes(4) == b"TrlE"

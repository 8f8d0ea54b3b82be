"""`convert`, and what `parse` writes in other formats: run in this process, so that it is quick."""

import gzip
import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from support.page import PAGE, with_
from support.records import all_lines, changed, line_of, query, record_of
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
    (["trials.jsonl", "a.csv", "--format", "cvs"], "there is no format 'cvs'; did you mean csv"),
    (["trials.jsonl", "a.csv", "--fields", "titel"], "there is no field 'titel'; did you mean title"),
    (["trials.jsonl", "a.csv", "--fields", "xyz"], "there is no field 'xyz'; choose from nct_id, title"),
    (["trials.jsnl", "a.csv"], "there is no file or folder trials.jsnl"),
    (["trials.jsonl", "--tables", "t", "--format", "parket"], "there are no tables as 'parket'; did you mean parquet"),
    (["trials.jsonl", "--format", "sqlite"], "cannot write sqlite to stdout: name a file that ends in .db"),
    (["trials.jsonl", "a.csv", "--tables", "t"], "expected -o or --tables, found both"),
    (["trials.jsonl", "--tables", "t", "--format", "json"], "there are no tables as 'json'; choose from csv, parquet"),
    (["trials.jsonl", "--tables", "trials.jsonl"], "cannot write tables into trials.jsonl: it is not a folder"),
    (["trials.jsonl", "--tables", "no/where"], "cannot make no/where: there is no folder no"),
    (["trials.jsonl", "no/a.csv"], "cannot write no/a.csv: there is no folder no"),
    (["trials.jsonl", "trials.jsonl"], "cannot write trials.jsonl: this command uses it for something else"),
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


NOTHING = {
    "no byte": (b"", "none.jsonl: expected records, found none, so "),
    "an empty array": (b"[]\n", "none.jsonl: expected records, found none, so "),
    "a broken first record": (b'{"a":1}\n', "none.jsonl:1: expected a record, found no 'source' in it: "),
}


@pytest.mark.parametrize(("text", "message"), NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("output", [["out.csv"], ["out.db"], ["out.xlsx"], ["out.json"], ["--tables", "out"], []])
def test_an_input_without_records_leaves_no_trace(text: bytes, message: str, output: list[str], folder: Path) -> None:
    (folder / "none.jsonl").write_bytes(text)
    for _ in range(2):
        before = {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
        done = run("convert", "none.jsonl", *output)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(message)
        assert {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")} == before
        assert run("convert", "trials.jsonl", *output).exit_code == 0
    if output and text != NOTHING["a broken first record"][0]:
        assert done.stderr.endswith(
            "so out stays as it was\n" if "out" in output else f"so {output[0]} stays as it was\n"
        )


def test_a_format_may_be_given_by_its_ending(folder: Path) -> None:
    assert run("convert", "trials.jsonl", "a.csv").exit_code == 0
    assert run("convert", "trials.jsonl", "a", "--format", ".csv").exit_code == 0
    assert (folder / "a").read_bytes() == (folder / "a.csv").read_bytes()


def read_ids(path: Path) -> list[str]:
    reads = {
        ".csv": "SELECT trial_id FROM read_csv(?)",
        ".parquet": "SELECT trial_id FROM read_parquet(?)",
    }
    return [key for (key,) in query(reads[path.suffix], path)]


def count_records(name: str, path: Path) -> int:
    """Count the records in a file of a format: of `lines`, the trials whose criteria are in it."""
    if name == "sqlite":
        with closing(sqlite3.connect(path)) as database:
            return int(database.execute("SELECT count(*) FROM trials").fetchone()[0])
    if name in {"csv", "parquet"}:
        ((count,),) = query(f"SELECT count(*) FROM read_{name}(?)", path)  # noqa: S608  the names are ours
        return int(count)
    if name == "xlsx":
        return int(openpyxl.load_workbook(path).active.max_row) - 1
    data = path.read_bytes()
    text = (gzip.decompress(data) if name == "jsonl.gz" else data).decode()
    if name in {"json", "registry"}:
        return len(json.loads(text))
    lines = [json.loads(line) for line in text.splitlines()]
    # The number of a trial's first criterion stands once a record.
    return sum(line["path"] == "1" and line["side"] == "inclusion" for line in lines) if name == "lines" else len(lines)


AS_NOBODY = """
import os, sys
import openpyxl, pyarrow.parquet, sqlite3, xlsxwriter  # while root may read them
from trialscrape.__main__ import main
from trialscrape.cli.commands import convert
if os.geteuid() == 0:  # root may write everywhere
    os.setuid(65534)
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="modes of folders are those of POSIX")
def test_a_read_only_folder_is_reported(open_folder: Path) -> None:
    (open_folder / "trials.jsonl").write_bytes(LINES)
    (open_folder / "trials.jsonl").chmod(0o644)
    (open_folder / "old.db").touch()
    open_folder.chmod(0o555)
    for name, reason in (
        ("a.csv", "a.csv.part"),
        ("a.db", "a.db.part"),
        ("old.db", "old.db.part"),
        ("a.xlsx", "a.xlsx.part"),
    ):
        command = [sys.executable, "-c", AS_NOBODY, "convert", "trials.jsonl", name]
        # What measures the coverage could not write its file.
        env = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
        done = subprocess.run(command, capture_output=True, text=True, cwd=open_folder, env=env, check=False)
        assert (done.returncode, done.stderr.strip()) == (1, f"cannot write {reason}: permission denied")
    assert {path.name for path in open_folder.iterdir()} == {"trials.jsonl", "old.db"}


BAD_RECORDS: dict[str, tuple[bytes, str]] = {
    "a newer schema": (
        changed(source=record_of()["source"] | {"schema": 3}),
        "bad.jsonl:2: expected a record of schema 1 or 2, found 3: use the trialscrape that wrote it, or a newer one",
    ),
    "text": (b"About", "bad.jsonl:2: expected a record as JSON, found 'About': "),
    "a number": (b"17", "bad.jsonl:2: expected a record, found another JSON value: "),
    "a study of the registry": (
        b'{"protocolSection": {}}',
        "bad.jsonl:2: expected a record, found no 'source' in it: ",
    ),
    "outcomes": (
        b'{"file": "a", "outcome": "ok", "message": null, "line": null}',
        "bad.jsonl:2: expected a record, found an outcome: give the file of the records beside it",
    ),
    "a number beyond any database": (
        changed(location_count=10**30),
        f"bad.jsonl:2: expected a record, found {10**30} at location_count, which is not less than {2**63:,}: ",
    ),
    "half of a character": (
        changed(title="a\ud83e"),
        "bad.jsonl:2: expected a record, found half of a character, \\ud83e: ",
    ),
}


@pytest.mark.parametrize(("bad", "message"), BAD_RECORDS.values(), ids=BAD_RECORDS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_record_that_cannot_be_read_leaves_what_was_there(bad: bytes, message: str, name: str, folder: Path) -> None:
    output = folder / f"out{FORMATS[name].ending}"
    assert run("convert", "trials.jsonl", output.name).exit_code == 0
    before = output.read_bytes()
    (folder / "bad.jsonl").write_bytes(line_of() + b"\n" + bad + b"\n")
    done = run("convert", "bad.jsonl", output.name)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(message)
    assert output.read_bytes() == before


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_of_schema_1_is_lifted_into_every_format(name: str, folder: Path) -> None:
    old = record_of()
    del old["brief_title"], old["referring_site"], old["eligibility"]["combined"]
    old["source"] = {field: old["source"][field] for field in ("file", "url", "form")}
    (folder / "old.jsonl").write_text(json.dumps(old))
    done = run("convert", "old.jsonl", f"out{FORMATS[name].ending}")
    assert (done.exit_code, done.stderr) == (0, f"1 record from old.jsonl in out{FORMATS[name].ending}\n")


@pytest.mark.parametrize("name", FORMATS)
def test_twice_the_same_trial_and_one_without_an_id_are_kept(name: str, folder: Path) -> None:
    """No format loses a record in silence: the database, whose key is the id, says that it keeps the last one."""
    source = record_of()["source"] | {"url": "https://example.org/study/a"}
    lines = [line_of(), changed(title="Second"), changed(nct_id=None, source=source)]
    (folder / "two.jsonl").write_bytes(b"\n".join(lines))
    done = run("convert", "two.jsonl", f"out{FORMATS[name].ending}")
    notes = done.stderr.splitlines()[:-1]
    assert (done.exit_code, notes) == (
        0,
        ["NCT99000001: another record of this trial; it replaces the former one"] * (name == "sqlite"),
    )
    kept = 2 if name == "sqlite" else 3
    assert done.stderr.splitlines()[-1] == f"3 records from two.jsonl in out{FORMATS[name].ending}"
    assert count_records(name, folder / f"out{FORMATS[name].ending}") == kept
    if FORMATS[name].table_writer:
        done = run("convert", "two.jsonl", "--tables", "t", "--format", name)
        assert "NCT99000001: another record of this trial; its trial_id is NCT99000001#2" in done.stderr
        ids = read_ids(folder / f"t/trials.{name}")
        assert ids == ["NCT99000001", "NCT99000001#2", "https://example.org/study/a"]


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_keys_of_tables_never_collide(format_: str, folder: Path) -> None:
    def at(url: str) -> bytes:
        return changed(nct_id=None, source=record_of()["source"] | {"url": url})

    a, b = "https://example.org/study/a", "https://example.org/study/a#2"
    for order in ([a, a, b, b, a], [b, a, a, a, b]):
        (folder / "some.jsonl").write_bytes(b"\n".join(map(at, order)))
        assert run("convert", "some.jsonl", "--tables", "t", "--format", format_).exit_code == 0
        ids = read_ids(folder / f"t/trials.{format_}")
        assert len(set(ids)) == len(order)
        assert all(key.startswith(url) for key, url in zip(ids, order, strict=True))


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_of_a_megabyte_is_written_whole_or_reported(name: str, folder: Path) -> None:
    big = 'long, "quoted"\n' * 70_000
    (folder / "big.jsonl").write_bytes(changed(brief_summary=big))
    output = f"out{FORMATS[name].ending}"
    done = run("convert", "big.jsonl", output)
    assert done.exit_code == 0
    cut = ["NCT99000001: cut at 32,767 characters: brief_summary"] if name == "xlsx" else []
    assert done.stderr.splitlines()[:-1] == cut
    if name not in {"xlsx", "jsonl.gz", "lines"}:
        assert (folder / output).stat().st_size > len(big) / 100  # Parquet packs what repeats


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


@pytest.mark.parametrize("name", [*FORMATS, "tables"])
def test_without_a_record_former_records_and_outcomes_stay(name: str, folder: Path) -> None:
    (folder / "empty").mkdir()
    output = "out" if name == "tables" else f"out{FORMATS[name].ending}"
    option = "--tables" if name == "tables" else "-o"
    assert run("parse", "pages", option, output).exit_code == 0
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = run("parse", "empty", option, output)
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "empty: unreadable: there is no page in the folder",
        "1 page, 0 ok, 1 failed, 0 warnings, 0 unparsed lines",
        f"no page gave a record, so {output} stays as it was",
    ]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("option", ["-o", "--tables"])
def test_without_a_record_what_is_not_there_is_written_empty(option: str, folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "tables").mkdir()
    output, outcomes = {"-o": ("out.jsonl", "out.outcomes.jsonl"), "--tables": ("tables", "tables/outcomes.jsonl")}[
        option
    ]
    done = run("parse", "empty", option, output)
    assert done.exit_code == 1
    assert done.stderr.endswith(f"; records in {output}\n")
    assert json.loads((folder / outcomes).read_bytes())["outcome"] == "unreadable"
    assert (folder / "out.jsonl").read_bytes() == b"" if option == "-o" else (folder / "tables/trials.csv").exists()


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

"""The commands as a user runs them: real files, real pipes, real processes."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import trialscrape
from support.archives import make_lines, make_zip
from support.page import LINES, PAGE, with_
from trialscrape.parsing.parser import parse_page
from trialscrape.records import Trial

COMMAND = [sys.executable, "-m", "trialscrape"]


def run(*arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *map(str, arguments)], input=stdin, capture_output=True, cwd=cwd, check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pages = tmp_path / "pages"
    (pages / "deeper").mkdir(parents=True)
    (pages / "b.txt").write_text(PAGE)
    (pages / "a.txt.gz").write_bytes(gzip.compress(PAGE.encode()))
    (pages / "deeper/c").write_text(with_(("NCT99000100", "NCT99000101")))
    (pages / ".hidden").write_text("no page")
    return pages


def rows(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_parse_writes_records_and_outcomes(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "trials.jsonl"
    done = run("parse", folder, "-o", output)
    assert (done.returncode, done.stdout) == (0, "")
    counts = "3 pages, 3 ok, 0 failed, 0 warnings, 0 unparsed lines, 1 skipped"
    assert done.stderr == f"{counts}; records in {output}\n"
    names = [f"{folder}/a.txt.gz", f"{folder}/b.txt", f"{folder}/deeper/c"]
    trials = [Trial.model_validate_json(line) for line in output.read_text().splitlines()]
    assert [trial.source.file for trial in trials] == names
    assert [trial.nct_id for trial in trials] == ["NCT99000100", "NCT99000100", "NCT99000101"]
    assert rows(tmp_path / "trials.outcomes.jsonl") == [
        {"file": name, "outcome": "ok", "message": None, "line": None} for name in names
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"pages", "trials.jsonl", "trials.outcomes.jsonl"}


def test_a_second_run_gives_the_same_bytes_and_does_not_read_its_own_output(folder: Path) -> None:
    run("parse", ".", "-o", "trials.jsonl", cwd=folder)
    first = (folder / "trials.jsonl").read_bytes(), (folder / "trials.outcomes.jsonl").read_bytes()
    assert run("parse", ".", "-o", "trials.jsonl", cwd=folder).returncode == 0
    assert ((folder / "trials.jsonl").read_bytes(), (folder / "trials.outcomes.jsonl").read_bytes()) == first


def test_a_bad_page_does_not_stop_the_others(folder: Path, tmp_path: Path) -> None:
    (folder / "aa").write_bytes(b"%PDF-1.4")
    (folder / "ab").write_text(PAGE + PAGE)
    done = run("parse", folder, "-o", tmp_path / "trials.jsonl")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{folder}/aa: not_a_study_page: expected a study page as text or HTML; found a PDF document; "
        "save the study page itself, as HTML or as one .mhtml file",
        f"{folder}/ab:137: several_pages: expected one study page in one file, found the headings of a second one; "
        "split the file above its title",
        f"5 pages, 3 ok, 2 failed, 0 warnings, 0 unparsed lines, 1 skipped; records in {tmp_path}/trials.jsonl",
    ]
    assert [row["outcome"] for row in rows(tmp_path / "trials.outcomes.jsonl")] == [
        "ok",
        "not_a_study_page",
        "several_pages",
        "ok",
        "ok",
    ]
    assert len(rows(tmp_path / "trials.jsonl")) == 3


@pytest.mark.parametrize("command", ["parse", "check", "show"])
def test_a_mistyped_path_leaves_the_output_as_it_is(command: str, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "good.jsonl"
    output.write_text("2,000 records")
    paths = [tmp_path / "pagse"] if command == "show" else [folder, tmp_path / "pagse"]
    done = run(command, *paths, *(["-o", str(output)] if command == "parse" else []))
    assert (done.returncode, done.stdout, output.read_text()) == (2, "", "2,000 records")
    assert "there is no file or folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if "good" in path.name] == ["good.jsonl"]


def test_an_id_in_place_of_a_file_gets_a_hint() -> None:
    done = run("parse", "NCT99000001")
    assert done.returncode == 2
    assert "run: trialscrape scrape NCT99000001" in " ".join(done.stderr.replace("│", " ").split())


def test_stdin_and_stdout() -> None:
    done = run("parse", "-", stdin=PAGE.encode())
    assert done.returncode == 0
    assert Trial.model_validate_json(done.stdout) == trialscrape.parse(PAGE, file="-")


@pytest.mark.parametrize(
    "options", [["--format", "json"], ["-o", "trials.json"], ["--format", "json", "-o", "trials.txt"]]
)
def test_one_json_array(options: list[str], folder: Path, tmp_path: Path) -> None:
    done = run("parse", folder, *options, cwd=tmp_path)
    records = json.loads((tmp_path / options[-1]).read_text() if "-o" in options else done.stdout)
    assert [record["nct_id"] for record in records] == ["NCT99000100", "NCT99000100", "NCT99000101"]


def test_no_record_is_an_empty_array() -> None:
    assert json.loads(run("parse", "-", "--format", "json", stdin=b"nothing").stdout) == []


def test_spans() -> None:
    record = json.loads(run("parse", "-", "--spans", stdin=PAGE.encode()).stdout)
    assert record["spans"]["title"] == [5, 5]


def test_strict_rejects_a_doubtful_page() -> None:
    doubtful = with_(("Enrolling", "Paused")).encode()
    assert run("parse", "-", stdin=doubtful).returncode == 0
    done = run("parse", "-", "--strict", stdin=doubtful)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == (
        "-:13: rejected: unknown_label: expected a known label, found 'Paused'; it is kept as it is (1 warning in all)"
    )
    unparsed = with_(("Menu", "Menu\n\nSkip")).encode()
    assert (
        "-:5: rejected: expected a known line, found 'Skip' (1 in all)"
        in run("parse", "-", "--strict", stdin=unparsed).stderr
    )
    assert run("parse", "-", "--strict", stdin=PAGE.encode()).returncode == 0


def test_nothing_to_read_is_reported(tmp_path: Path) -> None:
    done = run("parse", tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path}: unreadable: there is no page in the folder\n" in done.stderr
    assert run("parse", "-").stderr.startswith("-: not_a_study_page: expected a study page, with headings")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["parse"], "Missing argument"),
        (["parse", "-", "--format", "nope"], "there is no format 'nope'; choose from jsonl, json"),
        (
            ["parse", "-", "-o", "trials.txt"],
            "cannot tell the format of trials.txt by its name: end it in one of .jsonl, .json,",
        ),
        (["parse", "-", "--format", "cvs"], "there is no format 'cvs'; did you mean csv"),
        (["parse", "-", "--fields", "nct,title"], "there is no field 'nct'; did you mean nct_id"),
        (["store", "export", "pages", "--format", "wrac"], "there is no format 'wrac'; did you mean warc"),
        (["parse", "-", "-o", "no/x.jsonl"], "cannot write no/x.jsonl: there is no folder no"),
        (["parse", "-", "-o", "."], "cannot write .: it is not a regular file"),
        (["show", "."], ". is a folder; name one page"),
        (["store", "export", "pages"], "name: end it in .warc, .warc.gz or .wacz, or add --format"),
        (["store", "export", "pages", "--format", "tar"], "there is no format 'tar'; choose from warc, wacz"),
        (["pars"], "No such command"),
        (["parse", "--nope"], "No such option"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(re.sub("[│╭╮╰╯─]", " ", done.stderr).split())


def test_more_failures_than_one_wants_to_read_are_counted(tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / name).touch()
    for number in range(25):  # each with a label of its own
        (tmp_path / f"{number:02}.txt").write_text(with_(("Enrolling", f"Paused {number}")))
    done = run("parse", ".", "-o", "trials.jsonl", "--strict", cwd=tmp_path)
    shown = done.stderr.splitlines()
    assert shown == [
        "rejected: unknown_label: expected a known label, found …; it is kept as it is (… warning in all) "
        "(25 pages: ./00.txt:13, ./01.txt:13, ./02.txt:13, …)",
        "not_a_study_page: expected a study page, with headings such as 'Status', 'Conditions', 'Study type' in this "
        "order; found no text: the file is empty or has blanks only (5 pages: ./a, ./b, ./c, …)",
        "30 pages, 0 ok, 30 failed, 0 warnings, 0 unparsed lines; records in trials.jsonl",
    ]
    messages = {row["message"] for row in rows(tmp_path / "trials.outcomes.jsonl")}
    assert len(messages) == 26  # whole


def test_doubts_of_records_in_a_file_come_with_a_hint(tmp_path: Path) -> None:
    doubtful = with_(("Enrolling", "Paused")).encode()
    counts = "1 page, 1 ok, 0 failed, 1 warning, 0 unparsed lines"
    done = run("parse", "-", "-o", "trials.jsonl", stdin=doubtful, cwd=tmp_path)
    assert done.stderr == f"{counts}; records in trials.jsonl; run `trialscrape check PATH` to see them\n"
    assert run("parse", "-", stdin=doubtful).stderr == f"{counts}\n"


AS_NOBODY = """
import os
from trialscrape.__main__ import main
from trialscrape.cli.commands import parse
if os.geteuid() == 0:  # root may read everything
    os.setuid(65534)
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="modes of folders are those of POSIX")
def test_a_folder_that_cannot_be_read_is_not_called_empty(open_folder: Path) -> None:
    (open_folder / "closed").mkdir(mode=0o000)
    command = [sys.executable, "-c", AS_NOBODY, "parse", "closed"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=open_folder, check=False)
    assert done.stderr.splitlines()[0] == "closed: unreadable: cannot read the folder: permission denied"


def test_check_is_quiet_about_a_known_page() -> None:
    done = run("check", "-", stdin=PAGE.encode())
    assert done.returncode == 0
    assert done.stdout.splitlines()[:4] == [
        "pages   1: 1 read, 0 failed",
        f"lines   {LINES}: 100.00 % understood, 0 unparsed",
        "field                  filled in",
        "  nct_id               1 of 1",
    ]


def test_check_says_which_heading_was_renamed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(with_(("\nAges\n", "\nAge range\n")))
    (tmp_path / "b.txt").write_text(with_(("Enrolling", "Paused")))
    (tmp_path / "c.txt").write_text("no page")
    done = run("check", ".", cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "pages   3: 2 read, 1 failed"
    assert "unparsed  ./a.txt:60: Age range" in lines
    assert "warning 1 x unknown_heading: expected a known heading or none, found 'Age range' (./a.txt:60)" in lines
    assert (
        "warning 1 x unknown_label: expected a known label, found 'Paused'; it is kept as it is (./b.txt:13)" in lines
    )
    assert "  ages                 1 of 2" in lines


def test_a_folder_of_saved_pages_needs_no_tidying(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f"<pre>{PAGE}")
    (tmp_path / "page_files").mkdir()
    (tmp_path / "page_files" / "style.css").write_text("p {}")
    for name in ("Thumbs.db", "old.jsonl.part"):
        (tmp_path / name).write_bytes(b"x")
    for number in (2, 4):
        done = run("parse", ".", "-o", f"trials{number}.jsonl", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (
            0,
            "1 page, 1 ok, 0 failed, 0 warnings, 0 unparsed lines, "
            f"{number + 1} skipped; records in trials{number}.jsonl\n",
        )
    done = run("check", ".", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:3] == [
        "pages   1: 1 read, 0 failed",
        "skipped 7 files and folders that are no pages",
        f"lines   {LINES}: 100.00 % understood, 0 unparsed",
    ]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    rows = [(f"https://{host}/study/a", PAGE) for host in ("ctv.veeva.com", "example.org", "example.org")]
    dump = make_lines(*({"address": url, "page": page} for url, page in rows))
    path = tmp_path / "all!.zip"
    path.write_bytes(make_zip(("a.txt", PAGE.encode()), ("Thumbs.db", b""), ("b.jsonl", dump), ("c", b"no page")))
    return path


def test_an_archive_is_read_member_by_member(archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "trials.jsonl"
    done = run("parse", archive, "-o", output, "--text-column", "page", "--url-column", "address")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"3 pages, 2 ok, 1 failed, 0 warnings, 0 unparsed lines, 1 skipped, 2 of other sites; records in {output}"
    )
    assert [(row["file"], row["outcome"]) for row in rows(tmp_path / "trials.outcomes.jsonl")] == [
        (f"{archive}!a.txt", "ok"),
        (f"{archive}!b.jsonl!1", "ok"),
        (f"{archive}!c", "not_a_study_page"),
    ]
    assert [row["source"]["url"] for row in map(json.loads, output.read_text().splitlines())] == [
        None,
        "https://ctv.veeva.com/study/a",
    ]


def test_check_reads_archives_too(archive: Path) -> None:
    done = run("check", archive, "--text-column", "page", "--url-column", "address", "--host", "example.org")
    assert done.stdout.splitlines()[:3] == [
        "pages   4: 3 read, 1 failed",
        "skipped 1 file or folder that is no page",
        "skipped 1 page of another site",
    ]


def test_show_takes_a_member(archive: Path) -> None:
    assert "NCT99000100" in run("show", f"{archive}!a.txt").stdout
    assert "NCT99000100" in run("show", archive).stdout
    failed = run("show", f"{archive}!c")
    assert (failed.returncode, failed.stderr.split(":")[:2]) == (1, [f"{archive}!c", " not_a_study_page"])
    assert f"there is no page {archive.name}!d" in " ".join(
        run("show", f"{archive.name}!d", cwd=archive.parent).stderr.split()
    )


def test_an_archive_comes_through_a_pipe(archive: Path) -> None:
    done = run("parse", "-", stdin=archive.read_bytes())
    assert json.loads(done.stdout.splitlines()[0])["source"]["file"] == "-!a.txt"


def test_show_is_for_a_person() -> None:
    done = run("show", "-", stdin=PAGE.encode())
    assert done.returncode == 0
    for text in (
        "Tree Bathing for Restless Clerks",
        "NCT99000100",
        "  • Clerk by trade",
        "  Forest (Experimental)",
    ):
        assert text in done.stdout
    assert run("show", "-", stdin=b"nothing").returncode == 1


HOSTILE = with_(("Restlessness", "\x1b]0;owned\x07\x9b31m\x00[bold]\u202egnp.exe[/bold]")).encode()


@pytest.mark.parametrize("command", [["show"], ["parse"], ["check"], ["parse", "--strict"]])
def test_nothing_of_a_page_is_obeyed_by_a_terminal(command: list[str], tmp_path: Path) -> None:
    name = tmp_path / "a\x1b[31m.txt"
    name.write_bytes(HOSTILE.replace(b"Enrolling", b"Sus\x1b[31mpended"))
    done = run(*command, name)
    shown = done.stdout + done.stderr
    assert "pended" in shown
    assert not set(shown) & set("\x00\x07\x1b\x9b\u202e")


def test_control_characters_are_data_in_json() -> None:
    record = json.loads(run("parse", "-", stdin=HOSTILE).stdout)
    assert record["conditions"][0] == "\x1b]0;owned\x07\x9b31m\x00[bold]\u202egnp.exe[/bold]"


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text(PAGE)
    done = run("parse", tmp_path, "-o", tmp_path / "trials.jsonl")
    assert done.returncode == 0
    assert rows(tmp_path / "trials.outcomes.jsonl")[0]["file"] == f"{tmp_path}/\\xff.txt"


def test_unreadable_things(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run("parse", tmp_path / "pipe")
    assert "unreadable: cannot read a device, socket or pipe" in done.stderr


def test_a_reader_that_goes_away_is_no_crash(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.txt").write_text(PAGE)
    pipe = subprocess.Popen([*COMMAND, "parse", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert pipe.stdout
    assert pipe.stderr
    pipe.stdout.readline()
    pipe.stdout.close()
    assert pipe.stderr.read() == b""
    pipe.stderr.close()
    assert pipe.wait() == 141


def test_ctrl_c_leaves_what_was_written_under_another_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "slow")
    process = subprocess.Popen(
        [*COMMAND, "parse", "-", "-o", str(tmp_path / "trials.jsonl")],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not (tmp_path / "trials.jsonl.part").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate()
    assert process.returncode == 130
    assert shown.decode() == (
        f"stopped; what was written is in {tmp_path}/trials.jsonl.part, the same command starts over\n"
    )
    assert not (tmp_path / "trials.jsonl").exists()


def test_version_and_help() -> None:
    version = f"trialscrape {trialscrape.__version__}\n"
    assert run("--version").stdout == run("--version", "--version").stdout == version
    assert "parse" in run().stderr
    for command in ("parse", "check", "show", "schema"):
        assert run(command, "--help").returncode == 0


def test_check_as_json(folder: Path) -> None:
    (folder / "b.txt").write_text(with_(("Enrolling", "Paused")), encoding="utf-8")
    (folder / "c.txt").write_text("no page", encoding="utf-8")
    done = run("check", folder, "--json")
    assert done.returncode == 1
    counts = json.loads(done.stdout)
    assert (counts["pages"], counts["alarm"], counts["filled"]["nct_id"]) == (4, True, 3)
    (failed,) = counts["failed"]
    assert (failed["file"], failed["outcome"]) == (f"{folder}/c.txt", "not_a_study_page")
    (unknown,) = counts["groups"]["unknown_label"]
    assert (unknown["count"], unknown["first"].rpartition(":")[0]) == (1, f"{folder}/b.txt")
    assert "'Paused'" in unknown["text"]


def test_schema_describes_the_record() -> None:
    schema = json.loads(run("schema").stdout)
    assert list(schema["properties"]) == list(Trial.model_fields)
    assert (schema["$id"], schema["version"]) == ("https://example.org/trialscrape/schema/2/Trial.json", 2)
    for model in (schema, *schema["$defs"].values()):
        assert [name for name, field in model["properties"].items() if "description" not in field] == []
    assert "spans" in json.loads(run("schema", "--spans").stdout)["properties"]


def test_a_bug_costs_one_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "trialscrape.engines.parse_page", lambda page: 1 / 0 if "b.txt" in page.file else parse_page(page)
    )
    got = list(trialscrape.parse_files([folder]))
    assert [each.outcome for each in got] == ["ok", "internal_error", "ok"]
    assert got[1].message == "trialscrape failed on this page, please report it: ZeroDivisionError('division by zero')"


def test_the_menu_is_what_it_says() -> None:
    assert sorted(trialscrape.__all__) == sorted([*trialscrape.MODULE_OF, "__version__"])
    assert dir(trialscrape) == sorted(trialscrape.__all__)
    # A module of the same name would take its place as soon as it is imported.
    assert not set(trialscrape.__all__) & {path.stem for path in Path(trialscrape.__file__).parent.glob("*.py")}
    for name in trialscrape.__all__:
        assert getattr(trialscrape, name)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        trialscrape.nope  # noqa: B018  reading it is what is tested


def test_a_page_is_never_written_over(folder: Path) -> None:
    page = (folder / "b.txt").read_bytes()
    (folder / "link").symlink_to(folder / "b.txt")
    for output in ("b.txt", "../pages/b.txt", "link"):
        done = run("parse", "b.txt", "deeper", "-o", output, cwd=folder)
        assert (done.returncode, (folder / "b.txt").read_bytes()) == (2, page)


@pytest.mark.parametrize("output", ["pipe", "/dev/null"])
def test_what_is_no_file_is_not_replaced(output: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run("parse", "-", "-o", output, stdin=PAGE.encode(), cwd=tmp_path)
    assert done.returncode == 2
    assert f"cannot write {output}: it is not a" in done.stderr
    assert not (tmp_path / output).is_file()


def test_a_dash_is_stdout(tmp_path: Path) -> None:
    done = run("parse", "-", "-o", "-", stdin=PAGE.encode(), cwd=tmp_path)
    assert Trial.model_validate_json(done.stdout).nct_id == "NCT99000100"
    assert not list(tmp_path.iterdir())


def test_a_path_no_system_can_have_is_unreadable() -> None:
    assert [each.outcome for each in trialscrape.parse_files(["a" * 300, "a\0b"])] == ["unreadable", "unreadable"]


def test_one_path_is_no_list_of_paths() -> None:
    with pytest.raises(TypeError, match=r"pass \['ab'\]"):
        list(trialscrape.parse_files("ab"))

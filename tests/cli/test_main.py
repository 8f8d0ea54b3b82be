"""The entry point: streams that are closed, full or of few characters, and Ctrl-C before a command began."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import trialscrape
from support.page import PAGE, with_
from trialscrape.records import Trial

COMMAND = [sys.executable, "-m", "trialscrape"]


def run(redirected: str, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command by a shell that redirects its streams; output is buffered, as a user's is."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", *COMMAND, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUNBUFFERED": "", **environ},
        check=False,
    )


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "page.txt").write_text(PAGE, encoding="utf-8")
    return tmp_path / "page.txt"


@pytest.mark.parametrize("command", ["--version", "--help", "parse", "show", "check", "schema"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("redirected", "fault"),
    [(">/dev/full", "no space left on device"), (">&-", "bad file descriptor")],
)
def test_a_stdout_that_takes_nothing_is_reported_in_a_line(
    page: Path, redirected: str, fault: str, unbuffered: str, command: str
) -> None:
    arguments = [page] if command in ("parse", "show", "check") else []
    done = run(redirected, command, *arguments, PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (1, f"cannot write output: {fault}\n")


def test_what_is_said_on_a_closed_stderr_does_not_reach_stdout(page: Path) -> None:
    done = run("2>&-", "parse", page)
    assert done.returncode == 0
    assert Trial.model_validate_json(done.stdout).nct_id == "NCT99000100"


def test_a_file_does_not_take_the_place_of_a_closed_stream(page: Path, tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("no page")
    done = run("<&- >&- 2>&-", "parse", page, tmp_path / "none.txt", "-o", tmp_path / "trials.jsonl")
    assert done.returncode == 1
    assert Trial.model_validate_json((tmp_path / "trials.jsonl").read_text()).nct_id == "NCT99000100"
    rows = (tmp_path / "trials.outcomes.jsonl").read_text().splitlines()
    assert [json.loads(row)["outcome"] for row in rows] == ["ok", "not_a_study_page"]


@pytest.mark.parametrize("command", [["parse", "-"], ["scrape", "-i", "-"]])
def test_a_closed_stdin_is_empty(command: list[str]) -> None:
    done = run("<&-", *command)
    assert done.returncode in (1, 2)
    assert "found no" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("command", ["show", "check"])
def test_text_on_a_terminal_of_few_characters_loses_nothing(tmp_path: Path, command: str, encoding: str) -> None:
    page = with_(("Institute for Arboreal Medicine", "Institut für Bäume ≥ 𝔹"), ("\nSex\n", "\nSex ≥\n"))
    (tmp_path / "page.txt").write_text(page, encoding="utf-8")
    done = subprocess.run(
        [*COMMAND, command, tmp_path / "page.txt"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "200"},
        check=False,
    )
    text = done.stdout.decode(encoding)
    assert b"Traceback" not in done.stderr
    assert "≥".encode(encoding, "backslashreplace").decode(encoding) in text
    if command == "show":
        assert "Institut für Bäume ≥ 𝔹".encode(encoding, "backslashreplace").decode(encoding) in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-16"])
def test_records_are_utf_8_on_every_terminal(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "page.txt").write_text(with_(("Institute", "Institut ≥")), encoding="utf-8")
    done = run("", "parse", tmp_path / "page.txt", PYTHONIOENCODING=encoding)
    sponsor = Trial.model_validate_json(done.stdout).sponsor
    assert sponsor
    assert "Institut ≥" in sponsor


INTERRUPTED = """
import os, signal
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    raise RuntimeError("an import that ends otherwise")
print("went on")
os._exit(0)
"""


@pytest.mark.parametrize(
    ("before", "code", "said"),
    [("", 130, ("", "stopped\n")), ("trap '' INT;", 0, ("went on\n", ""))],
    ids=["heard", "ignored"],
)
def test_ctrl_c_during_the_imports(tmp_path: Path, before: str, code: int, said: tuple[str, str]) -> None:
    (tmp_path / "typer.py").write_text(INTERRUPTED)
    done = subprocess.run(
        ["/bin/sh", "-c", f'{before} exec "$@"', "sh", *COMMAND, "parse", "-"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, (done.stdout, done.stderr)) == (code, said)


def test_ctrl_c_before_a_command_began() -> None:
    program = (
        "import signal\nfrom trialscrape import __main__\nfrom trialscrape.cli import app as cli\n"
        "cli.make_app = lambda _: lambda **_: signal.raise_signal(signal.SIGINT)\n__main__.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_the_version_needs_no_command() -> None:
    program = (
        "import sys\nfrom trialscrape import __main__\nsys.argv[1:] = ['--version']\n__main__.main()\n"
        "assert not {'typer', 'typing', 'trialscrape.cli'} & set(sys.modules)"
    )
    # What measures the coverage imports modules of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"trialscrape {trialscrape.__version__}\n", "")


@pytest.mark.parametrize("command", ["parse", "check", "report", "show", "schema"])
def test_what_works_offline_imports_nothing_of_the_network(page: Path, command: str) -> None:
    program = (
        "import sys\nfrom trialscrape import __main__\n"
        "try:\n    __main__.main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        "loaded = {'httpx', 'httpcore', 'protego', 'tenacity', 'ssl', 'trialscrape.scraping'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    arguments = {"schema": [], "report": [str(page), "-o", "-"]}.get(command, [str(page)])
    done = subprocess.run([sys.executable, "-c", program, command, *arguments], capture_output=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[1:]) == (0, [])


@pytest.mark.parametrize("command", ["schema", "check", "parse"])
def test_a_reader_that_leaves_early_is_no_failure(page: Path, command: str) -> None:
    # Enough pages that the pipe is full before the command ends.
    pages = [str(page)] * 60
    with subprocess.Popen(
        [*COMMAND, command, *(pages if command != "schema" else [])], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")

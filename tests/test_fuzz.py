"""The fuzzer: it counts, and it keeps an input that fails or hangs."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TARGET = """
import re, sys
sys.path.insert(0, {folder!r})
import fuzz
fuzz.TARGETS["text"] = fuzz.Target(lambda random: b"owl %d" % random.randint(10, 99), {judge})
fuzz.main()
"""


def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_every_target_is_fuzzed_alike_for_the_same_seed(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(TESTS / "fuzz.py"),
        "--inputs",
        "120",
        "--seed",
        "5",
        "--file",
        str(tmp_path / "input"),
    ]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=False, timeout=120) for _ in "12")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("120 inputs, seed 5, 0 failures\nbytes: 30 inputs: ")
    assert first.stdout.count(": 30 inputs: ") == 4
    assert first.stdout == second.stdout
    assert not (tmp_path / "input").exists()


def test_an_input_that_fails_is_kept(tmp_path: Path) -> None:
    code = TARGET.format(folder=str(TESTS), judge="lambda data: str(1 / (data[-1] - ord('7')))")
    done = run(code, "--target", "text", "--file", str(tmp_path / "input"))
    assert done.returncode == 1
    assert "text: ZeroDivisionError('division by zero'); the input is in " in done.stderr
    assert (tmp_path / "input").read_bytes()[-1:] == b"7"


@pytest.mark.parametrize(
    "judge", ["lambda data: re.match('(a+)+$', 40 * 'a' + 'b')", "lambda data: __import__('time').sleep(60)"]
)
def test_an_input_that_hangs_is_kept_even_where_no_python_code_runs(tmp_path: Path, judge: str) -> None:
    done = run(
        TARGET.format(folder=str(TESTS), judge=judge),
        "--target",
        "text",
        "--timeout",
        "0.5",
        "--file",
        str(tmp_path / "input"),
    )
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert 'fuzz.py", line' in done.stderr
    assert (tmp_path / "input").read_bytes().startswith(b"owl ")

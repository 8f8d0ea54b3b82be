"""`criteria` as a user runs it."""

import codecs
import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

import trialscrape
from trialscrape.records import Eligibility

TEXT = "Inclusion Criteria:\n1. Adults ≥ 18 years, café owners\n2. Consent\n\nExclusion Criteria:\n- None\n"


def run(path: str | Path, stdin: bytes = b"") -> tuple[int, bytes, str]:
    command = [sys.executable, "-m", "trialscrape", "criteria", str(path)]
    wide = {**os.environ, "COLUMNS": "500"}  # so that no message is broken into lines
    done = subprocess.run(command, input=stdin, capture_output=True, env=wide, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        TEXT.replace("\n", "\r\n").encode(),
        gzip.compress(TEXT.encode()),
    ],
    ids=["utf-8", "with a byte order mark", "utf-16", "windows newlines", "gzip"],
)
def test_a_text_becomes_one_line_of_json(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_bytes(data)
    for code, output, messages in (run(file), run("-", data)):
        assert (code, messages) == (0, "")
        assert output.count(b"\n") == 1
        assert Eligibility.model_validate_json(output) == trialscrape.parse_criteria(TEXT)


def test_an_old_charset_is_read_and_reported() -> None:
    code, output, messages = run("-", TEXT.replace("≥ ", "").encode("cp1252"))
    assert code == 0
    assert "café owners" in output.decode()
    assert messages == (
        "stdin: guessed_charset: expected UTF-8 or a declared charset, found neither; read as windows-1252\n"
    )


def test_an_html_page_of_a_text_is_read_as_its_text() -> None:
    code, output, messages = run("-", b"<p>Inclusion Criteria:</p><ul><li>Adults<ul><li>Tall</ul><li>Consent</ul>")
    assert (code, messages) == (0, "")
    (heading,) = Eligibility.model_validate_json(output).inclusion
    adults, consent = heading.children
    assert (heading.text, adults.text, adults.children[0].text, consent.text) == (
        "Inclusion Criteria:",
        "Adults",
        "Tall",
        "Consent",
    )


def test_doubts_are_on_stderr_with_their_lines() -> None:
    code, output, messages = run("-", b"Inclusion:\n- Adults\n\nNot eligible if:\n- Asleep\n")
    assert code == 0
    assert [each.text for each in Eligibility.model_validate_json(output).unassigned] == ["Not eligible if:"]
    assert messages == (
        "stdin:4: doubtful_side: expected a heading that names one side, found 'Not eligible if:'; "
        "what follows is unassigned\n"
    )


def test_nesting_beyond_the_limit_is_reported() -> None:
    code, _, messages = run("-", "".join("  " * level + "- a\n" for level in range(50)).encode())
    assert code == 0
    assert messages == (
        "stdin:41: criteria_too_deep: expected at most 40 levels of criteria, found more; they are read as siblings\n"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a text of eligibility criteria, found none"),
        (b" \n\t\r\n", "expected a text of eligibility criteria, found none"),
        (b"%PDF-1.7\n", "unreadable: expected a text, found a PDF document"),
        (gzip.compress(b"%PDF-1.7\n"), "unreadable: expected a text, found a PDF document"),
        (b"\x7fELF\x02\x01\0\0\0", "unreadable: expected a text, found binary data"),
        (gzip.compress(TEXT.encode())[:-9], "unreadable: expected a whole gzip file, found one that is cut"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(data)
    assert run(file) == (1, b"", f"{file}: {message}\n")
    assert run("-", data) == (1, b"", f"stdin: {message}\n")


def test_a_mistyped_path_or_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "gone.txt", "there is no file"), (tmp_path, "is a folder; name")):
        code, output, messages = run(path)
        assert (code, output) == (2, b"")
        assert message in messages

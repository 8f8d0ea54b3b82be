"""`explain` has a row for every code that records and outcomes hold."""

import subprocess
import sys

import pytest

from trialscrape.cli.commands.explain import read_rows
from trialscrape.records import SEVERITIES
from trialscrape.results import Outcome

COMMAND = [sys.executable, "-m", "trialscrape", "explain"]


def test_every_code_is_explained() -> None:
    assert {*SEVERITIES, *(outcome.value for outcome in Outcome)} == read_rows().keys()


def test_a_code_of_pages_and_of_ids_has_both_rows() -> None:
    done = subprocess.run([*COMMAND, "too_large"], capture_output=True, text=True, check=True)
    assert done.stdout.count("  what it means: ") == 2
    assert "More than 32 MiB" in done.stdout


@pytest.mark.parametrize(("code", "message"), [("dubtful_side", "did you mean doubtful_side"), ("x", "choose from ")])
def test_a_code_that_there_is_not_gets_a_hint(code: str, message: str) -> None:
    done = subprocess.run([*COMMAND, code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())

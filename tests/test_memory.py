"""What a page may cost: 1.5 GB for any of up to 32 MiB, measured in a process of its own.

The shapes are those that took most of about forty, each as large as the limits let it be.
"""

import subprocess
import sys
from pathlib import Path

import pytest

MOST = 1_500_000  # kB
MEASURE = """
import resource, sys
from support.page import PAGE
from trialscrape import parse
from trialscrape.errors import PageError
from trialscrape.exports.jsonl import format_record

page = eval(sys.argv[1]).encode()
assert len(page) <= 32 * 1024 * 1024
try:
    format_record(parse(page))
except PageError as error:
    print(error.message)
else:
    print("read")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
TREATMENTS = "PAGE.replace('Treatments\\n\\n', 'Treatments\\n\\n' + ('Dr😀' + 'x' * 120 + '\\n') * 249_000)"


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("'<p>abcdef😀abcdefghijklm' * 990_000", "expected at most 250,000 lines, found 1,979,999"),
        ("'<ul>' * 8 + '<li>abc😀defgh' * 980_000 + 'a ' * 6_000_000", "expected at most 250,000 lines, found 980,000"),
        (TREATMENTS, "read"),
        ("'<ul>' * 49 + '<li>a' * 3_000_000", "expected at most 1,000,000 tags, found more"),
    ],
    ids=["paragraphs", "lists", "unreadable lines", "three million items"],
)
def test_the_worst_pages_stay_below_the_limit(page: str, message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, page], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    said, most = done.stdout.splitlines()
    assert said == message
    assert int(most) < MOST

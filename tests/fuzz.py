"""Read mutated pages until the time is up, and judge each: `python tests/fuzz.py --seconds 60`.

The corpus is `fixtures/`. A page gives a record or a page error. The record accounts for every line that is
not blank, is the same the second time, and reads its own JSON back. The first input that fails is written to `output/`,
and the exit code is 1.
"""

import argparse
import re
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import trialscrape
from support.text import text_of
from trialscrape.errors import PageError
from trialscrape.parsing.layout import LAYOUT
from trialscrape.parsing.lines import split_lines
from trialscrape.parsing.preamble import BANNER, SITE, VEEVA_ENABLED

ROOT = Path(__file__).parents[1]
CORPUS = [path.read_bytes() for folder in ("pages", "bad") for path in sorted((ROOT / "fixtures" / folder).iterdir())]
HEADINGS = [heading for row in LAYOUT.sections for heading in row.headings]
LINES = [
    "Exclusion Criteria:",
    "  • ",
    "    1. ",
    "",
    "Description:",
    "Treatment:",
    "Other group",
    "Drug: x",
    "<!-- -->",
]
TOKENS = [
    *(f"\n\n{heading}\n\n".encode() for heading in HEADINGS),
    *(f"{line}\n".encode() for line in (*LINES, "2 participants in 2 patient groups", f"{BANNER}\nI\nOak", "\u2028")),
    *(b"<ul><li>", b"</li></ul>", b"<p>", b"<table><td>", b"<!--", b"<![CDATA[", b"&#0;", b"\x00", b"\xff", b"\x1b"),
    *(b"=3D", b"=\n", b"%3Cdiv", b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n", b"\t", b"9" * 30),
]
CHROME = {*HEADINGS, *SITE, BANNER, VEEVA_ENABLED, "Description:", "Treatment:"}
FOOTER = re.compile(
    r"Clinical trials|Find clinical trialsTrials by location|Research sites|Resources|Legal"
    r"|© Copyright [0-9]{4} Veeva Systems| *<!-- *-->"
)


def mutate(random: Random) -> bytes:
    """Make an input: a page of the corpus with some places cut out, doubled, overwritten, filled in, or of another."""
    data = random.choice(CORPUS)
    for _ in range(random.randint(1, 8)):
        start = random.randint(0, len(data))
        stop = min(len(data), start + random.choice((1, 4, 40, 400)))
        piece = random.choice(
            (b"", 2 * data[start:stop], random.choice(TOKENS), random.randbytes(3), random.choice(CORPUS)[start:stop])
        )
        data = data[:start] + piece + data[random.choice((start, stop)) :]
    return data[: random.randint(0, len(data))] if random.random() < 0.1 else data


def judge(page: bytes) -> str:
    """Read a page and check what is promised of every page; return its outcome.

    Raises:
        AssertionError: A promise is broken.
    """
    try:
        trial = trialscrape.trace(page)
    except PageError as error:
        return error.outcome
    assert trialscrape.trace(page).model_dump_json() == trial.model_dump_json(), "another record the second time"
    assert type(trial).model_validate_json(trial.model_dump_json()) == trial, "does not read its own JSON"
    lines = split_lines(text_of(page).text)
    known = {line.line for line in trial.unparsed}
    known |= {number for first, last in trial.spans.values() for number in range(first, last + 1)}
    for number, line in enumerate(lines, 1):
        text = line.strip(" ")
        is_chrome = text in CHROME or FOOTER.fullmatch(text) or text.endswith(" logo") or len(text) == 1
        assert not text or number in known or is_chrome, f"line {number} is lost: {text!r}"
    return "ok"


def main() -> None:
    """Fuzz for the requested time, and print how many inputs had which outcome."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = Random(options.seed)
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        page = mutate(random)
        try:
            outcomes[judge(page)] += 1
        except Exception as error:  # noqa: BLE001  any error is a finding
            failed = ROOT / "output" / "fuzz-failure.bin"
            failed.write_bytes(page)
            sys.exit(f"seed {options.seed}, input {outcomes.total() + 1:,}: {error!r}; the input is in {failed.name}")
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.most_common())
    print(f"{outcomes.total():,} inputs, seed {options.seed}, 0 failures: {counts}")


if __name__ == "__main__":
    main()

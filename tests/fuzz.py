"""Read mutated inputs, and judge each: `python tests/fuzz.py --seconds 60` or `--inputs 1000000`.

There is a row of `TARGETS` for each kind of input: the bytes of a file, an HTML page, the text of a page, criteria in
free text. By turns, or only the one that `--target` names, they are made from `fixtures/` and from invented registry
studies. A page gives a record or a page error. The record accounts for every line that is not blank, is the same the
second time, and reads its own JSON back. Criteria have every letter and digit of their text, and no other.

The input at hand is in `--file`. The first that fails stays there, with exit code 1, and so does one
that takes longer than `--timeout`, for which the traceback is printed: even where a library in C hangs.
"""

import argparse
import faulthandler
import os
import re
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import count, cycle
from pathlib import Path
from random import Random
from typing import NamedTuple

import trialscrape
from support.text import text_of
from trialscrape.errors import PageError
from trialscrape.parsing.layout import LAYOUT
from trialscrape.parsing.lines import split_lines
from trialscrape.parsing.preamble import BANNER, SITE, VEEVA_ENABLED
from trialscrape.records import Criterion
from trialscrape.testing.pages import write_html, write_text

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # for `bench`, where the studies are invented

from bench.studies import make_study  # noqa: E402

FILES = [path.read_bytes() for folder in ("pages", "bad") for path in sorted((ROOT / "fixtures" / folder).iterdir())]
STUDIES = [make_study(number) for number in range(60)]
CORPUS = [*FILES, *(write(*study).encode() for study in STUDIES for write in (write_text, write_html))]
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


MARKUP = [
    *(b"<ul><li>", b"</li></ul>", b"<ol><li>", b"</ol>", b"<ol start=3>", b"<p>", b"</p>", b"<br>", b"<div>"),
    *(b"</div>", b"<table><td>", b"<pre>\n", b"<b>", b"<i class=x", b"<!--", b"-->", b"<script>", b"</script>"),
    *(b"<style>", b"<template>", b"<svg><title>", b"<select><option>", b"<textarea>", b"<noscript>", b"<![CDATA["),
    *(b"<base href=x>", b"&#0;", b"&nbsp;", b"&lt;", b"&#xD800;", b"&#8232;", b"&bullet;", b"&amp;amp;"),
    *(b"\t", b"\r", b"\x0c", b"\x0b"),
    *(f"<h3>{heading}</h3>".encode() for heading in HEADINGS),
]
WEB_PAGES = [data for data in CORPUS if b"<html" in data[:2000].lower()]
TEXTS = [data for data in CORPUS if data.startswith(b"ClinicalTrials.Veeva")]


def mutate_bytes(random: Random) -> bytes:
    """Make a file: one of the corpus with some places cut out, doubled, overwritten, filled in, or of another."""
    data = _mutate(random, random.choice(CORPUS), TOKENS)
    return data[: random.randint(0, len(data))] if random.random() < 0.1 else data


def mutate_web_page(random: Random) -> bytes:
    """Make an HTML page: one of the corpus with markup in wrong places."""
    return _mutate(random, random.choice(WEB_PAGES), MARKUP)


def mutate_text(random: Random) -> bytes:
    """Make a page's text: one of the corpus with lines moved, left out, doubled, indented, or of another page."""
    lines = random.choice(TEXTS).split(b"\n")
    for _ in range(random.randint(1, 12)):
        start = random.randint(0, len(lines))
        stop = min(len(lines), start + random.choice((1, 1, 2, 8)))
        piece = random.choice(
            (
                [],
                2 * lines[start:stop],
                [b"", *lines[start:stop], b""],
                [random.choice((b"  ", b"    ", b"  1. ", b"  \xe2\x80\xa2 ")) + line for line in lines[start:stop]],
                random.choice(TOKENS).split(b"\n"),
                random.choice(TEXTS).split(b"\n")[start:stop],
            )
        )
        lines[start:stop] = piece
    return b"\n".join(lines)


def _mutate(random: Random, data: bytes, tokens: list[bytes]) -> bytes:
    for _ in range(random.randint(1, 8)):
        start = random.randint(0, len(data))
        stop = min(len(data), start + random.choice((1, 4, 40, 400)))
        piece = random.choice(
            (b"", 2 * data[start:stop], random.choice(tokens), random.randbytes(3), random.choice(CORPUS)[start:stop])
        )
        data = data[:start] + piece + data[random.choice((start, stop)) :]
    return data


def judge_page(page: bytes) -> str:
    """Read a page and check what is promised of every page; return its outcome.

    Raises:
        AssertionError: A promise is broken.
    """
    try:
        trial = trialscrape.trace(page)
    except PageError as error:
        return error.outcome
    record = trial.model_dump_json()
    assert trialscrape.trace(page).model_dump_json() == record, "another record the second time"
    assert type(trial).model_validate_json(record) == trial, "does not read its own JSON"
    lines = split_lines(text_of(page).text)
    known = {line.line for line in trial.unparsed}
    known |= {number for first, last in trial.spans.values() for number in range(first, last + 1)}
    for number, line in enumerate(lines, 1):
        text = line.strip(" ")
        is_chrome = text in CHROME or FOOTER.fullmatch(text) or text.endswith(" logo") or len(text) == 1
        assert not text or number in known or is_chrome, f"line {number} is lost: {text!r}"
    return "ok"


def judge_criteria(data: bytes) -> str:
    """Read a text as criteria; every letter and digit must be in them, and no other.

    Raises:
        AssertionError: A promise is broken.
    """
    text = data.decode("utf-8", "replace")
    eligibility = trialscrape.parse_criteria(text)
    assert trialscrape.parse_criteria(text) == eligibility, "another reading the second time"
    found = "".join(_walk((*eligibility.inclusion, *eligibility.exclusion, *eligibility.unassigned)))
    lost = Counter(filter(str.isalnum, unicodedata.normalize("NFC", text)))
    lost.subtract(filter(str.isalnum, found))
    assert not any(lost.values()), f"lost or added: { {character: n for character, n in lost.items() if n} }"
    return "combined" if eligibility.combined else "unassigned"


def _walk(criteria: Iterable[Criterion]) -> Iterator[str]:
    for criterion in criteria:
        yield criterion.marker or ""
        yield criterion.text
        yield from _walk(criterion.children)


class Target(NamedTuple):
    """One kind of input: how it is made, and what is checked of it.

    `judge` returns the input's outcome in a word, and raises any error where a promise is broken.
    """

    make: Callable[[Random], bytes]
    judge: Callable[[bytes], str]


TARGETS = {
    "bytes": Target(mutate_bytes, judge_page),
    "HTML": Target(mutate_web_page, judge_page),
    "text": Target(mutate_text, judge_page),
    "criteria": Target(mutate_text, judge_criteria),
}


def fuzz(options: argparse.Namespace) -> Counter[tuple[str, str]]:
    """Judge inputs until there were enough or the time is up; count them by target and outcome."""
    random = Random(options.seed)
    outcomes: Counter[tuple[str, str]] = Counter()
    names = cycle([options.target] if options.target else TARGETS)
    end = time.monotonic() + options.seconds if options.seconds else float("inf")
    file = os.open(options.file, os.O_RDWR | os.O_CREAT, 0o644)
    for number, name in zip(count(1), names, strict=False):
        if number > (options.inputs or number) or time.monotonic() > end:
            break
        data = TARGETS[name].make(random)
        os.ftruncate(file, len(data))
        os.pwrite(file, data, 0)
        faulthandler.dump_traceback_later(options.timeout, exit=True)
        try:
            outcomes[name, TARGETS[name].judge(data)] += 1
        except Exception as error:  # noqa: BLE001  any error is a finding
            sys.exit(f"seed {options.seed}, input {number:,}, {name}: {error!r}; the input is in {options.file}")
        faulthandler.cancel_dump_traceback_later()
    os.close(file)
    options.file.unlink()
    return outcomes


def main() -> None:
    """Fuzz, and print how many inputs had which outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, help="stop after this time; 60 without --inputs")
    parser.add_argument("--inputs", type=int, help="stop after so many inputs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=TARGETS, help="only this kind of input")
    parser.add_argument("--file", type=Path, default=ROOT / "output" / "fuzz-input.bin", help="where to keep the input")
    parser.add_argument("--timeout", type=float, default=20, help="seconds that an input may take")
    options = parser.parse_args()
    if not options.inputs and not options.seconds:
        options.seconds = 60
    outcomes = fuzz(options)
    print(f"{outcomes.total():,} inputs, seed {options.seed}, 0 failures")
    for name in TARGETS:
        of_target = Counter({outcome: number for (target, outcome), number in outcomes.items() if target == name})
        if of_target:
            counts = ", ".join(f"{number:,} {outcome}" for outcome, number in of_target.most_common())
            print(f"{name}: {of_target.total():,} inputs: {counts}")


if __name__ == "__main__":
    main()

"""Any input gives a record or a page error, and no line is lost."""

import gzip
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trialscrape
from support.page import PAGE
from support.text import text_of
from trialscrape.errors import PageError
from trialscrape.page import Page
from trialscrape.parsing.layout import LAYOUT
from trialscrape.parsing.lines import split_lines
from trialscrape.parsing.parser import parse_page
from trialscrape.records import Trial
from trialscrape.sources.containers import unwrap

LINES = PAGE.split("\n")
WORDS = [
    *sorted({line for line in LINES if line}),
    *(heading for row in LAYOUT.sections for heading in row.headings),
    "Description:",
    "Treatment:",
    "    1. nested",
    "    continued",
    "Key Exclusion Criteria:",
    "7 participants in 3 patient groups",
    "Tab\tand\xa0blank",
    "\x00\x1b[31m\u2028\x85",
]
CHROME = {"ClinicalTrials.Veeva", "Menu", "I", "Description:", "Treatment:"} | {
    heading for row in LAYOUT.sections for heading in row.headings
}
FOOTER = re.compile(
    r"Clinical trials|Find clinical trialsTrials by location|Research sites|Resources|Legal|© Copyright .*"
)


def edit(lines: list[str], edits: list[tuple[int, str, str]]) -> list[str]:
    lines = list(lines)
    for where, what, word in edits:
        at = where % (len(lines) + 1)
        if what == "insert":
            lines.insert(at, word)
        elif what == "delete":
            del lines[at : at + 1]
        elif what == "cut":
            del lines[at:]
        elif what == "blank":
            lines[at : at + 1] = ["", *lines[at : at + 1], ""]
        else:
            lines[at : at + 1] = [word]
    return lines


EDITS = st.lists(
    st.tuples(
        st.integers(0, 500),
        st.sampled_from(["insert", "insert", "replace", "delete", "delete", "blank", "cut"]),
        st.sampled_from(WORDS) | st.text(max_size=20).filter(lambda text: "\n" not in text),
    ),
    max_size=8,
)
PAGES = EDITS.map(lambda edits: "\n".join(edit(LINES, edits)))


@settings(max_examples=400)
@given(PAGES)
def test_every_line_is_in_a_span_or_under_a_heading_or_unparsed(page: str) -> None:
    try:
        traced = trialscrape.trace(page)
    except PageError:
        return
    lines = split_lines(text_of(page).text)
    covered = {line for first, last in traced.spans.values() for line in range(first, last + 1)}
    unparsed = {each.line for each in traced.unparsed}
    for number, line in enumerate(lines, 1):
        text = line.strip(" ")
        is_chrome = text in CHROME or FOOTER.fullmatch(text) or text.endswith(" logo") or len(text) == 1
        assert number in covered or number in unparsed or is_chrome or not text, (number, text)
    for each in traced.unparsed:
        assert lines[each.line - 1] == each.text


@settings(max_examples=300)
@given(PAGES)
def test_what_is_rendered_reads_the_same(page: str) -> None:
    try:
        trial = trialscrape.parse(page)
    except PageError:
        return
    if trial.warnings or trial.unparsed or trial.source.form == "stripped":
        return
    again = trialscrape.parse(trialscrape.render(trial))
    assert again.model_dump(exclude={"warnings", "source"}) == trial.model_dump(exclude={"warnings", "source"})


@given(PAGES)
def test_a_record_reads_its_own_json_and_is_made_alike_twice(page: str) -> None:
    try:
        trial = trialscrape.parse(page, file="x")
    except PageError as error:
        with pytest.raises(type(error)):
            trialscrape.parse(page)
        return
    line = trial.model_dump_json()
    assert Trial.model_validate_json(line) == trial
    assert trialscrape.parse(page, file="x").model_dump_json() == line


@settings(max_examples=300)
@given(
    st.binary(max_size=300)
    | st.binary(max_size=300).map(gzip.compress)
    | st.tuples(st.binary(max_size=20), st.integers(0, 3000)).map(
        lambda each: PAGE.encode()[: each[1]] + each[0] + PAGE.encode()[each[1] :]
    )
    | st.text(max_size=300).map(lambda text: f"<html>{text}</html>".encode("utf-8", "replace"))
)
def test_any_bytes_give_a_record_or_our_own_error(data: bytes) -> None:
    try:
        reading = parse_page(unwrap(Page(data)))
    except PageError as error:
        assert error.message.startswith("expected ")
    else:
        assert Trial.model_validate(reading.values)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000_000,
        "a\n" * 1_000_000,
        "\n" * 1_000_000,
        "About\n\n" * 300_000,
        PAGE.replace("  • Restless", "  • Restless\n" * 300_000),
        PAGE.replace("  • Restless", "\n\n".join("  " * (level % 1000) + "• deep" for level in range(100_000))),
        PAGE.replace("  • Restless", "  • Restless\n    continued" + "\n    continued" * 300_000),
        PAGE.replace("Forest\n", "Forest\n" * 300_000),
        PAGE.replace("Clerks sit", "Sex\n\n" * 300_000),
        PAGE.replace("Restlessness", "Restlessness\n" * 300_000),
        "(" * 1_000_000,
        PAGE.replace("NCT99000100", "(" * 100_000 + ")" * 100_000),
        PAGE.replace("(TREEBATH)", "(" * 100_000),
        PAGE.replace("Clerk by trade", "inclusion " * 300_000 + ":")
        .replace("Inclusion criteria", "Inclusion and exclusion criteria")
        .replace("Exclusion criteria", "Exclusion:"),
    ],
    ids=range(14),
)
def test_hostile_sizes_end(text: str) -> None:
    """What is not linear in the input would take hours here."""
    try:
        reading = parse_page(Page(text.encode()))
    except PageError:
        return
    assert reading.values["source"].form in {"full", "stripped"}

"""Thousands of invented sections: no criterion comes out on a wrong side without a warning, and none is lost."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

import trialscrape
from support.criteria_sections import TOKEN, Built, build
from support.page import PAGE
from trialscrape.parsing.criteria import ParsedCriteria, read_criteria
from trialscrape.parsing.criteria_text import read_criteria_text
from trialscrape.parsing.subheadings import Side
from trialscrape.records import Criterion

SECTIONS = 10_000
MARKER = re.compile(r"^ *(?:(?:[•▪●]|[0-9]+\.)(?: +|$))?")
MOST_NEEDLESS = 0.02  # doubts where the builder sees none, per section


def preorder(criteria: Iterable[Criterion]) -> Iterator[Criterion]:
    for criterion in criteria:
        yield criterion
        yield from preorder(criterion.children)


def by_side(parsed: ParsedCriteria) -> dict[str, list[Criterion]]:
    return {side: list(preorder(getattr(parsed, side))) for side in ("inclusion", "exclusion", "unassigned")}


def wrong(built: Built, parsed: ParsedCriteria) -> list[str]:
    """Find the criteria that are neither on their side nor unassigned under a warning."""
    read = {
        token: side for side, nodes in by_side(parsed).items() for node in nodes for token in TOKEN.findall(node.text)
    }
    first = min((doubt.at for doubt in parsed.doubts), default=len(built.lines))
    told = {token for token, at in built.at.items() if at >= first and read.get(token) == "unassigned"}
    return [token for token, side in built.sides.items() if read.get(token) != side and token not in told]


def lost(built: Built, parsed: ParsedCriteria) -> bool:
    """Return whether a line is missing, or two of a side are not in their order."""
    lines = [MARKER.sub("", line) for line in built.lines if line and line != "<!-- -->"]
    sides = [[line for node in nodes for line in node.text.split("\n") if line] for nodes in by_side(parsed).values()]
    in_order = all(all(line in rest for line in side) for side in sides for rest in [iter(lines)])
    return not in_order or Counter(lines) != Counter(line for side in sides for line in side)


def skipped(parsed: ParsedCriteria) -> list[str]:
    """Find the criteria that a reader loses who skips headings."""
    nodes = [node for side in by_side(parsed).values() for node in side]
    return [node.text for node in nodes if node.kind == "heading" and TOKEN.search(node.text)]


@pytest.mark.parametrize("side", [None, "inclusion", "exclusion"])
def test_no_criterion_is_on_a_wrong_side_without_a_warning(side: Side | None) -> None:
    needless = 0
    for seed in range(SECTIONS if side is None else SECTIONS // 10):
        built = build(seed, side)
        parsed = read_criteria(built.lines, side)
        doubted = {doubt.at for doubt in parsed.doubts}
        text = "\n".join(built.lines)
        assert wrong(built, parsed) == [], f"seed {seed}\n{text}"
        assert not lost(built, parsed), f"seed {seed}\n{text}"
        assert skipped(parsed) == [], f"seed {seed}\n{text}"
        assert built.contradictions <= doubted, f"seed {seed}\n{text}"
        needless += len(doubted - built.doubtful)
    assert needless <= MOST_NEEDLESS * SECTIONS


def test_no_criterion_of_a_text_is_on_a_wrong_side_without_a_warning() -> None:
    needless = 0
    for seed in range(SECTIONS):
        built = build(seed)
        text = "\n".join(built.lines)
        parsed = read_criteria_text(text)
        assert wrong(built, parsed) == [], f"seed {seed}\n{text}"
        assert skipped(parsed) == [], f"seed {seed}\n{text}"
        needless += len({doubt.at for doubt in parsed.doubts} - built.doubtful)
    assert needless <= MOST_NEEDLESS * SECTIONS


@pytest.mark.parametrize("seed", range(100))
def test_a_page_gives_the_criteria_and_the_doubts_of_its_section(seed: int) -> None:
    built = build(seed)
    top, bottom = PAGE.index("Inclusion criteria\n"), PAGE.index("Trial design\n")
    section = "\n".join(("Inclusion and exclusion criteria", "", *built.lines, "", ""))
    page = PAGE[:top] + section + PAGE[bottom:]
    trial = trialscrape.parse(page)
    parsed = read_criteria(built.lines, None)
    sides = (trial.eligibility.inclusion, trial.eligibility.exclusion, trial.eligibility.unassigned)
    assert sides == (parsed.inclusion, parsed.exclusion, parsed.unassigned)
    assert trial.eligibility.combined
    lines = page.split("\n")
    warned = [lines[(each.line or 0) - 1] for each in trial.warnings if each.code == "doubtful_side"]
    assert warned == [built.lines[doubt.at] for doubt in parsed.doubts]
    assert trial.unparsed == ()

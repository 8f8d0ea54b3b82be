"""Lines to sections: a page's lines and the layout of all pages to the sections of this one.

No heading stands here: they are in the layout. A line is a heading not because of its words alone: prose, a condition
or an arm may have the same. It is one by its place in the order, by standing at column 0 and alone in a block, and by
what follows. So every line at column 0 with a heading's words gets a weight by the last two, and the heaviest sequence
that keeps the order is taken.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from trialscrape.errors import NotAStudyPage, SeveralPages
from trialscrape.wording import write_count

if TYPE_CHECKING:
    from trialscrape.parsing.state import ParseState
    from trialscrape.records import Trial

Form = Literal["full", "stripped", "wordless"]
"""The page's text as it is, without blank lines and short values, or without its lines of a single word."""

Block = Literal["nothing", "line", "lines", "prose"]
"""What stands under a heading."""

Expected = Literal["both", "full", "maybe"]
"""In which form of the page a section is never absent: in both, in the full one, or it may be absent."""


class Kind(Protocol):
    """What stands in a section: reads its lines into a record, and writes them from one.

    Attributes:
        field: The field of the record that it fills, if it is one.
        block: What stands under the heading.
        first: What the first line looks like, where that is known.
        may_be_empty: Whether a page can have the heading over nothing.
    """

    @property
    def field(self) -> str | None:
        """The name of the field."""

    @property
    def block(self) -> Block:
        """The shape of the block."""

    @property
    def first(self) -> re.Pattern[str] | None:
        """A loose pattern, enough to distinguish the line from prose."""

    @property
    def may_be_empty(self) -> bool:
        """Whether an empty block is normal."""

    def read(self, state: "ParseState", section: "FoundSection") -> None:
        """Read the section's lines into the state; leave lines it does not understand."""

    def write(self, trial: "Trial") -> Iterable[str] | None:
        """Return the lines under the heading; None where the page of this trial has no such section."""


@dataclass(frozen=True)
class Section:
    """One section of the layout: a row of the table.

    Attributes:
        name: Its name.
        kind: What stands in it.
        expected: In which form of the page it is never absent.
        heading: Its heading; empty where a sentence that begins with a number (`kind.first`) takes its place.
        also: Other spellings of the heading.
        stands_for: The sections that it replaces.
        excused_for: The codes of study types whose pages may lack it.
        once: Whether its heading, right above that of the next section, stands on a page once only.
        of_the_site: Whether no other site has such a heading.
        repeated: Whether the section without a heading begins with the same number.
        tight: Whether its block follows without a blank line.
    """

    name: str
    kind: Kind
    expected: Expected
    heading: str
    also: tuple[str, ...] = ()
    stands_for: tuple[str, ...] = ()
    excused_for: tuple[str, ...] = ()
    once: bool = False
    of_the_site: bool = False
    repeated: bool = False
    tight: bool = False

    @property
    def headings(self) -> tuple[str, ...]:
        """Every spelling of its heading."""
        return (self.heading, *self.also) if self.heading else ()


class Layout:
    """The sections of every study page in their order, ready to be looked for.

    Args:
        chrome: The lines above the title that every page has.
        sections: From the top to the bottom; one that stands for others comes right behind them.
    """

    def __init__(self, chrome: Sequence[str], sections: Sequence[Section]) -> None:
        self.chrome = frozenset(chrome)
        self.sections = tuple(sections)
        ranked = [section for section in sections if not section.stands_for]
        rank = {section.name: place for place, section in enumerate(ranked)}
        self.places = {name: (place, place) for name, place in rank.items()}
        for section in sections:
            if section.stands_for:
                self.places[section.name] = (rank[section.stands_for[0]], rank[section.stands_for[-1]])
        self.by_heading = {heading: section for section in sections for heading in section.headings}
        self.headless = next(section for section in sections if not section.heading)
        # A gap in the order weighs against a heading: two for each section between that no form of the page leaves out.
        self.gaps = list(accumulate((2 * (section.expected == "both") for section in ranked), initial=0))
        self.once = {(upper.name, lower.name) for upper, lower in pairwise(ranked) if upper.once}
        self.top = tuple(section.name for section in ranked[:2])


_BOTH_SIDES = 2
_UNMISTAKABLE = 16  # the weight of a heading that no other site has: more than any gap in the order
_ENOUGH = 4  # headings in order that make a study page without its first two
_ENOUGH_OF_THE_SITE = 3  # likewise, where one of them is a heading that only this site has


class Candidate(NamedTuple):
    """A line with a heading's words, and how much speaks for it."""

    at: int
    section: Section
    weight: int


class FoundSection(NamedTuple):
    """A section of a page: its row of the layout, the index of its heading, and the bounds of the lines under it."""

    section: Section
    heading: int
    start: int
    stop: int


class FoundSections(NamedTuple):
    """A page's sections in order, its form, and the headings that could as well be another line."""

    sections: tuple[FoundSection, ...]
    form: Form
    doubtful: tuple[Candidate, ...]


def find_sections(lines: Sequence[str], layout: Layout) -> FoundSections:
    """Find the sections of a page's lines.

    Raises:
        NotAStudyPage: Too few headings stand in the known order.
        SeveralPages: What every page has once is there twice.
    """
    candidates = _find_candidates(lines, layout)
    _refuse_second_page(lines, candidates, layout)
    chosen = _choose_heaviest(candidates, layout)
    if not _is_study_page(chosen, layout):
        raise NotAStudyPage(_describe(lines, chosen, layout))
    stops = [*(candidate.at for candidate in chosen[1:]), len(lines)]
    return FoundSections(
        tuple([FoundSection(c.section, c.at, c.at + 1, stop) for c, stop in zip(chosen, stops, strict=True)]),
        _find_form(lines, chosen, layout),
        tuple(_find_doubtful(candidates, chosen)),
    )


def is_mark(line: str) -> bool:
    """Return whether a line is what stands above the sponsor: its first character, or the text of its logo."""
    return line.endswith(" logo") or len(line) == 1


def _find_candidates(lines: Sequence[str], layout: Layout) -> list[Candidate]:
    by_line = list(map(layout.by_heading.get, lines))
    first = layout.headless.kind.first
    numbers = set()
    for index, line in enumerate(lines):
        if first and "0" <= line[:1] <= "9" and (sentence := first.match(line)):
            by_line[index] = layout.headless
            numbers.add(sentence[1])
    headings = [(index, section) for index, section in enumerate(by_line) if section]
    sides = [count_open_sides(lines, index) for index, _ in headings]
    spaced = 2 * sides.count(_BOTH_SIDES) >= len(sides)
    weighed = [
        Candidate(index, section, _weigh(lines, by_line, index, side if spaced else None, numbers))
        for (index, section), side in zip(headings, sides, strict=True)
    ]
    candidates = [candidate for candidate in weighed if candidate.weight]
    # A page has one heading for two sections or each its own: below the first one, the words of the other are its text.
    return [
        candidate
        for before, candidate in zip([None, *candidates], candidates, strict=False)
        if before is None or before.section.name not in candidate.section.stands_for
    ]


def count_open_sides(lines: Sequence[str], index: int) -> int:
    """Count the sides, above and below, on which a line has no neighbour in its block."""
    above = index == 0 or not lines[index - 1]
    below = index + 1 == len(lines) or not lines[index + 1]
    return above + below


def _weigh(
    texts: Sequence[str],
    by_line: Sequence[Section | None],
    index: int,
    open_sides: int | None,
    numbers: Collection[str],
) -> int:
    """Weigh what speaks for a heading, from 0 to 4.

    `open_sides` counts where it stands alone; None in a page without blank lines. In a page with them, a condition or
    an arm may have a heading's words, and even the next one look like what stands under it. Of two lines that may be
    over a number which the page repeats, the one that has one of `numbers` below it is the heading.
    """
    section = by_line[index]
    if section is None:
        return 0
    if section.of_the_site:
        return 0 if open_sides == 0 else _UNMISTAKABLE
    kind = section.kind
    sides = 1 if open_sides is None else open_sides
    stands_alone = open_sides in {None, _BOTH_SIDES} or section.tight
    if kind.block == "prose":
        return sides * (len(section.stands_for) or 1)
    if not section.heading:
        return sides + (sides == _BOTH_SIDES)  # more than an empty heading, which may be the name of the only group
    following = _find_next_line(texts, index)
    if following is None or by_line[following]:
        return 2 + (kind.block == "nothing") if stands_alone else 0
    if kind.first and kind.first.fullmatch(texts[following]):
        differs = section.repeated and numbers and texts[following].split(" ")[0] not in numbers
        return sides if not stands_alone else 2 if differs else 3
    if kind.block == "line":
        behind = _find_next_line(texts, following)
        return sides if behind is None or by_line[behind] else 0
    return sides if kind.first is None else sides // 2


def _find_next_line(texts: Sequence[str], index: int) -> int | None:
    for following in range(index + 1, len(texts)):
        if texts[following]:
            return following
    return None


class _Chain(NamedTuple):
    score: int
    last: Candidate
    before: "_Chain | None"


def _choose_heaviest(candidates: Sequence[Candidate], layout: Layout) -> list[Candidate]:
    """Choose the heaviest sequence of headings that keeps the order; among equals, the earlier lines.

    `chains` holds the best chain for each last place, as far as a later place is not reached at less cost; so it is
    ordered by place and by worth, and one pass with bisection does.
    """
    gaps = layout.gaps
    ranks = [layout.places[candidate.section.name] for candidate in candidates]
    if all(end < start and gaps[end + 1] == gaps[start] for (_, end), (start, _) in pairwise(ranks)):
        return list(candidates)  # the order is kept and nothing is missing, so there is nothing to choose
    places: list[int] = []
    chains: list[_Chain] = []
    best: _Chain | None = None
    for candidate, (low, high) in zip(candidates, ranks, strict=True):
        chain = _Chain(candidate.weight, candidate, None)
        before = bisect_left(places, low) - 1
        if before >= 0:
            score = chains[before].score - (gaps[low] - gaps[places[before] + 1]) + candidate.weight
            if score >= chain.score:
                chain = _Chain(score, candidate, chains[before])
        _insert(places, chains, high, chain, gaps)
        if best is None or chain.score > best.score:
            best = chain
    chosen = []
    while best:
        chosen.append(best.last)
        best = best.before
    return chosen[::-1]


def _insert(places: list[int], chains: list[_Chain], place: int, chain: _Chain, gaps: Sequence[int]) -> None:
    def worth(place: int, chain: _Chain) -> int:
        return chain.score + gaps[place + 1]

    at = bisect_left(places, place)
    known = at - (at == len(places) or places[at] != place)
    if known >= 0 and worth(places[known], chains[known]) >= worth(place, chain):
        return
    end = at
    while end < len(places) and worth(places[end], chains[end]) <= worth(place, chain):
        end += 1
    places[at:end], chains[at:end] = [place], [chain]


def _is_study_page(chosen: Sequence[Candidate], layout: Layout) -> bool:
    enough = _ENOUGH_OF_THE_SITE if _is_of_the_site(chosen) else _ENOUGH
    return tuple(candidate.section.name for candidate in chosen[:2]) == layout.top or len(chosen) >= enough


def _is_of_the_site(chosen: Sequence[Candidate]) -> bool:
    return any(candidate.section.of_the_site for candidate in chosen)


def _refuse_second_page(lines: Sequence[str], candidates: Sequence[Candidate], layout: Layout) -> None:
    """Refuse two pages in one: what every page has once comes again, with the beginning or the headings of a page."""
    seen = set()
    for place, (first, second) in enumerate(pairwise(candidates)):
        pair = (first.section.name, second.section.name)
        if pair in seen and (_begins_page(lines, candidates, place, layout) or _repeats_headings(candidates, place)):
            expected = "expected one study page in one file, found the headings of a second one"
            raise SeveralPages(f"{expected}; split the file above its title", first.at + 1)
        if pair in layout.once:
            seen.add(pair)


def _begins_page(lines: Sequence[str], candidates: Sequence[Candidate], place: int, layout: Layout) -> bool:
    above = lines[candidates[place - 1].at + 1 : candidates[place].at]
    is_first = candidates[place].section.name == layout.top[0]
    return is_first and any(line in layout.chrome or is_mark(line) for line in above)


def _repeats_headings(candidates: Sequence[Candidate], place: int) -> bool:
    before, behind = ({c.section.name for c in part} for part in (candidates[:place], candidates[place:]))
    return len(before & behind) >= _ENOUGH


def _find_form(lines: Sequence[str], chosen: Sequence[Candidate], layout: Layout) -> Form:
    """Find the form of a page.

    A stripped page begins with the first heading, and the next one follows with nothing between. A wordless one has
    headings of several words only.
    """
    top = chosen[0].at
    begins = chosen[0].section.name == layout.top[0] and not any(lines[:top])
    if len(chosen) > 1 and begins and chosen[1].at == top + 1:
        return "stripped"
    wordless = all(" " in lines[candidate.at] for candidate in chosen)
    return "wordless" if wordless and _is_of_the_site(chosen) else "full"


def _find_doubtful(candidates: Sequence[Candidate], chosen: Sequence[Candidate]) -> list[Candidate]:
    """Find later lines that have the weight of a chosen heading and would keep the order in its place."""
    if len(candidates) == len(chosen):
        return []
    doubtful = []
    by_section = {c.section.name: (c, stop) for c, stop in zip(chosen, [*chosen[1:], None], strict=True)}
    taken = {c.at for c in chosen}
    for other in candidates:
        mine, after = by_section.get(other.section.name, (None, None))
        if not mine or other.at in taken or other.weight < mine.weight:
            continue
        if mine.at < other.at and (after is None or other.at < after.at):
            doubtful.append(other)
    return doubtful


def _describe(lines: Sequence[str], chosen: Sequence[Candidate], layout: Layout) -> str:
    examples = [repr(section.headings[-1]) for section in layout.sections if section.expected != "maybe"]
    expected = f"expected a study page, with headings such as {', '.join(examples[:3])} in this order"
    first = next((line.strip(" ") for line in lines if line), None)
    if first is None:
        return f"{expected}; found no text: the file is empty or has blanks only"
    headings = ", ".join(repr(lines[candidate.at].strip(" ")) for candidate in chosen) or "none of them"
    count = write_count(len(lines), "line that begins", "lines that begin")
    return f"{expected}; found {headings} in {count} with {first[:60]!r}"

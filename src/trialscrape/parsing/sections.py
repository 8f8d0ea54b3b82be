"""Lines to sections: the only place that knows the headings and their order.

A line is a heading not because of its words alone: prose, a condition or an arm may have the same. It is one by its
place in the order, by standing at column 0 and alone in a block, and by what follows. So every line at column 0 with a
heading's words gets a weight by the last two, and the heaviest sequence that keeps the order is taken.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

from trialscrape.errors import NotAStudyPage, SeveralPages
from trialscrape.vocabulary import (
    ALLOCATION,
    FUNDER_TYPE,
    INTERVENTION_MODEL,
    MASKING,
    PRIMARY_PURPOSE,
    SEX,
    STUDY_TYPE,
)


def _any_of(labels: Collection[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, labels)))


class Row(NamedTuple):
    """One section of the layout.

    Attributes:
        section: Its name.
        field: The field of the record that it fills, if it is one.
        headings: The spellings of its heading.
        block: What stands under it: nothing, one short line, lines, or prose.
        expected: In which form of the page it is never absent: in the full one, in both, or it may be absent.
        first: What the first line under it looks like, where that is known.
        place: Its rank in the order, set by the table's order; a heading that stands for two has two.
    """

    section: str
    field: str | None
    headings: tuple[str, ...]
    block: Literal["nothing", "line", "lines", "prose"]
    expected: Literal["both", "full", "maybe"] = "maybe"
    first: re.Pattern[str] | None = None
    place: tuple[int, int] = (0, 0)


_NUMBER = re.compile(r"[0-9][0-9,]*")
_TABLE = (
    Row("status", "overall_status", ("Status and phase", "Status"), "lines", "both"),
    Row("conditions", "conditions", ("Conditions",), "lines", "both"),
    Row("treatments", "interventions", ("Treatments",), "lines", "maybe", re.compile(r"[^:]+: .+")),
    Row("study_type", "study_type", ("Study type",), "line", "full", _any_of(STUDY_TYPE)),
    Row("funder_types", "funder_types", ("Funder types",), "lines", "maybe", _any_of(FUNDER_TYPE)),
    Row("identifiers", "identifiers", ("Identifiers",), "lines", "full"),
    Row("details", None, ("Details and patient eligibility",), "nothing", "full"),
    Row("about", "brief_summary", ("About",), "prose", "both"),
    Row("full_description", "detailed_description", ("Full description",), "prose"),
    Row("enrollment", "enrollment", ("Enrollment",), "line", "maybe", re.compile(r"[0-9][0-9,]* .*patients?")),
    Row("sex", "sex", ("Sex",), "line", "both", _any_of(SEX)),
    Row("ages", "ages", ("Ages",), "line", "maybe", re.compile(r".* old")),
    Row("volunteers", "healthy_volunteers", ("Volunteers",), "line", "both", re.compile(r".*Healthy Volunteers")),
    Row("inclusion", "eligibility.inclusion", ("Inclusion criteria",), "prose", "both"),
    Row("exclusion", "eligibility.exclusion", ("Exclusion criteria",), "prose", "both"),
    Row("design", None, ("Trial design",), "nothing", "full"),
    Row("primary_purpose", "design.primary_purpose", ("Primary purpose",), "line", "maybe", _any_of(PRIMARY_PURPOSE)),
    Row("allocation", "design.allocation", ("Allocation",), "line", "maybe", _any_of(ALLOCATION)),
    Row(
        "intervention_model",
        "design.intervention_model",
        ("Interventional model",),
        "line",
        "maybe",
        _any_of(INTERVENTION_MODEL),
    ),
    Row("masking", "design.masking", ("Masking",), "line", "maybe", _any_of(MASKING)),
    Row("participants", "participants", (), "lines"),  # no heading: the sentence itself begins the section
    Row("documents", "document_count", ("Trial documents",), "line", "maybe", _NUMBER),
    Row("locations", "location_count", ("Trial contacts and locations",), "line", "full", _NUMBER),
    Row("loading", None, ("Loading...",), "nothing", "full"),
    Row("contacts", "central_contacts", ("Central trial contact",), "lines"),
    Row("end", None, ("Data sourced from clinicaltrials.gov",), "lines", "both"),
)
_PLACE = {row.section: place for place, row in enumerate(_TABLE)}
_COMBINED = Row("criteria", "eligibility.unassigned", ("Inclusion and exclusion criteria",), "prose")

ORDER = (
    *(row._replace(place=(place, place)) for place, row in enumerate(_TABLE)),
    _COMBINED._replace(place=(_PLACE["inclusion"], _PLACE["exclusion"])),
)
"""Every section of a study page, from the top to the bottom; last the one that stands for two others."""

_MAY_BE_EMPTY = frozenset({"status", "identifiers", "participants", "end"})
_BY_NAME = {row.section: row for row in ORDER}
_BOTH_SIDES = ORDER[-1]
_BY_HEADING = {heading: row for row in ORDER for heading in row.headings}
_PARTICIPANTS = ORDER[_PLACE["participants"]]
_SENTENCE = re.compile(r"([0-9][0-9,]*) participants? in .+")
# A gap in the order weighs against a heading: two for each section between that no form of the page leaves out.
_GAP = list(accumulate((2 * (row.expected == "both") for row in _TABLE), initial=0))
_ONCE = (("status", "conditions"), ("details", "about"))  # neighbours that every page has once
_ENOUGH = 4  # headings in order that make a study page without its first two
_ENOUGH_OF_THE_SITE = 3  # likewise, where one of them is a heading that only this site has

Form = Literal["full", "stripped", "wordless"]
"""The page's text as it is, without blank lines and short values, or without its lines of a single word."""

SITE = ("ClinicalTrials.Veeva", "Menu")
"""The lines above the title that every page has."""
BANNER = "The trial is taking place at:"
VEEVA_ENABLED = "Veeva-enabled site"


class Candidate(NamedTuple):
    """A line with a heading's words, and how much speaks for it."""

    at: int
    row: Row
    weight: int


class Section(NamedTuple):
    """A section: the index of its heading, and the bounds of the lines under it."""

    name: str
    heading: int
    start: int
    stop: int


class Sections(NamedTuple):
    """A page's sections in order, its form, and the headings that could as well be another line."""

    sections: tuple[Section, ...]
    form: Form
    doubtful: tuple[Candidate, ...]


def find(lines: Sequence[str]) -> Sections:
    """Find the sections of a page's lines.

    Raises:
        NotAStudyPage: Too few headings stand in the known order.
        SeveralPages: What every page has once is there twice.
    """
    candidates = _candidates(lines)
    _refuse_second_page(lines, candidates)
    chosen = _heaviest(candidates)
    if not _is_study_page(chosen):
        raise NotAStudyPage(_what_was_found(lines, chosen))
    stops = [*(candidate.at for candidate in chosen[1:]), len(lines)]
    return Sections(
        tuple([Section(c.row.section, c.at, c.at + 1, stop) for c, stop in zip(chosen, stops, strict=True)]),
        _form(lines, chosen),
        tuple(_doubtful(candidates, chosen)),
    )


def places(section: str) -> range:
    """Give the ranks in the order that a section stands for."""
    row = _BY_NAME[section]
    return range(row.place[0], row.place[1] + 1)


def field(section: str) -> str | None:
    """Give the field of the record that a section fills."""
    return _BY_NAME[section].field


def has_value(section: str) -> bool:
    """Tell whether something always stands under a section's heading."""
    return _BY_NAME[section].block != "nothing" and section not in _MAY_BE_EMPTY


def is_prose(section: str) -> bool:
    """Tell whether a section's lines are free text."""
    return _BY_NAME[section].block == "prose"


def is_mark(line: str) -> bool:
    """Tell whether a line is what stands above the sponsor: its first character, or the text of its logo."""
    return line.endswith(" logo") or len(line) == 1


def _candidates(lines: Sequence[str]) -> list[Candidate]:
    rows = list(map(_BY_HEADING.get, lines))
    enrolled = set()
    for index, line in enumerate(lines):
        if " participant" in line and (sentence := _SENTENCE.match(line)):
            rows[index] = _PARTICIPANTS
            enrolled.add(sentence[1])
    found = [(index, row) for index, row in enumerate(rows) if row]
    sides = [alone(lines, index) for index, _ in found]
    spaced = 2 * sides.count(2) >= len(sides)
    weighed = [
        Candidate(index, row, _weight(lines, rows, index, side if spaced else 1, enrolled))
        for (index, row), side in zip(found, sides, strict=True)
    ]
    candidates = [candidate for candidate in weighed if candidate.weight]
    # A page has one heading for both sides or two: below the one for inclusion, the words of the other are its text.
    return [
        candidate
        for before, candidate in zip([None, *candidates], candidates, strict=False)
        if candidate.row is not _BOTH_SIDES or before is None or before.row.section != "inclusion"
    ]


def alone(lines: Sequence[str], index: int) -> int:
    """Count the sides, above and below, on which a line has no neighbour in its block."""
    above = index == 0 or not lines[index - 1]
    below = index + 1 == len(lines) or not lines[index + 1]
    return above + below


def _weight(texts: Sequence[str], rows: Sequence[Row | None], index: int, sides: int, enrolled: Collection[str]) -> int:
    """Weigh what speaks for a heading, from 0 to 4.

    `sides` counts where it stands alone, `enrolled` are the numbers of participants that the page gives elsewhere: of
    two lines that may be the enrollment, the one that says the same is it.
    """
    row = rows[index]
    if row is None:
        return 0
    if row.block == "prose" or row is _PARTICIPANTS:
        return sides * (row.place[1] - row.place[0] + 1)
    following = _next_line(texts, index)
    if following is None or rows[following]:
        return 2 + (row.block == "nothing")
    if row.first and row.first.fullmatch(texts[following]):
        differs = row.section == "enrollment" and enrolled and texts[following].split(" ")[0] not in enrolled
        return 2 if differs else 3
    if row.block == "line":
        behind = _next_line(texts, following)
        return sides if behind is None or rows[behind] else 0
    return sides if row.first is None else sides // 2


def _next_line(texts: Sequence[str], index: int) -> int | None:
    for following in range(index + 1, len(texts)):
        if texts[following]:
            return following
    return None


def _follows(first: Row, second: Row) -> bool:
    end, start = first.place[1], second.place[0]
    return end < start and _GAP[end + 1] == _GAP[start]


class _Chain(NamedTuple):
    score: int
    last: Candidate
    before: "_Chain | None"


def _heaviest(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Choose the heaviest sequence of headings that keeps the order; among equals, the earlier lines.

    `chains` holds the best chain for each last place, as far as a later place is not reached at less cost; so it is
    ordered by place and by worth, and one pass with bisection does.
    """
    if all(_follows(first.row, second.row) for first, second in pairwise(candidates)):
        return list(candidates)  # the order is kept and nothing is missing, so there is nothing to choose
    places: list[int] = []
    chains: list[_Chain] = []
    best: _Chain | None = None
    for candidate in candidates:
        low, high = candidate.row.place
        chain = _Chain(candidate.weight, candidate, None)
        before = bisect_left(places, low) - 1
        if before >= 0:
            score = chains[before].score - (_GAP[low] - _GAP[places[before] + 1]) + candidate.weight
            if score >= chain.score:
                chain = _Chain(score, candidate, chains[before])
        _insert(places, chains, high, chain)
        if best is None or chain.score > best.score:
            best = chain
    chosen = []
    while best:
        chosen.append(best.last)
        best = best.before
    return chosen[::-1]


def _insert(places: list[int], chains: list[_Chain], place: int, chain: _Chain) -> None:
    def worth(place: int, chain: _Chain) -> int:
        return chain.score + _GAP[place + 1]

    at = bisect_left(places, place)
    known = at - (at == len(places) or places[at] != place)
    if known >= 0 and worth(places[known], chains[known]) >= worth(place, chain):
        return
    end = at
    while end < len(places) and worth(places[end], chains[end]) <= worth(place, chain):
        end += 1
    places[at:end], chains[at:end] = [place], [chain]


def _is_study_page(chosen: Sequence[Candidate]) -> bool:
    names = [candidate.row.section for candidate in chosen]
    enough = _ENOUGH_OF_THE_SITE if "details" in names else _ENOUGH
    return names[:2] == ["status", "conditions"] or len(names) >= enough


def _refuse_second_page(lines: Sequence[str], candidates: Sequence[Candidate]) -> None:
    """Refuse two pages in one: what every page has once comes again, with the beginning or the headings of a page."""
    seen = set()
    for place, (first, second) in enumerate(pairwise(candidates)):
        pair = (first.row.section, second.row.section)
        if pair in seen and (_begins_page(lines, candidates, place) or _repeats_headings(candidates, place)):
            expected = "expected one study page in one file, found the headings of a second one"
            raise SeveralPages(f"{expected}; split the file above its title", first.at + 1)
        if pair in _ONCE:
            seen.add(pair)


def _begins_page(lines: Sequence[str], candidates: Sequence[Candidate], place: int) -> bool:
    above = lines[candidates[place - 1].at + 1 : candidates[place].at]
    return candidates[place].row.section == "status" and any(line in SITE or is_mark(line) for line in above)


def _repeats_headings(candidates: Sequence[Candidate], place: int) -> bool:
    before, behind = ({c.row.section for c in part} for part in (candidates[:place], candidates[place:]))
    return len(before & behind) >= _ENOUGH


def _form(lines: Sequence[str], chosen: Sequence[Candidate]) -> Form:
    """Tell the form of a page.

    A stripped page begins with the status heading, and the next heading follows with nothing between. A wordless one
    has headings of several words only.
    """
    top = chosen[0].at
    if len(chosen) > 1 and chosen[0].row.section == "status" and chosen[1].at == top + 1 and not any(lines[:top]):
        return "stripped"
    wordless = all(" " in lines[candidate.at] for candidate in chosen)
    return "wordless" if wordless and "details" in [candidate.row.section for candidate in chosen] else "full"


def _doubtful(candidates: Sequence[Candidate], chosen: Sequence[Candidate]) -> list[Candidate]:
    """Find the chosen headings in whose stead a later line, with as much for it, would keep the order as well."""
    if len(candidates) == len(chosen):
        return []
    doubtful = []
    by_section = {c.row.section: (c, stop) for c, stop in zip(chosen, [*chosen[1:], None], strict=True)}
    taken = {c.at for c in chosen}
    for other in candidates:
        mine, after = by_section.get(other.row.section, (None, None))
        if not mine or other.at in taken or other.weight < mine.weight:
            continue
        if mine.at < other.at and (after is None or other.at < after.at):
            doubtful.append(other)
    return doubtful


def _what_was_found(lines: Sequence[str], chosen: Sequence[Candidate]) -> str:
    expected = "expected a study page, with headings such as 'Status', 'Conditions', 'Study type' in this order"
    first = next((line.strip(" ") for line in lines if line), None)
    if first is None:
        return f"{expected}; found no text"
    headings = ", ".join(repr(lines[candidate.at].strip(" ")) for candidate in chosen) or "none of them"
    return f"{expected}; found {headings} in {len(lines)} lines that begin with {first[:60]!r}"

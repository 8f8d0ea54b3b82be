"""The arms block: lines to arms, decided by the page itself.

Nothing separates two arms, and a name may be any text, even a treatment or the words `Experimental group`. Three
facts decide: the participants sentence gives the number of arms, the page's treatments give every line that may
follow `Treatment:`, and an arm's second line is a `… group` line, `Description:` or `Treatment:`.

It works in three steps, each on one letter a line:

1. `_classify` gives every line a look: a label, a type, a treatment of the page, other text.
2. Every line plays one part in an arm: name, type, description, … A grammar says which part may follow which, and which
   looks may play it. `_count_ways` finds the parts that each line may play, and how many arms there may be so far.
3. The grammars are tried from the strictest to the loosest. The first that reads the whole block into the right number
   of arms wins. Its reading is certain only where the loosest grammar of the same style finds no other one.

Most blocks need no search: where there are as many type lines as arms, each arm has one of them, below its name.
"""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from trialscrape.parsing.values import intervention, term
from trialscrape.records import Arm
from trialscrape.vocabulary import ARM_TYPE

MAX_LINES = 5_000
"""Lines of the block beyond this are not read, which bounds the time and memory that a page can cost."""

# The looks of an arm with a type, up to the next one or the end: its description, and its treatments.
_TYPED_ARM = re.compile(r"[xypq]g(D[xypq][xyp]*?)?(Tx+?)?(?=[xypq]g|\Z)")

_LABELS = ("Description:", "Treatment:")
# What a line looks like, a letter a line: D and T the labels, g a known type line, h another that ends in " group", x
# one of the page's treatments, y another of the form `Type: name`, p anything else, q the same below a blank line.
_LOOKS = {"Description:": "D", "Treatment:": "T"} | {f"{label} group": "g" for label in ARM_TYPE}
# The part that a line plays: N an arm's name, G its type, D `Description:`, F the description's first line, P a later
# one, T `Treatment:`, I an intervention; ^ stands above the first line.
_PLAYED_BY = {"N": "ghxypq", "G": "g", "D": "D", "F": "ghxypq", "P": "xyp", "T": "T", "I": "x"}


class _Grammar(NamedTuple):
    """Which part may follow which, and which lines may play it.

    Attributes:
        above: For each part, the parts that the line above may play. The last line may play any part above a name.
        moves: For each look of a line, the parts that it may play, each with the parts above.
        guesses: Whether it reads what no known page shows; it counts only where the number of arms confirms it.
        rivals: The grammar that looks for other readings; without it, every reading is doubtful.
    """

    above: dict[str, str]
    moves: dict[str, list[tuple[str, str]]]
    guesses: bool
    rivals: "_Grammar | None"


def _make_grammar(
    above: dict[str, str], rivals: _Grammar | None = None, *, guesses: bool = False, **also: str
) -> _Grammar:
    """Make a grammar; `also` says which more lines than usual may play a part."""
    moves: dict[str, list[tuple[str, str]]] = {look: [] for look in "DTghxypq"}
    for part, usual in _PLAYED_BY.items():
        for look in usual + also.get(part, ""):
            moves[look].append((part, above[part]))
    return _Grammar(above, moves, guesses, rivals)


_TYPED = {"N": "^GFPI", "G": "N", "D": "G", "F": "D", "P": "FP", "T": "GFP", "I": "TI"}
_UNTYPED = _TYPED | {"N": "^FPI", "G": "", "D": "N", "T": "FPN"}
_BARE = _UNTYPED | {"N": "^FPIN"}  # a name may stand alone
_MIXED = _TYPED | {"D": "GN", "T": "GFPN"}
_HOLLOW = _MIXED | {"N": "^GFPIDT", "T": "GFPND"}  # a label may stand over nothing

_ANY_TYPED = _make_grammar(_TYPED, G="h", P="ghq", I="y")
_ANY_UNTYPED = _make_grammar(_BARE, guesses=True, N="DT", P="ghq", I="y")
_WITHOUT_TYPES = _make_grammar(_UNTYPED, _ANY_UNTYPED, P="gh")
_WITHOUT_TYPES_UNLISTED = _make_grammar(_UNTYPED, _ANY_UNTYPED, P="gh", I="y")
# The arms of an observational study have no type lines; those of any other all have one, or none has.
_OBSERVATIONAL = (
    _WITHOUT_TYPES,
    _make_grammar(_BARE, _ANY_UNTYPED, guesses=True, P="gh"),
    _WITHOUT_TYPES_UNLISTED,
    _ANY_UNTYPED,
)
_INTERVENTIONAL = (
    _make_grammar(_TYPED, _ANY_TYPED),
    _make_grammar(_TYPED, _ANY_TYPED, G="h", I="y"),
    _ANY_TYPED,
    _WITHOUT_TYPES,
    _WITHOUT_TYPES_UNLISTED,
)
_ANY_STUDY = (
    _make_grammar(_MIXED, G="h", I="y"),
    _make_grammar(_HOLLOW, guesses=True, G="h", I="y"),
    _make_grammar(_MIXED, guesses=True, N="DT", F="DT"),
)


class ParsedArms(NamedTuple):
    """The arms of a block.

    Attributes:
        arms: The arms.
        used: How many lines of the block they cover.
        left: The indexes of the lines among those that are in no arm: labels over nothing.
        decided: What made this reading the only one: the lines, the number of arms, or nothing (it is a choice).
        unlisted: The indexes of the lines under `Treatment:` that the page does not list.
        unknown_types: The indexes of the lines with an unknown type.
    """

    arms: tuple[Arm, ...]
    used: int
    left: tuple[int, ...]
    decided: Literal["lines", "count", "choice"]
    unlisted: tuple[int, ...]
    unknown_types: tuple[int, ...]


_Counts = tuple[int, int]  # numbers of arms, a bit each: reached in at least one way, and in more than one


class _Parse(NamedTuple):
    """How one grammar reads the lines.

    Attributes:
        grammar: The grammar.
        ways: For each line, and for the end below them: the parts that the line above may play, and how many arms
            there may be down to it.
        ends: The parts that the last line may play.
        stop: How many lines it reads.
        arms: Into how many arms: the most that the page allows, else the most.
        fits: Whether it reads all lines, into a number of arms that the page allows.
    """

    grammar: _Grammar
    ways: list[dict[str, _Counts]]
    ends: str
    stop: int
    arms: int
    fits: bool


def parse_arms(
    lines: Sequence[str],
    treatments: Collection[str],
    groups: int | None,
    *,
    complete: bool,
    observational: bool,
) -> ParsedArms:
    """Read the arms block.

    Args:
        lines: Its lines; a blank one is an empty string.
        treatments: Every `Type: name` line of the page's treatments.
        groups: How many arms the page says it has, or None where it does not say.
        complete: Whether the page continues after the block; otherwise its last line may be cut.
        observational: Whether the study is observational, so that its arms have no type.
    """
    rows = [(index, line.strip(" ")) for index, line in enumerate(lines) if line]
    if not complete and rows and _is_cut(rows[-1][1], (*_LABELS, *treatments)):
        del rows[-1]
    complete = complete and len(rows) <= MAX_LINES
    rows = rows[:MAX_LINES]
    known = dict.fromkeys(treatments, "x") | _LOOKS
    looks = "".join(
        [known.get(line) or _classify(line, blank_above=not lines[max(index - 1, 0)]) for index, line in rows]
    )
    allowed = _allow_counts(groups, complete=complete)
    decided: Literal["lines", "count", "choice"] = "count"
    parts = "" if observational or not complete else _assign_by_types(looks, groups)
    if not parts:
        tiers = (_OBSERVATIONAL if observational else _INTERVENTIONAL, _ANY_STUDY)
        parse = _choose_parse(looks, tiers, allowed, complete=complete)
        parts = _assign_parts(parse)
        decided = _decide(looks, parse, allowed, complete=complete)
    names = [row for row, part in enumerate(parts) if part == "N"]
    played = [(index, part, look) for (index, _), part, look in zip(rows, parts, looks, strict=False)]
    return ParsedArms(
        arms=tuple(
            [_build_arm(lines, rows[first:stop], parts[first:stop]) for first, stop in pairwise([*names, len(parts)])]
        ),
        used=played[-1][0] + 1 if played else 0,
        left=tuple([played[row][0] for row in _find_hollow_labels(parts + ("" if complete else "?"))]),
        decided=decided,
        unlisted=tuple([index for index, part, look in played if part == "I" and look == "y"]),
        unknown_types=tuple([index for index, part, look in played if part == "G" and look == "h"]),
    )


def _assign_by_types(looks: str, groups: int | None) -> str:
    """Return the part of each line where there are as many type lines as arms, so that no other reading has as many."""
    if looks.count("g") != groups or "h" in looks:
        return ""
    parts = ""
    for arm in _TYPED_ARM.finditer(looks):
        if arm.start() != len(parts):
            return ""
        described, treated = (arm.end(number) - arm.start(number) for number in (1, 2))
        parts += "NG" + "DF".ljust(described, "P") * bool(described) + "T".ljust(treated, "I") * bool(treated)
    return parts if len(parts) == len(looks) else ""


def _find_hollow_labels(parts: str) -> list[int]:
    """Find the labels with nothing under them."""
    return [match.start() for match in re.finditer("D(?![F?])|T(?![I?])", parts)]


def _is_cut(line: str, expected: Collection[str]) -> bool:
    return line not in expected and any(whole.startswith(line) for whole in expected)


def _classify(line: str, *, blank_above: bool) -> str:
    """Return the look of a line that is no label, known type or treatment of the page."""
    if line.endswith(" group"):
        return "h"
    kind, _, name = line.partition(": ")
    if kind.strip() and name.strip():
        return "y"
    return "q" if blank_above else "p"


def _allow_counts(groups: int | None, *, complete: bool) -> int:
    """Return the numbers of arms that the page allows, a bit each; a cut page may show fewer than it says."""
    if groups is None:
        return -1
    bit = 1 << min(groups, MAX_LINES + 1)
    return bit if complete else 2 * bit - 1


def _choose_parse(looks: str, tiers: Sequence[Sequence[_Grammar]], allowed: int, *, complete: bool) -> _Parse:
    """Choose the first grammar that fits, else the first that reads all lines, else the one that reads farthest.

    A number of arms that the lines contradict is no reason to try the next tier.
    """
    parses: list[_Parse] = []
    for grammars in tiers:
        for grammar in grammars:
            if grammar.guesses and (allowed < 0 or not complete):
                continue
            parse = _apply(looks, grammar, allowed, complete=complete)
            if parse.fits:
                return parse
            if not grammar.guesses:
                parses.append(parse)
        if any(parse.stop == len(looks) for parse in parses):
            break
    return max(parses, key=lambda parse: parse.stop)


def _apply(looks: str, grammar: _Grammar, allowed: int, *, complete: bool) -> _Parse:
    ends = grammar.above["N"] + ("" if complete else "DT")
    ways = _count_ways(looks, grammar)
    stop = next(row for row in range(len(ways) - 1, -1, -1) if not ways[row].keys().isdisjoint(ends))
    counts, _ = _merge_ways(ways[stop], ends)
    fits = stop == len(looks) and counts & allowed != 0
    return _Parse(grammar, ways, ends, stop, (counts & allowed or counts).bit_length() - 1, fits)


def _count_ways(looks: str, grammar: _Grammar) -> list[dict[str, _Counts]]:
    """Find which parts each line may play, and how many arms there may be down to it, as far as the grammar goes."""
    ways: list[dict[str, _Counts]] = [{"^": (1, 0)}]
    for look in looks:
        here = {}
        last = ways[-1]
        for part, above in grammar.moves[look]:
            # `_merge_ways`, written out: a call for each part of each line would be a fifth of all calls for a page.
            some = many = 0
            for before in above:
                if before in last:
                    other, others = last[before]
                    many |= others | some & other
                    some |= other
            if some:
                here[part] = (some << 1, many << 1) if part == "N" else (some, many)
        if not here:
            break
        ways.append(here)
    return ways


def _merge_ways(ways: dict[str, _Counts], parts: str) -> _Counts:
    """Add up the ways in which a line may play one of these parts."""
    some = many = 0
    for part in parts:
        if part in ways:
            other, others = ways[part]
            many |= others | some & other
            some |= other
    return some, many


def _assign_parts(parse: _Parse) -> str:
    """Return the part of each line, from the last line upwards."""
    parts = []
    below, count = parse.ends, parse.arms
    for ways in reversed(parse.ways[1 : parse.stop + 1]):
        for part in below:
            if part in ways and ways[part][0] >> count & 1:
                break
        parts.append(part)
        below, count = parse.grammar.above[part], count - (part == "N")
    return "".join(reversed(parts))


def _decide(looks: str, parse: _Parse, allowed: int, *, complete: bool) -> Literal["lines", "count", "choice"]:
    """Compare a reading with those that the loosest grammar of its style finds in the same lines."""
    rivals = parse.grammar.rivals
    if rivals is None:
        return "choice"
    ends = rivals.above["N"] if complete else "NGDFPTI"
    some, many = _merge_ways(_count_ways(looks[: parse.stop], rivals)[-1], ends)
    if some.bit_count() == 1 and not many:
        return "lines"
    return "count" if parse.fits and (some & allowed).bit_count() == 1 and not many & allowed else "choice"


def _build_arm(lines: Sequence[str], rows: Sequence[tuple[int, str]], parts: str) -> Arm:
    """Build an arm from its rows, the indexes and the texts of its lines that are not blank."""
    kind = rows[1][1].removesuffix(" group") if parts[1:2] == "G" else None
    prose = [index for (index, _), part in zip(rows, parts, strict=True) if part in "FP"]
    return Arm(
        label=rows[0][1],
        type=None if kind is None else term(kind, "ArmGroupType"),
        description="\n".join(lines[prose[0] : prose[-1] + 1]).strip(" ") if prose else None,
        interventions=tuple([intervention(text) for (_, text), part in zip(rows, parts, strict=True) if part == "I"]),
    )

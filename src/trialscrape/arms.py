"""The arms block: lines to arms, decided by the page itself.

Nothing separates two arms, and a name may be any text, even a treatment or the words `Experimental group`. Three
things decide: the participants sentence gives the number of arms, the page's treatments give every line that may
stand under `Treatment:`, and an arm's second line is a `… group` line, `Description:` or `Treatment:`. Every way to
cut the block into arms is counted, and the one that satisfies all three is taken.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from trialscrape.records import Arm
from trialscrape.values import intervention, term
from trialscrape.vocabulary import ARM_TYPE

MAX_GROUPS = 2_000
"""Arms beyond this are not read: counting the readings would no longer be linear. Real studies have under 100."""

_DESCRIPTION = "Description:"
_TREATMENT = "Treatment:"

# A block is cut on its tags, a letter a line: D Description:, T Treatment:, g a type line, x a treatment, p any other.
_TAGS = {_DESCRIPTION: "D", _TREATMENT: "T"} | {f"{label} group": "g" for label in ARM_TYPE}
# All arms of a study have a type line, or none has: that is tried first. Groups of a name only come last.
_BEGINNINGS = {
    "typed": "[^DT]g",
    "untyped": "[^DT](?=[DT])",
    "mixed": "[^DT](?:g|(?=[DT]))",
    "bare": "(?:p|[^DT](?=[DT]))",
}
_ARM = {style: re.compile(rf"{name}(?:D[^DT]+)?(?:Tx+)?") for style, name in _BEGINNINGS.items()}
_CUT_ARM = {style: re.compile(rf"{name}(?:D[^DT]*)?(?:Tx*)?") for style, name in _BEGINNINGS.items()}
# From what the page shows to what it might mean: style of the arms, types known, treatments listed, nothing empty. The
# later ones come only where lines are left over: a count that the page contradicts is no reason to doubt its lines.
_STRICT = ((None, True, True, True), ("mixed", True, True, True), ("bare", True, True, True))
_LENIENT = (
    (None, True, False, True),
    (None, False, True, True),
    (None, False, False, True),
    ("mixed", False, False, True),
    ("mixed", False, False, False),
)
_SECOND_TAGS = frozenset("gDT")
_MAX_ENDS = 64  # places where one arm may end; a real one has one or two


class Reading(NamedTuple):
    """The arms of a block.

    `used` is how many of its lines the arms take, `readings` how many ways (0, 1, or 2 for more) satisfy all
    constraints. `unlisted` are the indexes of the lines under `Treatment:` that the page does not list, and
    `unknown_types` those of type lines that nobody has met.
    """

    arms: tuple[Arm, ...]
    used: int
    readings: int
    unlisted: tuple[int, ...]
    unknown_types: tuple[int, ...]


class _Cut(NamedTuple):
    starts: tuple[int, ...]
    stop: int
    readings: int

    def fit(self, groups: int | None) -> tuple[int, bool, int]:
        arms = len(self.starts)
        return self.stop, arms == groups, -abs(arms - groups) if groups else 0


def read(lines: Sequence[str], treatments: Collection[str], groups: int | None, *, complete: bool) -> Reading:
    """Read the arms block.

    Args:
        lines: Its lines; a blank one is an empty string.
        treatments: Every `Type: name` line of the page's treatments.
        groups: How many arms the page says it has, or None where it does not say.
        complete: Whether the page goes on behind the block; otherwise its last arm may be incomplete.
    """
    rows = [(index, line.strip(" ")) for index, line in enumerate(lines) if line]
    stops = {len(rows)} | {row for row, (index, _) in enumerate(rows) if row and not lines[index - 1]}
    if not complete:
        stops.add(len(rows) - 1)
    known = dict.fromkeys(treatments, "x") | _TAGS
    best = _Cut((), 0, 0)
    for wanted, known_types, listed, filled in (*_STRICT, *_LENIENT):
        if best.stop == len(rows) and not (known_types and listed):
            break
        tags = "".join(
            [known.get(line) or _guess(line, types=not known_types, treatments=not listed) for _, line in rows]
        )
        style = wanted or ("typed" if tags[1:2] == "g" else "untyped")
        if style == "bare" and ("g" in tags or groups is None or not complete):
            continue
        cut = _cut(tags, stops, groups, (_ARM if complete and filled else _CUT_ARM)[style], bare=style == "bare")
        if cut.fit(groups)[:2] == (len(rows), True):
            best = cut
            break
        if style != "bare":  # names alone are a guess unless they are as many as the page says
            best = max(best, cut, key=lambda cut: cut.fit(groups))
    if best.stop < len(rows):
        # Something stands there that is no arm: what comes before it is read all the same.
        tags = "".join([known.get(line) or _guess(line, types=True, treatments=True) for _, line in rows])
        cut = _cut(tags, range(len(rows) + 1), groups, _ARM["mixed"], bare=False)
        best = max(best, cut, key=lambda cut: cut.fit(groups))
    return _reading(lines, rows, best, treatments)


def _guess(line: str, *, types: bool, treatments: bool) -> str:
    """Tag an unknown line: where asked, what has the form of a type line or of a treatment is taken for one."""
    if types and line.endswith(" group"):
        return "g"
    return "x" if treatments and line.find(": ") > 0 else "p"


def _cut(tags: str, stops: Collection[int], groups: int | None, arm: re.Pattern[str], *, bare: bool) -> _Cut:
    """Cut the tags into arms: as far as possible, then into as many as the page says.

    `some[i]` and `many[i]` are sets of numbers as bits: bit k is set where the tags up to i can be cut into k arms in
    at least one, or more than one way. One pass, since an arm can end in few places.
    """
    starts = {i for i, tag in enumerate(tags) if tag not in "DT" and (bare or tags[i + 1 : i + 2] in _SECOND_TAGS)}
    places = sorted(starts | set(stops))
    limit = (1 << (min(groups or MAX_GROUPS, MAX_GROUPS) + 2)) - 1
    some, many, before = {0: 1}, {0: 0}, dict[int, list[int]]()
    for rank, start in enumerate(places):
        if start not in starts or not some.get(start):
            continue
        for stop in _ends(tags, start, places[rank + 1 : rank + 1 + _MAX_ENDS], arm):
            ways, more = some[start] << 1 & limit, many[start] << 1 & limit
            many[stop] = many.get(stop, 0) | more | some.get(stop, 0) & ways
            some[stop] = some.get(stop, 0) | ways
            before.setdefault(stop, []).append(start)
    stop = max((stop for stop in stops if some.get(stop)), default=0)
    counts = [count for count in range(some[stop].bit_length()) if some[stop] >> count & 1]
    count = min(counts, key=lambda count: abs(count - (groups or 0)))
    unique = not many[stop] >> count & 1 and (groups is not None or len(counts) == 1)
    return _Cut(_trace(some, before, stop, count), stop, 0 if count != (groups or count) else 1 if unique else 2)


def _ends(tags: str, start: int, places: Sequence[int], arm: re.Pattern[str]) -> Iterator[int]:
    for stop in places:
        if arm.fullmatch(tags, start, stop):
            yield stop
        elif tags.count("T", start, stop) > 1 or tags.count("D", start, stop) > 1:
            return


def _trace(some: dict[int, int], before: dict[int, list[int]], stop: int, count: int) -> tuple[int, ...]:
    starts: list[int] = []
    for left in range(count - 1, -1, -1):
        stop = next(start for start in before[stop] if some[start] >> left & 1)
        starts.append(stop)
    return tuple(reversed(starts))


def _reading(lines: Sequence[str], rows: list[tuple[int, str]], cut: _Cut, treatments: Collection[str]) -> Reading:
    bounds = [*cut.starts, cut.stop]
    arms, unlisted, unknown_types = [], [], []
    for first, stop in pairwise(bounds):
        segment = rows[first:stop]
        names = [name for _, name in segment]
        described, treated = _place(names, _DESCRIPTION), _place(names, _TREATMENT)
        given = segment[treated + 1 :]
        unlisted += [index for index, name in given if name not in treatments]
        prose = [index for index, _ in segment[described + 1 : treated]]
        kind = term(names[1].removesuffix(" group"), "ArmGroupType") if min(described, treated) > 1 else None
        unknown_types += [segment[1][0]] if kind and kind.code is None else []
        arms.append(
            Arm(
                label=names[0],
                type=kind,
                description="\n".join(lines[prose[0] : prose[-1] + 1]).strip(" ") if prose else None,
                interventions=tuple([intervention(name) for _, name in given]),
            )
        )
    used = rows[cut.stop - 1][0] + 1 if cut.stop else 0
    return Reading(tuple(arms), used, cut.readings, tuple(unlisted), tuple(unknown_types))


def _place(names: list[str], label: str) -> int:
    """Find the label behind the arm's name, or the end."""
    return names.index(label, 1) if label in names[1:] else len(names)

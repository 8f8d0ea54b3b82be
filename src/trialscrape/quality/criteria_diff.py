"""What changed between two versions of a study's criteria, by their texts: markers and blanks do not count."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from rapidfuzz import fuzz

from trialscrape.records import Criterion, Eligibility

ChangeKind = Literal["added", "removed", "changed", "reworded", "moved", "changed_side"]

SIDES = ("inclusion", "exclusion", "unassigned")

_ALIKE = 65.0  # of 100: two wordings of one criterion share two thirds of their characters
_MOST_WORK = 4_000_000_000  # the sizes of what is compared, multiplied: some tenths of a second
_BASE_SIZE = 160  # characters that cost as much as beginning to compare a text


class CriterionChange(NamedTuple):
    """One change of a criterion: what, on which side, and the values as in a `StudyChange`."""

    kind: ChangeKind
    side: str
    item: str | None
    old: str | None
    new: str | None


class FlatCriterion(NamedTuple):
    """A criterion in its place: `2.1` is the first under the second; `parent` is the number of the one above it."""

    place: str
    parent: int | None
    text: str


class SideChange(NamedTuple):
    """The criteria of one side before and now, by their numbers.

    Attributes:
        old: Before.
        new: Now.
        kept: Which of `old` is which of `new`.
    """

    old: list[FlatCriterion]
    new: list[FlatCriterion]
    kept: dict[int, int]


def compare_criteria(old: Eligibility, new: Eligibility) -> Iterator[CriterionChange]:
    """Yield what changed, side by side, in the order of the page.

    A criterion that changed its side has the same words on the other one: with other words it may say the opposite, so
    it counts as removed there and added here.
    """
    sides = {side: _match_side(list(flatten(getattr(old, side))), list(flatten(getattr(new, side)))) for side in SIDES}
    left = [(side, n) for side, (before, _, kept) in sides.items() for n in range(len(before)) if n not in kept]
    arrived = {side: set(change.kept.values()) for side, change in sides.items()}
    came = [(side, n) for side, change in sides.items() for n in range(len(change.new)) if n not in arrived[side]]
    crossed = match_equal(
        [_simplify_text(sides[side].old[n].text) for side, n in left],
        [_simplify_text(sides[side].new[n].text) for side, n in came],
    )
    for number, other in crossed.items():
        side, new_side = left[number][0], came[other][0]
        yield CriterionChange("changed_side", new_side, sides[side].old[left[number][1]].text, side, new_side)
    matched = set(crossed.values())
    for side, change in sides.items():
        gone = [n for number, (where, n) in enumerate(left) if where == side and number not in crossed]
        added = [n for other, (where, n) in enumerate(came) if where == side and other not in matched]
        yield from _compare_side(side, change, gone, added)


def match_equal(old: Sequence[Hashable], new: Sequence[Hashable]) -> dict[int, int]:
    """Match equal values, the first of several to the first, and so on; None is no value. Returns their numbers."""
    places = {key: number for number, key in enumerate(_count_repeats(new))}
    numbered = enumerate(_count_repeats(old))
    return {number: places[key] for number, key in numbered if key in places and key[0] is not None}


def flatten(criteria: Iterable[Criterion]) -> Iterator[FlatCriterion]:
    """Yield criteria with what is nested under them, in the order of the page."""
    stack: list[tuple[str, int | None, Criterion]] = [
        (str(number), None, one) for number, one in enumerate(criteria, 1)
    ]
    stack.reverse()
    count = 0
    while stack:
        place, parent, criterion = stack.pop()
        yield FlatCriterion(place, parent, criterion.text)
        nested = [(f"{place}.{number}", count, child) for number, child in enumerate(criterion.children, 1)]
        stack += nested[::-1]
        count += 1


def _count_repeats(values: Iterable[Hashable]) -> Iterator[tuple[Hashable, int]]:
    seen: Counter[Hashable] = Counter()
    for value in values:
        yield value, seen[value]
        seen[value] += 1


def _simplify_text(text: str) -> str:
    return " ".join(text.split())


def _match_side(old: list[FlatCriterion], new: list[FlatCriterion]) -> SideChange:
    """Match criteria of the same text: first those under the same criterion, then the others."""
    texts, new_texts = ([_simplify_text(one.text) for one in side] for side in (old, new))
    kept = match_equal(
        [(text, None if one.parent is None else texts[one.parent]) for text, one in zip(texts, old, strict=True)],
        [
            (text, None if one.parent is None else new_texts[one.parent])
            for text, one in zip(new_texts, new, strict=True)
        ],
    )
    taken = set(kept.values())
    rest = match_equal(
        [None if number in kept else text for number, text in enumerate(texts)],
        [None if number in taken else text for number, text in enumerate(new_texts)],
    )
    return SideChange(old, new, kept | rest)


def _compare_side(side: str, change: SideChange, gone: list[int], added: list[int]) -> Iterator[CriterionChange]:
    """Yield what changed on a side; `gone` and `added` are what its texts, and those of the other sides, leave."""
    old, new, kept = change
    reworded = _match_wordings(old, new, gone, added)
    moved = _find_moved(change, kept | reworded)
    for number in sorted({*gone, *moved}):
        place, _, text = old[number]
        if number in moved:
            yield CriterionChange("moved", side, text, place, new[kept[number]].place)
        elif number in reworded:
            yield CriterionChange("reworded", side, None, text, new[reworded[number]].text)
        else:
            yield CriterionChange("removed", side, None, text, None)
    matched = set(reworded.values())
    yield from (CriterionChange("added", side, None, None, new[n].text) for n in added if n not in matched)


def _match_wordings(
    old: list[FlatCriterion], new: list[FlatCriterion], gone: list[int], added: list[int]
) -> dict[int, int]:
    """Match criteria whose wordings are alike, the most alike first; none where there are too many to compare."""
    sizes = (sum(len(side[n].text) + _BASE_SIZE for n in numbers) for side, numbers in ((old, gone), (new, added)))
    if next(sizes) * next(sizes) > _MOST_WORK:
        return {}
    scores = ((fuzz.ratio(old[a].text, new[b].text, score_cutoff=_ALIKE), a, b) for a in gone for b in added)
    matches: dict[int, int] = {}
    taken = set()
    for _, a, b in sorted((-score, a, b) for score, a, b in scores if score):
        if a not in matches and b not in taken:
            matches[a] = b
            taken.add(b)
    return matches


def _find_moved(change: SideChange, matches: dict[int, int]) -> set[int]:
    """Find the criteria that stand under another one than before, or in another order beside those they stood with."""
    old, new, kept = change
    moved = set()
    siblings = defaultdict(list)
    for number in sorted(kept):
        parent = old[number].parent
        above = None if parent is None else matches.get(parent, -1)  # where it is gone, nothing stands under it
        if above == new[kept[number]].parent:
            siblings[above].append(number)
        else:
            moved.add(number)
    for numbers in siblings.values():
        stay = {numbers[place] for place in _find_increasing([kept[number] for number in numbers])}
        moved |= set(numbers) - stay
    return moved


def _find_increasing(values: list[int]) -> list[int]:
    """Return the positions of a longest increasing subsequence."""
    ends: list[int] = []  # the lowest value that a subsequence of each length ends in
    places: list[int] = []  # its position
    before: list[int] = []
    for place, value in enumerate(values):
        length = bisect_left(ends, value)
        ends[length : length + 1] = [value]
        places[length : length + 1] = [place]
        before.append(places[length - 1] if length else -1)
    chain = []
    place = places[-1] if places else -1
    while place >= 0:
        chain.append(place)
        place = before[place]
    return chain[::-1]

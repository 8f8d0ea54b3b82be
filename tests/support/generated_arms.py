"""Arms blocks whose right reading is known because they were built from it.

Nothing here shares code with the reader: a block is written line by line, and each line keeps the arm and the place it
was written for.
"""

from dataclasses import dataclass
from functools import cache
from itertools import groupby
from random import Random

Shape = tuple[str, str | None, str | None, tuple[str, ...]]  # name, type, description, treatment lines

TYPES = ("Experimental", "Active Comparator", "Placebo Comparator", "Sham Comparator", "No Intervention", "Other")
UNKNOWN_TYPES = ("Waitlist Comparator", "Historical Control", "Dose Escalation")
LISTED = ("Drug: Alder", "Drug: Birch 5%", "Other: Cedar: late", "Device: Dogwood 2", "Behavioral: Elm, daily")
UNLISTED = ("Drug: Fir", "Procedure: Gorse - 3 mm")
PLAIN_NAMES = (
    "Alder 5 mg",
    "Controls",
    "A",
    "b",
    "1",
    "Cohort 2: late starters",
    "usual care",
    "Part B (fasted)",
    "2: H",
)
ODD_NAMES = (
    *("Sex", "Masking", "Other", "Ages", "Trial documents", "Alder", "Cedar: late", "Treatment: x", "Description: y"),
    *("Experimental group", "No Intervention group", "Placebo Comparator group", "Control group", "Healthy group"),
    *("Drug: Alder", "Other: Cedar: late", "Drug: Unheard", "Device: Dogwood 2", "group", "Treatment", "Description"),
)
PROSE = (
    *("One tablet each morning.", "two visits, no tablet", "See Part 1: dose and time.", "Not treated", "0.5 mL/kg"),
    *("Taken with water; compared with the control group", "Drug: Alder", "Alder", "Sex", "B", "Note: fasted"),
)
ODD_PROSE = (
    "Experimental group",
    "Control group",
    "Drug: Birch 5%",
    "Drug: Unheard",
    "• a literal bullet",
    "\\[sic\\]",
)
LABELS = ("Description:", "Treatment:")


@dataclass(frozen=True)
class Line:
    """A line of a block, the arm it belongs to, and its place there: name, type, prose, item, label."""

    text: str
    arm: int
    place: str


@dataclass(frozen=True)
class Block:
    """A block as a page shows it, and what it says."""

    kind: str
    lines: tuple[Line, ...]
    half: bool  # the last line is not shown to its end
    groups: int | None
    counted: str  # right, wrong, missing
    complete: bool
    observational: bool

    @property
    def texts(self) -> list[str]:
        """The lines as the page prints them."""
        return [line.text for line in self.lines]

    @property
    def misleads(self) -> bool:
        """Whether the page itself says that another reading is the right one, or names an arm like a label."""
        if any(line.place == "name" and line.text in LABELS for line in self.lines):
            return self.counted != "right" or not self.complete
        if self.counted != "wrong" or self.groups is None:
            return False
        if self.complete:
            return self.groups in possible_counts(self.texts, observational=self.observational)
        return self.groups < len(shapes(self.lines))

    def truths(self) -> list[list[Shape]]:
        """Return the right readings: of a cut block, the last line or a name at the end may be left out."""
        whole = shapes(self.lines)
        if self.complete:
            return [whole]
        shown = [whole] if not self.half or self.lines[-1].place in {"prose", "name"} else []
        shown.append(shapes(self.lines[:-1]))
        return shown + [arms[:-1] for arms in shown if arms and arms[-1][1:] == (None, None, ())]


def shapes(lines: tuple[Line, ...]) -> list[Shape]:
    """Return the arms as tuples."""
    arms = []
    for _, group in groupby(lines, key=lambda line: line.arm):
        by_place: dict[str, list[str]] = {"name": [], "type": [], "prose": [], "item": [], "label": []}
        for line in group:
            by_place[line.place].append(line.text)
        kind = by_place["type"][0].removesuffix(" group") if by_place["type"] else None
        prose = "\n".join(by_place["prose"]) if by_place["prose"] else None
        arms.append((by_place["name"][0], kind, prose, tuple(by_place["item"])))
    return arms


def build(random: Random) -> Block:
    """Build one block."""
    style = random.choice(["typed", "typed", "untyped", "untyped", "bare"])
    trait = random.choice(["plain", "plain", "odd", "odd", "odd", "paragraphs", "unlisted", "unknown type", "labels"])
    count = random.choice([1, 1, 2, 2, 2, 3, 3, 4, 5, 8])
    lines = [line for arm in range(count) for line in _arm(random, arm, style, trait)]
    counted = random.choice(["right"] * 6 + ["wrong", "missing"])
    groups = {"right": count, "missing": None, "wrong": max(1, count + random.choice([-1, 1, 1, 2]))}[counted]
    if groups == count:
        counted = "right"
    complete, half = True, False
    if random.random() < 0.2:
        complete = False
        lines = lines[: random.randint(1, len(lines))]
        last = lines[-1]
        shown = random.randint(1, len(last.text))
        half = shown < len(last.text) and random.random() < 0.5
        if half:
            text = last.text[:shown].rstrip(" ")
            half = text != last.text
            lines[-1] = Line(text, last.arm, last.place)
    kind = f"{style}, {trait}{'' if complete else ', cut'}"
    return Block(kind, tuple(lines), half, groups, counted, complete, style != "typed")


def _arm(random: Random, arm: int, style: str, trait: str) -> list[Line]:
    kind = random.choice(TYPES) if style == "typed" else None
    if trait == "unknown type" and style == "typed" and random.random() < 0.5:
        kind = random.choice(UNKNOWN_TYPES)
    prose = _prose(random, trait) if random.random() < 0.6 else []
    items = _items(random, trait) if kind != "No Intervention" and random.random() < 0.8 else []
    if style == "untyped" and not prose and not items:
        items = [random.choice(LISTED)]
    if style == "bare" and random.random() < 0.4:
        prose, items = [], []
    texts = [(_name(random, trait, prose), "name")]
    texts += [(f"{kind} group", "type")] if kind else []
    texts += [("Description:", "label"), *((text, "prose") for text in prose)] if prose else []
    texts += [("Treatment:", "label"), *((text, "item") for text in items)] if items else []
    return [Line(text, arm, place) for text, place in texts]


def _name(random: Random, trait: str, prose: list[str]) -> str:
    if trait == "labels" and random.random() < 0.2:
        return random.choice(LABELS)
    if prose and random.random() < 0.1:
        return prose[0]
    return random.choice(ODD_NAMES if trait == "odd" and random.random() < 0.5 else PLAIN_NAMES)


def _prose(random: Random, trait: str) -> list[str]:
    pool: tuple[str, ...] = PROSE + ODD_PROSE if trait == "odd" else PROSE
    if trait == "labels" and random.random() < 0.3:
        pool = LABELS
    count = random.choice([1, 2, 2, 3]) if trait == "paragraphs" else random.choice([1] * 9 + [2])
    return [random.choice(pool) for _ in range(count)]


def _items(random: Random, trait: str) -> list[str]:
    pool = LISTED + UNLISTED if trait == "unlisted" else LISTED
    items = random.choices(pool, k=random.choice([1, 1, 2, 3]))
    return [*items, items[-1]] if random.random() < 0.1 else items


def possible_counts(texts: list[str], *, observational: bool) -> dict[int, int]:
    """Return, for each number of arms, how many ways there are to read the lines, found by trying every one."""

    @cache
    def ways(start: int) -> tuple[tuple[int, int], ...]:
        if start == len(texts):
            return ((0, 1),)
        total: dict[int, int] = {}
        for stop in range(start + 1, len(texts) + 1):
            if is_arm(tuple(texts[start:stop]), observational=observational):
                for count, number in ways(stop):
                    total[count + 1] = total.get(count + 1, 0) + number
        return tuple(total.items())

    return dict(ways(0))


def is_arm(texts: tuple[str, ...], *, observational: bool) -> bool:
    """Return whether these lines are one arm by the rules of the page."""
    name, *rest = texts
    if name in LABELS or any(rest.count(label) > 1 for label in LABELS):
        return False
    if not observational:
        if not rest or not rest[0].endswith(" group"):
            return False
        rest = rest[1:]
    if "Treatment:" in rest:
        at = rest.index("Treatment:")
        items = rest[at + 1 :]
        if not items or any(item in LABELS or ": " not in item for item in items):
            return False
        rest = rest[:at]
    return not rest or (rest[0] == "Description:" and len(rest) > 1 and "Description:" not in rest[1:])

"""Invented sections of eligibility criteria whose right reading is known by construction.

Every criterion carries a token of its own (`qabcq`), so a test can ask on which side it came out. Nothing here knows
how the package reads.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

TOKEN = re.compile(r"q[a-z]{4}q")
T = TypeVar("T")

# A heading that names one side is a prefix, a name and a tail; `{side}` is inclusion or exclusion in some case.
PREFIXES = (
    *[""] * 6,
    *("Key ", "Main ", "MAIN ", "Patient's ", "Patient’s ", "Subject ", "Key subject ", "Children ", "Donor ", "The "),
    *("Group 1 ", "Part B ", "Phase 2b ", "Study ", "Extension ", "General ", "Cohort C: ", "Healthy volunteers – "),
    *("A. ", "2) ", "(b) ", "II. ", "1.2 ", "*", "- ", "Hearing group (planned 30) - "),
)
NAMES = ("{side} criteria", "{side} Criteria", "{side} criteria", "{side} Criteria", "{side}")
TAILS = (
    *[":"] * 4,
    *("", "", " :", ";", " -", ".", "：", "*", " (Part A)", " (in summary):", " (any of the following)", " – Arm B"),
    *(" for both groups", " for adults:", " for patients who have been seen before:", " for part 2", " Part A"),
    *(
        " are:",
        " are the following:",
        " are as follows:",
        " include:",
        " (any of the following):",
        ": (all must apply)",
    ),
)
BEHIND = (": - {}", ": {}", " - {}", " Subjects will not be eligible if they own {}", ": 1. {} 2. lamps")
ANNOUNCED = (
    "Subjects meeting any of the following {side} criteria",
    "Patients with one of the following {side} criteria:",
    "Criteria for {side}:",
)
DENIED = ("Non-inclusion criteria", "Non inclusion criteria:", "NON-INCLUSION CRITERIA")  # exclusion criteria, that is

# What means a side, in words that need not be understood.
OTHER_WORDS = {
    "exclusion": (
        "Patients are excluded if:",
        "Not eligible if:",
        "Excluded:",
        "Exlusion criteria:",
        "Exculsion Criteria",
        "Excl. criteria:",
        "Reasons for exclusion:",
        "The following will be excluded:",
        "Ineligibility criteria:",
        "Exclusion criteria of the older study",
        "Exclusive criteria:",
        "Subjects must not meet any of the following exclusion criteria:",
        "Patients who meet any of the exclusion criteria below",
        "Subjects will be excluded if they have any of the following",
    ),
    "inclusion": (
        "Patients are included if:",
        "Subjects are eligible if:",
        "Inlcusion criteria",
        "Inclution criteria:",
        "Incl. criteria:",
        "Grounds for inclusion:",
        "Inclusive criteria:",
        "Inclusion criteria adults of any age",
    ),
}
TITLES = (
    "Inclusion and exclusion criteria:",
    "Inclusion/Exclusion Criteria",
    "Key inclusion & exclusion criteria:",
    "INCLUSION AND EXCLUSION CRITERIA FOR PART B",
)
PARAGRAPHS = (
    "Inclusion Criteria: - {} Exclusion Criteria: - {}",
    "Inclusion: {}; Exclusion: {}",
    "Inclusion criteria - {} - Exclusion criteria - {}",
    "Owners of {}. Exclusion criteria: {}. Inclusion criteria: lamps",
    "Inclusion criteria: {} Exlusion criteria: {}",
    "Inclusion criteria: {}. Excluded: {}",
)

CRITERIA = (
    "Owner of {}",
    "{} of at least 3 m, or 4 m at sea",
    "No {} in the last 30 days",
    "{}: one a day",
    "Able to carry {}.",
    "written consent about {}",
    "Women with {}",
)
MENTIONS = (
    "Subjects who met an exclusion criterion of the parent study on {}",
    "Subjects who met an inclusion criterion of the parent study on {}",
    "Excluded if {} is broken",
    "Exclusion of {} by inspection",
    "Fulfils inclusion criteria of study {}",
    "Fulfils the exclusion criteria of study {}",
    "Use of excluded {}",
    "Inclusion body {}",
    "Meets all inclusion criteria listed for {}",
    "Does not meet the inclusion criteria of {}",
    "Meets all inclusion and no exclusion criteria of {}",
    "Other protocol-defined inclusion/exclusion criteria on {} may apply",
    "Use of {} within 5 days before inclusion",
    "{} that makes inclusion unwise in the view of the investigator",
    "Not eligible for {}",
    "{} with occlusion",
    "The information on {} does not hold all inclusion/ exclusion criteria",
    "{} (an exclusion criterion)",
    "Patients with {} are excluded, except:",
    "{} that would preclude inclusion, including:",
)
LEADS = (
    "Not more than one of {}:",
    "{} with one of the following:",
    "Lives above 300 m on {}:",
    "{} as told by",
    "Owner of {}, namely:",
)
NEUTRAL = (
    "Patients must have:",
    "For adolescent participants:",
    "HEALTHY SUBJECTS:",
    "Main study",
    "Any of the following:",
    "Eligibility criteria:",
    "Notes:",
)


class Dice:
    """Numbers that are the same for the same seed on every machine."""

    def __init__(self, seed: int) -> None:
        self._state = seed * 2 + 1

    def below(self, limit: int) -> int:
        """Return a number from 0 to below the limit."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 33) % limit

    def pick(self, options: Sequence[T]) -> T:
        """Choose one."""
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        """Return whether something happens that does so this often."""
        return self.below(100) < percent


@dataclass
class Built:
    """A section.

    Attributes:
        lines: Its lines.
        sides: For each token its side: "inclusion", "exclusion", "unassigned" where no side was named yet, or "unknown"
            where nobody can know.
        at: The index of each token's line.
        doubtful: The indexes of lines that it is right to doubt.
        contradictions: The indexes of headings of the other side in the section of one, which must be doubted.
    """

    lines: list[str] = field(default_factory=list)
    sides: dict[str, str] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    contradictions: set[int] = field(default_factory=set)


class Builder:
    """Writes a section from the top to the bottom."""

    def __init__(self, dice: Dice, side: str | None) -> None:
        self.dice = dice
        self.built = Built()
        self.section = side
        self.side = side or "unassigned"
        self.base = 1  # the level of the list that is being written
        self.has_items = False  # whether that list has any
        self.indent = -1  # of the line above, -1 at column 0
        self.at = 0  # its index
        self.loose = dice.chance(40)
        self.numbered = dice.chance(30)

    def token(self) -> str:
        """Make a token for a criterion of the current side, in the line that is being written."""
        number = len(self.built.sides)
        token = "q" + "".join(chr(97 + number // 26**place % 26) for place in range(4)) + "q"
        self.built.sides[token] = self.side
        self.built.at[token] = self.at
        return token

    def fill(self, template: str) -> str:
        """Put a token into each place of a template."""
        return re.sub(re.escape("{}"), lambda _: self.token(), template)

    def line(self, template: str, level: int | None, *, marker: bool = True) -> None:
        """Write a line at a level of the list, or at column 0."""
        if level is None or self.loose or not marker:
            self.blank()
        pad = "" if level is None else "  " * level
        mark = "" if level is None or not marker else "1. " if self.numbered else "• "
        self.at = len(self.built.lines)
        self.built.lines.append(pad + mark + self.fill(template))
        self.indent = -1 if level is None else 2 * level
        self.has_items |= marker and level is not None
        if level is None:
            self.built.lines.append("")

    def blank(self) -> None:
        """Write a blank line, unless there is one."""
        if self.built.lines and self.built.lines[-1]:
            self.built.lines.append("")
        if self.dice.chance(1):
            self.built.lines.append("<!-- -->")

    def place(self) -> tuple[int | None, bool]:
        """Choose where a heading stands, a level and whether it has a marker, and at which level its list does."""
        form = self.dice.below(100)
        if form < 50 or (form >= 80 and self.indent < 0):
            self.base = 1
            return None, False
        if form < 80:
            level = self.dice.pick((1, 1, 2, 3))
            self.base = self.dice.pick((level, level, level + 1, 1))
            return level, True
        level = self.indent // 2 + 1
        self.base = self.dice.pick((level, level, level - 1))
        return level, False

    def name(self, side: str, template: str, *, understood: bool = True) -> None:
        """Write a heading that names a side."""
        text = template.replace("{side}", self.dice.pick((side, side.title(), side.upper())))
        before, (level, marker) = self.side, self.place()
        self.side = side
        self.line(text, level, marker=marker)
        self.has_items = False
        if not understood or self.section not in {None, side}:
            self.built.doubtful.add(self.at)
        if understood and before != side and self.section not in {None, side}:
            self.built.contradictions.add(self.at)

    def lose(self, template: str) -> None:
        """Write what leaves it unknown whose the criteria are."""
        self.side = "unknown"
        self.base = 1
        self.line(template, None)
        self.built.doubtful.add(self.at)

    def items(self) -> None:
        """Write some criteria, nested ones among them."""
        level = self.base
        for _ in range(1 + self.dice.below(5)):
            kind = self.dice.below(100)
            if kind < 50:
                self.line(self.dice.pick(CRITERIA), level)
            elif kind < 68:
                self.line(self.dice.pick(MENTIONS), level)
            elif kind < 80:
                self.line(self.dice.pick(LEADS), level)
                for _ in range(1 + self.dice.below(3)):
                    self.line(self.dice.pick(CRITERIA + MENTIONS), level + 1)
            elif kind < 88 and self.indent > 0:
                self.line("and this about {} as well.", self.indent // 2 + 1, marker=False)
                self.indent -= 2
            elif kind < 94:
                self.line(self.dice.pick(NEUTRAL), None if self.dice.chance(70) else level)
            else:
                self.line("A paragraph on {}.", None)

    def leave(self) -> None:
        """Go back to the outer list behind a nested one: nobody can know whose its items are."""
        self.side = "unknown"
        self.base = 1
        self.line(self.dice.pick(CRITERIA), 1)
        self.built.doubtful.add(self.at)


def build(seed: int, side: str | None = None) -> Built:
    """Write one section: for both sides, or the one of a side into which headings of the other intrude."""
    dice = Dice(seed)
    builder = Builder(dice, side)
    if side or dice.chance(30):
        builder.items()
    for _ in range(1 + dice.below(5)):
        kind = dice.below(100)
        named = dice.pick(("inclusion", "exclusion"))
        before = builder.side
        if kind < 70:
            builder.name(named, dice.pick(PREFIXES) + dice.pick(NAMES) + dice.pick(TAILS))
        elif kind < 76:
            builder.name(named, dice.pick(ANNOUNCED + DENIED * (named == "exclusion")))
        elif kind < 82:
            builder.name(named, "{side} criteria" + dice.pick(BEHIND))
        elif kind < 90:
            builder.name(named, dice.pick(OTHER_WORDS[named]), understood=False)
        elif kind < 95:
            builder.lose(dice.pick(TITLES))
        else:
            builder.lose(dice.pick(PARAGRAPHS))
        builder.items()
        nested = kind < 76 and builder.base > 1 and builder.has_items and before != named
        if nested and dice.chance(20):
            builder.leave()
            builder.items()
    return builder.built

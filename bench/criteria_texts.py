"""Invented texts of criteria whose right reading is known by construction.

A text has lists of any marker, indent and depth, wrapped or not, under headings of any spelling and in any order, or
without. Nothing here knows how the package reads.
"""

import textwrap
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

LETTERS = "abcdefghij"
NUMERALS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
BULLETS = ("-", "*", "•", "–", "▪", "●", "◦", "·", "➢", "o")
NUMBERED = ("{n}.", "{n})", "({n})")
LETTERED = ("{a}.", "{a})", "({a})", "{A}.", "{A})", "{i}.", "{i})", "({i})", "{I}.")
HEADINGS = (
    *["{side} Criteria:"] * 4,
    *("{side} Criteria", "{side}:", "{side}", "Key {side} Criteria:", "Main {side} criteria", "{side} criteria :"),
    *("Patient {side} Criteria:", "{side} Criteria (all must apply):", "{side} Criteria for adults:"),
    *("**{side} Criteria**", "## {side} Criteria", "{side} criteria are as follows:", "The {side} criteria are:"),
    *("{side} Criteria -", "{side} Criteria (Part A)", "Criteria for {side}:"),
)
NEUTRAL = ("Patients must have:", "For adolescent participants:", "Any of the following:", "Healthy volunteers:")
WORDS = """asthma bench branch clerk daily fern great grown history lamp light liver moss oak platelets quiet recent
rest river shade severe surgery therapy tree treated untreated visit weekly known stable active chronic"""
TRAPS = (  # what looks like a marker where a line begins with it
    "E. coli in the urine",
    "S. aureus on the skin",
    "60 ml/min per 1.73 m2 of surface",
    "at most 2.5 mg a day",
    "since January 2021 or later",
    "aged 18-65 years",
    "from 12/05/2020 until today",
    "use of i.v. drugs",
    "diabetes of type 2 or worse",
    "treatment with Brightamab or Hodgkin lymphoma",
    "a score ≥ 18 points",
    "fever (38.5 °C or more)",
    "anti-fungal drugs, e.g. brightazol",
    "use within 5 days before inclusion",
    "use within 5 days before inclusion",
    "a disease that meets no exclusion criteria of the older study",
    "lamps; benches; and trees",
)
# Those that nobody can take for an item of their own where a line without a marker begins inside them.
CLEAR_TRAPS = ("fever (38.5 °C or more)", "use of i.v. drugs", "anti-fungal drugs, e.g. brightazol")


_WORDS = WORDS.split()


class Line(NamedTuple):
    """What a line says: its side, its depth, its marker if any, its words, and whether it is a heading."""

    side: str
    depth: int
    marker: str | None
    words: str
    is_heading: bool = False


@dataclass
class Text:
    """A text, and the lines of its right reading, side after side."""

    text: str = ""
    lines: list[Line] = field(default_factory=list)


class _Style(NamedTuple):
    markers: tuple[str, ...]  # one a level
    indents: tuple[int, ...]  # likewise
    loose: bool
    width: int  # 0 for lines that are not wrapped
    hanging: bool
    end: str  # of each item
    capitals: bool


def build(seed: int) -> Text:
    """Make a text; the same seed gives the same one."""
    random = Random(seed)
    return _Builder(random, _choose_style(random)).build()


def _choose_style(random: Random) -> _Style:
    capitals = random.random() < 0.15
    marked = random.random() < 0.88
    nested = random.random() < 0.7  # by indent, else by the kinds of markers alone
    kinds: tuple[str, ...] = ()
    while marked and len(kinds) < 3:
        kind = random.choice((BULLETS, BULLETS, NUMBERED, NUMBERED, LETTERED))
        marker = random.choice(kind)
        if nested or _base(marker) not in {_base(other) for other in kinds}:
            kinds += (marker,)
    step, margin = random.choice((2, 3, 4)), random.choice((0, 0, 0, 2, 4))
    width = random.choice((0, 0, 58, 70, 79, 88)) if not (capitals and not marked) else 0
    end = random.choice(("", "", ".", ";")) if marked or not width else random.choice((".", ";"))
    indents = tuple(margin + step * level * nested for level in range(3)) if marked else (0,)
    return _Style(kinds, indents, random.random() < 0.3, width, nested and random.random() < 0.7, end, capitals)


def _base(marker: str) -> str:
    """Return what tells two kinds of markers apart where nothing is indented."""
    return "-" if marker in "-–" else marker.lower() if "i" not in marker.lower() else marker.lower().replace("i", "a")


class _Builder:
    def __init__(self, random: Random, style: _Style) -> None:
        self.random = random
        self.style = style
        self.side = "unassigned"
        self.rows: list[str] = []
        self.lines: list[Line] = []

    def build(self) -> Text:
        order = self.random.choice(("ie", "ie", "ie", "ei", "iei", "i", "e", "", "-e", "-ie"))
        template = self.random.choice(HEADINGS)
        for letter in order or "-":
            if letter == "-":
                self._write_part(0)
                continue
            self.side = {"i": "inclusion", "e": "exclusion"}[letter]
            name = self.random.choice((self.side, self.side.title(), self.side.upper()))
            heading = template.replace("{side}", name)
            self._write_heading(heading[:1].upper() + heading[1:])
        order_of_sides = ("inclusion", "exclusion", "unassigned")
        lines = sorted(self.lines, key=lambda line: order_of_sides.index(line.side))
        return Text("\n".join(self.rows), lines)

    def _write_heading(self, heading: str) -> None:
        self._write_plain(heading)
        self._write_part(int(heading.endswith(":")))
        if self.random.random() < 0.3:
            if self.style.capitals and self.style.width:
                self.rows.append("")  # nobody could tell it from a wrapped line
            self._write_plain(self.random.choice(NEUTRAL))
            self._write_part(1)

    def _write_part(self, depth: int) -> None:
        if self.style.markers:
            self._write_list(0, depth)
            return
        for _ in range(self.random.randint(1, 5)):
            self._write_plain(self._sentence(), is_heading=False)

    def _write_plain(self, words: str, *, is_heading: bool = True) -> None:
        if self.rows and (self.style.loose or self.random.random() < 0.5):
            self.rows.append("")
        self._write("", words, 0)
        self.lines.append(Line(self.side, 0, None, self._case(words), is_heading))
        if self.style.loose:
            self.rows.append("")

    def _write_list(self, level: int, depth: int) -> None:
        for number in range(1, self.random.randint(2, 6) + 1):
            values = {"n": number, "a": LETTERS[number - 1], "i": NUMERALS[number - 1]}
            values |= {"A": str(values["a"]).upper(), "I": str(values["i"]).upper()}
            marker = self.style.markers[level].format(**values)
            words = self._sentence()
            has_list = level < len(self.style.markers) - 1 and self.random.random() < 0.2
            has_list = has_list and "clusion" not in words  # `no exclusion criteria:` may be a heading
            if has_list:
                words = words.rstrip(".;") + self.random.choice((":", ", one of", " as follows:"))
            self._write(f"{marker} ", words, self.style.indents[level])
            self.lines.append(Line(self.side, depth, marker, self._case(words)))
            if has_list:
                self._write_list(level + 1, depth + 1)
            if self.style.loose:
                self.rows.append("")

    def _write(self, marker: str, words: str, indent: int) -> None:
        pad = " " * indent
        if not self.style.width:
            self.rows.append(pad + marker + self._case(words))
            return
        hang = pad + " " * len(marker) if self.style.hanging else ""
        rows = textwrap.wrap(
            words,
            self.style.width,
            initial_indent=pad + marker,
            subsequent_indent=hang,
            break_on_hyphens=False,
            break_long_words=False,
        )
        self.rows += [rows[0][: len(pad + marker)] + self._case(rows[0][len(pad + marker) :])]
        self.rows += [self._case(row) for row in rows[1:]]

    def _case(self, words: str) -> str:
        return words.upper() if self.style.capitals else words

    def _sentence(self) -> str:
        words = self.random.choices(_WORDS, k=self.random.randint(2, 9))
        if self.random.random() < 0.4:
            # In capitals, `E. COLI` may be the fifth of a list; without a marker, a line may be any item.
            listed = self.style.capitals and any("{A}." in marker for marker in self.style.markers)
            traps = TRAPS[2:] if listed else TRAPS if self.style.markers or not self.style.width else CLEAR_TRAPS
            words.insert(self.random.randint(1, len(words)), self.random.choice(traps))
        if self.random.random() < 0.3:
            words += self.random.choices(_WORDS, k=self.random.randint(8, 20))
        sentence = " ".join(words)
        return sentence[:1].upper() + sentence[1:] + self.style.end

"""The kinds of sections: what stands under a heading, read into the state of a page and written back from a trial.

A kind knows no heading and no rule of values: it hands lines to the values and grammars, and puts what comes back into
its field. Lines it does not understand stay in place.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

from trialscrape.parsing import arms, criteria, values
from trialscrape.parsing.sections import Block, FoundSection
from trialscrape.parsing.state import ParseState
from trialscrape.parsing.subheadings import Side
from trialscrape.parsing.values import Value
from trialscrape.records import Arm, Criterion, Trial
from trialscrape.vocabulary import PHASE


@dataclass(frozen=True, slots=True)
class Nothing:
    """A heading without a block: a line under it stays unparsed."""

    field: ClassVar = None
    block: ClassVar[Block] = "nothing"
    first: ClassVar = None
    may_be_empty: ClassVar = True

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Read nothing."""

    def write(self, _trial: Trial) -> Iterable[str] | None:
        """Write nothing."""
        return ()


@dataclass(frozen=True, slots=True)
class DesignHeading(Nothing):
    """The heading over the design and the arms; pages without both lack it where the study type allows that."""

    without: tuple[str, ...]

    def write(self, trial: Trial) -> Iterable[str] | None:
        """Write nothing, or leave the heading out."""
        code = trial.study_type.code if trial.study_type else None
        return None if code in self.without and not (trial.design or trial.participants or trial.arms) else ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line with one value."""

    field: str
    value: Value
    block: ClassVar[Block] = "line"
    may_be_empty: ClassVar = False

    @property
    def first(self) -> re.Pattern[str] | None:
        """What the line looks like."""
        return self.value.first

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Read the first line under the heading."""
        start, stop = find_block(state, section.start, section.stop)
        if start < stop and (value := state.read_line(self.value.read, start, self.field)) is not None:
            state.put(self.field, value, start, start + 1)

    def write(self, trial: Trial) -> Iterable[str] | None:
        """Write the line, if the trial has the value."""
        value = getattr(trial, self.field)
        return () if value is None else (self.value.write(value),)


@dataclass(frozen=True, slots=True)
class DesignLine:
    """One line with a label, which is a part of the design."""

    part: str
    value: Value
    block: ClassVar[Block] = "line"
    may_be_empty: ClassVar = False

    @property
    def field(self) -> str:
        """The part, by its path in the record."""
        return f"design.{self.part}"

    @property
    def first(self) -> re.Pattern[str] | None:
        """What the line looks like."""
        return self.value.first

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Read the first line under the heading."""
        start, stop = find_block(state, section.start, section.stop)
        if start < stop and (term := state.read_line(self.value.read, start, self.field)) is not None:
            state.design[self.part] = term
            state.mark(self.field, start, start + 1)

    def write(self, trial: Trial) -> Iterable[str] | None:
        """Write the label, if the design has it."""
        term = getattr(trial.design, self.part, None)
        return (self.value.write(term),) if term else ()


@dataclass(frozen=True, slots=True)
class Lines:
    """A line a value; a line that is something else stays in place."""

    field: str
    value: Value
    block: ClassVar[Block] = "lines"
    may_be_empty: ClassVar = False

    @property
    def first(self) -> re.Pattern[str] | None:
        """What each line looks like."""
        return self.value.first

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Read the lines of the first block."""
        put_values(state, self.field, self.value, range(*find_block(state, section.start, section.stop)))

    def write(self, trial: Trial) -> Iterable[str] | None:
        """Write a line a value."""
        return map(self.value.write, getattr(trial, self.field))


@dataclass(frozen=True, slots=True)
class Status:
    """The status, then one line a phase. The block can be empty, and the status can be missing in it."""

    without_phase: str  # the heading of a page without phases
    field: ClassVar = "overall_status"
    block: ClassVar[Block] = "lines"
    first: ClassVar = None
    may_be_empty: ClassVar = True
    status: ClassVar = values.make_label("Status")
    phase: ClassVar = values.make_label("Phase")

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Read the status and the phases."""
        start, stop = find_block(state, section.start, section.stop)
        if start < stop and state.text(start) not in PHASE:
            Line(self.field, self.status).read(state, section)
            start += 1
        says_phase = state.text(section.heading) != self.without_phase
        phases = [index for index in range(start, stop) if says_phase or state.text(index) in PHASE]
        put_values(state, "phases", self.phase, phases)

    def write(self, trial: Trial) -> Iterable[str] | None:
        """Write the status and the phases."""
        return [term.label for term in (trial.overall_status, *trial.phases) if term]


@dataclass(frozen=True, slots=True)
class Identifiers(Lines):
    """All identifiers; the first that is an NCT id of the study itself is the record's."""

    may_be_empty: ClassVar = True

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Read the identifiers, and the NCT id among them."""
        start, stop = find_block(state, section.start, section.stop)
        put_values(state, self.field, self.value, range(start, stop))
        for identifier in state.values.get(self.field, ()):
            if identifier.type is None and values.is_nct_id(identifier.value):
                index = next(index for index in range(start, stop) if state.text(index) == identifier.value)
                state.put("nct_id", identifier.value, index, index + 1)
                return


@dataclass(frozen=True, slots=True)
class Contacts(Lines):
    """Persons and centers, several on a line."""

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Read the contacts of all lines."""
        Lines.read(self, state, section)
        if self.field in state.values:
            state.values[self.field] = tuple(chain.from_iterable(state.values[self.field]))

    def write(self, trial: Trial) -> Iterable[str] | None:
        """Write all contacts on one line."""
        return (self.value.write(trial.central_contacts),) if trial.central_contacts else ()


@dataclass(frozen=True, slots=True)
class Prose:
    """Lines that are one text, as they stand.

    In a wordless page, whose short headings are gone, it ends above what looks like one of `ends`.
    """

    field: str
    ends: tuple[Value, ...] = ()
    block: ClassVar[Block] = "prose"
    first: ClassVar = None
    may_be_empty: ClassVar = False

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Read the text."""
        stop = section.stop
        if state.form == "wordless":
            patterns = [value.first for value in self.ends if value.first]
            lines = range(section.start, stop)
            stop = next((i for i in lines if any(pattern.fullmatch(state.lines[i]) for pattern in patterns)), stop)
        start, stop = trim_blanks(state, section.start, stop)
        if start < stop:
            state.put(self.field, "\n".join(state.lines[start:stop]), start, stop)

    def write(self, trial: Trial) -> Iterable[str] | None:
        """Write the text."""
        text = getattr(trial, self.field)
        return () if text is None else (text,)


@dataclass(frozen=True, slots=True)
class Criteria:
    """Eligibility criteria: those of one side, or those of both under sub-headings."""

    side: Side | None
    block: ClassVar[Block] = "prose"
    first: ClassVar = None
    may_be_empty: ClassVar = False

    @property
    def field(self) -> str:
        """The side that it fills; of both, what is on neither."""
        return f"eligibility.{self.side or 'unassigned'}"

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Read the criteria, and say where a side is doubtful."""
        start, stop = trim_blanks(state, section.start, section.stop)
        parsed = criteria.read_criteria(state.lines[start:stop], self.side)
        state.criteria.append(parsed)
        state.combined = state.combined or self.side is None
        if start < stop:
            state.mark(self.field, start, stop)
        for doubt in parsed.doubts:
            state.warn("doubtful_side", start + doubt.at, doubt.message, self.field)
        if parsed.too_deep is not None:
            message = f"expected at most {criteria.MAX_DEPTH} levels of criteria, found more; they are read as siblings"
            state.warn("criteria_too_deep", start + parsed.too_deep, message, self.field)

    def write(self, trial: Trial) -> Iterable[str] | None:
        """Write the criteria of the side, of both, or what is on neither side behind the last one."""
        sides = trial.eligibility
        if sides.combined != (self.side is None):
            return None
        if self.side is None:
            return _write_criteria((*sides.unassigned, *sides.inclusion, *sides.exclusion))
        lines = [*_write_criteria(getattr(sides, self.side))]
        if self.side == "exclusion" and sides.unassigned:
            lines += [*[""][: len(lines)], *_write_criteria(sides.unassigned)]
        return lines


@dataclass(frozen=True, slots=True)
class ParticipantsAndArms:
    """The sentence, which stands where others have a heading, and the arms under it."""

    field: ClassVar = "participants"
    block: ClassVar[Block] = "lines"
    first: ClassVar = re.compile(r"([0-9][0-9,]*) participants? in .+")
    may_be_empty: ClassVar = True

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Read the sentence and the arms."""
        sentence = state.read_line(values.participants, section.heading, self.field)
        if sentence is None:
            state.taken[section.heading] = 0
        else:
            state.put(self.field, sentence, section.heading, section.start)
        if state.form == "wordless":
            return  # without `Description:`, `Treatment:` and the names of one word, nothing tells the arms apart
        start, stop = trim_blanks(state, section.start, section.stop)
        study_type = state.values.get("study_type")
        parsed = arms.parse_arms(
            state.lines[start:stop],
            {values.write_intervention(intervention) for intervention in state.values.get("interventions", ())},
            sentence.groups if sentence else None,
            complete=state.complete or section.stop < len(state.lines),
            observational=study_type is not None and study_type.code == "OBSERVATIONAL",
        )
        if parsed.arms:
            state.put("arms", parsed.arms, start, start + parsed.used)
            for index in parsed.left:
                state.taken[start + index] = 0
            _warn_of_arms(state, parsed, start)

    def write(self, trial: Trial) -> Iterable[str] | None:
        """Write the sentence and the arms."""
        sentence = (values.write_participants(trial.participants), "") if trial.participants else ()
        return chain(sentence, *map(_write_arm, trial.arms))


@dataclass(frozen=True, slots=True)
class Footer:
    """The site's own lines at the end of every page, as far as they are known."""

    lines: re.Pattern[str]
    shown: tuple[str, ...]
    field: ClassVar = None
    block: ClassVar[Block] = "lines"
    first: ClassVar = None
    may_be_empty: ClassVar = True

    def read(self, state: ParseState, section: FoundSection) -> None:
        """Mark the known lines as understood."""
        for index in range(section.start, section.stop):
            if self.lines.fullmatch(state.text(index)):
                state.take(index, index + 1)

    def write(self, _trial: Trial) -> Iterable[str] | None:
        """Write the lines that are shown today."""
        return self.shown


def find_block(state: ParseState, start: int, stop: int) -> tuple[int, int]:
    """Find the first block between two lines, as the index of its first line and the one behind its last."""
    lines = state.lines
    while start < stop and not lines[start]:
        start += 1
    end = start
    while end < stop and lines[end]:
        end += 1
    return start, end


def trim_blanks(state: ParseState, start: int, stop: int) -> tuple[int, int]:
    """Narrow the bounds of lines by the blank ones around them."""
    while start < stop and not state.lines[start]:
        start += 1
    while stop > start and not state.lines[stop - 1]:
        stop -= 1
    return start, stop


def put_values(state: ParseState, field: str, value: Value, indexes: Iterable[int]) -> None:
    """Put the values of lines into a field; a line that is something else stays in place."""
    read = [(index, content) for index in indexes if (content := state.read_line(value.read, index, field)) is not None]
    for index, _ in read:
        state.take(index, index + 1)
    if read:
        state.values[field] = tuple([content for _, content in read])
        state.spans[field] = (read[0][0], read[-1][0])


def _warn_of_arms(state: ParseState, parsed: arms.ParsedArms, start: int) -> None:
    if parsed.decided == "choice":
        message = "expected one way to tell the arms apart, found several; one was taken"
        state.warn("ambiguous_arms", start, message, "arms")
    for index in parsed.unknown_types:
        message = f"expected a known arm type, found {state.text(start + index)!r}; it is kept as it is"
        state.warn("unknown_label", start + index, message, "arms")
    for index in parsed.unlisted:
        message = f"expected a line of 'Treatments', found {state.text(start + index)!r}"
        state.warn("unlisted_treatment", start + index, message, "arms")


def _write_criteria(siblings: Iterable[Criterion], level: int = 1) -> Iterator[str]:
    for criterion in siblings:
        at_margin = level == 1 and criterion.marker is None and (not criterion.children or criterion.text.endswith(":"))
        pad = "" if at_margin else "  " * level
        first, *more = criterion.text.split("\n")
        yield pad + (f"{criterion.marker} {first}".rstrip(" ") if criterion.marker else first)
        yield from (f"{pad}  {line}" if line else "" for line in more)
        yield from _write_criteria(criterion.children, level if at_margin else level + 1)


def _write_arm(arm: Arm) -> Iterator[str]:
    yield arm.label
    if arm.type:
        yield f"{arm.type.label} group"
    if arm.description is not None:
        yield from ("Description:", arm.description)
    if arm.interventions:
        yield from ("Treatment:", *map(values.write_intervention, arm.interventions))

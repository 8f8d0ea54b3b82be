"""Sections to values: one row a section, which says who reads it and into which field.

The readers know no rules of their own. They hand a section's lines to the leaf readers and grammars, put what comes
back into the draft, and leave in place what nobody understood.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from trialscrape import arms, criteria, values
from trialscrape.records import Ages, Intervention, PageWarning, Term
from trialscrape.sections import Section
from trialscrape.vocabulary import PHASE

Leaf = Callable[[str], Any]

_SITE = ("ClinicalTrials.Veeva", "Menu")
_FOOTER = re.compile(
    r"Clinical trials|Find clinical trialsTrials by location|Research sites|Resources|Legal"
    r"|© Copyright [0-9]{4} Veeva Systems"
)


class Draft:
    """What has been read of a page so far.

    Attributes:
        lines: The page's lines.
        form: "full" or "stripped".
        complete: Whether the page goes on to its footer; otherwise it is cut somewhere.
        values: Field to value; fields of the design and the eligibility are named with a dot.
        spans: Field to the indexes of its first and last line.
        warnings: What is doubtful.
        taken: A byte a line, 1 where the line is in a field or is known chrome.
    """

    def __init__(self, lines: Sequence[str], form: str, *, complete: bool) -> None:
        self.lines = lines
        self.form = form
        self.complete = complete
        self.values: dict[str, Any] = {}
        self.spans: dict[str, tuple[int, int]] = {}
        self.warnings: list[PageWarning] = []
        self.taken = bytearray(len(lines))

    def take(self, first: int, stop: int) -> None:
        """Mark lines as understood."""
        self.taken[first:stop] = b"\1" * (stop - first)

    def put(self, field: str, value: object, first: int, stop: int) -> None:
        """Put a value into a field, and mark its lines as understood."""
        self.values[field] = value
        self.spans[field] = (first, stop - 1)
        self.take(first, stop)

    def warn(self, code: str, index: int | None, message: str) -> None:
        """Note something doubtful."""
        self.warnings.append(PageWarning(code=code, line=None if index is None else index + 1, message=message))

    def check(self, value: object, index: int) -> None:
        """Warn of a label that is unknown: a term without a code, or ages without a limit."""
        found = value.type if isinstance(value, Intervention) else value
        if (isinstance(found, Term) and found.code is None) or (isinstance(found, Ages) and not _has_limit(found)):
            self.warn("unknown_label", index, f"expected a known label, found {found.label!r}; it is kept as it is")

    def read(self, leaf: Leaf, index: int) -> Any:  # noqa: ANN401  a field may be anything
        """Read one line; where it is something else, warn, leave it and give None."""
        try:
            value = leaf(self.lines[index].strip(" "))
        except ValueError as error:
            self.warn("unreadable_line", index, f"expected {error}, found {self.lines[index].strip(' ')!r}")
            return None
        self.check(value, index)
        return value


Reader = Callable[[Draft, Section], None]


def _has_limit(ages: Ages) -> bool:
    return bool(ages.minimum or ages.maximum)


def _block(draft: Draft, start: int, stop: int) -> tuple[int, int]:
    """Find the first block between two lines, as the index of its first line and the one behind its last."""
    lines = draft.lines
    while start < stop and not lines[start]:
        start += 1
    end = start
    while end < stop and lines[end]:
        end += 1
    return start, end


def _filled(draft: Draft, section: Section) -> tuple[int, int]:
    """Find the bounds of a section's lines without the blank ones around them."""
    start, stop = section.start, section.stop
    while start < stop and not draft.lines[start]:
        start += 1
    while stop > start and not draft.lines[stop - 1]:
        stop -= 1
    return start, stop


def one(field: str, leaf: Leaf) -> Reader:
    """A section of one line."""

    def reader(draft: Draft, section: Section) -> None:
        start, end = _block(draft, section.start, section.stop)
        if start < end:
            value = draft.read(leaf, start)
            if value is not None:
                draft.put(field, value, start, start + 1)

    return reader


def many(field: str, leaf: Leaf) -> Reader:
    """A section of lines that are values of one kind; a line that is not stays behind."""

    def reader(draft: Draft, section: Section) -> None:
        _put_each(draft, field, leaf, range(*_block(draft, section.start, section.stop)))

    return reader


def _put_each(draft: Draft, field: str, leaf: Leaf, indexes: Iterable[int]) -> None:
    found = [(index, value) for index in indexes if (value := draft.read(leaf, index)) is not None]
    for index, _ in found:
        draft.take(index, index + 1)
    if found:
        draft.values[field] = tuple([value for _, value in found])
        draft.spans[field] = (found[0][0], found[-1][0])


def prose(field: str) -> Reader:
    """A section whose lines are one text, as they stand."""

    def reader(draft: Draft, section: Section) -> None:
        start, stop = _filled(draft, section)
        if start < stop:
            draft.put(field, "\n".join(draft.lines[start:stop]), start, stop)

    return reader


def side(name: str) -> Reader:
    """One side of the eligibility criteria."""

    def reader(draft: Draft, section: Section) -> None:
        start, stop = _filled(draft, section)
        tree = criteria.tree_of(draft.lines[start:stop])
        if tree.too_deep is not None:
            message = f"expected at most {criteria.MAX_DEPTH} levels of criteria, found more; they are read as siblings"
            draft.warn("criteria_too_deep", start + tree.too_deep, message)
        if start < stop:
            draft.put(f"eligibility.{name}", tree.criteria, start, stop)

    return reader


def nothing(_draft: Draft, _section: Section) -> None:
    """A heading without a block: what stands there all the same stays behind."""


def term(enumeration: str) -> Leaf:
    """A leaf reader for the labels of one vocabulary."""
    return lambda text: values.term(text, enumeration)


def status(draft: Draft, section: Section) -> None:
    """The status line, then one line a phase. The block can be empty, and the status can be missing in it."""
    start, end = _block(draft, section.start, section.stop)
    if start < end and draft.lines[start].strip(" ") not in PHASE:
        one("overall_status", term("Status"))(draft, section)
        start += 1
    says_phase = draft.lines[section.heading].strip(" ") != "Status"
    phases = [index for index in range(start, end) if says_phase or draft.lines[index].strip(" ") in PHASE]
    _put_each(draft, "phases", term("Phase"), phases)


def identifiers(draft: Draft, section: Section) -> None:
    """All identifiers; the first that is an NCT id of the study itself is the record's."""
    many("identifiers", values.identifier)(draft, section)
    for identifier in draft.values.get("identifiers", ()):
        if identifier.type is None and values.is_nct_id(identifier.value):
            index = _block(draft, section.start, section.stop)[0]
            while draft.lines[index].strip(" ") != identifier.value:
                index += 1
            draft.put("nct_id", identifier.value, index, index + 1)
            return


def participants(draft: Draft, section: Section) -> None:
    """The sentence, which is the section's first line, and the arms under it."""
    sentence = draft.read(values.participants, section.heading)
    if sentence is None:
        draft.taken[section.heading] = 0
    else:
        draft.put("participants", sentence, section.heading, section.start)
    start, stop = _filled(draft, section)
    listed = {f"{i.type.label}: {i.name}" for i in draft.values.get("interventions", ())}
    groups = sentence.groups if sentence else None
    complete = draft.complete or section.stop < len(draft.lines)
    study_type = draft.values.get("study_type")
    observational = study_type is not None and study_type.code == "OBSERVATIONAL"
    reading = arms.read(draft.lines[start:stop], listed, groups, complete=complete, observational=observational)
    if reading.arms:
        draft.put("arms", reading.arms, start, start + reading.used)
        for index in reading.left:
            draft.taken[start + index] = 0
        _check_arms(draft, reading, start)
    if sentence and draft.form == "full":
        _check_sentence(draft, section.heading, complete=complete)


def _check_sentence(draft: Draft, heading: int, *, complete: bool) -> None:
    """Compare the number of arms and their types with the sentence; a cut page may show fewer than it says."""
    sentence, found = draft.values["participants"], draft.values.get("arms", ())
    if len(found) > sentence.groups or (complete and len(found) < sentence.groups):
        draft.warn("groups_differ", heading, f"expected {sentence.groups} arms by this line, found {len(found)}")
    types = {arm.type.code for arm in found if arm.type}
    # Whether the site calls a sham comparator a placebo group, no page shows; so it contradicts neither sentence.
    may_be_placebo = not types.isdisjoint({"PLACEBO_COMPARATOR", "SHAM_COMPARATOR", None})
    if complete and types and sentence.placebo_group and not may_be_placebo:
        draft.warn("placebo_differs", heading, "expected an arm of type 'Placebo Comparator' by this line, found none")
    if complete and not sentence.placebo_group and "PLACEBO_COMPARATOR" in types:
        draft.warn("placebo_differs", heading, "expected no arm of type 'Placebo Comparator' by this line, found one")


def _check_arms(draft: Draft, reading: arms.Reading, start: int) -> None:
    if reading.decided == "choice":
        draft.warn("ambiguous_arms", start, "expected one way to tell the arms apart, found several; one was taken")
    for index in reading.unknown_types:
        line = draft.lines[start + index].strip(" ")
        draft.warn("unknown_label", start + index, f"expected a known arm type, found {line!r}; it is kept as it is")
    for index in reading.unlisted:
        line = draft.lines[start + index].strip(" ")
        draft.warn("unlisted_treatment", start + index, f"expected a line of 'Treatments', found {line!r}")


def end(draft: Draft, section: Section) -> None:
    """The footer: chrome, as far as it is known."""
    for index in range(section.start, section.stop):
        if _FOOTER.fullmatch(draft.lines[index].strip(" ")):
            draft.take(index, index + 1)


def preamble(draft: Draft, stop: int) -> None:
    """What stands above the first heading: chrome, the title, the sponsor's letter or logo, the sponsor."""
    site = set(_SITE)
    filled = []
    for index in range(stop):
        line = draft.lines[index].strip(" ")
        if line in site:
            site.remove(line)
            draft.take(index, index + 1)
        elif line:
            filled.append(index)
    marks = [place for place, index in enumerate(filled) if _is_mark(draft.lines[index].strip(" "))]
    mark = next((place for place in reversed(marks) if 0 < place < len(filled) - 1), None)
    if mark is None:
        title, sponsor = (filled[-2] if len(filled) > 1 else None), (filled[-1] if filled else None)
    else:
        title, sponsor = filled[mark - 1], filled[mark + 1]
        draft.take(filled[mark], filled[mark] + 1)
    if sponsor is not None:
        draft.put("sponsor", draft.lines[sponsor].strip(" "), sponsor, sponsor + 1)
    if title is not None:
        text = draft.lines[title].strip(" ")
        draft.put("title", text, title, title + 1)
        acronym = values.acronym(text)
        if acronym:
            draft.put("acronym", acronym, title, title + 1)


def _is_mark(line: str) -> bool:
    """Tell whether this is what stands above the sponsor: one capital letter, or the text of a logo."""
    return line.endswith(" logo") or (len(line) == 1 and line.isupper())


READERS: dict[str, Reader] = {
    "status": status,
    "conditions": many("conditions", str),
    "treatments": many("interventions", values.intervention),
    "study_type": one("study_type", term("StudyType")),
    "funder_types": many("funder_types", term("AgencyClass")),
    "identifiers": identifiers,
    "details": nothing,
    "about": prose("brief_summary"),
    "full_description": prose("detailed_description"),
    "enrollment": one("enrollment", values.enrollment),
    "sex": one("sex", term("Sex")),
    "ages": one("ages", values.ages),
    "volunteers": one("healthy_volunteers", values.healthy_volunteers),
    "inclusion": side("inclusion"),
    "exclusion": side("exclusion"),
    "criteria": side("unassigned"),
    "design": nothing,
    "primary_purpose": one("design.primary_purpose", term("PrimaryPurpose")),
    "allocation": one("design.allocation", term("DesignAllocation")),
    "intervention_model": one("design.intervention_model", term("InterventionalAssignment")),
    "masking": one("design.masking", term("DesignMasking")),
    "participants": participants,
    "documents": one("document_count", values.count),
    "locations": one("location_count", values.count),
    "loading": nothing,
    "contacts": many("central_contacts", str),
    "end": end,
}
"""Who reads each section of `sections.ORDER`."""

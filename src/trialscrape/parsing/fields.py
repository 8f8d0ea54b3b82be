"""Sections to values: one row a section, which says who reads it and into which field.

The readers know no rules of their own. They hand a section's lines to the leaf readers and grammars, put what comes
back into the draft, and leave in place what nobody understood.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from trialscrape.parsing import arms, criteria, values
from trialscrape.parsing.sections import BANNER, ORDER, SITE, VEEVA_ENABLED, Form, Section, is_mark
from trialscrape.parsing.subheadings import Side
from trialscrape.records import Ages, Identifier, Intervention, PageWarning, ReferringSite, Term, warning
from trialscrape.vocabulary import PHASE

Leaf = Callable[[str], Any]

_FOOTER = re.compile(
    r"Clinical trials|Find clinical trialsTrials by location|Research sites|Resources|Legal"
    r"|© Copyright [0-9]{4} Veeva Systems"
)


class Draft:
    """What has been read of a page so far.

    Attributes:
        lines: The page's lines.
        form: "full", "stripped" or "wordless".
        complete: Whether the page goes on to its footer; otherwise it is cut somewhere.
        values: Field to value; fields of the design and the eligibility are named with a dot.
        spans: Field to the indexes of its first and last line.
        warnings: What is doubtful.
        taken: A byte a line, 1 where the line is in a field or is known chrome.
    """

    def __init__(self, lines: Sequence[str], form: Form, *, complete: bool) -> None:
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

    def warn(self, code: str, index: int | None, message: str, field: str | None = None) -> None:
        """Add a warning about a line, or about the page."""
        line = None if index is None else index + 1
        self.warnings.append(warning(code, message, field=field, line=line))

    def read(self, leaf: Leaf, index: int, field: str) -> Any:  # noqa: ANN401  a field may be anything
        """Read one line of a field; where it is something else, warn, leave it and return None."""
        text = self.lines[index].strip(" ")
        try:
            value = leaf(text)
        except ValueError as error:
            self.warn("unreadable_line", index, f"expected {error}, found {text!r}", field)
            return None
        unknown = _unknown_label(value)
        if unknown is None:
            return value
        if self.form == "wordless":
            return None  # with its heading gone, a line may be of another section
        self.warn("unknown_label", index, f"expected a known label, found {unknown!r}; it is kept as it is", field)
        return value


Reader = Callable[[Draft, Section], None]


def _unknown_label(value: object) -> str | None:
    """Give the label of a value that the vocabulary does not have, or that of ages without a limit."""
    match value:
        case Intervention(type=Term(code=None) as term) | (Term(code=None) as term):
            return term.label
        case Identifier():
            return values.unknown_type(value)
        case Ages(minimum=None, maximum=None):
            return value.label
        case _:
            return None


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
            value = draft.read(leaf, start, field)
            if value is not None:
                draft.put(field, value, start, start + 1)

    return reader


def many(field: str, leaf: Leaf) -> Reader:
    """A section of lines that are values of one kind; a line that is not stays behind."""

    def reader(draft: Draft, section: Section) -> None:
        _put_each(draft, field, leaf, range(*_block(draft, section.start, section.stop)))

    return reader


def _put_each(draft: Draft, field: str, leaf: Leaf, indexes: Iterable[int]) -> None:
    found = [(index, value) for index in indexes if (value := draft.read(leaf, index, field)) is not None]
    for index, _ in found:
        draft.take(index, index + 1)
    if found:
        draft.values[field] = tuple([value for _, value in found])
        draft.spans[field] = (found[0][0], found[-1][0])


def prose(field: str) -> Reader:
    """A section whose lines are one text, as they stand."""

    def reader(draft: Draft, section: Section) -> None:
        start, stop = _filled(draft, section._replace(stop=_prose_end(draft, section)))
        if start < stop:
            draft.put(field, "\n".join(draft.lines[start:stop]), start, stop)

    return reader


_VALUES = [row.first for row in ORDER if row.section in {"enrollment", "ages", "volunteers"} and row.first]


def _prose_end(draft: Draft, section: Section) -> int:
    """Find where prose ends: in a wordless page, above the values of the sections whose headings are gone."""
    if draft.form != "wordless":
        return section.stop
    lines = range(section.start, section.stop)
    return next((i for i in lines if any(value.fullmatch(draft.lines[i]) for value in _VALUES)), section.stop)


def side(field: str, side: Side | None) -> Reader:
    """A section of eligibility criteria: those of one side, or those of both under sub-headings."""

    def reader(draft: Draft, section: Section) -> None:
        start, stop = _filled(draft, section)
        parsed = criteria.read_criteria(draft.lines[start:stop], side)
        draft.values[field] = parsed
        if start < stop:
            draft.put(field, parsed, start, stop)
        for doubt in parsed.doubts:
            draft.warn("doubtful_side", start + doubt.at, doubt.message, field)
        if parsed.too_deep is not None:
            message = f"expected at most {criteria.MAX_DEPTH} levels of criteria, found more; they are read as siblings"
            draft.warn("criteria_too_deep", start + parsed.too_deep, message, field)

    return reader


def nothing(_draft: Draft, _section: Section) -> None:
    """A heading without a block: a line under it stays unparsed."""


def contacts(draft: Draft, section: Section) -> None:
    """The persons and centers of all lines."""
    many("central_contacts", values.contacts)(draft, section)
    if found := draft.values.get("central_contacts"):
        draft.values["central_contacts"] = tuple(chain.from_iterable(found))


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
    sentence = draft.read(values.participants, section.heading, "participants")
    if sentence is None:
        draft.taken[section.heading] = 0
    else:
        draft.put("participants", sentence, section.heading, section.start)
    if draft.form == "wordless":
        return  # without `Description:`, `Treatment:` and the names of one word, nothing tells the arms apart
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
        message = f"expected {sentence.groups} arms by this line, found {len(found)}"
        draft.warn("groups_differ", heading, message, "arms")
    types = {arm.type.code for arm in found if arm.type}
    # Whether the site calls a sham comparator a placebo group, no page shows; so it contradicts neither sentence.
    may_be_placebo = not types.isdisjoint({"PLACEBO_COMPARATOR", "SHAM_COMPARATOR", None})
    if complete and types and sentence.placebo_group and not may_be_placebo:
        message = "expected an arm of type 'Placebo Comparator' by this line, found none"
        draft.warn("placebo_differs", heading, message, "arms")
    if complete and not sentence.placebo_group and "PLACEBO_COMPARATOR" in types:
        message = "expected no arm of type 'Placebo Comparator' by this line, found one"
        draft.warn("placebo_differs", heading, message, "arms")


def _check_arms(draft: Draft, reading: arms.Reading, start: int) -> None:
    if reading.decided == "choice":
        message = "expected one way to tell the arms apart, found several; one was taken"
        draft.warn("ambiguous_arms", start, message, "arms")
    for index in reading.unknown_types:
        line = draft.lines[start + index].strip(" ")
        message = f"expected a known arm type, found {line!r}; it is kept as it is"
        draft.warn("unknown_label", start + index, message, "arms")
    for index in reading.unlisted:
        line = draft.lines[start + index].strip(" ")
        draft.warn("unlisted_treatment", start + index, f"expected a line of 'Treatments', found {line!r}", "arms")


def end(draft: Draft, section: Section) -> None:
    """The footer: chrome, as far as it is known."""
    for index in range(section.start, section.stop):
        if _FOOTER.fullmatch(draft.lines[index].strip(" ")):
            draft.take(index, index + 1)


def preamble(draft: Draft, stop: int) -> None:
    """What stands above the first heading: chrome, the title, the sponsor's letter or logo, the sponsor.

    Where no letter or logo is there, nothing tells the title from the sponsor but their order: that is a warning.
    """
    filled = _after_banner(draft, _without_chrome(draft, stop))
    marks = [place for place, index in enumerate(filled) if place and is_mark(draft.lines[index].strip(" "))]
    if marks:
        mark = next((place for place in reversed(marks) if place < len(filled) - 1), marks[-1])
        draft.take(filled[mark], filled[mark] + 1)
        title, sponsor = [filled[mark - 1]], _sponsor(draft, filled, mark)
    elif draft.form == "wordless":
        title, sponsor = filled[:1], []  # the letter is gone, and the sponsor may be
    else:
        title, sponsor = filled[-2:-1], filled[-1:]
        if title and draft.form == "full":
            message = "expected the sponsor's letter or logo between title and sponsor, found none"
            draft.warn("missing_section", title[0], message, "sponsor")
    for index in sponsor:
        draft.put("sponsor", draft.lines[index].strip(" "), index, index + 1)
    for index in title:
        _put_title(draft, index)


def _without_chrome(draft: Draft, stop: int) -> list[int]:
    """Take the site's own lines, and list the others that are not blank."""
    site = set(SITE)
    filled = []
    for index in range(stop):
        line = draft.lines[index].strip(" ")
        if line in site:
            site.remove(line)
            draft.take(index, index + 1)
        elif line:
            filled.append(index)
    return filled


def _after_banner(draft: Draft, filled: list[int]) -> list[int]:
    """Read the banner of a research site: its letter or logo, its name, and whether it is Veeva-enabled."""
    texts = [draft.lines[index].strip(" ") for index in filled]
    if len(texts) < 3 or texts[0] != BANNER or not is_mark(texts[1]):  # noqa: PLR2004  banner, letter, name
        return filled
    enabled = texts[3:4] == [VEEVA_ENABLED]
    end = 3 + enabled
    site = ReferringSite(name=texts[2], veeva_enabled=enabled)
    draft.put("referring_site", site, filled[0], filled[end - 1] + 1)
    return filled[end:]


def _sponsor(draft: Draft, filled: list[int], mark: int) -> list[int]:
    """Find the sponsor, under its mark, if it is there: in a wordless page, only the logo can tell that it is."""
    logo = draft.lines[filled[mark]].strip(" ")
    return [
        index
        for index in filled[mark + 1 : mark + 2]
        if draft.form != "wordless" or logo == f"{draft.lines[index].strip(' ')} logo"
    ]


def _put_title(draft: Draft, index: int) -> None:
    text = draft.lines[index].strip(" ")
    brief_title, acronym = values.title(text)
    draft.put("title", text, index, index + 1)
    draft.put("brief_title", brief_title, index, index + 1)
    if acronym:
        draft.put("acronym", acronym, index, index + 1)


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
    "inclusion": side("eligibility.inclusion", "inclusion"),
    "exclusion": side("eligibility.exclusion", "exclusion"),
    "criteria": side("eligibility.unassigned", None),
    "design": nothing,
    "primary_purpose": one("design.primary_purpose", term("PrimaryPurpose")),
    "allocation": one("design.allocation", term("DesignAllocation")),
    "intervention_model": one("design.intervention_model", term("InterventionalAssignment")),
    "masking": one("design.masking", term("DesignMasking")),
    "participants": participants,
    "documents": one("document_count", values.count),
    "locations": one("location_count", values.count),
    "loading": nothing,
    "contacts": contacts,
    "end": end,
}
"""Who reads each section of `sections.ORDER`."""

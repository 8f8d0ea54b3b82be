"""A page to its record, and the account of its lines.

    page ─pages.text_of─▶ text ─layout.lines_of─▶ lines ─sections.find─▶ sections ─fields.READERS─▶ draft ─▶ Trial

Every line that is not blank ends in a field, in known chrome, or in `unparsed`: the readers mark what they take, and
what nobody took is put into `unparsed` here, so nothing is lost because nobody looked.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from trialscrape.addresses import drop_referrer
from trialscrape.parsing import fields, sections
from trialscrape.parsing import lines as layout
from trialscrape.parsing import text as pages
from trialscrape.parsing.fields import Draft
from trialscrape.parsing.sections import Row, Section, Sections
from trialscrape.records import Design, Eligibility, Source, TracedTrial, Trial, UnparsedLine, warning


class Reading(NamedTuple):
    """What a page says: the record's values, the lines of each field from 0, and how many lines are not blank."""

    values: dict[str, Any]
    spans: dict[str, tuple[int, int]]
    filled: int


def parse(
    page: str | bytes, *, file: str | None = None, url: str | None = None, content_type: str | None = None
) -> Trial:
    """Read one saved study page.

    Args:
        page: Its text, HTML, MHTML or webarchive; bytes may be gzip and in any charset.
        file: Where it was saved; goes into `source.file` as given.
        url: Where it came from; goes into `source.url` without `comeFrom`. Without it, the page's own address does.
        content_type: The HTTP header that came with it; its charset counts before one that the page declares.

    Returns:
        The record. What is doubtful is in its `warnings`, what nobody understood in `unparsed`.

    Raises:
        NotAStudyPage: It is something else, or nothing.
        SeveralPages: It holds more than one study page.
        TooLarge: It is larger than `pages.MAX_BYTES`.
        Unreadable: It is a broken gzip file, MHTML file or webarchive.
    """
    return Trial.model_validate(read(page, file=file, url=url, content_type=content_type).values)


def trace(
    page: str | bytes, *, file: str | None = None, url: str | None = None, content_type: str | None = None
) -> TracedTrial:
    """Read one saved study page like `parse`, with the source lines of each field in `spans`."""
    reading = read(page, file=file, url=url, content_type=content_type)
    spans = {field: (first + 1, last + 1) for field, (first, last) in reading.spans.items()}
    return TracedTrial.model_validate(reading.values | {"spans": spans})


def read(
    page: str | bytes, *, file: str | None = None, url: str | None = None, content_type: str | None = None
) -> Reading:
    """Read one saved study page into the values of a record; arguments and errors are those of `parse`."""
    text, warnings, own_url = pages.text_of(page, content_type=content_type)
    url = url or own_url
    lines = layout.lines_of(text)
    found = sections.find(lines)
    draft = Draft(lines, found.form, complete=found.sections[-1].name == "end")
    draft.warnings.extend(warnings)
    fields.preamble(draft, found.sections[0].heading)
    for section in found.sections:
        draft.take(section.heading, section.start)
        fields.READERS[section.name](draft, section)
    source = Source(
        file=_escaped(file),
        url=_escaped(url and drop_referrer(url)),
        sha256=hashlib.sha256(page.encode("utf-8", "backslashreplace") if isinstance(page, str) else page).hexdigest(),
        form="full" if found.form == "full" else "stripped",
    )
    unparsed = [index for index, taken in enumerate(draft.taken) if not taken and lines[index]]
    _check_sections(draft, found)
    _check_counts(draft)
    if unparsed and found.form != "wordless":
        _check_unparsed(draft, found, unparsed)
    values = _EMPTY | draft.values
    values["eligibility"] = _eligibility(values)
    values["design"] = _design(values)
    values["source"] = source
    values["unparsed"] = tuple([UnparsedLine(line=index + 1, text=lines[index]) for index in unparsed])
    values["warnings"] = tuple(sorted(draft.warnings, key=lambda warning: warning.line or 0))
    record = {field: values[field] for field in Trial.model_fields}
    return Reading(record, draft.spans, len(lines) - lines.count(""))


_T = TypeVar("_T", bound=Trial)
_EVIDENCE = {
    "title+sponsor": "sponsor",
    "title+summary": "brief summary",
    "title+facts": "two of enrollment, conditions and treatments",
}


def with_matched_id(trial: _T, nct_id: str, matched_by: str) -> _T:
    """Give a record whose page shows no identifier the id that it was matched to by its title, and say so in it."""
    evidence = _EVIDENCE.get(matched_by)
    if evidence is None:
        return trial
    message = f"expected an NCT id on the page, found none; the id was matched by the registry's title and {evidence}"
    note = warning("nct_id_not_on_page", message, field="nct_id")
    return trial.model_copy(update={"nct_id": nct_id, "warnings": (note, *trial.warnings)})


def _escaped(name: str | None) -> str | None:
    # A file name of the system may hold half a surrogate pair, JSON may not.
    return name and name.encode("utf-8", "backslashreplace").decode()


_EMPTY: dict[str, Any] = {
    field: () if str(info.annotation).startswith("tuple") else None for field, info in Trial.model_fields.items()
}
_STRIPPED = {
    "stripped": "short values, lists and arms are gone",
    "wordless": "the lines of a single word are gone, and the arms with them",
}
_LONGEST_HEADING = 60
_BOTH_SIDES = 2
_CRITERIA = ("eligibility.inclusion", "eligibility.exclusion", "eligibility.unassigned")
_DESIGN = tuple(Design.model_fields)


def _design(values: dict[str, Any]) -> Design | None:
    design = {field: values.get(f"design.{field}") for field in _DESIGN}
    return Design(**design) if any(design.values()) else None


def _eligibility(values: dict[str, Any]) -> Eligibility:
    sections = [values[field] for field in _CRITERIA if field in values]
    return Eligibility(
        combined="eligibility.unassigned" in values,
        inclusion=tuple([criterion for section in sections for criterion in section.inclusion]),
        exclusion=tuple([criterion for section in sections for criterion in section.exclusion]),
        unassigned=tuple([criterion for section in sections for criterion in section.unassigned]),
    )


def _check_counts(draft: Draft) -> None:
    enrollment, participants = draft.values.get("enrollment"), draft.values.get("participants")
    if enrollment and participants and enrollment.count != participants.count:
        message = f"expected {enrollment.count:,} participants as enrolled, found {participants.count:,}"
        draft.warn("enrollment_differs", draft.spans["participants"][0], message, "enrollment")


def _check_sections(draft: Draft, found: Sections) -> None:
    for other in found.doubtful:
        message = f"expected the heading {draft.lines[other.at].strip()!r} once, found it again; the first was taken"
        draft.warn("ambiguous_heading", other.at, message, other.row.field)
    if found.form in _STRIPPED:
        draft.warn("stripped_page", None, f"expected the full text, found a stripped one: {_STRIPPED[found.form]}")
    if not draft.complete:
        last = max(index for index, line in enumerate(draft.lines) if line)
        draft.warn(
            "cut_page", last, f"expected the page's footer, found its end under {_heading(draft, found.sections[-1])!r}"
        )
    if found.form == "full":
        for field in ("title", "sponsor"):
            if field not in draft.values:
                message = f"expected the {field} above the first heading, found none"
                draft.warn("missing_section", None, message, field)
        _check_missing(draft, found.sections)
        _check_empty(draft, found.sections)


def _check_missing(draft: Draft, found: Sequence[Section]) -> None:
    study_type = getattr(draft.values.get("study_type"), "code", None)
    excused = {"design"} if study_type in {"EXPANDED_ACCESS", "OBSERVATIONAL"} else set()
    present = {place: section for section in found for place in sections.places(section.name)}
    last = max(present) if not draft.complete else len(sections.ORDER)
    for row in sections.ORDER:
        if row.place[0] != row.place[1] or row.place[0] in present or row.place[0] > last:
            continue
        if row.expected != "maybe" and row.section not in excused:
            before = [section for place, section in present.items() if place < row.place[0]]
            _warn_missing(draft, row, before[-1] if before else None)


def _warn_missing(draft: Draft, row: Row, before: Section | None) -> None:
    heading = row.headings[0]
    place = f" after {_heading(draft, before)!r}" if before else ""
    message = f"expected the heading {heading!r}{place}, found none"
    suspects = _suspects(draft, before) if before else []
    if suspects:
        message += "; it may be " + " or ".join(f"{draft.lines[i]!r} in line {i + 1}" for i in suspects[:3])
    draft.warn("missing_section", before.heading if before else None, message, row.field)


def _suspects(draft: Draft, section: Section) -> list[int]:
    """Find the short lines of a section that could be a heading nobody knows; best those that stand alone."""
    lines = draft.lines
    prose = sections.is_prose(section.name)
    short = [
        index
        for index in range(section.start, section.stop)
        if 0 < len(lines[index]) <= _LONGEST_HEADING and lines[index][0].isupper() and lines[index][-1] not in ".:;,"
    ]
    alone = [i for i in short if (prose or not draft.taken[i]) and sections.alone(lines, i) == _BOTH_SIDES]
    return alone or [index for index in short if not draft.taken[index]]


def _check_empty(draft: Draft, found: Sequence[Section]) -> None:
    """Warn of a heading over nothing, where pages always have something."""
    for section in found if draft.complete else found[:-1]:
        if sections.has_value(section.name) and not any(draft.lines[section.start : section.stop]):
            message = f"expected something under {_heading(draft, section)!r}, found nothing"
            draft.warn("empty_section", section.heading, message, sections.field(section.name))


def _check_unparsed(draft: Draft, found: Sections, unparsed: Sequence[int]) -> None:
    """Warn of a line behind the title that stands alone over others, as a heading does, and is none that is known."""
    told = {warning.line for warning in draft.warnings}
    left = set(unparsed)
    top = Section("preamble", 0, draft.spans.get("sponsor", (0, 0))[1] + 1, found.sections[0].heading)
    for section in (top, *found.sections):
        if section.name == "end":
            continue
        filled = [index for index in range(section.start, section.stop) if draft.lines[index]]
        for index in filled if section is top else filled[:-1]:
            if index in left and index + 1 not in told and sections.alone(draft.lines, index) == _BOTH_SIDES:
                message = f"expected a known heading or none, found {draft.lines[index].strip(' ')!r}"
                draft.warn("unknown_heading", index, message)


def _heading(draft: Draft, section: Section) -> str:
    return draft.lines[section.heading].strip(" ")

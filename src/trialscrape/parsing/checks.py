"""What the sections of a page say of each other, and what is missing: warnings, once all sections are read."""

from collections.abc import Sequence

from trialscrape.parsing import sections
from trialscrape.parsing.sections import FoundSection, FoundSections, Layout, Section
from trialscrape.parsing.state import ParseState
from trialscrape.wording import write_count

_STRIPPED = {
    "stripped": "short values, lists and arms are gone",
    "wordless": "the lines of a single word are gone, and the arms with them",
}
_LONGEST_HEADING = 60
_BOTH_SIDES = 2


def check_sections(state: ParseState, outline: FoundSections, layout: Layout, unparsed: Sequence[int]) -> None:
    """Warn of everything doubtful about a page."""
    if outline.form == "full":
        _check_sentence(state, complete=state.complete or bool(outline.sections[-1].section.heading))
    for candidate in outline.doubtful:
        message = f"expected the heading {state.text(candidate.at)!r} once, found it again; the first was taken"
        state.warn("ambiguous_heading", candidate.at, message, candidate.section.kind.field)
    if outline.form in _STRIPPED:
        state.warn("stripped_page", None, f"expected the full text, found a stripped one: {_STRIPPED[outline.form]}")
    if not state.complete:
        last = max(index for index, line in enumerate(state.lines) if line)
        end = state.text(outline.sections[-1].heading)
        state.warn("cut_page", last, f"expected the page's footer, found its end under {end!r}")
    if outline.form == "full":
        _check_preamble(state)
        _check_missing(state, outline.sections, layout)
        _check_empty(state, outline.sections)
    _check_enrollment(state)
    if unparsed and outline.form != "wordless":
        _check_unparsed(state, outline, unparsed)


def _check_sentence(state: ParseState, *, complete: bool) -> None:
    """Compare the number of arms and their types with the sentence; a cut page may show fewer than it says."""
    sentence, arms = state.values.get("participants"), state.values.get("arms", ())
    if sentence is None:
        return
    heading = state.spans["participants"][0]
    if len(arms) > sentence.groups or (complete and len(arms) < sentence.groups):
        message = f"expected {write_count(sentence.groups, 'arm')} by this line, found {len(arms)}"
        state.warn("groups_differ", heading, message, "arms")
    types = {arm.type.code for arm in arms if arm.type}
    # Whether the site calls a sham comparator a placebo group, no page shows; so it contradicts neither sentence.
    may_be_placebo = not types.isdisjoint({"PLACEBO_COMPARATOR", "SHAM_COMPARATOR", None})
    if complete and types and sentence.placebo_group and not may_be_placebo:
        message = "expected an arm of type 'Placebo Comparator' by this line, found none"
        state.warn("placebo_differs", heading, message, "arms")
    if complete and not sentence.placebo_group and "PLACEBO_COMPARATOR" in types:
        message = "expected no arm of type 'Placebo Comparator' by this line, found one"
        state.warn("placebo_differs", heading, message, "arms")


def _check_enrollment(state: ParseState) -> None:
    enrollment, participants = state.values.get("enrollment"), state.values.get("participants")
    if enrollment and participants and enrollment.count != participants.count:
        message = f"expected {write_count(enrollment.count, 'participant')} as enrolled, found {participants.count:,}"
        state.warn("enrollment_differs", state.spans["participants"][0], message, "enrollment")


def _check_preamble(state: ParseState) -> None:
    for field in ("title", "sponsor"):
        if field not in state.values:
            state.warn("missing_section", None, f"expected the {field} above the first heading, found none", field)


def _check_missing(state: ParseState, found_sections: Sequence[FoundSection], layout: Layout) -> None:
    study_type = getattr(state.values.get("study_type"), "code", None)
    places = layout.places
    present = {
        place: found_section
        for found_section in found_sections
        for place in range(places[found_section.section.name][0], places[found_section.section.name][1] + 1)
    }
    last = len(layout.sections) if state.complete else max(present)
    for section in layout.sections:
        place = places[section.name][0]
        if section.stands_for or section.expected == "maybe" or study_type in section.excused_for:
            continue
        if place not in present and place <= last:
            before = [found_section for at, found_section in present.items() if at < place]
            _warn_missing(state, section, before[-1] if before else None)


def _warn_missing(state: ParseState, section: Section, before: FoundSection | None) -> None:
    place = f" after {state.text(before.heading)!r}" if before else ""
    message = f"expected the heading {section.heading!r}{place}, found none"
    suspects = _find_suspects(state, before) if before else []
    if suspects:
        message += "; it may be " + " or ".join(f"{state.lines[i]!r} in line {i + 1}" for i in suspects[:3])
    state.warn("missing_section", before.heading if before else None, message, section.kind.field)


def _find_suspects(state: ParseState, section: FoundSection) -> list[int]:
    """Find the short lines of a section that could be an unknown heading; best those that stand alone."""
    lines = state.lines
    prose = section.section.kind.block == "prose"
    short = [
        index
        for index in range(section.start, section.stop)
        if 0 < len(lines[index]) <= _LONGEST_HEADING and lines[index][0].isupper() and lines[index][-1] not in ".:;,"
    ]
    alone = [i for i in short if (prose or not state.taken[i]) and sections.count_open_sides(lines, i) == _BOTH_SIDES]
    return alone or [index for index in short if not state.taken[index]]


def _check_empty(state: ParseState, found_sections: Sequence[FoundSection]) -> None:
    """Warn of a heading over nothing, where pages always have something."""
    for section in found_sections if state.complete else found_sections[:-1]:
        kind = section.section.kind
        if not kind.may_be_empty and not any(state.lines[section.start : section.stop]):
            message = f"expected something under {state.text(section.heading)!r}, found nothing"
            state.warn("empty_section", section.heading, message, kind.field)


def _check_unparsed(state: ParseState, outline: FoundSections, unparsed: Sequence[int]) -> None:
    """Warn of a line below the title that stands alone above others, as an unknown heading does."""
    warned = {warning.line for warning in state.warnings}
    left = set(unparsed)
    top = range(state.spans.get("sponsor", (0, 0))[1] + 1, outline.sections[0].heading)
    below = outline.sections[:-1] if state.complete else outline.sections  # the footer is no place for a heading
    for lines in (top, *(range(section.start, section.stop) for section in below)):
        filled = [index for index in lines if state.lines[index]]
        for index in filled if lines is top else filled[:-1]:
            if (
                index in left
                and index + 1 not in warned
                and sections.count_open_sides(state.lines, index) == _BOTH_SIDES
            ):
                message = f"expected a known heading or none, found {state.text(index)!r}"
                state.warn("unknown_heading", index, message)

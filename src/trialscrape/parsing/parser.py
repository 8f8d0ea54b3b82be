"""A page to its record, and the account of its lines.

    page ─text─▶ text ─lines─▶ lines ─sections─▶ sections ─kinds─▶ state ─checks─▶ warnings ─▶ Trial

Every line that is not blank ends in a field, in known chrome, or in `unparsed`: the kinds mark what they take, and what
is left goes into `unparsed` here, so no line is lost.
"""

import hashlib
from typing import Any, NamedTuple

from trialscrape.addresses import drop_referrer
from trialscrape.page import Match, Page
from trialscrape.parsing.checks import check_sections
from trialscrape.parsing.criterion_lines import find_criterion_lines
from trialscrape.parsing.layout import LAYOUT
from trialscrape.parsing.lines import split_lines
from trialscrape.parsing.preamble import read_preamble
from trialscrape.parsing.sections import find_sections
from trialscrape.parsing.state import ParseState
from trialscrape.parsing.text import decode
from trialscrape.records import Design, Eligibility, Source, TracedTrial, Trial, UnparsedLine, warning


class ParsedPage(NamedTuple):
    """What a page says: the record's values, the lines of each field from 0, and how many lines are not blank."""

    values: dict[str, Any]
    spans: dict[str, tuple[int, int]]
    text: list[str]
    filled: int

    def build(self) -> Trial:
        """Build the record."""
        return Trial.model_validate(self.values)

    def build_traced(self) -> TracedTrial:
        """Build the record with the source lines of each field, from 1."""
        found = self.spans | find_criterion_lines(self.text, self.spans, self.values["eligibility"])
        spans = {field: (first + 1, last + 1) for field, (first, last) in found.items()}
        return TracedTrial.model_validate(self.values | {"spans": spans})


def parse_page(page: Page) -> ParsedPage:
    """Read one study page.

    Args:
        page: Its body is text or HTML in any charset, without anything around it. The charset of its content type
            counts before one that it declares, its `url` before the address that it gives itself.

    Returns:
        What it says. Doubts are in `warnings`, lines the parser does not understand in `unparsed`.

    Raises:
        NotAStudyPage: It is something else, or nothing.
        SeveralPages: It holds more than one study page.
        TooLarge: It has more lines or markup than the limits.
    """
    text, warnings, own_url = decode(page)
    url = page.url or own_url
    lines = split_lines(text)
    outline = find_sections(lines, LAYOUT)
    state = ParseState(lines, outline.form, complete=outline.sections[-1].section is LAYOUT.sections[-1])
    state.warnings.extend(warnings)
    read_preamble(state, outline.sections[0].heading)
    for section in outline.sections:
        state.take(section.heading, section.start)
        section.section.kind.read(state, section)
    unparsed = [index for index, taken in enumerate(state.taken) if not taken and lines[index]]
    check_sections(state, outline, LAYOUT, unparsed)
    record = state.values | {
        "eligibility": _build_eligibility(state),
        "design": Design(**(dict.fromkeys(Design.model_fields) | state.design)) if state.design else None,
        "source": Source(
            file=_escape(page.file),
            url=_escape(url and drop_referrer(url)),
            sha256=page.sha256 or hashlib.sha256(page.body).hexdigest(),
            form="full" if outline.form == "full" else "stripped",
        ),
        "unparsed": tuple([UnparsedLine(line=index + 1, text=lines[index]) for index in unparsed]),
        "warnings": tuple(sorted(state.warnings, key=lambda warning: warning.line or 0)),
    }
    return ParsedPage(record, state.spans, lines, len(lines) - lines.count(""))


def _build_eligibility(state: ParseState) -> Eligibility:
    return Eligibility(
        combined=state.combined,
        inclusion=tuple([criterion for parsed in state.criteria for criterion in parsed.inclusion]),
        exclusion=tuple([criterion for parsed in state.criteria for criterion in parsed.exclusion]),
        unassigned=tuple([criterion for parsed in state.criteria for criterion in parsed.unassigned]),
    )


_EVIDENCE = {
    "title+sponsor": "sponsor",
    "title+summary": "brief summary",
    "title+facts": "two of enrollment, conditions and treatments",
}


def add_matched_id(trial: Trial, match: Match) -> Trial:
    """Add the id that a page without an identifier was matched to by its title, with a note."""
    evidence = _EVIDENCE.get(match.kind)
    if evidence is None:
        return trial
    message = f"expected an NCT id on the page, found none; the id was matched by the registry's title and {evidence}"
    note = warning("nct_id_not_on_page", message, field="nct_id")
    return trial.model_copy(update={"nct_id": match.nct_id, "warnings": (note, *trial.warnings)})


def _escape(name: str | None) -> str | None:
    # A file name of the system may hold half a surrogate pair, JSON may not.
    return name and name.encode("utf-8", "backslashreplace").decode()

"""A page to its record, and the account of its lines.

    page ─text─▶ text ─lines─▶ lines ─sections─▶ sections ─kinds─▶ state ─checks─▶ warnings ─▶ Trial

Every line that is not blank ends in a field, in known chrome, or in `unparsed`: the kinds mark what they take, and what
is left is put into `unparsed` here, so nothing is lost because nobody looked.
"""

import hashlib
from typing import Any, NamedTuple, TypeVar

from trialscrape.parsing import text as pages
from trialscrape.parsing.checks import check
from trialscrape.parsing.layout import LAYOUT
from trialscrape.parsing.lines import lines_of
from trialscrape.parsing.preamble import read_preamble
from trialscrape.parsing.sections import find_sections
from trialscrape.parsing.state import ParseState
from trialscrape.records import Design, Eligibility, Source, TracedTrial, Trial, UnparsedLine, warning
from trialscrape.slugs import drop_referrer


class ParsedPage(NamedTuple):
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
    parsed = read(page, file=file, url=url, content_type=content_type)
    spans = {field: (first + 1, last + 1) for field, (first, last) in parsed.spans.items()}
    return TracedTrial.model_validate(parsed.values | {"spans": spans})


def read(
    page: str | bytes, *, file: str | None = None, url: str | None = None, content_type: str | None = None
) -> ParsedPage:
    """Read one saved study page into the values of a record; arguments and errors are those of `parse`."""
    data = page.encode("utf-8", "backslashreplace") if isinstance(page, str) else page
    text, warnings, own_url = pages.text_of(page, content_type=content_type)
    url = url or own_url
    lines = lines_of(text)
    found = find_sections(lines, LAYOUT)
    state = ParseState(lines, found.form, complete=found.sections[-1].section is LAYOUT.sections[-1])
    state.warnings.extend(warnings)
    read_preamble(state, found.sections[0].heading)
    for one in found.sections:
        state.take(one.heading, one.start)
        one.section.kind.read(state, one)
    unparsed = [index for index, taken in enumerate(state.taken) if not taken and lines[index]]
    check(state, found, LAYOUT, unparsed)
    record = state.values | {
        "eligibility": _eligibility(state),
        "design": Design(**(dict.fromkeys(Design.model_fields) | state.design)) if state.design else None,
        "source": Source(
            file=_escaped(file),
            url=_escaped(url and drop_referrer(url)),
            sha256=hashlib.sha256(data).hexdigest(),
            form="full" if found.form == "full" else "stripped",
        ),
        "unparsed": tuple([UnparsedLine(line=index + 1, text=lines[index]) for index in unparsed]),
        "warnings": tuple(sorted(state.warnings, key=lambda warning: warning.line or 0)),
    }
    return ParsedPage(record, state.spans, len(lines) - lines.count(""))


def _eligibility(state: ParseState) -> Eligibility:
    return Eligibility(
        combined=state.combined,
        inclusion=tuple([criterion for parsed in state.criteria for criterion in parsed.inclusion]),
        exclusion=tuple([criterion for parsed in state.criteria for criterion in parsed.exclusion]),
        unassigned=tuple([criterion for parsed in state.criteria for criterion in parsed.unassigned]),
    )


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

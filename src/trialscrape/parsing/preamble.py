"""What stands above the first heading: the site's own lines, a banner, the title, and the sponsor under its mark."""

from collections.abc import Iterator, Sequence

from trialscrape.parsing import values
from trialscrape.parsing.sections import is_mark
from trialscrape.parsing.state import ParseState
from trialscrape.records import ReferringSite, Trial

SITE = ("ClinicalTrials.Veeva", "Menu")
"""The lines above the title that every page has."""

BANNER = "The trial is taking place at:"
VEEVA_ENABLED = "Veeva-enabled site"


def read_preamble(state: ParseState, stop: int) -> None:
    """Read the lines above a heading.

    Where no letter or logo is there, nothing tells the title from the sponsor but their order: that is a warning.
    """
    filled = _take_banner(state, _take_chrome(state, stop))
    marks = [place for place, index in enumerate(filled) if place and is_mark(state.text(index))]
    if marks:
        mark = next((place for place in reversed(marks) if place < len(filled) - 1), marks[-1])
        state.take(filled[mark], filled[mark] + 1)
        title, sponsor = [filled[mark - 1]], _find_sponsor(state, filled, mark)
    elif state.form == "wordless":
        title, sponsor = filled[:1], []  # the letter is gone, and the sponsor may be
    else:
        title, sponsor = filled[-2:-1], filled[-1:]
        if title and state.form == "full":
            message = "expected the sponsor's letter or logo between title and sponsor, found none"
            state.warn("missing_section", title[0], message, "sponsor")
    for index in sponsor:
        state.put("sponsor", state.text(index), index, index + 1)
    for index in title:
        _put_title(state, index)


def write_preamble(trial: Trial) -> Iterator[str]:
    """Write the lines above the first heading; a stripped page may have none."""
    if trial.source.form == "stripped" and trial.title is None:
        return
    yield from SITE
    if trial.referring_site:
        name = trial.referring_site.name
        yield from (BANNER, f"{name} logo", name, VEEVA_ENABLED if trial.referring_site.veeva_enabled else "")
    yield trial.title or ""
    if trial.sponsor:
        yield from (f"{trial.sponsor} logo", trial.sponsor)


def _take_chrome(state: ParseState, stop: int) -> list[int]:
    """Take the site's own lines, and list the others that are not blank."""
    site = set(SITE)
    filled = []
    for index in range(stop):
        line = state.text(index)
        if line in site:
            site.remove(line)
            state.take(index, index + 1)
        elif line:
            filled.append(index)
    return filled


def _take_banner(state: ParseState, filled: list[int]) -> list[int]:
    """Read the banner of a research site: its letter or logo, its name, and whether it is Veeva-enabled."""
    texts = [state.text(index) for index in filled]
    if len(texts) < 3 or texts[0] != BANNER or not is_mark(texts[1]):  # noqa: PLR2004  banner, letter, name
        return filled
    enabled = texts[3:4] == [VEEVA_ENABLED]
    end = 3 + enabled
    site = ReferringSite(name=texts[2], veeva_enabled=enabled)
    state.put("referring_site", site, filled[0], filled[end - 1] + 1)
    return filled[end:]


def _find_sponsor(state: ParseState, filled: Sequence[int], mark: int) -> list[int]:
    """Find the sponsor, under its mark, if it is there: in a wordless page, only the logo can tell that it is."""
    logo = state.text(filled[mark])
    below = filled[mark + 1 : mark + 2]
    return [index for index in below if state.form != "wordless" or logo == f"{state.text(index)} logo"]


def _put_title(state: ParseState, index: int) -> None:
    text = state.text(index)
    brief_title, acronym = values.title(text)
    state.put("title", text, index, index + 1)
    state.put("brief_title", brief_title, index, index + 1)
    if acronym:
        state.put("acronym", acronym, index, index + 1)

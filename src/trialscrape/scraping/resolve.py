"""Where the page of an id may be, and whether a page is its page."""

import re
import unicodedata
from collections.abc import Iterator

from trialscrape.records import Trial
from trialscrape.registry.mapping import RegistryAnswer
from trialscrape.slugs import LENGTH, make_slugs, number_slug, split_words
from trialscrape.store.store import Match, Store

MOST_CANDIDATES = 8
"""Addresses that are tried for one id. Each is a request, so the likeliest come first and the rest is not guessed."""

_NEAR_ENOUGH = 0.6  # of a title's words: a renamed study keeps most of them
_NEIGHBOURS = 3
_COUNTER = re.compile("-[0-9]+$")
# A last round bracket of one to three words, as the site adds an acronym to a title.
_ACRONYM = re.compile(r" *\([^()\s]+(?: [^()\s]+){0,2}\) *\Z")
# What the registry calls a trial of a device before that is approved. Hundreds of pages have this slug and a counter.
_DEVICE_SLUG = "trial-of-device-that-is-not-approved-or-cleared-by-the-us-fda"
_LONGEST_TITLE = 200
_FACTS = ("enrollment", "conditions", "treatments")
_FACTS_NEEDED = 2
_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
_MARKER = re.compile(r"^[ \t]*(?:[*+•-]|[0-9]{1,3}[.)])[ \t]+", re.MULTILINE)


def candidates(answer: RegistryAnswer, store: Store, *, length: int = LENGTH) -> list[str]:
    """Give the slugs at which the page of a study may be, the likeliest first.

    Where the store has a slug index, the slugs that the titles give are looked up in it, and the nearest ones follow;
    a slug that is not in it is tried only if nothing is, since an index may be older than a page. None where the
    registry's titles say nothing of the study.

    Args:
        answer: What the registry says of the study; its brief and its official title make the slugs.
        store: Has the slug index, which may be empty.
        length: Where the site cuts a title.
    """
    titles = [title for title in (answer.brief_title, answer.official_title) if title and not _is_of_any_device(title)]
    made = _made(titles, length)
    forms = [*made, *(form for slug in made for form in number_slug(slug))]
    listed = [slug for slug in forms if store.slug_exists(slug)]
    near = [slug for title in titles for slug in _near(store, title, length)]
    return list(dict.fromkeys([*listed, *near]))[:MOST_CANDIDATES] or _shortlist(made)


def duplicates(slug: str, store: Store) -> list[str]:
    """Give the further addresses of a title, for one whose page is that of another study with the same title.

    None where the store has a slug index: the candidates hold all that it lists.
    """
    return [] if store.index_status().slugs else list(number_slug(_COUNTER.sub("", slug)))


def _is_of_any_device(title: str) -> bool:
    return make_slugs(title) == (_DEVICE_SLUG,)


def _made(titles: list[str], length: int) -> list[str]:
    """Give the slugs of titles, and of those titles without a last bracket, before what the rule leaves open."""
    forms = dict.fromkeys([*titles, *(_ACRONYM.sub("", title) for title in titles)])
    slugs = [make_slugs(form, length=length) for form in forms]
    first, second = ([slug for made in slugs for slug in made[part]] for part in (slice(1), slice(1, None)))
    return list(dict.fromkeys([*first, *second]))


def _shortlist(made: list[str]) -> list[str]:
    """Without an index: the two likeliest slugs, the first duplicate of each, then the other readings."""
    likeliest = made[:2]
    seconds = [number_slug(slug)[0] for slug in likeliest]
    return [*likeliest, *seconds, *made[2:]][:MOST_CANDIDATES]


def _near(store: Store, title: str, length: int) -> Iterator[str]:
    slugs = make_slugs(title, length=length)
    if slugs:
        found = store.near(slugs[0], split_words(title), limit=_NEIGHBOURS)
        yield from (near.slug for near in found if near.score >= _NEAR_ENOUGH)


def match_page(trial: Trial, nct_id: str, answer: RegistryAnswer | None = None) -> Match | None:
    """Tell whether a page is an id's, and by what.

    A page that shows an NCT id is that study's and no other's. One without any identifier must have the registry's
    title, and besides the sponsor, the brief summary, or two of enrollment, conditions and treatments. The site has
    its own names for sponsors, so another sponsor says nothing. Two studies can have one title and much else in common:
    where both the brief summary and the enrollment differ, it is not the page.

    Args:
        trial: What the page says.
        nct_id: The id asked for, current or old.
        answer: What the registry says of it; without, only the id itself is a match.
    """
    if trial.nct_id == nct_id:
        return Match("nct_id", nct_id)
    if answer is None or answer.nct_id is None:
        return None
    if trial.nct_id == answer.nct_id:
        return Match("current_nct_id", answer.nct_id)
    if trial.identifiers or not same_title(trial, answer):
        return None
    matched_by = _matched_by(_compare(trial, answer))
    return Match(matched_by, answer.nct_id) if matched_by else None


def explain_mismatch(trial: Trial, answer: RegistryAnswer) -> str:
    """Say why a page is not taken for the registry's study; it follows the page's address."""
    if trial.nct_id:
        return f"is of {trial.nct_id}"
    if trial.identifiers:
        return f"is of {', '.join(identifier.value for identifier in trial.identifiers)}"
    if not same_title(trial, answer):
        return f"has no identifier, and another title: {shortened(trial.title)}"
    compared = _compare(trial, answer)
    words = {True: "the same", False: "other", None: "not on both sides"}
    told = ", ".join(f"{name} {words[same]}" for name, same in compared.items())
    return f"has no identifier, and its title alone is no proof; compared with the registry: {told}"


def shortened(title: str | None) -> str:
    """Quote a title for a message."""
    return repr(title if title is None or len(title) <= _LONGEST_TITLE else f"{title[:_LONGEST_TITLE]}…")


def same_title(trial: Trial, answer: RegistryAnswer) -> bool:
    """Tell whether a page shows the registry's brief or official title, with or without the acronym."""
    shown = trial.title or ""
    forms = {_plain(shown)}
    if answer.acronym:
        forms.add(_plain(shown.removesuffix(f"({answer.acronym})")))
    return bool({_plain(title) for title in (answer.official_title, answer.brief_title) if title} & forms)


def _compare(trial: Trial, answer: RegistryAnswer) -> dict[str, bool | None]:
    """Compare what a page and the registry say besides the title; None where one of them says nothing."""
    enrollment = (trial.enrollment.count, trial.enrollment.type) if trial.enrollment else None
    treatments = frozenset((each.type.code, _plain(each.name)) for each in trial.interventions)
    return {
        "sponsor": _same(_plain(trial.sponsor), _plain(answer.sponsor)),
        "brief summary": _same(_plain_markup(trial.brief_summary), _plain_markup(answer.brief_summary)),
        "enrollment": _same(enrollment, answer.enrollment),
        "conditions": _same(frozenset(map(_plain, trial.conditions)), frozenset(map(_plain, answer.conditions))),
        "treatments": _same(treatments, frozenset((kind, _plain(name)) for kind, name in answer.interventions)),
    }


def _matched_by(same: dict[str, bool | None]) -> str | None:
    if same["brief summary"] is False and same["enrollment"] is False:
        return None
    if same["sponsor"]:
        return "title+sponsor"
    if same["brief summary"]:
        return "title+summary"
    return "title+facts" if sum(same[fact] is True for fact in _FACTS) >= _FACTS_NEEDED else None


def _same(one: object, other: object) -> bool | None:
    return one == other if one and other else None


def _plain(text: str | None) -> str:
    """Give what two spellings of one text share: case, blanks and the full stop at the end do not count."""
    return " ".join(unicodedata.normalize("NFC", text or "").split()).strip(" .").casefold()


def _plain_markup(text: str | None) -> str:
    r"""Give what a text in the registry's markdown and on a page share: `\<` is `<`, list markers do not count."""
    return _plain(_MARKER.sub("", _ESCAPE.sub("", text or "")))

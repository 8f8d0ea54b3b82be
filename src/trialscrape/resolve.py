"""Where the page of an id may be, and the proof that a page is its page."""

import re
from collections.abc import Iterable, Iterator

from trialscrape.records import Trial, warning
from trialscrape.registry import RegistryAnswer
from trialscrape.slugs import numbered, slugs_of, words_of
from trialscrape.store import Store

MOST_CANDIDATES = 8
"""Addresses that are tried for one id. Each is a request, so the likeliest come first and the rest is not guessed."""

_NEAR_ENOUGH = 0.6  # of a title's words: a renamed study keeps most of them
_NEIGHBOURS = 3


def candidates(answer: RegistryAnswer, store: Store, *, length: int = 100) -> list[str]:
    """Give the slugs at which the page of a study may be, the likeliest first.

    Where the store has a slug index, the slugs that the titles give are looked up in it, and the nearest ones follow;
    a slug that is not in it is tried only if nothing is, since an index may be older than a page.

    Args:
        answer: What the registry says of the study; its official and its brief title make the slugs.
        store: Has the slug index, which may be empty.
        length: Where the site cuts a slug.
    """
    titles = [title for title in (answer.official_title, answer.brief_title) if title]
    made = list(dict.fromkeys(slug for title in titles for slug in slugs_of(title, length=length)))
    forms = list(dict.fromkeys([*made, *(form for slug in made for form in numbered(slug, length=length))]))
    if not store.index_status().slugs:
        return _shortlist(titles, made, length)
    listed = [slug for slug in forms if store.slug_exists(slug)]
    near = [slug for title in titles for slug in _near(store, title, length) if slug not in listed]
    return list(dict.fromkeys([*listed, *near]))[:MOST_CANDIDATES] or _shortlist(titles, made, length)


def _shortlist(titles: Iterable[str], made: list[str], length: int) -> list[str]:
    """Without an index: the likeliest slug of each title, its first duplicate, then the other readings."""
    first = [slugs[0] for title in titles if (slugs := slugs_of(title, length=length))]
    seconds = [numbered(slug, highest=1, length=length)[0] for slug in first]
    return list(dict.fromkeys([*first, *seconds, *made]))[:MOST_CANDIDATES]


def _near(store: Store, title: str, length: int) -> Iterator[str]:
    slugs = slugs_of(title, length=length)
    if slugs:
        found = store.near(slugs[0], words_of(title), limit=_NEIGHBOURS)
        yield from (near.slug for near in found if near.score >= _NEAR_ENOUGH)


def proof_of(trial: Trial, nct_id: str, answer: RegistryAnswer | None = None) -> str | None:
    """Tell how a page shows that it is an id's, or None where it does not.

    Returns:
        `nct_id` where the page's own id is this one, `current_nct_id` where it is the registry's current one for this
        old id, `title` where the page shows no identifier at all and its title and sponsor are the
        registry's.
    """
    if trial.nct_id == nct_id:
        return "nct_id"
    if answer is None:
        return None
    if trial.nct_id and trial.nct_id == answer.nct_id:
        return "current_nct_id"
    if not trial.identifiers and _same_title(trial, answer) and _plain(trial.sponsor) == _plain(answer.sponsor):
        return "title"
    return None


def with_proven_id(trial: Trial, nct_id: str, proof: str) -> Trial:
    """Give a record whose page shows no identifier the id that was proven by title and sponsor, and say so in it."""
    if proof != "title":
        return trial
    message = "expected an NCT id on the page, found none; the id was proven by the registry's title and sponsor"
    told = warning("nct_id_not_on_page", message, field="nct_id")
    return trial.model_copy(update={"nct_id": nct_id, "warnings": (told, *trial.warnings)})


def _same_title(trial: Trial, answer: RegistryAnswer) -> bool:
    titles = {_plain(title) for title in (answer.official_title, answer.brief_title) if title}
    shown = {_plain(trial.title)}
    if trial.title and trial.acronym and trial.acronym == answer.acronym:
        shown.add(_plain(trial.title.removesuffix(f"({trial.acronym})")))
    return bool(titles & shown)


def _plain(text: str | None) -> str:
    """What two spellings of one title share: case, blanks and the full stop at the end do not count."""
    return re.sub(r"\s+", " ", text or "").strip(" .").casefold()

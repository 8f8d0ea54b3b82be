"""Where the page of an id may be."""

import re
from collections.abc import Iterator

from trialscrape.registry.mapping import RegistryAnswer
from trialscrape.slugs import LENGTH, make_slugs, number_slug, split_words
from trialscrape.store.slug_index import SlugIndex

MOST_CANDIDATES = 8
"""Addresses tried for one id. Each is a request, so the likeliest come first and the rest is not guessed."""

_SIMILAR_ENOUGH = 0.6  # of a title's words: a renamed study keeps most of them
_MOST_SIMILAR = 3
_COUNTER = re.compile("-[0-9]+$")
# A last round bracket of one to three words, as the site adds an acronym to a title.
_ACRONYM = re.compile(r" *\([^()\s]+(?: [^()\s]+){0,2}\) *\Z")
# What the registry calls a trial of a device before that is approved. Hundreds of pages have this slug and a counter.
_DEVICE_SLUG = "trial-of-device-that-is-not-approved-or-cleared-by-the-us-fda"


def list_candidates(answer: RegistryAnswer, index: SlugIndex, *, length: int = LENGTH) -> list[str]:
    """Return the slugs at which the page of a study may be, the likeliest first.

    The slugs made of the titles are looked up in the slug index, and the most similar ones follow. Slugs that the index
    lacks are tried only if it has none of these, since an index may be empty, or older than a page. None where the
    registry's titles say nothing of the study.

    Args:
        answer: What the registry says of the study; its brief and its official title make the slugs.
        index: The slug index.
        length: Where the site cuts a title.
    """
    titles = [title for title in (answer.brief_title, answer.official_title) if title and not _is_of_any_device(title)]
    made = _make_slugs(titles, length)
    forms = [*made, *(form for slug in made for form in number_slug(slug))]
    listed = [slug for slug in forms if index.has(slug)]
    similar = [slug for title in titles for slug in _find_similar(index, title, length)]
    return list(dict.fromkeys([*listed, *similar]))[:MOST_CANDIDATES] or _shortlist(made)


def list_duplicates(slug: str, index: SlugIndex) -> list[str]:
    """Return the further slugs of a title, for one whose page is that of another study with the same title.

    None where there is a slug index: the candidates hold all that it lists.
    """
    return [] if index.status().slugs else list(number_slug(_COUNTER.sub("", slug)))


def _is_of_any_device(title: str) -> bool:
    return make_slugs(title) == (_DEVICE_SLUG,)


def _make_slugs(titles: list[str], length: int) -> list[str]:
    """Make the slugs of titles, with and without their last bracket, before the other readings of the rule."""
    forms = dict.fromkeys([*titles, *(_ACRONYM.sub("", title) for title in titles)])
    slugs = [make_slugs(form, length=length) for form in forms]
    first, second = ([slug for made in slugs for slug in made[part]] for part in (slice(1), slice(1, None)))
    return list(dict.fromkeys([*first, *second]))


def _shortlist(made: list[str]) -> list[str]:
    """List, without an index, the two likeliest slugs, the first duplicate of each, then the other readings."""
    likeliest = made[:2]
    seconds = [number_slug(slug)[0] for slug in likeliest]
    return [*likeliest, *seconds, *made[2:]][:MOST_CANDIDATES]


def _find_similar(index: SlugIndex, title: str, length: int) -> Iterator[str]:
    for slug in make_slugs(title, length=length)[:1]:
        similar = index.find_similar(slug, split_words(title), limit=_MOST_SIMILAR)
        yield from (other.slug for other in similar if other.score >= _SIMILAR_ENOUGH)

"""A title to its address on the site.

The site's rule, in its order: the title in lower case, blanks collapsed, cut at 100 characters; `®` becomes a word `r`;
accents are folded; blanks, hyphens and `/` separate, everything else outside `a-z0-9` is dropped; digits at the very
end are joined to the word before them. So `-1`, `-2` … at the end of a slug is only ever the counter of a duplicate.
"""

import re
import unicodedata

LENGTH = 100
"""Characters of a title that the site makes a slug of."""
HIGHEST_COUNTER = 9
"""Duplicates of one title that are looked for."""

_MOST_BLANKS = 10  # a title is read to so many times its length, so that a hostile one costs nothing
_DROPPED = re.compile("[^a-z0-9 /-]")
_SEPARATORS = re.compile("[ /-]+")
_LAST_DIGITS = re.compile("(?:-[0-9]+)+$")
# Known to be dropped beside a blank; whether the site drops them or separates at them inside a word is not known.
_UNPROVEN = re.compile("[&+%:_\u0370-\u03ff\u2010-\u2015\u2212]")
_SLUG = re.compile("[a-z0-9-]+")
_QUERY = re.compile("[?#].*", re.DOTALL)
_LONGEST_SLUG = 300


def make_slugs(title: str, *, length: int = LENGTH) -> tuple[str, ...]:
    """Return the slug that the site makes of a title, and a second where the rule leaves one open.

    Args:
        title: An official or brief title, without the acronym that the page adds in its last bracket.
        length: Where the site cuts the title, in characters.

    Returns:
        Slugs of `a-z`, `0-9` and single inner `-`, the likelier first. A slug can be longer than `length` by the words
        that its `®` make. None if the title has no letter or digit that can stand in a slug.

    """
    text = " ".join(title[: _MOST_BLANKS * length].lower().split())[:length]
    slugs = (_make_slug(form) for form in (text, _UNPROVEN.sub(" ", text)))
    return tuple(dict.fromkeys(slug for slug in slugs if slug))


def number_slug(slug: str, *, highest: int = HIGHEST_COUNTER) -> tuple[str, ...]:
    """Return the forms that a duplicate of a slug may have: `-1`, `-2` … up to `highest`, behind the whole slug."""
    return tuple(f"{slug}-{number}" for number in range(1, highest + 1))


def split_words(text: str) -> tuple[str, ...]:
    """Return the distinct words of a title or a slug, as a slug would hold them, in their order."""
    beginning = text[: _MOST_BLANKS * LENGTH]
    slug = beginning if _SLUG.fullmatch(beginning) else _make_slug(" ".join(beginning.lower().split()))
    return tuple(dict.fromkeys(word for word in slug.split("-") if word))


def split_search(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the words to search for, each with the digits behind it, which a slug may join to it.

    Returns:
        Groups of a word and digits, in their order; `Type 1*` gives one group, `("type", "1*")`. The last word of what
        ends in `*` keeps it: it is the beginning of a word. None if the text has no letter or digit of a slug.
    """
    groups: list[tuple[str, ...]] = []
    for part in text[: _MOST_BLANKS * LENGTH].lower().split():
        words = [word for word in _separate(part).split("-") if word]
        if words and part.endswith("*"):
            words[-1] += "*"
        for word in words:
            if groups and word.rstrip("*").isdecimal() and not groups[-1][-1].endswith("*"):
                groups[-1] += (word,)
            else:
                groups.append((word,))
    return tuple(groups)


def extract_slug(url: str, study_path: str = "/study/") -> str | None:
    """Return the slug in the address of a study page, or None for another address."""
    path = "/" + _QUERY.sub("", url.partition("://")[2]).partition("/")[2]
    slug = path.removeprefix(study_path).removesuffix("/")
    fits = path.startswith(study_path) and 0 < len(slug) <= _LONGEST_SLUG and "/" not in slug and slug.isprintable()
    return slug if fits else None


def _make_slug(text: str) -> str:
    """Make the slug of a title that is in lower case, its blanks collapsed, and cut."""
    return _LAST_DIGITS.sub(lambda digits: digits[0].replace("-", ""), _separate(text))


def _separate(text: str) -> str:
    """Make the slug of a text in lower case, before its last digits are joined."""
    folded = unicodedata.normalize("NFD", text.replace("®", " r "))
    return _SEPARATORS.sub("-", _DROPPED.sub("", folded)).strip("-")

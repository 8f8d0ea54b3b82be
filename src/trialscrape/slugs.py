"""A title to the slugs that the site may have made of it.

What is known of the rule is little. What is certain is in `_slug`, what is a guess is a row of `_GUESSES`: the
likeliest slug comes first, and a guess gives a candidate only where the title holds a character that it is about. A
title of plain ASCII words gives one slug, most others two or three.

The site cuts at 100 characters. Its long slugs lack one character of 100 for every comma, colon or bracket that their
title lost before the cut: so it is the *title* that is cut, and the slug is made of what is left. The other order is
the second candidate wherever the two differ.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations

LENGTH = 100
"""Characters of a title that the site makes a slug of."""

_APOSTROPHES = re.compile("['’‘ʼ`´′]")
_BRACKETS = re.compile(r"[()\[\]{}]")
_OTHERS = re.compile(r"[^a-z0-9]+")
_SLUG = re.compile("[a-z0-9-]+")
_INNER_POINTS = re.compile(r"(?<=\w)[.,:/+](?=\w)")
_MARKS = re.compile("[®™©℠]")
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_LETTERS = str.maketrans(
    {"®": "r", "©": "c", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i"}
)
_GREEK = str.maketrans(
    {
        "α": "alpha",
        "β": "beta",
        "γ": "gamma",
        "δ": "delta",
        "κ": "kappa",
        "λ": "lambda",
        "μ": "mu",
        "µ": "mu",
        "ω": "omega",
    }
)

Edit = Callable[[str], str]

# What may have been done before the certain part of the rule, the likelier first. Each is a guess of its own: a title
# that holds no such character is not changed by it, and gives no candidate.
_GUESSES: tuple[Edit, ...] = (
    lambda text: _MARKS.sub("", text),
    lambda text: text.replace("&", " and "),
    lambda text: _BRACKETS.sub(" ", text),
    lambda text: _FOREIGN.sub("", _MARKS.sub(lambda mark: _latin(mark[0]), text)),
    lambda text: _INNER_POINTS.sub("", text),
    lambda text: text.translate(_GREEK),
)
_GUESSES_AT_ONCE = 2


def slugs_of(title: str, *, length: int = LENGTH) -> tuple[str, ...]:
    """Give the slugs that the site may have made of a title, the likeliest first.

    Args:
        title: An official or brief title, without the acronym that the page adds in its last bracket.
        length: Where the site cuts, in characters.

    Returns:
        Distinct slugs of `a-z`, `0-9` and single inner `-`, each of at most `length` characters; none if the title has
        no letter or digit that can stand in a slug.

    """
    whole = " ".join(title.lower().split())
    found = (
        _trimmed(slug, length) for edit in _edits(whole) for slug in (_slug(edit(whole[:length])), _slug(edit(whole)))
    )
    return tuple(dict.fromkeys(slug for slug in found if slug))


def numbered(slug: str, *, highest: int = 3, length: int = LENGTH) -> tuple[str, ...]:
    """Give the forms that a duplicate of a slug may have: `-1`, `-2` … up to `highest`.

    Whether the number counts in the length is unknown (the one long slug with a number that was met has room for it),
    so a long slug gives two forms a number: behind the whole slug, and behind the slug cut to make room.
    """
    forms = (form for number in range(1, highest + 1) for form in _with_number(slug, f"-{number}", length))
    return tuple(dict.fromkeys(forms))


def words_of(text: str) -> tuple[str, ...]:
    """Give the distinct words of a title or a slug, as a slug would hold them, in their order, without any cut."""
    slug = text if _SLUG.fullmatch(text) else _slug(" ".join(text.lower().split()))
    return tuple(dict.fromkeys(word for word in slug.split("-") if word))


def _edits(text: str) -> Iterator[Edit]:
    """Yield the changes to try: none, each guess that changes the text, then two of them at once."""
    useful = [guess for guess in _GUESSES if guess(text) != text]
    for count in range(_GUESSES_AT_ONCE + 1):
        for chosen in combinations(useful, count):
            yield partial(_applied, edits=chosen)


def _applied(text: str, edits: tuple[Edit, ...]) -> str:
    for edit in edits:
        text = edit(text)
    return text


def _slug(text: str) -> str:
    """Make a slug by the certain part of the rule; `text` is in lower case."""
    dropped = _BRACKETS.sub("", _APOSTROPHES.sub("", text))
    return _OTHERS.sub("-", _latin(dropped)).strip("-")


def _latin(text: str) -> str:
    """Write accented letters without their accents: `é` as `e`, `²` as `2`, `®` as `r`."""
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text.translate(_LETTERS)).lower()
    return "".join(part for part in parts if not unicodedata.combining(part))


def _trimmed(slug: str, length: int) -> str:
    return slug[:length].rstrip("-")


def _with_number(slug: str, suffix: str, length: int) -> tuple[str, ...]:
    cut = _trimmed(slug, length - len(suffix)) + suffix
    return (slug + suffix, cut)

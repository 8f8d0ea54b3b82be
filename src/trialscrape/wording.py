"""How messages say a number of things, and which names there are."""

from collections.abc import Iterable
from difflib import get_close_matches


def write_count(count: int, noun: str, plural: str | None = None) -> str:
    """Write a number of things: `1 page`, `2,000 pages`.

    Args:
        count: How many.
        noun: What one is called.
        plural: What several are called, where that is not the noun and an s.
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def suggest_names(name: str, known: Iterable[str]) -> str:
    """Write which known names a mistyped one may stand for: `did you mean csv`; where none is near, all of them."""
    known = list(known)
    close = get_close_matches(name.lower(), known)
    return f"did you mean {' or '.join(close)}" if close else f"choose from {', '.join(known)}"

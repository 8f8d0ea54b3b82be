"""How messages say a number of things."""


def write_count(count: int, noun: str, plural: str | None = None) -> str:
    """Write a number of things: `1 page`, `2,000 pages`.

    Args:
        count: How many.
        noun: What one is called.
        plural: What several are called, where that is not the noun and an s.
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"

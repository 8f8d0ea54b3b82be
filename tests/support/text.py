"""A page's text as `parse` gets it."""

from trialscrape.page import Page
from trialscrape.parsing.text import MAX_BYTES, PageText, decode
from trialscrape.sources.containers import unwrap


def text_of(page: str | bytes, *, content_type: str | None = None, limit: int = MAX_BYTES) -> PageText:
    """Return the text of a page, with what is around it."""
    if isinstance(page, str):
        page, content_type = page.encode("utf-8", "backslashreplace"), "text/html; charset=utf-8"
    return decode(unwrap(Page(page, content_type=content_type), limit=limit))

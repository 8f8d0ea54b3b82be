"""A study page: its bytes, and what is known of them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class Match(NamedTuple):
    """How a page was matched to an id, and the current id of its study.

    `kind` is `nct_id` where the page shows the requested id, `current_nct_id` where it shows the registry's current
    id for an old one. Where the page shows no identifier, `title+sponsor`, `title+summary` or `title+facts` says what
    it has in common with the registry's record.
    """

    kind: str
    nct_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """A study page as it was fetched or saved.

    Attributes:
        body: Its bytes, without any transfer or content encoding.
        content_type: The HTTP header that came with it, if known.
        url: The address that answered, after redirects, if known.
        file: Its file as given; `store!address` in a store.
        fetched_at: When it was fetched.
        etag: The validator, as it was sent.
        last_modified: Likewise.
        match: How the store knows whose page it is.
    """

    body: bytes = field(repr=False)
    content_type: str | None = None
    url: str | None = None
    file: str | None = None
    fetched_at: datetime | None = None
    etag: str | None = None
    last_modified: str | None = None
    match: Match | None = None

"""The pages of a store that this project's `scrape` keeps."""

from collections.abc import Iterator

from trialscrape.errors import Unreadable
from trialscrape.page import Match, Page
from trialscrape.store.store import Store, StoreError


def read_store(path: str) -> Iterator[Page]:
    """Read every page that a store keeps, in its latest version, with what the store knows of it.

    Raises:
        Unreadable: The store cannot be read.
    """
    try:
        with Store.open(path, lock=False) as store:
            for page in store.pages():
                match = store.match_of(page.version_id)
                yield Page(
                    page.body,
                    content_type=page.content_type,
                    url=page.final_url,
                    file=page.url,
                    match=match and Match(*match),
                )
    except StoreError as error:
        raise Unreadable(str(error)) from error

"""The pages of a store that this project's `scrape` keeps."""

from collections.abc import Iterator
from dataclasses import replace

from trialscrape.errors import StoreError, Unreadable
from trialscrape.page import Page
from trialscrape.store.store import Store


def read_store(path: str) -> Iterator[Page]:
    """Read every page that a store keeps, in its latest version, with what the store knows of it.

    Raises:
        Unreadable: The store cannot be read.
    """
    try:
        with Store.open(path, lock=False) as store:
            for kept in store.pages.all_latest():
                yield replace(kept.page, file=kept.url, match=store.pages.find_match(kept.version_id))
    except StoreError as error:
        raise Unreadable(str(error)) from error

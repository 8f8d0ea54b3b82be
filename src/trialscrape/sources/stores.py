"""The pages of a store that this project's `scrape` keeps."""

from collections.abc import Iterator
from dataclasses import replace

from trialscrape.errors import StoreError, Unreadable
from trialscrape.page import Page
from trialscrape.sources.members import ByteStream, Item, Selection
from trialscrape.store.store import Store


def read_store(source: ByteStream, _: Selection) -> Iterator[Item]:
    """Read every page that a store keeps, in its latest version, with what the store knows of it.

    Raises:
        Unreadable: The store cannot be read, or does not lie on the disk by itself.
    """
    if source.path is None:
        raise Unreadable("a store can only be read from a file of its own; unpack it and give its file's name")
    try:
        with Store.open(source.path, lock=False) as store:
            yield from list_pages(store)
    except StoreError as error:
        raise Unreadable(str(error)) from error


def list_pages(store: Store) -> Iterator[Page]:
    """Return every page that an open store keeps, in its latest version, with what the store knows of it."""
    for kept in store.pages.all_latest():
        yield replace(kept.page, file=kept.url, match=store.pages.find_match(kept.version_id))

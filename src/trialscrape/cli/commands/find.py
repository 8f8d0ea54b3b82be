"""`find`: words to the addresses of study pages, without any request."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Annotated

import typer

from trialscrape.cli.console import echo_error, escape_controls, report_errors, usage_error
from trialscrape.cli.options import DEFAULT_STORE, Site, StoreFile, make_settings, read_count
from trialscrape.engines import parse
from trialscrape.errors import PageError
from trialscrape.settings import Settings
from trialscrape.slugs import split_search
from trialscrape.store.store import Store
from trialscrape.wording import write_count


def find(
    words: Annotated[
        list[str],
        typer.Argument(metavar="WORD", help="Words of the title; 'alport*' is the beginning of one."),
    ],
    *,
    ids: Annotated[
        bool, typer.Option("--ids", help="Print the NCT id instead of the address where the store knows it.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", parser=read_count, help="Print at most so many.")
    ] = None,
    store: StoreFile = DEFAULT_STORE,
    site: Site = None,
) -> None:
    """Find study pages by words of their addresses in the local index, without any request.

    Prints an address a line, which `scrape -i -` reads. All words must be there.
    """
    settings = make_settings(site=site)
    text = " ".join(words)
    if not split_search(text):
        usage_error(f"expected words with letters a to z or digits, which addresses are made of; found {text!r}")
    found = 0
    with report_errors(), Store.open(store, lock=False) as opened:
        size = opened.slugs.status().slugs
        if not size:
            echo_error(f"{store} has no index of addresses: run `trialscrape index sync --store {store}` first")
            raise typer.Exit(1)
        for line in islice(_find_pages(opened, text, settings, ids=ids), limit):
            print(escape_controls(line))
            found += 1
    more = f" (no more than {limit:,})" if found == limit else ""
    echo_error(f"{found:,} of {write_count(size, 'address', 'addresses')}{more}")
    if not found:
        raise typer.Exit(1)


def _find_pages(store: Store, text: str, settings: Settings, *, ids: bool) -> Iterator[str]:
    for slug in store.slugs.search(text):
        url = settings.study_url(slug)
        yield (_find_id(store, url) if ids else None) or url


def _find_id(store: Store, url: str) -> str | None:
    """Return the id of a kept page: what it was matched to, else what it shows."""
    if matched := store.pages.find_study(url):
        return matched
    kept = store.pages.latest(url)
    if kept is None:
        return None
    with suppress(PageError):
        return parse(kept.page).nct_id
    return None

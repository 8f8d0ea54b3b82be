"""Which requests a run would send for each id: the plan in words, and about how many they are."""

import re
from collections.abc import Container, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from trialscrape.registry.client import list_size
from trialscrape.settings import Settings
from trialscrape.store.pages import PageVersion
from trialscrape.store.store import Store

NCT_ID = re.compile(r"NCT[0-9]{8}")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")


class Plan(NamedTuple):
    """What a run would do for an id.

    Attributes:
        text: The requests in words.
        valid: Whether it is an id, address or slug at all.
        pages: About how many pages are requested.
        looked_up: Whether it is looked up in the registry first.
    """

    text: str
    valid: bool
    pages: int = 0
    looked_up: bool = False


def plan(ids: list[str], store: Store | None, settings: Settings) -> Iterator[Plan]:
    """Describe the requests that a run would send: one plan for each id, after one for all of them."""
    yield Plan(f"robots.txt first, requests at most {settings.rate:g} a second, as {settings.user_agent}", valid=False)
    now = datetime.now(UTC)
    for nct_id in ids:
        matched = store.pages.find_matched(nct_id, under=settings.study_url("")) if store else None
        url = matched[0].url if matched else find_given_address(nct_id, settings)
        kept = store.pages.latest(url) if store and url else None
        if kept and is_young(kept, settings, now):
            yield Plan(f"{nct_id}: no request: {url} is kept and young enough", valid=True)
        elif url:
            yield Plan(f"{nct_id}: GET {url}{' if it changed' if kept else ''}", valid=True, pages=1)
        elif NCT_ID.fullmatch(nct_id):
            pages = f"{settings.study_url('')}… by its titles"
            text = f"{nct_id}: {settings.registry} in a list with others, then GET {pages}"
            yield Plan(text, valid=True, pages=1, looked_up=True)  # nearly always at the first address
        else:
            yield Plan(f"{nct_id}: no request: it is no id, address or slug", valid=False)


def estimate_requests(
    ids: list[str], finished: Container[str], store: Store, settings: Settings, run_key: str
) -> list[int | None]:
    """Return about how many requests each id needs, robots.txt left out; None for a finished one.

    Args:
        ids: The ids of the run.
        finished: Those that it finished before it was interrupted.
        store: The store.
        settings: The settings.
        run_key: The run, whose kept answers of the registry need no request.
    """
    plans = plan(ids, store, settings)
    next(plans)
    size, listed = list_size(settings), 0
    needed: list[int | None] = []
    for nct_id, planned in zip(ids, plans, strict=True):
        if nct_id in finished:
            needed.append(None)
            continue
        lists = 0
        if planned.looked_up and store.runs.find_answer(run_key, nct_id) is None:
            lists = listed % size == 0  # a list counts for its first id
            listed += 1
        needed.append(planned.pages + lists)
    return needed


def find_given_address(nct_id: str, settings: Settings) -> str | None:
    """Return the address that was given instead of an id, if it was one."""
    if nct_id.startswith(settings.study_url("")):
        return nct_id
    return settings.study_url(nct_id) if _SLUG.fullmatch(nct_id) else None


def is_young(kept: PageVersion, settings: Settings, now: datetime) -> bool:
    """Tell whether a kept page need not be fetched; a time in the future, of a clock that was wrong, is no age."""
    return timedelta(0) <= now - kept.checked_at < settings.max_age

"""NCT ids to outcomes: the loop over store, registry, candidates and match.

Each id is a small program (`_look_up`) that asks for one thing at a time and ends in an outcome. The loop runs a few of
them side by side: what they ask of the network is done in threads, everything else in one.
"""

import json
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from trialscrape.addresses import drop_referrer, mask_passwords
from trialscrape.engines import parse
from trialscrape.errors import PageError
from trialscrape.fetching.fetcher import Fetcher
from trialscrape.fetching.responses import Response, Validators
from trialscrape.page import Match as PageMatch
from trialscrape.parsing.parser import with_matched_id
from trialscrape.records import Trial
from trialscrape.registry.client import LookAhead
from trialscrape.registry.mapping import RegistryAnswer
from trialscrape.scraping.ids import is_like_nct_id
from trialscrape.scraping.resolve import (
    MOST_CANDIDATES,
    candidates,
    duplicates,
    explain_mismatch,
    match_page,
    same_title,
    shortened,
)
from trialscrape.settings import Settings
from trialscrape.store.store import Fetched as Fresh
from trialscrape.store.store import Match, Note, Page, Row, Store, run_key

T = TypeVar("T")
Steps = Generator[Callable[[], Any], Any, T]
"""A program: yields what is to be asked of the network, is sent the answer, and returns its result."""

_NCT_ID = re.compile(r"NCT[0-9]{8}")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
_GONE = frozenset({404, 410})
_MAY_PASS = frozenset({"rate_limited", "timeout", "network_error", "server_error", "blocked_by_robots", "stale"})
_TOO_LONG = 20.0  # seconds to parse a page
_FORGOTTEN_AFTER = timedelta(days=1)  # an interrupted run, unless pages may be older than that
_LOOK_AHEAD = 4  # ids begun for each request in flight, so that a slow one does not hold up the others


@dataclass(frozen=True, slots=True)
class Scraped:
    """What became of one id.

    Attributes:
        id: As asked: an NCT id, or the address or slug that was given instead.
        outcome: One of those in docs/scrape.md; `new`, `changed`, `unchanged`, `cached` and `stale` have a record.
        url: The page's address, or the last that was tried; None where none was.
        attempts: How many requests were sent for it, retries and redirects included, robots.txt not. A list of ids that
            the registry was asked for counts for the first of them.
        matched_by: How the page was matched to the id: as `store.Match` says, or `address` where an address was given.
        message: What is to be told; None where all is well.
        trial: The record, where there is one.
    """

    id: str
    outcome: str
    url: str | None = None
    attempts: int = 0
    matched_by: str | None = None
    message: str | None = None
    trial: Trial | None = None

    def row(self) -> dict[str, object]:
        """Give everything but the record, in the order of the outcomes file."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "trial"}


def distinct(asked: Iterable[str]) -> list[str]:
    """Normalize what was asked for, and leave out what was asked before.

    Blanks around it, small letters of an id, and how a visitor came to an address (`comeFrom`) do not count. A password
    in an address is masked, so that it is shown and kept nowhere.
    """
    stripped = (drop_referrer(mask_passwords(each.strip())) for each in asked)
    return list(dict.fromkeys(each.upper() if is_like_nct_id(each) else each for each in stripped if each))


def scrape(
    asked: Iterable[str], *, store: Store | str | Path = "trialscrape.db", settings: Settings | None = None
) -> Iterator[Scraped]:
    """Fetch the study pages of some ids politely, keep them, and read them.

    Args:
        asked: NCT ids, or addresses or slugs of study pages; each is looked up once.
        store: Where pages are kept: an open store, or its file, which is made where it is missing.
        settings: Rate, limits and where the site is; the defaults where None.

    Yields:
        One outcome for each, in the order asked. Nothing that the network does is raised. A run that did not come to
        its end is gone on with by the same call.

    Raises:
        StoreError: The store cannot be opened, read or written.
    """
    if isinstance(asked, str):
        raise TypeError(f"expected a list of ids, found one: pass [{asked!r}]")
    asked, settings = distinct(asked), settings or Settings()
    with ExitStack() as stack:
        kept = store if isinstance(store, Store) else stack.enter_context(Store.open(store))
        yield from go_on(asked, kept, settings)
        kept.end_run(key_of(asked, settings))


def key_of(asked: list[str], settings: Settings) -> str:
    """Name a run: what is asked, and of whom."""
    return run_key([settings.site, settings.registry, *asked])


def go_on(asked: list[str], store: Store, settings: Settings) -> Iterator[Scraped]:
    """Do what `scrape` does, but leave it to the caller to end the run when the outcomes are safe."""
    key = key_of(asked, settings)
    now = _now()
    store.begin_run(key, now, not_before=now - max(settings.max_age, _FORGOTTEN_AFTER))
    done = store.finished(key, without={*_MAY_PASS, "cached"})  # what is young enough may have changed
    with ThreadPoolExecutor(settings.concurrency, "trialscrape") as pool, Fetcher(settings) as fetcher:
        ids = (each for each in asked if each not in done and _NCT_ID.fullmatch(each))
        run = _Run(key, store, settings, fetcher, LookAhead(fetcher, settings, store, key, ids))
        programs = (
            _again(run, done[each]) if each in done else _finish(run, each, position)
            for position, each in enumerate(asked)
        )
        yield from _side_by_side(programs, pool, settings.concurrency * _LOOK_AHEAD)


class Plan(NamedTuple):
    """What a run would do for an id, in words, and whether it is an id, address or slug at all."""

    text: str
    valid: bool


def plans(asked: list[str], store: Store | None, settings: Settings) -> Iterator[Plan]:
    """Tell the requests that a run would send: one plan for each id, and one for all before them."""
    yield Plan(f"robots.txt first, at most {settings.rate:g} requests a second, as {settings.user_agent}", valid=False)
    for each in asked:
        known = store.for_id(each, under=settings.study_url("")) if store else None
        address = known.page.url if known else _address(each, settings)
        kept = store.latest(address) if store and address else None
        if kept and _is_young(kept, settings):
            yield Plan(f"{each}: nothing, {address} is kept and young enough", valid=True)
        elif address:
            yield Plan(f"{each}: GET {address}{' if it changed' if kept else ''}", valid=True)
        elif _NCT_ID.fullmatch(each):
            pages = f"{settings.study_url('')}… by its titles"
            yield Plan(f"{each}: {settings.registry} in a list with others, then GET {pages}", valid=True)
        else:
            yield Plan(f"{each}: nothing, it is no id, address or slug", valid=False)


def _address(asked: str, settings: Settings) -> str | None:
    """Give the address that was asked for instead of an id, if one was."""
    if asked.startswith(settings.study_url("")):
        return asked
    return settings.study_url(asked) if _SLUG.fullmatch(asked) else None


@dataclass(frozen=True, slots=True)
class _Run:
    """What all look-ups of a run share."""

    key: str
    store: Store
    settings: Settings
    fetcher: Fetcher
    look_ahead: LookAhead


@dataclass(slots=True)
class _Job:
    program: Steps[Scraped]
    future: "Future[Any] | None" = None
    scraped: Scraped | None = None

    def step(self, pool: ThreadPoolExecutor) -> None:
        """Hand the last answer in, and what is asked for next to the threads."""
        try:
            self.future = pool.submit(self.program.send(self.future.result() if self.future else None))
        except StopIteration as end:
            self.future, self.scraped = None, end.value


def _side_by_side(programs: Iterable[Steps[Scraped]], pool: ThreadPoolExecutor, most: int) -> Iterator[Scraped]:
    """Run at most so many programs at a time, and give their results in the order of the programs."""
    waiting = iter(programs)
    jobs: deque[_Job] = deque()
    while True:
        for program in islice(waiting, most - len(jobs)):
            jobs.append(_Job(program))
            jobs[-1].step(pool)
        if not jobs:
            return
        if jobs[0].scraped is None:
            wait([job.future for job in jobs if job.future], return_when=FIRST_COMPLETED)
            for job in jobs:
                if job.future and job.future.done():
                    job.step(pool)
        while jobs and (scraped := jobs[0].scraped):
            jobs.popleft()
            yield scraped


def _again(run: _Run, position: int) -> Steps[Scraped]:
    """Give the outcome of an id that an earlier, interrupted go at this run has finished."""
    yield from ()  # it asks for nothing
    row = run.store.row(run.key, position)
    return Scraped(**json.loads(row.outcome), trial=Trial.model_validate_json(row.record) if row.record else None)


def _finish(run: _Run, asked: str, position: int) -> Steps[Scraped]:
    """Look an id up and record its end, durably, before anybody hears of it."""
    look_up = _LookUp(run, asked)
    scraped = yield from look_up.up()
    record = scraped.trial.model_dump_json() if scraped.trial else None
    with run.store.transaction():  # one with the other: an id that is known but not done would be told as another
        if look_up.matched:
            run.store.set_match(asked, *look_up.matched)
        run.store.finish(run.key, Row(position, asked, json.dumps(scraped.row()), record))
        if scraped.outcome not in _MAY_PASS:
            run.store.drop_answer(run.key, asked)
    return scraped


class _LookUp:
    """The search for the page of one id, and what is known of it so far."""

    def __init__(self, run: _Run, asked: str) -> None:
        self.asked = asked
        self.key, self.store, self.settings, self.fetcher = run.key, run.store, run.settings, run.fetcher
        self.look_ahead = run.look_ahead
        self.url: str | None = None
        self.sent: dict[str, int] = {}  # requests by address
        self.matched: tuple[str, Match] | None = None  # an address, and how its page was matched
        self.fault: Scraped | None = None  # the end of a look-up whose page could not be fetched

    def up(self) -> Steps[Scraped]:
        """Look in the store, then at the addresses that the registry's titles give."""
        if address := _address(self.asked, self.settings):
            return (yield from self.given(address))
        if not _NCT_ID.fullmatch(self.asked):
            expected = "expected NCT and 8 digits, or the address or slug of a study page"
            return self.ends("invalid_id", message=f"{expected}, found {self.asked!r}")
        if known := (yield from self.known()):
            return known
        answer: RegistryAnswer = yield partial(self.look_ahead.look_up, self.asked)
        self.sent[answer.url] = answer.attempts
        if answer.status == "not_found":
            return self.ends("not_found", message=answer.message)
        if answer.status == "error":
            return self.ends(_failure(answer.result), message=answer.message)
        return (yield from self.resolved(answer))

    def ends(
        self, outcome: str, *, matched_by: str | None = None, message: str | None = None, trial: Trial | None = None
    ) -> Scraped:
        attempts = sum(self.sent.values())
        return Scraped(self.asked, outcome, self.url, attempts, matched_by, message or None, trial)

    def given(self, address: str) -> Steps[Scraped]:
        """Take the page at an address that the user gave."""
        found = yield from self.page(address)
        if isinstance(found, Scraped):
            return found
        if found is None:
            return self.ends("unresolved", message=f"expected a study page at {address}, found that there is none")
        return self.ends(found.how, matched_by="address", message=self.told(found), trial=found.trial)

    def known(self) -> Steps[Scraped | None]:
        """Take the page that the store knows to be the id's, if it is still there and still says so."""
        known = self.store.for_id(self.asked, under=self.settings.study_url(""))
        if known is None:
            return None
        found = yield from self.page(known.page.url)
        if found is None or isinstance(found, Scraped):
            return found
        same = found.page.version_id == known.page.version_id
        match = known.match if same else match_page(found.trial, self.asked)
        return self.accept(found, match) if match else None

    def resolved(self, answer: RegistryAnswer) -> Steps[Scraped]:
        """Try the candidates, one after the other, until one is matched."""
        wrong = []
        slugs = candidates(answer, self.store, length=self.settings.title_length)
        for slug in slugs:  # which may grow meanwhile
            found = yield from self.page(self.settings.study_url(slug))
            if isinstance(found, Scraped):
                return found
            if found is None:
                continue
            if match := match_page(found.trial, self.asked, answer):
                return self.accept(found, match, answer.message)
            if found.how == "stale" and self.fault:
                return self.fault
            wrong.append(f"{self.url} {explain_mismatch(found.trial, answer)}")
            if same_title(found.trial, answer):
                further = [each for each in duplicates(slug, self.store) if each not in slugs]
                slugs += further[: MOST_CANDIDATES - len(slugs)]
        if wrong:
            return self.ends("mismatch", message=f"expected the page of {self.asked}, found others: {'; '.join(wrong)}")
        return self.ends("unresolved", message=self.unresolved_message(answer, len(slugs)))

    def unresolved_message(self, answer: RegistryAnswer, tried: int) -> str:
        """Say what was looked for in vain, and what to do."""
        do = f"find the study on {self.settings.site} and give its address"
        if not tried:
            return f"expected a title that an address can be made of, found {shortened(answer.brief_title)}; {do}"
        if not self.store.index_status().slugs:
            do = f"run `trialscrape index sync --store {self.store.path}` first, or {do}"
        return f"expected a page at one of {tried} addresses made of the registry's titles, found none; {do}"

    def accept(self, found: "_Found", match: Match, message: str | None = None) -> Scraped:
        """Keep the match, and end with the record."""
        self.matched = (found.page.url, match)
        trial = with_matched_id(found.trial, PageMatch(match.matched_by, match.nct_id))
        if match.matched_by == "current_nct_id":
            message = f"{self.asked} is an old id; the registry's current one is {trial.nct_id}"
        message = "; ".join(filter(None, (message, self.told(found))))
        return self.ends(found.how, matched_by=match.matched_by, message=message, trial=trial)

    def told(self, found: "_Found") -> str:
        """Say why a page was used that is older than wanted, and of when it is."""
        if found.how != "stale" or self.fault is None:
            return ""
        return f"{self.fault.message}; the page that was checked on {found.page.checked_at:%Y-%m-%d} is used"

    def page(self, url: str) -> Steps["_Found | Scraped | None"]:
        """Get a page from the store or the site; None where the site has none."""
        self.url = url
        noted = self.store.noted(self.key, self.asked, url)
        kept = self.store.latest(url)
        if noted and kept:
            self.sent[url] = noted.attempts
            return self.found(noted.how, kept)
        if url in self.sent:
            return None  # it was gone a moment ago
        if kept and _is_young(kept, self.settings):
            cached = self.found("cached", kept)
            if isinstance(cached, _Found):  # a challenge page or the like is not taken for the page for days
                return cached
        validators = Validators(kept.etag, kept.last_modified) if kept else None
        response: Response = yield partial(self.fetcher.get, url, validators=validators)
        self.sent[url] = response.attempts
        if response.status in _GONE:
            return None
        if response.result not in {"ok", "not_modified"}:
            self.fault = self.ends(_failure(response.result), message=response.message)
            stale = self.found("stale", kept) if kept else None
            return stale if isinstance(stale, _Found) else self.fault
        how = self.keep(response)
        page = self.store.latest(url)
        return self.found(how, page) if page else None

    def keep(self, response: Response) -> str:
        """Keep what was fetched, and note that it was, so that this run never asks for it again."""
        with self.store.transaction():
            if response.result == "not_modified":
                self.store.touch(response.url, _now(), etag=response.etag, last_modified=response.last_modified)
                how = "unchanged"
            else:
                is_known = self.store.latest(response.url) is not None
                is_new = self.store.add_page(_fresh(response), ids=[self.asked]).is_new
                how = "unchanged" if not is_new else "changed" if is_known else "new"
            self.store.note(self.key, self.asked, response.url, Note(how, response.attempts))
        return how

    def found(self, how: str, page: Page) -> "_Found | Scraped":
        self.url = page.final_url
        if self.store.died_parsing(page.version_id) and not _is_harmless(page):
            message = f"the program ended while it parsed {page.final_url}; the page is left out until it changes"
            return self.ends("internal_error", message=message)
        self.store.begin_parsing(page.version_id)
        try:
            found: _Found | Scraped = _Found(how, page, _parse(page))
        except PageError as error:
            found = self.ends("not_a_study_page", message=f"{page.final_url}: {error.message}")
        except Exception as error:  # noqa: BLE001  a fault of ours must not cost the user the other ids; it is reported
            message = f"trialscrape failed on the page {page.final_url}, please report it: {error!r}"
            found = self.ends("internal_error", message=message)
        self.store.end_parsing(page.version_id)
        return found


@dataclass(frozen=True, slots=True)
class _Found:
    """A page, and how the run got it: `new`, `changed` or `unchanged` from the site, `cached` or `stale` if kept."""

    how: str
    page: Page
    trial: Trial


def _is_harmless(page: Page) -> bool:
    """Tell whether a process of its own survives a page: most that were being parsed at a kill are not to blame."""
    command = [sys.executable, "-m", "trialscrape", "parse", "-"]
    nowhere = subprocess.DEVNULL
    try:
        done = subprocess.run(  # noqa: S603  the project's own command
            command, input=page.body, stdout=nowhere, stderr=nowhere, timeout=_TOO_LONG, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode >= 0  # below 0, a signal ended it


def _parse(page: Page) -> Trial:
    return parse(page.body, url=page.final_url, content_type=page.content_type)


def _is_young(page: Page, settings: Settings) -> bool:
    """Tell whether a kept page need not be asked for; a time in the future, of a clock that was wrong, is no age."""
    return timedelta(0) <= _now() - page.checked_at < settings.max_age


def _fresh(response: Response) -> Fresh:
    return Fresh(
        url=response.url,
        final_url=response.final_url,
        fetched_at=_now(),
        status=response.status or 0,
        body=response.body,
        etag=response.etag,
        last_modified=response.last_modified,
        content_type=response.content_type,
    )


def _failure(result: str) -> str:
    """Name the outcome of a request that brought no page: an answer that nobody expects is the server's fault."""
    return "server_error" if result in {"ok", "http_status", "not_modified"} else result


def _now() -> datetime:
    return datetime.now(UTC)

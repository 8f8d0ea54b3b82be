"""NCT ids to results: each id is searched in the store, at the registry, and at the addresses that its titles give.

Some ids are searched side by side, each in a thread. The fetcher limits the requests in flight, and threads take turns
at the store. For each id the store is written

- before its page is parsed: the page, how the run got it, and that it is being parsed. This survives the end of the
  process, so a resumed run does not fetch the page again and knows it if parsing it ended the process;
- at its end: the match, the outcome and the record. This waits for the disk, and what was written before waits with it,
  so all of it is safe before the result is reported.
"""

import hashlib
import json
import logging
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trialscrape.addresses import drop_referrer
from trialscrape.engines import parse
from trialscrape.errors import PageError
from trialscrape.fetching.fetcher import Fetcher
from trialscrape.fetching.responses import Response, Validators
from trialscrape.page import Match, Page
from trialscrape.parsing.parser import add_matched_id
from trialscrape.quality.diff import compare_trials
from trialscrape.records import Trial
from trialscrape.registry.client import LookAhead
from trialscrape.registry.mapping import RegistryAnswer
from trialscrape.results import IdResult, Outcome
from trialscrape.scraping.candidates import MOST_CANDIDATES, list_candidates, list_duplicates
from trialscrape.scraping.ids import normalize_ids
from trialscrape.scraping.matching import explain_mismatch, has_same_title, match_page, quote_title
from trialscrape.scraping.planning import NCT_ID, estimate_requests, find_given_address, is_young
from trialscrape.scraping.progress import ProgressMeter, RunProgress
from trialscrape.settings import Settings
from trialscrape.store.database import format_time
from trialscrape.store.pages import PageVersion
from trialscrape.store.runs import FinishedId, PageNote
from trialscrape.store.store import Store

_log = logging.getLogger(__name__)

_GONE = frozenset({404, 410})
_MAY_PASS = frozenset(
    map(Outcome, ("rate_limited", "timeout", "network_error", "server_error", "blocked_by_robots", "stale"))
)
_TOO_LONG = 20.0  # seconds to parse a page
_RESUME_WITHIN = timedelta(days=1)  # an interrupted run, unless pages may be older than that
_TICK = 0.5  # seconds between two reports of the progress
_IDS_PER_REQUEST = 4  # ids in flight for each request in flight, so that a slow one does not hold up the others


def scrape(
    ids: Iterable[str],
    *,
    store: Store | str | Path = "trialscrape.db",
    settings: Settings | None = None,
    progress: Callable[[RunProgress], None] | None = None,
) -> Iterator[IdResult]:
    """Fetch the study pages of some ids politely, keep them, and read them.

    Args:
        ids: NCT ids, or addresses or slugs of study pages; each is searched once.
        store: Where pages are kept: an open store, or its file, which is made where it is missing.
        settings: Rate, limits and where the site is; the defaults where None.
        progress: Called with how far the run is, in the thread that takes the results: before the first request, then
            at each result, and about twice a second while one is waited for.

    Yields:
        One result for each, in the order of the ids. Nothing that the network does is raised. The same call resumes a
        run that was interrupted.

    Raises:
        StoreError: The store cannot be opened, read or written.
    """
    if isinstance(ids, str):
        raise TypeError(f"expected a list of ids, found one: pass [{ids!r}]")
    ids, settings = normalize_ids(ids), settings or Settings()
    with ExitStack() as stack:
        opened = store if isinstance(store, Store) else stack.enter_context(Store.open(store))
        yield from resume(ids, opened, settings, progress)
        opened.runs.end(run_key(ids, settings))


def run_key(ids: Iterable[str], settings: Settings) -> str:
    """Return the key of a run: a hash of its ids, in their order, and of the hosts."""
    return hashlib.sha256(json.dumps([settings.site, settings.registry, *ids]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Run:
    """What all searches of a run share."""

    key: str
    store: Store
    settings: Settings
    fetcher: Fetcher
    look_ahead: LookAhead


def resume(
    ids: list[str], store: Store, settings: Settings, progress: Callable[[RunProgress], None] | None = None
) -> Iterator[IdResult]:
    """Begin or resume the run of some ids like `scrape`; the caller ends the run when the results are safe."""
    key = run_key(ids, settings)
    now = _now()
    store.runs.begin(key, now, not_before=now - max(settings.max_age, _RESUME_WITHIN))
    finished = store.runs.list_finished(key, without={*_MAY_PASS, Outcome.CACHED})  # a cached page may be old by now
    if finished:
        _log.info("the run resumes: %d of %d ids are finished", len(finished), len(ids))
    with (
        ThreadPoolExecutor(settings.concurrency * _IDS_PER_REQUEST, "trialscrape") as pool,
        Fetcher(settings) as fetcher,
    ):
        unfinished = (nct_id for nct_id in ids if nct_id not in finished and NCT_ID.fullmatch(nct_id))
        run = Run(key, store, settings, fetcher, LookAhead(fetcher, settings, store, key, unfinished))
        if progress is None:
            yield from (future.result() for future, _ in _submit(pool, run, ids, finished))
        else:
            needed = estimate_requests(ids, finished, store, settings, key)
            yield from _report_progress(_submit(pool, run, ids, finished), run, needed, progress)


def _submit(
    pool: ThreadPoolExecutor, run: Run, ids: list[str], finished: Mapping[str, int]
) -> Iterator[tuple[Future[IdResult], deque[Future[IdResult]]]]:
    """Yield the future result of each id, and those that follow it, while some ids are in flight."""
    futures: deque[Future[IdResult]] = deque()
    for position, nct_id in enumerate(ids):
        if nct_id in finished:
            futures.append(pool.submit(replay, run, finished[nct_id]))
        else:
            futures.append(pool.submit(scrape_one, run, nct_id, position))
        if len(futures) == run.settings.concurrency * _IDS_PER_REQUEST:
            yield futures.popleft(), futures
    while futures:
        yield futures.popleft(), futures


def _report_progress(
    submitted: Iterator[tuple[Future[IdResult], deque[Future[IdResult]]]],
    run: Run,
    needed: list[int | None],
    progress: Callable[[RunProgress], None],
) -> Iterator[IdResult]:
    """Yield the results, and report how far the run is meanwhile."""
    meter = ProgressMeter(needed, run.settings, time.monotonic())

    def report(futures: Iterable[Future[IdResult]] = ()) -> None:
        done = sum(future.done() for future in futures)
        progress(meter.measure(run.fetcher.requests, done, time.monotonic()))

    report()
    for future, others in submitted:
        while not wait([future], timeout=_TICK).done:
            report(others)
        result = future.result()
        meter.end_id(result)
        report(others)
        yield result


@dataclass(slots=True)
class Search:
    """What the search for the page of one id has done so far.

    Attributes:
        nct_id: The id, or the address or slug that was given instead.
        url: The page's address, or the last one tried.
        attempts: Requests by address.
        matched: The page version that was matched, and how.
        parsed: The page versions that were parsed, and that the store still has as being parsed.
    """

    nct_id: str
    url: str | None = None
    attempts: dict[str, int] = field(default_factory=dict)
    matched: tuple[int, Match] | None = None
    parsed: list[int] = field(default_factory=list)

    def end(
        self, outcome: Outcome, message: str = "", trial: Trial | None = None, matched_by: str | None = None
    ) -> IdResult:
        """Return the result of the search."""
        attempts = sum(self.attempts.values())
        return IdResult(self.nct_id, outcome, self.url, attempts, matched_by, message or None, trial=trial)


class NoRecord(Exception):  # it ends a search and never leaves this module
    """The search ends without a record."""

    def __init__(self, outcome: Outcome, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message
        self.cause = cause


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A study page, and how the run got it.

    Attributes:
        url: The address that was requested.
        version_id: Its version in the store.
        trial: What it says.
        outcome: `new`, `changed` or `unchanged` from the site, `cached` or `stale` from the store.
        failure: Why it could not be fetched, for a stale one.
        message: Likewise, and how old the stale one is.
    """

    url: str
    version_id: int
    trial: Trial
    outcome: Outcome
    failure: NoRecord | None = None
    message: str = ""


def replay(run: Run, position: int) -> IdResult:
    """Return the result of an id that the run finished before it was interrupted."""
    finished = run.store.runs.get_finished(run.key, position)
    row = json.loads(finished.outcome)
    trial = Trial.model_validate_json(finished.record) if finished.record else None
    return IdResult(**row | {"outcome": Outcome(row["outcome"])}, trial=trial, record=finished.record)


def scrape_one(run: Run, nct_id: str, position: int) -> IdResult:
    """Search the page of an id, and record the result durably before returning it."""
    search = Search(nct_id)
    try:
        result = find_record(run, search)
    except NoRecord as end:
        result = replace(search.end(end.outcome, end.message), cause=end.cause)
    if result.message:
        _log.warning("%s: %s: %s", nct_id, result.outcome, result.message)
    record = result.trial.model_dump_json() if result.trial else None
    # One with the other: a resumed run would report an id that is matched but not finished as `cached`.
    with run.store.transaction():
        end_parsing(run, search)
        if search.matched:
            run.store.pages.set_match(nct_id, *search.matched)
        run.store.runs.finish_id(run.key, FinishedId(position, nct_id, json.dumps(result.row()), record))
        if result.outcome not in _MAY_PASS:
            run.store.runs.drop_answer(run.key, nct_id)
    return replace(result, record=record)


def find_record(run: Run, search: Search) -> IdResult:
    """Search in the store, then at the addresses that the registry's titles give."""
    if url := find_given_address(search.nct_id, run.settings):
        return read_address(run, search, url)
    if not NCT_ID.fullmatch(search.nct_id):
        expected = "expected NCT and 8 digits, or the address or slug of a study page"
        raise NoRecord(Outcome.INVALID_ID, f"{expected}, found {search.nct_id!r}")
    return find_in_store(run, search) or find_by_titles(run, search, ask_registry(run, search))


def read_address(run: Run, search: Search, url: str) -> IdResult:
    """Read the page at an address that the user gave."""
    found = get_page(run, search, url)
    if found is None:
        raise NoRecord(Outcome.UNRESOLVED, f"expected a study page at {url}, found that there is none")
    return date_result(run, search, found, search.end(found.outcome, found.message, found.trial, "address"))


def find_in_store(run: Run, search: Search) -> IdResult | None:
    """Read the page that was matched to the id before, if it is still there and still matches."""
    matched = run.store.pages.find_matched(search.nct_id, under=run.settings.study_url(""))
    if matched is None:
        return None
    version, match = matched
    found = get_page(run, search, version.url)
    if found is None:
        return None
    same = found.version_id == version.version_id
    new_match = match if same else match_page(found.trial, search.nct_id)
    return accept(run, search, found, new_match) if new_match else None


def ask_registry(run: Run, search: Search) -> RegistryAnswer:
    """Return what the registry says of the id's study."""
    end_parsing(run, search)
    answer = run.look_ahead.look_up(search.nct_id)
    search.attempts[answer.url] = answer.attempts
    if answer.status == "not_found":
        raise NoRecord(Outcome.NOT_FOUND, answer.message)
    if answer.status == "error":
        raise NoRecord(_name_failure(answer.result), answer.message, answer.cause)
    return answer


def find_by_titles(run: Run, search: Search, answer: RegistryAnswer) -> IdResult:
    """Try the addresses that the titles give, one after the other, until a page matches."""
    mismatches = []
    slugs = list_candidates(answer, run.store.slugs, length=run.settings.title_length)
    for slug in slugs:  # which may grow meanwhile
        found = get_page(run, search, run.settings.study_url(slug))
        if found is None:
            continue
        if match := match_page(found.trial, search.nct_id, answer):
            return accept(run, search, found, match, answer.message)
        if found.failure:
            search.url = found.url
            raise found.failure
        mismatches.append(f"{search.url} {explain_mismatch(found.trial, answer)}")
        if has_same_title(found.trial, answer):
            further = [other for other in list_duplicates(slug, run.store.slugs) if other not in slugs]
            slugs += further[: MOST_CANDIDATES - len(slugs)]
    if mismatches:
        message = f"expected the page of {search.nct_id}, found others: {'; '.join(mismatches)}"
        raise NoRecord(Outcome.MISMATCH, message)
    raise NoRecord(Outcome.UNRESOLVED, _explain_unresolved(run, answer, len(slugs)))


def accept(run: Run, search: Search, found: FoundPage, match: Match, message: str = "") -> IdResult:
    """End the search with the record of a page that matches."""
    search.matched = (found.version_id, match)
    trial = add_matched_id(found.trial, match)
    if match.kind == "current_nct_id":
        message = f"{search.nct_id} is an old id; the registry's current one is {trial.nct_id}"
    message = "; ".join(filter(None, (message, found.message)))
    return date_result(run, search, found, search.end(found.outcome, message, trial, match.kind))


def date_result(run: Run, search: Search, found: FoundPage, result: IdResult) -> IdResult:
    """Add to a result when its page was fetched and, for a changed page, what changed."""
    fetched_at = format_time(run.store.pages.get_fetch_time(found.version_id))
    before = run.store.pages.find_before(found.version_id) if found.outcome is Outcome.CHANGED else None
    changed = None
    if before:
        with suppress(NoRecord):  # what was kept before may be a challenge page or the like
            old = read_kept(run, Search(search.nct_id, parsed=search.parsed), before, found.outcome).trial
            changed = list(dict.fromkeys(change.field for change in compare_trials(old, found.trial) if change.field))
    cause = found.failure.cause if found.failure else ""
    return replace(result, fetched_at=fetched_at, changed=changed, cause=cause)


def get_page(run: Run, search: Search, url: str) -> FoundPage | None:
    """Get a page from the store or the site; None where the site has none.

    Raises:
        NoRecord: The page cannot be fetched and is not kept, or it is no study page.
    """
    search.url = url
    kept = run.store.pages.latest(url)
    note = run.store.runs.find_page_note(run.key, search.nct_id, url)
    if note and kept:
        search.attempts[url] = note.attempts
        return read_kept(run, search, kept, note.outcome)
    if url in search.attempts:
        return None  # it was gone a moment ago
    if kept and is_young(kept, run.settings, _now()):
        with suppress(NoRecord):  # a challenge page or the like is not taken for the page for days
            return read_kept(run, search, kept, Outcome.CACHED)
    end_parsing(run, search)
    validators = Validators(kept.page.etag, kept.page.last_modified) if kept else None
    response = run.fetcher.get(url, validators=validators)
    search.url = url
    search.attempts[url] = response.attempts
    if response.status in _GONE:
        return None
    if response.result not in {"ok", "not_modified"}:
        failure = NoRecord(_name_failure(response.result), response.message, response.cause)
        if kept:
            with suppress(NoRecord):
                found = read_kept(run, search, kept, Outcome.STALE)
                message = f"{failure.message}; the page that was checked on {kept.checked_at:%Y-%m-%d} is used"
                return replace(found, failure=failure, message=message)
        search.url = url
        raise failure
    return read_fetched(run, search, kept, response)


def read_kept(run: Run, search: Search, kept: PageVersion, outcome: Outcome) -> FoundPage:
    """Parse a page of the store."""
    run.store.pages.begin_parsing(kept.version_id)
    return FoundPage(kept.url, kept.version_id, parse_marked(run, search, kept.version_id, kept.page), outcome)


def read_fetched(run: Run, search: Search, kept: PageVersion | None, response: Response) -> FoundPage:
    """Keep what was fetched, record that it was, so that this run never fetches it again, and parse it."""
    now, url = _now(), response.url
    with run.store.transaction(synced=False):
        if kept and response.result == "not_modified":
            page, version_id, outcome = kept.page, kept.version_id, Outcome.UNCHANGED
            run.store.pages.touch(url, now, etag=response.etag, last_modified=response.last_modified)
        else:
            page = Page(
                response.body,
                content_type=response.content_type,
                url=drop_referrer(response.final_url),
                fetched_at=now,
                etag=response.etag,
                last_modified=response.last_modified,
            )
            version_id, outcome = run.store.pages.add(url, page, status=response.status or 0, ids=[search.nct_id])
            if kept and outcome is Outcome.UNCHANGED:  # its first header counts, as where the store is parsed
                page = replace(page, content_type=kept.page.content_type)
        run.store.runs.note_page(run.key, search.nct_id, url, PageNote(outcome, response.attempts))
        run.store.pages.begin_parsing(version_id)
    return FoundPage(url, version_id, parse_marked(run, search, version_id, page), outcome)


def parse_marked(run: Run, search: Search, version_id: int, page: Page) -> Trial:
    """Parse a page that the store has as being parsed.

    Raises:
        NoRecord: It is no study page, or parsing it fails or ended a process before.
    """
    search.url = page.url
    if run.store.pages.died_parsing(version_id) and not _is_harmless(page):
        message = f"the program ended while it parsed {page.url}; the page is left out until it changes"
        raise NoRecord(Outcome.INTERNAL_ERROR, message)
    try:
        return parse(page)
    except PageError as error:
        raise NoRecord(Outcome.NOT_A_STUDY_PAGE, f"{page.url}: {error.message}") from error
    except Exception as error:
        # A fault of trialscrape must not cost the user the other ids; it is reported.
        message = f"trialscrape failed on the page {page.url}, please report it: {error!r}"
        raise NoRecord(Outcome.INTERNAL_ERROR, message) from error
    finally:
        search.parsed.append(version_id)


def end_parsing(run: Run, search: Search) -> None:
    """Record that pages were parsed: before the search waits for the network, and at its end."""
    while search.parsed:
        run.store.pages.end_parsing(search.parsed.pop())


def _explain_unresolved(run: Run, answer: RegistryAnswer, tried: int) -> str:
    """Say what was searched in vain, and what to do."""
    do = f"find the study on {run.settings.site} and give its address"
    if not tried:
        return f"expected a title that an address can be made of, found {quote_title(answer.brief_title)}; {do}"
    if not run.store.slugs.status().slugs:
        do = f"run `trialscrape index sync --store {run.store.path}` first, or {do}"
    places = f"one of {tried} addresses" if tried > 1 else "the address"
    return f"expected a page at {places} made of the registry's titles, found none; {do}"


_READ = """import sys
from trialscrape.page import Page
from trialscrape.parsing.parser import parse_page
from trialscrape.sources.containers import unwrap
parse_page(unwrap(Page(sys.stdin.buffer.read())))"""


def _is_harmless(page: Page) -> bool:
    """Tell whether a process of its own survives a page: most that were being parsed at a kill are not to blame."""
    command = [sys.executable, "-c", _READ]  # not `trialscrape parse`, which takes twice as long to start
    nowhere = subprocess.DEVNULL
    try:
        done = subprocess.run(  # noqa: S603  the project's own command
            command, input=page.body, stdout=nowhere, stderr=nowhere, timeout=_TOO_LONG, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode >= 0  # below 0, a signal ended it


def _name_failure(result: str) -> Outcome:
    """Name the outcome of a request that brought no page: an answer that nobody expects is the server's fault."""
    return Outcome.SERVER_ERROR if result in {"ok", "http_status", "not_modified"} else Outcome(result)


def _now() -> datetime:
    return datetime.now(UTC)

"""Ids to results, over real sockets: whatever the site, the registry and the store do, each id has its one outcome."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import trialscrape
from support.network import quick
from support.page import PAGE, with_
from trialscrape.errors import StoreError
from trialscrape.parsing.parser import parse_page
from trialscrape.results import IdResult, Outcome
from trialscrape.scraping.run import run_key, scrape
from trialscrape.store.store import Store
from trialscrape.testing.replica import Fault, Replica, Site, Study

TITLE, SPONSOR = "Tree Bathing for Restless Clerks", "Institute for Arboreal Medicine"
SLUG = "tree-bathing-for-restless-clerks"
NCT_ID, OLD, OTHER = "NCT99000100", "NCT99000009", "NCT99000200"
LIST = "/api/v2/studies"
REGISTRY, PATH = f"{LIST}/{NCT_ID}", f"/study/{SLUG}"
ONE = Study(
    nct_id=NCT_ID,
    slug=SLUG,
    page=PAGE.encode(),
    brief_title=TITLE,
    acronym="TREEBATH",
    sponsor=SPONSOR,
    aliases=(OLD,),
)
OTHERS = with_((NCT_ID, OTHER)).encode()
UNNAMED = with_((f"{NCT_ID}\nIAM-7 (Other Identifier)\n\n", "")).encode()
CHALLENGE = b"<!doctype html><title>Just a moment...</title><h1>Checking that you are human</h1>"
PDF = b"%PDF-1.7\n1 0 obj\n"


def many(count: int) -> Site:
    """Return a site of so many studies, `NCT99001000` and on."""
    return Site(studies=tuple(number_slug(number) for number in range(1000, 1000 + count)))


def number_slug(number: int) -> Study:
    nct_id, title = f"NCT9900{number}", f"{TITLE} Part {number}"
    page = with_((NCT_ID, nct_id), (TITLE, title)).encode()
    return replace(ONE, nct_id=nct_id, slug=f"{SLUG}-part{number}", brief_title=title, page=page, aliases=())


@pytest.fixture
def replica() -> Iterator[Replica]:
    with Replica(Site(studies=(ONE,))) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "trialscrape.db"


def ask(replica: Replica, store: Path | Store, *wanted: str, **changes: Any) -> list[IdResult]:
    """Scrape from the replica, with timeouts that a busy machine does not meet unless a test wants them."""
    settings = quick(replica.url, **{"read_timeout": 10.0, "total_timeout": 20.0} | changes)
    return list(scrape(wanted, store=store, settings=settings))


def again(replica: Replica, store: Path, *wanted: str, **changes: Any) -> list[IdResult]:
    """Scrape once more, however young the kept pages are."""
    replica.requests.clear()
    return ask(replica, store, *wanted, max_age=timedelta(0), **changes)


def undated(results: Iterable[IdResult]) -> list[IdResult]:
    """Return results without the time of the fetch, in which two runs differ."""
    return [replace(result, fetched_at=result.fetched_at and "then") for result in results]


def paths(replica: Replica) -> list[str]:
    """Return the requested paths, robots.txt and queries left out."""
    return [request.path.split("?")[0] for request in replica.requests if request.path != "/robots.txt"]


def versions(store: Path, url: str) -> list[bytes]:
    with Store.open(store, lock=False) as opened:
        return [kept.page.body for kept in opened.pages.versions(url)]


# From an id to an outcome

NO_ID = "expected NCT and 8 digits, or the address or slug of a study page, found "
NO_PAGE = (
    "expected a page at one of 2 addresses made of the registry's titles, found none; run `trialscrape index sync "
    "--store STORE` first, or find the study on URL and give its address"
)
NO_PROOF = (
    "has no identifier, and its title alone is no proof; compared with the registry: sponsor other, brief summary "
)
DEVICE = "[Trial of device that is not approved or cleared by the U.S. FDA]"
SUMMARY = "Clerks sit under trees.\n\nDo they rest?"
OUTCOMES: dict[str, tuple[Study, str, tuple[str, str | None, int, str | None, str | None]]] = {
    "its page": (ONE, NCT_ID, ("new", PATH, 2, "nct_id", None)),
    "lower case": (ONE, f" {NCT_ID.lower()} ", ("new", PATH, 2, "nct_id", None)),
    "unknown": (
        ONE,
        "NCT99009999",
        ("not_found", None, 1, None, "the registry has no study NCT99009999; check the id"),
    ),
    "known, but without a page": (replace(ONE, page=None), NCT_ID, ("unresolved", f"{PATH}-1", 3, None, NO_PAGE)),
    "the page of another study of the same title": (
        replace(ONE, page=OTHERS),
        NCT_ID,
        (
            "mismatch",
            f"{PATH}-7",
            9,
            None,
            f"expected the page of {NCT_ID}, found others: URL{PATH} is of {OTHER}",
        ),
    ),
    "the page of a study of another title": (
        replace(ONE, page=with_((NCT_ID, OTHER), (TITLE, "Rice and Beans")).encode()),
        NCT_ID,
        (
            "mismatch",
            f"{PATH}-1",
            3,
            None,
            f"expected the page of {NCT_ID}, found others: URL{PATH} is of {OTHER}",
        ),
    ),
    "a page without identifiers": (
        replace(ONE, page=UNNAMED),
        NCT_ID,
        ("new", PATH, 2, "title+sponsor", None),
    ),
    "a page without identifiers, another name of the sponsor": (
        replace(ONE, page=UNNAMED, sponsor="Ministry of Trees", brief_summary=SUMMARY),
        NCT_ID,
        ("new", PATH, 2, "title+summary", None),
    ),
    "a page without identifiers, another name of the sponsor, another summary": (
        replace(
            ONE,
            page=UNNAMED,
            sponsor="Ministry of Trees",
            brief_summary="Trees.",
            enrollment=1240,
            enrollment_type="ESTIMATED",
            conditions=("Restlessness", "Clerk, Weary"),
        ),
        NCT_ID,
        ("new", PATH, 2, "title+facts", None),
    ),
    "a page without identifiers that shares the title only": (
        replace(ONE, page=UNNAMED, sponsor="Ministry of Trees", enrollment=1240),
        NCT_ID,
        (
            "mismatch",
            f"{PATH}-7",
            9,
            None,
            f"expected the page of {NCT_ID}, found others: URL{PATH} {NO_PROOF}not on both sides, enrollment other, "
            "conditions not on both sides, treatments not on both sides",
        ),
    ),
    "the title of all unapproved devices": (
        replace(ONE, brief_title=DEVICE),
        NCT_ID,
        (
            "unresolved",
            None,
            1,
            None,
            f"expected a title that an address can be made of, found {DEVICE!r}; find the study on URL and give its "
            "address",
        ),
    ),
    "an old id": (
        ONE,
        OLD,
        ("new", PATH, 2, "current_nct_id", f"{OLD} is an old id; the registry's current one is {NCT_ID}"),
    ),
    "an old id that the page shows": (
        replace(ONE, page=with_((NCT_ID, OLD)).encode()),
        OLD,
        ("new", PATH, 2, "nct_id", f"{OLD} is an old id; the registry's current one is {NCT_ID}"),
    ),
    "a page without identifiers, of an old id": (
        replace(ONE, page=UNNAMED),
        OLD,
        ("new", PATH, 2, "title+sponsor", f"{OLD} is an old id; the registry's current one is {NCT_ID}"),
    ),
    "slug": (ONE, SLUG, ("new", PATH, 1, "address", None)),
    "address": (ONE, f"URL{PATH}", ("new", PATH, 1, "address", None)),
    "address as reached from a research site": (
        ONE,
        f'URL{PATH}?comeFrom={{"type":"site","slug":"a-clinic"}}',
        ("new", PATH, 1, "address", None),
    ),
    "address without a page": (
        ONE,
        "URL/study/no-such-study",
        (
            "unresolved",
            "/study/no-such-study",
            1,
            None,
            "expected a study page at URL/study/no-such-study, found that there is none",
        ),
    ),
    "a digit too few": (ONE, "NCT9900010", ("invalid_id", None, 0, None, f"{NO_ID}'NCT9900010'")),
    "another site": (
        ONE,
        "https://a.example/study/b",
        ("invalid_id", None, 0, None, f"{NO_ID}'https://a.example/study/b'"),
    ),
    "words": (ONE, "trees for clerks", ("invalid_id", None, 0, None, f"{NO_ID}'trees for clerks'")),
}


@pytest.mark.parametrize(("study", "wanted", "expected"), OUTCOMES.values(), ids=OUTCOMES)
def test_outcomes(
    store: Path, study: Study, wanted: str, expected: tuple[str, str | None, int, str | None, str | None]
) -> None:
    with Replica(Site(studies=(study,))) as replica:
        wanted = wanted.replace("URL", replica.url)
        (result,) = ask(replica, store, wanted)
        outcome, path, attempts, matched_by, message = expected
        fetched_at = result.row()["fetched_at"]
        assert isinstance(fetched_at, str) == (outcome == "new")
        assert result.row() == {
            "id": wanted.strip().upper() if wanted.strip().upper().startswith("NCT") else wanted.partition("?")[0],
            "outcome": outcome,
            "url": replica.url + path if path else None,
            "attempts": attempts,
            "matched_by": matched_by,
            "message": message.replace("URL", replica.url).replace("STORE", str(store)) if message else None,
            "fetched_at": fetched_at,
            "changed": None,
        }
        assert len(paths(replica)) == attempts
        assert (result.trial is not None) == (outcome == "new")


def test_the_record_is_that_of_the_page(replica: Replica, store: Path) -> None:
    (result,) = ask(replica, store, NCT_ID)
    assert result.trial == trialscrape.parse(PAGE, url=replica.url + PATH)


def test_after_the_page_of_another_study_the_next_candidate_is_tried(store: Path) -> None:
    wrong = replace(ONE, nct_id=OTHER, page=OTHERS, aliases=())
    with Replica(Site(studies=(wrong, replace(ONE, slug=f"{SLUG}-1")))) as replica:
        found = ask(replica, store, NCT_ID)
        assert [(result.outcome, result.url, result.attempts) for result in found] == [
            ("new", f"{replica.url}{PATH}-1", 3)
        ]
        # What was fetched in vain is kept: it is the other one's page.
        assert versions(store, replica.url + PATH) == [OTHERS]


NO_STUDY_PAGES = {
    "challenge page": (CHALLENGE, "expected a study page, with headings"),
    "PDF": (PDF, "expected a study page as text or HTML; found a PDF document"),
    "empty body": (b"", "expected a study page"),
}


@pytest.mark.parametrize("wanted", [NCT_ID, SLUG])
@pytest.mark.parametrize(("body", "message"), NO_STUDY_PAGES.values(), ids=NO_STUDY_PAGES)
def test_what_is_no_study_page_gives_no_record(
    replica: Replica, store: Path, body: bytes, message: str, wanted: str
) -> None:
    replica.faults[PATH] = Fault(body=body)
    (result,) = ask(replica, store, wanted)
    assert (result.outcome, result.trial, result.matched_by) == ("not_a_study_page", None, None)
    assert result.message
    assert result.message.startswith(f"{replica.url}{PATH}: {message}")
    assert versions(store, replica.url + PATH) == [body]


def test_a_challenge_page_is_not_taken_for_the_page_for_days(replica: Replica, store: Path) -> None:
    ask(replica, store, NCT_ID)
    replica.faults[PATH] = Fault(body=CHALLENGE, times=2)
    assert [result.outcome for result in again(replica, store, NCT_ID)] == ["not_a_study_page"]
    del replica.faults[PATH]
    assert [result.outcome for result in ask(replica, store, NCT_ID)] == ["changed"]
    assert versions(store, replica.url + PATH) == [PAGE.encode(), CHALLENGE, PAGE.encode()]


# What the network does

ALWAYS: dict[str, tuple[Fault, str]] = {
    "429": (Fault(status=429), "rate_limited"),
    "429 for an hour": (Fault(status=429, retry_after=3600), "rate_limited"),
    "500": (Fault(status=500), "server_error"),
    "502": (Fault(status=502), "server_error"),
    "503": (Fault(status=503), "server_error"),
    "403": (Fault(status=403), "server_error"),
    "204": (Fault(status=204, body=b""), "server_error"),
    "closed without an answer": (Fault(cut=-1), "network_error"),
    "closed after the headers": (Fault(cut=0), "network_error"),
    "reset in the middle": (Fault(cut=20, end="reset"), "network_error"),
    "bad chunks": (Fault(bad_chunk=True), "network_error"),
    "no headers": (Fault(delay=60), "timeout"),
    "a byte a second": (Fault(drip=1), "timeout"),
    "redirected to itself": (Fault(redirect=""), "network_error"),
    "redirected to another host": (Fault(redirect="http://127.0.0.1:9/study/a"), "network_error"),
    "redirected to a file": (Fault(redirect="file:///etc/passwd"), "network_error"),
    "redirected to the search": (Fault(redirect="/study-search?q=trees"), "blocked_by_robots"),
    "huge": (Fault(size=1_000_000_000), "too_large"),
    "gzip bomb": (Fault(gzip_bomb=1_000_000_000), "too_large"),
}
SHORT = {"read_timeout": 0.5, "total_timeout": 0.8, "retries": 1, "body_limit": 100_000}


@pytest.mark.parametrize("path", [PATH, REGISTRY], ids=["page", "registry"])
@pytest.mark.parametrize(("fault", "outcome"), ALWAYS.values(), ids=ALWAYS)
def test_what_could_not_be_fetched_is_never_reported_as_not_found(
    replica: Replica, store: Path, fault: Fault, outcome: str, path: str
) -> None:
    replica.faults[path] = fault
    (result,) = ask(replica, store, NCT_ID, **SHORT)
    assert (result.outcome, result.trial, result.matched_by) == (outcome, None, None)
    assert result.message
    assert ("at the registry: " in result.message) == (path == REGISTRY)
    assert result.url == (replica.url + PATH if path == PATH else None)
    assert result.attempts == len(paths(replica))
    # When the fault has passed, the same command finds it.
    replica.faults.clear()
    assert [result.outcome for result in ask(replica, store, NCT_ID)] == ["new"]


@pytest.mark.parametrize("fault", [Fault(status=503, times=2), Fault(cut=20, times=2), Fault(status=429, times=1)])
@pytest.mark.parametrize("path", [PATH, REGISTRY], ids=["page", "registry"])
def test_a_fault_that_passes_costs_nothing(replica: Replica, store: Path, fault: Fault, path: str) -> None:
    replica.faults[path] = fault
    (result,) = ask(replica, store, NCT_ID)
    assert fault.times
    assert (result.outcome, result.attempts) == ("new", 2 + fault.times)
    assert result.trial == trialscrape.parse(PAGE, url=replica.url + PATH)


ROBOTS: dict[str, tuple[Fault, str, list[str]]] = {
    "the site's pages forbidden": (Fault(body="User-agent: *\nDisallow: /study/"), "blocked_by_robots", [REGISTRY]),
    "all forbidden": (Fault(body="User-agent: *\nDisallow: /"), "blocked_by_robots", []),
    "for ever 500": (Fault(status=500), "blocked_by_robots", []),
    "no answer": (Fault(delay=60), "blocked_by_robots", []),
    "none": (Fault(status=404), "new", [REGISTRY, PATH]),
    "garbage": (Fault(body=bytes(range(256)) * 40), "new", [REGISTRY, PATH]),
}


@pytest.mark.parametrize(("fault", "outcome", "requested"), ROBOTS.values(), ids=ROBOTS)
def test_robots_is_obeyed(replica: Replica, store: Path, fault: Fault, outcome: str, requested: list[str]) -> None:
    replica.faults["/robots.txt"] = fault
    (result,) = ask(replica, store, NCT_ID, **SHORT)
    assert (result.outcome, paths(replica)) == (outcome, requested)


@pytest.mark.parametrize("body", ["{}", "[]", '{"protocolSection": ', "<html>", '{"studies": []}'])
def test_a_changed_answer_of_the_registry_is_a_clear_error(replica: Replica, store: Path, body: str) -> None:
    replica.faults[REGISTRY] = Fault(body=body, content_type="application/json")
    (result,) = ask(replica, store, NCT_ID)
    assert (result.outcome, result.attempts) == ("server_error", 1)
    assert result.message
    assert result.message.startswith(f"expected the registry's JSON for {NCT_ID} at {replica.url}{REGISTRY}")
    assert result.message.endswith("look for a newer version of trialscrape")


def test_a_web_page_that_says_404_is_not_the_registrys_word(replica: Replica, store: Path) -> None:
    replica.faults[REGISTRY] = Fault(status=404)
    assert [result.outcome for result in ask(replica, store, NCT_ID)] == ["server_error"]


def test_a_registry_that_is_not_there(replica: Replica, store: Path) -> None:
    with Replica(Site()) as closed:
        pass
    (result,) = ask(replica, store, NCT_ID, registry=closed.url)
    assert result.outcome in {"network_error", "blocked_by_robots"}
    assert result.message
    assert result.message.startswith(f"cannot look up {NCT_ID} at the registry")


# What is kept

REVISED = with_(("Clerks sit under trees.", "Clerks lie under trees.")).encode()


def test_a_young_page_is_taken_from_the_store(replica: Replica, store: Path) -> None:
    first = ask(replica, store, NCT_ID, SLUG)
    replica.requests.clear()
    second = ask(replica, store, NCT_ID, SLUG)
    assert replica.requests == []
    assert [(result.outcome, result.attempts, result.matched_by) for result in second] == [
        ("cached", 0, "nct_id"),
        ("cached", 0, "address"),
    ]
    assert [result.trial for result in second] == [result.trial for result in first]


def test_an_older_page_is_fetched_conditionally(replica: Replica, store: Path) -> None:
    (first,) = ask(replica, store, NCT_ID)
    (second,) = again(replica, store, NCT_ID)
    assert second == replace(first, outcome=Outcome.UNCHANGED, attempts=1)
    assert paths(replica) == [PATH]
    assert "if-none-match" in replica.requests[-1].headers
    # It was checked just now, so it is young again.
    assert [result.outcome for result in ask(replica, store, NCT_ID)] == ["cached"]


def test_the_same_bytes_without_validators_are_unchanged_too(replica: Replica, store: Path) -> None:
    replica.faults[PATH] = Fault(status=200, body=PAGE)
    ask(replica, store, NCT_ID)
    assert [result.outcome for result in again(replica, store, NCT_ID)] == ["unchanged"]
    assert versions(store, replica.url + PATH) == [PAGE.encode()]


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        (PAGE, PAGE.replace("Menu", "Menu "), []),
        (
            PAGE,
            with_(("Enrolling", "Completed"), ("Fear of trees", "Fear of all trees")),
            ["overall_status", "eligibility.exclusion"],
        ),
        ("<p>Are you a robot?</p>", PAGE, None),
    ],
)
def test_a_changed_page_says_what_changed(
    replica: Replica, store: Path, before: str, now: str, changed: list[str] | None
) -> None:
    replica.site = Site(studies=(replace(ONE, page=before.encode()),))
    (first,) = ask(replica, store, NCT_ID)
    replica.site = Site(studies=(replace(ONE, page=now.encode()),))
    (second,) = again(replica, store, NCT_ID)
    assert (first.changed, second.outcome, second.changed) == (None, "changed", changed)
    assert second.url == replica.url + PATH
    (cached,) = ask(replica, store, NCT_ID)
    assert (cached.outcome, cached.changed, cached.fetched_at) == ("cached", None, second.fetched_at)
    with Store.open(store, lock=False) as opened:
        assert opened.database.fetch_rows("SELECT version_id FROM parsing") == []


def test_a_changed_page_is_kept_beside_the_old(replica: Replica, store: Path) -> None:
    ask(replica, store, NCT_ID)
    replica.site = Site(studies=(replace(ONE, page=REVISED),))
    (second,) = again(replica, store, NCT_ID)
    assert (second.outcome, second.attempts, second.matched_by) == ("changed", 1, "nct_id")
    assert second.trial == trialscrape.parse(REVISED, url=replica.url + PATH)
    assert second.changed == ["brief_summary"]
    with Store.open(store, lock=False) as opened:
        kept = opened.pages.latest(replica.url + PATH)
        assert kept is not None
        assert second.fetched_at == f"{kept.page.fetched_at:%Y-%m-%dT%H:%M:%SZ}"
    assert versions(store, replica.url + PATH) == [PAGE.encode(), REVISED]
    assert [result.trial for result in ask(replica, store, NCT_ID)] == [second.trial]


def test_a_match_by_title_is_kept_with_the_page(store: Path) -> None:
    with Replica(Site(studies=(replace(ONE, page=UNNAMED),))) as replica:
        (first,) = ask(replica, store, NCT_ID)
        assert first.trial
        assert first.trial.nct_id == NCT_ID
        assert [warning.code for warning in first.trial.warnings] == ["nct_id_not_on_page"]
        assert ask(replica, store, NCT_ID) == [replace(first, outcome=Outcome.CACHED, attempts=0)]
        assert again(replica, store, NCT_ID) == [replace(first, outcome=Outcome.UNCHANGED, attempts=1)]


def test_a_changed_page_without_identifiers_is_matched_again(store: Path) -> None:
    revised = UNNAMED.replace(b"sit under", b"lie under")
    with Replica(Site(studies=(replace(ONE, page=UNNAMED),))) as replica:
        ask(replica, store, NCT_ID)
        replica.site = Site(studies=(replace(ONE, page=revised),))
        (second,) = again(replica, store, NCT_ID)
        assert (second.outcome, second.matched_by) == ("changed", "title+sponsor")
        # The page is fetched once: the registry's word is all that was missing.
        assert paths(replica) == [PATH, REGISTRY]
        assert second.attempts == 2


def test_an_old_id_from_the_store_is_reported_again(replica: Replica, store: Path) -> None:
    (first,) = ask(replica, store, OLD)
    assert first.message
    assert ask(replica, store, OLD) == [replace(first, outcome=Outcome.CACHED, attempts=0)]


def test_a_page_stays_young_for_a_week_after_its_last_check(
    replica: Replica, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = []
    for day in (0, 6, 8, 14, 16):
        now = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day)
        monkeypatch.setattr(sys.modules[scrape.__module__], "_now", lambda now=now: now)
        outcomes += [result.outcome for result in ask(replica, store, NCT_ID)]
    assert outcomes == ["new", "cached", "unchanged", "cached", "unchanged"]


def test_the_progress_of_a_run_gives_requests_and_ids(store: Path) -> None:
    with Replica(many(20)) as replica:
        reports: list[trialscrape.RunProgress] = []
        ids = [one.nct_id for one in replica.site.studies]
        settings = quick(replica.url, read_timeout=10.0, total_timeout=20.0)
        results = list(scrape(ids, store=store, settings=settings, progress=reports.append))
        assert [result.outcome for result in results] == ["new"] * 20
        # A list for all, and a page for each, as nobody knows yet that the first one is it.
        first, last = reports[0], reports[-1]
        assert (first.requests, first.expected_requests, first.ids_done, first.ids) == (0, 21, 0, 20)
        assert (last.requests, last.expected_requests, last.ids_done, last.ids_failed) == (21, 21, 20, 0)
        assert last.seconds_left == 0
        assert len(paths(replica)) == 21
        for before, after in pairwise(reports):
            assert before.requests <= after.requests <= after.expected_requests
        reports.clear()
        list(scrape(ids, store=store, settings=settings, progress=reports.append))
        assert {(report.requests, report.expected_requests) for report in reports} == {(0, 0)}


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_moved_is_found_again(store: Path, status: int) -> None:
    moved = replace(ONE, slug="clerks-under-trees", brief_title="Clerks Under Trees")
    with Replica(Site(studies=(ONE,))) as replica:
        ask(replica, store, NCT_ID)
        replica.site = Site(studies=(moved,))
        replica.faults[PATH] = Fault(status=status)
        (second,) = again(replica, store, NCT_ID)
        assert (second.outcome, second.url, second.attempts) == ("new", f"{replica.url}/study/clerks-under-trees", 3)
        assert [(result.outcome, result.url) for result in ask(replica, store, NCT_ID)] == [("cached", second.url)]


def test_an_address_that_has_no_page_any_more_is_requested_once(replica: Replica, store: Path) -> None:
    ask(replica, store, NCT_ID)
    replica.site = Site(studies=(replace(ONE, slug=f"{SLUG}-1"),))
    (second,) = again(replica, store, NCT_ID)
    assert (second.outcome, second.attempts) == ("new", 3)
    assert paths(replica) == [PATH, REGISTRY, f"{PATH}-1"]


def test_a_known_address_that_now_has_another_study(store: Path) -> None:
    with Replica(Site(studies=(ONE,))) as replica:
        ask(replica, store, NCT_ID)
        moved = replace(ONE, slug=f"{SLUG}-1")
        replica.site = Site(studies=(moved, replace(ONE, nct_id=OTHER, page=OTHERS, aliases=())))
        (second,) = again(replica, store, NCT_ID)
        assert (second.outcome, second.url) == ("new", f"{replica.url}{PATH}-1")
        assert paths(replica) == [PATH, REGISTRY, f"{PATH}-1"]
        assert second.attempts == 3


def test_a_fault_leaves_the_kept_page_as_it_is(replica: Replica, store: Path) -> None:
    (first,) = ask(replica, store, NCT_ID)
    replica.faults[PATH] = Fault(status=500)
    (stale,) = again(replica, store, NCT_ID)
    assert (stale.outcome, stale.trial) == ("stale", first.trial)
    assert stale.message
    assert stale.message.endswith(f"; the page that was checked on {datetime.now(UTC):%Y-%m-%d} is used")
    assert [result.trial for result in ask(replica, store, NCT_ID)] == [first.trial]


def test_a_stale_page_of_another_study_is_no_answer(replica: Replica, store: Path) -> None:
    replica.site = Site(studies=(replace(ONE, page=PAGE.replace(NCT_ID, "NCT99000777").encode()),))
    assert [result.outcome for result in ask(replica, store, NCT_ID)] == ["mismatch"]
    replica.faults[PATH] = Fault(status=500)
    assert [result.outcome for result in again(replica, store, NCT_ID)] == ["server_error"]


def test_a_time_in_the_future_is_no_age(replica: Replica, store: Path) -> None:
    ask(replica, store, NCT_ID)
    with Store.open(store) as opened:
        opened.database.execute("UPDATE version SET checked_at = '9999-01-01T00:00:00Z'")  # a clock was wrong
    assert [result.outcome for result in ask(replica, store, NCT_ID)] == ["unchanged"]
    assert [result.outcome for result in ask(replica, store, NCT_ID)] == ["cached"]


def killed_while_parsing(store: Path) -> None:
    """Leave a store as a process leaves it that is killed while it parses its page."""
    with Store.open(store) as opened:
        opened.database.execute("INSERT INTO parsing SELECT version_id, 'another' FROM version")


def test_a_page_that_a_kill_hit_by_chance_is_read(replica: Replica, store: Path) -> None:
    (first,) = ask(replica, store, NCT_ID)
    killed_while_parsing(store)
    (found,) = ask(replica, store, NCT_ID)
    assert (found.outcome, found.trial) == ("cached", first.trial)
    with Store.open(store) as opened:
        assert not opened.pages.died_parsing(1)


@pytest.mark.parametrize("fault", ["too long", "killed"])
def test_a_page_that_no_process_survives_is_left_out(
    replica: Replica, store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    ask(replica, store, NCT_ID)
    killed_while_parsing(store)
    if fault == "too long":
        monkeypatch.setattr("trialscrape.scraping.run._TOO_LONG", 0.01)
    else:
        (tmp_path / "sitecustomize.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = ask(replica, store, NCT_ID)
    assert (found.outcome, found.trial) == ("internal_error", None)
    assert found.message == (
        f"the program ended while it parsed {replica.url}{PATH}; the page is left out until it changes"
    )


def test_another_site_is_requested_although_the_store_has_the_page_of_one(replica: Replica, store: Path) -> None:
    ask(replica, store, NCT_ID)
    with Replica(Site(studies=(ONE,))) as other:
        assert [result.outcome for result in ask(other, store, NCT_ID)] == ["new"]


def test_a_resumed_run_goes_by_its_own_age(replica: Replica, store: Path) -> None:
    ask(replica, store, NCT_ID, "NCT99009999")
    settings = quick(replica.url)
    with Store.open(store) as opened:
        next(scrape([NCT_ID, "NCT99009999"], store=opened, settings=settings))
        rows = scrape(
            [NCT_ID, "NCT99009999"], store=opened, settings=settings.model_copy(update={"max_age": timedelta(0)})
        )
        assert [result.outcome for result in rows] == ["unchanged", "not_found"]


def test_the_slug_index_names_the_page(replica: Replica, store: Path) -> None:
    with Store.open(store) as opened:
        opened.slugs.replace_shard("s", [f"{SLUG}-2", "rice-and-beans"], datetime.now(UTC))
        replica.site = Site(studies=(replace(ONE, slug=f"{SLUG}-2"),))
        (result,) = ask(replica, opened, NCT_ID)
    assert (result.outcome, result.url, result.attempts) == ("new", f"{replica.url}{PATH}-2", 2)


def test_each_page_is_in_the_store_before_its_record(store: Path) -> None:
    site = many(5)
    with Replica(site) as replica:
        settings = quick(replica.url, read_timeout=10.0)
        for result, study in zip(scrape(ids(site), store=store, settings=settings), site.studies, strict=True):
            assert result.url
            assert versions(store, result.url) == [study.page]


def ids(site: Site) -> list[str]:
    return [study.nct_id for study in site.studies]


# Many of them


def test_the_same_id_five_times_is_looked_up_once(replica: Replica, store: Path) -> None:
    found = ask(replica, store, NCT_ID, NCT_ID.lower(), f" {NCT_ID}", NCT_ID, f"{NCT_ID}\n")
    assert [(result.id, result.outcome) for result in found] == [(NCT_ID, "new")]
    assert paths(replica) == [REGISTRY, PATH]


def test_an_old_and_the_current_id_of_one_study_are_two_outcomes(replica: Replica, store: Path) -> None:
    found = ask(replica, store, OLD, NCT_ID)
    assert [(result.id, result.matched_by) for result in found] == [(OLD, "current_nct_id"), (NCT_ID, "nct_id")]
    assert found[0].trial == found[1].trial == trialscrape.parse(PAGE, url=replica.url + PATH)
    assert versions(store, replica.url + PATH) == [PAGE.encode()]


def test_each_id_has_one_outcome_in_the_order_asked(store: Path) -> None:
    site = many(30)
    wanted = [*ids(site)[::-1], "NCT99009999", "NCT1", "no id", f"{SLUG}-part1003", "NCT99009998"]
    with Replica(site) as replica:
        replica.faults[f"/study/{SLUG}-part1007"] = Fault(status=500)
        found = ask(replica, store, *wanted, *wanted, concurrency=5)
    assert [result.id for result in found] == wanted
    assert [result.id for result in found if not result.trial] == ["NCT99001007", *wanted[30:33], wanted[34]]


def test_a_slow_one_does_not_change_the_order_and_does_not_hold_up_the_others(store: Path) -> None:
    site = many(6)
    with Replica(site) as replica:
        replica.faults[f"/study/{SLUG}-part1000"] = Fault(delay=1.5)
        found = ask(replica, store, *ids(site))
        assert [result.id for result in found] == ids(site)
        assert [result.outcome for result in found] == ["new"] * 6
        slow = next(request.time for request in replica.requests if request.path.endswith("-part1000"))
        assert replica.requests[-1].time < slow + 1.5


def test_no_more_requests_are_in_flight_than_the_setting_says(store: Path) -> None:
    site, delay = many(6), 0.3
    with Replica(site, faults={f"/study/{study.slug}": Fault(delay=delay) for study in site.studies}) as replica:
        assert [result.outcome for result in ask(replica, store, *ids(site), concurrency=2)] == ["new"] * 6
        starts = [request.time for request in replica.requests if request.path.startswith("/study/")]
    assert min(later - earlier for earlier, later in zip(starts, starts[2:], strict=False)) > 0.9 * delay


# Scrapes one id in a process that is killed while it parses the page.
KILLED = """
import os, signal, sys
from trialscrape import engines
from trialscrape.scraping.run import scrape
from trialscrape.settings import Settings
engines.parse_page = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
list(scrape([sys.argv[1]], store=sys.argv[2], settings=Settings(site=sys.argv[3], registry=sys.argv[3], rate=500.0)))
"""


def test_a_page_that_ends_the_process_was_kept_before_it_was_parsed(replica: Replica, store: Path) -> None:
    undisturbed = ask(replica, store.with_name("other.db"), NCT_ID)
    replica.requests.clear()
    command = [sys.executable, "-c", KILLED, NCT_ID, str(store), replica.url]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with Store.open(store) as opened:
        (kept,) = opened.pages.all_versions()
        assert (kept.page.body, opened.pages.died_parsing(kept.version_id)) == (PAGE.encode(), True)
    # The page is harmless after all, and neither it nor the registry is asked again.
    assert undated(ask(replica, store, NCT_ID, max_age=timedelta(0))) == undated(undisturbed)
    assert paths(replica) == [REGISTRY, PATH]


def test_a_run_that_is_left_early_stops_at_once_and_can_be_resumed(store: Path) -> None:
    site = many(5)
    with Replica(site) as replica:
        replica.faults[f"/study/{SLUG}-part1001"] = Fault(delay=30)
        settings = quick(replica.url, read_timeout=60.0, total_timeout=60.0)
        run = scrape(ids(site), store=store, settings=settings)
        first = next(run)
        began = time.monotonic()
        run.close()  # type: ignore[attr-defined]
        assert time.monotonic() - began < 2
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("trialscrape")]
        replica.faults.clear()
        replica.requests.clear()
        found = ask(replica, store, *ids(site))
        assert [result.outcome for result in found] == ["new"] * 5
        assert found[0] == first
        assert not [path for path in paths(replica) if path.endswith("-part1000")]


def test_what_may_pass_is_tried_again_when_resumed(replica: Replica, store: Path) -> None:
    replica.faults[PATH] = Fault(status=503)
    run = scrape([NCT_ID, "NCT99009999"], store=store, settings=quick(replica.url, read_timeout=10.0))
    assert [next(run).outcome, next(run).outcome] == ["server_error", "not_found"]
    run.close()  # type: ignore[attr-defined]
    replica.faults.clear()
    replica.requests.clear()
    assert [result.outcome for result in ask(replica, store, NCT_ID, "NCT99009999")] == ["new", "not_found"]
    # The registry's answer is kept.
    assert paths(replica) == [PATH]


def test_an_interrupted_run_is_forgotten_after_a_day(replica: Replica, store: Path) -> None:
    settings = quick(replica.url, read_timeout=10.0, max_age=timedelta(0))
    run = scrape([NCT_ID, OTHER], store=store, settings=settings)
    assert next(run).outcome == "new"
    run.close()  # type: ignore[attr-defined]
    now, day, key = datetime.now(UTC), timedelta(days=1), run_key([NCT_ID, OTHER], settings)
    with Store.open(store) as opened:
        opened.runs.begin(key, now, not_before=now - day)
        assert NCT_ID in opened.runs.list_finished(key)
        opened.runs.begin(key, now, not_before=now + day)
        assert not opened.runs.list_finished(key)


def test_the_key_of_a_run_tells_apart_what_was_requested_of_whom() -> None:
    here, there = quick("http://a.example"), quick("http://b.example")
    assert len({run_key(*run) for run in ((["ab", "c"], here), (["a", "bc"], here), (["ab", "c"], there))}) == 3


def test_a_fault_of_trialscrape_costs_one_id(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = many(2)
    monkeypatch.setattr(
        "trialscrape.engines.parse_page", lambda page: 1 / 0 if page.url.endswith("1000") else parse_page(page)
    )
    with Replica(site) as replica:
        found = ask(replica, store, *ids(site))
    assert [result.outcome for result in found] == ["internal_error", "new"]
    assert "please report it: ZeroDivisionError" in str(found[0].message)


def test_one_id_is_no_list_of_ids() -> None:
    with pytest.raises(TypeError, match=rf"pass \['{NCT_ID}'\]"):
        list(scrape(NCT_ID))


def test_nothing_happens_before_the_first_is_requested(replica: Replica, store: Path) -> None:
    scrape([NCT_ID], store=store, settings=quick(replica.url))
    assert replica.requests == []
    assert not store.exists()


def test_no_ids_no_requests(replica: Replica, store: Path) -> None:
    assert ask(replica, store) == []
    assert replica.requests == []


@pytest.mark.parametrize("nct_id", [NCT_ID, OLD])
@pytest.mark.parametrize("broken", ["pages.Pages.add", "pages.Pages.set_match", "runs.Runs.finish_id"])
def test_a_store_that_fails_at_any_step_loses_nothing(
    replica: Replica, store: Path, monkeypatch: pytest.MonkeyPatch, nct_id: str, broken: str
) -> None:
    undisturbed = again(replica, store.with_name("other.db"), nct_id)

    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(f"trialscrape.store.{broken}", full)
        with pytest.raises(StoreError, match="the disk is full"):
            again(replica, store, nct_id)
    assert undated(again(replica, store, nct_id)) == undated(undisturbed)
    assert paths(replica).count(PATH) == (broken == "pages.Pages.add")


def test_a_run_that_was_finished_but_not_ended_is_given_again(replica: Replica, store: Path) -> None:
    run = scrape([NCT_ID, OTHER], store=store, settings=quick(replica.url, read_timeout=10.0))
    found = [next(run), next(run)]
    run.close()  # type: ignore[attr-defined]
    replica.requests.clear()
    assert ask(replica, store, NCT_ID, OTHER) == found
    assert replica.requests == []
    # Now it has ended, and the next one starts from the beginning.
    assert [result.outcome for result in ask(replica, store, NCT_ID, OTHER)] == ["cached", "not_found"]


def test_a_thousand_ids_with_an_index_take_a_request_each_and_two_lists(store: Path) -> None:
    site = many(1000)
    with Replica(site) as replica, Store.open(store) as opened:
        opened.slugs.replace_shard("s", [study.slug for study in site.studies], datetime.now(UTC))
        found = ask(replica, opened, *ids(site), rate=100_000.0)
    assert [result.outcome for result in found] == ["new"] * 1000
    assert sum(result.attempts for result in found) == len(paths(replica)) == 1002
    assert paths(replica).count(LIST) == 2


def test_a_resumed_run_requests_no_list_twice(store: Path) -> None:
    site = many(30)
    with Replica(site) as replica:
        settings = quick(replica.url, read_timeout=10.0, registry_batch=20)
        undisturbed = list(scrape(ids(site), store=store.with_name("other.db"), settings=settings))
        replica.requests.clear()
        for _ in range(3):
            run = scrape(ids(site), store=store, settings=settings)
            assert next(run).outcome == "new"
            run.close()  # type: ignore[attr-defined]
            with Store.open(store, lock=False) as opened:
                key = run_key(ids(site), settings)
                done = opened.runs.list_finished(key)
                kept = {nct_id for nct_id in ids(site) if opened.runs.find_answer(key, nct_id)}
            # An id's answer is kept until it is finished, and no longer.
            assert kept == set(ids(site)[:20]) - set(done)
        # A list may be requested in a run that is stopped, and counts for none of its ids then.
        resumed = [replace(result, attempts=0) for result in scrape(ids(site), store=store, settings=settings)]
        assert undated(resumed) == undated(replace(result, attempts=0) for result in undisturbed)
    assert paths(replica).count(LIST) == 2
    assert len(paths(replica)) < 32 + 5 * 10  # what was under way when it stopped


def test_duplicates_of_a_title_are_tried_until_the_id_is_the_right_one(store: Path) -> None:
    wrong = replace(ONE, nct_id=OTHER, page=OTHERS, aliases=())
    copies = [replace(wrong, slug=f"{SLUG}-{number}") for number in (1, 2, 4)]
    with Replica(Site(studies=(wrong, *copies, replace(ONE, slug=f"{SLUG}-3")))) as replica:
        (found,) = ask(replica, store, NCT_ID)
        assert (found.outcome, found.url) == ("new", f"{replica.url}{PATH}-3")
        assert paths(replica) == [REGISTRY, PATH, *(f"{PATH}-{number}" for number in (1, 2, 3))]


# The process that looks up 10,000 ids tells its memory after 2,000 and 10,000 of them: the kilobytes that are its own,
# and the objects that Python holds.
MANY = """
import gc, resource, sys
from trialscrape.scraping.run import scrape
from trialscrape.settings import Settings
url, store = sys.argv[1:]
settings = Settings(site=url, registry=url, rate=100_000.0)
for number, result in enumerate(scrape([f"NCT{n:08}" for n in range(10_000)], store=store, settings=settings), 1):
    assert result.outcome == "not_found", result
    if number in (2_000, 10_000):
        gc.collect()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, sys.getallocatedblocks())
"""


def test_ten_thousand_ids_are_requested_once_each_in_flat_memory() -> None:
    # In memory where there is such a folder: what is measured is not the disk.
    folder = tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)  # noqa: S108
    try:
        with Replica(Site()) as replica:
            done = subprocess.run(
                [sys.executable, "-c", MANY, replica.url, f"{folder}/trialscrape.db"],
                # What measures the coverage grows with what it sees.
                env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")},
                capture_output=True,
                text=True,
                check=True,
            )
    finally:
        shutil.rmtree(folder)
    alone = [path for path in paths(replica) if path != LIST]
    assert len(set(alone)) == len(alone) == 10_000
    assert 10 <= len(paths(replica)) - len(alone) <= 20
    early, late = (tuple(map(int, line.split())) for line in done.stdout.splitlines())
    # SQLite keeps up to 32 MB of the store in memory, so a few MB come with its growth; of the ids nothing stays.
    assert late[0] - early[0] < 10_000
    assert late[1] - early[1] < 1_000

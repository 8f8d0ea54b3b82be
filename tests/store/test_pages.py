"""The history of pages in a store: which version came when, which may go, and whose page it is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trialscrape.page import Match, Page
from trialscrape.store.pages import Added, PageSummary
from trialscrape.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIER = NOON - timedelta(hours=1)
LATER = NOON + timedelta(hours=1)
LATEST = NOON + timedelta(hours=2)
URL = "https://ctv.example/study/walking-for-knee-pain"
OTHER = "https://ctv.example/study/swimming-for-knee-pain"
ONE, TWO, CURRENT = "NCT99000001", "NCT99000002", "NCT99000003"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "trialscrape.db") as store:
        yield store


def add(store: Store, body: bytes, at: datetime = NOON, url: str = URL, ids: tuple[str, ...] = ()) -> Added:
    return store.pages.add(url, Page(body, fetched_at=at), ids=ids)


def add_from_archive(store: Store, body: bytes, at: datetime) -> Added:
    return store.pages.add(URL, Page(body, fetched_at=at), historic=True)


def test_the_versions_of_a_page_follow_each_other(store: Store) -> None:
    first = add(store, b"1").version_id
    other = add(store, b"x", LATER, url=OTHER).version_id
    second = add(store, b"2", LATER).version_id
    third = add(store, b"3", LATER).version_id
    oldest = add_from_archive(store, b"0", EARLIER).version_id
    before = {number: store.pages.find_before(number) for number in (oldest, first, second, third, other)}
    assert [page and page.page.body for page in before.values()] == [None, b"0", b"1", b"2", None]
    assert [store.pages.get_fetch_time(number) for number in (oldest, first, third)] == [EARLIER, NOON, LATER]
    page = store.pages.get_version(second)
    assert page is not None
    assert (page.url, page.page.body, page.version_id) == (URL, b"2", second)
    assert store.pages.get_version(99) is None


def test_an_older_version_that_is_kept_already_is_named(store: Store) -> None:
    add(store, b"new", LATER)
    old = add_from_archive(store, b"old", NOON)
    assert add_from_archive(store, b"old", EARLIER) == (old.version_id, "unchanged")


def test_what_was_the_latest_at_a_time(store: Store) -> None:
    add(store, b"1", NOON)
    add(store, b"x", LATER, url=OTHER)
    add(store, b"2", LATEST)
    for until, bodies in {
        EARLIER: [],
        NOON: [b"1"],
        LATER: [b"1", b"x"],
        LATEST: [b"2", b"x"],
        None: [b"2", b"x"],
    }.items():
        assert [page.page.body for page in store.pages.all_latest(until=until)] == bodies


def test_a_summary_of_each_address(store: Store) -> None:
    add(store, b"1", NOON, ids=(ONE, "NCT99000008"))
    latest = add(store, b"2", LATER).version_id
    store.pages.set_match(ONE, latest, Match("nct_id", TWO))
    store.pages.set_match(TWO, latest, Match("nct_id", ONE))
    store.pages.touch(URL, LATEST)
    add(store, b"x", NOON, url=OTHER)
    assert list(store.pages.summarize()) == [
        PageSummary(URL, (ONE, TWO), 2, LATER, LATEST),
        PageSummary(OTHER, (), 1, NOON, NOON),
    ]


def test_all_addresses_have_a_summary(store: Store) -> None:
    with store.transaction():
        for number in range(2001):
            add(store, b"", url=f"{URL}-{number}")
    assert [summary.url for summary in store.pages.summarize()] == [f"{URL}-{number}" for number in range(2001)]


def test_versions_are_removed_but_for_the_latest_and_those_that_are_needed(store: Store) -> None:
    numbers = [add(store, bytes([hour]), NOON + timedelta(hours=hour)).version_id for hour in range(6)]
    other = [add(store, body, url=OTHER).version_id for body in (b"x", b"y")]
    store.pages.set_match(ONE, numbers[1], Match("nct_id", ONE))
    store.pages.begin_parsing(numbers[2])
    assert sorted(store.pages.list_prunable(2)) == [numbers[0], numbers[3]]
    assert sorted(store.pages.list_prunable(1)) == [numbers[0], numbers[3], numbers[4], other[0]]
    assert store.pages.prune(2) == 2
    assert [page.version_id for page in store.pages.versions(URL)] == [*numbers[1:3], *numbers[4:]]
    assert store.pages.prune(1) == 2
    assert [page.version_id for page in store.pages.versions(URL)] == [*numbers[1:3], numbers[5]]
    assert [page.version_id for page in store.pages.versions(OTHER)] == other[1:]
    with pytest.raises(ValueError, match=r"^expected to keep 1 version or more, found 0$"):
        store.pages.prune(0)


def test_the_room_of_removed_versions_is_given_back(store: Store) -> None:
    for hour in range(20):
        add(store, bytes(range(256)) * 400 + bytes([hour]), NOON + timedelta(hours=hour))
    store.database.compact()
    before = Path(store.path).stat().st_size
    store.pages.prune(1)
    store.database.compact()
    assert Path(store.path).stat().st_size < before


def test_the_study_of_an_address_is_the_one_of_its_latest_match(store: Store) -> None:
    first = add(store, b"1", ids=(TWO,)).version_id
    assert store.pages.find_study(URL) is None
    store.pages.set_match(ONE, first, Match("title+sponsor", ONE))
    assert store.pages.find_study(URL) == ONE
    store.pages.set_match(TWO, add(store, b"2", LATER).version_id, Match("title+sponsor", CURRENT))
    assert store.pages.find_study(URL) == CURRENT
    assert store.pages.find_study(OTHER) is None


def test_the_addresses_of_a_study(store: Store) -> None:
    first = add(store, b"1", ids=(ONE, "walking")).version_id
    second = add(store, b"x", LATER, url=OTHER, ids=(ONE,)).version_id
    assert store.pages.find_addresses(ONE) == ()  # asked for, and matched to nothing yet
    assert store.pages.find_addresses("walking") == (URL,)  # a slug is what its page is
    store.pages.set_match(ONE, first, Match("nct_id", CURRENT))
    assert [store.pages.find_addresses(name) for name in (ONE, CURRENT, TWO, URL)] == [(URL,), (URL,), (), (URL,)]
    store.pages.set_match(ONE, second, Match("nct_id", CURRENT))
    assert store.pages.find_addresses(ONE) == store.pages.find_addresses(CURRENT) == (OTHER, URL)
    store.pages.touch(URL, LATEST)
    assert store.pages.find_addresses(ONE) == (URL, OTHER)


def test_an_unchanged_page_may_come_with_new_validators(store: Store) -> None:
    store.pages.add(URL, Page(b"1", fetched_at=NOON, etag='"1"', last_modified="then"))
    store.pages.touch(URL, LATER, etag='"2"')
    store.pages.touch(URL, LATEST, last_modified="now")
    latest = store.pages.latest(URL)
    assert latest is not None
    assert (latest.page.etag, latest.page.last_modified, latest.checked_at) == ('"2"', "now", LATEST)

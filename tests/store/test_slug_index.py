from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trialscrape.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
LATEST = NOON + timedelta(hours=2)
SITEMAP = "https://ctv.example/sitemap.xml"
SLUGS = [
    "walking-for-knee-pain",
    "walking-for-knee-pain-1",
    "swimming-for-knee-pain-in-older-adults",
    "fasudil-in-alport-syndrome-a-pilot-study",
    "a-pilot-study-of-sleep",
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "trialscrape.db") as store:
        yield store


def test_a_shard_is_replaced_by_what_it_lists_now(store: Store) -> None:
    assert store.replace_shard("s", SLUGS, NOON, etag='"1"', last_modified="date") == (5, 0)
    assert store.replace_shard("s", [*SLUGS[1:], SLUGS[1], "new-one"], LATER, etag='"2"') == (1, 1)
    assert not store.slug_exists("walking-for-knee-pain")
    assert store.slug_exists("new-one")
    shard = store.shard("s")
    assert shard is not None
    assert (shard.etag, shard.last_modified, shard.synced_at, shard.slugs) == ('"2"', None, LATER, 5)
    assert "walking-for-knee-pain" not in [near.slug for near in store.near("walking-for-knee-pain")]
    assert store.shard("t") is None


def test_a_slug_of_two_shards_stays_until_both_drop_it(store: Store) -> None:
    store.replace_shard("s", ["both", "only-s"], NOON)
    assert store.replace_shard("t", ["both"], NOON) == (0, 0)
    assert store.replace_shard("s", ["only-s"], LATER) == (0, 0)
    assert store.slug_exists("both")
    assert store.replace_shard("t", [], LATER) == (0, 1)
    assert not store.slug_exists("both")


def test_a_part_of_a_shard_takes_nothing_away_and_is_asked_for_again(store: Store) -> None:
    store.replace_shard("s", ["one", "two"], NOON, etag='"1"')
    assert store.replace_shard("s", ["three"], LATER, etag='"2"', is_whole=lambda: False) == (1, 0)
    shard = store.shard("s")
    assert shard is not None
    assert (shard.etag, shard.synced_at, shard.slugs) == (None, NOON, 3)


def test_a_shard_that_fails_while_it_is_read_changes_nothing(store: Store) -> None:
    def slugs() -> Iterator[str]:
        yield "two"
        raise KeyError

    store.replace_shard("s", ["one"], NOON)
    with pytest.raises(KeyError):
        store.replace_shard("s", slugs(), LATER)
    assert store.slug_exists("one")
    assert not store.slug_exists("two")


def shards(store: Store) -> list[str]:
    return [url for url in "stuv" if store.shard(url)]


OTHER_SITEMAP = "https://ctv.example/more.xml"


def test_a_sitemap_drops_its_own_shards(store: Store) -> None:
    sync = store.begin_sync(SITEMAP, NOON, not_before=NOON)
    other = store.begin_sync(OTHER_SITEMAP, NOON, not_before=NOON)
    store.replace_shard("s", ["one", "both"], NOON, sync=sync)
    store.replace_shard("t", ["two", "both"], NOON, sync=sync)
    store.replace_shard("u", ["three"], NOON, sync=other)
    store.replace_shard("v", ["four"], NOON, sync=other, is_whole=lambda: False)
    assert store.drop_shards(sync, keep=["t"]) == 1
    assert shards(store) == ["t", "u", "v"]
    assert [store.slug_exists(slug) for slug in ("one", "two", "both", "three")] == [False, True, True, True]
    store.touch_shard("t", NOON, sync=other)
    store.end_sync(other, NOON)
    assert store.drop_shards(store.begin_sync(OTHER_SITEMAP, LATER, not_before=NOON), keep=["u", "x"]) == 3
    assert shards(store) == ["u"]


def test_shards_of_an_older_version_are_dropped_by_the_first_sync_that_does_not_name_them(store: Store) -> None:
    store.replace_shard("s", ["one"], NOON)
    store.replace_shard("t", ["two"], NOON)
    assert store.drop_shards(store.begin_sync(SITEMAP, NOON, not_before=NOON), keep=["t"]) == 1
    assert shards(store) == ["t"]


def test_status_of_the_index(store: Store) -> None:
    status = store.index_status()
    assert (status.shards, status.slugs, status.oldest_sync, status.unfinished_since) == (0, 0, None, None)
    sync = store.begin_sync(SITEMAP, NOON, not_before=NOON)
    store.replace_shard("s", ["one"], NOON, sync=sync)
    store.replace_shard("t", ["two"], LATER, sync=sync)
    status = store.index_status()
    assert (status.shards, status.slugs) == (2, 2)
    assert (status.oldest_sync, status.newest_sync, status.unfinished_since) == (NOON, LATER, NOON)
    store.end_sync(sync, LATEST)
    assert store.index_status().unfinished_since is None


def test_a_sync_is_gone_on_with_unless_it_is_old_or_has_ended(store: Store) -> None:
    sync = store.begin_sync(SITEMAP, NOON, not_before=NOON)
    store.replace_shard("s", ["one"], NOON, sync=sync)
    again = store.begin_sync(SITEMAP, LATER, not_before=NOON)
    assert (again.sync_id, again.started_at, again.done) == (sync.sync_id, NOON, frozenset({"s"}))
    renewed = store.begin_sync(SITEMAP, LATEST, not_before=LATER)
    assert (renewed.started_at, renewed.done) == (LATEST, frozenset())
    store.touch_shard("s", LATEST, sync=renewed)
    assert store.begin_sync(SITEMAP, LATEST, not_before=NOON).done == {"s"}
    store.end_sync(renewed, LATEST)
    assert store.begin_sync(SITEMAP, LATEST, not_before=NOON).done == frozenset()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("walking-for-knee-pain", "walking-for-knee-pain"),
        ("walking-for-knee-pa", "walking-for-knee-pain"),
        ("walking-for-knee-pain-1-and-more", "walking-for-knee-pain-1"),
        ("pilot-study-of-fasudil-for-alport-syndrome", "fasudil-in-alport-syndrome-a-pilot-study"),
        ("older-adults-who-swim-swimming-and-pain", "swimming-for-knee-pain-in-older-adults"),
    ],
)
def test_near_misses(store: Store, wanted: str, found: str) -> None:
    store.replace_shard("s", SLUGS, NOON)
    near = store.near(wanted)
    assert near[0].slug == found
    assert [one.score for one in near] == sorted((one.score for one in near), reverse=True)
    assert all(0 <= one.score <= 1 for one in near)
    assert store.near(wanted, limit=1) == near[:1]


def test_more_words_help_where_the_slug_is_cut(store: Store) -> None:
    store.replace_shard("s", [f"study-{n}-of-pain" for n in range(3000)] + ["rare-fasudil"], NOON)
    assert store.near("study-of-pain", ["fasudil", "rare"])[0].slug == "rare-fasudil"
    assert store.near("pain-of-study-77")[0].slug == "study-77-of-pain"


def test_only_common_words_are_looked_up_together(store: Store) -> None:
    common = [f"study-of-pain-{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}{n}" for n in range(2500)]
    store.replace_shard("s", [*common, "zz-of-pain-study"], NOON)
    assert all("pain" in near.slug for near in store.near("of-pain-study"))


def test_slugs_that_are_not_ascii_or_hold_quotes_are_no_trouble(store: Store) -> None:
    odd = ['caf%C3%A9-"study"', "étude-du-sommeil", "UPPER_case", "-", "*"]
    assert store.replace_shard("s", odd, NOON) == (5, 0)
    assert store.near('caf-"study" OR * AND', ['"', "NEAR("])
    assert store.replace_shard("s", [], LATER) == (0, 5)
    assert store.near("etude") == ()

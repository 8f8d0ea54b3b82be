from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trialscrape.store.slug_index import SlugIndex
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
def index(tmp_path: Path) -> Iterator[SlugIndex]:
    with Store.open(tmp_path / "trialscrape.db") as store:
        yield store.slugs


def test_a_shard_is_replaced_by_what_it_lists_now(index: SlugIndex) -> None:
    assert index.replace_shard("s", SLUGS, NOON, etag='"1"', last_modified="date") == (5, 0)
    assert index.replace_shard("s", [*SLUGS[1:], SLUGS[1], "new-one"], LATER, etag='"2"') == (1, 1)
    assert not index.has("walking-for-knee-pain")
    assert index.has("new-one")
    shard = index.find_shard("s")
    assert shard is not None
    assert (shard.etag, shard.last_modified, shard.synced_at, shard.slugs) == ('"2"', None, LATER, 5)
    assert "walking-for-knee-pain" not in [similar.slug for similar in index.find_similar("walking-for-knee-pain")]
    assert index.find_shard("t") is None


def test_a_slug_of_two_shards_stays_until_both_drop_it(index: SlugIndex) -> None:
    index.replace_shard("s", ["both", "only-s"], NOON)
    assert index.replace_shard("t", ["both"], NOON) == (0, 0)
    assert index.replace_shard("s", ["only-s"], LATER) == (0, 0)
    assert index.has("both")
    assert index.replace_shard("t", [], LATER) == (0, 1)
    assert not index.has("both")


def test_a_part_of_a_shard_removes_nothing_and_is_fetched_again(index: SlugIndex) -> None:
    index.replace_shard("s", ["one", "two"], NOON, etag='"1"')
    assert index.replace_shard("s", ["three"], LATER, etag='"2"', is_whole=lambda: False) == (1, 0)
    shard = index.find_shard("s")
    assert shard is not None
    assert (shard.etag, shard.synced_at, shard.slugs) == (None, NOON, 3)


def test_a_shard_that_fails_while_it_is_read_changes_nothing(index: SlugIndex) -> None:
    def slugs() -> Iterator[str]:
        yield "two"
        raise KeyError

    index.replace_shard("s", ["one"], NOON)
    with pytest.raises(KeyError):
        index.replace_shard("s", slugs(), LATER)
    assert index.has("one")
    assert not index.has("two")


def shards(index: SlugIndex) -> list[str]:
    return [url for url in "stuv" if index.find_shard(url)]


OTHER_SITEMAP = "https://ctv.example/more.xml"


def test_a_sitemap_drops_its_own_shards(index: SlugIndex) -> None:
    sync = index.begin_sync(SITEMAP, NOON, not_before=NOON)
    other = index.begin_sync(OTHER_SITEMAP, NOON, not_before=NOON)
    index.replace_shard("s", ["one", "both"], NOON, sync=sync)
    index.replace_shard("t", ["two", "both"], NOON, sync=sync)
    index.replace_shard("u", ["three"], NOON, sync=other)
    index.replace_shard("v", ["four"], NOON, sync=other, is_whole=lambda: False)
    assert index.drop_shards(sync, keep=["t"]) == 1
    assert shards(index) == ["t", "u", "v"]
    assert [index.has(slug) for slug in ("one", "two", "both", "three")] == [False, True, True, True]
    index.touch_shard("t", NOON, sync=other)
    index.end_sync(other, NOON)
    assert index.drop_shards(index.begin_sync(OTHER_SITEMAP, LATER, not_before=NOON), keep=["u", "x"]) == 3
    assert shards(index) == ["u"]


def test_shards_of_an_older_version_are_dropped_by_the_first_sync_that_does_not_name_them(index: SlugIndex) -> None:
    index.replace_shard("s", ["one"], NOON)
    index.replace_shard("t", ["two"], NOON)
    assert index.drop_shards(index.begin_sync(SITEMAP, NOON, not_before=NOON), keep=["t"]) == 1
    assert shards(index) == ["t"]


def test_status_of_the_index(index: SlugIndex) -> None:
    status = index.status()
    assert (status.shards, status.slugs, status.oldest_sync, status.unfinished_since) == (0, 0, None, None)
    sync = index.begin_sync(SITEMAP, NOON, not_before=NOON)
    index.replace_shard("s", ["one"], NOON, sync=sync)
    index.replace_shard("t", ["two"], LATER, sync=sync)
    status = index.status()
    assert (status.shards, status.slugs) == (2, 2)
    assert (status.oldest_sync, status.newest_sync, status.unfinished_since) == (NOON, LATER, NOON)
    index.end_sync(sync, LATEST)
    assert index.status().unfinished_since is None


def test_a_sync_is_resumed_unless_it_is_old_or_has_ended(index: SlugIndex) -> None:
    sync = index.begin_sync(SITEMAP, NOON, not_before=NOON)
    index.replace_shard("s", ["one"], NOON, sync=sync)
    resumed = index.begin_sync(SITEMAP, LATER, not_before=NOON)
    assert (resumed.sync_id, resumed.started_at, resumed.done) == (sync.sync_id, NOON, frozenset({"s"}))
    renewed = index.begin_sync(SITEMAP, LATEST, not_before=LATER)
    assert (renewed.started_at, renewed.done) == (LATEST, frozenset())
    index.touch_shard("s", LATEST, sync=renewed)
    assert index.begin_sync(SITEMAP, LATEST, not_before=NOON).done == {"s"}
    index.end_sync(renewed, LATEST)
    assert index.begin_sync(SITEMAP, LATEST, not_before=NOON).done == frozenset()


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
def test_near_misses(index: SlugIndex, wanted: str, found: str) -> None:
    index.replace_shard("s", SLUGS, NOON)
    similar = index.find_similar(wanted)
    assert similar[0].slug == found
    assert [one.score for one in similar] == sorted((one.score for one in similar), reverse=True)
    assert all(0 <= one.score <= 1 for one in similar)
    assert index.find_similar(wanted, limit=1) == similar[:1]


def test_more_words_help_where_the_slug_is_cut(index: SlugIndex) -> None:
    index.replace_shard("s", [f"study-{n}-of-pain" for n in range(3000)] + ["rare-fasudil"], NOON)
    assert index.find_similar("study-of-pain", ["fasudil", "rare"])[0].slug == "rare-fasudil"
    assert index.find_similar("pain-of-study-77")[0].slug == "study-77-of-pain"


def test_only_common_words_are_looked_up_together(index: SlugIndex) -> None:
    common = [f"study-of-pain-{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}{n}" for n in range(2500)]
    index.replace_shard("s", [*common, "zz-of-pain-study"], NOON)
    similar = index.find_similar("of-pain-study", limit=40)
    assert all("pain" in one.slug for one in similar)
    assert len(similar) > 10  # not only the neighbours in the alphabet


@pytest.mark.parametrize(("count", "is_looked_up"), [(2_500, True), (2_501, False)])
def test_common_words_tell_nothing_where_a_rarer_one_has_found_something(
    index: SlugIndex,
    count: int,
    is_looked_up: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    index.replace_shard("s", [*(f"study-of-pain-{number}" for number in range(count)), "rare-fasudil"], NOON)
    found = [similar.slug for similar in index.find_similar("study-of-pain-with-fasudil", limit=40)]
    assert "rare-fasudil" in found
    assert (len(found) > 11) == is_looked_up


def test_slugs_that_are_not_ascii_or_hold_quotes_are_no_trouble(index: SlugIndex) -> None:
    odd = ['caf%C3%A9-"study"', "étude-du-sommeil", "UPPER_case", "-", "*"]
    assert index.replace_shard("s", odd, NOON) == (5, 0)
    assert index.find_similar('caf-"study" OR * AND', ['"', "NEAR("])
    assert index.replace_shard("s", [], LATER) == (0, 5)
    assert index.find_similar("etude") == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("knee PAIN", SLUGS[:3]),
        ("pain in adults", [SLUGS[2]]),
        ("alpo*", [SLUGS[3]]),
        ("alpo", []),
        ("of walk*", []),
        ("covid 19", ["masks-against-covid19", "covid-19-at-sea"]),
        ("covid-1*", ["masks-against-covid19", "covid-19-at-sea"]),
        ("covid", ["covid-19-at-sea"]),
        ("walking 1", [SLUGS[1]]),
        ('" OR knee', []),
        ("*", []),
    ],
)
def test_a_search_finds_the_slugs_that_hold_all_words(index: SlugIndex, text: str, found: list[str]) -> None:
    index.replace_shard("s", [*SLUGS, "masks-against-covid19", "covid-19-at-sea"], NOON)
    assert sorted(index.search(text)) == sorted(found)


def test_a_search_yields_everything_once(index: SlugIndex) -> None:
    slugs = [f"study-of-pain-in-{n:04}-knees" for n in range(2500)]
    index.replace_shard("s", slugs, NOON)
    assert list(index.search("pain knee*")) == slugs

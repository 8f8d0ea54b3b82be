"""Where the page of an id may be."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trialscrape.fetching.responses import Result
from trialscrape.registry.mapping import RegistryAnswer
from trialscrape.scraping.candidates import MOST_CANDIDATES, list_candidates, list_duplicates
from trialscrape.store.slug_index import SlugIndex
from trialscrape.store.store import Store

OFFICIAL, BRIEF = "A Randomized Trial of Trees", "Trees for Clerks"
SLUG, SHORT = "a-randomized-trial-of-trees", "trees-for-clerks"
DEVICE = "[Trial of device that is not approved or cleared by the U.S. FDA]"
DEVICE_SLUG = "trial-of-device-that-is-not-approved-or-cleared-by-the-us-fda"


def titled(official: str | None, brief: str | None) -> RegistryAnswer:
    return RegistryAnswer(
        status="found", requested_id="", url="", result=Result.OK, official_title=official, brief_title=brief
    )


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SlugIndex]:
    with Store.open(tmp_path / "trialscrape.db") as store:
        yield store.slugs


WITHOUT_INDEX: dict[str, tuple[str | None, str | None, list[str]]] = {
    "brief first": (OFFICIAL, BRIEF, [SHORT, SLUG, f"{SHORT}-1", f"{SLUG}-1"]),
    "brief only": (None, BRIEF, [SHORT, f"{SHORT}-1"]),
    "the same title twice": (BRIEF, BRIEF, [SHORT, f"{SHORT}-1"]),
    "what the rule leaves open comes last": (
        OFFICIAL,
        "R&D of Trees",
        ["rd-of-trees", SLUG, "rd-of-trees-1", f"{SLUG}-1", "r-d-of-trees"],
    ),
    "an acronym in the last bracket": (
        OFFICIAL,
        f"{BRIEF} (TREE-2)",
        [f"{SHORT}-tree2", SLUG, f"{SHORT}-tree2-1", f"{SLUG}-1", SHORT],
    ),
    "a bracket of more words": (
        None,
        f"{BRIEF} (Who Sit All Day)",
        [f"{SHORT}-who-sit-all-day", f"{SHORT}-who-sit-all-day-1"],
    ),
    "no letter of a slug": ("研究", BRIEF, [SHORT, f"{SHORT}-1"]),
    "no slug at all": ("研究", "…", []),
    "the title of all unapproved devices": (None, DEVICE, []),
    "a device with a title of its own": (OFFICIAL, DEVICE, [SLUG, f"{SLUG}-1"]),
}


@pytest.mark.parametrize(("official", "brief", "expected"), WITHOUT_INDEX.values(), ids=WITHOUT_INDEX)
def test_without_an_index_the_likeliest_slugs_are_tried(
    index: SlugIndex, official: str | None, brief: str | None, expected: list[str]
) -> None:
    assert list_candidates(titled(official, brief), index) == expected


def test_titles_of_many_readings_give_at_most_eight_candidates(index: SlugIndex) -> None:
    slugs = list_candidates(titled("R&D of Old_Trees (A B)", "R&D of Trees (C_D)"), index)
    assert len(slugs) == len(set(slugs)) == MOST_CANDIDATES == 8


def test_a_title_is_cut_where_the_site_cuts_it(index: SlugIndex) -> None:
    slugs = list_candidates(titled(None, "Trees, for Clerks and Others"), index, length=16)
    assert slugs == ["trees-for-clerk", "trees-for-clerk-1"]


WITH_INDEX: dict[str, tuple[list[str], list[str]]] = {
    "only what is listed": ([SLUG, "rice-and-beans"], [SLUG]),
    "both titles": ([SHORT, SLUG], [SHORT, SLUG]),
    "number_slug ones": ([f"{SLUG}-2", SLUG, f"{SHORT}-1"], [SLUG, f"{SHORT}-1", f"{SLUG}-2"]),
    "only a number_slug one": ([f"{SLUG}-9"], [f"{SLUG}-9"]),
    "a renamed study": (["a-randomized-trial-of-old-trees", "rice-and-beans"], ["a-randomized-trial-of-old-trees"]),
    "cut elsewhere": (["a-randomized-trial-of-tre"], ["a-randomized-trial-of-tre"]),
    "nothing listed": (["rice-and-beans"], [SHORT, SLUG, f"{SHORT}-1", f"{SLUG}-1"]),
}


@pytest.mark.parametrize(("listed", "expected"), WITH_INDEX.values(), ids=WITH_INDEX)
def test_with_an_index_the_listed_slugs_are_tried(index: SlugIndex, listed: list[str], expected: list[str]) -> None:
    index.replace_shard("s", listed, datetime.now(UTC))
    assert list_candidates(titled(OFFICIAL, BRIEF), index) == expected


def test_many_listed_slugs_are_cut_to_eight(index: SlugIndex) -> None:
    made = (SHORT, SLUG)
    forms = [f"{slug}-{number}" for slug in made for number in range(1, 10)]
    index.replace_shard("s", [*made, *forms], datetime.now(UTC))
    assert list_candidates(titled(OFFICIAL, BRIEF), index) == [*made, *forms[:6]]


def test_devices_are_not_tried_one_after_the_other(index: SlugIndex) -> None:
    index.replace_shard("s", [DEVICE_SLUG, *(f"{DEVICE_SLUG}-{number}" for number in range(1, 10))], datetime.now(UTC))
    assert list_candidates(titled(None, DEVICE), index) == []


def test_duplicates_are_tried_where_no_index_tells_them(index: SlugIndex) -> None:
    numbers = [f"{SHORT}-{number}" for number in range(1, 10)]
    assert list_duplicates(SHORT, index) == list_duplicates(f"{SHORT}-1", index) == numbers
    index.replace_shard("s", [SHORT], datetime.now(UTC))
    assert list_duplicates(SHORT, index) == []

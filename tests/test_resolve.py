"""Where the page of an id may be, and what counts as the proof that a page is its page."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from page import with_
from trialscrape import parser
from trialscrape.records import Trial
from trialscrape.registry import RegistryAnswer
from trialscrape.resolve import MOST_CANDIDATES, candidates, proof_of, with_proven_id
from trialscrape.store import Store

NCT_ID, CURRENT, OTHER = "NCT99000100", "NCT99000200", "NCT99000300"
TITLE, SPONSOR = "Tree Bathing for Restless Clerks", "Institute for Arboreal Medicine"
OFFICIAL, BRIEF = "A Randomized Trial of Trees", "Trees for Clerks"
SLUG, SHORT = "a-randomized-trial-of-trees", "trees-for-clerks"


def answer(**changes: Any) -> RegistryAnswer:
    """Return what the registry says of the invented page."""
    said = {"nct_id": NCT_ID, "brief_title": TITLE, "official_title": OFFICIAL, "acronym": "TREEBATH"}
    return RegistryAnswer(status="found", asked=NCT_ID, url="", result="ok", **({"sponsor": SPONSOR} | said | changes))


def titled(official: str | None, brief: str | None) -> RegistryAnswer:
    return answer(official_title=official, brief_title=brief)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "trialscrape.db") as store:
        yield store


WITHOUT_INDEX: dict[str, tuple[str | None, str | None, list[str]]] = {
    "official first": (OFFICIAL, BRIEF, [SLUG, SHORT, f"{SLUG}-1", f"{SHORT}-1"]),
    "brief only": (None, BRIEF, [SHORT, f"{SHORT}-1"]),
    "the same title twice": (BRIEF, BRIEF, [SHORT, f"{SHORT}-1"]),
    "another reading comes last": ("Trees & Clerks", None, ["trees-clerks", "trees-clerks-1", "trees-and-clerks"]),
    "no letter of a slug": ("研究", BRIEF, [SHORT, f"{SHORT}-1"]),
    "no slug at all": ("研究", "…", []),
}


@pytest.mark.parametrize(("official", "brief", "expected"), WITHOUT_INDEX.values(), ids=WITHOUT_INDEX)
def test_without_an_index_the_likeliest_slugs_are_tried(
    store: Store, official: str | None, brief: str | None, expected: list[str]
) -> None:
    assert candidates(titled(official, brief), store) == expected


def test_a_title_of_many_readings_gives_at_most_eight_candidates(store: Store) -> None:
    many = "Étude® (of) 5.5 mg µ-Trees & (Other) α/β Clerks™: A Trial, in 1.000 Words"
    slugs = candidates(titled(many, f"{many} Again"), store)
    assert len(slugs) == len(set(slugs)) == MOST_CANDIDATES == 8


def test_a_slug_is_cut_where_the_site_cuts_it(store: Store) -> None:
    assert (
        candidates(titled(None, "Trees for Clerks and Others"), store, length=16)
        == [
            "trees-for-clerks",
            "trees-for-clerks-1",
            "trees-for-clerk-1"[:14] + "-1",
        ][:2]
    )


WITH_INDEX: dict[str, tuple[list[str], list[str]]] = {
    "only what is listed": ([SLUG, "rice-and-beans"], [SLUG]),
    "both titles": ([SHORT, SLUG], [SLUG, SHORT]),
    "numbered ones": ([f"{SLUG}-2", SLUG, f"{SHORT}-1"], [SLUG, f"{SLUG}-2", f"{SHORT}-1"]),
    "only a numbered one": ([f"{SLUG}-3"], [f"{SLUG}-3"]),
    "a renamed study": (["a-randomized-trial-of-old-trees", "rice-and-beans"], ["a-randomized-trial-of-old-trees"]),
    "cut elsewhere": (["a-randomized-trial-of-tre"], ["a-randomized-trial-of-tre"]),
    "nothing listed": (["rice-and-beans"], [SLUG, SHORT, f"{SLUG}-1", f"{SHORT}-1"]),
}


@pytest.mark.parametrize(("listed", "expected"), WITH_INDEX.values(), ids=WITH_INDEX)
def test_with_an_index_the_listed_slugs_are_tried(store: Store, listed: list[str], expected: list[str]) -> None:
    store.replace_shard("s", listed, datetime.now(UTC))
    assert candidates(titled(OFFICIAL, BRIEF), store) == expected


def test_many_listed_slugs_are_cut_to_eight(store: Store) -> None:
    made = ("trees-clerks", "trees-and-clerks", SHORT)
    store.replace_shard("s", [f"{slug}{form}" for slug in made for form in ("", "-1", "-2", "-3")], datetime.now(UTC))
    assert candidates(titled("Trees & Clerks", BRIEF), store) == [
        *made,
        *(f"{made[0]}-{number}" for number in (1, 2, 3)),
        *(f"{made[1]}-{number}" for number in (1, 2)),
    ]


OWN, NUMBER = f"{NCT_ID}\n", "IAM-7 (Other Identifier)\n"
IDENTIFIERS = f"Identifiers\n\n{OWN}{NUMBER}\n"
UNNAMED = (IDENTIFIERS, "")
HEADED = "Tree Bathing for Restless Clerks (TREEBATH)"


def page(*changes: tuple[str, str]) -> Trial:
    return parser.parse(with_(*changes))


def unnamed(title: str = HEADED, sponsor: str = SPONSOR) -> Trial:
    """Return the record of a page that shows no identifier."""
    return page(UNNAMED, (HEADED, title), (SPONSOR, sponsor))


PROOFS: dict[str, tuple[Trial, RegistryAnswer | None, str | None]] = {
    "the id": (page(), answer(), "nct_id"),
    "the id, without the registry": (page(), None, "nct_id"),
    "the id, whatever the title": (page((HEADED, "Other"), (SPONSOR, "Other")), answer(), "nct_id"),
    "an old id on the page": (page(), answer(nct_id=CURRENT), "nct_id"),
    "the current id on the page": (page((OWN, f"{CURRENT}\n")), answer(nct_id=CURRENT), "current_nct_id"),
    "the current id, without the registry": (page((OWN, f"{CURRENT}\n")), None, None),
    "another id": (page((OWN, f"{OTHER}\n")), answer(), None),
    "another id, same title and sponsor": (page((OWN, f"{OTHER}\n")), answer(brief_title=HEADED), None),
    "the id of another registry entry": (
        page((OWN, f"{OTHER}\n"), (NUMBER, f"{NCT_ID} (Registry Identifier)\n")),
        answer(),
        None,
    ),
    "the current id of another registry entry": (
        page((OWN, f"{OTHER}\n"), (NUMBER, f"{CURRENT} (Registry Identifier)\n")),
        answer(nct_id=CURRENT),
        None,
    ),
    "only the sponsor's number": (page((OWN, "")), answer(), None),
    "the brief title": (unnamed(TITLE), answer(), "title"),
    "the official title": (unnamed(OFFICIAL), answer(), "title"),
    "case, blanks and full stop": (unnamed(f"{TITLE.upper()} ."), answer(sponsor=f"{SPONSOR.lower()}."), "title"),
    "the acronym in the last bracket": (unnamed(HEADED), answer(), "title"),
    "the acronym in the registry's title": (unnamed(HEADED), answer(brief_title=HEADED), "title"),
    "another acronym": (unnamed(), answer(acronym="TB"), None),
    "no acronym known": (unnamed(), answer(acronym=None), None),
    "another title": (unnamed("Tree Bathing for Weary Clerks (TREEBATH)"), answer(), None),
    "the beginning of the title": (unnamed("Tree Bathing"), answer(), None),
    "another sponsor": (unnamed(sponsor="Institute for Marine Medicine"), answer(), None),
    "no registry to compare with": (unnamed(), None, None),
}


@pytest.mark.parametrize(("trial", "said", "proof"), PROOFS.values(), ids=PROOFS)
def test_proof(trial: Trial, said: RegistryAnswer | None, proof: str | None) -> None:
    assert proof_of(trial, NCT_ID, said) == proof


def test_a_page_without_title_and_sponsor_proves_nothing() -> None:
    blank = unnamed().model_copy(update={"title": None, "acronym": None, "sponsor": None})
    assert proof_of(blank, NCT_ID, answer(brief_title=None, official_title=None, sponsor=None)) is None


def test_a_record_proven_by_title_gets_the_id_and_says_so() -> None:
    bare = unnamed()
    proven = with_proven_id(bare, NCT_ID, "title")
    assert (bare.nct_id, proven.nct_id) == (None, NCT_ID)
    assert [(warning.code, warning.line, warning.message) for warning in proven.warnings] == [
        (
            "nct_id_not_on_page",
            None,
            "expected an NCT id on the page, found none; the id was proven by the registry's title and sponsor",
        ),
        *((warning.code, warning.line, warning.message) for warning in bare.warnings),
    ]
    assert proven == bare.model_copy(update={"nct_id": NCT_ID, "warnings": proven.warnings})


@pytest.mark.parametrize("proof", ["nct_id", "current_nct_id", "address"])
def test_a_record_whose_page_shows_the_id_stays_as_it_is(proof: str) -> None:
    assert with_proven_id(page(), OTHER, proof) == page()

"""What makes a page an id's page."""

from typing import Any

import pytest

import trialscrape
from support.page import with_
from trialscrape.fetching.responses import Result
from trialscrape.page import Match
from trialscrape.parsing.parser import add_matched_id
from trialscrape.records import Trial
from trialscrape.registry.mapping import RegistryAnswer
from trialscrape.scraping.matching import explain_mismatch, match_page

NCT_ID, CURRENT, OTHER = "NCT99000100", "NCT99000200", "NCT99000300"
TITLE, SPONSOR = "Tree Bathing for Restless Clerks", "Institute for Arboreal Medicine"
OFFICIAL = "A Randomized Trial of Trees"


def answer(**changes: Any) -> RegistryAnswer:
    """Return what the registry says of the invented page."""
    said = {"nct_id": NCT_ID, "brief_title": TITLE, "official_title": OFFICIAL, "acronym": "TREEBATH"}
    return RegistryAnswer(
        status="found", requested_id=NCT_ID, url="", result=Result.OK, **({"sponsor": SPONSOR} | said | changes)
    )


OWN, NUMBER = f"{NCT_ID}\n", "IAM-7 (Other Identifier)\n"
IDENTIFIERS = f"Identifiers\n\n{OWN}{NUMBER}\n"
UNNAMED = (IDENTIFIERS, "")
HEADED = "Tree Bathing for Restless Clerks (TREEBATH)"
SUMMARY = "Clerks sit under trees.\n\nDo they rest?"
FACTS = {
    "enrollment": (1240, "ESTIMATED"),
    "conditions": ("Clerk, weary", "Restlessness"),
    "interventions": (("OTHER", "Potted plant"), ("BEHAVIORAL", "Tree bathing")),
}
PARENT = {"sponsor": "Ministry of Trees"}


def page(*changes: tuple[str, str]) -> Trial:
    return trialscrape.parse(with_(*changes))


def unnamed(title: str = HEADED, *changes: tuple[str, str]) -> Trial:
    """Return the record of a page that shows no identifier."""
    return page(UNNAMED, (HEADED, title), *changes)


def facts(*names: str) -> dict[str, Any]:
    """Return some of the page's facts, and another sponsor."""
    return PARENT | {name: FACTS[name] for name in names}


MATCHES: dict[str, tuple[Trial, RegistryAnswer | None, str | None]] = {
    "the id": (page(), answer(), "nct_id"),
    "the id, without the registry": (page(), None, "nct_id"),
    "the id, whatever the title": (page((HEADED, "Other"), (SPONSOR, "Other")), answer(), "nct_id"),
    "an old id on the page": (page(), answer(nct_id=CURRENT), "nct_id"),
    "the current id on the page": (page((OWN, f"{CURRENT}\n")), answer(nct_id=CURRENT), "current_nct_id"),
    "the current id, without the registry": (page((OWN, f"{CURRENT}\n")), None, None),
    "another id": (page((OWN, f"{OTHER}\n")), answer(), None),
    "another id, all else the same": (
        page((OWN, f"{OTHER}\n")),
        answer(brief_title=HEADED, brief_summary=SUMMARY, **FACTS),
        None,
    ),
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
    # The title.
    "the brief title": (unnamed(TITLE), answer(), "title+sponsor"),
    "the official title": (unnamed(OFFICIAL), answer(), "title+sponsor"),
    "case, blanks and full stop": (
        unnamed(f"{TITLE.upper()} ."),
        answer(sponsor=f"{SPONSOR.lower()}."),
        "title+sponsor",
    ),
    "another form of Unicode": (unnamed("Bäume"), answer(brief_title="Ba\u0308ume"), "title+sponsor"),
    "the acronym in the last bracket": (unnamed(), answer(), "title+sponsor"),
    "the acronym in the registry's title": (unnamed(), answer(brief_title=HEADED), "title+sponsor"),
    "another acronym": (unnamed(), answer(acronym="TB"), None),
    "no acronym known": (unnamed(), answer(acronym=None), None),
    "another title": (unnamed("Tree Bathing for Weary Clerks"), answer(brief_summary=SUMMARY, **FACTS), None),
    "the beginning of the title": (unnamed("Tree Bathing"), answer(), None),
    "no registry to compare with": (unnamed(), None, None),
    # What must be the same besides.
    "a title alone": (unnamed(), answer(**PARENT), None),
    "another name of the sponsor, the summary": (unnamed(), answer(brief_summary=SUMMARY, **PARENT), "title+summary"),
    "enrollment and conditions": (unnamed(), answer(**facts("enrollment", "conditions")), "title+facts"),
    "enrollment and treatments": (unnamed(), answer(**facts("enrollment", "interventions")), "title+facts"),
    "conditions and treatments": (unnamed(), answer(**facts("conditions", "interventions")), "title+facts"),
    "two facts, and another summary": (
        unnamed(),
        answer(brief_summary="Do clerks sit?", **facts("enrollment", "conditions")),
        "title+facts",
    ),
    "enrollment alone": (unnamed(), answer(**facts("enrollment")), None),
    "conditions alone": (unnamed(), answer(**facts("conditions")), None),
    "treatments alone": (unnamed(), answer(**facts("interventions")), None),
    "another count": (unnamed(), answer(**facts("conditions"), enrollment=(1241, "ESTIMATED")), None),
    "the count of another kind": (unnamed(), answer(**facts("conditions"), enrollment=(1240, "ACTUAL")), None),
    "a condition more": (unnamed(), answer(**facts("enrollment"), conditions=("Clerk, weary", "Rest", "X")), None),
    "treatments of another type": (
        unnamed(),
        answer(**facts("enrollment"), interventions=(("DRUG", "Potted plant"), ("BEHAVIORAL", "Tree bathing"))),
        None,
    ),
    "nothing on both sides is nothing in common": (
        unnamed(
            HEADED,
            ("Enrollment\n\n1,240 estimated patients\n\n", ""),
            ("Conditions\n\nRestlessness\nClerk, Weary\n\n", ""),
        ),
        answer(**PARENT),
        None,
    ),
    # Two studies of one title and sponsor.
    "another summary": (unnamed(), answer(brief_summary="Do clerks sit?"), "title+sponsor"),
    "another enrollment": (unnamed(), answer(enrollment=(12, "ACTUAL")), "title+sponsor"),
    "another summary and enrollment": (
        unnamed(),
        answer(**FACTS | {"brief_summary": "Do clerks sit?", "enrollment": (12, "ACTUAL")}),
        None,
    ),
}


@pytest.mark.parametrize(("trial", "said", "kind"), MATCHES.values(), ids=MATCHES)
def test_match(trial: Trial, said: RegistryAnswer | None, kind: str | None) -> None:
    match = match_page(trial, NCT_ID, said)
    current = said.nct_id if said and kind != "nct_id" else NCT_ID
    assert match == (Match(kind, str(current)) if kind else None)


# The registry's markdown, and what a page makes of it.
MARKUP = {
    "escapes": (r"Trees \<5 m or \>9 m \[tall\] \& \*old\*", "Trees <5 m or >9 m [tall] & *old*"),
    "escapes that the page shows": (r"Trees \\[tall\\]", r"Trees \[tall\]"),
    "lists": (
        "It is asked:\n\n* do they rest\n* why\n\nThen:\n\n1. sit\n2. stand",
        """It is asked:

  • do they rest
  • why

Then:

  1. sit
  1. stand""",
    ),
    "nested lists": ("* trees\n\n  * oak\n  * ash", "  • trees\n\n    • oak\n    • ash"),
    "blank lines and broken lines": ("Clerks\nsit.\n\n\nThey rest.\n", "Clerks sit.\n\nThey rest."),
    "case": ("CLERKS SIT.", "Clerks sit."),
}


@pytest.mark.parametrize(("markdown", "shown"), MARKUP.values(), ids=MARKUP)
def test_a_summary_is_compared_without_its_markup(markdown: str, shown: str) -> None:
    trial = unnamed().model_copy(update={"brief_summary": shown})
    assert match_page(trial, NCT_ID, answer(brief_summary=markdown, **PARENT)) == Match("title+summary", NCT_ID)


@pytest.mark.parametrize("other", ["Trees >5 m", "Trees <5", "Trees <5 m 1. old", "* Trees -5 m", ""])
def test_another_summary_is_another(other: str) -> None:
    trial = unnamed().model_copy(update={"brief_summary": "Trees <5 m"})
    assert match_page(trial, NCT_ID, answer(brief_summary=other, **PARENT)) is None


def test_a_page_without_title_and_sponsor_is_nobodys() -> None:
    blank = unnamed().model_copy(update={"title": None, "acronym": None, "sponsor": None})
    assert match_page(blank, NCT_ID, answer(brief_title=None, official_title=None, sponsor=None, **FACTS)) is None


MISMATCHES = {
    "another id": (page((OWN, f"{OTHER}\n")), answer(), f"is of {OTHER}"),
    "no NCT id": (page((OWN, "")), answer(), "is of IAM-7"),
    "another title": (unnamed("Rice"), answer(), "has no identifier, and another title: 'Rice'"),
    "a long title": (unnamed("Rice " * 100), answer(), f"has no identifier, and another title: '{'Rice ' * 40}…'"),
    "too little in common": (
        unnamed(),
        answer(brief_summary="Do clerks sit?", **facts("conditions")),
        "has no identifier, and its title alone is no proof; compared with the registry: sponsor other, brief summary "
        "other, enrollment not on both sides, conditions the same, treatments not on both sides",
    ),
}


@pytest.mark.parametrize(("trial", "said", "message"), MISMATCHES.values(), ids=MISMATCHES)
def test_a_mismatch_says_what_was_compared(trial: Trial, said: RegistryAnswer, message: str) -> None:
    assert match_page(trial, NCT_ID, said) is None
    assert explain_mismatch(trial, said) == message


@pytest.mark.parametrize(
    ("matched_by", "evidence"),
    [
        ("title+sponsor", "sponsor"),
        ("title+summary", "brief summary"),
        ("title+facts", "two of enrollment, conditions and treatments"),
    ],
)
def test_a_record_matched_by_title_gets_the_id_and_says_so(matched_by: str, evidence: str) -> None:
    bare = unnamed()
    matched = add_matched_id(bare, Match(matched_by, NCT_ID))
    assert (bare.nct_id, matched.nct_id) == (None, NCT_ID)
    assert [(warning.code, warning.line, warning.message) for warning in matched.warnings] == [
        (
            "nct_id_not_on_page",
            None,
            f"expected an NCT id on the page, found none; the id was matched by the registry's title and {evidence}",
        ),
        *((warning.code, warning.line, warning.message) for warning in bare.warnings),
    ]
    assert matched == bare.model_copy(update={"nct_id": NCT_ID, "warnings": matched.warnings})


@pytest.mark.parametrize("matched_by", ["nct_id", "current_nct_id", "address"])
def test_a_record_whose_page_shows_the_id_stays_as_it_is(matched_by: str) -> None:
    assert add_matched_id(page(), Match(matched_by, OTHER)) == page()

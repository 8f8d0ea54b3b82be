import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialscrape.slugs import numbered, slugs_of, words_of

SLUG = re.compile("[a-z0-9]+(?:-[a-z0-9]+)*")
LAYOUTS = Path(__file__).parents[2] / "shared" / "layouts"

TITLES = [
    ("Walking for Older Adults With Knee Pain", ("walking-for-older-adults-with-knee-pain",)),
    ("  Walking  for\tKnee Pain.  ", ("walking-for-knee-pain",)),
    ("Parkinson's and Crohn’s Disease", ("parkinsons-and-crohns-disease",)),
    ('"Sleep Well": A Study', ("sleep-well-a-study",)),
    ("Floss and Oil/CPC+Zn Rinse", ("floss-and-oil-cpc-zn-rinse", "floss-and-oilcpczn-rinse")),
    ("Testolin® Gel", ("testolinr-gel", "testolin-gel")),
    ("Testolin™ Gel", ("testolintm-gel", "testolin-gel")),
    ("Block (ESPB) [Pilot] Study", ("block-espb-pilot-study",)),
    ("[18F]DPA Imaging", ("18fdpa-imaging", "18f-dpa-imaging")),
    ("Walking & Talking", ("walking-talking", "walking-and-talking")),
    ("Café in Ménière", ("cafe-in-meniere", "caf-in-mnire")),
    ("0.05% Atropine", ("0-05-atropine", "005-atropine")),
    ("β-Blocker in ≥2 Doses", ("blocker-in-2-doses", "beta-blocker-in-2-doses")),
    ("研究", ()),
    ("…", ()),
    ("", ()),
]


@pytest.mark.parametrize(("title", "slugs"), TITLES, ids=[title for title, _ in TITLES])
def test_title_to_slugs(title: str, slugs: tuple[str, ...]) -> None:
    assert slugs_of(title) == slugs


def test_the_title_is_cut_before_the_slug_is_made_of_it() -> None:
    title = (
        "Trial: Comparing Walking, Swimming, and Cycling (WSC) as Exercise for Adults With Knee Pain and Stiff Ankles"
    )
    first, second = slugs_of(title)
    assert first == "trial-comparing-walking-swimming-and-cycling-wsc-as-exercise-for-adults-with-knee-pain-and-stif"
    assert (
        second == "trial-comparing-walking-swimming-and-cycling-wsc-as-exercise-for-adults-with-knee-pain-and-stiff-ank"
    )
    assert (len(first), len(second)) == (95, 100)


def test_a_cut_that_falls_on_a_blank_leaves_no_hyphen() -> None:
    assert slugs_of("Ten Letters and More", length=4) == ("ten",)


def test_numbered_forms() -> None:
    assert numbered("knee-pain") == ("knee-pain-1", "knee-pain-2", "knee-pain-3")
    assert numbered("a" * 99, highest=1) == ("a" * 99 + "-1", "a" * 98 + "-1")
    assert numbered("a" * 97 + "-bc", highest=1) == ("a" * 97 + "-bc-1", "a" * 97 + "-1")


def test_words() -> None:
    assert words_of("The Pain of the Knee: Café's 0.5 mg (Pilot)") == (
        "the",
        "pain",
        "of",
        "knee",
        "cafes",
        "0",
        "5",
        "mg",
        "pilot",
    )
    assert words_of("the-pain-of-the-knee") == ("the", "pain", "of", "knee")
    assert words_of("") == ()


def test_real_slugs_are_what_their_own_words_give() -> None:
    names = [path.name for path in LAYOUTS.glob("*.txt")]
    if not names:
        pytest.skip(f"no layout records at {LAYOUTS}: they are not part of the project")
    slugs = [name.removesuffix(".txt")[:-2] for name in names]
    assert len(slugs) >= 70
    for slug in slugs:
        assert SLUG.fullmatch(slug)
        assert len(slug) <= 100
        assert slugs_of(slug.replace("-", " ").title()) == (slug,)


@given(st.text(max_size=200))
def test_any_title_gives_well_formed_slugs(title: str) -> None:
    slugs = slugs_of(title)
    assert len(set(slugs)) == len(slugs)
    assert all(SLUG.fullmatch(slug) and len(slug) <= 100 for slug in slugs)
    assert all(SLUG.fullmatch(slug) and len(slug) <= 103 for slug in slugs for slug in numbered(slug))


@given(st.from_regex(SLUG, fullmatch=True))
def test_a_slug_is_its_own_slug(slug: str) -> None:
    cut = slug[:100].rstrip("-")
    assert slugs_of(slug) == (cut,)
    assert slugs_of(cut) == (cut,)


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=150))
def test_words_of_a_title_are_those_of_its_slug(title: str) -> None:
    if words := words_of(title):
        assert words == words_of(slugs_of(title, length=10_000)[0])

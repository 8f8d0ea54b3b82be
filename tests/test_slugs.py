import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trialscrape.addresses import drop_referrer
from trialscrape.slugs import extract_slug, make_slugs, number_slug, split_search, split_words

SLUG = re.compile("[a-z0-9]+(?:-[a-z0-9]+)*")
COUNTER = re.compile("-[0-9]{1,3}$")
LAYOUTS = Path(__file__).parents[2] / "shared" / "layouts"

ONE_SLUG = {
    # Case, blanks and separators.
    "Walking for Older Adults With Knee Pain": "walking-for-older-adults-with-knee-pain",
    "  Walking  for\tKnee\u00a0Pain  ": "walking-for-knee-pain",
    "Walk-In Clinics - And/Or Home Visits": "walk-in-clinics-and-or-home-visits",
    "Walking -- Then / Resting": "walking-then-resting",
    "-Walking/": "walking",
    # What is dropped without a trace.
    "Parkinson's and Crohn’s Disease": "parkinsons-and-crohns-disease",
    '"Sleep Well": A Study.': "sleep-well-a-study",
    "Block (ESPB) [Pilot] Study": "block-espb-pilot-study",
    "[18F]DPA Imaging": "18fdpa-imaging",
    "Does It Hurt? Yes!": "does-it-hurt-yes",
    "Doses ≥2, <3* a Day": "doses-2-3-a-day",
    "Testolin™ Gel": "testolin-gel",
    "Area of 2 m² in ½ Hour": "area-of-2-m-in-hour",
    "Walking & Talking + Humming": "walking-talking-humming",
    "Trees – A Study — Of Leaves": "trees-a-study-of-leaves",
    "Zero\u200bWidth": "zerowidth",
    # Inside a word too.
    "Atropine 0.3% Drops": "atropine-03-drops",
    "Filler at 1.5 mL": "filler-at-15-ml",
    "The 2,4 Acid": "the-24-acid",
    "The T.R.U.E. Test": "the-true-test",
    "Approved by the U.S. FDA": "approved-by-the-us-fda",
    "Vaccine at 250µg a Dose": "vaccine-at-250g-a-dose",
    # Accents.
    "Café in Ménière": "cafe-in-meniere",
    "Cafe\u0301 in Me\u0301nie\u0300re": "cafe-in-meniere",
    "Sjögren Ñandú Ångström": "sjogren-nandu-angstrom",
    # `®` is a word.
    "Testolin® Gel": "testolin-r-gel",
    "Testolin ® Gel": "testolin-r-gel",
    "Testolin®Gel": "testolin-r-gel",
    "Effect of Testolin®": "effect-of-testolin-r",
    # Digits at the very end are joined to the word before them.
    "Plasma for COVID-19": "plasma-for-covid19",
    "COVID-19 Impact": "covid-19-impact",
    "Safety in Preschoolers, Age 2-6": "safety-in-preschoolers-age26",
    "A Study of BI 706321": "a-study-of-bi706321",
    "Adapalene, 0.1%": "adapalene01",
    "An Evaluation of a Gel (MetroGel®) 1%": "an-evaluation-of-a-gel-metrogel-r1",
    "Phase 1/2": "phase12",
    "Vitamin B12": "vitamin-b12",
    "Group 2 (10)": "group210",
    "Part 2b": "part-2b",
    "2019-2020": "20192020",
    "7": "7",
}
TWO_SLUGS = {
    "Floss and Oil/CPC+Zn Rinse": ("floss-and-oil-cpczn-rinse", "floss-and-oil-cpc-zn-rinse"),
    "R&D of Trees": ("rd-of-trees", "r-d-of-trees"),
    "A 5%gel of Moss": ("a-5gel-of-moss", "a-5-gel-of-moss"),
    "Ratio 1:2 of Salts": ("ratio-12-of-salts", "ratio-1-2-of-salts"),
    "Study:A Trial": ("studya-trial", "study-a-trial"),
    "SANPRIDE_A Study": ("sanpridea-study", "sanpride-a-study"),
    "TGFβ1 in Skin": ("tgf1-in-skin", "tgf-1-in-skin"),
    "IL1β-Blocker": ("il1-blocker",),
    "Dose–Finding": ("dosefinding", "dose-finding"),
    "Dose‑Finding": ("dosefinding", "dose-finding"),
    "Weeks 2–6": ("weeks26",),
    "研究": (),
    "…": (),
    "": (),
}
# Of 90 characters.
SHORT_OF_100 = "A Trial of Walking Compared With Swimming and Cycling as Exercise for Adults Who Have Type"


@pytest.mark.parametrize(("title", "slug"), ONE_SLUG.items(), ids=ONE_SLUG)
def test_title_to_slug(title: str, slug: str) -> None:
    assert make_slugs(title) == (slug,)


@pytest.mark.parametrize(("title", "slugs"), TWO_SLUGS.items(), ids=TWO_SLUGS)
def test_what_the_rule_leaves_open_gives_a_second_slug(title: str, slugs: tuple[str, ...]) -> None:
    assert make_slugs(title) == slugs


def test_the_title_is_cut_and_not_the_slug() -> None:
    title = (
        "Trial: Comparing Walking, Swimming, and Cycling (WSC) as Exercise for Adults With Knee Pain and Stiff Ankles"
    )
    (slug,) = make_slugs(title)
    assert slug == "trial-comparing-walking-swimming-and-cycling-wsc-as-exercise-for-adults-with-knee-pain-and-stif"
    assert len(title[:100]) - len(slug) == len(":,,()")


def test_blanks_are_collapsed_before_the_cut() -> None:
    assert make_slugs("Ten    Letters and More", length=7) == ("ten-let",)


def test_a_cut_that_falls_on_a_blank_leaves_no_hyphen() -> None:
    assert make_slugs("Ten Letters and More", length=4) == ("ten",)


def test_a_mark_is_written_out_behind_the_cut() -> None:
    (slug,) = make_slugs(f"{SHORT_OF_100} Testol® Gel")
    assert (slug[-16:], len(slug)) == ("-type-testol-r-g", 101)


def test_digits_that_the_cut_makes_the_end_are_joined() -> None:
    assert make_slugs(f"{SHORT_OF_100} 1 Diabetes Mellitus")[0].endswith("-have-type-1-diabete")
    assert make_slugs(f"{SHORT_OF_100} 1 Diabetes Mellitus", length=92)[0].endswith("-have-type1")
    assert make_slugs("Treatment of Type 1 Diabetes", length=20) == ("treatment-of-type1",)


class Long(str):
    """A title of which only a part may be looked at."""

    __slots__ = ()

    def _refuse(self, *_: object) -> str:
        raise AssertionError("the whole title was read")

    lower = split = replace = __iter__ = _refuse  # type: ignore[assignment]  # none of them returns


@pytest.mark.parametrize("title", ["é® α" * 250_000, " " * 1_000_000, "1-" * 500_000, "a" * 1_000_000])
def test_of_a_title_of_a_million_characters_only_the_beginning_is_read(title: str) -> None:
    assert make_slugs(Long(title)) == make_slugs(title[:1000])
    assert split_words(Long(title)) == split_words(title[:1000])


def test_numbered_forms_stand_behind_the_whole_slug() -> None:
    assert number_slug("knee-pain", highest=3) == ("knee-pain-1", "knee-pain-2", "knee-pain-3")
    assert number_slug("a" * 100, highest=1) == ("a" * 100 + "-1",)
    assert number_slug("covid19")[-1] == "covid19-9"


def test_words() -> None:
    assert split_words("The Pain of the Knee: Café's 0.5 mg (Pilot)") == (
        "the",
        "pain",
        "of",
        "knee",
        "cafes",
        "05",
        "mg",
        "pilot",
    )
    assert split_words("the-pain-of-the-knee-1") == ("the", "pain", "of", "knee", "1")
    assert split_words("") == ()


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("Alport  syndrome", (("alport",), ("syndrome",))),
        ("type 1 diabetes", (("type", "1"), ("diabetes",))),
        ("COVID-19", (("covid", "19"),)),
        ("Age 2-6", (("age", "2", "6"),)),
        ("2024 study", (("2024",), ("study",))),
        ("Café's alpo*", (("cafes",), ("alpo*",))),
        ("umbilical-co*", (("umbilical",), ("co*",))),
        ("alp* 1", (("alp*",), ("1",))),
        ('NEAR("x" OR *) *', (("nearx",), ("or",))),
        ("* \u00b5 -", ()),
        ("", ()),
    ],
)
def test_words_to_search_for(text: str, groups: tuple[tuple[str, ...], ...]) -> None:
    assert split_search(text) == groups


@pytest.mark.skipif(not LAYOUTS.is_dir(), reason="the masked layouts are not beside the project")
def test_real_slugs_are_what_the_rule_makes_of_their_own_words() -> None:
    slugs = {drop_referrer(path.read_text().split()[2]).rpartition("/")[2] for path in LAYOUTS.glob("*.[abc].txt")}
    assert len(slugs) >= 180
    for slug in slugs:
        bare = COUNTER.sub("", slug)  # a title's own digits at the end are joined, so this one is a duplicate's
        assert SLUG.fullmatch(bare)
        assert make_slugs(bare, length=200) == make_slugs(bare.replace("-", " ").title(), length=200) == (bare,)
        # Only a `®` makes a slug longer than the cut title.
        assert len(bare) <= 100 + bare.count("-r")


@given(st.text(max_size=200))
def test_any_title_gives_well_formed_slugs(title: str) -> None:
    slugs = make_slugs(title)
    assert len(set(slugs)) == len(slugs) <= 2
    for slug in slugs:
        assert SLUG.fullmatch(slug)
        assert not re.search("-[0-9]+$", slug)
        assert len(slug) <= 100 + 2 * title.count("®")


@given(st.from_regex(SLUG, fullmatch=True))
def test_a_slug_is_its_own_slug(title: str) -> None:
    (slug,) = make_slugs(title)
    assert make_slugs(slug) == (slug,)
    assert slug.replace("-", "") == title[:100].replace("-", "")


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=150))
@example("0-0")
def test_words_of_a_title_are_those_of_its_slug(title: str) -> None:
    # What looks like a slug is read as one: its last digits are not joined again.
    words = () if re.fullmatch("[a-z0-9-]*", title) else split_words(title)
    if words:
        assert words == split_words(make_slugs(title, length=10_000)[0])


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://ctv.example/study/knee-pain", "knee-pain"),
        ("https://ctv.example/study/knee-pain/", "knee-pain"),
        ("https://ctv.example/study/knee-pain?x=/study/y#z", "knee-pain"),
        ("https://ctv.example/study/knee-pain?comeFrom=%7B%22type%22%3A%22site%22%7D", "knee-pain"),
        ("https://ctv.example/study/", None),
        ("https://ctv.example/study/a/b", None),
        ("https://ctv.example/studies/a", None),
        ("https://ctv.example/about", None),
        ("https://ctv.example?/study/a", None),
        ("https://ctv.example/study/" + "a" * 301, None),
        ("https://ctv.example/study/a\x00b", None),
        ("not an address", None),
        ("", None),
    ],
)
def test_the_slug_of_an_address(url: str, slug: str | None) -> None:
    assert extract_slug(url) == slug


def test_where_studies_lie_is_a_setting() -> None:
    assert extract_slug("https://ctv.example/trials/a", "/trials/") == "a"

"""The report: what is counted, what is listed, and that nothing of a page is more than text."""

import pickle
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import pytest

from support.page import PAGE, with_
from trialscrape.cli.console import escape_controls
from trialscrape.engines import read_page
from trialscrape.page import Page
from trialscrape.quality import report
from trialscrape.quality.report import Bar, FailedPage, Remark, Summary, Tally, add_tally, summarize, tally_pages
from trialscrape.results import Outcome, PageResult


def read(text: str, file: str = "page.txt") -> PageResult:
    return read_page(Page(text.encode(), file=file))


def sum_up(*results: PageResult) -> Summary:
    return summarize(tally_pages(results), {})


def render(summary: Summary) -> str:
    return report.render_report(summary, escape_controls)


def values(summary: Summary, chart: str) -> dict[str, str]:
    """Return the bars of a chart that are not empty."""
    (bars,) = (one.bars for one in summary.charts if one.id == chart)
    return {bar.label: bar.value for bar in bars if bar.length}


NOT_A_PAGE = PageResult("none.txt", Outcome.NOT_A_STUDY_PAGE, "expected a study page, found nothing")
ODD = with_(
    ("Enrolling\nPhase 2", "Paused\nPhase 2\nPhase 1"),
    ("1,240 estimated patients", "9 patients"),
    ("\nAll\n", "\nAny\n"),
)


def test_the_numbers_at_the_head() -> None:
    summary = sum_up(read(PAGE), read(ODD, "odd.txt"), NOT_A_PAGE)
    assert {fact.name: fact.value for fact in summary.facts} == {
        "Pages": "3",
        "Records": "2",
        "Failed": "1",
        "Lines understood": "100.00 %",
        "Warnings": "3",  # two labels, and that the participants sentence has 1,240
    }
    assert summary.facts[1].note == "1 without warnings or unparsed lines"
    assert summary.facts[4].note == "2 are alarms: the site may have changed"


def test_the_charts() -> None:
    summary = sum_up(read(PAGE), read(PAGE), read(ODD), read(with_(("1,240 estimated patients", ""))), NOT_A_PAGE)
    assert values(summary, "outcomes") == {"ok": "4", "not_a_study_page": "1"}
    assert values(summary, "statuses") == {"Enrolling": "3", "unknown label": "1"}
    assert values(summary, "phases") == {"Phase 1 / Phase 2": "1", "Phase 2": "3"}
    assert values(summary, "enrollments") == {"1 to 9": "1", "1,000 to 9,999": "2", "not on the page": "1"}
    fields = values(summary, "fields")
    assert (fields["title"], fields["enrollment"]) == ("4 (100 %)", "3 (75 %)")
    assert not {"source", "unparsed", "warnings"} & set(fields)


@pytest.mark.parametrize(
    ("count", "size"),
    [
        ("0", "0"),
        ("1", "1 to 9"),
        ("9", "1 to 9"),
        ("10", "10 to 49"),
        ("999", "500 to 999"),
        ("10,000", "10,000 and more"),
    ],
)
def test_the_size_of_a_study(count: str, size: str) -> None:
    assert values(sum_up(read(with_(("1,240 estimated", count)))), "enrollments") == {size: "1"}


def test_a_status_with_a_number_counts_under_its_code() -> None:
    pages = [read(with_(("Enrolling\n", f"Begins enrollment in {months} months\n"))) for months in (2, 3)]
    assert values(sum_up(*pages), "statuses") == {"Not yet enrolling": "2"}


def test_what_is_doubtful_is_listed_with_its_source() -> None:
    lines = ODD.split("\n")
    summary = sum_up(read(PAGE), read(ODD, "odd.txt"), read(ODD, "again.txt"), NOT_A_PAGE)
    status, sex = summary.unknown_labels.listed
    assert status == Remark(
        "unknown_label",
        "alarm",
        "overall_status: expected a known label, found 'Paused'; it is kept as it is",
        2,
        f"odd.txt:{lines.index('Paused') + 1}",
    )
    assert sex.place == f"odd.txt:{lines.index('Any') + 1}"
    (differs,) = summary.warnings.listed
    assert (differs.code, differs.severity, differs.times) == ("enrollment_differs", "doubt", 2)
    assert summary.failures == (FailedPage("none.txt", "not_a_study_page", "expected a study page, found nothing"),)
    unparsed = sum_up(read(with_(("1,240 estimated patients", "crowds of patients")), "crowd.txt")).unparsed
    assert [(line.text, line.times) for line in unparsed.listed] == [("crowds of patients", 1)]
    assert unparsed.listed[0].place.startswith("crowd.txt:")


def test_a_share_is_rounded_down() -> None:
    tally = tally_pages([read(PAGE)])
    tally.coverage.lines, tally.coverage.unparsed = 1_000_000, 1
    assert summarize(tally, {}).facts[3].value == "99.99 %"


def test_batches_add_up_to_the_same_as_one_run() -> None:
    results = [read(PAGE), read(ODD, "odd.txt"), NOT_A_PAGE, read(ODD, "again.txt")]
    batches = [pickle.loads(pickle.dumps(tally_pages(results[i : i + 2]))) for i in (0, 2)]  # noqa: S301  our own
    tally = Tally()
    for batch in batches:
        tally = add_tally(tally, batch)
    assert summarize(tally, {}) == sum_up(*results)


def test_memory_does_not_grow_with_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_TRIALS", 5)
    monkeypatch.setattr(report, "MOST_REMARKS", 3)
    monkeypatch.setattr(report, "MOST_FAILURES", 2)
    pages = [read(with_(("Enrolling\n", f"Paused {n}\n"))) for n in range(7)]
    tally = tally_pages([*pages, pages[0], *[NOT_A_PAGE] * 4])
    assert (len(tally.rows), len(tally.failures), len(tally.places)) == (5, 2, 3)
    assert (tally.coverage.failures, tally.coverage.warnings, tally.coverage.places) == ([], {}, {})
    summary = summarize(tally, {})
    assert [label.times for label in summary.unknown_labels.listed] == [2, 1, 1]
    assert (summary.unknown_labels.others, summary.more_failures, summary.more_rows) == (4, 2, 3)
    page = render(summary)
    assert "4 more, with other texts, are not listed." in page
    assert "2 more are not listed." in page
    assert "The first 5 records are shown; 3 more are counted above, but not in this table." in page


def test_long_texts_are_cut() -> None:
    summary = sum_up(read(with_(("Tree Bathing for Restless Clerks (TREEBATH)", "Tree " * 1_000))))
    assert summary.rows[0].title == ("Tree " * 60) + "…"


def test_a_report_of_nothing() -> None:
    page = render(sum_up())
    assert '<dd class="figure">0</dd>' in page
    assert page.count("<p>None.</p>") >= 5
    assert 'id="table"' not in page


def test_what_was_left_out_is_said() -> None:
    summary = summarize(tally_pages([read(PAGE)]), {"skipped": 1_200, "of other sites": 3, "revisits": 0})
    assert "Not looked at: 1,200 files and folders that are no pages, 3 pages of other sites." in render(summary)


HOSTILE = (
    """</title></script><script>alert(1)</script><img src=x onerror=alert(1)> "'`&lt; \u202eevil\u2066 {{ 7*7 }}"""
)
SHOWN = HOSTILE.replace("\u202e", "\\u202e").replace("\u2066", "\\u2066")


class Elements(HTMLParser):
    """Counts elements and attributes, and collects the texts and attribute values."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, frozenset[str]]] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.tags.append((tag, frozenset(name for name, _ in attrs)))
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.texts.append(data)


def test_texts_of_pages_are_only_text() -> None:
    hostile = with_(
        ("Tree Bathing for Restless Clerks (TREEBATH)", HOSTILE),
        ("Institute for Arboreal Medicine", HOSTILE),
        ("Enrolling\nPhase 2", f"{HOSTILE}\nPhase 2"),
        ("1,240 estimated patients", HOSTILE),
    )
    failed = replace(NOT_A_PAGE, file=HOSTILE, message=HOSTILE)
    elements = Elements(render(sum_up(read(hostile, f"a/{HOSTILE}"), failed)))
    harmless = with_(
        ("Tree Bathing for Restless Clerks (TREEBATH)", "A title"),
        ("Institute for Arboreal Medicine", "A sponsor"),
        ("Enrolling\nPhase 2", "A status\nPhase 2"),
        ("1,240 estimated patients", "A number"),
    )
    assert elements.tags == Elements(render(sum_up(read(harmless), NOT_A_PAGE))).tags
    assert elements.texts.count(SHOWN) == 6  # title, sponsor, status, unparsed line, and the failure's file and message
    assert f"a/{SHOWN}" in elements.texts
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", "".join(elements.texts))


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\udcff", "\u2028"])
def test_a_file_name_of_any_characters_is_shown(character: str) -> None:
    page = render(sum_up(replace(NOT_A_PAGE, file=f"a{character}b")))
    assert f"a{character.encode('unicode_escape').decode()}b" in page
    page.encode()


def test_nothing_is_loaded() -> None:
    elements = Elements(render(sum_up(read(PAGE), read(ODD), NOT_A_PAGE)))
    assert {value[0] for name, value in elements.attributes if name in ("href", "action")} == {"#"}
    assert not {"src", "srcset", "style", "data", "poster"} & {name for name, _ in elements.attributes}
    assert not re.search(r"url\(|@import|https?:|//[a-z]", read_style())


def read_style() -> str:
    return files("trialscrape.quality").joinpath("report.css").read_text(encoding="utf-8")


def test_the_page_has_landmarks_and_named_parts() -> None:
    page = render(sum_up(read(PAGE), read(ODD), NOT_A_PAGE))
    elements = Elements(page)
    tags = [tag for tag, _ in elements.tags]
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer", "h1")] == [1] * 5
    assert '<html lang="en">' in page
    assert {names >= {"scope"} for tag, names in elements.tags if tag == "th"} == {True}
    ids = [value for name, value in elements.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    named = [one for name, value in elements.attributes if name in ("aria-labelledby", "for") for one in value.split()]
    assert set(named) <= set(ids)
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tags.count("svg") == page.count('<svg role="img"') == tags.count("desc")


def brightness(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_stand_out(theme: int) -> None:
    themes = re.findall(r":root \{(.*?)\}", read_style(), re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", themes[theme]))
    for ground in ("paper", "card"):
        for ink, least in {
            "ink": 7,
            "quiet": 4.5,
            "link": 4.5,
            "alarm": 4.5,
            "doubt": 4.5,
            "note": 4.5,
            "plain": 3,
        }.items():
            dark, light = sorted([brightness(colours[ground]), brightness(colours[ink])])
            assert (light + 0.05) / (dark + 0.05) >= least, (ground, ink)


def test_a_bar_is_as_long_as_its_share() -> None:
    summary = sum_up(read(PAGE), read(PAGE), NOT_A_PAGE)
    (outcomes,) = (chart for chart in summary.charts if chart.id == "outcomes")
    assert outcomes.bars == (Bar("ok", "2", 1.0), Bar("not_a_study_page", "1", 0.5))
    assert 'width="50.00%"' in render(summary)

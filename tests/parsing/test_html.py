"""HTML to the text and the address of a page, and what is refused before it is parsed."""

import re
from contextlib import suppress
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from trialscrape.errors import TooLarge
from trialscrape.parsing import html as html_module
from trialscrape.parsing.html import (
    MAX_ALL_ATTRIBUTES,
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_INDENT,
    MAX_OPTIONS,
    MAX_REOPENED,
    MAX_TAGS,
    find_address,
    read_html,
)


def text_of(html: str) -> str:
    return read_html(html).text


# What study pages are made of: HTML and the lines it must give, whatever the extractor's version.
STUDY_PAGE = [
    ("<div>a</div><div>b</div>", "a\nb"),
    ("<div><div>a</div></div><div><div>b</div></div>", "a\nb"),
    ("<h1>a</h1><div>b</div>", "a\n\nb"),
    ("<h2>a</h2><p>b</p>", "a\n\nb"),
    ("<h5>a</h5><h6>b</h6>", "a\nb"),
    ("<p>a</p>b<p>c</p>", "a\n\nb\n\nc"),
    ("a<br>b<br><br>c", "a\nb\n\nc"),
    ("<p>a<br></p><br><p>b</p>", "a\n\n\nb"),
    ("<p>x</p><ul><li>a</li><li>b</li></ul><p>y</p>", "x\n\n  • a\n  • b\n\ny"),
    ("<ol start=5><li>a</li><li value=9>b</li></ol>", "  1. a\n  2. b"),
    ("<ul><li>a<ul><li>b<ol><li>c</li></ol></li></ul></li><li>d</li></ul>", "  • a\n    • b\n      1. c\n  • d"),
    ("<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>", "  1. a\n    • b\n  2. c"),
    ("<ul><li><p>a</p></li><li><p>b</p></li></ul>", "  • a\n\n  • b"),
    ("<ul><li><p>a</p><ul><li>b</li></ul></li><li><p>c</p></li></ul>", "  • a\n\n    • b\n\n  • c"),
    ("<ul><li><p>a</p><p>b</p></li></ul>", "  • a\n\n    b"),
    ("<ul><li>a<br>b</li></ul>", "  • a\n    b"),
    ("<ul><li> <b>a</b> </li>\n<li>\n</li></ul>b", "  • a\nb"),
    ('<div><img alt="Acme logo"></div><div>Acme</div>', "Acme logo\nAcme"),
    ("<a>Find clinical trials</a><a>Trials by location</a><div>©</div>", "Find clinical trialsTrials by location\n©"),
    ("a <b> b</b>\n\t<i>c </i> d", "a b c d"),
    ("a<!-- b --> c<script>d</script><style>e</style><template>f</template><noscript>g</noscript>", "a c"),
    ("<p>a&nbsp;&nbsp;b &ge; &#8805; &amp;lt;</p>", "a\xa0\xa0b ≥ ≥ &lt;"),
    ("<p>&nbsp;</p><p>a</p>", "\xa0\n\na"),
    ("<svg><path d='M0'></path></svg><div>a</div>", "a"),
]


@pytest.mark.parametrize(("html", "lines"), STUDY_PAGE)
def test_a_study_page_s_markup_gives_these_lines(html: str, lines: str) -> None:
    assert text_of(html) == lines


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ("<ul></ul>a<p>b</p>", "a\n\nb"),
        ("<ul><ul></ul></ul>a", "a"),
        ("<ol><li>a<ul></ul></li><li>b</li></ol>", "  1. a\n  2. b"),
        ("<ul><li></li><li>a</li></ul>b", "  • a\nb"),
        ("<pre></pre>a  b", "a b"),
        ("<p>a\0b</p>", "a\ufffdb"),
        ("<p>a</p><noscript>b</noscript>", "a"),
    ],
)
def test_what_is_not_left_to_the_extractor(html: str, lines: str) -> None:
    assert text_of(html) == lines


def test_what_follows_the_end_of_the_page_is_not_lost() -> None:
    page = "<!DOCTYPE html><html><head><title>t</title></head><body><p>{}</p></body></html>\n"
    assert text_of(page.format("a") + page.format("b") + "c") == "a\n\nt\n\nb\n\nc"


@pytest.mark.parametrize(
    "html",
    [
        "",
        " ",
        "\n",
        "<!DOCTYPE html>",
        "<!-- a -->",
        "<?xml version='1.0'?>",
        "<html></html>",
        "<script>a</script>",
        "<p>",
    ],
)
def test_a_page_that_prints_nothing_is_empty(html: str) -> None:
    assert text_of(html) == ""


@pytest.mark.parametrize(
    "declared",
    [
        '<meta charset="latin-1">',
        '<meta charset="utf-16">',
        '<meta http-equiv="Content-Type" content="text/html; charset=shift_jis">',
        '<?xml version="1.0" encoding="iso-8859-1"?>',
    ],
)
def test_a_declared_charset_does_not_matter(declared: str) -> None:
    assert text_of(f"{declared}<p>≥ ä 中 😀</p>") == "≥ ä 中 😀"


def test_control_characters_are_data() -> None:
    data = (
        "".join(chr(code) for code in range(1, 0x20) if chr(code) not in "\t\n\r\f\v") + "\x7f\x80\x85\x9f\u2028\u202e"
    )
    assert text_of(f"<p>a{data}b</p>") == f"a{data}b"
    escaped = "".join(f"&#{ord(char)};" for char in data if not "\x80" <= char <= "\x9f")
    assert text_of(f"<p>a{escaped}b</p>") == "a" + re.sub("[\x80-\x9f]", "", data) + "b"


@pytest.mark.parametrize(
    "reference",
    [
        *("&#0;", "&#xD800;", "&#xDFFF;", "&#x110000;", "&#99999999999;", "\0"),
        *("\x0b", "&#11;", "&#0011;", "&#xb;", "&#X0B;"),  # no blank in HTML, but the extractor would make it one
    ],
)
def test_what_is_no_character_is_shown_as_one_that_was_there(reference: str) -> None:
    assert text_of(f"<p>a{reference}b</p>") == "a\ufffdb"


def test_other_references_are_not_taken_for_a_vertical_tab() -> None:
    assert text_of("<p>&#113;&#xbb;&#xB7;&#1111; &amp;#11; &#11 z</p>") == "q»·ї &#11; \ufffd z"


@given(
    st.binary(max_size=60).map(lambda data: data.decode("utf-8", "replace"))
    | st.text(st.sampled_from("<>/!-=&;'\"#x0 abpulirtd\0\x1b]["), max_size=60)
)
@settings(max_examples=300)
def test_any_text_at_all_gives_lines(html: str) -> None:
    assert not re.search("[\ud800-\udfff]", text_of(html))


def block(heading: str, *lines: str) -> str:
    rows = "".join(f'<div class="c7"><span>{line}</span></div>\n' for line in lines)
    return f'<section class="c6"><h3 class="c1">{heading}</h3><div class="c2">{rows}</div></section>'


ABOUT = (
    "<p>A study of <b>X&nbsp;&amp;&nbsp;Y</b>\n  in adults.</p>"
    "<p>It has two parts:</p><ul><li>one</li><li>two</li></ul>"
)
CRITERIA = (
    '<div class="c3"><p>Key Inclusion Criteria:</p><ol><li><p>Age &ge; 18 years</p></li>'
    "<li><p>One of:</p><ul><li>eGFR &lt; 60</li><li>UACR<br>&gt; 300</li></ul></li>"
    "<li><p>Consent</p><p>in writing</p></li></ol></div>"
)
ARMS = "".join(f"<div><div>{line}</div></div>" for line in ["X", "Experimental group", "Treatment:", "Drug: X"])
PAGE = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>X in Y | ClinicalTrials.Veeva</title><style>.c1{{margin:0}}</style>
<script>window.data = {{"page": "<p>NCT99000009</p>"}}</script></head>
<body><noscript><iframe src="/g"></iframe></noscript><div id="__next"><header><a href="/"><svg><path d="M0"/></svg>
<div>ClinicalTrials.Veeva</div></a><p>Menu</p></header><main><h1>X in Y (XINY)</h1>
<div><img alt="Acme Pharma logo" src="/l.png"></div><p>Acme Pharma</p>
{block("Status and phase", "Completed", "Phase 2")}
{block("Conditions", "Y")}
{block("Treatments", "Drug: X")}
{block("Identifiers", "NCT99000001", "X-01")}
<h2>Details and patient eligibility</h2><h3>About</h3><div>{ABOUT}</div>
<h3>Inclusion criteria</h3>{CRITERIA}
<h3>Exclusion criteria</h3><ul><li>Pregnancy</li><!-- --><li>Age &lt; 18 years</li></ul>
<h2>Trial design</h2><p>20 participants in 1 patient group</p>{ARMS}
<h3>Trial contacts and locations</h3><p>0</p><p>Loading...</p><h4>Data sourced from clinicaltrials.gov</h4></main>
<footer><h4>Clinical trials</h4><div><a href="/a">Find clinical trials</a><a href="/b">Trials by location</a></div>
<div>© Copyright 2026 Veeva Systems</div></footer></div><script id="__NEXT_DATA__">{{"a": "</div>"}}</script>
</body></html>
"""
PAGE_LINES = """ClinicalTrials.Veeva

Menu

X in Y (XINY)

Acme Pharma logo

Acme Pharma

Status and phase

Completed
Phase 2

Conditions

Y

Treatments

Drug: X

Identifiers

NCT99000001
X-01

Details and patient eligibility

About

A study of X\xa0&\xa0Y in adults.

It has two parts:

  • one
  • two

Inclusion criteria

Key Inclusion Criteria:

  1. Age ≥ 18 years

  2. One of:

    • eGFR < 60
    • UACR
      > 300

  3. Consent

    in writing

Exclusion criteria

  • Pregnancy
  • Age < 18 years

Trial design

20 participants in 1 patient group

X
Experimental group
Treatment:
Drug: X

Trial contacts and locations

0

Loading...

Data sourced from clinicaltrials.gov

Clinical trials

Find clinical trialsTrials by location
© Copyright 2026 Veeva Systems"""


def test_a_whole_study_page() -> None:
    assert text_of(PAGE) == PAGE_LINES


FORMATTING = f"expected at most {MAX_REOPENED:,} elements of unclosed formatting, found room for more"

# More than a page ever holds: read in full and in linear time, or refused with the limit.


@pytest.mark.parametrize(
    ("html", "message"),
    [
        ("<div>" * 100_000 + "a", f"expected at most {MAX_DEPTH:,} elements inside each other, found more"),
        ("<x>" * 20_000 + "</y>" * 20_000, f"expected at most {MAX_DEPTH:,} elements inside each other, found more"),
        ("<select>" + "<option>a" * 100_000, f"expected at most {MAX_OPTIONS:,} options in forms, found more"),
        ("".join(f"<b a={n}><p>" for n in range(10_000)), FORMATTING),
        ("<b><i><u><s><em>" + "<p>a" * 300_000, FORMATTING),
    ],
    ids=["deep", "deep and searched", "options", "formatting", "formatting of few kinds"],
)
def test_what_costs_the_parser_more_than_linear_time_is_refused(html: str, message: str) -> None:
    with pytest.raises(TooLarge) as refused:
        text_of(html)
    assert refused.value.message == message


def test_a_deep_page_is_read() -> None:
    assert text_of("<div>" * 10_000 + "a") == "a"
    assert text_of("<ul><li>" * 60 + "a") == "  " * 60 + "• a"
    assert text_of("<b>" * 1_000 + "<p>a</p>" * 1_000) == "\n\n".join("a" * 1_000)


@pytest.mark.parametrize(
    ("html", "lines", "last"),
    [
        ("a<br>" * 1_000_000, 1_000_000, "a"),
        ("<p>a</p>" * 500_000, 999_999, "a"),
        ("<ol>" + "<li>a" * 300_000 + "</ol>", 300_000, "  300000. a"),
        ("<p>" + "a<i>b</i>" * 400_000, 1, "ab" * 400_000),
        ("<p>" + "a<x-y>b</x-y>" * 300_000, 1, "ab" * 300_000),
        ("<p>" + "a<link>" * 900_000, 1, "a" * 900_000),
        ("<i>" * 1_000 + "a<u>b</u>" * 200_000, 1, "ab" * 200_000),
        ("<p>" + "a \n" * 3_500_000, 1, ("a " * 3_500_000).rstrip()),
        ("a" + "<br>" * 1_000_000 + "b", 1_000_001, "b"),
        ("<pre>" + "a\n" * 1_000_000 + "</pre>", 1_000_000, "a"),
        ("<table><tr>" + "<td> </td>" * 300_000 + "<tr><td>a</table>", 1, "a"),
        ("<p>a" + " <p> " * 300_000 + "b", 3, "b"),
        ("a</html>" * 300_000, 1, "a" * 300_000),
    ],
    ids=["br", "p", "li", "b", "x-y", "link", "deep i", "one text", "gap", "pre", "cells", "empty p", "html"],
)
def test_a_large_page_is_read_in_full(html: str, lines: int, last: str) -> None:
    """What is not linear in the input would take hours here."""
    found = text_of(html).split("\n")
    assert (len(found), found[-1] == last) == (lines, True)


ATTRIBUTES = (
    f"expected at most {MAX_ATTRIBUTES:,} attributes in an element and {MAX_ALL_ATTRIBUTES:,} in a page, found more"
)
CROWD = "".join(f" a{n}" for n in range(MAX_ATTRIBUTES + 1))


@pytest.mark.parametrize(
    "html",
    [
        f"<p{CROWD}>",
        f"<P{CROWD}",
        f"<p{CROWD.replace(' ', '/')}>",
        f"<p{CROWD.replace(' ', chr(12))}>",
        "<p" + "".join(f" a{n}=b" for n in range(MAX_ATTRIBUTES + 1)) + ">",
        "<p" + "".join(f' a{n} = "<b>\'"' for n in range(MAX_ATTRIBUTES + 1)) + ">",
        "<p" + "".join(f"a{n}='>\"'" for n in range(MAX_ATTRIBUTES + 1)).replace("a", " a", 1) + ">",
        f'<p x="1"="a{CROWD}">',
        f'<p ="a{CROWD}">',
        f'<p="a{CROWD}">',
        f'<p/="a{CROWD}">',
        f"<p a=b'{CROWD}'>",
        f"<p<x{CROWD}>",
        f"<p <x{CROWD}>",
        f'<!-- <p x=" --><p{CROWD}>"',
        f"<!-- <p x=' --><p{CROWD}>'",
        f'<script>"<p x=\'"</script><p{CROWD}>',
        f'<title><p x="</title><p{CROWD}>',
        f'<svg><![CDATA[<p x="]]><p{CROWD}></svg>',
        f'<p x="<ul y=\'"><p{CROWD}>',
        f"<p></p{CROWD}>",
        f"<svg><style><p{CROWD}>",
        "".join(f"<html a{n}>" for n in range(MAX_ATTRIBUTES + 1)),
        "<html>" + "".join(f"<BODY a{n}={n} b{n}>" for n in range(MAX_ATTRIBUTES // 2 + 1)),
    ],
)
def test_more_attributes_than_the_parser_can_bear_are_refused(html: str) -> None:
    with pytest.raises(TooLarge) as refused:
        read_html(html)
    assert refused.value.message == ATTRIBUTES


@pytest.mark.parametrize(
    "html",
    [
        f"<p{CROWD.removesuffix(f' a{MAX_ATTRIBUTES}')}>text",
        f"<p x='{CROWD}'>text",
        f"<p x=1>{CROWD.replace('a', '<br>')}<i>text",
        f"<p>{CROWD} < 5 > 4<i>text",
        f"<script>if (a <b) {{ c = '{CROWD[:20_000]}' }}</script>text",
        "<p>" + "".join(f"<q a{n}></q>" for n in range(MAX_ATTRIBUTES + 1)) + "text",
        "<p" + " a" * MAX_ATTRIBUTES + ">text",
    ],
)
def test_what_only_looks_like_many_attributes_is_read(html: str) -> None:
    assert text_of(html).endswith("text")


PIECES = st.one_of(
    st.sampled_from([CROWD, "<p", "<P ", "</p", "<b", ">", '"', "'", "=", " ", "/", "a", "\n", "<html", "<body "]),
    st.sampled_from(["<!--", "-->", "<script>", "</script>", "<svg>", "<style>", "</style>", "<![CDATA[", "]]>"]),
    st.sampled_from(["<title>", "<textarea>", "<?", "<!"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=12), st.lists(PIECES, max_size=4))
def test_no_element_of_more_attributes_gets_past_the_scan(before: list[str], after: list[str]) -> None:
    html = "".join([*before, "<p", CROWD, *after])
    try:
        read_html(html)
    except TooLarge:
        return
    document = HTMLTree.parse(html).document
    assert document
    assert max(len(element.attrs) for element in document.query_selector_all("*")) <= MAX_ATTRIBUTES


@pytest.mark.parametrize("tag", ["<a ", '<a x="<a x=', "<a", "<a x='", '<a b="c<', "</a /", "<a = '\""])
def test_looking_at_every_tag_is_linear_work(tag: str) -> None:
    html = tag * (1_000_000 // len(tag))
    scanned = 0
    real = html_module._count_attributes  # noqa: SLF001  what it scans is the work

    def attributes(page: bytes, at: int) -> tuple[int, int]:
        nonlocal scanned
        count, end = real(page, at)
        scanned += end - at
        return count, end

    with patch.object(html_module, "_count_attributes", attributes), suppress(TooLarge):
        read_html(html)
    assert scanned <= 20 * len(html)


def test_a_page_of_more_markup_than_memory_can_bear_is_refused() -> None:
    with pytest.raises(TooLarge, match=f"expected at most {MAX_TAGS:,} tags, found more"):
        read_html("<p>" * (MAX_TAGS + 1))
    with pytest.raises(TooLarge) as refused:
        read_html("<p a b c d e f g h i j>" * (MAX_ALL_ATTRIBUTES // 10 + 1))
    assert refused.value.message == ATTRIBUTES
    assert text_of("<p a b c d e f g h i j>" * 5_000 + "text") == "text"


TOO_WIDE = f"expected lists that indent the text by at most {MAX_INDENT:,} blanks, found more"


@pytest.mark.parametrize(
    "html",
    [
        "<ul><li>" * 20_000 + "a",
        "<OL><li>a" * 20_000,
        "<ul>" * 49 + "<li>a" * 500_000,
        "<ul>" * 40 + "a<br>" * 400_000,
        "<ul><!-- </ul> -->" * 20_000,
        "<ul title='</ul>'>" * 20_000,
        "<ul><table><td></ul>" * 20_000,
        "<ul><script></ul></script>" * 20_000,
        "<svg><![CDATA[</ul>]]></svg><ul>" * 20_000,
    ],
)
def test_lists_that_let_the_text_grow_are_refused_before_they_are_parsed(html: str) -> None:
    parsed = AssertionError("it was parsed")
    with patch.object(html_module, "HTMLTree", side_effect=parsed), pytest.raises(TooLarge) as refused:
        read_html(html)
    assert refused.value.message == TOO_WIDE


@given(
    st.lists(st.sampled_from(["<ul>", "</ul>", "<ol>", "<li>a", "<br>b", "<p>c", "</p>", "<pre>d\ne", "</pre>", "f"]))
)
@settings(deadline=None)
def test_what_lists_add_is_never_more_than_the_scan_expects(pieces: list[str]) -> None:
    html = "".join(pieces)
    levels = [html[:at].count("<ul>") + html[:at].count("<ol>") for at, byte in enumerate(html, 1) if byte == "<"]
    indents = sum(len(line) - len(line.lstrip(" ")) for line in text_of(html).split("\n"))
    assert indents <= sum(2 * level + 4 for level in levels)


def test_a_page_of_many_lists_is_read() -> None:
    page = "<ul>" + "<li>a" * 20 + "</ul>"
    assert text_of(page * 400).count("• a") == 8_000


SITE = "https://example.org/study/bells"
OTHER = "https://example.org/study/gongs"


@pytest.mark.parametrize(
    ("head", "url"),
    [
        (f'<link rel="canonical" href="{SITE}">', SITE),
        (f"<LINK REL='Canonical alternate' HREF=' {SITE} '>", SITE),
        (f'<meta property="og:url" content="{SITE}">', SITE),
        (f'<meta property="og:url" content="{OTHER}"><link rel="canonical" href="{SITE}">', SITE),
        (f'<link rel="canonical" href="/study/bells"><meta property="og:url" content="{SITE}">', SITE),
        (f'<link rel="canonical" href=""><link rel="canonical" href="{SITE}">', SITE),
        (f'<!-- saved from url=(0031){SITE} --><meta property="og:url" content="{OTHER}">', OTHER),
        (f"<!-- saved from url=(0031){SITE} -->", SITE),
        (f"<!-- saved from url=(0031){SITE}-->", SITE),
        ("<!-- saved from url=(0014)about:internet -->", None),
        ('<link rel="canonical" href="javascript:alert(1)">', None),
        ('<link rel="canonical" href="file:///home/fox/page.html">', None),
        (f'<link rel="stylesheet" href="{SITE}"><meta name="description" content="{SITE}">', None),
        ('<link rel="canonical">', None),
        ("", None),
    ],
)
def test_the_address_that_a_page_gives_itself(head: str, url: str | None) -> None:
    assert read_html(f"<!DOCTYPE html><html><head>{head}</head><body>a</body></html>") == ("a", url)


def test_only_the_head_gives_an_address() -> None:
    assert read_html(f'<html><head></head><body><p><link rel="canonical" href="{SITE}">a').url is None
    assert read_html(f"<html><body>{'a' * 10_000}<!-- saved from url=(0031){SITE} -->").url is None


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (f" {SITE}\n", SITE),
        ("HTTP://example.org", "HTTP://example.org"),
        ("https://", None),
        ("http://example.org/\x1b[31m", None),
        ("http://example.org/a b", None),
        ("https://example.org/" + "a" * 5_000, None),
        ("cid:css@mhtml.blink", None),
        (None, None),
    ],
)
def test_web_address(text: str | None, url: str | None) -> None:
    assert find_address(text) == url

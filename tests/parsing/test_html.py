"""HTML to lines, held against the extractor that made the text pages."""

import re
from collections.abc import Iterator
from contextlib import suppress
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from resiliparse.extract.html2text import extract_plain_text

from trialscrape.errors import TooLarge
from trialscrape.parsing import html as html_module
from trialscrape.parsing.html import (
    MAX_ALL_ATTRIBUTES,
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_INDENT,
    MAX_LISTS,
    MAX_TAGS,
    read,
    web_address,
)


def text_of(html: bytes) -> str:
    return read(html).text


def extractor(html: str) -> str:
    text: str = extract_plain_text(html, preserve_formatting=True, main_content=False, list_bullets=True)
    return text


# What study pages are made of: HTML and the lines it must give, whatever the extractor's version does.
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

# Everything else that has a rule, and markup that leaves out what HTML lets it leave out.
OTHERS = r"""
<address>a</address>b|<article>a</article>b|<aside>a</aside>b|<blockquote>a</blockquote>b|<center>a</center>b
<details><summary>a</summary>b</details>c|<dl><dt>a<dd>b<dt>c<dd>d</dl>e|<fieldset><legend>a</legend>b</fieldset>c
<figure>a<figcaption>b</figcaption></figure>c|<form>a</form>b|<header>a</header>b<footer>c</footer>d
<hgroup>a</hgroup>b|a<hr>b|a<hr><hr><p>b</p>|<main>a</main>b<nav>c</nav>d|<section>a</section>b|<h3>a</h3><h4>b</h4>c
<dialog>a</dialog>b|<menu><li>a</menu>|<dir><li>a</dir>|<search>a</search>b|<x-y>a</x-y>b|<math><mi>a</mi></math>b
<q>a</q><code>b</code><kbd>c</kbd><sup>d</sup><mark>e</mark><wbr>f|<ruby>a<rp>(</rp><rt>b</rt><rp>)</rp></ruby>
a<button>b</button>c|a<select><option>b<option>c</select>d|a<textarea>b</textarea>c|a<label>b</label>c
a<input value=b>c|a<input type=submit value=b placeholder=c>d|a<output>b</output>c|a<iframe>b</iframe>c
a<object>b</object>c|a<video>b</video>c|a<canvas>b</canvas>c|<svg><title>a</title><text>b</text></svg>c
<head><title>a</title><meta name=b content=c></head>d|<body><title>a</title>b|<area alt=a>b|<image alt=a>b
<div hidden>a</div>b|<div style="display:none">a</div>b|<div aria-hidden=true>a</div>b|<div class=x id=y>a</div>b
<table><tr><td>a<td>b<tr><th>c<td>d</table>e|<table><caption>a</caption><thead><tr><th>b<tbody><tr><td>c</table>d
<table><tr><td></td><td>a</td><td></td></tr><tr><td>b</table>|<table><tr><td><td></table>a
x<table><tr><td> <td> </table>a
<table><tr><td><p>a</p><td>b<td><p>c</p><p>d</p></table>|<table><tr><td>a<br>b<td><br>c</table>
<p>x</p><table><tr><td>a</table>
<table><tr><td>a<td><table><tr><td>b<td>c</table><td>d</table>|<table><tr><td><ul><li>a</ul><td><ul><li>b</ul></table>
x<table> <tr> <td> a </td> <td> b </td> </tr> </table>|<table><tr><td>a<pre>b</pre><td>c<td><pre>d</pre></table>
<pre>a\n  b\n\n c</pre>d|<pre>\na\n\n</pre>b|<pre>\n\na</pre>b|<pre>  a  </pre>b|<pre>a\tb</pre>|<pre> </pre>b
<p>a</p><pre> </pre>b
<p>a</p><pre> </pre><pre>b</pre>c|<pre>a <b>  b\n c</b> <img alt="d  e"></pre>|<pre>a<br> b<br></pre>c
<pre>a</pre><pre>b</pre>
<pre>a  </pre>|<pre>a\n\n</pre>|a<pre> </pre>|a<pre>\n\n</pre>|<table><tr><td>a<td> </table>|a <br>
<ul><li>a<pre>b\n c\n</pre>d<li>e</ul>|<ul><li><pre> </pre>a</ul>|<pre>a\r\nb&#13;c</pre>|z<pre> <br> <br> </pre>a
<ul>a<li>b</ul>|<ul><li>a</li>b<li>c</ul>|<ol><li>a</li>b<p>c</p><li>d</ol>|<li>a</li>b<div>c</div>
<ul><ul><li>a</ul></ul>
<ol><li> </li><li>a</ol>|<ol><li>a</li><ol><li>b</ol><li>c</ol>|<ul><li><ul>a<li>b</ul></ul>
<ol><li> <ol> <li> </li> </ol>a</ol>
<ul><li><br>a</ul>|<ul><li>a</li><br><li>b</ul>|<ul> </ul>a|<ul><li>a<div>b</div>c</ul>
<ul><li>a<blockquote>b</blockquote>c</ul>
<br><br>a|a<br><br>|<p><br></p>a|<p></p>a<p></p>b|a<div> </div>b|a<br>&nbsp;<br>b|<p>a <br> b </p> c|a<b> </b> <i> </i>b
a\vb\fc\x85d\u2028e\u3000f\x1bg\x01h\ufeffi|a&#11;b&#12;c&#133;d&#27;e&#1;f&#x2028;g|a&#0;b&#xD800;c&#x110000;d&#xFFFF;e
a&ampb &copy2 &unknown; & &notit; &NotEqualTilde;|1 < 2 <3 > 4|<a><div>a</div></a>b|<span><div>a</div>b</span>c
<b><p>a</p></b>b
"""


@pytest.mark.parametrize(("html", "lines"), STUDY_PAGE)
def test_a_study_page_s_markup_gives_the_extractor_s_lines(html: str, lines: str) -> None:
    assert text_of(html.encode()) == lines
    assert extractor(html) == lines


@pytest.mark.parametrize("html", re.split(r"[|\n]", OTHERS.strip()))
def test_other_markup_gives_the_extractor_s_lines(html: str) -> None:
    html = html.encode().decode("unicode_escape")
    assert text_of(html.encode()) == extractor(html)


# Where the two part: HTML, our lines, the extractor's lines, and why ours.
DIFFERENCES = [
    ("<ul></ul>a<p>b</p>", "a\n\nb", "    a\n\n    b", "an empty element ends"),
    ("<ol><li>a<ul></ul></li><li>b</li></ol>", "  1. a\n  2. b", "  1. a\n    • b", "an empty element ends"),
    ("<pre></pre>a  b", "a b", "a  b", "an empty element ends"),
    ("<ol><li></li>a<li>b</li></ol>", "    2. a\n  2. b", "  1. a\n  2. b", "an empty element ends"),
    ("<p>a\0b</p>", "a\ufffdb", "ab", "nothing is lost unseen"),
    ("<noscript>a</noscript>b", "b", "ab", "a noscript prints nothing, wherever it stands"),
    ("<noframes>a</noframes>b", "ab", "b", "nothing is lost"),
    ('<img alt=" a">', "a", " a", "no line starts with a blank of the page's"),
    ("<table><tr><td> a</table>", "a", " a", "no line starts with a blank of the page's"),
    ("<ul><li><b>a<br>b</b>c</ul>", "  • a\n    bc", "  • a\n    b    c", "no indent within a line"),
    ("<pre><b>\na</b></pre>b", "a\nb", "\na\nb", "the first newline in a pre counts, whatever it stands in"),
    ("a <pre>b</pre>", "a\nb", "a \nb", "no line ends with a blank of the page's"),
    ("<ul><li><table><tr><td>a<td>b</table></ul>", "  • a\t\tb", "  • a\t\t    b", "no indent within a line"),
    ("<pre>a<p>b</p>c</pre>", "a\n\nb\n\nc", "a\nb\nc", "not allowed in HTML, so not worth a rule"),
    ("<pre><ul><li>a  b</ul></pre>", "  • a b", "  • a  b", "libxml2 ends the pre, not allowed in HTML"),
    ("<p>a<div>b</div>c</p>d", "a\n\nb\ncd", "a\n\nb\nc\n\nd", "libxml2's tree: the </p> is nothing"),
    ("a</br>b", "ab", "a\nb", "libxml2's tree: the </br> is nothing"),
    ("<table>a<tr><td>b</table>", "a\nb", "a\nb", "libxml2's tree, but the same lines"),
    ("<div><td>a</td><td>b</td></div>", "a\t\tb", "ab", "libxml2's tree keeps the cells"),
    ("<svg><![CDATA[a]]></svg>b", "b", "ab", "libxml2 takes CDATA for a comment"),
]


@pytest.mark.parametrize(("html", "ours", "theirs", "why"), DIFFERENCES)
def test_a_difference_is_as_written_down(html: str, ours: str, theirs: str, why: str) -> None:
    assert (text_of(html.encode()), extractor(html)) == (ours, theirs), why


def test_what_follows_the_end_of_the_page_is_not_lost() -> None:
    page = "<!DOCTYPE html><html><head><title>t</title></head><body><p>{}</p></body></html>\n"
    assert text_of((page.format("a") + page.format("b") + "c").encode()) == "a\n\nb\n\nc"


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
    assert text_of(html.encode()) == ""


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
    assert text_of(f"{declared}<p>≥ ä 中 😀</p>".encode()) == "≥ ä 中 😀"


def test_control_characters_are_data() -> None:
    data = (
        "".join(chr(code) for code in range(1, 0x20) if chr(code) not in "\t\n\r\f\v") + "\x7f\x80\x85\x9f\u2028\u202e"
    )
    assert text_of(f"<p>a{data}b</p>".encode()) == f"a{data}b"
    escaped = "".join(f"&#{ord(char)};" for char in data if not "\x80" <= char <= "\x9f")
    assert text_of(f"<p>a{escaped}b</p>".encode()) == "a" + re.sub("[\x80-\x9f]", "", data) + "b"


@pytest.mark.parametrize("reference", ["&#0;", "&#xD800;", "&#xDFFF;", "&#x110000;", "&#99999999999;", "\0"])
def test_what_is_no_character_is_shown_as_one_that_was_there(reference: str) -> None:
    assert text_of(f"<p>a{reference}b</p>".encode()) == "a\ufffdb"


# HTML that is well-formed: what may stand in an element stands there, and all that opens is closed. The first way of
# writing a thing is one that ends.
GRAMMAR = {
    "page": ["{block}{block}{block}{table}{block}{block}{table}{block}"],
    "table": [
        "",
        "<table>{gap}<tr>{gap}<td>x{block}</td>{gap}<th>x{block}{block}</th>{gap}</tr>{gap}</table>",
        "<div><table><caption>{phrases}</caption><tbody><tr><td>x</td></tr>{row}{row}</tbody></table>{phrases}</div>",
    ],
    "row": ["", "<tr><td>{gap}</td><td>x{phrases}</td><td>{block}</td></tr>", "<tr><td>x</td></tr>{gap}"],
    "block": [
        "{phrases}",
        "{block}{block}{block}",
        "<div>{gap}{block}{gap}{block}{gap}</div>",
        "<section>{block}</section>{gap}",
        "<blockquote>{block}{block}</blockquote>",
        "<h2>{phrases}</h2>{block}",
        "<h5>{phrases}</h5>",
        "<p>{phrases}</p>",
        "<p>{phrases}</p>{gap}<p>{phrases}</p>",
        "<hr>",
        "<dl>{gap}<dt>{phrases}</dt>{gap}<dd>{block}</dd></dl>",
        "<ul>{item}{item}{item}</ul>",
        "<ol>{item}{item}{item}</ol>",
        "<pre>x{verbatim}</pre>",
        "<pre>{verbatim}\n  x </pre>",
    ],
    "item": [
        "<li>{gap} {phrases}</li>",
        "{gap}<li>{phrases} </li>{gap}",
        "<li><p>{phrases}</p>{gap}{block}</li>{gap}",
        "<li>{gap}<div>{phrases}</div>{block}</li>",
        "<li>x{phrases}<ul>{item}{item}</ul>{phrases}</li>",
        "<li>{phrases}<ol>{item}{item}</ol>{gap}</li>",
    ],
    "phrases": [
        "{text}",
        "",
        "{text}{inline}{text}",
        "{phrases}<br>{phrases}",
        "{inline}{gap}{inline}",
        "{silent}{phrases}",
    ],
    "inline": [
        "{alt}",
        "<b>{words}</b>",
        "<span>{words}{words}</span>",
        "<x-y>{words}</x-y>",
        "<a href='/'>{words}{alt}</a>",
    ],
    "words": ["{text}", "{text}{inline}", "{text}{silent}{text}"],
    "alt": ['<img alt="x">', '<img src="s" alt="x  &amp;\n x ">', '<img alt="">', "<img>"],
    "silent": [
        "<!-- x -->",
        "<script>x<y</script>",
        "<style>x{}</style>",
        "<button><i>x</i>x</button>",
        "<svg><path></path></svg>",
    ],
    "verbatim": [
        "x",
        " x\n\n",
        "<b>x  {verbatim}</b>",
        "{verbatim}<br>{verbatim}",
        "{alt} ",
        "\t\r\n{verbatim}",
        "\v\f",
    ],
    "gap": ["", " ", "\n  ", "\t\r\n"],
    "text": [
        *("x", "x y", " ", " x", "x ", "\n x  y\n", "x\v\fy"),
        *("\xa0", "&nbsp; ", "\x85", "\u2028x", "&lt;p&gt;&#x1b;", "≥😀\ufeff"),
    ],
}


def written(thing: str, choices: Iterator[int]) -> str:
    """A thing of the grammar, written as the choices say, and in the first way when they are used up."""
    ways = GRAMMAR[thing]
    way = ways[next(choices, 0) % len(ways)]
    return re.sub("{([a-z]+)}", lambda part: written(part[1], choices), way)


def lines_of(text: str) -> list[str]:
    # That extractor keeps a blank in front of <pre>, at the end of a line.
    return [line.rstrip(" ") for line in text.split("\n")]


@given(st.binary(max_size=120))
@settings(max_examples=1_500, deadline=None)
def test_any_well_formed_page_gives_the_extractor_s_lines(choices: bytes) -> None:
    body = written("page", iter(choices))
    html = f"<!DOCTYPE html><html><head><title>t</title></head><body><div>{body}</div></body></html>"
    lines = lines_of(extractor(html))
    assert lines_of(text_of(html.encode())) == lines
    with patch("trialscrape.parsing.html._SMALL", 0):  # a large page is thinned out less
        assert lines_of(text_of(html.encode())) == lines


@given(
    st.binary(max_size=60) | st.text(st.sampled_from("<>/!-=&;'\"#x0 abpulirtd\0\x1b]["), max_size=60).map(str.encode)
)
@settings(max_examples=300, deadline=None)
def test_any_text_at_all_gives_lines(raw: bytes) -> None:
    text = text_of(raw.decode("utf-8", "replace").encode())
    assert not re.search("[\ud800-\udfff]", text)
    assert not text.endswith("\n")


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
    assert text_of(PAGE.encode()) == PAGE_LINES
    assert extractor(PAGE) == PAGE_LINES


# More than a page ever holds: read in full and in linear time, or refused with the limit.
TOO_DEEP = f"expected at most {MAX_DEPTH:,} elements inside each other, found more"
TOO_MANY_LISTS = f"expected at most {MAX_LISTS} lists inside each other, found more"


@pytest.mark.parametrize(
    ("html", "message"),
    [
        ("<div>" * 100_000 + "a", TOO_DEEP),
        ("<ul><li>" * 1_500 + "a", TOO_DEEP),
        ("<b>" * 100_000 + "a", TOO_DEEP),
        ("</x>" * 1_000 + "<div>" * 3_000 + "a", TOO_DEEP),
        ("<label>" + "<div>" * 3_000 + "a" + "</div>" * 3_000 + "</label>b", TOO_DEEP),
        ("<p>a</p></html>" + "<div>" * 3_000 + "b", TOO_DEEP),
        ("<div>" * (MAX_DEPTH - 1) + "a", TOO_DEEP),
        ("<ul><li>" * (MAX_LISTS + 1) + "a", TOO_MANY_LISTS),
    ],
    ids=["div", "list", "inline", "after errors", "not printed", "after the end", "one too deep", "one list too many"],
)
def test_too_deep_a_page_is_refused_and_not_cut(html: str, message: str) -> None:
    with pytest.raises(TooLarge) as refused:
        text_of(html.encode())
    assert refused.value.message == message


def test_a_page_as_deep_as_the_limits_is_read() -> None:
    assert text_of(("<div>" * (MAX_DEPTH - 2) + "a").encode()) == "a"
    assert text_of(("<ul><li>" * MAX_LISTS + "a").encode()) == "  " * MAX_LISTS + "• a"


@pytest.mark.parametrize(
    ("html", "lines", "last"),
    [
        ("a<br>" * 1_000_000, 1_000_000, "a"),
        ("<p>a</p>" * 500_000, 999_999, "a"),
        ("<ol>" + "<li>a" * 300_000 + "</ol>", 300_000, "  300000. a"),
        ("<p>" + "a<i>b</i>" * 400_000, 1, "ab" * 400_000),
        ("<p>" + "a<x-y>b</x-y>" * 300_000, 1, "ab" * 300_000),
        ("<p>" + "a<link>" * 900_000, 1, "a" * 900_000),
        ("<i>" * 1_000 + "a<u>b</u>" * 300_000, 1, "ab" * 300_000),
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
    found = text_of(html.encode()).split("\n")
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
        read(html.encode())
    assert refused.value.message == ATTRIBUTES


@pytest.mark.parametrize(
    "html",
    [
        f"<p{CROWD.removesuffix(f' a{MAX_ATTRIBUTES}')}>text",
        f"<p x='{CROWD}'>text",
        f"<p x=1>{CROWD.replace('a', '<br>')}<i>text",
        f"<p>{CROWD} < 5 > 4<i>text",
        f"<script>if (a <b) {{ c = '{CROWD[:20_000]}' }}</script>text",
        "<p>" + "".join(f"<i a{n}></i>" for n in range(MAX_ATTRIBUTES + 1)) + "text",
        "<p" + " a" * MAX_ATTRIBUTES + ">text",
    ],
)
def test_what_only_looks_like_many_attributes_is_read(html: str) -> None:
    assert text_of(html.encode()).endswith("text")


PIECES = st.one_of(
    st.sampled_from([CROWD, "<p", "<P ", "</p", "<b", ">", '"', "'", "=", " ", "/", "a", "\n", "<html", "<body "]),
    st.sampled_from(["<!--", "-->", "<script>", "</script>", "<svg>", "<style>", "</style>", "<![CDATA[", "]]>"]),
    st.sampled_from(["<title>", "<textarea>", "<?", "<!"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=12), st.lists(PIECES, max_size=4))
def test_no_element_of_more_attributes_gets_past_the_scan(before: list[str], after: list[str]) -> None:
    html = "".join([*before, "<p", CROWD, *after]).encode()
    try:
        read(html)
    except TooLarge:
        return
    root = etree.fromstring(html, etree.HTMLParser(encoding="utf-8", huge_tree=True))
    assert root is None or max(len(element.attrib) for element in root.iter("*")) <= MAX_ATTRIBUTES


@pytest.mark.parametrize("tag", ["<a ", '<a x="<a x=', "<a", "<a x='", '<a b="c<', "</a /", "<a = '\""])
def test_looking_at_every_tag_is_linear_work(tag: str) -> None:
    html = (tag * (1_000_000 // len(tag))).encode()
    scanned = 0
    real = html_module._attributes  # noqa: SLF001  what it scans is the work

    def attributes(page: bytes, at: int) -> tuple[int, int]:
        nonlocal scanned
        count, end = real(page, at)
        scanned += end - at
        return count, end

    with patch.object(html_module, "_attributes", attributes), suppress(TooLarge):
        read(html)
    assert scanned <= 20 * len(html)


def test_a_page_of_more_markup_than_memory_can_bear_is_refused() -> None:
    with pytest.raises(TooLarge, match=f"expected at most {MAX_TAGS:,} tags, found more"):
        read(b"<p>" * (MAX_TAGS + 1))
    with pytest.raises(TooLarge) as refused:
        read(b"<p a b c d e f g h i j>" * (MAX_ALL_ATTRIBUTES // 10 + 1))
    assert refused.value.message == ATTRIBUTES
    assert text_of(b"<p a b c d e f g h i j>" * 5_000 + b"text") == "text"


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
    with patch.object(etree, "fromstring", side_effect=parsed), pytest.raises(TooLarge) as refused:
        read(html.encode())
    assert refused.value.message == TOO_WIDE


@given(
    st.lists(st.sampled_from(["<ul>", "</ul>", "<ol>", "<li>a", "<br>b", "<p>c", "</p>", "<pre>d\ne", "</pre>", "f"]))
)
@settings(deadline=None)
def test_what_lists_add_is_never_more_than_the_scan_expects(pieces: list[str]) -> None:
    """For that extractor too: the longest text of the lines' words and markers, and the blanks before them."""
    html = "".join(pieces)
    levels = [html[:at].count("<ul>") + html[:at].count("<ol>") for at, byte in enumerate(html, 1) if byte == "<"]
    for text in (text_of(html.encode()), extractor(html)):
        indents = sum(len(line) - len(line.lstrip(" ")) for line in text.split("\n"))
        assert indents <= sum(2 * level + 4 for level in levels)


def test_a_page_of_many_lists_is_read() -> None:
    page = "<ul>" + "<li>a" * 20 + "</ul>"
    assert text_of((page * 400).encode()).count("• a") == 8_000


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
    assert read(f"<!DOCTYPE html><html><head>{head}</head><body>a</body></html>".encode()) == ("a", url)


def test_only_the_head_gives_an_address() -> None:
    assert read(f'<html><head></head><body><p><link rel="canonical" href="{SITE}">a'.encode()).url is None
    assert read(f"<html><body>{'a' * 10_000}<!-- saved from url=(0031){SITE} -->".encode()).url is None


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
    assert web_address(text) == url

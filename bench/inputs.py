"""Invented pages for the figures, made alike every time."""

import json
from random import Random

from trialscrape.replica import Site, Study

WORDS = ("adult", "bench", "branch", "clerk", "fern", "light", "moss", "oak", "quiet", "rest", "river", "shade", "tree")
TEXT = """ClinicalTrials.Veeva

Menu

Shade for Clerks (SHADE)

I

Institute for Arboreal Medicine

Status and phase

Completed
Phase 2

Conditions

Restlessness

Treatments

Behavioral: Shade

Study type

Interventional

Funder types

Other

Identifiers

NCT99000300
SH-1

Details and patient eligibility

About

Clerks sit in the shade.

Enrollment

20 patients

Sex

All

Ages

18+ years old

Volunteers

No Healthy Volunteers

Inclusion criteria

{inclusion}

Exclusion criteria

  • Fear of shade

Trial design

20 participants in 1 patient group

Shade
Experimental group
Treatment:
Behavioral: Shade

Trial contacts and locations

1

Loading...

Data sourced from clinicaltrials.gov
"""


def sentence(random: Random, words: int) -> str:
    """Make a sentence of so many words."""
    return " ".join(random.choices(WORDS, k=words)).capitalize() + "."


def hostile_criteria(size: int) -> str:
    """A page whose inclusion criteria have about `size` bytes and nest, break off and restart without order."""
    random = Random(7)
    kinds = ("• ", "1. ", "", "Sub-heading ")
    lines: list[str] = []
    length = 0
    while length < size:
        kind = random.choice(kinds)
        end = ":" if kind == "Sub-heading " else ""
        line = "  " * random.choice((0, 1, 1, 1, 2, 3, 40)) + kind + sentence(random, random.randint(1, 12)) + end
        lines += [line, ""] if random.random() < 0.2 else [line]
        length += len(line)
    return TEXT.format(inclusion="\n".join(lines))


def saved_html(size: int) -> bytes:
    """A study page as a browser saves it: four tenths of `size` are styles, scripts and data, the rest the page."""
    random = Random(11)
    style = "".join(f".c{n}{{margin:{n}px;padding:{n}px;color:#{n:06x}}}" for n in range(size // 250))
    data = json.dumps({f"key{n}": sentence(random, 8) for n in range(size // 250)})
    head = f"<head><title>Shade for Clerks</title><style>{style}</style></head>"
    end = f"<script>window.data={data}</script></body></html>"
    rows = (
        ("Status and phase", ["Completed", "Phase 2"]),
        ("Conditions", ["Restlessness", "Clerk, Weary"]),
        ("Treatments", ["Behavioral: Shade", "Other: Bench"]),
        ("Study type", ["Interventional"]),
        ("Funder types", ["Other"]),
        ("Identifiers", ["NCT99000300", "SH-1"]),
    )
    body = '<body><header><a href="/">ClinicalTrials.Veeva</a><button><span>Menu</span></button></header><main>'
    body += '<h1 class="c1">Shade for Clerks (SHADE)</h1><div><img alt="Institute for Arboreal Medicine logo">'
    body += "</div><p>Institute for Arboreal Medicine</p>"
    body += "".join(section(heading, values) for heading, values in rows)
    body += "<h2>Details and patient eligibility</h2>" + prose("About", random, 3)
    tail = "".join(
        section(heading, [value])
        for heading, value in (
            ("Enrollment", "20 patients"),
            ("Sex", "All"),
            ("Ages", "18+ years old"),
            ("Volunteers", "No Healthy Volunteers"),
        )
    )
    close = "<h2>Trial design</h2><p>20 participants in 1 patient group</p><div><div>Shade</div>"
    close += "<div>Experimental group</div><div>Treatment:</div><div>Behavioral: Shade</div></div>"
    close += "<h3>Trial contacts and locations</h3><p>1</p><p>Loading...</p>"
    close += "<p>Data sourced from clinicaltrials.gov</p></main><footer><p>Clinical trials</p></footer>"
    left = size - len(head + end + body + tail + close)
    half = left // 2
    middle = prose("Full description", random, half // 400) + tail
    middle += criteria("Inclusion criteria", random, half // 220) + criteria("Exclusion criteria", random, half // 220)
    return ("<!doctype html><html lang=en>" + head + body + middle + close + end).encode()


def section(heading: str, values: list[str]) -> str:
    """A heading and its lines."""
    lines = "".join(f'<div class="c2"><span>{value}</span></div>' for value in values)
    return f'<section class="c3"><h3 class="c4">{heading}</h3><div>{lines}</div></section>'


def prose(heading: str, random: Random, paragraphs: int) -> str:
    """A heading and paragraphs of about 400 characters."""
    text = "".join(f'<p class="c5">{sentence(random, 60)}</p>' for _ in range(paragraphs))
    return f"<section><h3>{heading}</h3><div>{text}</div></section>"


def criteria(heading: str, random: Random, items: int) -> str:
    """A heading and a list, every fifth item with a nested one."""
    lines = "".join(
        f"<li>{sentence(random, 14)}" + (f"<ul><li>{sentence(random, 6)}</li></ul>" if n % 5 == 0 else "") + "</li>"
        for n in range(items)
    )
    return f"<section><h3>{heading}</h3><div><ul>{lines}</ul></div></section>"


def site_of(ids: list[str]) -> Site:
    """A replica's site with a page for each id."""
    studies = [
        Study(
            nct_id=nct_id, slug=f"shade-for-clerk-{nct_id.lower()}", brief_title=f"Shade for Clerk {nct_id}", page=page
        )
        for nct_id in ids
        for page in [TEXT.format(inclusion="  • Clerk").replace("NCT99000300", nct_id).encode()]
    ]
    return Site(studies=tuple(studies))


def paths_of(site: Site) -> list[str]:
    """Every path that a scrape of the site asks for, robots.txt aside."""
    return [path for each in site.studies for path in (f"/study/{each.slug}", f"/api/v2/studies/{each.nct_id}")]

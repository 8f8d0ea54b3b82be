"""Invented pages for the figures, made alike every time."""

import json
from random import Random

from trialscrape.testing.replica import Site, Study

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


def page(*, paragraphs: int, criteria: int, arms: int, markup: int = 0) -> bytes:
    """A study page as HTML.

    Args:
        paragraphs: Of the full description, about 400 characters each.
        criteria: Of each side; every fifth has a nested one.
        arms: Each with a description and two treatments.
        markup: Bytes of styles, scripts and data around it, as a browser saves them.
    """
    random = Random(11)
    rows = (
        ("Status and phase", ["Completed", "Phase 2"]),
        ("Conditions", ["Restlessness", "Clerk, Weary"]),
        ("Treatments", ["Behavioral: Shade", "Other: Bench"]),
        ("Study type", ["Interventional"]),
        ("Funder types", ["Other"]),
        ("Identifiers", ["NCT99000300", "SH-1"]),
    )
    people = (
        ("Enrollment", "20 patients"),
        ("Sex", "All"),
        ("Ages", "18+ years old"),
        ("Volunteers", "No Healthy Volunteers"),
    )
    parts = [
        f"<!doctype html><html lang=en><head><title>Shade for Clerks</title><style>{_style(markup)}</style></head>",
        '<body><header><a href="/">ClinicalTrials.Veeva</a><button><span>Menu</span></button></header><main>',
        '<h1 class="c1">Shade for Clerks (SHADE)</h1><div><img alt="Institute for Arboreal Medicine logo"></div>',
        "<p>Institute for Arboreal Medicine</p>",
        *(section(heading, values) for heading, values in rows),
        "<h2>Details and patient eligibility</h2>",
        prose("About", random, 1),
        prose("Full description", random, paragraphs) if paragraphs else "",
        *(section(heading, [value]) for heading, value in people),
        criteria_list("Inclusion criteria", random, criteria),
        criteria_list("Exclusion criteria", random, criteria),
        f"<h2>Trial design</h2><p>20 participants in {arms} patient groups</p><div>",
        *(arm(number, random) for number in range(arms)),
        "</div><h3>Trial contacts and locations</h3><p>1</p><p>Loading...</p>",
        "<p>Data sourced from clinicaltrials.gov</p></main><footer><p>Clinical trials</p></footer>",
        f"<script>window.data={_data(markup, random)}</script></body></html>",
    ]
    return "".join(parts).encode()


def _style(markup: int) -> str:
    return "".join(f".c{n}{{margin:{n}px;padding:{n}px;color:#{n:06x}}}" for n in range(markup // 100))


def _data(markup: int, random: Random) -> str:
    return json.dumps({f"key{n}": sentence(random, 8) for n in range(markup // 120)})


def arm(number: int, random: Random) -> str:
    """An arm as the page shows it."""
    lines = (f"Arm {number}", "Experimental group", "Description:", sentence(random, 30), "Treatment:")
    return "".join(f"<div>{line}</div>" for line in (*lines, "Behavioral: Shade", "Other: Bench"))


def section(heading: str, values: list[str]) -> str:
    """A heading and its lines."""
    lines = "".join(f'<div class="c2"><span>{value}</span></div>' for value in values)
    return f'<section class="c3"><h3 class="c4">{heading}</h3><div>{lines}</div></section>'


def prose(heading: str, random: Random, paragraphs: int) -> str:
    """A heading and paragraphs of about 400 characters."""
    text = "".join(f'<p class="c5">{sentence(random, 60)}</p>' for _ in range(paragraphs))
    return f"<section><h3>{heading}</h3><div>{text}</div></section>"


def criteria_list(heading: str, random: Random, items: int) -> str:
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


SHAPES = {
    "short page": page(paragraphs=0, criteria=4, arms=2),
    "long prose": page(paragraphs=60, criteria=12, arms=2),
    "many criteria and arms": page(paragraphs=2, criteria=60, arms=12),
    "saved by a browser": page(paragraphs=4, criteria=20, arms=4, markup=60_000),
}
"""The shapes of page that the figures are measured on."""

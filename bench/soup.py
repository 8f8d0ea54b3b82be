"""What a user's own script makes of a study page with BeautifulSoup: the lines under each heading, as JSON."""

import json
import re

from bs4 import BeautifulSoup

HEADINGS = frozenset(
    """Status and phase|Conditions|Treatments|Study type|Funder types|Identifiers|About|Full description|Enrollment|Sex|
Ages|Volunteers|Inclusion criteria|Exclusion criteria|Trial design|Trial contacts and locations""".replace(
        "\n", ""
    ).split("|")
)


def scrape_with_soup(html: str) -> str:
    """Give the lines under each heading, and the id, as JSON."""
    soup = BeautifulSoup(html, "lxml")
    for element in soup(["script", "style"]):
        element.decompose()
    record: dict[str, list[str]] = {"title": [soup.h1.get_text()] if soup.h1 else []}
    under = record["title"]
    for line in soup.get_text("\n").splitlines():
        text = line.strip()
        if text in HEADINGS:
            under = record.setdefault(text, [])
        elif text:
            under.append(text)
    record["nct_id"] = re.findall(r"NCT\d{8}", " ".join(record.get("Identifiers", [])))
    return json.dumps(record)

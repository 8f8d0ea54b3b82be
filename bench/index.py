"""Index 600,000 addresses from local sitemap files and look some up; prints the figures as JSON.

python -m bench.index FOLDER
"""

import gzip
import json
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from random import Random

from trialscrape.fetching.responses import Response, Result, Validators
from trialscrape.scraping.index import sync_index
from trialscrape.slugs import split_words
from trialscrape.store.store import Store

SHARDS, EACH = 60, 10_000
SITE = "https://site.example"
SYLLABLES = (
    "ba",
    "co",
    "di",
    "ex",
    "flu",
    "gra",
    "hy",
    "in",
    "ket",
    "lo",
    "mab",
    "nib",
    "ol",
    "pri",
    "qua",
    "rit",
    "zol",
)


def slugs(random: Random) -> Iterator[str]:
    """Invent slugs of 6 to 16 words, some words far more frequent than others, as in titles."""
    words = list(dict.fromkeys("".join(random.choices(SYLLABLES, k=random.randint(1, 4))) for _ in range(100_000)))
    weights = list(accumulate(1 / (place + 2) for place in range(len(words))))
    while True:
        yield "-".join(random.choices(words, cum_weights=weights, k=random.randint(6, 16)))[:100].rstrip("-")


def write_site(folder: Path) -> list[str]:
    """Write the sitemap's files; give some of the slugs in it."""
    made = slugs(Random(5))
    some: list[str] = []
    for shard in range(SHARDS):
        part = [next(made) for _ in range(EACH)]
        some += part[:10]
        urls = "".join(f"<url><loc>{SITE}/study/{slug}</loc></url>" for slug in part)
        (folder / f"{shard}.xml").write_bytes(gzip.compress(f"<urlset>{urls}</urlset>".encode(), 1))
    files = "".join(f"<sitemap><loc>{SITE}/{shard}.xml</loc></sitemap>" for shard in range(SHARDS))
    (folder / "index.xml").write_text(f"<sitemapindex>{files}</sitemapindex>")
    return some


def look_up(store: Store, slug: str) -> float:
    """Look for a study that was renamed: its first word is gone, its last one another. Give the milliseconds."""
    renamed = "-".join([*slug.split("-")[1:-1], "renamed"])
    began = time.perf_counter()
    store.slugs.has(renamed)
    store.slugs.find_similar(renamed, split_words(renamed))
    return 1e3 * (time.perf_counter() - began)


def main(folder: Path) -> None:
    """Print the figures."""
    some = write_site(folder)

    def get(url: str, _: Validators | None) -> Response:
        return Response(Result.OK, url, url, 200, body=(folder / url.rpartition("/")[2]).read_bytes())

    with Store.open(folder / "store.db") as store:
        began = time.perf_counter()
        report = sync_index(store.slugs, f"{SITE}/index.xml", get, now=lambda: datetime.now(UTC))
        seconds = time.perf_counter() - began
        times = sorted(look_up(store, slug) for slug in some)
    figures = {
        "slugs": report.slugs,
        "seconds": seconds,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "median": statistics.median(times),
        "p95": times[len(times) * 95 // 100],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

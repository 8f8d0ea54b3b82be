"""The slug index: what each file of the sitemap lists (a shard), and which slugs resemble a given one.

A slug is kept once, however many shards list it, with its words in an index of their own, so a look-up reads some
thousand entries of an index of 600,000.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from math import log
from typing import NamedTuple

from trialscrape.slugs import split_search, split_words
from trialscrape.store.database import Database, format_time, parse_time, translate_errors

_ENTRIES = 1000
"""Entries of the word index read for one look-up, which keeps it to a few milliseconds in an index of 600,000."""
_COMMON = 2_500
"""A word that so many slugs hold is one that every title has."""
_SCORED = 20
"""Slugs whose likeness is computed in full."""


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync of the sitemap, and the shards that it finished before it was interrupted."""

    sync_id: int
    started_at: datetime
    done: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of the sitemap as it was last read, and how many slugs it listed."""

    url: str
    etag: str | None
    last_modified: str | None
    synced_at: datetime
    slugs: int


class Change(NamedTuple):
    """What a shard changed in the index: slugs new to it, and slugs that no shard lists any more."""

    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """The slug index: its size, the ages of its shards, and when a sync began that has not ended."""

    shards: int
    slugs: int
    oldest_sync: datetime | None
    newest_sync: datetime | None
    unfinished_since: datetime | None


class Similar(NamedTuple):
    """A slug that resembles another: 1.0 is the same words or the same beginning to the end, 0.0 nothing in common."""

    slug: str
    score: float


class Weight(NamedTuple):
    """How many slugs hold a word, and what sharing it is worth: the rarer, the more."""

    slugs: int
    worth: float


class SlugIndex:
    """The part of a store that keeps what the sitemap lists."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin_sync(self, url: str, now: datetime, *, not_before: datetime) -> Sync:
        """Begin a sync of a sitemap, or resume one that did not end and began no earlier than `not_before`."""
        with self._db.transaction():
            row = self._db.find_row("SELECT * FROM sync WHERE url = ? ORDER BY sync_id DESC LIMIT 1", (url,))
            if row and row["ended_at"] is None and row["started_at"] >= format_time(not_before):
                done = self._db.fetch_rows("SELECT url FROM shard WHERE sync_id = ?", (row["sync_id"],))
                return Sync(row["sync_id"], parse_time(row["started_at"]), frozenset(shard for (shard,) in done))
            self._db.execute("DELETE FROM sync WHERE url = ?", (url,))
            sync_id = self._db.execute(
                "INSERT INTO sync (url, started_at) VALUES (?, ?)", (url, format_time(now))
            ).lastrowid
            return Sync(sync_id or 0, parse_time(format_time(now)), frozenset())

    def end_sync(self, sync: Sync, now: datetime) -> None:
        """Record that a sync came to its end."""
        with self._db.transaction():
            self._db.execute("UPDATE sync SET ended_at = ? WHERE sync_id = ?", (format_time(now), sync.sync_id))

    def find_shard(self, url: str) -> Shard | None:
        """Return a shard of the sitemap, or None."""
        row = self._db.find_row("SELECT url, etag, last_modified, synced_at, slugs FROM shard WHERE url = ?", (url,))
        if row is None:
            return None
        return Shard(row["url"], row["etag"], row["last_modified"], parse_time(row["synced_at"]), row["slugs"])

    def touch_shard(self, url: str, synced_at: datetime, *, sync: Sync | None = None) -> None:
        """Record that the site said that a shard is unchanged."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE shard SET synced_at = ?, sync_id = ? WHERE url = ?",
                (format_time(synced_at), sync and sync.sync_id, url),
            )
            self._claim_shard(url, sync)

    def replace_shard(  # noqa: PLR0913  # they are the columns of one row
        self,
        url: str,
        slugs: Iterable[str],
        synced_at: datetime,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        sync: Sync | None = None,
        is_whole: Callable[[], bool] = lambda: True,
    ) -> Change:
        """Replace in the index what a shard listed before by what it lists now.

        Args:
            url: The shard.
            slugs: What it lists; read once, a slug at a time, and never held in memory as a whole.
            synced_at: When it was fetched.
            etag: Its validator, for the next time.
            last_modified: Likewise.
            sync: The sync that it belongs to.
            is_whole: Called when the slugs are read to their end. If it returns False, they are part of a shard: they
                are added, nothing is removed, and the shard does not count as read.
        """
        with self._db.transaction():
            self._receive(slugs)
            whole = is_whole()
            self._db.execute(
                "INSERT OR IGNORE INTO shard (url, synced_at, slugs) VALUES (?, ?, 0)", (url, format_time(synced_at))
            )
            (shard_id,) = self._db.fetch_row("SELECT shard_id FROM shard WHERE url = ?", (url,))
            change = Change(self._list_slugs(shard_id), self._unlist_slugs(shard_id) if whole else 0)
            (count,) = self._db.fetch_row("SELECT count(*) FROM listed WHERE shard_id = ?", (shard_id,))
            self._db.execute("UPDATE shard SET slugs = ? WHERE shard_id = ?", (count, shard_id))
            if whole:
                self._db.execute(
                    "UPDATE shard SET etag = ?, last_modified = ?, synced_at = ?, sync_id = ? WHERE shard_id = ?",
                    (etag, last_modified, format_time(synced_at), sync and sync.sync_id, shard_id),
                )
            else:
                self._db.execute("UPDATE shard SET etag = NULL, last_modified = NULL WHERE shard_id = ?", (shard_id,))
            self._claim_shard(url, sync)
            self._receive(())
            return change

    def drop_shards(self, sync: Sync, *, keep: Iterable[str]) -> int:
        """Remove the shards that a sitemap named before, except some, and the slugs that only they listed.

        Shards of other sitemaps stay.

        Returns:
            The number of slugs removed.
        """
        removed = 0
        with self._db.transaction():
            self._receive(())
            # A shard without a sitemap is of an older version, which had one sitemap's alone.
            rows = self._db.fetch_rows(
                """SELECT shard_id, url FROM shard
                WHERE sitemap IS NULL OR sitemap = (SELECT url FROM sync WHERE sync_id = ?)""",
                (sync.sync_id,),
            )
            kept = set(keep)
            for shard_id in (row["shard_id"] for row in rows if row["url"] not in kept):
                removed += self._unlist_slugs(shard_id)
                self._db.execute("DELETE FROM shard WHERE shard_id = ?", (shard_id,))
        return removed

    def status(self) -> IndexStatus:
        """Return the size and the age of the slug index."""
        shards, oldest, newest = self._db.fetch_row("SELECT count(*), min(synced_at), max(synced_at) FROM shard")
        (slugs,) = self._db.fetch_row("SELECT count(*) FROM slug")
        (unfinished,) = self._db.fetch_row("SELECT min(started_at) FROM sync WHERE ended_at IS NULL")
        return IndexStatus(shards, slugs, *(time and parse_time(time) for time in (oldest, newest, unfinished)))

    def has(self, slug: str) -> bool:
        """Tell whether the sitemap lists a slug."""
        return self._db.find_row("SELECT 1 FROM slug WHERE slug = ?", (slug,)) is not None

    def search(self, text: str) -> Iterator[str]:
        """Yield the slugs that hold all words of a text, in the order in which the index got them.

        Args:
            text: Words of a title; one that ends in `*` is the beginning of a word. Digits behind a word count also
                where the slug joins them to it, as `covid-19` at its end.
        """
        query = " AND ".join(map(_match_group, split_search(text)))
        after = 0
        while query:
            rows = self._db.fetch_rows(
                "SELECT rowid, slug FROM slug_words WHERE slug_words MATCH ? AND rowid > ? ORDER BY rowid LIMIT ?",
                (query, after, _ENTRIES),
            )
            yield from (row["slug"] for row in rows)
            if len(rows) < _ENTRIES:
                return
            after = rows[-1]["rowid"]

    def find_similar(self, slug: str, words: Iterable[str] = (), *, limit: int = 10) -> tuple[Similar, ...]:
        """Return the slugs of the index that resemble one that may not be in it, the best first.

        Two kinds are found: slugs with the same beginning (cut elsewhere, or numbered), which are its neighbours in the
        alphabet, and slugs that share its rarer words (renamed studies).

        Args:
            slug: The slug that a title gives.
            words: More words, such as those of a title that goes on where the slug is cut.
            limit: How many to return at most.
        """
        wanted = tuple(dict.fromkeys((*split_words(slug), *words)))
        weights = self._weights(wanted)
        found = set(self._neighbours(slug)) | set(self._with_words(weights))
        scored = (Similar(other, _likeness(slug, other, weights)) for other in found)
        return tuple(sorted(scored, key=lambda similar: (-similar.score, similar.slug))[:limit])

    def _claim_shard(self, url: str, sync: Sync | None) -> None:
        """Record which sitemap names a shard."""
        if sync:
            self._db.execute(
                "UPDATE shard SET sitemap = (SELECT url FROM sync WHERE sync_id = ?) WHERE url = ?", (sync.sync_id, url)
            )

    def _receive(self, slugs: Iterable[str]) -> None:
        """Fill a table with the slugs of a shard: it spares memory, and sorts them."""
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS incoming (slug TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("DELETE FROM incoming")
        self._db.execute_many("INSERT OR IGNORE INTO incoming VALUES (?)", ((slug,) for slug in slugs))

    def _list_slugs(self, shard_id: int) -> int:
        """List the incoming slugs under a shard; return how many are new to the index."""
        (last,) = self._db.fetch_row("SELECT coalesce(max(slug_id), 0) FROM slug")
        self._db.execute("INSERT OR IGNORE INTO slug (slug) SELECT slug FROM incoming ORDER BY slug")
        self._db.execute(
            "INSERT INTO slug_words (rowid, slug) SELECT slug_id, slug FROM slug WHERE slug_id > ?", (last,)
        )
        added = self._count_words("SELECT slug FROM slug WHERE slug_id > ?", (last,), 1)
        self._db.execute(
            "INSERT OR IGNORE INTO listed SELECT ?, slug_id FROM incoming JOIN slug USING (slug)", (shard_id,)
        )
        return added

    def _unlist_slugs(self, shard_id: int) -> int:
        """Unlist what did not come in again from a shard; return how many slugs no shard lists any more."""
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS gone (slug_id INTEGER PRIMARY KEY, slug TEXT)")
        self._db.execute("DELETE FROM gone")
        self._db.execute(
            """INSERT INTO gone SELECT slug_id, slug FROM listed JOIN slug USING (slug_id)
            WHERE shard_id = ? AND slug NOT IN (SELECT slug FROM incoming)""",
            (shard_id,),
        )
        self._db.execute("DELETE FROM listed WHERE shard_id = ? AND slug_id IN (SELECT slug_id FROM gone)", (shard_id,))
        self._db.execute("DELETE FROM gone WHERE EXISTS (SELECT 1 FROM listed WHERE listed.slug_id = gone.slug_id)")
        # The words must be taken out by the text that they were put in by, so before the slug itself goes.
        self._db.execute("INSERT INTO slug_words (slug_words, rowid, slug) SELECT 'delete', slug_id, slug FROM gone")
        removed = self._count_words("SELECT slug FROM gone", (), -1)
        self._db.execute("DELETE FROM slug WHERE slug_id IN (SELECT slug_id FROM gone)")
        return removed

    def _count_words(self, query: str, values: tuple[object, ...], step: int) -> int:
        """Add the words of a query's slugs to the counts of words, or subtract them; return the number of slugs."""
        counts: Counter[str] = Counter()
        slugs = 0
        with translate_errors(self._db.path):
            for (slug,) in self._db.execute(query, values):
                slugs += 1
                counts.update(split_words(slug))
        self._db.execute_many(
            "INSERT INTO word VALUES (?, ?) ON CONFLICT DO UPDATE SET slugs = slugs + excluded.slugs",
            sorted((word, step * count) for word, count in counts.items()),
        )
        return slugs

    def _weights(self, words: tuple[str, ...]) -> dict[str, Weight]:
        rows = self._db.fetch_rows(
            "SELECT word, slugs FROM word WHERE word IN (SELECT value FROM json_each(?))", (json.dumps(words),)
        )
        counts = {row["word"]: int(row["slugs"]) for row in rows}
        (total,) = self._db.fetch_row("SELECT coalesce(max(slug_id), 0) FROM slug")
        return {word: Weight(held := counts.get(word, 0), log((total + 2) / (held + 1))) for word in words}

    def _neighbours(self, slug: str) -> Iterator[str]:
        """Yield the slugs before and behind one in the alphabet: no others share a longer beginning with it."""
        behind = "SELECT slug FROM slug WHERE slug >= ? ORDER BY slug LIMIT 5"
        before = "SELECT slug FROM slug WHERE slug < ? ORDER BY slug DESC LIMIT 5"
        return (other for query in (behind, before) for (other,) in self._db.fetch_rows(query, (slug,)))

    def _with_words(self, weights: Mapping[str, Weight]) -> Iterator[str]:
        """Yield the slugs that share the most of the rarer words, by reading no more than some thousand entries."""
        words = sorted((word for word, weight in weights.items() if weight.slugs), key=lambda word: weights[word].slugs)
        worth: defaultdict[int, float] = defaultdict(float)
        budget = _ENTRIES
        while words and (budget := budget - weights[words[0]].slugs) >= 0:
            for number in self._holding(words[:1]):
                worth[number] += weights[words[0]].worth
            del words[:1]
        # Each word that is left is in so many slugs that only those that hold three of them tell anything; and words
        # like `of` tell nothing where rarer ones have found something.
        together = words[:3] if words and (not worth or weights[words[0]].slugs <= _COMMON) else []
        for number in self._holding(together) if len(together) > 1 else ():
            worth[number] += sum(weights[word].worth for word in together)
        best = nlargest(_SCORED, worth, key=worth.__getitem__)
        rows = self._db.fetch_rows(
            "SELECT slug FROM slug WHERE slug_id IN (SELECT value FROM json_each(?))", (json.dumps(best),)
        )
        return (slug for (slug,) in rows)

    def _holding(self, words: list[str]) -> list[int]:
        query = " AND ".join(f'"{word}"' for word in words)
        rows = self._db.fetch_rows("SELECT rowid FROM slug_words WHERE slug_words MATCH ? LIMIT ?", (query, _ENTRIES))
        return [number for (number,) in rows]


def _match_group(words: tuple[str, ...]) -> str:
    """Write a word and the digits behind it for FTS5: apart, or joined as at the end of a slug."""
    apart = " AND ".join(map(_match_word, words))
    return f"(({apart}) OR {_match_word(''.join(words))})"


def _match_word(word: str) -> str:
    return f'"{word.removesuffix("*")}"{"*" if word.endswith("*") else ""}'


def _likeness(slug: str, other: str, weights: Mapping[str, Weight]) -> float:
    """Rate how much two slugs have in common: by their words or their beginning, whichever says more."""
    words = set(split_words(other))
    wanted = sum(weight.worth for weight in weights.values())
    shared = sum(weight.worth for word, weight in weights.items() if word in words)
    recall = shared / wanted if wanted else 0.0
    precision = len(words & weights.keys()) / len(words) if words else 0.0
    by_words = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
    same = next(
        (place for place, (a, b) in enumerate(zip(slug, other, strict=False)) if a != b), min(len(slug), len(other))
    )
    by_beginning = same / max(len(slug), len(other), 1)
    return round(max(by_words, by_beginning), 3)

"""The pages: every version that was fetched, which id each belongs to, and which one is being parsed."""

import hashlib
import json
import sqlite3
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple

from trialscrape.addresses import drop_referrer
from trialscrape.errors import StoreError
from trialscrape.page import Match, Page
from trialscrape.results import Outcome
from trialscrape.store.database import Database, format_time, parse_time

_PROCESS = uuid.uuid4().hex  # names this process in the store: the system gives its numbers again

_VERSION = """SELECT url, final_url, fetched_at, status, body, etag, last_modified, content_type, version_id,
    checked_at, sha256, length FROM version JOIN page USING (page_id)"""


@dataclass(frozen=True, slots=True)
class PageVersion:
    """A page as it is kept: one version of it.

    Attributes:
        url: The address that was requested; it names the page in the store. `page.url` is the one that answered.
        page: The page.
        status: The HTTP status.
        version_id: Numbers the versions of all pages in the order in which they came.
        checked_at: When the site last said that this is its page, by the clock of that moment.
        sha256: Of the body, in hexadecimal.
    """

    url: str
    page: Page
    status: int
    version_id: int
    checked_at: datetime
    sha256: str


class PageSummary(NamedTuple):
    """What is kept of one address.

    Attributes:
        url: The address.
        studies: The current ids of the studies that it was matched to.
        versions: How many versions of the page are kept.
        fetched_at: When the latest of them was fetched.
        checked_at: When the site last said that it is the page.
    """

    url: str
    studies: tuple[str, ...]
    versions: int
    fetched_at: datetime
    checked_at: datetime


class Added(NamedTuple):
    """Where a page went: its version, and whether the page is `new` to the store, or `changed`, or `unchanged`."""

    version_id: int
    outcome: Outcome


class Pages:
    """The part of a store that keeps pages."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self, url: str, page: Page, *, status: int = HTTPStatus.OK, ids: Iterable[str] = (), historic: bool = False
    ) -> Added:
        """Keep a page that was fetched.

        The same bytes with the same status as the latest version make no new version: its time of check and its
        validators are renewed.

        Args:
            url: The address that was requested, which names the page. Its `comeFrom` is dropped.
            page: What was fetched, with the time.
            status: The HTTP status.
            ids: The ids that it was fetched for.
            historic: It may be older than what is kept, as from an archive. Otherwise it is the latest version, even if
                the clock was put back.
        """
        sha256 = hashlib.sha256(page.body).hexdigest()
        packed = zlib.compress(page.body, 6)
        final_url = drop_referrer(page.url or url)
        with self._db.transaction():
            page_id = self._add_address(drop_referrer(url))
            self._db.execute_many(
                "INSERT OR IGNORE INTO asked (nct_id, page_id) VALUES (?, ?)", [(nct_id, page_id) for nct_id in ids]
            )
            checked_at = fetched_at = format_time(page.fetched_at)
            latest = self._find_latest(page_id)
            if latest and historic and fetched_at < latest["fetched_at"]:
                same = self._db.find_row(
                    "SELECT version_id FROM version WHERE page_id = ? AND sha256 = ? AND status = ?",
                    (page_id, sha256, status),
                )
                if same:
                    return Added(same["version_id"], Outcome.UNCHANGED)
            elif latest and (latest["sha256"], latest["status"]) == (sha256, status):
                checked_at = max(checked_at, latest["checked_at"]) if historic else checked_at
                self._renew(latest["version_id"], checked_at, page.etag, page.last_modified, final_url)
                return Added(latest["version_id"], Outcome.UNCHANGED)
            elif latest:
                fetched_at = max(fetched_at, latest["fetched_at"])
            cursor = self._db.execute(
                """INSERT INTO version (page_id, final_url, fetched_at, checked_at, status, etag, last_modified,
                content_type, sha256, length, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                (
                    *(page_id, final_url, fetched_at, checked_at, status, page.etag, page.last_modified),
                    *(page.content_type, sha256, len(page.body), packed),
                ),
            )
            return Added(cursor.lastrowid or 0, Outcome.CHANGED if latest else Outcome.NEW)

    def touch(
        self, url: str, checked_at: datetime, *, etag: str | None = None, last_modified: str | None = None
    ) -> None:
        """Record that the site said that a page is unchanged (304).

        Args:
            url: The address that was requested.
            checked_at: When.
            etag: The validator that came with the answer; None leaves the old one.
            last_modified: Likewise.

        Raises:
            StoreError: No page of this address is kept.
        """
        with self._db.transaction():
            row = self._db.find_row("SELECT page_id FROM page WHERE url = ?", (url,))
            latest = self._find_latest(row["page_id"]) if row else None
            if latest is None:
                raise StoreError(f"{self._db.path}: expected a page that is kept, found none of {url}: add it first")
            self._renew(latest["version_id"], format_time(checked_at), etag, last_modified, None)

    def latest(self, url: str) -> PageVersion | None:
        """Return the latest version of the page that was requested at an address."""
        return self._find_version("WHERE url = ? ORDER BY fetched_at DESC, version_id DESC LIMIT 1", url)

    def versions(self, url: str) -> Iterator[PageVersion]:
        """Yield all versions of a page, the oldest first."""
        numbers = self._db.fetch_rows(
            "SELECT version_id FROM version JOIN page USING (page_id) WHERE url = ? ORDER BY fetched_at, version_id",
            (url,),
        )
        return (page for (number,) in numbers if (page := self._find_version("WHERE version_id = ?", number)))

    def get_version(self, version_id: int) -> PageVersion | None:
        """Return a version by its number."""
        return self._find_version("WHERE version_id = ?", version_id)

    def find_before(self, version_id: int) -> PageVersion | None:
        """Return the version of the same page that came before one."""
        return self._find_version(
            """WHERE page_id = (SELECT page_id FROM version WHERE version_id = ?1)
            AND (fetched_at, version_id) < (SELECT fetched_at, version_id FROM version WHERE version_id = ?1)
            ORDER BY fetched_at DESC, version_id DESC LIMIT 1""",
            version_id,
        )

    def get_fetch_time(self, version_id: int) -> datetime:
        """Return when a version was fetched; it must be there."""
        return parse_time(
            self._db.fetch_row("SELECT fetched_at FROM version WHERE version_id = ?", (version_id,))["fetched_at"]
        )

    def all_latest(self, *, until: datetime | None = None) -> Iterator[PageVersion]:
        """Yield the latest version of every page, in the order in which their addresses were first kept.

        One page is in memory at a time; pages that are added meanwhile come too.

        Args:
            until: Yield the version that was the latest at this time; pages that came later are left out.
        """
        after = 0
        last = format_time(until) if until else "~"  # behind every time
        condition = "WHERE url = ? AND fetched_at <= ? ORDER BY fetched_at DESC, version_id DESC LIMIT 1"
        query = "SELECT page_id, url FROM page WHERE page_id > ? ORDER BY page_id LIMIT 1"
        while row := self._db.find_row(query, (after,)):
            after = row["page_id"]
            if page := self._find_version(condition, row["url"], last):
                yield page

    def all_versions(self) -> Iterator[PageVersion]:
        """Yield every version of every page, in the order in which they came, one in memory at a time."""
        after = 0
        while page := self._find_version("WHERE version_id > ? ORDER BY version_id LIMIT 1", after):
            after = page.version_id
            yield page

    def summarize(self) -> Iterator[PageSummary]:
        """Yield what is kept of each address, in the order in which they were first kept."""
        after = 0
        query = """SELECT page_id, url, count(*) AS versions, max(fetched_at) AS fetched_at,
            max(checked_at) AS checked_at, (SELECT json_group_array(DISTINCT matched_id) FROM asked
            WHERE asked.page_id = page.page_id AND matched_by IS NOT NULL) AS studies
            FROM page JOIN version USING (page_id) WHERE page_id > ? GROUP BY page_id ORDER BY page_id LIMIT 1000"""
        while rows := self._db.fetch_rows(query, (after,)):
            after = rows[-1]["page_id"]
            for row in rows:
                times = (parse_time(row[name]) for name in ("fetched_at", "checked_at"))
                yield PageSummary(row["url"], tuple(sorted(json.loads(row["studies"]))), row["versions"], *times)

    def prune(self, keep: int) -> int:
        """Remove all but the latest versions of each page, and return how many were removed.

        A version that a match rests on stays: without it, nothing would say whose page it is. So does one that is being
        parsed.

        Args:
            keep: How many versions of each page stay, at least 1.
        """
        if keep < 1:
            raise ValueError(f"expected to keep 1 version or more, found {keep}")
        with self._db.transaction():
            versions = self.list_prunable(keep)
            query = "DELETE FROM version WHERE version_id IN (SELECT value FROM json_each(?))"
            self._db.execute(query, (json.dumps(versions),))
        return len(versions)

    def list_prunable(self, keep: int) -> list[int]:
        """Return the versions that `prune` would remove."""
        rows = self._db.fetch_rows(
            """SELECT version_id FROM (
                SELECT version_id, row_number() OVER (
                    PARTITION BY page_id ORDER BY fetched_at DESC, version_id DESC
                ) AS age FROM version
            ) WHERE age > ?
            AND version_id NOT IN (SELECT version_id FROM asked WHERE version_id IS NOT NULL)
            AND version_id NOT IN (SELECT version_id FROM parsing)""",
            (keep,),
        )
        return [version_id for (version_id,) in rows]

    # Whose page it is

    def set_match(self, nct_id: str, version_id: int, match: Match) -> None:
        """Record that a version of a page is an id's, and how it was matched."""
        with self._db.transaction():
            self._db.execute(
                """INSERT INTO asked (nct_id, page_id, version_id, matched_by, matched_id)
                VALUES (?1, (SELECT page_id FROM version WHERE version_id = ?2), ?2, ?3, ?4)
                ON CONFLICT DO UPDATE SET version_id = excluded.version_id, matched_by = excluded.matched_by,
                matched_id = excluded.matched_id""",
                (nct_id, version_id, *match),
            )

    def find_matched(self, nct_id: str, *, under: str) -> tuple[PageVersion, Match] | None:
        """Return the page version that was matched to an id, and how; of several, the one that was checked last.

        A page with a later version has changed since, and must be matched again.

        Args:
            nct_id: The id.
            under: What the page's address must begin with, such as `https://ctv.veeva.com/study/`: another site's page
                does not count.
        """
        row = self._db.find_row(
            """SELECT version_id, matched_by, matched_id
            FROM asked JOIN version USING (version_id, page_id) JOIN page USING (page_id)
            WHERE nct_id = ? AND matched_by IS NOT NULL AND substr(url, 1, length(?)) = ?
            ORDER BY checked_at DESC, version_id DESC LIMIT 1""",
            (nct_id, under, under),
        )
        version = self._find_version("WHERE version_id = ?", row["version_id"]) if row else None
        return (version, Match(row["matched_by"], row["matched_id"])) if row and version else None

    def has_match(self, nct_id: str) -> bool:
        """Tell whether a page was matched to an id."""
        query = "SELECT 1 FROM asked WHERE nct_id = ? AND matched_by IS NOT NULL"
        return self._db.find_row(query, (nct_id,)) is not None

    def find_match(self, version_id: int) -> Match | None:
        """Return the match of a page's version; None where it has none, or was matched to several studies."""
        query = "SELECT matched_by, matched_id FROM asked WHERE version_id = ? ORDER BY nct_id"
        rows = self._db.fetch_rows(query, (version_id,))
        return Match(*rows[0]) if len({row["matched_id"] for row in rows}) == 1 else None

    def find_study(self, url: str) -> str | None:
        """Return the current id of the study that the page of an address was matched to; the latest match counts."""
        row = self._db.find_row(
            """SELECT matched_id FROM asked JOIN page USING (page_id)
            WHERE url = ? AND matched_by IS NOT NULL ORDER BY version_id DESC LIMIT 1""",
            (url,),
        )
        return row["matched_id"] if row else None

    def find_addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of the pages of a study, the one that was checked last first.

        Args:
            name: An NCT id that pages were matched to, current or old, or an address, or a slug as it was requested.
        """
        rows = self._db.fetch_rows(
            """SELECT url FROM page JOIN version USING (page_id) WHERE url = ?1 OR page_id IN (
                SELECT page_id FROM asked WHERE nct_id = ?1 AND (matched_by IS NOT NULL OR nct_id NOT LIKE 'NCT%')
                UNION SELECT page_id FROM asked WHERE matched_id = ?1 AND matched_by IS NOT NULL
            ) GROUP BY page_id ORDER BY max(checked_at) DESC, max(version_id) DESC""",
            (name,),
        )
        return tuple(url for (url,) in rows)

    def list_ids(self, url: str) -> tuple[str, ...]:
        """Return the ids that an address was fetched for."""
        query = "SELECT nct_id FROM asked JOIN page USING (page_id) WHERE url = ? ORDER BY nct_id"
        return tuple(nct_id for (nct_id,) in self._db.fetch_rows(query, (url,)))

    # Pages that end the process

    def begin_parsing(self, version_id: int) -> None:
        """Record that a page is being parsed, so that the next run knows it if this process dies meanwhile."""
        with self._db.transaction(synced=False):
            self._db.execute("INSERT OR IGNORE INTO parsing VALUES (?, ?)", (version_id, _PROCESS))

    def end_parsing(self, version_id: int) -> None:
        """Record that a page was parsed, whatever came of it, and forget that a process died of it before."""
        with self._db.transaction(synced=False):
            self._db.execute("DELETE FROM parsing WHERE version_id = ?", (version_id,))

    def died_parsing(self, version_id: int) -> bool:
        """Tell whether a process that has ended was parsing a page when it died."""
        query = "SELECT 1 FROM parsing WHERE version_id = ? AND process != ?"
        return self._db.find_row(query, (version_id, _PROCESS)) is not None

    # Rows

    def _find_version(self, condition: str, *values: object) -> PageVersion | None:
        row = self._db.find_row(f"{_VERSION} {condition}", values)
        return self._unpack(row) if row else None

    def _unpack(self, row: sqlite3.Row) -> PageVersion:
        """Unpack a page version, and check that it is what was kept."""
        try:
            body = zlib.decompressobj().decompress(row["body"], row["length"] + 1)
        except zlib.error:
            body = b""
        if hashlib.sha256(body).hexdigest() != row["sha256"]:
            raise StoreError(
                f"{self._db.path}: the body of {row['url']} kept at {row['fetched_at']} is not what was written:"
                " the file is damaged; keep a copy, and start with a new store"
            )
        return PageVersion(
            url=row["url"],
            page=Page(
                body,
                content_type=row["content_type"],
                url=row["final_url"],
                fetched_at=parse_time(row["fetched_at"]),
                etag=row["etag"],
                last_modified=row["last_modified"],
            ),
            status=row["status"],
            version_id=row["version_id"],
            checked_at=parse_time(row["checked_at"]),
            sha256=row["sha256"],
        )

    def _add_address(self, url: str) -> int:
        self._db.execute("INSERT OR IGNORE INTO page (url) VALUES (?)", (url,))
        return int(self._db.fetch_row("SELECT page_id FROM page WHERE url = ?", (url,))["page_id"])

    def _find_latest(self, page_id: int) -> sqlite3.Row | None:
        return self._db.find_row(
            """SELECT version_id, fetched_at, checked_at, sha256, status FROM version
            WHERE page_id = ? ORDER BY fetched_at DESC, version_id DESC LIMIT 1""",
            (page_id,),
        )

    def _renew(
        self, version_id: int, checked_at: str, etag: str | None, last_modified: str | None, final_url: str | None
    ) -> None:
        self._db.execute(
            """UPDATE version SET checked_at = ?, etag = coalesce(?, etag),
            last_modified = coalesce(?, last_modified), final_url = coalesce(?, final_url) WHERE version_id = ?""",
            (checked_at, etag, last_modified, final_url, version_id),
        )

"""The sync of the slug index with the site's sitemap."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from itertools import count as count_from
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from trialscrape.fetching.responses import Response, Validators
from trialscrape.scraping.sitemap import Entry, SitemapFault, parse_sitemap
from trialscrape.slugs import extract_slug
from trialscrape.store.slug_index import SlugIndex, Sync
from trialscrape.wording import write_count

_log = logging.getLogger(__name__)

MAX_FILES = 10_000
"""Files read of one sitemap."""
MAX_DEPTH = 3
"""Indexes above a file; the sitemap protocol allows one."""
RESUME_WITHIN = timedelta(days=1)
"""Resume an interrupted sync only within this time."""

Get = Callable[[str, Validators | None], Response]
"""Fetches an address, with the validators of the kept copy."""


class FileFault(NamedTuple):
    """A fault, and the file that it is in."""

    url: str
    message: str
    line: int | None = None


@dataclass
class SyncReport:
    """What a sync did.

    Attributes:
        read: Files with slugs that were fetched and indexed.
        unchanged: Files that have not changed, as the site said.
        resumed: Files that the same sync finished before it was interrupted.
        added: Slugs new to the index.
        removed: Slugs that no file lists any more.
        other: Addresses that are no study page.
        slugs: Size of the index now.
        faults: Each file that could not be read to its end, and why; what it listed before is kept.
    """

    read: int = 0
    unchanged: int = 0
    resumed: int = 0
    added: int = 0
    removed: int = 0
    other: int = 0
    slugs: int = 0
    faults: list[FileFault] = field(default_factory=list)


def sync_index(  # noqa: PLR0913  # two are what to do, the rest has defaults or is the clock
    slugs: SlugIndex,
    url: str,
    get: Get,
    *,
    now: Callable[[], datetime],
    study_path: str = "/study/",
    progress: Callable[[int, int], None] = lambda done, known: None,  # noqa: ARG005  # the names tell what is passed
) -> SyncReport:
    """Bring the slug index up to date with the site's sitemap.

    A file is one transaction: the same call resumes a sync that was killed, and does not fetch again the files that it
    finished. Only files on the sitemap's own host are fetched. When all of it was read without a fault, files that the
    sitemap named before and no longer names are dropped from the index.

    Args:
        slugs: The index.
        url: The sitemap, or its index.
        get: Fetches a file, politely and bounded.
        now: The clock, read for each file.
        study_path: What the path of a study page begins with; the slug follows.
        progress: Called after each file with the number of files done and known so far.
    """
    started = now()
    begun = slugs.begin_sync(url, started, not_before=started - RESUME_WITHIN)
    if begun.done:
        _log.info("the sync of %s resumes behind %s", url, write_count(len(begun.done), "file"))
    sync = SitemapSync(slugs, get, now, study_path, begun)
    waiting = deque([(url, 0)])
    seen = {url}
    for count in count_from(1):
        file, depth = waiting.popleft()
        further = sync.read_file(file) if count <= MAX_FILES else sync.refuse(file, f"at most {MAX_FILES} files")
        new = [named for named in further if named not in seen]
        seen.update(new)
        waiting.extend((named, depth + 1) for named in new if sync.accepts(named, url, depth + 1))
        progress(count, count + len(waiting))
        if not waiting:
            break
    report = sync.report
    if not report.faults:
        report.removed += slugs.drop_shards(begun, keep=sync.files)
    slugs.end_sync(begun, now())
    report.slugs = slugs.status().slugs
    return report


@dataclass
class SitemapSync:
    """One sync of a sitemap, the files whose slugs are in the index, and what it has done so far."""

    slugs: SlugIndex
    get: Get
    now: Callable[[], datetime]
    study_path: str
    begun: Sync
    files: set[str] = field(default_factory=set)
    report: SyncReport = field(default_factory=SyncReport)

    def accepts(self, url: str, root: str, depth: int) -> bool:
        """Tell whether a file may be fetched, and record why not."""
        scheme, host = _host(root)
        if _host(url) != (scheme, host):
            self.refuse(url, f"a file at {scheme}://{host}", "another place")
        elif depth > MAX_DEPTH:
            self.refuse(url, f"at most {MAX_DEPTH} indexes above it")
        else:
            return True
        return False

    def refuse(self, url: str, expected: str, found: str = "more") -> tuple[str, ...]:
        """Record why a file is not fetched; it names no further files."""
        self._fail(url, SitemapFault(f"expected {expected}, found {found}: it was not fetched"))
        return ()

    def read_file(self, url: str) -> tuple[str, ...]:
        """Read one file; return the further files that it names."""
        known = self.slugs.find_shard(url)
        if url in self.begun.done:
            self.report.resumed += 1
            self.files.add(url)
            return ()
        response = self.get(url, Validators(known.etag, known.last_modified) if known else None)
        if response.result == "not_modified" and known:
            self.slugs.touch_shard(url, self.now(), sync=self.begun)
            self.report.unchanged += 1
            self.files.add(url)
            return ()
        if response.result != "ok":
            self._fail(url, SitemapFault(f"{response.result}: {response.message}"))
            return ()
        entries = parse_sitemap(response.body)
        first = next(entries, SitemapFault("expected addresses, found none"))
        if isinstance(first, SitemapFault):
            self._fail(url, first)
        elif first.kind == "sitemap":
            return self._read_index(url, chain((first,), entries))
        else:
            self._read_slugs(url, response, chain((first,), entries))
        return ()

    def _read_index(self, url: str, entries: Iterable[Entry | SitemapFault]) -> tuple[str, ...]:
        further: dict[str, None] = {}
        for entry in entries:
            if isinstance(entry, SitemapFault):
                self._fail(url, entry)
            elif entry.kind == "page":
                self.report.other += 1
            else:
                further[_join(url, entry.url)] = None
        return tuple(further)

    def _read_slugs(self, url: str, response: Response, entries: Iterable[Entry | SitemapFault]) -> None:
        before = len(self.report.faults)
        change = self.slugs.replace_shard(
            url,
            self._extract_slugs(url, entries),
            self.now(),
            etag=response.etag,
            last_modified=response.last_modified,
            sync=self.begun,
            is_whole=lambda: len(self.report.faults) == before,
        )
        self.files.add(url)
        self.report.added += change.added
        self.report.removed += change.removed
        self.report.read += len(self.report.faults) == before

    def _extract_slugs(self, url: str, entries: Iterable[Entry | SitemapFault]) -> Iterator[str]:
        for entry in entries:
            if isinstance(entry, SitemapFault):
                self._fail(url, entry)
            elif slug := extract_slug(entry.url, self.study_path):
                yield slug
            else:
                self.report.other += 1

    def _fail(self, url: str, fault: SitemapFault) -> None:
        self.report.faults.append(FileFault(url, fault.message, fault.line))


def _join(base: str, url: str) -> str:
    """Make a relative address absolute; text that is no address stays as it is, and its host is refused."""
    try:
        return urljoin(base, url)
    except ValueError:
        return url


def _host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc

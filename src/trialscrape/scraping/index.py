"""The sync of the slug index with the site's sitemap."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from itertools import count as count_from
from urllib.parse import urljoin, urlsplit

from trialscrape.fetching.fetcher import Fetched, Validators
from trialscrape.scraping.sitemap import Entry, Fault, parse_sitemap
from trialscrape.slugs import extract_slug
from trialscrape.store.slug_index import SlugIndex, Sync

MAX_FILES = 10_000
"""Files read of one sitemap."""
MAX_DEPTH = 3
"""Indexes above a file; the sitemap protocol allows one."""
RESUME_WITHIN = timedelta(days=1)
"""Resume an interrupted sync only within this time."""

Get = Callable[[str, Validators | None], Fetched]
"""Fetches an address, with the validators of the kept copy."""


@dataclass(frozen=True, slots=True)
class FileFault:
    """A fault and the file that it is in."""

    url: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did.

    Attributes:
        read: Files with slugs that were fetched and indexed.
        unchanged: Files that have not changed, as the site said.
        resumed: Files that the same sync finished before it was interrupted.
        failed: Files that could not be read to their end; what they listed before is kept.
        added: Slugs new to the index.
        removed: Slugs that no file lists any more.
        other: Addresses that are no study page.
        slugs: Size of the index now.
        faults: What was wrong.

    """

    read: int
    unchanged: int
    resumed: int
    failed: int
    added: int
    removed: int
    other: int
    slugs: int
    faults: tuple[FileFault, ...]


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
    sync = SitemapSync(slugs, get, now, study_path, begun)
    waiting = deque([(url, 0)])
    seen = {url}
    for count in count_from(1):
        file, depth = waiting.popleft()
        further = sync.read_file(file) if count <= MAX_FILES else sync.refuse_file(file)
        new = [named for named in further if named not in seen]
        seen.update(new)
        waiting.extend((named, depth + 1) for named in new if sync.accepts(named, url, depth + 1))
        progress(count, count + len(waiting))
        if not waiting:
            break
    if not sync.faults:
        sync.removed += slugs.drop_shards(begun, keep=sync.files)
    slugs.end_sync(begun, now())
    return sync.report()


@dataclass
class SitemapSync:
    """One sync of a sitemap, and what it has counted so far."""

    slugs: SlugIndex
    get: Get
    now: Callable[[], datetime]
    study_path: str
    sync: Sync
    files: set[str] = field(default_factory=set)
    faults: list[FileFault] = field(default_factory=list)
    read: int = 0
    unchanged: int = 0
    resumed: int = 0
    failed: int = 0
    added: int = 0
    removed: int = 0
    other: int = 0

    def accepts(self, url: str, root: str, depth: int) -> bool:
        """Tell whether a file may be fetched, and record why not."""
        if _host(url) != _host(root):
            scheme, host = _host(root)
            self._fail(url, Fault(f"expected a file at {scheme}://{host}, found another place: it was not fetched"))
        elif depth > MAX_DEPTH:
            self._fail(url, Fault(f"expected at most {MAX_DEPTH} indexes above it, found more: it was not fetched"))
        else:
            return True
        return False

    def refuse_file(self, url: str) -> tuple[str, ...]:
        """Record that there are too many files."""
        self._fail(url, Fault(f"expected at most {MAX_FILES} files, found more: it was not fetched"))
        return ()

    def read_file(self, url: str) -> tuple[str, ...]:
        """Read one file; return the further files that it names."""
        known = self.slugs.find_shard(url)
        if url in self.sync.done:
            self.resumed += 1
            self.files.add(url)
            return ()
        response = self.get(url, Validators(known.etag, known.last_modified) if known else None)
        if response.result == "not_modified" and known:
            self.slugs.touch_shard(url, self.now(), sync=self.sync)
            self.unchanged += 1
            self.files.add(url)
        elif response.result == "ok":
            return self._read_body(url, response)
        else:
            self._fail(url, Fault(f"{response.result}: {response.message}"))
        return ()

    def _read_body(self, url: str, response: Fetched) -> tuple[str, ...]:
        entries = parse_sitemap(response.body)
        first = next(entries, Fault("expected addresses, found none"))
        if isinstance(first, Fault):
            self._fail(url, first)
            return ()
        if first.kind == "sitemap":
            return self._read_index(url, chain((first,), entries))
        self._read_slugs(url, response, chain((first,), entries))
        return ()

    def _read_index(self, url: str, entries: Iterable[Entry | Fault]) -> tuple[str, ...]:
        further: dict[str, None] = {}
        for entry in entries:
            if isinstance(entry, Fault):
                self._fail(url, entry)
            elif entry.kind == "page":
                self.other += 1
            else:
                further[_join(url, entry.url)] = None
        return tuple(further)

    def _read_slugs(self, url: str, response: Fetched, entries: Iterable[Entry | Fault]) -> None:
        faults: list[Fault] = []
        change = self.slugs.replace_shard(
            url,
            self._slugs(entries, faults),
            self.now(),
            etag=response.etag,
            last_modified=response.last_modified,
            sync=self.sync,
            is_whole=lambda: not faults,
        )
        self.files.add(url)
        self.added += change.added
        self.removed += change.removed
        for fault in faults:
            self._fail(url, fault)
        self.read += not faults

    def _slugs(self, entries: Iterable[Entry | Fault], faults: list[Fault]) -> Iterator[str]:
        for entry in entries:
            if isinstance(entry, Fault):
                faults.append(entry)
            elif slug := extract_slug(entry.url, self.study_path):
                yield slug
            else:
                self.other += 1

    def _fail(self, url: str, fault: Fault) -> None:
        self.failed += 1
        self.faults.append(FileFault(url, fault.message, fault.line))

    def report(self) -> SyncReport:
        """Return the counts."""
        return SyncReport(
            read=self.read,
            unchanged=self.unchanged,
            resumed=self.resumed,
            failed=self.failed,
            added=self.added,
            removed=self.removed,
            other=self.other,
            slugs=self.slugs.status().slugs,
            faults=tuple(self.faults),
        )


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

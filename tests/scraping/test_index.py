"""The sync of the slug index, with answers from memory."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.sitemaps import LAUGHS, SITE, index, urlset
from trialscrape.fetching.responses import Response, Result, Validators
from trialscrape.scraping import index as index_module
from trialscrape.scraping.index import FileFault, sync_index
from trialscrape.store.slug_index import SlugIndex
from trialscrape.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
INDEX = f"{SITE}/sitemap.xml"


def answer(name: str, body: bytes) -> Response:
    url = f"{SITE}/{name}"
    return Response(Result.OK, url, url, 200, etag=f'"{hash(body)}"', last_modified="date", body=body, attempts=1)


class Site:
    """Answers for the files of a sitemap, and keeps the requests."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = {f"{SITE}/{name}": answer(name, body) for name, body in files.items()}
        self.requests: list[str] = []

    def get(self, url: str, validators: Validators | None) -> Response:
        """Answer as a fetcher would."""
        self.requests.append(url.removeprefix(f"{SITE}/"))
        answer = self.files.get(url, Response(Result.HTTP_STATUS, url, url, 404, message="found HTTP 404"))
        if validators == Validators(answer.etag, answer.last_modified):
            return replace(answer, result=Result.NOT_MODIFIED, status=304, body=b"")
        return answer

    def put(self, name: str, body: bytes) -> None:
        """Change a file."""
        self.files[f"{SITE}/{name}"] = answer(name, body)


@pytest.fixture
def slugs(tmp_path: Path) -> Iterator[SlugIndex]:
    with Store.open(tmp_path / "trialscrape.db") as store:
        yield store.slugs


@pytest.fixture
def site() -> Site:
    return Site(
        {
            "sitemap.xml": index(f"{SITE}/1.xml", f"{SITE}/2.xml.gz", "/3.xml"),
            "1.xml": urlset("one", "two"),
            "2.xml.gz": gzip.compress(urlset("three")),
            "3.xml": urlset("four", more=f"<url><loc>{SITE}/about</loc></url>"),
        }
    )


def clock(start: datetime = NOON) -> Callable[[], datetime]:
    times = iter(start + timedelta(seconds=second) for second in range(10_000))
    return lambda: next(times)


def test_a_first_sync(slugs: SlugIndex, site: Site) -> None:
    done: list[tuple[int, int]] = []
    report = sync_index(slugs, INDEX, site.get, now=clock(), progress=lambda count, known: done.append((count, known)))
    assert (report.read, report.unchanged, report.resumed, len(report.faults)) == (3, 0, 0, 0)
    assert (report.added, report.removed, report.other, report.slugs, report.faults) == (4, 0, 1, 4, [])
    assert all(slugs.has(slug) for slug in ("one", "two", "three", "four"))
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert slugs.status().unfinished_since is None


def test_a_second_sync_is_conditional(slugs: SlugIndex, site: Site) -> None:
    sync_index(slugs, INDEX, site.get, now=clock())
    site.put("1.xml", urlset("one", "five"))
    report = sync_index(slugs, INDEX, site.get, now=clock(NOON + timedelta(days=1)))
    assert (report.read, report.unchanged, report.added, report.removed, report.slugs) == (1, 2, 1, 1, 4)
    status = slugs.status()
    assert status.oldest_sync is not None
    assert status.oldest_sync > NOON + timedelta(days=1)


def test_a_sitemap_without_an_index(slugs: SlugIndex) -> None:
    site = Site({"sitemap.xml": urlset("one")})
    assert sync_index(slugs, INDEX, site.get, now=clock()).slugs == 1
    assert sync_index(slugs, INDEX, site.get, now=clock()).unchanged == 1


def test_an_interrupted_sync_is_resumed(slugs: SlugIndex, site: Site) -> None:
    def get(url: str, validators: Validators | None) -> Response:
        if url.endswith("/3.xml"):
            raise KeyboardInterrupt
        return site.get(url, validators)

    with pytest.raises(KeyboardInterrupt):
        sync_index(slugs, INDEX, get, now=clock())
    assert slugs.status().unfinished_since == NOON
    site.requests.clear()
    report = sync_index(slugs, INDEX, site.get, now=clock(NOON + timedelta(hours=1)))
    assert site.requests == ["sitemap.xml", "3.xml"]
    assert (report.read, report.resumed, report.added, report.slugs) == (1, 2, 1, 4)


def test_an_interrupted_sync_of_long_ago_starts_from_the_beginning(slugs: SlugIndex, site: Site) -> None:
    slugs.replace_shard(f"{SITE}/1.xml", ["old"], NOON, sync=slugs.begin_sync(INDEX, NOON, not_before=NOON))
    report = sync_index(slugs, INDEX, site.get, now=clock(NOON + timedelta(days=2)))
    assert (report.resumed, report.read) == (0, 3)


def test_a_missing_file_is_reported_and_what_it_listed_is_kept(slugs: SlugIndex, site: Site) -> None:
    sync_index(slugs, INDEX, site.get, now=clock())
    del site.files[f"{SITE}/2.xml.gz"]
    site.put("1.xml", urlset("one", "five"))
    report = sync_index(slugs, INDEX, site.get, now=clock())
    assert report.faults == [FileFault(f"{SITE}/2.xml.gz", "http_status: found HTTP 404")]
    assert (report.read, report.unchanged, len(report.faults), report.slugs) == (1, 1, 1, 4)
    assert slugs.has("three")


def test_of_a_damaged_file_the_readable_part_is_added_and_nothing_removed(slugs: SlugIndex, site: Site) -> None:
    sync_index(slugs, INDEX, site.get, now=clock())
    site.put("1.xml", urlset("five", "six")[:-60])
    report = sync_index(slugs, INDEX, site.get, now=clock())
    assert (report.read, len(report.faults), report.added, report.removed) == (0, 1, 1, 0)
    (fault,) = report.faults
    assert (fault.url, fault.line) == (f"{SITE}/1.xml", 4)
    assert all(slugs.has(slug) for slug in ("one", "two", "five"))
    site.put("1.xml", urlset("five", "six"))
    assert sync_index(slugs, INDEX, site.get, now=clock()).removed == 2


@pytest.mark.parametrize("body", [b"", b"<html/>", urlset(), LAUGHS])
def test_what_a_file_listed_is_kept_where_it_has_no_addresses(slugs: SlugIndex, site: Site, body: bytes) -> None:
    sync_index(slugs, INDEX, site.get, now=clock())
    site.put("1.xml", body)
    report = sync_index(slugs, INDEX, site.get, now=clock())
    assert (len(report.faults), report.slugs) == (1, 4)


def test_a_file_that_the_sitemap_no_longer_names_is_dropped(slugs: SlugIndex, site: Site) -> None:
    sync_index(slugs, INDEX, site.get, now=clock())
    site.put("sitemap.xml", index(f"{SITE}/1.xml", f"{SITE}/new.xml"))
    site.put("new.xml", urlset("three"))
    report = sync_index(slugs, INDEX, site.get, now=clock())
    assert (report.removed, report.slugs) == (1, 3)
    assert slugs.has("three")
    assert not slugs.has("four")


def test_two_sitemaps_of_a_site_or_of_two_are_kept_side_by_side(slugs: SlugIndex, site: Site) -> None:
    site.put("more.xml", urlset("five"))
    other = "https://other.example/sitemap.xml"
    site.files[other] = replace(answer("x", urlset("six")), url=other)
    for url in (INDEX, f"{SITE}/more.xml", other, INDEX):
        report = sync_index(slugs, url, site.get, now=clock())
        assert (report.removed, report.faults) == (0, [])
    assert all(slugs.has(slug) for slug in ("one", "four", "five"))
    assert report.unchanged == 3


def test_nothing_is_dropped_after_a_fault(slugs: SlugIndex, site: Site) -> None:
    sync_index(slugs, INDEX, site.get, now=clock())
    site.put("sitemap.xml", index(f"{SITE}/1.xml", f"{SITE}/2.xml.gz")[:-20])
    assert sync_index(slugs, INDEX, site.get, now=clock()).slugs == 4
    del site.files[INDEX]
    assert sync_index(slugs, INDEX, site.get, now=clock()).slugs == 4


def test_files_elsewhere_are_not_fetched(slugs: SlugIndex) -> None:
    elsewhere = [
        "https://other.example/1.xml",
        "file:///etc/hostname",
        "http://ctv.example/1.xml",
        "https://[bad/1.xml",
    ]
    site = Site({"sitemap.xml": index(*elsewhere, f"{SITE}/1.xml"), "1.xml": urlset("one")})
    report = sync_index(slugs, INDEX, site.get, now=clock())
    assert site.requests == ["sitemap.xml", "1.xml"]
    assert (len(report.faults), report.slugs) == (4, 1)
    assert report.faults[0].message == (
        "expected a file at https://ctv.example, found another place: it was not fetched"
    )


def test_an_index_that_names_itself_or_goes_too_deep_ends(slugs: SlugIndex) -> None:
    deep = {f"{n}.xml": index(f"{SITE}/{n + 1}.xml", INDEX, f"{SITE}/{n}.xml") for n in range(10)}
    site = Site({"sitemap.xml": index(INDEX, f"{SITE}/0.xml"), **deep})
    report = sync_index(slugs, INDEX, site.get, now=clock())
    assert site.requests == ["sitemap.xml", "0.xml", "1.xml", "2.xml"]
    assert [fault.message for fault in report.faults] == [
        "expected at most 3 indexes above it, found more: it was not fetched"
    ]


def test_too_many_files_are_reported(slugs: SlugIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "MAX_FILES", 3)
    files = {f"{n}.xml": urlset(f"slug-{n}") for n in range(5)}
    site = Site({"sitemap.xml": index(*(f"{SITE}/{name}" for name in files)), **files})
    report = sync_index(slugs, INDEX, site.get, now=clock())
    assert (report.read, len(report.faults), len(site.requests)) == (2, 3, 3)

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialscrape.fetching.responses import Response, Result, Validators
from trialscrape.scraping import sitemap as sitemap_module
from trialscrape.scraping.sitemap import Entry, Fault, FileFault, parse_sitemap, slug_of, sync
from trialscrape.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
SITE = "https://ctv.example"
INDEX = f"{SITE}/sitemap.xml"


def urlset(*slugs: str, more: str = "") -> bytes:
    urls = "\n".join(f"<url><loc>{SITE}/study/{slug}</loc><lastmod>2026-01-01</lastmod></url>" for slug in slugs)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{NAMESPACE}">\n{urls}\n{more}</urlset>\n'.encode()


def index(*files: str) -> bytes:
    entries = "".join(f"<sitemap><loc>{file}</loc></sitemap>" for file in files)
    return f'<sitemapindex xmlns="{NAMESPACE}">{entries}</sitemapindex>'.encode()


def pages(*slugs: str) -> list[Entry | Fault]:
    return [Entry("page", f"{SITE}/study/{slug}") for slug in slugs]


# One file


def test_urlset() -> None:
    assert list(parse_sitemap(urlset("one", "two"))) == pages("one", "two")


def test_index() -> None:
    assert list(parse_sitemap(index(f"{SITE}/1.xml"))) == [Entry("sitemap", f"{SITE}/1.xml")]


@pytest.mark.parametrize(
    "source",
    [
        [bytes([byte]) for byte in urlset("one", "two")],
        [b"", urlset("one", "two"), b""],
        gzip.compress(urlset("one", "two")),
        gzip.compress(urlset("one", "two")[:100]) + gzip.compress(urlset("one", "two")[100:]) + bytes(100),
        gzip.compress(urlset("one", "two")) + bytes(10_000),
        [bytes([byte]) for byte in gzip.compress(urlset("one", "two"))],
        b"\xef\xbb\xbf" + urlset("one", "two"),
        urlset("one", "two").decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        urlset("one", "two").replace(f' xmlns="{NAMESPACE}"'.encode(), b""),
        urlset("one", "two").replace(b"<loc>", b"<loc>\n  ").replace(b"</loc>", b"\n</loc>"),
        urlset("one", "two").replace(b"<url>", b"<!-- a comment --><?a pi?><url><priority>1</priority>"),
        urlset("one", "two").replace(b"<loc>", b"<loc><![CDATA[").replace(b"</loc>", b"]]></loc>"),
    ],
    ids=[
        "bytes",
        "pieces",
        "gzip",
        "members",
        "padding",
        "gzip bytes",
        "bom",
        "utf-16",
        "bare",
        "blanks",
        "others",
        "cdata",
    ],
)
def test_forms_of_the_same_file(source: bytes | list[bytes]) -> None:
    assert list(parse_sitemap(source)) == pages("one", "two")


def test_escapes() -> None:
    assert list(parse_sitemap(urlset("a?b=1&amp;c=&#50;"))) == pages("a?b=1&c=2")


def test_the_address_of_an_image_is_none_of_a_page() -> None:
    image = '<i:image xmlns:i="http://www.google.com/schemas/sitemap-image/1.1"><i:loc>https://x.example/i.png</i:loc></i:image>'
    more = f"<url>{image}</url><url>{image}<loc>{SITE}/study/two</loc>{image}</url>"
    assert list(parse_sitemap(urlset("one", more=more))) == pages("one", "two")


FAULTS: list[tuple[str, bytes, list[Entry | Fault], str]] = [
    ("empty", b"", [], "expected well-formed XML, found: no element found"),
    ("text", b"Service unavailable", [], "expected well-formed XML, found: Start tag expected, '<' not found"),
    ("web page", b"<html><body>Just a moment</body></html>", [], "expected <urlset> or <sitemapindex>, found <html>"),
    ("cut off", urlset("one", "two")[:-40], pages("one"), "expected well-formed XML, found: "),
    (
        "bad tag",
        urlset("one", more="<url></oops>"),
        pages("one"),
        "expected well-formed XML, found: Opening and ending",
    ),
    ("bad byte", urlset("one", more="<url>\x01"), pages("one"), "expected well-formed XML, found: PCDATA invalid Char"),
    ("unknown entity", urlset("one", more="<url><loc>&no;</loc></url>"), pages("one"), "expected well-formed XML"),
    (
        "cut gzip",
        gzip.compress(urlset("one"))[:-9],
        pages("one"),
        "expected the end of the gzip data, found it cut off",
    ),
    ("bad gzip", gzip.compress(urlset("one"))[:-8] + b"12345678", [], "Error -3 while decompressing data"),
]


@pytest.mark.parametrize(("source", "before", "message"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_what_stands_before_a_fault_is_read(source: bytes, before: list[Entry | Fault], message: str) -> None:
    *entries, fault = parse_sitemap(source)
    assert entries == before
    assert isinstance(fault, Fault)
    assert fault.message.startswith(message)
    assert fault.message.endswith(": the rest was not read")


def test_broken_gzip_costs_little_of_what_stands_before() -> None:
    source = gzip.compress(urlset(*(f"slug-{number * number}" for number in range(5000))))
    *entries, fault = parse_sitemap(source[:-8] + b"12345678")
    assert len(entries) > 4500
    assert isinstance(fault, Fault)
    assert "incorrect data check" in fault.message


def test_a_fault_has_its_line() -> None:
    fault = list(parse_sitemap(urlset("one", "two", more="<url></oops>")))[-1]
    assert isinstance(fault, Fault)
    assert fault.line == 5


def test_limits() -> None:
    source = urlset(*(f"slug-{number}" for number in range(2000)))
    *entries, fault = parse_sitemap(source, max_entries=10)
    assert len(entries) == 10
    assert fault == Fault("expected at most 10 entries, found more: the rest was not read")
    *entries, fault = parse_sitemap(gzip.compress(source), max_bytes=100_000)
    assert 0 < len(entries) < 2000
    assert fault == Fault("expected at most 100000 bytes, found more: the rest was not read")
    assert len(list(parse_sitemap(source, max_entries=2000, max_bytes=len(source)))) == 2000


def laughs(levels: int) -> str:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, levels))
    return f'<!DOCTYPE urlset [<!ENTITY e0 "lol">{entities}]>'


DECLARED = "expected a sitemap, found one with a document type declaration: the rest was not read"
BOMBS = {
    "laughs in a loc": f"{laughs(12)}<urlset><url><loc>{SITE}/study/&e11;</loc></url></urlset>",
    "laughs in an attribute": f'{laughs(12)}<urlset a="&e11;"><url><loc>{SITE}/study/x</loc></url></urlset>',
    "a file in a loc": '<!DOCTYPE u [<!ENTITY f SYSTEM "file:///etc/hostname">]><urlset><url><loc>&f;</loc></url></urlset>',
    "a file as parameters": '<!DOCTYPE u [<!ENTITY % f SYSTEM "file:///etc/hostname"> %f;]><urlset><url/></urlset>',
    "a document type elsewhere": '<!DOCTYPE u SYSTEM "http://127.0.0.1:9/u.dtd"><urlset><url><loc>x</loc></url></urlset>',
    "no more than a name": "<!DOCTYPE urlset><urlset><url><loc>x</loc></url></urlset>",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_entities_and_document_types_are_refused(bomb: str) -> None:
    (fault,) = parse_sitemap(bomb.encode())
    assert isinstance(fault, Fault)
    assert fault.message == DECLARED or "Maximum entity amplification factor exceeded" in fault.message


@given(st.binary(max_size=300))
def test_any_bytes_give_entries_and_at_most_one_fault(source: bytes) -> None:
    found = list(parse_sitemap(source))
    assert all(isinstance(entry, Entry) for entry in found[:-1])


@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_damaged_file_never_raises(place: int, damage: bytes) -> None:
    source = urlset("one", "two", "three")
    found = list(parse_sitemap(source[:place] + damage + source[place:]))
    assert all(isinstance(entry, Entry) for entry in found[:-1])


MEMORY = """
import resource, sys, zlib
from trialscrape.scraping.sitemap import Entry, parse_sitemap
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def pieces(kind):
    pack = zlib.compressobj(wbits=31)
    yield pack.compress(b"<urlset>")
    for number in range(2000):
        if kind == "urls":
            piece = b"".join(b"<url><loc>https://ctv.example/study/%d-%d</loc></url>" % (number, n) for n in range(100))
        elif kind == "unknown":
            piece = b"<x><y>text</y></x>" * 200
        elif kind == "one url":
            piece = (b"<url>" if not number else b"") + b"<z>text</z>" * 400
        else:
            piece = b" " * 10_000
        yield pack.compress(piece)
    yield pack.flush()
print(sum(isinstance(entry, Entry) for entry in parse_sitemap(pieces(sys.argv[1]))))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the peak of memory is read as POSIX tells it")
@pytest.mark.parametrize("kind", ["urls", "unknown", "one url", "blanks"])
def test_memory_does_not_grow_with_the_file(kind: str) -> None:
    command = [sys.executable, "-c", MEMORY, kind]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    entries, grown = map(int, found)
    assert entries == (200_000 if kind == "urls" else 0)
    assert grown < 30


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        (f"{SITE}/study/knee-pain", "knee-pain"),
        (f"{SITE}/study/knee-pain/", "knee-pain"),
        (f"{SITE}/study/knee-pain?x=/study/y#z", "knee-pain"),
        (f"{SITE}/study/knee-pain?comeFrom=%7B%22type%22%3A%22site%22%7D", "knee-pain"),
        (f"{SITE}/study/", None),
        (f"{SITE}/study/a/b", None),
        (f"{SITE}/studies/a", None),
        (f"{SITE}/about", None),
        (f"{SITE}?/study/a", None),
        (f"{SITE}/study/" + "a" * 301, None),
        (f"{SITE}/study/a\x00b", None),
        ("not an address", None),
        ("", None),
    ],
)
def test_slug_of_an_address(url: str, slug: str | None) -> None:
    assert slug_of(url) == slug


def test_where_studies_lie_is_a_setting() -> None:
    assert slug_of(f"{SITE}/trials/a", "/trials/") == "a"


# The whole sitemap


def answer(name: str, body: bytes) -> Response:
    url = f"{SITE}/{name}"
    return Response(Result.OK, url, url, 200, etag=f'"{hash(body)}"', last_modified="date", body=body, attempts=1)


class Site:
    """Answers for the files of a sitemap, and keeps what was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = {f"{SITE}/{name}": answer(name, body) for name, body in files.items()}
        self.asked: list[str] = []

    def get(self, url: str, validators: Validators | None) -> Response:
        """Answer as a fetcher would."""
        self.asked.append(url.removeprefix(f"{SITE}/"))
        answer = self.files.get(url, Response(Result.HTTP_STATUS, url, url, 404, message="found HTTP 404"))
        if validators == Validators(answer.etag, answer.last_modified):
            return replace(answer, result=Result.NOT_MODIFIED, status=304, body=b"")
        return answer

    def put(self, name: str, body: bytes) -> None:
        """Change a file."""
        self.files[f"{SITE}/{name}"] = answer(name, body)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "trialscrape.db") as store:
        yield store


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


def test_a_first_sync(store: Store, site: Site) -> None:
    done: list[tuple[int, int]] = []
    report = sync(store, INDEX, site.get, now=clock(), progress=lambda count, known: done.append((count, known)))
    assert (report.read, report.unchanged, report.resumed, report.failed) == (3, 0, 0, 0)
    assert (report.added, report.removed, report.other, report.slugs, report.faults) == (4, 0, 1, 4, ())
    assert all(store.slug_exists(slug) for slug in ("one", "two", "three", "four"))
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert store.index_status().unfinished_since is None


def test_a_second_sync_is_conditional(store: Store, site: Site) -> None:
    sync(store, INDEX, site.get, now=clock())
    site.put("1.xml", urlset("one", "five"))
    report = sync(store, INDEX, site.get, now=clock(NOON + timedelta(days=1)))
    assert (report.read, report.unchanged, report.added, report.removed, report.slugs) == (1, 2, 1, 1, 4)
    status = store.index_status()
    assert status.oldest_sync is not None
    assert status.oldest_sync > NOON + timedelta(days=1)


def test_a_sitemap_without_an_index(store: Store) -> None:
    site = Site({"sitemap.xml": urlset("one")})
    assert sync(store, INDEX, site.get, now=clock()).slugs == 1
    assert sync(store, INDEX, site.get, now=clock()).unchanged == 1


def test_an_interrupted_sync_is_gone_on_with(store: Store, site: Site) -> None:
    def get(url: str, validators: Validators | None) -> Response:
        if url.endswith("/3.xml"):
            raise KeyboardInterrupt
        return site.get(url, validators)

    with pytest.raises(KeyboardInterrupt):
        sync(store, INDEX, get, now=clock())
    assert store.index_status().unfinished_since == NOON
    site.asked.clear()
    report = sync(store, INDEX, site.get, now=clock(NOON + timedelta(hours=1)))
    assert site.asked == ["sitemap.xml", "3.xml"]
    assert (report.read, report.resumed, report.added, report.slugs) == (1, 2, 1, 4)


def test_an_interrupted_sync_of_long_ago_begins_anew(store: Store, site: Site) -> None:
    store.replace_shard(f"{SITE}/1.xml", ["old"], NOON, sync=store.begin_sync(INDEX, NOON, not_before=NOON))
    report = sync(store, INDEX, site.get, now=clock(NOON + timedelta(days=2)))
    assert (report.resumed, report.read) == (0, 3)


def test_a_missing_file_is_told_and_what_it_listed_is_kept(store: Store, site: Site) -> None:
    sync(store, INDEX, site.get, now=clock())
    del site.files[f"{SITE}/2.xml.gz"]
    site.put("1.xml", urlset("one", "five"))
    report = sync(store, INDEX, site.get, now=clock())
    assert report.faults == (FileFault(f"{SITE}/2.xml.gz", "http_status: found HTTP 404"),)
    assert (report.read, report.unchanged, report.failed, report.slugs) == (1, 1, 1, 4)
    assert store.slug_exists("three")


def test_of_a_damaged_file_the_readable_part_is_added_and_nothing_taken(store: Store, site: Site) -> None:
    sync(store, INDEX, site.get, now=clock())
    site.put("1.xml", urlset("five", "six")[:-60])
    report = sync(store, INDEX, site.get, now=clock())
    assert (report.read, report.failed, report.added, report.removed) == (0, 1, 1, 0)
    (fault,) = report.faults
    assert (fault.url, fault.line) == (f"{SITE}/1.xml", 4)
    assert all(store.slug_exists(slug) for slug in ("one", "two", "five"))
    site.put("1.xml", urlset("five", "six"))
    assert sync(store, INDEX, site.get, now=clock()).removed == 2


@pytest.mark.parametrize("body", [b"", b"<html/>", urlset(), BOMBS["laughs in a loc"].encode()])
def test_a_file_without_addresses_is_told_and_what_it_listed_is_kept(store: Store, site: Site, body: bytes) -> None:
    sync(store, INDEX, site.get, now=clock())
    site.put("1.xml", body)
    report = sync(store, INDEX, site.get, now=clock())
    assert (report.failed, report.slugs, len(report.faults)) == (1, 4, 1)


def test_a_file_that_the_sitemap_no_longer_names_is_dropped(store: Store, site: Site) -> None:
    sync(store, INDEX, site.get, now=clock())
    site.put("sitemap.xml", index(f"{SITE}/1.xml", f"{SITE}/new.xml"))
    site.put("new.xml", urlset("three"))
    report = sync(store, INDEX, site.get, now=clock())
    assert (report.removed, report.slugs) == (1, 3)
    assert store.slug_exists("three")
    assert not store.slug_exists("four")


def test_two_sitemaps_of_a_site_or_of_two_are_kept_side_by_side(store: Store, site: Site) -> None:
    site.put("more.xml", urlset("five"))
    other = "https://other.example/sitemap.xml"
    site.files[other] = replace(answer("x", urlset("six")), url=other)
    for url in (INDEX, f"{SITE}/more.xml", other, INDEX):
        report = sync(store, url, site.get, now=clock())
        assert (report.removed, report.faults) == (0, ())
    assert all(store.slug_exists(slug) for slug in ("one", "four", "five"))
    assert report.unchanged == 3


def test_nothing_is_dropped_after_a_fault(store: Store, site: Site) -> None:
    sync(store, INDEX, site.get, now=clock())
    site.put("sitemap.xml", index(f"{SITE}/1.xml", f"{SITE}/2.xml.gz")[:-20])
    assert sync(store, INDEX, site.get, now=clock()).slugs == 4
    del site.files[INDEX]
    assert sync(store, INDEX, site.get, now=clock()).slugs == 4


def test_files_elsewhere_are_not_asked_for(store: Store) -> None:
    elsewhere = [
        "https://other.example/1.xml",
        "file:///etc/hostname",
        "http://ctv.example/1.xml",
        "https://[bad/1.xml",
    ]
    site = Site({"sitemap.xml": index(*elsewhere, f"{SITE}/1.xml"), "1.xml": urlset("one")})
    report = sync(store, INDEX, site.get, now=clock())
    assert site.asked == ["sitemap.xml", "1.xml"]
    assert (report.failed, report.slugs) == (4, 1)
    assert report.faults[0].message == (
        "expected a file at https://ctv.example, found another place: it was not asked for"
    )


def test_an_index_that_names_itself_or_goes_too_deep_ends(store: Store) -> None:
    deep = {f"{n}.xml": index(f"{SITE}/{n + 1}.xml", INDEX, f"{SITE}/{n}.xml") for n in range(10)}
    site = Site({"sitemap.xml": index(INDEX, f"{SITE}/0.xml"), **deep})
    report = sync(store, INDEX, site.get, now=clock())
    assert site.asked == ["sitemap.xml", "0.xml", "1.xml", "2.xml"]
    assert [fault.message for fault in report.faults] == [
        "expected at most 3 indexes above it, found more: it was not asked for"
    ]


def test_too_many_files_are_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap_module, "MAX_FILES", 3)
    files = {f"{n}.xml": urlset(f"slug-{n}") for n in range(5)}
    site = Site({"sitemap.xml": index(*(f"{SITE}/{name}" for name in files)), **files})
    report = sync(store, INDEX, site.get, now=clock())
    assert (report.read, report.failed, len(site.asked)) == (2, 3, 3)

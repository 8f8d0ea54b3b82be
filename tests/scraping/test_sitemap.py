import gzip
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.sitemaps import LAUGHS, NAMESPACE, SITE, index, laughs, urlset
from trialscrape.scraping.sitemap import Entry, SitemapFault, parse_sitemap


def pages(*slugs: str) -> list[Entry | SitemapFault]:
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


FAULTS: list[tuple[str, bytes, list[Entry | SitemapFault], str]] = [
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
def test_what_stands_before_a_fault_is_read(source: bytes, before: list[Entry | SitemapFault], message: str) -> None:
    *entries, fault = parse_sitemap(source)
    assert entries == before
    assert isinstance(fault, SitemapFault)
    assert fault.message.startswith(message)
    assert fault.message.endswith(": the rest was not read")


def test_broken_gzip_costs_little_of_what_stands_before() -> None:
    source = gzip.compress(urlset(*(f"slug-{number * number}" for number in range(5000))))
    *entries, fault = parse_sitemap(source[:-8] + b"12345678")
    assert len(entries) > 4500
    assert isinstance(fault, SitemapFault)
    assert "incorrect data check" in fault.message


def test_a_fault_has_its_line() -> None:
    fault = list(parse_sitemap(urlset("one", "two", more="<url></oops>")))[-1]
    assert isinstance(fault, SitemapFault)
    assert fault.line == 5


def test_limits() -> None:
    source = urlset(*(f"slug-{number}" for number in range(2000)))
    *entries, fault = parse_sitemap(source, max_entries=10)
    assert len(entries) == 10
    assert fault == SitemapFault("expected at most 10 entries, found more: the rest was not read")
    *entries, fault = parse_sitemap(gzip.compress(source), max_bytes=100_000)
    assert 0 < len(entries) < 2000
    assert fault == SitemapFault("expected at most 100000 bytes, found more: the rest was not read")
    assert len(list(parse_sitemap(source, max_entries=2000, max_bytes=len(source)))) == 2000


DECLARED = "expected a sitemap, found one with a document type declaration: the rest was not read"
BOMBS = {
    "laughs in a loc": LAUGHS.decode(),
    "laughs in an attribute": f'{laughs(12)}<urlset a="&e11;"><url><loc>{SITE}/study/x</loc></url></urlset>',
    "a file in a loc": '<!DOCTYPE u [<!ENTITY f SYSTEM "file:///etc/hostname">]><urlset><url><loc>&f;</loc></url></urlset>',
    "a file as parameters": '<!DOCTYPE u [<!ENTITY % f SYSTEM "file:///etc/hostname"> %f;]><urlset><url/></urlset>',
    "a document type elsewhere": '<!DOCTYPE u SYSTEM "http://127.0.0.1:9/u.dtd"><urlset><url><loc>x</loc></url></urlset>',
    "no more than a name": "<!DOCTYPE urlset><urlset><url><loc>x</loc></url></urlset>",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_entities_and_document_types_are_refused(bomb: str) -> None:
    (fault,) = parse_sitemap(bomb.encode())
    assert isinstance(fault, SitemapFault)
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

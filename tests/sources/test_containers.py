"""What a page may come in: known containers, others by name, gzip, and limits."""

import bz2
import gzip
import lzma
import tracemalloc

import pytest

import trialscrape
from support.archives import PACKERS
from support.page import PAGE
from support.text import text_of
from trialscrape.errors import NotAStudyPage, TooLarge, Unreadable
from trialscrape.parsing.text import PageText

SITE = "http://example.org/study/foxes"
SAVE = "save the study page itself, as HTML or as one .mhtml file"
RECORD = trialscrape.parse(PAGE).model_dump_json()
OWN = "records or outcomes of trialscrape; they are records already; give the pages they were read from"
UNPACK = "unpack it and give the files in it"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"%PDF-1.7\n", f"a PDF document; {SAVE}"),
        (b"\x89PNG\r\n", f"a PNG image; {SAVE}"),
        (b"\xff\xd8\xff\xe0", f"a JPEG image; {SAVE}"),
        (b"GIF89a", f"a GIF image; {SAVE}"),
        (b"PK\x03\x04", "a ZIP archive; give its file's name"),
        (b"PK\x05\x06" + bytes(18), "a ZIP archive; give its file's name"),
        (b"PK\x03\x04" + b"\0" * 26 + b"[Content_Types].xml", "an Office document; save its text as a text file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document; save its text as a text file"),
        (b"{\\rtf1\\ansi About}", "an RTF document; save its text as a text file"),
        (b"page.txt".ljust(257, b"\0") + b"ustar\x0000", "a tar archive; give its file's name"),
        (b"7z\xbc\xaf\x27\x1c\0\4", f"a 7z archive; {UNPACK}"),
        (b"Rar!\x1a\x07\x01\0", f"a RAR archive; {UNPACK}"),
        (bz2.compress(b"%PDF-1.7\n"), f"a PDF document; {SAVE}"),
        (gzip.compress(lzma.compress(b"%PDF-1.7\n"), mtime=0), f"a PDF document; {SAVE}"),
        (bz2.compress(gzip.compress(bz2.compress(b"a"), mtime=0)), f"a bzip2 file; {UNPACK}"),
        (b"PAR1\x15\x04", "a Parquet table; give its file's name"),
        (b"SQLite format 3\x00", "an SQLite database that is no store; write each page in it to a file"),
        (b"WARC/1.0\r\n", "a WARC archive; give its file's name"),
        (gzip.compress(b"WARC/1.1\r\n", mtime=0), "a WARC archive; give its file's name"),
        (gzip.compress(b"%PDF-1.7\n", mtime=0), f"a PDF document; {SAVE}"),
        (b'{"log": {"version": "1.2"}}', f"a HAR file of a browser; {SAVE}"),
        (b'\xef\xbb\xbf{\n  "log": {}}', f"a HAR file of a browser; {SAVE}"),
        (b'{"nct_id": null}', f"JSON; {SAVE}"),
        (RECORD.encode(), OWN),
        (f"[\n{RECORD}\n]".encode(), OWN),
        (b'{"file": "a.txt", "outcome": "ok"}', OWN),
        (b'["About"]', f"JSON; {SAVE}"),
        (b"Content-Type: text/html\n\n<p>About", f"a mail (text/html); {SAVE}"),
        (b"From a@example.org Tue\nReceived: by b\n\tfor c\n\nAbout", f"a mail (text/plain); {SAVE}"),
        (b"--boundary\r\nContent-Type: text/html\r\n\r\n<p>", f"the inside of a mail or MHTML file; {SAVE}"),
    ],
)
def test_other_kinds_are_named_with_what_to_do(data: bytes, found: str) -> None:
    with pytest.raises(NotAStudyPage) as error:
        text_of(data)
    assert error.value.message == f"expected a study page as text or HTML; found {found}"


def test_a_str_is_looked_at_like_its_bytes() -> None:
    with pytest.raises(NotAStudyPage, match="found a HAR file"):
        text_of('{"log": {}}')
    mhtml = f"MIME-Version: 1.0\nContent-Type: text/html\nContent-Location: {SITE}\n\n<p>µ"
    assert text_of(mhtml) == PageText("µ", (), SITE)


@pytest.mark.parametrize(
    "text",
    [
        "PAR1 inhibitors in foxes",
        "WARC/foxes",
        "[18F]FDG in foxes",
        "[Fox] and {wolf}",
        "{fox}",
        "Rarely\nGIFs",
        "Title: foxes\nAbout: wolves\n\nContent-Type: none",
        "Received the page\nContent-Type: none",
        "-- a dash\nContent-wise",
        "BZh9 foxes",
        "From: a fox",
        "7z",
    ],
)
def test_a_text_that_begins_a_little_like_another_kind_is_text(text: str) -> None:
    assert text_of(text).text == text_of(text.encode()).text == text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(b"hello", mtime=0)[:-4], "expected a whole gzip file, found one that is cut"),
        (b"\x1f\x8b\x08", "expected a whole gzip file, found one that is cut"),
        (
            b"\x1f\x8b\x00garbage",
            "expected a gzip file, found a broken one: unknown compression method",
        ),
        (bz2.compress(b"hello")[:-4], "expected a whole bzip2 file, found one that is cut"),
        (lzma.compress(b"hello")[:-4], "expected a whole xz file, found one that is cut"),
        (PACKERS["zst"](b"hello")[:-4], "expected a whole Zstandard file, found one that is cut"),
        (lzma.compress(b"hello")[:8] + b"garbage", "expected an xz file, found a broken one: Corrupt input data"),
    ],
)
def test_a_broken_compression(data: bytes, message: str) -> None:
    with pytest.raises(Unreadable) as error:
        text_of(data)
    assert error.value.message == message


def test_limits() -> None:
    with pytest.raises(TooLarge) as error:
        text_of("x" * 11, limit=10)
    assert error.value.message == "expected at most 10 bytes, found more"
    with pytest.raises(TooLarge) as error:
        text_of(gzip.compress(b"x" * 1000, mtime=0), limit=100)
    assert error.value.message == "expected at most 100 bytes after decompression, found more"


def test_what_a_large_file_is_counts_before_its_size() -> None:
    for data in (b"WARC/1.0\r\n" + b"x" * 1000, gzip.compress(b"WARC/1.0\r\n" + b"x" * 1000, mtime=0)):
        with pytest.raises(NotAStudyPage, match="found a WARC archive"):
            text_of(data, limit=100)


def test_a_gzip_bomb_is_refused_before_it_goes_off() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000, mtime=0)
    tracemalloc.start()
    with pytest.raises(TooLarge):
        text_of(bomb, limit=1_000_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000

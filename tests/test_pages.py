"""Bytes to text: charsets, gzip, kinds and limits."""

import gzip
import tracemalloc

import pytest

from trialscrape.errors import NotAStudyPage, TooLarge, Unreadable
from trialscrape.pages import text_of

META = '<!doctype html><html><head><meta charset="{}"></head><body><p>{}</p></body></html>'


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"plain", "plain"),
        ("näïve • µg".encode(), "näïve • µg"),
        (b"\xef\xbb\xbf" + "µ".encode(), "µ"),
        ("µ•".encode("utf-16"), "µ•"),
        ("µ•".encode("utf-16-be").join([b"\xfe\xff", b""]), "µ•"),
        ("µ•".encode("utf-32"), "µ•"),
        (gzip.compress("µ".encode()), "µ"),
        (gzip.compress(b"a") + gzip.compress(b"b"), "ab"),
        (gzip.compress(b"a") + b"\0\0", "a"),
        (b"\x1b[31mred\x1b[0m \x00", "\x1b[31mred\x1b[0m \x00"),
        (META.format("windows-1252", "µ – é").encode("windows-1252"), "µ – é"),
        (META.format("iso-8859-1", "µ – é").encode("windows-1252"), "µ – é"),
        (META.format("shift_jis", "治験").encode("shift_jis"), "治験"),
        (META.format("iso-2022-jp", "治験").encode("iso-2022-jp"), "治験"),
        (META.format("no-such-charset", "µ").encode(), "µ"),
        (META.format("punycode", "a\x1b").encode(), "a\x1b"),
        (META.format("windows-1252", "µ").encode(), "µ"),
        (META.format("utf-8", "µ").encode("utf-16"), "µ"),
        (META.format("iso-8859-1", "µ\x1b[0m").encode(), "µ\x1b[0m"),
        (META.format("unicode_escape", "\\x41").encode(), "\\x41"),
        (META.format("utf-16", "a").encode(), "a"),
        (b"  \n<p>a</p>", "a"),
        (b"HTTP/1.1 200 OK\r\n\r\n<!DOCTYPE html><p>a</p>", "HTTP/1.1 200 OK\n\na"),
        (b"eGFR < 60 and <unknown>", "eGFR < 60 and <unknown>"),
    ],
)
def test_text(data: bytes, text: str) -> None:
    got = text_of(data)
    assert got.text.strip() == text
    assert got.warnings == ()


@pytest.mark.parametrize(
    ("data", "text", "code", "line", "message"),
    [
        (
            "• a\n• b".encode()[:-2] + b"\xff",
            "• a\n•\\xff",
            "undecodable_bytes",
            2,
            "expected utf-8, found other bytes, the first b'\\xff' at 9; they stand in the text as \\xNN",
        ),
        (
            META.format("iso-8859-1", "• µ").encode() + b"\xe2\x80",
            "• µ\n\n\\xe2\\x80",
            "undecodable_bytes",
            1,
            "expected utf-8, found other bytes, the first b'\\xe2\\x80' at 94; they stand in the text as \\xNN",
        ),
        (
            b"a\nb" + "•".encode()[:2],
            "a\nb\\xe2\\x80",
            "undecodable_bytes",
            2,
            "expected utf-8, found other bytes, the first b'\\xe2\\x80' at 3; they stand in the text as \\xNN",
        ),
        (
            "µ".encode("utf-16") + b"\x00",
            "µ\\x00",
            "undecodable_bytes",
            1,
            "expected utf-16-le, found other bytes, the first b'\\x00' at 2; they stand in the text as \\xNN",
        ),
        (
            "µg – très bien à Zürich".encode("windows-1252"),
            "µg – très bien à Zürich",
            "guessed_charset",
            None,
            "expected UTF-8 or a declared charset, found neither; read as windows-1252",
        ),
        (
            b"\x81 is nothing " * 3,
            "\\x81 is nothing " * 3,
            "undecodable_bytes",
            1,
            "expected utf-8, found other bytes, the first b'\\x81' at 0; they stand in the text as \\xNN",
        ),
    ],
)
def test_doubtful_text_is_told(data: bytes, text: str, code: str, line: int | None, message: str) -> None:
    got = text_of(data)
    assert got.text.strip("\n") == text
    assert [(warning.code, warning.line, warning.message) for warning in got.warnings] == [(code, line, message)]


def test_half_a_surrogate_pair_is_written_out() -> None:
    assert text_of("a\ud800b").text == "a\\ud800b"
    assert text_of("<p>a\udfffb</p>").text.strip() == "a\\udfffb"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x89PNG\r\n", "a PNG image"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"GIF89a", "a GIF image"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"SQLite format 3\x00", "an SQLite database"),
        (b"WARC/1.0\r\n", "a WARC archive"),
        (gzip.compress(b"%PDF-1.7\n"), "a PDF document"),
    ],
)
def test_other_kinds_are_named(data: bytes, kind: str) -> None:
    with pytest.raises(NotAStudyPage) as error:
        text_of(data)
    assert error.value.message == f"expected a study page as text or HTML; found {kind}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(b"hello")[:-4], "expected a whole gzip file, found one that is cut"),
        (b"\x1f\x8b\x08", "expected a whole gzip file, found one that is cut"),
        (
            b"\x1f\x8b\x00garbage",
            "expected a gzip file, found a broken one: Unknown compression method",
        ),
    ],
)
def test_broken_gzip(data: bytes, message: str) -> None:
    with pytest.raises(Unreadable) as error:
        text_of(data)
    assert error.value.message == message


def test_limits() -> None:
    with pytest.raises(TooLarge) as error:
        text_of("\n" * 1_000_001)
    assert error.value.message == "expected at most 1,000,000 lines, found 1,000,002"
    with pytest.raises(TooLarge) as error:
        text_of("x" * 11, limit=10)
    assert error.value.message == "expected at most 10 bytes, found 11"
    with pytest.raises(TooLarge) as error:
        text_of(gzip.compress(b"x" * 1000), limit=100)
    assert error.value.message == "expected at most 100 bytes after decompression, found more"


def test_a_gzip_bomb_is_refused_before_it_goes_off() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)
    tracemalloc.start()
    with pytest.raises(TooLarge):
        text_of(bomb, limit=1_000_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000

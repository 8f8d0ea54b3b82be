"""Bytes to text: charsets, HTML, and what is still encoded."""

import gzip
import quopri
from contextlib import suppress

import pytest
from bs4.dammit import EncodingDetector

from support.text import text_of
from trialscrape.addresses import drop_referrer
from trialscrape.errors import NotAStudyPage, TooLarge

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
        (gzip.compress("µ".encode(), mtime=0), "µ"),
        (gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), "ab"),
        (gzip.compress(b"a", mtime=0) + b"\0\0", "a"),
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
        (META.format("iso-2022-jp", "µ\x1b").encode(), "µ\x1b"),
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
            META.format("utf-16le", "• très").encode("windows-1252"),
            "• très",
            "guessed_charset",
            None,
            "expected UTF-8 or a declared charset, found neither; read as windows-1252",
        ),
        (
            b"<p>" + b" " * 1024 + b"<meta charset=windows-1251>" + "très bien, très long".encode("windows-1252"),
            "très bien, très long",
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


RUSSIAN = "Институт сна"


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        (RUSSIAN.encode("cp1251"), "text/html; charset=windows-1251", RUSSIAN),
        (RUSSIAN.encode("cp1251"), 'text/html;Charset = "CP1251"; x=y', RUSSIAN),
        (META.format("iso-8859-1", RUSSIAN).encode("cp1251"), "text/html; charset=windows-1251", RUSSIAN),
        (META.format("windows-1251", RUSSIAN).encode("cp1251"), "text/html; charset=no-such", RUSSIAN),
        (META.format("windows-1251", RUSSIAN).encode("cp1251"), "text/html; charset=unicode_escape", RUSSIAN),
        (META.format("windows-1251", RUSSIAN).encode("cp1251"), "text/html", RUSSIAN),
        (RUSSIAN.encode(), "text/html; charset=windows-1251", RUSSIAN),
        (b"\xef\xbb\xbf" + RUSSIAN.encode(), "text/html; charset=windows-1251", RUSSIAN),
        (RUSSIAN.encode("utf-16"), "text/html; charset=windows-1251", RUSSIAN),
        (f"<p>{RUSSIAN}".encode("utf-16-le"), "text/html; charset=utf-16", RUSSIAN),
        (f"<p>{RUSSIAN}".encode("utf-16-be"), "text/html; charset=UTF-16BE", RUSSIAN),
        (b"<p>plain", "text/html; charset=utf-16", "plain"),
        (gzip.compress(RUSSIAN.encode("koi8-r"), mtime=0), "text/plain; charset=koi8-r", RUSSIAN),
        ("治験".encode("iso-2022-jp"), "text/html; charset=iso-2022-jp", "治験"),
    ],
)
def test_the_charset_that_came_with_a_page(data: bytes, content_type: str, text: str) -> None:
    got = text_of(data, content_type=content_type)
    assert (got.text.strip(), got.warnings) == (text, ())


def test_text_has_no_charset() -> None:
    page = META.format("iso-2022-jp", "\x1b$B治験")
    assert text_of(page, content_type="text/html; charset=iso-2022-jp").text == "\x1b$B治験"


@pytest.mark.parametrize("size", [240_000, 32_000_000])
def test_a_declared_charset_is_looked_for_in_the_first_bytes_only(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    real = EncodingDetector.find_declared_encoding

    def find(markup: bytes, **options: bool) -> str | None:
        looked_at.append(len(markup))
        found: str | None = real(markup, **options)
        return found

    monkeypatch.setattr(EncodingDetector, "find_declared_encoding", find)
    attack = b"<p>\x1b" + b"<meta\ncharset=x" * (size // 15)
    with suppress(TooLarge):
        text_of(attack)
    assert looked_at == [1024]


def test_half_a_surrogate_pair_is_written_out() -> None:
    assert text_of("a\ud800b").text == "a\\ud800b"
    assert text_of("<p>a\udfffb</p>").text.strip() == "a\\udfffb"


SAVE = "save the study page itself, as HTML or as one .mhtml file"
LINE = "Foxes that are asked to walk from one wood to another one by night, which="
QUOTED = "this looks like quoted-printable text, as it stands inside an .mhtml file or a mail"
PERCENT = "this looks like percent-encoded text, as it stands in an address or a script"


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("Age =E2=89=A5 18", QUOTED),
        ("Z=C3=BCrich", QUOTED),
        ("a =F0=9F=A6=8A", QUOTED),
        ("a=3Db, c=3Dd, e=3Df", QUOTED),
        (f"{LINE}\nlong\n{LINE}\r\nlong\n{LINE}\nlong", QUOTED),
        ('<html><p class=3D"a"><b id=3D"b"><i id=3D"c">a', QUOTED),
        (quopri.encodestring(b"x = y; a fox's weight is more than that of a mouse, " * 20).decode(), QUOTED),
        ("<html><p>Age =E2=89=A5 18", QUOTED),
        ("%3Cdiv%20class='a'%3E", PERCENT),
        ("a\n%3C/p%3E", PERCENT),
        ("Foxes%20with%20mild%20sleep", PERCENT),
        ("Age %E2%89%A5 18, Z%C3%BCrich, %E2%80%93", PERCENT),
    ],
)
def test_what_is_still_encoded_is_refused(page: str, found: str) -> None:
    with pytest.raises(NotAStudyPage) as error:
        text_of(page)
    assert error.value.message == f"expected a study page as text or HTML; {found}; {SAVE}"


@pytest.mark.parametrize(
    "text",
    [
        "Age >=18 and <=75, BMI <=30, ECOG=0, dose=20 mg, a=3D, x =C3",
        "A 3D=3D view; the view=3D page",
        "IC50=E2 = A5, C=C3=D4",
        "20%30%40%50% of 100%20 mice, %C, 5%CI, 95%CI",
        "https://example.org/a%20b%20c%20d%3Cdiv%3E?q=%E6%B2%BB%E7%99%82%E6%B2%BB%E7%99%82&view=3D&x=3D",
        "www.example.org/a%20b%20c%20d and www.example.org/%C3%A9%C3%A8%C3%A0",
        "a%20b%20",
        "=" * 75 + "\n" + ("=" * 75 + "\n") * 5,
        ("x " * 36 + "a =\nb\n") * 5,
        "x=\ny=\nz=\n1",
        LINE + "\nlong\n" + LINE + "\nlong",
    ],
)
def test_ordinary_signs_of_equality_and_percent_are_text(text: str) -> None:
    assert text_of(text).text == text
    assert text_of(f"<pre>{text}</pre>").text.replace("\n", "") == text.replace("\n", "")


SITE = "http://example.org/study/foxes"


@pytest.mark.parametrize(
    ("address", "without"),
    [
        (SITE, SITE),
        (f'{SITE}?comeFrom={{"type":"site","slug":"x"}}', SITE),
        (f"{SITE}?comeFrom=%7B%7D&a=1#b", f"{SITE}?a=1#b"),
        (f"{SITE}?a=1&comeFrom=x&b=comeFrom=2", f"{SITE}?a=1&b=comeFrom=2"),
        (f"{SITE}?comeFromAfar=1", f"{SITE}?comeFromAfar=1"),
        (f"{SITE}?comeFrom", SITE),
        (f"{SITE}#?comeFrom=1", f"{SITE}#?comeFrom=1"),
    ],
)
def test_come_from_is_no_part_of_an_address(address: str, without: str) -> None:
    assert drop_referrer(address) == without


def test_a_page_s_own_address_counts_before_its_file_s() -> None:
    page = f'<html><head><link rel="canonical" href="{SITE}"></head><body>a'
    mhtml = "MIME-Version: 1.0\nContent-Type: text/html\nContent-Location: {}\n\n"
    assert text_of(mhtml.format("http://example.org/x") + page).url == SITE
    assert text_of(mhtml.format("http://example.org/x") + "<p>a").url == "http://example.org/x"
    assert text_of(mhtml.format("file:///home/fox") + "<p>a").url is None
    assert text_of(page).url == SITE
    assert text_of("a").url is None


def test_a_page_of_too_many_lines_is_refused() -> None:
    with pytest.raises(TooLarge) as error:
        text_of("\n" * 250_001)
    assert error.value.message == "expected at most 250,000 lines, found 250,002"

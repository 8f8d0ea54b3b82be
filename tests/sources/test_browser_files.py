"""MHTML and webarchive: whole ones, odd ones, hostile ones."""

import base64
import plistlib
import quopri
import struct
import tracemalloc
from email.message import Message
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trialscrape
from support.page import PAGE
from trialscrape.errors import NotAStudyPage, PageError, Unreadable
from trialscrape.page import Page
from trialscrape.sources import mhtml as mhtml_module
from trialscrape.sources.mhtml import MAX_HEAD, MAX_PARTS, read_mhtml
from trialscrape.sources.webarchive import MAX_OBJECTS, read_webarchive

FIXTURES = Path(__file__).parents[2] / "fixtures" / "pages"
ADDRESS = "http://example.org/study/bells"
TOP = 'Content-Type: multipart/related; type="text/html"; boundary="--b"'
HTML = "<p>Höhe ≥ 20 = hoch</p>"


def mhtml(*parts: str | bytes, top: str = TOP, end: str = "----b--\r\n", newline: str = "\r\n") -> bytes:
    body = b"".join(b"----b\r\n" + (part.encode() if isinstance(part, str) else part) + b"\r\n" for part in parts)
    data = f"From: <Saved by Blink>\r\nMIME-Version: 1.0\r\n{top}\r\n\r\n\r\n".encode() + body + end.encode()
    return data.replace(b"\r\n", newline.encode())


def part(content: bytes, *headers: str, location: str | None = ADDRESS) -> bytes:
    lines = [*(headers or ("Content-Type: text/html",)), *([f"Content-Location: {location}"] if location else [])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def saved(body: bytes, location: str | None = None, charset: str | None = None) -> Page:
    return Page(body, content_type=charset and f"text/html; charset={charset}", location=location)


PAGE_PART = part(HTML.encode())
IMAGE = part(b"\x89PNG----b", "Content-Type: image/png", location="http://example.org/a.png")


@pytest.mark.parametrize(
    ("data", "page"),
    [
        (mhtml(PAGE_PART), saved(HTML.encode(), ADDRESS)),
        (mhtml(IMAGE, PAGE_PART, IMAGE), saved(HTML.encode(), ADDRESS)),
        (mhtml(part(b"a\r\n----b2\r\n----bb--\r\nc")), saved(b"a\r\n----b2\r\n----bb--\r\nc", ADDRESS)),
        (mhtml(PAGE_PART, newline="\n"), saved(HTML.encode(), ADDRESS)),
        (mhtml(PAGE_PART, end=""), saved(HTML.encode() + b"\r\n", ADDRESS)),
        (
            mhtml(
                part(
                    quopri.encodestring(HTML.encode()),
                    "Content-Type: text/html",
                    "Content-Transfer-Encoding: Quoted-Printable",
                )
            ),
            saved(HTML.encode(), ADDRESS),
        ),
        (
            mhtml(
                part(
                    base64.encodebytes(HTML.encode("cp1252", "replace")),
                    'Content-type: text/html; charset="windows-1252"',
                    "Content-Transfer-Encoding: base64",
                )
            ),
            saved(HTML.encode("cp1252", "replace"), ADDRESS, "windows-1252"),
        ),
        (
            mhtml(
                part(b"<p>frame</p>", "Content-Type: text/html", "Content-ID: <a@b>"),
                part(b"<p>page</p>", "Content-Type: text/html", "Content-ID: <root@b>", location="http://b.example/"),
                top=TOP + '; start="<root@b>"',
            ),
            saved(b"<p>page</p>", "http://b.example/"),
        ),
        (mhtml(PAGE_PART, top=TOP + "; start=<none@b>"), saved(HTML.encode(), ADDRESS)),
        (
            mhtml(part(b"a", location=None), top=f"Snapshot-Content-Location: {ADDRESS}\r\n{TOP}"),
            saved(b"a", ADDRESS),
        ),
        (mhtml(part(b"a", location="http://example.org/\r\n long")), saved(b"a", "http://example.org/long")),
        (
            f"MIME-Version: 1.0\nContent-Type: text/html\nContent-Location: {ADDRESS}\n\n{HTML}".encode(),
            saved(HTML.encode(), ADDRESS),
        ),
    ],
    ids=[
        "one",
        "behind images",
        "other boundaries",
        "unix",
        "cut",
        "quoted",
        "base64",
        "start",
        "no start",
        "snapshot",
        "folded",
        "single",
    ],
)
def test_mhtml(data: bytes, page: Page) -> None:
    assert read_mhtml(data) == page


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (mhtml(part(b"a", location=None)), "multipart/related"),
        (mhtml(part(b"a", "Content-Type: text/plain")), "multipart/related"),
        (mhtml(PAGE_PART, top=TOP.replace("related", "alternative")), "multipart/alternative"),
        (mhtml(PAGE_PART, top=TOP.replace("related", "x-mixed-replace")), "multipart/x-mixed-replace"),
        (mhtml(PAGE_PART, top="Content-Type: multipart/related"), "multipart/related"),
        (mhtml(*[IMAGE] * MAX_PARTS, PAGE_PART), "multipart/related"),
        (b"Content-Type: text/html\n\n<p>a</p>", "text/html"),
        (b"MIME-Version: 1.0\n", "text/plain"),
    ],
    ids=["no address", "no html", "alternative", "stream", "no boundary", "too many parts", "html mail", "nothing"],
)
def test_another_mail_is_refused(data: bytes, kind: str) -> None:
    with pytest.raises(NotAStudyPage) as refused:
        read_mhtml(data)
    assert refused.value.message == (
        f"expected a study page as text or HTML; found a mail ({kind}); "
        "save the study page itself, as HTML or as one .mhtml file"
    )


def test_broken_base64_is_unreadable() -> None:
    data = mhtml(part(b"a", "Content-Type: text/html", "Content-Transfer-Encoding: base64"))
    with pytest.raises(Unreadable, match="expected base64 in an MHTML file"):
        read_mhtml(data)


def test_a_hostile_mhtml_file_takes_little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[int] = []
    real = mhtml_module._split_head  # noqa: SLF001  its calls are the work

    def split_head(data: bytes) -> tuple[Message, bytes]:
        heads.append(len(data))
        return real(data)

    monkeypatch.setattr(mhtml_module, "_split_head", split_head)
    size = 4_000_000
    for data in (
        mhtml(*[b""] * (size // 7)),
        mhtml(b"x: y\r\n" * (size // 6)),
        mhtml(part(b"a", "Content-Type: text/html" + ";" * size)),
        b"MIME-Version: 1.0\n" + b"a: b\n" * (size // 5),
        b"Content-Type: multipart/related; boundary=" + b'";' * (size // 2),
        mhtml(*[f"Content-Type: multipart/related; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(size // 70)]),
        b"MIME-Version: 1.0\n" + TOP.encode() + b"\n\n" + b"----b \t" * (size // 7),
    ):
        heads.clear()
        with pytest.raises(PageError):
            read_mhtml(data)
        assert len(heads) <= MAX_PARTS + 1
    assert max(len(real(b"x: y\n" * size)[0].as_bytes()), 0) <= MAX_HEAD + 100


def webarchive(**page: Any) -> bytes:
    main = {"WebResourceData": HTML.encode(), "WebResourceMIMEType": "text/html"} | page
    return plistlib.dumps({"WebMainResource": main, "WebSubresources": []}, fmt=plistlib.FMT_BINARY)


def test_webarchive() -> None:
    assert read_webarchive(webarchive()) == saved(HTML.encode())
    whole = webarchive(WebResourceURL=ADDRESS, WebResourceTextEncodingName="windows-1252")
    assert read_webarchive(whole) == saved(HTML.encode(), ADDRESS, "windows-1252")
    assert read_webarchive(webarchive(WebResourceURL=1, WebResourceTextEncodingName=b"x")).location is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": 1}, "a property list"),
        ([1, 2], "a property list"),
        ({"WebMainResource": "x"}, "a property list"),
        ({"WebMainResource": {"WebResourceData": "text", "WebResourceMIMEType": "text/html"}}, "a property list"),
        (
            {"WebMainResource": {"WebResourceData": b"%PDF", "WebResourceMIMEType": "application/pdf"}},
            "a webarchive of application/pdf",
        ),
    ],
)
def test_another_property_list_is_refused(value: Any, found: str) -> None:
    with pytest.raises(NotAStudyPage) as refused:
        read_webarchive(plistlib.dumps(value, fmt=plistlib.FMT_BINARY))
    assert f"; found {found}; save the study page itself" in refused.value.message


def bplist(objects: list[bytes], offsets: list[int] | None = None) -> bytes:
    """Lay a property list out: the objects, where each begins, and that the first is the top."""
    body = b"bplist00" + b"".join(objects)
    starts = offsets or list(accumulate(map(len, objects[:-1]), initial=8))
    table = b"".join(struct.pack(">I", start) for start in starts)
    return body + table + struct.pack(">6xBBQQQ", 4, 4, len(starts), 0, len(body))


def long_array(*references: int) -> bytes:
    return b"\xaf\x12" + struct.pack(">I", len(references)) + b"".join(struct.pack(">I", to) for to in references)


def test_a_layout_by_hand_is_what_plistlib_reads() -> None:
    assert plistlib.loads(bplist([long_array(1, 2), b"\x51a", b"\x10\x07"])) == ["a", 7]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (webarchive()[:-5], ""),
        (b"bplist00", "it is cut"),
        (bplist([b"\x51a"], [10**6]), "index out of range"),
        (bplist([b"\x70"]), "Invalid file"),
        (bplist([long_array(n + 1) for n in range(5_000)] + [b"\x51a"]), "maximum recursion depth exceeded"),
        (bplist([b"\x51a"] * (MAX_OBJECTS + 1)), "it has more than 100,000 objects"),
        (
            bplist(
                [long_array(*range(1, 1_001)), b"\x4f\x12" + struct.pack(">I", 10**6) + b"a" * 10**6],
                [8] + [8 + 4_006] * 1_000,
            ),
            "its objects overlap",
        ),
        (
            bplist(
                [long_array(*range(1, 501)), long_array(*[501] * 50_000), b"\x51a"], [8] + [8 + 2_006] * 500 + [202_014]
            ),
            "its objects overlap",
        ),
        (bplist([long_array(*range(1, 1_001)), b"\x1f" + b"a" * 2**15], [8] + [8 + 4_006] * 1_000), "objects overlap"),
    ],
    ids=["cut", "no trailer", "nowhere", "no object", "deep", "many", "data a thousand times", "arrays", "integers"],
)
def test_a_broken_or_hostile_webarchive_is_refused_in_little_memory(data: bytes, message: str) -> None:
    tracemalloc.start()
    with pytest.raises(Unreadable) as refused:
        read_webarchive(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.message.startswith("expected a property list, found a broken one: ")
    assert message in refused.value.message
    assert most < 20_000_000


BELLS = {name: (FIXTURES / name).read_bytes() for name in ("saved-by-chromium.mhtml", "saved-by-safari.webarchive")}


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(BELLS)), st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=6)), max_size=5))
def test_a_damaged_file_gives_a_record_or_our_own_error(name: str, damages: list[tuple[int, bytes]]) -> None:
    data = BELLS[name]
    for at, change in damages:
        at %= len(data)  # noqa: PLW2901
        data = data[:at] + change + data[at + len(change) :]
    try:
        trialscrape.parse(data)
    except PageError as error:
        assert error.message.startswith("expected ")


def test_both_give_the_same_record_and_the_part_s_charset_counts() -> None:
    chromium, safari = (trialscrape.parse(data) for data in BELLS.values())
    assert chromium.model_dump(exclude={"source"}) == safari.model_dump(exclude={"source"})
    assert chromium.source.url == safari.source.url
    assert chromium.source.url == "http://example.org/study/cowbells-against-mountain-sickness-of-clocks"
    russian = PAGE.replace("Institute for Arboreal Medicine", "Институт").encode("cp1251")
    body = b"<!doctype html><pre>" + russian
    for data in (
        mhtml(part(body, "Content-Type: text/html; charset=windows-1251")),
        webarchive(WebResourceData=body, WebResourceTextEncodingName="windows-1251"),
    ):
        trial = trialscrape.parse(data)
        assert (trial.sponsor, trial.warnings) == ("Институт", ())

"""Every container with every content, and every container that is broken, cut, hostile or odd."""

import bz2
import gzip
import io
import json
import re
import struct
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trialscrape
from support.archives import (
    PACKERS,
    SITE,
    URL,
    make_lines,
    make_parquet,
    make_tar,
    make_wacz,
    make_warc,
    make_zip,
    make_zstd_zip,
)
from support.page import PAGE
from trialscrape import PageResult, Trial
from trialscrape.page import Page
from trialscrape.parsing.text import MAX_BYTES
from trialscrape.sources import containers, dumps, members, tars, zips
from trialscrape.sources.files import read_pages
from trialscrape.sources.members import Selection
from trialscrape.store.store import Store

ROOT = Path(__file__).parents[2]
SAVED = ROOT / "fixtures/pages"
TEXT = PAGE.encode()
CONTENTS = {
    "text": TEXT,
    "html": (SAVED / "saved.html").read_bytes(),
    "mhtml": (SAVED / "saved-by-chromium.mhtml").read_bytes(),
    "webarchive": (SAVED / "saved-by-safari.webarchive").read_bytes(),
    "html.gz": (SAVED / "saved.html.gz").read_bytes(),
    "text.xz": PACKERS["xz"](TEXT),
}
Make = Callable[[bytes], bytes]


def make_packed_tar(pack: Make) -> Make:
    return lambda page: pack(make_tar(("page", page)))


FILES: dict[str, tuple[Make, str]] = {
    "zip": (lambda page: make_zip(("a/page", page)), "!a/page"),
    "stored": (lambda page: make_zip(("page", page), compression=zipfile.ZIP_STORED), "!page"),
    "bzip2 in zip": (lambda page: make_zip(("page", page), compression=zipfile.ZIP_BZIP2), "!page"),
    "xz in zip": (lambda page: make_zip(("page", page), compression=zipfile.ZIP_LZMA), "!page"),
    "Zstandard in zip": (lambda page: make_zstd_zip("page", page), "!page"),
    "tar": (lambda page: make_tar(("./a/page", page)), "!./a/page"),
    "old tar": (lambda page: make_tar(("page", page), kind=tarfile.USTAR_FORMAT), "!page"),
    "GNU tar": (lambda page: make_tar((200 * "a", page), kind=tarfile.GNU_FORMAT), f"!{200 * 'a'}"),
    "tar in zip": (lambda page: make_zip(("a.tar", make_tar(("page", page)))), "!a.tar!page"),
    "zip in tar.gz": (lambda page: gzip.compress(make_tar(("a.zip", make_zip(("b", page))))), "!a.zip!b"),
    "tar.bz2 in zip in zip": (
        lambda page: make_zip(("b", make_zip(("c", bz2.compress(make_tar(("d", page))))))),
        "!b!c!d",
    ),
    **{f"tar.{end}": (make_packed_tar(pack), "!page") for end, pack in PACKERS.items()},
    **{end: (pack, "") for end, pack in PACKERS.items()},
}
ROWS: dict[str, tuple[Make, str]] = {
    "warc.gz": (lambda page: make_warc(("response", URL, "text/html", page)), f"!{URL}"),
    "warc": (lambda page: make_warc(("resource", URL, "text/html", page), packed=False), f"!{URL}"),
    "wet": (lambda page: make_warc(("conversion", URL, "text/plain", page)), f"!{URL}"),
    "wacz": (
        lambda page: make_wacz(("data.warc.gz", make_warc(("response", URL, "text/html", page)))),
        f"!archive/data.warc.gz!{URL}",
    ),
    "warc.gz in tar": (
        lambda page: make_tar(("a.warc.gz", make_warc(("response", URL, "text/html", page)))),
        f"!a.warc.gz!{URL}",
    ),
    "jsonl": (lambda page: make_lines({"url": URL, "text": page.decode()}), "!1"),
    "jsonl with a mark": (lambda page: b"\xef\xbb\xbf" + make_lines({"url": URL, "text": page.decode()}), "!1"),
    "jsonl after a blank": (lambda page: b"\r\n" + make_lines({"url": URL, "text": page.decode()}), "!2"),
    "jsonl.zst": (lambda page: PACKERS["zst"](make_lines({"uri": URL, "html": page.decode()})), "!1"),
    "jsonl.gz in zip": (
        lambda page: make_zip(("d", gzip.compress(make_lines({"text": page.decode(), "url": URL})))),
        "!d!1",
    ),
    "parquet": (lambda page: make_parquet(raw_content=[page.decode()], warc_target_uri=[URL]), "!1"),
    "parquet of bytes": (lambda page: make_parquet(content=[page], url=[URL]), "!1"),
    "parquet in tar": (lambda page: make_tar(("d", make_parquet(body=[page], url=[URL]))), "!d!1"),
}


def write(folder: Path, data: bytes) -> str:
    path = folder / "file"
    path.write_bytes(data)
    return str(path)


def read(folder: Path, data: bytes, **options: Any) -> list[PageResult]:
    return list(trialscrape.parse_files([write(folder, data)], **options))


def outcomes(folder: Path, results: Iterable[PageResult]) -> list[tuple[str, str, str | None]]:
    return [(result.file.removeprefix(f"{folder}/file"), str(result.outcome), result.message) for result in results]


def bare(trial: Trial | None, *, url: bool = True) -> dict[str, Any]:
    assert trial
    return trial.model_dump(exclude={"source": {"file", "sha256", *(() if url else ("url",))}})


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
@pytest.mark.parametrize(("make", "name"), FILES.values(), ids=FILES.keys())
def test_a_page_in_an_archive_reads_as_the_page(make: Make, name: str, content: bytes, tmp_path: Path) -> None:
    (result,) = read(tmp_path, make(content))
    assert (result.file, result.outcome) == (f"{tmp_path}/file{name}", "ok")
    assert bare(result.trial) == bare(trialscrape.parse(content))
    assert result.trial
    assert result.trial.source.file == result.file
    if name:  # the digest is that of the bytes as the archive holds them
        assert result.trial.source.sha256 == trialscrape.parse(content).source.sha256


@pytest.mark.parametrize("content", ["text", "html"])
@pytest.mark.parametrize(("make", "name"), ROWS.values(), ids=ROWS.keys())
def test_a_page_in_a_record_or_a_row_reads_as_the_page(make: Make, name: str, content: str, tmp_path: Path) -> None:
    (result,) = read(tmp_path, make(CONTENTS[content]))
    assert (result.file, result.outcome) == (f"{tmp_path}/file{name}", "ok")
    assert bare(result.trial) == bare(trialscrape.parse(CONTENTS[content], url=URL))
    assert result.trial
    assert result.trial.source.sha256 == trialscrape.parse(CONTENTS[content]).source.sha256


def test_pages_come_in_the_order_of_the_archive(tmp_path: Path) -> None:
    files = [("b", TEXT), ("c/", b""), ("a", b"no page"), ("c/d.zip", make_zip(("e", TEXT))), ("f", TEXT)]
    for data in (make_zip(*files), make_tar(*((name, data) for name, data in files if not name.endswith("/")))):
        found = [(name, outcome) for name, outcome, _ in outcomes(tmp_path, read(tmp_path, data))]
        assert found == [("!b", "ok"), ("!a", "not_a_study_page"), ("!c/d.zip!e", "ok"), ("!f", "ok")]


RECORD = trialscrape.parse(PAGE).model_dump_json().encode()
SKIPPED = ["Thumbs.db", "a/.hidden", ".git/b", "__MACOSX/._a.txt", "a.part", "page_files/c.html", "a/page-Dateien/d"]


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_what_is_skipped_in_a_folder_is_skipped_in_an_archive(make: Callable[..., bytes], tmp_path: Path) -> None:
    pages = ["page.html", "a/page.htm", "a/../../up.txt", "a_files/e.txt", "../f.txt"]
    files = [*((name, TEXT) for name in pages), *((name, b"x") for name in SKIPPED)]
    data = make(*files, ("trials.jsonl", RECORD), ("store.db", b"no page"), ("store.db-wal", b"x"))
    selection = Selection()
    found = list(read_pages(write(tmp_path, data), selection))
    assert [page.file for page in found] == [f"{tmp_path}/file!{name}" for name in (*pages, "store.db")]
    assert selection.left_out == {"skipped": len(SKIPPED) + 2}


def test_links_and_devices_are_skipped_and_counted(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo(f"odd{kind.decode()}")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("page")
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT))
    selection = Selection()
    (page,) = read_pages(write(tmp_path, stream.getvalue()), selection)
    assert (page.file, selection.left_out) == (f"{tmp_path}/file!page", {"skipped": 4})


def test_a_member_may_have_no_name(tmp_path: Path) -> None:
    data = bytearray(make_zip(("a", TEXT)))
    for mark, place in ((b"PK\x01\x02", 28), (b"PK\x03\x04", 26)):  # the name becomes an extra field, which is short
        start = data.index(mark) + place
        data[start : start + 4] = b"\0\0\1\0"
    assert [name for name, _, _ in outcomes(tmp_path, read(tmp_path, bytes(data)))] == ["!"]


def test_names_may_be_any(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        for name in ("\udcff", "\x1b[31m\n", "µ"):
            archive.addfile(tarfile.TarInfo(name))
    found = [name for name, _, _ in outcomes(tmp_path, read(tmp_path, stream.getvalue()))]
    assert found == ["!\\xff", "!\x1b[31m\n", "!µ"]
    packed = make_zip(("µ", b""), ("aa", b""))
    assert [name for name, _, _ in outcomes(tmp_path, read(tmp_path, packed.replace(b"aa", b"\xc2\xb5")))] == 2 * ["!µ"]
    # A name that claims to be UTF-8 and is not costs the list, and the file; the others are found.
    odd, other, whole = read(tmp_path, packed.replace(b"\xc2\xb5", b"\xff\xff"))
    assert (odd.outcome, other.file, whole.outcome) == ("unreadable", f"{tmp_path}/file!aa", "unreadable")


# Other sites


OTHER = "https://example.org/study/other"
SITES: dict[str, Callable[..., bytes]] = {
    "jsonl": lambda *urls: make_lines(*({"url": url, "text": PAGE} for url in urls)),
    "parquet": lambda *urls: make_parquet(url=list(urls), text=len(urls) * [PAGE]),
    "warc": lambda *urls: make_warc(*(("response", url, "text/html", TEXT) for url in urls)),
    "wet": lambda *urls: make_warc(*(("conversion", url, "text/plain", TEXT) for url in urls)),
}


@pytest.mark.parametrize("make", SITES.values(), ids=SITES.keys())
def test_pages_of_other_sites_are_only_counted(make: Callable[..., bytes], tmp_path: Path) -> None:
    data = make(OTHER, URL, OTHER, f"{SITE}/about", "http://CTV.Veeva.com/study/b?comeFrom=c")
    for host, files, left_out in (
        ("ctv.veeva.com", 2, {"of other sites": 2, "skipped": 1}),
        ("CTV.VEEVA.COM", 2, {"of other sites": 2, "skipped": 1}),
        ("example.org", 2, {"of other sites": 3}),
        ("*", 4, {"skipped": 1}),
        ("veeva.com", 0, {"of other sites": 5}),
    ):
        selection = Selection(host)
        found = list(read_pages(write(tmp_path, data), selection))
        assert all(isinstance(page, Page) for page in found)
        assert (len(found), +selection.left_out) == (files, left_out)


def test_a_revisit_is_counted(tmp_path: Path) -> None:
    selection = Selection()
    path = write(tmp_path, make_warc(("response", URL, "text/html", TEXT), ("revisit", URL, "text/html", b"")))
    assert len(list(read_pages(path, selection))) == 1
    assert +selection.left_out == {"revisits": 1}
    (none,) = read(tmp_path, make_warc(("revisit", URL, "text/html", b"")))
    assert none.message == (
        "expected study pages in a WARC file, found other records: 1 a revisit of a page that is not in it"
    )


# Dumps


COLUMNS = "expected a column with pages (text, content, html, body, raw_content)"
ADVICE = "name one with --text-column (and that of the addresses with --url-column)"
SAVE = "save the study page itself, as HTML or as one .mhtml file"
JSON = f"expected a study page as text or HTML; found JSON; {SAVE}"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [{"text": PAGE}, b'{"text": "cut', b"", b"[1]", {"text": None}, {"text": 1}, {"url": URL}, {"text": PAGE}],
            [
                ("!1", "ok", None),
                ("!2", "unreadable", 'expected a JSON object in one line, found \'{"text": "cut\''),
                ("!4", "unreadable", "expected a JSON object in one line, found '[1]'"),
                ("!5", "not_a_study_page", "expected the text of a page in 'text', found null"),
                ("!6", "not_a_study_page", "expected the text of a page in 'text', found int"),
                ("!7", "not_a_study_page", f"{COLUMNS} in this line, found url; {ADVICE}"),
                ("!8", "ok", None),
            ],
        ),
        (
            [b'{"url": "x", "text": "' + 99 * b"y", {"text": PAGE}],
            [
                (
                    "!1",
                    "unreadable",
                    f'expected a JSON object in one line, found \'{{"url": "x", "text": "{38 * "y"}…\'',
                ),
                ("!2", "ok", None),
            ],
        ),
        (
            [{"page": PAGE}, {"page": PAGE}],
            [("", "not_a_study_page", f"{COLUMNS} in JSON lines, found page; {ADVICE}")],
        ),
        ([{"protocolSection": {}}], [("", "not_a_study_page", JSON)]),
        ([b'{\n "protocolSection": {}\n}'], [("", "not_a_study_page", JSON)]),
        ([b'["a",', b'"b"]'], [("", "not_a_study_page", JSON)]),
        ([b'{"text": "\\ud800"}'], [("!1", "not_a_study_page", None)]),
    ],
)
def test_json_lines(rows: list[Any], expected: list[tuple[str, str, str | None]], tmp_path: Path) -> None:
    found = outcomes(tmp_path, read(tmp_path, make_lines(*rows)))
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    assert [one[2] for one, other in zip(found, expected, strict=True) if other[2]] == [
        other[2] for other in expected if other[2]
    ]


@pytest.mark.parametrize(
    "make", [lambda **row: make_lines(row), lambda **row: make_parquet(1, **{key: [row[key]] for key in row})]
)
def test_columns_can_be_named(make: Callable[..., bytes], tmp_path: Path) -> None:
    data = make(text="no page", url=OTHER, page=PAGE, address=URL)
    (result,) = read(tmp_path, data, text_column="page", url_column="address", host="ctv.veeva.com")
    assert result.trial
    assert result.trial.source.url == URL
    (missing,) = read(tmp_path, data, text_column="pages")
    assert missing.message
    assert missing.message.startswith("expected the column 'pages' in ")
    assert missing.message.endswith(f", found text, url, page, address; {ADVICE}")


def test_a_parquet_table_without_a_known_column_lists_its_columns(tmp_path: Path) -> None:
    (result,) = read(tmp_path, make_parquet(page=[PAGE], address=[URL]))
    assert (result.outcome, result.message) == (
        "not_a_study_page",
        f"{COLUMNS} in a Parquet table, found page, address; {ADVICE}",
    )
    (result,) = read(tmp_path, make_parquet(text=[PAGE]), url_column="where")
    assert result.message == f"expected the column 'where' in a Parquet table, found text; {ADVICE}"
    (result,) = read(tmp_path, make_parquet(text=[[PAGE]]))
    assert result.message
    assert result.message.startswith("expected text in the column 'text' of a Parquet table, found list<")


def test_a_parquet_table_with_nulls_and_many_rows(tmp_path: Path) -> None:
    pages = 40 * [PAGE]
    pages[20] = None  # type: ignore[call-overload]  # it is what a table may hold
    found = outcomes(tmp_path, read(tmp_path, make_parquet(group=15, text=pages, url=39 * [URL] + [None])))
    assert [name for name, _, _ in found] == [f"!{number}" for number in range(1, 41)]
    assert [one for one in found if one[1] != "ok"] == [
        ("!21", "not_a_study_page", "expected the text of a page in 'text', found null")
    ]


def test_text_that_is_no_utf_8_is_read_as_bytes(tmp_path: Path) -> None:
    data = make_parquet(text=[PAGE.replace("Menu", "M\x01nu"), PAGE])
    first, second = read_pages(write(tmp_path, data.replace(b"M\x01nu", b"M\xffnu")))
    assert isinstance(first, Page)
    assert isinstance(second, Page)
    assert (first.body, second.body) == (PAGE.replace("Menu", "M\x01nu").encode().replace(b"\x01", b"\xff"), TEXT)


def test_a_broken_group_of_rows_costs_no_other(tmp_path: Path) -> None:
    data = bytearray(make_parquet(group=2, text=[f"{number}{PAGE * 9}" for number in range(6)]))
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    found = list(read_pages(write(tmp_path, bytes(data))))
    assert [(item.file or "").removeprefix(f"{tmp_path}/file!") for item in found] == [
        "1",
        "2",
        "rows from 3",
        "5",
        "6",
    ]
    assert isinstance(found[2], PageResult)
    assert str(found[2].message).startswith("expected a whole group of rows in a Parquet table, found a broken one: ")


def test_without_pyarrow_the_way_to_get_it_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (result,) = read(tmp_path, make_parquet(text=[PAGE]))
    assert (result.outcome, result.message) == (
        "unreadable",
        "Parquet tables need pyarrow, which is not installed: run `pip install 'trialscrape[parquet]'`",
    )


def test_without_warcio_the_way_to_get_it_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "warcio.archiveiterator", None)
    (result,) = read(tmp_path, make_warc(("response", URL, "text/html", TEXT)))
    assert (result.outcome, "trialscrape[warc]" in str(result.message)) == ("unreadable", True)


# Damage


def broken(make: Callable[..., bytes]) -> bytes:
    """Return an archive of which the second of three members does not have the bytes of its checksum."""
    data = make(("a", TEXT), ("b", b"Skewed" + TEXT), ("c", TEXT))
    assert data.count(b"Skewed") == 1
    return data.replace(b"Skewed", b"skewed")


def stored(*files: tuple[str, bytes]) -> bytes:
    return make_zip(*files, compression=zipfile.ZIP_STORED)


def piped(*files: tuple[str, bytes]) -> bytes:
    """Write a ZIP archive as into a pipe: the size of each file stands behind it."""

    class Pipe(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise OSError

    stream = Pipe()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return stream.getvalue()


THREE = ("a", TEXT), ("b", TEXT), ("c", TEXT)


def encrypted(*names: str) -> bytes:
    """Return a ZIP archive that says of some of its three members that they are encrypted."""
    data = bytearray(make_zip(("a", TEXT), ("b", TEXT), ("c", TEXT)))
    for entry in re.finditer(b"PK\x01\x02", bytes(data)):
        data[entry.start() + 8] |= chr(data[entry.start() + 46]) in names
    return bytes(data)


NO_LIST = "expected a whole ZIP archive, found one whose list at its end cannot be read (File is not a zip file): "
NESTED = make_zip(("1", make_zip(("2", make_zip(("3", make_zip(("4", TEXT))))))), ("page", TEXT))
DAMAGE = {
    "a broken member of a zip": (
        broken(stored),
        [
            ("!a", "ok", None),
            (
                "!b",
                "unreadable",
                "expected a whole file in the ZIP archive, found a broken one: Bad CRC-32 for file 'b'",
            ),
            ("!c", "ok", None),
        ],
    ),
    **{
        f"a {name} cut in its {where}": (
            data[:size],
            [
                ("!a", "ok", None),
                ("!b", "ok", None),
                *[("!c", "ok", None)] * (where == "list"),
                (
                    "",
                    "unreadable",
                    f"{NO_LIST}it is cut or broken; {2 + (where == 'list')} files that stand before the damage "
                    "were read; get it again",
                ),
            ],
        )
        for name, data in (("zip", make_zip(*THREE)), ("stored zip", stored(*THREE)), ("piped zip", piped(*THREE)))
        for where, size in (("list", len(data) - 9), ("third file", data.rindex(b"PK\x03\x04") + 100))
    },
    "nothing of a zip": (
        b"PK\x03\x04" + bytes(1000),
        [
            (
                "",
                "unreadable",
                f"{NO_LIST}it is cut or broken; 0 files that stand before the damage were read; get it again",
            )
        ],
    ),
    "an encrypted zip": (
        encrypted("a", "b", "c"),
        [
            (
                "",
                "unreadable",
                "expected a ZIP archive without a password, found 3 encrypted files, the first is 'a'; "
                "unpack it and give the files in it",
            )
        ],
    ),
    "a zip with one encrypted file": (
        encrypted("b"),
        [
            ("!a", "ok", None),
            ("!c", "ok", None),
            (
                "",
                "unreadable",
                "expected a ZIP archive without a password, found 1 encrypted file, the first is 'b'; "
                "unpack it and give the files in it",
            ),
        ],
    ),
    "an unknown compression": (
        make_zip(("a", TEXT)).replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x63\0"),
        [
            (
                "!a",
                "unreadable",
                "expected a whole file in the ZIP archive, found a broken one: "
                "That compression method is not supported",
            )
        ],
    ),
    "an empty zip": (make_zip(), [("", "not_a_study_page", "expected pages in a ZIP archive, found none")]),
    "a zip of what is skipped": (
        make_zip(("Thumbs.db", b"")),
        [("", "not_a_study_page", "expected pages in a ZIP archive, found none")],
    ),
    "an Office document": (
        make_zip(("mimetype", b""), ("[Content_Types].xml", b"")),
        [
            (
                "",
                "not_a_study_page",
                "expected a study page as text or HTML; found an Office document; save its text as a text file",
            )
        ],
    ),
    "four zips in each other": (
        NESTED,
        [
            (
                "!1!2!3",
                "too_large",
                "expected at most 3 containers inside each other, found a ZIP archive; "
                "unpack it and give the files in it",
            ),
            ("!page", "ok", None),
        ],
    ),
    "a tar cut in a member": (
        make_tar(*THREE)[:2600],
        [
            ("!a", "ok", None),
            (
                "!b",
                "unreadable",
                f"expected {len(TEXT) - (2600 - 2560):,} more bytes, found the end of the tar archive: it is cut; "
                "nothing after it can be read",
            ),
        ],
    ),
    "a tar cut after a member": (
        make_tar(*THREE)[: 2 * 2048],
        [
            ("!a", "ok", None),
            ("!b", "ok", None),
            (
                "",
                "unreadable",
                "expected the mark at the end of a tar archive, found the end of the file: it may be cut",
            ),
        ],
    ),
    "a tar cut in a head": (
        make_tar(*THREE)[: 2 * 2048 + 100],
        [
            ("!a", "ok", None),
            ("!b", "ok", None),
            (
                "",
                "unreadable",
                "expected the head of the next file in the tar archive, found a broken one; "
                "nothing after it can be read",
            ),
        ],
    ),
    "a tar with a broken head": (
        make_tar(*THREE)[:2048] + b"x" * 512 + make_tar(*THREE)[2560:],
        [
            ("!a", "ok", None),
            (
                "",
                "unreadable",
                "expected the head of the next file in the tar archive, found a broken one; "
                "nothing after it can be read",
            ),
        ],
    ),
    "two tars": (
        make_tar(("a", TEXT)) + make_tar(("b", TEXT)),
        [("!a", "ok", None), ("", "unreadable", "found bytes after the end of the tar archive; they were not read")],
    ),
    "an empty tar.gz": (
        gzip.compress(make_tar(("a/.b", b""))),
        [("", "not_a_study_page", "expected pages in a tar archive, found none")],
    ),
    "a cut parquet": (
        make_parquet(text=[PAGE])[:-9],
        [("", "unreadable", None)],
    ),
    "a cut warc": (
        make_warc(*(("response", f"{URL}-{n}", "text/html", TEXT) for n in range(2)), packed=False)[:-9],
        [(f"!{URL}-0", "ok", None), ("", "unreadable", None)],
    ),
    "a warc with a wrong length": (
        make_warc(("response", URL, "text/html", TEXT), packed=False).replace(
            b"Content-Length: 1", b"Content-Length: 9"
        ),
        [("", "unreadable", None)],
    ),
    "a cut wacz member": (
        make_wacz(("a.warc.gz", make_warc(("response", URL, "text/html", TEXT))[:-9]), ("b.warc.gz", b"WARC/1.0\r\n")),
        [
            (f"!archive/a.warc.gz!{URL}", "ok", None),
            ("!archive/a.warc.gz", "unreadable", None),
            ("!archive/b.warc.gz", "unreadable", None),
        ],
    ),
    "a store in a zip": (
        make_zip(("pages.db", b"SQLite format 3\0" + bytes(52) + b"TrlS")),
        [
            (
                "!pages.db",
                "unreadable",
                "a store can only be read from a file of its own; unpack it and give its file's name",
            )
        ],
    ),
    **{
        f"a cut {end}": (
            pack(TEXT)[:-5],
            [("", "unreadable", f"expected a whole {name} file, found one that is cut")],
        )
        for (end, pack), name in zip(PACKERS.items(), ("gzip", "bzip2", "xz", "Zstandard"), strict=True)
    },
    "a cut jsonl.gz": (
        gzip.compress(make_lines({"text": PAGE}, {"text": PAGE}))[:-5],
        [
            ("!1", "ok", None),
            ("!2", "ok", None),
            ("", "unreadable", "expected a whole gzip file, found one that is cut"),
        ],
    ),
    "a cut member": (
        make_zip(("a.gz", gzip.compress(TEXT)[:-5]), ("b", TEXT)),
        [("!a.gz", "unreadable", "expected a whole gzip file, found one that is cut"), ("!b", "ok", None)],
    ),
}


@pytest.mark.parametrize(("data", "expected"), DAMAGE.values(), ids=DAMAGE.keys())
def test_what_is_broken_is_one_outcome(
    data: bytes, expected: list[tuple[str, str, str | None]], tmp_path: Path
) -> None:
    results = read(tmp_path, data)
    found = outcomes(tmp_path, results)
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    for (_, _, message), (_, outcome, wanted) in zip(found, expected, strict=True):
        assert message == wanted or (outcome != "ok" and wanted is None and message)


@pytest.mark.parametrize("end", ["gz", "xz"])
def test_a_compressed_tar_cut_anywhere_gives_the_files_before(end: str, tmp_path: Path) -> None:
    noise = Random(end).randbytes(3000)  # noqa: S311  the same bytes in every run
    whole = PACKERS[end](make_tar(("a", TEXT), ("b", noise), ("c", TEXT), ("d", noise)))
    for size in range(60, len(whole) - 1, len(whole) // 25):
        found = [outcome for _, outcome, _ in outcomes(tmp_path, read(tmp_path, whole[:size]))]
        assert found == [*["ok", "not_a_study_page", "ok", "not_a_study_page"][: len(found) - 1], "unreadable"], size


# Limits


def test_a_bomb_of_members_is_refused_before_its_list_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "MAX_DIRECTORY", 100)
    (result,) = read(tmp_path, make_zip(*((str(number), b"") for number in range(5))))
    assert (result.outcome, result.message) == (
        "too_large",
        "expected at most 100 bytes of names in a ZIP archive, found more; unpack it and give the files in it",
    )
    data = make_zip(("a", b""))
    end = data.index(b"PK\x05\x06")
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    (result,) = read(tmp_path, data[:end] + large + struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1) + data[end:])
    assert result.outcome == "too_large"


def test_more_members_than_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MAX_MEMBERS", 2)
    found = outcomes(tmp_path, read(tmp_path, make_tar(*THREE)))
    assert found == [
        ("!a", "ok", None),
        ("!b", "ok", None),
        (
            "",
            "too_large",
            "expected at most 2 files in a tar archive, found more; unpack it and give the files in it",
        ),
    ]
    assert len(read(tmp_path, make_lines(*3 * [{"text": PAGE}]))) == 3


def test_a_large_member_is_one_outcome(tmp_path: Path) -> None:
    large = b"a line of no page\n" * 1_900_000
    for make in (make_zip, make_tar):
        found = outcomes(tmp_path, read(tmp_path, make(("a", TEXT), ("b", large), ("c", TEXT))))
        assert found == [
            ("!a", "ok", None),
            ("!b", "too_large", "expected at most 33,554,432 bytes, found more"),
            ("!c", "ok", None),
        ]


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_in_a_zip_takes_little_memory(compression: int, tmp_path: Path) -> None:
    path = write(tmp_path, make_zip(("a", bytes(200_000_000)), ("b", TEXT), compression=compression))
    tracemalloc.start()
    sizes = [len(page.body) for page in read_pages(path) if isinstance(page, Page)]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sizes == [MAX_BYTES + 1, len(TEXT)]
    assert most < 130_000_000


def test_a_bomb_of_blank_lines_in_a_zip_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "FREE_BYTES", 1_000_000)
    rows = make_lines({"text": PAGE}) + b"\n" * 5_000_000
    found = outcomes(tmp_path, read(tmp_path, make_zip(("a.jsonl", rows), ("b", TEXT), compression=zipfile.ZIP_BZIP2)))
    assert found == [
        ("!a.jsonl!1", "ok", None),
        (
            "!a.jsonl",
            "too_large",
            "the file in the ZIP archive is no file of pages: it unpacks to more than 1,000 times its size",
        ),
        ("!b", "ok", None),
    ]


def test_a_long_line_is_one_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "MAX_LINE", 100_000)
    rows = make_lines({"text": PAGE}, {"text": 70_000 * "ab"}, {"text": PAGE}, {"text": 100_001 * "a"})
    assert outcomes(tmp_path, read(tmp_path, rows)) == [
        ("!1", "ok", None),
        ("!2", "too_large", "expected at most 100,000 bytes in a line of JSON, found more"),
        ("!3", "ok", None),
        ("!4", "too_large", "expected at most 100,000 bytes in a line of JSON, found more"),
    ]


def test_a_head_of_a_tar_without_bound_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 32
    data = make_tar(("a", TEXT))[:2048] + info.tobuf(tarfile.GNU_FORMAT) + b"a" * (tars.MAX_HEAD + 5000)
    assert outcomes(tmp_path, read(tmp_path, data)) == [
        ("!a", "ok", None),
        (
            "",
            "unreadable",
            "expected a tar archive, found a head of more than 1,048,576 bytes; nothing after it can be read",
        ),
    ]


def test_a_large_zip_in_an_archive_is_not_unpacked_to_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MAX_IN_MEMORY", 1_000)
    inner = stored(("page", TEXT))
    assert outcomes(tmp_path, read(tmp_path, make_tar(("a.zip", inner), ("b", TEXT)))) == [
        (
            "!a.zip",
            "too_large",
            "a ZIP archive that does not lie on the disk by itself is read up to 1,000 bytes, found more; "
            "unpack it and give its file's name",
        ),
        ("!b", "ok", None),
    ]
    assert [result.outcome for result in read(tmp_path, inner)] == ["ok"]


def test_a_bug_costs_one_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars._Stream, "check_end", lambda _: 1 / 0)  # noqa: SLF001  a bug may be anywhere
    found = [(name, outcome) for name, outcome, _ in outcomes(tmp_path, read(tmp_path, make_tar(("a", TEXT))))]
    assert found == [("!a", "ok"), ("", "internal_error")]


HURT = [make(TEXT) for make, _ in (FILES | ROWS).values()]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(HURT),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=40)), min_size=1, max_size=4),
)
def test_any_damage_gives_pages_and_our_own_errors(
    tmp_path: Path, data: bytes, places: list[tuple[float, int, bytes]]
) -> None:
    for share, length, piece in places:
        start = int(share * len(data))
        data = data[:start] + piece + data[start + length :]
    found = list(read_pages(write(tmp_path, data)))
    assert found
    assert not [item for item in found if isinstance(item, PageResult) and item.outcome == "internal_error"]


@pytest.mark.parametrize(("make", "name"), (FILES | ROWS).values(), ids=(FILES | ROWS).keys())
def test_everything_is_read_from_stdin_too(
    make: Make, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(write(tmp_path, make(TEXT))).open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
        (result,) = trialscrape.parse_files(["-"])
    assert (result.file, result.outcome) == (f"-{name}", "ok")


def test_a_store_is_not_read_from_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(tmp_path / "pages.db").__exit__(None, None, None)
    with (tmp_path / "pages.db").open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
        (result,) = trialscrape.parse_files(["-"])
    assert (result.file, result.outcome) == ("-", "unreadable")


def test_nothing_is_written_beside_an_archive(tmp_path: Path) -> None:
    read(tmp_path, make_zip(("../up.txt", TEXT), ("/abs.txt", TEXT), ("a\\b", TEXT)))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert json.loads(RECORD)["nct_id"] == "NCT99000100"

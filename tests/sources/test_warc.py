import gzip
import importlib
import io
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import trialscrape
from support.page import PAGE
from trialscrape.errors import ArchiveError, FileError, MissingExtraError, StoreError
from trialscrape.exports.warc import export_warc
from trialscrape.page import Page
from trialscrape.sources import warc as warc_module
from trialscrape.sources.warc import ImportReport, import_warc
from trialscrape.store.store import Store

pytest.importorskip("warcio", reason="warcio is an optional part: pip install 'trialscrape[warc]'")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SITE = "https://ctv.example"
URL = f"{SITE}/study/walking-for-knee-pain"
HTML = "<!doctype html><p>Walking for knee pain, à pied — 步行</p>".encode() * 50


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "trialscrape.db") as store:
        yield store


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "other.db") as store:
        yield store


def add(store: Store, url: str, body: bytes, *ids: str, at: datetime = NOON, final_url: str | None = None) -> None:
    store.pages.add(url, Page(body, "text/html", final_url, fetched_at=at), ids=ids)


def fill(store: Store) -> None:
    first = Page(HTML, "text/html; charset=utf-8", fetched_at=NOON, etag='"1"', last_modified="a date")
    store.pages.add(URL, first, ids=["NCT99000001"])
    add(store, URL, HTML + b"changed", at=NOON + timedelta(hours=1), final_url=f"{URL}-1")
    for number in range(3):
        add(store, f"{SITE}/study/{number}", os.urandom(5000), "NCT99000002")
    store.pages.add(f"{SITE}/study/empty", Page(b"", fetched_at=NOON))
    text = Page(b"Walking for Knee Pain", "text/plain; charset=utf-8", fetched_at=NOON)
    store.pages.add(f"{SITE}/study/text", text)


# There and back


@pytest.mark.parametrize("name", ["pages.warc.gz", "pages.warc"])
def test_what_is_exported_comes_back(store: Store, other: Store, tmp_path: Path, name: str) -> None:
    fill(store)
    assert export_warc(store, tmp_path / name) == 7
    report = import_warc(other, tmp_path / name)
    assert report == ImportReport(7, 0, {"not a response": 1}, [])
    assert [(kept.url, kept.page, kept.status) for kept in other.pages.all_versions()] == [
        (kept.url, kept.page, kept.status) for kept in store.pages.all_versions()
    ]
    assert other.pages.list_ids(URL) == ("NCT99000001",)
    assert other.pages.find_matched("NCT99000001", under="") is None
    assert not (tmp_path / f"{name}.part").exists()


@pytest.mark.parametrize("name", ["pages.warc.gz", "pages.warc", "pages"])
def test_parse_reads_the_pages_of_an_archive(store: Store, tmp_path: Path, name: str) -> None:
    page = PAGE.replace("Institute for Arboreal Medicine", "Институт").encode("cp1251")
    store.pages.add(URL, Page(page, "text/html; charset=windows-1251", fetched_at=NOON))
    add(store, f"{URL}-1", b"Not found")
    export_warc(store, tmp_path / name)
    first, second = trialscrape.parse_files([tmp_path / name])
    assert (first.file, first.outcome) == (f"{tmp_path / name}!{URL}", "ok")
    assert first.trial
    assert (first.trial.sponsor, first.trial.source.url) == ("Институт", URL)
    assert (second.file, second.outcome) == (f"{tmp_path / name}!{URL}-1", "not_a_study_page")


def test_parse_reports_an_archive_that_is_damaged_or_without_study_pages(store: Store, tmp_path: Path) -> None:
    add(store, URL, PAGE.encode())
    export_warc(store, tmp_path / "pages.warc")
    whole = (tmp_path / "pages.warc").read_bytes()
    (tmp_path / "pages.warc").write_bytes(whole + whole[:-9])
    (tmp_path / "info.warc").write_bytes(whole[: whole.index(b"WARC/1.0", 9)])
    good, cut, none = trialscrape.parse_files([tmp_path / "pages.warc", tmp_path / "info.warc"])
    assert (good.outcome, cut.outcome, cut.file) == ("ok", "unreadable", str(tmp_path / "pages.warc"))
    assert "end of its last record" in str(cut.message)
    assert (none.outcome, none.message) == (
        "not_a_study_page",
        "expected study pages in a WARC file, found other records: 1 not a response",
    )


def test_the_same_store_gives_the_same_bytes(store: Store, other: Store, tmp_path: Path) -> None:
    fill(store)
    first, second, third = (tmp_path / f"{number}.warc.gz" for number in range(3))
    export_warc(store, first)
    export_warc(store, second)
    import_warc(other, first)
    export_warc(other, third)
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_what_is_imported_twice_is_known(store: Store, tmp_path: Path) -> None:
    fill(store)
    export_warc(store, tmp_path / "pages.warc.gz")
    assert import_warc(store, tmp_path / "pages.warc.gz") == ImportReport(0, 7, {"not a response": 1}, [])


def test_many_records_are_kept_some_at_a_time(store: Store, other: Store, tmp_path: Path) -> None:
    with store.transaction():
        for number in range(450):
            add(store, f"{SITE}/study/{number}", b"%d" % number)
    assert export_warc(store, tmp_path / "pages.warc.gz") == 450
    assert import_warc(other, tmp_path / "pages.warc.gz").new == 450
    assert [kept.page.body for kept in other.pages.all_latest()] == [b"%d" % number for number in range(450)]


def test_an_empty_store_gives_an_empty_archive(store: Store, tmp_path: Path) -> None:
    assert export_warc(store, tmp_path / "pages.warc.gz") == 0


def test_a_page_that_is_not_whole_in_the_store_leaves_the_old_archive(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "pages.warc.gz"
    path.write_bytes(b"old")
    fill(store)
    store.database.execute("UPDATE version SET sha256 = 'other' WHERE version_id = 3")
    with pytest.raises(StoreError, match="is not what was written"):
        export_warc(store, path)
    assert path.read_bytes() == b"old"


def test_an_archive_that_cannot_be_written_is_reported(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "none" / "pages.warc.gz"
    with pytest.raises(FileError) as caught:
        export_warc(store, path)
    assert str(caught.value) == f"cannot write {path}.part: no such file or directory"


def test_an_archive_that_is_not_there_is_reported(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "none.warc.gz"
    with pytest.raises(ArchiveError, match=r"cannot read .*: no such file or directory"):
        import_warc(store, path)


# Archives of other tools


def archive(path: Path, *records: tuple[str, str, str, dict[str, str], bytes], packed: bool = True) -> Path:
    """Write records of a kind, an address, a status, headers and a payload, as another tool would."""
    writers: Any = importlib.import_module("warcio.warcwriter")
    headers: Any = importlib.import_module("warcio.statusandheaders")
    with path.open("wb") as out:
        writer = writers.WARCWriter(out, gzip=packed)
        for kind, url, status, fields, payload in records:
            http = headers.StatusAndHeaders(status, list(fields.items()), protocol="HTTP/1.1")
            writer.write_record(
                writer.create_warc_record(
                    url,
                    kind,
                    payload=io.BytesIO(payload),
                    length=len(payload),
                    http_headers=http,
                    warc_headers_dict={"WARC-Date": "2026-03-01T12:00:00.123456Z"},
                )
            )
    return path


def response(payload: bytes = HTML, url: str = URL, **fields: str) -> tuple[str, str, str, dict[str, str], bytes]:
    headers = {"Content-Type": "text/html"} | {name.replace("_", "-"): value for name, value in fields.items()}
    return "response", url, "200 OK", headers, payload


def chunked(payload: bytes) -> bytes:
    parts = [payload[at : at + 1000] for at in range(0, len(payload), 1000)]
    return b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


FORMS = {
    "plain": response(),
    "length": response(Content_Length=str(len(HTML))),
    "chunked": response(chunked(HTML), Transfer_Encoding="chunked"),
    "chunked, undone": response(HTML, Transfer_Encoding="chunked"),
    "gzip": response(gzip.compress(HTML), Content_Encoding="gzip"),
    "gzip, undone": response(HTML, Content_Encoding="gzip", Content_Length="10"),
    "deflate": response(zlib.compress(HTML), Content_Encoding="deflate"),
    "both": response(chunked(gzip.compress(HTML)), Content_Encoding="GZIP", Transfer_Encoding="Chunked"),
    "text": response(Content_Type="Text/Plain; charset=utf-8"),
    "reached from a research site": response(url=f"{URL}?comeFrom=%7B%22type%22%3A%22site%22%7D"),
    "no type": ("response", URL, "200 OK", {}, HTML),
}


@pytest.mark.parametrize("record", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("packed", [True, False], ids=["gz", "plain"])
def test_forms_of_a_response(
    store: Store,
    tmp_path: Path,
    record: tuple[str, str, str, dict[str, str], bytes],
    packed: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    report = import_warc(store, archive(tmp_path / "other.warc.gz", record, packed=packed))
    assert report == ImportReport(1, 0, {}, [])
    kept = store.pages.latest(URL)
    assert kept is not None
    assert (kept.page.body, kept.page.fetched_at, kept.status) == (HTML, NOON, 200)


def test_one_gzip_around_all_records(store: Store, tmp_path: Path) -> None:
    path = archive(tmp_path / "other.warc", response(), response(url=f"{URL}-1"), packed=False)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert import_warc(store, path).new == 2


def test_other_records_are_counted(store: Store, tmp_path: Path) -> None:
    path = archive(
        tmp_path / "other.warc.gz",
        ("request", URL, "GET /study/walking HTTP/1.1", {}, b""),
        ("metadata", URL, "", {}, b"x"),
        response(url=f"{SITE}/about"),
        response(url="dns:ctv.example"),
        ("response", URL, "404 Not Found", {"Content-Type": "text/html"}, b"no"),
        response(Content_Type="application/pdf"),
        response(HTML, Content_Encoding="br"),
        response(),
    )
    assert import_warc(store, path) == ImportReport(
        1,
        0,
        {
            "not a response": 2,
            "address not under /study/": 2,
            "status not 200": 1,
            "neither text/html nor text/plain": 1,
            "content encoding br": 1,
        },
        [],
    )


def test_where_studies_lie_is_a_setting(store: Store, tmp_path: Path) -> None:
    path = archive(tmp_path / "other.warc.gz", response(url=f"{SITE}/trials/walking"))
    assert import_warc(store, path, study_path="/trials/").new == 1


@pytest.mark.parametrize(
    "record",
    [
        response(b"x" * 2001),
        response(gzip.compress(bytes(1_000_000)), Content_Encoding="gzip"),
    ],
    ids=["plain", "compressed"],
)
def test_a_large_page_is_skipped(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record: tuple[str, str, str, dict[str, str], bytes],
) -> None:
    monkeypatch.setattr(warc_module, "MAX_BODY", 2000)
    path = archive(tmp_path / "other.warc.gz", record, response(b"small", url=f"{URL}-1"))
    report = import_warc(store, path)
    assert (report.new, report.faults) == (1, [])
    assert list(report.skipped) == [f"larger than {20 * 1024 * 1024} bytes"]


def test_an_older_page_becomes_an_older_version(store: Store, tmp_path: Path) -> None:
    add(store, URL, b"newer", at=NOON + timedelta(days=1))
    import_warc(store, archive(tmp_path / "other.warc.gz", response()))
    assert [kept.page.body for kept in store.pages.versions(URL)] == [HTML, b"newer"]


# Damage

HALVES = {
    "shorter than its length": (
        response(HTML[:-5], Content_Length=str(len(HTML))),
        f"expected {len(HTML)} bytes, found {len(HTML) - 5}: it was cut off when it was fetched",
    ),
    "chunks without an end": (
        response(chunked(HTML)[:-5], Transfer_Encoding="chunked"),
        "expected a further chunk, found the end: it was cut off when it was fetched",
    ),
    "gzip without an end": (
        response(gzip.compress(HTML)[:-9], Content_Encoding="gzip"),
        "expected the end of the gzip data, found it cut off",
    ),
    "broken gzip": (
        response(gzip.compress(HTML)[:10] + b"\xff" * 100, Content_Encoding="gzip"),
        "expected gzip data, found: Error -3 while decompressing data: invalid block type",
    ),
}


@pytest.mark.parametrize(("record", "message"), HALVES.values(), ids=HALVES.keys())
def test_half_a_page_is_reported_and_not_kept(
    store: Store, tmp_path: Path, record: tuple[str, str, str, dict[str, str], bytes], message: str
) -> None:
    path = archive(tmp_path / "other.warc.gz", record, response(url=f"{URL}-1"))
    assert import_warc(store, path) == ImportReport(1, 0, {}, [f"{URL}: {message}: the page was not kept"])
    assert store.pages.latest(URL) is None


def test_a_page_that_its_tool_cut_off_is_skipped(store: Store, tmp_path: Path) -> None:
    path = archive(tmp_path / "other.warc", response(), packed=False)
    path.write_bytes(path.read_bytes().replace(b"WARC-Type", b"WARC-Truncated: length\r\nWARC-Type"))
    assert import_warc(store, path).skipped == {"cut off by the tool that wrote it": 1}


WRONG_DIGEST = f"{URL}: the bytes do not match their digest: the page was not kept"


def test_bytes_that_are_not_those_of_the_digest_are_reported(store: Store, tmp_path: Path) -> None:
    path = archive(tmp_path / "other.warc", response(), packed=False)
    path.write_bytes(path.read_bytes().replace(b"Walking for", b"Running for"))
    assert import_warc(store, path).faults == [WRONG_DIGEST]


def test_a_payload_that_is_not_the_one_of_its_digest_is_reported(store: Store, tmp_path: Path) -> None:
    path = archive(tmp_path / "other.warc", response(), response(url=f"{URL}-1"), packed=False)
    data = path.read_bytes()
    right = re.search(rb"WARC-Payload-Digest: sha1:([A-Z2-7]+)", data)
    assert right
    path.write_bytes(data.replace(right[1], b"A" * 32, 1))
    report = import_warc(store, path)
    assert report.faults == [WRONG_DIGEST]
    assert report.new == 1


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-01-01T00:00:00Z"])
def test_a_date_that_cannot_be_costs_one_record(store: Store, tmp_path: Path, date: str) -> None:
    path = archive(tmp_path / "other.warc", response(), response(url=f"{URL}-1"), packed=False)
    path.write_bytes(path.read_bytes().replace(b"2026-03-01T12:00:00.123456Z", date.encode(), 1))
    report = import_warc(store, path)
    (fault,) = report.faults
    assert fault.startswith(f"{URL}: expected a date")
    assert report.new == 1


@pytest.mark.parametrize(
    "head",
    [b"X" * 3_000_000, b"X: 1\r\n" * 500_000, b"WARC-Type: " + b"x" * 3_000_000 + b"\r\n\r\n"],
    ids=["no end", "many lines", "a long line"],
)
def test_a_head_without_bound_ends_the_reading_and_is_reported(store: Store, tmp_path: Path, head: bytes) -> None:
    path = archive(tmp_path / "other.warc", response(), packed=False)
    path.write_bytes(path.read_bytes() + b"WARC/1.0\r\n" + head)
    report = import_warc(store, path)
    assert report.new == 1
    (fault,) = report.faults
    assert "a head of more than 1,048,576 bytes" in fault


def test_a_record_without_its_date_is_reported(store: Store, tmp_path: Path) -> None:
    path = archive(tmp_path / "other.warc", response(), packed=False)
    path.write_bytes(path.read_bytes().replace(b"WARC-Date", b"WARC-Time"))
    (fault,) = import_warc(store, path).faults
    assert fault == f"{URL}: Invalid isoformat string: '': the page was not kept"


@pytest.mark.parametrize("name", ["pages.warc.gz", "pages.warc"])
def test_an_archive_cut_anywhere_gives_what_stands_before(tmp_path: Path, name: str, store: Store) -> None:
    fill(store)
    whole = tmp_path / name
    export_warc(store, whole)
    source = whole.read_bytes()
    bodies = [kept.page.body for kept in store.pages.all_versions()]
    heads = [source.index(b"WARC-Date", 600), source.index(b"\r\n\r\nHTTP/") + 4] if name.endswith("warc") else []
    for part in (*heads, *range(len(source) // 20, len(source) - 4, len(source) // 20)):
        cut = tmp_path / f"cut-{name}"
        cut.write_bytes(source[:part])
        with Store.open(tmp_path / f"{part}.db") as one:
            report = import_warc(one, cut)
            found = [kept.page.body for kept in one.pages.all_versions()]
        assert found == bodies[: report.new]
        assert len(report.faults) == 1
    assert len(found) >= 4


NONSENSE = {"empty": b"", "text": b"NCT99000001\n", "binary": bytes(range(256)) * 9, "gzip": gzip.compress(b"hello\n")}


@pytest.mark.parametrize("source", NONSENSE.values(), ids=NONSENSE.keys())
def test_what_is_no_archive_is_reported(
    store: Store, tmp_path: Path, source: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pages.warc.gz"
    path.write_bytes(source)
    report = import_warc(store, path)
    assert (report.new, report.known, report.skipped) == (0, 0, {})
    (fault,) = report.faults
    assert fault.startswith("expected WARC records, found")
    assert capfd.readouterr() == ("", "")


def test_an_archive_cut_in_a_record_of_no_interest_is_reported(store: Store, tmp_path: Path) -> None:
    path = archive(tmp_path / "other.warc", response(), response(url=f"{SITE}/about"), packed=False)
    path.write_bytes(path.read_bytes()[:-500])
    assert import_warc(store, path) == ImportReport(
        1,
        0,
        {"address not under /study/": 1},
        ["expected the end of a record, found the end of the file: nothing after it can be read"],
    )


def test_damage_in_the_middle_keeps_what_stands_before(store: Store, other: Store, tmp_path: Path) -> None:
    fill(store)
    path = tmp_path / "pages.warc.gz"
    export_warc(store, path)
    source = bytearray(path.read_bytes())
    middle = len(source) // 2
    source[middle : middle + 50] = bytes(50)
    path.write_bytes(source)
    report = import_warc(other, path)
    assert 2 <= report.new < 6
    assert report.faults[-1].endswith(": nothing after it can be read")


# Without warcio


def test_without_warcio_the_way_to_get_it_is_reported(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "warcio.warcwriter", None)
    monkeypatch.setitem(sys.modules, "warcio.archiveiterator", None)
    message = "this needs warcio, which is not installed: run `pip install 'trialscrape\\[warc\\]'`"
    with pytest.raises(MissingExtraError, match=message):
        export_warc(store, tmp_path / "pages.warc.gz")
    with pytest.raises(MissingExtraError, match=message):
        import_warc(store, tmp_path / "pages.warc.gz")


def test_warcio_is_imported_when_it_is_needed() -> None:
    script = "import sys, trialscrape.sources.warc; sys.exit('warcio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

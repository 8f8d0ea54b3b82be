"""The package as a reader of another tool sees it: its parts, digests and offsets, and the records in it."""

import gzip
import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

import trialscrape
from support.archives import SITE, URL
from support.page import PAGE
from trialscrape.engines import read_page
from trialscrape.exports.wacz import ARCHIVE, export_wacz, make_key
from trialscrape.page import Page
from trialscrape.sources.stores import list_pages
from trialscrape.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HTML = f"<!doctype html><title>x</title><pre>{PAGE}".encode()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "pages.db") as store:
        store.pages.add(URL, Page(b"<p>older", "text/html", fetched_at=NOON))
        store.pages.add(f"{SITE}/study/none", Page(b"no page", fetched_at=NOON))
        store.pages.add(URL, Page(HTML, "text/html; charset=utf-8", f"{URL}-1", fetched_at=NOON + timedelta(hours=1)))
        yield store


def export(store: Store, path: Path) -> int:
    pages = (replace(page, file=f"{ARCHIVE}!{page.file}") for page in list_pages(store))
    return export_wacz(store, path, map(read_page, pages))


def lines(package: zipfile.ZipFile, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in package.read(name).splitlines()]


def test_the_index_leads_to_every_record(store: Store, tmp_path: Path) -> None:
    assert export(store, tmp_path / "pages.wacz") == 3
    with zipfile.ZipFile(tmp_path / "pages.wacz") as package:
        archive, index = package.read(ARCHIVE), package.read("indexes/index.cdx").decode().splitlines()
        assert package.getinfo(ARCHIVE).compress_type == zipfile.ZIP_STORED
    assert [line.split(" ", 2)[:2] for line in index] == [
        ["com,veeva,ctv)/study/none", "20260301120000"],
        ["com,veeva,ctv)/study/tree-bathing", "20260301120000"],
        ["com,veeva,ctv)/study/tree-bathing-1", "20260301130000"],
    ]
    bodies = {}
    for line in index:
        fields = json.loads(line.split(" ", 2)[2])
        start, length = int(fields["offset"]), int(fields["length"])
        record = gzip.decompress(archive[start : start + length]).decode()
        assert record.startswith("WARC/1.0\r\n")
        assert f"WARC-Target-URI: {fields['url']}\r\n" in record
        assert f"WARC-Payload-Digest: {fields['digest']}\r\n" in record
        assert (fields["status"], fields["filename"]) == ("200", "data.warc.gz")
        bodies[fields["url"]] = (fields["mime"], record.split("\r\n\r\n", 2)[2].removesuffix("\r\n\r\n").encode())
    assert bodies == {
        URL: ("text/html", b"<p>older"),
        f"{SITE}/study/none": ("unk", b"no page"),
        f"{URL}-1": ("text/html", HTML),
    }


def test_every_part_is_listed_with_its_digest(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "pages.wacz")
    with zipfile.ZipFile(tmp_path / "pages.wacz") as package:
        listed = json.loads(package.read("datapackage.json"))
        (digest,) = lines(package, "datapackage-digest.json")
        names = [name for name in package.namelist() if not name.startswith("datapackage")]
        for resource in listed["resources"]:
            data = package.read(resource["path"])
            assert resource["name"] == resource["path"].split("/")[-1]
            assert (resource["bytes"], resource["hash"]) == (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
        assert digest == {
            "path": "datapackage.json",
            "hash": f"sha256:{hashlib.sha256(package.read('datapackage.json')).hexdigest()}",
        }
    assert [resource["path"] for resource in listed["resources"]] == names
    assert {name: listed[name] for name in ("profile", "wacz_version", "created", "mainPageUrl", "mainPageDate")} == {
        "profile": "data-package",
        "wacz_version": "1.1.1",
        "created": "2026-03-01T13:00:00Z",
        "mainPageUrl": URL,
        "mainPageDate": "2026-03-01T12:00:00Z",
    }


def test_pages_records_and_outcomes(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "pages.wacz")
    trial = trialscrape.parse(HTML)
    with zipfile.ZipFile(tmp_path / "pages.wacz") as package:
        head, *pages = lines(package, "pages/pages.jsonl")
        (record,) = lines(package, "records/trials.jsonl")
        outcomes = lines(package, "records/outcomes.jsonl")
    assert head == {"format": "json-pages-1.0", "id": "pages", "title": "All Pages", "hasText": False}
    assert pages == [
        {"id": "1", "url": URL, "ts": "2026-03-01T12:00:00Z", "title": trial.title},
        {"id": "2", "url": f"{SITE}/study/none", "ts": "2026-03-01T12:00:00Z", "title": f"{SITE}/study/none"},
        {"id": "3", "url": f"{URL}-1", "ts": "2026-03-01T13:00:00Z", "title": trial.title},
    ]
    assert (record["nct_id"], record["title"]) == (trial.nct_id, trial.title)
    assert [(row["file"], row["outcome"]) for row in outcomes] == [
        (f"{ARCHIVE}!{URL}", "ok"),
        (f"{ARCHIVE}!{SITE}/study/none", "not_a_study_page"),
    ]


def test_parse_reads_the_package_again(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "pages.wacz"
    export(store, path)
    results = list(trialscrape.parse_files([path]))
    assert [(result.file, result.outcome) for result in results] == [
        (f"{path}!{ARCHIVE}!{URL}", "not_a_study_page"),
        (f"{path}!{ARCHIVE}!{SITE}/study/none", "not_a_study_page"),
        (f"{path}!{ARCHIVE}!{URL}", "ok"),
    ]
    assert results[-1].trial
    assert results[-1].trial.source.url == f"{URL}-1"


def test_the_same_store_gives_the_same_bytes(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "a.wacz")
    export(store, tmp_path / "b.wacz")
    assert (tmp_path / "a.wacz").read_bytes() == (tmp_path / "b.wacz").read_bytes()


def test_an_empty_store_gives_an_empty_package(tmp_path: Path) -> None:
    with Store.open(tmp_path / "empty.db") as store:
        assert export(store, tmp_path / "a.wacz") == 0
    with zipfile.ZipFile(BytesIO((tmp_path / "a.wacz").read_bytes())) as package:
        assert package.read(ARCHIVE) == b""


@pytest.mark.parametrize(
    ("url", "key"),
    [
        # As the library `surt` of the Internet Archive gives them.
        ("https://ctv.veeva.com/study/Tree-Bathing?b=2&A=1", "com,veeva,ctv)/study/tree-bathing?a=1&b=2"),
        ("http://www.example.org:8080/a%20b/", "org,example:8080)/a%20b"),
        ("http://127.0.0.1:8799/study/x", "1,0,0,127:8799)/study/x"),
        ("https://example.org", "org,example)/"),
        ("https://example.org:443/", "org,example)/"),
        ("https://ctv.veeva.com/study/ü?", "com,veeva,ctv)/study/%c3%bc"),
        ("https://ctv.veeva.com/study/a/", "com,veeva,ctv)/study/a"),
        ("https://ctv.veeva.com/study/a?comeFrom=%7B%22x%22%7D", 'com,veeva,ctv)/study/a?comefrom={"x"}'),
    ],
)
def test_keys(url: str, key: str) -> None:
    assert make_key(url) == key

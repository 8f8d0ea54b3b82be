"""The store as a WACZ package (1.1.1): pages that a browser replays, with their records and outcomes, in one file.

    archive/data.warc.gz       every version of every page
    indexes/index.cdx          where each of them begins in it
    pages/pages.jsonl          the list of pages that a replay shows
    records/trials.jsonl       the records of the latest versions
    records/outcomes.jsonl     what became of each of these
    datapackage.json           all of that with its SHA-256, and datapackage-digest.json with that of this list

This needs warcio, an optional part of the installation; it is imported when a function is called, not before.
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from trialscrape.exports.files import atomic_write
from trialscrape.exports.jsonl import format_record, format_result
from trialscrape.exports.warc import make_records
from trialscrape.results import PageResult
from trialscrape.sources.warc import load_warcio
from trialscrape.store.database import format_time
from trialscrape.store.store import Store

WACZ_VERSION = "1.1.1"
ARCHIVE = "archive/data.warc.gz"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PORTS = {"http": 80, "https": 443}
_WWW = re.compile(r"www\d*\.")
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "#%")


class _Entry(NamedTuple):
    """A version of a page: its line of the index, and that of the list of pages."""

    line: str
    address: str
    page: dict[str, object]


def export_wacz(store: Store, path: str | os.PathLike[str], results: Iterable[PageResult]) -> int:
    """Write every version of every page in a store, with the records of the latest ones, as a WACZ package.

    The same store gives the same bytes. The file appears under its name when it is whole.

    Args:
        store: What to write.
        path: The file.
        results: What became of the latest version of each page, in the order of the store.

    Returns:
        How many pages were written.

    Raises:
        MissingExtraError: warcio is not installed.
        FileError: The file cannot be written.
        StoreError: The store cannot be read.
    """
    load_warcio("warcwriter")
    with atomic_write(Path(path)) as out, zipfile.ZipFile(out, "w") as package:
        resources: list[dict[str, object]] = []
        with _open_resource(package, resources, ARCHIVE, packed=False) as stream:
            entries = list(_write_pages(store, stream))
        with _open_resource(package, resources, "indexes/index.cdx") as stream:
            for line in sorted(entry.line for entry in entries):
                stream.write(f"{line}\n".encode())
        titles = _write_records(package, resources, results)
        with _open_resource(package, resources, "pages/pages.jsonl") as stream:
            head = {"format": "json-pages-1.0", "id": "pages", "title": "All Pages", "hasText": False}
            stream.write(_format_json(head) + b"\n")
            for entry in entries:
                title = titles.get(f"{ARCHIVE}!{entry.address}") or entry.address
                stream.write(_format_json(entry.page | {"title": title}) + b"\n")
        _write_page_list(package, resources, entries)
    return len(entries)


class _Resource:
    """A file of the package while it is written."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401  what zipfile opens has no public class
        self._stream = stream
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        self._stream.write(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: warcio calls it after each record, and a part of a package is written as a whole."""


@contextmanager
def _open_resource(
    package: zipfile.ZipFile, resources: list[dict[str, object]], name: str, *, packed: bool = True
) -> Iterator[_Resource]:
    # Without a time of its own, so that the same store gives the same bytes. A replay reads single records out of the
    # archive, so that must not be compressed once more.
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with package.open(info, "w", force_zip64=True) as stream:
        resource = _Resource(stream)
        yield resource
    resources.append(
        {
            "name": name.rpartition("/")[2],
            "path": name,
            "hash": f"sha256:{resource.digest.hexdigest()}",
            "bytes": resource.size,
        }
    )


def _write_pages(store: Store, stream: _Resource) -> Iterator[_Entry]:
    writer = load_warcio("warcwriter").WARCWriter(stream, gzip=True)
    for kept, record in make_records(store, writer):
        start = stream.size
        writer.write_record(record)
        if kept is None:
            continue
        url = record.rec_headers.get_header("WARC-Target-URI")
        fetched_at = (kept.page.fetched_at or _EPOCH).astimezone(UTC)
        fields = {
            "url": url,
            "mime": (kept.page.content_type or "").partition(";")[0].strip() or "unk",
            "status": str(kept.status),
            "digest": record.rec_headers.get_header("WARC-Payload-Digest"),
            "length": str(stream.size - start),
            "offset": str(start),
            "filename": ARCHIVE.rpartition("/")[2],
        }
        line = f"{make_key(url)} {fetched_at:%Y%m%d%H%M%S} {_format_json(fields).decode()}"
        page = {"id": str(kept.version_id), "url": url, "ts": fetched_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        yield _Entry(line, kept.url, page)


def make_key(url: str) -> str:
    """Return what an index sorts an address by: `com,example)/path?query` in lower case (SURT)."""
    parts = urlsplit(url)
    host = ",".join(reversed(_WWW.sub("", (parts.hostname or "").lower(), count=1).split(".")))
    port = f":{parts.port}" if parts.port and parts.port != _PORTS.get(parts.scheme) else ""
    path = quote(unquote(parts.path), safe=_PLAIN).rstrip("/") or "/"
    query = "&".join(sorted(quote(unquote(parts.query), safe=_PLAIN).lower().split("&")))
    return f"{host}{port}){path.lower()}{'?' if query else ''}{query}"


def _write_records(
    package: zipfile.ZipFile, resources: list[dict[str, object]], results: Iterable[PageResult]
) -> dict[str, str]:
    """Write records and outcomes; return the titles by the names of the pages.

    A ZIP archive is written one file after the other, so the outcomes wait in memory: 200 bytes each.
    """
    outcomes: list[bytes] = []
    titles: dict[str, str] = {}
    with _open_resource(package, resources, "records/trials.jsonl") as stream:
        for result in results:
            outcomes.append(format_result(result))
            if result.trial:
                stream.write(format_record(result.trial) + b"\n")
                titles[result.file] = result.trial.title or ""
    with _open_resource(package, resources, "records/outcomes.jsonl") as stream:
        for line in outcomes:
            stream.write(line + b"\n")
    return titles


def _write_page_list(package: zipfile.ZipFile, resources: list[dict[str, object]], entries: list[_Entry]) -> None:
    times = [str(entry.page["ts"]) for entry in entries]
    main = {"mainPageUrl": entries[0].page["url"], "mainPageDate": times[0]} if entries else {}
    listed = {
        "profile": "data-package",
        "wacz_version": WACZ_VERSION,
        "title": "Study pages and their records",
        "created": max(times, default=format_time(_EPOCH)),
        "software": f"trialscrape/{version('trialscrape')}",
        **main,
        "resources": resources,
    }
    data = json.dumps(listed, indent=2).encode()
    digest = {"path": "datapackage.json", "hash": f"sha256:{hashlib.sha256(data).hexdigest()}"}
    for name, content in (("datapackage.json", data), ("datapackage-digest.json", _format_json(digest))):
        package.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _format_json(fields: dict[str, object] | dict[str, str]) -> bytes:
    return json.dumps(fields).encode()

"""The store's pages as a WARC file, so that other tools can read what was fetched.

This needs warcio, an optional part of the installation; it is imported when a function is called, not before.
"""

import io
import os
import re
import uuid
from collections.abc import Iterator
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trialscrape.exports.files import atomic_write
from trialscrape.sources.warc import IDS_HEADER, REQUESTED_HEADER, load_warcio
from trialscrape.store.database import format_time
from trialscrape.store.pages import PageVersion
from trialscrape.store.store import Store

_BREAKS = re.compile(r"[\r\n]+")


def export_warc(store: Store, path: str | os.PathLike[str]) -> int:
    """Write every version of every page in a store as WARC 1.0 response records.

    The same store gives the same bytes. The file appears under its name when it is whole. The ids that a
    page was fetched for, and the address that redirected to it, are in header fields that other tools ignore.

    Args:
        store: What to write.
        path: The file; a name that ends in `.gz` compresses each record.

    Returns:
        How many pages were written.

    Raises:
        MissingExtraError: warcio is not installed.
        FileError: The file cannot be written.
        StoreError: The store cannot be read.
    """
    writers = load_warcio("warcwriter")
    path = Path(path)
    count = 0
    with atomic_write(path) as out:
        writer = writers.WARCWriter(out, gzip=path.name.endswith(".gz"))
        for kept, record in make_records(store, writer):
            writer.write_record(record)
            count += kept is not None
    return count


def make_records(store: Store, writer: Any) -> Iterator[tuple[PageVersion | None, Any]]:  # noqa: ANN401  # warcio has no types
    """Make the records of a file, to be written one after the other: what wrote it, and each version of each page.

    Yields:
        A version of a page with its record; the first record is of no page.
    """
    for number, kept in enumerate(store.pages.all_versions()):
        if not number:
            yield None, _make_info(writer, kept)
        yield kept, _make_response(writer, kept, store.pages.list_ids(kept.url))


def _make_info(writer: Any, first: PageVersion) -> Any:  # noqa: ANN401  # warcio has no types
    """Make the first record, which says what wrote the file."""
    software = {"software": f"trialscrape/{version('trialscrape')}", "format": "WARC File Format 1.0"}
    record = writer.create_warcinfo_record(None, software)
    record.rec_headers.replace_header("WARC-Date", format_time(first.page.fetched_at))
    record.rec_headers.replace_header("WARC-Record-ID", _name_record("warcinfo", first))
    return record


def _make_response(writer: Any, kept: PageVersion, ids: tuple[str, ...]) -> Any:  # noqa: ANN401  # warcio has no types
    """Make the response record of a page."""
    page = kept.page
    final_url = page.url or kept.url
    headers = {
        "Content-Type": page.content_type,
        "ETag": page.etag,
        "Last-Modified": page.last_modified,
        "Content-Length": str(len(page.body)),
    }
    own_headers = {
        IDS_HEADER: " ".join(ids),
        REQUESTED_HEADER: kept.url if kept.url != final_url else "",
    }
    reason = HTTPStatus(kept.status).phrase if kept.status in set(HTTPStatus) else ""
    http = load_warcio("statusandheaders").StatusAndHeaders(
        f"{kept.status} {reason}",
        [(name, _BREAKS.sub(" ", value)) for name, value in headers.items() if value],
        protocol="HTTP/1.1",
    )
    return writer.create_warc_record(
        _BREAKS.sub("", final_url),
        "response",
        payload=io.BytesIO(page.body),
        length=len(page.body),
        http_headers=http,
        warc_headers_dict={
            "WARC-Record-ID": _name_record("response", kept),
            "WARC-Date": format_time(page.fetched_at),
            **{name: _BREAKS.sub("", value) for name, value in own_headers.items() if value},
        },
    )


def _name_record(kind: str, kept: PageVersion) -> str:
    """Name a record by what it holds, so that the same store gives the same bytes."""
    text = f"{kind} {kept.url} {format_time(kept.page.fetched_at)} {kept.version_id} {kept.sha256}"
    return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}>"

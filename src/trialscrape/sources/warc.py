"""The store's pages as WARC, and back, so that other tools can read what was fetched and we what they fetched.

This needs warcio, an optional part of the installation; it is imported when a function is called, not before.
"""

import gzip
import importlib
import io
import os
import re
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from trialscrape.errors import TrialscrapeError
from trialscrape.exports.files import atomic_write
from trialscrape.scraping.sitemap import slug_of
from trialscrape.store.store import Fetched, Page, Store, StoreError

MAX_BODY = 20 * 1024 * 1024
"""Bytes of a page that are read, decompressed."""

MAX_HEAD = 1024 * 1024
"""Bytes between two bodies: the head of a record, and of the answer in it."""

_CLOCK_ERROR = timedelta(days=1)
_IDS = "X-Trialscrape-Ids"
_ASKED = "X-Trialscrape-Asked"
_NCT_ID = re.compile("NCT[0-9]{8}")
_BREAKS = re.compile(r"[\r\n]+")
_GZIP = b"\x1f\x8b"
_ZLIB = b"\x78"
_KINDS = ("text/html", "text/plain")  # a saved page may be the text of one
_ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_TOO_LARGE = f"larger than {MAX_BODY} bytes"
_NO_MORE = ": nothing behind it can be read"
_BATCH = 200
"""Records of an archive that are kept by one transaction."""


class MissingWarcioError(TrialscrapeError):
    """The optional part for WARC is not installed."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an archive brought.

    Attributes:
        new: Pages, or versions of them, that the store did not have.
        known: Pages that it had.
        skipped: Records that are no study page, counted by the reason.
        faults: What is damaged, and where; a fault that nothing behind it can be read is the last.

    """

    new: int
    known: int
    skipped: Mapping[str, int]
    faults: tuple[str, ...]


def export_warc(store: Store, path: str | os.PathLike[str]) -> int:
    """Write every version of every page in a store as WARC 1.0 response records.

    The same store gives the same bytes. The file appears under its name when it is whole. Ids that a page was fetched
    for and an address that redirected to the page's own are kept in header fields of our own, which other tools pass
    over.

    Args:
        store: What to write.
        path: The file; a name that ends in `.gz` compresses each record.

    Returns:
        How many pages were written.

    Raises:
        MissingWarcioError: If warcio is not installed.
        FileError: If the file cannot be written.
        StoreError: If the store cannot be read.

    """
    writers = _warcio("warcwriter")
    path = Path(path)
    count = 0
    with atomic_write(path) as out:
        writer = writers.WARCWriter(out, gzip=path.name.endswith(".gz"))
        for page in store.all_versions():
            if not count:
                writer.write_record(_info(writer, page))
            writer.write_record(_record(writer, page, store.ids_of(page.url)))
            count += 1
    return count


def import_warc(store: Store, path: str | os.PathLike[str], *, study_path: str = "/study/") -> ImportReport:
    """Read the study pages of a WARC file of any tool into a store.

    Taken are response records with status 200, `text/html` or `text/plain`, and an address under `study_path`. What is
    older than a page in the store becomes an older version of it. Ids come without a match, for the archive is no
    proof. Of a file that is damaged, what stands before the damage is kept.

    Args:
        store: Where to.
        path: The file, plain or gzip.
        study_path: What the path of a study page begins with.

    Raises:
        MissingWarcioError: If warcio is not installed.
        StoreError: If the file cannot be opened or the store cannot be written.

    """
    iterators = _warcio("archiveiterator")
    path = Path(path)
    reading = _Reading(store, study_path)
    with _translated(path), path.open("rb") as file, redirect_stderr(io.StringIO()):  # warcio writes to it
        source = _Source(file)
        archive = iterators.ArchiveIterator(source, check_digests=True)
        archive.reader.readline = reading.bound_heads(archive.reader.readline)
        while reading.take_some(iter(archive)):
            pass
        reading.see_the_end(archive.offset, source.tell())
    return ImportReport(reading.new, reading.known, dict(sorted(reading.skipped.items())), tuple(reading.faults))


@dataclass
class _Reading:
    """One reading of an archive, and what it has counted so far."""

    store: Store
    study_path: str
    new: int = 0
    known: int = 0
    records: int = 0
    head: int = 0
    last: Any = None
    skipped: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def bound_heads(self, readline: Callable[..., bytes]) -> Callable[..., bytes]:
        """Bound what stands between two bodies: warcio reads and keeps all of it, however long."""

        def bounded(length: int | None = None) -> bytes:
            line = readline(min(length or MAX_HEAD, MAX_HEAD))
            self.head += len(line)
            if self.head > MAX_HEAD:
                raise _CutOffError(f"a head of more than {MAX_HEAD:,} bytes")
            return line

        return bounded

    def take_some(self, records: Iterator[Any]) -> bool:
        """Take some records as one transaction; says whether there may be more."""
        before = self.records
        with self.store.transaction():
            try:
                for record in islice(records, _BATCH):
                    self.records += 1
                    self.head = 0
                    self.last = record
                    self._take(record)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001  # warcio raises what a damaged record makes Python raise
                found = " ".join(str(error).split())[:200]
                self.faults.append(f"expected WARC records, found: {found}{_NO_MORE}")
                return False
        return self.records - before == _BATCH

    def see_the_end(self, last: int, end: int) -> None:
        """Note a file that ends where no record does: warcio takes a head that is cut off for the end."""
        if self.faults and self.faults[-1].endswith(_NO_MORE):
            return
        if not self.records:
            self.faults.append("expected WARC records, found none")
        elif last != end or self.last.raw_stream.limit:
            self.faults.append(f"expected the end of a record, found the end of the file{_NO_MORE}")

    def _take(self, record: Any) -> None:  # noqa: ANN401  # warcio has no types
        """Keep a record's page if it is one of ours, or count why not."""
        if record.format == "warc" and not record.rec_headers.get_header("Content-Length"):
            raise _CutOffError("a record without its Content-Length")
        url = record.rec_headers.get_header("WARC-Target-URI") or ""
        if reason := _unwanted(record, url, self.study_path):
            self.skipped[reason] += 1
            return
        try:
            fetched = _fetched(record, url, self.study_path)
        except _Unfit as error:
            self.skipped[str(error)] += 1
        except ValueError as error:
            self.faults.append(f"{url}: {error}: the page was not kept")
        else:
            added = self.store.add_page(fetched, ids=_ids(record), historic=True)
            self.new += added.is_new
            self.known += not added.is_new


class _Unfit(Exception):  # it carries the reason to skip a record and never leaves this module
    """The record is whole, but its page is not one to keep."""


class _CutOffError(Exception):
    """The archive ends in the middle of something."""


class _Source:
    """The bytes of an archive without their gzip, in the form in which warcio reads them.

    warcio passes over gzip data that is cut off or broken; here both are errors.
    """

    def __init__(self, file: BinaryIO) -> None:
        start = file.read(len(_GZIP))
        file.seek(0)
        self._file: Any = gzip.GzipFile(fileobj=file) if start == _GZIP else file

    def read(self, size: int = -1) -> bytes:
        try:
            return bytes(self._file.read1(size))
        except EOFError as error:  # to warcio this would be the end of a whole file
            raise _CutOffError("the gzip data is cut off") from error

    def tell(self) -> int:
        return int(self._file.tell())


def _unwanted(record: Any, url: str, study_path: str) -> str | None:  # noqa: ANN401  # warcio has no types
    """Give the reason to skip a record, or None."""
    if record.rec_type != "response":
        return "not a response"
    if slug_of(url, study_path) is None:
        return f"address not under {study_path}"
    if record.http_headers is None or record.http_headers.get_statuscode() != "200":
        return "status not 200"
    kind = record.http_headers.get_header("Content-Type", "text/html").partition(";")[0].strip().lower()
    return None if kind in _KINDS else "neither text/html nor text/plain"


def _fetched(record: Any, url: str, study_path: str) -> Fetched:  # noqa: ANN401  # warcio has no types
    """Give the page of a record.

    Raises:
        _Unfit: If it is one to skip.
        ValueError: If it is damaged.
        _CutOffError: If the archive ends in the middle of it.

    """
    headers = record.http_headers
    body = _decoded(_dechunked(_payload(record), headers), headers.get_header("Content-Encoding", ""))
    asked = record.rec_headers.get_header(_ASKED) or url
    return Fetched(
        url=asked if slug_of(asked, study_path) else url,
        final_url=url,
        fetched_at=_date(record.rec_headers.get_header("WARC-Date") or ""),
        status=HTTPStatus.OK,
        body=body,
        etag=headers.get_header("ETag"),
        last_modified=headers.get_header("Last-Modified"),
        content_type=headers.get_header("Content-Type"),
    )


def _date(text: str) -> datetime:
    """Read the time of a record; one of the future would count as young for years."""
    date = datetime.fromisoformat(text)
    try:
        date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"expected a date, found {text!r}") from None
    if date > datetime.now(UTC) + _CLOCK_ERROR:
        raise ValueError(f"expected a date that is past, found {text!r}")
    return date


def _payload(record: Any) -> bytes:  # noqa: ANN401  # warcio has no types
    """Read the bytes behind a record's HTTP header, and see that they are all of them."""
    if record.rec_headers.get_header("WARC-Truncated"):
        raise _Unfit("cut off by the tool that wrote it")
    payload = bytes(record.raw_stream.read(MAX_BODY + 1))
    if len(payload) > MAX_BODY:
        raise _Unfit(_TOO_LARGE)
    if record.raw_stream.limit:
        raise _CutOffError(f"the end of the file {record.raw_stream.limit} bytes before the end of its last record")
    # Tools do not agree on whether the payload of a chunked answer is taken before or after the chunks are joined.
    digests = ["block digest failed"] + ["payload digest failed"] * (not _is_chunked(record.http_headers))
    if any(digest in problem for problem in record.digest_checker.problems for digest in digests):
        raise ValueError("expected the bytes that its digest tells of, found others")
    length = record.http_headers.get_header("Content-Length", "")
    if length.isdecimal() and len(payload) < int(length):
        raise ValueError(f"expected {length} bytes, found {len(payload)}: it was cut off when it was fetched")
    return payload


def _dechunked(payload: bytes, headers: Any) -> bytes:  # noqa: ANN401  # warcio has no types
    """Undo the chunked transfer encoding; many tools have done so and left the header."""
    if not _is_chunked(headers) or not _CHUNK.match(payload):
        return payload
    parts: list[bytes] = []
    place = 0
    while size := _CHUNK.match(payload, place):
        end = size.end() + int(size[1], 16)
        if end == size.end():
            return b"".join(parts)
        parts.append(payload[size.end() : end])
        place = end + len(b"\r\n")
    raise ValueError("expected a further chunk, found the end: it was cut off when it was fetched")


def _is_chunked(headers: Any) -> bool:  # noqa: ANN401  # warcio has no types
    return "chunked" in headers.get_header("Transfer-Encoding", "").lower()


def _decoded(payload: bytes, encoding: str) -> bytes:
    """Undo the content encoding, bounded; many tools have done so and left the header."""
    encoding = encoding.strip().lower()
    if encoding not in _ENCODINGS:
        raise _Unfit(f"content encoding {encoding[:20]}")
    if encoding.endswith("gzip") and payload.startswith(_GZIP):
        decoder = zlib.decompressobj(wbits=31)
    elif encoding == "deflate" and payload.startswith(_ZLIB):
        decoder = zlib.decompressobj()
    else:
        return payload
    try:
        body = decoder.decompress(payload, MAX_BODY + 1)
    except zlib.error as error:
        raise ValueError(f"expected {encoding} data, found: {error}") from error
    if len(body) > MAX_BODY:
        raise _Unfit(_TOO_LARGE)
    if not decoder.eof:
        raise ValueError(f"expected the end of the {encoding} data, found it cut off")
    return body


def _ids(record: Any) -> list[str]:  # noqa: ANN401  # warcio has no types
    return _NCT_ID.findall(record.rec_headers.get_header(_IDS) or "")


def _info(writer: Any, page: Page) -> Any:  # noqa: ANN401  # warcio has no types
    """Make the record that stands first and tells what wrote the file."""
    told = {"software": f"trialscrape/{version('trialscrape')}", "format": "WARC File Format 1.0"}
    record = writer.create_warcinfo_record(None, told)
    record.rec_headers.replace_header("WARC-Date", _warc_date(page))
    record.rec_headers.replace_header("WARC-Record-ID", _record_id("warcinfo", page))
    return record


def _record(writer: Any, page: Page, ids: tuple[str, ...]) -> Any:  # noqa: ANN401  # warcio has no types
    """Make the response record of a page."""
    headers = {
        "Content-Type": page.content_type,
        "ETag": page.etag,
        "Last-Modified": page.last_modified,
        "Content-Length": str(len(page.body)),
    }
    ours = {_IDS: " ".join(ids), _ASKED: page.url if page.url != page.final_url else ""}
    reason = HTTPStatus(page.status).phrase if page.status in set(HTTPStatus) else ""
    http = _warcio("statusandheaders").StatusAndHeaders(
        f"{page.status} {reason}",
        [(name, _BREAKS.sub(" ", value)) for name, value in headers.items() if value],
        protocol="HTTP/1.1",
    )
    return writer.create_warc_record(
        _BREAKS.sub("", page.final_url),
        "response",
        payload=io.BytesIO(page.body),
        length=len(page.body),
        http_headers=http,
        warc_headers_dict={
            "WARC-Record-ID": _record_id("response", page),
            "WARC-Date": _warc_date(page),
            **{name: _BREAKS.sub("", value) for name, value in ours.items() if value},
        },
    )


def _record_id(kind: str, page: Page) -> str:
    """Name a record by what it holds, so that the same store gives the same bytes."""
    text = f"{kind} {page.url} {_warc_date(page)} {page.version_id} {page.sha256}"
    return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}>"


def _warc_date(page: Page) -> str:
    return page.fetched_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _warcio(module: str) -> ModuleType:
    try:
        return importlib.import_module(f"warcio.{module}")
    except ModuleNotFoundError as error:
        raise MissingWarcioError(
            "WARC files need warcio, which is not installed: give `pip install 'trialscrape[warc]'`"
        ) from error


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what the system reports about an archive into a `StoreError`."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path}: it cannot be read: {error.strerror or error}: see to the file and its folder, then give the"
            " same command again"
        ) from error

"""WARC files of any tool: their study pages, and how these come into a store.

This needs warcio, an optional part of the installation; it is imported when a function is called, not before.
"""

import io
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from trialscrape.compression import GZIP, WINDOWS, decompress, take
from trialscrape.errors import (
    ArchiveError,
    IncompleteBody,
    MissingExtraError,
    NotAStudyPage,
    Unreadable,
)
from trialscrape.extras import load_extra
from trialscrape.page import Page
from trialscrape.results import Outcome
from trialscrape.slugs import extract_slug
from trialscrape.sources.members import (
    OTHER_SITES,
    REVISITS,
    SKIPPED,
    ByteStream,
    Item,
    Selection,
    read_file,
    unpack_source,
)
from trialscrape.store.store import Store

MAX_BODY = 20 * 1024 * 1024
"""Bytes of a page that are read, decompressed."""
MAX_HEAD = 1024 * 1024
"""Bytes between two bodies: the head of a record, and of the answer in it."""
IDS_HEADER = "X-Trialscrape-Ids"
"""Names the ids that a page was fetched for."""
REQUESTED_HEADER = "X-Trialscrape-Asked"
"""Names the address that redirected to the page's own."""

_CLOCK_ERROR = timedelta(days=1)
_NCT_ID = re.compile("NCT[0-9]{8}")
_GZIP = b"\x1f\x8b"
_ZLIB = b"\x78"
_KINDS = ("text/html", "text/plain")  # a saved page may be the text of one
_ENCODINGS = ("", "identity", *WINDOWS)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_TOO_LARGE = f"larger than {MAX_BODY} bytes"
_NO_MORE = ": nothing after it can be read"
_MOST_FAULTS = 5  # that a message names
_RESPONSES = ("response",)
_PAGE_KINDS = ("response", "resource", "conversion")
_NO_RESPONSE, _REVISIT = "not a response", "a revisit of a page that is not in it"
_BATCH = 200
"""Records of an archive that are kept by one transaction."""


class ArchivedPage(NamedTuple):
    """A study page of an archive, the address that was requested, and the ids that it was fetched for."""

    url: str
    page: Page
    ids: tuple[str, ...]


@dataclass
class ImportReport:
    """What an import found in an archive.

    Attributes:
        new: Pages, or versions of them, that the store did not have.
        known: Pages that it had.
        skipped: Records that are no study page, counted by the reason.
        faults: What is damaged, and where; a fault after which nothing can be read is the last.
    """

    new: int = 0
    known: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def import_warc(store: Store, path: str | os.PathLike[str], *, study_path: str = "/study/") -> ImportReport:
    """Read the study pages of a WARC file into a store.

    What is older than a page in the store becomes an older version of it. Ids come without a match, for the archive is
    no proof. Of a file that is damaged, what stands before the damage is kept.

    Raises:
        MissingExtraError: warcio is not installed.
        ArchiveError: The file cannot be opened.
        StoreError: The store cannot be written.
    """
    load_warcio("archiveiterator")
    report = ImportReport()
    try:
        file = Path(path).open("rb")  # noqa: SIM115  # it is closed below
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    with file:
        source = read_file(file)
        if source.peek().startswith(_GZIP):
            source = unpack_source(source, GZIP)
        pages = read_warc(source, report, Selection(study_path=study_path))
        more = True
        while more:
            more = False
            with store.transaction():
                for url, page, ids in islice(pages, _BATCH):
                    more = True
                    is_new = store.pages.add(url, page, ids=ids, historic=True).outcome is not Outcome.UNCHANGED
                    report.new += is_new
                    report.known += not is_new
    return report


def read_warc(
    source: ByteStream, report: ImportReport, selection: Selection, *, kinds: Container[str] = _RESPONSES
) -> Iterator[ArchivedPage]:
    """Read the study pages of a WARC file of any tool.

    These are records of some kinds with status 200 or none, `text/html` or `text/plain`, and an address that is wanted.

    Args:
        source: The bytes of the file, without gzip.
        report: Takes the other records and the faults.
        selection: Which addresses are wanted.
        kinds: The kinds of records.

    Raises:
        MissingExtraError: warcio is not installed.
    """
    iterators = load_warcio("archiveiterator")
    record = None
    try:
        archive = iterators.ArchiveIterator(source, check_digests=True)
        archive.reader.readline = head = _BoundedHead(archive.reader.readline)
        while following := _next_record(archive):
            record, head.length = following, 0
            if page := _read_record(record, selection, kinds, report):
                yield page
    except Exception as error:  # noqa: BLE001  # warcio raises what a damaged record makes Python raise
        # What Python says of warcio's own code tells a user nothing.
        is_python = isinstance(error, AttributeError | TypeError | LookupError)
        reason = "a damaged record" if is_python else " ".join(str(error).split())[:200]
        report.faults.append(f"expected WARC records, found: {reason}{_NO_MORE}")
        return
    if source.error:
        report.faults.append(f"{source.error}{_NO_MORE}")
    elif record is None:
        report.faults.append("expected WARC records, found none")
    # warcio takes a head that is cut off for the end.
    elif archive.offset != source.tell() or record.raw_stream.limit:
        report.faults.append(f"expected the end of a record, found the end of the file{_NO_MORE}")


def read_archive(source: ByteStream, selection: Selection) -> Iterator[Item]:
    """Read the study pages of a WARC file, each with its address; other records are no study pages.

    Records `response`, `resource` and `conversion` (of WET files) may be pages.

    Raises:
        NotAStudyPage: There is none, and no record of another site.
        Unreadable: The file is damaged; this comes after all pages that can be read.
    """
    report, empty = ImportReport(), True
    try:
        for archived in read_warc(source, report, selection, kinds=_PAGE_KINDS):
            empty = False
            yield replace(archived.page, file=archived.url)
    except MissingExtraError as error:
        raise Unreadable(str(error)) from error
    counts = Counter(report.skipped)
    for reason, name in ((OTHER_SITES, OTHER_SITES), (_REVISIT, REVISITS)):
        selection.left_out[name] += counts[reason]
    selection.left_out[SKIPPED] += sum(
        counts[reason] for reason in counts.keys() - {OTHER_SITES, _REVISIT, _NO_RESPONSE}
    )
    if report.faults:
        raise Unreadable("; ".join(report.faults[:_MOST_FAULTS]))
    if empty and not counts[OTHER_SITES]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(report.skipped.items()))
        raise NotAStudyPage(f"expected study pages in a WARC file, found other records: {reasons}")


def load_warcio(module: str) -> ModuleType:
    """Import a module of warcio."""
    return load_extra(f"warcio.{module}", "warc")


def _next_record(archive: Iterator[Any]) -> Any:  # noqa: ANN401  # warcio has no types
    with redirect_stderr(io.StringIO()):  # warcio writes to it
        return next(archive, None)


def _read_record(
    record: Any,  # noqa: ANN401  # warcio has no types
    selection: Selection,
    kinds: Container[str],
    report: ImportReport,
) -> ArchivedPage | None:
    """Read a record's page, or report why it has none."""
    if record.format == "warc" and not record.rec_headers.get_header("Content-Length"):
        raise _CutOffError("a record without its Content-Length")
    url = record.rec_headers.get_header("WARC-Target-URI") or ""
    try:
        _check_kind(record, url, selection, kinds)
        return _extract_page(record, url, selection.study_path)
    except _SkipRecord as error:
        report.skipped[str(error)] = report.skipped.get(str(error), 0) + 1
    except ValueError as error:
        report.faults.append(f"{url}: {error}: the page was not kept")
    return None


class _BoundedHead:
    """Reads the lines between two bodies up to a limit: warcio reads and keeps all of them, however long."""

    def __init__(self, readline: Callable[..., bytes]) -> None:
        self._readline = readline
        self.length = 0

    def __call__(self, length: int | None = None) -> bytes:
        line = self._readline(min(length or MAX_HEAD, MAX_HEAD))
        self.length += len(line)
        if self.length > MAX_HEAD:
            raise _CutOffError(f"a head of more than {MAX_HEAD:,} bytes")
        return line


class _SkipRecord(Exception):  # it carries the reason to skip a record and never leaves this module
    """The record is whole, but has no page to keep."""


class _CutOffError(Exception):
    """The archive ends in the middle of something."""


def _check_kind(
    record: Any,  # noqa: ANN401  # warcio has no types
    url: str,
    selection: Selection,
    kinds: Container[str],
) -> None:
    """Refuse a record that is no study page that is wanted."""
    if record.rec_type not in kinds:
        raise _SkipRecord(_REVISIT if record.rec_type == "revisit" else _NO_RESPONSE)
    if not selection.is_of_site(url):
        raise _SkipRecord(OTHER_SITES)
    if extract_slug(url, selection.study_path) is None:
        raise _SkipRecord(f"address not under {selection.study_path}")
    http = record.http_headers
    if http is None and record.rec_type == "response":
        raise _SkipRecord("status not 200")
    if http is not None and http.get_statuscode() != "200":
        raise _SkipRecord("status not 200")
    if (_get_content_type(record) or "text/html").partition(";")[0].strip().lower() not in _KINDS:
        raise _SkipRecord("neither text/html nor text/plain")


def _get_content_type(record: Any) -> str | None:  # noqa: ANN401  # warcio has no types
    """Return the type of a record's payload: a record without an HTTP header gives it in its own."""
    headers = record.rec_headers if record.http_headers is None else record.http_headers
    kind: str | None = headers.get_header("Content-Type")
    return kind


def _extract_page(record: Any, url: str, study_path: str) -> ArchivedPage:  # noqa: ANN401  # warcio has no types
    """Read the page of a record.

    Raises:
        _SkipRecord: It is one to skip.
        ValueError: It is damaged.
        _CutOffError: The archive ends in the middle of it.
    """
    headers = record.http_headers or load_warcio("statusandheaders").StatusAndHeaders("", [])
    requested = record.rec_headers.get_header(REQUESTED_HEADER) or url
    page = Page(
        _decompress(_join_chunks(_read_payload(record, headers), headers), headers.get_header("Content-Encoding", "")),
        content_type=_get_content_type(record),
        url=url,
        fetched_at=_read_date(record.rec_headers.get_header("WARC-Date") or ""),
        etag=headers.get_header("ETag"),
        last_modified=headers.get_header("Last-Modified"),
    )
    ids = _NCT_ID.findall(record.rec_headers.get_header(IDS_HEADER) or "")
    return ArchivedPage(requested if extract_slug(requested, study_path) else url, page, tuple(ids))


def _read_date(text: str) -> datetime:
    """Read the time of a record; a page of the future would count as young for years."""
    date = datetime.fromisoformat(text)
    try:
        date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"expected a date, found {text!r}") from None
    if date > datetime.now(UTC) + _CLOCK_ERROR:
        raise ValueError(f"expected a date that is past, found {text!r}")
    return date


def _read_payload(record: Any, headers: Any) -> bytes:  # noqa: ANN401  # warcio has no types
    """Read the bytes after a record's HTTP header, and check that none is missing."""
    if record.rec_headers.get_header("WARC-Truncated"):
        raise _SkipRecord("cut off by the tool that wrote it")
    payload = bytes(record.raw_stream.read(MAX_BODY + 1))
    if len(payload) > MAX_BODY:
        raise _SkipRecord(_TOO_LARGE)
    if record.raw_stream.limit:
        raise _CutOffError(f"the end of the file {record.raw_stream.limit} bytes before the end of its last record")
    # Tools disagree on whether the digest of a chunked payload is that of the chunks or of what they hold.
    digests = ["block digest failed"] + ["payload digest failed"] * (not _is_chunked(headers))
    if any(digest in problem for problem in record.digest_checker.problems for digest in digests):
        raise ValueError("the bytes do not match their digest")
    length = headers.get_header("Content-Length", "")
    if length.isdecimal() and len(payload) < int(length):
        raise ValueError(f"expected {length} bytes, found {len(payload)}: it was cut off when it was fetched")
    return payload


def _join_chunks(payload: bytes, headers: Any) -> bytes:  # noqa: ANN401  # warcio has no types
    """Undo the chunked transfer encoding; many tools have done so already and left the header."""
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


def _decompress(payload: bytes, encoding: str) -> bytes:
    """Undo the content encoding, bounded; many tools have done so already and left the header."""
    encoding = encoding.strip().lower()
    if encoding not in _ENCODINGS:
        raise _SkipRecord(f"content encoding {encoding[:20]}")
    if not payload.startswith(_GZIP if encoding.endswith("gzip") else _ZLIB) or encoding not in WINDOWS:
        return payload
    try:
        body = b"".join(take(decompress([payload], encoding), MAX_BODY + 1, truncate=True))
    except zlib.error as error:
        raise ValueError(f"expected {encoding} data, found: {error}") from error
    except IncompleteBody:
        raise ValueError(f"expected the end of the {encoding} data, found it cut off") from None
    if len(body) > MAX_BODY:
        raise _SkipRecord(_TOO_LARGE)
    return body

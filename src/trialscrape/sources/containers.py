"""What pages come in: the first bytes tell the container, and its row of the table who reads it.

A new container is one file beside this one and one row. There are three kinds: what is compressed, what holds one page,
and what holds many members, each of which may be a page or a container again:

    file ──▶ ByteStream ──first bytes──▶ a page, or the file of a browser ──▶ Page
                 ▲                       compressed ──unpack──▶ ByteStream
                 └─────────── Member ◀── an archive or a dump ──▶ Page, Failure
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pkgutil import resolve_name
from typing import NamedTuple

from trialscrape.compression import BZIP2, GZIP, XZ, ZSTD, Codec, unpack_bytes
from trialscrape.errors import BodyTooLarge, DamagedBody, IncompleteBody, NotAStudyPage, PageError, TooLarge
from trialscrape.page import Page
from trialscrape.parsing.text import EXPECTED, MAX_BYTES, SAVE_AGAIN
from trialscrape.results import Outcome, PageResult, make_failure
from trialscrape.sources.members import (
    FIRST_BYTES,
    OTHER_SITES,
    SKIPPED,
    UNPACK,
    ByteStream,
    Failure,
    Item,
    Member,
    Selection,
    explain_damage,
    unpack_source,
)
from trialscrape.sources.skipping import OWN_OUTPUT, is_own_output, may_be_own_output

MAX_NESTING = 3
"""Containers with members inside each other, as a page in a WARC file in a WACZ in a tar archive."""
MAX_LAYERS = 2
"""Compressions around each other."""
MAX_MEMBERS = 1_000_000
"""Files in one archive; each takes an outcome, and its name some memory."""


class Container(NamedTuple):
    """A kind of file that is not a page as such. Without a reader, such a file is refused.

    The module of a reader is imported when there is such a file.

    Attributes:
        first: Its first bytes.
        name: Its name in a message.
        advice: What to do with one that cannot be read here.
        page: The function that reads the one page in its bytes, as `module:function`.
        members: The function that reads what a source holds, one after the other, likewise; page errors that it raises
            are those of the whole.
        codec: What it is compressed with.
    """

    first: re.Pattern[bytes]
    name: str
    advice: str
    page: str | None
    members: str | None
    codec: Codec | None

    def read_page(self, data: bytes) -> Page:
        """Read the one page in its bytes."""
        page: Page = resolve_name(f"{__package__}.{self.page}")(data)
        return page

    def read_members(self, source: ByteStream, selection: Selection) -> Iterator[Item]:
        """Read what a source holds, one after the other."""
        members: Iterator[Item] = resolve_name(f"{__package__}.{self.members}")(source, selection)
        return members


def _row(  # noqa: PLR0913  a row has as many columns as the table
    first: bytes,
    name: str,
    advice: str = "",
    *,
    page: str | None = None,
    members: str | None = None,
    codec: Codec | None = None,
) -> Container:
    return Container(re.compile(first, re.IGNORECASE | re.DOTALL), name, advice, page, members, codec)


_HEADER = rb"[a-z][a-z0-9-]*:[^\n]*\n(?:[ \t][^\n]*\n)*+"
_MAIL = rb"\s*(?:From [^\n]*\n)?(?:%b)*?(?:MIME-Version|Content-Type|Message-ID|Received):" % _HEADER
_JSON = rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]])"
_HAR = rb"(?:\xef\xbb\xbf)?\s*\{\s*\"log\"\s*:"
_ZIP = rb"PK\x03\x04"
_NAME_IT = "give its file's name"
CONTAINERS = (
    _row(rb"\x1f\x8b", "a gzip file", codec=GZIP),
    _row(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "a bzip2 file", codec=BZIP2),
    _row(rb"\xfd7zXZ\x00", "an xz file", codec=XZ),
    _row(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", "a Zstandard file", codec=ZSTD),
    _row(rb"SQLite format 3\x00.{52}TrlS", "a store", _NAME_IT, members="stores:read_store"),
    _row(rb"bplist00", "a webarchive", page="webarchive:read_webarchive"),
    _row(_MAIL, "an MHTML file", page="mhtml:read_mhtml"),
    _row(rb"\s*--\S+[ \t]*\r?\nContent-", "the inside of a mail or MHTML file", SAVE_AGAIN),
    _row(
        OWN_OUTPUT, "records or outcomes of trialscrape", "they are records already; give the pages they were read from"
    ),
    _row(_HAR, "a HAR file of a browser", SAVE_AGAIN),
    _row(_JSON, "JSON", SAVE_AGAIN, members="dumps:read_json_lines"),
    _row(rb"WARC/[0-9]\.", "a WARC archive", _NAME_IT, members="warc:read_archive"),
    _row(_ZIP + rb".{26}\[Content_Types\]", "an Office document", "save its text as a text file"),
    _row(rb"PK(?:\x03\x04|\x05\x06\x00\x00)", "a ZIP archive", _NAME_IT, members="zips:read_zip"),
    _row(rb".{257}ustar", "a tar archive", _NAME_IT, members="tars:read_tar"),
    _row(rb"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    _row(rb"Rar!\x1a\x07", "a RAR archive", UNPACK),
    _row(rb"PAR1[\x00-\x1f]", "a Parquet table", _NAME_IT, members="dumps:read_parquet"),
    _row(rb"SQLite format 3\x00", "an SQLite database that is no store", "write each page in it to a file"),
    _row(rb"%PDF-", "a PDF document", SAVE_AGAIN),
    _row(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", "save its text as a text file"),
    _row(rb"\{\\rtf", "an RTF document", "save its text as a text file"),
    _row(rb"\x89PNG", "a PNG image", SAVE_AGAIN),
    _row(rb"\xff\xd8\xff", "a JPEG image", SAVE_AGAIN),
    _row(rb"GIF8", "a GIF image", SAVE_AGAIN),
)
"""The first that matches decides; what has no row is a page, as text or HTML."""


def find_container(data: bytes) -> Container | None:
    """Find the container that some first bytes are of; None where they are a page's."""
    return next((row for row in CONTAINERS if row.first.match(data, 0, FIRST_BYTES)), None)


def find_inner_container(start: bytes) -> tuple[Container | None, tuple[Codec, ...]]:
    """Find the container of a file by its first bytes, and the compressions around it."""
    codecs: tuple[Codec, ...] = ()
    while (container := find_container(start)) and container.codec and len(codecs) < MAX_LAYERS:
        codecs = (*codecs, container.codec)
        start = ByteStream(unpack_source(ByteStream(iter((start,))), container.codec).pieces()).peek()
    return container, codecs


def read_members(source: ByteStream, file: str, selection: Selection, *, depth: int = 0) -> Iterator[Page | PageResult]:
    """Read a page, or what a container holds, and the containers in it.

    The body of a page may still have a container of its own around it: `unwrap` takes it out.

    Args:
        source: The bytes.
        file: Their name; `file!member` is that of a member.
        selection: What is wanted of dumps and archives of other sites, and a count of what is left out.
        depth: How many containers are around it.

    Yields:
        The pages in their order, and a result without a record for each member, or container, that cannot be read.
    """
    try:
        yield from _read_source(source, file, selection, depth)
    except PageError as error:
        yield make_failure(file, error)
    except Exception as error:  # noqa: BLE001  a bug must not cost the user the other files; it is reported
        message = f"trialscrape failed on this file, please report it: {error!r}"
        yield PageResult(file, Outcome.INTERNAL_ERROR, message)


def _read_source(source: ByteStream, file: str, selection: Selection, depth: int) -> Iterator[Page | PageResult]:
    """Read as `read_members` does; what goes wrong with the whole is raised after the members before it."""
    container, codecs = find_inner_container(source.peek())
    if container is None or container.members is None:
        # One byte more than a page may have: by its first bytes it may be more than too large.
        yield Page(source.read_page(MAX_BYTES + 1), file=file)
        return
    if depth == MAX_NESTING:
        raise TooLarge(f"expected at most {MAX_NESTING} containers inside each other, found {container.name}; {UNPACK}")
    for codec in codecs:
        source = unpack_source(source, codec)
    others, empty = selection.left_out[OTHER_SITES], True
    for count, item in enumerate(container.read_members(source, selection), 1):
        if count > MAX_MEMBERS and isinstance(item, Member):
            raise TooLarge(f"expected at most {MAX_MEMBERS:,} files in {container.name}, found more; {UNPACK}")
        for result in _read_item(item, file, selection, depth):
            empty = False
            yield result
    if empty and selection.left_out[OTHER_SITES] == others:
        raise NotAStudyPage(f"expected pages in {container.name}, found none")


def _read_item(item: Item, file: str, selection: Selection, depth: int) -> Iterator[Page | PageResult]:
    if isinstance(item, Page):
        yield replace(item, file=f"{file}!{item.file}")
    elif isinstance(item, Failure):
        yield make_failure(f"{file}!{item.name}", item.error)
    elif may_be_own_output(item.name) and is_own_output(item.source.peek()):
        selection.left_out[SKIPPED] += 1
    else:
        yield from read_members(item.source, f"{file}!{item.name}", selection, depth=depth + 1)


def unwrap(page: Page, *, limit: int = MAX_BYTES) -> Page:
    """Take a page out of what is around it: a compression, and the file of a browser.

    Raises:
        NotAStudyPage: It is a known other kind of file.
        TooLarge: It has more bytes than the limit, before or after decompression.
        Unreadable: What is around it is broken.
    """
    data, layers = page.body, 0
    while (container := find_container(data)) and container.codec and layers < MAX_LAYERS:
        layers += 1
        try:
            data = unpack_bytes(data, container.codec, limit + 1)
        except (BodyTooLarge, DamagedBody, IncompleteBody) as error:
            raise explain_damage(error, container.codec) from error
    if container and not container.page:
        raise NotAStudyPage(f"{EXPECTED}; found {container.name}; {container.advice or UNPACK}")
    if len(data) > limit:
        raise TooLarge(f"expected at most {limit:,} bytes{' after decompression' if layers else ''}, found more")
    if not layers and container is None:
        return page
    inner = container.read_page(data) if container and container.page else Page(data)
    return replace(
        page,
        body=inner.body,
        content_type=inner.content_type or page.content_type,
        location=inner.location,
        sha256=page.sha256 or hashlib.sha256(page.body).hexdigest(),
    )

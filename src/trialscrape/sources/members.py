"""What a container is read from, and what it gives: sources, members, and which of them are wanted."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO, NamedTuple
from urllib.parse import urlsplit

from trialscrape.compression import PIECE, Codec, unpack
from trialscrape.errors import BodyTooLarge, DamagedBody, IncompleteBody, PageError, TooLarge, Unreadable
from trialscrape.page import Page
from trialscrape.slugs import extract_slug

FIRST_BYTES = 64 * 1024
"""Bytes that are looked at to tell a container."""

MAX_IN_MEMORY = 128 * 1024 * 1024
"""Bytes of a container that can only be read as a whole and is not a file of its own; none are written to the disk."""

ANY_HOST = "*"
OTHER_SITES = "of other sites"
REVISITS = "revisits"
SKIPPED = "skipped"
UNPACK = "unpack it and give the files in it"


class ByteStream:
    """The bytes of a file or of a member, from front to back; the first of them can be looked at before.

    Attributes:
        error: What went wrong while its bytes were read; every further read raises it again.
        file: The file on the disk with these bytes, if there is one.
        path: Its path.
    """

    def __init__(
        self, pieces: Iterator[bytes], *, start: bytes = b"", file: BinaryIO | None = None, path: str | None = None
    ) -> None:
        """Take the bytes.

        Args:
            pieces: The bytes, in pieces of any size; the only errors that may come from it are page errors.
            start: Bytes that come before them.
            file: The file on the disk with all these bytes, if there is one.
            path: Its path.
        """
        self.error: PageError | None = None
        self.file = file
        self.path = path
        self._pieces = pieces
        self._buffer = start
        self._at = 0
        self._given = 0

    def peek(self) -> bytes:
        """Return the next bytes without taking them: 64 KiB, or less where there are no more."""
        parts = [self._buffer[self._at :]]
        size = len(parts[0])
        while size < FIRST_BYTES and (piece := self._next_piece()):
            parts.append(piece)
            size += len(piece)
        self._buffer, self._at = b"".join(parts), 0
        return self._buffer[:FIRST_BYTES]

    def read(self, size: int) -> bytes:
        """Take the next bytes; there are fewer than `size` only at the end, or before an error.

        Raises:
            PageError: There is nothing before the error.
        """
        parts: list[bytes] = []
        while size > 0:
            if self._at == len(self._buffer):
                self._buffer, self._at = self._next_piece(), 0
                if not self._buffer:
                    break
            part = self._buffer[self._at : self._at + size]
            self._at += len(part)
            self._given += len(part)
            size -= len(part)
            parts.append(part)
        if self.error and not parts:
            raise self.error
        return b"".join(parts)

    def read_page(self, limit: int) -> bytes:
        """Take all bytes, but no more than `limit`.

        Raises:
            PageError: There is an error before.
        """
        data = self.read(limit)
        if len(data) < limit:
            self.read(1)
        return data

    def skip(self, size: int) -> int:
        """Take bytes and forget them; return how many there were."""
        end = self._given + size
        while self._given < end and self.read(min(PIECE, end - self._given)):
            pass
        return size - (end - self._given)

    def tell(self) -> int:
        """Return how many bytes were taken."""
        return self._given

    def pieces(self) -> Iterator[bytes]:
        """Take the rest, piece by piece."""
        while piece := self.read(PIECE):
            yield piece

    def open_seekable(self, name: str) -> BinaryIO:
        """Return a file that can be read in any order, from the disk or in memory.

        Raises:
            TooLarge: It does not lie on the disk, and is larger than the limit.
        """
        if self.file:
            self.file.seek(0)
            return self.file
        data = self.read_page(MAX_IN_MEMORY + 1)
        if len(data) > MAX_IN_MEMORY:
            raise TooLarge(
                f"{name} that does not lie on the disk by itself is read up to {MAX_IN_MEMORY:,} bytes, found more; "
                "unpack it and give its file's name"
            )
        return BytesIO(data)

    def _next_piece(self) -> bytes:
        if self.error is None:
            try:
                return next(filter(None, self._pieces), b"")
            except PageError as error:
                self.error = error
        return b""


def read_file(stream: BinaryIO, *, start: bytes = b"", path: str | None = None) -> ByteStream:
    """Make a source of an open file; with its path where it lies on the disk and can be read in any order."""
    return ByteStream(_read_stream(stream), start=start, file=stream if path else None, path=path)


def _read_stream(stream: BinaryIO) -> Iterator[bytes]:
    try:
        while piece := stream.read(PIECE):
            yield piece
    except OSError as error:
        raise Unreadable(f"cannot read the file: {(error.strerror or str(error)).lower()}") from error


def unpack_source(source: ByteStream, codec: Codec) -> ByteStream:
    """Make a source of what is compressed in another."""
    return ByteStream(_translate_damage(lambda: unpack(source.pieces(), codec), codec))


def _translate_damage(pieces: Callable[[], Iterator[bytes]], codec: Codec) -> Iterator[bytes]:
    try:
        yield from pieces()
    except (BodyTooLarge, DamagedBody, IncompleteBody) as error:
        raise explain_damage(error, codec) from error


def explain_damage(error: BodyTooLarge | DamagedBody | IncompleteBody, codec: Codec) -> PageError:
    """Make the page error of what is wrong with compressed bytes."""
    article = "an" if codec.name.startswith("x") else "a"
    if isinstance(error, IncompleteBody):
        return Unreadable(f"expected a whole {codec.name} file, found one that is cut")
    if isinstance(error, BodyTooLarge):
        return TooLarge(f"the {codec.name} file is no file of pages: {error}")
    return Unreadable(f"expected {article} {codec.name} file, found a broken one: {error}")


class Member(NamedTuple):
    """A file in a container: its name there, and its bytes, which are read before the next member is."""

    name: str
    source: ByteStream


class Failure(NamedTuple):
    """A member of a container that gives no page, and why."""

    name: str
    error: PageError


@dataclass(frozen=True)
class Selection:
    """Which pages of archives and dumps are wanted, and a count of the others.

    Attributes:
        host: Only pages with an address on this host; `*` takes all hosts. What has no address is taken.
        study_path: What the path of a study page begins with.
        text_column: The column or key of a dump with the pages; by default the first known one that there is.
        url_column: That with their addresses, likewise.
        left_out: How many were left out: `skipped`, `of other sites`, `revisits`.
    """

    host: str = ANY_HOST
    study_path: str = "/study/"
    text_column: str | None = None
    url_column: str | None = None
    left_out: Counter[str] = field(default_factory=Counter)

    def accepts(self, url: str | None) -> bool:
        """Tell whether a page with this address is wanted; one that is not is counted."""
        if not url:
            return True
        if not self.is_of_site(url):
            self.left_out[OTHER_SITES] += 1
            return False
        if extract_slug(_add_scheme(url), self.study_path) is None:
            self.left_out[SKIPPED] += 1
            return False
        return True

    def is_of_site(self, url: str) -> bool:
        """Tell whether an address is on the wanted host."""
        if self.host == ANY_HOST:
            return True
        try:
            return urlsplit(_add_scheme(url)).hostname == self.host.lower()
        except ValueError:
            return False


def _add_scheme(url: str) -> str:
    return url if "://" in url else f"https://{url.lstrip('/')}"  # some dumps leave it out


Item = Page | Member | Failure
"""What a container gives, one after the other: pages, files that may be anything, and what failed."""

"""Compressed bytes to bytes, with no more of them in memory than wanted."""

import bz2
import importlib
import lzma
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from trialscrape.errors import BodyTooLarge, DamagedBody, IncompleteBody

PIECE = 65_536
"""Bytes decompressed at a time: what memory may be needed beyond a limit."""
WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""The codings, and the `wbits` of zlib for each."""
MAX_RATIO = 1_000
"""Text shrinks to a tenth, a folder of like pages to a hundredth; what shrinks to less than a thousandth is a bomb."""
FREE_BYTES = 256 * 1024 * 1024
"""Bytes for which the ratio does not count: unpacking them takes a second at most."""
MAX_WINDOW = 256 * 1024 * 1024
"""Memory that an xz file may need; `xz -9` needs 64 MiB."""
_RAW_DEFLATE = -15


class Unpacker(Protocol):
    """What decompresses one member of some data, as the classes of bz2 and lzma do."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether all of the data was taken in."""

    @property
    def unused_data(self) -> bytes:
        """What stands after the member."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Decompress up to `max_length` bytes."""


class Codec(NamedTuple):
    """A form of compressed files: its name in a message, and what unpacks one member."""

    name: str
    open: Callable[[], Unpacker]


class _Gunzipper:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(WINDOWS["gzip"])
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self.eof and not self._full

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._full = len(piece) == max_length
        return piece


def _open_xz() -> Unpacker:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_WINDOW)


def _open_zstd() -> Unpacker:
    module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    unpacker: Unpacker = importlib.import_module(module).ZstdDecompressor()
    return unpacker


GZIP = Codec("gzip", _Gunzipper)
BZIP2 = Codec("bzip2", bz2.BZ2Decompressor)
XZ = Codec("xz", _open_xz)
ZSTD = Codec("Zstandard", _open_zstd)


def unpack(packed: Iterable[bytes], codec: Codec) -> Iterator[bytes]:
    """Decompress all members of a file, in pieces of bounded size.

    Raises:
        IncompleteBody: It ends early.
        DamagedBody: It is damaged.
        BodyTooLarge: It is a bomb: far smaller than what it unpacks to.
    """
    unpacker, taken, given = None, 0, 0
    for chunk in packed:
        data, taken = chunk, taken + len(chunk)
        while True:
            if unpacker is None or unpacker.eof:
                data = _skip_padding(data)
                if not data:
                    break
                unpacker = codec.open()
            piece = _unpack_piece(unpacker, data)
            given += len(piece)
            if given > FREE_BYTES and given > MAX_RATIO * taken:
                raise BodyTooLarge(f"it unpacks to more than {MAX_RATIO:,} times its size")
            if piece:
                yield piece
            if unpacker.needs_input:
                break
            data = unpacker.unused_data if unpacker.eof else b""
    if unpacker and not unpacker.eof:
        raise IncompleteBody("the compressed data ends early")


def unpack_bytes(data: bytes, codec: Codec, limit: int) -> bytes:
    """Decompress as `unpack` does, but no more than the first `limit` bytes."""
    chunks = (data[at : at + PIECE] for at in range(0, len(data), PIECE))
    return b"".join(take(unpack(chunks, codec), limit, truncate=True))


def _unpack_piece(unpacker: Unpacker, data: bytes) -> bytes:
    try:
        return unpacker.decompress(data, PIECE)
    except Exception as error:  # each module has an error class of its own, and bz2 raises an OSError
        raise DamagedBody(str(error).rpartition(": ")[2]) from error


def take(pieces: Iterable[bytes], limit: int, *, truncate: bool) -> Iterator[bytes]:
    """Pass pieces on up to the limit; above it, end there or refuse.

    Raises:
        BodyTooLarge: There are more than `limit` bytes, and `truncate` is false.
    """
    room = limit
    for piece in pieces:
        yield piece[:room]
        room -= len(piece)
        if room < 0:
            if truncate:
                return
            raise BodyTooLarge


def decompress(packed: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Decompress all members of the body of an answer, in pieces of bounded size.

    Raises:
        IncompleteBody: It ends early.
        zlib.error: It is damaged.
    """
    unpacker = None
    for chunk in packed:
        data, full = chunk, False
        if unpacker and unpacker.eof:
            data = _skip_padding(data)
        while data or full:
            if unpacker is None or unpacker.eof:
                unpacker = zlib.decompressobj(_choose_window(coding, data))
            piece = unpacker.decompress(data, PIECE)
            yield piece
            data = _skip_padding(unpacker.unused_data) if unpacker.eof else unpacker.unconsumed_tail
            full = len(piece) == PIECE and not unpacker.eof
    if unpacker and not unpacker.eof:
        raise IncompleteBody("the compressed body ends early")


def _skip_padding(data: bytes) -> bytes:
    # Zeros after the end of a member are padding; anything else is another member.
    return data.lstrip(b"\0")


def _choose_window(coding: str, start: bytes) -> int:
    # "deflate" means zlib's format, but some servers send it bare; zlib's first byte has 8 in its lower half.
    bare = coding == "deflate" and start[0] & 0x0F != zlib.DEFLATED
    return _RAW_DEFLATE if bare else WINDOWS[coding]

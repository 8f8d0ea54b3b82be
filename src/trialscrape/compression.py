"""Compressed bytes to bytes, with no more of them in memory than wanted."""

import zlib
from collections.abc import Iterable, Iterator

from trialscrape.errors import BodyTooLarge, IncompleteBody

PIECE = 65_536
"""Bytes decompressed at a time: what memory may be needed beyond a limit."""
WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""The codings, and the `wbits` of zlib for each."""
_RAW_DEFLATE = -15


def gunzip(data: bytes, limit: int) -> bytes:
    """Decompress gzip data, all members of it, but no more than its first `limit` bytes.

    Raises:
        IncompleteBody: It ends early.
        zlib.error: It is damaged.
    """
    chunks = (data[at : at + PIECE] for at in range(0, len(data), PIECE))
    return b"".join(take(decompress(chunks, "gzip"), limit, truncate=True))


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
    """Decompress all members of some data, in pieces of bounded size.

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

"""The body of an answer: whole, decompressed, and never much more of it in memory than the limit."""

import contextlib
import zlib
from collections.abc import Iterable, Iterator

import httpx

from trialscrape.errors import BodyTooLarge, IncompleteBody

_PIECE = 65_536  # bytes unpacked at a time: what memory may be needed beyond the limit
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # wbits of zlib for each coding
_RAW_DEFLATE = -15


def read_body(answer: httpx.Response, limit: int, *, truncate: bool = False) -> bytes:
    """Return the whole decoded body, with no more than the limit and a piece in memory.

    Args:
        answer: The answer, unread.
        limit: How many bytes the body may have.
        truncate: Take the first `limit` bytes of a larger body instead of refusing it.

    Raises:
        BodyTooLarge: It is above the limit.
        IncompleteBody: It ends early, is damaged, or is in a coding that was not offered.
    """
    length = answer.headers.get("content-length", "")
    if length.isdecimal() and float(length) > limit + _PIECE and not truncate:
        raise BodyTooLarge
    coding = answer.headers.get("content-encoding", "identity").strip().lower()
    if coding in _WINDOWS:
        # Compression may lengthen what cannot be compressed, by less than a piece.
        packed = _take(answer.iter_raw(), limit + _PIECE, truncate=truncate)
        try:
            return b"".join(_take(decompress(packed, coding), limit, truncate=truncate))
        except zlib.error as error:
            raise IncompleteBody(f"damaged compression ({error})") from error
    if coding in ("identity", ""):
        return b"".join(_take(answer.iter_raw(), limit, truncate=truncate))
    raise IncompleteBody(f"the coding {coding!r}, where gzip, deflate or none was asked for")


def _take(pieces: Iterator[bytes], limit: int, *, truncate: bool) -> Iterator[bytes]:
    """Pass pieces on up to the limit; above it, end there or refuse."""
    room = limit
    for piece in pieces:
        yield piece[:room]
        room -= len(piece)
        if room < 0:
            if truncate:
                return
            raise BodyTooLarge


def decompress(packed: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Decompress all members of a body, in pieces of bounded size.

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
            piece = unpacker.decompress(data, _PIECE)
            yield piece
            data = _skip_padding(unpacker.unused_data) if unpacker.eof else unpacker.unconsumed_tail
            full = len(piece) == _PIECE and not unpacker.eof
    if unpacker and not unpacker.eof:
        raise IncompleteBody("a compressed body that ends early")


def _skip_padding(data: bytes) -> bytes:
    # Zeros after the end of a member are padding; anything else is another member.
    return data.lstrip(b"\0")


def _choose_window(coding: str, start: bytes) -> int:
    # "deflate" means zlib's format, but some servers send it bare; zlib's first byte has 8 in its lower half.
    bare = coding == "deflate" and start[0] & 0x0F != zlib.DEFLATED
    return _RAW_DEFLATE if bare else _WINDOWS[coding]


def drain(answer: httpx.Response) -> None:
    """Read a short body that nobody needs, since only then the connection can serve the next request."""
    left = _PIECE
    with contextlib.suppress(httpx.HTTPError):
        for chunk in answer.iter_raw():
            left -= len(chunk)
            if left < 0:
                return

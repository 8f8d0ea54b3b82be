"""The body of an answer: whole, decompressed, and never much more of it in memory than the limit."""

import contextlib
import zlib
from collections.abc import Iterable, Iterator

import httpx

_PIECE = 65_536  # bytes unpacked at a time: what memory may be needed beyond the limit
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # wbits of zlib for each coding
_RAW_DEFLATE = -15


class Broken(Exception):
    """A body that did not arrive whole, or in no known coding."""


class Larger(Exception):
    """A body above the limit."""


def whole_body(response: httpx.Response, limit: int, *, cut: bool = False) -> bytes:
    """Return the whole decoded body, with no more than the limit and a piece in memory.

    Args:
        response: The answer, unread.
        limit: How many bytes the body may have.
        cut: Take the first `limit` bytes of a larger body instead of refusing it.

    Raises:
        Larger: It is above the limit.
        Broken: It ends early, or is in a coding that was not offered.
    """
    length = response.headers.get("content-length", "")
    if length.isdecimal() and float(length) > limit + _PIECE and not cut:
        raise Larger
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding in _WINDOWS:
        # Compression may lengthen what cannot be compressed, by less than a piece.
        packed = _at_most(response.iter_raw(), limit + _PIECE, cut=cut)
        return b"".join(_at_most(unpacked(packed, coding), limit, cut=cut))
    if coding in ("identity", ""):
        return b"".join(_at_most(response.iter_raw(), limit, cut=cut))
    raise Broken(f"the coding {coding!r}, where gzip, deflate or none was asked for")


def _at_most(pieces: Iterator[bytes], limit: int, *, cut: bool) -> Iterator[bytes]:
    """Pass pieces on up to the limit; above it, end there or refuse, as was asked."""
    room = limit
    for piece in pieces:
        yield piece[:room]
        room -= len(piece)
        if room < 0:
            if cut:
                return
            raise Larger


def unpacked(packed: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Unpack what is compressed, all members of it, in pieces of bounded size.

    Raises:
        Broken: It ends early.
        zlib.error: It is damaged.
    """
    unpacker = None
    for chunk in packed:
        data, full = chunk, False
        if unpacker and unpacker.eof:
            data = _past_padding(data)
        while data or full:
            if unpacker is None or unpacker.eof:
                unpacker = zlib.decompressobj(_window(coding, data))
            piece = unpacker.decompress(data, _PIECE)
            yield piece
            data = _past_padding(unpacker.unused_data) if unpacker.eof else unpacker.unconsumed_tail
            full = len(piece) == _PIECE and not unpacker.eof
    if unpacker and not unpacker.eof:
        raise Broken("a compressed body that ends early")


def _past_padding(data: bytes) -> bytes:
    # Zeros after the end of a member are padding; anything else is another member.
    return data.lstrip(b"\0")


def _window(coding: str, start: bytes) -> int:
    # "deflate" means zlib's format, but some servers send it bare; zlib's first byte has 8 in its lower half.
    bare = coding == "deflate" and start[0] & 0x0F != zlib.DEFLATED
    return _RAW_DEFLATE if bare else _WINDOWS[coding]


def drain(response: httpx.Response) -> None:
    """Read a short body that nobody needs, since only then the connection can serve the next request."""
    left = _PIECE
    with contextlib.suppress(httpx.HTTPError):
        for chunk in response.iter_raw():
            left -= len(chunk)
            if left < 0:
                return

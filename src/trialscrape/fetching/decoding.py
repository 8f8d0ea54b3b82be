"""The body of an answer: whole, decompressed, and never much more of it in memory than the limit."""

import contextlib
import zlib

import httpx

from trialscrape.compression import PIECE, WINDOWS, decompress, take
from trialscrape.errors import BodyTooLarge, IncompleteBody


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
    if length.isdecimal() and float(length) > limit + PIECE and not truncate:
        raise BodyTooLarge
    coding = answer.headers.get("content-encoding", "identity").strip().lower()
    if coding in WINDOWS:
        # Compression may lengthen what cannot be compressed, by less than a piece.
        packed = take(answer.iter_raw(), limit + PIECE, truncate=truncate)
        try:
            return b"".join(take(decompress(packed, coding), limit, truncate=truncate))
        except zlib.error as error:
            raise IncompleteBody(f"the compressed body is damaged ({error})") from error
    if coding in ("identity", ""):
        return b"".join(take(answer.iter_raw(), limit, truncate=truncate))
    raise IncompleteBody(f"its coding is {coding!r}, not gzip, deflate or none")


def drain(answer: httpx.Response) -> None:
    """Read a short body that nobody needs, since only then the connection can serve the next request."""
    with contextlib.suppress(httpx.HTTPError):
        for _ in take(answer.iter_raw(), PIECE, truncate=True):
            pass

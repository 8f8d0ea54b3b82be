import gzip
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import repeat

import pytest

from support.archives import PACKERS
from trialscrape.compression import BZIP2, FREE_BYTES, GZIP, XZ, ZSTD, Codec, unpack, unpack_bytes
from trialscrape.errors import BodyTooLarge, DamagedBody, IncompleteBody

TEXT = b"An invented study of nothing at all. " * 10_000
MEMBERS = gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]) + b"\0" * 100


@pytest.mark.parametrize("data", [gzip.compress(TEXT), MEMBERS], ids=["one member", "two and padding"])
@pytest.mark.parametrize("limit", [0, 10, len(TEXT) - 1, len(TEXT), len(TEXT) + 1])
def test_no_more_than_the_limit_is_decompressed(data: bytes, limit: int) -> None:
    assert unpack_bytes(data, GZIP, limit) == TEXT[:limit]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (gzip.compress(TEXT)[:-1], IncompleteBody),
        (gzip.compress(TEXT)[:5], IncompleteBody),
        (gzip.compress(TEXT) + b"garbage", DamagedBody),
        (b"\x1f\x8b" + TEXT, DamagedBody),
    ],
    ids=["cut", "cut in its header", "garbage behind it", "damaged"],
)
def test_data_that_is_cut_or_damaged_is_an_error(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        unpack_bytes(data, GZIP, len(TEXT) + 1)


def test_a_bomb_takes_no_memory() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    assert len(unpack_bytes(bomb, GZIP, 1_000_000)) == 1_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


CODECS: dict[str, tuple[Codec, Callable[[bytes], bytes]]] = {
    "gzip": (GZIP, PACKERS["gz"]),
    "bzip2": (BZIP2, PACKERS["bz2"]),
    "xz": (XZ, PACKERS["xz"]),
    "zstd": (ZSTD, PACKERS["zst"]),
}


@pytest.mark.parametrize(("codec", "pack"), CODECS.values(), ids=CODECS.keys())
def test_every_codec_reads_all_members_and_tells_damage(codec: Codec, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT) + pack(b"end")
    for size in (1, 7, len(packed)):
        pieces = (packed[at : at + size] for at in range(0, len(packed), size))
        assert b"".join(unpack(pieces, codec)) == TEXT + b"end"
    assert unpack_bytes(packed, codec, 10) == TEXT[:10]
    with pytest.raises(IncompleteBody):
        unpack_bytes(packed[:-1], codec, 2 * len(TEXT))
    with pytest.raises(DamagedBody):
        unpack_bytes(packed[:4] + b"\xff" * 40, codec, 1)
    with pytest.raises(DamagedBody):
        unpack_bytes(packed + b"garbage" * 9, codec, 2 * len(TEXT))


@pytest.mark.parametrize(("codec", "pack"), list(CODECS.values())[1:], ids=list(CODECS)[1:])
def test_a_bomb_ends_early(codec: Codec, pack: Callable[[bytes], bytes]) -> None:
    member = pack(bytes(50_000_000))
    pieces = unpack(repeat(member, 200), codec)
    assert FREE_BYTES - 100_000 < sum(map(len, _end_at_error(pieces))) <= FREE_BYTES


def _end_at_error(pieces: Iterator[bytes]) -> Iterator[bytes]:
    with pytest.raises(BodyTooLarge, match="unpacks to more than 1,000 times its size"):
        yield from pieces

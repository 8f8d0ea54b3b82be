import gzip
import tracemalloc
import zlib

import pytest

from trialscrape.compression import gunzip
from trialscrape.errors import IncompleteBody

TEXT = b"An invented study of nothing at all. " * 10_000
MEMBERS = gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]) + b"\0" * 100


@pytest.mark.parametrize("data", [gzip.compress(TEXT), MEMBERS], ids=["one member", "two and padding"])
@pytest.mark.parametrize("limit", [0, 10, len(TEXT) - 1, len(TEXT), len(TEXT) + 1])
def test_no_more_than_the_limit_is_decompressed(data: bytes, limit: int) -> None:
    assert gunzip(data, limit) == TEXT[:limit]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (gzip.compress(TEXT)[:-1], IncompleteBody),
        (gzip.compress(TEXT)[:5], IncompleteBody),
        (gzip.compress(TEXT) + b"garbage", zlib.error),
        (b"\x1f\x8b" + TEXT, zlib.error),
    ],
    ids=["cut", "cut in its header", "garbage behind it", "damaged"],
)
def test_data_that_is_cut_or_damaged_is_an_error(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        gunzip(data, len(TEXT) + 1)


def test_a_bomb_takes_no_memory() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    assert len(gunzip(bomb, 1_000_000)) == 1_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000

"""Archives and dumps in memory, as other tools write them."""

import bz2
import gzip
import importlib
import io
import json
import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SITE = "https://ctv.veeva.com"
URL = f"{SITE}/study/tree-bathing"

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd").compress,
}


def make_zip(*files: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return stream.getvalue()


def make_zstd_zip(name: str, data: bytes) -> bytes:
    """Write a ZIP archive with one file in Zstandard, method 93, which older versions of Python do not know."""
    packed = PACKERS["zst"](data)
    stored = bytearray(make_zip((name, packed), compression=zipfile.ZIP_STORED))
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        fields = struct.pack("<H4xLLL", 93, zlib.crc32(data), len(packed), len(data))
        start = stored.index(mark) + place
        stored[start : start + len(fields)] = fields
    return bytes(stored)


def make_tar(*files: tuple[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def make_warc(*records: tuple[str, str, str, bytes], packed: bool = True) -> bytes:
    """Write records of a kind, an address, a content type and a payload; only responses have an HTTP header."""
    writers: Any = importlib.import_module("warcio.warcwriter")
    headers: Any = importlib.import_module("warcio.statusandheaders")
    stream = io.BytesIO()
    writer = writers.WARCWriter(stream, gzip=packed)
    for kind, url, content_type, payload in records:
        http = headers.StatusAndHeaders("200 OK", [("Content-Type", content_type)], protocol="HTTP/1.1")
        writer.write_record(
            writer.create_warc_record(
                url,
                kind,
                payload=io.BytesIO(payload),
                length=len(payload),
                http_headers=http if kind in ("response", "revisit") else None,
                warc_content_type="" if kind in ("response", "revisit") else content_type,
                warc_headers_dict={"WARC-Date": "2026-03-01T12:00:00Z"},
            )
        )
    return stream.getvalue()


def make_wacz(*warcs: tuple[str, bytes]) -> bytes:
    files = [(f"archive/{name}", data) for name, data in warcs]
    return make_zip(
        *files,
        ("indexes/index.cdx", b"com,veeva,ctv)/ 2026 {}\n"),
        ("pages/pages.jsonl", b'{"format": "json-pages-1.0", "id": "pages", "title": "All Pages"}\n'),
        ("datapackage.json", b'{"profile": "data-package"}'),
        compression=zipfile.ZIP_STORED,
    )


def make_lines(*rows: object) -> bytes:
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def make_parquet(group: int = 1_000, **columns: list[Any]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, row_group_size=group)
    return stream.getvalue()

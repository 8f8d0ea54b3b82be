"""ZIP archives and WACZ, the ZIP of a web archive (of which only the WARC files are read)."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from functools import partial
from io import BytesIO
from itertools import islice
from typing import BinaryIO

from trialscrape.compression import BZIP2, FREE_BYTES, MAX_RATIO, PIECE, ZSTD, unpack
from trialscrape.errors import BodyTooLarge, DamagedBody, NotAStudyPage, TooLarge, Unreadable
from trialscrape.parsing.text import EXPECTED
from trialscrape.sources.members import MAX_IN_MEMORY, SKIPPED, UNPACK, ByteStream, Item, Member, Selection
from trialscrape.sources.skipping import is_skipped_member
from trialscrape.wording import write_count

MAX_DIRECTORY = 32 * 1024 * 1024
"""Bytes of the list of members, all of which is in memory: 300,000 members with names of 60 characters."""

MAX_FOUND = 300_000
"""Members that are looked for where the list is missing."""
_SMALL_PIECE = 4096
_CODECS = {zipfile.ZIP_BZIP2: BZIP2, 93: ZSTD}
_ENCRYPTED = 0x1
_SIZE_FOLLOWS = 0x8
_NAMED_IN_UTF_8 = 0x800
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_ENDS_64 = _END_64.size + struct.calcsize("<4sLQL")
_HEAD = struct.Struct("<4s5H3L2H")
_HEAD_MARK = b"PK\x03\x04"
_LONGEST_DESCRIPTOR = 24
_SIZE_64 = 0xFFFFFFFF
_END_MARK, _END_64_MARK = b"PK\x05\x06", b"PK\x06\x06"
_LONGEST_COMMENT = 65_535


def read_zip(source: ByteStream, selection: Selection) -> Iterator[Item]:
    """Read the files of a ZIP archive in the order of its list, or the WARC files of a WACZ.

    Raises:
        NotAStudyPage: It is an Office document.
        TooLarge: It lists too many members; or it is large and does not lie on the disk by itself.
        Unreadable: It is broken or cut, or files of it are encrypted; this comes after all other files.
    """
    file = source.open_seekable("a ZIP archive")
    damage = None
    try:
        _check_directory(file)
        archive = zipfile.ZipFile(file)
        infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
        infos = list(islice(find_members(file), MAX_FOUND))
        archive = zipfile.ZipFile(BytesIO(_END.pack(_END_MARK, *[0] * 7)))
        archive.fp = file  # what it reads the members from
        stood = write_count(len(infos), "file that stands", "files that stand")
        read = f"{stood} before the damage {'was' if len(infos) == 1 else 'were'} read"
        damage = Unreadable(
            f"expected a whole ZIP archive, found one whose list at its end cannot be read ({error}): "
            f"it is cut or broken; {read}; get it again"
        )
    names = {name: info for info in infos if (name := _read_name(info))}
    if "[Content_Types].xml" in names:
        raise NotAStudyPage(f"{EXPECTED}; found an Office document; save its text as a text file")
    is_wacz = "datapackage.json" in names and any(name.startswith("archive/") for name in names)
    encrypted: list[str] = []
    for info in infos:
        name = _read_name(info)
        if name.endswith("/") or (is_wacz and not name.startswith("archive/")):
            continue
        if is_skipped_member(name, names.__contains__):
            selection.left_out[SKIPPED] += 1
        elif info.flag_bits & _ENCRYPTED:
            encrypted.append(name)
        else:
            yield Member(name, ByteStream(_read_member(archive, info)))
    if damage:
        raise damage
    if encrypted:
        raise Unreadable(
            f"expected a ZIP archive without a password, found {write_count(len(encrypted), 'encrypted file')}, "
            f"the first is {encrypted[0]!r}; {UNPACK}"
        )


def _read_name(info: zipfile.ZipInfo) -> str:
    """Return the name of a member; many tools write UTF-8 and do not say so."""
    if not info.flag_bits & _NAMED_IN_UTF_8:
        with suppress(UnicodeError):
            return info.filename.encode("cp437").decode()
    return info.filename


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    given = 0
    try:
        for piece in _unpack_member(archive, info):
            given += len(piece)
            if given > FREE_BYTES and given > MAX_RATIO * info.compress_size:
                raise BodyTooLarge(f"it unpacks to more than {MAX_RATIO:,} times its size")  # noqa: TRY301  as `unpack` does
            yield piece
    except BodyTooLarge as error:
        raise TooLarge(f"the file in the ZIP archive is no file of pages: {error}") from error
    except Exception as error:  # each compression has an error class of its own, and so have a wrong size and checksum
        raise Unreadable(f"expected a whole file in the ZIP archive, found a broken one: {error}") from error


def _unpack_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    if codec := _CODECS.get(info.compress_type):
        yield from _check_bytes(unpack(_read_packed(archive, info), codec), info)
        return
    # zipfile unpacks all the LZMA data that it reads at once: 7,000 times as much, if it is a bomb.
    size = _SMALL_PIECE if info.compress_type == zipfile.ZIP_LZMA else PIECE
    with archive.open(info) as stream:
        yield from iter(partial(stream.read, size), b"")


def _read_packed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Read the bytes of a member as they are: zipfile would unpack a bomb as a whole, or does not know how."""
    packed = copy(info)
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, info.compress_size
    del packed.CRC
    with archive.open(packed) as stream:
        yield from iter(partial(stream.read, PIECE), b"")


def _check_bytes(pieces: Iterator[bytes], info: zipfile.ZipInfo) -> Iterator[bytes]:
    crc = 0
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
        yield piece
    if crc != info.CRC:
        raise DamagedBody(f"Bad CRC-32 for file {info.filename!r}")


def find_members(file: BinaryIO) -> Iterator[zipfile.ZipInfo]:
    """Find the members of an archive without its list, by the head that stands before each; a cut one is left out."""
    end, start = file.seek(0, 2), 0
    while True:
        file.seek(start)
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(_HEAD_MARK):
            return
        _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _HEAD.unpack(head)
        name = file.read(name_length).decode("utf-8" if flags & _NAMED_IN_UTF_8 else "cp437", "replace")
        data = start + _HEAD.size + name_length + extra_length
        if flags & _SIZE_FOLLOWS:
            if method != zipfile.ZIP_DEFLATED or not (measured := _measure_deflated(file, data)):
                return
            packed, size, crc = measured
        if not name or packed == _SIZE_64 or data + packed > end:
            return
        info = zipfile.ZipInfo(name)
        info.orig_filename, info.flag_bits, info.compress_type = name, flags, method
        info.header_offset, info.CRC, info.compress_size, info.file_size = start, crc, packed, size
        yield info
        start = data + packed
        if flags & _SIZE_FOLLOWS:
            file.seek(start)
            start += max(0, file.read(_LONGEST_DESCRIPTOR + len(_HEAD_MARK)).find(_HEAD_MARK))


def _measure_deflated(file: BinaryIO, start: int) -> tuple[int, int, int] | None:
    """Return the size of deflated bytes that end by themselves, packed and unpacked, and their checksum."""
    unpacker, size, crc = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0
    file.seek(start)
    with suppress(zlib.error):
        while (packed := file.read(PIECE)) and size <= MAX_IN_MEMORY:
            while packed and not unpacker.eof:
                piece = unpacker.decompress(packed, PIECE)
                packed, size, crc = unpacker.unconsumed_tail, size + len(piece), zlib.crc32(piece, crc)
            if unpacker.eof:
                return file.tell() - len(unpacker.unused_data) - start, size, crc
    return None


def _check_directory(file: BinaryIO) -> None:
    """Refuse a list of members that would take too much memory, before zipfile reads it.

    Raises:
        TooLarge: The list is longer than the limit.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size - _LONGEST_COMMENT - _ENDS_64))
    tail = file.read()
    # zipfile takes the end without a comment first, and then the last one.
    for place in (len(tail) - _END.size, tail.rfind(_END_MARK, 0, len(tail) - _END.size + len(_END_MARK))):
        if place >= 0 and tail.startswith(_END_MARK, place):
            length = _END.unpack_from(tail, place)[5]
            if place >= _ENDS_64 and tail.startswith(_END_64_MARK, place - _ENDS_64):
                length = _END_64.unpack_from(tail, place - _ENDS_64)[8]
            if length > MAX_DIRECTORY:
                raise TooLarge(
                    f"expected at most {MAX_DIRECTORY:,} bytes of names in a ZIP archive, found more; {UNPACK}"
                )

"""ZIP archives and WACZ, the ZIP of a web archive (of which only the WARC files are read)."""

import struct
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import BinaryIO

from trialscrape.compression import PIECE
from trialscrape.errors import NotAStudyPage, TooLarge, Unreadable
from trialscrape.parsing.text import EXPECTED
from trialscrape.sources.members import SKIPPED, Item, Member, Selection, Source
from trialscrape.sources.skipping import is_skipped_member

MAX_DIRECTORY = 32 * 1024 * 1024
"""Bytes of the list of members, all of which is in memory: 300,000 members with names of 60 characters."""

UNPACK = "unpack it and give the files in it"
_ENCRYPTED = 0x1
_NAMED_IN_UTF_8 = 0x800
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_ENDS_64 = _END_64.size + struct.calcsize("<4sLQL")
_END_MARK, _END_64_MARK = b"PK\x05\x06", b"PK\x06\x06"
_LONGEST_COMMENT = 65_535


def read_zip(source: Source, selection: Selection) -> Iterator[Item]:
    """Read the files of a ZIP archive in the order of its list, or the WARC files of a WACZ.

    Raises:
        NotAStudyPage: It is an Office document.
        TooLarge: It lists too many members; or it is large and does not lie on the disk by itself.
        Unreadable: It is broken or cut; or files of it are encrypted, which comes after all others.
    """
    file = source.open_seekable("a ZIP archive")
    try:
        _check_directory(file)
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
        raise Unreadable(
            f"expected a whole ZIP archive, found one without the list of its members at the end ({error}): "
            "it is cut or broken; get it again"
        ) from error
    infos = archive.infolist()
    names = {name: info for info in infos if (name := _read_name(info))}
    if "[Content_Types].xml" in names:
        raise NotAStudyPage(f"{EXPECTED}; found an Office document; save its text as a text file")
    is_wacz = "datapackage.json" in names and any(name.startswith("archive/") for name in names)
    encrypted: list[str] = []
    for info in infos:
        name = _read_name(info)
        if info.is_dir() or (is_wacz and not name.startswith("archive/")):
            continue
        if is_skipped_member(name, names.__contains__):
            selection.left_out[SKIPPED] += 1
        elif info.flag_bits & _ENCRYPTED:
            encrypted.append(name)
        else:
            yield Member(name, Source(_read_member(archive, info)))
    if encrypted:
        raise Unreadable(
            f"expected a ZIP archive without a password, found {len(encrypted):,} encrypted files, "
            f"the first is {encrypted[0]!r}; {UNPACK}"
        )


def _read_name(info: zipfile.ZipInfo) -> str:
    """Return the name of a member; many tools write UTF-8 and do not say so."""
    if not info.flag_bits & _NAMED_IN_UTF_8:
        with suppress(UnicodeError):
            return info.filename.encode("cp437").decode()
    return info.filename


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(info) as stream:
            yield from iter(partial(stream.read, PIECE), b"")
    except Exception as error:  # each compression has an error class of its own, and so have a wrong size and checksum
        raise Unreadable(f"expected a whole file in the ZIP archive, found a broken one: {error}") from error


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

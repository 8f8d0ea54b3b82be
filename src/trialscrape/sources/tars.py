"""Tar archives, read from front to back: they may come through a pipe and be larger than the memory."""

import tarfile
from collections.abc import Iterator

from trialscrape.compression import PIECE
from trialscrape.errors import NotAStudyPage, PageError, Unreadable
from trialscrape.sources.members import SKIPPED, ByteStream, Failure, Item, Member, Selection
from trialscrape.sources.skipping import is_skipped_member
from trialscrape.wording import write_count

MAX_HEAD = 1024 * 1024
"""Bytes between two members: tarfile keeps all of them in memory, however many their sizes claim."""

_NO_MORE = "nothing after it can be read"


def read_tar(source: ByteStream, selection: Selection) -> Iterator[Item]:
    """Read the files of a tar archive in their order. Links and devices are skipped.

    A file is known to be beside another one only where that one comes first.

    Raises:
        Unreadable: It is broken or cut; this comes after the files before the damage.
    """
    stream = _Stream(source)
    names: set[str] = set()
    while info := stream.next_member():
        name = info.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        names.add(name)
        if info.isdir():
            continue
        if not info.isreg() or is_skipped_member(name, names.__contains__):
            selection.left_out[SKIPPED] += 1
        elif info.issparse():
            yield Failure(name, NotAStudyPage("expected a whole file in the tar archive, found a sparse one"))
        else:
            yield Member(name, ByteStream(stream.read_member(info.size)))
        if stream.is_cut:  # the outcome of that member says so
            return
    stream.check_end()


class _Stream:
    """The bytes of an archive, as tarfile reads them; it only ever seeks forward."""

    def __init__(self, source: ByteStream) -> None:
        self.is_cut = False
        self._source = source
        self._room = MAX_HEAD
        self._block = b""
        self._tar: tarfile.TarFile | None = None

    def next_member(self) -> tarfile.TarInfo | None:
        """Return the next member, or None at the end or at what is no head of a member.

        Raises:
            Unreadable: The archive is broken or cut.
        """
        self._room = MAX_HEAD
        try:
            if self._tar is None:
                self._tar = tarfile.TarFile(fileobj=self, encoding="utf-8", errors="surrogateescape")  # type: ignore[arg-type]  # it needs no more than these methods
            info = self._tar.next()
            self._tar.members.clear()  # type: ignore[attr-defined]  # or it keeps every member
        except PageError:
            raise
        except Exception as error:  # tarfile raises what a damaged head makes Python raise
            raise Unreadable(f"expected a whole tar archive, found a cut or broken one: {error}; {_NO_MORE}") from error
        return info

    def read_member(self, size: int) -> Iterator[bytes]:
        """Take the bytes of the member whose head was just read."""
        while size:
            try:
                piece = self._source.read(min(PIECE, size))
            except PageError:
                self.is_cut = True
                raise
            if not piece:
                self.is_cut = True
                raise Unreadable(
                    f"expected {write_count(size, 'more byte')}, found the end of the tar archive: "
                    f"it is cut; {_NO_MORE}"
                )
            size -= len(piece)
            yield piece

    def check_end(self) -> None:
        """Check that the archive ended with its mark, and read on to the end of the file, which may be damaged too.

        Raises:
            Unreadable: It did not, or there is something after it.
        """
        if self._source.error:
            raise self._source.error
        if not self._block:
            raise Unreadable("expected the mark at the end of a tar archive, found the end of the file: it may be cut")
        if self._block.strip(b"\0"):
            raise Unreadable(f"expected the head of the next file in the tar archive, found a broken one; {_NO_MORE}")
        for piece in self._source.pieces():
            if piece.strip(b"\0"):
                raise Unreadable("found bytes after the end of the tar archive; they were not read")

    def read(self, size: int) -> bytes:
        self._room -= size
        if self._room < 0:
            raise Unreadable(f"expected a tar archive, found a head of more than {MAX_HEAD:,} bytes; {_NO_MORE}")
        self._block = self._source.read(size)
        return self._block

    def seek(self, place: int) -> None:
        self._source.skip(place - self._source.tell())

    def tell(self) -> int:
        return self._source.tell()

"""Files that one process writes at a time, and that get their name only when they are whole."""

import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from trialscrape.errors import FileError, FileInUseError, Withdrawn

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)  # as the system has them


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name only when all of it is on the disk.

    Until then, and after an error, it is `<name>.part`, which the next run on the same name starts over. The former
    file of that name stays as it is until it is replaced. `Withdrawn` removes `<name>.part`, too.

    Raises:
        FileInUseError: If another run is writing the same file.
        FileError: If the file cannot be written, or `<name>.part` is a link.

    """
    part = path.with_name(f"{path.name}.part")
    try:
        with _translate_errors(part):
            descriptor = open_locked(part)
    except FileInUseError as error:
        raise FileInUseError(
            f"cannot write {path}: another run is writing it. Wait for that run to end or stop it, or name another file"
        ) from error
    with _Output(descriptor, path) as stream:
        with _translate_errors(path):
            os.ftruncate(descriptor, 0)
        try:
            yield stream
        except Withdrawn:
            with _translate_errors(part):
                _remove(stream, part)
            raise
        with _translate_errors(path):
            os.fsync(descriptor)
            _rename(stream, part, path)


@contextmanager
def open_output(path: Path | None) -> Iterator[BinaryIO]:
    """Open the file for records by `atomic_write`, or stdout for None."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with atomic_write(path) as stream:
        yield stream


def make_folder(path: Path) -> None:
    """Make a folder, unless it is there.

    Raises:
        FileError: It cannot be made.
    """
    with _translate_errors(path):
        path.mkdir(exist_ok=True)


class _Output(io.FileIO):
    """The open file. It has no buffer: a line that was written is in the file even if the process is killed."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor, "wb")
        self._path = path

    def write(self, data: Any, /) -> int:  # noqa: ANN401  # any buffer
        rest = memoryview(data)
        with _translate_errors(self._path):
            while rest:
                rest = rest[super().write(rest) :]
        return len(data)


def open_locked(path: Path) -> int:
    """Open a file for this process alone, creating it if needed, and return its descriptor; its content stays.

    The lock is the operating system's: closing the descriptor releases it, and so does the end of the process, however
    it ends.

    Raises:
        FileInUseError: If another process has it open in this way.
        FileError: If it is no ordinary file with a single name: the target of a link is not ours to replace.
        OSError: If it cannot be opened.

    """
    while True:
        if path.is_symlink():
            raise FileError(f"cannot write {path}: it is a symbolic link. Remove it, or name another file")
        descriptor = os.open(path, _FLAGS, 0o666)
        try:
            if _lock_own(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock_own(descriptor: int, path: Path) -> bool:
    """Lock an open file; says whether it still is the one of that name, for its last writer may have renamed it."""
    opened = os.fstat(descriptor)
    if not stat.S_ISREG(opened.st_mode):
        raise FileError(f"cannot write {path}: it is no ordinary file. Remove it, or name another file")
    if opened.st_nlink > 1:
        raise FileError(f"cannot write {path}: it is a hard link. Remove it, or name another file")
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EAGAIN, errno.EDEADLK}:
            raise
        raise FileInUseError(f"cannot write {path}: another process is writing it") from error
    try:
        return os.path.samestat(opened, path.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into a `FileError`."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FileError(f"cannot write {path}: {reason}") from error


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # Windows locks bytes for reading too: one that no reader reaches
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

    def _rename(stream: BinaryIO, part: Path, path: Path) -> None:
        stream.close()  # an open file cannot be renamed there
        part.replace(path)

    def _remove(stream: BinaryIO, part: Path) -> None:
        stream.close()  # as above
        part.unlink()

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _remove(_: BinaryIO, part: Path) -> None:
        part.unlink()

    def _rename(_: BinaryIO, part: Path, path: Path) -> None:
        """Rename a file while its lock is held, durably: the folder is written to the disk too."""
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some file systems have no such thing
                raise
        finally:
            os.close(folder)

"""Files that appear under their name only when they are whole, and that one run writes at a time."""

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from trialscrape.errors import FileError, FileInUseError, Withdrawn
from trialscrape.exports import files
from trialscrape.exports.files import atomic_write

LINE = b'{"nct_id": "NCT99000001"}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trials.jsonl"


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "trials.jsonl.part"


def write(path: Path, data: bytes = LINE) -> None:
    with atomic_write(path) as stream:
        stream.write(data)


def test_a_file_gets_its_name_when_it_is_whole(path: Path, part: Path) -> None:
    path.write_bytes(b"former")
    with atomic_write(path) as stream:
        assert stream.write(LINE) == len(LINE)
        assert (part.read_bytes(), path.read_bytes()) == (LINE, b"former")
        stream.write(LINE)
    assert path.read_bytes() == LINE * 2
    assert not part.exists()


def test_the_mode_is_what_the_umask_leaves(path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_error_leaves_the_former_file_and_the_next_run_starts_over(path: Path, part: Path) -> None:
    path.write_bytes(b"former")
    with pytest.raises(KeyError), atomic_write(path) as stream:  # noqa: PT012  # what was written before it is the point
        stream.write(LINE * 100)
        raise KeyError
    assert (path.read_bytes(), part.read_bytes()) == (b"former", LINE * 100)
    write(path)
    assert path.read_bytes() == LINE
    assert not part.exists()


def test_what_is_withdrawn_leaves_the_former_file_alone(path: Path, part: Path) -> None:
    path.write_bytes(b"former")
    for _ in range(2):
        with pytest.raises(Withdrawn), atomic_write(path) as stream:  # noqa: PT012  as above
            stream.write(LINE)
            assert part.exists()
            raise Withdrawn
        assert (path.read_bytes(), part.exists()) == (b"former", False)
    write(path)
    assert path.read_bytes() == LINE


# Two runs


def test_a_second_run_on_the_same_file_ends_and_leaves_the_first_alone(path: Path, part: Path) -> None:
    with atomic_write(path) as stream:
        stream.write(LINE)
        with pytest.raises(FileInUseError) as caught:
            write(path, b"second")
        assert part.read_bytes() == LINE
        stream.write(LINE)
    assert str(caught.value) == (
        f"cannot write {path}: another run is writing it. Wait for that run to end or stop it, or name another file"
    )
    assert path.read_bytes() == LINE * 2
    write(path, b"third")
    assert path.read_bytes() == b"third"


HOLD = """
import sys, time
from pathlib import Path
from trialscrape.exports.files import atomic_write
with atomic_write(Path(sys.argv[1])) as stream:
    stream.write(b"half a line")
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_run_holds_nothing_and_leaves_one_file_that_is_used_again(path: Path, part: Path) -> None:
    for _ in range(3):
        holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(FileInUseError):
            write(path)
        holder.kill()
        holder.communicate()
        assert list(path.parent.iterdir()) == [part]
    write(path)
    assert (list(path.parent.iterdir()), path.read_bytes()) == ([path], LINE)


def test_of_many_runs_at_once_each_writes_all_or_nothing(path: Path) -> None:
    ended: list[bytes] = []

    def run(name: int) -> None:
        for number in range(40):
            data = b"%d %d\n" % (name, number) * 50
            try:
                write(path, data)
            except FileInUseError:
                continue
            ended.append(data)
            assert len(set(path.read_bytes().splitlines())) == 1  # of whichever run, it is whole

    threads = [threading.Thread(target=run, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in ended


def test_a_file_that_was_renamed_between_opening_and_locking_is_not_written(
    path: Path, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock: Callable[[int], None] = files._lock  # noqa: SLF001  # the moment between is the point

    def rename_first(descriptor: int) -> None:
        lock(descriptor)
        monkeypatch.undo()
        part.write_bytes(b"the other run's")
        part.replace(path)

    monkeypatch.setattr(files, "_lock", rename_first)
    with atomic_write(path) as stream:
        assert path.read_bytes() == b"the other run's"
        stream.write(LINE)
    assert path.read_bytes() == LINE


# Links and other kinds of file


LINKS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "symbolic link": (lambda part, victim: part.symlink_to(victim), "it is a symbolic link"),
    "hard link": (lambda part, victim: part.hardlink_to(victim), "it is a hard link"),
    "pipe": (lambda part, _: os.mkfifo(part), "it is no ordinary file"),
}


@pytest.mark.parametrize(("make", "message"), LINKS.values(), ids=LINKS)
def test_what_stands_where_the_part_would_be_is_not_written(
    path: Path, part: Path, make: Callable[[Path, Path], object], message: str
) -> None:
    victim = path.with_name("victim")
    victim.write_bytes(b"precious")
    make(part, victim)
    with pytest.raises(FileError) as caught:
        write(path)
    assert str(caught.value) == f"cannot write {part}: {message}. Remove it, or name another file"
    assert (victim.read_bytes(), path.exists()) == (b"precious", False)


def test_a_link_to_nothing_makes_no_file(path: Path, part: Path) -> None:
    part.symlink_to(path.with_name("made"))
    with pytest.raises(FileError, match="it is a symbolic link"):
        write(path)
    assert not path.with_name("made").exists()


def test_a_link_that_comes_between_looking_and_opening_is_not_followed(
    path: Path, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = path.with_name("victim")
    victim.write_bytes(b"precious")
    part.symlink_to(victim)
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)
    with pytest.raises(FileError, match=r"cannot write .*part: too many levels of symbolic links"):
        write(path)
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize(("make", "reason"), [(Path.mkdir, "is a directory"), (None, "no such file or directory")])
def test_a_part_that_does_not_open_is_reported(
    tmp_path: Path, make: Callable[[Path], None] | None, reason: str
) -> None:
    path = tmp_path / ("trials.jsonl" if make else "none/trials.jsonl")
    part = path.with_name("trials.jsonl.part")
    if make:
        make(part)
    with pytest.raises(FileError) as caught:
        write(path)
    assert str(caught.value) == f"cannot write {part}: {reason}"


# Faults of the disk; tests/test_faults.py has every one of them, where there is a compiler


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


FAULTS = [
    (os, "ftruncate", errno.EIO),
    (os, "fsync", errno.ENOSPC),
    (os, "fsync", errno.EIO),
    (Path, "replace", errno.EIO),
]


@pytest.mark.parametrize(("module", "call", "number"), FAULTS)
def test_a_fault_leaves_the_former_file_and_is_reported(
    path: Path, module: object, call: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"former")
    monkeypatch.setattr(module, call, failing(number))
    with pytest.raises(FileError) as caught:
        write(path)
    assert str(caught.value) == f"cannot write {path}: {os.strerror(number).lower()}"
    monkeypatch.undo()
    assert path.read_bytes() == b"former"
    write(path)
    assert path.read_bytes() == LINE


def test_a_folder_that_cannot_be_written_to_the_disk_is_reported_unless_its_file_system_has_no_such_thing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (errno.EIO, errno.EINVAL):
        fsync = os.fsync

        def fail(descriptor: int, number: int = number, fsync: Callable[[int], None] = fsync) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, os.strerror(number))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", fail)
        try:
            write(path)
        except FileError as error:
            assert (number, str(error)) == (errno.EIO, f"cannot write {path}: input/output error")
        else:
            assert number == errno.EINVAL
        assert path.read_bytes() == LINE
        monkeypatch.undo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_reported_in_the_line_that_meets_it(path: Path) -> None:
    with (
        pytest.raises(FileError, match=f"cannot write {path}: no space left on device"),
        files._Output(os.open("/dev/full", os.O_WRONLY), path) as stream,  # noqa: SLF001
    ):
        stream.write(LINE)

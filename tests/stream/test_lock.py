"""The lock of a journal: one holder, gone with it; on Windows, too, as far as known.

Windows itself cannot be had here: its branch is run against a stand-in for `msvcrt`
that locks bytes as Windows documents it.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from napari_scope.fileio import DataFile
from napari_scope.stream import lock as lock_module
from napari_scope.stream.lock import Held, hold, release

if TYPE_CHECKING:
    from pathlib import Path


class Windows:
    """Byte locks: mandatory, of one open file, refused with EACCES, ended by close."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        self.locked: dict[tuple[int, int], int] = {}
        self.error: int | None = None

    def lseek(self, descriptor: int, offset: int, whence: int) -> int:
        if whence == os.SEEK_SET:
            self.places[descriptor] = offset
        return self.places.setdefault(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR))

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1), "never waits, one byte"
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        place = self.places[descriptor]
        assert place > 2**40, "a byte that is locked cannot be read by others"
        holder = self.locked.setdefault(
            (os.fstat(descriptor).st_ino, place), descriptor
        )
        if holder != descriptor:
            raise PermissionError(errno.EACCES, "Permission denied")


@pytest.fixture
def windows() -> Windows:
    return Windows()


@pytest.fixture
def lock_of_windows(monkeypatch: pytest.MonkeyPatch, windows: Windows) -> ModuleType:
    """Return the module `lock` as it is on Windows."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", windows)  # type: ignore[arg-type]
    spec = importlib.util.spec_from_file_location("lock_win32", lock_module.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = ("SEEK_CUR", "SEEK_SET")
    seeks = SimpleNamespace(lseek=windows.lseek, **{n: getattr(os, n) for n in names})
    monkeypatch.setattr(module, "os", seeks)
    return module


def two_files(tmp_path: Path) -> tuple[DataFile, DataFile]:
    path = tmp_path / "f"
    return DataFile.create(path), DataFile.open(path, writable=True)


def test_windows_locks_a_byte_that_nobody_reads(
    tmp_path: Path, lock_of_windows: ModuleType, windows: Windows
) -> None:
    mine, other = two_files(tmp_path)
    with mine, other:
        mine.write_at(0, b"a line")
        assert lock_of_windows.hold(mine).name == "YES"
        assert lock_of_windows.hold(other).name == "TAKEN"
        # What was written goes on where it was, whoever asked for the lock.
        assert windows.places[mine.fileno()] < 100
        assert windows.places[other.fileno()] < 100
        assert other.read_at(0, 6) == b"a line"
        windows.locked.clear()  # the holder has died
        assert lock_of_windows.hold(other).name == "YES"


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (errno.EACCES, "TAKEN"),
        (errno.EDEADLK, "TAKEN"),
        (errno.EINVAL, "UNKNOWN"),
        (errno.ENOSYS, "UNKNOWN"),
    ],
)
def test_what_windows_answers(
    tmp_path: Path,
    lock_of_windows: ModuleType,
    windows: Windows,
    number: int,
    answer: str,
) -> None:
    windows.error = number
    with DataFile.create(tmp_path / "f") as file:
        assert lock_of_windows.hold(file).name == answer
        assert windows.places[file.fileno()] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="tests the lock of POSIX")
def test_a_lock_ends_with_the_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    DataFile.create(path).close()
    code = """
import sys, time
from napari_scope.fileio import DataFile
from napari_scope.stream.lock import hold
file = DataFile.open(sys.argv[1], writable=True)
print(hold(file).name, flush=True)
time.sleep(600)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "YES\n"
            with DataFile.open(path, writable=True) as file:
                assert hold(file) is Held.TAKEN
                process.kill()
                process.wait()
                assert hold(file) is Held.YES
        finally:
            process.kill()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="tests the lock of POSIX")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_lock_that_is_released_does_not_live_on_in_a_forked_process(
    tmp_path: Path,
) -> None:
    mine, other = two_files(tmp_path)
    with other:
        assert hold(mine) is Held.YES
        ended, end = os.pipe()
        child = os.fork()
        if not child:
            os.close(end)
            os.read(ended, 1)  # until the parent has closed its end
            os._exit(0)
        try:
            release(mine)
            mine.close()
            assert hold(other) is Held.YES
        finally:
            os.close(end)
            os.close(ended)
            os.waitpid(child, 0)
    release(mine)  # of a closed file there is nothing to release

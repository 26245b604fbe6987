"""What libhdf5 writes arrives, and what cannot be written ends nothing but the work."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from napari_scope.fileio import DataFile
from napari_scope.formats.msi.openmsi.sink import Sink

if TYPE_CHECKING:
    from pathlib import Path

VALUES = np.random.default_rng(5).integers(0, 255, (40, 50, 30)).astype("u2")


def test_a_file_is_as_h5py_itself_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[object] = []
    monkeypatch.setattr(DataFile, "sync", lambda file: synced.append(file))
    with Sink(tmp_path / "a.h5") as sink:
        with h5py.File(sink, "w") as file:
            data = file.create_dataset(
                "a", data=VALUES, chunks=(1, 50, 30), compression="gzip"
            )
            file["b"] = data[::2]
        sink.check()
        assert synced == []
        sink.sync()
        assert len(synced) == 1
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["a"][()], VALUES)
        np.testing.assert_array_equal(file["b"][()], VALUES[::2])
    with pytest.raises(FileExistsError):
        Sink(tmp_path / "a.h5")


def test_it_is_a_file_with_a_position(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "a")
    assert sink.readable() and sink.writable() and sink.seekable()
    assert sink.write(b"0123456789") == 10 and sink.tell() == 10
    assert sink.seek(-4, io.SEEK_END) == 6 and sink.seek(1, io.SEEK_CUR) == 7
    target = bytearray(b"xxxxx")
    # Beyond the end it is as if zeros had been written.
    assert sink.readinto(target) == 5 and target == b"789\0\0" and sink.tell() == 12
    assert sink.truncate(4) == 4 and sink.seek(0, io.SEEK_END) == 4
    sink.close()
    sink.close()
    assert (tmp_path / "a").read_bytes() == b"0123"


class _Full:
    """Stands before a file as a disk that takes some bytes, then none for a while."""

    def __init__(self, file: DataFile, error: BaseException, room: int) -> None:
        self._file, self._error, self.room = file, error, room

    def write_at(self, offset: int, *data: Any) -> int:
        self.room -= sum(len(one) for one in data)
        if self.room < 0:
            raise self._error
        return self._file.write_at(offset, *data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()]
)
@pytest.mark.parametrize("room", [0, 3000, 50_000])
def test_a_failure_is_raised_by_who_asks(
    tmp_path: Path, error: BaseException, room: int
) -> None:
    with Sink(tmp_path / "a.h5") as sink:
        sink._file = _Full(sink._file, error, room)  # type: ignore[assignment]
        with h5py.File(sink, "w") as file:
            data = file.create_dataset("a", data=VALUES, chunks=(1, 50, 30))
            # What was written afterwards is there as long as it is open.
            np.testing.assert_array_equal(data[()], VALUES)
            for k in range(100):
                file.create_group(f"group {k}").attrs["number"] = k
            file.flush()
        assert sink.failed is error
        with pytest.raises(type(error)):
            sink.check()


def test_the_first_failure_counts_and_later_writes_do_not_tear_holes(
    tmp_path: Path,
) -> None:
    first = OSError(errno.ENOSPC, "first")
    sink = Sink(tmp_path / "a")
    sink.write(b"aaaa")
    full = sink._file = _Full(sink._file, first, 2)  # type: ignore[assignment]
    sink.write(b"bbbb")
    full.room, full._error = -1, OSError(errno.EIO, "second")
    sink.write(b"cccc")
    assert sink.failed is first
    full.room = 100
    sink.seek(2)
    sink.write(b"dddd")
    sink.seek(0)
    target = bytearray(14)
    sink.readinto(target)
    assert target == b"aaddddbbcccc\0\0"
    part = bytearray(3)
    sink.seek(9)
    sink.readinto(part)
    assert part == b"ccc"
    sink.close()


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of a file's size")
def test_a_program_survives_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """libhdf5 alone ends the whole program with a violation of memory."""
    program = """
import resource, signal, sys
import numpy as np
from napari_scope.errors import ScopeError
from napari_scope.formats.msi import PixelTable
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.openmsi.writer import write_openmsi
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
n = 600
spectra = MemorySpectra.over(
    np.linspace(1, 2, 5000), np.ones((n, 5000)), PixelTable.of(range(n), [0] * n)
)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000,) * 2)
try:
    write_openmsi(spectra, sys.argv[1])
except (OSError, ScopeError) as error:
    print("survived:", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.h5")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "survived: [Errno 27]" in done.stdout
    assert list(tmp_path.iterdir()) == []

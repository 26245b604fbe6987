"""Promises of the writer under faults: a full disk, a killed process."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.errors import DiskSpaceError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff import (
    FrameItem,
    NDTiffReader,
    NDTiffWriter,
    open_ndtiff,
    tiff,
)
from napari_scope.model import Channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_scope.fileio import Buffer

_GROUP = tiff.LAZY_FRAMES


@pytest.fixture(autouse=True)
def _every_frame_is_linked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each put the same three writes; groups have tests of their own."""
    monkeypatch.setattr(tiff, "LAZY_FRAMES", 0)


_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _frame(number: int) -> np.ndarray:
    return np.full((16, 24), number, "u2")


def _kind_of_file() -> type[DataFile]:
    """Return the class of files that is in use (POSIX or portable)."""
    with DataFile.open(__file__) as file:
        return type(file)


class _FailingDisk:
    """Lets ``left`` writes through, then half a write each; None lets all through.

    With ``once`` it works again after the first failure.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
        self.left: int | None = None
        self.once = False
        kind = _kind_of_file()
        real: Callable[..., int] = kind.write_at

        def write_at(file: DataFile, offset: int, *buffers: Buffer) -> int:
            if self.left is None:
                return real(file, offset, *buffers)
            if self.left:
                self.left -= 1
                return real(file, offset, *buffers)
            data = b"".join(bytes(memoryview(b).cast("B")) for b in buffers)
            real(file, offset, data[: len(data) // 2])
            if self.once:
                self.left = None
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(kind, "write_at", write_at)


@pytest.mark.parametrize("writes", range(3), ids=["pixels", "link", "index"])
@pytest.mark.parametrize(
    ("code", "kind"), [(errno.ENOSPC, DiskSpaceError), (errno.EIO, StreamError)]
)
@pytest.mark.usefixtures("any_io")
def test_a_put_that_the_disk_refuses_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writes: int,
    code: int,
    kind: type[Exception],
) -> None:
    disk = _FailingDisk(monkeypatch, code)
    folder = tmp_path / "run"
    with NDTiffWriter(folder) as writer:
        writer.put({"time": 0}, _frame(0))
        before = _contents(folder)
        disk.left = writes
        with pytest.raises(kind):
            writer.put({"time": 1}, _frame(1))
        disk.left = None
        # This disk also refuses to mend the chain; the next frame does.
        assert _contents(folder)["NDTiff.index"] == before["NDTiff.index"]
        assert writer.read_frame({"time": 1}) is None
        writer.put({"time": 2}, _frame(2))
    _expect(folder, {0, 2})


@pytest.mark.parametrize("writes", range(3), ids=["pixels", "link", "index"])
@pytest.mark.usefixtures("any_io")
def test_a_refused_put_is_undone_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    disk = _FailingDisk(monkeypatch, errno.ENOSPC)
    disk.once = True
    folder = tmp_path / "run"
    with NDTiffWriter(folder, max_file_bytes=3500) as writer:
        for number in range(2):
            writer.put({"time": number}, _frame(number))
        before = _contents(folder)
        disk.left = writes
        with pytest.raises(DiskSpaceError):
            writer.put({"time": 9}, _frame(9))
        assert _contents(folder) == before
        disk.left = writes
        with pytest.raises(DiskSpaceError):
            writer.put_many([FrameItem({"time": i}, _frame(i)) for i in range(2, 9)])
        assert _contents(folder) == before
        writer.put_many([FrameItem({"time": i}, _frame(i)) for i in range(2, 9)])
        names = [path.name for path in folder.glob("*.tif")]
    assert sorted(names) == [
        "NDTiffStack.tif",
        "NDTiffStack_1.tif",
        "NDTiffStack_2.tif",
    ]
    _expect(folder, set(range(9)))


@pytest.mark.parametrize("writes", range(5))
@pytest.mark.usefixtures("any_io")
def test_a_batch_over_two_files_is_written_whole_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    disk = _FailingDisk(monkeypatch, errno.ENOSPC)
    folder = tmp_path / "run"
    with NDTiffWriter(folder, max_file_bytes=3500) as writer:
        writer.put({"time": 0}, _frame(0))
        before = _contents(folder)
        disk.left = writes
        batch = [FrameItem({"time": i}, _frame(i)) for i in (1, 2, 3, 4, 5)]
        with pytest.raises(DiskSpaceError):
            writer.put_many(batch)
        disk.left = None
        assert set(_contents(folder)) == set(before)
        assert _contents(folder)["NDTiff.index"] == before["NDTiff.index"]
        writer.put_many(batch[1:])
    _expect(folder, {0, 2, 3, 4, 5})


def _expect(folder: Path, times: set[int]) -> None:
    """Check a store by our reader and as a plain stack."""
    tifffile = pytest.importorskip("tifffile")
    with NDTiffReader(folder) as reader:
        assert reader.problems == []
        assert set(reader.axes["time"]) == times
        for number in times:
            frame = reader.read_frame({"time": number})
            np.testing.assert_array_equal(frame, _frame(number))
            assert reader.read_metadata({"time": number}) == {"Axes": {"time": number}}
    pages = []
    for path in sorted(folder.glob("*.tif")):
        with tifffile.TiffFile(path) as tiff:
            pages += [int(page.asarray()[0, 0]) for page in tiff.pages]
    assert sorted(pages) == sorted(times)


@pytest.mark.parametrize(
    "step",
    [
        "napari_scope.formats.ndtiff.tiff.replace_file",
        "napari_scope.formats.ndtiff.tiff.DataFile.open",
        "napari_scope.formats.ndtiff.growing_index.DataFile.create",
        "napari_scope.formats.ndtiff.store_root.replace_file",
    ],
)
@pytest.mark.usefixtures("any_io")
def test_a_store_that_cannot_be_begun_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(step, refuse)
    with pytest.raises(DiskSpaceError):
        NDTiffWriter(tmp_path / "run", channels=[Channel("a")])
    assert not (tmp_path / "run").exists()


def test_a_file_is_never_visible_without_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between creating a file and its header must not leave an empty one."""
    seen = []
    create = os.open

    def spy(path: str, flags: int, *rest: int) -> int:
        descriptor = create(path, flags, *rest)
        seen.extend(p.stat().st_size for p in tmp_path.glob("run/*.tif"))
        return descriptor

    monkeypatch.setattr(os, "open", spy)
    with NDTiffWriter(tmp_path / "run", max_file_bytes=1200) as writer:
        for number in range(4):
            writer.put({"time": number}, _frame(number))
    assert len(list(tmp_path.glob("run/*.tif"))) == 4
    assert seen
    assert all(seen)


_FULL_DISK = """
import resource, sys
import numpy as np
from napari_scope.errors import DiskSpaceError
from napari_scope.formats.ndtiff import NDTiffWriter

resource.setrlimit(resource.RLIMIT_FSIZE, (30000, resource.RLIM_INFINITY))
writer = NDTiffWriter(sys.argv[1])
saved = 0
try:
    for saved in range(1000):
        writer.put({"time": saved}, np.full((16, 24), saved, "u2"))
except DiskSpaceError as error:
    print(saved, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
writer.put({"time": saved}, np.full((16, 24), saved, "u2"))
writer.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits the size of files")
@pytest.mark.parametrize("portable", ["0", "1"])
def test_a_full_disk_stops_between_two_frames(tmp_path: Path, portable: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path / "run")],
        env={**_ENVIRONMENT, "NAPARI_SCOPE_PORTABLE_IO": portable},
        capture_output=True,
        text=True,
        check=True,
    )
    number, message = done.stdout.split(" ", 1)
    assert "the disk is full" in message
    assert int(number) == (30000 - 30) // (178 + 768 + 20)
    _expect(tmp_path / "run", set(range(int(number) + 1)))


_ENDLESS = """
import itertools, sys
import numpy as np
from napari_scope.formats.ndtiff import NDTiffWriter

writer = NDTiffWriter(sys.argv[1], summary={"a": 1}, max_file_bytes=200_000)
rng = np.random.default_rng(0)
for number in itertools.count():
    frame = rng.integers(0, 65535, (64, 64), "u2")
    frame[0, 0] = number
    writer.put({"time": number, "channel": "DAPI"}, frame, {"sum": int(frame.sum())})
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_process_leaves_every_frame(tmp_path: Path, seed: int) -> None:
    ndstorage = pytest.importorskip("ndstorage", reason="the reference reader")
    tifffile = pytest.importorskip("tifffile")
    folder = tmp_path / "run"
    chance = random.Random(seed)
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(folder)],
        env=_ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(chance.randint(1, 300)):
            process.stdout.readline()
        time.sleep(chance.random() / 200)
        process.kill()
        last = int(process.stdout.read().rstrip("\n").rpartition("\n")[2] or 0)

    with NDTiffReader(folder) as reader:
        assert len(reader) > last
        assert reader.problems == []
        numbers = reader.axes["time"]
        assert numbers == list(range(len(numbers)))
        for number in numbers:
            axes = {"time": number, "channel": "DAPI"}
            frame = reader.read_frame(axes)
            assert frame is not None
            assert frame[0, 0] == number
            about = reader.read_metadata(axes)
            assert about is not None
            assert about["sum"] == int(frame.sum())
    assert open_ndtiff(folder).images[0].levels[0].shape == (len(numbers), 1, 64, 64)

    dataset = ndstorage.Dataset(str(folder))
    for number in numbers:
        image = dataset.read_image(time=number, channel="DAPI")
        about = dataset.read_metadata(time=number, channel="DAPI")
        assert about["sum"] == int(image.sum())
    dataset.close()

    pages = 0
    for path in folder.glob("*.tif"):
        with tifffile.TiffFile(path) as stack:
            pages += len(stack.pages)
    # The chain may lack the frames of its last group, or have one that is not indexed.
    assert len(numbers) - _GROUP <= pages <= len(numbers) + 1

"""Frames in memory, and those beyond its limit in a file that nobody else sees."""

from __future__ import annotations

import errno
import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.stream.streams import all_images, frame_of, growing_spec, make_spec

from napari_scope.errors import DiskSpaceError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.stream import Address, MemorySink, Stream
from napari_scope.stream import stream as stream_module
from napari_scope.stream.disk import STOP_BYTES
from napari_scope.stream.outputs import RESERVE_BYTES
from napari_scope.stream.stats import StreamStats

pytestmark = pytest.mark.usefixtures("implementation")

FRAME = 16 * 24 * 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("growing", [False, True])
@pytest.mark.parametrize("room", [0, 1, 3, 10])
def test_memory_and_file_are_one_store(folder: Path, growing: bool, room: int) -> None:
    sink = MemorySink(room * FRAME + 5, spill=True)
    spec = growing_spec() if growing else make_spec({"time": 6})
    with Stream(spec, [sink]) as stream:
        for number in (5, 0, 3, 1):
            stream.append(frame_of(number), index={"time": number})
        stream.flush()
        seen = all_images(stream)[0]
    for images in (seen, all_images(stream)[0]):  # afterwards, too
        for n in range(6):
            there = n in (5, 0, 3, 1)
            wanted = frame_of(n) if there else np.zeros_like(frame_of(n))
            assert np.array_equal(images[n], wanted), n
    assert sink.spilled_bytes == max(0, 4 - room) * FRAME
    assert sink.read(Address(0, (2,))) is None


def test_without_leave_the_run_stops(folder: Path) -> None:
    with pytest.raises(StreamError, match="do not fit"):
        Stream(make_spec({"time": 5}, n_frames=5), [MemorySink(2 * FRAME)])
    stream = Stream(growing_spec(), [MemorySink(2 * FRAME)])
    with pytest.raises(StreamError, match="are full"):
        for number in range(3):
            stream.append(frame_of(number), index={"time": number})
            stream.flush()
    with pytest.raises(StreamError, match="are full"):
        stream.close()
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_the_file_goes_with_its_last_reader(folder: Path) -> None:
    gc.collect()
    before = open_files()
    with Stream(make_spec(), [MemorySink(0, spill=True)]) as stream:
        stream.append(frame_of(0))
        stream.flush()
        if sys.platform != "win32":
            assert list(folder.iterdir()) == []  # it has no name
    (image,) = stream.view().images
    del stream
    gc.collect()
    assert np.array_equal(image.levels[0][0], frame_of(0))
    assert open_files() == before + 1
    del image
    gc.collect()
    assert open_files() == before
    assert list(folder.iterdir()) == []


def test_a_disk_that_is_full_reaches_the_caller(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(make_spec({"time": 9}), [MemorySink(FRAME, spill=True)])
    stream.append(frame_of(0))
    stream.append(frame_of(1))
    stream.flush()
    (sink,) = stream.sinks
    assert isinstance(sink, MemorySink)
    file: Any = sink._file

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(file), "write_at", full)
    stream.append(frame_of(2))
    with pytest.raises(DiskSpaceError, match="2 frames are saved, 1 that") as caught:
        stream.flush()
    assert str(folder) in str(caught.value)
    with pytest.raises(DiskSpaceError):
        stream.append(frame_of(3))
    with pytest.raises(DiskSpaceError):
        stream.close()
    monkeypatch.undo()
    assert np.array_equal(all_images(stream)[0][:2], [frame_of(0), frame_of(1)])


def test_a_folder_that_is_not_there_reaches_the_caller(tmp_path: Path) -> None:
    sink = MemorySink(0, spill=True, folder=tmp_path / "gone")
    stream = Stream(make_spec(), [sink])
    stream.append(frame_of(0))
    with pytest.raises(StreamError, match="No such file"):
        stream.close()


def test_a_file_that_was_cut_is_told(folder: Path) -> None:
    with Stream(make_spec(), [MemorySink(0, spill=True)]) as stream:
        stream.append(frame_of(0))
    (sink,) = stream.sinks
    assert isinstance(sink, MemorySink)
    assert isinstance(sink._file, DataFile)
    sink._file.truncate(5)
    with pytest.raises(StreamError, match="was cut"):
        sink.read(Address(0, (0,)))


class Disks:
    """Disks with so much room."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.asked: list[Path] = []

    def disk(self, path: Path) -> int:
        return 1

    def free(self, path: Path) -> int:
        self.asked.append(path)
        return self.room


def test_the_disk_must_have_room_for_what_is_known_not_to_fit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec({"time": 5}, n_frames=5)
    needed = RESERVE_BYTES + 3 * FRAME
    for room in (needed - 1, needed):
        monkeypatch.setattr(stream_module, "_Disks", lambda room=room: Disks(room))
        if room < needed:
            with pytest.raises(DiskSpaceError, match="the disk has") as caught:
                Stream(spec, [MemorySink(2 * FRAME, spill=True)])
            assert str(folder) in str(caught.value)
        else:
            Stream(spec, [MemorySink(2 * FRAME, spill=True)]).close()
    # What fits, and what nobody knows, asks for nothing.
    monkeypatch.setattr(stream_module, "_Disks", lambda: Disks(0))
    Stream(spec, [MemorySink(5 * FRAME, spill=True)]).close()
    Stream(growing_spec(), [MemorySink(FRAME, spill=True)]).close()


def test_the_disk_is_watched_once_it_is_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disks = Disks(STOP_BYTES - 1)
    monkeypatch.setattr(stream_module, "_Disks", lambda: disks)
    stream = Stream(make_spec(), [MemorySink(FRAME, spill=True)], sync_interval_s=0.01)
    failed: list[StreamError] = []
    stream.events.failed.connect(failed.append)
    stream.append(frame_of(0))
    stream.flush()
    assert not disks.asked
    stream.append(frame_of(1))
    with pytest.raises(DiskSpaceError, match="nearly full"):
        while True:
            stream.flush()
    with pytest.raises(DiskSpaceError):
        stream.close()
    assert set(disks.asked) == {folder}
    assert len(failed) == 1
    stats = stream.stats()
    assert isinstance(stats, StreamStats)
    assert stats.saved == 2

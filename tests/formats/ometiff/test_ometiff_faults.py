"""Promises of the writer under faults: a full disk, a broken one, a killed process."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ometiff.tiffs import (
    frame_of,
    image_of,
    pages,
    series,
    validate,
    xml_of,
)

from napari_scope import fileio
from napari_scope.errors import DiskSpaceError, StreamError
from napari_scope.formats.ometiff import FrameItem, OmeTiffWriter, repair_tiff

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_scope.fileio import DataFile

_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


class _FailingDisk:
    """Fails the write number ``at``, after half of its bytes; all later ones, too.

    With ``once`` it works again after the first failure.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, code: int = errno.ENOSPC
    ) -> None:
        self.at: int | None = None
        self.once = False
        self.count = 0
        for kind in (fileio._PosixFile, fileio._PortableFile):
            monkeypatch.setattr(kind, "write_at", self._wrap(kind.write_at, code))

    def _wrap(self, real: Callable[..., int], code: int) -> Callable[..., int]:
        def write_at(file: DataFile, offset: int, *buffers: Any) -> int:
            self.count += 1
            if self.at is None or self.count <= self.at:
                return real(file, offset, *buffers)
            data = b"".join(bytes(memoryview(b).cast("B")) for b in buffers)
            real(file, offset, data[: len(data) // 2])
            if self.once:
                self.at = None
            raise OSError(code, os.strerror(code))

        return write_at

    def fail_in(self, writes: int, *, once: bool) -> None:
        self.at, self.once = self.count + writes, once


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.ENOSPC, DiskSpaceError), (errno.EIO, StreamError)]
)
@pytest.mark.parametrize("frames", [0, 1, 3])
@pytest.mark.parametrize("writes", range(5))
@pytest.mark.usefixtures("any_io")
def test_a_refused_frame_is_undone_to_the_byte(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type,
    frames: int,
    writes: int,
) -> None:
    """Writes are: the XML, where it is (the order is broken), the frames, the link."""
    disk = _FailingDisk(monkeypatch, code)
    path = tmp_path / "a.ome.tiff"
    writer = OmeTiffWriter(path, [image_of(9)])
    for number in range(frames):
        writer.put(0, (number, 0, 0), frame_of(number))
    before = path.read_bytes()
    disk.fail_in(writes, once=True)
    # Frame 6 is not the one foretold, and 8 not the one after it.
    batch = [FrameItem(0, (n, 0, 0), frame_of(n)) for n in (6, 8)]
    try:
        writer.put_many(batch)
    except StreamError as error:
        assert type(error) is kind
        assert path.read_bytes() == before
        assert writer.read(0, (6, 0, 0)) is None
        disk.at = None
        writer.put_many(batch)
    else:
        assert writes >= 4, "there are more writes than that"
    disk.at = None
    writer.close()
    _expect(path, [*range(frames), 6, 8])


@pytest.mark.parametrize("writes", range(4))
@pytest.mark.usefixtures("any_io")
def test_a_disk_that_refuses_even_the_undo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    disk = _FailingDisk(monkeypatch)
    path = tmp_path / "a.ome.tiff"
    writer = OmeTiffWriter(path, [image_of(9)])
    writer.put(0, (0, 0, 0), frame_of(0))
    disk.fail_in(writes, once=False)
    with pytest.raises(DiskSpaceError):
        writer.put(0, (5, 0, 0), frame_of(5))
        writer.put(0, (7, 0, 0), frame_of(7))
    disk.at = None
    there = writer.read(0, (5, 0, 0)) is not None
    writer.put(0, (2, 0, 0), frame_of(2))
    writer.close()
    _expect(path, [0, 5, 2] if there else [0, 2])


def test_what_was_foretold_for_a_refused_frame_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = _FailingDisk(monkeypatch)
    path = tmp_path / "a.ome.tiff"
    writer = OmeTiffWriter(path, [image_of(9)])
    writer.put(0, (0, 0, 0), frame_of(0))
    disk.fail_in(2, once=True)  # the XML and its place are written, the frame is not
    with pytest.raises(DiskSpaceError):
        writer.put(0, (5, 0, 0), frame_of(5))
    writer.put(0, (6, 0, 0), frame_of(6))
    found = series(path)
    assert not found[1].any()
    np.testing.assert_array_equal(found[6, 0, 0], frame_of(6))
    writer.close()
    _expect(path, [0, 6])


@pytest.mark.usefixtures("any_io")
def test_a_batch_over_several_files_is_stored_whole_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = _FailingDisk(monkeypatch)
    images = [image_of(3, name="a"), image_of(3, name="b")]
    writer = OmeTiffWriter(tmp_path / "run", images, layout="folder")
    writer.put_many([FrameItem(n, (0, 0, 0), frame_of(n)) for n in (0, 1)])
    before = [path.read_bytes() for path in writer.files]
    for writes in range(4):
        disk.fail_in(writes, once=True)
        with pytest.raises(DiskSpaceError):
            writer.put_many([FrameItem(n, (1, 0, 0), frame_of(n)) for n in (0, 1)])
        assert [path.read_bytes() for path in writer.files] == before
    writer.put_many([FrameItem(n, (1, 0, 0), frame_of(n)) for n in (0, 1)])
    writer.close()


@pytest.mark.usefixtures("any_io")
def test_every_write_of_a_run_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each write, until none is left: what was told stays, and is repaired."""
    disk = _FailingDisk(monkeypatch)
    order = [0, 1, 4, 2, 3]
    for writes in range(100):
        path = tmp_path / f"{writes}.ome.tiff"
        told: list[int] = []
        disk.fail_in(writes, once=False)
        try:
            writer = OmeTiffWriter(path, [image_of(5)])
            for number in order:
                writer.put(0, (number, 0, 0), frame_of(number))
                told.append(number)
            writer.close()
        except DiskSpaceError:
            disk.at = None
            if not told and not path.exists():
                continue
            writer.close(finish=False)
            there = pages(path) if told else []
            assert len(there) == len(told)
            for frame, number in zip(there, told, strict=True):
                np.testing.assert_array_equal(frame, frame_of(number))
            assert repair_tiff(path)
            _expect(path, told)
            assert repair_tiff(path) == []
        else:
            disk.at = None
            _expect(path, order)
            assert writes > 10
            return
    pytest.fail("it never came through")


def test_a_run_that_cannot_be_begun_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = _FailingDisk(monkeypatch)
    images = [image_of(3, name="a"), image_of(3, name="b")]
    for writes in range(4):
        disk.fail_in(writes, once=True)
        with pytest.raises(DiskSpaceError):
            OmeTiffWriter(tmp_path / "run", images, layout="folder")
        assert not (tmp_path / "run").exists()
    disk.fail_in(0, once=True)
    with pytest.raises(DiskSpaceError):
        OmeTiffWriter(tmp_path / "a.ome.tiff", [image_of()])
    assert not (tmp_path / "a.ome.tiff").exists()


def _expect(path: Path, numbers: list[int]) -> None:
    """Check a finished file: frames in order of arrival, and where the XML has them."""
    planes = validate(xml_of(path)).images[0].pixels.planes
    assert [p.the_t for p in planes] == numbers
    if not numbers:
        return
    for frame, number in zip(pages(path), numbers, strict=True):
        np.testing.assert_array_equal(frame, frame_of(number))
    found = series(path)
    for number in range(len(found)):
        expected = frame_of(number) if number in numbers else np.zeros((16, 24))
        np.testing.assert_array_equal(found[number, 0, 0], expected)


_ENDLESS = """
import itertools, sys
import numpy as np
from napari_scope.formats.ometiff import OmeImage, OmeTiffWriter

path, how, compression = sys.argv[1:]
count = 1 if how == "growing" else 9000
images = [OmeImage("a", (32, 48), "uint16", sizes=(count, 2, 1))]
if how == "folder":
    images.append(OmeImage("b", (32, 48), "uint16", sizes=(9000, 2, 1)))
writer = OmeTiffWriter(
    path,
    images,
    layout="folder" if how == "folder" else "file",
    growing=how == "growing",
    compression=compression or None,
)
rng = np.random.default_rng(0)
for number in itertools.count():
    t, c = divmod(number, 2)
    if how == "gaps" and number % 20 == 7:
        continue
    if how == "growing":
        writer.update([OmeImage("a", (32, 48), "uint16", sizes=(t + 1, 2, 1))])
    for n in range(len(images)):
        frame = rng.integers(0, 65535, (32, 48), "u2")
        frame[0, 0] = number
        writer.put(n, (t, c, 0), frame, {"sum": int(frame.sum()), "elapsed_ms": number})
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("how", ["fixed", "gaps", "growing", "folder"])
@pytest.mark.parametrize("compression", ["", "zlib"])
@pytest.mark.parametrize("portable", ["0", "1"])
def test_a_killed_process_leaves_every_frame(
    tmp_path: Path, how: str, compression: str, portable: str
) -> None:
    path = tmp_path / ("run" if how == "folder" else "run.ome.tiff")
    chance = random.Random()
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(path), how, compression],
        env={**_ENVIRONMENT, "NAPARI_SCOPE_PORTABLE_IO": portable},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(chance.randint(1, 300)):
            process.stdout.readline()
        time.sleep(chance.random() / 200)
        process.kill()
        last = int(process.stdout.read().rstrip("\n").rpartition("\n")[2] or 0)

    files = [path / "a.ome.tiff", path / "b.ome.tiff"] if how == "folder" else [path]
    for file in files:
        numbers = [int(page[0, 0]) for page in pages(file)]
        wanted = [n for n in range(max(numbers) + 1) if how != "gaps" or n % 20 != 7]
        assert numbers == wanted
        assert max(numbers) >= last
        killed = series(file)
        for number in numbers:
            # Also before any repair the file opens as what it is.
            assert killed[number // 2, number % 2, 0, 0, 0] == number
    assert repair_tiff(path)
    assert repair_tiff(path) == []
    for file in files:
        pixels = validate(xml_of(file)).images[0].pixels
        assert pixels.size_t == numbers[-1] // 2 + 1 if file == files[-1] else True
        assert len(pixels.planes) == len(pages(file))
        notes = validate(xml_of(file)).structured_annotations.map_annotations
        found = series(file)
        for plane, note in zip(pixels.planes, notes, strict=True):
            frame = found[plane.the_t, plane.the_c, 0]
            assert int(frame[0, 0]) == plane.the_t * 2 + plane.the_c
            assert dict(note.value) == {"sum": str(frame.sum())}
            assert plane.delta_t == frame[0, 0] / 1000
    if how == "folder":
        ome = validate(xml_of(path / "run.companion.ome"))
        assert [i.name for i in ome.images] == ["a", "b"]
        assert [i.pixels.tiff_data_blocks[0].uuid.file_name for i in ome.images] == [
            "a.ome.tiff",
            "b.ome.tiff",
        ]


@pytest.mark.skipif(sys.platform == "win32", reason="an open file stays on Windows")
@pytest.mark.parametrize("fate", ["removed", "moved", "replaced"])
@pytest.mark.parametrize("folder", [False, True])
def test_a_file_that_is_gone_is_told(tmp_path: Path, fate: str, folder: bool) -> None:
    path = tmp_path / "a.ome.tiff"
    images = [image_of(2, name=name) for name in ("ab" if folder else "a")]
    writer = OmeTiffWriter(path, images, layout="folder" if folder else "file")
    writer.put(0, (0, 0, 0), frame_of(0))
    writer.sync()
    file = path / "a.ome.tiff" if folder else path
    if fate == "removed":
        file.unlink()
    else:
        file.rename(tmp_path / "other")
    if fate == "replaced":
        file.write_bytes(b"")
    writer.put(0, (1, 0, 0), frame_of(1))  # the system takes it
    with pytest.raises(StreamError, match="could not be written") as caught:
        writer.sync()
    assert str(file) in str(caught.value)
    with pytest.raises(StreamError, match="could not be written"):
        writer.close()


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(StreamError, match="a file stands where a folder should be"):
        OmeTiffWriter(tmp_path / "file" / "a.ome.tiff", [image_of(2)])
    assert (tmp_path / "file").read_text() == "precious"

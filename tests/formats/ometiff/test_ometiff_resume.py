"""Going on with files that were closed: what may, what may not, what stays."""

from __future__ import annotations

import errno
import os
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
from napari_scope.errors import DiskSpaceError, FormatError, FrameError, SettingsError
from napari_scope.formats.ometiff import FrameItem, OmeTiffWriter, repair_tiff
from napari_scope.formats.ometiff.frames import FrameKind, FramePacker

if TYPE_CHECKING:
    from pathlib import Path


def written(path: Path, *times: int, **more: Any) -> set[Any]:
    """Write a file of nine time points; return which frames it has."""
    with OmeTiffWriter(path, [image_of(9)], **more) as writer:
        for t in times:
            writer.put(0, (t, 0, 0), frame_of(t), {"elapsed_ms": t})
    return {(0, (t, 0, 0)) for t in times}


def test_until_a_frame_comes_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    known = written(path, 0, 1)
    before = path.read_bytes()
    uuid = validate(xml_of(path)).uuid
    writer = OmeTiffWriter(path, [image_of(9)], resume=known)
    assert path.read_bytes() == before
    np.testing.assert_array_equal(writer.read(0, (1, 0, 0)), frame_of(1))
    with pytest.raises(FrameError, match="already"):
        writer.put(0, (1, 0, 0), frame_of(5))
    assert path.read_bytes() == before
    writer.close(finish=False)
    assert repair_tiff(path) == [], "a process that was killed now left it as it was"
    writer = OmeTiffWriter(path, [image_of(9)], resume=known, notes={"more": "x"})
    writer.put(0, (2, 0, 0), frame_of(2), {"elapsed_ms": 2})
    # What was there lies where it lay.
    assert path.read_bytes()[512 : len(before) - 512].count(frame_of(0).tobytes()) == 1
    writer.close(finish=False)
    assert repair_tiff(path)
    ome = validate(xml_of(path))
    assert ome.uuid == uuid
    assert [p.delta_t for p in ome.images[0].pixels.planes] == [0, 0.001, 0.002]
    assert ome.structured_annotations.map_annotations[0].value["more"] == "x"
    assert repair_tiff(path) == []


@pytest.mark.parametrize("times", [(), (0,), (1, 2)])
@pytest.mark.parametrize("writes", range(4))
@pytest.mark.usefixtures("any_io")
def test_a_disk_that_refuses_the_first_frame_leaves_what_was_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: tuple[int, ...],
    writes: int,
) -> None:
    """Writes are: the XML, where it is, the frame, the link to it."""
    path = tmp_path / "a.ome.tiff"
    known = written(path, *times)
    before = path.read_bytes()
    writer = OmeTiffWriter(path, [image_of(9)], resume=known)
    count = 0

    def wrap(kind: Any) -> Any:
        real = kind.write_at

        def write_at(file: Any, offset: int, *buffers: Any) -> int:
            nonlocal count
            count += 1
            if count == writes + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(real(file, offset, *buffers))

        return write_at

    with monkeypatch.context() as patch:
        for kind in (fileio._PosixFile, fileio._PortableFile):
            patch.setattr(kind, "write_at", wrap(kind))
        with pytest.raises(DiskSpaceError):
            writer.put(0, (5, 0, 0), frame_of(5))
    assert path.read_bytes() == before
    writer.put(0, (5, 0, 0), frame_of(5))
    writer.close()
    for frame, t in zip(pages(path), (*times, 5), strict=True):
        np.testing.assert_array_equal(frame, frame_of(t))


def test_a_frame_that_nobody_knows_of_may_come_again(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    known = written(path, 0, 1, 2) - {(0, (1, 0, 0))}
    writer = OmeTiffWriter(path, [image_of(9)], resume=known)
    np.testing.assert_array_equal(writer.read(0, (1, 0, 0)), frame_of(1))
    # A refused one does not make the old one forgotten.
    with pytest.raises(FrameError):
        again = FrameItem(0, (1, 0, 0), frame_of(7))
        writer.put_many([again, FrameItem(0, (2, 0, 0), frame_of(8))])
    np.testing.assert_array_equal(writer.read(0, (1, 0, 0)), frame_of(1))
    writer.put(0, (1, 0, 0), frame_of(7))
    with pytest.raises(FrameError, match="already"):
        writer.put(0, (1, 0, 0), frame_of(8))
    np.testing.assert_array_equal(writer.read(0, (1, 0, 0)), frame_of(7))
    for finish in (False, True):
        if finish:
            writer.close()
        found = series(path)[:, 0, 0]
        for t, number in ((0, 0), (1, 7), (2, 2)):
            np.testing.assert_array_equal(found[t], frame_of(number))
    assert len(validate(xml_of(path)).images[0].pixels.planes) == 3


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    known = written(path, 0, 8)
    before = path.read_bytes()
    plans: list[tuple[list[Any], dict[str, Any], str]] = [
        ([image_of(9, dtype="uint8")], {}, "type"),
        ([image_of(9, frame_shape=(16, 25))], {}, "shape"),
        ([image_of(9)], {"compression": "zlib"}, "compression"),
        ([image_of(9)], {"levels": 2}, "coarse levels"),
        ([image_of(5)], {}, "not planned"),
        ([image_of(9), image_of(9, name="b")], {}, "holds the images"),
    ]
    for images, more, what in plans:
        with pytest.raises(SettingsError, match=what):
            OmeTiffWriter(path, images, resume=known, **more)
        assert path.read_bytes() == before
    # As its file was renamed, so may its image.
    with OmeTiffWriter(path, [image_of(9, name="new")], resume=known) as writer:
        writer.put(0, (1, 0, 0), frame_of(1))
    assert validate(xml_of(path)).images[0].name == "new"


def test_a_file_that_was_not_closed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    writer = OmeTiffWriter(path, [image_of(9)])
    writer.put(0, (0, 0, 0), frame_of(0))
    writer.close(finish=False)
    with pytest.raises(FormatError, match="recover"):
        OmeTiffWriter(path, [image_of(9)], resume=())
    repair_tiff(path)
    OmeTiffWriter(path, [image_of(9)], resume=()).close()


def test_an_image_that_comes_later_keeps_what_the_companion_says(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    with OmeTiffWriter(folder, [image_of(name="a")], layout="folder") as writer:
        writer.put(0, (0, 0, 0), frame_of(0))
    images = [image_of(name="a"), image_of(name="b")]
    writer = OmeTiffWriter(
        folder, images[:1], layout="folder", growing=True, resume={(0, (0, 0, 0))}
    )
    writer.update(images)
    companion = folder / "run.companion.ome"
    (block,) = validate(xml_of(companion)).images[0].pixels.tiff_data_blocks
    assert block.uuid is not None
    assert block.uuid.value == validate(xml_of(folder / "a.ome.tiff")).uuid
    writer.put(1, (0, 0, 0), frame_of(1))
    writer.close()
    ome = validate(xml_of(companion))
    assert [len(image.pixels.planes) for image in ome.images] == [1, 1]
    np.testing.assert_array_equal(series(folder / "b.ome.tiff")[0, 0, 0], frame_of(1))


def test_frames_are_packed_when_the_threads_have_ended(tmp_path: Path) -> None:
    """As at the end of the process, which ends pools before streams."""
    packer = FramePacker(FrameKind((16, 24), np.dtype("u2"), levels=2))
    frames = [frame_of(0), frame_of(1)]
    for _ in range(2):
        strips = packer.pack(frames, [b"", b""])
        assert [strip.nbytes for strip in strips] == [768, 768]
        packer.close()


def test_a_repair_that_finds_the_disk_full_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.ome.tiff"
    writer = OmeTiffWriter(path, [image_of(9)])
    writer.put(0, (0, 0, 0), frame_of(0))
    writer.close(finish=False)

    def refuse(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        for kind in (fileio._PosixFile, fileio._PortableFile):
            patch.setattr(kind, "write_at", refuse)
        with pytest.raises(DiskSpaceError):
            repair_tiff(path)
    assert repair_tiff(path)

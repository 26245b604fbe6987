"""Pyramids: coarse levels of each frame, as independent readers find them."""

from __future__ import annotations

import itertools
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tests.formats.ometiff.tiffs import image_of, pages, series, validate, xml_of

from napari_scope.arrays import halve
from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.ometiff import FrameItem, OmeTiffWriter, repair_tiff
from napari_scope.formats.ometiff.chain import read_chain
from napari_scope.formats.ometiff.ifd import IfdTemplate
from napari_scope.formats.ometiff.levels import coarse_levels, level_shapes
from napari_scope.formats.ometiff.page import PageReader, read_page

if TYPE_CHECKING:
    from pathlib import Path

KINDS = [
    ((40, 50), "uint16", None),
    ((41, 53), "uint8", "zlib"),
    ((40, 50), "float32", None),
    ((41, 50, 3), "uint8", None),
    ((40, 51, 3), "uint16", "zlib"),
]


def noise(number: int, shape: tuple[int, ...], dtype: str) -> Any:
    rng = np.random.default_rng(number)
    return (rng.random(shape) * 200 + 1).astype(dtype)


def levels_of(path: Path, number: int = 0) -> list[Any]:
    """Return all levels of an image as tifffile finds them, planes by time."""
    with tifffile.TiffFile(path) as tif:
        return [level.asarray() for level in tif.series[number].levels]


def expect(found: list[Any], frames: dict[int, Any], levels: int) -> None:
    assert len(found) == levels
    for number in range(len(found[0])):
        fine = frames.get(number)
        for level in found:
            if fine is None:
                assert not level[number].any()
                continue
            np.testing.assert_array_equal(level[number], fine)
            fine = halve(fine)


@pytest.mark.parametrize(("shape", "dtype", "compression"), KINDS)
@pytest.mark.parametrize("levels", [2, 4])
@pytest.mark.usefixtures("any_io")
def test_tifffile_finds_every_level_of_every_plane(
    tmp_path: Path,
    shape: tuple[int, ...],
    dtype: str,
    compression: Any,
    levels: int,
) -> None:
    path = tmp_path / "a.ome.tiff"
    image = image_of(5, frame_shape=shape, dtype=dtype)
    frames = {n: noise(n, shape, dtype) for n in (0, 1, 3, 4)}
    writer = OmeTiffWriter(path, [image], compression=compression, levels=levels)
    writer.put_many([FrameItem(0, (n, 0, 0), frames[n]) for n in (0, 1)])
    writer.put(0, (3, 0, 0), frames[3])
    # Valid at this moment, too.
    expect(levels_of(path), {n: frames[n] for n in (0, 1, 3)}, levels)
    writer.put(0, (4, 0, 0), frames[4])
    np.testing.assert_array_equal(writer.read(0, (3, 0, 0)), frames[3])
    writer.close()
    expect(levels_of(path), frames, levels)
    assert len(pages(path)) == 4, "levels are no images of the chain"
    with tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        assert page.subifds is not None
        assert len(page.subifds) == levels - 1
        assert [sub.subfiletype for sub in page.pages] == [1] * (levels - 1)  # type: ignore[union-attr]
    assert repair_tiff(path) == []


def test_levels_in_a_folder_and_of_several_images_in_a_file(tmp_path: Path) -> None:
    images = [image_of(2, name=n, frame_shape=(40, 50)) for n in "ab"]
    frames = {(i, t): noise(2 * i + t, (40, 50), "u2") for i in (0, 1) for t in (0, 1)}
    for layout in ("folder", "file"):
        path = tmp_path / layout
        with OmeTiffWriter(path, images, layout=layout, levels=3) as writer:
            for t, i in itertools.product((0, 1), (0, 1)):
                writer.put(i, (t, 0, 0), frames[i, t])
        for i in (0, 1):
            file, number = (writer.files[i], 0) if layout == "folder" else (path, i)
            expect(levels_of(file, number), {t: frames[i, t] for t in (0, 1)}, 3)


def test_a_file_that_lacks_its_first_plane_has_levels_all_the_same(
    tmp_path: Path,
) -> None:
    frames = {n: noise(n, (16, 24), "u2") for n in (1, 2)}
    for finish in (True, False):
        path = tmp_path / f"{finish}.ome.tiff"
        writer = OmeTiffWriter(path, [image_of(3)], levels=2)
        for n, frame in frames.items():
            writer.put(0, (n, 0, 0), frame)
        writer.close(finish=finish)
        assert bool(repair_tiff(path)) != finish
        expect(levels_of(path), frames, 2)
        # Bio-Formats wants a first plane: a black one stands behind the frames.
        with tifffile.TiffFile(path) as tif:
            assert len(tif.pages) == 3
            assert not tif.pages[2].asarray().any()


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_killed_file_keeps_its_levels(tmp_path: Path, compression: Any) -> None:
    path = tmp_path / "a.ome.tiff"
    frames = {n: noise(n, (40, 50), "u2") for n in range(4)}
    image = image_of(9, frame_shape=(40, 50))
    writer = OmeTiffWriter(path, [image], compression=compression, levels=3)
    for n, frame in frames.items():
        writer.put(0, (n, 0, 0), frame)
    writer.close(finish=False)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"torn" * 5000)
    assert any("20000 bytes" in sentence for sentence in repair_tiff(path))
    expect(levels_of(path), frames, 3)
    assert size < path.stat().st_size < size + 5000
    assert validate(xml_of(path)).images[0].pixels.size_t == 4
    assert repair_tiff(path) == []


def test_a_frame_whose_levels_did_not_reach_the_medium_is_cut_off(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.ome.tiff"
    writer = OmeTiffWriter(path, [image_of(9)], levels=3)
    for n in range(3):
        writer.put(0, (n, 0, 0), noise(n, (16, 24), "u2"))
    writer.close(finish=False)
    with tifffile.TiffFile(path) as tif:
        level = tif.pages[2].aspage().subifds[1]  # type: ignore[index]
    data = bytearray(path.read_bytes())
    data[level : level + 100] = bytes(100)
    path.write_bytes(data)
    assert any("chain" in sentence for sentence in repair_tiff(path))
    assert series(path).shape[0] == 2
    assert repair_tiff(path) == []


@pytest.mark.parametrize(
    ("word", "what"),
    [(8, "before it"), (2**63, "no image directory|ends inside"), (None, "levels")],
)
def test_levels_that_lie_elsewhere_end_the_chain(
    tmp_path: Path, word: int | None, what: str
) -> None:
    path = tmp_path / "a.ome.tiff"
    writer = OmeTiffWriter(path, [image_of(9)], levels=3)
    for n in range(2):
        writer.put(0, (n, 0, 0), noise(n, (16, 24), "u2"))
    writer.close(finish=False)
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages[1].aspage().tags[330]
    data = bytearray(path.read_bytes())
    if word is None:
        struct.pack_into("<Q", data, tag.offset + 12, tag.valueoffset + 8)
    else:
        struct.pack_into("<Q", data, tag.valueoffset, word)
    path.write_bytes(data)
    with DataFile.open(path) as file:
        chain = read_chain(file)
    assert len(chain) == 1
    assert re.search(what, chain.problem)


def test_shapes_of_levels() -> None:
    assert level_shapes((2048, 2048), 1) == []
    assert level_shapes((3, 5), 9) == [(2, 3), (1, 2), (1, 1)]
    frame = noise(0, (7, 9, 3), "u1")
    for level, shape in zip(
        coarse_levels(frame, 3), level_shapes(frame.shape, 3), strict=True
    ):
        assert level.shape == shape


@pytest.mark.parametrize("levels", [0, 1, 3])
def test_directories_that_are_alike_read_the_same(levels: int) -> None:
    """`PageReader` knows the second one by the bytes of the first."""
    template = IfdTemplate((4, 6), np.dtype("u2"), levels=levels)

    def ifd(at: int, **more: Any) -> bytes:
        fields = {"pixels": 900, "nbytes": 48, "facts": 990, "facts_length": 20}
        coarse = [1000 + at + n for n in range(levels)]
        return bytes(template.fill(at=at, levels=coarse, **{**fields, **more}))

    reader = PageReader(5000)
    for at, data in (
        (100, ifd(100)),
        (600, ifd(600, pixels=800, facts=848, facts_length=30, next_ifd=77)),
        (700, ifd(700, facts_length=1)),
    ):
        assert reader.read(data, at) == read_page(data, at, 5000)
    for bad in (
        {"pixels": 4990},
        {"nbytes": 47},
        {"facts": 4990},
        {"facts_length": 2**63},
    ):
        reader.read(ifd(100), 100)
        with pytest.raises(FormatError) as one:
            reader.read(ifd(100, **bad), 100)
        with pytest.raises(FormatError) as other:
            read_page(ifd(100, **bad), 100, 5000)
        assert str(one.value) == str(other.value)

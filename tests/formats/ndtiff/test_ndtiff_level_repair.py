"""Levels of a tiled store brought up to date, without touching full resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import NDTiffWriter, TiledNDTiffWriter, open_ndtiff
from napari_scope.formats.ndtiff.level_repair import LevelRepair

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Tile = npt.NDArray[np.uint16]

PLACES = [(r, c) for r in range(-1, 3) for c in range(3)]


def tile(number: int, shape: tuple[int, ...]) -> Tile:
    return np.random.default_rng(number).integers(1, 4000, shape).astype("u2")


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.*")}


def levels(folder: Path) -> list[Tile]:
    return [np.asarray(level) for level in open_ndtiff(folder).images[0].levels]


def write(folder: Path, shape: tuple[int, ...], overlap: int) -> None:
    with TiledNDTiffWriter(folder, tile_overlap=overlap, prefix="a") as writer:
        for number, (row, column) in enumerate(PLACES):
            axes = {"row": row, "column": column}
            writer.put(axes, tile(number, shape), {"Axes": axes})


# Odd sizes: the order in which tiles came decides on the pixels in the middle.
@pytest.mark.parametrize(("shape", "overlap"), [((40, 36), 4), ((37, 41), 3)])
def test_levels_that_are_right_stay_as_they_are(
    tmp_path: Path, shape: tuple[int, ...], overlap: int
) -> None:
    write(tmp_path, shape, overlap)
    before = files(tmp_path)
    with LevelRepair(tmp_path) as repair:
        for number, (row, column) in enumerate(PLACES):
            repair.add({"row": row, "column": column}, tile(number, shape), {})
    assert repair.unfinished == 0
    assert files(tmp_path) == before


@pytest.mark.parametrize("lost", ["pixels", "tiles"])
def test_levels_get_what_they_lack(tmp_path: Path, lost: str) -> None:
    shape, overlap = (40, 36), 4
    write(tmp_path / "good", shape, overlap)
    expected = levels(tmp_path / "good")
    folder = tmp_path / "run"
    write(folder, shape, overlap)
    for level in ("Downsampled_x2", "Downsampled_x4"):
        part = folder / level
        if lost == "tiles":  # the record of the last tile never came
            index = part / "NDTiff.index"
            data = index.read_bytes()
            index.write_bytes(data[: data.rindex(b"{") - 4])
        else:
            name = part / "a_NDTiffStack.tif"
            size = name.stat().st_size
            with name.open("r+b") as file:  # in the middle of the pixels
                file.seek(size // 3)
                file.write(bytes(64))
    with LevelRepair(folder) as repair:
        for number, (row, column) in enumerate(PLACES):
            axes = {"row": row, "column": column}
            repair.add(axes, tile(number, shape), {"Axes": axes}, bit_depth=16)
    for found, wanted in zip(levels(folder), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    full = "Full resolution"
    assert files(folder / full) == files(tmp_path / "good" / full)


def test_a_level_that_was_being_made_goes(tmp_path: Path) -> None:
    write(tmp_path, (40, 36), 4)
    stage = tmp_path / "Full resolution" / "Downsampled_x8.new"
    stage.mkdir()
    (stage / "NDTiff.index").write_bytes(b"half")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_bytes(b"mine")
    with LevelRepair(tmp_path) as repair:
        assert repair.unfinished == 1
    assert not stage.exists()
    assert (outside / "mine").exists()


def test_a_store_of_no_tiles_has_no_levels_to_repair(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, tile(0, (8, 8)))
    with pytest.raises(FormatError, match="no tiled store"):
        LevelRepair(tmp_path / "run")

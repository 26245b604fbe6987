"""Tiles as one image: overlaps, levels, what is missing, what is read."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.formats.ndtiff import Dataset, NDTiffWriter, open_ndtiff
from napari_scope.formats.ndtiff.catalog import Catalog

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Pixels = npt.NDArray[np.generic]
    Tiles = dict[tuple[int, int], Pixels]


def _tiles(
    places: list[tuple[int, int]], shape: tuple[int, ...], seed: int = 0
) -> Tiles:
    rng = np.random.default_rng(seed)
    kind = "u1" if len(shape) == 3 else "u2"
    return {place: rng.integers(1, 256, shape).astype(kind) for place in places}


def _write(
    folder: Path,
    tiles: Tiles,
    overlap: tuple[int, int],
    *,
    levels: int = 0,
    leave_out: set[tuple[int, int, int]] = frozenset(),  # type: ignore[assignment]
    **axes: int | str,
) -> None:
    """Write tiles and some levels; the overlap is (y, x)."""
    summary = {
        "GridPixelOverlapY": overlap[0],
        "GridPixelOverlapX": overlap[1],
        "TiledImageStorage": True,
        "PixelSize_um": 0.5,
    }
    for level in range(levels + 1):
        name = f"Downsampled_x{2**level}" if level else "Full resolution"
        with NDTiffWriter(folder / name, summary=summary) as writer:
            for (row, column), tile in tiles.items():
                if (level, row, column) not in leave_out:
                    key = {"row": row, "column": column, **axes}
                    writer.put(key, tile, {"number": row * 100 + column})
        tiles = _coarser(_cropped(tiles, overlap) if level == 0 else tiles)


def _cropped(tiles: Tiles, overlap: tuple[int, int]) -> Tiles:
    y, x = overlap
    return {
        place: tile[
            y // 2 : tile.shape[0] - (y - y // 2), x // 2 : tile.shape[1] - (x - x // 2)
        ]
        for place, tile in tiles.items()
    }


def _plane(tiles: Tiles, first: tuple[int, int], last: tuple[int, int]) -> Pixels:
    """Lay tiles out, from row and column ``first`` to ``last``."""
    height, width, *samples = next(iter(tiles.values())).shape
    rows, columns = last[0] - first[0] + 1, last[1] - first[1] + 1
    plane = np.zeros(
        (rows * height, columns * width, *samples), next(iter(tiles.values())).dtype
    )
    for (row, column), tile in tiles.items():
        y, x = (row - first[0]) * height, (column - first[1]) * width
        plane[y : y + height, x : x + width] = tile
    return plane


def _coarser(tiles: Tiles) -> Tiles:
    """Return the tiles of the next level: truncated means of 2 x 2 pixels."""
    height, width = next(iter(tiles.values())).shape[:2]
    result = {}
    for row, column in {(row >> 1, column >> 1) for row, column in tiles}:
        four = {
            (r, c): tiles[r, c]
            for r in (2 * row, 2 * row + 1)
            for c in (2 * column, 2 * column + 1)
            if (r, c) in tiles
        }
        big = _plane(four, (2 * row, 2 * column), (2 * row + 1, 2 * column + 1))
        total = sum(big[y::2, x::2].astype(int) for y in (0, 1) for x in (0, 1))
        result[row, column] = (total // 4).astype(big.dtype)  # type: ignore[union-attr]
        assert result[row, column].shape[:2] == (height, width)
    return result


_PLACES = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
    min_size=1,
    max_size=8,
    unique=True,
)


@given(
    places=_PLACES,
    overlap=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    rgb=st.booleans(),
    levels=st.integers(0, 2),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_any_mosaic(
    tmp_path_factory: pytest.TempPathFactory,
    places: list[tuple[int, int]],
    overlap: tuple[int, int],
    rgb: bool,
    levels: int,
    data: st.DataObject,
) -> None:
    tiles = _tiles(places, (24, 20, 3) if rgb else (24, 20))
    missing = data.draw(
        st.sets(st.tuples(st.integers(1, 2), st.integers(-2, 1), st.integers(-2, 1)))
    )
    folder = tmp_path_factory.mktemp("store") / "run"
    _write(folder, tiles, overlap, levels=levels, leave_out=missing)
    (image,) = open_ndtiff(folder).images
    assert image.rgb == rgb
    low = min(r for r, _ in places), min(c for _, c in places)
    high = max(r for r, _ in places), max(c for _, c in places)
    now = _cropped(tiles, overlap)
    height, width = next(iter(now.values())).shape[:2]
    plane = _plane(now, low, high)
    # The first pixel lies half the overlap inside the frame of its tile.
    assert image.axes[0].translation == (low[0] * height + overlap[0] // 2) * 0.5
    assert image.axes[1].translation == (low[1] * width + overlap[1] // 2) * 0.5
    assert image.levels[0].shape == plane.shape
    np.testing.assert_array_equal(image.levels[0], plane)
    for number, level in enumerate(image.levels[1:], 1):
        now = _coarser(now)
        first = min(r for r, _ in now), min(c for _, c in now)
        last = max(r for r, _ in now), max(c for _, c in now)
        whole = _plane(now, first, last)
        part = []
        for axis, size in enumerate((height, width)):
            start = low[axis] * size // 2**number
            stop = (high[axis] + 1) * size // 2**number
            assert stop - start >= 16
            part.append(slice(start - first[axis] * size, stop - first[axis] * size))
        np.testing.assert_array_equal(level, whole[tuple(part)])
    y = data.draw(st.integers(0, plane.shape[0] - 1))
    x = data.draw(st.integers(0, plane.shape[1] - 1))
    assert image.frames is not None
    place = low[0] + y // height, low[1] + x // width
    assert image.frames.exists({"y": y, "x": x}) == (place in tiles)
    about = image.frames.metadata({"y": y, "x": x})
    assert (about or {}).get("number") == (
        place[0] * 100 + place[1] if place in tiles else None
    )


def test_only_the_tiles_that_are_touched_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [(row, column) for row in range(6) for column in range(6)]
    _write(tmp_path / "run", _tiles(places, (32, 32)), (2, 4), levels=2)
    (image,) = open_ndtiff(tmp_path / "run").images
    read: list[int] = []
    real = Catalog.read_row

    def read_row(catalog: Catalog, row: int, *lines: int) -> Pixels:
        read.append(row)
        return real(catalog, row, *lines)

    monkeypatch.setattr(Catalog, "read_row", read_row)
    np.asarray(image.levels[0][10, 10])
    assert len(read) == 1
    read.clear()
    np.asarray(image.levels[0][29:31, 27:29])
    assert len(read) == len(set(read)) == 4
    read.clear()
    np.asarray(image.levels[2])
    assert len(read) == 4


def test_other_axes_and_positions(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    summary = {"GridPixelOverlapX": 2, "GridPixelOverlapY": 2}
    expected = np.zeros((2, 3, 2, 22, 44), "u2")
    with NDTiffWriter(folder / "Full resolution", summary=summary) as writer:
        number = 0
        for position in (0, 1):
            for time in range(3):
                for channel in ("b", "a"):
                    for column in (4, 5):
                        if (time, column) == (1, 5):
                            continue
                        number += 1
                        axes: dict[str, int | str] = {
                            "row": -1,
                            "column": column,
                            "time": time,
                            "channel": channel,
                            "position": position,
                        }
                        writer.put(axes, np.full((24, 24), number, "u2"))
                        x = 22 * (column - 4)
                        place = position, time, "ba".index(channel)
                        expected[place][:, x : x + 22] = number
    dataset = open_ndtiff(folder)
    assert [image.name for image in dataset.images] == ["Pos0", "Pos1"]
    for image, pixels in zip(dataset.images, expected, strict=True):
        assert image.axis_names == ("t", "c", "y", "x")
        np.testing.assert_array_equal(image.levels[0], pixels)
        assert image.frames is not None
        assert not image.frames.exists({"t": 1, "c": 1, "x": 30, "y": 0})
        assert image.frames.exists({"t": 2, "c": 1, "x": 30, "y": 0})
        assert not image.frames.exists({"t": 3})
    copy = pickle.loads(pickle.dumps(dataset.images[1].levels[0][2]))
    np.testing.assert_array_equal(copy, expected[1, 2])


def test_a_tile_that_is_lost_keeps_its_place(tmp_path: Path) -> None:
    tiles = _tiles([(0, 0), (0, 1), (0, 2)], (32, 32))
    folder = tmp_path / "run"
    _write(folder, tiles, (0, 0), levels=1)
    index = folder / "Full resolution" / "NDTiff.index"
    data = index.read_bytes()
    for number in (0, 2):  # the first and the last: the plane stays as large
        at = (number + 1) * len(data) // 3 - 16
        data = data[:at] + b"\5" + data[at + 1 :]
    index.write_bytes(data)
    dataset = open_ndtiff(folder)
    (image,) = dataset.images
    expected = _plane({(0, 1): tiles[0, 1]}, (0, 0), (0, 2))
    np.testing.assert_array_equal(image.levels[0], expected)
    coarse = _plane(_coarser(tiles), (0, 0), (0, 1))[:16, :48]
    np.testing.assert_array_equal(image.levels[1], coarse)
    assert image.frames is not None
    there = [image.frames.exists({"y": 0, "x": x}) for x in (0, 32, 64)]
    assert there == [False, True, False]
    assert image.frames.exists({})
    assert image.frames.axes({"y": 0, "x": 64}) == {"row": 0, "column": 2}
    assert "2 cannot be read: row=0 column=0, row=0 column=2" in dataset.problems[-1]
    with Dataset(folder) as store:
        stitched = store.as_array(stitched=True)
        np.testing.assert_array_equal(stitched, expected)
        mask = store.image_mask(stitched=True)
        assert mask.tolist() == [[False, True, False]]


def test_row_and_column_without_a_grid_are_images(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for row in (0, 1):
            writer.put({"row": row, "column": 0}, np.full((8, 8), row, "u2"))
    dataset = open_ndtiff(tmp_path / "run")
    assert [image.name for image in dataset.images] == [
        "row 0 column 0",
        "row 1 column 0",
    ]


@pytest.mark.parametrize(
    ("overlap", "far"), [((8, 0), 1), ((0, 80), 1), ((-1, 0), 1), ((0, 0), 2**30)]
)
def test_a_grid_that_makes_no_sense_is_shown_frame_by_frame(
    tmp_path: Path, overlap: tuple[int, int], far: int
) -> None:
    _write(tmp_path / "run", _tiles([(0, 0), (far, 0)], (8, 8)), overlap)
    assert len(open_ndtiff(tmp_path / "run").images) == 2


def test_a_damaged_level_leaves_the_others(tmp_path: Path) -> None:
    places = [(row, column) for row in range(4) for column in range(4)]
    tiles = _tiles(places, (32, 32))
    _write(tmp_path / "run", tiles, (0, 0), levels=2)
    (tmp_path / "run" / "Downsampled_x4" / "NDTiff.index").write_bytes(b"")
    (tmp_path / "run" / "Downsampled_x4" / "NDTiffStack.tif").write_bytes(b"")
    (tmp_path / "run" / "Downsampled_x3").mkdir()
    (tmp_path / "run" / "other").mkdir()
    dataset = open_ndtiff(tmp_path / "run")
    (image,) = dataset.images
    # Its tiles are calculated from the level that is whole.
    assert [level.shape for level in image.levels] == [(128, 128), (64, 64), (32, 32)]
    quarter = _coarser(_coarser(tiles))
    np.testing.assert_array_equal(image.levels[2], quarter[0, 0])

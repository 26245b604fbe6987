from __future__ import annotations

import numpy as np
import pytest

from napari_scope.errors import FrameError, SettingsError
from napari_scope.formats.ndtiff.encoding import FrameItem, encode_frame
from napari_scope.formats.ndtiff.tile_grid import TileGrid

KIND = (16, 12), np.dtype("u2")


def places(*pairs: tuple[int, int]) -> list[dict[str, int]]:
    return [{"row": row, "column": column} for row, column in pairs]


@pytest.mark.parametrize(
    ("given", "y", "x"), [(0, 0, 0), (3, 3, 3), ((2, 5), 5, 2), (np.int64(4), 4, 4)]
)
def test_the_overlap_is_given_in_x_and_y(given: int, y: int, x: int) -> None:
    grid = TileGrid(given, path="run")
    assert grid.overlap == (y, x)
    assert grid.tile_shape == (0, 0)
    grid.add(KIND, [])
    assert grid.tile_shape == (16 - y, 12 - x)


@pytest.mark.parametrize("overlap", [-1, True, 1.5, (1, 2, 3), (1, -2), "12"])
def test_an_impossible_overlap(overlap: int) -> None:
    with pytest.raises(SettingsError, match="overlap"):
        TileGrid(overlap, path="run")


@pytest.mark.parametrize(
    ("tiles", "levels"),
    [
        ([], 0),
        ([(0, 0)], 0),
        ([(0, 0), (0, 1)], 1),
        ([(-1, 0), (1, 0)], 2),
        ([(0, -2), (5, 1)], 3),
        ([(0, 0), (0, 2**40)], 20),
    ],
)
def test_levels_grow_with_the_longer_side(
    tiles: list[tuple[int, int]], levels: int
) -> None:
    together, one_by_one = TileGrid(0, path="run"), TileGrid(0, path="run")
    together.add(KIND, places(*tiles))
    for tile in tiles:
        one_by_one.add(KIND, places(tile))
    assert together.wanted_levels == one_by_one.wanted_levels == levels


def test_a_coarsest_level_that_was_chosen() -> None:
    grid = TileGrid(0, 3, path="run")
    assert grid.wanted_levels == 0  # without images there is nothing to reduce
    grid.add(KIND, places((0, 0)))
    assert grid.wanted_levels == 3
    for impossible in (-1, 21):
        with pytest.raises(SettingsError, match="coarsest"):
            TileGrid(0, impossible, path="run")


@pytest.mark.parametrize(
    ("axes", "shape", "dtype", "words"),
    [
        ({"time": 0}, (16, 12), "u2", "has no place"),
        ({"row": 0, "column": "a"}, (16, 12), "u2", "has no place"),
        ({"row": 0, "column": 0}, (16, 13), "u2", "does not go with"),
        ({"row": 0, "column": 0}, (16, 12), "u1", "does not go with"),
    ],
)
def test_images_that_are_no_tiles(
    axes: dict[str, int | str], shape: tuple[int, int], dtype: str, words: str
) -> None:
    grid = TileGrid(2, path="run")
    first = FrameItem({"row": 0, "column": 0}, np.zeros((16, 12), "u2"))
    item = FrameItem(axes, np.zeros(shape, dtype))
    items = [first, item]
    with pytest.raises(FrameError, match=words) as caught:
        grid.check(items, [encode_frame(*item) for item in items])
    assert caught.value.path == "run"


def test_a_check_remembers_nothing() -> None:
    grid = TileGrid(2, path="run")
    assert grid.check([], []) is None
    for shape in ((16, 12), (8, 8)):
        item = FrameItem({"row": 0, "column": 0}, np.zeros(shape, "u2"))
        kind = grid.check([item], [encode_frame(*item)])
        assert kind is not None and kind[0] == shape
    small = FrameItem({"row": 0, "column": 0}, np.zeros((8, 2), "u2"))
    with pytest.raises(FrameError, match="not larger than the overlap"):
        grid.check([small], [encode_frame(*small)])

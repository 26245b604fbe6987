"""Mosaics against plain arrays, with every tile that is read written down."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_scope.arrays import LazyArray, MosaicSource
from napari_scope.errors import FormatError

Array = npt.NDArray[Any]
Place = tuple[tuple[int, ...], int, int]


class Tiles:
    """Tiles of known pixels, some missing, and the plain array that they make."""

    def __init__(
        self,
        lead: tuple[int, ...],
        grid: tuple[int, int],
        tile: tuple[int, int],
        samples: int,
        missing: set[Place],
    ) -> None:
        self.lead, self.grid, self.tile, self.samples = lead, grid, tile, samples
        self.missing = missing
        extra = (samples,) if samples else ()
        shape = (*lead, grid[0] * tile[0], grid[1] * tile[1], *extra)
        self.pixels: Array = np.arange(1, 1 + np.prod(shape), dtype="i4").reshape(shape)
        # To which tile each pixel belongs, over all planes.
        self.number = np.empty(shape, int)
        self.places: list[Place] = []
        for index in np.ndindex(*lead):
            for row, column in np.ndindex(*grid):
                part = (*index, *self.area(row, column))
                self.number[part] = len(self.places)
                self.places.append((index, row, column))
                if self.places[-1] in missing:
                    self.pixels[part] = 0
        self.asked: list[Place] = []
        self.read = 0

    def area(self, row: int, column: int) -> tuple[slice, slice]:
        height, width = self.tile
        return (
            slice(row * height, (row + 1) * height),
            slice(column * width, (column + 1) * width),
        )

    def read_tile(
        self, index: tuple[int, ...], row: int, column: int, part: tuple[slice, slice]
    ) -> Array | None:
        for s, size in zip(part, self.tile, strict=True):
            assert 0 <= s.start < s.stop <= size
            assert s.step >= 1
        self.asked.append((index, row, column))
        if self.asked[-1] in self.missing:
            return None
        pixels = self.pixels[index][self.area(row, column)][part]
        self.read += pixels.size
        return pixels

    def source(self, window: tuple[slice, slice] | None = None) -> MosaicSource:
        return MosaicSource(
            self.lead,
            self.grid,
            self.tile,
            "i4",
            self.read_tile,
            samples=self.samples,
            window=window,
        )


@st.composite
def mosaics(draw: st.DrawFn) -> Tiles:
    lead = draw(st.lists(st.integers(1, 3), max_size=2).map(tuple))
    grid = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    tile = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    places = [(i, r, c) for i in np.ndindex(*lead) for r, c in np.ndindex(*grid)]
    missing = set(draw(st.lists(st.sampled_from(places), max_size=6)))
    return Tiles(lead, grid, tile, draw(st.sampled_from([0, 3])), missing)


def windows(size: int) -> st.SearchStrategy[slice]:
    ends = st.tuples(st.integers(0, size), st.integers(0, size)).map(sorted)
    return st.one_of(st.just(slice(None)), ends.map(lambda e: slice(*e)))


@settings(max_examples=400, deadline=None)
@given(data=st.data(), tiles=mosaics())
def test_any_slice_of_any_window_is_that_of_the_plain_array(
    data: st.DataObject, tiles: Tiles
) -> None:
    planes = len(tiles.lead)
    window = tuple(data.draw(windows(n)) for n in tiles.pixels.shape[planes:][:2])
    source = tiles.source((window[0], window[1]) if data.draw(st.booleans()) else None)
    if source.shape == tiles.pixels.shape:
        window = (slice(None), slice(None))
    shown = (slice(None),) * planes + window
    plain, number = tiles.pixels[shown], tiles.number[shown]
    lazy = LazyArray(source)
    assert lazy.shape == plain.shape
    for _ in range(data.draw(st.integers(0, 2))):
        if not plain.ndim:
            break
        key = data.draw(hnp.basic_indices(plain.shape, allow_newaxis=False))
        lazy, plain, number = lazy[key], plain[key], number[key]
    assert not tiles.asked
    pixels = np.asarray(lazy)
    np.testing.assert_array_equal(pixels, plain)
    assert len(set(tiles.asked)) == len(tiles.asked), "each tile is read once"
    touched = {tiles.places[n] for n in np.unique(number)}
    assert set(tiles.asked) == touched, "only tiles that are seen are read"
    if not tiles.samples:
        assert tiles.read == np.count_nonzero(plain), "and only their pixels"


@settings(max_examples=50, deadline=None)
@given(tiles=mosaics())
def test_a_whole_plane_is_a_frame(tiles: Tiles) -> None:
    source = tiles.source()
    assert source.frame_ndim == (3 if tiles.samples else 2)
    index = (0,) * len(tiles.lead)
    plane = source.frame(index)
    np.testing.assert_array_equal(plane, tiles.pixels[index])
    assert plane.flags.owndata
    assert plane.flags.writeable
    assert len(tiles.asked) == tiles.grid[0] * tiles.grid[1]


def test_chunks_are_tiles_as_far_as_they_are_seen() -> None:
    tiles = Tiles((2, 3), (4, 5), (6, 7), 3, set())
    assert tiles.source().chunks == (1, 1, 6, 7, 3)
    assert tiles.source((slice(5, 9), slice(0, 30))).chunks == (1, 1, 4, 7, 3)
    assert tiles.source((slice(5, 5), slice(0, 30))).chunks == (1, 1, 1, 7, 3)
    assert LazyArray(tiles.source())[0, :, 3:5].chunks == (1, 2, 7, 3)


def test_other_types_are_converted_and_what_is_read_is_nobodys() -> None:
    tile = np.full((2, 2), 9, "u1")
    lazy = LazyArray(MosaicSource((), (1, 2), (2, 2), "f4", lambda i, r, c, part: tile))
    for key in ((), slice(0, 2), (slice(None), slice(0, 2))):
        pixels = np.asarray(lazy[key])
        assert pixels.dtype == np.float32
        pixels[...] = 0
    assert tile.min() == 9


@pytest.mark.parametrize(
    "window",
    [
        (slice(-1, 3), slice(None)),
        (slice(0, 9), slice(None)),
        (slice(3, 2), slice(None)),
        (slice(None), slice(5, 13)),
        (slice(None), slice(0, 4, 2)),
        (slice(None, None, -1), slice(None)),
    ],
)
def test_a_window_beside_the_plane_is_refused(window: tuple[slice, slice]) -> None:
    with pytest.raises(ValueError, match=r"of a plane with (8 rows|12 columns)"):
        Tiles((), (2, 3), (4, 4), 0, set()).source(window)


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 3), (4, 4, 1), (3, 4, 3), ()])
def test_a_tile_of_another_shape_is_an_error(shape: tuple[int, ...]) -> None:
    def read_tile(
        index: tuple[int, ...], row: int, column: int, part: tuple[slice, slice]
    ) -> Array:
        return np.ones(shape, "u1")

    source = MosaicSource((2,), (2, 2), (4, 4), "u1", read_tile, samples=3)
    with pytest.raises(
        FormatError, match=r"tile \(0, 0\) at \(1,\) .* expected \(4, 4, 3\)"
    ):
        np.asarray(LazyArray(source)[1])


class Checkered:
    """Tiles that can go to another process."""

    def __call__(
        self, index: tuple[int, ...], row: int, column: int, part: tuple[slice, slice]
    ) -> Array | None:
        return np.ones((3, 4), "u1")[part] if (row + column) % 2 else None


def test_pickling() -> None:
    window = (slice(1, 5), slice(2, 8))
    source = MosaicSource((2,), (2, 2), (3, 4), "u1", Checkered(), window=window)
    lazy = LazyArray(source)[1, ::-1]
    again = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(np.asarray(again), np.asarray(lazy))
    assert np.asarray(again).any()
    tiles = MosaicSource((), (1, 1), (2, 2), "u1", lambda i, r, c, part: None)
    with pytest.raises(pickle.PicklingError, match=r"MosaicSource .* its read_tile is"):
        pickle.dumps(tiles)

"""An axis moved elsewhere, compared with numpy."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from napari_scope.arrays import LazyArray, MemorySource
from napari_scope.arrays.moved_axis import moved_axis

PIXELS = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)


@pytest.mark.parametrize("axis", [0, 1, 3, -1, -4])
@pytest.mark.parametrize("to", [0, 1, 3, -1, -2])
def test_it_reads_as_numpy_does(axis: int, to: int) -> None:
    moved = moved_axis(LazyArray(MemorySource(PIXELS)), axis, to)
    expected = np.moveaxis(PIXELS, axis, to)
    assert moved.shape == expected.shape
    np.testing.assert_array_equal(np.asarray(moved), expected)
    key = (slice(1, None), slice(None, None, 2), 0, slice(None, 1, -1))
    np.testing.assert_array_equal(np.asarray(moved[key]), expected[key])


def test_only_what_is_seen_is_read() -> None:
    asked = []

    class Watched(MemorySource):
        def read(self, block: tuple[slice, ...]) -> np.ndarray:
            asked.append(block)
            return super().read(block)

    moved = moved_axis(LazyArray(Watched(PIXELS)), 1, -1)
    assert not asked
    np.asarray(moved[1, 2:3, 1:4])
    assert asked == [
        (slice(1, 2, 1), slice(0, 3, 1), slice(2, 3, 1), slice(1, 4, 1)),
    ]


def test_chunks_move_too_and_it_pickles() -> None:
    class Chunked(MemorySource):
        def __init__(self, array: np.ndarray) -> None:
            super().__init__(array)
            self.chunks = (1, 3, 2, 5)

    moved = moved_axis(LazyArray(Chunked(PIXELS)), 1, -1)
    assert moved.chunks == (1, 2, 5, 3)
    plain = moved_axis(LazyArray(MemorySource(PIXELS)), 1, -1)
    assert plain.chunks is None
    again = pickle.loads(pickle.dumps(plain))
    np.testing.assert_array_equal(np.asarray(again), np.moveaxis(PIXELS, 1, -1))

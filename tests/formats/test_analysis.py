"""Lazy arrays as dask arrays: the same pixels, read block by block."""

from __future__ import annotations

import numpy as np

from napari_scope.arrays import FrameSource, LazyArray
from napari_scope.formats import to_dask

DATA = np.arange(4 * 3 * 6 * 5, dtype=np.uint16).reshape(4, 3, 6, 5)


def lazy(read: list[tuple[int, ...]]) -> LazyArray:
    def frame(index: tuple[int, ...]) -> np.ndarray:
        read.append(index)
        return DATA[index]

    return LazyArray(FrameSource(DATA.shape, DATA.dtype, frame))


def test_same_pixels_and_arithmetic() -> None:
    array = to_dask(lazy([]))
    assert array.chunksize == (1, 1, 6, 5)
    assert array.dtype == DATA.dtype
    np.testing.assert_array_equal(array.compute(), DATA)
    np.testing.assert_array_equal(array.max(axis=1).compute(), DATA.max(axis=1))
    np.testing.assert_array_equal(
        (array[1:, ::2, 2:] * 2).compute(), DATA[1:, ::2, 2:] * 2
    )


def test_nothing_is_read_before_and_only_what_is_asked() -> None:
    read: list[tuple[int, ...]] = []
    array = to_dask(lazy(read))
    assert read == []
    array[2, 1].compute()
    assert read == [(2, 1)]

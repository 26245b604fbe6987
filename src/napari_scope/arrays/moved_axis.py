"""An array with one axis elsewhere, as lazy as before.

Files keep the samples of colours before y and x, viewers want them behind.

Examples
--------
>>> import numpy as np
>>> from napari_scope.arrays import LazyArray, MemorySource
>>> planes = LazyArray(MemorySource(np.arange(24).reshape(3, 2, 4)))
>>> colours = moved_axis(planes, 0, -1)
>>> colours.shape, np.asarray(colours[1, 2]).tolist()
((2, 4, 3), [6, 14, 22])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays.lazy import LazyArray

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.arrays.sources import Block
    from napari_scope.model import LevelArray

__all__ = ["moved_axis"]


def moved_axis(level: LevelArray, axis: int, to: int) -> LazyArray:
    """Return an array with an axis moved to another place, as `numpy.moveaxis` does.

    Parameters
    ----------
    level : LevelArray
        An array; its slices are views.
    axis, to : int
        Where the axis is and where it goes; negative ones count from the end.
    """
    order = list(range(level.ndim))
    order.insert(range(level.ndim)[to], order.pop(axis))
    return LazyArray(_Transposed(level, tuple(order)))


class _Transposed:
    """A source over an array whose axes stand in another order."""

    def __init__(self, level: LevelArray, order: tuple[int, ...]) -> None:
        self._level = level
        self._order = order

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        shape = self._level.shape
        return tuple(shape[axis] for axis in self._order)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return self._level.dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Block size that is cheap to read."""
        chunks = getattr(self._level, "chunks", None)
        return None if chunks is None else tuple(chunks[axis] for axis in self._order)

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        """Read a block; one that is C-contiguous, as others expect it."""
        key: list[slice] = [slice(None)] * len(block)
        for axis, part in zip(self._order, block, strict=True):
            key[axis] = part
        pixels = np.asarray(self._level[tuple(key)])
        return np.ascontiguousarray(pixels.transpose(self._order))

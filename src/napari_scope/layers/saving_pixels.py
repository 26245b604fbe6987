"""The pixels of layers in the order of a file: axes moved, layers stacked to channels.

A layer's data may be anything that a viewer shows: numpy, dask, zarr, a list of levels,
our lazy arrays. Only slices of it are ever asked for, and numpy makes the pixels of
them; so nothing larger than one block is in memory.

Examples
--------
>>> import numpy as np
>>> red, green = np.zeros((4, 5), "u1"), np.ones((4, 5), "u1")
>>> both = LayerPixels([red, green], order=(0, 1), channel_axis=0)
>>> both.shape, both.read((slice(0, 2), slice(0, 1), slice(0, 3))).ravel().tolist()
((2, 4, 5), [0, 0, 0, 1, 1, 1])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_scope.arrays.tolerant import strict
from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["LayerArray", "LayerPixels", "full_resolution"]


class LayerArray(Protocol):
    """What is needed of the data of a layer."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> Any:
        """Type of the pixels."""

    def __getitem__(self, key: Any, /) -> Any:
        """Return what numpy can make pixels of."""


def full_resolution(data: object, *, multiscale: bool) -> LayerArray:
    """Return the data of a layer, or the finest level of them.

    Parameters
    ----------
    data : object
        What the layer has: an array, or levels, finest first.
    multiscale : bool
        Whether they are levels.
    """
    shown: Any = data[0] if multiscale else data  # type: ignore[index]
    # A viewer shows damage black; saving that would hide it for ever.
    finest: Any = strict(shown)
    known = hasattr(finest, "shape") and hasattr(finest, "dtype")
    array: LayerArray = finest if known else np.asarray(finest)
    return array


class LayerPixels:
    """Pixels of one layer, or of several of one shape that become channels.

    Parameters
    ----------
    arrays : sequence of LayerArray
        One for each channel, all alike.
    order : sequence of int
        The axes of the arrays in the order of the file.
    channel_axis : int, optional
        Where the axis of the channels stands in the file; needed for several arrays. A
        single one gets an axis of length 1 there.
    """

    def __init__(
        self,
        arrays: Sequence[LayerArray],
        order: Sequence[int],
        channel_axis: int | None = None,
    ) -> None:
        if len(arrays) != 1 and channel_axis is None:
            raise ValueError("several arrays need an axis for the channels")
        self._arrays = tuple(arrays)
        self._order = tuple(order)
        self._channel_axis = channel_axis
        shape = tuple(int(n) for n in arrays[0].shape)
        self._array_shape = shape
        self._shape = self._placed([shape[axis] for axis in order], len(arrays))
        # What is big endian is turned when it is read.
        self._dtype: np.dtype[Any] = np.dtype(arrays[0].dtype).newbyteorder("=")
        self._chunks = self._found_chunks()

    def _placed(self, lengths: list[int], channels: int) -> tuple[int, ...]:
        if self._channel_axis is not None:
            lengths.insert(self._channel_axis, channels)
        return tuple(lengths)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return self._dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """What the layers' data are made of, where they say."""
        return self._chunks

    def _found_chunks(self) -> tuple[int, ...] | None:
        found = getattr(self._arrays[0], "chunks", None)
        if not isinstance(found, tuple) or len(found) != len(self._array_shape):
            return None
        # dask lists the lengths of all the pieces of an axis.
        sizes = [max(n, default=0) if isinstance(n, tuple) else n for n in found]
        if not all(isinstance(n, int) and n > 0 for n in sizes):
            return None
        return self._placed([sizes[axis] for axis in self._order], 1)

    def read(self, block: tuple[slice, ...]) -> npt.NDArray[np.generic]:
        """Read one block.

        Raises
        ------
        SettingsError
            If a layer gives pixels of another shape than it said.
        """
        within = list(block)
        if self._channel_axis is None:
            return self._read(self._arrays[0], within)
        channels = within.pop(self._channel_axis)
        planes = [self._read(array, within) for array in self._arrays[channels]]
        if len(planes) == 1:
            return np.expand_dims(planes[0], self._channel_axis)
        return np.stack(planes, axis=self._channel_axis)

    def _read(
        self, array: LayerArray, within: Sequence[slice]
    ) -> npt.NDArray[np.generic]:
        key: list[slice] = [slice(None)] * len(self._order)
        for axis, part in zip(self._order, within, strict=True):
            key[axis] = part
        pixels = np.asarray(array[tuple(key)], dtype=self._dtype)
        expected = tuple(part.stop - part.start for part in key)
        if pixels.shape != expected:
            raise SettingsError(
                f"the data of a layer give {pixels.shape} for a block of {expected}",
                hint="they changed while they were saved; save again",
            )
        return pixels.transpose(self._order)

"""Lazy arrays: slices compose, pixels are read only in ``__array__``.

napari slices an array of many axes in several steps and would read every plane of an
eager array. `LazyArray` composes basic indexing (integers, slices, ellipsis) into one
block and asks its source for just that block when numpy wants the pixels. A view of one
whole frame is asked for as a frame, without the detour over a block.

The source knows how to read; this module does not know where pixels come from. Arrays
and sources pickle when what they are made of does.

Examples
--------
>>> import numpy as np
>>> from napari_scope.arrays import MemorySource
>>> lazy = LazyArray(MemorySource(np.arange(24).reshape(2, 3, 4)))
>>> view = lazy[1][:, 1:3]
>>> view.shape, np.asarray(view).tolist()
((3, 2), [[13, 14], [17, 18], [21, 22]])
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from napari_scope.arrays.sources import BlockSource

    Pixels = npt.NDArray[np.generic]

__all__ = ["LazyArray"]

Selection = tuple[int | range | None, ...]

_WHOLE = slice(None)


class LazyArray:
    """An array whose slices are views and whose pixels are read on demand.

    Only basic indexing is supported: integers, slices (any step but zero), ellipsis
    and ``numpy.newaxis`` is not. The shape follows the source while it grows, as long
    as the view covers the whole axis.

    Parameters
    ----------
    source : BlockSource
        Where the pixels come from.
    """

    # Tells numpy to leave binary operators to us (there are none): a lazy array is
    # not silently read by ``lazy * 2``.
    __array_ufunc__ = None

    def __init__(
        self,
        source: BlockSource,
        _selection: Selection | None = None,
    ) -> None:
        self._source = source
        self._selection = _selection

    @property
    def source(self) -> BlockSource:
        """Where the pixels come from."""
        return self._source

    @property
    def selection(self) -> Selection:
        """What is seen of each axis of the source.

        An integer, a range, or None for the whole axis, however long it grows.
        """
        if self._selection is None:
            return (None,) * len(self._source.shape)
        return self._selection

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        shape = self._source.shape
        if self._selection is None:
            return shape
        return tuple(
            n if item is None else len(item)
            for item, n in zip(self._selection, shape, strict=True)
            if not isinstance(item, int)
        )

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return self._source.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        if self._selection is None:
            return len(self._source.shape)
        return sum(not isinstance(item, int) for item in self._selection)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes if it were in memory."""
        return self.size * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Block size that is cheap to read, one number for each axis."""
        chunks = self._source.chunks
        if chunks is None:
            return None
        kept = (
            chunk
            for chunk, item in zip(chunks, self.selection, strict=True)
            if not isinstance(item, int)
        )
        return tuple(max(1, min(pair)) for pair in zip(kept, self.shape, strict=True))

    def __len__(self) -> int:
        """Return the length of the first axis."""
        shape = self.shape
        if not shape:
            raise TypeError("len() of unsized object")
        return shape[0]

    def __iter__(self) -> Iterator[LazyArray]:
        """Iterate over views along the first axis."""
        for i in range(len(self)):
            yield self[i]

    def __getitem__(self, key: object, /) -> LazyArray:
        """Return a view; no pixel is read."""
        # One pass for what napari asks at every step of a slider; whatever is neither
        # an integer nor a slice is spelled out first.
        shape = self._source.shape
        chosen = list(self._selection or (None,) * len(shape))
        axis = 0
        for item in key if type(key) is tuple else (key,):
            if type(item) is not int and type(item) is not slice:
                return self[tuple(_expand(key, self.ndim))]
            while axis < len(chosen) and type(chosen[axis]) is int:
                axis += 1
            if axis == len(chosen):
                raise _too_many(key, self.ndim)
            if item != _WHOLE:
                chosen[axis] = _narrowed(chosen[axis], item, axis, shape[axis])
            axis += 1
        return LazyArray(self._source, tuple(chosen))

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> Pixels:
        """Read the pixels of this view."""
        if copy is False:
            raise ValueError("reading a lazy array always makes a copy")
        index = self._frame_index()
        if index is None:
            pixels = self._read()
        else:
            pixels = self._source.frame(index)  # type: ignore[attr-defined]
        return pixels if dtype is None else np.asarray(pixels, dtype=dtype)

    def item(self) -> bool | int | float | complex:
        """Read the only pixel of this view as a number of Python.

        Raises
        ------
        ValueError
            If there are more, or none.
        """
        if self.size != 1:
            raise ValueError(f"only one pixel is a number, not a view of {self.shape}")
        number: bool | int | float | complex = np.asarray(self).item()
        return number

    def __int__(self) -> int:
        """Read the only pixel; see `item`."""
        return int(self.item())  # type: ignore[arg-type]

    def __float__(self) -> float:
        """Read the only pixel; see `item`."""
        return float(self.item())  # type: ignore[arg-type]

    def _frame_index(self) -> tuple[int, ...] | None:
        """Return the index of the frame if this is a view of just one whole frame."""
        frame_ndim: int = getattr(self._source, "frame_ndim", 0)
        if not frame_ndim:
            return None
        selection = self.selection
        lead = len(selection) - frame_ndim
        index: list[int] = []
        for item in selection[:lead]:
            if not isinstance(item, int):
                return None
            index.append(item)
        inner = selection[lead:]
        if inner != (None,) * frame_ndim:
            for item, n in zip(inner, self._source.shape[lead:], strict=True):
                if item is not None and item != range(n):
                    return None
        return tuple(index)

    def _read(self) -> Pixels:
        """Read a block of the source, and turn axes that run backwards."""
        block: list[slice] = []
        after: list[slice | int] = []
        source = self._source
        for item, n in zip(self.selection, source.shape, strict=True):
            if item is None:
                block.append(slice(0, n, 1))
                after.append(_WHOLE)
            elif isinstance(item, int):
                block.append(slice(item, item + 1, 1))
                after.append(0)
            else:
                # Sources only know steps of at least one: read forwards, then flip.
                forward = item if item.step > 0 else item[::-1]
                # The end of a range with steps may lie outside of the axis.
                ends = (forward[0], forward[-1] + 1) if forward else (0, 0)
                block.append(slice(*ends, forward.step))
                after.append(slice(None, None, 1 if item.step > 0 else -1))
        pixels = source.read(tuple(block))
        if not getattr(source, "fresh", False) and not (
            pixels.flags.owndata and pixels.flags.writeable
        ):
            # A source over memory hands out a view; nobody may write through it.
            pixels = pixels.copy()
        return np.asarray(pixels[tuple(after)])

    def __deepcopy__(self, memo: dict[int, object]) -> LazyArray:
        """Return the view itself: nobody can change it, and sources may be large."""
        return self

    def __repr__(self) -> str:
        """Show shape and type, never pixels."""
        return f"<LazyArray shape={self.shape} dtype={self.dtype}>"


def _expand(key: object, ndim: int) -> list[slice | int]:
    """Return an index as integers and slices, its ellipsis written out."""
    items = list(key) if isinstance(key, tuple) else [key]
    gaps = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(gaps) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if gaps:
        fill = ndim - (len(items) - 1)
        items[gaps[0] : gaps[0] + 1] = [slice(None)] * max(0, fill)
    return [item if isinstance(item, slice) else _number(item) for item in items]


def _too_many(key: object, ndim: int) -> IndexError:
    count = len(key) if isinstance(key, tuple) else 1
    return IndexError(f"too many indices: {count} for an array of {ndim} axes")


def _narrowed(
    current: int | range | None, item: slice | int, axis: int, n: int
) -> int | range:
    """Return what is left of a range, or of a whole axis of length n."""
    if type(item) is int and current is None and 0 <= item < n:
        return item
    seen = current if isinstance(current, range) else range(n)
    try:
        return seen[item]
    except IndexError:
        raise IndexError(
            f"index {item} is out of bounds for axis {axis} with size {len(seen)}"
        ) from None


def _number(item: object) -> int:
    try:
        if isinstance(item, bool):  # numpy takes these for masks
            raise TypeError
        return int(operator.index(item))  # type: ignore[arg-type]
    except TypeError:
        raise IndexError(
            f"only integers, slices and ellipsis select from a lazy array, "
            f"not {type(item).__name__}; use formats.to_dask() for anything else"
        ) from None

"""Lazy arrays: slices compose, pixels are read only in ``__array__``.

napari slices an array of many axes in several steps and would read every plane of an
eager array. `LazyArray` composes basic indexing (integers, slices, ellipsis) into one
block and asks its source for just that block when numpy wants the pixels.

The source knows how to read; this module does not know where pixels come from.

Examples
--------
>>> import numpy as np
>>> lazy = LazyArray(MemorySource(np.arange(24).reshape(2, 3, 4)))
>>> view = lazy[1][:, 1:3]
>>> view.shape, np.asarray(view).tolist()
((3, 2), [[13, 14], [17, 18], [21, 22]])
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

__all__ = ["BlockSource", "FrameSource", "LazyArray", "MemorySource"]

Block = tuple[slice, ...]


class BlockSource(Protocol):
    """Something that can read a rectangular block of an n-dimensional array.

    ``read`` gets one slice for each axis with 0 <= start <= stop <= size and a step
    of at least 1, and must be safe to call from any thread. ``chunks`` is the block
    size that is cheap to read, one number for each axis, or None.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Current length of each axis."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Block size that is cheap to read."""

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        """Read one block; the result has the shape of the block."""


class MemorySource:
    """A source over an array in memory."""

    def __init__(self, array: npt.NDArray[np.generic]) -> None:
        self._array = array
        self.chunks: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return self._array.dtype

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        """Return a view of the block."""
        return self._array[block]


class FrameSource:
    """A source over whole frames that are fetched one by one.

    Parameters
    ----------
    shape : callable or tuple of int
        Shape of the whole, frame axes last; a callable may grow over time.
    frame_ndim : int
        Number of trailing axes that belong to a frame: 2, or 3 for RGB.
    dtype : numpy.dtype
        Type of the pixels.
    read_frame : callable
        Maps a tuple of leading indices to the frame, or to None when that frame is
        missing; a missing frame reads as zeros.
    """

    def __init__(
        self,
        shape: tuple[int, ...] | Callable[[], tuple[int, ...]],
        dtype: npt.DTypeLike,
        read_frame: Callable[[tuple[int, ...]], npt.NDArray[np.generic] | None],
        *,
        frame_ndim: int = 2,
    ) -> None:
        self._shape = shape
        self.dtype: np.dtype[np.generic] = np.dtype(dtype)
        self._read_frame = read_frame
        self._frame_ndim = frame_ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Current length of each axis."""
        return self._shape() if callable(self._shape) else self._shape

    @property
    def chunks(self) -> tuple[int, ...]:
        """One whole frame."""
        shape = self.shape
        lead = len(shape) - self._frame_ndim
        return (1,) * lead + shape[lead:]

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        """Read the frames of a block; each frame is fetched once."""
        lead = len(block) - self._frame_ndim
        inner = block[lead:]
        ranges = [range(s.start, s.stop, s.step or 1) for s in block[:lead]]
        lengths = tuple(len(r) for r in ranges)
        frame_shape = tuple(len(range(s.start, s.stop, s.step or 1)) for s in inner)
        out = np.zeros(lengths + frame_shape, self.dtype)
        if out.size == 0:
            return out
        for place in np.ndindex(*lengths):
            index = tuple(r[i] for r, i in zip(ranges, place, strict=True))
            frame = self._read_frame(index)
            if frame is not None:
                out[place] = frame[inner]
        return out


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
        _selection: tuple[slice | int, ...] | None = None,
    ) -> None:
        self._source = source
        self._selection = _selection

    @property
    def source(self) -> BlockSource:
        """Where the pixels come from."""
        return self._source

    def _resolved(self) -> tuple[range | int, ...]:
        """Return the selection on each source axis as a range or an integer."""
        shape = self._source.shape
        if self._selection is None:
            return tuple(range(n) for n in shape)
        return tuple(
            item if isinstance(item, int) else range(n)[item]
            for item, n in zip(self._selection, shape, strict=True)
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(r) for r in self._resolved() if isinstance(r, range))

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
        return tuple(
            max(1, min(chunk, len(r)))
            for chunk, r in zip(chunks, self._resolved(), strict=True)
            if isinstance(r, range)
        )

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
        keys = _expand(key, self.ndim)
        chosen: list[slice | int] = []
        pending = iter(keys)
        for axis, current in enumerate(self._resolved()):
            if isinstance(current, int):
                chosen.append(current)
                continue
            item = next(pending)
            if isinstance(item, slice):
                if item == slice(None) and self._is_whole(axis):
                    chosen.append(slice(None))
                    continue
                chosen.append(_as_slice(current[item]))
            else:
                try:
                    chosen.append(current[item])
                except IndexError:
                    raise IndexError(
                        f"index {item} is out of bounds for axis {axis} "
                        f"with size {len(current)}"
                    ) from None
        return LazyArray(self._source, tuple(chosen))

    def _is_whole(self, axis: int) -> bool:
        return self._selection is None or self._selection[axis] == slice(None)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[np.generic]:
        """Read the pixels of this view."""
        if copy is False:
            raise ValueError("reading a lazy array always makes a copy")
        block: list[slice] = []
        after: list[slice | int] = []
        for item in self._resolved():
            if isinstance(item, int):
                block.append(slice(item, item + 1, 1))
                after.append(0)
            else:
                # Sources only know steps of at least one: read forwards, then flip.
                forward = item if item.step > 0 else item[::-1]
                # The end of a range with steps may lie outside of the axis.
                ends = (forward[0], forward[-1] + 1) if forward else (0, 0)
                block.append(slice(*ends, forward.step))
                after.append(slice(None, None, 1 if item.step > 0 else -1))
        pixels = self._source.read(tuple(block))
        if not pixels.flags.owndata:
            # A source over memory hands out a view; nobody may write through it.
            pixels = pixels.copy()
        return np.asarray(pixels[tuple(after)], dtype=dtype)

    def __repr__(self) -> str:
        """Show shape and type, never pixels."""
        return f"<LazyArray shape={self.shape} dtype={self.dtype}>"


def _expand(key: object, ndim: int) -> list[slice | int]:
    """Expand an index to one item for each axis."""
    items = list(key) if isinstance(key, tuple) else [key]
    gaps = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(gaps) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if gaps:
        fill = ndim - (len(items) - 1)
        items[gaps[0] : gaps[0] + 1] = [slice(None)] * max(0, fill)
    if len(items) > ndim:
        raise IndexError(f"too many indices: {len(items)} for an array of {ndim} axes")
    basic = [item if isinstance(item, slice) else _number(item) for item in items]
    return basic + [slice(None)] * (ndim - len(basic))


def _number(item: object) -> int:
    try:
        if isinstance(item, bool):  # numpy takes these for masks
            raise TypeError
        return operator.index(item)  # type: ignore[arg-type]
    except TypeError:
        raise IndexError(
            f"only integers, slices and ellipsis select from a lazy array, "
            f"not {type(item).__name__}; use formats.to_dask() for anything else"
        ) from None


def _as_slice(r: range) -> slice:
    """Return the slice of a source axis that selects a range."""
    if len(r) == 0:
        return slice(0, 0, 1)
    stop = r.stop if r.stop >= 0 else None
    return slice(r.start, stop, r.step)

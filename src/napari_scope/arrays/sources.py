"""Where lazy arrays get their pixels: what a source is, and two for general use.

Examples
--------
>>> import numpy as np
>>> def read_frame(index):
...     return None if index == (1,) else np.full((1, 2), index[0], "u1")
>>> source = FrameSource((3, 1, 2), "u1", read_frame)
>>> source.read((slice(0, 3, 1), slice(0, 1, 1), slice(0, 2, 1))).tolist()
[[[0, 0]], [[0, 0]], [[2, 2]]]
"""

from __future__ import annotations

import itertools
import math
import pickle
from types import FunctionType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Pixels = npt.NDArray[np.generic]

__all__ = ["Block", "BlockSource", "FrameSource", "MemorySource", "check_portable"]

Block = tuple[slice, ...]


class BlockSource(Protocol):
    """Something that can read a rectangular block of an n-dimensional array.

    ``read`` gets one slice for each axis with 0 <= start <= stop <= size and a step
    of at least 1, and must be safe to call from any thread. ``chunks`` is the block
    size that is cheap to read, one number for each axis, or None.

    A source may offer more, which saves work:

    - ``frame_ndim`` and ``frame(index)``: the number of trailing axes of a frame, and
      one whole frame as a new array that belongs to the caller. The index has one
      integer in bounds for each leading axis.
    - ``fresh = True``: ``read`` always returns pixels that nobody else holds. Without
      it a result that does not own its memory is copied.
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

    def read(self, block: Block) -> Pixels:
        """Read one block; the result has the shape of the block."""


class MemorySource:
    """A source over an array in memory."""

    def __init__(self, array: Pixels) -> None:
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

    def read(self, block: Block) -> Pixels:
        """Return a view of the block."""
        return self._array[block]


class FrameSource:
    """A source over whole frames that are fetched one by one, or many at once.

    Parameters
    ----------
    shape : callable or tuple of int
        Shape of the whole, frame axes last; a callable may grow over time.
    dtype : numpy.dtype
        Type of the pixels; frames of another type are converted.
    read_frame : callable
        Maps a tuple of leading indices to the frame, or to None when that frame is
        missing; a missing frame reads as zeros.
    frame_ndim : int
        Number of trailing axes that belong to a frame: 2, or 3 for RGB.
    new_frames : bool
        ``read_frame`` makes a new array at each call and forgets it. A single frame is
        then passed on without a copy (unless it is a view, or cannot be written to).
    read_frames_into : callable, optional
        Reads many whole frames at once: gets a list of leading indices and an array of
        shape (frames, *frame) of zeros, C-contiguous, and fills in the frame of each
        index at its place; the place of a missing frame stays as it is.

    Raises
    ------
    FormatError
        When reading: a frame has another shape than the source says.
    """

    fresh = True

    def __init__(
        self,
        shape: tuple[int, ...] | Callable[[], tuple[int, ...]],
        dtype: npt.DTypeLike,
        read_frame: Callable[[tuple[int, ...]], Pixels | None],
        *,
        frame_ndim: int = 2,
        new_frames: bool = False,
        read_frames_into: Callable[[Sequence[tuple[int, ...]], Pixels], None]
        | None = None,
    ) -> None:
        self._shape = shape
        self.dtype: np.dtype[np.generic] = np.dtype(dtype)
        self.frame_ndim = frame_ndim
        self._read_frame = read_frame
        self._new_frames = new_frames
        self._read_frames_into = read_frames_into

    @property
    def shape(self) -> tuple[int, ...]:
        """Current length of each axis."""
        return self._shape() if callable(self._shape) else self._shape

    @property
    def chunks(self) -> tuple[int, ...]:
        """One whole frame."""
        shape = self.shape
        lead = len(shape) - self.frame_ndim
        return (1,) * lead + shape[lead:]

    def frame(self, index: tuple[int, ...]) -> Pixels:
        """Return one whole frame as a new array; zeros when it is missing."""
        frame = self._read_frame(index)
        shape = self.shape[len(index) :]
        if frame is None:
            return np.zeros(shape, self.dtype)
        _check_shape(index, frame, shape)
        if self._new_frames and frame.dtype == self.dtype:
            flags = frame.flags
            if flags.owndata and flags.writeable:
                return frame
        return np.array(frame, self.dtype)

    def read(self, block: Block) -> Pixels:
        """Read the frames of a block; each frame is fetched once."""
        lead = len(block) - self.frame_ndim
        ranges = [range(s.start, s.stop, s.step or 1) for s in block[:lead]]
        inner = block[lead:]
        lengths = tuple(len(r) for r in ranges)
        part = tuple(len(range(s.start, s.stop, s.step or 1)) for s in inner)
        shape = self.shape[lead:]
        if 0 in lengths or 0 in part:
            return np.empty(lengths + part, self.dtype)
        # As many pixels as the frame has, by a step of at least 1: all of them.
        whole, count = part == shape, math.prod(lengths)
        if whole and count == 1:
            index = tuple(r.start for r in ranges)
            return self.frame(index).reshape(lengths + shape)
        out = np.zeros(lengths + part, self.dtype)
        places = out.reshape(count, *part)
        indices = itertools.product(*ranges)
        if whole and self._read_frames_into is not None:
            self._read_frames_into(list(indices), places)
            return out
        for place, index in zip(places, indices, strict=True):
            frame = self._read_frame(index)
            if frame is not None:
                _check_shape(index, frame, shape)
                place[...] = frame if whole else frame[inner]
        return out

    def __getstate__(self) -> dict[str, object]:
        """Return what is pickled; a function that cannot be is named."""
        check_portable(
            f"a FrameSource of {self.dtype} frames",
            shape=self._shape,
            read_frame=self._read_frame,
            read_frames_into=self._read_frames_into,
        )
        return self.__dict__


def _check_shape(index: tuple[int, ...], frame: Pixels, shape: tuple[int, ...]) -> None:
    if frame.shape != shape:
        raise FormatError(
            f"the frame at {index} has shape {frame.shape}, expected {shape}"
        )


def check_portable(source: str, **parts: object) -> None:
    """Refuse to pickle functions that another process could not find by their name.

    pickle would refuse them too, but names only the function, deep inside of a graph of
    tasks.

    Raises
    ------
    pickle.PicklingError
        One of the parts is a lambda, or a function defined inside of another.
    """
    for name, part in parts.items():
        if isinstance(part, FunctionType) and "<" in part.__qualname__:
            raise pickle.PicklingError(
                f"{source} cannot be pickled: its {name} is {part.__qualname__} of "
                f"{part.__module__}; use a function of a module, or an object of a "
                "class"
            )

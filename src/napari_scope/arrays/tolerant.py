"""Arrays for the eye: what cannot be read is zero, and somebody is told once.

A viewer that adds layers reads a plane of each; if one read raised, the layers after it
would be lost with it. Whoever computes or copies needs the error instead, so readers
hand out arrays that raise, and only what a viewer shows is made tolerant here.

Examples
--------
>>> from napari_scope.arrays import LazyArray
>>> from napari_scope.arrays.sources import FrameSource
>>> from napari_scope.errors import FormatError
>>> def read_frame(index):
...     if index == (1,):
...         raise FormatError("frame 1 is damaged")
...     return np.full((1, 2), 7, "u1")
>>> shown = tolerant(LazyArray(FrameSource((3, 1, 2), "u1", read_frame)), print)
>>> np.asarray(shown).tolist()
frame 1 is damaged
[[[7, 7]], [[0, 0]], [[7, 7]]]
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np

from napari_scope.arrays.lazy import LazyArray
from napari_scope.arrays.sources import MemorySource
from napari_scope.errors import ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from napari_scope.arrays.sources import Block, BlockSource
    from napari_scope.model import LevelArray

    Pixels = npt.NDArray[np.generic]

__all__ = ["strict", "tolerant"]

_LARGEST = 2**30  # bytes; zeros in place of more would fill the memory for nothing
_TOLD = 3  # sentences for each array; a broken disk must not fill the screen
_FAILURES = 256  # reads that may fail until the rest of a block is given up
_PATIENCE_S = 3.0  # spent on reads that fail: a server that is silent is not asked on

_Part = tuple[range, ...]


def tolerant(level: LevelArray, tell: Callable[[str], None]) -> LevelArray:
    """Return an array that shows zeros where pixels cannot be read.

    Parameters
    ----------
    level : LevelArray
        The array. What is in memory is returned as it is.
    tell : callable
        Gets a sentence for what cannot be read, in any thread. Arrays of one source
        tell it once.
    """
    if not isinstance(level, LazyArray):
        return level
    source = level.source
    if isinstance(source, MemorySource | _TolerantSource):
        return level
    # While it is known it keeps its source, so that the number is not given again.
    shared = _known.get(id(source))
    if shared is None:
        shared = _known[id(source)] = _TolerantSource(source, tell)
    return LazyArray(shared, level.selection)


def strict(array: object) -> object:
    """Return an array that raises, if the array is a tolerant one."""
    if isinstance(array, LazyArray) and isinstance(array.source, _TolerantSource):
        return LazyArray(array.source.source, array.selection)
    return array


class _TolerantSource:
    """A source over another one that fails now and then."""

    def __init__(self, source: BlockSource, tell: Callable[[str], None]) -> None:
        self.source = source
        self.frame_ndim: int = getattr(source, "frame_ndim", 0)
        self.fresh: bool = getattr(source, "fresh", False)
        self._tell = tell
        self._told: set[str] = set()

    def __reduce__(self) -> tuple[object, ...]:
        return _TolerantSource, (self.source, self._tell)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return self.source.dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Block size that is cheap to read."""
        return self.source.chunks

    def frame(self, index: tuple[int, ...]) -> Pixels:
        """Read a frame, or return one of zeros."""
        try:
            found: Pixels = self.source.frame(index)  # type: ignore[attr-defined]
        except (ScopeError, OSError) as error:
            self._note(error)
            return np.zeros(self.shape[len(index) :], self.dtype)
        return found

    def read(self, block: Block) -> Pixels:
        """Read a block; its chunks that cannot be read are zeros."""
        start = time.monotonic()
        try:
            return self.source.read(block)
        except (ScopeError, OSError) as error:
            part = tuple(range(s.start, s.stop, s.step or 1) for s in block)
            if math.prod(map(len, part)) * self.dtype.itemsize > _LARGEST:
                raise
            self._note(error)
            return self._without_damage(part, time.monotonic() - start)

    def _without_damage(self, whole: _Part, spent: float) -> Pixels:
        """Read what can be read of a block that could not be read at once."""
        out = np.zeros(tuple(map(len, whole)), self.dtype)
        damaged = [whole]
        failures = 0
        while damaged and failures < _FAILURES and spent < _PATIENCE_S:
            for half in self._halves(damaged.pop()):
                start = time.monotonic()
                try:
                    pixels = self.source.read(
                        tuple(slice(r.start, r.stop, r.step) for r in half)
                    )
                except (ScopeError, OSError):
                    damaged.append(half)
                    failures += 1
                    spent += time.monotonic() - start
                    continue
                place = tuple(
                    slice(r.index(h[0]), r.index(h[-1]) + 1)
                    for r, h in zip(whole, half, strict=True)
                )
                out[place] = pixels
        return out

    def _halves(self, part: _Part) -> tuple[_Part, ...]:
        """Cut a part between chunks, nothing if it is within one."""
        chunks = self.chunks or (2**62,) * len(part)
        spans = [
            r[-1] // chunk - r[0] // chunk if r else 0
            for r, chunk in zip(part, chunks, strict=True)
        ]
        axis = max(range(len(part)), key=spans.__getitem__, default=0)
        if not spans or spans[axis] == 0:
            return ()
        r, chunk = part[axis], chunks[axis]
        border = (r[0] // chunk + (spans[axis] + 1) // 2) * chunk
        cut = -(-(border - r.start) // r.step)
        return tuple(
            (*part[:axis], half, *part[axis + 1 :]) for half in (r[:cut], r[cut:])
        )

    def _note(self, error: Exception) -> None:
        sentence = str(error)
        if sentence not in self._told and len(self._told) < _TOLD:
            self._told.add(sentence)
            self._tell(sentence)


_known: WeakValueDictionary[int, _TolerantSource] = WeakValueDictionary()

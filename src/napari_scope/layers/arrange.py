"""Lazy arrays in the shape a layer needs: axes put in order, levels chosen, stacked.

Everything here is a view over the levels of an image. Nothing is read before napari
asks for a plane, and then only that plane is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays import LazyArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from napari_scope.layers.frame import Frame
    from napari_scope.model import Image, Labels, LevelArray

__all__ = ["COARSEST", "arranged_levels", "stacked", "with_coarse_level"]

COARSEST = 512
"""Levels below this many pixels in y and x are left out.

napari reads the coarsest level whole at every step (thumbnail) and shows it alone in
three dimensions: smaller loses detail there, larger costs time everywhere.
"""

_LARGEST_SIDE = 2048
"""What any graphics card shows in three dimensions; napari refuses coarsest levels
that are larger."""

_LARGEST_VOLUME = 2**30
"""Bytes that are read for the view in three dimensions, of one time point."""

Block = tuple[slice, ...]


def arranged_levels(
    image: Image | Labels,
    channel: int,
    frame: Frame,
    repeated: Mapping[str, int] | None = None,
) -> list[LevelArray]:
    """Return the levels of one channel with the axes of the frame, finest first.

    Parameters
    ----------
    image : Image or Labels
        The image, or a segmentation.
    channel : int
        Index on its c axis; ignored without one.
    frame : Frame
        Axes wanted, outermost first. An axis that the image lacks gets length 1.
    repeated : mapping of str to int, optional
        Length of axes that the image lacks, where its planes count for all of it.

    Returns
    -------
    list of LevelArray
        Each strictly smaller than the one before. Where a level is coarser along
        another axis than y and x, its planes are repeated: napari looks up planes by
        rounding and would show those of a neighbour.
    """
    names = list(image.axis_names)
    chosen = [image.levels[number] for number in _useful_levels(image)]
    if "c" in names:
        place = names.index("c")
        index = (slice(None),) * place + (channel,)
        chosen = [level[index] for level in chosen]
        names.remove("c")
    order: list[int | None] = [
        names.index(name) if name in names else None for name in frame.names
    ]
    if "rgb" in names:
        order.append(names.index("rgb"))
    given = repeated or {}
    absent = [given.get(name, 1) for name in frame.names]
    if "rgb" in names:
        absent.append(1)
    yx = {names.index("y"), names.index("x")}
    full = chosen[0].shape
    arranged: list[LevelArray] = []
    for level in chosen:
        lengths = {
            axis: full[axis]
            for axis in range(len(names))
            if axis not in yx and level.shape[axis] != full[axis]
        }
        if order == list(range(len(names))) and not lengths:
            arranged.append(level)
        else:
            source = _ArrangedSource(level, order, lengths, absent)
            arranged.append(LazyArray(source))
    return arranged


def with_coarse_level(
    levels: list[LevelArray], *, rgb: bool = False
) -> list[LevelArray]:
    """Return levels, the coarsest of them small enough for three dimensions.

    Where it is not, one is added that takes every n-th pixel in y and x of the last
    one. It is a view: it costs the time to read it, but neither disk nor memory.

    Parameters
    ----------
    levels : list of LevelArray
        Levels of one layer, y and x last (before the colours).
    rgb : bool
        Whether the last axis holds colours.
    """
    last = levels[-1]
    shape = last.shape[:-1] if rgb else last.shape
    side = max(shape[-2:])
    depth = shape[-3] if len(shape) > 2 else 1
    volume = depth * math.prod(shape[-2:]) * last.dtype.itemsize * (4 if rgb else 1)
    step = 1
    if len(levels) > 1 and side > _LARGEST_SIDE:
        step = math.ceil(side / (_LARGEST_SIDE // 2))
    if depth > 1 and volume > _LARGEST_VOLUME:
        step = max(step, math.ceil(math.sqrt(volume / _LARGEST_VOLUME)))
    # A single pixel cannot be thinned out.
    if step == 1 or min(shape[-2:]) == 1:
        return levels
    thin = slice(None, None, step)
    key = (..., thin, thin, slice(None)) if rgb else (..., thin, thin)
    return [*levels, last[key]]


def stacked(
    parts: Sequence[Sequence[LevelArray] | None],
) -> list[LevelArray]:
    """Return levels with one more axis in front, one sample for each part.

    Parameters
    ----------
    parts : sequence of (levels or None)
        Levels of each sample, alike in y, x (and rgb); None is a sample of zeros. Of
        the axes before them the longest counts; what another lacks there is zeros.
    """
    first = next(part for part in parts if part is not None)
    return [
        LazyArray(
            _StackedSource([None if part is None else part[number] for part in parts])
        )
        for number in range(len(first))
    ]


def _useful_levels(image: Image | Labels) -> list[int]:
    """Return the numbers of the levels that napari can use."""
    names = image.axis_names
    y, x = names.index("y"), names.index("x")
    fixed = [names.index(name) for name in ("c", "rgb") if name in names]
    full = image.levels[0].shape
    useful = [0]
    for number, level in enumerate(image.levels[1:], 1):
        last = image.levels[useful[-1]].shape
        if max(last[y], last[x]) <= COARSEST:
            break
        shape = level.shape
        smaller = shape[y] * shape[x] < last[y] * last[x]
        fits = all(0 < n <= m for n, m in zip(shape, last, strict=True))
        if smaller and fits and all(shape[axis] == full[axis] for axis in fixed):
            useful.append(number)
    return useful


class _ArrangedSource:
    """A level with its axes in another order, with axes of length 1, planes repeated.

    Parameters
    ----------
    level : LevelArray
        The array.
    order : sequence of (int or None)
        For each axis the axis of the array, or None for one of length 1.
    lengths : mapping of int to int
        Axes of the array that are shown longer than they are, by repeating planes.
    absent : sequence of int
        For each axis its length where the array does not have it.
    """

    def __init__(
        self,
        level: LevelArray,
        order: Sequence[int | None],
        lengths: dict[int, int],
        absent: Sequence[int],
    ) -> None:
        self._level = level
        # What a lazy array reads belongs to nobody else: no copy is needed.
        self.fresh = isinstance(level, LazyArray)
        self._order = tuple(order)
        self._lengths = lengths
        self._absent = tuple(absent)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis; it grows as the level grows."""
        shape = self._level.shape
        return tuple(
            length if axis is None else self._lengths.get(axis, shape[axis])
            for axis, length in zip(self._order, self._absent, strict=True)
        )

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return self._level.dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Block size that is cheap to read."""
        chunks = getattr(self._level, "chunks", None)
        if chunks is None:
            return None
        return tuple(1 if axis is None else chunks[axis] for axis in self._order)

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        """Read one block of the level and put its axes in order."""
        wanted = [range(s.start, s.stop, s.step or 1) for s in block]
        if any(len(r) == 0 for r in wanted):
            return np.empty(tuple(len(r) for r in wanted), self.dtype)
        shape = self._level.shape
        key: list[slice] = [slice(None)] * len(shape)
        repeats: list[tuple[int, npt.NDArray[np.intp]]] = []
        for place, (axis, indices) in enumerate(zip(self._order, wanted, strict=True)):
            if axis is None:
                if len(indices) > 1:
                    repeats.append((place, np.zeros(len(indices), np.intp)))
                continue
            if axis in self._lengths:
                coarse = np.asarray(indices) * shape[axis] // self._lengths[axis]
                key[axis] = slice(int(coarse[0]), int(coarse[-1]) + 1)
                repeats.append((place, coarse - coarse[0]))
            else:
                key[axis] = slice(indices.start, indices.stop, indices.step)
        pixels = np.asarray(self._level[tuple(key)])
        pixels = pixels.transpose([axis for axis in self._order if axis is not None])
        missing = [place for place, axis in enumerate(self._order) if axis is None]
        pixels = np.expand_dims(pixels, tuple(missing))
        for place, indices_in_block in repeats:
            pixels = pixels.take(indices_in_block, place)
        return pixels


class _StackedSource:
    """Arrays one behind the other; what is missing is zeros.

    Parameters
    ----------
    parts : sequence of (LevelArray or None)
        At least one is an array. Their lengths may differ.
    """

    fresh = True

    def __init__(self, parts: Sequence[LevelArray | None]) -> None:
        self._parts = tuple(parts)
        # Asked once: the data sets that are stacked do not grow, they are opened anew.
        self._shapes = tuple(None if part is None else part.shape for part in parts)
        shapes = [shape for shape in self._shapes if shape is not None]
        longest = tuple(max(lengths) for lengths in zip(*shapes, strict=True))
        self.shape: tuple[int, ...] = (len(parts), *longest)
        first = next(part for part in parts if part is not None)
        self.dtype: np.dtype[np.generic] = first.dtype
        chunks = getattr(first, "chunks", None)
        self.chunks: tuple[int, ...] | None = None if chunks is None else (1, *chunks)

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        """Read the parts of a block."""
        lengths = tuple(len(range(s.start, s.stop, s.step or 1)) for s in block)
        out = np.zeros(lengths, self.dtype)
        if out.size == 0:
            return out
        chosen = block[0]
        numbers = range(chosen.start, chosen.stop, chosen.step or 1)
        for place, number in enumerate(numbers):
            part, shape = self._parts[number], self._shapes[number]
            if part is None or shape is None:
                continue
            inside = tuple(
                slice(s.start, min(s.stop, length), s.step)
                for s, length in zip(block[1:], shape, strict=True)
            )
            here: Block = tuple(
                slice(len(range(s.start, s.stop, s.step or 1))) for s in inside
            )
            if all(s.stop for s in here):
                out[place][here] = np.asarray(part[inside])
        return out

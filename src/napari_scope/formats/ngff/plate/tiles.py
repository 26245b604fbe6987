"""One tile of a plate: a field, or a part of a large one, in the pixels of a level.

A tile says which array to read, at which place on its other axes, and by how much to
shrink or stretch what was read. Where a level is coarser than the arrays, each pixel is
the mean of those that it covers if the factor is a power of two, and otherwise the one
in its middle. A field that has other axes, channels or types than the plate gives what
it has; the rest is zeros.

Examples
--------
>>> sampled(range(1, 3), 2.0, 7).tolist(), sampled(range(3), 0.5, 2).tolist()
([3, 5], [0, 0, 1])
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_scope.arrays import halve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from napari_scope.formats.ngff.pixels import ZarrSource
    from napari_scope.formats.ngff.plate.fields import PlacedField
    from napari_scope.formats.ngff.plate.kinds import Factor

    Pixels = npt.NDArray[np.generic]

__all__ = ["Tile", "converted", "extent", "sampled", "tile_ranges"]

_SIDE = 1024  # of the largest tile, in pixels of its level
_READ = 4096  # of what is read at once for a tile of a coarser level


class Tile(NamedTuple):
    """A part of a field on one level.

    Parameters
    ----------
    field : PlacedField
        The field.
    source : ZarrSource
        The array to read.
    ratio : (float, float)
        Pixels of the array for each pixel of the tile, along y and x.
    rows, columns : range
        What the tile covers of the field, in pixels of the level.
    """

    field: PlacedField
    source: ZarrSource
    ratio: Factor
    rows: range
    columns: range

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return len(self.rows), len(self.columns)

    def read(
        self, lead: Mapping[str, int], dtype: np.dtype[np.generic], *, blend: bool
    ) -> Pixels:
        """Read the tile.

        Parameters
        ----------
        lead : mapping of str to int
            Place on the axes before y and x.
        dtype : numpy.dtype
            Type of the result.
        blend : bool
            Whether pixels may be averaged.

        Returns
        -------
        ndarray
            Rows and columns, a new array.

        Raises
        ------
        FormatError
            If the array cannot be read.
        """
        index = self._index(lead)
        if index is None:
            return np.zeros(self.shape, dtype)
        axes, shape = self.field.kind.axes, self.source.shape
        y, x = axes.index("y"), axes.index("x")
        wanted = (self.rows, self.columns)
        lengths = (shape[y], shape[x])
        halvings = _halvings(self.ratio, lengths) if blend else 0
        picks: list[npt.NDArray[np.intp] | None] = [None, None]
        block = [slice(n, n + 1, 1) for n in index]
        for place, (axis, pixels, ratio, length) in enumerate(
            zip((y, x), wanted, self.ratio, lengths, strict=True)
        ):
            if halvings or ratio == 1:
                step = int(ratio)
                block[axis] = slice(pixels.start * step, pixels.stop * step, 1)
            else:
                chosen = sampled(pixels, ratio, length)
                block[axis] = slice(int(chosen[0]), int(chosen[-1]) + 1, 1)
                picks[place] = chosen - chosen[0]
        found = self.source.read(tuple(block))
        found = found.reshape([found.shape[axis] for axis in sorted((y, x))])
        if x < y:
            found = found.T
        if picks[0] is not None:
            found = found[picks[0]]
        if picks[1] is not None:
            found = found[:, picks[1]]
        for _ in range(halvings):
            found = halve(found)
        return converted(found, dtype)

    def _index(self, lead: Mapping[str, int]) -> list[int] | None:
        """Return the index on all axes of the array, None if it has no such plane."""
        kind = self.field.kind
        channel = kind.channels[lead.get("c", 0)]
        if channel is None or any(
            at for name, at in lead.items() if name != "c" and name not in kind.axes
        ):
            return None
        index = []
        for name, length in zip(kind.axes, self.source.shape, strict=True):
            at = 0 if name in ("y", "x") else lead.get(name, 0)
            at = channel if name == "c" else at
            if at >= length:
                return None
            index.append(at)
        return index


def extent(length: int, ratio: float) -> int:
    """Return how many pixels of a level a field has; at least one.

    Parameters
    ----------
    length : int
        Pixels of its array.
    ratio : float
        Pixels of the array for each pixel of the level.
    """
    return max(1, math.floor(length / ratio + 1e-6))


def tile_ranges(length: int, ratio: float, seen: range) -> Iterator[tuple[int, range]]:
    """Cut a field into tiles along one axis.

    Yields number and pixels of the tiles that show something of what is seen.

    Parameters
    ----------
    length : int
        Pixels of the field on the level.
    ratio : float
        Pixels of the array for each of them.
    seen : range
        Pixels that are wanted; others are allowed on both sides.

    Examples
    --------
    >>> list(tile_ranges(2500, 1.0, range(1500, 9000)))
    [(1, range(1024, 2048)), (2, range(2048, 2500))]
    """
    side = max(1, min(_SIDE, int(_READ / max(1.0, ratio))))
    start, stop = max(0, seen.start), min(length, seen.stop)
    if start >= stop:
        return  # what is seen is beside the field
    for number in range(start // side, (stop - 1) // side + 1):
        yield number, range(number * side, min(length, (number + 1) * side))


def sampled(pixels: range, ratio: float, length: int) -> npt.NDArray[np.intp]:
    """Return the pixels of an array that lie in the middle of those of a level."""
    middles = (np.arange(pixels.start, pixels.stop) + 0.5) * ratio
    return np.minimum(middles.astype(np.intp), length - 1)


def _halvings(ratio: Factor, lengths: tuple[int, int]) -> int:
    """Return how often to halve for a ratio, 0 if that does not lead there."""
    power = round(math.log2(ratio[0])) if ratio[0] >= 2 else 0
    whole = ratio[0] == ratio[1] == 2**power
    return power if whole and min(lengths) >= ratio[0] else 0


def converted(pixels: Pixels, dtype: np.dtype[np.generic]) -> Pixels:
    """Return pixels in another type; values that it does not have are cut.

    Examples
    --------
    >>> converted(np.array([-1.0, 2.6, 300.0, np.nan]), np.dtype("u1")).tolist()
    [0, 3, 255, 0]
    """
    if pixels.dtype == dtype:
        return np.ascontiguousarray(pixels)
    if dtype.kind in "iu" and not np.can_cast(pixels.dtype, dtype):
        limits = np.iinfo(dtype)  # type: ignore[type-var]
        if pixels.dtype.kind == "f":
            rounded = np.rint(np.nan_to_num(pixels, nan=0.0))
            # The greatest 64-bit integers have no float of their own.
            inside = np.clip(rounded, float(limits.min), float(limits.max))
            top = rounded >= float(limits.max)
            whole = np.where(top, 0, inside).astype(dtype)
            whole[top] = limits.max
            return whole
        low = max(int(limits.min), int(np.iinfo(pixels.dtype).min))  # type: ignore[type-var]
        high = min(int(limits.max), int(np.iinfo(pixels.dtype).max))  # type: ignore[type-var]
        return np.clip(pixels, low, high).astype(dtype)
    return pixels.astype(dtype)

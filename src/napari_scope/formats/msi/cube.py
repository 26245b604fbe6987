"""Slices of a cube: which places an index means, and reading just these.

Examples
--------
>>> picks, dropped = picks_of((1, ..., slice(2)), (3, 4, 5))
>>> [p.tolist() for p in picks], dropped
([[1], [0, 1, 2, 3], [0, 1]], {0})
"""

from __future__ import annotations

import contextlib
import operator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_scope.formats.msi.axes import BinnedAxis
from napari_scope.formats.msi.blocks import RaggedBlock

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.msi.axes import CubeAxis
    from napari_scope.formats.msi.blocks import Block, Numbers
    from napari_scope.formats.msi.pixels import PixelTable
    from napari_scope.formats.msi.shared import Shared
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["Cube", "picks_of", "read_cube"]

# Windows of sorted peaks are quicker for a few bins of many spectra.
_FEW, _MANY = 64, 1000


class Cube(Protocol):
    """What is needed of a data set to read its cube."""

    shared: Shared
    numbers: Numbers | None

    @property
    def spectra(self) -> Spectra:
        """The data set."""

    @property
    def axis(self) -> CubeAxis:
        """The m/z axis."""

    @property
    def pixels(self) -> PixelTable:
        """Where the spectra lie."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape: (x, y, m/z) or (x, y, z, m/z)."""


def read_cube(cube: Cube, index: Any) -> npt.NDArray[Any]:
    """Read a part of a cube; nothing but the spectra that it needs.

    Raises
    ------
    IndexError
        If the index does not fit the shape.
    """
    picks, dropped = picks_of(index, cube.shape)
    *places, bins = picks
    xs, ys = places[0], places[1]
    zs = places[2] if len(places) > 2 else np.zeros(1, np.int64)
    grid = cube.pixels.grid[np.ix_(zs, ys, xs)].transpose(2, 1, 0)
    result = np.zeros((*grid.shape, len(bins)), cube.dtype)
    filled = grid >= 0
    if filled.any() and len(bins):
        result[filled] = _values(cube, grid[filled], bins)
    if len(places) == 2:
        result = result[:, :, 0]
    whole: npt.NDArray[Any] = result[
        tuple(0 if axis in dropped else slice(None) for axis in range(len(cube.shape)))
    ]
    return whole


def _values(cube: Cube, chosen: Numbers, bins: Numbers) -> npt.NDArray[Any]:
    """Return some bins of some of the chosen spectra, (spectra, bins)."""
    numbers = chosen if cube.numbers is None else cube.numbers[chosen]
    if cube.spectra.common_mz is not None:
        return cube.spectra.columns(bins, numbers)
    few = 1 if not cube.shared.has_index or len(numbers) < _MANY else _FEW
    if len(bins) <= few and isinstance(cube.axis, BinnedAxis):
        windows = [cube.axis.window(number) for number in bins.tolist()]
        columns = [cube.shared.window(*one, "sum", numbers) for one in windows]
        return np.stack(columns, axis=1)
    rows = np.empty((len(numbers), len(bins)), cube.dtype)
    done = 0
    for block in cube.spectra.blocks(numbers):
        if len(bins) <= _FEW and isinstance(cube.axis, BinnedAxis):
            rows[done : done + len(block)] = _placed(cube.axis, block, bins)
            done += len(block)
            continue
        for k in range(len(block)):
            rows[done] = cube.axis.place_at(*block.spectrum(k), bins)
            done += 1
    return rows


def _placed(axis: BinnedAxis, block: Block, bins: Numbers) -> npt.NDArray[Any]:
    """Return a few bins of all spectra of a block, (spectra, bins)."""
    assert isinstance(block, RaggedBlock)
    first, last = axis.window(int(bins.min()))[0], axis.window(int(bins.max()))[1]
    near = np.flatnonzero((block.mz >= first) & (block.mz <= last))
    wanted, column = np.unique(bins, return_inverse=True)
    of_near = axis.bins_of(block.mz[near])
    place = np.minimum(np.searchsorted(wanted, of_near), len(wanted) - 1)
    taken = wanted[place] == of_near
    near, place = near[taken], place[taken]
    owner = np.searchsorted(block.starts, near, "right") - 1
    sums = np.bincount(
        owner * len(wanted) + place, block.intensities[near],
        minlength=len(block) * len(wanted),
    )  # fmt: skip
    return sums.reshape(len(block), len(wanted))[:, column]


def _whole_number(part: Any) -> int:
    # True and False are masks for numpy.
    if not isinstance(part, bool | np.bool_):
        with contextlib.suppress(TypeError):
            return operator.index(part)
    raise IndexError(f"integers, slices and one list are understood, not {part!r}")


def picks_of(index: Any, shape: tuple[int, ...]) -> tuple[list[Numbers], set[int]]:
    """Return the wanted numbers on each axis, and the axes that an integer takes away.

    Examples
    --------
    >>> picks, dropped = picks_of((1, ..., slice(2)), (3, 4, 5))
    >>> [p.tolist() for p in picks], dropped
    ([[1], [0, 1, 2, 3], [0, 1]], {0})
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    if sum(part is Ellipsis for part in parts) > 1:
        raise IndexError("an index can only have one ellipsis")
    for place, part in enumerate(parts):
        if part is Ellipsis:
            missing = len(shape) - (len(parts) - 1)
            parts[place : place + 1] = [slice(None)] * max(0, missing)
            break
    parts += [slice(None)] * (len(shape) - len(parts))
    if len(parts) != len(shape):
        raise IndexError(f"{len(parts)} indices for a cube of {len(shape)} axes")
    picks: list[Numbers] = []
    dropped: set[int] = set()
    lists = 0
    for axis, (part, size) in enumerate(zip(parts, shape, strict=True)):
        if isinstance(part, slice):
            picks.append(np.arange(size)[part])
            continue
        if np.ndim(part) == 0:
            number = _whole_number(part)
            dropped.add(axis)
            wanted = np.array([number])
        else:
            lists += 1
            array = np.asarray(part)
            if array.dtype.kind not in "biu" and array.size:
                raise IndexError(f"whole numbers were expected, not {part!r}")
            wanted = np.flatnonzero(array) if array.dtype == bool else array
            if (
                array.ndim != 1
                or lists > 1
                or (array.dtype == bool and len(array) != size)
            ):
                raise IndexError("one list of numbers, on one axis, is understood")
        wanted = wanted.astype(np.int64)
        if len(wanted) and (wanted.min() < -size or wanted.max() >= size):
            raise IndexError(
                f"index {int(wanted[0])} is out of bounds for axis {axis} with size "
                f"{size}"
            )
        picks.append(np.where(wanted < 0, wanted + size, wanted))
    return picks, dropped

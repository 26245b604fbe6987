"""Halving blocks of any number of axes, by any of the usual methods.

A coarse pixel is made of the two, four or eight fine ones that it covers. Where a side
is odd, those at the end are made of the pixels that exist. The methods:

    mean      of all; integers exactly, a half is rounded up
    median    mean of the two in the middle, rounded in the same way
    mode      the most frequent value; of several, the smallest
    min, max  the smallest, the largest
    stride    the first pixel; ``nearest`` is another name for it

Of floats, one that is no number makes the coarse pixel none, too, except with ``mode``,
which takes a NaN only where there is nothing else, and ``stride``. Floats are averaged
in their own precision (those of 16 bits in 32). A truth value counts as 0 or 1.

Nothing is known here of files and of levels. Work goes slab by slab, so that what is
in between stays in the processor's cache.

Examples
--------
>>> import numpy as np
>>> block = np.array([[1, 2, 9], [3, 5, 11]], np.uint8)
>>> reduce_block(block, (2, 2)).tolist(), reduce_block(block, (1, 2), "max").tolist()
([[3, 10]], [[2, 9], [5, 11]])
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.arrays.downsample import halve
from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Kernel = Callable[[Array, Array, Sequence[int]], None]

__all__ = ["METHODS", "check_method", "reduce_block", "reduced_shape"]

_SLAB = 1 << 17  # bytes of output for each pass: with its input and sums in the cache


def check_method(method: str) -> None:
    """Raise unless there is a method of this name.

    Raises
    ------
    SettingsError
        If there is none.
    """
    if method not in METHODS:
        raise SettingsError(
            f"there is no method {method!r} of making a coarser level",
            hint=f"choose one of {', '.join(METHODS)}",
        )


def reduced_shape(shape: Sequence[int], factors: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of the coarser level; odd sizes round up."""
    return tuple(-(-n // f) for n, f in zip(shape, factors, strict=True))


def reduce_block(block: Array, factors: Sequence[int], method: str = "mean") -> Array:
    """Return a block at half the resolution of some axes.

    Parameters
    ----------
    block : ndarray
        Integers, floats or truth values.
    factors : sequence of int
        2 for each axis that is halved, 1 for the others.
    method : str
        One of `METHODS`.

    Returns
    -------
    ndarray
        A new array of the same type.

    Raises
    ------
    SettingsError
        If there is no such method, or a factor is neither 1 nor 2.
    """
    check_method(method)
    if len(factors) != block.ndim or not set(factors) <= {1, 2}:
        raise SettingsError(
            f"factors of 1 or 2 for {block.ndim} axes were expected, not {factors}"
        )
    axes = [a for a, f in enumerate(factors) if f == 2 and block.shape[a] > 1]
    kernel = METHODS[method]
    if kernel is None or not axes or 0 in block.shape:
        picked = tuple(slice(None, None, f) for f in factors)
        return np.array(block[picked], order="C")
    if block.dtype.kind == "b":
        return reduce_block(block.view(np.uint8), factors, method).view(bool)
    block = _even(block, axes)
    shape = [n // 2 if a in axes else n for a, n in enumerate(block.shape)]
    out = np.empty(shape, block.dtype)
    if method == "mean" and axes == [block.ndim - 2, block.ndim - 1]:
        for plane in np.ndindex(*shape[:-2]):
            out[plane] = halve(block[plane])
        return out
    # Sums and differences of infinities are what they are.
    with np.errstate(over="ignore", invalid="ignore"):
        for fine, coarse in _slabs(block, out, axes):
            kernel(fine, coarse, axes)
    return out


def _even(block: Array, axes: Sequence[int]) -> Array:
    """Return a block with the last pixels of odd sides twice.

    To count those that exist twice changes no mean, median, mode and extreme.
    """
    edges = [(0, n % 2 if a in axes else 0) for a, n in enumerate(block.shape)]
    return np.pad(block, edges, mode="edge") if (0, 1) in edges else block


def _slabs(
    block: Array, out: Array, axes: Sequence[int]
) -> Iterator[tuple[Array, Array]]:
    """Cut a block and what it becomes into parts of a size that stays in the cache."""
    longer = [a for a, n in enumerate(out.shape) if n > 1]
    if out.nbytes <= _SLAB or not longer:
        yield block, out
        return
    axis = longer[0]
    factor = 2 if axis in axes else 1
    step = max(1, _SLAB * out.shape[axis] // out.nbytes)
    before = (slice(None),) * axis
    for start in range(0, out.shape[axis], step):
        fine = block[(*before, slice(start * factor, (start + step) * factor))]
        yield from _slabs(fine, out[(*before, slice(start, start + step))], axes)


def _halves(block: Array, axis: int) -> tuple[Array, Array]:
    """Return the even and the odd places of an axis."""
    before = (slice(None),) * axis
    return block[(*before, slice(0, None, 2))], block[(*before, slice(1, None, 2))]


def _parts(block: Array, axes: Sequence[int]) -> list[Array]:
    """Return the fine pixels of all coarse ones, an array for each place in these."""
    parts = [block]
    for axis in axes:
        parts = list(itertools.chain(*(_halves(part, axis) for part in parts)))
    return parts


def _mean(block: Array, out: Array, axes: Sequence[int]) -> None:
    dtype, bits = block.dtype, len(axes)
    if dtype.kind != "f" and dtype.itemsize == 8:
        _mean_64(block, out, axes)
        return
    wide = np.dtype(f"{dtype.kind}{max(4, dtype.itemsize)}")
    if dtype.kind != "f":
        wide = np.dtype(f"{dtype.kind}{2 * dtype.itemsize}")
    total = block
    for axis in axes:  # the outer ones first: whole rows are added fastest
        total = np.add(*_halves(total, axis), dtype=wide)
    if dtype.kind == "f":
        total *= wide.type(0.5**bits)
    else:
        total += wide.type(1 << (bits - 1))
        total >>= wide.type(bits)
    out[...] = total


def _mean_64(block: Array, out: Array, axes: Sequence[int]) -> None:
    """Average integers that have no wider type: quotients and remainders apart."""
    kind = block.dtype.type
    bits = len(axes)
    low, shift = kind((1 << bits) - 1), kind(bits)
    total = np.zeros_like(out)
    rest = np.full_like(out, 1 << (bits - 1))
    for part in _parts(block, axes):
        total += part >> shift
        rest += part & low
    out[...] = total + (rest >> shift)


def _median(block: Array, out: Array, axes: Sequence[int]) -> None:
    parts = _parts(block, axes)
    if len(parts) == 2:
        _middle(parts[0], parts[1], out)
        return
    if len(parts) == 4:
        a, b, c, d = parts
        # The least of four is no middle one, and neither is the largest.
        low = np.maximum(np.minimum(a, b), np.minimum(c, d))
        high = np.minimum(np.maximum(a, b), np.maximum(c, d))
        _middle(low, high, out)
        return
    ordered = np.sort(np.stack(parts), axis=0)
    half = len(parts) // 2
    _middle(ordered[half - 1], ordered[half], out)
    if block.dtype.kind == "f":
        out[np.isnan(ordered[-1])] = np.nan  # they are sorted last


def _middle(one: Array, other: Array, out: Array) -> None:
    """Average two values without a wider type; half is rounded up."""
    if out.dtype.kind == "f":
        out[...] = one * out.dtype.type(0.5) + other * out.dtype.type(0.5)
    else:
        out[...] = (one | other) - ((one ^ other) >> out.dtype.type(1))


def _mode(block: Array, out: Array, axes: Sequence[int]) -> None:
    parts = _parts(block, axes)
    if len(parts) == 2:
        _least(block, out, axes)
        return
    ordered = np.sort(np.stack(parts), axis=0)
    if len(parts) == 4:
        a, b, c, d = ordered
        # The first pair is the answer: two pairs are a tie, three alike hold a pair.
        out[...] = np.where(a == b, a, np.where(b == c, b, np.where(c == d, c, a)))
        return
    out[...] = ordered[0]
    most = np.ones(out.shape, np.uint8)
    run = np.ones(out.shape, np.uint8)
    for before, value in itertools.pairwise(ordered):
        run = np.where(value == before, run + np.uint8(1), np.uint8(1))
        longer = run > most
        out[longer] = value[longer]
        np.maximum(most, run, out=most)


def _least(block: Array, out: Array, axes: Sequence[int]) -> None:
    # fmin: a NaN is no value that is more frequent than another.
    for axis in axes:
        block = np.fmin(*_halves(block, axis))
    out[...] = block


def _min(block: Array, out: Array, axes: Sequence[int]) -> None:
    for axis in axes:
        block = np.minimum(*_halves(block, axis))
    out[...] = block


def _max(block: Array, out: Array, axes: Sequence[int]) -> None:
    for axis in axes:
        block = np.maximum(*_halves(block, axis))
    out[...] = block


METHODS: dict[str, Kernel | None] = {
    "mean": _mean,
    "median": _median,
    "mode": _mode,
    "min": _min,
    "max": _max,
    "stride": None,
    "nearest": None,
}
"""The methods by name; those without a kernel take the first pixel."""

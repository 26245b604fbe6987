"""Halving an image: the rounded mean of each 2 x 2 block, exact for integers.

Odd edges are averaged over the pixels that exist, so the coarse image covers the
whole fine one. The kernel works on blocks of rows that stay in the processor's cache.

Examples
--------
>>> import numpy as np
>>> halve(np.array([[1, 2, 9], [3, 4, 11]], np.uint8)).tolist()
[[3, 10]]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["halve", "halved_shape", "pyramid_shapes"]

_ROWS = 64  # output rows for each pass: keeps the intermediate sums in cache


def halved_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return (height, width) of the next coarser level; odd sizes round up."""
    height, width = shape
    return (height + 1) // 2, (width + 1) // 2


def pyramid_shapes(
    shape: tuple[int, int], *, smallest: int = 512, levels: int | None = None
) -> list[tuple[int, int]]:
    """Return the (height, width) of each level, finest first.

    Parameters
    ----------
    shape : (int, int)
        Height and width of full resolution.
    smallest : int
        Levels are added until neither side is longer than this.
    levels : int, optional
        An exact number of levels instead; 1 means full resolution only. It stops
        early where a further level would not be smaller.
    """
    shapes = [shape]
    smallest = max(1, smallest)
    while True:
        last = shapes[-1]
        if levels is not None:
            if len(shapes) >= max(1, levels) or max(last) <= 1:
                return shapes
        elif max(last) <= smallest:
            return shapes
        shapes.append(halved_shape(last))


def halve(image: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return the rounded 2 x 2 mean of an image of shape (height, width).

    Integers round half up, floats are averaged in their own precision.
    """
    height, width = image.shape
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2)), mode="edge")
        height, width = image.shape
    out = np.empty((height // 2, width // 2), image.dtype)
    if image.dtype.kind not in "ui":
        out[...] = image.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        return out
    if image.dtype.itemsize == 8:
        _halve_64(image, out)
        return out
    wide = np.dtype(f"{image.dtype.kind}{image.dtype.itemsize * 2}")
    if image.dtype == np.uint16 and image.flags.c_contiguous and _LITTLE:
        _halve_u16(image, out)
        return out
    for start in range(0, height // 2, _ROWS):
        rows = image[2 * start : 2 * (start + _ROWS)]
        total = np.add(rows[0::2, 0::2], rows[0::2, 1::2], dtype=wide)
        total += rows[1::2, 0::2]
        total += rows[1::2, 1::2]
        total += 2
        np.right_shift(total, 2, out=total)
        out[start : start + _ROWS] = total
    return out


_LITTLE = np.little_endian


def _halve_64(image: npt.NDArray[np.generic], out: npt.NDArray[np.generic]) -> None:
    """Average integers that have no wider type: quarters and remainders apart."""
    parts = [image[y::2, x::2] for y in (0, 1) for x in (0, 1)]
    three = np.array(3, image.dtype)
    rest = sum((part & three for part in parts), start=np.array(2, image.dtype))
    total = rest >> np.array(2, image.dtype)
    for part in parts:
        total = total + (part >> np.array(2, image.dtype))
    out[...] = total


def _halve_u16(image: npt.NDArray[np.generic], out: npt.NDArray[np.generic]) -> None:
    """Average pairs of neighbours as the halves of one 32 bit word.

    Adding two rows of words would overflow the low half, so the halves are split by
    mask and shift first; that is still twice as fast as strided slices.
    """
    words = image.view(np.uint32)
    for start in range(0, out.shape[0], _ROWS):
        rows = words[2 * start : 2 * (start + _ROWS)]
        top, bottom = rows[0::2], rows[1::2]
        total = top & np.uint32(0xFFFF)
        total += top >> np.uint32(16)
        total += bottom & np.uint32(0xFFFF)
        total += bottom >> np.uint32(16)
        total += np.uint32(2)
        total >>= np.uint32(2)
        out[start : start + _ROWS] = total

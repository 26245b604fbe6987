"""Halving an image: the mean of each 2 x 2 block, exact for integers.

Odd edges are averaged over the pixels that exist, so the coarse image covers the
whole fine one. The kernels work on blocks of rows that stay in the processor's cache.

Examples
--------
>>> import numpy as np
>>> image = np.array([[1, 2, 9], [3, 4, 11]], np.uint8)
>>> halve(image).tolist(), halve(image, cut=True).tolist()
([[3, 10]], [[2, 10]])
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


def halve(
    image: npt.NDArray[np.generic], *, cut: bool = False
) -> npt.NDArray[np.generic]:
    """Return the 2 x 2 mean of an image.

    Parameters
    ----------
    image : ndarray
        (height, width), or (height, width, samples) of colours.
    cut : bool
        Round integers down, as Micro-Manager does in the tiles of NDTiff; by default
        half is rounded up. Floats are averaged in their own precision.
    """
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        edges = ((0, height % 2), (0, width % 2), *[(0, 0)] * (image.ndim - 2))
        image = np.pad(image, edges, mode="edge")
        height, width = image.shape[:2]
    out = np.empty((height // 2, width // 2, *image.shape[2:]), image.dtype)
    more = 0 if cut else 2  # to the sum of four
    if image.dtype.kind not in "ui":
        blocks = image.reshape(height // 2, 2, width // 2, 2, *image.shape[2:])
        out[...] = blocks.mean(axis=(1, 3))
    elif image.dtype.itemsize == 8:
        _halve_64(image, out, more)
    elif image.ndim == 3:
        _halve_samples(image, out, more)
    elif (words := _pairs(image)) is not None:
        _halve_words(words, out, more)
    else:
        _halve_any(image, out, more)
    return out


def _halve_any(
    image: npt.NDArray[np.generic], out: npt.NDArray[np.generic], more: int
) -> None:
    """Average integers of up to 32 bits in a type of twice the size."""
    wide = _twice(image.dtype)
    for start in range(0, len(out), _ROWS):
        rows = image[2 * start : 2 * (start + _ROWS)]
        total = np.add(rows[0::2, 0::2], rows[0::2, 1::2], dtype=wide)
        total += rows[1::2, 0::2]
        total += rows[1::2, 1::2]
        total += more
        total >>= 2
        out[start : start + _ROWS] = total


def _halve_samples(
    image: npt.NDArray[np.generic], out: npt.NDArray[np.generic], more: int
) -> None:
    """Average colours: lines as a whole, which is five times as fast as by sample."""
    samples = image.shape[2]
    lines = image.reshape(len(image), -1)
    wide = _twice(image.dtype)
    for start in range(0, len(out), _ROWS):
        rows = lines[2 * start : 2 * (start + _ROWS)]
        pairs = np.add(rows[0::2], rows[1::2], dtype=wide)
        # Each sample with its neighbour to the right; every second one is wanted.
        total = pairs[:, :-samples] + pairs[:, samples:]
        total += more
        total >>= 2
        for sample in range(samples):
            out[start : start + _ROWS, :, sample] = total[:, sample :: 2 * samples]


def _halve_64(
    image: npt.NDArray[np.generic], out: npt.NDArray[np.generic], more: int
) -> None:
    """Average integers that have no wider type: quarters and remainders apart."""
    parts = [image[y::2, x::2] for y in (0, 1) for x in (0, 1)]
    three = np.array(3, image.dtype)
    rest = sum((part & three for part in parts), start=np.array(more, image.dtype))
    total = rest >> np.array(2, image.dtype)
    for part in parts:
        total = total + (part >> np.array(2, image.dtype))
    out[...] = total


def _halve_words(
    words: npt.NDArray[np.unsignedinteger], out: npt.NDArray[np.generic], more: int
) -> None:
    """Average pairs of neighbours as the halves of one word.

    Adding two rows of words would overflow the low half, so the halves are split by
    mask and shift first; that is up to twice as fast as strided slices.
    """
    kind = words.dtype.type
    half = kind(words.itemsize * 4)
    low = kind((1 << int(half)) - 1)
    for start in range(0, len(out), _ROWS):
        rows = words[2 * start : 2 * (start + _ROWS)]
        top, bottom = rows[0::2], rows[1::2]
        total = top & low
        total += top >> half
        total += bottom & low
        total += bottom >> half
        total += kind(more)
        total >>= kind(2)
        out[start : start + _ROWS] = total


def _pairs(
    image: npt.NDArray[np.generic],
) -> npt.NDArray[np.unsignedinteger] | None:
    """Return an image with two neighbours in each word, or None if none fit so."""
    size = image.dtype.itemsize
    if image.dtype.kind != "u" or size > 2 or image.strides[1] != size:
        return None
    if not image.dtype.isnative or not np.little_endian:
        return None
    words = image.view(_twice(image.dtype))
    return words if words.flags.aligned else None


def _twice(dtype: np.dtype[np.generic]) -> np.dtype[np.unsignedinteger]:
    """Return the integers of twice the size."""
    return np.dtype(f"{dtype.kind}{dtype.itemsize * 2}")

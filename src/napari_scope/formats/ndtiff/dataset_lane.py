"""The short way from a request to the pixels, for stores whose images are all alike.

The long way (find the row, look up where it lies, check it, lend a file, read) takes
longer than to read a small image. Where all images have one size and type and lie in
few files, everything but the offset is known beforehand: the values of the request add
up to a place in a table of offsets. Whatever is unusual is left to the long way, and
so are all errors.

A file here is closed when nobody holds it any more, so a data set can be closed while
another thread reads.

Examples
--------
A store with 2 times and 3 planes: one axis after the other, -1 (lacking) counts.

>>> weights(["time", "z"], [2, 3])
[4, 1]
"""

from __future__ import annotations

import math
import os
import stat
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_scope.fileio import uses_portable_io
from napari_scope.formats.ndtiff.columns import (
    HEIGHT,
    PIXEL_OFFSET,
    PIXEL_TYPE,
    WIDTH,
)
from napari_scope.formats.ndtiff.files import NATIVE_ORDER
from napari_scope.formats.ndtiff.record import PIXEL_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.dataset_axes import FrameAddresses

    _Steps: TypeAlias = Mapping[object, int]
    _Read: TypeAlias = Callable[
        ...,  # see `FastLane.read`
        npt.NDArray[np.generic] | None,
    ]

__all__ = ["FastLane", "weights"]

_MOST_FILES = 16  # that are held open
_SPARSE = 8  # entries of the table for each image that it may cost


def weights(names: Sequence[str], sizes: Sequence[int]) -> list[int]:
    """Return what one step along each axis adds to the place in the table."""
    return [math.prod(size + 1 for size in sizes[i + 1 :]) for i in range(len(names))]


class _HeldFile:
    """A descriptor that is closed with the last reference to it."""

    __slots__ = ("descriptor",)

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY)
        if not stat.S_ISREG(os.fstat(self.descriptor).st_mode):
            raise OSError("not a regular file")

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


class FastLane:
    """Reads images of one `FrameAddresses`.

    Parameters
    ----------
    addresses : FrameAddresses
        The images.
    folder : Path
        Where their files are.

    Raises
    ------
    ValueError
        The images are not alike, or this system does not read at offsets.
    OSError
        A file cannot be opened.
    """

    def __init__(self, addresses: FrameAddresses, folder: Path) -> None:
        catalog = addresses.catalog
        table = catalog.table
        rows = catalog.rows()
        if uses_portable_io() or not len(rows) or len(table.files) > _MOST_FILES:
            raise ValueError("this store is read the long way")
        same = table.fields[rows][:, [WIDTH, HEIGHT, PIXEL_TYPE]]
        if (same != same[0]).any() or not catalog.readable[rows].all():
            raise ValueError("the images are not alike")
        width, height, code = same[0].tolist()
        kind = PIXEL_TYPES[code]
        if kind.dtype.itemsize > 1 and any(
            file.order != NATIVE_ORDER for file in catalog.files
        ):
            raise ValueError("the pixels are in another byte order")
        sizes = [len(table.values[name]) for name in table.names]
        steps = weights(table.names, sizes)
        span = math.prod(size + 1 for size in sizes)
        if span > _SPARSE * len(rows) + 1024:
            raise ValueError("the axes are sparse")
        keys = (table.codes[rows].astype(np.int64) + 1) @ np.array(steps, np.int64)
        # The number of the file stands above the 32 bits of an offset.
        places = np.full(span, -1, np.int64)
        places[keys] = table.file_ids[rows].astype(np.int64) << 32
        places[keys] += table.fields[rows, PIXEL_OFFSET]
        plans = []
        for plan in (addresses.plan, addresses.plan_of_default):
            start = 0
            add: dict[str, dict[object, int]] = {}
            for step, (name, known, code) in zip(steps, plan, strict=True):
                start += step * (code + 1)
                add[name] = {value: step * (own - code) for value, own in known.items()}
            plans.append((start, add))
        self.addresses = addresses
        shape = (height, width) if kind.samples == 1 else (height, width, kind.samples)
        files = [_HeldFile(folder / name) for name in table.files]
        #: Returns the image of a request, or None if that takes the long way. It takes
        #: the axes that `Dataset.read_image` names, the others, and whether channel 0
        #: is meant where none is given.
        self.read: _Read = _reading(plans, places.data, files, shape, kind.dtype)


def _reading(
    plans: Sequence[tuple[int, Mapping[str, _Steps]]],
    places: memoryview,
    files: Sequence[_HeldFile],
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
) -> _Read:
    """Return the function that reads an image.

    Names outside of a function are found sooner than attributes, which is a tenth of
    the time here.

    Parameters
    ----------
    plans : sequence of (int, mapping)
        Without and with a default channel: the place in the table of a request without
        axes, and what each value of an axis adds to it.
    places : memoryview of int64
        File and offset of each image, -1 where there is none. A single number is got
        from it in half the time that an array takes.
    files : sequence of _HeldFile
        The files; the function holds them.
    shape, dtype
        What an image is like.
    """
    nbytes = math.prod(shape) * dtype.itemsize
    first = files[0].descriptor
    empty = np.empty
    # numpy tells type checkers of its buffers from Python 3.12 on only.
    preadv: Any = os.preadv

    # An axis that the store has not has no values, so to give one takes the long way.
    none: _Steps = {}
    ways = [
        (
            start,
            add.get("channel", none),
            add.get("z", none),
            add.get("time", none),
            add.get("position", none),
            add.get("row", none),
            add.get("col", add.get("column", none)),
            add.get("column", none),
            add,
        )
        for start, add in plans
    ]

    def read(
        channel: object,
        z: object,
        time: object,
        position: object,
        row: object,
        col: object,
        column: object,
        others: Mapping[str, object],
        default: bool,
    ) -> npt.NDArray[np.generic] | None:
        key, channels, zs, times, positions, rows, cols, columns, add = ways[default]
        try:
            # Not in a loop: a dictionary of what is given costs as much as to read.
            if channel is not None:
                key += channels[channel]
            if z is not None:
                key += zs[z]
            if time is not None:
                key += times[time]
            if position is not None:
                key += positions[position]
            if row is not None:
                key += rows[row]
            if col is not None:
                if column is not None:
                    return None
                key += cols[col]
            if column is not None:
                key += columns[column]
            for name, value in others.items():
                key += add[name][value]
        except (KeyError, TypeError):
            return None
        place = places[key]
        if place < 0:
            return None
        frame = empty(shape, dtype)
        if place < 2**32:
            done = preadv(first, (frame,), place)
        else:
            file = files[place >> 32]
            done = preadv(file.descriptor, (frame,), place & 0xFFFFFFFF)
        return frame if done == nbytes else None

    return read

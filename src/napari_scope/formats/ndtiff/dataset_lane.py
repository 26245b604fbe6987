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
from typing import TYPE_CHECKING, Any

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
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.dataset_axes import FrameAddresses

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
        offsets = np.full(span, -1, np.int64)
        offsets[keys] = table.fields[rows, PIXEL_OFFSET]
        file_ids = np.zeros(span, np.uint8)
        file_ids[keys] = table.file_ids[rows]
        # A single number is got from these in half the time.
        self._offsets, self._file_ids = offsets.data, file_ids.data
        self._starts = [
            sum(
                step * (code + 1)
                for step, (_, _, code) in zip(steps, plan, strict=True)
            )
            for plan in (addresses.plan, addresses.plan_of_default)
        ]
        self._add = [
            {
                name: {value: step * (own - code) for value, own in known.items()}
                for step, (name, known, code) in zip(steps, plan, strict=True)
            }
            for plan in (addresses.plan, addresses.plan_of_default)
        ]
        self.addresses = addresses
        self._shape: tuple[int, ...] = (height, width)
        if kind.samples > 1:
            self._shape += (kind.samples,)
        self._dtype = kind.dtype
        self._nbytes = height * width * kind.nbytes
        self._files = [_HeldFile(folder / name) for name in table.files]

    def read(
        self, request: Mapping[str, object], default: bool
    ) -> npt.NDArray[np.generic] | None:
        """Return the image of a request, or None if that takes the long way."""
        key = self._starts[default]
        add = self._add[default]
        try:
            for name, value in request.items():
                key += add[name][value]
        except (KeyError, TypeError):
            return None
        offset = self._offsets[key]
        if offset < 0:
            return None
        file = self._files[self._file_ids[key]]
        frame = np.empty(self._shape, self._dtype)
        # numpy tells type checkers of its buffers from Python 3.12 on only.
        buffers: list[Any] = [frame]
        if os.preadv(file.descriptor, buffers, offset) != self._nbytes:
            return None
        return frame

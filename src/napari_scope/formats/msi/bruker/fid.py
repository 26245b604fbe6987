"""The counts of spots: files of plain numbers, opened only while they are read.

As many files are open at a time as threads are reading, whatever the number of spots.
Only the bytes of the wanted points are read. What the numbers mean is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import DatasetClosedError, FormatError
from napari_scope.fileio import DataFile

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy.typing as npt

    Values = npt.NDArray[Any]

__all__ = ["FidFiles", "fid_dtype", "read_fid"]


def fid_dtype(encoding: str, big_endian: bool = False) -> np.dtype[Any]:
    """Return the type of the numbers in a file.

    Parameters
    ----------
    encoding : str
        Name of a numpy type; one that says its order (``>i4``) has it.
    big_endian : bool
        The order otherwise.

    Raises
    ------
    ValueError
        If it is no type of numbers.
    """
    try:
        dtype = np.dtype(encoding)
    except TypeError as error:
        raise ValueError(f"no type of numbers: {encoding!r}") from error
    if dtype.kind not in "iuf":
        raise ValueError(f"no type of numbers: {encoding!r}")
    if str(encoding)[:1] in "<>":
        return dtype
    return dtype.newbyteorder(">" if big_endian else "<")


def read_fid(
    path: str | os.PathLike[str],
    data_type: str = "int32",
    selection: Any = slice(None),
) -> Values:
    """Return some values of a file; no more than what lies between them is read.

    Raises
    ------
    FormatError
        If it cannot be read.
    IndexError
        If the selection does not fit its length.
    """
    dtype = fid_dtype(data_type)
    try:
        with DataFile.open(path) as file:
            picks = np.arange(file.size() // dtype.itemsize)[selection]
            if not picks.size:
                return np.zeros(picks.shape, dtype)
            first, last = int(picks.min()), int(picks.max())
            data = file.read_at(
                first * dtype.itemsize, (last + 1 - first) * dtype.itemsize
            )
    except OSError as error:
        raise _unreadable(path, error) from error
    values: Values = np.frombuffer(data, dtype)[picks - first]
    return values


class FidFiles:
    """The files of a measurement.

    Parameters
    ----------
    paths : sequence of str
        The files.
    orders : sequence of bool
        Whether each one is big endian.
    encoding : str
        Type of the numbers.
    """

    def __init__(
        self, paths: Sequence[str], orders: Sequence[bool], encoding: str
    ) -> None:
        self.paths = paths
        self._dtypes = [fid_dtype(encoding, order) for order in (False, True)]
        self._orders = orders
        self.dtype = self._dtypes[0].newbyteorder("=")
        self._closed = False

    def read(self, number: int, first: int, last: int) -> Values:
        """Return the points first to last - 1 of a spot; fewer where the file ends.

        Raises
        ------
        FormatError
            If the file cannot be read.
        DatasetClosedError
            If the reader is closed.
        """
        path = self.paths[number]
        if self._closed:
            raise DatasetClosedError("the reader is closed", path=path)
        dtype = self._dtypes[bool(self._orders[number])]
        width = dtype.itemsize
        try:
            with DataFile.open(path) as file:
                data = file.read_at(first * width, (last - first) * width)
        except OSError as error:
            raise _unreadable(path, error) from error
        return np.frombuffer(data, dtype, len(data) // width)

    def close(self) -> None:
        """Read nothing any more."""
        self._closed = True


def _unreadable(path: str | os.PathLike[str], error: OSError) -> FormatError:
    return FormatError(f"the file cannot be read: {error.strerror}", path=path)

"""The three columns of a table of peaks: in memory, or in a file.

Closing one is safe at any moment: who is reading gets `DatasetClosedError`, or still
all that was asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from napari_scope.errors import DatasetClosedError, FormatError

if TYPE_CHECKING:
    from napari_scope.fileio import DataFile
    from napari_scope.formats.msi.blocks import Values

__all__ = ["HEAD_BYTES", "FileStore", "MemoryStore", "Peaks", "Store"]

HEAD_BYTES: Final = 4096
"""Bytes of a file before the columns."""


class Peaks(NamedTuple):
    """Columns of the table: types of m/z, number of the spectrum, intensity."""

    mz: np.dtype[Any]
    owner: np.dtype[Any]
    intensity: np.dtype[Any]

    @property
    def width(self) -> int:
        """Bytes of one peak."""
        return self.mz.itemsize + self.owner.itemsize + self.intensity.itemsize


class Store(Protocol):
    """Three long columns that are written and read in parts."""

    def put(self, column: int, at: int, values: Values) -> None:
        """Write values from a place on."""

    def take(self, column: int, start: int, stop: int) -> Values:
        """Return the values of some places."""

    def close(self) -> None:
        """Let go of what is held."""


class MemoryStore:
    """The columns as arrays."""

    def __init__(self, types: Peaks, n: int) -> None:
        self._columns = [np.empty(n, dtype) for dtype in types]

    def put(self, column: int, at: int, values: Values) -> None:
        """See `Store.put`."""
        self._columns[column][at : at + len(values)] = values

    def take(self, column: int, start: int, stop: int) -> Values:
        """See `Store.take`."""
        # Another thread may close it at any moment.
        columns = self._columns
        if not columns:
            raise DatasetClosedError("the index of peaks is closed")
        return columns[column][start:stop]

    def close(self) -> None:
        """See `Store.close`."""
        self._columns = []


class FileStore:
    """The columns one after the other in a file."""

    def __init__(self, file: DataFile, types: Peaks, n: int) -> None:
        self._file = file
        self._types = types
        sizes = [n * dtype.itemsize for dtype in types]
        self._begin = [
            HEAD_BYTES,
            HEAD_BYTES + sizes[0],
            HEAD_BYTES + sizes[0] + sizes[1],
        ]
        self.size = HEAD_BYTES + sum(sizes)

    def put(self, column: int, at: int, values: Values) -> None:
        """See `Store.put`."""
        place = self._begin[column] + at * self._types[column].itemsize
        values = np.ascontiguousarray(values, self._types[column])
        self._file.write_at(place, values)

    def take(self, column: int, start: int, stop: int) -> Values:
        """See `Store.take`."""
        dtype = self._types[column]
        values = np.empty(max(0, stop - start), dtype)
        if len(values):
            place = self._begin[column] + start * dtype.itemsize
            try:
                read = self._file.read_into(place, values.view("u1").data)
            except ValueError as error:
                raise DatasetClosedError(
                    "the index of peaks is closed", path=self._file.path
                ) from error
            if read < values.nbytes:
                raise FormatError(
                    f"the index of peaks ends at byte {place + read:,}",
                    path=self._file.path,
                    hint="it is made anew when the data are opened again",
                )
        return values

    def close(self) -> None:
        """See `Store.close`."""
        self._file.close()

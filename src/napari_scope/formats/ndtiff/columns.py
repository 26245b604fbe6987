"""An index in columns: what it is, and how records are gathered into it.

Columns of numbers take a tenth of the memory of dictionaries and are compared in one
pass. Values of axes get codes in order of appearance while records come in; the
finished table has integers sorted and names in their order.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.ndtiff.alike import columns_of_alike
from napari_scope.formats.ndtiff.files import FrameLocation
from napari_scope.formats.ndtiff.limits import MAX_AXES, is_axis_value
from napari_scope.model import sort_names

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "HEIGHT",
    "METADATA_LENGTH",
    "METADATA_OFFSET",
    "PIXEL_COMPRESSION",
    "PIXEL_OFFSET",
    "PIXEL_TYPE",
    "WIDTH",
    "ColumnBuilder",
    "IndexTable",
]

# Columns of `IndexTable.fields`, in the order of the file.
PIXEL_OFFSET = 0
WIDTH = 1
HEIGHT = 2
PIXEL_TYPE = 3
PIXEL_COMPRESSION = 4
METADATA_OFFSET = 5
METADATA_LENGTH = 6

_WORTHWHILE = 16  # records for which it is worth looking for what they share


@dataclass(frozen=True)
class IndexTable:
    """An index in columns; row i is the i-th record, overwritten images included.

    Parameters
    ----------
    names : tuple of str
        Names of the axes, in storage order.
    values : dict
        Values of each axis: integers sorted, then strings in order of appearance.
    codes : ndarray of int32, shape (images, axes)
        Place of each image's value in ``values``; -1 where the image lacks the axis.
    files : tuple of str
        Names of the files, as found: they are not to be trusted.
    file_ids : ndarray of int32, shape (images,)
        Place of each image's file in ``files``.
    fields : ndarray of uint32, shape (images, 8)
        The numbers of each record; columns are named by this module's constants.
    order : str
        Byte order of the index, ``"<"`` or ``">"``.
    consumed : int
        Bytes that hold the rows; records that a live writer adds start there.
    problems : tuple of str
        What was wrong with the rest.
    """

    names: tuple[str, ...]
    values: dict[str, tuple[int | str, ...]]
    codes: npt.NDArray[np.int32]
    files: tuple[str, ...]
    file_ids: npt.NDArray[np.int32]
    fields: npt.NDArray[np.uint32]
    order: str
    consumed: int
    problems: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.codes)

    def location(self, row: int) -> FrameLocation:
        """Return where the frame of one row is stored, as the index says."""
        offset, width, height, kind, _, metadata, length, _ = self.fields[row].tolist()
        name = self.files[self.file_ids[row]]
        return FrameLocation(name, offset, width, height, kind, metadata, length)

    def digest(self) -> int:
        """Return a number that differs for tables of other frames."""
        text = repr((self.names, self.values, self.files))
        number = zlib.crc32(text.encode("utf-8", "backslashreplace"))
        for column in (self.codes, self.file_ids, self.fields):
            number = zlib.crc32(column.tobytes(), number)
        return number

    def axes(self, row: int) -> dict[str, int | str]:
        """Return the axes of one image."""
        return {
            name: self.values[name][code]
            for name, code in zip(self.names, self.codes[row].tolist(), strict=True)
            if code >= 0
        }


class ColumnBuilder:
    """Collects records as columns; values get codes in order of appearance."""

    def __init__(self) -> None:
        #: Records whose axes are neither integers nor text.
        self.refused = 0
        self._codes: dict[str, dict[object, int]] = {}
        self._files: dict[bytes, int] = {}
        self._blocks: list[dict[str, npt.NDArray[np.int32]]] = []
        self._lengths: list[int] = []
        self._file_ids: list[npt.NDArray[np.int32]] = []
        self._fields: list[npt.NDArray[np.uint32]] = []

    @property
    def count(self) -> int:
        """Records so far."""
        return sum(self._lengths)

    def extend(
        self,
        texts: list[bytes],
        names: bytes | list[bytes],
        fields: npt.NDArray[np.uint32],
    ) -> int:
        """Add records; returns how many were understood, the rest is not added.

        Parameters
        ----------
        texts : list of bytes
            Axes of each record, JSON.
        names : bytes or list of bytes
            Name of the file with its length before it: one for all, or for each.
        fields : ndarray of uint32, shape (records, 8)
            The numbers of each record.
        """
        count = len(texts)
        kept: npt.NDArray[np.intp] | slice = slice(0, count)
        block = self._alike(texts)
        if block is None:
            axes = _load(texts)
            if not axes:
                return 0
            kept = slice(0, len(axes))
            block = self._same_axes(axes)
            if block is None:
                block, kept, axes = self._any_axes(axes)
            count = len(axes)
        files = self._files
        if isinstance(names, bytes):
            number = files.setdefault(names, len(files))
            file_ids = np.full(count, number, np.int32)
        else:
            names = names[:count]
            for name in dict.fromkeys(names):
                files.setdefault(name, len(files))
            file_ids = np.array(list(map(files.__getitem__, names)), np.int32)
        self._blocks.append(block)
        self._file_ids.append(file_ids[kept])
        self._fields.append(fields[kept])
        self._lengths.append(len(self._file_ids[-1]))
        return count

    def _code(self, name: str) -> dict[object, int]:
        return self._codes.setdefault(name, {})

    def _alike(self, texts: list[bytes]) -> dict[str, npt.NDArray[np.int32]] | None:
        """Return the codes where all records differ in values only, or None."""
        if len(texts) < _WORTHWHILE:
            return None
        columns = columns_of_alike(texts)
        if columns is None:
            return None
        if len(self._codes.keys() | {column.name for column in columns}) > MAX_AXES:
            return None
        block = {}
        for name, values, labels in columns:
            if labels is None:
                block[name] = self._code_numbers(name, values)
            else:
                codes = self._code(name)
                own = [codes.setdefault(label, len(codes)) for label in labels]
                block[name] = np.array(own, np.int32)[values]
        return block

    def _code_numbers(
        self, name: str, column: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int32]:
        """Return the codes of whole numbers; new ones get theirs in sorted order."""
        codes = self._code(name)
        low, high = int(column.min()), int(column.max())
        if high - low > 16 * len(column):
            found, places = np.unique(column, return_inverse=True)
        else:
            # They lie close together: a table is faster than sorting.
            places = column - low
            present = np.zeros(high - low + 1, bool)
            present[places] = True
            found = np.flatnonzero(present) + low
            places = (np.cumsum(present) - 1)[places]
        own = [codes.setdefault(value, len(codes)) for value in found.tolist()]
        return np.array(own, np.int32)[places]

    def _same_axes(
        self, axes: list[dict[str, object]]
    ) -> dict[str, npt.NDArray[np.int32]] | None:
        """Return the codes where all records have the same axes, or None."""
        names = tuple(axes[0])
        if len(self._codes.keys() | set(names)) > MAX_AXES or not names:
            return None
        if set(map(len, axes)) != {len(names)}:
            return None
        columns = {}
        for name in names:
            try:
                column = list(map(itemgetter(name), axes))
            except KeyError:
                return None
            # Types first: True equals 1, and lists have no place in a set.
            if set(map(type, column)) not in ({int}, {str}):
                return None
            if not all(map(is_axis_value, set(column))):
                return None
            columns[name] = column
        block = {}
        for name, column in columns.items():
            codes = self._code(name)
            for value in dict.fromkeys(column):
                codes.setdefault(value, len(codes))
            block[name] = np.array(list(map(codes.__getitem__, column)), np.int32)
        return block

    def _any_axes(
        self, axes: list[dict[str, object]]
    ) -> tuple[
        dict[str, npt.NDArray[np.int32]],
        npt.NDArray[np.intp],
        list[dict[str, object]],
    ]:
        """Return codes, the rows that are kept, and the records that were read."""
        columns: dict[str, npt.NDArray[np.int32]] = {}
        kept = []
        for row, record in enumerate(axes):
            if not all(map(is_axis_value, record.values())):
                self.refused += 1
                continue
            if len(self._codes.keys() | record.keys()) > MAX_AXES:
                axes = axes[:row]
                break
            for name, value in record.items():
                codes = self._code(name)
                if name not in columns:
                    columns[name] = np.full(len(axes), -1, np.int32)
                columns[name][row] = codes.setdefault(value, len(codes))
            kept.append(row)
        rows = np.array(kept, np.intp)
        return {name: column[rows] for name, column in columns.items()}, rows, axes

    def copy(self) -> ColumnBuilder:
        """Return another builder with the same records."""
        copy = ColumnBuilder()
        copy.refused = self.refused
        copy._codes = {name: dict(codes) for name, codes in self._codes.items()}
        copy._files = dict(self._files)
        copy._blocks = list(self._blocks)
        copy._lengths = list(self._lengths)
        copy._file_ids = list(self._file_ids)
        copy._fields = list(self._fields)
        return copy

    def _merge(self) -> None:
        """Make one block of all, or a store that is followed gets very many."""
        if len(self._blocks) < 2:
            return
        count = self.count
        merged: dict[str, npt.NDArray[np.int32]] = {}
        start = 0
        for block, length in zip(self._blocks, self._lengths, strict=True):
            for name, column in block.items():
                if name not in merged:
                    merged[name] = np.full(count, -1, np.int32)
                merged[name][start : start + length] = column
            start += length
        self._blocks = [merged]
        self._lengths = [count]
        self._file_ids = [np.concatenate(self._file_ids)]
        self._fields = [np.concatenate(self._fields)]

    def table(self, order: str, consumed: int, problems: tuple[str, ...]) -> IndexTable:
        """Return what was gathered; the arguments are those of `IndexTable`."""
        self._merge()
        names = tuple(sort_names(list(self._codes)))
        count = self.count
        codes = np.full((count, len(names)), -1, np.int32)
        for block in self._blocks:
            for name, column in block.items():
                codes[:, names.index(name)] = column
        values: dict[str, tuple[int | str, ...]] = {}
        for i, name in enumerate(names):
            found = list(self._codes[name])
            numbers = sorted(value for value in found if isinstance(value, int))
            labels = [value for value in found if isinstance(value, str)]
            ordered: tuple[int | str, ...] = (*numbers, *labels)
            place: dict[object, int] = {v: code for code, v in enumerate(ordered)}
            # One more entry: code -1, an absent axis, picks the last.
            renumber = np.array([*(place[value] for value in found), -1], np.int32)
            codes[:, i] = renumber[codes[:, i]]
            values[name] = ordered
        return IndexTable(
            names=names,
            values=values,
            codes=codes,
            files=tuple(name[4:].decode("utf-8", "replace") for name in self._files),
            file_ids=np.concatenate([np.empty(0, np.int32), *self._file_ids]),
            fields=np.concatenate([np.empty((0, 8), np.uint32), *self._fields]),
            order=order,
            consumed=consumed,
            problems=problems,
        )


def _load(texts: list[bytes]) -> list[dict[str, object]]:
    """Decode the axes of records, as many as are JSON objects from the start on."""
    # One call for all is four times as fast as one for each. The braces are checked
    # first so that one record cannot spill into the next.
    if all(text[:1] == b"{" and text[-1:] == b"}" for text in texts):
        try:
            together = json.loads(b"[" + b",".join(texts) + b"]")
        except (ValueError, RecursionError):
            together = []
        if len(together) == len(texts) and set(map(type, together)) == {dict}:
            return list(together)
    axes: list[dict[str, object]] = []
    for text in texts:
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            break
        if type(record) is not dict:
            break
        axes.append(record)
    return axes

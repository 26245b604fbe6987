"""Reading an NDTiff store: which frames it has, their pixels and their metadata.

The index is read once into columns; files are opened when a frame of theirs is asked
for. What is damaged is named in ``problems`` and the rest is served: an index that was
cut or not closed, files that are missing, short, or no NDTiff. This module does not
group frames into images; that is `napari_scope.formats.ndtiff.opening`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.columns import (
    HEIGHT,
    PIXEL_COMPRESSION,
    PIXEL_OFFSET,
    PIXEL_TYPE,
    WIDTH,
)
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.index import INDEX_NAME, parse_index
from napari_scope.formats.ndtiff.lookup import RowLookup
from napari_scope.formats.ndtiff.record import HEADER_SIZE, PIXEL_TYPES, parse_header

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.files import FrameLocation
    from napari_scope.model import Axes

__all__ = ["FULL_RESOLUTION", "NDTiffReader", "find_index"]

FULL_RESOLUTION = "Full resolution"
"""Folder of the frames in stores of version 2 and in tiled ones."""

_MAX_INDEX = 2**31
_MAX_JSON = 64 * 2**20


def find_index(path: str | PathLike[str]) -> tuple[Path, Path]:
    """Return the folder of a store and its index file.

    Parameters
    ----------
    path : str or PathLike
        The folder, its ``Full resolution`` folder, or the index file itself.

    Raises
    ------
    FormatError
        There is no index.
    """
    path = Path(path)
    folder = path.parent if path.name == INDEX_NAME else path
    if folder.name == FULL_RESOLUTION and (folder / INDEX_NAME).is_file():
        return folder.parent, folder / INDEX_NAME
    for index in (folder / INDEX_NAME, folder / FULL_RESOLUTION / INDEX_NAME):
        if index.is_file():
            return folder, index
    if (folder / FULL_RESOLUTION).is_dir():
        raise FormatError(
            "this NDTiff store has no index: version 1, or the index was lost; neither "
            "is supported yet",
            path=path,
            hint="the Python package ndstorage reads version 1",
        )
    raise FormatError(
        f"no NDTiff store: there is no {INDEX_NAME}",
        path=path,
        hint=f"choose the folder that holds {INDEX_NAME}",
    )


@dataclass(frozen=True, slots=True)
class _File:
    """What a file of the store says of itself; ``size`` is 0 if it is unusable."""

    name: str
    size: int = 0
    order: str = "<"
    version: tuple[int, int] | None = None
    summary: tuple[int, int] = (0, 0)


class NDTiffReader:
    """A store of NDTiff 2 or 3, open for reading. Thread safe.

    Parameters
    ----------
    path : str or PathLike
        The folder of the store, or its index file.

    Attributes
    ----------
    folder : Path
        Folder of the store.
    axes : dict
        Values of each axis: integers sorted, then strings in order of appearance.
    summary : dict
        Summary metadata.
    version : (int, int) or None
        Version of the format; None when no file of the index is here.
    table : IndexTable
        The index in columns.
    readable : ndarray of bool, shape (rows,)
        Which rows of the index have their pixels inside an existing file.
    problems : list of str
        What is damaged or missing.

    Raises
    ------
    FormatError
        There is no index, or it cannot be read.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        try:
            self.folder, index = find_index(path)
            size = index.stat().st_size
            if size > _MAX_INDEX:
                raise FormatError(
                    f"an index of {size} bytes is too large to be one", path=index
                )
            self.table = parse_index(index.read_bytes())
        except OSError as error:
            raise FormatError(
                f"the index cannot be read: {error.strerror or error}", path=path
            ) from error
        self.problems = list(self.table.problems)
        self.axes = {name: list(self.table.values[name]) for name in self.table.names}
        self._codes = {
            name: {value: code for code, value in enumerate(values)}
            for name, values in self.axes.items()
        }
        self._lookup = RowLookup(
            self.table.codes, [len(self.axes[name]) for name in self.table.names]
        )
        self._pool = FilePool(index.parent)
        self._files = [self._inspect(name) for name in self.table.files]
        usable = next((file for file in self._files if file.size), None)
        self.version = usable.version if usable else None
        self.summary = self._read_summary(usable) if usable else {}
        self.readable = self._find_readable()

    def _inspect(self, name: str) -> _File:
        """Return what the header of a file says; an unusable file is a problem."""
        try:
            with self._pool.use(name) as file:
                size = file.size()
                header = parse_header(file.read_at(0, HEADER_SIZE), size)
        except FormatError as error:
            self.problems.append(f"{name}: {error.message}")
            return _File(name)
        except OSError as error:
            self.problems.append(f"{name}: cannot be read: {error}")
            return _File(name)
        summary = header.summary_offset, header.summary_length
        return _File(name, size, header.order, header.version, summary)

    def _read_summary(self, file: _File) -> dict[str, object]:
        try:
            return self._read_json(file.name, *file.summary, "summary metadata")
        except FormatError as error:
            self.problems.append(f"{file.name}: {error.message}")
            return {}

    def _find_readable(self) -> npt.NDArray[np.bool_]:
        """Compare every row with the files, in one pass over the columns."""
        fields, ids = self.table.fields, self.table.file_ids
        nbytes = np.zeros(len(self.table))
        for kind in PIXEL_TYPES.values():
            nbytes[fields[:, PIXEL_TYPE] == kind.code] = kind.nbytes
        # Floating point numbers do not overflow, whatever an index claims.
        nbytes *= fields[:, WIDTH].astype(float) * fields[:, HEIGHT]
        nbytes[fields[:, PIXEL_COMPRESSION] != 0] = 0
        sizes = np.array([file.size for file in self._files], float)
        if not len(sizes):
            return np.zeros(0, bool)
        inside = fields[:, PIXEL_OFFSET] + nbytes <= sizes[ids]
        for number, file in enumerate(self._files):
            rows = ids == number
            if not file.size:
                self.problems.append(f"{file.name}: {rows.sum()} frames are missing")
                continue
            if cut := int((rows & ~inside).sum()):
                self.problems.append(
                    f"{file.name}: {cut} frames lie behind the end of the file "
                    f"({file.size} bytes)"
                )
            if odd := int((rows & (nbytes == 0)).sum()):
                self.problems.append(
                    f"{file.name}: {odd} frames have a pixel type, a compression or a "
                    "size that is not known"
                )
        return inside & (nbytes > 0)

    def __len__(self) -> int:
        """Return the number of frames, overwritten ones not counted."""
        return len(self._lookup.last_rows())

    def row(self, axes: Axes) -> int | None:
        """Return the row of a frame in the index, or None when there is none."""
        found = 0
        codes = []
        for name in self.table.names:
            if name in axes:
                code = self._codes[name].get(axes[name])
                if code is None:
                    return None
                codes.append(code)
                found += 1
            else:
                codes.append(-1)
        return self._lookup.row(codes) if found == len(axes) else None

    def row_of_codes(self, codes: list[int]) -> int | None:
        """Return the row of a frame by its codes, in the order of ``table.names``."""
        return self._lookup.row(codes)

    def rows(self) -> npt.NDArray[np.int32]:
        """Return the rows that count (overwritten ones left out), in index order."""
        return self._lookup.last_rows()

    def has(self, axes: Axes) -> bool:
        """Return whether the index has a frame with exactly these axes."""
        return self.row(axes) is not None

    def read_frame(self, axes: Axes) -> npt.NDArray[np.generic] | None:
        """Return the pixels of a frame, or None when the index has none.

        Returns
        -------
        ndarray or None
            uint8 or uint16 of shape (height, width), or uint8 of (height, width, 3).

        Raises
        ------
        FormatError
            The index has the frame, but its file is missing or too short.
        """
        row = self.row(axes)
        return None if row is None else self.read_row(row)

    def read_row(self, row: int) -> npt.NDArray[np.generic]:
        """Return the pixels of one row of the index; raises as `read_frame` does."""
        location = self._location(row)
        if self.table.fields[row, PIXEL_COMPRESSION]:
            raise FormatError(
                "the frame is compressed in a way that is not known",
                path=self.folder / location.file,
            )
        order = self._files[self.table.file_ids[row]].order
        return self._pool.read_frame(location, order=order)

    def read_metadata(self, axes: Axes) -> dict[str, object] | None:
        """Return the metadata of a frame, or None when the index has none.

        Raises
        ------
        FormatError
            The index has the frame, but its metadata are missing or damaged.
        """
        row = self.row(axes)
        return None if row is None else self.metadata_of_row(row)

    def metadata_of_row(self, row: int) -> dict[str, object]:
        """Return the metadata of one row; raises as `read_metadata` does."""
        location = self._location(row)
        return self._read_json(
            location.file,
            location.metadata_offset,
            location.metadata_length,
            "metadata",
        )

    def _location(self, row: int) -> FrameLocation:
        location = self.table.location(row)
        if not self._files[self.table.file_ids[row]].size:
            raise FormatError(
                "the file of this frame is missing or unusable",
                path=self.folder / location.file,
            )
        return location

    def _read_json(
        self, name: str, offset: int, length: int, what: str
    ) -> dict[str, object]:
        if length > _MAX_JSON:
            raise FormatError(f"{what} of {length} bytes are too long to be any")
        try:
            value = json.loads(self._pool.read_bytes(name, offset, length, what))
        except (ValueError, RecursionError) as error:
            raise FormatError(
                f"the {what} at byte {offset} are damaged: {error}",
                path=self.folder / name,
            ) from error
        if not isinstance(value, dict):
            raise FormatError(
                f"the {what} at byte {offset} are no JSON object",
                path=self.folder / name,
            )
        return value

    def close(self) -> None:
        """Close the files; again is harmless."""
        self._pool.close()

    def __enter__(self) -> NDTiffReader:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.close()

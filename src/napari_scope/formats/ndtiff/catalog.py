"""What frames a store has at one moment, and how they are read.

A `Catalog` never changes: a store that grows gets a new one, while arrays that are
being looked at keep theirs. It knows rows of the index, files and bytes; it does not
know what the axes mean nor how frames form images.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
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
from napari_scope.formats.ndtiff.files import MAX_END, NATIVE_ORDER
from napari_scope.formats.ndtiff.limits import MAX_JSON_BYTES
from napari_scope.formats.ndtiff.lookup import RowLookup
from napari_scope.formats.ndtiff.record import PIXEL_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.columns import IndexTable
    from napari_scope.formats.ndtiff.files import FilePool, FrameLocation
    from napari_scope.model import Axes

__all__ = ["Catalog", "StoreFile", "read_json"]

_SMALL = 1 << 17  # frames below this many bytes are read several at a time
_GAP = 1 << 16  # what is read over between two frames rather than seeking
_RUN = 1 << 22  # bytes read at a time


@dataclass(frozen=True, slots=True)
class StoreFile:
    """What a file of the store says of itself; ``size`` is 0 if it is unusable."""

    name: str
    size: int = 0
    order: str = "<"
    version: tuple[int, int] | None = None
    summary: tuple[int, int] = (0, 0)


class Catalog:
    """The frames of one folder. Thread safe, immutable.

    Parameters
    ----------
    table : IndexTable
        The index.
    files : sequence of StoreFile
        The files, in the order of ``table.files``.
    pool : FilePool
        Reads them.
    reopen : callable, optional
        How another process gets this catalog, given the digest of the table; without
        it, the catalog cannot be pickled.

    Attributes
    ----------
    axes : dict
        Values of each axis: integers sorted, then strings in order of appearance.
    readable : ndarray of bool, shape (rows,)
        Which rows of the index have their pixels inside an existing file.
    problems : list of str
        What is damaged or missing.
    """

    def __init__(
        self,
        table: IndexTable,
        files: Sequence[StoreFile],
        pool: FilePool,
        reopen: Callable[[int], Catalog] | None = None,
    ) -> None:
        self.table = table
        self.files = tuple(files)
        self.axes = {name: list(table.values[name]) for name in table.names}
        self.problems: list[str] = []
        self.readable = self._find_readable()
        self._pool = pool
        self._reopen = reopen
        self._codes = {
            name: {value: code for code, value in enumerate(values)}
            for name, values in self.axes.items()
        }
        self._lookup = RowLookup(
            table.codes, [len(self.axes[name]) for name in table.names]
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Send how to open the store, not its index."""
        if self._reopen is None:
            raise TypeError("this view of an NDTiff store cannot be pickled")
        return self._reopen, (self.table.digest(),)

    def _find_readable(self) -> npt.NDArray[np.bool_]:
        """Compare every row with the files, in one pass over the columns."""
        fields, ids = self.table.fields, self.table.file_ids
        nbytes = np.zeros(len(self.table))
        for kind in PIXEL_TYPES.values():
            nbytes[fields[:, PIXEL_TYPE] == kind.code] = kind.nbytes
        # Floating point numbers do not overflow, whatever an index claims.
        nbytes *= fields[:, WIDTH].astype(float) * fields[:, HEIGHT]
        nbytes[fields[:, PIXEL_COMPRESSION] != 0] = 0
        sizes = np.array([file.size for file in self.files], float)
        if not len(sizes):
            return np.zeros(0, bool)
        ends = fields[:, PIXEL_OFFSET] + nbytes
        possible = ends <= MAX_END
        inside = ends <= sizes[ids]
        readable = inside & possible & (nbytes > 0)
        if not readable.all():
            self._explain(ids, inside, possible, nbytes == 0)
        return readable

    def _explain(
        self,
        ids: npt.NDArray[np.int32],
        inside: npt.NDArray[np.bool_],
        possible: npt.NDArray[np.bool_],
        odd: npt.NDArray[np.bool_],
    ) -> None:
        for number, file in enumerate(self.files):
            rows = ids == number
            if not file.size:
                self.problems.append(f"{file.name}: {rows.sum()} frames are missing")
                continue
            if cut := int((rows & ~inside).sum()):
                self.problems.append(
                    f"{file.name}: {cut} frames lie behind the end of the file "
                    f"({file.size} bytes)"
                )
            if beyond := int((rows & inside & ~possible).sum()):
                self.problems.append(
                    f"{file.name}: {beyond} frames reach beyond 4 GiB, where no offset "
                    "of the format leads"
                )
            if strange := int((rows & odd).sum()):
                self.problems.append(
                    f"{file.name}: {strange} frames have a pixel type, a compression "
                    "or a size that is not known"
                )

    def __len__(self) -> int:
        """Return the number of frames, overwritten ones not counted."""
        return len(self._lookup.last_rows())

    def row(self, axes: Axes) -> int | None:
        """Return the row of a frame in the index, or None when there is none."""
        found = 0
        codes = []
        for name, of_value in self._codes.items():
            if name in axes:
                code = of_value.get(axes[name])
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

    def same_frames(
        self,
        rows: npt.NDArray[np.integer],
        other: Catalog,
        others: npt.NDArray[np.integer],
    ) -> bool:
        """Return whether rows stand for the same bytes as those of another catalog."""
        mine, theirs = self.table, other.table
        shared = min(len(mine.files), len(theirs.files))
        return (
            self._pool.folder == other._pool.folder
            and mine.files[:shared] == theirs.files[:shared]
            and np.array_equal(mine.file_ids[rows], theirs.file_ids[others])
            and np.array_equal(mine.fields[rows], theirs.fields[others])
        )

    def read_row(
        self, row: int, start: int = 0, stop: int | None = None
    ) -> npt.NDArray[np.generic]:
        """Return the pixels of one row of the index.

        Parameters
        ----------
        row : int
            The row.
        start, stop : int
            Which lines of the frame; all of them by default.

        Returns
        -------
        ndarray
            uint8 or uint16 of shape (height, width), or uint8 of (height, width, 3).

        Raises
        ------
        FormatError
            The file is missing or too short, or the pixels are of an unknown kind.
        """
        location, file = self._location(row)
        if start or stop is not None:
            location = _lines(location, start, stop)
        return self._pool.read_frame(location, order=file.order)

    def read_rows(
        self, rows: npt.NDArray[np.integer], out: npt.NDArray[np.generic]
    ) -> None:
        """Read many frames of one shape and type at once.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Rows of the index; negative ones are left as they are in ``out``.
        out : ndarray, shape (n, height, width) or (n, height, width, 3)
            Where the pixels go; C-contiguous, of the type of the frames.

        Raises
        ------
        FormatError
            As `read_row`; what was read before is in ``out``.
        """
        if not len(rows) or not out.size:
            return
        nbytes = out[0].nbytes
        places = np.flatnonzero(rows >= 0)
        if not len(places):
            return
        chosen = rows[places]
        if nbytes >= _SMALL or not self.readable[chosen].all():
            for place, row in zip(places.tolist(), chosen.tolist(), strict=True):
                self._read_one(row, out[place])
            return
        ids = self.table.file_ids[chosen]
        offsets = self.table.fields[chosen, PIXEL_OFFSET].astype(np.int64)
        order = np.lexsort((offsets, ids))
        places, ids, offsets = places[order], ids[order], offsets[order]
        # A run ends where the file does, or the distance, or the buffer.
        breaks = np.flatnonzero(
            (np.diff(ids) != 0) | (np.diff(offsets) > nbytes + _GAP)
        )
        target = out.reshape(len(out), -1).view(np.uint8)
        starts = [0, *(breaks + 1).tolist()]
        for start, stop in zip(starts, [*starts[1:], len(places)], strict=True):
            file = self.files[ids[start]]
            self._read_run(file, places[start:stop], offsets[start:stop], target)
            if file.order != NATIVE_ORDER and out.itemsize > 1:
                out[places[start:stop]] = out[places[start:stop]].byteswap()

    def _read_run(
        self,
        file: StoreFile,
        places: npt.NDArray[np.intp],
        offsets: npt.NDArray[np.int64],
        target: npt.NDArray[np.uint8],
    ) -> None:
        """Read frames that lie close together, some megabytes at a time."""
        nbytes = target.shape[1]
        first = 0
        while first < len(offsets):
            begin = int(offsets[first])
            last = int(np.searchsorted(offsets, begin + _RUN - nbytes, "right"))
            last = max(last, first + 1)
            size = int(offsets[last - 1]) + nbytes - begin
            data = np.empty(size, np.uint8)
            self._pool.read_into(file.name, begin, data.data, "pixels")
            for place, offset in zip(
                places[first:last].tolist(),
                (offsets[first:last] - begin).tolist(),
                strict=True,
            ):
                target[place] = data[offset : offset + nbytes]
            first = last

    def _read_one(self, row: int, target: npt.NDArray[np.generic]) -> None:
        location, file = self._location(row)
        self._pool.read_into(
            location.file, location.pixel_offset, target.data, "pixels"
        )
        if file.order != NATIVE_ORDER and target.itemsize > 1:
            target.byteswap(inplace=True)

    def metadata_of_row(self, row: int) -> dict[str, object]:
        """Return the metadata of one row.

        Raises
        ------
        FormatError
            They are missing or damaged.
        """
        location, _ = self._location(row, pixels=False)
        return read_json(
            self._pool,
            location.file,
            location.metadata_offset,
            location.metadata_length,
            "metadata",
        )

    def _location(
        self, row: int, *, pixels: bool = True
    ) -> tuple[FrameLocation, StoreFile]:
        location = self.table.location(row)
        file = self.files[self.table.file_ids[row]]
        if not file.size:
            self._pool.check_name(location.file)
            raise FormatError(
                "the file of this frame is missing or unusable",
                path=self._pool.folder / location.file,
            )
        if pixels and not self.readable[row]:
            self._refuse(row, location)
        return location, file

    def _refuse(self, row: int, location: FrameLocation) -> None:
        """Say what is wrong with a row, unless its file has grown since."""
        path = self._pool.folder / location.file
        if self.table.fields[row, PIXEL_COMPRESSION]:
            raise FormatError(
                "the frame is compressed in a way that is not known", path=path
            )
        if location.pixel_type not in PIXEL_TYPES:
            raise FormatError(
                f"pixel type {location.pixel_type} is not known", path=path
            )
        if not location.width or not location.height:
            raise FormatError("a frame without pixels", path=path)


def _lines(location: FrameLocation, start: int, stop: int | None) -> FrameLocation:
    """Return where some lines of a frame are."""
    stop = location.height if stop is None else min(stop, location.height)
    start = min(start, stop)
    line = location.width * PIXEL_TYPES[location.pixel_type].nbytes
    return location._replace(
        pixel_offset=location.pixel_offset + start * line, height=stop - start
    )


def read_json(
    pool: FilePool, name: str, offset: int, length: int, what: str
) -> dict[str, object]:
    """Return a JSON object of a file; ``what`` names it in errors.

    Raises
    ------
    FormatError
        It is missing, damaged or absurdly long.
    """
    path = pool.folder / name
    if length > MAX_JSON_BYTES:
        raise FormatError(f"{what} of {length} bytes are too long to be any", path=path)
    try:
        value = json.loads(pool.read_bytes(name, offset, length, what))
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"the {what} at byte {offset} are damaged: {error}", path=path
        ) from error
    if not isinstance(value, dict):
        raise FormatError(f"the {what} at byte {offset} are no JSON object", path=path)
    return value

"""The frames of one image of an NDTiff store, by their place in the image.

An image has its own values of each axis; `FrameGrid` turns places along them into rows
of the index, `GridSource` reads them for a lazy array and answers what is known of
single frames. Both stay as they are while the store grows.

A frame whose pixels were known to be lost when the store was opened keeps its place: it
reads as zeros, and no other takes its place. One that is lost later is an error.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.ndtiff.lookup import RowLookup

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.catalog import Catalog
    from napari_scope.model import Axes

__all__ = ["FrameGrid", "GridSource"]

_PIECE = 1 << 20  # places that are looked up at a time for a mask


class FrameGrid:
    """Which row of the index stands where in an image.

    Parameters
    ----------
    rows : ndarray of int
        Rows of the index.
    places : ndarray of int, shape (rows, axes)
        Where each of them stands; of equal places the last one counts.
    shape : tuple of int
        Length of each axis.
    readable : ndarray of bool
        Which of the rows have pixels. Those of the others are missing, and yet no other
        row is found at their place.
    """

    def __init__(
        self,
        rows: npt.NDArray[np.int32],
        places: npt.NDArray[np.int32],
        shape: tuple[int, ...],
        readable: npt.NDArray[np.bool_],
    ) -> None:
        self.shape = shape
        self._rows = rows
        # Kept here and not asked of a catalog: one that another process opens later
        # may know of losses that are to be errors.
        self._shown = np.where(readable, rows, -1)
        self._lookup = RowLookup(places, shape)
        self._places = places

    @classmethod
    def over(
        cls,
        codes: npt.NDArray[np.int32],
        rows: npt.NDArray[np.int32],
        lead: Sequence[tuple[int, Sequence[int]]],
        readable: npt.NDArray[np.bool_],
    ) -> FrameGrid:
        """Return the grid of some axes.

        Parameters
        ----------
        codes : ndarray of int, shape (rows of the index, axes)
            Codes of all rows.
        rows : ndarray of int
            The rows of the image, of rows with equal axes the one that counts.
        lead : sequence of (axis, codes)
            The axes of the grid: a column of ``codes``, and the codes that occur in
            it. A row that lacks an axis stands at its first place (Micro-Manager
            writes a channel without z stack without the axis z), unless another row
            has that place of its own right.
        readable : ndarray of bool
            Which rows of the index have pixels.
        """
        places = np.empty((len(rows), len(lead)), np.int32)
        lacking = np.zeros(len(rows), np.int32)
        for column, (axis, found) in enumerate(lead):
            own = codes[rows, axis]
            lacking += own < 0
            place = np.zeros(max(found) + 2, np.int32)
            place[np.asarray(found)] = np.arange(len(found))
            places[:, column] = place[own]
        # The last of equal places counts, so the exact ones go last.
        order = np.argsort(-lacking, kind="stable")
        shape = tuple(len(found) for _, found in lead)
        return cls(rows[order], places[order], shape, readable[rows[order]])

    def row(self, index: Sequence[int]) -> int | None:
        """Return the row at a place, or None where there are no pixels."""
        found = self._lookup.row(index)
        if found is None:
            return None
        row = int(self._shown[found])
        return row if row >= 0 else None

    def saved_row(self, index: Sequence[int]) -> int | None:
        """Return the same, also of a frame whose pixels are lost."""
        found = self._lookup.row(index)
        return None if found is None else int(self._rows[found])

    def placed(self) -> npt.NDArray[np.int32]:
        """Return the rows that stand at a place; the rest is hidden by them."""
        return self._rows[self._lookup.last_rows()]

    def rows(self, places: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
        """Return the rows at all combinations of places, -1 where no pixels are.

        Parameters
        ----------
        places : sequence of (sequence of int)
            For each axis the places asked for.

        Returns
        -------
        ndarray of int64
            One axis for each axis of the grid.
        """
        found = self._lookup.rows(places)
        if not len(self._rows):
            return found
        return np.where(found >= 0, self._shown[found], -1)

    def all_rows(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the rows that have pixels, and their places as flat indices."""
        kept = self._lookup.last_rows()
        shown = self._shown[kept].astype(np.int64)
        places = np.zeros(len(kept), np.int64)
        for column, length in zip(self._places[kept].T, self.shape, strict=True):
            places = places * length + column
        return shown[shown >= 0], places[shown >= 0]

    def shows_like(self, catalog: Catalog, other: FrameGrid, others: Catalog) -> bool:
        """Return whether another grid has the same frames of the same files."""
        return (
            self.shape == other.shape
            and len(self._rows) == len(other._rows)
            and np.array_equal(self._shown < 0, other._shown < 0)
            and catalog.same_frames(self._rows, others, other._rows)
        )

    def mask(self, places: Sequence[Sequence[int]]) -> npt.NDArray[np.bool_]:
        """Return at which combinations of places there are pixels.

        Parameters
        ----------
        places : sequence of (sequence of int)
            For each axis the places asked for.
        """
        mask = np.zeros(tuple(map(len, places)), bool)
        for piece in _pieces(mask.shape):
            chosen = zip(places, piece, strict=True)
            mask[piece] = self.rows([every[part] for every, part in chosen]) >= 0
        return mask


def _pieces(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Iterate over an array in pieces; a look-up takes tens of bytes for each place."""
    steps = [
        max(1, min(length, _PIECE // max(1, math.prod(shape[axis + 1 :]))))
        for axis, length in enumerate(shape)
    ]
    return itertools.product(
        *(
            [slice(start, start + step) for start in range(0, length, step)]
            for length, step in zip(shape, steps, strict=True)
        )
    )


class GridSource:
    """Reads the frames of one image for a `LazyArray`; also a `model.FrameTable`.

    What it reads is new memory each time.

    Parameters
    ----------
    catalog : Catalog
        The store.
    grid : FrameGrid
        Its frames.
    names : sequence of str
        Short name of each axis of the grid, for `metadata` and its like.
    frame_shape : tuple of int
        (height, width), or (height, width, 3).
    dtype : numpy.dtype
        Type of the pixels.
    """

    fresh = True

    def __init__(
        self,
        catalog: Catalog,
        grid: FrameGrid,
        names: Sequence[str],
        frame_shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
    ) -> None:
        self._catalog = catalog
        self._grid = grid
        self._names = tuple(names)
        self._frame_shape = frame_shape
        self.dtype = dtype
        self.shape: tuple[int, ...] = grid.shape + frame_shape
        self.frame_ndim = len(frame_shape)
        self.chunks = (1,) * len(grid.shape) + frame_shape

    def __eq__(self, other: object) -> bool:
        """Return whether another source shows the same frames of the same files."""
        if not isinstance(other, GridSource):
            return NotImplemented
        return (
            self.shape == other.shape
            and self.dtype == other.dtype
            and self._names == other._names
            and self._grid.shows_like(self._catalog, other._grid, other._catalog)
        )

    __hash__ = None  # type: ignore[assignment]

    def frame(self, index: tuple[int, ...]) -> npt.NDArray[np.generic]:
        """Return one frame, newly read; zeros where the image has none.

        Raises
        ------
        FormatError
            The frame was there when the store was opened, but cannot be read now.
        """
        row = self._grid.row(index)
        if row is None:
            return np.zeros(self._frame_shape, self.dtype)
        return self._catalog.read_row(row)

    def read(self, block: tuple[slice, ...]) -> npt.NDArray[np.generic]:
        """Read a block, small frames several at a time."""
        lead = len(block) - self.frame_ndim
        inner = block[lead:]
        rows = self._grid.rows(
            [range(s.start, s.stop, s.step or 1) for s in block[:lead]]
        )
        whole = all(
            s.start == 0 and s.stop == n and s.step in (None, 1)
            for s, n in zip(inner, self._frame_shape, strict=True)
        )
        if whole:
            out = np.zeros(rows.shape + self._frame_shape, self.dtype)
            self._catalog.read_rows(
                rows.reshape(-1), out.reshape(-1, *self._frame_shape)
            )
            return out
        parts = tuple(len(range(s.start, s.stop, s.step or 1)) for s in inner)
        out = np.zeros(rows.shape + parts, self.dtype)
        if out.size:
            # Only the lines that are wanted are read.
            lines, rest = inner[0], inner[1:]
            flat = out.reshape(-1, *parts)
            for place, row in enumerate(rows.reshape(-1).tolist()):
                if row >= 0:
                    part = self._catalog.read_row(row, lines.start, lines.stop)
                    flat[place] = part[(slice(None, None, lines.step), *rest)]
        return out

    @property
    def names(self) -> tuple[str, ...]:
        """Short names of the axes of the grid."""
        return self._names

    def saved_rows(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the rows of the index that stand somewhere, and where.

        Returns
        -------
        rows : ndarray of int64, shape (frames,)
            Rows whose frames have pixels.
        places : ndarray of int64, shape (frames,)
            Their places in an array of the lengths of the axes, as flat indices.
        """
        return self._grid.all_rows()

    def _place(self, index: Mapping[str, int]) -> list[int] | None:
        place = [index.get(name, 0) for name in self._names]
        if any(not 0 <= i < n for i, n in zip(place, self._grid.shape, strict=True)):
            return None
        return place

    def _row(self, index: Mapping[str, int]) -> int | None:
        place = self._place(index)
        return None if place is None else self._grid.saved_row(place)

    def exists(self, index: Mapping[str, int]) -> bool:
        """Return whether the frame is there: it was saved, and is not lost."""
        place = self._place(index)
        return place is not None and self._grid.row(place) is not None

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        """Return the metadata of a frame, or None where there is none.

        Raises
        ------
        FormatError
            They are missing or damaged.
        """
        row = self._row(index)
        return None if row is None else self._catalog.metadata_of_row(row)

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        """Return the axes of a frame as the index has them, or None."""
        row = self._row(index)
        return None if row is None else self._catalog.table.axes(row)

"""The frames of one image of an NDTiff store, by their place in the image.

An image has its own values of each axis; this turns indices into them into a row of
the index and reads it. It is the ``read_frame`` of an `arrays.FrameSource`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.model import axis_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ndtiff.reader import NDTiffReader

__all__ = ["ImageFrames"]


class ImageFrames:
    """Reads the frames of one image.

    Parameters
    ----------
    reader : NDTiffReader
        The store.
    image_of_row : ndarray of int, shape (rows of the index,)
        The image that each row belongs to: a frame shows in its own image only.
    number : int
        The image.
    rows : ndarray of int
        The rows of the image.
    lead : sequence of (axis, codes)
        The axes of the image before y and x: places in ``reader.table.names``, with
        the codes that occur.
    """

    def __init__(
        self,
        reader: NDTiffReader,
        image_of_row: npt.NDArray[np.int32],
        number: int,
        rows: npt.NDArray[np.int32],
        lead: Sequence[tuple[int, Sequence[int]]],
    ) -> None:
        self._reader = reader
        self._image_of_row = image_of_row
        self._number = number
        self._lead = lead
        members = reader.table.codes[rows]
        self._codes = [
            code if axis_kind(name) == "position" else -1
            for name, code in zip(reader.table.names, members[0].tolist(), strict=True)
        ]
        # Micro-Manager writes a channel without z stack without the axis z.
        self._optional = [axis for axis, _ in lead if (members[:, axis] < 0).any()]

    @property
    def optional(self) -> list[int]:
        """Axes that some frames of the image lack."""
        return self._optional

    def __call__(self, index: tuple[int, ...]) -> npt.NDArray[np.generic] | None:
        """Return a frame, or None where the image has none."""
        codes = self._codes.copy()
        for (axis, found), i in zip(self._lead, index, strict=True):
            codes[axis] = found[i]
        row = self._row(codes)
        if row is None and self._optional:
            row = self._row_without(codes, index)
        return None if row is None else self._reader.read_row(row)

    def _row(self, codes: list[int]) -> int | None:
        row = self._reader.row_of_codes(codes)
        if row is None or self._image_of_row[row] != self._number:
            return None
        return row

    def _row_without(self, codes: list[int], index: tuple[int, ...]) -> int | None:
        """Look for a frame that lacks optional axes; it stands at their first value."""
        first = {axis for (axis, _), i in zip(self._lead, index, strict=True) if i == 0}
        trials = [codes]
        for axis in self._optional:
            if axis in first:
                trials += [[*t[:axis], -1, *t[axis + 1 :]] for t in trials]
        found = (self._row(trial) for trial in trials[1:])
        return next((row for row in found if row is not None), None)

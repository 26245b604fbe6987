"""Records of the frames of an NDTiff store: its index, and the metadata of each frame.

The index says which frames there are, in the order in which they were saved; the facts
of a frame are a block of JSON that is read where it lies, one at a time. It works while
the store is being written.

Examples
--------
>>> records = NDTiffRecords(open_ndtiff("/data/run_1"))  # doctest: +SKIP
>>> records.record(0).axes  # doctest: +SKIP
{'time': 0, 'z': 0}
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import ScopeError
from napari_scope.formats.frame_records import FrameRecord, Place
from napari_scope.formats.ndtiff.frames import GridSource
from napari_scope.formats.ndtiff.reader import NDTiffReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from napari_scope.model import Dataset

__all__ = ["NDTiffRecords"]


class NDTiffRecords:
    """The frames of a store (a `RecordSource`). Thread safe.

    Parameters
    ----------
    dataset : Dataset
        The store, as `open_ndtiff` returned it.

    Raises
    ------
    FormatError
        The store is gone.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._reader = NDTiffReader(dataset.path)
        self._rows = self._reader.rows()
        self._lock = threading.Lock()
        self._images: npt.NDArray[np.int32] | None = None
        self._places: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._reader.close()

    def __len__(self) -> int:
        """Return the number of frames, overwritten ones not counted."""
        return len(self._rows)

    def refresh(self) -> int:
        """Take in the frames that were added; returns how many there are."""
        with self._lock:
            self._reader.refresh()
            self._rows = self._reader.rows()
            self._reader.close()
        return len(self._rows)

    def record(self, number: int) -> FrameRecord:
        """Return the record of a frame; damaged metadata are noted in it."""
        row = int(self._rows[number])
        axes = self._reader.table.axes(row)
        try:
            return FrameRecord(number, axes, self._reader.metadata_of_row(row))
        except (ScopeError, OSError) as error:
            words = error.message if isinstance(error, ScopeError) else str(error)
            return FrameRecord(number, axes, problem=words)

    # ---- places

    def _find_places(self) -> npt.NDArray[np.int32]:
        """Return the image of each row, -1 where it is in none that has a grid."""
        with self._lock:
            if self._images is None:
                count = len(self._reader.table)
                images = np.full(count, -1, np.int32)
                self._places = np.zeros(count, np.int64)
                for number, image in enumerate(self._dataset.images):
                    if isinstance(image.frames, GridSource):
                        rows, places = image.frames.saved_rows()
                        known = rows < count
                        images[rows[known]] = number
                        self._places[rows[known]] = places[known]
                self._images = images
            return self._images

    def place(self, number: int) -> Place | None:
        """Return where the pixels of a frame are, None of a tile of a mosaic."""
        images = self._find_places()
        row = int(self._rows[number])
        image = int(images[row]) if row < len(images) else -1
        if image < 0:
            return None
        frames = self._dataset.images[image].frames
        assert isinstance(frames, GridSource)
        shape = frames.shape[: len(frames.names)]
        index = np.unravel_index(int(self._places[row]), shape) if shape else ()
        return Place(image, dict(zip(frames.names, map(int, index), strict=True)))

    def number_at(self, image: int, index: Mapping[str, int]) -> int | None:
        """Return the record of the frame at a place, or None."""
        if not 0 <= image < len(self._dataset.images):
            return None
        frames = self._dataset.images[image].frames
        axes = None if frames is None else frames.axes(index)
        row = None if axes is None else self._reader.row(axes)
        if row is None:
            return None
        found = int(np.searchsorted(self._rows, row))
        if found < len(self._rows) and self._rows[found] == row:
            return found
        return None

"""A table of all frames of a store, read line by line: any store, any size.

`frame_table` finds out what a store has to tell of its frames: the index and metadata
of NDTiff, the journal of a run that this package saved, what OME-XML says of planes,
or at least which frames there are. The table is lazy: a row is read when it is asked
for. `FrameColumns` finds out which columns there are.

Qt-free: the command ``napari-scope frames`` and the Metadata dock are thin over it.

Examples
--------
>>> import tempfile, numpy as np
>>> from napari_scope.formats.frame_columns import FrameColumns
>>> from napari_scope.formats.ndtiff import NDTiffWriter
>>> folder = tempfile.mkdtemp()
>>> with NDTiffWriter(folder, summary={}) as writer:
...     for t in range(3):
...         _ = writer.put({"time": t}, np.zeros((4, 5), "u2"), {"Exposure": 10 + t})
>>> table = frame_table(folder)
>>> len(table), table.record(1).axes
(3, {'time': 1})
>>> columns = FrameColumns(table)
>>> columns.update()
True
>>> columns.numbers("exposure_ms").tolist()
[10.0, 11.0, 12.0]
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError, ScopeError
from napari_scope.formats.addresses import is_address
from napari_scope.formats.frame_journal import JournalRecords, find_journal
from napari_scope.formats.plane_records import PlaneRecords
from napari_scope.model import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_scope.formats.frame_records import FrameRecord, Place, RecordSource

__all__ = ["FrameSheet", "frame_table"]


class FrameSheet:
    """All frames of a store, one record each, read when they are asked for.

    Parameters
    ----------
    source : RecordSource
        Where the records come from.
    name : str
        What the store is called.
    """

    def __init__(self, source: RecordSource, name: str = "") -> None:
        self.source = source
        self.name = name

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.source)

    def record(self, number: int) -> FrameRecord:
        """Return what is known of a frame; it reads files."""
        return self.source.record(number)

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[FrameRecord]:
        """Iterate over frames, one after the other."""
        end = len(self) if stop is None else min(stop, len(self))
        if isinstance(self.source, JournalRecords):
            # Its lines lie beside each other: a hundred thousand need few reads.
            yield from self.source.records(start, end)
            return
        for number in range(start, end):
            yield self.source.record(number)

    def refresh(self) -> int:
        """Look for frames that were added; returns how many there are now."""
        return self.source.refresh()

    def place(self, number: int) -> Place | None:
        """Return where a frame is in the images of the data set, if that is known."""
        return self.source.place(number)

    def number_at(self, image: int, index: Mapping[str, int]) -> int | None:
        """Return the number of the frame at a place, or None."""
        return self.source.number_at(image, index)


def frame_table(data: Dataset | str | os.PathLike[str]) -> FrameSheet:
    """Return the table of all frames of a store.

    Parameters
    ----------
    data : Dataset, str or PathLike
        A data set, or the path or address of one. Of a run, also one that goes on, the
        journal alone will do.

    Raises
    ------
    FormatError
        There is no data set, or it is gone.
    """
    if not isinstance(data, Dataset):
        path = Path(data)
        if path.name.endswith("frames.jsonl") and path.is_file():
            return FrameSheet(JournalRecords(path), path.name)
        found = _opened(data)
        if isinstance(found, FrameSheet):
            return found
        data = found
    return FrameSheet(_source(data), data.path)


def _opened(place: str | os.PathLike[str]) -> Dataset | FrameSheet:
    """Open a data set; one that nothing can be read of yet may have a journal."""
    from napari_scope.formats.opening import open_dataset

    try:
        return open_dataset(place)
    except FormatError:
        journal = None if is_address(place) else find_journal(place)
        if journal is None:
            raise
        return FrameSheet(JournalRecords(journal), os.fspath(place))


def _source(dataset: Dataset) -> RecordSource:
    if dataset.format == "ndtiff":
        from napari_scope.formats.ndtiff.frame_records import NDTiffRecords

        return NDTiffRecords(dataset)
    if not is_address(dataset.path):
        journal = find_journal(dataset.path)
        if journal is not None:
            return JournalRecords(journal, _number_in(journal, dataset.path))
    if dataset.format == "ome-zarr":
        listed = _listed(dataset)
        if listed is not None:
            return listed
    return PlaneRecords(dataset)


def _number_in(journal: Path, place: str) -> int | None:
    """Return which image of the run a path is, None where it is the whole run."""
    path = Path(place)
    beside = journal.parent.name == "acquisition" and journal.parent.parent == path
    return int(path.name) if path.name.isdigit() and not beside else None


def _listed(dataset: Dataset) -> RecordSource | None:
    """Return what the attributes of an OME-Zarr store list of its frames, if they do.

    Raises
    ------
    FormatError
        A server does not tell.
    """
    from napari_scope.formats.ngff.listed_records import (
        ListedFrames,
        ListedImage,
        ListedRecords,
    )

    for image in dataset.images:
        if isinstance(image.frames, ListedFrames):
            return image.frames.records if len(image.frames.records) else None
    if is_address(dataset.path):
        return None  # not one of ours
    images = [ListedImage.of(image) for image in dataset.images]
    records = ListedRecords(dataset.path, images)
    try:
        return records if len(records) else None
    except (ScopeError, OSError):
        return None  # not one of ours

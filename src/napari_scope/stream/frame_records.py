"""What is known of the frames of a stream, while it runs and afterwards.

A stream that saves has a journal for each of its stores; one that keeps its frames in
memory keeps their facts beside them. Both are records of frames as those of any store
(`napari_scope.formats.frame_records`), so a table of a run that goes on is made like
one of a finished run.

Examples
--------
>>> import numpy as np
>>> from napari_scope.stream import ImageSpec, StoreSpec, Stream
>>> from napari_scope.stream.sinks.memory import MemorySink
>>> images = (ImageSpec("a", sizes={"time": 3}),)
>>> spec = StoreSpec("a", (4, 4), np.dtype("u2"), order=("time",), images=images)
>>> with Stream(spec, [MemorySink()]) as stream:
...     stream.append(np.ones((4, 4), "u2"), {"exposure_ms": 5.0})
...     stream.flush()
...     records = stream_records(stream.sinks)
...     records.record(0).facts
{'exposure_ms': 5.0}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.formats.frame_journal import JournalRecords, find_journal
from napari_scope.stream.sinks.memory import MemorySink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_scope.formats.frame_records import FrameRecord, RecordSource
    from napari_scope.model import Axes
    from napari_scope.stream.sinks.base import Sink

__all__ = ["StreamFrames", "stream_records"]


def stream_records(sinks: Sequence[Sink]) -> RecordSource | None:
    """Return the records of a stream by its sinks; None before anything is there."""
    for sink in sinks:
        if isinstance(sink, MemorySink):
            return sink.records
    for sink in sinks:
        journal = None if sink.path is None else find_journal(sink.path)
        if journal is not None:
            return JournalRecords(journal)
    return None


class StreamFrames:
    """What is known of the frames of one image of a stream (a `model.FrameTable`).

    Parameters
    ----------
    sinks : sequence of Sink
        Those of the stream.
    image : int
        Number of the image.
    """

    def __init__(self, sinks: Sequence[Sink], image: int) -> None:
        self._sinks = sinks
        self._image = image
        self._records: RecordSource | None = None

    def records(self) -> RecordSource | None:
        """Return the records of the whole stream, None before anything is there."""
        if self._records is None:
            self._records = stream_records(self._sinks)
        return self._records

    @property
    def path(self) -> Path | None:
        """Where the first of the stores is, None of a run in memory."""
        return next((sink.path for sink in self._sinks if sink.path), None)

    def _find(self, index: Mapping[str, int]) -> FrameRecord | None:
        records = self.records()
        if records is None:
            return None
        number = records.number_at(self._image, index)
        if number is None:
            records.refresh()
            number = records.number_at(self._image, index)
        return None if number is None else records.record(number)

    def exists(self, index: Mapping[str, int]) -> bool:
        """Return whether the frame is there already; it may read the journal."""
        record = self._find(index)
        return record is not None and record.status == "saved"

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        """Return the identity of a frame; it may read the journal."""
        record = self._find(index)
        return None if record is None else record.axes

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        """Return what is saved with a frame; it may read the journal."""
        record = self._find(index)
        return None if record is None else record.facts

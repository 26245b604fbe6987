"""Records of the frames of a run that is kept in memory, beside their pixels."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from napari_scope.formats.frame_records import FrameRecord, Place
from napari_scope.model import short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.stream.sinks.base import FrameItem

__all__ = ["KeptRecords"]


class KeptRecords:
    """Records of frames that are kept in memory (a `RecordSource`). Thread safe.

    Attributes
    ----------
    names : tuple of str
        Names of the index axes of all images.
    """

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._entries: list[FrameRecord] = []
        self._places: list[tuple[int, tuple[int, ...]]] = []
        self._seen: dict[tuple[int, tuple[int, ...]], int] = {}

    def add(self, item: FrameItem) -> None:
        """Take note of a frame, or of one that will not come."""
        with self._lock:
            number = len(self._entries)
            where = item.address.image, item.address.index
            record = FrameRecord(
                number,
                item.axes,
                item.metadata,
                status=item.status,
                reason=item.reason,
            )
            self._places.append(where)
            self._seen[where] = number
            self._entries.append(record)

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._entries)

    def record(self, number: int) -> FrameRecord:
        """Return a record."""
        return self._entries[number]

    def refresh(self) -> int:
        """Return how many records there are now."""
        return len(self._entries)

    def place(self, number: int) -> Place | None:
        """Return where the pixels of a frame are."""
        image, index = self._places[number]
        if len(index) != len(self.names):
            return None
        return Place(image, dict(zip(map(short, self.names), index, strict=True)))

    def number_at(self, image: int, index: Mapping[str, int]) -> int | None:
        """Return the record of the frame at a place, or None."""
        place = tuple(index.get(short(name), 0) for name in self.names)
        with self._lock:
            return self._seen.get((image, place))

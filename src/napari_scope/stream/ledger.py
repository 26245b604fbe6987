"""The books of a stream: what came, what is under way, what is saved.

A frame is *under way* from its hand-over to the lanes until the last lane has dealt
with it; as long as it is, readers take it from its buffer. Everything is kept under
one lock, which is never held during input and output.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from napari_scope.stream.events import FrameEvent
from napari_scope.stream.stats import RateMeter, StreamStats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.stream.ring import Ring
    from napari_scope.stream.router import Address
    from napari_scope.stream.sinks.base import FrameItem

__all__ = ["Ledger", "event_of"]


class Ledger:
    """Counts frames and owns the buffers of those that are under way.

    Parameters
    ----------
    ring : Ring
        Where buffers go back to.
    frame_bytes : int
        Size of a frame in bytes.
    """

    def __init__(self, ring: Ring, frame_bytes: int) -> None:
        self.lock = threading.RLock()
        self.appended = self.saved = self.skipped = self.dropped = 0
        self.newest: tuple[Address, int] | None = None
        self.under_way: dict[Address, FrameItem] = {}
        self._ring = ring
        self._frame_bytes = frame_bytes
        self._saved_bytes = 0
        self._number = 0
        self._earlier = {"saved": 0, "skipped": 0, "dropped": 0}
        self._rate = RateMeter()

    def restore(
        self, number: int, totals: Mapping[str, int], newest: Address | None
    ) -> None:
        """Take over the books of an earlier stream into the same stores.

        Parameters
        ----------
        number : int
            Running number of the next frame.
        totals : mapping
            How many frames of each status there are.
        newest : Address, optional
            The frame that came last.
        """
        self._number = number
        self._earlier.update(totals)
        if newest is not None:
            self.newest = newest, self.earlier

    @property
    def earlier(self) -> int:
        """Frames that an earlier stream has saved."""
        return self._earlier["saved"]

    def enter(self, item: FrameItem, lanes: int) -> None:
        """Note an item that is about to be handed to so many lanes; under the lock."""
        item.number = self._number
        item.lanes = lanes
        self._number += 1
        if item.status == "saved":
            self.appended += 1
            self.newest = item.address, self.earlier + self.appended
            if item.frame is not None:
                self.under_way[item.address] = item
        elif item.status == "dropped":
            self.dropped += 1
        else:
            self.skipped += 1

    def done(self, items: Sequence[FrameItem], committed: bool) -> list[FrameItem]:
        """Count a batch that one lane has dealt with; free what all lanes have.

        Returns
        -------
        list of FrameItem
            Those that all lanes have dealt with, without those that were lost.
        """
        ended = []
        with self.lock:
            for item in items:
                item.lost = item.lost or not committed
                item.lanes -= 1
                if item.lanes:
                    continue
                if not item.lost:
                    ended.append(item)
                if item.status != "saved":
                    continue
                if not item.lost:
                    self.saved += 1
                    self._saved_bytes += self._frame_bytes
                    self._rate.note(self.saved, self._saved_bytes)
                if item.frame is not None:
                    del self.under_way[item.address]
                    if not item.readers:
                        self._ring.release(item.frame)
        return ended

    def lend(self, address: Address) -> FrameItem | None:
        """Return the item under way at an address; its buffer stays until returned."""
        with self.lock:
            item = self.under_way.get(address)
            if item is not None:
                item.readers += 1
            return item

    def take_back(self, item: FrameItem) -> None:
        """Take back an item that was lent."""
        with self.lock:
            item.readers -= 1
            if item.frame is not None and not item.readers and not item.lanes:
                self._ring.release(item.frame)

    def totals(self) -> dict[str, object]:
        """Return the counts of the whole run for the last line of a journal."""
        with self.lock:
            before = self._earlier
            return {
                "saved": before["saved"] + self.saved,
                "skipped": before["skipped"] + self.skipped,
                "dropped": before["dropped"] + self.dropped,
            }

    def stats(self) -> StreamStats:
        """Return all counts."""
        with self.lock:
            frames, megabytes = self._rate.rates(self.saved, self._saved_bytes)
            return StreamStats(
                appended=self.appended,
                saved=self.saved,
                skipped=self.skipped,
                dropped=self.dropped,
                saved_bytes=self._saved_bytes,
                ring_used=self._ring.used,
                ring_slots=self._ring.slots,
                waited_s=self._ring.waited_s,
                frames_per_s=frames,
                mb_per_s=megabytes,
                earlier=self.earlier,
            )


def event_of(item: FrameItem) -> FrameEvent:
    """Return the news of an item."""
    return FrameEvent(
        axes=dict(item.axes),
        image=item.address.image,
        index=item.address.index,
        number=item.number,
        status=item.status,
        reason=item.reason,
    )

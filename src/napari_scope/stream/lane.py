"""A lane: one sink, one thread that writes to it, one queue bounded by the ring.

Where frames are compressed, that takes longest, so the sink may begin with the next
ones before one is written (`Sink.prepare`): as many as it says, taken from the queue as
room comes free. They are written in the order of arrival all the same, those that are
ready together.

The queue has no bound of its own: an item holds a buffer of the ring, and the ring
has few. News of frames that do not come take no buffer; `intake` holds them back when
there are very many.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from napari_scope.stream.sinks.base import FrameItem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_scope.stream.sinks.base import Sink
    from napari_scope.stream.spec import StoreSpec

__all__ = ["Lane"]

_MAX_BATCH = 64

# Items whose pixels are written are not urgent, and waking up for each is costly: they
# wait for this long, or until there are so many.
_LINGER_S = 0.005
_LINGER_ITEMS = 8
_MAX_BATCH_BYTES = 64 * 1024 * 1024


class Lane:
    """Writes what it is given to one sink, in order, in batches.

    Parameters
    ----------
    sink : Sink
        Where to write; opened by the caller.
    spec : callable
        Returns what is stored by now.
    done : callable
        Called on this thread with each batch and whether it was committed (or given
        up).
    failed : callable
        Called once with the first error.
    saved : int
        Frames that the sink has already.
    few : int
        Most frames of a batch while frames pile up: their buffers are free again only
        when all of it is written, and so long the caller may have to wait.

    Attributes
    ----------
    saved : int
        Frames committed in this sink.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        spec: Callable[[], StoreSpec],
        done: Callable[[Sequence[FrameItem], bool], None],
        failed: Callable[[Sink, BaseException], None],
        saved: int = 0,
        few: int = _MAX_BATCH,
    ) -> None:
        self.sink = sink
        self._few = min(max(1, few), _MAX_BATCH)
        self.saved = saved
        self._spec = spec
        self._done = done
        self._failed = failed
        self._queue: queue.SimpleQueue[FrameItem | threading.Event | None] = (
            queue.SimpleQueue()
        )
        self._taken: deque[FrameItem | threading.Event] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._urgent = threading.Event()
        self._finishing = False
        self._thread = threading.Thread(
            target=self._run, name=f"napari-scope {sink.format} writer", daemon=True
        )
        self._thread.start()

    def put(self, item: FrameItem) -> None:
        """Hand over an item; never waits."""
        self._queue.put(item)
        if item.frame is not None or self._queue.qsize() >= _LINGER_ITEMS:
            self._urgent.set()

    @property
    def waiting(self) -> int:
        """About how many items are not yet taken up."""
        return self._queue.qsize()

    def mark(self) -> threading.Event:
        """Return an event: everything put before is by then committed or given up.

        After `finish` nobody sets it.
        """
        reached = threading.Event()
        self._queue.put(reached)
        self._urgent.set()
        return reached

    def finish(self) -> None:
        """Write what is left and end the thread; the last call."""
        self._queue.put(None)
        self._finishing = True
        self._urgent.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended or self._taken:
            self._take()
            batch = self._next_batch()
            if batch:
                self._attempt(partial(self._write, batch))
                self._done(batch, self._error is None)

    def _write(self, batch: Sequence[FrameItem]) -> None:
        self.sink.write(batch, self.sink.own(self._spec()))
        self.saved += sum(item.status == "saved" for item in batch)

    def _attempt(self, work: Callable[[], None]) -> None:
        """Let the sink do something, unless it has failed."""
        if self._error is None:
            try:
                work()
            except BaseException as error:  # handed to the stream
                self._error = error
                self._failed(self.sink, error)

    def _take(self) -> None:
        """Take along what is there already; wait only if nothing is in hand."""
        ahead = self.sink.ahead
        most = self._few if self.sink.under_pressure() and not ahead else _MAX_BATCH
        sizes = [_bytes_of(entry) for entry in self._taken]
        while len(sizes) < most and not self._ended:
            if sum(sizes) >= (ahead or _MAX_BATCH_BYTES):
                return
            entry = self._next_entry()
            if isinstance(entry, FrameItem) and entry.frame is not None and ahead:
                self._attempt(partial(self.sink.prepare, entry))
            if entry is not None:
                self._taken.append(entry)
                sizes.append(_bytes_of(entry))
            elif not self._ended:
                return

    def _next_entry(self) -> FrameItem | threading.Event | None:
        """Return what comes next; None if there is nothing now, or never again."""
        try:
            entry = self._queue.get(block=not self._taken)
        except queue.Empty:
            return None
        if not self._taken:
            patient = isinstance(entry, FrameItem) and entry.frame is None
            if patient and not self._finishing and self._queue.qsize() < _LINGER_ITEMS:
                self._urgent.wait(_LINGER_S)
            self._urgent.clear()
        self._ended = entry is None
        return entry

    def _next_batch(self) -> list[FrameItem]:
        """Return what is written next: all that is ready, at least one item.

        Marks that are reached before are set.
        """
        batch: list[FrameItem] = []
        while self._taken:
            entry = self._taken[0]
            if isinstance(entry, threading.Event):
                if batch:
                    break
                entry.set()
            elif self._error is None and not self.sink.prepared(entry, wait=not batch):
                break
            else:
                batch.append(entry)
            self._taken.popleft()
        return batch


def _bytes_of(entry: FrameItem | threading.Event) -> int:
    """Return how much memory waits for an item to be written."""
    if isinstance(entry, threading.Event) or entry.frame is None:
        return 0
    return entry.frame.nbytes

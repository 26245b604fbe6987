"""The keeper of a stream: a thread that makes data safe and looks at the disks.

It works at its interval, and earlier when much was written: then the disk works while
frames come, and not only when the stream is closed, and a disk that fills quickly is
noticed in time.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from napari_scope.stream.disk import Disks, check_reserve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_scope.stream.sinks.base import Sink

__all__ = ["Keeper"]

_LOOK_S = 1.0  # between two looks at the room on the disk
_MUCH_BYTES = 64 * 1024 * 1024


class Keeper:
    """Syncs the sinks and watches their disks until `finish`.

    Parameters
    ----------
    sinks : sequence of Sink
        The open sinks.
    sync_interval_s : float, optional
        How often to sync; None never.
    disks : Disks
        What is known of disks.
    under_way : callable
        Returns the bytes that are taken over and not yet written.
    failed : callable
        Called once with the sink (None if it is only that the disk fills up) and the
        error that ended the watch.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        sync_interval_s: float | None,
        disks: Disks,
        under_way: Callable[[], int],
        failed: Callable[[Sink | None, BaseException], None],
    ) -> None:
        self._sinks = sinks
        self._sync_interval = sync_interval_s
        self._disks = disks
        self._under_way = under_way
        self._failed = failed
        self._wanted = threading.Event()
        self._ended = False
        self._bytes = 0
        self._thread = threading.Thread(
            target=self._run, name="napari-scope stream keeper", daemon=True
        )
        self._thread.start()

    def note(self, size: int) -> None:
        """Note that so much was handed over; never waits. By one thread at a time."""
        self._bytes += size
        if self._bytes >= _MUCH_BYTES:
            self._bytes = 0
            self._wanted.set()

    def finish(self) -> None:
        """End the thread; what it is doing is still done."""
        self._ended = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        every = self._sync_interval
        pause = min(_LOOK_S, every) if every else _LOOK_S
        synced = time.monotonic()
        while not self._ended:
            much = self._wanted.wait(pause)
            self._wanted.clear()
            if self._ended:
                return
            now = time.monotonic()
            due = every is not None and (much or now - synced >= every * 0.9)
            if due:
                synced = now
            for sink in self._sinks:
                if not self._keep(sink, sync=due):
                    return

    def _keep(self, sink: Sink, *, sync: bool) -> bool:
        """Look after one sink; returns whether all is well."""
        try:
            if sync:
                sink.sync()
        except BaseException as error:  # handed to the caller
            self._failed(sink, error)
            return False
        try:
            check_reserve(sink, self._disks, self._under_way())
        except BaseException as error:
            self._failed(None, error)
            return False
        return True

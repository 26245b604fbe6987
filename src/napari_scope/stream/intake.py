"""The way of a frame into a stream: checked, given its place, copied, handed over.

Two ways lead to the sinks. As a rule a frame is copied into a buffer of the ring and
goes to every lane. Where there is a single lane that has nothing to do, it is written
at once (see `shortcut`), and only its line follows by the lane.

All under one lock: the lanes see frames in the same order. Only the writing of a frame
at once happens outside of it, so that who looks at the stream does not wait for the
disk.
"""

from __future__ import annotations

import operator
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import FrameError, StreamError
from napari_scope.model import canonical
from napari_scope.stream.shortcut import Shortcut
from napari_scope.stream.sinks.base import FrameItem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from napari_scope.model import Axes
    from napari_scope.stream.lane import Lane
    from napari_scope.stream.ledger import Ledger
    from napari_scope.stream.ring import OverflowPolicy, Ring
    from napari_scope.stream.router import Address, Router

__all__ = ["Intake"]

# Frames written at once whose lines are not: few, like the frames in a buffer.
_MOST_UNCOMMITTED = 64

# Notes of frames that do not come: at most some ten megabytes of them, for a disk that
# stands still while a camera drops frames for minutes.
_MOST_NOTES = 1 << 16
_PAUSE_S = 0.002


class Intake:
    """Takes frames over.

    Parameters
    ----------
    router : Router
        Gives places; used under the lock of the ledger.
    ring : Ring
        The buffers.
    ledger : Ledger
        Notes what is handed over.
    overflow : {"block", "raise", "drop"}
        What happens when the ring is full.
    check_open : callable
        Raises if the stream failed or is closed.
    open_late : callable
        Called before the first frame if there are no lanes; sets `lanes`.
    """

    def __init__(
        self,
        router: Router,
        ring: Ring,
        ledger: Ledger,
        overflow: OverflowPolicy,
        *,
        check_open: Callable[[], None],
        open_late: Callable[[], None],
    ) -> None:
        self.lanes: list[Lane] = []
        self.shortcut = Shortcut(router.spec.frame_bytes)
        self.writing = threading.RLock()
        """Held while a frame is written at once; taken before the ledger's lock."""
        self._router = router
        self._ring = ring
        self._ledger = ledger
        self._lock = ledger.lock
        self._overflow: OverflowPolicy = overflow
        self._check_open = check_open
        self._open_late = open_late
        self._coming: Address | None = None

    def append(
        self,
        pixels: npt.NDArray[np.generic],
        metadata: Mapping[str, Any],
        index: Axes | None,
    ) -> None:
        """Take over a frame; its metadata belong to the stream already."""
        self._check_frame(pixels)
        if self._append_at_once(index, pixels, metadata):
            return
        buffer = self._ring.acquire(wait=self._overflow == "block")
        if buffer is None:
            self._refuse(index)
            return
        try:
            np.copyto(buffer, pixels)
            self._send(index, buffer, metadata)
        except Exception:
            self._ring.release(buffer)
            raise

    def skip(self, frames: int, reason: str, index: Axes | None) -> None:
        """Hand on that frames will not come."""
        try:
            count = operator.index(frames)
        except TypeError:
            count = -1
        if count < 0 or (index is not None and count != 1):
            raise FrameError(
                f"{frames!r} frames cannot be skipped",
                hint="give a whole number, or the index of a single frame",
            )
        for _ in range(count):
            self._wait_for_notes()
            self._send(index, None, status="skipped", reason=reason)

    def is_there(self, address: Address) -> bool:
        """Return whether a frame was taken and is not being written at this moment."""
        coming = address == self._coming
        return not coming and self._router.is_taken(address.image, address.index)

    def _check_frame(self, pixels: npt.NDArray[np.generic]) -> None:
        spec = self._router.spec
        if pixels.shape != spec.frame_shape or pixels.dtype != spec.dtype:
            raise FrameError(
                f"the stream stores frames of shape {spec.frame_shape} and type "
                f"{spec.dtype}, found {pixels.shape} and {pixels.dtype}",
                hint="the camera's size, binning or pixel type must not change during "
                "a run",
            )

    def _refuse(self, index: Axes | None) -> None:
        """Deal with a frame for which there is no buffer."""
        self._check_open()
        if self._overflow == "raise":
            raise StreamError(
                f"the buffer of {self._ring.slots} frames is full: the disk is slower "
                "than the camera",
                hint="take frames more slowly, or allow a larger buffer",
            )
        self._wait_for_notes()
        self._send(index, None, status="dropped", reason="the buffer was full")

    def _wait_for_notes(self) -> None:
        """Wait while very many frames that do not come are not yet noted.

        They take no buffer, so the ring does not bound them.
        """
        while any(lane.waiting >= _MOST_NOTES for lane in self.lanes):
            self._check_open()
            time.sleep(_PAUSE_S)

    def _send(
        self,
        index: Axes | None,
        frame: npt.NDArray[np.generic] | None,
        metadata: Mapping[str, Any] | None = None,
        *,
        status: str = "saved",
        reason: str = "",
    ) -> None:
        """Give a frame its place and hand it to all lanes.

        All under one lock: the lanes see frames in the same order, and none comes
        after `close` told them to finish.
        """
        with self._lock:
            self._check_open()
            address, axes = self._claim(index, metadata)
            if not self.lanes:
                self._open_late()
            self._hand_over(
                FrameItem(address, axes, frame, metadata or {}, status, reason)
            )

    def has(self, index: Axes) -> bool:
        """Return whether a frame was taken."""
        with self._lock:
            return self._router.has(self._named(index))

    def _named(self, index: Axes) -> Axes:
        """Return axes under the names of the stream."""
        order = self._router.spec.order
        if index.keys() <= set(order):
            return index
        # ``t`` is time, unless the stream has an axis of that name.
        named = {
            k if k in order or canonical(k) not in order else canonical(k): v
            for k, v in index.items()
        }
        if len(named) < len(index):
            raise FrameError(
                f"the index {dict(index)} names an axis twice",
                hint=f"the axes of the stream are {', '.join(order)}",
            )
        return named

    def _claim(
        self, index: Axes | None, metadata: Mapping[str, Any] | None
    ) -> tuple[Address, Axes]:
        router = self._router
        known = len(router.spec.images)
        if index is None:
            axes, address = router.claim_next()
        else:
            index = self._named(index)
            address = router.claim(index)
            axes = router.axes_of(address, index)
        if metadata and len(router.spec.images) > known:
            # Nobody announced this image; its first frame knows where it was taken.
            stage = {key: metadata.get(key) for key in ("x_um", "y_um", "z_um")}
            router.place_image(address.image, stage)
        return address, axes

    def _hand_over(self, item: FrameItem) -> None:
        self._ledger.enter(item, len(self.lanes))
        for lane in self.lanes:
            lane.put(item)

    def _append_at_once(
        self,
        index: Axes | None,
        pixels: npt.NDArray[np.generic],
        metadata: Mapping[str, Any],
    ) -> bool:
        """Write a frame on this thread, if the only lane has none to write.

        Not under the lock: who looks at the stream does not wait for the disk.
        """
        with self.writing:
            with self._lock:
                self._check_open()
                busy = len(self.lanes) != 1 or self._ledger.under_way
                if busy or not self.shortcut.open:
                    return False
                if self.lanes[0].waiting >= min(self._ring.slots, _MOST_UNCOMMITTED):
                    return False
                address, axes = self._claim(index, metadata)
                self._coming = address
                sink = self.lanes[0].sink
                spec = sink.own(self._router.spec)
            item = FrameItem(address, axes, None, metadata)
            try:
                if not self.shortcut.write(sink, item, pixels, spec):
                    item.frame = self._ring.acquire()
                    if item.frame is None:  # another thread's frame has failed
                        self._check_open()
                    else:
                        np.copyto(item.frame, pixels)
            except BaseException as error:
                item.status, item.reason = "dropped", str(error)
                raise
            finally:
                with self._lock:
                    self._coming = None
                    self._hand_over(item)
        return True

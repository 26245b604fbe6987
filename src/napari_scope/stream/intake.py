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
        self._send(index, None, status="dropped", reason="the buffer was full")

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
            address, axes = self._claim(index)
            if not self.lanes:
                self._open_late()
            self._hand_over(
                FrameItem(address, axes, frame, metadata or {}, status, reason)
            )

    def _claim(self, index: Axes | None) -> tuple[Address, Axes]:
        if index is None:
            axes, address = self._router.claim_next()
            return address, axes
        order = self._router.spec.order
        if not index.keys() <= set(order):
            # ``t`` is time, unless the stream has an axis of that name.
            index = {
                k if k in order or canonical(k) not in order else canonical(k): v
                for k, v in index.items()
            }
        address = self._router.claim(index)
        plain = {k: v if isinstance(v, str) else int(v) for k, v in index.items()}
        return address, plain

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
                address, axes = self._claim(index)
                self._coming = address
                spec, sink = self._router.spec, self.lanes[0].sink
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

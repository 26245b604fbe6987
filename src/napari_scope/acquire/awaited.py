"""Which futures wait for which frames, so that each milestone finds its way to them.

Futures are held weakly: nobody waits with one that was thrown away. What a run of a
million frames costs is one entry for each frame that is expected and not yet saved.

Examples
--------
>>> class Running:
...     def get_dataset(self): ...
...     def holds_up_the_run(self): ...
>>> book = AwaitedFrames()
>>> future = AcquisitionFuture(Running(), complete=True)
>>> book.watch(future)
True
>>> book.expect(future, [key_of({"time": 0})])
>>> book.reached("image_saved", [{"time": 0}])
>>> future.await_execution("image_saved")
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from napari_scope.acquire.futures import AcquisitionFuture, FrameKey, key_of
from napari_scope.acquire.notifications import AcqNotification

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.acquire.notifications import Milestone

__all__ = ["AwaitedFrames"]


class AwaitedFrames:
    """The futures of an acquisition; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._futures: weakref.WeakSet[AcquisitionFuture] = weakref.WeakSet()
        self._expected: dict[FrameKey, tuple[weakref.ref[AcquisitionFuture], ...]] = {}
        self._ended: BaseException | None = None

    @property
    def ended(self) -> BaseException | None:
        """Why nothing more will come; None as long as something may."""
        return self._ended

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits for anything."""
        with self._lock:
            return not self._expected and not self._futures

    def watch(self, future: AcquisitionFuture) -> bool:
        """Take a future in; false, and it is not, if nothing more will come."""
        with self._lock:
            if self._ended is None:
                self._futures.add(future)
            return self._ended is None

    def expect(self, future: AcquisitionFuture, keys: Sequence[FrameKey]) -> None:
        """Note frames that belong to a future."""
        future.expect(keys)
        one = weakref.ref(future)
        with self._lock:
            for key in keys:
                self._expected[key] = (*self._expected.get(key, ()), one)

    def reached(
        self, milestone: Milestone, frames: Sequence[Mapping[str, int | str]]
    ) -> None:
        """Note how far frames are; what is saved is expected no more."""
        for axes in frames:
            key = key_of(axes)
            for future in self._waiting_for(key):
                future.reached(milestone, key)
            if milestone == AcqNotification.Image.IMAGE_SAVED:
                self._forget(key)

    def gone(self, axes: Mapping[str, int | str]) -> None:
        """Note that a frame will not come."""
        key = key_of(axes)
        for future in self._waiting_for(key):
            future.leave_out(key)
        self._forget(key)

    def refuse(self, reason: BaseException) -> BaseException:
        """Take in no more futures; returns the first reason that was given for it."""
        with self._lock:
            self._ended = self._ended or reason
            return self._ended

    def end(self, reason: BaseException) -> None:
        """Wake all who wait; nobody can wait any more."""
        with self._lock:
            reason = self.refuse(reason)
            waiting = list(self._futures)
            self._expected.clear()
        for future in waiting:
            future.end(reason)

    def _waiting_for(self, key: FrameKey) -> list[AcquisitionFuture]:
        with self._lock:
            known = self._expected.get(key, ())
        return [future for one in known if (future := one()) is not None]

    def _forget(self, key: FrameKey) -> None:
        with self._lock:
            self._expected.pop(key, None)

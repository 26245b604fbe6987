"""Calls of the core that may take long, one after the other, off the GUI thread.

A stage that moves, a filter wheel that turns or a camera that hangs must not hold up
the window. `DeviceCalls` owns one thread; calls are made there in the order in which
they were asked for, and their outcomes arrive in the GUI thread. A call with a key
replaces the waiting ones with the same key: of a hundred steps of a slider the last
one counts.

It knows nothing of microscopes but that they are slow.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DeviceCalls"]

_MOST_WAITING = 1000


@dataclass(slots=True)
class _Call:
    what: str
    function: Callable[[], object]
    then: Callable[[object], object] | None
    key: object
    dropped: bool = False


class DeviceCalls(QObject):
    """Makes calls in a thread of its own.

    Parameters
    ----------
    parent : QObject, optional
        Owner.

    Attributes
    ----------
    failed : Signal
        A call raised; carries the exception and what was being done, in words.
    busy_changed : Signal
        Calls are under way or waiting, or not any more.
    """

    failed = Signal(object, str)
    busy_changed = Signal(bool)
    _ended = Signal(object, object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._waiting: dict[object, _Call] = {}
        self._count = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._now = ""
        # Emitted by the thread, received where this object lives: in the GUI thread.
        self._ended.connect(self._on_ended)

    @property
    def busy(self) -> bool:
        """Whether a call is under way or waits, or its outcome was not told yet."""
        return self._count > 0

    @property
    def now(self) -> str:
        """What is being done, in words; empty when nothing is."""
        return self._now

    def do(
        self,
        what: str,
        function: Callable[[], object],
        *,
        then: Callable[[object], object] | None = None,
        key: object = None,
    ) -> None:
        """Make a call soon; returns at once. To be called in the GUI thread.

        Parameters
        ----------
        what : str
            What is done, in words: "move the stage".
        function : callable
            The call; it must not touch widgets.
        then : callable, optional
            Called in the GUI thread with what the function returned.
        key : hashable, optional
            Replaces calls with the same key that have not begun.
        """
        if self._closed:
            return
        call = _Call(what, function, then, key)
        with self._lock:
            before = self._waiting.pop(key, None) if key is not None else None
            if before is not None:
                before.dropped = True
            if key is not None:
                self._waiting[key] = call
        if self._count >= _MOST_WAITING:
            self.failed.emit(
                RuntimeError(f"{_MOST_WAITING} calls wait for the microscope"), what
            )
            return
        self._count += 1
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name="napari-scope devices", daemon=True
            )
            self._thread.start()
        self._queue.put(call)
        if self._count == 1:
            self.busy_changed.emit(True)

    def close(self, timeout: float | None = 10.0) -> bool:
        """Drop what waits and end the thread; idempotent.

        Returns
        -------
        bool
            Whether the thread has ended in time: a device that hangs keeps it.
        """
        self._closed = True
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        with self._lock:
            self._waiting.clear()
        self._queue.put(None)
        thread.join(timeout)
        return not thread.is_alive()

    def _work(self) -> None:
        while True:
            call = self._queue.get()
            if call is None:
                return
            with self._lock:
                if call.key is not None and self._waiting.get(call.key) is call:
                    del self._waiting[call.key]
                skipped = call.dropped or self._closed
            result: object = None
            error: BaseException | None = None
            if not skipped:
                self._now = call.what
                try:
                    result = call.function()
                except BaseException as problem:  # handed over whole, whatever it is
                    error = problem
                self._now = ""
            if not self._closed:
                self._ended.emit(call, result, error)

    def _on_ended(self, call: _Call, result: object, error: object) -> None:
        self._count -= 1
        if error is not None:
            self.failed.emit(error, call.what)
        elif call.then is not None and not call.dropped:
            call.then(result)
        if not self._count:
            self.busy_changed.emit(False)

"""Calls of the core that may take long, one after the other, off the GUI thread.

A stage that moves, a filter wheel that turns or a camera that hangs must not hold up
the window. `DeviceCalls` owns one thread; calls are made there in the order in which
they were asked for, and their outcomes arrive in the GUI thread. A call with a key
replaces the waiting ones with the same key: of a hundred steps of a slider the last
one counts.

It knows nothing of microscopes but that they are slow, and that one of them may never
answer: ending the calls does not wait for it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DeviceCalls"]

_MOST_WAITING = 1000
_REST_S = 2.0  # a thread with nothing to do ends


@dataclass(slots=True, eq=False)
class _Call:
    what: str
    function: Callable[[], object]
    then: Callable[[object], object] | None
    failed: Callable[[BaseException], object] | None
    key: object
    aside: bool = False


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
        self._changed = threading.Condition()
        self._waiting: deque[_Call] = deque()
        self._thread: threading.Thread | None = None
        self._ending = False
        self._now = ""
        self._worker: int | None = None  # the thread that makes a call at the moment
        # Whose outcome is to be told; of the GUI thread.
        self._pending: set[_Call] = set()
        # Emitted by the thread, received where this object lives: in the GUI thread.
        self._ended.connect(self._on_ended)

    @property
    def busy(self) -> bool:
        """Whether a call is under way or waits, or its outcome was not told yet."""
        return bool(self._pending)

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
        failed: Callable[[BaseException], object] | None = None,
        key: object = None,
        in_order: bool = False,
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
        failed : callable, optional
            Called in the GUI thread with what the function raised, before the signal.
        key : hashable, optional
            Replaces calls with the same key that have not begun. The call takes its
            place at the end, behind everything that was asked for before it.
        in_order : bool
            Whether a call is replaced only if nothing else waits behind it. What moves
            the focus away, changes the objective and moves the focus back must do all
            three.
        """
        call = _Call(what, function, then, failed, key)
        full = False
        with self._changed:
            if key is not None:
                for other in reversed([*self._waiting]):
                    if other.key == key:
                        self._waiting.remove(other)
                        self._pending.discard(other)
                    elif in_order:
                        break
            if len(self._waiting) >= _MOST_WAITING:
                full = True
            else:
                self._waiting.append(call)
                self._ending = False
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._work, name="napari-scope devices", daemon=True
                    )
                    self._thread.start()
                self._changed.notify_all()
        if full:
            error = RuntimeError(f"{_MOST_WAITING} calls wait for the microscope")
            self._tell_failure(call, error)
            return
        was_busy = self.busy
        self._pending.add(call)
        if not was_busy:
            self.busy_changed.emit(True)

    def at_once(self, what: str, function: Callable[[], object]) -> None:
        """Make a call beside those that wait, for what must not wait: a stop.

        It has a thread of its own; only its failure is told.
        """
        call = _Call(what, function, None, None, None, aside=True)
        threading.Thread(
            target=self._make, args=(call,), name="napari-scope stop", daemon=True
        ).start()

    def drop(self, which: Callable[[object], bool]) -> None:
        """Forget the calls that have not begun and whose key is among these."""
        with self._changed:
            for call in [c for c in self._waiting if which(c.key)]:
                self._waiting.remove(call)
                self._pending.discard(call)
            self._changed.notify_all()

    def settle(self, timeout: float | None = None) -> str:
        """Wait until no call waits or is under way; on any thread.

        A call that waits for itself is not waited for.

        Parameters
        ----------
        timeout : float, optional
            How long, in seconds.

        Returns
        -------
        str
            What is still being done then, in words; empty when all is done.
        """
        if self.is_here:
            return ""
        with self._changed:
            self._changed.wait_for(self._is_at_rest, timeout)
            return "" if self._is_at_rest() else self._now or "a call waits"

    @property
    def is_here(self) -> bool:
        """Whether this is the thread that makes the calls, in the midst of one."""
        return self._worker == threading.get_ident()

    def _is_at_rest(self) -> bool:
        return not self._waiting and self._worker is None

    def end(self, timeout: float | None = 10.0) -> bool:
        """Drop what waits and end the thread; may be used again afterwards.

        Parameters
        ----------
        timeout : float, optional
            How long to wait for the call under way; 0 does not wait for it.

        Returns
        -------
        bool
            Whether the thread has ended: a device that hangs keeps it. Its outcome is
            told to nobody any more.
        """
        with self._changed:
            self._ending = True
            self._waiting.clear()
            thread = self._thread
            self._changed.notify_all()
        was_busy, self._pending = self.busy, set()
        if was_busy:
            self.busy_changed.emit(False)
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def close(self, timeout: float | None = 10.0) -> bool:
        """Drop what waits and end the thread, see `end`; idempotent."""
        return self.end(timeout)

    # ------------------------------------------------------------- the thread

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    rested = self._ending or not self._changed.wait(_REST_S)
                    if rested and not self._waiting:
                        # Under the lock: whoever asks next starts another thread.
                        self._thread = None
                        return
                call = self._waiting.popleft()
                self._now, self._worker = call.what, threading.get_ident()
            self._make(call)
            with self._changed:
                self._now, self._worker = "", None
                self._changed.notify_all()

    def _make(self, call: _Call) -> None:
        result: object = None
        error: BaseException | None = None
        try:
            result = call.function()
        except BaseException as problem:  # handed over whole, whatever it is
            error = problem
        try:
            self._ended.emit(call, result, error)
        except RuntimeError:
            pass  # Qt has deleted this object: nobody is left to be told

    # ------------------------------------------------------------- the GUI thread

    def _on_ended(self, call: _Call, result: object, error: object) -> None:
        listed = call in self._pending
        self._pending.discard(call)
        if isinstance(error, BaseException):
            # Of a call that was given up nobody wants to hear.
            if listed or call.aside:
                self._tell_failure(call, error)
        elif listed and call.then is not None:
            try:
                call.then(result)
            except Exception as problem:  # no exception may leave a slot
                self._tell_failure(call, problem)
        if listed and not self.busy:
            self.busy_changed.emit(False)

    def _tell_failure(self, call: _Call, error: BaseException) -> None:
        if call.failed is not None:
            try:
                call.failed(error)
            except Exception as problem:  # as above
                self.failed.emit(problem, call.what)
        self.failed.emit(error, call.what)

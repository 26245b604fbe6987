"""One call in a thread of its own, its outcome delivered in the GUI thread.

Exceptions never cross a Qt signal: they are caught in the thread and handed over as
values. The GUI asks whether the call is done; nothing in the thread touches Qt.

A call may hang: a device that was unplugged, a folder on a network that is gone. Then
neither a dock nor the program waits for it for ever. Who closes is told what was left
behind; it is cut off with the process.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BackgroundCall"]

_POLL_MS = 30
_PATIENCE_S = 10.0  # how long `close` waits, with the window standing still
_LAST_PATIENCE_S = 20.0  # how long the program waits at its very end

_log = logging.getLogger(__name__)
# Threads whose work matters beyond their dock: what they save is to be saved.
_awaited: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


@dataclass(slots=True)
class _Outcome:
    """What a call has returned or raised."""

    result: object = None
    error: BaseException | None = None
    dropped: bool = False  # nobody waits for it any more


class BackgroundCall(QObject):
    """Runs callables one at a time.

    Parameters
    ----------
    parent : QObject
        Owner.
    abandon : bool
        Whether `close` leaves a call behind instead of waiting for it. Only for calls
        that touch nothing but their own data: they may be cut off with the process.

    Attributes
    ----------
    finished : Signal
        The call returned; carries its result.
    failed : Signal
        The call raised; carries the exception.
    """

    finished = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject, *, abandon: bool = False) -> None:
        super().__init__(parent)
        self._abandon = abandon
        self._thread: threading.Thread | None = None
        self._outcome = _Outcome()
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._look)

    @property
    def busy(self) -> bool:
        """Whether a call is under way or its outcome not yet delivered."""
        return self._thread is not None

    def start(self, call: Callable[[], object], name: str) -> None:
        """Start a call; the previous one must have ended.

        Parameters
        ----------
        call : callable
            What to run.
        name : str
            Name of the thread.
        """
        if self._thread is not None:
            raise RuntimeError(f"{self._thread.name} is still running")
        # Each call has its own: one left behind must not answer for the next.
        self._outcome = outcome = _Outcome()

        def guarded() -> None:
            try:
                outcome.result = call()
            except BaseException as error:  # handed over whole, whatever it is
                if not outcome.dropped:
                    outcome.error = error

        self._thread = threading.Thread(target=guarded, name=name, daemon=True)
        if not self._abandon:
            _awaited.add(self._thread)
        self._thread.start()
        self._timer.start()

    def close(self) -> None:
        """Wait for the call, or abandon it, and drop its outcome; idempotent.

        A call that hangs is waited for 10 s, then the user is told.
        """
        self._timer.stop()
        thread, self._thread = self._thread, None
        outcome, self._outcome = self._outcome, _Outcome()
        outcome.dropped = True
        outcome.error = None
        if thread is None or self._abandon:
            return
        thread.join(_PATIENCE_S)
        if thread.is_alive():
            what = thread.name.removeprefix("napari-scope ")
            _say_left_behind(f"{what!r} does not end and is left behind")

    def _look(self) -> None:
        thread = self._thread
        if thread is None or thread.is_alive():
            return
        self._timer.stop()
        thread.join()
        self._thread = None
        outcome, self._outcome = self._outcome, _Outcome()
        if outcome.error is None:
            self.finished.emit(outcome.result)
        else:
            error, outcome.error = outcome.error, None
            # The frames of the call hold the outcome: with the error in it they would
            # keep each other, and the files that were read, until a collection.
            self.failed.emit(error)


def _say_left_behind(text: str) -> None:
    from napari_scope.widgets.common.notices import notify

    with contextlib.suppress(RuntimeError):  # no window is left to show it in
        notify(text, "warning")


@atexit.register
def _wait_for_the_last() -> None:
    """Let what saves something end, before the threads are cut off."""
    end = time.monotonic() + _LAST_PATIENCE_S
    for thread in list(_awaited):
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            _log.warning("%s did not end and was cut off", thread.name)

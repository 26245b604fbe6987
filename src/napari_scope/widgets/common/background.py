"""One call in a thread of its own, its outcome delivered in the GUI thread.

Exceptions never cross a Qt signal: they are caught in the thread and handed over as
values. The GUI asks whether the call is done; nothing in the thread touches Qt.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BackgroundCall"]

_POLL_MS = 30


@dataclass(slots=True)
class _Outcome:
    """What a call has returned or raised."""

    result: object = None
    error: BaseException | None = None


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
                outcome.error = error

        self._thread = threading.Thread(target=guarded, name=name, daemon=self._abandon)
        self._thread.start()
        self._timer.start()

    def close(self) -> None:
        """Wait for the call, or abandon it, and drop its outcome; idempotent."""
        self._timer.stop()
        thread, self._thread = self._thread, None
        if thread is not None and not self._abandon:
            thread.join()

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
            self.failed.emit(outcome.error)

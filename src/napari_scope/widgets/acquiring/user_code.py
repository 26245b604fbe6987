"""Runs code of the user in a thread, for a limited time.

Code that raises is told, code that does not end is asked to stop and given up: the
GUI never waits for it. Python can stop a thread only between two of its steps; one
that sleeps or waits inside a library is left behind and ends with the process.
"""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["UserCode"]

_POLL_MS = 30
_LIMIT_S = 10.0


class _Stopped(BaseException):
    """Raised inside code that takes too long."""


class UserCode(QObject):
    """Runs one call at a time; a new one makes the one before count no more.

    Parameters
    ----------
    parent : QObject
        Owner.
    limit_s : float
        How long a call may take.

    Attributes
    ----------
    finished : Signal
        The call returned; carries its result.
    failed : Signal
        It raised or took too long; carries the exception.
    """

    finished = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject, limit_s: float = _LIMIT_S) -> None:
        super().__init__(parent)
        self.limit_s = limit_s
        self._call: _Call | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._look)
        self._waited_ms = 0

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        return self._call is not None

    def start(self, function: Callable[[], object]) -> None:
        """Start a call."""
        self.stop()
        self._call = _Call(function)
        self._waited_ms = 0
        self._timer.start()

    def stop(self) -> None:
        """Ask the call to stop and drop its outcome; idempotent."""
        self._timer.stop()
        call, self._call = self._call, None
        if call is not None:
            call.stop()

    def _look(self) -> None:
        call = self._call
        if call is None:
            return
        if not call.thread.is_alive():
            self._timer.stop()
            self._call = None
            if call.error is None:
                self.finished.emit(call.result)
            else:
                self.failed.emit(call.error)
            return
        self._waited_ms += _POLL_MS
        if self._waited_ms >= self.limit_s * 1000:
            self.stop()
            self.failed.emit(
                PlanError(
                    f"the code did not end within {self.limit_s:g} s",
                    hint="let it give its events by and by: write plan() as a "
                    "generator, with yield",
                )
            )


class _Call:
    def __init__(self, function: Callable[[], object]) -> None:
        self.result: object = None
        self.error: BaseException | None = None
        self._function = function
        self.thread = threading.Thread(
            target=self._run, name="napari-scope user code", daemon=True
        )
        self.thread.start()

    def _run(self) -> None:
        try:
            self.result = self._function()
        except BaseException as error:  # handed over whole, whatever it is
            self.error = error

    def stop(self, patience_s: float = 0.2) -> None:
        """Raise inside the thread."""
        thread = self.thread
        if not thread.is_alive() or thread.ident is None:
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(_Stopped)
        )
        thread.join(patience_s)

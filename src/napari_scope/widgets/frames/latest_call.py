"""Calls in a thread of which only the latest counts.

While one is under way, the next waits; of several that wait only the last one is made,
and an outcome that nobody waits for any more is still delivered: it is what is known
until the next comes. A slider that is dragged over a slow store thus never queues up.

A call that hangs, as a server does that is gone, holds nobody up: a call about another
thing is made at once, one about the same after some seconds, and what hung is left
behind. Only a few are; then the next waits after all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LatestCall"]

_PATIENCE_S: Final = 5.0
_MOST_LEFT: Final = 4  # calls that were left behind and have not ended


class LatestCall(QObject):
    """Makes calls one at a time.

    Parameters
    ----------
    parent : QObject
        Owner.
    name : str
        Name of the thread.

    Attributes
    ----------
    finished : Signal
        A call returned; carries what it was made for and its result.
    failed : Signal
        A call raised; carries what it was made for and the exception.
    """

    finished = Signal(object, object)
    failed = Signal(object, object)

    def __init__(self, parent: QObject, name: str) -> None:
        super().__init__(parent)
        self._name = name
        self._key: object = None
        self._about: object = None
        self._next: tuple[object, Callable[[], object], object] | None = None
        self._closed = False
        self._began_s = 0.0
        self._going: set[object] = set()
        self._call = BackgroundCall(self, abandon=True)
        self._call.finished.connect(lambda result: self._end(result, None))
        self._call.failed.connect(lambda error: self._end(None, error))
        self._impatient = QTimer(self)
        self._impatient.setSingleShot(True)
        self._impatient.timeout.connect(self._leave)

    @property
    def busy(self) -> bool:
        """Whether a call is under way or waits."""
        return self._call.busy or self._next is not None

    @property
    def waiting(self) -> bool:
        """Whether a call waits for the one under way."""
        return self._next is not None

    def do(
        self, key: object, function: Callable[[], object], about: object = None
    ) -> None:
        """Make a call, now or when the one under way has ended.

        Parameters
        ----------
        key : object
            What it is made for.
        function : callable
            The call; it must not touch widgets.
        about : object
            What is read. A call about something else does not wait for this one.
        """
        if self._closed:
            return
        self._next = key, function, about
        if not self._call.busy:
            self._start()
        elif about != self._about:
            self._leave()
        elif not self._impatient.isActive():
            left_s = self._began_s + _PATIENCE_S - time.monotonic()
            self._impatient.start(max(0, round(1000 * left_s)))

    def forget(self) -> None:
        """Do not make the call that waits, and deliver nothing of the one under way."""
        self._next = None
        self._key = None

    def close(self) -> None:
        """Make no call any more; one under way is left behind. Idempotent."""
        self._closed = True
        self._next = None
        self._impatient.stop()
        self._call.close()

    def _start(self) -> None:
        if self._next is None or self._call.busy:
            return
        (self._key, function, self._about), self._next = self._next, None
        self._impatient.stop()
        self._began_s = time.monotonic()
        going, token = self._going, object()
        going.add(token)

        def call() -> object:
            try:
                return function()
            finally:
                going.discard(token)

        self._call.start(call, self._name)

    def _leave(self) -> None:
        """Leave the call under way behind, if not too many were left already."""
        if self._next is not None and len(self._going) <= _MOST_LEFT:
            self._call.close()
            self._start()

    def _end(self, result: object, error: object) -> None:
        key = self._key
        if key is not None and error is None:
            self.finished.emit(key, result)
        elif key is not None:
            self.failed.emit(key, error)
        self._start()

"""Readings of which only the newest counts, answered within milliseconds.

For what follows the mouse: one thread waits for something to read, takes the newest of
what was asked for, and its outcome is delivered in the GUI thread a moment later. What
was asked for while it read is forgotten, but for the last. A reading that hangs is left
behind with its thread when the owner closes.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, Qt, QTimer, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NewestReading"]

_POLL_MS: Final = 2


class _Desk:
    """What the two threads hand over to each other."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.wanted: tuple[object, Callable[[], object]] | None = None
        self.answers: list[tuple[object, object, BaseException | None]] = []
        self.reading = False
        self.closed = False


def _work(desk: _Desk) -> None:
    while True:
        with desk.changed:
            desk.changed.wait_for(lambda: desk.closed or desk.wanted is not None)
            if desk.closed or desk.wanted is None:
                return
            (key, call), desk.wanted = desk.wanted, None
            desk.reading = True
        result: object = None
        error: BaseException | None = None
        try:
            result = call()
        except BaseException as raised:  # handed over whole, whatever it is
            error = raised
        del call
        with desk.changed:
            desk.reading = False
            if not desk.closed:
                desk.answers = [(key, result, error)]
        del key, result, error


class NewestReading(QObject):
    """Reads in a thread.

    Parameters
    ----------
    parent : QObject
        Owner.
    name : str
        Name of the thread.

    Attributes
    ----------
    finished : Signal
        Carries what was asked for and the outcome.
    failed : Signal
        Carries what was asked for and the exception.
    """

    finished = Signal(object, object)
    failed = Signal(object, object)

    def __init__(self, parent: QObject, name: str) -> None:
        super().__init__(parent)
        self._name = name
        self._desk = _Desk()
        self._thread: threading.Thread | None = None
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._look)

    @property
    def busy(self) -> bool:
        """Whether something is read, or its outcome not yet delivered."""
        desk = self._desk
        with desk.changed:
            return desk.reading or desk.wanted is not None or bool(desk.answers)

    def do(self, key: object, call: Callable[[], object]) -> None:
        """Read something; what waits to be read is not read any more.

        Parameters
        ----------
        key : object
            What it is.
        call : callable
            The reading; it must not touch widgets.
        """
        desk = self._desk
        with desk.changed:
            if desk.closed:
                return
            desk.wanted = key, call
            desk.changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(
                target=_work, args=(desk,), name=self._name, daemon=True
            )
            self._thread.start()
        self._timer.start()

    def forget(self) -> None:
        """Deliver nothing of what was asked for until now."""
        desk = self._desk
        with desk.changed:
            desk.wanted = None
            desk.answers = []
        if self._thread is not None and desk.reading:
            # Its outcome comes later: another desk keeps it from being delivered.
            self._end()
            self._desk = _Desk()

    def close(self) -> None:
        """Read nothing any more; idempotent."""
        self._timer.stop()
        self._end()

    def _end(self) -> None:
        desk, self._thread = self._desk, None
        with desk.changed:
            desk.closed = True
            desk.wanted = None
            desk.answers = []
            desk.changed.notify()

    def _look(self) -> None:
        desk = self._desk
        with desk.changed:
            answers, desk.answers = desk.answers, []
            idle = not desk.reading and desk.wanted is None
        if idle:
            self._timer.stop()
        for key, result, error in answers:
            if error is None:
                self.finished.emit(key, result)
            else:
                self.failed.emit(key, error)

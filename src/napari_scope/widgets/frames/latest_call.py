"""Calls in a thread of which only the latest counts.

While one is under way, the next waits; of several that wait only the last one is made,
and an outcome that nobody waits for any more is still delivered: it is what is known
until the next comes. A slider that is dragged over a slow store thus never queues up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LatestCall"]


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
        self._next: tuple[object, Callable[[], object]] | None = None
        self._closed = False
        self._call = BackgroundCall(self, abandon=True)
        self._call.finished.connect(lambda result: self._end(result, None))
        self._call.failed.connect(lambda error: self._end(None, error))

    @property
    def busy(self) -> bool:
        """Whether a call is under way or waits."""
        return self._call.busy or self._next is not None

    def do(self, key: object, function: Callable[[], object]) -> None:
        """Make a call, now or when the one under way has ended.

        Parameters
        ----------
        key : object
            What it is made for.
        function : callable
            The call; it must not touch widgets.
        """
        if self._closed:
            return
        self._next = key, function
        self._start()

    def forget(self) -> None:
        """Do not make the call that waits, and deliver nothing of the one under way."""
        self._next = None
        self._key = None

    def close(self) -> None:
        """Make no call any more; one under way is left behind. Idempotent."""
        self._closed = True
        self._next = None
        self._call.close()

    def _start(self) -> None:
        if self._next is None or self._call.busy:
            return
        (self._key, function), self._next = self._next, None
        self._call.start(function, self._name)

    def _end(self, result: object, error: object) -> None:
        key = self._key
        if key is not None and error is None:
            self.finished.emit(key, result)
        elif key is not None:
            self.failed.emit(key, error)
        self._start()

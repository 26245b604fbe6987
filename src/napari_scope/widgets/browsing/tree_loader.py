"""Reads for the tree in a few threads, in the order in which they were asked for.

A read over a network may take for ever. It takes one of a few threads then, the others
go on, and the window never waits. It knows neither nodes nor views.

Examples
--------
>>> loader = TreeLoader(dock)  # doctest: +SKIP
>>> loader.ask("children", node.children, show, complain)  # doctest: +SKIP
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["TreeLoader"]

_THREADS: Final = 4
_MOST_AT_ONCE: Final = 8


class TreeLoader(QObject):
    """Calls functions in a few threads and hands over what they return.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    busy_changed : Signal
        Whether something is being read; carries a bool.
    """

    busy_changed = Signal(bool)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: deque[_Wish] = deque()
        self._asked: set[Hashable] = set()
        self._calls: list[BackgroundCall] = []
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether something is being read or waits for it."""
        return bool(self._asked)

    def ask(
        self,
        key: Hashable,
        call: Callable[[], object],
        then: Callable[[object], None],
        otherwise: Callable[[BaseException], None],
    ) -> None:
        """Call a function in a thread; what is asked twice is called once.

        Parameters
        ----------
        key : hashable
            What is asked; the same key is not asked again before it is answered.
        call : callable
            Reads; runs in a thread.
        then : callable
            Gets the result in the GUI thread.
        otherwise : callable
            Gets the exception in the GUI thread, if the call raised.
        """
        if self._closed or key in self._asked:
            return
        was_busy = self.busy
        self._asked.add(key)
        self._waiting.append(_Wish(key, call, then, otherwise))
        if not was_busy:
            self.busy_changed.emit(True)
        self._start()

    def forget(self) -> None:
        """Drop all that was asked; what is being read is left behind."""
        self._waiting.clear()
        self._asked.clear()
        for call in self._calls:
            call.close()
            call.deleteLater()
        self._calls.clear()
        self.busy_changed.emit(False)

    def close(self) -> None:
        """Let go of everything; idempotent."""
        if not self._closed:
            self.forget()
            self._closed = True

    def _start(self) -> None:
        free = [call for call in self._calls if not call.busy]
        while self._waiting and (free or len(self._calls) < _THREADS):
            call = free.pop() if free else self._new_call()
            wishes = [self._waiting.popleft()]
            # One thread for several small reads, unless other threads have nothing.
            share = len(self._waiting) // _THREADS
            for _ in range(min(share, _MOST_AT_ONCE)):
                wishes.append(self._waiting.popleft())
            call.start(_all_of(wishes), "napari-scope tree")

    def _new_call(self) -> BackgroundCall:
        call = BackgroundCall(self, abandon=True)
        call.finished.connect(self._on_finished)
        self._calls.append(call)
        return call

    def _on_finished(self, answers: list[tuple[_Wish, object]]) -> None:
        for wish, _ in answers:
            self._asked.discard(wish.key)
        self._start()
        for wish, answer in answers:
            if isinstance(answer, _Failure):
                wish.otherwise(answer.error)
            else:
                wish.then(answer)
        if not self.busy:
            self.busy_changed.emit(False)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to be read, and who waits for it."""

    key: Hashable
    call: Callable[[], object]
    then: Callable[[object], None]
    otherwise: Callable[[BaseException], None]


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


def _all_of(wishes: list[_Wish]) -> Callable[[], list[tuple[_Wish, object]]]:
    def call() -> list[tuple[_Wish, object]]:
        answers: list[tuple[_Wish, object]] = []
        for wish in wishes:
            try:
                answers.append((wish, wish.call()))
            except Exception as error:  # handed over whole, to the one who asked
                answers.append((wish, _Failure(error)))
        return answers

    return call

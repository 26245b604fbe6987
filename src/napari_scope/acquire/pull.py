"""Reading an iterator that may block, without being bound to wait for it.

A generator of events may wait for a result, a user, a message. `Puller` reads it on a
thread of its own, one item at a time and only when asked, so that a run that is
cancelled does not wait with it. An iterator that is given up keeps its thread until it
returns; the thread does not keep the process alive.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Puller"]

T = TypeVar("T")

_LOOK_S = 0.05


class Puller(Iterator[T], Generic[T]):
    """Reads an iterator; ends early when that is wished.

    Parameters
    ----------
    iterator : iterator
        Read on one thread only; its exceptions come out here.
    given_up : callable
        Whether nobody wants the next item any more.
    """

    def __init__(self, iterator: Iterator[T], given_up: Callable[[], bool]) -> None:
        self._iterator = iterator
        self._given_up = given_up
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._over = False
        self._asked_at: float | None = None

    @property
    def waited_s(self) -> float:
        """How long the item that is asked for has been waited for, in seconds."""
        asked = self._asked_at
        return 0.0 if asked is None else time.monotonic() - asked

    def __next__(self) -> T:
        """Return the next item, or end if it is not wanted any more."""
        if self._over:
            raise StopIteration
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="napari-scope plan", daemon=True
            )
            self._thread.start()
        self._asked_at = time.monotonic()
        self._asked.put(True)
        try:
            return self._answer()
        finally:
            self._asked_at = None

    def _answer(self) -> T:
        while True:
            try:
                answer = self._answers.get(timeout=_LOOK_S)
            except queue.Empty:
                if self._given_up():
                    self.close()
                    raise StopIteration from None
                continue
            if isinstance(answer, _End):
                self._over = True
                if answer.error is not None:
                    raise answer.error
                raise StopIteration
            return answer

    def close(self) -> None:
        """Ask for nothing more; the thread ends as soon as the iterator lets it."""
        self._over = True
        self._asked.put(False)

    def _run(self) -> None:
        while self._asked.get():
            try:
                self._answers.put(next(self._iterator))
            except StopIteration:
                self._answers.put(_End(None))
                return
            except BaseException as error:
                self._answers.put(_End(error))
                return


class _End:
    """The iterator is over, perhaps by an error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error

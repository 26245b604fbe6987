"""News for listeners, told by a thread of their own.

The thread is made when the first listener is there. Who has news only appends them to
a short queue: a slow or broken listener costs nothing. When listeners fall far behind,
the oldest news are left out and counted.

Examples
--------
>>> class Kitchen(Telling):
...     ready = Signal(str)
>>> kitchen, heard = Kitchen(), []
>>> _ = kitchen.ready.connect(heard.append)
>>> kitchen.tell("ready", "soup")
>>> kitchen.finish()
>>> heard
['soup']
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Protocol

from psygnal import EmitLoopError, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Signal", "Teller", "Telling"]

_logger = logging.getLogger(__name__)

_MOST_NEWS = 10_000
_PATIENCE_S = 1.0


class Teller(Protocol):
    """Somebody who can be told news."""

    def wanted(self, kind: str) -> bool:
        """Return whether anybody listens."""

    def tell(self, kind: str, news: object) -> None:
        """Pass on news; never waits for a listener."""


class Telling:
    """Base of classes whose attributes are psygnal signals with one argument.

    Signals are emitted by a thread; ``connect(f, thread="main")`` of psygnal calls
    elsewhere. An error of a listener harms nobody: the first of each signal is logged,
    and at the end how many there were.

    Attributes
    ----------
    missed : int
        News that were left out because listeners were too slow.
    """

    def __init__(self) -> None:
        self.missed = 0
        self._news: deque[tuple[str, object]] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._relays: dict[str, list[tuple[Teller, str, Callable[[Any], object]]]] = {}

    def relay(
        self, kind: str, to: Teller, as_kind: str, convert: Callable[[Any], object]
    ) -> None:
        """Pass the news of a kind on to another teller, for its listeners.

        Parameters
        ----------
        kind : str
            Name of the signal.
        to, as_kind
            The other, which is told at once, and the name of its signal.
        convert : callable
            Makes its news from ours.
        """
        self._relays.setdefault(kind, []).append((to, as_kind, convert))

    def wanted(self, kind: str) -> bool:
        """Return whether anybody listens."""
        if len(getattr(self, kind)) > 0:
            return True
        return any(to.wanted(other) for to, other, _ in self._relays.get(kind, ()))

    def tell(self, kind: str, news: object) -> None:
        """Pass on news, if anybody listens; never waits for a listener."""
        for to, other, convert in self._relays.get(kind, ()):
            if to.wanted(other):
                to.tell(other, convert(news))
        if len(getattr(self, kind)) == 0:
            return
        with self._changed:
            if len(self._news) >= _MOST_NEWS:
                self._news.popleft()
                self.missed += 1
            self._news.append((kind, news))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="napari-scope news", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def finish(self) -> None:
        """Let listeners hear what is left; waits a second for slow ones, not more."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        # A listener may close the stream itself.
        if self._thread not in (None, threading.current_thread()):
            assert self._thread is not None
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        failed: Counter[str] = Counter()
        while True:
            with self._changed:
                while not self._news:
                    if self._ending:
                        for kind, times in failed.items():
                            if times > 1:
                                told = "listeners of %r failed %d times in all"
                                _logger.error(told, kind, times)
                        return
                    self._changed.wait()
                kind, news = self._news.popleft()
            try:
                getattr(self, kind).emit(news)
            except EmitLoopError as error:
                failed[kind] += 1
                if failed[kind] == 1:
                    _logger.error("a listener failed: %s", error)

"""What could not be read of a plate: each thing once, told in bundles.

Tiles are read by many threads, long after the plate was opened. What they find wrong is
collected here, and whoever wants to tell the user gets what is new after each read.

Examples
--------
>>> problems = PlateProblems()
>>> heard = []
>>> problems.listen(heard.append)
>>> for sentence in ("A/1 is blank", "A/2 is blank", "A/1 is blank"):
...     problems.add(sentence)
>>> problems.tell()
>>> heard
[('A/1 is blank', 'A/2 is blank')]
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["PlateProblems"]

_MOST = 1000  # sentences that are kept; more would tell no more
_BUNDLES = 3  # told; a plate on a broken disk must not fill the screen


class PlateProblems:
    """Sentences on what could not be read.

    Parameters
    ----------
    known : iterable of str
        What was found when the plate was opened; it is not told again.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._all = dict.fromkeys(known)
        self._new: list[str] = []
        self._told = 0
        self._listener: Callable[[tuple[str, ...]], None] | None = None
        self._lock = threading.Lock()

    @property
    def all(self) -> tuple[str, ...]:
        """Everything that was found, up to a thousand sentences."""
        return tuple(self._all)

    def add(self, sentence: str) -> None:
        """Note a sentence; one that is known already counts no more."""
        with self._lock:
            if sentence not in self._all and len(self._all) < _MOST:
                self._all[sentence] = None
                self._new.append(sentence)

    def listen(self, listener: Callable[[tuple[str, ...]], None]) -> None:
        """Have what is found from now on told to a function, in any thread."""
        with self._lock:
            self._listener = listener
            self._new.clear()

    def tell(self) -> None:
        """Tell what is new, if there is anything; only the first few times."""
        if not self._new:
            return
        with self._lock:
            new, self._new = tuple(self._new), []
            listener = self._listener if self._told < _BUNDLES else None
            self._told += bool(new and listener)
        if listener is not None and new:
            listener(new)

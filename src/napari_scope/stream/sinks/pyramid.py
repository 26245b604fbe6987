"""The coarse levels of a store, made while frames still arrive.

A thread of its own takes the addresses of committed frames, reads each back (from the
page cache, as a rule), halves it and writes the levels. It yields to the stream: while
the buffer fills it pauses, and what is left is done when the store is closed.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from napari_scope.arrays import halve

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from napari_scope.stream.router import Address

__all__ = ["PyramidWorker"]

_PAUSE_S = 0.05


class PyramidWorker:
    """Makes the coarse levels of one store.

    Parameters
    ----------
    read : callable
        Returns the committed frame at an address.
    write : callable
        Stores a coarse frame: level (1 and up), address, pixels.
    levels : int
        Number of levels with full resolution.
    under_pressure : callable
        Whether the stream needs the machine for itself right now.
    """

    def __init__(
        self,
        read: Callable[[Address], npt.NDArray[np.generic] | None],
        write: Callable[[int, Address, npt.NDArray[np.generic]], None],
        levels: int,
        under_pressure: Callable[[], bool],
    ) -> None:
        self._read = read
        self._write = write
        self._levels = levels
        self._under_pressure = under_pressure
        self._pending: deque[Address] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._aborted = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, name="napari-scope pyramid", daemon=True
        )
        self._thread.start()

    def add(self, address: Address) -> None:
        """Note a committed frame; raises what stopped the worker, if anything did."""
        self._raise()
        with self._wake:
            self._pending.append(address)
            self._wake.notify()

    def finish(self) -> None:
        """Make all levels that are still missing and stop; raises what went wrong."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._raise()

    def abort(self) -> None:
        """Stop without making what is missing."""
        with self._wake:
            self._aborted = True
            self._wake.notify()
        self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while (address := self._next()) is not None:
                frame = self._read(address)
                for level in range(1, self._levels):
                    if frame is None:
                        break
                    frame = halve(frame)
                    self._write(level, address, frame)
        except BaseException as error:  # raised at the next add or finish
            self._error = error

    def _next(self) -> Address | None:
        with self._wake:
            while True:
                if self._aborted or (self._closing and not self._pending):
                    return None
                if self._pending and (self._closing or not self._under_pressure()):
                    return self._pending.popleft()
                # A full buffer empties without telling us, so look again soon.
                self._wake.wait(_PAUSE_S if self._pending else None)

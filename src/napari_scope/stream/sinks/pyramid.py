"""The coarse levels of a store, made while frames still arrive.

A frame that is being written is in memory anyway, so that is when it is halved: by a
thread of its own while the writer is busy with the disk or the codec, the rest by the
writer when it is done, before it gives the buffers back. Halved frames wait, as many as
32 MiB hold, until that thread has written them and made the coarser levels of them.

The levels yield to the stream. While its buffer fills, and where there is no room for
another halved frame, only the address of a frame is noted; it is read back later, when
the store is closed at the latest. So are frames that were written at once.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.arrays import halve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

    from napari_scope.stream.router import Address

    Pixels: TypeAlias = npt.NDArray[np.generic]

__all__ = ["PyramidWorker"]

_PAUSE_S = 0.05
_MOST_BYTES = 32 * 1024 * 1024  # of halved frames that are not written yet
_AT_ONCE = 16  # frames that are written together


class PyramidWorker:
    """Makes the coarse levels of one store.

    `lend`, `take_back` and `add` are called by the writer only.

    Parameters
    ----------
    read : callable
        Returns the committed frame at an address.
    write : callable
        Stores frames of a coarse level: level (1 and up), addresses with pixels.
    levels : int
        Number of levels with full resolution.
    frame_bytes : int
        Size of a frame at full resolution.
    under_pressure : callable
        Whether the stream needs the machine for itself right now.
    """

    def __init__(
        self,
        read: Callable[[Address], Pixels | None],
        write: Callable[[int, Sequence[tuple[Address, Pixels]]], None],
        levels: int,
        frame_bytes: int,
        under_pressure: Callable[[], bool],
    ) -> None:
        self._read = read
        self._write = write
        self._levels = levels
        self._most = max(1, _MOST_BYTES // max(1, frame_bytes // 4))
        self._under_pressure = under_pressure
        self._lent: deque[tuple[Address, Pixels]] = deque()
        self._halved: deque[tuple[Address, Pixels]] = deque()
        self._noted: deque[Address] = deque()
        self._held = 0  # halved frames, and those that are being halved or written
        self._halving = False  # the thread has a lent frame in hand
        self._wake = threading.Condition()
        self._closing = False
        self._aborted = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, name="napari-scope pyramid", daemon=True
        )
        self._thread.start()

    # ------------------------------------------------------------- by the writer

    def lend(self, frames: Iterable[tuple[Address, Pixels]]) -> None:
        """Let frames be halved until `take_back`."""
        with self._wake:
            self._lent.extend(frames)
            self._wake.notify_all()

    def take_back(self) -> None:
        """End the loan: no lent frame is touched when this returns.

        What is not halved by then is halved here, or noted.
        """
        try:
            while (task := self._take_lent()) is not None:
                self._keep(*task)
        finally:
            with self._wake:
                self._noted.extend(address for address, _ in self._lent)
                self._lent.clear()
                while self._halving:
                    self._wake.wait()
                self._wake.notify_all()

    def add(self, *addresses: Address) -> None:
        """Note committed frames; raises what stopped the worker, if anything did."""
        self._raise()
        with self._wake:
            self._noted.extend(addresses)
            self._wake.notify_all()

    def finish(self) -> None:
        """Make all levels that are still missing and stop; raises what went wrong."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join()
        self._raise()

    def abort(self) -> None:
        """Stop without making what is missing."""
        with self._wake:
            self._aborted = True
            self._wake.notify_all()
        self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    # ------------------------------------------------------------- by both

    def _take_lent(self) -> tuple[Address, Pixels] | None:
        """Take a lent frame, if it should be halved now; called with or without lock.

        There is room for its half, and the stream can spare the time.
        """
        with self._wake:
            if not self._lent or self._held >= self._most or self._stopped():
                return None
            if self._under_pressure():
                return None
            self._held += 1
            return self._lent.popleft()

    def _stopped(self) -> bool:
        return self._aborted or self._error is not None

    def _keep(self, address: Address, frame: Pixels) -> None:
        half = halve(frame)
        with self._wake:
            self._halved.append((address, half))
            self._wake.notify_all()

    # ------------------------------------------------------------- by the thread

    def _run(self) -> None:
        try:
            while (work := self._next()) is not None:
                work()
        except BaseException as error:  # raised at the next call or by finish
            with self._wake:
                self._error = error
                self._wake.notify_all()

    def _next(self) -> Callable[[], None] | None:
        """Wait for something to do; None at the end."""
        with self._wake:
            while True:
                if self._aborted:
                    return None
                task = self._take_lent()
                if task is not None:
                    self._halving = True
                    return lambda: self._halve_lent(*task)
                waiting = bool(self._halved or self._noted)
                if self._closing and not waiting:
                    return None
                if waiting and (self._closing or not self._under_pressure()):
                    if self._halved:
                        return self._write_halved
                    address = self._noted.popleft()
                    return lambda: self._read_back(address)
                # A full buffer empties without telling us, so look again soon.
                self._wake.wait(_PAUSE_S if waiting else None)

    def _halve_lent(self, address: Address, frame: Pixels) -> None:
        try:
            self._keep(address, frame)
        finally:
            with self._wake:
                self._halving = False
                self._wake.notify_all()

    def _write_halved(self) -> None:
        with self._wake:
            count = min(len(self._halved), _AT_ONCE)
            frames = [self._halved.popleft() for _ in range(count)]
        self._write_levels(frames)
        with self._wake:
            self._held -= count

    def _read_back(self, address: Address) -> None:
        frame = self._read(address)
        if frame is not None:
            self._write_levels([(address, halve(frame))])

    def _write_levels(self, frames: list[tuple[Address, Pixels]]) -> None:
        """Write frames of the first coarse level, and the levels that follow."""
        for level in range(1, self._levels):
            if level > 1:
                frames = [(address, halve(frame)) for address, frame in frames]
            self._write(level, frames)

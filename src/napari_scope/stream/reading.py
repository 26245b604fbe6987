"""Frames of a stream for those who look: from the buffer, or back from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from napari_scope.stream.ledger import Ledger
    from napari_scope.stream.router import Address
    from napari_scope.stream.sinks.base import Sink

__all__ = ["FrameReader"]


class FrameReader:
    """Reads frames wherever they are; from any thread.

    Parameters
    ----------
    ledger : Ledger
        Knows the frames that are under way.
    sinks : sequence of Sink
        Have the others.
    is_there : callable
        Whether a frame that is not under way was taken, and not at this moment is
        being written; called under the lock of the ledger.
    has_failed : callable
        Whether a sink has failed.
    """

    def __init__(
        self,
        ledger: Ledger,
        sinks: Sequence[Sink],
        *,
        is_there: Callable[[Address], bool],
        has_failed: Callable[[Sink], bool],
    ) -> None:
        self._ledger = ledger
        self._sinks = sinks
        self._is_there = is_there
        self._has_failed = has_failed

    def read(self, address: Address) -> npt.NDArray[np.generic] | None:
        """Return a copy of a frame, or None where there is none."""
        with self._ledger.lock:
            item = self._ledger.lend(address)
            if item is None and not self._is_there(address):
                return None
        if item is not None:
            try:
                if item.frame is not None:
                    return item.frame.copy()
            finally:
                self._ledger.take_back(item)
        # A sink that failed may have a hole where another has the frame.
        for sink in sorted(self._sinks, key=self._has_failed):
            frame = sink.read(address)
            if frame is not None:
                return frame
        return None

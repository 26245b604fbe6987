"""The short way of a frame: written by the thread that brings it, without a copy.

A writer thread pays when the disk is slow. While the system takes data as fast as
memory does, handing a frame over costs more than writing it: a copy, fresh memory, two
switches of threads. So a frame is written at once if the writer has nothing else to
do. Slow writes end this for a while: then frames go through the buffer, which is there
to hide such a disk from the camera.

Only pixels take this way. The line of the journal follows by the writer thread.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from napari_scope.errors import ScopeError
from napari_scope.stream.sinks.base import checksum

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_scope.stream.sinks.base import FrameItem, Sink
    from napari_scope.stream.spec import StoreSpec

__all__ = ["Shortcut"]

# A frame written at less than 1 GB/s is slow: a copy takes a tenth of that, and the
# rest is then better done by another processor.
_SLOW_S, _SLOW_BYTES_PER_S = 0.0005, 1e9

# One slow write may be a file that was made or a processor that was busy. After two in
# a row the way is closed for this many times as long: whatever the disk does, the
# caller waits for it no more than a fifth of the time.
_CLOSED_TIMES = 4
_CLOSED_S = 1.0  # after a write that failed

# From this size on a checksum takes longer than to ask another thread for it.
_BESIDE_BYTES = 2 * 1024 * 1024


class Shortcut:
    """Decides whether frames may be written at once, and does it.

    Parameters
    ----------
    frame_bytes : int
        Size of a frame in bytes.
    """

    def __init__(self, frame_bytes: int) -> None:
        self._slow_s = _SLOW_S + frame_bytes / _SLOW_BYTES_PER_S
        self._large = frame_bytes >= _BESIDE_BYTES
        self._helper: ThreadPoolExecutor | None = None
        self._open_from = 0.0
        self._lost_s = 0.0

    @property
    def open(self) -> bool:
        """Whether the last writes were fast."""
        return time.perf_counter() >= self._open_from

    def write(
        self,
        sink: Sink,
        item: FrameItem,
        pixels: npt.NDArray[np.generic],
        spec: StoreSpec,
    ) -> bool:
        """Write the pixels of an item without a frame and note their checksum.

        Returns
        -------
        bool
            Whether it is done. If not, the frame has to go through the buffer; an
            error of the disk will happen there again and be dealt with there.
        """
        if not pixels.flags.c_contiguous:
            return False
        start = time.perf_counter()
        try:
            written = self._write(sink, item, pixels, spec)
        except (OSError, ScopeError):
            written = False
        now = time.perf_counter()
        if not written:
            self._open_from = now + _CLOSED_S
        elif now - start < self._slow_s:
            self._lost_s = 0.0
        elif self._lost_s:
            self._open_from = now + _CLOSED_TIMES * (self._lost_s + now - start)
            self._lost_s = 0.0
        else:
            self._lost_s = now - start
        return written

    def _write(
        self,
        sink: Sink,
        item: FrameItem,
        pixels: npt.NDArray[np.generic],
        spec: StoreSpec,
    ) -> bool:
        if not self._large:
            written = sink.write_at_once(item, pixels, spec)
            item.crc32c = checksum(pixels)
            return written
        if self._helper is None:
            self._helper = ThreadPoolExecutor(1, "napari-scope checksum")
        result = self._helper.submit(checksum, pixels)
        try:
            return sink.write_at_once(item, pixels, spec)
        finally:
            # On a busy machine the helper has not even begun.
            mine = result.cancel()
            item.crc32c = checksum(pixels) if mine else result.result()

    def close(self) -> None:
        """End the helper."""
        if self._helper is not None:
            self._helper.shutdown()
            self._helper = None

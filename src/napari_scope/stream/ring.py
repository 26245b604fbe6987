"""A bounded pool of frame buffers: the only memory that frames under way take.

Buffers are made when they are first needed, page aligned, and given out last in first
out, so that a stream that keeps up works in the same few buffers, which stay in the
processor's cache. When all are taken, the caller waits, is told, or drops.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import threading
import time
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["OverflowPolicy", "Ring", "default_ring_bytes"]

OverflowPolicy: TypeAlias = Literal["block", "raise", "drop"]

_MIN_SLOTS = 8
_FEW = 4
_BLOCK_BYTES = 8 * 1024 * 1024  # memory that is asked for at a time
_FRESH_BYTES_PER_S = 1e9  # the system finds and clears each page that is touched first
_MAX_DEFAULT = 512 * 1024 * 1024


def default_ring_bytes() -> int:
    """Return the default size of the pool: a tenth of the memory, 512 MiB at most."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return _MAX_DEFAULT
    return min(_MAX_DEFAULT, memory // 10)


class Ring:
    """The pool.

    Parameters
    ----------
    frame_shape : tuple of int
        Shape of a frame.
    dtype : numpy.dtype
        Type of the pixels.
    limit_bytes : int, optional
        Size of the pool; at least eight frames whatever it says.
    """

    def __init__(
        self,
        frame_shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
        *,
        limit_bytes: int | None = None,
    ) -> None:
        self._shape = frame_shape
        self._dtype = dtype
        frame_bytes = math.prod(frame_shape) * dtype.itemsize
        limit = default_ring_bytes() if limit_bytes is None else limit_bytes
        self.slots = max(_MIN_SLOTS, limit // max(1, frame_bytes))
        self._fresh_s = frame_bytes / _FRESH_BYTES_PER_S
        self._made = 0
        self._free: list[npt.NDArray[np.generic]] = []
        self._rest: list[tuple[mmap.mmap, int]] = []  # memory for more buffers
        self._changed = threading.Condition()
        self._broken = self._closed = False
        self.waited_s = 0.0

    @property
    def used(self) -> int:
        """Number of buffers that hold frames not yet written."""
        with self._changed:
            return self._made - len(self._free)

    def is_filling(self) -> bool:
        """Return whether more than half of the buffers are in use."""
        return self.used > self.slots // 2

    def acquire(self, *, wait: bool = True) -> npt.NDArray[np.generic] | None:
        """Return a free buffer, or None when there is none (or the ring was broken).

        Parameters
        ----------
        wait : bool
            Wait until one is free.
        """
        with self._changed:
            if not self._free and self._made >= self.slots:
                if not wait:
                    return None
                start = time.perf_counter()
                while not self._free and self._made >= self.slots and not self._broken:
                    self._changed.wait()
                self.waited_s += time.perf_counter() - start
            elif wait and not self._free and self._made >= _FEW:
                # Fresh memory costs more than a short wait for memory in the cache.
                self._changed.wait(self._fresh_s)
            if self._broken:
                return None
            if self._free:
                return self._free.pop()
            self._made += 1
        try:
            return self._make()
        except BaseException:
            with self._changed:
                self._made -= 1
                self._changed.notify()
            raise

    def release(self, buffer: npt.NDArray[np.generic]) -> None:
        """Give a buffer back."""
        with self._changed:
            if self._closed:
                self._made -= 1
                return
            self._free.append(buffer)
            self._changed.notify()

    def break_(self) -> None:
        """Wake everybody who waits; from now on `acquire` returns None."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Let go of the memory; buffers that are still in use follow when released."""
        self.break_()
        with self._changed:
            self._closed = True
            self._rest.clear()
            self._made -= len(self._free)
            self._free.clear()

    def _make(self) -> npt.NDArray[np.generic]:
        """Cut a buffer from memory that has room for some."""
        count = math.prod(self._shape)
        step = _whole_pages(max(1, count * self._dtype.itemsize))
        with self._changed:
            if not self._rest:
                memory = _fresh_memory(
                    min(self.slots, max(1, _BLOCK_BYTES // step)) * step
                )
                self._rest = [(memory, at) for at in range(0, len(memory), step)]
            memory, at = self._rest.pop()
        return np.frombuffer(memory, self._dtype, count, at).reshape(self._shape)


def _whole_pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


def _fresh_memory(size: int) -> mmap.mmap:
    """Return memory that takes no room until it is used; in large pages, if possible.

    With pages of 4 KiB the first use of a buffer takes five times as long as a copy.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows
        return mmap.mmap(-1, size)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a system without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory

"""A cache of tiles with a bound on its bytes, for many threads.

What was used least recently goes first. Threads that want the same tile at the same
time read it once: the first loads it, the others wait for it. What a tile is, and where
it comes from, is not known here.

Examples
--------
>>> import numpy as np
>>> cache = TileCache(1000)
>>> cache.get("a", lambda: np.zeros(100, "u1")).shape
(100,)
>>> cache.peek("a") is cache.get("a", lambda: np.ones(1))
True
>>> _ = cache.get("b", lambda: np.zeros(950, "u1"))
>>> cache.peek("a") is None, cache.nbytes
(True, 950)
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.generic]

__all__ = ["TileCache"]


class TileCache:
    """Arrays by key, as many as fit into a number of bytes.

    Parameters
    ----------
    max_bytes : int
        What the arrays may take together. A larger array is passed on and not kept;
        with 0 nothing is kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._tiles: OrderedDict[Hashable, Pixels] = OrderedDict()
        self._loading: dict[Hashable, Future[Pixels]] = {}
        self._nbytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that are kept."""
        return self._nbytes

    def __len__(self) -> int:
        """Return the number of arrays that are kept."""
        return len(self._tiles)

    def peek(self, key: Hashable) -> Pixels | None:
        """Return an array that is kept, or None; nothing is loaded."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def get(self, key: Hashable, load: Callable[[], Pixels]) -> Pixels:
        """Return the array of a key; it is loaded if it is not there.

        Parameters
        ----------
        key : hashable
            Name of the array.
        load : callable
            Makes it. What it raises reaches all that wait, and nothing is kept.

        Returns
        -------
        ndarray
            Shared by all who ask: it cannot be written to.
        """
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
                return tile
            promise = self._loading.get(key)
            mine = promise is None
            if promise is None:
                promise = self._loading[key] = Future()
        if not mine:
            return promise.result()
        try:
            tile = load()
        except BaseException as error:
            with self._lock:
                del self._loading[key]
            promise.set_exception(error)
            raise
        tile.flags.writeable = False
        with self._lock:
            del self._loading[key]
            self._keep(key, tile)
        promise.set_result(tile)
        return tile

    def clear(self) -> None:
        """Forget all arrays."""
        with self._lock:
            self._tiles.clear()
            self._nbytes = 0

    def _keep(self, key: Hashable, tile: Pixels) -> None:
        if tile.nbytes > self.max_bytes:
            return
        before = self._tiles.pop(key, None)
        if before is not None:
            self._nbytes -= before.nbytes
        self._tiles[key] = tile
        self._nbytes += tile.nbytes
        while self._nbytes > self.max_bytes:
            _, gone = self._tiles.popitem(last=False)
            self._nbytes -= gone.nbytes

    def __getstate__(self) -> dict[str, int]:
        """Pickle without the arrays: another process reads its own."""
        return {"max_bytes": self.max_bytes}

    def __setstate__(self, state: dict[str, int]) -> None:
        """Begin empty."""
        TileCache.__init__(self, state["max_bytes"])

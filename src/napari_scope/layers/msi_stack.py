"""All channels of a mass-spectrometry image as one lazy array, (m/z, y, x).

Only the channel that is asked for is read, with neighbours where they come for little.
A few dozen stay in memory around the place of the slider.

Whoever asks for pixels gets them, however long that takes: a script, another plugin,
napari's own slicing in a thread. One asker is not made to wait: napari drawing the
layer in the GUI's thread, while a window listens (`MzStack.listen`). It gets the
channel if it is there within 25 ms; otherwise it keeps the picture that it has, the
channel is read in a thread, and the listener is told that there is something to wait
for (`MzStack.owed`). The newest channel that was asked for is read first.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.errors import DatasetClosedError, ScopeError
from napari_scope.layers.msi_planes import neighbours, planes
from napari_scope.layers.notices import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from napari_scope.arrays.sources import Block
    from napari_scope.layers.msi import MSILayer

    Plane = npt.NDArray[np.float32]

__all__ = ["MzStack"]

_PATIENCE_S: Final = 0.025
_MOST_BYTES: Final = 64 << 20
_LEAST_KEPT: Final = 32


class MzStack:
    """The channels of one data set as a source of a lazy array.

    Parameters
    ----------
    origin : MSILayer
        The data set; its reader is kept open as long as the stack is there.
    """

    fresh = True
    dtype: np.dtype[np.generic] = np.dtype(np.float32)

    def __init__(self, origin: MSILayer) -> None:
        self.origin = origin
        self._data = origin.data
        width, height, depth = self._data.pixels.shape
        image = (depth, height, width) if depth > 1 else (height, width)
        self.shape: tuple[int, ...] = (len(self._data.axis), *image)
        self.frame_ndim = len(image)
        self.shown: int | None = None
        self._kept: OrderedDict[int, Plane] = OrderedDict()
        self._most = max(_LEAST_KEPT, _MOST_BYTES // max(1, 4 * int(np.prod(image))))
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._wanted: int | None = None
        self._working = False
        self._problems: set[str] = set()
        self._listener: Callable[[], None] | None = None

    @property
    def chunks(self) -> tuple[int, ...]:
        """One channel."""
        return (1, *self.shape[1:])

    @property
    def mz(self) -> npt.NDArray[np.float64]:
        """m/z of each channel."""
        return np.asarray(self._data.axis.mz, np.float64)

    # ---- whoever asks

    def frame(self, index: tuple[int, ...]) -> Plane:
        """Return one channel."""
        return self._plane(index[0]).copy()

    def read(self, block: Block) -> Plane:
        """Read a part of some channels."""
        channels = range(block[0].start, block[0].stop, block[0].step or 1)
        if len(channels) == 1:
            return self._plane(channels[0])[block[1:]][np.newaxis].copy()
        shape = (len(range(s.start, s.stop, s.step or 1)) for s in block)
        out = np.zeros(tuple(shape), np.float32)
        for place, channel in zip(out, channels, strict=True):
            place[...] = self.plane(channel)[block[1:]]
        return out

    def plane(self, channel: int) -> Plane:
        """Return a channel, waiting for it; the array is not to be written to.

        Raises
        ------
        ScopeError
            If the spectra cannot be read.
        """
        found = self.at_hand(channel)
        if found is None:
            found = self._read(channel)
        return found

    def at_hand(self, channel: int) -> Plane | None:
        """Return a channel if it is in memory."""
        with self._lock:
            found = self._kept.get(channel)
            if found is not None:
                self._kept.move_to_end(channel)
            return found

    def _plane(self, channel: int) -> Plane:
        if self._listener is None or not _is_drawing():
            return self.plane(channel)
        return self._soon(channel)

    # ---- napari, drawing

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Have a function called when napari has drawn without what it asked for.

        Parameters
        ----------
        listener : callable, or None
            Called in the thread of the GUI. None: napari waits from now on.
        """
        self._listener = listener

    @property
    def owed(self) -> int | None:
        """The channel that napari asked for and has not been given yet."""
        wanted = self._wanted
        return None if wanted is None or wanted == self.shown else wanted

    def _soon(self, channel: int) -> Plane:
        with self._lock:
            self._wanted = channel
            if channel not in self._kept:
                if not self._working:
                    self._working = True
                    threading.Thread(
                        target=_work,
                        args=(weakref.ref(self),),
                        name="napari-scope m/z",
                        daemon=True,
                    ).start()
                self._arrived.wait_for(lambda: channel in self._kept, _PATIENCE_S)
            found = self._kept.get(channel)
            if found is not None:
                self.shown = channel
                return found
            before = None if self.shown is None else self._kept.get(self.shown)
        if self._listener is not None:
            self._listener()
        return np.zeros(self.shape[1:], np.float32) if before is None else before

    def _next(self) -> int | None:
        """Return what the thread is to read; None ends it."""
        with self._lock:
            wanted = self._wanted
            if wanted is None or wanted in self._kept:
                self._working = False
                return None
            return wanted

    def _read_shown(self, channel: int) -> None:
        """Read a channel that is to be drawn; what cannot be read is black."""
        try:
            self._read(channel)
        except (ScopeError, OSError, ValueError) as error:
            self._keep(channel, np.zeros(self.shape[1:], np.float32))
            sentence = str(error)
            if sentence not in self._problems and not isinstance(
                error, DatasetClosedError
            ):
                self._problems.add(sentence)
                warn(f"What cannot be read is black: {sentence}")

    # ---- memory

    def _read(self, channel: int) -> Plane:
        near = neighbours(self._data, channel)
        read = planes(self._data, near)
        for number, plane in zip(near, read, strict=True):
            # A copy: a view would keep the neighbours when they are dropped.
            self._keep(number, plane.copy())
        wanted: Plane = read[near.index(channel)]
        return wanted

    def _keep(self, channel: int, plane: Plane) -> None:
        with self._lock:
            self._kept[channel] = plane
            self._kept.move_to_end(channel)
            while len(self._kept) > self._most:
                oldest = next(c for c in self._kept if c != self.shown)
                del self._kept[oldest]
            self._arrived.notify_all()

    def __getstate__(self) -> object:
        """Refuse to be pickled, in words."""
        import pickle

        raise pickle.PicklingError(
            f"the channels of {self.origin.reader.basename} cannot be pickled: open "
            "the file where they are needed"
        )


def _work(of: weakref.ref[MzStack]) -> None:
    """Read what is wanted until nothing more is."""
    while (stack := of()) is not None and (channel := stack._next()) is not None:
        stack._read_shown(channel)
        del stack


def _is_drawing() -> bool:
    """Return whether it is napari that asks, to draw a layer in the GUI's thread.

    The first function on the way up that is neither ours nor numpy's tells. A script or
    a plugin is never taken for napari; if napari did its drawing elsewhere one day, it
    would be made to wait.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name: str = frame.f_globals.get("__name__", "")
        if not name.startswith(("napari_scope.", "numpy")):
            return name.startswith("napari.layers.") and name.endswith("._slice")
        frame = frame.f_back
    return False

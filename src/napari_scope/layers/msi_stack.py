"""All channels of a mass-spectrometry image as one lazy array, (m/z, y, x).

Only the channel that is asked for is read, with neighbours where they come for little.
A few dozen stay in memory around the place of the slider.

Whoever asks for pixels gets them, however long that takes: a script, another plugin,
napari's own slicing in a thread. One asker is not made to wait: napari drawing the
layer in the GUI's thread, while a window listens (`MzStack.listen`). It gets the
channel if it is there within 25 ms; otherwise it keeps the picture that it has, the
channel is read in a thread, and the listener is told that there is something to wait
for (`MzStack.owed`). The newest channel that was asked for is read first.

The same holds for parts of many channels at once: napari wants them when axes are
rolled, or in 3D. They are read in one pass over the file. What would take too much
memory napari does not get at all, which is said once.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.errors import DatasetClosedError, ScopeError
from napari_scope.layers.msi_asking import is_drawing, is_slicing
from napari_scope.layers.msi_planes import neighbours, part, planes
from napari_scope.layers.notices import warn

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    import numpy.typing as npt

    from napari_scope.arrays.sources import Block
    from napari_scope.layers.msi import MSILayer

    Plane = npt.NDArray[np.float32]
    Part: TypeAlias = tuple[range, ...]
    Wanted: TypeAlias = int | Part

__all__ = ["MzStack"]

_PATIENCE_S: Final = 0.025
_MOST_BYTES: Final = 64 << 20
_LEAST_KEPT: Final = 32
_MOST_SAID: Final = 3
_MOST_DRAWN: Final = 256 << 20  # bytes of many channels at once


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
        self.shape: tuple[int, ...] = self._data.shape[::-1]
        image = self.shape[1:]
        self.frame_ndim = len(image)
        self.shown: Wanted | None = None
        self._part: tuple[Part, Plane] | None = None
        self._kept: OrderedDict[int, Plane] = OrderedDict()
        self._most = max(_LEAST_KEPT, _MOST_BYTES // max(1, 4 * int(np.prod(image))))
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._wanted: Wanted | None = None
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
        wanted = tuple(range(s.start, s.stop, s.step or 1) for s in block)
        if len(wanted[0]) == 1:
            return self._plane(wanted[0][0])[block[1:]][np.newaxis].copy()
        if not is_slicing():
            return part(self._data, wanted)
        size = 4 * math.prod(map(len, wanted))
        if size > _MOST_DRAWN:
            self._say(
                f"{len(wanted[0])} channels of {self.origin.reader.title} at once are "
                f"{size / 1e9:.1f} GB: napari does not draw them; leave m/z on a slider"
            )
            return self._nothing()
        if self._listener is None or not is_drawing():
            return part(self._data, wanted)
        found = self._soon(wanted)
        return self._nothing() if found is None else found

    def _nothing(self) -> Plane:
        # One pixel: napari does not mind, and a volume of zeros takes memory, too.
        return np.zeros((1,) * len(self.shape), np.float32)

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

    def at_hand(self, wanted: Wanted) -> Plane | None:
        """Return a channel, or a part of many, if it is in memory."""
        with self._lock:
            return self._found(wanted)

    def _found(self, wanted: Wanted) -> Plane | None:
        if not isinstance(wanted, int):
            kept = self._part
            return kept[1] if kept is not None and kept[0] == wanted else None
        found = self._kept.get(wanted)
        if found is not None:
            self._kept.move_to_end(wanted)
        return found

    def _plane(self, channel: int) -> Plane:
        if self._listener is None or not is_drawing():
            return self.plane(channel)
        found = self._soon(channel)
        if found is not None:
            return found
        # The picture that napari has, until the next one is there.
        before = self.at_hand(self.shown) if isinstance(self.shown, int) else None
        return np.zeros(self.shape[1:], np.float32) if before is None else before

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
    def owed(self) -> Wanted | None:
        """What napari asked for and has not been given yet.

        The number of a channel, or the ranges of a part of many.
        """
        wanted = self._wanted
        return None if wanted is None or wanted == self.shown else wanted

    def _soon(self, wanted: Wanted) -> Plane | None:
        """Return what is wanted if it comes soon; else let it be read."""
        with self._lock:
            self._wanted = wanted
            if self._found(wanted) is None:
                if not self._working:
                    self._working = True
                    threading.Thread(
                        target=_work,
                        args=(weakref.ref(self),),
                        name="napari-scope m/z",
                        daemon=True,
                    ).start()
                self._arrived.wait_for(
                    lambda: self._found(wanted) is not None, _PATIENCE_S
                )
            found = self._found(wanted)
            if found is not None:
                self.shown = wanted
                if isinstance(wanted, int):
                    self._part = None
                return found
        if self._listener is not None:
            self._listener()
        return None

    def _next(self) -> Wanted | None:
        """Return what the thread is to read; None ends it."""
        with self._lock:
            wanted = self._wanted
            if wanted is None or self._found(wanted) is not None:
                self._working = False
                return None
            return wanted

    def _read_shown(self, wanted: Wanted) -> None:
        """Read what is to be drawn; what cannot be read is black."""
        try:
            if isinstance(wanted, int):
                self._read(wanted)
            else:
                self._keep_part(wanted, part(self._data, wanted))
        except (ScopeError, OSError, ValueError, MemoryError) as error:
            if isinstance(wanted, int):
                self._keep(wanted, np.zeros(self.shape[1:], np.float32))
            else:
                self._keep_part(wanted, self._nothing())
            if not isinstance(error, DatasetClosedError):
                self._say(f"What cannot be read is black: {error}")

    def _say(self, sentence: str) -> None:
        # Each channel of a file that was cut off fails at a place of its own.
        if sentence not in self._problems and len(self._problems) < _MOST_SAID:
            self._problems.add(sentence)
            warn(sentence)

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

    def _keep_part(self, wanted: Part, read: Plane) -> None:
        with self._lock:
            self._part = wanted, read
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
    while (stack := of()) is not None and (wanted := stack._next()) is not None:
        stack._read_shown(wanted)
        del stack

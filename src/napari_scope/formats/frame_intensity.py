"""Mean, least and largest pixel of frames, computed one frame after the other.

It is the only part of the tables of frames that reads pixels, so it is only done when
asked for, tells how far it is, and stops when told. What was computed is kept; frames
that came later are computed when it goes on. Of planes that are too large to be read
whole, as those of a mosaic of a plate, a coarser level is taken.

Examples
--------
>>> import numpy as np
>>> from napari_scope.arrays import LazyArray, MemorySource
>>> from napari_scope.formats.frame_table import FrameSheet
>>> from napari_scope.formats.plane_records import PlaneRecords
>>> from napari_scope.model import Axis, Dataset, Image
>>> pixels = LazyArray(MemorySource(np.arange(8).reshape(2, 2, 2)))
>>> image = Image("a", (Axis("t"), Axis("y"), Axis("x")), (pixels,))
>>> dataset = Dataset("", "test", "", (image,))
>>> scan = IntensityScan(FrameSheet(PlaneRecords(dataset)), dataset.images)
>>> scan.update()
True
>>> scan.numbers("mean").tolist()
[1.5, 5.5]
"""

from __future__ import annotations

import math
import threading
from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.errors import ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from napari_scope.formats.frame_table import FrameSheet
    from napari_scope.model import Image, LevelArray

__all__ = ["INTENSITIES", "IntensityScan"]

INTENSITIES: Final = ("mean", "min", "max")
"""What is computed."""

_MOST_PIXELS: Final = 1 << 26  # of a plane that is read at once


class IntensityScan:
    """The intensities of the frames of a table.

    One thread may compute them while others look at the numbers so far.

    Parameters
    ----------
    sheet : FrameSheet
        The table.
    images : sequence of Image
        The images of its data set.

    Attributes
    ----------
    count : int
        Frames that were dealt with.
    failed : int
        Those among them whose pixels cannot be read, or whose place is not known.
    """

    def __init__(self, sheet: FrameSheet, images: Sequence[Image]) -> None:
        self._sheet = sheet
        self._images = tuple(images)
        self._found = {name: array("d") for name in INTENSITIES}
        self._lock = threading.Lock()
        self.count = 0
        self.failed = 0

    def update(
        self,
        progress: Callable[[int, int], object] = lambda done, of: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Compute what was not computed yet; returns whether all of it is.

        Parameters
        ----------
        progress : callable
            Told how many frames are done, of how many.
        cancelled : callable
            Asked before each frame.
        """
        total = len(self._sheet)
        while self.count < total:
            if cancelled():
                return False
            found = self._one(self.count)
            with self._lock:
                for name, value in zip(INTENSITIES, found, strict=True):
                    self._found[name].append(value)
                self.count += 1
            progress(self.count, total)
        return True

    def _one(self, number: int) -> tuple[float, float, float]:
        nothing = (np.nan, np.nan, np.nan)
        try:
            place = self._sheet.place(number)
            if place is None or not 0 <= place.image < len(self._images):
                raise ValueError("the place of the frame is not known")
            image = self._images[place.image]
            if image.frames is not None and not image.frames.exists(place.index):
                return nothing
            inner = ("y", "x", "rgb") if image.rgb else ("y", "x")
            key = tuple(
                slice(None) if name in inner else place.index.get(name, 0)
                for name in image.axis_names
            )
            pixels = np.asarray(_level(image)[key])
            if not pixels.size:
                return nothing
            mean = float(pixels.mean(dtype=np.float64))
            return mean, float(pixels.min()), float(pixels.max())
        except (ScopeError, OSError, ValueError, IndexError):
            self.failed += 1
            return nothing

    @property
    def coarse(self) -> bool:
        """Whether an image is so large that a coarser level of it is taken."""
        try:
            return any(_level(image) is not image.levels[0] for image in self._images)
        except ValueError:
            return False  # none is taken

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Return one of `INTENSITIES` of the frames so far, NaN where there is none."""
        with self._lock:  # an array cannot grow while numpy looks at it
            return np.array(self._found[name], np.float64)


def _level(image: Image) -> LevelArray:
    """Return the finest level whose planes can be read whole; mosaics may be huge."""
    inner = ("y", "x", "rgb") if image.rgb else ("y", "x")
    for level in image.levels:
        lengths = zip(image.axis_names, level.shape, strict=True)
        if math.prod(n for name, n in lengths if name in inner) <= _MOST_PIXELS:
            return level
    raise ValueError("the planes are too large to be read whole")

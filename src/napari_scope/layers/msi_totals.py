"""The image of the sums of all intensities, painted while they are computed.

The image is an array that a layer may show from the start. Sums that the file tells are
in it at once; otherwise they are added up, at once or in a thread of their own, and the
array fills block by block. The thread holds neither this object nor a reader: when the
layer goes it ends after the block that it reads.

Examples
--------
>>> totals = Totals(data.spectra)  # doctest: +SKIP
>>> totals.start()  # doctest: +SKIP
>>> totals.image, totals.version, totals.done  # doctest: +SKIP
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import ScopeError

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.msi import Spectra

    Image = npt.NDArray[np.float32]

__all__ = ["Totals"]

# Many data sets of one disk are not read all at once.
_turns = threading.Semaphore(2)
_LOOK_S = 0.1


class _Progress:
    """What the thread tells, and is told."""

    def __init__(self) -> None:
        self.version = 0
        self.error: Exception | None = None
        self.done = threading.Event()
        self.cancelled = threading.Event()


class Totals:
    """Sums of all intensities of a data set, as an image.

    Parameters
    ----------
    spectra : Spectra
        The data set.

    Attributes
    ----------
    image : ndarray of float32, (y, x) or (z, y, x)
        The sums; 0 where there is no spectrum, or none has been read yet.
    """

    def __init__(self, spectra: Spectra) -> None:
        self._spectra = spectra
        self._progress = _Progress()
        self._thread: threading.Thread | None = None
        known = spectra.totals
        if known is None:
            self.image: Image = spectra.pixels.image(np.zeros(len(spectra), np.float32))
            weakref.finalize(self, self._progress.cancelled.set).atexit = True
            return
        self.image = spectra.pixels.image(np.nan_to_num(known).astype(np.float32))
        self._progress.done.set()

    @property
    def version(self) -> int:
        """Grows whenever the image has changed."""
        return self._progress.version

    @property
    def done(self) -> bool:
        """Whether nothing more will change."""
        return self._progress.done.is_set()

    @property
    def error(self) -> Exception | None:
        """Why the rest of the spectra could not be read."""
        return self._progress.error

    def compute(self) -> None:
        """Add up what is not known yet, here and now.

        Raises
        ------
        ScopeError, OSError
            If the spectra cannot be read.
        """
        if not self.done and self._thread is None:
            _add_up(self._spectra, self.image, self._progress)
        self._progress.done.wait()
        if self.error is not None:
            raise self.error

    def start(self) -> None:
        """Add up what is not known yet, in a thread."""
        if self.done or self._thread is not None:
            return
        self._thread = threading.Thread(
            target=_wait_and_add_up,
            args=(self._spectra, self.image, self._progress),
            name="napari-scope totals",
            daemon=True,
        )
        self._thread.start()

    def cancel(self) -> None:
        """Let the thread end after the block that it reads."""
        self._progress.cancelled.set()


def _wait_and_add_up(spectra: Spectra, image: Image, progress: _Progress) -> None:
    while not _turns.acquire(timeout=_LOOK_S):
        if progress.cancelled.is_set():
            progress.done.set()
            return
    try:
        _add_up(spectra, image, progress)
    finally:
        _turns.release()


def _add_up(spectra: Spectra, image: Image, progress: _Progress) -> None:
    flat, places = image.reshape(-1), spectra.pixels.places
    try:
        for block in spectra.blocks():
            if progress.cancelled.is_set():
                break
            flat[places[block.numbers]] = np.nan_to_num(block.totals())
            progress.version += 1
    except (ScopeError, OSError, ValueError) as error:
        progress.error = error
    finally:
        progress.version += 1
        progress.done.set()

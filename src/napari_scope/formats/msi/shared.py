"""What all that is chosen of one data set has in common: axis of the cube, and index.

A window of m/z is asked for here: it comes from the sorted peaks once there are some
(`napari_scope.formats.msi.peak_index`), from the file otherwise. All of it is called
from several threads at once. Letting go of the sorted peaks waits for nobody: who is
reading them goes on with the file, who is sorting them is cancelled.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import CancelledError, DatasetClosedError, FormatError
from napari_scope.formats.msi.axes import axis_of
from napari_scope.formats.msi.index_cache import prepare
from napari_scope.formats.msi.passes import never, pieces, silent

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.formats.msi.axes import CubeAxis
    from napari_scope.formats.msi.blocks import Floats, How, Numbers
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.peak_index import PeakIndex
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["Shared"]


class Shared:
    """A data set with what was found out about it.

    Parameters
    ----------
    spectra : Spectra
        The data set.
    axis : CubeAxis, optional
        The m/z axis of its cube; found out if not given.
    """

    def __init__(self, spectra: Spectra, axis: CubeAxis | None = None) -> None:
        self.spectra = spectra
        self._axis = axis
        self._axis_lock = threading.Lock()
        self._index: PeakIndex | None = None
        self._index_lock = threading.Lock()  # held for a moment
        self._building = threading.Lock()  # held as long as it takes
        self._closings = 0

    @property
    def axis(self) -> CubeAxis:
        """The m/z axis of the cube."""
        if self._axis is None:
            with self._axis_lock:
                if self._axis is None:
                    self._axis = axis_of(self.spectra)
        return self._axis

    @property
    def has_index(self) -> bool:
        """Whether the peaks are sorted."""
        return self._index is not None

    @property
    def is_quick(self) -> bool:
        """Whether a window is as quick as it can be."""
        return self.spectra.common_mz is not None or self.has_index

    def window(
        self,
        low: float,
        high: float,
        how: How = "sum",
        numbers: Numbers | None = None,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> Floats:
        """Return one number for each spectrum; see `Spectra.window`.

        Raises
        ------
        CancelledError
            If it was cancelled.
        """
        index = self._index
        if index is not None:
            try:
                values = index.window(low, high, how)
            except (DatasetClosedError, FormatError, OSError):
                # Another thread closed it, or its file is damaged: the data are not.
                self._let_go(index)
            else:
                progress(1.0)
                return values if numbers is None else values[numbers]
        if cancelled is never and progress is silent:
            return self.spectra.window(low, high, how, numbers)
        parts = [
            self.spectra.window(low, high, how, piece)
            for piece in pieces(
                len(self.spectra), numbers, "making an ion image", cancelled, progress
            )
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def prepare(
        self,
        memory_bytes: int,
        folder: Path | None,
        cancelled: Cancelled,
        progress: Progress,
    ) -> bool:
        """Sort the peaks, unless they are; return whether windows are quick then.

        Raises
        ------
        CancelledError
            If it was cancelled, or let go of meanwhile.
        """
        closings = self._closings

        def ended() -> bool:
            return cancelled() or self._closings != closings

        # Another thread may be at it; waiting for that can be cancelled, too.
        while not self._building.acquire(timeout=0.05):
            if ended():
                raise CancelledError("sorting the peaks was cancelled")
        try:
            if self.is_quick:
                return True
            index = prepare(
                self.spectra,
                memory_bytes=memory_bytes,
                folder=folder,
                cancelled=ended,
                progress=progress,
            )
            with self._index_lock:
                if self._closings == closings:
                    self._index, index = index, None
                    return self.is_quick
            if index is not None:
                index.close()
            raise CancelledError(
                "sorting the peaks was cancelled: nobody needs them any more"
            )
        finally:
            self._building.release()

    def close_index(self) -> None:
        """Let go of the sorted peaks; those that are being sorted are given up."""
        with self._index_lock:
            self._closings += 1
            index, self._index = self._index, None
        if index is not None:
            index.close()

    def _let_go(self, index: PeakIndex) -> None:
        """Let go of one that cannot be used, unless there is another by now."""
        with self._index_lock:
            if self._index is index:
                self._index = None
        index.close()

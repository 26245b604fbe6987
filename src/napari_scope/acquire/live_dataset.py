"""The images of an acquisition that goes on: none at first, then those that come.

A script asks for its data set when it likes, also before the first image, and keeps it
to the end. What is stored is known only when an image is there, so until then, and for
ever if none comes, this stands in for a store without images.

Examples
--------
>>> from pathlib import Path
>>> dataset = LiveDataset(Path("not there yet"), is_over=lambda: True)
>>> dataset.axes, dataset.get_index_keys(), dataset.has_image(time=0)
({}, [], False)
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import Dataset, NDTiffWriter
from napari_scope.formats.ndtiff.dataset_levels import Levels

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LiveDataset"]

_LOOK_S = 0.03


class LiveDataset(Dataset):
    """An NDTiff store that need not exist yet.

    Parameters
    ----------
    path : Path
        Where it is, or will be.
    is_over : callable
        Whether nothing will come any more.
    keep : object, optional
        What has to live as long as this, such as a temporary folder.
    """

    def __init__(
        self, path: Path, is_over: Callable[[], bool], keep: object = None
    ) -> None:
        self._place = path.absolute()
        self._is_over = is_over
        self._keep = keep
        self._swap = threading.Lock()
        self._waiting = self._find() is None
        if not self._waiting:
            super().__init__(self._place)
            return
        with tempfile.TemporaryDirectory(prefix="napari-scope-") as folder:
            empty = Path(folder, "empty")
            NDTiffWriter(empty, summary={}).close()
            super().__init__(empty)

    def _find(self) -> Levels | None:
        over = self._is_over()
        if not self._place.exists():
            return None
        try:
            return Levels(self._place)
        except FormatError:
            if over:
                raise
            return None  # its first image is being written

    # All methods of a data set find its images here.
    @property
    def _levels(self) -> Levels:
        if self._waiting and not self.is_closed:
            with self._swap:
                found = self._find() if self._waiting else None
                if found is not None:
                    self._now, self._waiting = found, False
        return self._now

    @_levels.setter
    def _levels(self, levels: Levels) -> None:
        self._now = levels

    @property
    def path(self) -> Path:
        """Folder of the store."""
        return self._place

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._now.full is None

    def refresh(self) -> int:
        """Take in the images that came; returns how many."""
        waited = self._waiting
        levels = self._levels
        if self._waiting:
            levels.check_open()
            return 0
        return levels.count if waited else levels.refresh()

    def has_new_image(self) -> bool:
        """Return whether images came since this was last asked."""
        if self._waiting:
            return self.refresh() > 0
        return super().has_new_image()

    def await_new_image(self, timeout: float | None = None) -> bool:
        """Wait until an image comes; see `Dataset.await_new_image`."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._waiting:
            over = self._is_over()
            if self.refresh():
                return True
            if over or not _pause(end):
                return False
        left = None if end is None else max(0.0, end - time.monotonic())
        return super().await_new_image(left)

    def is_finished(self) -> bool:
        """Return whether all images are there."""
        if self._waiting and self._is_over():
            self.refresh()
            return self._waiting or super().is_finished()
        return not self._waiting and super().is_finished()

    def block_until_finished(self, timeout: float | None = None) -> bool:
        """Wait until all images are there; see `Dataset.block_until_finished`."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._waiting:
            if self.is_finished():
                return True
            if not _pause(end):
                return False
            self.refresh()
        left = None if end is None else max(0.0, end - time.monotonic())
        return super().block_until_finished(left)


def _pause(end: float | None) -> bool:
    """Wait a moment; returns False if there is no more time."""
    left = _LOOK_S if end is None else end - time.monotonic()
    if left <= 0:
        return False
    time.sleep(min(left, _LOOK_S))
    return True

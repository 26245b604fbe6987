"""The resolutions of a store that a `Dataset` has open, now and while they grow.

A level is opened when it is first asked for. What is known of its frames never changes
in place: a store that grows gets new addresses, so a request that is under way in
another thread ends as it began. Waiting looks at the index again and again; nothing
tells a reader of another process that a file has grown.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import DatasetClosedError, FormatError, MissingImageError
from napari_scope.formats.ndtiff.dataset_axes import FrameAddresses
from napari_scope.formats.ndtiff.dataset_order import first_axes
from napari_scope.formats.ndtiff.layout import find_store, level_name
from napari_scope.formats.ndtiff.reader import NDTiffReader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

__all__ = ["Levels"]

_POLL_S = 0.03  # how long a new image may go unnoticed


class Levels:
    """Readers of the resolutions of one store, and the addresses of their frames.

    Thread safe.

    Parameters
    ----------
    path : str or PathLike
        The store.
    summary : mapping, optional
        Summary metadata in place of those of the store.

    Attributes
    ----------
    full : FrameAddresses or None
        Frames of full resolution; None after `close`.
    newest : FrameAddresses
        The same, and still there after `close`.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        summary: Mapping[str, object] | None = None,
    ) -> None:
        # Absolute: the place to work in may change.
        self.reader = NDTiffReader(Path(path).absolute())
        self.layout = self.reader.layout
        self.folder = self.reader.folder
        self._summary = summary
        self._notes: list[str] = []
        self._readers = {0: self.reader}
        self._first: tuple[str, ...] = ()
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._addresses: dict[int, FrameAddresses] = {}
        self.newest = self._addresses[0] = self._addresses_of(0)
        self.full: FrameAddresses | None = self.newest
        self._seen = self.count
        self._was_finished = self.reader.finished

    @property
    def summary(self) -> Mapping[str, object]:
        """Summary metadata."""
        return self.reader.summary if self._summary is None else self._summary

    @property
    def count(self) -> int:
        """Number of records of full resolution; one more for each new image."""
        return len(self.newest.catalog.table)

    @property
    def problems(self) -> list[str]:
        """What is damaged, in the levels that were looked at."""
        with self._lock:
            found = []
            for level, reader in self._readers.items():
                prefix = f"{level_name(level)}: " if level else ""
                found += [prefix + problem for problem in reader.problems]
            return found + self._notes

    def level(self, level: int) -> FrameAddresses:
        """Return the frames of a level; it is opened if it was not.

        Raises
        ------
        DatasetClosedError
            After `close`.
        MissingImageError
            The store has no such level.
        FormatError
            It is damaged.
        """
        self.check_open()
        with self._lock:
            if level not in self.layout.levels:
                there = ", ".join(map(str, self.layout.levels))
                raise MissingImageError(
                    f"the data set has no resolution level {level}; it has {there}",
                    path=self.folder,
                )
            if level not in self._addresses:
                self._readers[level] = NDTiffReader(self.folder, level=level)
                self._addresses[level] = self._addresses_of(level)
            return self._addresses[level]

    def pyramid(self) -> list[FrameAddresses]:
        """Return full resolution and the coarser levels, up to a gap or damage."""
        found = [self.level(0)]
        while len(found) in self.layout.levels:
            try:
                found.append(self.level(len(found)))
            except FormatError as error:
                # It is calculated from the finer ones.
                note = f"{level_name(len(found))} cannot be used: {error}"
                if note not in self._notes:
                    self._notes.append(note)
                break
        return found

    def _addresses_of(self, level: int) -> FrameAddresses:
        catalog = self._readers[level].catalog
        if not self._first:
            order = catalog.table.order
            self._first = first_axes(self.layout.levels[0], order)
        full = self._addresses[0] if level else None
        return FrameAddresses(catalog, self._first, self.summary, self.folder, full)

    # ------------------------------------------------------------ while it grows

    def refresh(self) -> int:
        """Take in what was added; returns the new records of full resolution.

        Raises
        ------
        DatasetClosedError
            After `close`.
        FormatError
            The index is gone or has become shorter.
        """
        self.check_open()
        with self._lock:
            full = self.reader.catalog
            added = self.reader.refresh()
            changed = self.reader.catalog is not full
            if changed:
                self._addresses[0] = self._addresses_of(0)
            for level, reader in self._readers.items():
                before = reader.catalog
                if level:
                    reader.refresh()
                    if changed or reader.catalog is not before:
                        self._addresses[level] = self._addresses_of(level)
            if self.layout.has_level_folders:
                # Levels are added as the grid of tiles grows.
                self.layout = find_store(self.folder)
            self.newest = self._addresses[0]
            if not self._closing.is_set():
                self.full = self.newest
            return added

    def newer(self, level: int, than: FrameAddresses) -> FrameAddresses:
        """Return the frames of a level after one more look, if the store grows."""
        if not self._was_finished:
            # In this order: what comes in between is found at the next look.
            finished = self.reader.finished
            self.refresh()
            self._was_finished = finished
        return self.level(level) if level else self.full or than

    def has_new(self) -> bool:
        """Return whether images came since it was last asked, or waited."""
        self.refresh()
        with self._lock:
            seen, self._seen = self._seen, self.count
            return self._seen > seen

    def wait_for_new(self, timeout: float | None) -> bool:
        """Wait for images that came since the last question, or the end of the store.

        Returns
        -------
        bool
            Whether there are any.
        """
        with self._lock:
            seen = self._seen
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            # Before looking: what comes in between is found at the next look.
            finished = self.reader.finished
            self.refresh()
            with self._lock:
                if self.count > seen:
                    self._seen = self.count
                    return True
            if finished or not self._pause(deadline):
                return False

    def wait_for_end(self, timeout: float | None) -> bool:
        """Wait until the store is finished; returns whether it is."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self.check_open()
            if self.reader.finished:
                self.refresh()
                return True
            if not self._pause(deadline):
                return False

    def _pause(self, deadline: float | None) -> bool:
        """Wait a moment; returns False if there is no more time."""
        left = _POLL_S if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return False
        self._closing.wait(min(left, _POLL_S))
        return True

    # ------------------------------------------------------------ the end

    def check_open(self) -> None:
        """Raise DatasetClosedError after `close`."""
        if self._closing.is_set():
            raise DatasetClosedError(
                "the data set is closed",
                path=self.folder,
                hint="open it again; arrays that were made before still work",
            )

    def close(self) -> None:
        """Close the files and wake those who wait; again is harmless."""
        self._closing.set()
        with self._lock:
            self.full = None
            for reader in self._readers.values():
                reader.close()

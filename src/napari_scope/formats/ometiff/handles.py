"""Open files, few at a time: a plate has more files than a process may open."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from napari_scope.fileio import DataFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Handles"]


class _Entry:
    __slots__ = ("file", "users")

    def __init__(self, file: DataFile) -> None:
        self.file = file
        self.users = 0


class Handles:
    """Files that are open for reading and writing, at most ``limit`` while idle.

    Thread safe. After `close` a file that is asked for is opened again, for reading.

    Parameters
    ----------
    limit : int
        How many idle files may stay open.
    """

    def __init__(self, *, limit: int = 32) -> None:
        self._limit = limit
        self._entries: OrderedDict[Path, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    def add(self, file: DataFile) -> None:
        """Take over a file that was just made."""
        with self._lock:
            self._entries[file.path] = _Entry(file)
            self._shrink(self._limit)

    @contextlib.contextmanager
    def use(self, path: Path) -> Iterator[DataFile]:
        """Lend a file for the length of a ``with`` block; raises OSError."""
        with self._lock:
            entry = self._entries.get(path)
            if entry is None:
                file = DataFile.open(path, writable=not self._closed)
                entry = self._entries[path] = _Entry(file)
            self._entries.move_to_end(path)
            entry.users += 1
        try:
            yield entry.file
        finally:
            with self._lock:
                entry.users -= 1
                self._shrink(self._limit)

    def _shrink(self, limit: int) -> None:
        idle = [path for path, entry in self._entries.items() if not entry.users]
        for path in idle[: max(0, len(self._entries) - limit)]:
            self._entries.pop(path).file.close()

    def close(self) -> None:
        """Close all files that are not in use; again is harmless."""
        with self._lock:
            self._closed = True
            self._shrink(0)

    def drop(self, path: Path) -> None:
        """Close one file, which is about to be removed."""
        with self._lock:
            entry = self._entries.pop(path, None)
        if entry is not None:
            entry.file.close()

"""Where the records of a folder come from: its index, or what else tells its frames.

The index is read once and then followed: only what was added since is read. Frames
that are in the files but not in the index stand behind it, and leave as the index
catches up. Without an index the one that was recovered is used, the index maps of
version 1, or a walk through the files. All of it becomes one table; nobody else needs
to know.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.index import (
    INDEX_NAME,
    NOT_CLOSED,
    IndexParser,
    first_records,
)
from napari_scope.formats.ndtiff.layout import WRITING_NAME, recovered_index
from napari_scope.formats.ndtiff.lost import lost_records, rebuilt_index
from napari_scope.formats.ndtiff.v1 import v1_index

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.formats.ndtiff.columns import IndexTable

__all__ = ["RecordSource"]

_MAX_INDEX = 2**31
_FIRST_PIECE = 1 << 26  # bytes of the index that are read at a time, at first
_PIECE = 1 << 20  # and when it is looked at again: it may end in much room
_QUIET_S = 10.0  # a store whose files are older than this is written by nobody


class RecordSource:
    """The records of one folder. Not thread safe.

    Parameters
    ----------
    folder : Path
        Where index and files are.
    root : Path
        Folder of the store.
    version : (int, int) or None
        Version of the files, asked for only where there is no index.
    until : int, optional
        Take no notice of what stands in the index from this byte on.
    lost : int, optional
        How many frames to take that the index does not know; all of them by default.

    Attributes
    ----------
    notes : list of str
        How the frames were found, if not in the index.

    Raises
    ------
    FormatError
        There is neither an index nor a file of NDTiff.
    OSError
        The folder cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        root: Path,
        version: tuple[int, int] | None,
        *,
        until: int | None = None,
        lost: int | None = None,
    ) -> None:
        self._folder = folder
        self._root = root
        self._until = until
        self._most_lost = lost
        self._parser = IndexParser()
        self._lost = b""
        self._lost_notes: list[str] = []
        self._identity = (0, 0)
        self.lost_frames = 0
        self.notes: list[str] = []
        self._index: Path | None = self._find_index()
        if self._index is None:
            self._find_frames(version)
            return
        self._read(self._index, first=True)
        # What was found once is there, even if somebody is writing.
        if lost or (lost is None and not self._is_live()):
            self._find_lost()

    def _find_index(self) -> Path | None:
        index = self._folder / INDEX_NAME
        if index.is_file():
            return index
        recovered = recovered_index(self._folder)
        if recovered is not None:
            self.notes.append(f"there is no {INDEX_NAME}: {recovered.name} is used")
        return recovered

    def _adopt_index(self) -> bool:
        """Turn to the index that was not there when the store was opened.

        A writer makes the first file before the index: who opens the store in between
        finds files without an index.
        """
        index = self._folder / INDEX_NAME
        if not index.is_file():
            return False
        self._index, self.notes = index, []
        return True

    def _find_frames(self, version: tuple[int, int] | None) -> None:
        """Take the frames from the files, where there is no index."""
        if version is None:
            raise FormatError(
                f"no NDTiff store: there is no {INDEX_NAME} and no NDTiff file",
                path=self._folder,
                hint=f"choose the folder that holds {INDEX_NAME}",
            )
        if version[0] == 1:
            self._lost, self.notes = v1_index(self._folder)
            return
        found = rebuilt_index(self._folder)
        self._lost = found.records
        self.notes.append(
            f"the index is missing: {found.frames} frames were found in the files"
        )
        self.notes += found.notes

    def _find_lost(self) -> None:
        """Find frames that are in the files but not in the index: it was cut."""
        found = lost_records(self._folder, self._parser.table())
        self._lost, self.lost_frames = found.records, found.frames
        if self._most_lost is not None:
            self._lost = first_records(self._lost, self._most_lost)
            self.lost_frames = min(self.lost_frames, self._most_lost)
        self._lost_notes = list(found.notes)
        if self.lost_frames:
            self._lost_notes.insert(
                0,
                f"{self.lost_frames} frames are in the files but not in the index: "
                "they were added",
            )

    def _is_live(self) -> bool:
        """Return whether somebody may be writing at this moment.

        Then the index says which frames are whole; what lies behind may not be.
        """
        if not (self._root / WRITING_NAME).exists():
            return False
        times = [path.stat().st_mtime for path in self._folder.glob("*.tif")]
        return time.time() - max(times, default=0) < _QUIET_S

    def _read(self, index: Path, *, first: bool = False) -> None:
        """Read what was added to the index."""
        parser = self._parser
        piece = _FIRST_PIECE if first else _PIECE
        with open(index, "rb") as file:
            status = os.fstat(file.fileno())
            size = status.st_size
            identity = status.st_dev, status.st_ino
            if first:
                self._identity = identity
                if size > _MAX_INDEX:
                    raise FormatError(
                        f"an index of {size} bytes is too large to be one", path=index
                    )
            elif size < parser.consumed or identity != self._identity:
                raise FormatError(
                    "the index was replaced by another",
                    path=index,
                    hint="open the store again",
                )
            end = size if self._until is None else min(size, self._until)
            while True:
                before = parser.consumed
                file.seek(before)
                # At the end, too: an index that ended in zeros may have been closed.
                parser.feed(file.read(min(piece, max(0, end - before))))
                if parser.consumed in (before, end):
                    return

    @property
    def consumed(self) -> int | None:
        """Bytes of the index that were understood; None without an index."""
        return None if self._index is None else self._parser.consumed

    @property
    def is_open(self) -> bool:
        """Whether the index ends in room that its writer took ahead."""
        return self._parser.reason == NOT_CLOSED

    @property
    def problems(self) -> list[str]:
        """What was found besides records."""
        return self.notes + self._lost_notes

    def table(self) -> IndexTable:
        """Return all records; those that the index does not know come last."""
        return self._parser.table(self._lost)

    def refresh(self) -> bool:
        """Read what was added; returns whether anything was.

        Raises
        ------
        FormatError
            The index is gone or was replaced.
        """
        if self._until is not None:
            return False
        if self._index is None and not self._adopt_index():
            return False
        assert self._index is not None
        before = self._parser.consumed
        try:
            self._read(self._index, first=self._identity == (0, 0))
            if self._parser.consumed == before:
                return False
            # The index catches up with the frames that it did not know.
            if self._lost or self._lost_notes:
                self._find_lost()
        except OSError as error:
            raise FormatError(
                f"the index cannot be read any more: {error.strerror or error}",
                path=self._index,
                hint="was the store moved or deleted?",
            ) from error
        return True

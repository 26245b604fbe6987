"""Reading one resolution of an NDTiff store: its frames now, and as they are added.

The index is read once into columns; files are opened when a frame of theirs is asked
for; `NDTiffReader.refresh` reads what was added to the index since. Where there is no
index the frames are found in the files themselves. What is damaged is named in
``problems`` and the rest is served: an index that was cut or not closed, files that are
missing, short, or no NDTiff. This module does not group frames into images; that is
`napari_scope.formats.ndtiff.opening`.
"""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.catalog import Catalog, StoreFile, read_json
from napari_scope.formats.ndtiff.columns import METADATA_LENGTH, METADATA_OFFSET
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.index import INDEX_NAME, NOT_CLOSED, IndexParser
from napari_scope.formats.ndtiff.layout import (
    WRITING_NAME,
    StoreLayout,
    find_store,
    recovered_index,
)
from napari_scope.formats.ndtiff.lost import lost_records, rebuilt_index
from napari_scope.formats.ndtiff.record import HEADER_BYTES, parse_header
from napari_scope.formats.ndtiff.v1 import v1_index

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ndtiff.columns import IndexTable
    from napari_scope.model import Axes

__all__ = ["NDTiffReader"]

_MAX_INDEX = 2**31
_PIECE = 1 << 20  # bytes of the index that are read at a time while it grows
_QUIET_S = 10.0  # a store whose files are older than this is written by nobody
_AHEAD = 1 << 23  # a file that is so much longer than its frames was allocated ahead


class NDTiffReader:
    """One resolution of a store of NDTiff 1, 2 or 3, open for reading. Thread safe.

    Parameters
    ----------
    path : str or PathLike
        The folder of the store, one of its level folders, or its index file.
    level : int
        Which resolution: 0 is the full one, n is downsampled by 2^n.
    until : int, optional
        Take no notice of what stands in the index from this byte on.

    Attributes
    ----------
    folder : Path
        Folder of the store.
    layout : StoreLayout
        All its folders.
    version : (int, int) or None
        Version of the format; None when no file of the index is here.
    summary : dict
        Summary metadata.

    Raises
    ------
    FormatError
        It is no NDTiff store, or it cannot be read.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        level: int = 0,
        until: int | None = None,
    ) -> None:
        self.layout: StoreLayout = find_store(path)
        self.folder = self.layout.root
        self.level = level
        if level not in self.layout.levels:
            raise FormatError(
                f"the store has no resolution level {level}",
                path=self.folder,
                hint=f"it has {', '.join(map(str, self.layout.levels))}",
            )
        self._place = self.layout.levels[level]
        self._until = until
        self._pool = FilePool(self._place)
        self._parser = IndexParser()
        self._lock = threading.Lock()
        self._notes: list[str] = []
        self._lost: list[str] = []
        self._files: dict[str, StoreFile] = {}
        self.version: tuple[int, int] | None = None
        self.summary: dict[str, object] = {}
        self._summary_of: StoreFile | None = None
        self._index: Path | None = None
        try:
            self._read_first()
        except OSError as error:
            raise FormatError(
                f"the index cannot be read: {error.strerror or error}", path=path
            ) from error
        self.catalog = self._new_catalog()

    # ------------------------------------------------------------- the index

    def _read_first(self) -> None:
        """Read the index, or find the frames without one."""
        index = self._place / INDEX_NAME
        if not index.is_file():
            recovered = recovered_index(self._place)
            if recovered is None:
                self._find_frames()
                return
            index = recovered
            self._notes.append(f"there is no {INDEX_NAME}: {index.name} is used")
        size = index.stat().st_size
        if size > _MAX_INDEX:
            raise FormatError(
                f"an index of {size} bytes is too large to be one", path=index
            )
        self._index = index
        with open(index, "rb") as file:
            self._parser.feed(file.read(-1 if self._until is None else self._until))
        if not self._is_live():
            self._find_lost()

    def _find_frames(self) -> None:
        """Take the frames from the files, where there is no index."""
        version = self._version_of_files()
        if version is None:
            raise FormatError(
                f"no NDTiff store: there is no {INDEX_NAME} and no NDTiff file",
                path=self._place,
                hint=f"choose the folder that holds {INDEX_NAME}",
            )
        if version[0] == 1:
            records, self._notes = v1_index(self._place)
            self._parser.add(records)
            return
        found = rebuilt_index(self._place)
        self._parser.add(found.records)
        self._notes.append(
            f"the index is missing: {found.frames} frames were found in the files"
        )
        self._notes += found.notes

    def _version_of_files(self) -> tuple[int, int] | None:
        for path in sorted(self._place.glob("*.tif")):
            file = self._inspect(path.name, [])
            # Plain image stacks of Micro-Manager have the mark of version 1.
            if file.version and (file.version[0] > 1 or self.layout.has_level_folders):
                return file.version
        return None

    def _find_lost(self) -> None:
        """Add frames that are in the files but not in the index: it was cut."""
        lost = lost_records(self._place, self._parser.table())
        if lost.frames:
            self._parser.add(lost.records)
            self._lost.append(
                f"{lost.frames} frames are in the files but not in the index: "
                "they were added"
            )
        self._lost += lost.notes

    def refresh(self) -> int:
        """Take in what was added to the index since; returns the new records.

        Only the end of the index is read. Arrays over the frames there were before
        stay as they are: see `Catalog`.

        Raises
        ------
        FormatError
            The index is gone or has become shorter.
        """
        with self._lock:
            if self._index is None or self._until is not None:
                return 0
            try:
                added = self._read_more(self._index)
            except OSError as error:
                raise FormatError(
                    f"the index cannot be read any more: {error.strerror or error}",
                    path=self._index,
                    hint="was the store moved or deleted?",
                ) from error
            if added:
                self.catalog = self._new_catalog()
            return added

    def _read_more(self, index: Path) -> int:
        added = 0
        parser = self._parser
        with open(index, "rb") as file:
            size = file.seek(0, 2)
            if size < parser.consumed:
                raise FormatError(
                    f"the index had {parser.consumed} bytes and has {size} now",
                    path=index,
                    hint="it was replaced; open the store again",
                )
            while True:
                before = parser.consumed
                file.seek(before)
                # At the end, too: an index that ended in zeros may have been closed.
                added += parser.feed(file.read(_PIECE))
                if parser.consumed in (before, size):
                    break
        return added

    # ------------------------------------------------------------- the files

    def _new_catalog(self) -> Catalog:
        table = self._parser.table()
        problems = [*self._notes, *table.problems]
        for name in table.files:
            known = self._files.get(name)
            # The last one grows; one that could not be used may have come.
            if known is None or not known.size:
                self._files[name] = self._inspect(name, problems)
            elif name == table.files[-1]:
                self._files[name] = self._inspect(name, [])
        files = [self._files[name] for name in table.files]
        usable = next((file for file in files if file.size), None)
        if usable is not None and self._summary_of is None:
            self.version = usable.version
            try:
                self.summary = read_json(
                    self._pool, usable.name, *usable.summary, "summary metadata"
                )
            except FormatError as error:
                self._notes.append(f"{usable.name}: {error.message}")
                problems.append(self._notes[-1])
            self._summary_of = usable
        until = self._parser.consumed if self._index is not None else None
        arguments = (str(self.folder), self.level, until, len(table), self._stamp())
        catalog = Catalog(table, files, self._pool, (_reopened, arguments))
        # What is wrong with a file that cannot be used at all was said before.
        unusable = tuple(f"{file.name}: " for file in files if not file.size)
        lost = [note for note in self._lost if not note.startswith(unusable)]
        self.problems = problems + lost + catalog.problems
        return catalog

    def _stamp(self) -> int:
        """Return what tells this store from a later one in the same place."""
        try:
            return (self._index or self._place).stat().st_ino
        except OSError:
            return 0

    def _inspect(self, name: str, problems: list[str]) -> StoreFile:
        """Return what the header of a file says; an unusable file is a problem."""
        try:
            size = self._pool.size(name)
            head = self._pool.read_bytes(name, 0, min(size, HEADER_BYTES), "header")
            header = parse_header(head, size)
        except FormatError as error:
            problems.append(f"{name}: {error.message}")
            return StoreFile(name)
        except OSError as error:
            problems.append(f"{name}: cannot be read: {error}")
            return StoreFile(name)
        summary = header.summary_offset, header.summary_length
        return StoreFile(name, size, header.order, header.version, summary)

    # ------------------------------------------------------------ the writer

    @property
    def finished(self) -> bool:
        """Whether the store was closed by its writer.

        False while it is being written, and for ever after its writer was killed.
        Our writer leaves a mark until it is done; others allocate ahead.
        """
        if (self.folder / WRITING_NAME).exists():
            return False
        if self._parser.reason == NOT_CLOSED:
            return False
        files = self.catalog.files
        return not (files and self._allocated_ahead(files[-1]))

    def _allocated_ahead(self, file: StoreFile) -> bool:
        table = self.catalog.table
        rows = table.file_ids == len(table.files) - 1
        fields = table.fields[rows].astype("i8")
        # Metadata come last in a record.
        ends = fields[:, METADATA_OFFSET] + fields[:, METADATA_LENGTH]
        return bool(file.size - ends.max(initial=0) > _AHEAD)

    def _is_live(self) -> bool:
        """Return whether somebody may be writing at this moment.

        Then the index says which frames are whole; what lies behind may not be.
        """
        marker = self.folder / WRITING_NAME
        if not marker.exists():
            return False
        try:
            newest = max(
                (path.stat().st_mtime for path in self._place.glob("*.tif")), default=0
            )
        except OSError:
            return True
        return time.time() - newest < _QUIET_S

    # ------------------------------------------------------------ the frames

    @property
    def table(self) -> IndexTable:
        """The index in columns."""
        return self.catalog.table

    @property
    def axes(self) -> dict[str, list[int | str]]:
        """Values of each axis: integers sorted, then strings in order of appearance."""
        return self.catalog.axes

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Which rows of the index have their pixels inside an existing file."""
        return self.catalog.readable

    def __len__(self) -> int:
        """Return the number of frames, overwritten ones not counted."""
        return len(self.catalog)

    def row(self, axes: Axes) -> int | None:
        """Return the row of a frame in the index, or None when there is none."""
        return self.catalog.row(axes)

    def rows(self) -> npt.NDArray[np.int32]:
        """Return the rows that count (overwritten ones left out), in index order."""
        return self.catalog.rows()

    def has(self, axes: Axes) -> bool:
        """Return whether the index has a frame with exactly these axes."""
        return self.catalog.row(axes) is not None

    def read_frame(self, axes: Axes) -> npt.NDArray[np.generic] | None:
        """Return the pixels of a frame, or None when the index has none.

        Returns
        -------
        ndarray or None
            uint8 or uint16 of shape (height, width), or uint8 of (height, width, 3).

        Raises
        ------
        FormatError
            The index has the frame, but its file is missing or too short.
        """
        catalog = self.catalog
        row = catalog.row(axes)
        return None if row is None else catalog.read_row(row)

    def read_row(self, row: int) -> npt.NDArray[np.generic]:
        """Return the pixels of one row of the index; raises as `read_frame` does."""
        return self.catalog.read_row(row)

    def read_metadata(self, axes: Axes) -> dict[str, object] | None:
        """Return the metadata of a frame, or None when the index has none.

        Raises
        ------
        FormatError
            The index has the frame, but its metadata are missing or damaged.
        """
        catalog = self.catalog
        row = catalog.row(axes)
        return None if row is None else catalog.metadata_of_row(row)

    def metadata_of_row(self, row: int) -> dict[str, object]:
        """Return the metadata of one row; raises as `read_metadata` does."""
        return self.catalog.metadata_of_row(row)

    def close(self) -> None:
        """Close the files; again is harmless, and reading opens them again."""
        self._pool.close()

    def __enter__(self) -> NDTiffReader:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.close()


@lru_cache(maxsize=16)
def _reopened(
    path: str, level: int, until: int | None, count: int, stamp: int
) -> Catalog:
    """Return a catalog in another process: the same frames, whatever came since.

    ``stamp`` only tells one store from the next in what is remembered here.
    """
    catalog = NDTiffReader(path, level=level, until=until).catalog
    if len(catalog.table) != count:
        raise FormatError(
            f"the store had {count} frames when this view of it was made, and has "
            f"{len(catalog.table)} now",
            path=path,
            hint="open it again",
        )
    return catalog

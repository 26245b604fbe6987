"""Reading one resolution of an NDTiff store: its frames now, and as they are added.

This ties together where the records come from (`sources`), what the files are like
(`inspection`) and how frames are read (`catalog`). What is damaged is named in
``problems`` and the rest is served: an index that was cut or not closed, files that are
missing, short, or no NDTiff. Frames are not grouped into images here; that is done by
`napari_scope.formats.ndtiff.grouping`.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.catalog import Catalog
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.index import INDEX_NAME
from napari_scope.formats.ndtiff.inspection import FileInspection, version_in
from napari_scope.formats.ndtiff.layout import (
    WRITING_NAME,
    StoreLayout,
    find_store,
    level_name,
)
from napari_scope.formats.ndtiff.sources import RecordSource

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ndtiff.columns import IndexTable
    from napari_scope.model import Axes

__all__ = ["NDTiffReader"]


class NDTiffReader:
    """One resolution of a store of NDTiff 1, 2 or 3, open for reading. Thread safe.

    Parameters
    ----------
    path : str or PathLike
        The folder of the store, one of its level folders, or its index file.
    level : int
        Which resolution: 0 is the full one, n is downsampled by 2^n.
    until, lost : int, optional
        As for `RecordSource`: the store as it was once.

    Attributes
    ----------
    folder : Path
        Folder of the store.
    layout : StoreLayout
        All its folders.
    catalog : Catalog
        Its frames now; `refresh` puts another one here.
    problems : list of str
        What is damaged or missing.

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
        lost: int | None = None,
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
        self._pool = FilePool(self._place)
        self._files = FileInspection(self._pool)
        self._lock = threading.Lock()
        version = None
        if not (self._place / INDEX_NAME).is_file():
            version = version_in(self._pool, with_first=self.layout.has_level_folders)
        try:
            self._source = RecordSource(
                self._place, self.folder, version, until=until, lost=lost
            )
        except OSError as error:
            raise FormatError(
                f"the store cannot be read: {error.strerror or error}", path=path
            ) from error
        self.catalog = self._new_catalog()

    def _new_catalog(self) -> Catalog:
        table = self._source.table()
        catalog = self._catalog(table)
        # A file may have grown between two looks, the first at a file before it.
        if not catalog.readable.all() and self._files.look_again(catalog):
            catalog = self._catalog(table)
        # What is wrong with a file that cannot be used at all is said once.
        unusable = tuple(f"{file.name}: " for file in catalog.files if not file.size)
        found = [
            note for note in self._source.problems if not note.startswith(unusable)
        ]
        self.problems = [
            *(problem for problem in table.problems),
            *found,
            *self._files.problems,
            *catalog.problems,
        ]
        return catalog

    def _catalog(self, table: IndexTable) -> Catalog:
        files = self._files.look(table)
        how = _Reopening(
            str(self.folder),
            self.level,
            self._source.consumed,
            self._source.lost_frames,
        )
        return Catalog(table, files, self._pool, partial(_reopened, how))

    def refresh(self) -> int:
        """Take in what was added since; returns the number of new records.

        Only the end of the index is read, and files that could not be used are looked
        at again. Arrays over the frames there were before stay as they are; `catalog`
        is another one if anything has changed.

        Raises
        ------
        FormatError
            The index is gone, or is another one.
        """
        with self._lock:
            before = self.catalog
            added = self._source.refresh()
            if not added and not before.readable.all():
                added = self._files.look_again(before)
            if added:
                self.catalog = self._new_catalog()
            return len(self.catalog.table) - len(before.table)

    @property
    def version(self) -> tuple[int, int] | None:
        """Version of the format; None when no file of the index is here."""
        return self._files.version

    @property
    def summary(self) -> dict[str, object]:
        """Summary metadata."""
        return self._files.summary

    @property
    def finished(self) -> bool:
        """Whether the store was closed by its writer.

        False while it is being written, and for ever after its writer was killed.
        Our writer leaves a mark until it is done; others allocate ahead.
        """
        if (self.folder / WRITING_NAME).exists():
            return False
        if self._source.is_open:
            # The writer takes the room back when it is done, without a new record.
            self.refresh()
            if self._source.is_open:
                return False
        return not self._files.allocated_ahead(self.catalog.table, self._place)

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


class _Reopening(NamedTuple):
    """What tells how a catalog is opened again; the fields are those of a reader."""

    path: str
    level: int
    until: int | None
    lost: int


def _reopened(how: _Reopening, digest: int) -> Catalog:
    """Return a catalog in another process, as it was when it was sent.

    A view of a large store is sent as the place of the store and how much of it there
    was, with a proof: a store that was replaced is refused, never shown instead.

    Raises
    ------
    FormatError
        The store is gone, or is another one.
    """
    catalog = _open(how, digest, _signature(how))
    if catalog.table.digest() != digest:
        _open.cache_clear()
        raise FormatError(
            "the store is not the one that this view was made of",
            path=how.path,
            hint="open it again",
        )
    return catalog


def _signature(how: _Reopening) -> tuple[int, ...]:
    """Return what changes when somebody writes to the index of a store."""
    for folder in (level_name(how.level), "."):
        try:
            found = os.stat(os.path.join(how.path, folder, INDEX_NAME))
        except OSError:
            continue
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return ()


@lru_cache(maxsize=4)
def _open(how: _Reopening, digest: int, signature: tuple[int, ...]) -> Catalog:
    path, level, until, lost = how
    with NDTiffReader(path, level=level, until=until, lost=lost) as reader:
        return reader.catalog

"""The files of a folder as they are: how long, of which version, usable or not.

A file is looked at when the index first names it, and again when it may have changed:
the file that was written to last, and files that were missing or too short for what
the index says of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.catalog import StoreFile, read_json
from napari_scope.formats.ndtiff.columns import METADATA_LENGTH, METADATA_OFFSET
from napari_scope.formats.ndtiff.record import HEADER_BYTES, parse_header

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_scope.formats.ndtiff.catalog import Catalog
    from napari_scope.formats.ndtiff.columns import IndexTable
    from napari_scope.formats.ndtiff.files import FilePool

__all__ = ["FileInspection", "version_in"]

_AHEAD = 1 << 23  # a file that is so much longer than its frames was allocated ahead


class FileInspection:
    """What is known of the files of one folder. Not thread safe.

    Parameters
    ----------
    pool : FilePool
        Opens them.

    Attributes
    ----------
    version : (int, int) or None
        Version of the format; None while no usable file is here.
    summary : dict
        Summary metadata of the first usable file.
    """

    def __init__(self, pool: FilePool) -> None:
        self._pool = pool
        self._files: dict[str, StoreFile] = {}
        self._troubles: dict[str, str] = {}
        self._last = ""
        self.version: tuple[int, int] | None = None
        self.summary: dict[str, object] = {}
        self._summary_trouble: list[str] = []

    @property
    def problems(self) -> list[str]:
        """What is wrong with files."""
        return [
            *(f"{name}: {text}" for name, text in self._troubles.items()),
            *self._summary_trouble,
        ]

    def look(self, table: IndexTable) -> list[StoreFile]:
        """Return what the files of an index say of themselves, in its order."""
        if table.files:
            # Frames are added to the last file, and to those that came since.
            again = {self._last, table.files[-1]}
            self._last = table.files[-1]
            for name in table.files:
                known = self._files.get(name)
                if known is None or not known.size or name in again:
                    self._inspect(name)
        files = [self._files[name] for name in table.files]
        if self.version is None:
            self._read_summary(files)
        return files

    def look_again(self, catalog: Catalog) -> bool:
        """Look at files with unreadable frames again; returns whether any changed."""
        ids = np.unique(catalog.table.file_ids[~catalog.readable])
        changed = False
        for name in [catalog.table.files[i] for i in ids.tolist()]:
            before = self._files[name]
            changed |= self._inspect(name) != before
        return changed

    def _inspect(self, name: str) -> StoreFile:
        try:
            size = self._pool.size(name)
            head = self._pool.read_bytes(name, 0, min(size, HEADER_BYTES), "header")
            header = parse_header(head, size)
        except (FormatError, OSError) as error:
            text = (
                error.message
                if isinstance(error, FormatError)
                else f"cannot be read: {error.strerror or error}"
            )
            self._troubles[name] = text
            found = StoreFile(name)
        else:
            self._troubles.pop(name, None)
            summary = header.summary_offset, header.summary_length
            found = StoreFile(name, size, header.order, header.version, summary)
        self._files[name] = found
        return found

    def _read_summary(self, files: Iterable[StoreFile]) -> None:
        usable = next((file for file in files if file.size), None)
        if usable is None:
            return
        self.version = usable.version
        try:
            self.summary = read_json(
                self._pool, usable.name, *usable.summary, "summary metadata"
            )
        except FormatError as error:
            self._summary_trouble = [f"{usable.name}: {error.message}"]

    def allocated_ahead(self, table: IndexTable, folder: Path) -> bool:
        """Return whether the last file is far longer than its frames."""
        if not table.files:
            return False
        name = table.files[-1]
        try:
            size = (folder / name).stat().st_size if self._files[name].size else 0
        except OSError:
            return False
        fields = table.fields[table.file_ids == len(table.files) - 1].astype(np.int64)
        # Metadata come last in a record.
        ends = fields[:, METADATA_OFFSET] + fields[:, METADATA_LENGTH]
        return bool(size - ends.max(initial=0) > _AHEAD)


def version_in(pool: FilePool, *, with_first: bool) -> tuple[int, int] | None:
    """Return the version of the first NDTiff file of a folder, or None.

    Parameters
    ----------
    pool : FilePool
        The folder.
    with_first : bool
        Whether version 1 counts: plain image stacks of Micro-Manager have its mark.
    """
    inspection = FileInspection(pool)
    for path in sorted(pool.folder.glob("*.tif")):
        version = inspection._inspect(path.name).version
        if version is not None and (version[0] > 1 or with_first):
            return version
    return None

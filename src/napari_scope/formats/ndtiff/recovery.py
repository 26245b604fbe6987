"""A new index for a store whose own is damaged, cut or missing.

The new index has the records of the old one whose pixels exist, then the frames that
it did not know. It is written beside the old one; nothing that exists is changed.

Examples
--------
>>> import tempfile, pathlib, numpy as np
>>> from napari_scope.formats.ndtiff.writer import NDTiffWriter
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> with NDTiffWriter(folder) as writer:
...     place = writer.put({"time": 0}, np.ones((4, 3), "u2"))
>>> (folder / "NDTiff.index").unlink()
>>> for line in recover(folder).lines():
...     print(line.replace(str(folder), "RUN"))
RUN: 0 frames kept, 1 recovered, 0 dropped
  written: NDTiff.index.recovered
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_scope.errors import DiskSpaceError, FormatError, StreamError
from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ndtiff.catalog import Catalog, StoreFile
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.index import INDEX_NAME, parse_index
from napari_scope.formats.ndtiff.layout import (
    RECOVERED_NAME,
    find_store,
    recovered_index,
)
from napari_scope.formats.ndtiff.lost import (
    choose,
    record_of,
    search,
    shortened,
    trouble,
)
from napari_scope.formats.ndtiff.record import HEADER_BYTES, parse_header
from napari_scope.formats.ndtiff.walk import axes_json

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.columns import IndexTable

    Mask: TypeAlias = npt.NDArray[np.bool_]

__all__ = ["LevelReport", "RecoveryReport", "recover"]

_MAX_INDEX = 2**31


@dataclass(frozen=True, slots=True)
class LevelReport:
    """What `recover` did in one folder.

    Parameters
    ----------
    folder : Path
        The folder of the store, or of one of its resolutions.
    kept : int
        Records of the old index whose pixels are in the files.
    recovered : int
        Frames that the old index did not know.
    dropped : int
        Records of the old index whose pixels are in no file.
    written : Path or None
        The new index; None when the old one is whole, or there is no frame at all.
    notes : tuple of str
        What could not be used and why.
    """

    folder: Path
    kept: int
    recovered: int
    dropped: int
    written: Path | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What `recover` did in a store, for each of its folders."""

    root: Path
    levels: tuple[LevelReport, ...]

    def lines(self) -> list[str]:
        """Return the report as text for people."""
        lines = []
        for level in self.levels:
            name = level.folder if level.folder == self.root else level.folder.name
            lines.append(
                f"{name}: {level.kept} frames kept, {level.recovered} recovered, "
                f"{level.dropped} dropped"
            )
            if level.written is not None:
                lines.append(f"  written: {level.written.name}")
            lines += [f"  {note}" for note in level.notes]
        return lines


def recover(path: str | os.PathLike[str]) -> RecoveryReport:
    """Write a whole index beside one that is damaged, cut or missing.

    In each folder of the store the new index, ``NDTiff.index.recovered``, has the
    records of the old one whose pixels exist, then the frames that it did not know.
    Nothing that exists is changed; further runs count up (``.recovered_1``).

    Parameters
    ----------
    path : str or PathLike
        The folder of the store, one of its level folders, or its index.

    Raises
    ------
    FormatError
        It is no NDTiff store, or it cannot be read.
    DiskSpaceError, StreamError
        The new index cannot be written; nothing was changed.
    """
    layout = find_store(path)
    written: list[Path] = []
    reports = []
    try:
        for folder in layout.levels.values():
            reports.append(_recover_folder(folder))
            if (new := reports[-1].written) is not None:
                written.append(new)
    except BaseException:
        for new in written:
            new.unlink(missing_ok=True)
        raise
    return RecoveryReport(layout.root, tuple(reports))


# ------------------------------------------------------------------ one new index


def _recover_folder(folder: Path) -> LevelReport:
    try:
        index, table = _old_index(folder)
        kept = np.zeros(0, bool)
        notes: list[str] = []
        if table is not None:
            kept, notes = _readable(folder, table)
        found = search(folder, table, kept)
    except OSError as error:
        raise FormatError(
            f"the store cannot be read: {error.strerror or error}", path=folder
        ) from error
    lost = choose(found, alone=not kept.any())
    if lost.foreign:
        notes.append(f"of no use here: {', '.join(shortened(lost.foreign))}")
    count = int(kept.sum())
    problems = () if table is None else table.problems
    whole = table is not None and kept.all() and not (problems or lost.frames)
    written = None
    if whole:
        notes.append(f"{index.name} is whole: nothing was written")
    elif not count + lost.frames:
        notes.append("no frame was found: nothing was written")
    else:
        old = [] if table is None else _records(table, np.flatnonzero(kept))
        written = _write_beside(folder, b"".join((*old, lost.records)))
    return LevelReport(
        folder,
        count,
        lost.frames,
        len(kept) - count,
        written,
        tuple(shortened(list(dict.fromkeys((*problems, *notes, *lost.notes))))),
    )


def _old_index(folder: Path) -> tuple[Path, IndexTable | None]:
    """Return the index to begin with: the original, or one recovered before."""
    index = folder / INDEX_NAME
    if not index.is_file():
        recovered = recovered_index(folder)
        if recovered is None:
            return index, None
        index = recovered
    size = index.stat().st_size
    if size > _MAX_INDEX:
        raise FormatError(
            f"an index of {size} bytes is too large to be one",
            path=index,
            hint="move it away; the frames are then found without it",
        )
    return index, parse_index(index.read_bytes())


def _readable(folder: Path, table: IndexTable) -> tuple[Mask, list[str]]:
    """Return which rows have their pixels in the files, and why others have not."""
    pool = FilePool(folder, limit=1)
    files, notes = [], []
    for name in table.files:
        try:
            with pool.use(name) as file:
                size = file.size()
                header = parse_header(file.read_at(0, HEADER_BYTES), size)
            files.append(StoreFile(name, size, header.order))
        except (FormatError, OSError) as error:
            files.append(StoreFile(name))
            notes.append(trouble(name, error))
    catalog = Catalog(table, files, pool)
    pool.close()
    return catalog.readable, notes + catalog.problems


def _records(table: IndexTable, rows: Iterable[int]) -> list[bytes]:
    return [
        record_of(axes_json(table.axes(row)) or b"{}", table.location(row))
        for row in rows
    ]


def _write_beside(folder: Path, data: bytes) -> Path:
    """Write a new index under a name that is free."""
    try:
        target = _reserve(folder)
        try:
            replace_file(target, data)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    except OSError as error:
        kind = DiskSpaceError if error.errno == errno.ENOSPC else StreamError
        raise kind(
            f"the recovered index cannot be written: {error.strerror or error}",
            path=folder,
            hint="copy the store to where there is room and permission to write; "
            "nothing was changed",
        ) from error
    return target


def _reserve(folder: Path) -> Path:
    """Make an empty file under a free name, which is then ours alone."""
    number = 0
    while True:
        name = f"{RECOVERED_NAME}_{number}" if number else RECOVERED_NAME
        try:
            DataFile.create(folder / name).close()
        except FileExistsError:
            number += 1
        else:
            return folder / name

"""Frames that are in the files of a store but not in its index.

A writer that dies leaves frames behind: the reference library keeps the last records
of the index in memory (tens of frames), and an index may be cut, damaged or lost. The
frames are found by walking through the files (`walk_images`), named by the axes that
their metadata hold, and given as records of an index, so that readers need not know.

Which files are looked at: a writer appends to one file at a time and to the index in
the same order, and what is left of an index is its beginning. So a file whose successor
the index names is complete in it. Only the last file can hold more, behind its last
record, and files that the index does not name at all. A store of hundreds of files is
opened by one look at the last of them; `recovery.recover` looks at all, from their
first image on, since a damaged record in the middle of an index may hide a frame.

In a coarser level the metadata are those of a tile of the full resolution, its row and
column too; level n has them divided by 2^n, rounded down (measured in stores that
Micro-Manager wrote).

This module reads no pixels and writes nothing.

Examples
--------
>>> import tempfile, pathlib, numpy as np
>>> from napari_scope.formats.ndtiff.writer import NDTiffWriter
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> with NDTiffWriter(folder) as writer:
...     place = writer.put({"time": 0}, np.ones((4, 3), "u2"))
>>> rebuilt_index(folder).frames
1
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.columns import (
    METADATA_LENGTH,
    METADATA_OFFSET,
    PIXEL_OFFSET,
)
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.index import encode_record
from napari_scope.formats.ndtiff.lookup import RowLookup
from napari_scope.formats.ndtiff.record import HEADER_BYTES, LINK_FIELD, parse_header
from napari_scope.formats.ndtiff.walk import axes_json, walk_images

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.fileio import DataFile
    from napari_scope.formats.ndtiff.columns import IndexTable
    from napari_scope.formats.ndtiff.files import FrameLocation
    from napari_scope.formats.ndtiff.record import Header

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Fields: TypeAlias = npt.NDArray[np.uint32]

__all__ = [
    "FoundFrames",
    "LostFrames",
    "choose",
    "lost_records",
    "rebuilt_index",
    "record_of",
    "search",
    "shortened",
    "trouble",
]

_MAX_NOTES = 20
_COARSER = re.compile(r"Downsampled_x([0-9]{1,10})")
_FILE_NAME = re.compile(r"(.+?)(?:_([0-9]{1,9}))?\.tif", re.IGNORECASE | re.DOTALL)


class LostFrames(NamedTuple):
    """Frames that an index does not know.

    ``records`` are their records, little endian, ``frames`` is their number, ``notes``
    say what could not be used and why, ``foreign`` are files of no use here.
    """

    records: bytes
    frames: int
    notes: list[str]
    foreign: list[str]


def lost_records(folder: Path, table: IndexTable) -> LostFrames:
    """Find the frames behind the end of an index.

    A frame whose metadata hold no axes has no name beside others that have one: such
    frames are counted in the notes.

    Parameters
    ----------
    folder : Path
        Where index and files are.
    table : IndexTable
        The index as far as it could be read.

    Raises
    ------
    OSError
        The folder cannot be read; trouble with a file is a note.
    """
    found = search(folder, table)
    if found.numbered:
        found.notes.append(_without_name(len(found.numbered)))
    return found.lost(found.named)


def rebuilt_index(folder: Path) -> LostFrames:
    """Find all frames of a folder without an index.

    Where no frame holds its axes, they get the axis ``image``, counted from 0 in the
    order of saving.

    Parameters
    ----------
    folder : Path
        Where the files are.

    Raises
    ------
    OSError
        The folder cannot be read; trouble with a file is a note.
    """
    return choose(search(folder, None), alone=True)


def record_of(axes: bytes, place: FrameLocation) -> bytes:
    """Return the record of a frame as the index has it."""
    return encode_record(axes, place.file.encode(), *place[1:])


# ------------------------------------------------------------ looking for frames


@dataclass
class FoundFrames:
    """Frames as records of an index: those with a name, and those without.

    ``axes`` are those of the frames with a name.
    """

    shift: int
    named: list[bytes] = field(default_factory=list)
    axes: list[bytes] = field(default_factory=list)
    numbered: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def add(self, axes: bytes | None, place: FrameLocation) -> None:
        """Take a frame in; one without axes gets a number."""
        if axes is None:
            axes = b'{"image":%d}' % len(self.numbered)
            self.numbered.append(record_of(axes, place))
        else:
            axes = _coarser(axes, self.shift)
            self.axes.append(axes)
            self.named.append(record_of(axes, place))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.named) + len(self.numbered)

    def lost(self, records: list[bytes]) -> LostFrames:
        """Return some records with all that was noted."""
        return LostFrames(
            b"".join(records), len(records), shortened(self.notes), self.foreign
        )


def choose(found: FoundFrames, *, alone: bool) -> LostFrames:
    """Return the frames with a name; numbered ones where there are no names at all."""
    if not found.numbered:
        return found.lost(found.named)
    if alone and not found.named:
        found.notes.append("no frame holds its axes: the axis 'image' counts them")
        return found.lost(found.numbered)
    found.notes.append(_without_name(len(found.numbered)))
    return found.lost(found.named)


def search(
    folder: Path, table: IndexTable | None, readable: Mask | None = None
) -> FoundFrames:
    """Find frames that the index does not know.

    With ``readable``, the rows of the index that count, all of its files are looked
    at, from their first image on; else only those that can hold more.
    """
    pool = FilePool(folder, limit=1)
    shift = _shift(folder)
    names, notes = _tif_files(folder)
    try:
        if table is None or _says_nothing(table, names, readable):
            found = _largest(pool, names, shift)
        else:
            found = FoundFrames(shift)
            _search_behind(pool, names, table, readable, found)
    finally:
        pool.close()
    found.notes = notes + found.notes
    if shared := _shared(found, table, readable):
        found.notes.append(
            "1 frame shares its axes with a later one, which replaces it"
            if shared == 1
            else f"{shared} frames share their axes with a later one, which replaces "
            "them"
        )
    return found


def _shared(found: FoundFrames, table: IndexTable | None, readable: Mask | None) -> int:
    """Return how many frames are replaced by frames that were found."""
    last = {tuple(sorted(json.loads(axes).items())) for axes in found.axes}
    count = len(found.axes) - len(last)
    if table is None or not last:
        return count
    codes = table.codes if readable is None else table.codes[readable]
    lookup = RowLookup(codes, [len(table.values[name]) for name in table.names])
    places = {
        name: {value: code for code, value in enumerate(table.values[name])}
        for name in table.names
    }
    for items in last:
        axes = dict(items)
        if all(name in places and axes[name] in places[name] for name in axes):
            row = lookup.row(
                [places[name][axes[name]] if name in axes else -1 for name in places]
            )
            count += row is not None
    return count


def _says_nothing(
    table: IndexTable, names: Sequence[str], readable: Mask | None
) -> bool:
    """Return whether an index is too damaged to say which files are the store's.

    One that is whole and names none of the files belongs to files that are gone: then
    those that are there are of another store, unless somebody wants them recovered.
    """
    if not table.files:
        return True
    damaged = bool(table.problems) or readable is not None
    return damaged and set(table.files).isdisjoint(names)


def _largest(pool: FilePool, names: Sequence[str], shift: int) -> FoundFrames:
    """Walk through all files; of several stores in one folder take the largest."""
    stores: defaultdict[str, FoundFrames] = defaultdict(lambda: FoundFrames(shift))
    for name in names:
        _walk(pool, name, stores[_parts(name)[0]])
    notes = [note for found in stores.values() for note in found.notes]
    best = max(stores, key=lambda stem: len(stores[stem]), default="")
    for stem, found in stores.items():
        if stem != best and len(found):
            notes.append(
                f"{stem}.tif: its {len(found)} frames are of another store than "
                f"those of {best}.tif: they were left out"
            )
    result = stores[best]
    result.notes = notes
    return result


def _search_behind(
    pool: FilePool,
    names: Sequence[str],
    table: IndexTable,
    readable: Mask | None,
    found: FoundFrames,
) -> None:
    """Walk through the files of the store that may hold more than the index knows."""
    ids = {name: number for number, name in enumerate(table.files)}
    stems = {_parts(name)[0] for name in table.files}
    # A name that is no file's may be a damaged one: it says nothing of a successor.
    indexed = {_parts(name) for name in ids.keys() & set(names)}
    for name in names:
        stem, number = _parts(name)
        if stem not in stems:
            found.foreign.append(name)
        elif name not in ids:
            _walk(pool, name, found)
        elif readable is not None:
            rows = (table.file_ids == ids[name]) & readable
            _walk(pool, name, found, table.fields[rows], again=True)
        elif (stem, number + 1) not in indexed:
            _walk(pool, name, found, table.fields[table.file_ids == ids[name]])


def _walk(
    pool: FilePool,
    name: str,
    found: FoundFrames,
    fields: Fields | None = None,
    *,
    again: bool = False,
) -> None:
    """Add the images of a file that are not among the records ``fields``.

    The walk starts behind the last of these records; ``again`` also starts it at the
    first image.
    """
    try:
        with pool.use(name) as file:
            size = file.size()
            start = None if fields is None else _end_of(fields, size)
            if start is not None and start >= size and not again:
                return
            if not size:
                raise FormatError("the file is empty")
            header = parse_header(file.read_at(0, HEADER_BYTES), size)
            if header.version[0] < 2:
                raise FormatError(
                    "files of version 1 hold an index of their own: nothing to find"
                )
            known = set()
            if fields is not None and (again or start is None):
                known.update(fields[:, PIXEL_OFFSET].tolist())
            starts = [None, start] if again and start is not None else [start]
            for begin in starts:
                end = begin
                for image in walk_images(file, header, begin):
                    end = image.end
                    if image.location.pixel_offset not in known:
                        known.add(image.location.pixel_offset)
                        found.add(image.axes, image.location)
            if end is None:
                end = header.summary_offset + header.summary_length
                end += end % 2
            found.notes += _rest(file, header, end)
    except (FormatError, OSError) as error:
        found.notes.append(trouble(name, error))


def _end_of(fields: Fields, size: int) -> int | None:
    """Return where the last of some records ends, or None where there are none.

    Records beyond the end of the file are overlooked: they are wrong, or it was cut.
    """
    ends = fields[:, METADATA_OFFSET].astype(np.int64) + fields[:, METADATA_LENGTH]
    ends = ends[ends <= size]
    if not len(ends):
        return None
    end = int(ends.max())
    return end + end % 2


def _rest(file: DataFile, header: Header, end: int) -> list[str]:
    """Say what stands behind the last image of a file, unless it is zeros."""
    data = file.read_at(end, LINK_FIELD)
    if not any(data):
        return []
    name = file.path.name
    entries = int.from_bytes(data[:2], "little" if header.order == "<" else "big")
    if entries == 13:
        return [f"{name}: the frame at byte {end} is not whole"]
    return [f"{name}: what stands from byte {end} on is no frame"]


# ------------------------------------------------------------------------- names


def _tif_files(folder: Path) -> tuple[list[str], list[str]]:
    """Return the TIFF files of a folder in the order of writing, and remarks."""
    names, notes = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if _FILE_NAME.fullmatch(entry.name) and entry.is_file():
                try:
                    entry.name.encode()
                except UnicodeEncodeError:
                    notes.append(f"{entry.name!a}: no index can hold such a name")
                else:
                    names.append(entry.name)
    return sorted(names, key=lambda name: (*_parts(name), name)), notes


def _parts(name: str) -> tuple[str, int]:
    """Return what the names of all files of a store share, and the file's number.

    Examples
    --------
    >>> _parts("run_1_NDTiffStack.tif"), _parts("run_1_NDTiffStack_10.tif")
    (('run_1_NDTiffStack', 0), ('run_1_NDTiffStack', 10))
    """
    match = _FILE_NAME.fullmatch(name)
    return (match[1], int(match[2] or 0)) if match else (name, 0)


def _shift(folder: Path) -> int:
    """Return the resolution level of a folder."""
    match = _COARSER.fullmatch(folder.name)
    return int(match[1]).bit_length() - 1 if match else 0


def _coarser(axes: bytes, level: int) -> bytes:
    """Return the axes of the tile of a level that holds a tile of full resolution."""
    if not level:
        return axes
    values = json.loads(axes)
    for name in ("row", "column"):
        if isinstance(values.get(name), int):
            values[name] >>= level
    return axes_json(values) or axes


# ------------------------------------------------------------------------- words


def _without_name(count: int) -> str:
    return (
        f"{count} frames are in the files but not in the index, and their metadata do "
        "not say which ones they are: they were left out"
    )


def trouble(name: str, error: FormatError | OSError) -> str:
    """Return what is wrong with a file, in one sentence."""
    if isinstance(error, FormatError):
        return f"{name}: {error.message}"
    return f"{name}: cannot be read: {error.strerror or error}"


def shortened(texts: list[str]) -> list[str]:
    """Return some texts and the number of the others: a folder may hold anything."""
    if len(texts) <= _MAX_NOTES:
        return texts
    return [*texts[: _MAX_NOTES - 1], f"and {len(texts) - _MAX_NOTES + 1} more"]

"""The data sets below a folder: found by their names and first bytes, none is opened.

A store is an entry, what lies inside of it is not looked at. So is an acquisition of
mass-spectrometry images, however many files it has. Folders are entered to a
bounded depth. Each entry has a stamp, made of the times and sizes of the few files that
change while a store is written: as long as it is the same, what is known of the store
is still right, and a second look at a folder costs little more than listing it.

What cannot be listed is left out: somebody else's folder is no error of this one.

Examples
--------
>>> [found.name for found in find_data_sets("/data/cells")]  # doctest: +SKIP
['2026-03-01/run_1.ome.zarr', '2026-03-01/run_2.ndtiff']
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.formats.detect import Format, detect
from napari_scope.formats.msi_entries import (
    LISTED,
    files_of,
    folders_of_lists,
    parts_of_others,
)
from napari_scope.formats.tiff_sniff import COMPANION, TIFF_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["DEPTH", "FoundDataSet", "entries_in", "find_data_sets", "stamp_of"]

DEPTH: Final = 3
"""How many folders deep is looked by default."""

_MOST_FOUND: Final = 20_000
_MOST_FOLDERS: Final = 5_000
_MOST_NAMES: Final = 20_000  # of one folder
_FILES: Final = (*TIFF_SUFFIXES, COMPANION, ".ozx", ".zip", *LISTED)
_TOLD_BY: Final = (
    "zarr.json",
    ".zattrs",
    "acquisition/frames.jsonl",
    "NDTiff.index",
    "Full resolution/NDTiff.index",
    "frames.jsonl",
)
_ARRAY_OR_INSIDE: Final = (".zarray", "zarr.json", "c")


@dataclass(frozen=True, slots=True)
class FoundDataSet:
    """A data set that was found.

    Parameters
    ----------
    place : str
        Its path.
    name : str
        Its path below the folder that was searched, with slashes.
    format : {"ome-zarr", "ndtiff", "ome-tiff", "msi"}
        What it seems to be.
    modified_s : float
        When it was changed last, in seconds since 1970.
    stamp : tuple of int
        Times and sizes of the files that change when the store does.
    """

    place: str
    name: str
    format: Format
    modified_s: float
    stamp: tuple[int, ...]


def find_data_sets(
    folder: str | os.PathLike[str],
    *,
    depth: int = DEPTH,
    known: Mapping[str, FoundDataSet] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[FoundDataSet]:
    """Yield the data sets below a folder, the nearest first and by name.

    Parameters
    ----------
    folder : str or PathLike
        Where to look. If it is a data set itself it is the only one.
    depth : int
        How many folders deep; 0 looks at nothing but the entries of the folder.
    known : mapping, optional
        What was found before, by place: not detected again as long as its stamp is the
        same.
    cancelled : callable
        Asked between two entries; ends the search.

    Raises
    ------
    OSError
        If the folder itself cannot be listed.
    """
    root = Path(folder)
    before = known or {}
    if (itself := _found(str(root), root.name or str(root), before)) is not None:
        yield itself
        return
    count = 0
    waiting: deque[tuple[str, str, int]] = deque([(str(root), "", 0)])
    for _ in range(_MOST_FOLDERS):
        if not waiting:
            return
        place, prefix, level = waiting.popleft()
        try:
            entries = entries_in(place)
        except OSError:
            if not prefix:
                raise
            continue
        for name, is_folder, is_link in entries:
            if cancelled():
                return
            path = os.path.join(place, name)
            found = _found(path, prefix + name, before)
            if found is not None:
                yield found
                count += 1
                if count >= _MOST_FOUND:
                    return
            elif is_folder and not is_link and level < depth and not _is_array(path):
                waiting.append((path, f"{prefix}{name}/", level + 1))


def stamp_of(place: str) -> tuple[float, tuple[int, ...]]:
    """Return when a data set was changed last, and its stamp.

    Raises
    ------
    OSError
        If it is not there.
    """
    status = os.stat(place)
    newest, stamp = status.st_mtime, [status.st_mtime_ns, status.st_size]
    for other in files_of(place)[1:]:
        try:
            status = os.stat(other)
        except OSError:
            continue  # gone in this moment
        newest = max(newest, status.st_mtime)
        stamp += (status.st_mtime_ns, status.st_size)
    if os.path.isdir(place):
        for name in _TOLD_BY:
            try:
                status = os.stat(os.path.join(place, name))
            except (OSError, ValueError):
                stamp += (0, 0)
                continue
            newest = max(newest, status.st_mtime)
            stamp += (status.st_mtime_ns, status.st_size)
    return newest, tuple(stamp)


def entries_in(place: str, most: int = _MOST_NAMES) -> list[tuple[str, bool, bool]]:
    """Return what of a folder may hold data: names, whether folders, whether links.

    Files whose names say that they hold nothing of ours are left out, and what belongs
    to another entry (the ``.ibd`` file of an ``.imzML`` file).

    Parameters
    ----------
    place : str
        The folder.
    most : int
        So many names are looked at.

    Raises
    ------
    OSError
        If it cannot be listed.
    """
    listed: list[tuple[str, bool, bool]] = []
    names: list[str] = []
    with os.scandir(place) as entries:
        for entry in islice(entries, most):
            names.append(entry.name)
            if entry.name.startswith("."):
                continue
            try:
                is_folder = entry.is_dir()
                is_link = entry.is_symlink()
            except OSError:
                continue
            if is_folder or entry.name.lower().endswith(_FILES):
                listed.append((entry.name, is_folder, is_link))
    parts = parts_of_others(names) | folders_of_lists(place, names)
    return sorted(one for one in listed if one[0] not in parts)


def _found(
    place: str, name: str, known: Mapping[str, FoundDataSet]
) -> FoundDataSet | None:
    try:
        modified_s, stamp = stamp_of(place)
    except (OSError, ValueError):
        return None
    before = known.get(place)
    if before is not None and before.stamp == stamp and before.name == name:
        return before
    if place.lower().endswith(LISTED):
        kind = _detected(place, stamp)
    else:
        kind = detect(place)
    return kind and FoundDataSet(place, name, kind, modified_s, stamp)


@lru_cache(maxsize=8192)
def _detected(place: str, stamp: tuple[int, ...]) -> Format | None:
    """Return the format of a file; asked once as long as its stamp is the same.

    What is ours is known from the search before. What is foreign, as most HDF5 files
    are, would be read again in each search.
    """
    return detect(place)


def _is_array(place: str) -> bool:
    """Return whether a folder is a Zarr array: it has chunks, not data sets."""
    if os.path.exists(os.path.join(place, _ARRAY_OR_INSIDE[0])):
        return True
    document, chunks = (os.path.join(place, name) for name in _ARRAY_OR_INSIDE[1:])
    return os.path.exists(document) and os.path.exists(chunks)

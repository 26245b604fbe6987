"""The data sets below a folder: found by their names and first bytes, none is opened.

A store is an entry, what lies inside of it is not looked at. Folders are entered to a
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
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.formats.detect import Format, detect
from napari_scope.formats.tiff_sniff import COMPANION, TIFF_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["DEPTH", "FoundDataSet", "find_data_sets", "stamp_of"]

DEPTH: Final = 3
"""How many folders deep is looked by default."""

_MOST_FOUND: Final = 20_000
_MOST_FOLDERS: Final = 5_000
_MOST_NAMES: Final = 20_000  # of one folder
_FILES: Final = (*TIFF_SUFFIXES, COMPANION, ".ozx", ".zip")
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
    format : {"ome-zarr", "ndtiff", "ome-tiff"}
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
            entries = _entries(place)
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


def _entries(place: str) -> list[tuple[str, bool, bool]]:
    """Return what may hold data: its name, whether it is a folder, and a link."""
    listed: list[tuple[str, bool, bool]] = []
    with os.scandir(place) as entries:
        for number, entry in enumerate(entries):
            if number >= _MOST_NAMES:
                break
            if entry.name.startswith("."):
                continue
            try:
                is_folder = entry.is_dir()
                is_link = entry.is_symlink()
            except OSError:
                continue
            if is_folder or entry.name.lower().endswith(_FILES):
                listed.append((entry.name, is_folder, is_link))
    return sorted(listed)


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
    kind = detect(place)
    return kind and FoundDataSet(place, name, kind, modified_s, stamp)


def _is_array(place: str) -> bool:
    """Return whether a folder is a Zarr array: it has chunks, not data sets."""
    if os.path.exists(os.path.join(place, _ARRAY_OR_INSIDE[0])):
        return True
    document, chunks = (os.path.join(place, name) for name in _ARRAY_OR_INSIDE[1:])
    return os.path.exists(document) and os.path.exists(chunks)

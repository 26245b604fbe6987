"""Which paths are mass-spectrometry images, each once, whatever files they consist of.

An acquisition is one entry of a list, though it may be two files (imzML), three
(Analyze), or thousands of folders (the spots of a Bruker flex measurement, which a
spot list may stand for). Here is told which path stands for it, which others belong to
it, and what else of a folder is therefore no entry. A folder of several files is no
acquisition; it is listed like any other, though `napari_scope.formats.msi.open_msi`
opens it as one.

Names decide first, so foreign files cost next to nothing; what remains is asked of the
readers, which are imported only then.

Examples
--------
>>> sorted(parts_of_others(["a.imzML", "a.ibd", "b.hdr", "b.img", "b.t2m", "c.img"]))
['a.ibd', 'b.hdr', 'b.t2m', 'c.img']
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.formats.msi_sniff import is_msi, may_be_msi

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "LISTED",
    "entry_of",
    "files_of",
    "folders_of_lists",
    "is_acquisition",
    "parts_of_others",
]

_LIST: Final = " spot list.txt"

LISTED: Final = (".imzml", ".mzml", ".img", ".h5", ".hdf5", ".omsi", _LIST)
"""How the names of files end that may stand for an acquisition, in small letters."""

_PARTNERS: Final = {
    ".imzml": (".ibd",),
    ".img": (".hdr", ".t2m"),
}
"""Suffix of the file that stands for an acquisition, and those of its other files."""


def is_acquisition(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is one acquisition: a file, or a folder of Bruker spots."""
    if not os.path.isdir(path):
        return is_msi(path)
    if not may_be_msi(path):
        return False
    from napari_scope.formats.msi.bruker.names import spot_folders

    return bool(spot_folders(Path(path), 0))


def entry_of(path: str | os.PathLike[str]) -> str:
    """Return the path that stands for the acquisition that a file belongs to.

    Of everything else it is the path itself.

    Examples
    --------
    >>> entry_of("/data/cells.ome.zarr")
    '/data/cells.ome.zarr'
    """
    place = os.fspath(path)
    stem, suffix = os.path.splitext(place)
    for main, others in _PARTNERS.items():
        if suffix.lower() in others:
            for name in _written(stem, main):
                if os.path.isfile(name) and is_acquisition(name):
                    return name
    return place


def files_of(place: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the files and folders that an acquisition consists of, its own first.

    A spot list has its folder with it. Of what is no mass-spectrometry image it is the
    path alone.
    """
    path = os.fspath(place)
    stem, suffix = os.path.splitext(path)
    found = [path]
    if path.lower().endswith(_LIST):
        folder = _folder_of_list(path, _changed(path))
        if folder is not None:
            found.append(folder)
    for other in _PARTNERS.get(suffix.lower(), ()):
        if there := next(filter(os.path.isfile, _written(stem, other)), None):
            found.append(there)
    if suffix.lower() == ".img" and len(found) < 3:
        return (path,)  # images of other programs have no m/z axis
    return tuple(found)


def parts_of_others(names: Collection[str]) -> set[str]:
    """Return the names of a folder that are no entries: they belong to another file.

    So are images of other programs with the suffix of Analyze: they have no m/z axis.
    """
    known: dict[str, list[str]] = {}
    for name in names:
        known.setdefault(name.lower(), []).append(name)
    parts: set[str] = set()
    for name in names:
        stem, suffix = os.path.splitext(name)
        others = _PARTNERS.get(suffix.lower())
        if others is None:
            continue
        wanted = [known.get(stem.lower() + other) for other in others]
        if all(wanted):
            parts.update(one for found in wanted for one in found or ())
        elif suffix.lower() == ".img":
            parts.add(name)
    return parts


def folders_of_lists(folder: str, names: Collection[str]) -> set[str]:
    """Return the folders of spots that spot lists of the same folder stand for.

    Parameters
    ----------
    folder : str
        The folder.
    names : collection of str
        What is in it.
    """
    found: set[str] = set()
    for name in names:
        if name.lower().endswith(_LIST):
            path = os.path.join(folder, name)
            spots = _folder_of_list(path, _changed(path))
            if spots is not None:
                found.add(os.path.basename(spots))
    return found


def _written(stem: str, suffix: str) -> tuple[str, ...]:
    """Return a name with a suffix as it may be written."""
    suffix = ".imzML" if suffix == ".imzml" else suffix
    return tuple(
        dict.fromkeys(stem + s for s in (suffix, suffix.lower(), suffix.upper()))
    )


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=1024)
def _folder_of_list(path: str, changed_ns: int) -> str | None:
    """Return the folder with the spots of a list; the list is read."""
    from napari_scope.errors import FormatError
    from napari_scope.formats.msi.bruker.names import spot_folders
    from napari_scope.formats.msi.bruker.spots import find_spots

    named = Path(path[: -len(_LIST)])
    try:
        if spot_folders(named, 0) and is_msi(path):
            return str(named)
        return str(find_spots(Path(path)).folder)
    except (FormatError, OSError, ValueError):
        return None

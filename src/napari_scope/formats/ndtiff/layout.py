"""Where the files of an NDTiff store are: one folder, or one for each resolution.

A plain store of version 3 keeps index and files in its own folder. Stores of versions
1 and 2, and all tiled ones, keep them in ``Full resolution`` and the coarser levels in
``Downsampled_x2``, ``Downsampled_x4`` and so on. Layout after the NDTiff specification
and the stores that Micro-Manager writes.

Examples
--------
>>> import tempfile, pathlib
>>> root = pathlib.Path(tempfile.mkdtemp())
>>> for name in ("Full resolution", "Downsampled_x2"):
...     (root / name).mkdir()
...     _ = (root / name / "NDTiff.index").write_bytes(b"")
>>> sorted(find_store(root / "Full resolution" / "NDTiff.index").levels)
[0, 1]
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.index import INDEX_NAME

__all__ = [
    "FULL_RESOLUTION",
    "RECOVERED_NAME",
    "WRITING_NAME",
    "StoreLayout",
    "find_store",
    "level_name",
    "recovered_index",
]

FULL_RESOLUTION = "Full resolution"
"""Folder of the frames in stores of versions 1 and 2 and in tiled ones."""

RECOVERED_NAME = f"{INDEX_NAME}.recovered"
"""An index that was rebuilt; it is used where the original is missing."""

WRITING_NAME = "NDTiff.writing"
"""A file that our writer keeps in a store until it is done; no other program does."""

_COARSER = re.compile(r"Downsampled_x([1-9][0-9]{0,9})")
_RECOVERED = re.compile(rf"{re.escape(RECOVERED_NAME)}(?:_([0-9]{{1,6}}))?")
_MOST_NAMES = 100_000  # of a folder that are looked at


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """The folders of a store.

    Parameters
    ----------
    root : Path
        The folder that the user knows.
    levels : dict of int to Path
        Folder of each resolution; level n is downsampled by 2^n. Level 0 is there.
    """

    root: Path
    levels: dict[int, Path]

    @property
    def has_level_folders(self) -> bool:
        """Whether each resolution has a folder of its own."""
        return self.levels[0] != self.root


def level_name(level: int) -> str:
    """Return the name of the folder of a level."""
    return f"Downsampled_x{2**level}" if level else FULL_RESOLUTION


def find_store(path: str | os.PathLike[str]) -> StoreLayout:
    """Return where the files of a store are.

    Parameters
    ----------
    path : str or PathLike
        The folder of the store, one of its level folders, or an index file.

    Raises
    ------
    FormatError
        There is neither an index nor a TIFF file.
    """
    given = Path(path)
    folder = given
    if given.name == INDEX_NAME or _RECOVERED.fullmatch(given.name):
        folder = given.parent
    try:
        if _is_level(folder.name) and _has_files(folder):
            above = folder.absolute().parent
            if _has_files(above / FULL_RESOLUTION):
                return _layout(above)
            return StoreLayout(folder, {0: folder})
        if _has_files(folder / FULL_RESOLUTION):
            return _layout(folder)
        if _has_files(folder):
            return StoreLayout(folder, {0: folder})
    except OSError as error:
        raise FormatError(
            f"the store cannot be read: {error.strerror or error}", path=path
        ) from error
    raise FormatError(
        f"no NDTiff store: there is no {INDEX_NAME} and no TIFF file",
        path=path,
        hint=f"choose the folder that holds {INDEX_NAME}",
    )


def recovered_index(folder: Path) -> Path | None:
    """Return the latest index that was rebuilt in a folder, or None."""
    found = []
    for name in _names(folder):
        match = _RECOVERED.fullmatch(name)
        if match and (folder / name).is_file():
            found.append((int(match[1] or 0), name))
    return folder / max(found)[1] if found else None


def _is_level(name: str) -> bool:
    return name == FULL_RESOLUTION or _COARSER.fullmatch(name) is not None


def _layout(root: Path) -> StoreLayout:
    levels = {0: root / FULL_RESOLUTION}
    for name in _names(root):
        match = _COARSER.fullmatch(name)
        factor = int(match[1]) if match else 0
        if factor > 1 and factor.bit_count() == 1 and _has_files(root / name):
            levels[factor.bit_length() - 1] = root / name
    return StoreLayout(root, dict(sorted(levels.items())))


def _has_files(folder: Path) -> bool:
    """Return whether a folder holds an index or a TIFF file."""
    try:
        if stat.S_ISREG(os.stat(folder / INDEX_NAME).st_mode):
            return True
    except (OSError, ValueError):
        pass
    return any(name.endswith(".tif") for name in _names(folder))


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in islice(entries, _MOST_NAMES))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return []

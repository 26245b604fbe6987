"""The levels of a tiled store whose writer was killed, brought up to date.

A tile is written at full resolution first and then carried from level to level; a
writer that was killed in between leaves levels that lack it, or half of it. Carrying
all tiles again, in the order in which they came, makes the levels what they would have
been: what is right already is only written once more, in place.

This module knows nothing of journals: whoever reads the frames says which are right.

Examples
--------
>>> import pathlib, tempfile, numpy as np
>>> from napari_scope.formats.ndtiff import Dataset, TiledNDTiffWriter
>>> folder = tempfile.mkdtemp()
>>> tile = np.full((4, 4), 7, "u2")
>>> with TiledNDTiffWriter(folder, tile_overlap=0, max_multi_res_index=1) as writer:
...     _ = writer.put({"row": 0, "column": 0}, tile)
>>> with LevelRepair(folder) as repair:
...     repair.add({"row": 0, "column": 1}, tile, {}, bit_depth=16)
>>> Dataset(folder).read_image(row=0, column=0, resolution_level=1)[0]
array([7, 7, 7, 7], dtype=uint16)
"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.failures import disk_errors
from napari_scope.formats.ndtiff.folder import FolderWriter
from napari_scope.formats.ndtiff.layout import find_store, level_name
from napari_scope.formats.ndtiff.levels import LevelFolders, TileImage
from napari_scope.formats.ndtiff.resume import stored_folder
from napari_scope.formats.ndtiff.tiff_series import MAX_FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    from napari_scope.model import Axes

__all__ = ["LevelRepair"]

_MOST_LEVELS = 32


class LevelRepair:
    """Carries the tiles of full resolution into the levels there are.

    Parameters
    ----------
    root : str or PathLike
        Folder of the store. The index of each of its folders is whole.

    Attributes
    ----------
    unfinished : int
        Levels whose making was interrupted; what there was of them is deleted.

    Raises
    ------
    FormatError
        It is no tiled store of version 3.
    OSError
        The disk failed.
    """

    def __init__(self, root: str | PathLike[str]) -> None:
        layout = find_store(root)
        self._root = layout.root
        full = layout.levels[0]
        overlap = facts.tile_overlap(stored_folder(full).facts())
        if not layout.has_level_folders or overlap is None:
            raise FormatError("it is no tiled store", path=root)
        self._overlap = int(overlap[1]), int(overlap[0])
        self.unfinished = self._remove_unfinished(full)
        self._has_levels = (self._root / level_name(1)).is_dir()
        self._levels: LevelFolders | None = None

    def add(
        self,
        axes: Axes,
        frame: npt.NDArray[np.generic],
        metadata: Mapping[str, object],
        *,
        bit_depth: int | None = None,
    ) -> None:
        """Carry a tile of full resolution into the levels.

        Parameters
        ----------
        axes : mapping
            Its axes.
        frame : ndarray
            The whole image, with the overlap.
        metadata : mapping
            Of the image, for tiles of levels that are not there yet.
        bit_depth : int, optional
            Significant bits of the pixels.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        FormatError, FrameError
            A level is damaged.
        """
        if not self._has_levels:
            return
        if self._levels is None:
            self._levels = self._open()
            height, width = (
                size - shared
                for size, shared in zip(frame.shape[:2], self._overlap, strict=True)
            )
            self._levels.tile_shape = height, width
        try:
            self._levels.add_image(axes, TileImage(frame, metadata, bit_depth))
        except ValueError as error:  # numpy refuses to put tiles into others
            raise FormatError(
                f"a level has tiles of another size, {error}", path=self._root
            ) from error

    def close(self) -> None:
        """Wait until the levels survive a loss of power, and close them.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        """
        levels, self._levels = self._levels, None
        if levels is None:
            return
        with contextlib.ExitStack() as undo:
            for files in levels.folders:
                undo.callback(files.close)
            for files in levels.folders[1:]:
                files.sync()
        levels.forget()

    def __enter__(self) -> LevelRepair:
        """Return the repair itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the levels."""
        self.close()

    def _remove_unfinished(self, full: Path) -> int:
        found = 0
        for level in range(1, _MOST_LEVELS):
            stage = full / f"{level_name(level)}.new"
            if stage.is_dir() and not stage.is_symlink():
                with disk_errors(stage):
                    shutil.rmtree(stage)
                found += 1
        return found

    def _open(self) -> LevelFolders:
        """Open the levels for writing; each gets a file of its own for new tiles."""
        levels = LevelFolders(self._begin, self._root, self._overlap)
        levels.open_stored()
        return levels

    def _begin(self, folder: Path) -> FolderWriter:
        stored = stored_folder(folder)
        return FolderWriter(
            folder,
            stem=stored.stem,
            summary=stored.summary,
            resolution=facts.pixels_per_cm(stored.facts()),
            max_file_bytes=MAX_FILE_BYTES,
            stored=stored,
        )

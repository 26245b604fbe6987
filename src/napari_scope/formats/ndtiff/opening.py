"""Opening an NDTiff store as a data set: one image for each position, or one mosaic.

Tiles of a tiled store are one image with all its resolutions. Frames of another size or
type than others of their position become an image of their own. No pixel is read.

A frame that cannot be read is zeros, and keeps its place: a time point that is lost
must not make a later one look like it. A position of which nothing can be read is left
out.

Which frames form an image is up to `grouping`, how it is made to `images`.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.grouping import are_tiles, images_of
from napari_scope.formats.ndtiff.images import ImageBuilder
from napari_scope.formats.ndtiff.kinds import frame_kinds
from napari_scope.formats.ndtiff.layout import find_store, level_name
from napari_scope.formats.ndtiff.reader import NDTiffReader
from napari_scope.model import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from napari_scope.formats.ndtiff.catalog import Catalog

    # Catalogs are never changed: another one is other contents.
    _State = tuple[list[Catalog], bool]

__all__ = ["open_ndtiff"]

_MOST_NOTES = 20  # lines on incomplete images; a plate would bury the other problems


def open_ndtiff(path: str | PathLike[str]) -> Dataset:
    """Open an NDTiff store of any version.

    Parameters
    ----------
    path : str or PathLike
        The folder of the store, or its ``NDTiff.index``.

    Returns
    -------
    Dataset
        One image for each position and grid place, or one mosaic of all tiles, with
        the axes t, custom axes, c, z, y, x (and rgb), as far as they are there. What
        is damaged or missing is in its ``problems`` and reads as zeros.

    Raises
    ------
    FormatError
        It is no such store, or none of its frames can be read.
    """
    return _Store(path).dataset()


class _Store:
    """A store that may grow, in frames and in resolution levels."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self._readers = [NDTiffReader(path)]
        self._notes: dict[int, str] = {}
        self._lock = threading.Lock()
        self._open_levels()

    def _open_levels(self) -> None:
        """Open the levels that are there and were not opened, up to a gap or damage."""
        root = self._readers[0].folder
        levels = find_store(root).levels
        while (level := len(self._readers)) in levels:
            try:
                self._readers.append(NDTiffReader(root, level=level))
            except FormatError as error:
                self._notes[level] = f"{level_name(level)} cannot be used: {error}"
                return
            self._notes.pop(level, None)

    def dataset(self) -> Dataset:
        """Return the data set; it holds no files open, reading pixels opens them."""
        state = self._state()
        try:
            return _dataset(
                self._readers,
                list(self._notes.values()),
                state[1],
                partial(self.reload, state),
            )
        finally:
            for reader in self._readers:
                reader.close()

    def reload(self, seen: _State) -> Dataset | None:
        """Return the data set anew if it is not as it was ``seen``, or None."""
        with self._lock:
            for reader in self._readers:
                reader.refresh()
            if self._readers[0].layout.has_level_folders:
                self._open_levels()
            return None if self._state() == seen else self.dataset()

    def _state(self) -> _State:
        # In this order: to ask whether it is finished may bring frames.
        finished = self._readers[0].finished
        return [reader.catalog for reader in self._readers], finished


def _dataset(
    readers: Sequence[NDTiffReader],
    notes: Sequence[str],
    finished: bool,
    reload: Callable[[], Dataset | None],
) -> Dataset:
    reader = readers[0]
    catalog = reader.catalog
    problems = [*reader.problems, *notes]
    every = catalog.rows()
    rows = every[catalog.readable[every]]
    if not len(rows):
        raise FormatError(
            "no frame of this NDTiff store can be read",
            path=reader.folder,
            hint="; ".join(problems[:3]) or "its index is empty",
        )
    overlap = facts.tile_overlap(reader.summary)
    if overlap is None and len(readers) > 1:
        overlap = (0.0, 0.0)
    kinds = frame_kinds(catalog.table, rows)
    several_kinds = bool((kinds != kinds[0]).any())
    tiled = are_tiles(catalog.table, rows, overlap)
    members, left_out = images_of(catalog, every, tiled=tiled)
    if left_out:
        problems.append(
            f"{left_out} frames that cannot be read are in no image: nothing "
            "of their position can be read, or it has images of several sizes"
        )
    builder = ImageBuilder(readers, overlap, finished=finished)
    images = [
        builder.image(own, several_kinds=several_kinds, tiled=tiled) for own in members
    ]
    incomplete = builder.incomplete
    if len(incomplete) > _MOST_NOTES:
        more = len(incomplete) - _MOST_NOTES
        incomplete[_MOST_NOTES:] = [f"{more} more images are incomplete"]
    version = reader.version or (0, 0)
    return Dataset(
        path=str(reader.folder),
        format="ndtiff",
        format_version=f"{version[0]}.{version[1]}",
        images=tuple(images),
        problems=(*problems, *builder.problems, *incomplete),
        metadata={
            "frames": len(rows),
            "files": len(catalog.table.files),
            "summary": reader.summary,
        },
        finished=finished,
        reload=reload,
    )

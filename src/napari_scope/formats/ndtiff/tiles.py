"""Writing tiled NDTiff stores with reduced levels that grow with every tile.

A tiled store holds the camera's images, laid out on a grid by the axes ``row`` and
``column``, in the folder ``Full resolution``; neighbours overlap. In each folder
``Downsampled_xN`` the tiles have the size of an image without its overlap, and every
pixel is the mean of four pixels of the level before, cut to an integer: tile (row,
column) is a quadrant of tile (row // 2, column // 2). What was not acquired is 0. This
is the layout of pycro-manager and Micro-Magellan (micro-manager/NDStorage), and our
levels are equal to theirs.

A tile of a level is written once and then overwritten in place, as its quadrants
arrive; its record in the index never changes. So all levels are right on disk after
each `TiledNDTiffWriter.put`, and open after a kill.

With ``resume`` a finished store goes on: new tiles go to files of their own behind
those that are there, and change the levels that are there in place.

This module has the order of things and the lock. Which images are tiles of one grid,
and how many levels it is worth, says `tile_grid`; pixels go from level to level in
`levels`.

Examples
--------
>>> import tempfile, numpy as np
>>> folder = tempfile.mkdtemp()
>>> with TiledNDTiffWriter(folder, tile_overlap=2) as writer:
...     for column in range(2):
...         _ = writer.put({"row": 0, "column": column}, np.full((6, 6), 7, "u2"))
...     writer.read_frame({"row": 0, "column": 0}, level=1)
array([[7, 7, 7, 7],
       [7, 7, 7, 7],
       [0, 0, 0, 0],
       [0, 0, 0, 0]], dtype=uint16)
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.encoding import FrameItem, encode_frame, encode_summary
from napari_scope.formats.ndtiff.failures import stream_error
from napari_scope.formats.ndtiff.folder import FolderWriter
from napari_scope.formats.ndtiff.levels import LevelFolders, TileImage
from napari_scope.formats.ndtiff.resume import stored_folder
from napari_scope.formats.ndtiff.store_root import StoreRoot
from napari_scope.formats.ndtiff.stored_tiles import stored_tiles
from napari_scope.formats.ndtiff.tiff_series import (
    MAX_FILE_BYTES,
    check_file_size,
    file_stem,
)
from napari_scope.formats.ndtiff.tile_grid import TileGrid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ndtiff.files import FrameLocation
    from napari_scope.model import Axes, Channel

    Frame: TypeAlias = npt.NDArray[np.generic]
    Metadata: TypeAlias = Mapping[str, object]

__all__ = ["TiledNDTiffWriter"]


class TiledNDTiffWriter:
    """Writes one tiled NDTiff 3.3 store, tile by tile. Thread safe.

    All images have one shape and type. Tiles of the levels are read back from the
    disk when they change; 64 MiB of the latest are kept.

    Parameters
    ----------
    folder : str or PathLike
        Folder of the store; it is made, or must be empty.
    tile_overlap : int or (int, int)
        Pixels that neighbours share: (in x, in y), or one number for both.
    max_multi_res_index : int, optional
        The coarsest level: 0 is none but full resolution, 1 is reduced twofold, 2
        fourfold. By default levels are added while the grid grows, until its longer
        side, counted in tiles, is not longer than the reduction: at the coarsest level
        all that was acquired is about as large as one tile.
    prefix, summary, channels, max_file_bytes
        As for `NDTiffWriter`; the overlap is put into the summary.
    resume : bool
        Go on with the store in the folder, whose writer has ended. Its prefix, summary
        and display settings stay; the overlap has to be the same.

    Raises
    ------
    OutputExistsError
        The folder exists and is not empty, or is a file.
    SettingsError
        Overlap, level, prefix, summary or size are unusable, or the store has another
        overlap.
    FormatError
        The store cannot be continued.
    DiskSpaceError, StreamError
        The first files could not be written.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        tile_overlap: int | tuple[int, int],
        max_multi_res_index: int | None = None,
        prefix: str = "",
        summary: Metadata | None = None,
        channels: Sequence[Channel] = (),
        max_file_bytes: int = MAX_FILE_BYTES,
        resume: bool = False,
    ) -> None:
        self._grid = TileGrid(tile_overlap, max_multi_res_index, path=folder)
        check_file_size(max_file_bytes)
        self._max_file_bytes = max_file_bytes
        stored = stored_tiles(folder, self._grid) if resume else None
        if stored is not None:
            self._stem, self._summary = stored.stem, stored.summary
            summary = stored.facts()
        else:
            self._stem = file_stem(prefix, folder)
            y, x = self._grid.overlap
            tiled = {"TiledImageStorage": True, "GridPixelOverlapX": x}
            self._summary = encode_summary(
                {**(summary or {}), **tiled, "GridPixelOverlapY": y}
            )
        self._resolution = facts.pixels_per_cm(summary or {})
        self._lock = threading.RLock()
        self._closed = False
        # Images whose way into the levels failed; it is tried again.
        self._behind: list[tuple[Axes, FrameLocation]] = []
        self._root = StoreRoot(folder, channels, resume=resume)
        self.folder = self._root.folder
        for name in stored.channels() if stored else ():
            self._root.note_channel(name)
        try:
            self._levels = LevelFolders(self._begin, self.folder, self._grid.overlap)
            if stored is not None:
                self._levels.open_stored()
                self._levels.tile_shape = self._grid.tile_shape
        except OSError as error:
            if stored is None:
                self._root.remove()
            raise stream_error(error, self.folder) from error

    def _begin(self, folder: Path) -> FolderWriter:
        return FolderWriter(
            folder,
            stem=self._stem,
            summary=self._summary,
            resolution=self._resolution,
            max_file_bytes=self._max_file_bytes,
            stored=stored_folder(folder) if folder.is_dir() else None,
        )

    @property
    def levels(self) -> int:
        """Number of levels, with full resolution."""
        return len(self._levels.folders)

    def put(
        self,
        axes: Axes,
        frame: Frame,
        metadata: Metadata | None = None,
        *,
        bit_depth: int | None = None,
    ) -> FrameLocation:
        """Write one image, then its part of each level.

        Parameters
        ----------
        axes : mapping
            Identity of the image; ``row`` and ``column`` are integers, also negative.
        frame, metadata, bit_depth
            As for `NDTiffWriter.put`. ``frame`` is the whole image, with the overlap.

        Raises
        ------
        FrameError
            The image cannot be stored, or is no tile of this grid. Nothing was written.
        DiskSpaceError, StreamError
            The disk is full or failed. If the image itself was written, it stays, and
            its way into the levels is tried again by the next call.
        StreamClosedError
            The writer is closed.
        """
        return self._put([FrameItem(axes, frame, metadata, bit_depth)])[0]

    def put_many(self, items: Iterable[FrameItem]) -> list[FrameLocation]:
        """Write several images at full resolution, all or none, then the levels.

        Raises as ``put`` does.
        """
        return self._put(list(items))

    def _put(self, items: list[FrameItem]) -> list[FrameLocation]:
        with self._lock:
            pending = [encode_frame(*item, keep_axes=False) for item in items]
            kind = self._grid.check(items, pending)
            self._catch_up()
            places = self._levels.folders[0].put(pending)
            self._behind = [
                (_plain_axes(item.axes), place)
                for item, place in zip(items, places, strict=True)
            ]
            for axes, _ in self._behind:
                self._root.note_channel(axes.get("channel"))
            if kind is not None:
                self._grid.add(kind, [axes for axes, _ in self._behind])
                self._levels.tile_shape = self._grid.tile_shape
            self._catch_up(
                [
                    TileImage(
                        frame.pixels,
                        # Those of the image, whatever the metadata say of others.
                        {**(item.metadata or {}), "Axes": axes},
                        item.bit_depth,
                    )
                    for item, frame, (axes, _) in zip(
                        items, pending, self._behind, strict=True
                    )
                ]
            )
            return places

    def _catch_up(self, given: Sequence[TileImage] = ()) -> None:
        """Carry the images that are behind into the levels; add levels.

        ``given`` are those images, if they are still in memory.
        """
        images = iter(given)
        levels = self._levels
        while self._behind:
            axes, place = self._behind[0]
            image = next(images, None) or levels.stored(levels.folders[0], place)
            levels.add_image(axes, image)
            del self._behind[0]
        while len(levels.folders) <= self._grid.wanted_levels:
            levels.add_level()

    def read(self, location: FrameLocation, *, level: int = 0) -> Frame:
        """Return the pixels of a tile by its place in the files of its level.

        Raises
        ------
        FormatError
            The file is gone or was cut.
        """
        return self._levels.folders[level].read(location)

    def read_frame(self, axes: Axes, *, level: int = 0) -> Frame | None:
        """Return a tile by its axes, or None when there is none.

        Raises
        ------
        FormatError
            The file is gone or was cut.
        """
        if level >= len(self._levels.folders):
            return None
        files = self._levels.folders[level]
        location = files.find(axes)
        return None if location is None else files.read(location)

    def flush(self) -> None:
        """Make every tile visible to plain TIFF readers too.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        """
        with self._lock:
            if not self._closed:
                self._catch_up()
        for files in self._levels.folders:
            files.flush()

    def sync(self) -> None:
        """Wait until every tile that was put before is on the medium.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        """
        with self._lock:
            if not self._closed:
                self._catch_up()
            levels = list(self._levels.folders)
        for files in levels:
            files.sync()

    def close(self) -> None:
        """Finish the store; again is harmless. What was written stays readable.

        Raises
        ------
        DiskSpaceError, StreamError
            The store could not be finished, so its mark stays. All images are safe,
            the levels may lack some.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            failure: BaseException | None = None
            for action in (
                self._catch_up,
                *(files.close for files in self._levels.folders),
            ):
                try:
                    action()
                except Exception as error:
                    failure = failure or error
            self._levels.forget()
            if failure is not None:
                raise failure
            self._root.finish(self._levels.folders[0].bits)

    def finish(self) -> None:
        """Do what `close` does, by the name that pycro-manager has for it."""
        self.close()

    def __enter__(self) -> TiledNDTiffWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()


def _plain_axes(axes: Axes) -> dict[str, int | str]:
    return {
        name: str(value) if isinstance(value, str) else int(value)
        for name, value in axes.items()
    }

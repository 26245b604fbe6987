"""The folders of a tiled store, and how a tile goes on from level to level.

Every pixel of a level is the mean of four pixels of the level before, cut to an
integer; tile (row, column) becomes a quadrant of tile (row // 2, column // 2), and
quadrants that nobody acquired are 0. A tile of a level is written once and then
overwritten in place. This module knows nothing of when images come and of settings; it
is not thread safe.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from napari_scope.arrays import halve
from napari_scope.formats.ndtiff.encoding import encode_frame
from napari_scope.formats.ndtiff.failures import stream_error
from napari_scope.formats.ndtiff.layout import FULL_RESOLUTION, level_name
from napari_scope.formats.ndtiff.record import PIXEL_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.files import FrameLocation
    from napari_scope.formats.ndtiff.folder import FolderWriter
    from napari_scope.model import Axes

    Frame: TypeAlias = npt.NDArray[np.generic]
    Metadata: TypeAlias = Mapping[str, object]

__all__ = ["LevelFolders", "TileImage", "place_of"]

_CACHE_BYTES = 64 * 2**20
_MOST_LEVELS = 32


class TileImage(NamedTuple):
    """Pixels with what goes with them into the levels."""

    pixels: Frame
    metadata: Metadata
    bit_depth: int | None


class LevelFolders:
    """The folders of all levels; full resolution is made at once.

    Parameters
    ----------
    begin : callable
        Makes the writer of a folder.
    root : Path
        Folder of the store.
    overlap : (int, int)
        Pixels that neighbours share, in y and in x.

    Attributes
    ----------
    folders : list of FolderWriter
        One for each level; level n is reduced by 2^n.
    tile_shape : (int, int)
        (height, width) of the tiles of levels; to be set before the first image.

    Raises
    ------
    OSError
        The first folder could not be made.
    """

    def __init__(
        self,
        begin: Callable[[Path], FolderWriter],
        root: Path,
        overlap: tuple[int, int],
    ) -> None:
        self._begin = begin
        self._root = root
        self._overlap = overlap
        self.tile_shape = (0, 0)
        self._cache = _TileCache(_CACHE_BYTES)
        self.folders = [begin(root / FULL_RESOLUTION)]

    def open_stored(self) -> None:
        """Open the levels of a store that goes on, behind full resolution.

        Raises
        ------
        FormatError
            A level is damaged. All folders are closed.
        OSError
            The disk failed; so they are.
        """
        try:
            for level in range(1, _MOST_LEVELS):
                folder = self._root / level_name(level)
                if not folder.is_dir() or folder.is_symlink():
                    break
                self.folders.append(self._begin(folder))
        except BaseException:
            for files in self.folders:
                files.close()
            raise

    def add_image(self, axes: Axes, image: TileImage) -> None:
        """Carry an image of full resolution into all levels.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed; the same image is to be added again before another.
        """
        self._spread(0, axes, image, self.folders[1:])

    def add_level(self) -> None:
        """Make the next level from all tiles of the last one.

        It is made beside the tiles of full resolution and moved when it is whole: the
        reference library refuses a store with a level that has no index or no tile.
        """
        level = len(self.folders)
        name = level_name(level)
        source = self.folders[-1]
        stage = self.folders[0].folder / f"{name}.new"
        try:
            made = self._begin(stage)
        except OSError as error:
            raise stream_error(error, stage) from error
        try:
            table = source.table()
            for number in range(len(table)):
                image = self.stored(source, table.location(number))
                self._spread(level - 1, table.axes(number), image, [made])
            made.move(self._root / name)
        except BaseException:
            # Its tiles are gone with it.
            self._cache.clear()
            made.remove()
            raise
        self.folders.append(made)

    def stored(self, files: FolderWriter, place: FrameLocation) -> TileImage:
        """Return an image from the disk."""
        metadata = json.loads(files.read_metadata(place))
        kind = PIXEL_TYPES[place.pixel_type]
        depth = kind.bits if kind.dtype.itemsize > 1 else None
        return TileImage(files.read(place), metadata, depth)

    def _spread(
        self, level: int, axes: Axes, image: TileImage, uppers: Sequence[FolderWriter]
    ) -> None:
        """Carry a tile of a level into those that follow it."""
        part, metadata, bit_depth = image
        if "Axes" not in metadata:
            metadata = {"Axes": dict(axes), **metadata}
        height, width = self.tile_shape
        odd = height % 2 or width % 2
        if level == 0:
            # With odd sizes the last mean takes pixels of the overlap too, if any.
            above, before = self._overlap[0] // 2, self._overlap[1] // 2
            rows = slice(above, above + height + height % 2)
            part = part[rows, before : before + width + width % 2]
        top = left = 0
        for upper, files in enumerate(uppers, level + 1):
            row, column = place_of(axes)
            axes = {**axes, "row": row >> 1, "column": column >> 1}
            small = halve(part, cut=True)
            # Of an odd size the middle row belongs to both halves; the last one wins.
            top = (top + (row & 1) * height) // 2
            left = (left + (column & 1) * width) // 2
            quadrant = TileImage(small, metadata, bit_depth)
            part = self._merge(upper, files, axes, quadrant, (top, left))
            if odd:
                top = left = 0
                continue
            # What has changed, widened to whole blocks of four pixels.
            bottom, right = top + small.shape[0], left + small.shape[1]
            top, left = top & ~1, left & ~1
            part = part[top : bottom + bottom % 2, left : right + right % 2]

    def _merge(
        self,
        level: int,
        files: FolderWriter,
        axes: Axes,
        image: TileImage,
        corner: tuple[int, int],
    ) -> Frame:
        """Put pixels into a tile of a level, in the file too; returns the tile."""
        small, metadata, bit_depth = image
        top, left = corner
        bottom, right = top + small.shape[0], left + small.shape[1]
        key = level, tuple(sorted(axes.items()))
        cached = self._cache.get(key)
        if cached is None:
            place = files.find(axes)
            if place is None:
                tile = np.zeros((*self.tile_shape, *small.shape[2:]), small.dtype)
                tile[top:bottom, left:right] = small
                # Those of the image that came first, its axes too: so does the Java
                # library, and whoever looks for lost frames counts on it.
                place = files.put([encode_frame(axes, tile, metadata, bit_depth)])[0]
                self._cache.put(key, _CachedTile(place, tile))
                return tile
            cached = _CachedTile(place, files.read(place))
            self._cache.put(key, cached)
        tile = cached.pixels
        tile[top:bottom, left:right] = small
        rows = tile[top:bottom]
        stored = rows.astype(rows.dtype.newbyteorder("<"), copy=False)
        files.overwrite(cached.place, top * tile.strides[0], stored)
        return tile

    def forget(self) -> None:
        """Give the memory of tiles back."""
        self._cache.clear()


class _CachedTile(NamedTuple):
    place: FrameLocation
    pixels: Frame


_Key: TypeAlias = "tuple[int, tuple[tuple[str, int | str], ...]]"


class _TileCache:
    """The tiles of levels that changed last, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tiles: OrderedDict[_Key, _CachedTile] = OrderedDict()
        self._nbytes = 0

    def get(self, key: _Key) -> _CachedTile | None:
        tile = self._tiles.get(key)
        if tile is not None:
            self._tiles.move_to_end(key)
        return tile

    def put(self, key: _Key, tile: _CachedTile) -> None:
        self._tiles[key] = tile
        self._nbytes += tile.pixels.nbytes
        while self._nbytes > self._limit and self._tiles:
            _, oldest = self._tiles.popitem(last=False)
            self._nbytes -= oldest.pixels.nbytes

    def clear(self) -> None:
        self._tiles.clear()
        self._nbytes = 0


def place_of(axes: Axes) -> tuple[int, int]:
    """Return row and column."""
    return int(axes["row"]), int(axes["column"])

"""An image that is converted: its planes one by one, and what is known of each.

Which frames there are comes from the `FrameTable` of the image or, for an OME-Zarr
store that a stream has written, from its journal. Where neither is there, every frame
counts as saved: a format without a record of its frames cannot tell a missing one from
a black one.

This module reads; it does not know what the planes are written to.

Examples
--------
>>> import numpy as np
>>> from napari_scope.arrays import LazyArray, MemorySource
>>> from napari_scope.model import Axis, Image
>>> pixels = LazyArray(MemorySource(np.ones((2, 4, 4), "u2")))
>>> image = SourceImage(Image("a", (Axis("t"), Axis("y"), Axis("x")), (pixels,)))
>>> [(plane.index, plane.pixels.sum().item()) for plane in image.planes()]
[({'t': 0}, 16), ({'t': 1}, 16)]
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import ScopeError
from napari_scope.stream.conversion.journal import JournalFrames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from napari_scope.model import Image
    from napari_scope.model.dataset import FrameTable

__all__ = ["MISSING", "Plane", "SourceImage"]

MISSING = "missing in the source"
"""Reason of a gap that the source had already."""

_BLOCK_BYTES = 64 * 2**20  # chunks of several planes are read at once up to this
_GROUP_BYTES = 2**20  # and so much of small planes, whose reading costs more than they

# Keys of Micro-Manager's metadata -> ours, which every sink and reader of journals
# understands; the NDTiff sink translates them back.
_OURS = {
    "ElapsedTime-ms": "elapsed_ms",
    "Exposure": "exposure_ms",
    "XPositionUm": "x_um",
    "YPositionUm": "y_um",
    "ZPositionUm": "z_um",
    "XPosition_um_Intended": "x_um_intended",
    "YPosition_um_Intended": "y_um_intended",
    "ZPosition_um_Intended": "z_um_intended",
    "Core-Camera": "camera",
    "PositionName": "position_name",
    "ReceivedTime": "time",
}


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of the source, or why it is not there.

    Parameters
    ----------
    index : mapping
        Short axis name to place in the arrays of the source.
    pixels : ndarray or None
        (height, width) or (height, width, 3), in the byte order of this machine.
    gap : str
        Why the source has no such frame; empty where it has.
    error : Exception, optional
        What went wrong while it was read.
    """

    index: Mapping[str, int]
    pixels: npt.NDArray[np.generic] | None
    gap: str = ""
    error: Exception | None = None


class SourceImage:
    """An image of the source.

    Parameters
    ----------
    image : Image
        As it was opened.
    table : FrameTable, optional
        What is known of its frames.
    """

    def __init__(self, image: Image, table: FrameTable | None = None) -> None:
        self.image = image
        self.table = table
        self._level = image.levels[0]
        frame = ("y", "x", "rgb") if image.rgb else ("y", "x")
        self._frame_names = frame
        names = image.axis_names
        sizes = dict(zip(names, self._level.shape, strict=True))
        self.names = tuple(name for name in names if name not in frame)
        self.lengths = tuple(sizes[name] for name in self.names)
        self.frame_shape = tuple(sizes[name] for name in frame)
        self.dtype: np.dtype[np.generic] = np.dtype(self._level.dtype).newbyteorder("=")
        self._tiles = self._tile_places()

    def _tile_places(self) -> list[dict[str, int]]:
        """Return a pixel in each tile of a mosaic; a single one for other images.

        The table of a mosaic is asked for a tile by one of its pixels. Chunks are as
        large as tiles; the last row and column may hold a tile that is cut.
        """
        chunks = getattr(self._level, "chunks", None)
        height, width = self.frame_shape[:2]
        if chunks is None or isinstance(self.table, JournalFrames):
            return [{}]
        sizes = dict(zip(self.image.axis_names, chunks, strict=True))
        if sizes["y"] >= height and sizes["x"] >= width:
            return [{}]
        rows = sorted({*range(0, height, sizes["y"]), height - 1})
        columns = sorted({*range(0, width, sizes["x"]), width - 1})
        return [{"y": y, "x": x} for y in rows for x in columns]

    @property
    def is_mosaic(self) -> bool:
        """Whether a plane may be made of several frames."""
        return self.table is not None and len(self._tiles) > 1

    @property
    def is_raw(self) -> bool:
        """Whether frames are read as they are stored, as those of NDTiff are.

        Then reading is little more than a copy; elsewhere chunks are decoded.
        """
        source = getattr(self._level, "source", None)
        return bool(getattr(source, "frame_ndim", 0))

    def gap(self, index: Mapping[str, int]) -> str:
        """Return why there is no such frame; an empty text where there is one."""
        if self.table is None:
            return ""
        if self.table.exists(index):
            return ""
        noted = ""
        if isinstance(self.table, JournalFrames):
            noted = self.table.reason(index)
        if not noted:
            return MISSING
        return noted if noted.startswith(MISSING) else f"{MISSING}: {noted}"

    def facts(self, index: Mapping[str, int]) -> dict[str, Any]:
        """Return what is known of a frame, with our names of the common facts.

        A plane of a mosaic has an entry for each tile under ``"tiles"``.

        Raises
        ------
        ScopeError, OSError
            If the metadata are damaged.
        """
        if self.table is None:
            return {}
        if not self.is_mosaic:
            return _renamed(self.table.metadata(index) or {})
        tiles: dict[tuple[tuple[str, int | str], ...], dict[str, Any]] = {}
        for tile in self._tiles:
            axes = self.table.axes({**index, **tile})
            if axes is None or (key := tuple(sorted(axes.items()))) in tiles:
                continue
            found = self.table.metadata({**index, **tile}) or {}
            tiles[key] = {"axes": dict(axes), **tile, "metadata": _renamed(found)}
        return {"tiles": list(tiles.values())}

    def planes(self, fixed: Mapping[str, int] | None = None) -> Iterator[Plane]:
        """Iterate over all planes, gaps included; one block of them is in memory.

        Parameters
        ----------
        fixed : mapping, optional
            Axes that stay at one place.
        """
        for block in self._blocks(fixed or {}):
            indices = [
                dict(zip(self.names, place, strict=True))
                for place in itertools.product(*block)
            ]
            gaps = [self.gap(index) for index in indices]
            read = self._read_block(block) if gaps.count("") > 1 else None
            for number, (index, gap) in enumerate(zip(indices, gaps, strict=True)):
                if gap:
                    yield Plane(index, None, gap)
                elif read is not None:
                    yield Plane(index, read[number])
                else:
                    yield self._read_one(index)

    def _blocks(self, fixed: Mapping[str, int]) -> Iterator[tuple[range, ...]]:
        """Iterate over the index axes in blocks: a chunk, or some small planes."""
        steps = [1] * len(self.names)
        chunks = getattr(self._level, "chunks", None)
        if chunks is not None:
            sizes = dict(zip(self.image.axis_names, chunks, strict=True))
            steps = [1 if name in fixed else sizes[name] for name in self.names]
        frame_bytes = math.prod(self.frame_shape) * self.dtype.itemsize
        for axis in range(len(steps)):
            rest = math.prod(steps[axis + 1 :]) * frame_bytes
            steps[axis] = max(1, min(steps[axis], _BLOCK_BYTES // max(1, rest)))
        for axis in reversed(range(len(steps))):
            # Along the fastest axes, whole chunks at a time.
            chunks_more = _GROUP_BYTES // (math.prod(steps) * frame_bytes)
            if chunks_more < 2 or self.names[axis] in fixed:
                break
            steps[axis] = min(steps[axis] * chunks_more, self.lengths[axis])
            if steps[axis] < self.lengths[axis]:
                break
        ranges = []
        for name, length, step in zip(self.names, self.lengths, steps, strict=True):
            if name in fixed:
                ranges.append([range(fixed[name], fixed[name] + 1)])
            else:
                starts = range(0, length, step)
                ranges.append([range(s, min(s + step, length)) for s in starts])
        return itertools.product(*ranges)

    def _read_block(self, block: tuple[range, ...]) -> npt.NDArray[np.generic] | None:
        """Return the planes of a block in order, or None if not all can be read."""
        parts = dict(zip(self.names, block, strict=True))
        key = tuple(
            slice(parts[name].start, parts[name].stop) if name in parts else slice(None)
            for name in self.image.axis_names
        )
        try:
            pixels = np.asarray(self._level[key], dtype=self.dtype)
        except (ScopeError, OSError):
            return None  # plane by plane it turns out which one it is
        order = [self.image.axis_names.index(n) for n in self.names]
        order += [self.image.axis_names.index(n) for n in self._frame_names]
        return np.ascontiguousarray(pixels.transpose(order)).reshape(
            (-1, *self.frame_shape)
        )

    def _read_one(self, index: Mapping[str, int]) -> Plane:
        key = tuple(index.get(name, slice(None)) for name in self.image.axis_names)
        try:
            pixels = np.asarray(self._level[key], dtype=self.dtype)
        except (ScopeError, OSError) as error:
            return Plane(index, None, error=error)
        left = [name for name in self.image.axis_names if name not in index]
        pixels = pixels.transpose([left.index(name) for name in self._frame_names])
        return Plane(index, np.ascontiguousarray(pixels))


def _renamed(metadata: Mapping[str, object]) -> dict[str, Any]:
    return {_OURS.get(key, key): value for key, value in metadata.items()}

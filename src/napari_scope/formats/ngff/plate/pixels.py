"""The pixels of a plate: one plane of all fields, painted tile by tile in threads.

`PlatePixels` is what all levels of a mosaic share: where fields lie, the threads that
read, and what is kept. `PlateSource` is one level of it, a source for a lazy array. A
block is painted from the tiles that it touches. Tiles are kept in a cache with a bound,
and of coarse levels the painted planes are, too.

What is missing or cannot be read is zeros, and is reported once; reading never fails.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_scope.arrays import halve
from napari_scope.errors import ScopeError
from napari_scope.formats.ngff.plate.tiles import Tile, extent, tile_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

    import numpy.typing as npt

    from napari_scope.arrays.sources import Block
    from napari_scope.arrays.tile_cache import TileCache
    from napari_scope.formats.ngff.plate.fields import PlacedField, PlateFields
    from napari_scope.formats.ngff.plate.layout import Place, PlaneLayout
    from napari_scope.formats.ngff.plate.listing import PlateWell

    Pixels = npt.NDArray[np.generic]
    Part = tuple[slice, slice]

__all__ = ["PlatePixels", "PlateSource", "Reading"]

_KEPT_PLANE = 16 * 2**20  # bytes of a plane that is kept painted
_SMALL_PLANE = 64 * 2**20  # of one that is painted whole to make a coarser one of it
_BATCHES = 4  # for each thread: some fields take longer than others


class Reading(NamedTuple):
    """What all mosaics of a plate read with.

    Parameters
    ----------
    threads : ThreadPoolExecutor
        Read tiles.
    workers : int
        How many they are.
    tiles, planes : TileCache
        What is kept of tiles and of painted planes.
    report : callable
        Takes a sentence on what cannot be read.
    told : callable
        Called after a read, so that what was reported can be passed on together.
    """

    threads: ThreadPoolExecutor
    workers: int
    tiles: TileCache
    planes: TileCache
    report: Callable[[str], None]
    told: Callable[[], None]


class _Piece(NamedTuple):
    """A tile, its place in the plane that is painted, and what is seen of it."""

    tile: Tile
    key: tuple[object, ...]
    place: Part
    part: Part


class PlatePixels:
    """What the levels of a mosaic share.

    Parameters
    ----------
    fields : PlateFields
        The fields of wells.
    wells : mapping of (row, column) to PlateWell
        The well of each cell.
    plane : PlaneLayout
        Where cells lie.
    lead : sequence of (str, int)
        Name and length of the axes before y and x.
    dtype : numpy.dtype
        Type of the pixels.
    reading : Reading
        Threads and caches.
    blend : bool
        Pixels may be averaged; those of labels may not.
    """

    def __init__(
        self,
        fields: PlateFields,
        wells: Mapping[Place, PlateWell],
        plane: PlaneLayout,
        lead: Sequence[tuple[str, int]],
        dtype: np.dtype[np.generic],
        reading: Reading,
        *,
        blend: bool = True,
    ) -> None:
        self.fields = fields
        self.wells = dict(wells)
        self.plane = plane
        self.lead = tuple(lead)
        self.dtype = dtype
        self.reading = reading
        self._blend = blend
        self._last_pieces: tuple[object, list[_Piece]] | None = None
        self._origins = {w.path: plane.origin(*cell) for cell, w in wells.items()}

    def paint(
        self,
        planes: Pixels,
        indices: Sequence[tuple[int, ...]],
        factor: Place,
        corner: Place,
        *,
        keep: bool = True,
    ) -> None:
        """Paint the fields into planes of zeros.

        Parameters
        ----------
        planes : ndarray
            One plane for each index.
        indices : sequence of tuple of int
            Places on the leading axes.
        factor : (int, int)
            Pixels of full resolution for each pixel of the planes.
        corner : (int, int)
            The pixel of the level at which the planes begin.
        keep : bool
            Whether the tiles are kept.
        """
        seen = [
            range(start, start + n)
            for start, n in zip(corner, planes.shape[1:], strict=True)
        ]
        pieces = self._pieces_of(seen[0], seen[1], factor)
        tiles = self.reading.tiles if keep else None
        work: list[tuple[Pixels, tuple[int, ...], _Piece]] = []
        for plane, index in zip(planes, indices, strict=True):
            # In the order of the fields: of two that overlap the later one is on top.
            waits = False
            for piece in pieces:
                kept = None if tiles is None else tiles.peek((*piece.key, index))
                if kept is None:
                    waits = True
                    work.append((plane, index, piece))
                elif waits and self.plane.cell.as_on_stage:
                    work.append((plane, index, piece))
                else:
                    plane[piece.place] = kept[piece.part]
        self._paint_in_threads(work, tiles)
        self.reading.told()

    def halved(self, plane: Pixels) -> Pixels:
        """Return a plane with half the pixels along y and x."""
        return halve(plane) if self._blend else plane[::2, ::2].copy()

    def _paint_in_threads(
        self,
        work: list[tuple[Pixels, tuple[int, ...], _Piece]],
        tiles: TileCache | None,
    ) -> None:
        if not work:
            return

        def load(batch: list[tuple[Pixels, tuple[int, ...], _Piece]]) -> list[Pixels]:
            return [self._tile(index, piece, tiles) for _, index, piece in batch]

        size = math.ceil(len(work) / (_BATCHES * self.reading.workers))
        batches = [work[start : start + size] for start in range(0, len(work), size)]
        if len(batches) == 1:
            found = iter([load(batches[0])])
        else:
            found = self.reading.threads.map(load, batches)
        for batch, loaded in zip(batches, found, strict=True):
            for (plane, _, piece), pixels in zip(batch, loaded, strict=True):
                plane[piece.place] = pixels[piece.part]

    def _tile(
        self, index: tuple[int, ...], piece: _Piece, tiles: TileCache | None
    ) -> Pixels:
        if tiles is None:
            return self._read(index, piece)
        return tiles.get((*piece.key, index), lambda: self._read(index, piece))

    def _read(self, index: tuple[int, ...], piece: _Piece) -> Pixels:
        tile = piece.tile
        lead = {name: at for (name, _), at in zip(self.lead, index, strict=True)}
        try:
            return tile.read(lead, self.dtype, blend=self._blend)
        except (ScopeError, OSError) as error:
            self.reading.report(f"a part of field {tile.field.path} is blank: {error}")
            return np.zeros(tile.shape, self.dtype)

    def _pieces_of(self, rows: range, columns: range, factor: Place) -> list[_Piece]:
        """Return the pieces of some pixels; the channels ask one after the other."""
        key = rows, columns, factor
        last = self._last_pieces
        if last is None or last[0] != key:
            last = self._last_pieces = key, list(self._pieces(*key))
        return last[1]

    def _pieces(self, rows: range, columns: range, factor: Place) -> Iterator[_Piece]:
        """Yield what some pixels of a level show of the tiles of fields."""
        near = list(self._near(rows, columns, factor))
        arrays = self.fields.arrays([one for one, _ in near], factor)
        for (one, box), found in zip(near, arrays, strict=True):
            if found is None:
                continue
            level, source = found
            axes, own = one.kind.axes, one.kind.levels[level].factor
            cuts: list[list[tuple[int, range, slice, slice]]] = []
            ratios: list[float] = []
            for name, f, of, seen, (start, stop) in zip(
                "yx", factor, own, (rows, columns), box, strict=True
            ):
                ratio = f / of
                length = extent(source.shape[axes.index(name)], ratio)
                if length > stop - start + 1:
                    self.reading.report(
                        f"field {one.path} is larger than its place and is cut"
                    )
                length = min(length, stop - start)
                ratios.append(ratio)
                cuts.append(list(_cuts(start, length, ratio, seen)))
            ratio_yx = ratios[0], ratios[1]
            for (m, ys, to_y, of_y), (n, xs, to_x, of_x) in itertools.product(*cuts):
                yield _Piece(
                    Tile(one, source, ratio_yx, ys, xs),
                    (self, one.path, factor, m, n),
                    (to_y, to_x),
                    (of_y, of_x),
                )

    def _near(
        self, rows: range, columns: range, factor: Place
    ) -> Iterator[tuple[PlacedField, list[tuple[int, int]]]]:
        """Yield fields whose room is seen, and where that begins and ends."""
        whole = [
            range(seen.start * f, seen.stop * f)
            for seen, f in zip((rows, columns), factor, strict=True)
        ]
        cells = self.plane.cells(whole[0], whole[1])
        wells = [self.wells[cell] for cell in cells if cell in self.wells]
        cell = self.plane.cell
        for one in self.fields.of(wells):
            box = []
            for origin, place, size, limit, f in zip(
                self._origins[one.well.path],
                one.place,
                cell.shape,
                cell.limit,
                factor,
                strict=True,
            ):
                most = size if cell.as_on_stage else min(size, place + limit)
                start = round((origin + place) / f)
                box.append((start, max(start + 1, round((origin + most) / f))))
            if all(
                start < seen.stop and stop > seen.start
                for (start, stop), seen in zip(box, (rows, columns), strict=True)
            ):
                yield one, box


def _cuts(
    start: int, length: int, ratio: float, seen: range
) -> Iterator[tuple[int, range, slice, slice]]:
    """Cut a field that begins at a pixel; yields only tiles that are seen.

    Number and pixels of the tile, its place in what is seen, its part that is seen.
    """
    inside = range(seen.start - start, seen.stop - start)
    for number, pixels in tile_ranges(length, ratio, inside):
        low, high = max(pixels.start, inside.start), min(pixels.stop, inside.stop)
        yield (
            number,
            pixels,
            slice(low - inside.start, high - inside.start),
            slice(low - pixels.start, high - pixels.start),
        )


class PlateSource:
    """A level of a mosaic: a `napari_scope.arrays.BlockSource`.

    Parameters
    ----------
    pixels : PlatePixels
        The mosaic.
    factor : (int, int)
        Pixels of full resolution for each of its pixels; they divide the plane.
    finer : PlateSource, optional
        The level before, twice as fine, from which this one may be made where the
        fields have no arrays for it.
    """

    def __init__(
        self, pixels: PlatePixels, factor: Place, finer: PlateSource | None = None
    ) -> None:
        self.pixels = pixels
        self.factor = factor
        self._finer = finer if finer is not None and finer.is_small else None
        height, width = (
            n // f for n, f in zip(pixels.plane.shape, factor, strict=True)
        )
        self._plane = (height, width)
        self._lead = tuple(length for _, length in pixels.lead)
        nbytes = height * width * pixels.dtype.itemsize
        self._kept = nbytes <= _KEPT_PLANE
        self.is_small: bool = nbytes <= _SMALL_PLANE

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis: leading axes, height, width."""
        return self._lead + self._plane

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return self.pixels.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """The plane of a cell, or a part of a large one."""
        pitch, factor = self.pixels.plane.pitch, self.factor
        cell = (n // f for n, f in zip(pitch, factor, strict=True))
        return (1,) * len(self._lead) + tuple(max(1, min(n, 1024)) for n in cell)

    def read(self, block: Block) -> Pixels:
        """Read one block; what is missing is zeros."""
        ranges = [range(s.start, s.stop, s.step or 1) for s in block]
        shape = tuple(len(r) for r in ranges)
        if 0 in shape:
            return np.zeros(shape, self.dtype)
        rows, columns = ranges[-2:]
        indices = list(itertools.product(*ranges[:-2]))
        if self._kept:
            part = (block[-2], block[-1])
            if len(indices) == 1:
                return self._painted(indices[0])[part].reshape(shape)
            out = np.zeros(shape, self.dtype)
            for plane, index in zip(out.reshape(-1, *shape[-2:]), indices, strict=True):
                plane[...] = self._painted(index)[part]
            return out
        dense = rows[-1] + 1 - rows.start, columns[-1] + 1 - columns.start
        planes = np.zeros((len(indices), *dense), self.dtype)
        self.pixels.paint(planes, indices, self.factor, (rows.start, columns.start))
        return planes[:, :: rows.step, :: columns.step].reshape(shape)

    def _painted(self, index: tuple[int, ...]) -> Pixels:
        """Return a whole plane, which is kept."""

        def paint() -> Pixels:
            if self._finer is not None:
                return self.pixels.halved(self._finer._painted(index))
            planes: Pixels = np.zeros((1, *self._plane), self.dtype)
            self.pixels.paint(planes, [index], self.factor, (0, 0), keep=False)
            painted: Pixels = planes[0]
            return painted

        key = (self.pixels, self.factor, index)
        return self.pixels.reading.planes.get(key, paint)

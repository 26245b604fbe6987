"""The NDTiff stores that are measured, and the ways to read them.

What is in a store follows from its size alone, so that whoever reads it knows what the
pixels must be. Stores are written with our writer, in the layout of the reference
library: one file, frames in order of time, channel and z, each with the few metadata
that an acquisition gives it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from benchmarks.harness import Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from benchmarks.harness import Role, Work
    from napari_scope.model import LevelArray

    Pixels: TypeAlias = npt.NDArray[np.uint16]

__all__ = [
    "CHANNELS",
    "Frames",
    "Reading",
    "Tiles",
    "layer_array",
    "metadata",
    "ndstorage_dataset",
]

CHANNELS = ("BFP", "DAPI", "FITC", "TRITC")
_BATCH = 256  # frames written at once; how many makes no difference to the file


@dataclass(frozen=True)
class Frames:
    """Frames of all times, channels and z.

    Parameters
    ----------
    times, planes : int
        Number of time points, and of z planes.
    size : int
        Height and width of a frame in pixels.
    """

    times: int
    planes: int
    size: int

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Length of t, c, z, y, x."""
        return self.times, len(CHANNELS), self.planes, self.size, self.size

    @property
    def count(self) -> int:
        """Number of frames."""
        return self.times * len(CHANNELS) * self.planes

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return self.count * self.size**2 * 2

    def values(self) -> dict[str, list[int | str]]:
        """Return the values of each axis."""
        return {
            "time": list(range(self.times)),
            "channel": list(CHANNELS),
            "z": list(range(self.planes)),
        }

    def axes(self) -> list[dict[str, int | str]]:
        """Return the axes of each frame, in order of saving."""
        values = self.values()
        return [
            dict(zip(values, place, strict=True))
            for place in itertools.product(*values.values())
        ]

    def pixels(self) -> Pixels:
        """Return the pixels of all frames, of the shape of the store."""
        return np.random.default_rng(0).integers(100, 4000, self.shape, np.uint16)

    def places(self, n: int) -> list[tuple[int, int, int]]:
        """Return the places (t, c, z) of some frames, here and there."""
        chosen = np.random.default_rng(0).integers(0, self.shape[:3], (n, 3))
        return [(t, c, z) for t, c, z in chosen.tolist()]

    def pixels_at(self, places: Sequence[tuple[int, int, int]]) -> Pixels:
        """Return the pixels of some frames."""
        t, c, z = np.transpose(places)
        return self.pixels()[t, c, z]

    def rows(self, places: Sequence[tuple[int, int, int]]) -> list[int]:
        """Return the numbers of frames in order of saving."""
        return [(t * len(CHANNELS) + c) * self.planes + z for t, c, z in places]

    def text(self) -> str:
        """Return a sentence on the store."""
        t, c, z, _, _ = self.shape
        return (
            f"{self.count:,} frames of {self.size} x {self.size} uint16 pixels "
            f"(t {t}, c {c}, z {z}), {self.nbytes / 1e6:,.0f} MB of pixels."
        )

    def write(self, folder: Path) -> None:
        """Write the store into an empty folder."""
        from napari_scope.formats.ndtiff import FrameItem, NDTiffWriter

        frames = self.pixels().reshape(-1, self.size, self.size)
        items = (
            FrameItem(axes, frame, metadata(axes))
            for axes, frame in zip(self.axes(), frames, strict=True)
        )
        with NDTiffWriter(folder, summary={"PixelType": "GRAY16"}) as writer:
            while batch := list(itertools.islice(items, _BATCH)):
                writer.put_many(batch)


@dataclass(frozen=True)
class Tiles:
    """One plane of tiles with all its resolutions.

    Parameters
    ----------
    side : int
        Tiles along y and x, a power of two.
    size : int
        Height and width of a tile in pixels, with the overlap.
    overlap : int
        Pixels that neighbours share; even.
    """

    side: int
    size: int
    overlap: int

    @property
    def extent(self) -> int:
        """Height and width of the stitched plane in pixels."""
        return self.side * (self.size - self.overlap)

    def pixels(self) -> Pixels:
        """Return the tiles as they were acquired: rows, columns, y, x."""
        shape = self.side, self.side, self.size, self.size
        return np.random.default_rng(0).integers(100, 4000, shape, np.uint16)

    def plane(self, level: int = 0) -> Pixels:
        """Return the stitched plane at a level of resolution."""
        half = self.overlap // 2
        seen = slice(half, self.size - half)
        plane = self.pixels()[:, :, seen, seen].swapaxes(1, 2)
        plane = plane.reshape(self.extent, self.extent)
        for _ in range(level):
            height, width = plane.shape[0] // 2, plane.shape[1] // 2
            blocks = plane.reshape(height, 2, width, 2).astype(np.uint32)
            plane = (blocks.sum((1, 3)) // 4).astype(np.uint16)
        return plane

    def text(self) -> str:
        """Return a sentence on the store."""
        return (
            f"{self.side} x {self.side} tiles of {self.size} x {self.size} uint16 "
            f"pixels that overlap by {self.overlap}, a plane of {self.extent} x "
            f"{self.extent}."
        )

    def windows(self, n: int, size: int) -> list[tuple[slice, slice]]:
        """Return (rows, columns) of some windows of the plane, here and there."""
        corners = np.random.default_rng(0).integers(0, self.extent - size + 1, (n, 2))
        return [(slice(y, y + size), slice(x, x + size)) for y, x in corners.tolist()]

    def write(self, folder: Path) -> None:
        """Write the store into an empty folder."""
        from napari_scope.formats.ndtiff.tiles import TiledNDTiffWriter

        tiles = self.pixels()
        with TiledNDTiffWriter(folder, tile_overlap=self.overlap) as writer:
            for row, column in np.ndindex(self.side, self.side):
                axes: dict[str, int | str] = {"row": row, "column": column}
                writer.put(axes, tiles[row, column], metadata(axes))


def metadata(axes: dict[str, int | str]) -> dict[str, object]:
    """Return metadata of a frame such as an acquisition writes, some 150 bytes."""
    return {
        "ElapsedTime-ms": 1234.5,
        "Exposure": 10.0,
        "ZPosition_um_Intended": 12.5,
        "Core-Camera": "Camera",
        "PixelSizeUm": 0.65,
        "Axes": axes,
    }


class Reading:
    """Ways to read the same pixels of a store.

    Parameters
    ----------
    expected : callable
        Returns the pixels that each must find; with several reads in one run, they are
        stacked.
    """

    def __init__(self, expected: Callable[[], Pixels]) -> None:
        self._expected = expected
        self._open = contextlib.ExitStack()

    def around(self) -> contextlib.ExitStack:
        """Return the context in which what was opened stays open."""
        return self._open

    def layer(
        self, name: str, work: Callable[[LevelArray], Work], level: int = 0
    ) -> Case:
        """Return the case of the array that a layer of napari gets from us."""
        return self._case(name, "ours", lambda path: work(layer_array(path, level)))

    def dataset(self, name: str, work: Callable[[Any], Work]) -> Case:
        """Return the case of our `Dataset`."""

        def prepare(folder: Path) -> Work:
            from napari_scope.formats.ndtiff.dataset import Dataset

            return work(self._open.enter_context(Dataset(folder)))

        return self._case(name, "ours", prepare)

    def ndstorage(self, name: str, work: Callable[[Any], Work]) -> Case:
        """Return the case of the reference library."""
        return self._case(
            name,
            "peer",
            lambda folder: work(self._open.enter_context(ndstorage_dataset(folder))),
        )

    def raw(
        self,
        rows: Sequence[int],
        shape: tuple[int, ...],
        result: tuple[int, ...] | None = None,
    ) -> Case:
        """Return the case of one call of the system for each frame, offsets known.

        Parameters
        ----------
        rows : sequence of int
            The frames, by their number in order of saving.
        shape : tuple of int
            Of the pixels of each.
        result : tuple of int, optional
            Shape of all of them, if they are not just stacked.
        """

        def prepare(folder: Path) -> Work:
            from napari_scope.formats.ndtiff import NDTiffReader
            from napari_scope.formats.ndtiff.columns import PIXEL_OFFSET

            with NDTiffReader(folder) as reader:
                offsets = reader.table.fields[:, PIXEL_OFFSET][list(rows)].tolist()
            (path,) = folder.glob("*.tif")
            file = self._open.enter_context(open(path, "rb", buffering=0))
            out = np.ones((len(rows), *shape), np.uint16)
            parts = [(memoryview(part),) for part in out]

            def work() -> Pixels:
                number = file.fileno()
                for offset, part in zip(offsets, parts, strict=True):
                    os.preadv(number, part, offset)
                return out.reshape(result or out.shape)

            return work

        return self._case("preadv(), offsets known", "limit", prepare)

    def raw_bytes(self, n: int, nbytes: int, level: int = 0) -> Case:
        """Return the case of n times as many bytes, from one place of one level."""

        def prepare(folder: Path) -> Work:
            from napari_scope.formats.ndtiff.layout import find_store

            (path,) = find_store(folder).levels[level].glob("*.tif")
            file = self._open.enter_context(open(path, "rb", buffering=0))
            out = memoryview(bytearray(nbytes))

            def work() -> int:
                return sum(os.preadv(file.fileno(), [out], 0) for _ in range(n))

            return work

        def verify(found: object) -> None:
            if found != n * nbytes:
                raise ValueError(f"{found} bytes were read, not {n * nbytes}")

        return Case("preadv() of as many bytes", "limit", "", prepare, verify=verify)

    def _case(self, name: str, role: Role, prepare: Callable[[Path], Work]) -> Case:
        return Case(name, role, "", prepare, verify=self._verify)

    def _verify(self, found: Any) -> None:
        expected = self._expected()
        if not np.array_equal(np.asarray(found), expected):
            raise ValueError("what was read is not what is stored")


def layer_array(folder: Path, level: int = 0) -> LevelArray:
    """Return the array that a layer of napari gets from us."""
    from napari_scope.formats.ndtiff import open_ndtiff

    (image,) = open_ndtiff(folder).images
    return image.levels[level]


@contextlib.contextmanager
def ndstorage_dataset(folder: Path) -> Iterator[Any]:
    """Open a store with ndstorage, which prints what it does."""
    import ndstorage

    with contextlib.redirect_stdout(io.StringIO()):
        dataset = ndstorage.Dataset(str(folder))
    # A pyramid cannot close itself.
    levels = getattr(dataset, "res_levels", {0: dataset})
    try:
        yield dataset
    finally:
        for level in levels.values():
            level.close()

"""A level of an image of OME-TIFF as blocks, and what is known of its planes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from napari_scope.formats.ometiff.read_images import XmlPixels
    from napari_scope.formats.ometiff.read_pages import TiffPages
    from napari_scope.model import Axes

    Pixels = npt.NDArray[np.generic]

__all__ = ["PlaneTable", "TiffLevel", "TiffPlanes"]


class TiffPlanes:
    """Where the planes of an image are: directories of the files of a data set.

    Parameters
    ----------
    pixels : XmlPixels
        What the document says.
    pages : TiffPages
        The files.
    files : mapping
        Number of each file by its name in the document; None is the document's own.
    """

    def __init__(
        self, pixels: XmlPixels, pages: TiffPages, files: Mapping[str | None, int]
    ) -> None:
        self.pixels = pixels
        self.pages = pages
        self._files = dict(files)

    def at(self, t: int, c: int, z: int) -> tuple[int, int] | None:
        """Return file and directory of a plane, None where there is none."""
        found = self.pixels.locate(t, c, z)
        if found is None or found.file not in self._files:
            return None
        return self._files[found.file], found.ifd


class TiffLevel:
    """One level of an image (a `napari_scope.arrays.BlockSource`).

    Parameters
    ----------
    planes : TiffPlanes
        Where its planes are.
    level : int
        0 for full resolution.
    names : sequence of str
        The axes: those of ``t``, ``c``, ``z`` that there are, ``y``, ``x``, ``rgb``.
    shape, chunks : tuple of int
        Length of each axis; what is cheap to read.
    dtype : numpy.dtype
        Type of the pixels.
    split : int
        Samples of a pixel that are channels of their own.
    """

    fresh = True

    def __init__(
        self,
        planes: TiffPlanes,
        level: int,
        names: tuple[str, ...],
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: np.dtype[np.generic],
        split: int = 1,
    ) -> None:
        self._planes = planes
        self._level = level
        self._names = names
        self.shape = shape
        self.chunks = chunks
        self.dtype = dtype
        self._split = split

    def read(self, block: tuple[slice, ...]) -> Pixels:
        """Read one block; a plane that is missing is zeros.

        Raises
        ------
        FormatError
            A plane cannot be read.
        """
        ranges = {
            name: range(s.start, s.stop, s.step or 1)
            for name, s in zip(self._names, block, strict=True)
        }
        out = np.zeros(tuple(len(r) for r in ranges.values()), self.dtype)
        if out.size == 0:
            return out
        rows, columns = ranges["y"], ranges["x"]
        window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        colors = ranges.get("rgb")
        index_names = [n for n in self._names if n not in ("y", "x", "rgb")]
        indexed = [ranges[name] for name in index_names]
        known: tuple[tuple[int, int, int], Pixels | None] | None = None
        for spot in itertools.product(*(range(len(r)) for r in indexed)):
            place = {
                n: r[i] for n, r, i in zip(index_names, indexed, spot, strict=True)
            }
            channel, sample = divmod(place.get("c", 0), self._split)
            plane = place.get("t", 0), channel, place.get("z", 0)
            if known is None or known[0] != plane:
                known = plane, self._read_plane(plane, window)
            pixels = known[1]
            if pixels is None:
                continue
            pixels = pixels[:: rows.step, :: columns.step]
            if colors is not None:
                out[spot] = pixels[..., colors.start : colors.stop : colors.step]
            else:
                out[spot] = pixels[..., min(sample, pixels.shape[2] - 1)]
        return out

    def _read_plane(
        self, plane: tuple[int, int, int], window: tuple[slice, slice]
    ) -> Pixels | None:
        at = self._planes.at(*plane)
        if at is None:
            return None
        return self._planes.pages.read(*at, self._level, *window)


class PlaneTable:
    """What is known of the planes of an image (a `FrameTable`).

    Parameters
    ----------
    planes : TiffPlanes
        Where its planes are.
    split : int
        Samples of a pixel that are channels of their own.
    """

    def __init__(self, planes: TiffPlanes, split: int = 1) -> None:
        self._planes = planes
        self._split = split

    def _plane(self, index: Mapping[str, int]) -> tuple[int, int, int]:
        channel = index.get("c", 0) // self._split
        return index.get("t", 0), channel, index.get("z", 0)

    def exists(self, index: Mapping[str, int]) -> bool:
        """Return whether there is such a plane in a file."""
        at = self._planes.at(*self._plane(index))
        return at is not None and self._planes.pages.has(*at)

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        """Return what the document says of a plane, or None where there is none."""
        if not self.exists(index):
            return None
        return dict(self._planes.pixels.planes.get(self._plane(index), {}))

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        """Return the place of a plane as the axes that identify it."""
        if not self.exists(index):
            return None
        t, c, z = self._plane(index)
        return {"time": t, "channel": c, "z": z}

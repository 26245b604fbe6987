"""Comparing what a conversion has written with what it had read.

Each plane leaves its checksum when it is handed to the stream. Afterwards the target is
opened like any data set, by our readers, and each frame is read from disk.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import ScopeError
from napari_scope.model import short
from napari_scope.stream.sinks.base import checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.model import Axes
    from napari_scope.stream.conversion.parts import Part
    from napari_scope.stream.conversion.plan import PlannedStore
    from napari_scope.stream.sinks import FormatName

    Read = Callable[[int, Axes], npt.NDArray[np.generic] | None]

__all__ = ["Written", "verify_store"]


@dataclass(frozen=True, slots=True)
class Written:
    """Checksums of the frames of one image, and which of them were written.

    Parameters
    ----------
    checksums : ndarray of uint32
        One for each place of the source and each sample of it.
    written : ndarray of bool
        Of the same shape.
    names : tuple of str
        The axes of both, short names; the samples come last.
    """

    checksums: npt.NDArray[np.uint32]
    written: npt.NDArray[np.bool_]
    names: tuple[str, ...]

    @classmethod
    def of(cls, part: Part) -> Written:
        """Return an empty record of an image."""
        shape = [
            1 if name in part.fixed else length
            for name, length in zip(part.source.names, part.source.lengths, strict=True)
        ]
        shape.append(part.samples)
        names = tuple("" if n in part.fixed else n for n in part.source.names)
        return cls(np.zeros(shape, np.uint32), np.zeros(shape, bool), names)

    def note(
        self, index: Mapping[str, int], sample: int, pixels: npt.NDArray[np.generic]
    ) -> None:
        """Note a contiguous frame."""
        place = (*(index.get(name, 0) for name in self.names), sample)
        self.checksums[place] = checksum(pixels)
        self.written[place] = True


def verify_store(
    store: PlannedStore, path: Path, format: FormatName, written: Sequence[Written]
) -> Iterator[tuple[Axes, bool]]:
    """Read each frame that was written and say whether it is the same.

    Parameters
    ----------
    store : PlannedStore
        What was written.
    path : Path
        Where.
    format : str
        As what.
    written : sequence of Written
        The record of each image.
    """
    with contextlib.ExitStack() as files:
        read = _reader(store, path, format, files)
        for number, (part, record) in enumerate(zip(store.parts, written, strict=True)):
            for place in np.argwhere(record.written).tolist():
                *index, sample = place
                named = dict(zip(record.names, index, strict=True))
                axes = part.axes({**named, **part.fixed}, sample)
                try:
                    frame = read(number, axes)
                except (ScopeError, OSError):
                    frame = None
                same = frame is not None and _same(frame, part, record, tuple(place))
                yield axes, same


def _same(
    frame: npt.NDArray[np.generic],
    part: Part,
    record: Written,
    place: tuple[int, ...],
) -> bool:
    if frame.shape != part.frame_shape or frame.dtype != part.source.dtype:
        return False
    return checksum(np.ascontiguousarray(frame)) == int(record.checksums[place])


def _reader(
    store: PlannedStore, path: Path, format: FormatName, files: contextlib.ExitStack
) -> Read:
    """Return what reads a frame of an image by its axes."""
    if format == "ndtiff":
        from napari_scope.formats.ndtiff.reader import NDTiffReader

        reader = files.enter_context(NDTiffReader(path))
        return lambda _, axes: reader.read_frame(axes)

    if format == "ome-tiff":
        from napari_scope.formats.ometiff.reader import open_ometiff

        images = open_ometiff(path).images
    else:
        from napari_scope.formats.ngff import open_ngff

        images = open_ngff(path).images

    def read(number: int, axes: Axes) -> npt.NDArray[np.generic] | None:
        if number >= len(images):
            return None
        places = {
            short(name): store.number(name, axes[name]) if name in axes else 0
            for name in store.spec.index_axes
        }
        image = images[number]
        # OME-TIFF does not tell axes of a single sample.
        index = tuple(places[n] for n in image.axis_names if n in places)
        return np.asarray(image.levels[0][index])

    return read

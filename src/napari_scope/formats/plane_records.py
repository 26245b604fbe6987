"""Records of the planes of a data set that keeps no list of its frames.

The order is that of the axes, image by image; facts are what the images know of their
planes, as OME-XML does, if they know anything.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import ScopeError
from napari_scope.formats.frame_records import FrameRecord, Place
from napari_scope.model.axes import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.model import Dataset

__all__ = ["PlaneRecords"]


class PlaneRecords:
    """The planes of the images of a data set, one after the other (a `RecordSource`).

    For data sets that keep no list of their frames: the order is that of the axes, and
    facts are what the images know of their planes.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._names: list[tuple[str, ...]] = []
        self._shapes: list[tuple[int, ...]] = []
        self._ends: list[int] = []
        total = 0
        for image in dataset.images:
            inner = ("y", "x", "rgb") if image.rgb else ("y", "x")
            lengths = zip(image.axis_names, image.levels[0].shape, strict=True)
            lead = {name: n for name, n in lengths if name not in inner}
            self._names.append(tuple(lead))
            self._shapes.append(tuple(lead.values()))
            total += math.prod(lead.values())
            self._ends.append(total)

    def __len__(self) -> int:
        """Return the number of planes of all images."""
        return self._ends[-1] if self._ends else 0

    def refresh(self) -> int:
        """Return the number of planes; the data set is as it was opened."""
        return len(self)

    def place(self, number: int) -> Place:
        """Return where a plane is."""
        image = int(np.searchsorted(self._ends, number, side="right"))
        within = number - (self._ends[image - 1] if image else 0)
        shape = self._shapes[image]
        index = np.unravel_index(within, shape) if shape else ()
        return Place(image, dict(zip(self._names[image], map(int, index), strict=True)))

    def record(self, number: int) -> FrameRecord:
        """Return the record of a plane."""
        place = self.place(number)
        image = self._dataset.images[place.image]
        axes: dict[str, int | str] = {
            canonical(name): at for name, at in place.index.items()
        }
        if len(self._dataset.images) > 1:
            axes = {"image": image.name, **axes}
        frames = image.frames
        if frames is None:
            return FrameRecord(number, axes)
        try:
            facts = frames.metadata(place.index)
            known = frames.axes(place.index)
        except (ScopeError, OSError) as error:
            words = error.message if isinstance(error, ScopeError) else str(error)
            return FrameRecord(number, axes, problem=words)
        if known is not None:
            axes = {**{k: v for k, v in axes.items() if k == "image"}, **known}
        if facts is None:
            return FrameRecord(number, axes, status="missing")
        return FrameRecord(number, axes, facts)

    def number_at(self, image: int, index: Mapping[str, int]) -> int | None:
        """Return the number of the plane at a place."""
        if not 0 <= image < len(self._ends):
            return None
        flat = 0
        for name, length in zip(self._names[image], self._shapes[image], strict=True):
            if not 0 <= index.get(name, 0) < length:
                return None
            flat = flat * length + index.get(name, 0)
        return flat + (self._ends[image - 1] if image else 0)

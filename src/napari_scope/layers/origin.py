"""Where a layer comes from: the data set, the image and the channel behind its pixels.

Every layer made from a data set carries a `LayerOrigin` in its metadata. It answers
what was saved with the frame at a point of the layer, so a view of the metadata needs
to know nothing of formats. It reads nothing before it is asked and keeps no file open.

Examples
--------
>>> import numpy as np
>>> from napari_scope.arrays import LazyArray, MemorySource
>>> from napari_scope.model import Axis, Dataset, Image
>>> pixels = LazyArray(MemorySource(np.zeros((5, 8, 8))))
>>> image = Image("cells", (Axis("t"), Axis("y"), Axis("x")), (pixels,))
>>> origin = LayerOrigin(Dataset("/data", "ndtiff", "3.3", (image,)), (0,), 0, "tyx")
>>> origin.find((3.2, 0, 7))
Place(image=0, index={'t': 3, 'y': 0, 'x': 7})
>>> origin.find((5, 0, 0)) is None
True
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_scope.layers.single import SingleDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.layers.preferences import Positions
    from napari_scope.model import Axes, Dataset, Image

__all__ = ["ORIGIN_KEY", "LayerOrigin", "Place", "origin_of"]

ORIGIN_KEY = "napari_scope_origin"
"""Key of the origin in the metadata of a layer."""

_FRAME_AXES = ("y", "x")


@dataclass(frozen=True, slots=True)
class Place:
    """A point of a layer in terms of its data set.

    Parameters
    ----------
    image : int
        Number of the image.
    index : mapping
        Index on each axis of the image; ``y`` and ``x`` in pixels of full resolution.
    """

    image: int
    index: Mapping[str, int] = field(default_factory=dict)


class LayerOrigin(SingleDict):
    """The data set, image and channel behind a layer. It is never changed.

    It is a dictionary of a few words, which napari and other plugins may copy, show or
    write as JSON together with the rest of a layer's metadata. A copy, deep or not, is
    the origin itself, and what is unpickled is the plain dictionary: neither ever
    copies a data set.

    Parameters
    ----------
    dataset : Dataset
        Where the pixels come from.
    images : sequence of (int or None)
        Number of the image. Of shared layers the image at each place of the axis
        ``p``, None where the sample is empty.
    channel : int
        Index on the c axis of the images.
    axes : sequence of str
        Axes of the layer, outermost first, without rgb.
    shared : bool
        Whether the images lie along an axis ``p``, the first one.
    positions : {"auto", "tiles", "slider"}
        How positions were asked to be shown.
    look : mapping, optional
        Name, colour, contrast, scale and place that the layer was given.
    label : str
        Name of the segmentation that the layer shows; empty for pixels of the image.
    """

    __slots__ = (
        "axes",
        "channel",
        "dataset",
        "images",
        "label",
        "look",
        "positions",
        "shared",
    )

    def __init__(
        self,
        dataset: Dataset,
        images: Sequence[int | None],
        channel: int,
        axes: Sequence[str],
        *,
        shared: bool = False,
        positions: Positions = "auto",
        look: Mapping[str, object] | None = None,
        label: str = "",
    ) -> None:
        self.dataset = dataset
        self.images = tuple(images)
        self.channel = channel
        self.axes = tuple(axes)
        self.shared = shared
        self.positions: Positions = positions
        self.look: Mapping[str, object] = dict(look or {})
        self.label = label
        super().__init__(
            path=dataset.path, images=list(self.images), channel_index=channel
        )

    @property
    def first_image(self) -> Image:
        """The first of the images."""
        return self.dataset.images[next(n for n in self.images if n is not None)]

    def find(self, position: Sequence[float]) -> Place | None:
        """Return what lies at a point, or None outside of the images.

        Parameters
        ----------
        position : sequence of float
            Point in data coordinates of full resolution, as ``layer.world_to_data``
            gives it: one number for each axis of the layer. A point beside the frame
            counts as the nearest one in it.
        """
        if len(position) != len(self.axes):
            raise ValueError(
                f"a point with {len(position)} numbers for the axes {self.axes}"
            )
        # napari rounds to the nearest plane in the same way.
        at = {
            name: round(value) if math.isfinite(value) else 0
            for name, value in zip(self.axes, position, strict=True)
        }
        place = at.pop("p", 0) if self.shared else 0
        number = self.images[place] if 0 <= place < len(self.images) else None
        if number is None:
            return None
        image = self.dataset.images[number]
        lengths = dict(zip(image.axis_names, image.levels[0].shape, strict=True))
        index: dict[str, int] = {}
        for name, value in at.items():
            length = lengths.get(name, 1)
            if name in _FRAME_AXES:
                value = min(max(value, 0), length - 1)
            elif not 0 <= value < length:
                return None
            if name in lengths:
                index[name] = value
        if "c" in lengths:
            if self.channel >= lengths["c"]:
                return None
            index["c"] = self.channel
        return Place(number, index)

    def frame_exists(self, position: Sequence[float]) -> bool:
        """Return whether the frame at a point was saved; if not, it is shown black.

        Where the format does not say, every frame inside of an image counts as saved.
        """
        place = self.find(position)
        if place is None:
            return False
        frames = self.dataset.images[place.image].frames
        return True if frames is None else frames.exists(place.index)

    def frame_axes(self, position: Sequence[float]) -> Axes | None:
        """Return the identity of the frame at a point as it was saved, or None."""
        place = self.find(position)
        frames = None if place is None else self.dataset.images[place.image].frames
        if place is None or frames is None:
            return None
        return frames.axes(place.index)

    def frame_metadata(self, position: Sequence[float]) -> Mapping[str, object] | None:
        """Return what was saved with the frame at a point, or None.

        It reads files: call it outside of a GUI thread.

        Raises
        ------
        ScopeError
            The metadata cannot be read.
        """
        place = self.find(position)
        frames = None if place is None else self.dataset.images[place.image].frames
        if place is None or frames is None:
            return None
        return frames.metadata(place.index)


def origin_of(metadata: Mapping[str, object]) -> LayerOrigin | None:
    """Return the origin in the metadata of a layer, or None if it has none."""
    found = metadata.get(ORIGIN_KEY)
    return found if isinstance(found, LayerOrigin) else None

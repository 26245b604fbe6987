"""What was saved with the frame at a point of a layer, ready to be shown.

The report has a title in words, the metadata with their rows, or a sentence why there
are none: a frame that was not saved, a format that keeps nothing, a damaged file. What
a store can tell is never an exception here.

It knows the origin of a layer (`napari_scope.layers.origin`), not the viewer and no
widget, so it can be made in a thread.

Examples
--------
>>> import numpy as np
>>> from napari_scope.arrays import LazyArray, MemorySource
>>> from napari_scope.layers import LayerOrigin
>>> from napari_scope.model import Axis, Dataset, Image
>>> pixels = LazyArray(MemorySource(np.zeros((5, 8, 8))))
>>> image = Image("cells", (Axis("t"), Axis("y"), Axis("x")), (pixels,))
>>> origin = LayerOrigin(Dataset("/data", "ndtiff", "3.3", (image,)), (0,), 0, "tyx")
>>> read_report(origin, (3, 0, 0)).why_empty
'This format keeps no metadata of single frames.'
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_scope.errors import ScopeError
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.frames.metadata_view import flattened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.layers import LayerOrigin
    from napari_scope.model import Axes, Image

__all__ = ["FrameReport", "read_report"]


@dataclass(frozen=True, slots=True)
class FrameReport:
    """What was found of a frame.

    Parameters
    ----------
    title : str
        Identity of the frame in words; empty without a frame.
    metadata : mapping
        What was saved with it.
    rows : list of (str, str)
        The metadata as `flattened` gives them.
    why_empty : str
        What to say where there are no metadata.
    """

    title: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    rows: list[tuple[str, str]] = field(default_factory=list)
    why_empty: str = ""


def read_report(origin: LayerOrigin, position: Sequence[float]) -> FrameReport:
    """Return what was saved with the frame at a point.

    It reads files: call it outside of the GUI thread.

    Parameters
    ----------
    origin : LayerOrigin
        Where the layer comes from.
    position : sequence of float
        Point in data coordinates of the layer, one number for each of its axes.
    """
    place = origin.find(position)
    if place is None:
        return FrameReport(why_empty="No frame of this layer is shown here.")
    image = origin.dataset.images[place.image]
    if image.frames is None:
        return FrameReport(why_empty="This format keeps no metadata of single frames.")
    metadata: Mapping[str, object] | None = None
    problem = ""
    try:
        # First: what is asked after it knows what was read.
        metadata = origin.frame_metadata(position)
    except (ScopeError, OSError) as error:
        problem = f"They cannot be read: {explain(error).message}"
    title = _title(origin, image, origin.frame_axes(position), place.index)
    if not origin.frame_exists(position):
        return FrameReport(
            title, why_empty="This frame was not saved; it is shown black."
        )
    if problem:
        return FrameReport(title, why_empty=problem)
    if not metadata:
        return FrameReport(title, why_empty="Nothing was saved with this frame.")
    return FrameReport(title, metadata, flattened(metadata))


def _title(
    origin: LayerOrigin, image: Image, axes: Axes | None, index: Mapping[str, int]
) -> str:
    """Return the identity of a frame in words."""
    if axes is not None:
        words = {name: f"{name} {value}" for name, value in axes.items()}
        channel = axes.get("channel")
        if isinstance(channel, int) and origin.channel < len(image.channels):
            words["channel"] += f" ({image.channels[origin.channel].name})"
        return " · ".join(words.values())
    parts = [image.name] if len(origin.dataset.images) > 1 else []
    parts += [f"{n} {value}" for n, value in index.items() if n not in ("y", "x")]
    return " · ".join(parts)

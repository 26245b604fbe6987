"""The layers of a mosaic in the viewer: new ones, or those that it has already.

A mosaic that is gone on with was perhaps shown up to now. Its layers stay, with the
contrast and colours that the user has given them, and get what is there now; only then
can they grow, because a layer that was made of a finished store never changes.

Examples
--------
>>> layers = show_mosaic(viewer, dataset, dataset_to_layers(dataset))  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_scope.layers import origin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.layers import LayerData
    from napari_scope.model import Dataset

__all__ = ["show_mosaic"]

_PLACE: Final = {"scale", "translate", "affine"}
_LOOK: Final = ("contrast_limits", "colormap", "gamma", "opacity", "visible")


def show_mosaic(
    viewer: Any, dataset: Dataset, layers: Sequence[LayerData]
) -> list[Any]:
    """Show a mosaic; returns its layers in the viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    dataset : Dataset
        The mosaic as it is now.
    layers : sequence of LayerData
        What is to be shown of it.
    """
    made = []
    arguments: dict[str, Any]
    for data, arguments, _ in layers:
        metadata: Any = arguments["metadata"]
        origin = origin_of(metadata)
        old = _shown(viewer, dataset, None if origin is None else origin.channel)
        if old is not None and old.multiscale == arguments.get("multiscale", False):
            for name in _PLACE & arguments.keys():
                setattr(old, name, arguments[name])
            old.metadata = metadata
            old.data = data
            made.append(old)
            continue
        new = viewer.add_image(data, **arguments)
        if old is not None:  # of one resolution, and now there are several
            for name in _LOOK:
                setattr(new, name, getattr(old, name))
            viewer.layers.remove(old)
            new.name = old.name
        made.append(new)
    return made


def _shown(viewer: Any, dataset: Dataset, channel: int | None) -> Any | None:
    """Return the layer of a channel that an earlier look at the store has made."""
    path = Path(dataset.path).absolute()
    for layer in viewer.layers:
        origin = origin_of(layer.metadata)
        if (
            origin is not None
            and Path(origin.dataset.path).absolute() == path
            and origin.channel == channel
        ):
            return layer
    return None

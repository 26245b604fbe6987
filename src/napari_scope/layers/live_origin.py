"""Where a layer of a run that goes on comes from.

It is the same kind of object as that of a layer of a store (`origin`), over the images
of the stream, but under a key of its own: nobody should take the layer for one of a
store that can be opened, followed or closed.

Examples
--------
>>> live_origin(stream.view(), (0,), 1, "tzyx")  # doctest: +SKIP
{'napari_scope_run': {'path': '', 'images': [0], 'channel_index': 1}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from napari_scope.layers.origin import LayerOrigin
from napari_scope.model import Dataset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.model import Image

__all__ = ["RUN_KEY", "live_origin", "run_origin_of"]

RUN_KEY = "napari_scope_run"
"""Key of the origin in the metadata of a layer of a run."""


class _View(Protocol):
    """What is asked of the view of a stream."""

    @property
    def images(self) -> tuple[Image, ...]:
        """The images."""


def live_origin(
    view: _View,
    images: Sequence[int | None],
    channel: int,
    axes: Sequence[str],
    *,
    shared: bool = False,
    path: str = "",
) -> dict[str, LayerOrigin]:
    """Return what goes into the metadata of a layer of a run.

    Parameters
    ----------
    view : StreamView
        The stream.
    images, channel, axes, shared
        As in `LayerOrigin`.
    path : str
        Where the run is saved, if it is.
    """
    facts = getattr(view, "summary", None)
    about = {"summary": {"napari_scope": dict(facts)}} if facts else {}
    dataset = Dataset(
        path, "run", "", tuple(view.images), metadata=about, finished=False
    )
    origin = LayerOrigin(dataset, images, channel, axes, shared=shared)
    return {RUN_KEY: origin}


def run_origin_of(metadata: Mapping[str, object]) -> LayerOrigin | None:
    """Return the origin of a layer of a run, or None if it is none."""
    found = metadata.get(RUN_KEY)
    return found if isinstance(found, LayerOrigin) else None

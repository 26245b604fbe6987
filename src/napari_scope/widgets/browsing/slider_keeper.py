"""The sliders of a viewer while its layers grow: they stay, or follow the newest time.

Growing layers get other lengths, scales and places, so the same number on a slider
comes to mean another plane. What was looked at is noted before as indices on the axes
of each layer, and found again after. Only a time slider that stood at the newest plane
moves on with it.

It knows layers by their origin and nothing of how they change
(`napari_scope.widgets.browsing.store_layers`).

Examples
--------
>>> keeper = SliderKeeper(viewer)  # doctest: +SKIP
>>> keeper.note(layers_of(viewer, before))  # doctest: +SKIP
>>> keeper.restore(layers_of(viewer, after))  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.layers import origin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari.viewer

    from napari_scope.layers import LayerOrigin

__all__ = ["SliderKeeper"]

_NEWEST_OF: Final = 50  # time points that are searched for one that is complete


class SliderKeeper:
    """Keeps the sliders of one viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer: Any = viewer
        self._follows = False
        self._places: list[tuple[Any, dict[str, int]]] = []

    def note(self, layers: Sequence[Any]) -> None:
        """Note where the sliders stand, before layers change."""
        self._follows = self._is_at_newest(layers)
        self._places = [(layer, self._place(layer)) for layer in layers]

    def replaced(self, layer: Any, new: Any) -> None:
        """Note that a layer has another one in its place, or still is itself."""
        self._places = [
            (new if one is layer else one, place) for one, place in self._places
        ]

    def restore(self, layers: Sequence[Any]) -> None:
        """Put the sliders where they stood, or the time at the newest plane.

        Parameters
        ----------
        layers : sequence of Layer
            The layers of the store as they are now.
        """
        alive = [(v, p) for v, p in self._places if v in self._viewer.layers]
        self._places = []
        newest = self._newest(layers) if self._follows else None
        dims = self._viewer.dims
        targets: dict[int, float] = {}
        wanted = alive[:1]
        if newest is not None:
            wanted.append((newest[0], {"t": newest[1]}))
        for layer, place in wanted:
            origin = origin_of(layer.metadata)
            for axis, name in enumerate(() if origin is None else origin.axes):
                if name in place:
                    point = place[name] * layer.scale[axis] + layer.translate[axis]
                    targets[dims.ndim - layer.ndim + axis] = float(point)
        shown = set(dims.displayed)
        moves = {
            axis: point
            for axis, point in targets.items()
            if axis not in shown and not np.isclose(dims.point[axis], point)
        }
        if moves:
            dims.set_point(list(moves), list(moves.values()))

    def _place(self, layer: Any) -> dict[str, int]:
        """Return the index on each axis of a layer at which the sliders stand."""
        origin = origin_of(layer.metadata)
        point = layer.world_to_data(self._viewer.dims.point)
        names = () if origin is None else origin.axes
        return {n: round(float(x)) for n, x in zip(names, point, strict=False)}

    def _is_at_newest(self, layers: Sequence[Any]) -> bool:
        newest = self._newest(layers)
        if newest is None:
            return False
        layer, time = newest
        return self._place(layer)["t"] >= time

    def _newest(self, layers: Sequence[Any]) -> tuple[Any, int] | None:
        """Return a layer with a time axis and the newest time that all layers have.

        A time that not every visible layer has been given yet would be shown with
        black parts.
        """
        timed: list[tuple[int, Any, LayerOrigin, dict[str, int]]] = []
        for layer in layers:
            origin = origin_of(layer.metadata)
            if origin is not None and "t" in origin.axes and layer.visible:
                array = layer.data[0] if layer.multiscale else layer.data
                length = array.shape[origin.axes.index("t")]
                timed.append((length, layer, origin, self._place(layer)))
        if not timed:
            return None
        longest, of_layer, *_ = max(timed, key=lambda one: one[0])
        for time in range(longest - 1, max(-1, longest - 1 - _NEWEST_OF), -1):
            if all(
                origin.frame_exists([*{**place, "t": time}.values()])
                for _, _, origin, place in timed
            ):
                return of_layer, time
        return of_layer, longest - 1

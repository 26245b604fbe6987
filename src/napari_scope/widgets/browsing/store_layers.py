"""The layers of a data set in a viewer: which they are, and how they change.

When a store has grown, `napari_scope.layers.growing` says what becomes of each layer;
here that is done to the layers of napari, one at a time. What the user has set (names,
contrast, colours, place, selection, camera) stays.

It knows nothing of timers, of files, or of the sliders
(`napari_scope.widgets.browsing.slider_keeper`). Everything is to be called in the GUI
thread.

Examples
--------
>>> for layer in layers_of(viewer, dataset):  # doctest: +SKIP
...     viewer.layers.remove(layer)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.layers import origin_of
from napari_scope.layers.growing import new_look
from napari_scope.layers.live import view_is_compact

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari.viewer

    from napari_scope.layers import LayerData, LayerOrigin
    from napari_scope.layers.growing import LayerChange
    from napari_scope.model import Dataset

__all__ = ["StoreLayers", "layers_of"]


def layers_of(viewer: Any, dataset: Dataset) -> list[Any]:
    """Return the layers of a viewer that were made from a data set."""
    return [
        layer
        for layer in viewer.layers
        if (origin := origin_of(layer.metadata)) is not None
        and origin.dataset is dataset
    ]


class StoreLayers:
    """Changes and adds the layers of one store.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer with the layers.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer: Any = viewer
        self._camera: tuple[float, ...] | None = None

    def note_view(self) -> None:
        """Note where the camera is: a view that was moved since is left alone."""
        self._camera = self._camera_now()

    def with_origin(self, origin: LayerOrigin) -> list[Any]:
        """Return the layers that were made from one origin; copies have the same."""
        return [
            layer
            for layer in self._viewer.layers
            if origin_of(layer.metadata) is origin
        ]

    def change(self, layer: Any, change: LayerChange) -> Any:
        """Show in a layer what was added.

        Returns
        -------
        Layer
            The layer, or the one in its place if it could not take the data.
        """
        data, _, _ = change.after
        if _needs_another_layer(layer, change):
            return self._replace(layer, change)
        old: Mapping[str, Any] = change.before.look
        new: Mapping[str, Any] = _origin(change.after).look
        if new["scale"] != old["scale"]:
            layer.scale = new["scale"]
        if new["translate"] != old["translate"]:
            # A mosaic that grows to the left. Where the user put it, it stays put.
            layer.translate = layer.translate + np.subtract(
                new["translate"], old["translate"]
            )
        # Set, not updated: docks hear of it.
        layer.metadata = layer.metadata | _metadata(change.after)
        for name, value in new_look(
            change.before, change.after, _shown(layer, change.before)
        ).items():
            setattr(layer, name, value)
        if change.redraw:
            layer.data = data
        return layer

    def _replace(self, layer: Any, change: LayerChange) -> Any:
        """Put a new layer in the place of one that cannot take the data."""
        data, arguments, kind = change.after
        look = new_look(change.before, change.after, _shown(layer, change.before))
        _, state, _ = layer.as_layer_data_tuple()
        if layer.ndim != len(_origin(change.after).axes):
            # These have a number for each axis; the plugin never sets them.
            for name in ("affine", "rotate", "shear", "plane"):
                state.pop(name, None)
            state.pop("experimental_clipping_planes", None)
        for name in ("scale", "translate", "units", "axis_labels", "multiscale", "rgb"):
            state[name] = arguments[name]
        state["metadata"] = layer.metadata | _metadata(change.after)
        name = state["name"] = str(look.pop("name", layer.name))
        layers = self._viewer.layers
        selected, active = set(layers.selection), layers.selection.active
        new = type(layer).create(data, {**state, **look}, kind)
        # Before the old one goes: a viewer without layers forgets sliders and camera.
        layers.insert(layers.index(layer), new)
        layers.remove(layer)
        new.name = name
        # Not `is`: in a dock of napari's menu what is active comes as a proxy.
        layers.selection = {new if one == layer else one for one in selected}
        layers.selection.active = new if active == layer else active
        return new

    def add(self, layer: LayerData, path: str) -> None:
        """Add a layer that looks like others of its channel; selects nothing.

        Parameters
        ----------
        layer : LayerData
            The layer.
        path : str
            Path of the store.
        """
        data, arguments, _ = layer
        layers = self._viewer.layers
        selected, active = set(layers.selection), layers.selection.active
        like = self._layer_like(_metadata(layer), path)
        untouched = self._camera == self._camera_now()
        new = self._viewer.add_image(data, **arguments)
        if like is not None and not new.rgb:
            for name in ("contrast_limits", "colormap", "gamma", "visible"):
                setattr(new, name, getattr(like, name))
        layers.selection = selected
        layers.selection.active = active
        if untouched and view_is_compact([_box(one) for one in layers]):
            self._viewer.reset_view()
            self.note_view()

    def _camera_now(self) -> tuple[float, ...]:
        camera = self._viewer.scene.camera
        return (*camera.center, camera.zoom)

    def _layer_like(self, metadata: dict[str, Any], path: str) -> Any | None:
        """Return a layer of the store that shows the same channel elsewhere."""
        channel = metadata["napari_scope"]["channel"]
        for layer in self._viewer.layers:
            origin = origin_of(layer.metadata)
            facts = layer.metadata.get("napari_scope", {})
            if (
                origin is not None
                and origin.dataset.path == path
                and facts.get("channel") == channel
                and not layer.rgb
            ):
                return layer
        return None


def _metadata(layer: LayerData) -> dict[str, Any]:
    metadata = layer[1]["metadata"]
    return dict(metadata) if isinstance(metadata, dict) else {}


def _origin(layer: LayerData) -> LayerOrigin:
    origin = origin_of(_metadata(layer))
    if origin is None:
        raise TypeError("a layer that was not made from a data set")
    return origin


def _needs_another_layer(layer: Any, change: LayerChange) -> bool:
    """Return whether napari cannot give a layer these data."""
    data: Any
    data, arguments, _ = change.after
    first = data[0] if arguments["multiscale"] else data
    now = layer.data[0] if layer.multiscale else layer.data
    return bool(
        layer.multiscale != arguments["multiscale"]
        or layer.rgb != arguments["rgb"]
        or now.dtype != first.dtype
        or change.before.axes != _origin(change.after).axes
    )


def _box(layer: Any) -> tuple[float, float, float, float]:
    low, high = layer.extent.world
    return float(low[-2]), float(low[-1]), float(high[-2]), float(high[-1])


def _shown(layer: Any, before: LayerOrigin) -> dict[str, object]:
    """Return how a layer looks, in the words in which it was told."""
    from napari.utils.colormaps import ensure_colormap

    shown: dict[str, object] = {"name": layer.name}
    if layer.rgb:
        return shown
    shown["contrast_limits"] = tuple(float(x) for x in layer.contrast_limits)
    blending = str(layer.blending)
    # What napari takes when it is told nothing.
    if "blending" in before.look or not blending.startswith("translucent"):
        shown["blending"] = blending
    told = before.look.get("colormap")
    if told is not None:
        colors = ensure_colormap(told).colors
        same = np.array_equal(colors, layer.colormap.colors)
        shown["colormap"] = told if same else layer.colormap
    return shown

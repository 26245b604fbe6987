"""The layers of one run: made from the view of its stream, with contrast and origin.

A layer may be made before its first frame is there; it has its contrast from the first
frame that is not flat. Where there are too many positions for layers of their own,
those of equal shape share one for each channel, with a slider. What is due when is
decided in `napari_scope.layers.live`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.layers import MAX_LAYERS, image_to_layers, shared_layers
from napari_scope.layers.contrast import full_range
from napari_scope.layers.frame import shared_frame
from napari_scope.layers.live import LayerKey, Newest, contrast_of
from napari_scope.layers.live_origin import live_origin
from napari_scope.widgets.acquiring.run_camera import box_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import napari.layers
    import napari.viewer
    import numpy.typing as npt

    from napari_scope.layers import SharedLayers
    from napari_scope.layers.frame import Frame
    from napari_scope.layers.live import Box, LiveState, NewestLike, Plane
    from napari_scope.layers.origin import LayerOrigin
    from napari_scope.model import Image
    from napari_scope.stream import StreamView

__all__ = ["RunLayers"]


class RunLayers:
    """The layers of one run in a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    view : StreamView
        The run's images.
    state : LiveState
        What has been seen of the run.

    Attributes
    ----------
    in_order : bool
        Whether the order of the frames says which image comes next.
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, view: StreamView, state: LiveState
    ) -> None:
        self._viewer: Any = viewer
        self._view = view
        self._state = state
        self._frame: Frame | None = None
        self._layers: dict[LayerKey, napari.layers.Image] = {}
        self._without_contrast: set[LayerKey] = set()
        self._ahead: set[LayerKey] = set()
        self._shared: list[SharedLayers] = []
        self._group_of: dict[int, int] = {}
        self._share(view.images)
        # The order of the frames says nothing about groups of images.
        self.in_order = len(self._shared) <= 1

    @property
    def present(self) -> dict[LayerKey, napari.layers.Image]:
        """The layers that the user has not removed."""
        return {k: v for k, v in self._layers.items() if v in self._viewer.layers}

    @property
    def count(self) -> int:
        """How many layers were made."""
        return len(self._layers)

    @property
    def boxes(self) -> dict[int, Box]:
        """Where the images lie."""
        return {key.image: box_of(layer) for key, layer in self.present.items()}

    # ---- what is seen

    def look(self) -> bool:
        """Take note of the newest frame; returns whether it is a new one."""
        newest: NewestLike | None = self._view.newest()
        if self._shared:
            if newest is not None:
                group = self._group_of[newest.image]
                index = {"p": newest.image, **newest.index}
                newest = Newest(image=group, index=index, number=newest.number)
            return self._state.see(newest, [len(g.layers) for g in self._shared])
        return self._state.see(newest, [_n_channels(i) for i in self._view.images])

    def holds(self, key: LayerKey, plane: Plane) -> bool:
        """Return whether a plane is one of a layer's images, not an empty sample."""
        if not self._shared:
            return True
        return self._group_of.get(dict(plane.index)["p"]) == key.image

    def _share(self, images: Sequence[Image]) -> None:
        """Let images of equal shape share layers if a layer each were too many."""
        if len(images) < 2 or sum(map(_n_channels, images)) <= MAX_LAYERS:
            return
        if self._view.grown:
            # The images of a plan without a known end still grow, in number and in
            # shape; a shared layer is made for good.
            return
        self._shared = shared_layers(images)
        self._group_of = {
            number: place
            for place, group in enumerate(self._shared)
            for number in group.images
        }

    # ---- making

    def make(self, key: LayerKey) -> napari.layers.Image:
        """Add a layer to the viewer."""
        images = self._view.images
        if self._frame is None:
            self._frame = shared_frame(images)
        index = dict(self._state.first_plane(key).index)
        if self._shared:
            group = self._shared[key.image]
            place = index.get("p", group.images[0])
            image = images[place if place in group.images else group.images[0]]
            data, look, _ = group.layers[key.channel]
        else:
            image = images[key.image]
            data, look, _ = image_to_layers(
                image,
                name_prefix=image.name if len(images) > 1 else "",
                frame=self._frame,
            )[key.channel]
        known: dict[str, Any] = dict(look.get("metadata") or {})  # type: ignore[call-overload]
        axes = known.get("napari_scope", {}).get("axes", ())
        look["metadata"] = {**known, **self._origin(key, axes)}
        limits = None
        if not image.rgb:
            limits = self._limits_so_far(key)
            if limits is None and self._state.newest is not None:
                limits = contrast_of(_read(image, {**index, "c": key.channel}))
            if limits is not None:
                look["contrast_limits"] = limits
        layer: napari.layers.Image = self._viewer.add_image(data, **look)
        if not image.rgb:
            layer.contrast_limits_range = _whole_range(image)
            if limits is None:
                self._without_contrast.add(key)
        if self._state.newest is None:
            self._ahead.add(key)
        self._layers[key] = layer
        return layer

    def drop_empty(self) -> None:
        """Remove layers that were made ahead and whose frames never came."""
        present = self.present
        for key in self._ahead:
            if key in present and not self._state.has_begun(key):
                self._viewer.layers.remove(present[key])
        self._ahead.clear()

    def _origin(self, key: LayerKey, axes: Sequence[str]) -> dict[str, LayerOrigin]:
        """Return which frames of which run a layer shows."""
        images: tuple[int | None, ...] = (key.image,)
        if self._shared:
            members = self._shared[key.image].images
            # By their places on the axis p, of which some may be empty.
            places = range(max(members) + 1)
            images = tuple(n if n in members else None for n in places)
        return live_origin(
            self._view, images, key.channel, axes, shared=bool(self._shared)
        )

    # ---- contrast

    def _limits_so_far(self, key: LayerKey) -> tuple[float, float] | None:
        """Return the contrast this channel has at other places, as the user set it."""
        for other, layer in self.present.items():
            if other.channel == key.channel and other not in self._without_contrast:
                low, high = layer.contrast_limits
                return float(low), float(high)
        return None

    def set_contrast(self, key: LayerKey, shown: Plane) -> None:
        """Set the contrast of a layer that still has none, from a frame that is there.

        Parameters
        ----------
        key : LayerKey
            The layer.
        shown : Plane
            The plane that it shows.
        """
        newest = self._state.newest
        if key not in self._without_contrast or newest is None:
            return
        if (newest.image, newest.index.get("c", 0)) == (key.image, key.channel):
            index: dict[str, int] = dict(newest.index)
        elif self.holds(key, shown) and self._state.is_there(key, shown):
            index = {**dict(shown.index), "c": key.channel}
        else:
            return
        self._contrast_from(key, index)

    def set_last_contrasts(self) -> None:
        """Set the contrast of layers that have none when no more frames come.

        Where looks are rare, the frames of a layer may all come between two of them.
        """
        for key in self._without_contrast & self.present.keys():
            if self._state.has_begun(key):
                index = dict(self._state.first_plane(key).index)
                self._contrast_from(key, {**index, "c": key.channel})

    def _contrast_from(self, key: LayerKey, index: Mapping[str, int]) -> None:
        image = self._view.images[index.get("p", key.image)]
        limits = contrast_of(_read(image, index))
        if limits is not None:
            self._layers[key].contrast_limits = limits
            self._without_contrast.discard(key)


def _read(image: Image, index: Mapping[str, int]) -> npt.NDArray[np.generic]:
    """Read one frame of an image."""
    key = tuple(
        slice(None) if name in ("y", "x", "rgb") else index.get(name, 0)
        for name in image.axis_names
    )
    return np.asarray(image.levels[0][key])


def _n_channels(image: Image) -> int:
    if "c" not in image.axis_names:
        return 1
    return image.levels[0].shape[image.axis_names.index("c")]


def _whole_range(image: Image) -> tuple[float, float]:
    """Return the range that the camera can deliver."""
    dtype = image.levels[0].dtype
    if image.bit_depth is not None and dtype.kind == "u":
        return 0.0, float(2**image.bit_depth - 1)
    return full_range(dtype)

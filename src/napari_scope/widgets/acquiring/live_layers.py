"""The layers of a run while it goes on: pulled from the stream, never pushed.

One timer, at most thirty times a second, asks the stream for its newest frame and does
what `napari_scope.layers.live` finds due: make a layer, move the sliders, redraw one
layer. Where there are too many positions for layers of their own, those of equal shape
share one for each channel, with a slider. More than `MAX_LAYERS` layers are never made.

The pixels are read by napari from the stream's view, which stays valid after the run;
there is no second copy. If the GUI is slow, frames are passed over here and nowhere
else.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.layers import MAX_LAYERS, image_to_layers, shared_layers
from napari_scope.layers.contrast import full_range
from napari_scope.layers.frame import shared_frame
from napari_scope.layers.live import (
    Follower,
    LayerKey,
    LiveState,
    Newest,
    contrast_of,
    plane_index,
    plane_point,
    view_is_compact,
)
from napari_scope.layers.live_origin import live_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import napari.layers
    import napari.viewer
    import numpy.typing as npt

    from napari_scope.layers import SharedLayers
    from napari_scope.layers.frame import Frame
    from napari_scope.layers.live import Box, Plane
    from napari_scope.layers.origin import LayerOrigin
    from napari_scope.model import Image
    from napari_scope.stream import StreamView

__all__ = ["LiveLayers"]

_INTERVAL_MS: Final = 34  # at most 30 a second
_GROW_INTERVAL_S: Final = 0.25
_NOTE: Final = (
    f"Only the first {MAX_LAYERS} layers are shown, more would slow down napari. "
    "All frames are acquired."
)


class LiveLayers(QObject):
    """Shows one run at a time in a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    parent : QObject
        Owner; the timer stops with it.
    clock : callable
        Seconds on a steady clock.

    Attributes
    ----------
    following_changed : Signal
        The newest frame is followed from now on, or not any more.
    note_changed : Signal
        What the user should know about the layers; empty when there is nothing.
    """

    following_changed = Signal(bool)
    note_changed = Signal(str)

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        parent: QObject | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._clock = clock
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self._on_timer)
        self._find_view: Callable[[], StreamView | None] = lambda: None
        self._eased: Callable[[], AbstractContextManager[None]] = nullcontext
        self._reset(())

    def _reset(self, order: tuple[str, ...]) -> None:
        self._view: StreamView | None = None
        self._state = LiveState(order)
        self._follower = Follower()
        self._frame: Frame | None = None
        self._layers: dict[LayerKey, napari.layers.Image] = {}
        self._without_contrast: set[LayerKey] = set()
        self._shared: list[SharedLayers] = []
        self._group_of: dict[int, int] = {}
        self._ending = False
        self._note = ""
        self._grown = 0
        self._grown_at = -_GROW_INTERVAL_S
        self._camera: tuple[float, ...] | None = None
        self._looked_at: set[int] = set()
        self.redraws = 0

    @property
    def viewer(self) -> napari.viewer.Viewer:
        """The viewer."""
        return self._viewer

    # ---- a run

    @property
    def active(self) -> bool:
        """Whether a run is being shown, or its last layers are being made."""
        return self._timer.isActive()

    @property
    def note(self) -> str:
        """What the user should know about the layers; often nothing."""
        return self._note

    @property
    def layers(self) -> dict[LayerKey, napari.layers.Image]:
        """The layers of the latest run, as long as the user has not removed them."""
        return {k: v for k, v in self._layers.items() if v in self._viewer.layers}

    def start(
        self,
        find_view: Callable[[], StreamView | None],
        order: Sequence[str] = (),
        *,
        eased: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Begin to show a run.

        Parameters
        ----------
        find_view : callable
            Returns the view of the run's stream, None while there is none.
        order : sequence of str
            Axes from slowest to fastest (see `layers.live.fill_order`).
        eased : callable
            Makes a context in which the run leaves the processor to the viewer.
        """
        # Two runs of the same place would shine through each other.
        for layer in self.layers.values():
            layer.visible = False
        following = self._follower.on
        self._reset(tuple(order))
        self._follower.on = following
        self._find_view = find_view
        self._eased = eased
        self.note_changed.emit("")
        self._timer.start()

    def finish(self) -> None:
        """Show what came last; the layers stay.

        Layers that are still to be made are made one by one, so the GUI stays alive.
        The timer stops after the last of them.
        """
        if not self._timer.isActive() or self._ending:
            return
        self._look()
        self._state.finish()
        self._ending = True
        self.tick()

    def stop(self) -> None:
        """Stop at once; idempotent."""
        self._timer.stop()

    # ---- following

    @property
    def following(self) -> bool:
        """Whether the newest frame is shown."""
        return self._follower.on

    def set_following(self, on: bool) -> None:
        """Follow the newest frame, or not."""
        if on:
            self._follower.resume()
            self._camera = None
            self._looked_at.clear()
            self._follow()
        else:
            self._follower.on = False

    # ---- one look

    def _on_timer(self) -> None:
        begun = time.perf_counter()
        self.tick()
        # A look costs about as much again when napari paints. Whatever the computer,
        # half of the time belongs to the user's hands.
        spent_ms = (time.perf_counter() - begun) * 1000
        self._timer.setInterval(max(_INTERVAL_MS, min(1000, int(4 * spent_ms))))

    def tick(self) -> None:
        """Do what is due."""
        news = self._look()
        made = self._make_next_layer()
        self._take_growth()
        if news or made or self._ending:
            self._follow()
        elif self._follower.on:
            self._notice_user()
        self._redraw()
        if self._ending and not made:
            self._timer.stop()
            for layer in self.layers.values():
                if layer.visible:
                    layer.refresh(extent=False, highlight=False)

    def _look(self) -> bool:
        if self._view is None:
            self._view = self._find_view()
            if self._view is None:
                return False
            self._grown = self._view.grown
            self._share(self._view.images)
        newest = self._view.newest()
        if newest is None:
            return False
        if self._shared:
            group = self._group_of[newest.image]
            index = {"p": newest.image, **newest.index}
            one = Newest(image=group, index=index, number=newest.number)
            return self._state.see(one, [len(g.layers) for g in self._shared])
        return self._state.see(newest, [_n_channels(i) for i in self._view.images])

    def _share(self, images: Sequence[Image]) -> None:
        """Let images of equal shape share layers if a layer each were too many."""
        if len(images) < 2 or sum(map(_n_channels, images)) <= MAX_LAYERS:
            return
        if self._grown:
            # The images of a plan without a known end still grow, in number and in
            # shape; a shared layer is made for good.
            return
        self._shared = shared_layers(images)
        self._group_of = {
            number: place
            for place, group in enumerate(self._shared)
            for number in group.images
        }
        if len(self._shared) > 1:
            # The order of the frames says nothing about groups of images.
            self._state.order = ()

    def _make_next_layer(self) -> bool:
        """Make one layer; more in one go would hold up the GUI."""
        if self._view is None:
            return False
        # Without an order frames that came between two looks were not seen.
        all_of_them = self._ending and not self._state.order
        wanted = self._state.layers_to_make(all_of_them=all_of_them)
        if not wanted:
            return False
        if len(self._layers) >= MAX_LAYERS:
            self._say(_NOTE)
            return False
        key = wanted[0]
        self._state.made(key)
        # napari clips the sliders to the extent of the layers, so look first whether
        # the user has moved one.
        self._notice_user()
        self._add_layer(self._view.images, key)
        self._remember_sliders()
        return True

    def _add_layer(self, images: Sequence[Image], key: LayerKey) -> None:
        if self._frame is None:
            self._frame = shared_frame(images)
        first = self._state.first_plane(key)
        if self._shared:
            group = self._shared[key.image]
            place = dict(first.index)["p"]
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
            limits = self._limits_so_far(key) or contrast_of(
                _read(image, {**dict(first.index), "c": key.channel})
            )
            if limits is not None:
                look["contrast_limits"] = limits
        with self._eased():
            layer = self._viewer.add_image(data, **look)
        if not image.rgb:
            layer.contrast_limits_range = _whole_range(image)
            if limits is None:
                self._without_contrast.add(key)
        self._layers[key] = layer
        self._state.sliced(key, self._plane_shown(key, layer))
        self._show_new_place(key.image)

    def _origin(self, key: LayerKey, axes: Sequence[str]) -> dict[str, LayerOrigin]:
        """Return which frames of which run a layer shows."""
        assert self._view is not None  # it has delivered a frame
        images: tuple[int | None, ...] = (key.image,)
        if self._shared:
            members = self._shared[key.image].images
            # By their places on the axis p, of which some may be empty.
            places = range(max(members) + 1)
            images = tuple(n if n in members else None for n in places)
        return live_origin(
            self._view, images, key.channel, axes, shared=bool(self._shared)
        )

    def _limits_so_far(self, key: LayerKey) -> tuple[float, float] | None:
        """Return the contrast this channel has at other places, as the user set it."""
        for other, layer in self.layers.items():
            if other.channel == key.channel and other not in self._without_contrast:
                low, high = layer.contrast_limits
                return float(low), float(high)
        return None

    def _say(self, note: str) -> None:
        if note != self._note:
            self._note = note
            self.note_changed.emit(note)

    def _take_growth(self) -> None:
        """Tell napari that arrays have grown, not more than four times a second."""
        if self._view is None or self._view.grown == self._grown:
            return
        now = self._clock()
        if not self._ending and now - self._grown_at < _GROW_INTERVAL_S:
            return
        self._notice_user()
        self._grown = self._view.grown
        self._grown_at = now
        for layer in self.layers.values():
            layer.data = layer.data
        self._remember_sliders()

    # ---- sliders

    def _axes(self, layer: Any) -> tuple[list[int], list[str]]:
        """Return which sliders belong to a layer, and their names."""
        names = list(layer.axis_labels)[:-2]
        offset = self._viewer.dims.ndim - layer.ndim
        return [offset + i for i in range(len(names))], names

    def _follow(self) -> None:
        target = self._state.target
        if target is None or not self._notice_user():
            return
        layer = next(
            (v for k, v in self.layers.items() if k.image == target.image), None
        )
        if layer is None:
            return
        axes, names = self._axes(layer)
        n = len(names)
        point = plane_point(target, names, layer.scale[:n], layer.translate[:n])
        before = self._sliders()
        if axes:
            self._viewer.dims.set_point(axes, point)
        self._remember_sliders()
        if self._sliders() != before:
            # Only then napari has read the planes again.
            for key, shown in self.layers.items():
                self._state.sliced(key, self._plane_shown(key, shown))
        self._go_to(target.image)

    def _notice_user(self) -> bool:
        """Return whether to go on following; says so when that has just ended."""
        was_on = self._follower.on
        going_on = self._follower.check(self._sliders())
        if was_on and not going_on:
            self.following_changed.emit(False)
        return going_on

    def _remember_sliders(self) -> None:
        if self._follower.on:
            self._follower.placed(self._sliders())

    def _sliders(self) -> tuple[float, ...]:
        # y and x are never moved by a slider while they are displayed.
        return tuple(self._viewer.dims.point[:-2])

    def _plane_shown(self, key: LayerKey, layer: Any) -> Plane:
        axes, names = self._axes(layer)
        n = len(names)
        point = [self._viewer.dims.point[axis] for axis in axes]
        return plane_index(
            point, key.image, names, layer.scale[:n], layer.translate[:n]
        )

    def _redraw(self) -> None:
        """Redraw the layers whose shown plane has just been written."""
        now = self._clock()
        for key, layer in self.layers.items():
            plane = self._plane_shown(key, layer)
            if self._holds(key, plane) and self._state.due(key, plane, now):
                layer.refresh(thumbnail=False, extent=False, highlight=False)
                self.redraws += 1
            if key in self._without_contrast:
                self._try_contrast(key, layer)

    def _holds(self, key: LayerKey, plane: Plane) -> bool:
        """Return whether a plane is one of a layer's images, not an empty sample."""
        if not self._shared:
            return True
        return self._group_of.get(dict(plane.index)["p"]) == key.image

    def _try_contrast(self, key: LayerKey, layer: Any) -> None:
        """Set the contrast of a channel whose first frame was flat."""
        newest = self._state.newest
        if newest is None or self._view is None:
            return
        if (newest.image, newest.index.get("c", 0)) != (key.image, key.channel):
            return
        image = self._view.images[newest.index.get("p", key.image)]
        limits = contrast_of(_read(image, newest.index))
        if limits is not None:
            layer.contrast_limits = limits
            self._without_contrast.discard(key)

    # ---- camera

    def _show_new_place(self, image: int) -> None:
        """Fit the view to an image that has just appeared, if all lie close by."""
        if not self._camera_is_ours():
            return
        boxes = self._boxes()
        if image not in self._looked_at and view_is_compact(list(boxes.values())):
            self._viewer.reset_view()
        self._looked_at.add(image)
        self._remember_camera()

    def _go_to(self, image: int) -> None:
        """Centre the view on the image that is followed, if they lie far apart."""
        if not self._camera_is_ours():
            return
        boxes = self._boxes()
        if not view_is_compact(list(boxes.values())):
            top, left, bottom, right = boxes[image]
            center = (0, (top + bottom) / 2, (left + right) / 2)
            self._viewer.scene.camera.center = center
        self._remember_camera()

    def _boxes(self) -> dict[int, Box]:
        return {key.image: _box(layer) for key, layer in self.layers.items()}

    def _camera_is_ours(self) -> bool:
        """Return whether the camera still stands where it was put for the run."""
        if not self._follower.on:
            return False
        camera = self._viewer.scene.camera
        return self._camera is None or np.allclose(
            self._camera, (*camera.center, camera.zoom)
        )

    def _remember_camera(self) -> None:
        camera = self._viewer.scene.camera
        self._camera = (*camera.center, camera.zoom)


def _read(image: Image, index: Mapping[str, int]) -> npt.NDArray[np.generic]:
    """Read one frame of an image."""
    key = tuple(
        slice(None) if name in ("y", "x", "rgb") else index.get(name, 0)
        for name in image.axis_names
    )
    return np.asarray(image.levels[0][key])


def _box(layer: Any) -> Box:
    low, high = layer.extent.world
    return float(low[-2]), float(low[-1]), float(high[-2]), float(high[-1])


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

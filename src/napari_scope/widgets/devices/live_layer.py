"""One camera's layer in the viewer: its buffer, place, contrast and look.

`LiveLayer` makes the layer when the first frame comes and copies each further one into
the same buffer. Another size of image takes a new buffer, colour in place of grey a new
layer. A layer that the user has removed comes back when the live view is started again,
looking as it did; one that another view of the same viewer shows is shared.

Used in the GUI thread only.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.layers.live_frame import (
    AutoContrast,
    ContrastMode,
    Placement,
    centre_of,
    facts_of_frame,
    live_layer_name,
    placement_of,
    range_of_camera,
)

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer
    import numpy.typing as npt

    from napari_scope.acquire.live_frame import LiveFrame

__all__ = ["LiveLayer"]

_LOOK: Final = ("colormap", "gamma", "opacity", "blending", "interpolation2d")
# Cameras that look at one sample: colours that add up.
_COLORS: Final = ("green", "magenta", "cyan", "yellow", "red", "blue")


class LiveLayer:
    """Shows the frames of one camera.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    camera : str
        Name of the camera.
    number : int
        Which of the cameras it is.
    mode : {"once", "always", "frozen"}
        When the contrast is set.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        camera: str,
        number: int = 0,
        mode: ContrastMode = "once",
    ) -> None:
        self._viewer: Any = viewer
        self._camera = camera
        self._number = number
        self._layer: Any = None
        self._buffer: npt.NDArray[np.generic] = np.zeros((0, 0), "u1")
        self._placement: Placement | None = None
        self._again = True
        self._several = False
        self.frame: LiveFrame | None = None
        self.contrast = AutoContrast(mode)

    @property
    def layer(self) -> napari.layers.Image | None:
        """The layer; None before the first frame and when the user has removed it."""
        layer: napari.layers.Image | None = self._layer
        return layer if layer is not None and layer in self._viewer.layers else None

    def come_back(self) -> None:
        """Make the layer anew with the next frame, if the user has removed it."""
        self._again = True

    # ---- a frame

    def show(self, frame: LiveFrame, *, several: bool, follow: bool) -> bool:
        """Show a frame; returns whether there is a layer that shows it.

        Parameters
        ----------
        frame : LiveFrame
            The frame.
        several : bool
            Whether there are other cameras.
        follow : bool
            Whether the view moves with the stage.
        """
        pixels = _as_shown(frame)
        if several != self._several:
            self._several = several
            self._suit_company()
        if self.layer is None:
            if not (self._again or frame.is_snap):
                return False
            self._again = False
            if not self._adopt(frame, pixels):
                self._add(frame, pixels, several=several)
        elif self._layer.rgb != frame.is_rgb:
            self._add(frame, pixels, several=several)
        elif self._buffer.shape != pixels.shape or self._buffer.dtype != pixels.dtype:
            self._replace_buffer(frame, pixels)
        np.copyto(self._buffer, pixels)
        self.frame = frame
        self._layer.metadata["napari_scope"] = facts_of_frame(frame)
        # Setting the place has napari draw the layer, too.
        if not self._place(frame, follow=follow) and self._layer.visible:
            self._layer.refresh(thumbnail=False, extent=False, highlight=False)
        self.set_contrast()
        return True

    def set_contrast(self) -> None:
        """Set the contrast from the frame, if it is time for it."""
        frame, layer = self.frame, self.layer
        if frame is None or frame.is_rgb or layer is None:
            return
        limits = self.contrast.limits(frame.image, time.monotonic())
        if limits is not None:
            layer.contrast_limits = limits

    def keep(self) -> napari.layers.Image | None:
        """Keep what is shown as a layer of its own, below this one."""
        layer, layers = self.layer, self._viewer.layers
        if layer is None:
            return None
        stem = f"{layer.name} kept"
        number = 1 + sum(str(other.name).startswith(stem) for other in layers)
        selected = layers.selection.active
        kept: napari.layers.Image = self._viewer.add_image(
            self._buffer.copy(),
            name=f"{stem} {number}",
            rgb=layer.rgb,
            multiscale=False,
            scale=layer.scale,
            translate=layer.translate,
            affine=layer.affine.affine_matrix,
            units=layer.units,
            axis_labels=layer.axis_labels,
            metadata={"napari_scope": {**_facts_in(layer), "live": False}},
            **self._look(),
        )
        layers.move(layers.index(kept), layers.index(layer))
        layers.selection.active = selected
        return kept

    def _place(self, frame: LiveFrame, *, follow: bool) -> bool:
        """Put the layer where its frame was taken; returns whether it has moved."""
        shape = frame.image.shape
        now = placement_of(shape, (frame.x_um, frame.y_um), frame.affine)
        before, layer = self._placement, self._layer
        if now == before:
            return False
        if before is None or before.unit != now.unit:
            layer.units = (now.unit,) * 2
        if before is None or before.scale != now.scale:
            layer.scale = now.scale
        if before is None or before.translate != now.translate:
            layer.translate = now.translate
        if before is None or before.affine != now.affine:
            layer.affine = _matrix(now)
        self._placement = now
        if before is not None and follow and self._viewer.dims.ndisplay == 2:
            old, new = centre_of(before, shape), centre_of(now, shape)
            camera = self._viewer.scene.camera
            center = list(camera.center)
            center[-2] += new[0] - old[0]
            center[-1] += new[1] - old[1]
            camera.center = tuple(center)
        return True

    # ---- the layer

    def _suit_company(self) -> None:
        """Name and colour a layer anew when other cameras come, or have gone.

        What the user has chosen stays.
        """
        layer, color = self.layer, self._color
        if layer is None:
            return
        before = live_layer_name(self._camera, several=not self._several)
        if layer.name == before:
            layer.name = live_layer_name(self._camera, several=self._several)
        old, new = ("gray", color) if self._several else (color, "gray")
        if not layer.rgb and layer.colormap.name == old:
            layer.colormap = new
            layer.blending = self._blending if self._several else "translucent_no_depth"

    @property
    def _color(self) -> str:
        return _COLORS[self._number % len(_COLORS)]

    @property
    def _blending(self) -> str:
        """Blending of one camera among several.

        The first one brings black with it: what is added to a white canvas is not seen.
        """
        return "additive" if self._number else "translucent_no_depth"

    def _replace_buffer(
        self, frame: LiveFrame, pixels: npt.NDArray[np.generic]
    ) -> None:
        """Give the layer pixels of another size or type, as for another region."""
        same_type = self._buffer.dtype == pixels.dtype
        self._buffer = pixels.copy()
        self._layer.data = self._buffer
        if not same_type and not frame.is_rgb:
            _set_range(self._layer, frame)
            self.contrast.again()

    def _adopt(self, frame: LiveFrame, pixels: npt.NDArray[np.generic]) -> bool:
        """Take the layer that another view of this viewer shows, or has left."""
        for layer in self._viewer.layers:
            facts, data = _facts_in(layer), layer.data
            if (
                facts.get("live")
                and facts.get("camera") == self._camera
                and isinstance(data, np.ndarray)
                and layer.rgb == frame.is_rgb
                and data.flags.writeable
            ):
                self._layer, self._buffer = layer, data
                self._placement = None
                self.contrast.keep()
                if data.shape != pixels.shape or data.dtype != pixels.dtype:
                    self._replace_buffer(frame, pixels)
                return True
        return False

    def _add(
        self, frame: LiveFrame, pixels: npt.NDArray[np.generic], *, several: bool
    ) -> None:
        """Add a layer; the one that there was gives its look, and its place."""
        layers, before = self._viewer.layers, self._layer
        look: dict[str, Any] = {}
        index = len(layers)
        if before is not None and before.rgb == frame.is_rgb:
            look = self._look()
        elif several and not frame.is_rgb:
            look["colormap"] = self._color
            look["blending"] = self._blending
        if before is not None and before in layers:
            index = layers.index(before)
            layers.remove(before)
        if frame.is_rgb:
            look.pop("contrast_limits", None)
        elif "contrast_limits" not in look or self._buffer.dtype != pixels.dtype:
            self.contrast.again()
            look["contrast_limits"] = range_of_camera(
                pixels.dtype, frame.bit_depth
            ) or (0.0, 1.0)
            if self.contrast.mode != "frozen":
                found = self.contrast.limits(frame.image, time.monotonic())
                look["contrast_limits"] = found or look["contrast_limits"]
            else:
                self.contrast.keep()
        shape = frame.image.shape
        place = placement_of(shape, (frame.x_um, frame.y_um), frame.affine)
        elsewhere = self._is_elsewhere(centre_of(place, shape))
        selected = layers.selection.active
        self._buffer = pixels.copy()
        self._layer = self._viewer.add_image(
            self._buffer,
            name=live_layer_name(self._camera, several=several),
            rgb=frame.is_rgb,
            multiscale=False,
            scale=place.scale,
            translate=place.translate,
            affine=_matrix(place),
            units=(place.unit,) * 2,
            axis_labels=("y", "x"),
            metadata={"napari_scope": facts_of_frame(frame)},
            **look,
        )
        self._placement = place
        if not frame.is_rgb:
            _set_range(self._layer, frame)
        if index < len(layers) - 1:
            layers.move(layers.index(self._layer), index)
        if selected is not None and selected in layers:
            layers.selection.active = selected  # what the user works on
        if elsewhere:
            self._viewer.fit_to_view(layers=[self._layer])

    def _look(self) -> dict[str, Any]:
        look = {name: getattr(self._layer, name) for name in _LOOK}
        if not self._layer.rgb:
            look["contrast_limits"] = self._layer.contrast_limits
        return look

    def _is_elsewhere(self, centre: tuple[float, float]) -> bool:
        """Return whether a field lies apart from all that the viewer shows."""
        layers = self._viewer.layers
        if not len(layers) or self._viewer.dims.ndisplay != 2:
            return False
        (y, x), (low, high) = centre, layers.extent.world
        return not (low[-2] <= y <= high[-2] and low[-1] <= x <= high[-1])


def _matrix(place: Placement) -> npt.NDArray[np.float64]:
    return np.eye(3) if place.affine is None else np.array(place.affine)


def _as_shown(frame: LiveFrame) -> npt.NDArray[np.generic]:
    """Return the pixels as napari can show them: colours of 16 bits become 8."""
    image = frame.image
    if frame.is_rgb and image.dtype.itemsize > 1 and image.dtype.kind == "u":
        bits = frame.bit_depth or 8 * image.dtype.itemsize
        colors: npt.NDArray[Any] = image
        return (colors >> max(0, bits - 8)).astype("u1")
    return image


def _set_range(layer: Any, frame: LiveFrame) -> None:
    """Let the contrast sliders span what the camera can deliver."""
    whole = range_of_camera(frame.image.dtype, frame.bit_depth)
    if whole is not None:
        low, high = layer.contrast_limits
        layer.contrast_limits_range = (min(low, whole[0]), max(high, whole[1]))


def _facts_in(layer: Any) -> dict[str, Any]:
    found = layer.metadata.get("napari_scope")
    return found if isinstance(found, dict) else {}

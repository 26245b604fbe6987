"""Ion images in the viewer: one that follows the marker, and those that are kept.

The one that follows is changed in place, so it keeps the colours that the user gives
it, and lies on top of all. Those that are kept are added up in colours of their own;
what would shine through them, the sums and the one that follows, is hidden then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_scope.layers.msi import MSI_KEY, msi_of
from napari_scope.layers.msi_build import bright_limits, frame_of, ion_layer

if TYPE_CHECKING:
    import napari.viewer
    import numpy as np
    import numpy.typing as npt

    from napari_scope.layers.msi import MSILayer
    from napari_scope.widgets.spectrum.ion_choice import IonChoice

    Image = npt.NDArray[np.float32]

__all__ = ["IonLayers", "ion_layers_of", "msi_layers_of"]

_COLORMAPS: Final = ("red", "green", "blue", "yellow", "magenta", "cyan")


def msi_layers_of(viewer: Any) -> list[Any]:
    """Return the layers of mass-spectrometry images, the lowest first."""
    return [layer for layer in viewer.layers if msi_of(layer.metadata) is not None]


def ion_layers_of(viewer: Any) -> list[Any]:
    """Return the ion images that are seen; if none is, all of them."""
    found = [
        layer
        for layer in msi_layers_of(viewer)
        if (origin := msi_of(layer.metadata)) is not None and origin.kind == "ion"
    ]
    return [layer for layer in found if layer.visible] or found


class IonLayers:
    """Makes and changes layers.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer: Any = viewer
        self._preview: Any = None

    @property
    def preview(self) -> Any:
        """The layer that follows; None if there is none."""
        if self._preview is not None and self._preview not in self._viewer.layers:
            self._preview = None
        return self._preview

    def let_go(self) -> None:
        """Hold the layer that follows no longer if it has left the viewer."""
        _ = self.preview

    def follow(self, origin: MSILayer, choice: IonChoice, image: Image) -> None:
        """Show an ion image in the layer that follows."""
        about = origin.for_("ion", **choice.facts, follows=True)
        layer = self.preview
        if layer is None or layer.ndim != image.ndim:
            if layer is not None:
                self._viewer.layers.remove(layer)
            self._preview = self._add(
                about, f"Marker: {choice.name}", image, colormap="viridis"
            )
            return
        before = msi_of(layer.metadata)
        layer.data = image
        layer.name = f"Marker: {choice.name}"
        layer.metadata = {**layer.metadata, MSI_KEY: about}
        if before is None or (before.reader, before.dataset) != (
            about.reader,
            about.dataset,
        ):
            for name, value in frame_of(origin.data).items():
                setattr(layer, name, value)
        high = float(image.max(initial=0.0))
        limits = bright_limits(image) or (0.0, 1.0)
        layer.contrast_limits_range = (0.0, max(high, limits[1]))
        layer.contrast_limits = limits
        layer.visible = True

    def keep(self, origin: MSILayer, choice: IonChoice, image: Image) -> Any:
        """Add an ion image as a layer of its own; returns the layer."""
        for layer in msi_layers_of(self._viewer):
            other = msi_of(layer.metadata)
            over = other is not None and other.kind in ("tic", "stack")
            if over or layer is self.preview:
                layer.visible = False
        about = origin.for_("ion", **choice.facts)
        return self._add(
            about, choice.name, image, colormap=self._next_color(), blending="additive"
        )

    def _next_color(self) -> str:
        used = [
            str(layer.colormap.name)
            for layer in msi_layers_of(self._viewer)
            if layer is not self.preview and hasattr(layer, "colormap")
        ]
        return min(_COLORMAPS, key=used.count)

    def _add(self, origin: MSILayer, name: str, image: Image, **look: object) -> Any:
        from napari.layers import Layer

        limits = bright_limits(image) or (0.0, 1.0)
        # What is selected stays so: a region is being drawn, maybe.
        selected = set(self._viewer.layers.selection)
        active = self._viewer.layers.selection.active
        made = Layer.create(
            *ion_layer(origin, image, name, contrast_limits=limits, **look)
        )
        high = float(image.max(initial=0.0))
        made.contrast_limits_range = (0.0, max(high, limits[1]))
        self._viewer.add_layer(made)
        if active is not None:
            self._viewer.layers.selection = selected
            self._viewer.layers.selection.active = active
        return made

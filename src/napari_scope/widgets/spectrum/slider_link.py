"""The marker of the plot and the m/z slider of napari go together.

The slider belongs to a stack of channels (`napari_scope.widgets.browsing.mz_slider`),
the marker to any m/z. When the marker moves, the slider goes to the nearest channel;
when the user moves the slider, the marker goes to the m/z of the channel. napari itself
moves sliders while layers come and go, which tells nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.layers.msi import msi_of
from napari_scope.widgets.browsing.mz_slider import mz_slider

if TYPE_CHECKING:
    import napari.viewer

    from napari_scope.widgets.browsing.mz_slider import MzSlider
    from napari_scope.widgets.spectrum.looked_at import LookedAt

__all__ = ["SliderLink"]


class SliderLink(QObject):
    """Ties the slider of a viewer to an m/z.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    looked_at : LookedAt
        Whose slider counts: that of another data set is left alone.
    parent : QObject
        Owner.

    Attributes
    ----------
    moved : Signal
        The user has moved the slider; carries the m/z of its channel.
    """

    moved = Signal(float)

    def __init__(
        self, viewer: napari.viewer.Viewer, looked_at: LookedAt, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._at = looked_at
        self._known: float | None = None
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(0)
        self._settled.timeout.connect(self._settle)
        viewer.layers.events.inserted.connect(self._on_layers)
        viewer.layers.events.removed.connect(self._on_layers)
        viewer.dims.events.current_step.connect(self._on_step, position="last")
        looked_at.layer_changed.connect(self._on_layers)

    def stop(self) -> None:
        """Let go of the viewer."""
        self._settled.stop()
        self._viewer.layers.events.inserted.disconnect(self._on_layers)
        self._viewer.layers.events.removed.disconnect(self._on_layers)
        self._viewer.dims.events.current_step.disconnect(self._on_step)

    def show_mz(self, mz: float) -> None:
        """Move the slider to the channel nearest to an m/z, if there is a slider."""
        slider = self._slider()
        if slider is not None:
            self._known = None
            self._settled.start()  # what moves now was not moved by the user
            slider.show_mz(mz)
            self._settle()

    def _slider(self) -> MzSlider | None:
        """Return the slider if it is of the data set that is looked at."""
        if not any(_is_stack(layer) for layer in self._viewer.layers):
            return None
        slider = mz_slider(self._viewer)
        layer = None if slider is None else slider.layer
        if layer is None or not self._at.is_same(msi_of(layer.metadata)):
            return None
        return slider

    def _on_layers(self, _: object = None) -> None:
        self._settled.start()

    def _settle(self) -> None:
        self._settled.stop()
        slider = self._slider()
        self._known = None if slider is None else slider.mz

    def _on_step(self, _: object = None) -> None:
        if self._settled.isActive():
            return
        slider = self._slider()
        mz = None if slider is None else slider.mz
        before, self._known = self._known, mz
        if mz is not None and before is not None and mz != before:
            self.moved.emit(mz)


def _is_stack(layer: Any) -> bool:
    origin = msi_of(layer.metadata)
    return origin is not None and origin.kind == "stack"

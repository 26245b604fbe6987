"""Which mass-spectrometry image is looked at: layer, file, data set, regions.

The layer that is selected counts if it is of such an image; otherwise the one that
counted before, and then any other of the same data. A file brings many layers, of which
napari selects the last: of those that have just come the first that is seen counts. A
file is held only as long as one of its layers is in the viewer. Nothing is chosen in
the reader itself, which others share.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.layers.msi import MSILayer, msi_of
from napari_scope.widgets.spectrum.ion_layers import msi_layers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

__all__ = ["LookedAt", "title_of"]


class LookedAt(QObject):
    """Follows the layers of a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    parent : QObject
        Owner.

    Attributes
    ----------
    changed : Signal
        Another data set is looked at; carries the one before, or None.
    layer_changed : Signal
        Another layer counts, of the same data set or of another.
    regions_changed : Signal
        Other regions are chosen.
    """

    changed = Signal(object)
    layer_changed = Signal()
    regions_changed = Signal()

    def __init__(self, viewer: napari.viewer.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self.origin: MSILayer | None = None
        self.layer: Any = None
        self.regions: tuple[int, ...] | None = None
        # The selected layer says something when it becomes the selected one, only then.
        self._known: Callable[[], Any] = lambda: None
        # Of what was opened before, napari may have selected what is hidden, too.
        self._new: weakref.WeakSet[Any] = weakref.WeakSet(viewer.layers)
        # The layers of a file come one by one, and each is selected for a moment.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.refresh)
        layers = self._viewer.layers
        layers.selection.events.active.connect(self._on_active)
        layers.events.inserted.connect(self._on_inserted)
        layers.events.removed.connect(self.refresh)

    def stop(self) -> None:
        """Let go of the viewer and the file."""
        self._soon.stop()
        self._new.clear()
        layers = self._viewer.layers
        layers.selection.events.active.disconnect(self._on_active)
        layers.events.inserted.disconnect(self._on_inserted)
        layers.events.removed.disconnect(self.refresh)
        self.origin = self.layer = None

    @property
    def pending(self) -> bool:
        """Whether layers have changed and it is not yet known which one counts."""
        return self._soon.isActive()

    def _on_active(self, _: object = None) -> None:
        self._soon.start()

    def _on_inserted(self, event: Any) -> None:
        self._new.add(event.value)
        self._soon.start()

    def refresh(self, _: object = None) -> None:
        """Find out which layer counts."""
        self._soon.stop()
        there = msi_layers_of(self._viewer)
        active = self._viewer.layers.selection.active
        chosen = active in there and active is not self._known()
        layer = active if chosen else None
        self._known = (lambda: None) if active is None else weakref.ref(active)
        new, self._new = self._new, weakref.WeakSet()
        if layer is not None and layer in new and not layer.visible:
            layer = _first_seen(there, layer)
        if layer is None and self.layer in there:
            layer = self.layer
        if layer is None and there:
            same = [x for x in there if self.is_same(msi_of(x.metadata))]
            layer = (same or there)[-1]
        origin = None if layer is None else msi_of(layer.metadata)
        if layer is self.layer and self.origin is not None and origin is not None:
            if self.origin.reader is origin.reader:
                return  # a data set without a layer may have been chosen since
        self.layer = layer
        self._look_at(origin)

    def is_same(self, origin: MSILayer | None) -> bool:
        """Return whether a data set is the one that is looked at."""
        mine = self.origin
        if origin is None or mine is None:
            return origin is mine
        return origin.reader is mine.reader and origin.dataset == mine.dataset

    def _look_at(self, origin: MSILayer | None) -> None:
        if not self.is_same(origin):
            before, self.origin = self.origin, origin
            self.regions = None
            self.changed.emit(before)
        self.layer_changed.emit()

    def choose_dataset(self, dataset: int) -> None:
        """Look at another data set of the file; at a layer of it if there is one."""
        origin = self.origin
        if origin is None or dataset == origin.dataset:
            return
        for layer in msi_layers_of(self._viewer):
            other = msi_of(layer.metadata)
            if other is None or other.reader is not origin.reader:
                continue
            if other.dataset == dataset and other.kind == "tic":
                layer.visible = True
                self._viewer.layers.selection.active = layer
                # It may have been the active one all the time.
                self.layer = layer
                self._look_at(other)
                return
        self._look_at(MSILayer(origin.reader, dataset))

    def choose_regions(self, regions: tuple[int, ...] | None) -> None:
        """Look at some of the regions, None for all."""
        if regions != self.regions:
            self.regions = regions
            self.regions_changed.emit()


def _first_seen(layers: list[Any], last: Any) -> Any:
    """Return the lowest layer of a file that is seen; of the file of the last layer."""
    origin = msi_of(last.metadata)
    for layer in layers:
        other = msi_of(layer.metadata)
        if origin is None or other is None or other.reader is not origin.reader:
            continue
        if layer.visible:
            return layer
    return last


def title_of(origin: MSILayer) -> str:
    """Return what file and data set are called."""
    name = origin.data.spectra.name if len(origin.reader.data_sets) > 1 else ""
    return f"{origin.reader.title} {name}".strip()

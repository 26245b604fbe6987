"""The slider of a mass-spectrometry image: it shows m/z, not the number of a channel.

napari's sliders show numbers of steps. `MzSlider` writes the m/z onto the slider's name
and into the status bar, and shows the stack of channels when its slider is moved for
the first time: at first only the sums of all intensities are seen. The Spectra dock
moves the slider with `MzSlider.show_mz`. One for each viewer is enough, however many
files it shows; it lives as long as the viewer's window.

Examples
--------
>>> viewer.open("brain.imzML", plugin="napari-scope")  # doctest: +SKIP
>>> mz_slider(viewer).show_mz(885.55)  # doctest: +SKIP
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer

from napari_scope.layers.msi import msi_of
from napari_scope.layers.msi_build import MZ
from napari_scope.widgets.browsing.msi_painter import MSIPainter, stack_of
from napari_scope.widgets.browsing.status_words import StatusWords

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtWidgets import QWidget

__all__ = ["MzSlider", "mz_slider", "slider_text"]


def slider_text(mz: float) -> str:
    """Return an m/z as people read it.

    Examples
    --------
    >>> slider_text(885.549612), slider_text(12000.4)
    ('m/z 885.5496', 'm/z 12000.40')
    """
    return f"{MZ} {mz:.{4 if mz < 10_000 else 2}f}"


class MzSlider(QObject):
    """Ties the m/z slider of one viewer to its stacks.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    parent : QWidget
        Its window.
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._offered: weakref.WeakSet[Any] = weakref.WeakSet()
        self._step: int | None = None
        self._moved = False  # by the user
        self._known: tuple[int, ...] = ()
        self.painter = MSIPainter(viewer, parent)
        self.painter.painted.connect(self._write)
        # napari moves the sliders itself while layers are added.
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.timeout.connect(self._settle)
        viewer.layers.events.inserted.connect(self._on_layers, position="last")
        viewer.layers.events.removed.connect(self._on_layers, position="last")
        viewer.dims.events.current_step.connect(self._on_step, position="last")
        viewer.layers.selection.events.active.connect(self._on_other)
        viewer.dims.events.order.connect(self._on_other, position="last")
        viewer.dims.events.ndisplay.connect(self._on_other, position="last")
        self._status = StatusWords(viewer, self._words)
        self._on_layers()

    def stop(self) -> None:
        """Leave slider and status as they are from now on; idempotent."""
        viewer, self._viewer = self._viewer, None
        if viewer is None:
            return
        self._settled.stop()
        self.painter.stop()
        viewer.layers.events.inserted.disconnect(self._on_layers)
        viewer.layers.events.removed.disconnect(self._on_layers)
        viewer.dims.events.current_step.disconnect(self._on_step)
        viewer.layers.selection.events.active.disconnect(self._on_other)
        viewer.dims.events.order.disconnect(self._on_other)
        viewer.dims.events.ndisplay.disconnect(self._on_other)
        self._status.stop()

    @property
    def layer(self) -> Any:
        """The stack that the slider speaks of, or None.

        The active layer if it is seen, else the highest one that is; if none is, that
        of the data set whose other layers are seen.
        """
        if self._viewer is None:
            return None
        layers = list(self._viewer.layers)
        stacks = [layer for layer in layers if stack_of(layer) is not None]
        seen = [layer for layer in stacks if layer.visible]
        active = self._viewer.layers.selection.active
        if any(layer is active for layer in seen):
            return active
        if seen or not stacks:
            return seen[-1] if seen else None
        others = [_data_set(layer) for layer in reversed(layers) if layer.visible]
        for data_set in (each for each in others if each is not None):
            for layer in stacks:
                if _data_set(layer) == data_set:
                    return layer
        return stacks[0]

    @property
    def mz(self) -> float | None:
        """The m/z that the slider stands at."""
        layer = self.layer
        stack = None if layer is None else stack_of(layer)
        if stack is None:
            return None
        channel = round(float(layer.world_to_data(self._viewer.dims.point)[0]))
        axis = stack.mz
        return float(axis[channel]) if 0 <= channel < len(axis) else None

    def show_mz(self, mz: float) -> None:
        """Move the slider to the channel nearest to an m/z; nothing without a stack.

        A stack that is hidden stays hidden: only a slider that the user moves shows it.
        """
        layer = self.layer
        stack = None if layer is None else stack_of(layer)
        if stack is None or not len(stack.mz):
            return
        channel = int(np.abs(stack.mz - mz).argmin())
        self._go_to(layer, channel)

    def _go_to(self, layer: Any, channel: int) -> None:
        world = layer.data_to_world((channel, *(0,) * (layer.ndim - 1)))
        self._step = None
        self._viewer.dims.set_point(self._axis_of(layer), float(world[0]))
        self._note_step(layer)

    def _note_step(self, layer: Any) -> None:
        self._step = self._viewer.dims.current_step[self._axis_of(layer)]

    # ---- the slider

    def _axis_of(self, layer: Any) -> int:
        return int(self._viewer.dims.ndim - layer.ndim)

    def _on_layers(self, event: Any = None) -> None:
        self._step = None
        self._settled.start(0)

    def _settle(self) -> None:
        self._known = self._layers_now()
        layer = self.layer
        if layer is not None:
            self._note_step(layer)
            stack = stack_of(layer)
            # napari begins in the middle of the longest stack, perhaps beyond this one.
            if stack is not None and self.mz is None and not self._moved:
                self._go_to(layer, len(stack.mz) // 2)
        else:
            self._moved = False
        self._write()

    def _layers_now(self) -> tuple[int, ...]:
        return tuple(map(id, self._viewer.layers))

    def _on_other(self, event: Any) -> None:
        self._write()

    def _on_step(self, event: Any) -> None:
        layer = self.layer
        if layer is None:
            return
        step = self._viewer.dims.current_step[self._axis_of(layer)]
        by_napari = self._step is None or self._known != self._layers_now()
        if not by_napari and step != self._step:
            self._step = step
            self._moved = True
            if not layer.visible and layer not in self._offered:
                self._offered.add(layer)
                layer.visible = True
        self._write()

    def _write(self) -> None:
        """Write the m/z onto the slider."""
        layer, mz = self.layer, self.mz
        stack = None if layer is None else stack_of(layer)
        if stack is None:
            return
        axis, dims = self._axis_of(layer), self._viewer.dims
        names = list(dims.axis_labels)
        if axis in dims.displayed:  # there is no slider
            text = MZ
        elif mz is None:  # it stands where only another stack has channels
            text = f"{MZ} -"
        else:
            waits = layer.visible and stack.owed is not None
            text = slider_text(mz) + (" …" if waits else "")
        if names[axis] != text:
            names[axis] = text
            self._viewer.dims.axis_labels = tuple(names)

    def _words(self) -> str:
        """Return what the status bar says; empty without a channel that is seen."""
        layer, mz = self.layer, self.mz
        return slider_text(mz) if mz is not None and layer.visible else ""


def _data_set(layer: Any) -> tuple[int, int] | None:
    """Return what tells the data set of a layer from others; None of other layers."""
    origin = msi_of(layer.metadata)
    return None if origin is None else (id(origin.reader), origin.dataset)


def mz_slider(viewer: napari.viewer.Viewer | None = None) -> MzSlider | None:
    """Return the m/z slider of a viewer, made when it is first asked for.

    Parameters
    ----------
    viewer : napari.viewer.Viewer, optional
        The viewer; by default the current one. None is returned without a window.
    """
    if viewer is None:
        import napari

        viewer = napari.current_viewer()
    if viewer is None or getattr(viewer, "window", None) is None:
        return None
    window = viewer.window.main_menu.window()
    if window is None:
        return None
    found: MzSlider | None = window.findChild(MzSlider)
    return found or MzSlider(viewer, window)

"""How the docks look on a small screen, in both themes, while a run is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QDockWidget, QWidget
from tests.widgets.dock_checks import faults, pages, unnamed

from napari_scope.acquire import Run
from napari_scope.widgets.workspace import DOCKS, open_dock, open_workspace

if TYPE_CHECKING:
    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope

pytestmark = pytest.mark.gui

_PLAN = useq.MDASequence(channels=["DAPI"], time_plan={"interval": 0, "loops": 3})


def _dock_of(widget: QWidget) -> QDockWidget:
    above = widget.parentWidget()
    while not isinstance(above, QDockWidget):
        assert above is not None
        above = above.parentWidget()
    return above


def _pixels_of(widget: QWidget, viewer: napari.Viewer, shot: Any) -> np.ndarray:
    """Return the part of a picture of the window that shows a widget."""
    window = viewer.window._qt_window
    ratio = shot.shape[1] / window.width()
    corner = widget.mapTo(window, QPoint(0, 0))
    left, top = round(corner.x() * ratio), round(corner.y() * ratio)
    width, height = round(widget.width() * ratio), round(widget.height() * ratio)
    return np.asarray(shot[top : top + height, left : left + width, :3])


def _is_drawn(pixels: np.ndarray, dark: bool) -> bool:
    """Return whether there are texts on a background, and more than these."""
    colours = np.unique(pixels.reshape(-1, 3), axis=0)
    light = pixels.mean(axis=2)
    text = light > 190 if dark else light < 70
    return len(colours) > 60 and 0.002 < float(text.mean()) < 0.4


def _shown_like(viewer: napari.Viewer, layer: Any) -> float:
    """Return how alike the canvas and the image of a layer are, at most 1."""
    for other in viewer.layers:
        other.visible = other is layer
    viewer.reset_view()
    image = np.asarray(layer.data[tuple(viewer.dims.current_step[: layer.ndim - 2])])
    canvas = viewer.screenshot(canvas_only=True, flash=False)[..., :3].mean(axis=2)
    camera = viewer.scene.camera
    y, x = (np.arange(0, n, 4) for n in image.shape[-2:])
    ends = (layer.ndim - 2, layer.ndim - 1)
    rows, columns = (
        (n * layer.scale[end] + layer.translate[end] - centre) * camera.zoom + size / 2
        for n, end, centre, size in zip(
            (y, x), ends, camera.center[-2:], canvas.shape, strict=True
        )
    )
    seen = canvas[
        rows.round().astype(int)[:, None], columns.round().astype(int)[None, :]
    ]
    return float(np.corrcoef(seen.ravel(), image[np.ix_(y, x)].ravel())[0, 1])


def test_docks_are_drawn_whole_and_named(
    shown_viewer: napari.Viewer, shared_microscope: Microscope, qtbot: QtBot
) -> None:
    viewer = shown_viewer
    viewer.window.resize(1280, 800)
    opened = open_workspace(viewer, (*DOCKS, "Log"))
    canvas = viewer.window._qt_viewer.canvas.native
    qtbot.waitUntil(lambda: canvas.width() >= 1280 // 2)

    Run(shared_microscope.owner, _PLAN).start().wait(30)
    qtbot.waitUntil(lambda: any(layer.ndim > 2 for layer in viewer.layers))
    layer = next(layer for layer in viewer.layers if layer.ndim > 2)
    qtbot.waitUntil(lambda: _shown_like(viewer, layer) > 0.9)

    nameless: list[str] = []
    for theme in ("dark", "light"):
        viewer.theme = theme
        for name, widget in opened.items():
            open_dock(viewer, name)
            for page in pages(widget) if theme == "dark" else ():
                try:  # a page that is built when it is first shown has moments without
                    qtbot.waitUntil(lambda w=widget: not faults(w), timeout=5000)
                except qtbot.TimeoutError:
                    assert not faults(widget), f"{name}, {page}"
            nameless += [f"{name}: {words}" for words in unnamed(widget)]
            shot = viewer.screenshot(canvas_only=False, flash=False)
            pixels = _pixels_of(_dock_of(widget), viewer, shot)
            assert _is_drawn(pixels, theme == "dark"), f"{theme}, {name}"
        assert _shown_like(viewer, layer) > 0.9, theme
    assert not sorted(set(nameless))

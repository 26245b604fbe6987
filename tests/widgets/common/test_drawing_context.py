"""What a removed layer has drawn is deleted in the canvas's own context."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtGui import QOpenGLContext
from vispy.gloo.context import GLContext

from napari_scope.widgets.common.dock import ScopeDock
from napari_scope.widgets.common.drawing_context import finish_in_own_context

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui

_SCRIPT = Path(__file__).with_name("remove_layers.py")


def test_layers_of_all_kinds_are_removed_without_a_crash() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(_SCRIPT)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "drawn True"


@pytest.mark.parametrize("proxied", [False, True])
def test_every_removal_is_finished_in_the_context_of_its_window(
    make_napari_viewer: Callable[..., napari.Viewer],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    proxied: bool,
) -> None:
    """With two windows: a dock in each, and the other was drawn last."""
    viewers = [make_napari_viewer(show=True) for _ in range(2)]
    for viewer in viewers:
        dock = ScopeDock(PublicOnlyProxy(viewer) if proxied else viewer, "test")
        qtbot.addWidget(dock)
        viewer.add_image(np.ones((8, 8)))
        viewer.screenshot()
    first = viewers[0].window._qt_viewer.canvas._scene_canvas
    finished = []
    carried_out = GLContext.flush_commands

    def watched(context: GLContext, event: object = None) -> None:
        if context is first.context:
            finished.append(QOpenGLContext.currentContext())
        carried_out(context, event)

    monkeypatch.setattr(GLContext, "flush_commands", watched)
    del viewers[0].layers[0]
    assert finished
    assert all(context is first.native.context() for context in finished)


def test_a_canvas_that_was_never_drawn_waits(
    make_napari_viewer: Callable[..., napari.Viewer], monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer()
    assert finish_in_own_context(viewer)
    carried_out: list[object] = []
    monkeypatch.setattr(GLContext, "flush_commands", carried_out.append)
    viewer.add_image(np.ones((8, 8)))
    viewer.layers.clear()
    assert not carried_out


def test_nothing_is_kept(make_napari_viewer: Callable[..., napari.Viewer]) -> None:
    viewer = make_napari_viewer()
    assert finish_in_own_context(viewer)
    assert finish_in_own_context(viewer)  # the second does nothing
    canvas = viewer.window._qt_viewer.canvas
    layer = viewer.add_image(np.ones((8, 8)))
    node = weakref.ref(canvas.layer_to_visual[layer].node)
    viewer.layers.remove(layer)
    del layer
    gc.collect()
    assert node() is None


def test_without_a_window_there_is_nothing_to_do() -> None:
    assert not finish_in_own_context(ViewerModel())

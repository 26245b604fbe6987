"""The drawing of a layer outlives the layer, and not its canvas."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_scope.widgets.space.kept_mesh import keep_mesh

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

pytestmark = pytest.mark.gui

MESH = (np.eye(3)[:, :2], np.array([[0, 1, 2]]), np.ones(3))


@pytest.mark.parametrize("proxied", [False, True])
def test_it_stays_when_the_layer_goes(
    make_napari_viewer: Callable[..., napari.Viewer], proxied: bool
) -> None:
    viewer = make_napari_viewer()
    layer = viewer.add_surface(MESH)
    canvas = viewer.window._qt_viewer.canvas
    node = weakref.ref(canvas.layer_to_visual[layer].node)
    assert keep_mesh(PublicOnlyProxy(viewer) if proxied else viewer, layer)
    viewer.layers.remove(layer)
    del layer
    gc.collect()
    assert node() is not None


def test_without_a_window_there_is_nothing_to_keep() -> None:
    viewer = ViewerModel()
    layer = viewer.add_surface(MESH)
    assert not keep_mesh(viewer, layer)

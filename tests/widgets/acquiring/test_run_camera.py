"""The view follows the images of a run until the user looks elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_scope.widgets.acquiring.run_camera import RunCamera, box_of

NEAR = {0: (0.0, 0.0, 10.0, 10.0), 1: (0.0, 12.0, 10.0, 22.0)}
FAR = {0: (0.0, 0.0, 10.0, 10.0), 1: (9000.0, 9000.0, 9010.0, 9020.0)}


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    made.add_image(np.zeros((10, 10)))
    made.scene.camera.center = (0, 77, 77)
    return made


def center(viewer: ViewerModel) -> tuple[float, ...]:
    return tuple(viewer.scene.camera.center)[-2:]


def test_images_close_by_are_fitted_once_each(viewer: ViewerModel) -> None:
    camera = RunCamera(viewer)
    camera.show_new(0, NEAR)
    assert center(viewer) == pytest.approx((4.5, 4.5))
    viewer.add_image(np.zeros((10, 10)), translate=(0, 12))
    camera.show_new(0, NEAR)  # known already: nothing is moved
    assert center(viewer) == pytest.approx((4.5, 4.5))
    camera.go_to(1, NEAR)  # it is in view
    assert center(viewer) == pytest.approx((4.5, 4.5))
    camera.show_new(1, NEAR)
    assert center(viewer) == pytest.approx((4.5, 10.5))


def test_of_images_far_apart_one_is_in_the_middle(viewer: ViewerModel) -> None:
    camera = RunCamera(viewer)
    camera.show_new(0, FAR)
    assert center(viewer) == (77, 77)
    camera.go_to(1, FAR)
    assert center(viewer) == (9005, 9010)


@pytest.mark.parametrize("how", ["center", "zoom"])
def test_who_looks_elsewhere_is_left_alone(viewer: ViewerModel, how: str) -> None:
    camera = RunCamera(viewer)
    camera.go_to(0, FAR)
    before = center(viewer)
    if how == "center":
        viewer.scene.camera.center = before = (3, 4)
    else:
        viewer.scene.camera.zoom *= 2
    camera.go_to(1, FAR)
    camera.show_new(1, NEAR)
    assert center(viewer) == before
    camera.take_back()
    camera.go_to(1, FAR)
    assert center(viewer) == (9005, 9010)


def test_where_a_layer_lies(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((2, 4, 6)), translate=(5, 10, 20))
    assert box_of(layer) == pytest.approx((10, 20, 13, 25))

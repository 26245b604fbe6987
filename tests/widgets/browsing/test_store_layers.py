from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from tests.layers.stores import make_dataset, make_image

from napari_scope.layers import dataset_to_layers, origin_of
from napari_scope.layers.growing import grown
from napari_scope.widgets.browsing.slider_keeper import SliderKeeper
from napari_scope.widgets.browsing.store_layers import StoreLayers, layers_of


def shown(viewer: Any, *images: Any) -> Any:
    dataset = make_dataset(*images)
    for data, arguments, _ in dataset_to_layers(dataset, "auto"):
        viewer.add_image(data, **arguments)
    return dataset


def test_the_layers_of_a_data_set_are_found() -> None:
    viewer = ViewerModel()
    one, two = shown(viewer, make_image("a")), shown(viewer, make_image("b"))
    viewer.add_points([[1, 2, 3]])
    assert layers_of(viewer, one) == [viewer.layers[0]]
    assert layers_of(viewer, two) == [viewer.layers[1]]
    assert layers_of(viewer, make_dataset()) == []


def test_a_copy_of_a_layer_changes_with_it() -> None:
    viewer: Any = ViewerModel()
    dataset = shown(viewer, make_image("a"))
    layer = viewer.layers[0]
    viewer.add_image(layer.data, metadata=layer.metadata, name="copy")
    origin = origin_of(layer.metadata)
    assert origin is not None
    changer, keeper = StoreLayers(viewer), SliderKeeper(viewer)
    assert changer.with_origin(origin) == list(viewer.layers)
    viewer.dims.set_current_step(0, 2)
    keeper.note(layers_of(viewer, dataset))
    larger = make_dataset(make_image("a", shape=(5, 8, 9)))
    (change,) = grown([origin], larger).changes
    for one in changer.with_origin(origin):
        new = changer.change(one, change)
        assert new is one
        keeper.replaced(one, new)
    assert [np.shape(one.data)[0] for one in viewer.layers] == [5, 5]
    assert layers_of(viewer, larger) == list(viewer.layers)
    keeper.restore(layers_of(viewer, larger))
    assert viewer.dims.current_step[0] == 4


def test_a_layer_in_the_place_of_another_keeps_the_sliders() -> None:
    viewer: Any = ViewerModel()
    dataset = shown(viewer, make_image("a", shape=(4, 300, 700)))
    origin = origin_of(viewer.layers[0].metadata)
    assert origin is not None
    changer, keeper = StoreLayers(viewer), SliderKeeper(viewer)
    viewer.dims.set_current_step(0, 1)
    keeper.note(layers_of(viewer, dataset))
    larger = make_dataset(make_image("a", shape=(6, 1200, 700), levels=2))
    (change,) = grown([origin], larger).changes
    old = viewer.layers[0]
    new = changer.change(old, change)
    assert new is not old and list(viewer.layers) == [new] and new.multiscale
    keeper.replaced(old, new)
    viewer.dims.set_current_step(0, 3)  # what napari may do meanwhile
    keeper.restore([new])
    assert viewer.dims.current_step[0] == 1

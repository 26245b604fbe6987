from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image as ImageLayer
from napari_builtins.io import napari_write_image
from tests.layers.stores import Frames, make_dataset, make_image

from napari_scope.layers import LayerOrigin, dataset_to_layers, origin_of
from napari_scope.layers.origin import ORIGIN_KEY, Place

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.layers import LayerData


def origin(layer: LayerData) -> LayerOrigin:
    metadata: Any = layer[1]["metadata"]
    found = origin_of(metadata)
    assert found is not None
    return found


def test_every_layer_knows_its_image_and_channel() -> None:
    dataset = make_dataset(
        make_image("Pos0", "tcyx", (2, 2, 4, 4), channels=("DAPI", "FITC")),
        make_image("Pos1", "tcyx", (2, 2, 4, 4), channels=("DAPI", "FITC")),
    )
    found = [origin(layer) for layer in dataset_to_layers(dataset)]
    assert [(o.images, o.channel) for o in found] == [
        ((0,), 0), ((0,), 1), ((1,), 0), ((1,), 1),
    ]  # fmt: skip
    assert all(o.dataset is dataset and o.axes == ("t", "z", "y", "x") for o in found)
    assert origin_of({}) is None
    assert origin_of({ORIGIN_KEY: {"path": "from a file"}}) is None


def test_a_point_of_the_layer_is_a_frame_of_the_image() -> None:
    image = make_image("cells", "tczyx", (5, 2, 3, 8, 9), channels=("a", "b"))
    second = origin(dataset_to_layers(make_dataset(image))[1])
    index = {"t": 4, "c": 1, "z": 2, "y": 7, "x": 0}
    assert second.find((4.3, 1.7, 7.4, 0)) == Place(0, index)
    assert second.frame_metadata((4, 2, 7, 0)) == {
        "Image": "cells", "Index": index, "Gain": 2,
    }  # fmt: skip
    assert second.frame_axes((4, 2, 7, 0)) == {"t": 4, "c": 1, "z": 2}
    assert second.frame_exists((4, 2, 7, 0))


@pytest.mark.parametrize("position", [(5, 0, 0, 0), (-1, 0, 0, 0), (0, 1, 0, 0)])
def test_there_is_no_frame_beside_the_planes(position: tuple[float, ...]) -> None:
    found = origin(
        dataset_to_layers(make_dataset(make_image("a", "tyx", (5, 4, 4))))[0]
    )
    assert found.find(position) is None
    assert not found.frame_exists(position)
    assert found.frame_metadata(position) is None and found.frame_axes(position) is None


def test_beside_the_frame_the_nearest_tile_counts() -> None:
    image = make_image("mosaic", "yx", (100, 200))
    found = origin(dataset_to_layers(make_dataset(image))[0])
    for point, pixel in (
        ((-70, 30.6), (0, 31)),
        ((100, 1e30), (99, 199)),
        ((float("nan"), float("-inf")), (0, 0)),
    ):
        place = found.find(point)
        assert place is not None
        assert (place.index["y"], place.index["x"]) == pixel
    with pytest.raises(ValueError, match="3 numbers"):
        found.find((0, 0, 0))


def test_shared_layers_find_the_image_on_their_slider() -> None:
    images = [
        make_image(f"Pos{i}", "tyx", (2, 4, 6 if i == 1 else 4)) for i in range(3)
    ]
    plain, odd = map(origin, dataset_to_layers(make_dataset(*images), "slider"))
    assert plain.images == (0, None, 2) and odd.images == (None, 1, None)
    assert plain.axes == ("p", "t", "z", "y", "x")
    for point, name in (((2, 1, 0, 0, 0), "Pos2"), ((0, 1, 0, 0, 0), "Pos0")):
        found = plain.frame_metadata(point)
        assert found is not None and found["Image"] == name
    for p in (-1, 1, 3):
        assert plain.find((p, 0, 0, 0, 0)) is None
    assert plain.first_image is images[0] and odd.first_image is images[1]


def test_a_position_that_lacks_planes_or_channels_says_so() -> None:
    images = [
        make_image("Pos0", "tcyx", (3, 2, 4, 4), channels=("DAPI", "FITC")),
        make_image("Pos1", "tcyx", (2, 1, 4, 4), channels=("DAPI",)),
    ]
    dapi, fitc = map(origin, dataset_to_layers(make_dataset(*images), "slider"))
    assert dapi.frame_exists((1, 1, 0, 0, 0))
    assert not dapi.frame_exists((1, 2, 0, 0, 0))
    assert not fitc.frame_exists((1, 0, 0, 0, 0))
    assert fitc.frame_exists((0, 2, 0, 0, 0))


def test_frames_that_were_not_saved() -> None:
    image = make_image("a", "tyx", (3, 4, 4), missing=lambda index: index["t"] == 1)
    found = origin(dataset_to_layers(make_dataset(image))[0])
    assert [found.frame_exists((t, 0, 0, 0)) for t in range(3)] == [True, False, True]
    assert found.frame_metadata((1, 0, 0, 0)) is None


def test_without_a_table_of_frames_nothing_is_known() -> None:
    image = make_image("a", "tyx", (3, 4, 4), frames=None)
    found = origin(dataset_to_layers(make_dataset(image))[0])
    assert found.frame_exists((2, 0, 0, 0))
    assert found.frame_metadata((2, 0, 0, 0)) is None
    assert found.frame_axes((2, 0, 0, 0)) is None


class Unwilling(Frames):
    """Fails when somebody copies it."""

    def __deepcopy__(self, _: object) -> Any:
        raise AssertionError("the data set was copied")

    def __reduce__(self) -> Any:
        raise AssertionError("the data set was pickled")


def test_copying_a_layer_copies_no_data_set(tmp_path: Path) -> None:
    frames = Unwilling("a", "tyx")
    layers = dataset_to_layers(make_dataset(make_image("a", frames=frames)))
    viewer = ViewerModel()
    layer = viewer.add_image(layers[0][0], **layers[0][1])
    found = origin_of(layer.metadata)
    assert found is not None
    _, state, _ = layer.as_layer_data_tuple()
    for metadata in (
        copy.deepcopy(state)["metadata"],
        copy.copy(layer.metadata),
        ImageLayer(np.zeros((3, 1, 8, 9)), metadata=state["metadata"]).metadata,
    ):
        assert origin_of(metadata) is found
    # What leaves the process is a plain dictionary.
    plain = {"path": "/data/run", "images": [0], "channel_index": 0}
    unpickled = pickle.loads(pickle.dumps(layer.metadata))
    assert type(unpickled[ORIGIN_KEY]) is dict and unpickled[ORIGIN_KEY] == plain
    assert json.loads(json.dumps(layer.metadata))[ORIGIN_KEY] == plain
    path = str(tmp_path / "saved.tif")
    assert napari_write_image(path, layer.data, state) == path


def test_two_origins_are_never_equal() -> None:
    dataset = make_dataset(make_image())
    one, two = (LayerOrigin(dataset, (0,), 0, "tzyx") for _ in range(2))
    assert one == one and one != two
    assert len({one, two}) == 2

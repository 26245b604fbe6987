from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap
from tests.formats.ngff.ngff_stores import pixels

from napari_scope.arrays import FrameSource, LazyArray, MemorySource
from napari_scope.layers import dataset_to_layers, image_to_layers, origin_of
from napari_scope.model import Axis, Channel, Dataset, Image, Labels, axis_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.layers import LayerData


def lazy(array: Any) -> LazyArray:
    return LazyArray(MemorySource(np.asarray(array)))


def axes(names: str, scale: float = 1.0, translation: float = 0.0) -> tuple[Axis, ...]:
    return tuple(
        Axis(n, axis_kind(n), "micrometer", scale, translation) if n in "zyx"
        else Axis(n, axis_kind(n))
        for n in names
    )  # fmt: skip


def make_labels(
    names: str, data: Any, name: str = "cells", *, scale: float = 1.0, **fields: Any
) -> Labels:
    return Labels(name, axes(names, scale), (lazy(data),), **fields)


def make_image(names: str, data: Any, *labels: Labels, **fields: Any) -> Image:
    fields = {"name": "image", "bit_depth": 8} | fields
    return Image(axes=axes(names), levels=(lazy(data),), labels=labels, **fields)


def make_dataset(*images: Image) -> Dataset:
    return Dataset("/data/run.zarr", "ome-zarr", "0.5", images)


def show(layers: Sequence[LayerData]) -> ViewerModel:
    viewer = ViewerModel()
    for data, kwargs, kind in layers:
        viewer.add_layer(Layer.create(data, kwargs, kind))
    return viewer


def test_labels_lie_above_their_image_in_its_frame() -> None:
    data = pixels((2, 3, 8, 9), "int32") % 5
    image = make_image(
        "tczyx", pixels((2, 2, 3, 8, 9), "uint8"), make_labels("tzyx", data, scale=0.5)
    )
    layers = dataset_to_layers(make_dataset(image))
    assert [kind for _, _, kind in layers] == ["image", "image", "labels"]
    array, arguments, _ = layers[-1]
    assert {k: v for k, v in arguments.items() if k != "metadata"} == {
        "name": "cells",
        "scale": (1.0, 0.5, 0.5, 0.5),
        "translate": (0.0, 0.0, 0.0, 0.0),
        "units": ("pixel", "micrometer", "micrometer", "micrometer"),
        "axis_labels": ("t", "z", "y", "x"),
        "multiscale": False,
    }
    np.testing.assert_array_equal(np.asarray(array), data)
    metadata: Any = arguments["metadata"]
    assert json.loads(json.dumps(metadata["napari_scope"])) == {
        "path": "/data/run.zarr",
        "format": "ome-zarr",
        "format_version": "0.5",
        "image_index": 0,
        "image": "image",
        "labels": "cells",
        "channel_index": 0,
        "axes": ["t", "z", "y", "x"],
    }
    origin = origin_of(metadata)
    assert origin is not None
    assert origin.label == "cells"
    assert origin.find((1, 2, 3, 4)).index == {"t": 1, "z": 2, "y": 3, "x": 4, "c": 0}  # type: ignore[union-attr]
    viewer = show(layers)
    viewer.dims.set_current_step((0, 1), (1, 2))
    np.testing.assert_array_equal(viewer.layers[-1]._data_view, data[1, 2])
    assert isinstance(viewer.layers[-1].colormap, CyclicLabelColormap)


@pytest.mark.parametrize("names", ["yx", "cyx", "zyx", "tczyx"])
def test_labels_count_along_axes_that_they_lack(names: str) -> None:
    shape = tuple({"t": 1, "c": 1, "z": 1, "y": 8, "x": 9}[n] for n in names)
    data = pixels(shape, "uint8")
    image = make_image(
        "tczyx", pixels((2, 2, 3, 8, 9), "uint8"), make_labels(names, data)
    )
    *_, (array, arguments, _) = dataset_to_layers(make_dataset(image))
    times, planes = (1 if n in names else length for n, length in (("t", 2), ("z", 3)))
    assert np.shape(array) == (times, planes, 8, 9)
    assert arguments["axis_labels"] == ("t", "z", "y", "x")
    whole = np.broadcast_to(data.reshape(8, 9), (times, planes, 8, 9))
    np.testing.assert_array_equal(np.asarray(array), whole)
    last: Any = array[-1, -1, 2:5, ::3]  # type: ignore[index]
    np.testing.assert_array_equal(last, whole[-1, -1, 2:5, ::3])


def test_flat_labels_lie_on_every_plane_of_their_image() -> None:
    flat = make_labels("yx", pixels((8, 9), "uint8"), scale=0.5)
    image = make_image("zyx", pixels((4, 8, 9), "uint8"), flat)
    z, *yx = image.axes
    image = replace(image, axes=(replace(z, scale=2.0, translation=30.0), *yx))
    for layers in (
        dataset_to_layers(make_dataset(image)),
        dataset_to_layers(make_dataset(image, image), "slider"),
    ):
        arguments = [one for _, one, _ in layers]
        assert arguments[0]["scale"][:-2] == arguments[1]["scale"][:-2]  # type: ignore[index]
        assert arguments[0]["translate"] == arguments[1]["translate"]
        viewer = show(layers)
        viewer.dims.set_current_step(viewer.dims.ndim - 3, 3)
        np.testing.assert_array_equal(
            viewer.layers[-1]._data_view, pixels((8, 9), "uint8")
        )


def test_labels_of_several_channels_are_layers() -> None:
    data = pixels((2, 8, 9), "uint8")
    image = make_image("cyx", pixels((2, 8, 9), "uint8"), make_labels("cyx", data))
    layers = dataset_to_layers(make_dataset(image))[2:]
    assert [a["name"] for _, a, _ in layers] == [
        "cells - Channel 0",
        "cells - Channel 1",
    ]
    np.testing.assert_array_equal(np.asarray(layers[1][0]), data[1])


def test_colours_and_properties() -> None:
    labels = make_labels(
        "yx",
        np.array([[0, 1], [2, 3]], np.uint16),
        colors={1: (255, 0, 0, 255), 2: (0, 128, 0, 128)},
        properties={1: {"class": "a", "index": 7}, 3: {"area": 2.5}},
    )
    image = make_image("yx", np.zeros((2, 2), np.uint8), labels)
    layers = dataset_to_layers(make_dataset(image))
    json.dumps({str(k): v for k, v in layers[1][1]["colormap"].items()})  # type: ignore[attr-defined]
    layer: Any = show(layers).layers[1]
    assert isinstance(layer.colormap, DirectLabelColormap)
    mapped = layer.colormap.map(np.array([0, 1, 2, 3]))
    expected = [[0, 0, 0, 0], [1, 0, 0, 1], [0, 0.5, 0, 0.5], [0.5, 0.5, 0.5, 1]]
    np.testing.assert_allclose(mapped, expected, atol=0.01)
    features = layer.features.set_index("index")
    assert features.loc[1, "class"] == "a"
    assert features.loc[1, "index (file)"] == 7
    assert features.loc[3, "area"] == 2.5
    status = layer.get_status((1, 1), world=True)
    assert "area: 2.5" in status["value"]


def test_truth_values_become_numbers() -> None:
    data = np.array([[True, False], [False, True]])
    image = make_image("yx", np.zeros((2, 2), np.uint8), make_labels("yx", data))
    layers = dataset_to_layers(make_dataset(image))
    np.testing.assert_array_equal(show(layers).layers[1]._data_view, data)
    assert layers[1][0].dtype == np.uint8  # type: ignore[attr-defined]


def test_levels_of_labels_are_read_plane_by_plane() -> None:
    read: list[tuple[int, ...]] = []

    def source(n: int) -> LazyArray:
        def frame(index: tuple[int, ...]) -> Any:
            read.append((n, *index))
            return np.full((n, n), 1 + index[0], np.uint8)

        return LazyArray(FrameSource((7, 5, n, n), np.uint8, frame))

    labels = Labels("cells", axes("tzyx"), (source(1024), source(512)))
    image = make_image("yx", np.zeros((1024, 1024), np.uint8), labels)
    viewer = show(dataset_to_layers(make_dataset(image)))
    assert viewer.layers[1].multiscale
    read.clear()
    viewer.dims.set_current_step(0, 6)
    assert {index[1:] for index in read} <= {(6, z) for z in range(5)}
    assert 0 < len(read) <= 4


def test_a_segmentation_alone_has_no_image() -> None:
    labels = make_labels("yx", pixels((4, 4), "uint8"))
    image = make_image("yx", pixels((4, 4), "uint8"), labels, only_labels=True)
    for layers in (
        dataset_to_layers(make_dataset(image)),
        dataset_to_layers(make_dataset(image, image), "slider"),
    ):
        assert [kind for _, _, kind in layers] == ["labels"]
        show(layers)
    assert image_to_layers(image)[0][1]["name"] == "cells"


def field(number: int, labels: bool = True, side: int = 8, **fields: Any) -> Image:
    data = np.full((side, side), number, np.uint8)
    one = make_labels("yx", data, **fields)
    return make_image(
        "yx", np.zeros((8, 8), np.uint8), *[one] * labels, name=f"field {number}"
    )


def test_images_on_a_slider_share_the_layers_of_their_labels() -> None:
    images = [field(1), field(2, labels=False), field(3, side=4), field(4)]
    layers = dataset_to_layers(make_dataset(*images), "slider")
    assert [kind for _, _, kind in layers] == ["image", "labels"]
    array, arguments, _ = layers[1]
    assert np.shape(array) == (4, 8, 8)
    assert [int(np.asarray(array[p])[0, 0]) for p in range(4)] == [1, 0, 0, 4]  # type: ignore[index]
    metadata: Any = arguments["metadata"]
    assert metadata["napari_scope"]["images"] == ["field 1", None, None, "field 4"]
    viewer = show(layers)
    viewer.dims.set_current_step(0, 3)
    assert viewer.layers[1]._data_view[0, 0] == 4


def test_shared_labels_have_colours_if_all_agree() -> None:
    red, blue = {1: (255, 0, 0, 255)}, {1: (0, 0, 255, 255)}
    for second, found in ((red, True), (blue, False)):
        images = [field(1, colors=red), field(2, colors=second)]
        layers = dataset_to_layers(make_dataset(*images), "slider")
        assert ("colormap" in layers[1][1]) is found


def test_labels_of_tiles_are_named_after_their_image() -> None:
    layers = dataset_to_layers(make_dataset(field(1), field(2)), "tiles")
    assert [a["name"] for _, a, kind in layers if kind == "labels"] == [
        "field 1 - cells",
        "field 2 - cells",
    ]


def test_a_saved_look_comes_back() -> None:
    look = {"name": "my cells", "opacity": 0.3, "blending": "opaque", "visible": False}
    labels = make_labels("yx", pixels((4, 4), "uint8"), look=look)
    image = make_image("yx", pixels((4, 4), "uint8"), labels)
    layer: Any = show(dataset_to_layers(make_dataset(image))).layers[1]
    assert {key: getattr(layer, key) for key in look} == look


def test_saved_names_stay_where_they_tell_layers_apart() -> None:
    def image(name: str, *saved: str) -> Image:
        channels = tuple(Channel(n, look={"name": n}) for n in saved)
        return make_image("cyx", np.zeros((2, 4, 4), np.uint8), name=name,
                          channels=channels)  # fmt: skip

    first, second = image("a", "DAPI", "GFP"), image("b", "over", "view")
    layers = dataset_to_layers(make_dataset(first, second))
    assert [a["name"] for _, a, _ in layers] == ["DAPI", "GFP", "over", "view"]
    layers = dataset_to_layers(make_dataset(first, image("b", "DAPI", "view")))
    assert [a["name"] for _, a, _ in layers] == [
        "a - DAPI", "a - GFP", "b - DAPI", "b - view",
    ]  # fmt: skip

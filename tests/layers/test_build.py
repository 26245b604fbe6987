from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.formats.ngff.ngff_stores import pixels, write_image, write_plate

from napari_scope.arrays import FrameSource, LazyArray, MemorySource
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff import NDTiffWriter
from napari_scope.layers import (
    MAX_LAYERS,
    LayerData,
    dataset_to_layers,
    image_to_layers,
    shared_layers,
)
from napari_scope.model import Axis, Channel, Dataset, Image, axis_kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def lazy(array: Any) -> LazyArray:
    return LazyArray(MemorySource(np.asarray(array)))


def make_image(
    names: str | list[str],
    *levels: Any,
    name: str = "image",
    axes: dict[str, Axis] | None = None,
    **fields: Any,
) -> Image:
    known = {n: Axis(n, axis_kind(n)) for n in names} | (axes or {})
    arrays = tuple(x if isinstance(x, LazyArray) else lazy(x) for x in levels)
    return Image(name, tuple(known[n] for n in names), arrays, **fields)


def make_dataset(*images: Image) -> Dataset:
    return Dataset("/data/run", "ome-zarr", "0.5", images)


def arguments(layers: Sequence[LayerData], key: str) -> list[Any]:
    return [layer[1][key] for layer in layers]


def place(name: str, scale: float, translation: float = 0.0) -> Axis:
    unit = {"t": "second", "a": None}.get(name, "micrometer")
    return Axis(name, axis_kind(name), unit, scale, translation)


def show(layers: list[LayerData]) -> ViewerModel:
    viewer = ViewerModel()
    for data, kwargs, kind in layers:
        assert kind == "image"
        viewer.add_image(data, **kwargs)
    return viewer


AXES = {
    "t": place("t", 2.0, 5.0),
    "z": place("z", 0.75, -1.5),
    "y": place("y", 0.5, 100.0),
    "x": place("x", 0.25, -200.0),
}


def test_one_layer_for_each_channel_with_everything_said() -> None:
    data = pixels((2, 2, 3, 8, 9))
    image = make_image(
        "tczyx",
        data,
        axes=AXES,
        channels=(
            Channel("DAPI", contrast_limits=(3.0, 77.0)),
            Channel("custom", "#12AB9F", (1.0, 2.0), visible=False),
        ),
        bit_depth=12,
        metadata={"path": "0"},
    )
    first, second = layers = dataset_to_layers(make_dataset(image))
    np.testing.assert_array_equal(np.asarray(first[0]), data[:, 0])
    np.testing.assert_array_equal(np.asarray(second[0]), data[:, 1])
    assert {k: v for k, v in first[1].items() if k != "metadata"} == {
        "name": "DAPI",
        "scale": (2.0, 0.75, 0.5, 0.25),
        "translate": (5.0, -1.5, 100.0, -200.0),
        "units": ("second", "micrometer", "micrometer", "micrometer"),
        "axis_labels": ("t", "z", "y", "x"),
        "colormap": "#0000FF",
        "contrast_limits": (3.0, 77.0),
        "blending": "translucent_no_depth",
        "multiscale": False,
        "rgb": False,
        "visible": True,
    }
    assert second[1]["colormap"] == "#12AB9F"
    assert second[1]["visible"] is False
    metadata: Any = second[1]["metadata"]
    assert metadata["napari_scope"] == {
        "path": "/data/run",
        "format": "ome-zarr",
        "format_version": "0.5",
        "image": "image",
        "image_index": 0,
        "channel": "custom",
        "channel_index": 1,
        "axes": ["t", "z", "y", "x"],
        "bit_depth": 12,
        "about_image": {"path": "0"},
    }
    assert set(metadata) == {"napari_scope", "napari_scope_origin"}
    facts = json.loads(json.dumps(metadata))["napari_scope"]
    assert facts == metadata["napari_scope"]

    viewer = show(layers)
    layer = viewer.layers[0]
    assert [str(unit) for unit in layer.units] == ["second", *["micrometer"] * 3]
    assert viewer.dims.axis_labels == ("t", "z", "y", "x")
    assert tuple(layer.scale) == (2.0, 0.75, 0.5, 0.25)
    np.testing.assert_allclose(layer.colormap.map(np.array([1.0]))[0], [0, 0, 1, 1])
    np.testing.assert_allclose(
        viewer.layers[1].colormap.map(np.array([1.0]))[0],
        [0x12 / 255, 0xAB / 255, 0x9F / 255, 1],
        atol=1e-6,
    )


def test_a_single_channel_is_grey_and_covers() -> None:
    image = make_image("yx", pixels((8, 9)), name="cells", bit_depth=12)
    (layer,) = dataset_to_layers(make_dataset(image))
    assert layer[1]["name"] == "cells"
    assert layer[1]["colormap"] == "gray"
    assert layer[1]["contrast_limits"] == (0.0, 4095.0)
    assert "blending" not in layer[1]
    assert layer[1]["axis_labels"] == ("y", "x")
    show([layer])


def test_levels_become_a_multiscale_layer() -> None:
    levels = [np.zeros((2, 3, n, n), np.uint8) for n in (2048, 1024, 512, 256)]
    for data, kwargs, _ in dataset_to_layers(make_dataset(make_image("czyx", *levels))):
        assert isinstance(data, list)
        assert [level.shape for level in data] == [(3, n, n) for n in (2048, 1024, 512)]
        assert kwargs["multiscale"] is True


@pytest.mark.parametrize("multiscale", [True, False])
def test_napari_reads_only_the_planes_that_it_shows(multiscale: bool) -> None:
    read: list[tuple[int, ...]] = []

    def source(n: int) -> LazyArray:
        def frame(index: tuple[int, ...]) -> Any:
            read.append((n, *index))
            return np.full((n, n), 1 + index[0], np.uint8)

        return LazyArray(FrameSource((7, 2, 5, n, n), np.uint8, frame))

    sizes = (1024, 512) if multiscale else (256,)
    image = make_image("tczyx", *map(source, sizes), bit_depth=8)
    viewer = ViewerModel()
    for data, kwargs, _ in image_to_layers(image):
        viewer.add_image(data, **kwargs)
    read.clear()
    viewer.dims.set_current_step((0, 1), (3, 4))
    shown = {(t, c, z) for _, t, c, z in read}
    # Moving two sliders at once may draw once between them.
    assert shown <= {(3, c, z) for c in (0, 1) for z in (2, 4)}
    assert {(3, 0, 4), (3, 1, 4)} <= shown
    read.clear()
    viewer.dims.set_current_step(0, 6)
    assert {index[1:] for index in read} == {(6, 0, 4), (6, 1, 4)}
    assert len(read) <= 2 * 2 * len(sizes)


def test_adding_layers_reads_no_pixel_to_find_contrast_that_is_known() -> None:
    def refuse(_: tuple[int, ...]) -> Any:
        raise AssertionError("a pixel was read")

    source = FrameSource((3, 8, 8), np.uint16, refuse)
    for fields in (
        {"bit_depth": 12},
        {"channels": (Channel("", contrast_limits=(0, 5)),)},
    ):
        dataset_to_layers(make_dataset(make_image("tyx", LazyArray(source), **fields)))
    # A live image is never sampled: its frames are still to come.
    (layer,) = image_to_layers(make_image("tyx", LazyArray(source)))
    assert layer[1]["contrast_limits"] == (0, 65535)


def test_contrast_is_sampled_where_nothing_is_known() -> None:
    data = np.zeros((2, 8, 8), np.uint16)
    data[0, 2] = 40
    data[1, 3] = 70
    image = make_image("cyx", data)
    limits = arguments(dataset_to_layers(make_dataset(image)), "contrast_limits")
    assert limits == [(0, 40), (0, 70)]


def test_a_channel_has_the_same_contrast_in_all_images() -> None:
    def field(low: int, high: int, name: str) -> Image:
        return make_image("yx", np.array([[low, high]], np.uint16), name=name)

    images = [field(5, 9, "a"), field(1, 4, "b"), field(3, 30, "c")]
    layers = dataset_to_layers(make_dataset(*images))
    assert arguments(layers, "contrast_limits") == [(1, 30)] * 3


def test_nothing_written_yet_shows_the_whole_range() -> None:
    (layer,) = dataset_to_layers(make_dataset(make_image("yx", np.zeros((4, 4), "u1"))))
    assert layer[1]["contrast_limits"] == (0, 255)


def test_images_of_a_collection_share_one_frame_at_their_stage_positions() -> None:
    one = make_image(
        "tcyx", np.zeros((2, 2, 4, 4), np.uint8), name="Pos0",
        axes={"t": place("t", 1.0), "y": place("y", 0.5, 0), "x": place("x", 0.5, 50)},
        channels=(Channel("DAPI"), Channel("GFP")),
    )  # fmt: skip
    nanometer = Axis("y", "space", "nanometer", 500.0, 20_000.0)
    two = make_image(
        "zyx", np.zeros((3, 4, 4), np.uint8), name="Pos1",
        axes={"z": place("z", 2.0), "y": nanometer, "x": place("x", 0.5, -50)},
    )  # fmt: skip
    layers = dataset_to_layers(make_dataset(one, two))
    assert arguments(layers, "name") == ["Pos0 - DAPI", "Pos0 - GFP", "Pos1"]
    assert {layer[1]["axis_labels"] for layer in layers} == {("t", "z", "y", "x")}
    assert {layer[1]["units"] for layer in layers} == {
        ("second", "micrometer", "micrometer", "micrometer")
    }
    assert [np.shape(layer[0]) for layer in layers] == [
        (2, 1, 4, 4),
        (2, 1, 4, 4),
        (1, 3, 4, 4),
    ]
    assert arguments(layers, "translate") == [
        (0, 0, 0, 50),
        (0, 0, 0, 50),
        (0, 0, 20, -50),
    ]
    assert arguments(layers, "scale") == [
        (1, 2, 0.5, 0.5),
        (1, 2, 0.5, 0.5),
        (1, 2, 0.5, 0.5),
    ]
    viewer = show(layers)
    assert viewer.dims.nsteps[:2] == (2, 3)


def test_time_never_lines_up_with_z_of_another_data_set() -> None:
    viewer = show(
        [
            *dataset_to_layers(make_dataset(make_image("tyx", np.zeros((5, 4, 4))))),
            *dataset_to_layers(make_dataset(make_image("zyx", np.zeros((3, 4, 4))))),
            *dataset_to_layers(make_dataset(make_image("yx", np.zeros((4, 4))))),
        ]
    )
    assert viewer.dims.axis_labels == ("t", "z", "y", "x")
    assert viewer.dims.nsteps[:2] == (5, 3)


def test_colour_images() -> None:
    data = pixels((2, 4, 5, 3), "uint8")
    image = make_image(["t", "y", "x", "rgb"], data, rgb=True, name="colour")
    ((array, kwargs, _),) = dataset_to_layers(make_dataset(image))
    assert kwargs["rgb"] is True
    assert not {"colormap", "contrast_limits"} & set(kwargs)
    assert kwargs["axis_labels"] == ("t", "z", "y", "x")
    viewer = show([(array, kwargs, "image")])
    np.testing.assert_array_equal(viewer.layers[0]._data_view, data[0])


def positions(
    count: int, n_channels: int = 2, *, odd: tuple[int, ...] = ()
) -> list[Image]:
    return [
        make_image(
            "cyx",
            pixels((n_channels, 6 if i in odd else 4, 5), seed=i) + i,
            name=f"Pos{i}",
            axes={"y": place("y", 0.5, 10.0 * i), "x": place("x", 0.25)},
            channels=tuple(Channel(f"ch{c}") for c in range(n_channels)),
        )
        for i in range(count)
    ]


def test_very_many_images_share_a_slider() -> None:
    assert MAX_LAYERS == 32
    assert len(dataset_to_layers(make_dataset(*positions(16)))) == 32
    images = positions(17)
    layers = dataset_to_layers(make_dataset(*images))
    assert arguments(layers, "name") == ["ch0", "ch1"]
    for index, (data, kwargs, _) in enumerate(layers):
        expected = np.stack([np.asarray(i.levels[0])[index] for i in images])
        np.testing.assert_array_equal(np.asarray(data), expected)
        assert kwargs["axis_labels"] == ("p", "y", "x")
        assert kwargs["units"] == ("pixel", "micrometer", "micrometer")
        assert kwargs["scale"] == (1.0, 0.5, 0.25)
        assert kwargs["translate"] == (0.0, 0.0, 0.0)
        facts = kwargs["metadata"]["napari_scope"]  # type: ignore[index]
        assert facts["images"] == [f"Pos{i}" for i in range(17)]
        json.dumps(facts)
    viewer = show(layers)
    assert viewer.dims.nsteps[0] == 17
    viewer.dims.set_current_step(0, 9)
    np.testing.assert_array_equal(
        viewer.layers[1]._data_view, np.asarray(images[9].levels[0])[1]
    )


def test_images_of_another_shape_get_layers_on_the_same_slider() -> None:
    images = positions(20, odd=(3, 7))
    layers = dataset_to_layers(make_dataset(*images))
    assert arguments(layers, "name") == [
        "Pos0 - ch0",
        "Pos0 - ch1",
        "Pos3 - ch0",
        "Pos3 - ch1",
    ]
    assert [np.shape(layer[0]) for layer in layers] == [
        (20, 4, 5),
        (20, 4, 5),
        (20, 6, 5),
        (20, 6, 5),
    ]
    odd = np.asarray(layers[3][0])
    np.testing.assert_array_equal(odd[7], np.asarray(images[7].levels[0])[1])
    assert not odd[[i for i in range(20) if i not in (3, 7)]].any()
    facts = layers[2][1]["metadata"]["napari_scope"]  # type: ignore[index]
    assert [n for n in facts["images"] if n] == ["Pos3", "Pos7"]
    show(layers)


def test_positions_are_shown_as_asked() -> None:
    few, many = make_dataset(*positions(3)), make_dataset(*positions(17))
    for dataset, asked, tiles in (
        (few, "auto", True), (few, "tiles", True), (few, "slider", False),
        (many, "auto", False), (many, "tiles", True), (many, "slider", False),
    ):  # fmt: skip
        layers = dataset_to_layers(dataset, asked)  # type: ignore[arg-type]
        count = len(dataset.images)
        assert len(layers) == (2 * count if tiles else 2)
        assert [layer[1]["axis_labels"][0] for layer in layers] == (  # type: ignore[index]
            ["y"] * 2 * count if tiles else ["p"] * 2
        )
        if tiles:
            assert arguments(layers, "translate")[2] == (10.0, 0.0)
    # A single image has nothing to slide over.
    (layer,) = dataset_to_layers(make_dataset(*positions(1, 1)), "slider")
    assert layer[1]["axis_labels"] == ("y", "x")


def test_positions_with_fewer_planes_share_layers_with_black_ones() -> None:
    stacks = [pixels((n, 4, 5), seed=n) + 1 for n in (2, 3, 1)]
    images = [
        make_image("zyx", stack, name=f"Pos{i}", bit_depth=12)
        for i, stack in enumerate(stacks)
    ]
    (layer,) = dataset_to_layers(make_dataset(*images), "slider")
    expected = np.zeros((3, 3, 4, 5), stacks[0].dtype)
    for p, stack in enumerate(stacks):
        expected[p, : len(stack)] = stack
    lazy_array: Any = layer[0]
    np.testing.assert_array_equal(np.asarray(lazy_array), expected)
    for key in ((slice(None), 2), (2, slice(1, 3)), (slice(0, 3, 2), slice(1, 3, 2))):
        np.testing.assert_array_equal(np.asarray(lazy_array[key]), expected[key])


def test_positions_of_another_step_or_other_channels_share_no_layers() -> None:
    def stack(name: str, step: float, *channels: str, z: int = 3) -> Image:
        return make_image(
            "czyx", np.zeros((len(channels), z, 4, 4), "u1"), name=name,
            axes={"z": place("z", step)}, channels=tuple(map(Channel, channels)),
            bit_depth=8,
        )  # fmt: skip

    one = stack("a", 1.0, "DAPI", "FITC")
    for other, groups in (
        (stack("b", 1.0, "DAPI"), 1),
        (stack("b", 2.0, "DAPI", "FITC"), 2),
        (stack("b", 2.0, "DAPI", "FITC", z=1), 1),  # one plane has no step
        (stack("b", 1.0, "FITC"), 2),
    ):
        for images in ([one, other], [other, one]):
            assert len(shared_layers(images)) == 2  # only what is alike shares
            shared = shared_layers(images, ragged=True)
            assert len(shared) == groups
            scales = {
                layer[1]["scale"][1]  # type: ignore[index]
                for group in shared
                for layer in group.layers
            }
            assert 1.0 in scales


def test_a_shared_layer_is_not_called_by_one_of_its_images() -> None:
    images = [
        make_image("tyx", np.zeros((2, 4, 4), "u1"), name=f"Pos{n}", bit_depth=8)
        for n in range(MAX_LAYERS + 1)
    ]
    for path, name in (
        ("/data/run_1.ndtiff", "run_1"),
        ("/data/run.1.ome.zarr", "run.1"),
        ("/data/run", "run"),
    ):
        (layer,) = dataset_to_layers(Dataset(path, "ndtiff", "3.3", tuple(images)))
        assert layer[1]["name"] == name
    named = [replace(image, channels=(Channel("DAPI"),)) for image in images]
    (layer,) = dataset_to_layers(make_dataset(*named))
    assert layer[1]["name"] == "DAPI"


def test_an_axis_of_a_store_that_is_called_rgb(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for number in range(3):
            frame = np.full((4, 6), number, "u2")
            writer.put({"time": 0, "rgb": number}, frame, bit_depth=8)
    (layer,) = show(dataset_to_layers(open_dataset(tmp_path / "run"))).layers
    assert layer.rgb is False
    assert np.asarray(layer.data)[:, 0, 0, 0, 0].tolist() == [0, 1, 2]


def test_mosaics_become_multiscale_layers_over_the_same_area() -> None:
    """Levels lie edge to edge in napari, so one place serves them all."""
    levels = [np.zeros((2, n, n + 100), np.uint8) for n in (2400, 1200, 600)]
    image = make_image(
        "cyx", *levels, axes={"y": place("y", 0.5, -300.0), "x": place("x", 0.5, 40.0)}
    )
    rgb = make_image(
        ["y", "x", "rgb"], *(np.zeros((n, n, 3), np.uint8) for n in (2400, 1200, 600)),
        rgb=True,
    )  # fmt: skip
    viewer = show(dataset_to_layers(make_dataset(image)))
    for layer in viewer.layers:
        assert [np.shape(level) for level in layer.data] == [
            x.shape[1:] for x in levels
        ]
        np.testing.assert_allclose(layer.extent.world[0], [-300.0, 40.0])
    (colour,) = show(dataset_to_layers(make_dataset(rgb))).layers
    assert colour.multiscale and colour.rgb
    assert [np.shape(level) for level in colour.data] == [
        (2400, 2400, 3), (1200, 1200, 3), (600, 600, 3),
    ]  # fmt: skip


def test_shared_layers_name_the_images_of_each_kind_and_read_nothing() -> None:
    images = positions(20, odd=(3, 7))
    flat, odd = shared_layers(images)
    assert odd.images == (3, 7)
    assert flat.images == tuple(i for i in range(20) if i not in (3, 7))
    together = dataset_to_layers(make_dataset(*images))
    assert arguments([*flat.layers, *odd.layers], "name") == arguments(together, "name")
    assert [len(group.layers) for group in (flat, odd)] == [2, 2]
    # Without limits that were sampled before, the whole range of the type is shown.
    assert arguments(flat.layers, "contrast_limits") == [(0.0, 65535.0)] * 2


def test_empty_samples_never_cover_the_images_of_another_layer() -> None:
    layers = dataset_to_layers(make_dataset(*positions(40, 1, odd=(3,))))
    assert arguments(layers, "blending") == ["additive", "additive"]
    (layer,) = dataset_to_layers(make_dataset(*positions(40, 1)))
    assert "blending" not in layer[1]


def test_many_channels_of_one_image_stay_layers() -> None:
    assert len(dataset_to_layers(make_dataset(*positions(1, 40)))) == 40


def test_a_spectrum_of_channels_is_one_layer_with_a_slider() -> None:
    spectrum = np.arange(100 * 4 * 5, dtype="u2").reshape(100, 4, 5)
    layers = dataset_to_layers(make_dataset(make_image("cyx", spectrum)))
    assert len(layers) == 1
    viewer = show(layers)
    assert viewer.dims.nsteps[0] == 100
    viewer.dims.set_current_step(0, 42)
    shown = np.asarray(viewer.layers[0]._slice.image.raw)
    np.testing.assert_array_equal(shown, spectrum[42])


def test_an_empty_data_set_has_no_layers() -> None:
    assert dataset_to_layers(make_dataset()) == []


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_store_on_disk_as_napari_shows_it(tmp_path: Path, zarr_format: int) -> None:
    data = pixels((3, 2, 4, 1100, 600), "uint8")
    levels = write_image(
        tmp_path / "a.zarr",
        "tczyx",
        data,
        3,
        zarr_format=zarr_format,
        scale=[0.0, 1.0, 2.0, 0.5, 0.5],
        options={"chunks": (1, 1, 1, 256, 256)},
    )
    layers = dataset_to_layers(open_dataset(tmp_path / "a.zarr"))
    viewer = show(layers)
    assert viewer.layers[0].multiscale
    assert len(viewer.layers[0].data) == 3
    viewer.dims.set_current_step((0, 1), (2, 3))
    for channel, layer in enumerate(viewer.layers):
        shown = layer._data_view
        level = layer.data_level
        np.testing.assert_array_equal(shown, levels[level][2, channel, 3])
        assert layer.scale[0] == 1.0


def test_a_plate_on_disk_is_a_slider_of_fields(tmp_path: Path) -> None:
    wells = {f"{row}/{column}": ["0", "1"] for row in "AB" for column in range(1, 6)}
    written = write_plate(tmp_path, wells)
    layers = dataset_to_layers(open_dataset(tmp_path))
    assert len(layers) == 2
    facts = layers[0][1]["metadata"]["napari_scope"]  # type: ignore[index]
    assert facts["images"] == list(written)
    np.testing.assert_array_equal(
        np.asarray(layers[1][0]), np.stack(list(written.values()))[:, 1]
    )

"""From layers to what is stored: grouping, pixels, looks, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scope.errors import SettingsError, StreamError
from napari_scope.formats import open_dataset
from napari_scope.formats.ngff.saving.images import SavedImage, SavedLabels
from napari_scope.layers import dataset_to_layers
from napari_scope.layers.saving import save_layers, target_path
from napari_scope.layers.saving_looks import (
    channel_of_layer,
    label_colors,
    label_properties,
    look_of_layer,
)
from napari_scope.layers.saving_pixels import LayerPixels
from napari_scope.layers.saving_plan import plan_images

LayerData = tuple[Any, dict[str, Any], str]


def layer(
    name: str, shape: tuple[int, ...] = (20, 30), kind: str = "image", **more: Any
) -> LayerData:
    count = int(np.prod(shape))
    return np.arange(count, dtype="u2").reshape(shape), {"name": name, **more}, kind


def images(layers: list[LayerData]) -> list[SavedImage]:
    found = plan_images(layers)
    assert all(isinstance(member, SavedImage) for member in found)
    return found  # type: ignore[return-value]


# ------------------------------------------------------------------ grouping


def test_layers_on_one_grid_are_channels() -> None:
    (image,) = images([layer("a"), layer("b"), layer("c", scale=(1, 1.0000000000001))])
    assert [axis.name for axis in image.axes] == ["c", "y", "x"]
    assert [channel.name for channel in image.channels] == ["a", "b", "c"]
    assert image.pixels.shape == (3, 20, 30)


@pytest.mark.parametrize(
    "other",
    [
        layer("b", (20, 31)),
        layer("b", scale=(1, 2)),
        layer("b", translate=(0, 1)),
        layer("b", units=("um", "um")),
        (np.zeros((20, 30), "u1"), {"name": "b"}, "image"),
        (np.zeros((20, 30, 3), "u2"), {"name": "b", "rgb": True}, "image"),
    ],
)
def test_other_grids_are_other_images(other: LayerData) -> None:
    found = images([layer("a"), other])
    assert [image.name for image in found] == ["a", "b"]
    assert [len(image.labels) for image in found] == [0, 0]


def test_channels_of_one_name_get_names_of_their_own() -> None:
    (image,) = images([layer("a"), layer("a"), layer("a")])
    assert [channel.name for channel in image.channels] == ["a", "a [2]", "a [3]"]


def test_images_and_channels_are_told_from_the_names() -> None:
    (image,) = images([layer("cell 1 - DAPI"), layer("cell 1 - GFP")])
    assert image.name == "cell 1"
    assert [channel.name for channel in image.channels] == ["DAPI", "GFP"]


def test_the_axis_of_channels_stands_after_time() -> None:
    labels = ("t", "z", "y", "x")
    (image,) = images(
        [layer(name, (2, 3, 4, 5), axis_labels=labels) for name in ("a", "b")]
    )
    assert [axis.name for axis in image.axes] == ["t", "c", "z", "y", "x"]
    assert image.pixels.shape == (2, 2, 3, 4, 5)


def test_a_layer_that_has_channels_itself() -> None:
    labels = ("c", "y", "x")
    (image, other) = images(
        [layer(name, (2, 4, 5), axis_labels=labels) for name in ("a", "b")]
    )
    assert [channel.name for channel in image.channels] == ["a 0", "a 1"]
    assert other.name == "b"


def test_labels_go_where_they_fit() -> None:
    small = {"scale": (4, 4)}
    found = images(
        [
            layer("stack", (3, 20, 30)),
            layer("overview", (8, 9), **small),
            layer("flat", (20, 30), "labels"),
            layer("one plane", (1, 20, 30), "labels"),
            layer("tissue", (8, 9), "labels", **small),
            layer("elsewhere", (5, 5), "labels"),
            layer("too deep", (2, 20, 30), "labels"),
        ]
    )
    assert [[labels.name for labels in image.labels] for image in found] == [
        ["flat", "one plane", "elsewhere", "too deep"],
        ["tissue"],
    ]


def test_labels_do_not_go_where_they_do_not_fit() -> None:
    found = images(
        [
            layer("a", (3, 20, 30)),
            layer("b", (2, 20, 30)),
            layer("c", (2, 20, 30), scale=(1, 2, 2)),
            layer("two planes", (2, 20, 30), "labels"),
            layer("large pixels", (2, 20, 30), "labels", scale=(1, 2, 2)),
        ]
    )
    assert [[labels.name for labels in image.labels] for image in found] == [
        [],
        ["two planes"],
        ["large pixels"],
    ]


def test_labels_alone_stand_for_themselves() -> None:
    (found,) = plan_images([layer("cells", kind="labels")])
    assert isinstance(found, SavedLabels)


# -------------------------------------------------------------------- pixels


class Watched:
    """An array that notes the slices it is asked for, and is never asked for all."""

    def __init__(self, array: np.ndarray, chunks: Any = None) -> None:
        self._array = array
        self.shape, self.dtype, self.chunks = array.shape, array.dtype, chunks
        self.keys: list[tuple[slice, ...]] = []

    def __getitem__(self, key: Any) -> np.ndarray:
        self.keys.append(key)
        return self._array[key]

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise AssertionError("the whole array was read")


def test_slices_are_asked_for_in_the_order_of_the_layer() -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    watched = Watched(array)
    pixels = LayerPixels([watched], (2, 0, 1))
    assert pixels.shape == (4, 2, 3)
    block = (slice(1, 3), slice(0, 1), slice(1, 3))
    np.testing.assert_array_equal(pixels.read(block), array.transpose(2, 0, 1)[block])
    assert watched.keys == [(slice(0, 1), slice(1, 3), slice(1, 3))]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_layers_are_stacked_along_the_channels(place: int) -> None:
    arrays = [np.arange(20).reshape(4, 5) + 100 * n for n in range(3)]
    watched = [Watched(array) for array in arrays]
    pixels = LayerPixels(watched, (0, 1), place)
    whole = np.stack(arrays, axis=place)
    assert pixels.shape == whole.shape
    block = [slice(1, 3), slice(2, 5)]
    block.insert(place, slice(1, 3))
    np.testing.assert_array_equal(pixels.read(tuple(block)), whole[tuple(block)])
    assert not watched[0].keys  # this channel was not wanted


def test_chunks_of_dask_and_zarr_are_known() -> None:
    array = np.zeros((7, 20, 30))
    assert LayerPixels(
        [Watched(array, ((3, 3, 1), (20,), (16, 14)))], (0, 1, 2), 1
    ).chunks == (3, 1, 20, 16)
    assert LayerPixels([Watched(array, (3, 20, 16))], (2, 1, 0)).chunks == (16, 20, 3)
    for odd in (None, (3, 20), "auto", (0, 1, 1), ((), (20,), (30,))):
        assert LayerPixels([Watched(array, odd)], (0, 1, 2)).chunks is None


def test_big_endian_pixels_are_turned() -> None:
    array = np.arange(6, dtype=">u2").reshape(2, 3)
    pixels = LayerPixels([array], (0, 1))
    assert pixels.dtype == np.dtype("u2")
    block = pixels.read((slice(0, 2), slice(0, 3)))
    assert block.dtype.isnative
    np.testing.assert_array_equal(block, array)


def test_a_layer_that_lies_about_its_shape() -> None:
    class Short(Watched):
        def __getitem__(self, key: Any) -> np.ndarray:
            return super().__getitem__(key)[:1]

    pixels = LayerPixels([Short(np.zeros((4, 5)))], (0, 1))
    with pytest.raises(SettingsError, match="changed while"):
        pixels.read((slice(0, 2), slice(0, 5)))


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "levels", "mask"])
def test_any_data_of_a_layer(tmp_path: Path, kind: str) -> None:
    array = np.random.default_rng(0).integers(0, 255, (3, 600, 40), dtype="u2")
    arguments: dict[str, Any] = {"name": "a"}
    data: Any = array
    layer_kind = "image"
    if kind == "dask":
        import dask.array

        data = dask.array.from_array(array, chunks=(2, 300, 40))
    elif kind == "zarr":
        import zarr

        data = zarr.create_array(tmp_path / "source", data=array, chunks=(1, 100, 40))
    elif kind == "levels":
        # The coarse level is not trusted: it is computed anew.
        data, arguments["multiscale"] = [array, array[:, ::2, ::2] * 0], True
    elif kind == "mask":
        data = array = array > 100
        layer_kind = "labels"
    path = save_layers(tmp_path / "x.ome.zarr", [(data, arguments, layer_kind)])
    (image,) = open_dataset(path).images
    levels = [np.asarray(level) for level in image.levels]
    np.testing.assert_array_equal(levels[0], array)
    assert len(levels) == 2
    assert levels[1].any()


def test_our_own_lazy_layers_can_be_saved_again(tmp_path: Path) -> None:
    first = save_layers(tmp_path / "a.ome.zarr", [layer("a"), layer("b")])
    second = save_layers(
        tmp_path / "b.ome.zarr", dataset_to_layers(open_dataset(first)), version="0.4"
    )
    one, two = (open_dataset(path).images[0] for path in (first, second))
    np.testing.assert_array_equal(np.asarray(one.levels[0]), np.asarray(two.levels[0]))
    for before, after in zip(one.channels, two.channels, strict=True):
        assert (before.name, before.color) == (after.name, after.color)
        assert before.contrast_limits == after.contrast_limits
    assert one.axes == two.axes


# -------------------------------------------------------------------- looks


@pytest.mark.parametrize(
    ("colormap", "color", "kept"),
    [
        ("gray", "#FFFFFF", None),
        ("red", "#FF0000", None),
        ("#00ff80", "#00FF80", None),
        ("viridis", None, "viridis"),
        (None, None, None),
        (
            {"name": "mine", "colors": [(0, 0, 0, 1), (1, 0.5, 0, 1)]},
            "#FF8000",
            None,
        ),
        (
            {
                "name": "inverted",
                "colors": [(1, 1, 1, 1), (0, 0, 1, 1)],
                "controls": np.array([0, 1.0]),
            },
            "#FFFFFF",
            {
                "name": "inverted",
                "colors": ["#FFFFFFFF", "#0000FFFF"],
                "controls": [0.0, 1.0],
            },
        ),
    ],
)
def test_colours(colormap: object, color: str | None, kept: object) -> None:
    arguments = {"colormap": colormap}
    assert channel_of_layer("a", arguments).color == color
    assert look_of_layer("a", arguments).get("colormap") == kept


@pytest.mark.parametrize(
    "limits", [None, (1, 1), (2, 1), (0, np.inf), (np.nan, 1), [1], "ab"]
)
def test_contrast_that_nobody_can_use_is_not_kept(limits: object) -> None:
    channel = channel_of_layer("a", {"contrast_limits": limits})
    assert channel.contrast_limits is None


def test_colours_of_labels() -> None:
    colors = {None: (0, 0, 0, 1), 0: (1, 1, 1, 1), 3: (1, 0.5, 0, 0.2), 4: (0, 0, 1)}
    assert label_colors(colors) == {3: (255, 128, 0, 51), 4: (0, 0, 255, 255)}
    assert label_colors(object()) == {}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({}, {}),
        ({"index": [3, 9], "area": [1.5, 2]}, {3: {"area": 1.5}, 9: {"area": 2.0}}),
        ({"area": np.array([0, 5, 7])}, {1: {"area": 5}, 2: {"area": 7}}),
        ({"index": [1, 2], "area": [np.nan, 1.0]}, {2: {"area": 1.0}}),
        ({"index": [1], "what": [{1, 2}]}, {}),
    ],
)
def test_properties_of_labels(table: Any, expected: object) -> None:
    assert label_properties({"properties": table}) == expected


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (layer("spots", kind="points"), r"'spots'.*points.*csv"),
        (layer("outline", kind="shapes"), r"'outline'.*shapes.*labels layer"),
        (layer("path", kind="tracks"), r"'path'.*tracks"),
        ((np.zeros((4, 5), complex), {"name": "phase"}, "image"), r"'phase'.*complex"),
        ((np.zeros((4, 5)), {"name": "probability"}, "labels"), r"integers.*float64"),
        ((np.zeros((0, 5)), {"name": "nothing"}, "image"), r"'nothing'.*empty"),
        (layer("turned", rotate=5), r"'turned'.*rotated.*reset"),
        (layer("angle", units=("degree", "um")), r"'angle'.*'degree'"),
        (layer("deep", (1, 1, 1, 1, 4, 5)), r"'deep'.*2 to 5 axes"),
        (layer("two", (2, 2, 4, 5), axis_labels=("a", "b", "y", "x")), r"'two'.*a, b"),
    ],
)
def test_refused_before_anything_is_written(
    tmp_path: Path, bad: LayerData, match: str
) -> None:
    watched = Watched(np.zeros((20, 30), "u2"))
    good = (watched, {"name": "good"}, "image")
    with pytest.raises(SettingsError, match=match):
        save_layers(tmp_path / "x.ome.zarr", [good, bad])
    assert not watched.keys
    assert not list(tmp_path.iterdir())


def test_no_layers(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no layer"):
        save_layers(tmp_path / "x.ome.zarr", [])
    with pytest.raises(SettingsError, match="a layer of napari"):
        save_layers(tmp_path / "x.ome.zarr", [np.zeros((4, 5))])


@pytest.mark.parametrize("place", ["", "inside", "above"])
def test_the_store_that_layers_are_read_from_is_not_replaced(
    tmp_path: Path, place: str
) -> None:
    path = save_layers(tmp_path / "a" / "x.ome.zarr", [layer("a")])
    layers = dataset_to_layers(open_dataset(path))
    target = {
        "": path,
        "inside": path / "copy.ome.zarr",
        "above": tmp_path / "a" / "." / "x.ome.zarr",
    }[place]
    with pytest.raises(SettingsError, match="is read from there"):
        save_layers(target, layers, overwrite=True)
    # Neither if only the array tells.
    bare = [(data, {"name": "bare"}, kind) for data, _, kind in layers]
    with pytest.raises(SettingsError, match="is read from there"):
        save_layers(target, bare, overwrite=True)
    np.testing.assert_array_equal(
        np.asarray(open_dataset(path).images[0].levels[0]), layer("a")[0]
    )


def test_what_is_read_from_the_target_unknown_to_us_is_still_right(
    tmp_path: Path,
) -> None:
    import dask.array
    import zarr

    path = save_layers(tmp_path / "x.ome.zarr", [layer("a")])
    source = dask.array.from_zarr(zarr.open_array(path / "0"))
    save_layers(path, [(source[::-1], {"name": "turned"}, "image")], overwrite=True)
    np.testing.assert_array_equal(
        np.asarray(open_dataset(path).images[0].levels[0]), layer("a")[0][::-1]
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", "a.ome.zarr"),
        ("a.zarr", "a.zarr"),
        ("a.OME.ZARR", "a.OME.ZARR"),
        ("a.v2", "a.v2.ome.zarr"),
        ("a.ndtiff", "a.ndtiff"),
    ],
)
def test_the_suffix(path: str, expected: str) -> None:
    assert target_path(path) == Path(expected)


def test_addresses_are_refused() -> None:
    with pytest.raises(SettingsError, match="to a folder only"):
        target_path("s3://bucket/x.ome.zarr")


@pytest.mark.parametrize("path", ["", ".", "..", "/", "a\0b"])
def test_what_is_no_name_is_refused(path: str) -> None:
    with pytest.raises(SettingsError, match="no name"):
        target_path(path)


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert target_path("~/cells") == tmp_path / "cells.ome.zarr"


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    "name", ["cells [1]", "zarr.json", ".zattrs", "nul", "a\udce9b", "*/..\\?"]
)
def test_labels_of_any_name(tmp_path: Path, name: str, version: str) -> None:
    yaozarrs = pytest.importorskip("yaozarrs")
    target = tmp_path / "a.ome.zarr"
    save_layers(
        target, [layer("i"), layer(name, kind="labels"), layer(name)], version=version
    )
    yaozarrs.validate_zarr_store(str(target))
    found = open_dataset(target).images[0].labels[0]
    assert found.look["name"] == name.replace("\udce9", "?")
    assert np.asarray(found.levels[0][5:7, 3]).tolist() == [153, 183]


def test_a_file_in_the_way_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StreamError, match="the folder of the output cannot be made"):
        save_layers(tmp_path / "file" / "a.ome.zarr", [layer("i")])
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("sizes", [(600, 40), (40, 600)])
def test_labels_of_another_size_have_the_levels_of_the_image(
    tmp_path: Path, sizes: tuple[int, int]
) -> None:
    yaozarrs = pytest.importorskip("yaozarrs")
    target = tmp_path / "a.ome.zarr"
    image, cells = ((size, size) for size in sizes)
    save_layers(target, [layer("i", image), layer("cells", cells, "labels")])
    yaozarrs.validate_zarr_store(str(target))

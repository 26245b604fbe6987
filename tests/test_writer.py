"""Layers of napari are saved and opened again: what was seen is seen again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope._reader import read
from napari_scope._writer import write_ndtiff, write_ome_zarr, write_ome_zarr_04
from napari_scope.errors import OutputExistsError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.layers import Layer

MANIFEST = Path(__file__).parents[1] / "napari.yaml"
PLACE: dict[str, Any] = {
    "scale": (30, 2, 0.5, 0.5),
    "translate": (60, -4, 10, 20),
    "units": ("second", "micrometer", "micrometer", "micrometer"),
    "axis_labels": ("t", "z", "y", "x"),
}


@pytest.fixture
def model() -> ViewerModel:
    from napari.components import ViewerModel

    return ViewerModel()


def stack(shape: tuple[int, ...] = (2, 3, 70, 90), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4000, shape, dtype=np.uint16)


def saved(
    layers: Any, path: Path, write: Callable[[str, Any], list[str]] = write_ome_zarr
) -> str:
    (made,) = write(str(path), [layer.as_layer_data_tuple() for layer in layers])
    return made


def opened(path: str) -> ViewerModel:
    from napari.components import ViewerModel
    from napari.layers import Layer

    model = ViewerModel()
    for data, arguments, kind in read(path):
        model.add_layer(Layer.create(data, arguments, kind))
    return model


def rgba(layer: Layer) -> np.ndarray:
    colormap = layer.colormap
    return np.asarray(colormap.map(np.linspace(0, 1, 9)))


def world(layer: Layer) -> dict[str, tuple[float, float, str]]:
    """Return scale, translation and unit by the name of the axis."""
    names = layer.axis_labels
    units = [str(unit) for unit in layer.units]
    values = zip(layer.scale, layer.translate, units, strict=True)
    return dict(zip(names, values, strict=True))


def same_place(found: Layer, layer: Layer) -> None:
    was, now = world(layer), world(found)
    assert set(was) <= set(now)
    for name, (scale, translate, unit) in was.items():
        assert now[name][0] == pytest.approx(scale, rel=1e-12)
        assert now[name][1] == pytest.approx(translate, rel=1e-12)
        assert now[name][2] == unit
    # An axis that the reader added has a single sample, at the origin.
    extra = set(now) - set(was)
    lengths = dict(zip(found.axis_labels, finest(found).shape, strict=False))
    assert all(lengths[name] == 1 and now[name][1] == 0 for name in extra)


def finest(layer: Layer) -> Any:
    return layer.data[0] if layer.multiscale else layer.data


def same_pixels(found: Layer, layer: Layer) -> None:
    pixels = np.asarray(finest(layer))
    again = np.asarray(finest(found))
    assert again.dtype == pixels.dtype
    np.testing.assert_array_equal(again.reshape(pixels.shape), pixels)


@pytest.mark.parametrize("write", [write_ome_zarr, write_ome_zarr_04])
def test_images_and_labels_come_back_as_they_were(
    model: ViewerModel, tmp_path: Path, write: Callable[[str, Any], list[str]]
) -> None:
    from napari.utils.colormaps import DirectLabelColormap

    model.add_image(
        stack(), name="DAPI", colormap="blue", contrast_limits=(10, 3000), **PLACE
    )
    model.add_image(
        stack(seed=1),
        name="GFP / raw",
        colormap="viridis",
        contrast_limits=(5.5, 70000),
        gamma=0.7,
        opacity=0.6,
        blending="additive",
        visible=False,
        **PLACE,
    )
    model.add_image(
        stack(seed=2), name="any", colormap="#ff8000", blending="minimum", **PLACE
    )
    colors = {None: (0, 0, 0, 0), 3: (1, 0, 0, 1), 7: (0, 1, 0, 0.6)}
    model.add_labels(
        (stack() > 2000) * np.uint16(7),
        name="cells: first/try",
        colormap=DirectLabelColormap(color_dict=colors),
        opacity=0.3,
        visible=False,
        features={"index": [3, 7], "area": [1.5, 2.0], "kind": ["a", "b"]},
        **PLACE,
    )
    again = opened(saved(model.layers, tmp_path / "all.ome.zarr", write))
    assert [layer.name for layer in again.layers] == [
        layer.name for layer in model.layers
    ]
    for found, layer in zip(again.layers, model.layers, strict=True):
        assert type(found) is type(layer)
        same_place(found, layer)
        same_pixels(found, layer)
        for what in ("visible", "opacity", "blending"):
            assert getattr(found, what) == getattr(layer, what), what
        assert found.axis_labels == layer.axis_labels
    for found, layer in zip(again.layers[:3], model.layers[:3], strict=True):
        np.testing.assert_allclose(rgba(found), rgba(layer), atol=1 / 255)
        assert found.contrast_limits == layer.contrast_limits
        assert found.gamma == layer.gamma
    cells = again.layers[3]
    for label, color in colors.items():
        if label is not None:
            np.testing.assert_allclose(cells.get_color(label), color, atol=1 / 255)
    assert cells.features["area"].tolist()[-2:] == [1.5, 2.0]
    assert cells.features["kind"].tolist()[-2:] == ["a", "b"]


def test_a_layer_alone_and_one_without_any_facts(
    model: ViewerModel, tmp_path: Path
) -> None:
    layer = model.add_image(stack((70, 90)), name="beads")
    (found,) = opened(saved([layer], tmp_path / "x.zarr")).layers
    assert found.name == "beads"
    assert found.axis_labels == ("y", "x")
    same_pixels(found, layer)
    np.testing.assert_array_equal(found.scale, (1, 1))
    assert [str(unit) for unit in found.units] == ["pixel", "pixel"]
    assert found.contrast_limits == layer.contrast_limits


def test_layers_on_other_grids_are_images_of_their_own(
    model: ViewerModel, tmp_path: Path
) -> None:
    place = {key: value[2:] for key, value in PLACE.items()}
    model.add_image(stack((40, 50)), name="DAPI", **place)
    model.add_image(stack((40, 50), 1), name="GFP", **place)
    model.add_image(stack((40, 50), 2), name="moved", **{**place, "translate": (0, 9)})
    model.add_image(stack((30, 20), 3), name="overview", **{**place, "scale": (4, 4)})
    model.add_labels(stack((30, 20), 4), name="tissue", **{**place, "scale": (4, 4)})
    again = opened(saved(model.layers, tmp_path / "x.ome.zarr"))
    assert {layer.name for layer in again.layers} == {
        layer.name for layer in model.layers
    }
    for layer in model.layers:
        same_place(again.layers[layer.name], layer)
        same_pixels(again.layers[layer.name], layer)


def test_labels_without_an_image(model: ViewerModel, tmp_path: Path) -> None:
    layer = model.add_labels(stack((40, 50)), name="cells", scale=(2, 3))
    (found,) = opened(saved([layer], tmp_path / "x.ome.zarr")).layers
    assert type(found) is type(layer)
    assert found.name == "cells"
    same_pixels(found, layer)
    np.testing.assert_array_equal(found.scale, (2, 3))


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_colours_stay_one_layer(
    model: ViewerModel, tmp_path: Path, samples: int, dtype: str
) -> None:
    pixels = stack((2, 40, 50, samples)) % 256
    pixels = pixels.astype(dtype) / (255 if dtype == "float32" else 1)
    layer = model.add_image(
        pixels.astype(dtype), rgb=True, name="photo", scale=(2, 3, 3)
    )
    (found,) = opened(saved([layer], tmp_path / "x.ome.zarr")).layers
    assert found.rgb
    assert found.name == "photo"
    same_pixels(found, layer)
    np.testing.assert_array_equal(found.scale, (2, 3, 3))


def test_all_layers_off_stay_off(model: ViewerModel, tmp_path: Path) -> None:
    for name in ("a", "b"):
        model.add_image(stack((40, 50)), name=name, visible=False)
    again = opened(saved(model.layers, tmp_path / "x.ome.zarr"))
    assert [layer.visible for layer in again.layers] == [False, False]


def test_ndtiff_comes_back(model: ViewerModel, tmp_path: Path) -> None:
    for number, name in enumerate(("DAPI", "GFP")):
        model.add_image(
            stack(seed=number),
            name=name,
            colormap=("blue", "green")[number],
            contrast_limits=(10, 300 * (1 + number)),
            visible=name == "DAPI",
            **PLACE,
        )
    made = saved(model.layers, tmp_path / "run.ndtiff", write_ndtiff)
    assert made == str(tmp_path / "run.ndtiff")
    again = opened(made)
    assert [layer.name for layer in again.layers] == ["DAPI", "GFP"]
    for found, layer in zip(again.layers, model.layers, strict=True):
        same_place(found, layer)
        same_pixels(found, layer)
        assert found.contrast_limits == layer.contrast_limits
        assert found.visible == layer.visible
        np.testing.assert_allclose(rgba(found), rgba(layer), atol=1 / 255)


# ------------------------------------------------------------------ by napari


def test_a_suffix_is_added(model: ViewerModel, tmp_path: Path) -> None:
    layers = [model.add_image(stack((4, 5)))]
    assert saved(layers, tmp_path / "a") == str(tmp_path / "a.ome.zarr")
    assert saved(layers, tmp_path / "b", write_ndtiff) == str(tmp_path / "b.ndtiff")


def test_points_are_refused_before_anything_is_written(
    model: ViewerModel, tmp_path: Path
) -> None:
    model.add_image(stack((40, 50)))
    model.add_points(np.zeros((3, 2)), name="spots")
    with pytest.raises(SettingsError, match=r"'spots'.*points.*csv"):
        saved(model.layers, tmp_path / "x.ome.zarr")
    assert not list(tmp_path.iterdir())


def test_a_store_is_replaced_and_nothing_else(
    model: ViewerModel, tmp_path: Path
) -> None:
    layer = model.add_image(stack((40, 50)))
    made = saved([layer], tmp_path / "x.ome.zarr")
    layer.data = stack((40, 50), 1)
    assert saved([layer], tmp_path / "x.ome.zarr") == made
    same_pixels(opened(made).layers[0], layer)
    (tmp_path / "x.ome.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"notes\.txt"):
        saved([layer], tmp_path / "x.ome.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["x.ome.zarr"]


@pytest.mark.parametrize(
    ("kinds", "name", "command"),
    [
        (["image"], "a.ome.zarr", "write_ome_zarr"),
        (["image"], "a.zarr", "write_ome_zarr"),
        (["image", "labels", "image"], "a.ome.zarr", "write_ome_zarr"),
        (["labels", "labels"], "a.ome.zarr", "write_ome_zarr"),
        (["image", "points", "shapes"], "a.ome.zarr", "write_ome_zarr"),
        (["image", "image"], "a.ndtiff", "write_ndtiff"),
        (["image"], "a.tif", None),
        (["points"], "a.ome.zarr", None),
        (["image", "labels"], "a.ndtiff", None),
    ],
)
def test_the_writer_is_offered_for(
    kinds: list[str], name: str, command: str | None
) -> None:
    from npe2 import PluginManager, PluginManifest

    manager = PluginManager()
    manager.register(PluginManifest.from_file(MANIFEST))
    writer, _ = manager.get_writer(name, kinds)
    found = None if writer is None else writer.command.partition(".")[2]
    assert found == command


def test_the_dialog_offers_both_versions() -> None:
    from npe2 import PluginManager, PluginManifest

    manager = PluginManager()
    manager.register(PluginManifest.from_file(MANIFEST))
    names = [w.display_name for w in manager.iter_compatible_writers(["image"])]
    assert set(names) == {"OME-Zarr 0.5", "OME-Zarr 0.4", "NDTiff"}
    assert names.index("OME-Zarr 0.5") < names.index("OME-Zarr 0.4")
    names = [w.display_name for w in manager.iter_compatible_writers(["labels"])]
    assert names == ["OME-Zarr 0.5", "OME-Zarr 0.4"]


@pytest.mark.gui
@pytest.mark.parametrize("name", ["all.ome.zarr", "run.ndtiff"])
def test_round_trip_in_a_viewer(
    make_napari_viewer: Any, tmp_path: Path, name: str
) -> None:
    viewer = make_napari_viewer()
    for number, channel in enumerate(("DAPI", "GFP")):
        viewer.add_image(
            stack(seed=number),
            name=channel,
            colormap=("blue", "green")[number],
            contrast_limits=(10, 3000),
            **PLACE,
        )
    if name == "all.ome.zarr":
        viewer.add_labels((stack() > 2000).astype("u2"), name="cells", **PLACE)
    before = list(viewer.layers)
    path = str(tmp_path / name)
    assert viewer.layers.save(path, plugin="napari-scope") == [path]
    viewer.layers.clear()
    viewer.open(path, plugin="napari-scope")
    assert [layer.name for layer in viewer.layers] == [layer.name for layer in before]
    for found, layer in zip(viewer.layers, before, strict=True):
        same_place(found, layer)
        same_pixels(found, layer)
    for found, layer in zip(viewer.layers[:2], before[:2], strict=True):
        np.testing.assert_allclose(rgba(found), rgba(layer), atol=1 / 255)
        assert found.contrast_limits == layer.contrast_limits

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.plate_stores import PlateStore, field_pixels

from napari_scope.formats.ngff.plate.pixels import PlatePixels
from napari_scope.formats.ngff.plate.view import open_plate
from napari_scope.layers import origin_of
from napari_scope.layers.plate import plate_to_layers

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.layers import LayerData


@pytest.fixture
def store(tmp_path: Path) -> PlateStore:
    return PlateStore(tmp_path / "p.zarr")


def layers_of(store: PlateStore, **options: Any) -> dict[str, LayerData]:
    layers = plate_to_layers(open_plate(store.root), **options)
    return {str(layer[1]["name"]): layer for layer in layers}


def finest(layer: LayerData) -> npt.NDArray[Any]:
    data: Any = layer[0]
    return np.asarray(data[0] if layer[1]["multiscale"] else data)


def facts_in(layer: LayerData) -> dict[str, Any]:
    metadata: Any = layer[1]["metadata"]
    facts: dict[str, Any] = metadata["napari_scope"]
    return facts


def test_one_multiscale_layer_for_each_channel(
    store: PlateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.layers.arrange.COARSEST", 8)
    pixels = store.add_well("A/1", ["0", "1"])
    store.add_well("B/3", ["0"])
    layers = layers_of(store)
    assert list(layers) == ["rows and columns", "DAPI", "GFP"]
    for n, name in enumerate(("DAPI", "GFP")):
        _, arguments, kind = layers[name]
        assert kind == "image"
        assert arguments["multiscale"] is True
        assert np.array_equal(finest(layers[name])[:8, :12], pixels[0][n])
        assert arguments["scale"] == (0.5, 0.5)
        assert arguments["translate"] == (0, 0)
        assert arguments["units"] == ("micrometer", "micrometer")
        assert arguments["contrast_limits"] == (0, 250)
        assert arguments["blending"] == ["translucent_no_depth", "additive"][n]
        assert arguments["visible"] is True
    assert layers["DAPI"][1]["colormap"] != layers["GFP"][1]["colormap"]


def test_no_pixel_is_read_where_the_file_tells_the_contrast(
    store: PlateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_well("A/1", ["0", "1"])

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pixels were read")

    monkeypatch.setattr("napari_scope.formats.ngff.pixels.ZarrSource.read", refuse)
    assert len(layers_of(store)) == 3


def test_contrast_is_looked_for_in_a_few_fields(
    store: PlateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n, path in enumerate(("A/1", "A/2", "A/3", "B/1", "B/2")):
        data = field_pixels(n, (2, 8, 12)) % 20 + np.uint16(100 * n + 1)
        store.add_well(path, data=data, window=False, n_levels=1)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the mosaic was read")

    monkeypatch.setattr(PlatePixels, "paint", refuse)
    for name in ("DAPI", "GFP"):
        low, high = layers_of(store)[name][1]["contrast_limits"]  # type: ignore[misc]
        assert 1 <= low <= 3
        assert 415 <= high <= 420


def test_a_plate_of_black_fields_opens_too(store: PlateStore) -> None:
    store.add_well("A/1", data=np.zeros((2, 8, 12), "u2"), window=False)
    assert layers_of(store)["GFP"][1]["contrast_limits"] == (0, 65535)


def test_metadata_tell_the_layout_and_the_origin_the_well(store: PlateStore) -> None:
    store.add_well("A/1", ["0", "1"])
    store.add_well("B/3", ["x"])
    layer = layers_of(store)["GFP"]
    facts = facts_in(layer)
    assert json.loads(json.dumps(facts["plate"])) == {
        "name": "tests",
        "rows": ["A", "B"],
        "columns": ["1", "2", "3"],
        "wells": ["A/1", "B/3"],
        "layout": {
            "fields": "in a grid", "well": [8, 25], "distance_of_wells": [10, 26],
        },
    }  # fmt: skip
    origin = origin_of(layer[1]["metadata"])  # type: ignore[arg-type]
    assert origin is not None
    assert origin.frame_axes((11, 53)) == {"row": "B", "column": "3", "channel": 1}
    metadata = origin.frame_metadata((11, 53))
    assert metadata is not None
    assert metadata["well"] == {"row": "B", "column": "3", "path": "B/3"}
    assert origin.frame_axes((11, 53)) == {
        "row": "B", "column": "3", "field": "x", "channel": 1,
    }  # fmt: skip
    assert origin.frame_exists((11, 53))
    assert not origin.frame_exists((11, 1))


def test_rows_and_columns_stand_beside_their_wells(store: PlateStore) -> None:
    store.add_well("A/1")
    points, arguments, kind = layers_of(store)["rows and columns"]
    assert kind == "points"
    text: Any = arguments["text"]
    named = dict(zip(text["string"], np.asarray(points).tolist(), strict=True))
    assert list(named) == ["A", "B", "1", "2", "3"]
    assert named["B"][0] == 10 + 4
    assert named["3"][1] == 2 * 14 + 6
    assert all(x < 0 for x in (named["A"][1], named["B"][1], named["2"][0]))
    assert arguments["scale"] == (0.5, 0.5)
    assert "rows and columns" not in layers_of(store, names=False)
    assert "rows and columns" not in {
        layer[1]["name"] for layer in plate_to_layers(open_plate(store.root / "A/1"))
    }


def test_acquisitions_are_layers_of_which_the_first_is_seen(store: PlateStore) -> None:
    store.more["acquisitions"] = [{"id": 0, "name": "one"}, {"id": 1, "name": "two"}]
    fields = store.add_well("A/1", ["0", "1"], acquisitions=[0, 1])
    layers = layers_of(store, names=False)
    assert {name: layer[1]["visible"] for name, layer in layers.items()} == {
        "one - DAPI": True, "one - GFP": True, "two - DAPI": False, "two - GFP": False,
    }  # fmt: skip
    assert np.array_equal(finest(layers["two - GFP"])[:8, :12], fields[1][1])
    assert facts_in(layers["two - GFP"])["plate"]["acquisition"]["id"] == 1
    only = layers_of(store, acquisition=1, names=False)
    assert [layer[1]["visible"] for layer in only.values()] == [True, True]


def test_labels_lie_behind_the_channels_and_are_switched_off(store: PlateStore) -> None:
    store.add_well("A/1")
    store.add_labels("A/1/0", "nuclei", np.full((8, 12), 3, "u2"))
    layers = plate_to_layers(open_plate(store.root))
    assert [layer[2] for layer in layers] == ["points", "image", "image", "labels"]
    arguments = layers[-1][1]
    assert (arguments["name"], arguments["visible"]) == ("nuclei", False)
    assert (finest(layers[-1])[:8, :12] == 3).all()


def test_some_wells(store: PlateStore) -> None:
    store.add_well("A/1")
    pixels = store.add_well("B/3")[0]
    layers = layers_of(store, wells=[("B", "3")])
    assert np.array_equal(finest(layers["GFP"]), pixels[1])
    text: Any = layers["rows and columns"][1]["text"]
    assert text["string"] == ["B", "3"]


def test_napari_takes_them_and_shows_three_dimensions(store: PlateStore) -> None:
    from napari.components import ViewerModel

    shape = (2, 3, 8, 12)
    store.add_well("A/1", names="czyx", data=field_pixels(1, shape))
    store.add_labels("A/1/0", "nuclei", np.full((8, 12), 3, "u2"))
    viewer = ViewerModel()
    for data, arguments, kind in plate_to_layers(open_plate(store.root)):
        viewer._add_layer_from_data(data, arguments, kind)
    assert viewer.dims.ndim == 3
    viewer.dims.set_current_step(0, 2)
    viewer.dims.ndisplay = 3
    viewer.layers["nuclei"].visible = True
    assert viewer.layers["GFP"].get_value((1, 0, 0), world=True) is not None

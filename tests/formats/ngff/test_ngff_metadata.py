from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.ngff.oracles import READERS

from napari_scope.errors import SettingsError
from napari_scope.formats.ngff.metadata import (
    LevelInfo,
    array_metadata,
    collection_attributes,
    encode,
    group_metadata,
    image_attributes,
    series_attributes,
)
from napari_scope.formats.ngff.omexml import PIXEL_TYPES, XmlImage, ome_xml
from napari_scope.model import Axis, Channel

if TYPE_CHECKING:
    from pathlib import Path

AXES = (
    Axis("t", "time", "second", 2.0),
    Axis("c", "channel"),
    Axis("z", "space", "micrometer", 0.5, 10.0),
    Axis("y", "space", "micrometer", 0.1, -3.0),
    Axis("x", "space", "micrometer", 0.1, 7.0),
)


def write(path: Path, document: dict[str, Any]) -> None:
    path.mkdir(parents=True, exist_ok=True)
    (path / "zarr.json").write_bytes(encode(document))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4)), min_size=2, max_size=5),
    st.sampled_from(["uint8", "uint16", "int16", "uint32", "float32", "float64"]),
)
def test_all_readers_open_an_array_without_any_frame(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, int]], dtype: str
) -> None:
    folder = tmp_path_factory.mktemp("array")
    shape = [n for n, _ in sizes]
    chunk = [1] * (len(sizes) - 2) + shape[-2:]
    shard = [s * c for (_, s), c in zip(sizes, chunk, strict=True)]
    names = [f"a{i}" for i in range(len(sizes))]
    write(folder, array_metadata(shape, dtype, chunk=chunk, shard=shard, names=names))
    for name, read in READERS.items():
        found = read(folder)
        assert found.shape == tuple(shape), name
        assert found.dtype == dtype, name
        assert not found.any(), name
    array = zarr.open_array(folder, mode="r")
    assert array.chunks == tuple(chunk)
    assert array.shards == tuple(shard)
    assert array.metadata.dimension_names == tuple(names)


def test_levels_are_placed_by_the_centres_of_their_pixels() -> None:
    levels = [LevelInfo("0", 1), LevelInfo("1", 2), LevelInfo("2", 4)]
    image = image_attributes("a", AXES, levels)["ome"]["multiscales"][0]
    found = [
        [t["scale"] if t["type"] == "scale" else t["translation"] for t in d[key]]
        for d in image["datasets"]
        for key in ["coordinateTransformations"]
    ]
    np.testing.assert_allclose(found[0], [[2, 1, 0.5, 0.1, 0.1], [0, 0, 10, -3, 7]])
    np.testing.assert_allclose(
        found[1], [[2, 1, 0.5, 0.2, 0.2], [0, 0, 10, -2.95, 7.05]]
    )
    # The centre of a pixel of four lies between the second and the third.
    np.testing.assert_allclose(
        found[2], [[2, 1, 0.5, 0.4, 0.4], [0, 0, 10, -2.85, 7.15]]
    )
    assert [d["path"] for d in image["datasets"]] == ["0", "1", "2"]


def test_a_validator_of_others_accepts_every_document(tmp_path: Path) -> None:
    from yaozarrs import validate_zarr_store

    levels = [LevelInfo("0", 1), LevelInfo("1", 2)]
    channels = [Channel("DAPI", "#0000FF", (10.0, 200.0)), Channel("FITC")]
    write(tmp_path, group_metadata(collection_attributes({"name": "a"})))
    write(tmp_path / "OME", group_metadata(series_attributes(["0"])))
    image = tmp_path / "0"
    attributes = image_attributes(
        "a", AXES, levels, channels, bit_depth=12, extra={"axes": {"position": "A"}}
    )
    write(image, group_metadata(attributes))
    for level, side in (("0", 8), ("1", 4)):
        shape = [3, 2, 4, side, side]
        chunk = [1, 1, 1, side, side]
        names = [axis.name for axis in AXES]
        write(
            image / level,
            array_metadata(shape, "uint16", chunk=chunk, shard=shape, names=names),
        )
    validate_zarr_store(str(image))
    validate_zarr_store(str(tmp_path))


def test_display_settings() -> None:
    channels = [Channel("A", "#12abEF", (5, 100)), Channel("B", visible=False)]
    document = image_attributes(
        "a", AXES, [LevelInfo("0", 1)], channels, bit_depth=12, default_z=3
    )
    omero = document["ome"]["omero"]
    first, second = omero["channels"]
    assert (first["label"], first["color"], first["active"]) == ("A", "12ABEF", True)
    assert first["window"] == {"min": 0, "max": 4095, "start": 5, "end": 100}
    assert (second["color"], second["active"]) == ("FFFFFF", False)
    assert second["window"] == {"min": 0, "max": 4095, "start": 0, "end": 4095}
    assert omero["rdefs"]["defaultZ"] == 3
    assert document["napari_scope"]["bit_depth"] == 12


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("x", "2 to 5 axes"),
        ("tabczyx", "2 to 5 axes"),
        ("acyx", "one channel or custom axis"),
    ],
)
def test_axes_that_ome_ngff_cannot_hold_are_refused(names: str, message: str) -> None:
    kinds: dict[str, Any] = {"t": "time", "c": "channel", "z": "space"}
    axes = [Axis(n, "space" if n in "yx" else kinds.get(n, "other")) for n in names]
    with pytest.raises(SettingsError, match=message) as caught:
        image_attributes("a", axes, [])
    assert "NDTiff" in str(caught.value.hint)


def test_a_custom_axis_is_kept_with_its_name() -> None:
    axes = [Axis("t", "time"), Axis("angle", "other"), *AXES[-2:]]
    image = image_attributes("a", axes, [LevelInfo("0", 1)])["ome"]["multiscales"][0]
    assert [a["name"] for a in image["axes"]] == ["t", "angle", "y", "x"]
    assert "type" not in image["axes"][1]


def test_documents_are_strict_json() -> None:
    assert json.loads(encode(group_metadata({"a": 1})))["attributes"] == {"a": 1}
    with pytest.raises(ValueError, match="JSON"):
        encode({"a": float("nan")})


@pytest.mark.parametrize("dtype", PIXEL_TYPES)
def test_ome_xml_follows_the_schema(dtype: str) -> None:
    from ome_types import from_xml

    images = [
        XmlImage(
            name="left & <right>",
            sizes={"x": 8, "y": 4, "c": 2, "t": 3},
            dtype=dtype,
            pixel_um=(0.1, 0.2),
            z_um=0.5,
            channels=["DAPI", "µ"],
            bit_depth=12,
        ),
        XmlImage(name="b", sizes={"x": 8, "y": 4, "c": 2, "z": 7}, dtype=dtype),
    ]
    text = ome_xml(images)
    document = from_xml(text, validate=True)
    first, second = document.images
    assert first.name == "left & <right>"
    sizes = first.pixels
    assert (sizes.size_x, sizes.size_y, sizes.size_z) == (8, 4, 1)
    assert (sizes.size_c, sizes.size_t) == (2, 3)
    assert [c.name for c in sizes.channels] == ["DAPI", "µ"]
    assert (sizes.physical_size_y, sizes.physical_size_x) == (0.1, 0.2)
    assert sizes.significant_bits == 12
    assert sizes.type.numpy_dtype == dtype
    assert second.pixels.size_z == 7
    assert [c.name for c in second.pixels.channels] == [None, None]


def test_levels_that_reduce_each_axis_by_its_own_factor() -> None:
    levels = [LevelInfo("0", 1), LevelInfo("1", (1, 1, 2, 4, 1))]
    block = image_attributes("a", AXES, levels, method="mode", image_label={"a": 1})
    (image,) = block["ome"]["multiscales"]
    assert image["type"] == "mode"
    assert block["ome"]["image-label"] == {"a": 1}
    scale, translation = image["datasets"][1]["coordinateTransformations"]
    assert scale["scale"] == [2.0, 1.0, 1.0, 0.4, 0.1]
    assert translation["translation"] == pytest.approx([0, 0, 10.25, -2.85, 7])
    with pytest.raises(SettingsError, match="factors"):
        image_attributes("a", AXES, [LevelInfo("0", (1, 2))])

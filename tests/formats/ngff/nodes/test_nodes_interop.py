"""What the node API writes, other libraries read alike, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.nodes.node_stores import (
    CHANNELS,
    VERSIONS,
    filled,
    image,
    names,
    pixels,
)

from napari_scope import open_ome_zarr
from napari_scope.formats import open_dataset
from napari_scope.formats.ngff.nodes import TransformationMeta

if TYPE_CHECKING:
    from pathlib import Path

# iohub and ome-zarr-py warn of their own arguments, and of those of zarr.
pytestmark = pytest.mark.filterwarnings("ignore")


def finished(path: Path, version: str) -> Any:
    """Return a position with all that a position can have."""
    position = image(path, version)
    position.set_transform(
        "0",
        [
            TransformationMeta("scale", scale=[3, 1, 2, 0.5, 0.5]),
            TransformationMeta("translation", translation=[0, 0, 7, 1, 2]),
        ],
    )
    position.set_contrast_limits("GFP", {"start": 1, "end": 9, "min": 0, "max": 99})
    position.compute_pyramid(2, dims={"y", "x"})
    position.append_channel("Cy5")
    position.create_label(
        "cells", (pixels()[:, 0] > 9).astype(np.uint8), colors={1: (1, 2, 3, 255)}
    )
    return position


@pytest.mark.parametrize("version", VERSIONS)
def test_our_images_in_other_libraries(tmp_path: Path, version: str) -> None:
    import iohub.ngff
    import yaozarrs
    from napari_ome_zarr import napari_get_reader
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    path = tmp_path / "i.zarr"
    ours = finished(path, version)
    yaozarrs.validate_zarr_store(str(path))
    with iohub.ngff.open_ome_zarr(path) as theirs:
        assert theirs.channel_names == [*CHANNELS, "Cy5"]
        assert theirs.scale == ours.scale == [3, 1, 2, 0.5, 0.5]
        assert theirs.get_effective_translation("1") == [0, 0, 7, 1.25, 2.25]
        for name in "01":
            np.testing.assert_array_equal(theirs[name][...], ours[name][...])
    first = next(iter(Reader(parse_url(str(path)))()))
    np.testing.assert_array_equal(first.data[0].compute(), ours["0"][...])
    read = napari_get_reader(str(path))
    assert read is not None
    layers = read(str(path))
    assert {layer[2] for layer in layers} == {"image", "labels"}
    named = [name.removeprefix("i: ") for name in layers[0][1]["name"]]
    assert named == [*CHANNELS, "Cy5"]
    dataset = open_dataset(path)
    assert dataset.problems == ()
    assert [c.name for c in dataset.images[0].channels] == [*CHANNELS, "Cy5"]


@pytest.mark.parametrize("version", VERSIONS)
def test_our_plates_in_other_libraries(tmp_path: Path, version: str) -> None:
    import iohub.ngff
    import yaozarrs

    wanted = ["A/1/0", "A/10/0", "A/2/0", "C/3/0", "C/3/1"]
    ours = filled(tmp_path / "p.zarr", wanted, version)
    ours.rename_well("A/2", "B/7")
    ours.dump_meta(field_count=True)
    yaozarrs.validate_zarr_store(str(tmp_path / "p.zarr"))
    with iohub.ngff.open_ome_zarr(tmp_path / "p.zarr") as theirs:
        found = dict(theirs.positions())
        assert sorted(found) == sorted(names(ours))
        for path, position in found.items():
            assert position.channel_names == CHANNELS
            np.testing.assert_array_equal(position["0"][...], ours[path]["0"][...])
    dataset = open_dataset(tmp_path / "p.zarr")
    assert (len(dataset.images), dataset.problems) == (5, ())


@pytest.mark.parametrize("version", VERSIONS)
def test_stores_of_iohub(tmp_path: Path, version: Any) -> None:
    import iohub.ngff

    path = tmp_path / "p.zarr"
    with iohub.ngff.open_ome_zarr(
        path, layout="hcs", mode="w-", channel_names=CHANNELS, version=version
    ) as theirs:
        for number, (row, column) in enumerate((("A", "1"), ("A", "10"), ("B", "2"))):
            position = theirs.create_position(row, column, "0")
            position["0"] = pixels((1, 2, 3, 8, 8), number)
            position.set_scale("0", "z", 2.5)
            position.initialize_pyramid(2)
    ours = open_ome_zarr(path, mode="r+")
    assert names(ours) == ["A/1/0", "A/10/0", "B/2/0"]
    for number, (_, position) in enumerate(ours.positions()):
        assert (position.channel_names, position.version) == (CHANNELS, version)
        assert position.scale == [1, 1, 2.5, 1, 1]
        np.testing.assert_array_equal(
            position.data[...], pixels((1, 2, 3, 8, 8), number)
        )
        position.compute_pyramid()
        position.append_channel("new")
    ours.rename_well("A/10", "C/1")
    ours.create_position("D", "1", "0").create_zeros("0", (1, 3, 1, 4, 4), "uint8")
    with iohub.ngff.open_ome_zarr(path) as theirs:
        found = dict(theirs.positions())
        assert sorted(found) == ["A/1/0", "B/2/0", "C/1/0", "D/1/0"]
        assert found["C/1/0"].channel_names == [*CHANNELS, "new"]
        assert found["C/1/0"]["1"].shape == (1, 3, 2, 4, 4)


def test_attributes_of_labelled_arrays_are_where_iohub_has_them(tmp_path: Path) -> None:
    import iohub.ngff

    xr = pytest.importorskip("xarray")
    data = image(tmp_path / "i.zarr").to_xarray()
    data.attrs["units"] = "nanometer"
    ours = open_ome_zarr(
        tmp_path / "o.zarr", "fov", "w-", channel_names=CHANNELS, version="0.5"
    )
    ours.write_xarray(data)
    with iohub.ngff.open_ome_zarr(tmp_path / "o.zarr") as theirs:
        xr.testing.assert_identical(theirs.to_xarray().compute().rename(None), data)

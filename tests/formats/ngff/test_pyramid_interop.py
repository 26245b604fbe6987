"""Pyramids of ours in other libraries, and theirs made anew by ours."""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from tests.formats.ngff.ngff_stores import pixels, write_image

from napari_scope.arrays.reduce import reduce_block
from napari_scope.formats import open_dataset
from napari_scope.formats.ngff.pyramid.build import build_pyramid, delete_pyramid

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


def image(folder: Path, zarr_format: int, **options: Any) -> list[npt.NDArray[Any]]:
    """Write an image and its pyramid; returns what the levels should be."""
    data = pixels((1, 2, 3, 75, 101))
    colors = [
        {
            "label": name,
            "color": "00FF00",
            "active": True,
            "window": {"min": 0, "max": 255, "start": 0, "end": 200},
        }
        for name in ("DAPI", "GFP")
    ]
    omero = {"channels": colors, "rdefs": {"defaultT": 0, "defaultZ": 0}}
    if zarr_format == 2:
        options["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
        omero["version"] = "0.4"
    options = {"chunks": (1, 1, 1, 32, 32), **options}
    scale = [1.0, 1.0, 2.0, 0.5, 0.5]
    write_image(
        folder,
        "tczyx",
        data,
        zarr_format=zarr_format,
        omero=omero,
        options=options,
        scale=scale,
        name="image",
    )
    build_pyramid(folder, levels=3)
    one = reduce_block(data, (1, 1, 1, 2, 2))
    return [data, one, reduce_block(one, (1, 1, 1, 2, 2))]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("sharded", [False, True])
def test_other_libraries_open_all_levels(
    tmp_path: Path, zarr_format: int, sharded: bool
) -> None:
    if sharded and zarr_format == 2:
        pytest.skip("Zarr v2 has no shards")
    folder = tmp_path / "image.zarr"
    options = {"shards": (1, 2, 1, 64, 64)} if sharded else {}
    levels = image(folder, zarr_format, **options)

    import yaozarrs

    yaozarrs.validate_zarr_store(str(folder))

    from iohub.ngff import open_ome_zarr

    with open_ome_zarr(folder, mode="r") as position:
        assert position.channel_names == ["DAPI", "GFP"]
        for path, level in zip("012", levels, strict=True):
            np.testing.assert_array_equal(position[path][...], level)
        assert position.get_effective_scale("2") == [1, 1, 2, 2, 2]
        assert position.get_effective_translation("2") == [0, 0, 0, 0.75, 0.75]

    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (node,) = Reader(parse_url(str(folder)))()
    assert len(node.data) == 3
    for found, level in zip(node.data, levels, strict=True):
        np.testing.assert_array_equal(found.compute(), level)

    from napari_ome_zarr import napari_get_reader

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = napari_get_reader(str(folder))
        assert reader is not None
        (layer,) = reader(str(folder))
    for found, level in zip(layer[0], levels, strict=True):
        np.testing.assert_array_equal(np.asarray(found), level)

    dataset = open_dataset(folder)
    assert dataset.problems == ()
    assert [level.shape for level in dataset.images[0].levels] == [
        level.shape for level in levels
    ]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_means_of_iohub_differ_where_a_half_is_rounded(
    tmp_path: Path, version: str
) -> None:
    from iohub.ngff import open_ome_zarr

    data = pixels((1, 2, 4, 64, 96))
    theirs, ours = tmp_path / "theirs.zarr", tmp_path / "ours.zarr"
    with open_ome_zarr(
        theirs, layout="fov", mode="w", channel_names=["a", "b"], version=version
    ) as position:
        position.create_image("0", data, chunks=(1, 1, 2, 32, 32))
    shutil.copytree(theirs, ours)
    with open_ome_zarr(theirs, layout="fov", mode="r+") as position:
        position.compute_pyramid(levels=2, dims={"y", "x"})
    build_pyramid(ours, levels=2)

    def level(folder: Path) -> npt.NDArray[Any]:
        array = zarr.open_array(str(folder / "1"), mode="r")
        return np.asarray(array[...]).astype(int)

    difference = level(ours) - level(theirs)
    sums = data.reshape(1, 2, 4, 32, 2, 48, 2).sum(axis=(4, 6), dtype=int)
    # iohub rounds a half to the even number, we round it up.
    tie = (sums % 4 == 2) & (sums // 4 % 2 == 0)
    assert tie.any()
    np.testing.assert_array_equal(difference, tie.astype(int))

    # Their arrays, whose chunks are halved as well, are computed anew.
    build_pyramid(theirs)
    np.testing.assert_array_equal(level(theirs), level(ours))
    assert zarr.open_array(str(theirs / "1"), mode="r").chunks == (1, 1, 2, 16, 16)
    delete_pyramid(theirs)
    with open_ome_zarr(theirs, layout="fov", mode="r+") as position:
        assert position.array_keys() == ["0"]
        position.compute_pyramid(levels=3)
        assert position.array_keys() == ["0", "1", "2"]

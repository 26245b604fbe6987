"""Positions as labelled arrays and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
from tests.formats.ngff.nodes.node_stores import CHANNELS, image, pixels

from napari_scope import open_ome_zarr
from napari_scope.formats.ngff.nodes import AxisMeta, TransformationMeta

xr = pytest.importorskip("xarray")

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (2, 2, 3, 6, 7)


def labelled(
    times: list[float],
    channels: list[str],
    data: Any = None,
    z: tuple[float, float] = (5, 2),
    **attrs: Any,
) -> Any:
    if data is None:
        data = pixels((len(times), len(channels), *SHAPE[2:]))
    coords = {
        "t": ("t", times, {"units": "minute"}),
        "c": channels,
        "z": ("z", z[0] + z[1] * np.arange(data.shape[2]), {"units": "nanometer"}),
        "y": 0.5 * np.arange(data.shape[3]),
        "x": 0.5 * np.arange(data.shape[4]),
    }
    return xr.DataArray(data, dims=list("tczyx"), coords=coords, attrs=attrs)


def new(path: Path, **more: Any) -> Any:
    return open_ome_zarr(path, "fov", "w-", channel_names=CHANNELS, **more)


def test_an_array_comes_back(tmp_path: Path) -> None:
    data = labelled([10, 12], CHANNELS, units="nanometer", number=np.float64(2))
    new(tmp_path / "i.zarr").write_xarray(data)
    found = open_ome_zarr(tmp_path / "i.zarr")
    back = found.to_xarray()
    assert isinstance(back.data, da.Array)
    np.testing.assert_array_equal(back.values, data.values)
    for dim in "tczyx":
        np.testing.assert_array_equal(back.coords[dim], data.coords[dim])
    units = [back.coords[dim].attrs.get("units") for dim in "tzyx"]
    assert units == ["minute", "nanometer", "micrometer", "micrometer"]
    assert back.attrs == {"units": "nanometer", "number": 2.0}
    assert found.scale == [2, 1, 2, 0.5, 0.5]
    assert found.get_effective_translation("0") == [10, 0, 5, 0, 0]


def test_channels_and_times_one_after_the_other(tmp_path: Path) -> None:
    position = new(tmp_path / "i.zarr", version="0.5")
    whole = pixels((6, 2, *SHAPE[2:]))
    position.write_xarray(labelled([0, 2], ["GFP"], whole[:2, 1:]))
    position.write_xarray(labelled([2, 8], ["GFP", "DAPI"], whole[[1, 4]][:, ::-1]))
    found = open_ome_zarr(tmp_path / "i.zarr").data[...]
    # Grown to the latest time; what is not written is the fill value.
    assert found.shape == (5, 2, *SHAPE[2:])
    np.testing.assert_array_equal(found[[0, 1, 4], 1], whole[[0, 1, 4], 1])
    np.testing.assert_array_equal(found[[1, 4], 0], whole[[1, 4], 0])
    assert not found[[2, 3]].any()
    assert not found[0, 0].any()


def test_single_times_find_their_interval(tmp_path: Path) -> None:
    position = new(tmp_path / "i.zarr")
    whole = pixels((3, 2, *SHAPE[2:]))
    for n, time in enumerate((1.0, 1.5, 2.0)):
        position.write_xarray(labelled([time], CHANNELS, whole[n : n + 1]))
    back = open_ome_zarr(tmp_path / "i.zarr").to_xarray()
    np.testing.assert_array_equal(back.coords["t"], [1, 1.5, 2])
    np.testing.assert_array_equal(back.values, whole)


def test_later_writes_say_anew_where_the_pixels_are(tmp_path: Path) -> None:
    position = new(tmp_path / "i.zarr")
    position.write_xarray(labelled([0, 1], CHANNELS, note=1))
    position.set_transform("*", [TransformationMeta("scale", scale=[1, 1, 4, 1, 1])])
    position.write_xarray(labelled([0, 1], ["DAPI"], z=(3, 0.5), note=2))
    back = open_ome_zarr(tmp_path / "i.zarr").to_xarray()
    np.testing.assert_array_equal(back.coords["z"], [3, 3.5, 4])
    np.testing.assert_array_equal(back.coords["t"], [0, 1])
    assert back.attrs == {"note": 2}


def test_lazy_arrays_are_written_stack_by_stack(tmp_path: Path) -> None:
    whole = pixels((2, 2, *SHAPE[2:]))
    lazy = da.from_array(whole, chunks=(1, 1, 1, 6, 7))
    new(tmp_path / "i.zarr").write_xarray(labelled([0, 1], CHANNELS, lazy))
    np.testing.assert_array_equal(open_ome_zarr(tmp_path / "i.zarr").data[...], whole)


def test_an_image_of_fewer_axes_is_filled_up(tmp_path: Path) -> None:
    axes = [AxisMeta("c"), AxisMeta("y", "space", "um"), AxisMeta("x", "space", "um")]
    position = new(tmp_path / "i.zarr", axes=axes)
    position["0"] = pixels((2, 4, 5))
    position.set_scale("0", "x", 3)
    back = position.to_xarray()
    assert (back.dims, back.shape) == (tuple("tczyx"), (1, 2, 1, 4, 5))
    np.testing.assert_array_equal(back.coords["x"], [0, 3, 6, 9, 12])
    with pytest.raises(ValueError, match="axes c, y, x"):
        position.write_xarray(labelled([0], CHANNELS))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (labelled([0, 1], ["none"]), "channels"),
        (labelled([0, 1], ["DAPI", "DAPI"]), "each once"),
        (labelled([0.3], CHANNELS), "not among"),
        (labelled([-1.0], CHANNELS), "not among"),
        (labelled([1e30], CHANNELS), "not among"),
        (labelled([1, 0], CHANNELS), "do not increase"),
        (labelled([float("nan")], CHANNELS), "finite"),
        (labelled([0], CHANNELS, pixels((1, 2, 3, 6, 8))), "stacks"),
        (labelled([0], CHANNELS, pixels((1, 2, *SHAPE[2:])).astype(float)), "float64"),
        (labelled([0], CHANNELS, bad={1}), "JSON"),
        (labelled([0, 1], CHANNELS).transpose("c", "t", "z", "y", "x"), "dims"),
        (labelled([0, 1], CHANNELS).drop_vars("z"), "'z'"),
        (labelled([0, 1], CHANNELS).isel(z=[0, 1, 1]), "do not increase"),
        (labelled([0, 1], CHANNELS, z=(0, 0)), "do not increase"),
        (labelled([0, 1], CHANNELS).isel(y=[0, 1, 2, 3, 4, 5])[..., :0], "nothing"),
    ],
)
def test_what_does_not_fit_changes_nothing(
    tmp_path: Path, data: Any, text: str
) -> None:
    position = new(tmp_path / "i.zarr")
    position.write_xarray(labelled([0, 1], CHANNELS))
    before = (position.folder / ".zattrs").read_bytes()
    with pytest.raises(ValueError, match=text):
        position.write_xarray(data)
    assert (position.folder / ".zattrs").read_bytes() == before
    assert position.data.shape == SHAPE


def test_an_image_made_otherwise_can_be_written_into(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    data = position.to_xarray().isel(t=[1], c=[0]) * 0
    position.write_xarray(data.astype("uint16"))
    found = open_ome_zarr(tmp_path / "i.zarr").data[...]
    wanted = pixels()
    wanted[1, 0] = 0
    np.testing.assert_array_equal(found, wanted)

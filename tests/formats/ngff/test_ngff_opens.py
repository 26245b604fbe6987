"""Stores of every writer, as napari shows them: pixels, names, places in the world."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from tests.formats.ngff.ngff_stores import (
    multiscales,
    pixels,
    set_attributes,
    write_image,
)

from napari_scope._reader import napari_get_reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHAPE = (2, 2, 3, 16, 20)
SCALE = (2.0, 1.0, 0.75, 0.5, 0.25)


def show(path: Path) -> ViewerModel:
    """Open a store the way that napari does."""
    reader = napari_get_reader(str(path))
    assert reader is not None
    viewer = ViewerModel()
    with warnings.catch_warnings():
        # What could not be read becomes a warning of napari; here it is an error.
        warnings.simplefilter("error")
        for data, arguments, kind in reader(str(path)):
            viewer.add_layer(Layer.create(data, arguments, kind))
    return viewer


def full(layer: Any) -> Any:
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)


def check(
    viewer: ViewerModel,
    data: Any,
    names: Sequence[str],
    scale: Sequence[float],
    translation: Sequence[float] = (0, 0, 0, 0),
) -> None:
    """Compare the layers of one t, c, z, y, x image; scale and place without c."""
    layers: list[Any] = list(viewer.layers)
    assert [layer.name for layer in layers] == list(names)
    corner = [n - 1 for n in (*data.shape[:1], *data.shape[2:])]
    for index, layer in enumerate(layers):
        np.testing.assert_array_equal(full(layer), data[:, index])
        for point in ([0, 0, 0, 0], [1, 2, 3, 4], corner):
            place = np.array(point) * scale + translation
            np.testing.assert_allclose(layer.data_to_world(point), place)
            value = layer.get_value(place, world=True)
            value = value[-1] if isinstance(value, tuple) else value
            if index == 0 and not layer.multiscale:
                viewer.dims.set_point(range(4), tuple(place))
                assert (
                    layer.get_value(place, world=True)
                    == data[point[0], index, point[1], point[2], point[3]]
                )


def by_hand(version: str) -> Any:
    def write(path: Path, data: Any) -> Any:
        channels = [{"label": name, "color": "00FF00"} for name in ("GFP", "RFP")]
        write_image(
            path, "tczyx", data, 2, zarr_format=2 if version == "0.4" else 3,
            scale=list(SCALE), translation=[1.0, 0.0, 2.0, 100.0, -50.0],
            coordinateTransformations=[
                {"type": "scale", "scale": [1.0, 1.0, 1.0, 2.0, 2.0]}
            ],
            omero={"channels": channels},
        )  # fmt: skip
        return ("GFP", "RFP"), (2.0, 0.75, 1.0, 0.5), (1.0, 2.0, 200.0, -100.0)

    return write


def by_hand_06(path: Path, data: Any) -> Any:
    old = multiscales("tczyx", 1, scale=list(SCALE))
    steps = old["datasets"][0]["coordinateTransformations"]
    steps.append({"type": "translation", "translation": [0, 0, 0, 7, 8]})
    step = {"type": "sequence", "transformations": steps}
    step |= {"input": {"path": "0"}, "output": {"name": "physical"}}
    new = {
        "coordinateSystems": [{"name": "physical", "axes": old["axes"]}],
        "datasets": [{"path": "0", "coordinateTransformations": [step]}],
    }
    write_image(path, "tczyx", data)
    set_attributes(path, {"ome": {"version": "0.6", "multiscales": [new]}}, 3)
    return ("Channel 0", "Channel 1"), (2, 0.75, 0.5, 0.25), (0, 0, 7, 8)


def by_ome_zarr_py(version: str) -> Any:
    def write(path: Path, data: Any) -> Any:
        from ome_zarr.format import format_from_version
        from ome_zarr.writer import write_image as ome_zarr_write

        ome_zarr_write(
            data, str(path), axes="tczyx", fmt=format_from_version(version),
            scale=dict(zip("tczyx", SCALE, strict=True)),
        )  # fmt: skip
        return ("Channel 0", "Channel 1"), (2, 0.75, 0.5, 0.25), (0, 0, 0, 0)

    return write


def by_iohub(version: str) -> Any:
    def write(path: Path, data: Any) -> Any:
        from iohub.ngff import open_ome_zarr
        from iohub.ngff.models import TransformationMeta

        with open_ome_zarr(
            path, layout="fov", mode="w-", channel_names=["GFP", "RFP"], version=version
        ) as position:
            position.create_image(
                "0", data,
                transform=[TransformationMeta(type="scale", scale=list(SCALE))],
            )  # fmt: skip
        return ("GFP", "RFP"), (2, 0.75, 0.5, 0.25), (0, 0, 0, 0)

    return write


def by_ome_writers(path: Path, data: Any) -> Any:
    import ome_writers as ow

    settings = ow.AcquisitionSettings(
        root_path=str(path),
        dimensions=[
            ow.Dimension(name="t", count=2, type="time", scale=2.0, unit="second"),
            ow.Dimension(name="c", type="channel", coords=["GFP", "RFP"]),
            ow.Dimension(name="z", count=3, type="space", scale=0.75,
                         unit="micrometer"),
            ow.Dimension(name="y", count=16, type="space", scale=0.5,
                         unit="micrometer"),
            ow.Dimension(name="x", count=20, type="space", scale=0.25,
                         unit="micrometer"),
        ],
        dtype="uint16",
        format={"name": "ome-zarr", "backend": "tensorstore"},
    )  # fmt: skip
    with ow.create_stream(settings) as stream:
        for frame in data.reshape(-1, 16, 20):
            stream.append(frame)
    return ("GFP", "RFP"), (2, 0.75, 0.5, 0.25), (0, 0, 0, 0)


def by_ours(path: Path, data: Any) -> Any:
    from napari_scope.stream import AcquisitionSettings, Dimension, create_stream

    settings = AcquisitionSettings(
        root_path=str(path),
        dimensions=[
            Dimension(name="t", count=2, type="time", scale=2.0, unit="second"),
            Dimension(name="c", type="channel", coords=["GFP", "RFP"]),
            Dimension(name="z", count=3, type="space", scale=0.75, unit="micrometer"),
            Dimension(name="y", count=16, type="space", scale=0.5, unit="micrometer"),
            Dimension(name="x", count=20, type="space", scale=0.25, unit="micrometer"),
        ],
        dtype="uint16",
    )
    with create_stream(settings) as stream:
        for frame in data.reshape(-1, 16, 20):
            stream.append(frame)
    return ("GFP", "RFP"), (2, 0.75, 0.5, 0.25), (0, 0, 0, 0)


WRITERS = {
    "hand 0.4": by_hand("0.4"),
    "hand 0.5": by_hand("0.5"),
    "hand 0.6": by_hand_06,
    "ome-zarr-py 0.4": by_ome_zarr_py("0.4"),
    "ome-zarr-py 0.5": by_ome_zarr_py("0.5"),
    "iohub 0.4": by_iohub("0.4"),
    "iohub 0.5": by_iohub("0.5"),
    "ome-writers": by_ome_writers,
    "ours": by_ours,
}


# ome-zarr-py and iohub warn of their own arguments and of one another.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("writer", list(WRITERS))
def test_pixels_names_and_places(tmp_path: Path, writer: str) -> None:
    data = pixels(SHAPE)
    path = tmp_path / "cells.ome.zarr"
    names, scale, translation = WRITERS[writer](path, data)
    check(show(path), data, names, scale, translation)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_of_ome_zarr_py(tmp_path: Path, version: str) -> None:
    import zarr
    from ome_zarr.format import format_from_version
    from ome_zarr.writer import write_image as ome_zarr_write
    from ome_zarr.writer import write_labels

    fmt = format_from_version(version)
    data, labels = pixels((2, 3, 32, 40)), pixels((3, 32, 40), "int32", 3) % 4
    path = tmp_path / "cells.ome.zarr"
    group = zarr.create_group(path, zarr_format=fmt.zarr_format)
    scale = {"z": 2.0, "y": 0.5, "x": 0.5}
    ome_zarr_write(data, group, axes="czyx", fmt=fmt, scale={"c": 1.0, **scale})
    write_labels(
        labels, group, name="nuclei", axes="zyx", fmt=fmt, scale=scale,
        label_metadata={
            "colors": [{"label-value": 1, "rgba": [255, 0, 0, 255]},
                       {"label-value": 3, "rgba": [0, 0, 255, 128]}],
            "properties": [{"label-value": 1, "class": "dividing"}],
        },
    )  # fmt: skip
    viewer = show(path)
    assert [layer.name for layer in viewer.layers] == [
        "Channel 0", "Channel 1", "nuclei",
    ]  # fmt: skip
    layer: Any = viewer.layers["nuclei"]
    np.testing.assert_array_equal(full(layer), labels)
    np.testing.assert_allclose(layer.data_to_world([2, 3, 4]), [4, 1.5, 2])
    mapped = layer.colormap.map(np.array([1, 3]))
    np.testing.assert_allclose(mapped, [[1, 0, 0, 1], [0, 0, 1, 0.5]], atol=0.01)
    assert layer.features.set_index("index").loc[1, "class"] == "dividing"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_of_iohub(tmp_path: Path, version: str) -> None:
    from iohub.ngff import open_ome_zarr

    from napari_scope.formats import open_dataset

    path = tmp_path / "plate.ome.zarr"
    written: dict[str, Any] = {}
    with open_ome_zarr(
        path, layout="hcs", mode="w-", channel_names=["GFP"], version=version
    ) as plate:
        for number, place in enumerate(
            (("A", "1", "0"), ("A", "1", "1"), ("B", "10", "0"))
        ):
            data = written["/".join(place)] = pixels((1, 1, 1, 8, 9), seed=number)
            plate.create_position(*place).create_image("0", data)
    dataset = open_dataset(path)
    assert dataset.problems == ()
    assert {image.name for image in dataset.images} == set(written)
    for image in dataset.images:
        np.testing.assert_array_equal(np.asarray(image.levels[0]), written[image.name])
        assert [channel.name for channel in image.channels] == ["GFP"]

"""Stores of independent writers, and independent readers of the same stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.ngff_stores import pixels, write_image

from napari_scope.formats import detect, open_dataset

if TYPE_CHECKING:
    from pathlib import Path


# The library warns of its own default argument when it is imported.
@pytest.mark.filterwarnings("ignore:Call to deprecated class Scaler")
def test_an_image_of_ome_zarr_py(tmp_path: Path) -> None:
    from ome_zarr.format import FormatV04, FormatV05
    from ome_zarr.writer import write_image as ome_zarr_write

    data = pixels((2, 3, 64, 80))
    for fmt, version in ((FormatV04(), "0.4"), (FormatV05(), "0.5")):
        path = tmp_path / f"{version}.zarr"
        ome_zarr_write(data, str(path), axes="tcyx", fmt=fmt)
        assert detect(path) == "ome-zarr"
        dataset = open_dataset(path)
        assert (dataset.format_version, dataset.problems) == (version, ())
        (image,) = dataset.images
        assert image.axis_names == tuple("tcyx")
        np.testing.assert_array_equal(np.asarray(image.levels[0]), data)


def test_a_collection_of_ome_writers(tmp_path: Path) -> None:
    import ome_writers as ow

    path = tmp_path / "run.ome.zarr"
    settings = ow.AcquisitionSettings(
        root_path=str(path),
        dimensions=ow.dims_from_standard_axes(
            {"p": ["one", "two"], "t": 2, "c": ["DAPI", "GFP"], "y": 16, "x": 20}
        ),
        dtype="uint16",
        format={"name": "ome-zarr", "backend": "tensorstore"},
    )
    frames = pixels((8, 16, 20))
    with ow.create_stream(settings) as stream:
        for frame in frames:
            stream.append(frame)
    dataset = open_dataset(path)
    assert dataset.problems == ()
    assert [image.name for image in dataset.images] == ["one", "two"]
    found = np.stack([np.asarray(image.levels[0]) for image in dataset.images])
    np.testing.assert_array_equal(found.reshape(frames.shape), frames)
    assert [c.name for c in dataset.images[0].channels] == ["DAPI", "GFP"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_stores_of_these_tests_are_valid(tmp_path: Path, zarr_format: int) -> None:
    """Guards the tests themselves: yaozarrs accepts what they call good."""
    import yaozarrs

    write_image(
        tmp_path / "a", "tczyx", pixels((2, 2, 2, 8, 8)), 2, zarr_format=zarr_format
    )
    yaozarrs.validate_zarr_store(str(tmp_path / "a"))


def test_napari_ome_zarr_sees_the_same_levels(tmp_path: Path) -> None:
    from napari_ome_zarr import napari_get_reader

    write_image(
        tmp_path / "a.zarr",
        "czyx",
        pixels((2, 3, 32, 40)),
        2,
        scale=[1.0, 2.0, 0.5, 0.5],
        omero={
            "channels": [
                {
                    "label": label,
                    "color": color,
                    "window": {"start": 1, "end": 9, "min": 0, "max": 99},
                }
                for label, color in (("DAPI", "0000FF"), ("GFP", "00FF00"))
            ]
        },
    )
    reader = napari_get_reader(str(tmp_path / "a.zarr"))
    (theirs,) = reader(str(tmp_path / "a.zarr"))
    levels: Any = theirs[0]
    (image,) = open_dataset(tmp_path / "a.zarr").images
    assert [c.name for c in image.channels] == theirs[1]["name"]
    assert len(image.levels) == len(levels)
    for mine, other in zip(image.levels, levels, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(other))

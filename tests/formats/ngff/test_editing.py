"""Scales and channel names change in all places at once, or not at all."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from tests.stream.plates import foreign_image, foreign_plate

from napari_scope.errors import FormatError, SettingsError
from napari_scope.formats import open_dataset
from napari_scope.formats.ngff.editing import image_paths, rename_channel, set_scale

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["0.4", "0.5"])
def plate(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    foreign_plate(tmp_path / "a.zarr", request.param)
    return tmp_path / "a.zarr"


def documents(path: Path) -> dict[str, bytes]:
    names = ("zarr.json", ".zattrs", ".zmetadata")
    return {str(p): p.read_bytes() for p in path.rglob("*") if p.name in names}


def levels_of(path: Path, image: str) -> list[tuple[list[float], list[float]]]:
    attributes: Any = zarr.open_group(path, mode="r")[image].attrs.asdict()
    multiscale = attributes.get("ome", attributes)["multiscales"][0]
    found = []
    for dataset in multiscale["datasets"]:
        scale, translation = dataset["coordinateTransformations"]
        found.append((scale["scale"], translation["translation"]))
    return found


def test_the_scale_of_all_levels_and_labels(plate: Path) -> None:
    assert set_scale(plate, {"x": 0.1, "y": 2}, ["A/10/0"]) == 1
    (full, coarse) = levels_of(plate, "A/10/0")
    assert full == ([1.0, 2.0, 0.1], [0, 7, 7])
    # The first coarse pixel lies half a fine one behind the first fine one.
    assert coarse[0] == pytest.approx([1, 4, 0.2])
    assert coarse[1] == pytest.approx([0, 8, 7.05])
    labels = levels_of(plate, "A/10/0/labels/nuclei")
    assert labels[1][0] == pytest.approx([4, 0.2])
    assert levels_of(plate, "A/10/f1")[0][0] == [1, 0.5, 0.5]
    image = open_dataset(plate).images[0]
    assert image.axes[-1].scale == 0.1
    assert image.labels[0].axes[-1].scale == pytest.approx(0.1)


def test_axes_in_capitals(tmp_path: Path) -> None:
    from napari_scope import open_ome_zarr

    path = tmp_path / "a.zarr"
    with open_ome_zarr(path, "fov", "w-", channel_names=["a"]) as position:
        position["0"] = np.zeros((1, 1, 4, 8, 8), "u1")
        position.compute_pyramid(levels=2)
        position.create_label("cells", np.zeros((1, 4, 8, 8), "u1"))
        assert [axis.name for axis in position.axes] == list("TCZYX")
    assert set_scale(path, {"z": 0.5, "X": 0.1}) == 1
    with open_ome_zarr(path) as position:
        assert list(position.scale) == [1, 1, 0.5, 1, 0.1]
        assert position.get_effective_scale("1") == [1, 1, 1, 2, 0.2]
    (image,) = open_dataset(path).images
    assert [axis.scale for axis in image.labels[0].axes] == [1, 0.5, 1, 0.1]


def test_all_images(plate: Path) -> None:
    paths = ["A/10/0", "A/10/f1", "B/2/0", "B/2/f1"]
    assert image_paths(plate) == paths
    assert set_scale(plate, {"y": 3}) == 4
    assert {levels_of(plate, path)[0][0][1] for path in paths} == {3}
    assert rename_channel(plate, "GFP", "EGFP") == 4
    for image in open_dataset(plate).images:
        assert [channel.name for channel in image.channels] == ["DAPI", "EGFP"]


def test_scales_of_the_whole_are_respected(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    foreign_image(group, np.ones((40, 40), "u2"), "yx")
    multiscales: Any = group.attrs["multiscales"]
    multiscales[0]["coordinateTransformations"] = [{"type": "scale", "scale": [10, 1]}]
    group.attrs["multiscales"] = multiscales
    set_scale(tmp_path / "a.zarr", {"y": 5})
    image = open_dataset(tmp_path / "a.zarr").images[0]
    assert [axis.scale for axis in image.axes] == [5, 0.5]


@pytest.mark.parametrize(
    ("scales", "words"),
    [
        ({"z": 1.0}, "no axis 'z'"),
        ({"x": 0.0}, "above 0"),
        ({"x": float("nan")}, "above 0"),
        ({"x": float("inf")}, "above 0"),
        ({}, "no scale"),
    ],
)
def test_scales_that_are_refused(
    plate: Path, scales: dict[str, float], words: str
) -> None:
    before = documents(plate)
    with pytest.raises(SettingsError, match=words):
        set_scale(plate, scales)
    assert documents(plate) == before


def test_names_that_are_refused(plate: Path) -> None:
    rename_channel(plate, "DAPI", "blue", ["B/2/f1"])
    before = documents(plate)
    for old, new, words in (
        ("DAPI", "GFP", "has a channel 'GFP' already"),
        ("DAPI", "blue", "has no channel 'DAPI'"),  # the last field only
        ("RFP", "x", "it has 'DAPI', 'GFP'"),
        ("GFP", " ", "empty"),
    ):
        with pytest.raises(SettingsError, match=words):
            rename_channel(plate, old, new)
    assert documents(plate) == before


def test_copies_at_the_root_are_kept_up_to_date(plate: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(plate)
    rename_channel(plate, "GFP", "EGFP")
    set_scale(plate, {"x": 9})
    whole = zarr.open_group(plate, mode="r", use_consolidated=True)
    plain = zarr.open_group(plate, mode="r", use_consolidated=False)
    for path in ("A/10/0", "A/10/0/labels/nuclei"):
        assert whole[path].attrs.asdict() == plain[path].attrs.asdict()
    assert whole["A/10/0"].attrs.asdict() != {}


def test_old_versions_are_not_changed(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    foreign_image(group, np.ones((1, 1, 1, 40, 40), "u2"), "tczyx", "0.2")
    before = documents(tmp_path)
    with pytest.raises(FormatError, match="convert it first"):
        set_scale(tmp_path / "a.zarr", {"x": 1})
    assert documents(tmp_path) == before


def test_no_link_out_of_the_store(plate: Path, tmp_path: Path) -> None:
    field = plate / "A/10/0"
    field.rename(tmp_path / "outside")
    field.symlink_to(tmp_path / "outside")
    before = documents(tmp_path / "outside")
    with pytest.raises(FormatError):
        set_scale(plate, {"x": 1})
    assert documents(tmp_path / "outside") == before

"""What layers saved is converted whole; what has no place is told."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr
from tests.stream.plates import foreign_plate

from napari_scope.formats import open_dataset
from napari_scope.formats.ngff.validation.checks import validate
from napari_scope.layers.saving import save_layers
from napari_scope.stream.convert import convert

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = [("0.5", "0.4"), ("0.4", "0.5")]


@pytest.mark.parametrize(("before", "after"), VERSIONS)
def test_a_segmentation_by_itself_stays_one(
    tmp_path: Path, before: str, after: str
) -> None:
    # Mean values of 0 and 1000 would be labels that nobody gave.
    pixels = np.indices((700, 600)).sum(0).astype("i4") % 2 * 1000
    source, target = tmp_path / "a.ome.zarr", tmp_path / "b.ome.zarr"
    save_layers(source, [(pixels, {"name": "cells"}, "labels")], version=before)
    convert(source, target, version=after, levels=3)
    (image,) = open_dataset(target).images
    assert image.only_labels
    (labels,) = image.labels
    assert labels.look["name"] == "cells"
    assert np.array_equal(labels.levels[0][:, :], pixels)
    assert set(np.unique(labels.levels[2][:, :])) <= {0, 1000}
    assert validate(target, pixels=True) == []


@pytest.mark.parametrize(("before", "after"), VERSIONS)
def test_a_layer_of_colours_stays_one(tmp_path: Path, before: str, after: str) -> None:
    pixels = np.arange(2 * 30 * 40 * 3).reshape(2, 30, 40, 3).astype("u1")
    source, target = tmp_path / "a.ome.zarr", tmp_path / "b.ome.zarr"
    save_layers(source, [(pixels, {"name": "he", "rgb": True})], version=before)
    report = convert(source, target, version=after)
    assert report.notes == ()
    (image,) = open_dataset(target).images
    assert image.rgb and image.channels[0].look["name"] == "he"
    assert np.array_equal(image.levels[0][:, :, :, :], pixels)
    assert validate(target, pixels=True) == []


def test_tables_are_told(tmp_path: Path) -> None:
    source = tmp_path / "p.ome.zarr"
    foreign_plate(source, "0.5")
    first = open_dataset(source).images[0].metadata["path"]
    assert convert(source, tmp_path / "q.ome.zarr").notes == ()
    root = zarr.open_group(source, mode="r+")
    root.create_group(f"{first}/tables")
    root.create_array("flat", shape=(4,), dtype="u1")
    (source / "protocol.txt").write_text("fixed")
    (note,) = convert(source, tmp_path / "r.ome.zarr").notes
    assert f"not in the target: {first}/tables, flat, protocol.txt;" in note


def test_tables_in_a_zip_file_are_told(tmp_path: Path) -> None:
    source = tmp_path / "a.ome.zarr"
    save_layers(source, [(np.ones((4, 5), "u1"), {"name": "i"})])
    zarr.open_group(source, mode="r+").create_group("tables")
    zipped = tmp_path / "a.ozx"
    with zipfile.ZipFile(zipped, "w") as file:
        for path in source.rglob("*"):
            file.write(path, path.relative_to(source))
    (note,) = convert(zipped, tmp_path / "b.ome.zarr").notes
    assert "not in the target: tables;" in note


def test_collections_of_0_4_are_judged(tmp_path: Path) -> None:
    target = tmp_path / "a.ome.zarr"
    layers = [(np.ones((4, n), "u1"), {"name": f"i{n}"}) for n in (5, 6)]
    save_layers(target, layers, version="0.4")
    assert validate(target, pixels=True) == []
    document = target / "0" / ".zattrs"
    document.write_text(document.read_text().replace('"name": "y"', '"name": "x"'))
    assert any(found.what == "yaozarrs" for found in validate(target))


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    save_layers("~/a.ome.zarr", [(np.ones((4, 5), "u1"), {"name": "i"})])
    convert("~/a.ome.zarr", "~/b.ome.zarr")
    assert (tmp_path / "b.ome.zarr").is_dir()

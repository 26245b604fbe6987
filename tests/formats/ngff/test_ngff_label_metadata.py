"""The list of segmentations and the block that says what they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.label_metadata import (
    label_attributes,
    list_label,
    listed_labels,
    unlist_label,
)
from napari_scope.formats.ngff.metadata import encode, group_documents

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ("0.4", "0.5")


def image_group(folder: Path, version: str) -> Path:
    folder.mkdir()
    for name, document in group_documents({"ome": {}}, version):
        (folder / name).write_bytes(encode(document))
    return folder


def attributes(folder: Path, version: str) -> dict[str, object]:
    if version == "0.4":
        assert json.loads((folder / ".zgroup").read_bytes()) == {"zarr_format": 2}
        found: dict[str, object] = json.loads((folder / ".zattrs").read_bytes())
        return found
    document = json.loads((folder / "zarr.json").read_bytes())
    assert document["zarr_format"] == 3
    assert document["node_type"] == "group"
    block: dict[str, object] = document["attributes"]["ome"]
    return block


@pytest.mark.parametrize("version", VERSIONS)
def test_names_are_listed_and_taken_away(tmp_path: Path, version: str) -> None:
    image = image_group(tmp_path / "image", version)
    assert listed_labels(image) == []
    for name in ("nuclei", "cells", "nuclei"):
        list_label(image, name)
    assert listed_labels(image) == ["nuclei", "cells"]
    found = attributes(image / "labels", version)
    assert found["labels"] == ["nuclei", "cells"]
    assert found.get("version") == ("0.5" if version == "0.5" else None)
    unlist_label(image, "nuclei")
    unlist_label(image, "never there")
    assert listed_labels(image) == ["cells"]


def test_what_else_the_group_says_stays(tmp_path: Path) -> None:
    image = image_group(tmp_path / "image", "0.5")
    labels = image_group(image / "labels", "0.5")
    document = json.loads((labels / "zarr.json").read_bytes())
    document["attributes"] = {"ome": {"version": "0.5", "more": 1}, "own": [2]}
    (labels / "zarr.json").write_bytes(encode(document))
    list_label(image, "nuclei")
    found = json.loads((labels / "zarr.json").read_bytes())["attributes"]
    assert found == {
        "ome": {"version": "0.5", "more": 1, "labels": ["nuclei"]},
        "own": [2],
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"labels": "nuclei"}', "[" * 10**5])
def test_a_damaged_list_is_not_overwritten(tmp_path: Path, text: str) -> None:
    image = image_group(tmp_path / "image", "0.4")
    (image / "labels").mkdir()
    (image / "labels" / ".zattrs").write_text(text)
    with pytest.raises(FormatError, match="labels"):
        list_label(image, "nuclei")
    assert (image / "labels" / ".zattrs").read_text() == text


def test_only_an_image_has_segmentations(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="belong to an image"):
        list_label(tmp_path, "nuclei")


def test_colours_and_properties_by_label() -> None:
    block = label_attributes(
        colors={7: (1, 2, 3, 4), 2: (5, 6, 7, 8)},
        properties={7: {"area": 3.5, "label-value": 99}},
    )
    assert block == {
        "source": {"image": "../../"},
        "colors": [
            {"label-value": 2, "rgba": [5, 6, 7, 8]},
            {"label-value": 7, "rgba": [1, 2, 3, 4]},
        ],
        "properties": [{"area": 3.5, "label-value": 7}],
    }


def test_a_segmentation_without_an_image_or_colours() -> None:
    assert label_attributes(source=None) == {}
    assert label_attributes(source=None, version="0.4") == {"version": "0.4"}

"""From nodes of a tree to layers: names, places, and what goes together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.ngff.ngff_stores import (
    pixels,
    set_attributes,
    write_image,
    write_plate,
)
from tests.layers.stores import make_image

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.formats.tree import open_tree
from napari_scope.formats.tree_node import Node
from napari_scope.layers import origin_of
from napari_scope.layers.chosen import ChosenLayers, nodes_to_layers, side_by_side

if TYPE_CHECKING:
    from pathlib import Path


def names(chosen: ChosenLayers, kind: str = "image") -> list[object]:
    return [layer[1]["name"] for layer in chosen.layers if layer[2] == kind]


@pytest.fixture
def plate(tmp_path: Path) -> Node:
    wells = {"A/1": ["0", "1"], "A/2": ["0", "1"], "B/2": ["0"]}
    write_plate(tmp_path / "p.zarr", wells)
    return open_tree(tmp_path / "p.zarr")


def test_a_field_says_which_it_is(plate: Node) -> None:
    field = plate.children()[0].children()[0].children()[1]
    (chosen,) = nodes_to_layers([field])
    assert names(chosen) == [
        "plate of tests A/1/1 - Channel 0",
        "plate of tests A/1/1 - Channel 1",
    ]
    assert chosen.dataset is not None
    assert chosen.dataset.path == f"{plate.place}/A/1/1"
    pixel = np.asarray(chosen.layers[1][0])  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.squeeze(pixel), pixels((2, 6, 8), seed=1)[1])


def test_a_field_that_was_described_opens_alike(plate: Node) -> None:
    field = plate.children()[0].described().children()[0].described().children()[1]
    (chosen,) = nodes_to_layers([field.described()])
    assert names(chosen)[0] == "plate of tests A/1/1 - Channel 0"


def test_a_well_is_a_mosaic_of_its_fields(plate: Node) -> None:
    well = plate.children()[0].children()[1]
    (chosen,) = nodes_to_layers([well])
    assert names(chosen) == [
        "plate of tests A/2 - Channel 0",
        "plate of tests A/2 - Channel 1",
    ]
    assert chosen.dataset is not None and len(chosen.dataset.images) == 1
    shape = chosen.dataset.images[0].levels[0].shape
    assert shape[-1] >= 16  # two fields of 8 in a row


def test_wells_of_one_plate_share_a_mosaic(plate: Node) -> None:
    row, other = plate.children()
    chosen = nodes_to_layers([row.children()[0], other.children()[0]])
    assert len(chosen) == 1 and len(names(chosen[0])) == 2
    (whole,) = nodes_to_layers([plate])
    assert names(whole) == ["Channel 0", "Channel 1"]
    (one,) = nodes_to_layers([row])
    assert names(one)[0] == "plate of tests A - Channel 0"


def test_a_plate_without_mosaic(plate: Node) -> None:
    (chosen,) = nodes_to_layers([plate], "slider", mosaics=False)
    assert chosen.dataset is not None and len(chosen.dataset.images) == 5
    origin = origin_of(chosen.layers[0][1]["metadata"])  # type: ignore[arg-type]
    assert origin is not None and origin.shared


def test_fields_of_several_wells_do_not_cover_each_other(plate: Node) -> None:
    wells = [well for row in plate.children() for well in row.children()]
    fields = [well.children()[0] for well in wells]
    (chosen,) = nodes_to_layers(fields, "tiles")
    assert len(names(chosen)) == 6
    places = {
        tuple(layer[1]["translate"])[-2:]  # type: ignore[arg-type]
        for layer in chosen.layers
    }
    assert len(places) == 3


def test_a_label_comes_with_its_image(tmp_path: Path) -> None:
    write_image(tmp_path / "i.zarr", "cyx", pixels((2, 8, 8)))
    block = {"ome": {"version": "0.5", "labels": ["a", "b"]}}
    set_attributes(tmp_path / "i.zarr/labels", block, 3)
    for name in "ab":
        masks = np.ones((8, 8), "u2")
        write_image(tmp_path / "i.zarr/labels" / name, "yx", masks)
    label = open_tree(tmp_path / "i.zarr").children()[-1].children()[1]
    (chosen,) = nodes_to_layers([label])
    assert names(chosen) == ["Channel 0", "Channel 1"]
    (name,) = names(chosen, "labels")
    assert "b" in str(name)


def test_images_of_ndtiff(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for position in range(3):
            writer.put({"position": position}, np.full((8, 8), position, "u2"))
    root = open_tree(tmp_path / "run")
    (whole,) = nodes_to_layers([root])
    assert len(names(whole)) == 3
    (one,) = nodes_to_layers([root.children()[2]])
    assert names(one) == [root.children()[2].name]
    (two,) = nodes_to_layers(root.children()[:2], "slider")
    assert len(names(two)) == 1


def test_what_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="folder cannot be opened"):
        nodes_to_layers([Node("folder", "x", place=str(tmp_path))])


def test_side_by_side() -> None:
    images = [make_image(f"{n}", "yx", (6, 8)) for n in range(3)]
    moved = side_by_side(images)
    places = [[axis.translation for axis in image.axes] for image in moved]
    assert places == [[0, 0], [0, 8], [6, 0]]
    there = [
        make_image(f"{n}", "yx", (6, 8), translation={"x": 5.0 * n}) for n in range(2)
    ]
    assert side_by_side(there) == tuple(there)

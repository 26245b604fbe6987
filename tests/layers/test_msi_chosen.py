from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi_folder import write_imzml, write_scans, write_tissue

from napari_scope.errors import FormatError
from napari_scope.formats.msi import open_msi
from napari_scope.formats.tree import open_tree
from napari_scope.formats.tree_node import MSIPart
from napari_scope.layers.chosen import nodes_to_layers
from napari_scope.layers.msi import MSI_KEY, MSILayer
from napari_scope.layers.msi_chosen import msi_parts

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.layers import LayerData


def _names(layers: list[LayerData]) -> list[object]:
    return [layer[1]["name"] for layer in layers]


def _origin(layer: LayerData) -> MSILayer:
    metadata = layer[1]["metadata"]
    assert isinstance(metadata, dict)
    origin = metadata[MSI_KEY]
    assert isinstance(origin, MSILayer)
    return origin


def test_a_whole_file(tmp_path: Path) -> None:
    (chosen,) = nodes_to_layers([open_tree(write_imzml(tmp_path / "brain.imzML"))])
    assert _names(chosen.layers) == ["brain TIC", "brain m/z"]
    assert chosen.dataset is None and chosen.problems == ()


def test_one_data_set(tmp_path: Path) -> None:
    path = write_scans(tmp_path / "scans.mzML")
    opened = msi_parts([MSIPart(str(path), 1)])
    assert _names(opened.layers) == ["scans - FTMS ms2 TIC", "scans - FTMS ms2 m/z"]
    with open_msi(path) as reader:
        np.testing.assert_allclose(
            np.asarray(opened.layers[0][0]), reader.whole(1).tic_image()
        )
    # What is made of it later, in the Spectra dock, is of this data set, too.
    origin = _origin(opened.layers[0])
    assert len(origin.reader.data_sets) == 1 and origin["format"] == "mzml"


def test_a_region_that_is_chosen_twice_is_opened_once(tmp_path: Path) -> None:
    place = str(write_tissue(tmp_path))
    opened = msi_parts([MSIPart(place, 0, 1), MSIPart(place, 0, 1)])
    data = _origin(opened.layers[0]).data
    assert (len(data), data.pixels.duplicates) == (2, 0)


def test_a_file_whose_layers_cannot_be_made_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_scans(tmp_path / "scans.mzML")
    reader = open_msi(path)
    ended: list[None] = []
    close = reader.close_file
    monkeypatch.setattr(reader, "close_file", lambda: (ended.append(None), close()))

    def fail(*_: object, **__: object) -> None:
        raise FormatError("a spectrum is damaged")

    monkeypatch.setattr("napari_scope.formats.msi.open_msi", lambda _: reader)
    monkeypatch.setattr("napari_scope.layers.msi_build.reader_to_layers", fail)
    for part in (MSIPart(str(path)), MSIPart(str(path), 1)):
        with pytest.raises(FormatError, match="damaged"):
            msi_parts([part])
        assert ended
        ended.clear()


def test_a_region_lies_where_it_does_in_the_whole(tmp_path: Path) -> None:
    place = str(write_tissue(tmp_path))
    opened = msi_parts([MSIPart(place, 0, 1)])
    assert _names(opened.layers)[0] == "tissue Spot List - R01 TIC"
    assert np.shape(opened.layers[0][0]) == (1, 2)
    whole = msi_parts([MSIPart(place)])
    shift = np.subtract(
        opened.layers[0][1]["translate"], whole.layers[0][1]["translate"]
    )
    np.testing.assert_allclose(shift, (2, 4) * np.array(whole.layers[0][1]["scale"]))


def test_several_regions_are_one_image_and_keep_their_labels(tmp_path: Path) -> None:
    place = str(write_tissue(tmp_path))
    parts = [MSIPart(place, 0, 1), MSIPart(place, 0, 0), MSIPart(place, 0, 1)]
    opened = msi_parts(parts)
    assert [layer[2] for layer in opened.layers] == ["image", "image", "labels"]
    assert np.shape(opened.layers[0][0]) == (3, 6)


def test_who_chooses_a_data_set_means_all_of_it(tmp_path: Path) -> None:
    place = str(write_tissue(tmp_path))
    for parts in (
        [MSIPart(place, 0, 1), MSIPart(place, 0)],
        [MSIPart(place, 0), MSIPart(place, 0, 1)],
        [MSIPart(place, 0, 1), MSIPart(place)],
    ):
        assert np.shape(msi_parts(parts).layers[0][0]) == (3, 6)


def test_nodes_of_one_file_share_a_reader(tmp_path: Path) -> None:
    root = open_tree(write_scans(tmp_path / "scans.mzML"))
    (chosen,) = nodes_to_layers(root.children())
    assert len({id(_origin(layer).reader) for layer in chosen.layers}) == 1
    assert "scans - FTMS ms2 TIC" in _names(chosen.layers)


def test_a_file_that_has_changed_is_told(tmp_path: Path) -> None:
    place = str(write_tissue(tmp_path))
    for part in (MSIPart(place, 3), MSIPart(place, 0, 8)):
        with pytest.raises(FormatError, match="no "):
            msi_parts([part])

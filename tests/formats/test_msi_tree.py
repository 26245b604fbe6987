from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi_folder import ENTRIES, write_mixed, write_scans, write_tissue

from napari_scope.errors import FormatError
from napari_scope.formats.msi import PixelTable, Spectrum
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi_tree import _data_set, msi_tree, spectra_facts
from napari_scope.formats.tree import open_tree
from napari_scope.formats.tree_node import MSIPart

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_with_one_data_set_has_nothing_below_it(tmp_path: Path) -> None:
    folder = write_mixed(tmp_path / "mixed")
    root = open_tree(folder / "brain.ibd")
    assert (root.kind, root.name, root.children()) == ("msi", "brain.imzML", ())
    assert root.place == str(folder / "brain.imzML")
    assert root.can_open and root.load is None
    assert root.msi == MSIPart(str(folder / "brain.imzML"))
    facts = root.facts
    assert (facts.axes, facts.shape, facts.spectra) == (("y", "x"), (2, 3), 6)
    assert (facts.version, facts.mz, facts.dtype) == (
        "imzML",
        (100.0, 400.0),
        "float32",
    )
    assert facts.nbytes == (folder / "brain.ibd").stat().st_size
    assert facts.mz_words == "m/z 100 to 400"
    assert root.as_json()["mz"] == (100.0, 400.0)


def test_data_sets_are_listed(tmp_path: Path) -> None:
    root = msi_tree(write_scans(tmp_path / "scans.mzML"))
    assert [one.name for one in root.children()] == ["FTMS ms1", "FTMS ms2"]
    assert (root.facts.count, root.facts.spectra) == (2, 8)
    assert root.facts.mz == (105.0, 290.0)
    second = root.children()[1]
    assert second.msi == MSIPart(root.place, 1)
    assert (second.facts.shape, second.facts.mz) == ((2, 2), (110.0, 290.0))
    assert second.path == "1" and second.can_open


def test_a_data_set_of_nothing_is_told_and_not_opened() -> None:
    axis = np.linspace(100, 200, 5)
    none = MemorySpectra.over(axis, np.zeros((0, 5)), PixelTable.of([], []), "none")
    node = _data_set("a.h5", none, 3)
    assert (node.msi, node.problem) == (None, "it has no spectrum")
    assert not node.can_open
    # One m/z is no range.
    one = Spectrum(np.array([500.0]), np.ones(1))
    assert spectra_facts(MemorySpectra("", PixelTable.of([0], [0]), [one])).mz == ()


def test_regions_are_listed(tmp_path: Path) -> None:
    root = msi_tree(write_tissue(tmp_path))
    assert root.facts.regions == 2
    first, second = root.children()
    assert (first.kind, first.facts.shape, first.facts.spectra) == ("region", (2, 2), 3)
    assert (second.facts.shape, second.facts.spectra) == ((1, 2), 2)
    assert second.msi == MSIPart(root.place, 0, 1)


def test_a_folder_lists_each_acquisition_once(tmp_path: Path) -> None:
    root = open_tree(write_mixed(tmp_path / "mixed"))
    assert root.kind == "folder"
    assert [child.name for child in root.children()] == list(ENTRIES)
    for child in root.children():
        assert (child.msi is not None) == (ENTRIES[child.name] == "msi")
        described = child.described()
        assert described.name == child.name and not described.problem


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    folder = write_mixed(tmp_path / "mixed")
    (folder / "brain.ibd").unlink()
    with pytest.raises(FormatError, match="missing"):
        msi_tree(folder / "brain.imzML")
    child = open_tree(folder).children()[0].described()
    assert child.name == "brain.imzML" and "missing" in child.problem

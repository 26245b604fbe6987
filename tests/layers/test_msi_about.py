from __future__ import annotations

from typing import TYPE_CHECKING

from tests.formats.msi_folder import write_imzml, write_tissue
from tests.layers.msi_readers import (
    each_its_own,
    memory_reader,
    over_one_axis,
    sized,
)

from napari_scope.formats.msi import MetadataValue, open_msi
from napari_scope.layers.msi import MSILayer
from napari_scope.layers.msi_about import about

if TYPE_CHECKING:
    from pathlib import Path


def test_facts_of_spectra_over_one_axis() -> None:
    notes = {"voltage": MetadataValue(2.5, "kV"), "note": MetadataValue("fresh")}
    spectra = over_one_axis(pixel_size=sized(), is_profile=True, metadata=notes)
    reader = memory_reader(spectra)
    reader.problems = ("one is damaged", "another too")
    found = about(MSILayer(reader, 0))
    assert found["Problems"] == {"1": "one is damaged", "2": "another too"}
    assert found["Facts"] == {
        "file": "/data/brain.mem",
        "format": "invented",
        "data set": "ms1",
        "spectra": 5,
        "pixels": "3 x 2",
        "m/z range": "100 to 110",
        "m/z axis": "common, 4 values",
        "spectra are": "profiles",
        "type of the intensities": "uint16",
        "pixel size (µm)": "20 x 10",
    }
    assert found["Data set"] == {"voltage": "2.5 kV", "note": "fresh"}
    regions = found["Regions"]
    assert isinstance(regions, dict)
    assert regions["left"] == "3 spectra, 2 x 2 pixels at (4, 7)"
    assert list(found) == ["Problems", "Facts", "Data set", "Regions"]


def test_facts_of_spectra_with_axes_of_their_own() -> None:
    facts = about(MSILayer(memory_reader(each_its_own(is_profile=False)), 0))["Facts"]
    assert isinstance(facts, dict)
    assert facts["m/z axis"] == "one of each spectrum"
    assert facts["spectra are"] == "peaks"
    assert "pixel size (µm)" not in facts


def test_facts_of_files(tmp_path: Path) -> None:
    path = write_imzml(tmp_path / "brain.imzML")
    with open_msi(path) as reader:
        found = about(MSILayer(reader, 0))
        facts = found["Facts"]
        assert isinstance(facts, dict)
        assert facts["bytes"] == type(reader).size(path)
        assert "Regions" not in found  # one is the whole
    with open_msi(write_tissue(tmp_path)) as reader:
        regions = about(MSILayer(reader, 0))["Regions"]
        assert isinstance(regions, dict) and len(regions) == 2

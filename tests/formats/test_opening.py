from __future__ import annotations

from pathlib import Path

import pytest
from tests.formats.msi_folder import write_imzml
from tests.formats.ngff.ngff_stores import pixels, write_image

from napari_scope.errors import FormatError
from napari_scope.formats import open_dataset

DATA = Path(__file__).parents[3] / "shared" / "data" / "ndtiff"


def test_ome_zarr_by_str_and_path(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", "yx", pixels((4, 4)))
    assert open_dataset(tmp_path / "a.zarr").format == "ome-zarr"
    assert open_dataset(str(tmp_path / "a.zarr" / "zarr.json")).format == "ome-zarr"


@pytest.mark.skipif(
    not DATA.is_dir(), reason="the NDTiff samples (../shared/data/ndtiff) are not here"
)
def test_ndtiff() -> None:
    dataset = open_dataset(DATA / "v3" / "ndtiff3.2_monochrome")
    assert dataset.format == "ndtiff"
    assert dataset.images


def test_what_was_looked_for_is_said(tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        open_dataset(tmp_path)
    for part in ("OME-Zarr", "zarr.json", ".zattrs", "NDTiff.index", str(tmp_path)):
        assert part in str(caught.value)


def test_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file or folder"):
        open_dataset(tmp_path / "gone")


def test_mass_spectra_are_opened_elsewhere(tmp_path: Path) -> None:
    path = write_imzml(tmp_path / "a.imzML")
    for one in (path, path.with_suffix(".ibd"), tmp_path):
        with pytest.raises(FormatError, match="open_msi"):
            open_dataset(one)

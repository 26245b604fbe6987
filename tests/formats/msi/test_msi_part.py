"""Some data sets, or some regions, as a reader of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi_folder import write_scans, write_tissue

from napari_scope.errors import DatasetClosedError
from napari_scope.formats.msi import available_formats, open_msi
from napari_scope.formats.msi.part import PartReader

if TYPE_CHECKING:
    from pathlib import Path


def test_one_data_set_of_two(tmp_path: Path) -> None:
    path = write_scans(tmp_path / "scans.mzML")
    with open_msi(path) as whole, PartReader(open_msi(path), [(1, None)]) as part:
        assert part.get_number_of_datasets() == 1
        assert part.format_name() == "mzml" and part.basename == str(path)
        assert part.get_instrument_metadata() == whole.get_instrument_metadata()
        assert part.get_dataset_dependencies() == []
        np.testing.assert_array_equal(
            part.data.ion_image(150), whole.whole(1).ion_image(150)
        )


def test_some_regions(tmp_path: Path) -> None:
    path = write_tissue(tmp_path)
    with open_msi(path) as whole, PartReader(open_msi(path), [(0, [1])]) as part:
        assert part.shape[:2] == (2, 1)
        assert part.data.pixels.origin == (4, 2, 0)
        expected = whole.whole(0).of_regions([1]).tic_image()
        np.testing.assert_array_equal(part.data.tic_image(), expected)
        np.testing.assert_array_equal(
            part.data.spectrum_at(1, 0).intensities,
            whole.whole(0).spectrum_at(5, 2).intensities,
        )


def test_it_is_no_format(tmp_path: Path) -> None:
    assert "part" not in available_formats()
    assert not PartReader.is_valid_dataset(write_tissue(tmp_path))


@pytest.mark.parametrize("parts", [[(7, None)], [(-1, None)], [(0, [9])]])
def test_what_is_not_there_closes_the_file(
    tmp_path: Path, parts: list[tuple[int, list[int] | None]]
) -> None:
    whole = open_msi(write_tissue(tmp_path))
    with pytest.raises(ValueError, match="no "):
        PartReader(whole, parts)
    with pytest.raises(DatasetClosedError):
        _ = whole.data


def test_it_closes_the_whole(tmp_path: Path) -> None:
    whole = open_msi(write_tissue(tmp_path))
    PartReader(whole, [(0, None)]).close_file()
    with pytest.raises(DatasetClosedError):
        _ = whole.data

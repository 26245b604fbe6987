from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi.imzml_files import One, Wild
from tests.formats.msi_folder import write_imzml, write_scans, write_tissue

from napari_scope.errors import FormatError
from napari_scope.formats.msi import PixelTable, open_msi
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.layers import msi_overview
from napari_scope.layers.msi_overview import msi_picture
from napari_scope.layers.overview import look_into, thumbnail

if TYPE_CHECKING:
    from pathlib import Path


def test_facts_and_picture(tmp_path: Path) -> None:
    overview, pixels = look_into(write_imzml(tmp_path / "a.imzML"), 30)
    assert overview.shape == "y 2 × x 3, m/z 100 to 400"
    assert (overview.version, overview.kind, overview.finished) == (
        "imzML",
        "msi",
        True,
    )
    assert overview.nbytes > 0 and not overview.problem
    assert pixels is not None and pixels.shape == (20, 30, 3)


def test_data_sets_and_regions_are_told(tmp_path: Path) -> None:
    overview, _ = look_into(write_scans(tmp_path / "a.mzML"))
    assert overview.shape == "y 2 × x 2, 2 data sets, m/z 105 to 290"
    assert overview.channels == ("FTMS ms1", "FTMS ms2") and overview.images == 2
    overview, pixels = look_into(write_tissue(tmp_path))
    assert ", 2 regions, m/z" in overview.shape
    assert pixels is not None


def test_the_brightest_pixel_is_yellow_and_a_missing_one_black(tmp_path: Path) -> None:
    mz = np.array([100.0, 200.0])
    spectra = [One(mz, np.array([0, 5 * k]), k + 1, 1) for k in range(4) if k != 2]
    path = Wild(spectra).write(tmp_path / "a.imzML")
    pixels = thumbnail(path, 4)
    assert pixels.shape == (1, 4, 3)
    assert tuple(pixels[0, 0]) == (68, 1, 84)  # a spectrum of zeros
    assert tuple(pixels[0, 2]) == (0, 0, 0)  # no spectrum
    assert pixels[0, 3, 0] > 200 and pixels[0, 3, 2] < 60


def test_of_a_large_file_a_grid_of_pixels_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_imzml(tmp_path / "a.imzML", n=20 * 20, width=20)
    monkeypatch.setattr(msi_overview, "_SMALL", 100)
    monkeypatch.setattr(msi_overview, "_MOST_SPECTRA", 16)
    with open_msi(path) as reader:
        found = msi_overview._sums(reader.data_sets[0], 1000, 128)
        expected = reader.data.tic_image()[::5, ::5]
    np.testing.assert_allclose(found, expected)
    assert found.shape == (4, 4)


def test_of_a_volume_the_plane_in_the_middle_is_shown() -> None:
    # Planes 7, 10 and 11, of 5; far from where the image begins.
    places = [(10, 20, 7), (11, 20, 10), (12, 21, 10), (10, 20, 11), (12, 20, 11)]
    table = PixelTable.of(*np.array(places).T)
    values = np.arange(1.0, 6)[:, np.newaxis] * [1, 2]
    spectra = MemorySpectra.over(np.array([100.0, 200.0]), values, table)
    found = msi_overview._sums(spectra, None, 128)
    nan = np.nan
    np.testing.assert_array_equal(found, [[nan, 6, nan], [nan, nan, 9]])


def test_one_very_bright_pixel_does_not_make_the_others_dark() -> None:
    image = np.ones((20, 20))
    image[3, 4], image[0, 0] = 1e6, 0
    painted = msi_overview._painted(image)
    assert painted is not None
    assert tuple(painted[5, 5]) == tuple(painted[3, 4]) == (253, 231, 37)
    assert tuple(painted[0, 0]) == (68, 1, 84)


def test_sums_that_the_file_tells_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mz = np.array([100.0, 200.0])
    spectra = [One(mz, np.array([1, k]), k + 1, 1, total=1.0 + k) for k in range(8)]
    path = Wild(spectra).write(tmp_path / "a.imzML")
    monkeypatch.setattr(msi_overview, "_SMALL", 0)
    monkeypatch.setattr(msi_overview, "_MOST_SPECTRA", 1)
    with open_msi(path) as reader:
        assert reader.data_sets[0].totals is not None
        found = msi_overview._sums(reader.data_sets[0], 1000, 128)
    np.testing.assert_allclose(found, [np.arange(8) + 1.0])


def test_damaged_spectra_leave_the_facts(tmp_path: Path) -> None:
    path = write_imzml(tmp_path / "a.imzML")
    path.with_suffix(".ibd").unlink()
    overview, pixels = look_into(path)
    assert "missing" in overview.problem and pixels is None
    with pytest.raises(FormatError):
        msi_picture(str(path), 64)

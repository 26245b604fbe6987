"""Spectra that are stored in several ways in one file, or that have no values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi.imzml_files import over_one_axis, some
from tests.formats.msi.imzml_reading import assert_holds, opened

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml import mixed

if TYPE_CHECKING:
    from pathlib import Path


def test_types_that_differ_between_spectra(tmp_path: Path) -> None:
    spectra = some(9)
    for number, stored in ((1, "f8"), (4, "i4"), (5, "f8")):
        spectra[number].intensity_type = stored
    spectra[7].mz_type = "f4"
    spectra[8].packed = True
    with opened(tmp_path, spectra) as reader:
        assert reader.problems == ()
        assert_holds(reader, spectra)
        found = reader.data.spectra
        assert (found.intensity_dtype, found.mz_dtype) == (np.dtype("f8"),) * 2
        assert found.common_mz is None
        low, high = found.mz_range()
        assert low == min(one.mz.min() for one in spectra)
        assert high == max(one.mz.max() for one in spectra)
        numbers = np.array([8, 1, 0])
        (block,) = found.blocks(numbers)
        assert block.numbers.tolist() == [8, 1, 0]
        np.testing.assert_array_equal(block.spectrum(0).mz, spectra[8].mz)
        assert found.window(0, 9999, "max", numbers).tolist() == [
            spectra[k].intensities.max() for k in numbers
        ]


def test_types_that_differ_over_one_axis(tmp_path: Path) -> None:
    spectra = over_one_axis()
    spectra[3].intensity_type = "f8"
    spectra[3].mz_type = "f8"
    with opened(tmp_path, spectra, continuous=True) as reader:
        assert reader.problems == ()
        assert_holds(reader, spectra)
        np.testing.assert_array_equal(reader.mz, spectra[0].mz)
        assert reader[0, 1, 2] == spectra[3].intensities[2]


def test_parts_of_which_each_has_an_axis_of_its_own(tmp_path: Path) -> None:
    spectra = some(2, bins=9)
    spectra[1].intensity_type = "f8"
    with opened(tmp_path, spectra) as reader:
        found = reader.data.spectra
        assert found.common_mz is None
        assert_holds(reader, spectra)
        # Types hold those of all parts, whichever part a spectrum is of.
        assert found.spectrum(0).intensities.dtype == np.dtype("f8")


@pytest.mark.parametrize("most", [1, 2])
def test_blocks_of_few_spectra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(mixed, "_MOST", most)
    spectra = some(5)
    spectra[1].intensity_type = spectra[2].intensity_type = "f8"
    with opened(tmp_path, spectra) as reader:
        assert_holds(reader, spectra)
        blocks = list(reader.data.spectra.blocks(np.array([4, 2, 0])))
        assert [n for block in blocks for n in block.numbers.tolist()] == [4, 2, 0]
        assert max(len(block) for block in blocks) == most


@pytest.mark.parametrize("continuous", [False, True])
def test_empty_spectra(tmp_path: Path, continuous: bool) -> None:
    spectra = over_one_axis() if continuous else some()
    spectra[1].arrays = False
    spectra[4].instead = {"intensity_length": "0", "intensity_encoded": "0"}
    if not continuous:
        spectra[4].instead |= {"mz_length": "0", "mz_encoded": "0"}
    with opened(tmp_path, spectra, continuous=continuous) as reader:
        assert_holds(reader, spectra, but=(1, 4))
        assert reader.problems == ()
        assert (reader.data.spectra.common_mz is not None) == continuous


def test_nothing_but_empty_spectra(tmp_path: Path) -> None:
    spectra = some(3)
    for one in spectra:
        one.mz, one.intensities = one.mz[:0], one.intensities[:0]
    with opened(tmp_path, spectra) as reader:
        assert_holds(reader, spectra)
        assert reader.data.tic_image().sum() == 0
    for one in spectra:
        one.arrays = False
    with pytest.raises(FormatError, match="m/z arrays are of a type that is not told"):
        opened(tmp_path, spectra)


def test_no_spectra(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="there is no spectrum"):
        opened(tmp_path, [])

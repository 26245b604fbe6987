"""Opens files of the tests, and compares what is read with what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tests.formats.msi.imzml_files import One, Wild

from napari_scope.formats.msi.imzml import ImzMLReader

if TYPE_CHECKING:
    from pathlib import Path


def opened(folder: Path, spectra: list[One], **how: Any) -> ImzMLReader:
    return ImzMLReader(Wild(spectra, **how).write(folder / "a.imzML"))


def assert_holds(
    reader: ImzMLReader, spectra: list[One], but: tuple[int, ...] = ()
) -> None:
    """Check all spectra; those named are empty."""
    found = reader.data.spectra
    assert len(found) == len(spectra)
    blocks = list(found.blocks())
    each = [block.spectrum(k) for block in blocks for k in range(len(block))]
    for number, one in enumerate(spectra):
        n = 0 if number in but else len(one.mz)
        mz, values = found.spectrum(number)
        np.testing.assert_array_equal(mz, one.mz[:n])
        np.testing.assert_array_equal(values, one.intensities[:n])
        if found.common_mz is None:
            np.testing.assert_array_equal(each[number].mz, mz)
            np.testing.assert_array_equal(each[number].intensities, values)
        else:
            whole = np.zeros(len(found.common_mz))
            whole[:n] = one.intensities[:n]
            np.testing.assert_array_equal(each[number].intensities, whole)
    sums = [
        0 if k in but else one.intensities[(one.mz >= 200) & (one.mz <= 700)].sum()
        for k, one in enumerate(spectra)
    ]
    np.testing.assert_allclose(found.window(200, 700), sums)


def only(reader: ImzMLReader) -> str:
    (problem,) = reader.problems
    return problem

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi.imzml_files import some
from tests.formats.msi.imzml_reading import assert_holds, opened

from napari_scope.formats.msi.imzml import gather
from napari_scope.formats.msi.imzml.arrays import Arrays
from napari_scope.formats.msi.imzml.gather import flatten, runs, span_of

if TYPE_CHECKING:
    from pathlib import Path

F4, F8 = np.dtype("<f4"), np.dtype("<f8")


def arrays(offset: list[int], length: list[int], dtype: np.dtype[np.generic]) -> Arrays:
    numbers = np.array(length)
    return Arrays(np.array(offset), numbers * dtype.itemsize, numbers, dtype, "none")


def test_runs_are_as_long_as_may_be_read_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gather, "_PIECE", 48)
    length = [1, 2, 1, 9, 1, 1]  # 12 bytes of each value
    mz, intensity = arrays([0] * 6, length, F8), arrays([0] * 6, length, F4)
    found = list(runs(mz, intensity, np.arange(6)))
    assert found == [slice(0, 3), slice(3, 4), slice(4, 6)]
    assert list(runs(mz, intensity, np.array([3, 4]))) == [slice(0, 1), slice(1, 2)]
    assert list(runs(mz, intensity, np.arange(0))) == []


def test_where_the_arrays_of_some_spectra_lie() -> None:
    mz = arrays([100, 148, 500], [2, 3, 1], F8)
    intensity = arrays([116, 172, 492], [2, 3, 1], F4)
    assert span_of(mz, intensity, np.array([0])) == (100, 124)
    assert span_of(mz, intensity, np.array([1, 0])) == (100, 184)
    # The intensities may be the first, and the m/z values the last.
    assert span_of(mz, intensity, np.array([2])) == (492, 508)
    far = arrays([1 << 20], [1], F8), arrays([0], [1], F4)
    assert span_of(*far, np.array([0])) is None
    # A little waste is read with the others, whatever it is a part of.
    near = arrays([1 << 16], [1], F8), arrays([0], [1], F4)
    assert span_of(*near, np.array([0])) == (0, (1 << 16) + 8)


def test_arrays_one_behind_the_other() -> None:
    values = np.arange(10, dtype=F4)
    flat = np.zeros(5, F4)
    flatten(values.view(np.uint8), np.array([24, 4]), np.array([2, 3]), flat)
    assert flat.tolist() == [6, 7, 1, 2, 3]


@pytest.mark.parametrize("piece", [1, 100, 400])
def test_files_that_are_read_in_several_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(gather, "_PIECE", piece)
    spectra = some(20, bins=9)
    spectra[7].mz, spectra[7].intensities = spectra[7].mz[:0], spectra[7].mz[:0]
    with opened(tmp_path, spectra) as reader:
        assert_holds(reader, spectra)
        numbers = np.array([19, 3, 7, 0, 4])
        window = reader.data.spectra.window(100, 600, "max", numbers)
        assert window.tolist() == [
            max((v for m, v in zip(spectra[k].mz, spectra[k].intensities, strict=True)
                 if 100 <= m <= 600), default=0)
            for k in numbers
        ]  # fmt: skip

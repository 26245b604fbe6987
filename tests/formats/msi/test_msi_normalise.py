from __future__ import annotations

import numpy as np
import pytest

from napari_scope.errors import CancelledError
from napari_scope.formats.msi import MSIData, PixelTable, Reference, Spectrum
from napari_scope.formats.msi.hotspots import clip_hotspots
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.normalise import factors_of, norms

OF_EACH = [
    ([100.0, 200.0, 300.0], [3.0, 0.0, 5.0]),
    ([], []),
    ([100.0, 250.0], [4.0, 0.0]),
    ([150.0], [0.0]),
]


@pytest.fixture(params=["ragged", "common"])
def spectra(request: pytest.FixtureRequest) -> MemorySpectra:
    table = PixelTable.of(range(4), [0] * 4)
    if request.param == "ragged":
        each = [Spectrum(np.array(m), np.array(v, "f4")) for m, v in OF_EACH]
        return MemorySpectra("", table, each)
    axis = [100.0, 150.0, 200.0, 250.0, 300.0]
    rows = np.zeros((4, 5), "f4")
    for row, (mz, values) in zip(rows, OF_EACH, strict=True):
        row[np.searchsorted(axis, mz)] = values
    return MemorySpectra.over(axis, rows, table)


def test_norms(spectra: MemorySpectra) -> None:
    assert norms(spectra, "none").tolist() == [1, 1, 1, 1]
    assert norms(spectra, "tic").tolist() == [8, 0, 4, 0]
    assert norms(spectra, "median").tolist() == [4, 0, 4, 0]
    assert norms(spectra, Reference(100, 0.1)).tolist() == [3, 0, 4, 0]
    points = [5, 5, 5, 5] if spectra.common_mz is not None else [3, 1, 2, 1]
    expected = np.sqrt(np.array([34, 0, 16, 0]) / points)
    assert norms(spectra, "rms") == pytest.approx(expected)
    assert norms(spectra, "tic", np.array([2, 0])).tolist() == [4, 8]
    with pytest.raises(ValueError, match="no normalisation 'max'; there are none, tic"):
        norms(spectra, "max")  # type: ignore[arg-type]
    with pytest.raises(CancelledError):
        norms(spectra, "rms", cancelled=lambda: True)


def test_totals_of_the_file_may_have_gaps(spectra: MemorySpectra) -> None:
    spectra.totals = np.array([1.0, np.nan, 2.0, 0.0])
    assert norms(spectra, "tic").tolist() == [1, 0, 2, 0]
    assert norms(spectra, "tic", np.array([2])).tolist() == [2]


def test_an_image_is_scaled_and_has_no_nan(spectra: MemorySpectra) -> None:
    data = MSIData(spectra)
    image = data.ion_image(300, 1, normalise="tic")
    assert image.tolist() == [[5 * 6 / 8, 0, 0, 0]]
    assert data.ion_image(100, 1, normalise=Reference(100, 1)).tolist() == [
        [3.5, 0, 3.5, 0]
    ]
    assert data.factors("tic") is data.factors("tic")
    assert factors_of(np.zeros(3)).tolist() == [0, 0, 0]


def test_hotspots_are_clipped() -> None:
    image = np.array([[0, 1, 2], [3, 4, 1000]], "f4")
    clipped = clip_hotspots(image, 0.75)
    assert clipped.tolist() == [[0, 1, 2], [3, 4, 4]]
    assert clipped.dtype == image.dtype
    assert clip_hotspots(image, 1).tolist() == image.tolist()
    assert clip_hotspots(np.zeros(3), 0.5).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="from 0 to 1"):
        clip_hotspots(image, 99)


def test_an_image_without_hotspots(spectra: MemorySpectra) -> None:
    data = MSIData(spectra)
    assert data.ion_image(100, 0.1, hotspot=0.0).tolist() == [[3, 0, 3, 0]]


def test_a_reference_comes_from_the_index_and_few_are_kept() -> None:
    table = PixelTable.of(range(4), [0] * 4)
    each = [Spectrum(np.array(m), np.array(v, "f4")) for m, v in OF_EACH]
    spectra = MemorySpectra("", table, each)
    data = MSIData(spectra)
    expected = data.factors(Reference(100, 1)).tolist()
    data = MSIData(spectra)
    data.prepare_index()
    spectra.blocks = None  # type: ignore[method-assign, assignment]
    assert data.factors(Reference(100, 1)).tolist() == expected
    first = data.factors(Reference(100, 1))
    for mz in range(20):
        data.factors(Reference(100 + mz, 1))
    assert len(data._factors) == 8
    assert data.factors(Reference(100, 1)) is not first
    assert data.factors(Reference(100, 1)).tolist() == expected


def test_medians_are_those_of_numpy() -> None:
    random = np.random.default_rng(0)
    rows = random.integers(-3, 9, (40, 7)).astype("f4")
    table = PixelTable.of(range(40), [0] * 40)
    for n in range(1, 8):
        memory = MemorySpectra.over(np.arange(n) + 1.0, rows[:, :n], table)
        found = norms(memory, "median")
        for row, value in zip(rows[:, :n], found, strict=True):
            above = row[row > 0]
            assert value == (np.median(above) if len(above) else 0)
    counts = MemorySpectra.over([1.0, 2.0], np.full((40, 2), 65535, "u2"), table)
    assert norms(counts, "median").tolist() == [65535] * 40


def test_a_spectrum_of_infinite_height_spoils_no_other() -> None:
    assert factors_of(np.array([2.0, np.inf, 4.0, np.nan])).tolist() == [
        1.5,
        0,
        0.75,
        0,
    ]
    image = np.array([1, 2, 3, np.inf], "f4")
    assert clip_hotspots(image, 0.5).tolist() == [1, 2, 2, 2]
    table = PixelTable.of(range(2), [0] * 2)
    huge = MemorySpectra.over([1.0, 2.0], [[1e308, 1e308], [1.0, 1.0]], table)
    with np.errstate(over="ignore"):
        assert np.isfinite(MSIData(huge).tic_image()).all()

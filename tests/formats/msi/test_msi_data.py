from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.msi import msi_brute as brute

from napari_scope.formats.msi import MSIData, PixelTable, Spectrum, cube, mz_window
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.windows import edges_in

MZ = np.array([100.0, 101.0, 102.5, 104.0])


def _common(z: list[int] | None = None) -> MemorySpectra:
    """Return five spectra on a grid of 3 x 2, one pixel of which has none."""
    x, y = [3, 4, 5, 3, 5], [1, 1, 1, 2, 2]
    values = np.arange(20, dtype="u2").reshape(5, 4) + 1
    table = PixelTable.of(x, y, z, [0, 0, 1, 0, 1])
    return MemorySpectra.over(MZ, values, table)


def _cube() -> Any:
    cube = np.zeros((3, 2, 4), "u2")
    for number, (x, y) in enumerate([(0, 0), (1, 0), (2, 0), (0, 1), (2, 1)]):
        cube[x, y] = np.arange(4) + 4 * number + 1
    return cube


def _ragged() -> tuple[MemorySpectra, list[Spectrum]]:
    spectra = [
        Spectrum(np.array(mz), np.array(values, "f4"))
        for mz, values in (
            ([100.0, 100.4, 250.0], [1, 2, 4]),
            ([], []),
            ([100.2], [8]),
        )
    ]
    return MemorySpectra("", PixelTable.of([1, 2, 1], [1, 1, 2]), spectra), spectra


axis_index = st.one_of(
    st.integers(-4, 4), st.slices(4), st.just(Ellipsis), st.lists(st.integers(-2, 1))
)


@given(st.lists(axis_index, max_size=4))
def test_slices_are_those_of_numpy(index: list[Any]) -> None:
    data, whole = MSIData(_common()), _cube()
    if sum(isinstance(part, list) for part in index) > 1:
        with pytest.raises(IndexError):
            data[tuple(index)]
        return
    lists = [i for i, part in enumerate(index) if isinstance(part, list)]
    # numpy moves the axis of a list in front when an integer stands beside it.
    pointwise = lists and any(isinstance(part, int) for part in index)
    key = tuple(
        np.array(part, np.int64) if isinstance(part, list) else part for part in index
    )
    try:
        expected = whole[key]
    except IndexError:
        with pytest.raises(IndexError):
            data[tuple(index)]
        return
    found = data[tuple(index)]
    if not pointwise:
        assert found.dtype == whole.dtype
        assert found.tolist() == expected.tolist()
    else:
        assert sorted(found.ravel()) == sorted(expected.ravel())


def test_indices_that_mean_nothing() -> None:
    data = MSIData(_common())
    for index in (1.5, (0, 0, 0, 0), "a", (..., ...), (5,), [[0]], None):
        with pytest.raises(IndexError):
            data[index]


def test_a_mask_on_an_axis() -> None:
    wanted = np.array([False, True, True, False])
    found = MSIData(_common())[:, :, wanted]
    assert found.tolist() == _cube()[:, :, wanted].tolist()


def test_a_volume_has_four_axes() -> None:
    data = MSIData(_common(z=[0, 0, 0, 1, 1]))
    assert data.shape == (3, 2, 2, 4)
    assert data[0, 1, 1].tolist() == [13, 14, 15, 16]
    assert data[0, 1, 0].tolist() == [0] * 4
    assert data.tic_image().shape == (2, 2, 3)
    places = [place for place, _ in data.spectrum_iter()]
    assert places[-1] == (2, 1, 1)


def test_ion_images_of_peaks() -> None:
    memory, spectra = _ragged()
    data = MSIData(memory)
    for how in ("sum", "max", "mean"):
        expected = brute.image(
            brute.window(spectra, 100.0, 100.5, how), [1, 2, 1], [1, 1, 2]
        )
        assert data.ion_image(100.25, 0.25, how=how).tolist() == expected.tolist()  # type: ignore[arg-type]
    assert data.tic_image().tolist() == [[7, 0], [8, 0]]


def test_the_cube_of_peaks_has_all_of_them() -> None:
    memory, _ = _ragged()
    data = MSIData(memory)
    cube = data[:]
    assert cube.shape == data.shape == (2, 2, len(data.mz))
    assert cube.sum(axis=2).T.tolist() == data.tic_image().tolist()
    bins = np.flatnonzero(cube.sum(axis=(0, 1)))
    assert np.allclose(data.mz[bins], [100.0, 100.2, 100.4, 250.0], rtol=20e-6)
    for index in bins:
        assert data[:, :, int(index)].tolist() == cube[:, :, index].tolist()
    for (x, y), values in data.spectrum_iter():
        assert values.tolist() == cube[x, y].tolist()


def test_profiles_are_interpolated_at_even_steps() -> None:
    spectra = [
        Spectrum(np.array([10.0, 10.5, 12.0]), np.array([0, 4, 1], "u2")),
        Spectrum(np.array([10.0, 12.0]), np.array([2, 4], "u2")),
    ]
    table = PixelTable.of([0, 1], [0, 0])
    data = MSIData(MemorySpectra("", table, spectra, is_profile=True))
    assert data.mz.tolist() == [10, 10.5, 11, 11.5, 12]
    assert data[0, 0].tolist() == [0, 4, 3, 2, 1]
    assert data[:, 0, 1].tolist() == [4, 2.5]
    assert data[1, 0, ::2].tolist() == [2, 3, 4]


def test_the_spectrum_of_a_pixel_is_that_of_the_file() -> None:
    memory, spectra = _ragged()
    data = MSIData(memory)
    assert data.spectrum_at(0, 1).mz.tolist() == spectra[2].mz.tolist()
    assert len(data.spectrum_at(1, 1).mz) == 0
    with pytest.raises(IndexError):
        data.spectrum_at(2, 0)


def test_regions_act_as_if_they_were_all() -> None:
    whole = MSIData(_common())
    right = whole.of_regions([1])
    assert right.shape == (1, 2, 4)
    assert right[:].tolist() == _cube()[2:].tolist()
    assert [place for place, _ in right.spectrum_iter()] == [(0, 0), (0, 1)]
    assert right.spectrum_at(0, 1).intensities.tolist() == [17, 18, 19, 20]
    assert right.tic_image().tolist() == [[9 + 10 + 11 + 12], [17 + 18 + 19 + 20]]
    both = whole.of_regions([0, 1])
    assert both[:].tolist() == whole[:].tolist()
    assert right.of_regions(None).shape == whole.shape


def test_totals_that_the_file_tells_are_taken() -> None:
    spectra = _common()
    spectra.totals = np.arange(5.0)
    assert MSIData(spectra).tic_image().tolist() == [[0, 1, 2], [3, 0, 4]]
    assert MSIData(spectra).of_regions([1]).totals().tolist() == [2, 4]


@given(
    st.floats(0, 1e38), st.floats(0, 1e38), st.lists(st.floats(0, 2.0**120, width=32))
)
def test_a_window_holds_the_same_values_in_any_type(
    low: float, high: float, more: list[float]
) -> None:
    for value in (low, high):
        near = np.float32(value)
        more += [float(near), float(np.nextafter(near, np.float32(0)))]
    mz = np.array(more, "f4")
    first, last = edges_in(mz.dtype, low, high)
    found = (mz >= first) & (mz <= last)
    exact = mz.astype(float)
    assert found.tolist() == ((exact >= low) & (exact <= high)).tolist()
    for dtype in ("f8", "i4"):
        assert edges_in(np.dtype(dtype), low, high) == (low, high)
    assert not (mz >= edges_in(mz.dtype, 1e300, 1e301)[0]).any()


def test_bins_of_the_cube_come_from_the_index_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(1)
    each = [
        Spectrum(random.choice([100.0, 100.2, 180.0, 250.0], 3), random.random(3))
        for _ in range(12)
    ]
    table = PixelTable.of(np.arange(12) % 4, np.arange(12) // 4)
    memory = MemorySpectra("", table, each, cube_ppm=500.0)
    data = MSIData(memory)
    bins = np.flatnonzero(data[:].sum(axis=(0, 1)))
    keys: list[Any] = [
        (..., int(bins[0])), (..., slice(bins[0], bins[0] + 9)), (..., bins.tolist()),
        (1, 2, bins.tolist()), (slice(2), 1, slice(None)),
    ]  # fmt: skip
    expected = [data[key] for key in keys]
    assert data.prepare_index()
    monkeypatch.setattr(cube, "_MANY", 0)
    for key, one in zip(keys, expected, strict=True):
        np.testing.assert_allclose(data[key], one, rtol=1e-6)
    # Nothing else is read for them.
    monkeypatch.setattr(cube, "_MANY", 12)
    memory.blocks = None  # type: ignore[method-assign, assignment]
    for key, one in zip(keys[:3], expected[:3], strict=True):
        np.testing.assert_allclose(data[key], one, rtol=1e-6)


def test_choosing_reads_nothing() -> None:
    memory, _ = _ragged()
    memory.spectrum = memory.blocks = memory.mz_range = None  # type: ignore
    data = MSIData(memory).of_regions([0])
    assert data.pixels.shape == (2, 2, 1)
    assert data.ndim == 3


def test_windows() -> None:
    assert mz_window(500, 0.5) == (499.5, 500.5)
    assert mz_window(500, 10, "ppm") == pytest.approx((499.995, 500.005))
    with pytest.raises(ValueError, match="at least 0"):
        mz_window(500, -1)
    for mz in (np.nan, np.inf):
        with pytest.raises(ValueError, match="an m/z was expected"):
            mz_window(mz, 1)
    with pytest.raises(ValueError, match="at least 0"):
        mz_window(500, np.nan)
    with pytest.raises(ValueError, match="'Da' or 'ppm'"):
        mz_window(500, 1, "mDa")  # type: ignore[arg-type]


def test_a_few_bins_of_many_spectra() -> None:
    random = np.random.default_rng(3)
    each = [
        Spectrum(random.permutation(random.choice(np.linspace(90, 300, 50), 8)),
                 random.integers(1, 9, 8).astype("f4"))
        for _ in range(12)
    ]  # fmt: skip
    table = PixelTable.of(np.arange(12) % 4, np.arange(12) // 4)
    data = MSIData(MemorySpectra("", table, each, cube_ppm=2000.0))
    whole = data[:]
    assert whole.sum() == sum(one.intensities.sum() for one in each)
    n = len(data.mz)
    keys: list[Any] = [
        slice(3, 9), slice(None, None, n // 7), [5, 1, 5, n - 1], slice(-1, None),
        slice(9, 3, -1), [0],
    ]  # fmt: skip
    for key in keys:
        found = data[::-1, 1:, key]
        np.testing.assert_array_equal(found, whole[::-1, 1:][:, :, key])
        assert found.dtype == whole.dtype


def test_what_is_no_place_is_refused() -> None:
    data = MSIData(_common())
    for index in (True, np.True_, [1.5], ["a"], (0, [0.0, 1.0]), [True]):
        with pytest.raises(IndexError):
            data[index]
    assert data[[]].shape == (0, 2, 4)
    assert data[np.int8(-1)].tolist() == _cube()[-1].tolist()

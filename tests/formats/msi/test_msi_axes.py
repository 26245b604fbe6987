from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.msi import PixelTable, Spectrum
from napari_scope.formats.msi.axes import (
    BinnedAxis,
    CommonAxis,
    CubeAxis,
    InterpolatedAxis,
    axis_of,
)
from napari_scope.formats.msi.memory import MemorySpectra

numbers = st.floats(50, 2000, allow_nan=False)


@given(st.lists(numbers, min_size=1, max_size=20), st.floats(1, 1e4))
def test_no_peak_falls_between_bins(values: list[float], ppm: float) -> None:
    mz = np.sort(values)
    axis = BinnedAxis.between(mz[0], mz[-1], ppm)
    placed = axis.place(mz, np.ones(len(mz)))
    assert placed.sum() == len(mz)
    # What the window of a bin holds is what was placed in it.
    for index in np.flatnonzero(placed):
        low, high = axis.window(int(index))
        assert ((mz >= low) & (mz <= high)).sum() == placed[index]


def test_bins_are_of_equal_relative_width_and_not_too_many() -> None:
    axis = BinnedAxis.between(100, 1000, ppm=10)
    widths = np.diff(np.log(axis.edges))
    assert np.allclose(widths, widths[0])
    assert len(axis) == 50_000
    wide = BinnedAxis.between(100, 1000, ppm=1000)
    assert len(wide) == math.ceil(math.log(10) / math.log1p(1e-3))


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 5), (7, 7), (-1, 1)])
def test_odd_limits(low: float, high: float) -> None:
    axis = BinnedAxis.between(low, high)
    assert len(axis) >= 1
    assert np.all(np.diff(axis.edges) > 0)
    assert axis.place(np.array([low]), np.array([1.0])).sum() == 1


def test_profiles_are_interpolated() -> None:
    axis = InterpolatedAxis(10, 12, 0.5)
    assert axis.mz.tolist() == [10, 10.5, 11, 11.5, 12]
    placed = axis.place(np.array([10.5, 11.5]), np.array([2.0, 4.0]))
    assert placed.tolist() == [0, 2, 3, 4, 0]
    assert axis.place(np.zeros(0), np.zeros(0)).tolist() == [0] * 5
    assert len(InterpolatedAxis(10, 10, 0)) == 1


AXES = [
    BinnedAxis.between(90, 700, ppm=5000),
    InterpolatedAxis(100, 600, 7),
    CommonAxis(np.linspace(100, 600, 50)),
]


@given(st.lists(numbers, max_size=12), st.data())
@pytest.mark.parametrize("axis", AXES, ids=lambda one: type(one).__name__)
def test_some_bins_are_those_of_all(
    axis: CubeAxis, values: list[float], data: st.DataObject
) -> None:
    mz = np.sort(values)
    if isinstance(axis, CommonAxis):
        mz = axis.mz
    heights = np.arange(1.0, len(mz) + 1)
    wanted = data.draw(st.lists(st.integers(0, len(axis) - 1), max_size=6))
    bins = np.array(wanted, np.int64)
    found = axis.place_at(mz, heights, bins)
    assert found.tolist() == axis.place(mz, heights)[bins].tolist()


def _profile(step: float, n: int) -> MemorySpectra:
    mz = 100 + step * np.arange(n)
    values = np.zeros(n, "f4")
    values[n // 3] = 8
    one = Spectrum(mz, values)
    return MemorySpectra("", PixelTable.of([0], [0]), [one], is_profile=True)


def test_no_peak_is_lost_between_steps_that_are_too_wide() -> None:
    assert isinstance(axis_of(_profile(0.5, 100)), InterpolatedAxis)
    fine = _profile(0.001, 200_000)
    axis = axis_of(fine)
    assert isinstance(axis, BinnedAxis)
    assert axis.place(*fine.spectrum(0)).sum() == 8


def test_the_width_of_bins_is_that_of_the_data_set() -> None:
    each = [Spectrum(np.array([100.0, 120.0]), np.array([1.0, 2.0]))]
    table = PixelTable.of([0], [0])
    coarse = axis_of(MemorySpectra("", table, each, cube_ppm=100.0))
    fine = axis_of(MemorySpectra("", table, each))
    assert isinstance(coarse, BinnedAxis)
    assert coarse.edges[1] / coarse.edges[0] - 1 == pytest.approx(1e-4, rel=1e-3)
    assert fine.mz[1] / fine.mz[0] - 1 == pytest.approx(15e-6, rel=1e-3)


odd_values = st.one_of(
    st.floats(0.5, 3000),
    st.sampled_from([0.0, -1.0, 1.0, math.inf, -math.inf, math.nan]),
)


@given(
    st.floats(-5, 900), st.floats(1e-3, 1e3), st.floats(1, 1e4),
    st.lists(odd_values, max_size=60), st.sampled_from(["f4", "f8"]),
)  # fmt: skip
def test_bins_are_computed_as_they_would_be_found(
    low: float, width: float, ppm: float, values: list[float], dtype: str
) -> None:
    axis = BinnedAxis.between(low, low + width, ppm)
    assert np.all(np.diff(axis.edges) > 0)
    edges = axis.edges[:: max(1, len(axis.edges) // 40)]
    near = [edges, np.nextafter(edges, 0), np.nextafter(edges, np.inf)]
    mz = np.concatenate([values, *near]).astype(dtype)
    expected = np.searchsorted(axis.edges, mz, "right") - 1
    # What is no number lies outside, too; on which side does not matter.
    number = ~np.isnan(mz)
    found = axis.bins_of(mz)
    assert found[number].tolist() == expected[number].tolist()
    assert np.isin(found[~number], [-1, len(axis)]).all()


def test_one_value_of_no_ion_makes_no_bin_wider() -> None:
    for low in (0.0, -3.0, 1e-9):
        axis = BinnedAxis.between(low, 1000, ppm=15)
        assert len(axis) <= 50_000
        inner = axis.edges[1:]
        assert inner[0] == 1
        assert np.log(inner[1:] / inner[:-1]).max() < 200e-6
        placed = axis.place(np.array([low, 500.0]), np.array([1.0, 2.0]))
        assert placed[0] == 1
        assert placed.sum() == 3
    for low, high in ((math.nan, 5), (5, math.inf), (-math.inf, 5), (5, math.nan)):
        assert np.isfinite(BinnedAxis.between(low, high).edges).all()

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.msi.axes import BinnedAxis, InterpolatedAxis

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

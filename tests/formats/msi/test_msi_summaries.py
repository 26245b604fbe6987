from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.errors import CancelledError
from napari_scope.formats.msi import MSIData, PixelTable, Spectrum
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.summaries import summarise

peaks = st.lists(st.tuples(st.sampled_from([100.0, 150.0, 400.0]), st.integers(1, 9)))


def _memory(of_each: list[list[tuple[float, int]]]) -> MemorySpectra:
    table = PixelTable.of(range(len(of_each)), [0] * len(of_each))
    spectra = [
        Spectrum(np.array([m for m, _ in one], float), np.array([v for _, v in one]))
        for one in of_each
    ]
    return MemorySpectra("", table, spectra)


@given(st.lists(peaks, min_size=1, max_size=5))
def test_peaks_are_added_and_compared(of_each: list[list[tuple[float, int]]]) -> None:
    summary = summarise(_memory(of_each))
    sums: dict[float, int] = {}
    highest: dict[float, int] = {}
    for one in of_each:
        for mz, value in one:
            sums[mz] = sums.get(mz, 0) + value
            highest[mz] = max(highest.get(mz, 0), value)
    assert summary.number == len(of_each)
    assert summary.mean.mz == pytest.approx(sorted(sums))
    assert summary.mean.intensities == pytest.approx(
        [sums[m] / len(of_each) for m in sorted(sums)]
    )
    assert summary.skyline.intensities.tolist() == [highest[m] for m in sorted(highest)]


def test_neighbours_become_one_point_at_their_middle() -> None:
    memory = _memory([[(100.0, 1)], [(100.0001, 3)], [(100.01, 2)]])
    mean = summarise(memory, ppm=20).mean
    assert mean.mz == pytest.approx([100.000075, 100.01], abs=1e-9)
    assert mean.intensities == pytest.approx([4 / 3, 2 / 3])


def test_a_range_that_was_too_small_grows() -> None:
    memory = _memory([[(100.0, 1), (101.0, 2)], [(50.0, 4)], [(400.0, 8), (101.0, 1)]])
    memory.mz_range = lambda: (100.0, 101.0)  # type: ignore[method-assign]
    blocks = [list(memory.blocks(np.array([i]))) for i in range(3)]
    memory.blocks = lambda numbers=None: (b for part in blocks for b in part)  # type: ignore[method-assign, misc]
    summary = summarise(memory)
    assert summary.mean.mz == pytest.approx([50, 100, 101, 400])
    assert summary.mean.intensities * 3 == pytest.approx([4, 1, 3, 8])
    assert summary.skyline.intensities.tolist() == [4, 1, 2, 8]


def test_a_common_axis_is_kept() -> None:
    table = PixelTable.of([0, 1, 1], [0, 0, 1], region=[0, 0, 1])
    rows = np.array([[1, 5], [3, 4], [250, 1]], "u1")
    data = MSIData(MemorySpectra.over([10.0, 20.0], rows, table))
    assert data.mean_spectrum().intensities.tolist() == [254 / 3, 10 / 3]
    assert data.skyline_spectrum().intensities.tolist() == [250, 5]
    assert data.mean_spectrum().mz.tolist() == [10, 20]
    mask = np.array([[True, True], [False, False]])
    numbers = data.pixels.numbers_in(mask)
    assert data.mean_spectrum(numbers).intensities.tolist() == [2, 4.5]
    # Numbers are those of what is chosen.
    right = data.of_regions([1])
    assert right.summary().number == 1
    assert right.mean_spectrum(np.array([0])).intensities.tolist() == [250, 1]


def test_noise_below_zero_moves_no_point_out_of_its_bin() -> None:
    memory = _memory([[(100.0, 500), (150.0, 1)], [(100.0003, -499), (150.0, -1)]])
    summary = summarise(memory, ppm=5)
    assert summary.mean.mz == pytest.approx([100, 150], rel=6e-6)
    assert summary.mean.intensities.tolist() == [0.5, 0]
    assert summary.skyline.intensities.tolist() == [500, 1]
    table = PixelTable.of([0, 1], [0, 0])
    below = MemorySpectra.over([1.0, 2.0], [[-3, 1], [-2, -1]], table)
    assert summarise(below).skyline.intensities.tolist() == [-2, 1]


def test_no_spectrum_gives_an_empty_mean() -> None:
    data = MSIData(_memory([[(100.0, 1)]]))
    summary = data.summary(np.zeros(0, np.int64))
    assert summary.number == 0
    assert len(summary.mean.mz) == 0


def test_progress_and_cancelling() -> None:
    told: list[float] = []
    data = MSIData(_memory([[(100.0, 1)], []]))
    data.summary(progress=told.append)
    assert told[-1] == 1
    with pytest.raises(CancelledError):
        data.summary(cancelled=lambda: True)


def test_base_peaks() -> None:
    data = MSIData(_memory([[(100.0, 1), (150.0, 7)], [], [(400.0, 2)]]))
    mz, heights = data.base_peak_image()
    assert mz.tolist() == [[150, 0, 400]]
    assert heights.tolist() == [[7, 0, 2]]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_counts_as_nothing(bad: float) -> None:
    axis = np.array([100.0, 200.0])
    rows = np.array([[1, 2], [bad, 4], [3, 6]], "f4")
    table = PixelTable.of(range(3), [0] * 3)
    each = [Spectrum(axis, row) for row in rows]
    for memory in (
        MemorySpectra.over(axis, rows, table),
        MemorySpectra("", table, each),
    ):
        data = MSIData(memory)
        summary = data.summary()
        assert summary.mean.intensities == pytest.approx([4 / 3, 4])
        assert summary.skyline.intensities.tolist() == [3, 6]
        assert data.tic_image().tolist() == [[3, 4, 9]]
        mz, heights = data.base_peak_image()
        assert (mz.tolist(), heights.tolist()) == ([[200] * 3], [[2, 4, 6]])
        for how, expected in (("sum", 0), ("max", 0), ("mean", 0)):
            image = data.ion_image(100, 1, how=how)  # type: ignore[arg-type]
            assert image.tolist() == [[1, expected, 3]]
        assert data.prepare_index()
        for how in ("sum", "max", "mean"):
            assert data.ion_image(100, 1, how=how).tolist() == [[1, 0, 3]]  # type: ignore[arg-type]


def test_an_mz_that_is_no_number_is_left_out() -> None:
    memory = _memory([[(100.0, 1), (math.nan, 5), (math.inf, 7)], [(math.nan, 3)]])
    memory.mz_range = lambda: (100.0, 101.0)  # type: ignore[method-assign]
    mean = summarise(memory).mean
    assert mean.mz == pytest.approx([100], rel=1e-5)
    assert mean.intensities.tolist() == [0.5]
    data = MSIData(memory)
    assert data.prepare_index()
    assert data.ion_image(100, 1).tolist() == [[1, 0]]


def test_the_skyline_may_lie_below_zero() -> None:
    memory = _memory([[(100.0, -3)], [(100.0, -2)], []])
    summary = summarise(memory)
    assert summary.skyline.intensities.tolist() == [-2]
    memory.mz_range = lambda: (99.0, 99.5)  # type: ignore[method-assign]
    assert summarise(memory).skyline.intensities.tolist() == [-2]


def test_zeros_that_fill_up_cost_no_accuracy() -> None:
    memory = _memory([[(0.0, 0), (500.0, 2), (500.01, 3)], [(0.0, 4)]])
    mean = summarise(memory).mean
    assert mean.mz == pytest.approx([0, 500, 500.01], rel=1e-9)
    assert (mean.intensities * 2).tolist() == [4, 2, 3]

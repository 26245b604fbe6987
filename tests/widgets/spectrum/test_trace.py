from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.msi import Spectrum
from napari_scope.widgets.common.plotting import CURVE_COLORS
from napari_scope.widgets.spectrum.thinning import thin_line, thin_sticks
from napari_scope.widgets.spectrum.trace import (
    Trace,
    highest_peaks,
    legend_of,
    nearest_peak,
    next_color,
    peak_beside,
)


def trace(mz: list[float], values: list[float], name: str = "a") -> Trace:
    return Trace.of(name, Spectrum(np.array(mz), np.array(values)))


def test_a_trace_is_in_order_whatever_the_file_has() -> None:
    found = trace([3.0, 1.0, np.nan, 2.0], [30, 10, 5, np.nan])
    assert found.mz.tolist() == [1.0, 3.0]
    assert found.intensities.tolist() == [10.0, 30.0]


def test_the_highest_value_within_reach_is_meant() -> None:
    one = trace([100.0, 100.2, 101.0], [5.0, 50.0, 500.0])
    other = trace([100.1], [70.0])
    assert nearest_peak([one], 100.0, 0.3) == 100.2
    assert nearest_peak([one, other], 100.0, 0.3) == 100.1
    assert nearest_peak([one], 102.0, 0.3) == 101.0  # beyond it, the nearest
    assert nearest_peak([one], 150.0, 0.3) is None
    assert nearest_peak([trace([1.0], [0.0])], 1.0, 0.5) is None
    assert nearest_peak([trace([], [])], 1.0, 0.5) is None


def test_labels_are_of_the_highest_and_apart() -> None:
    mz = np.linspace(0, 140, 1401)
    values = np.ones(1401)
    values[[100, 104, 700, 1300]] = 100, 90, 60, 4
    found = highest_peaks([(mz, values)], 0, 140, 8)
    assert [round(m, 6) for m, _ in found] == [10.0, 70.0]
    assert highest_peaks([], 0, 1, 3) == []
    assert highest_peaks([(mz[:0], values[:0])], 0, 1, 3) == []
    # Of several spectra the highest counts, of whichever it is.
    other = np.array([30.0, 70.0]), np.array([80.0, 1.0])
    found = highest_peaks([(mz, values), other], 0, 140, 8)
    assert [round(m, 6) for m, _ in found] == [10.0, 30.0, 70.0]


def test_colours_are_taken_in_turn() -> None:
    assert next_color([]) == CURVE_COLORS[0]
    assert next_color(CURVE_COLORS) == CURVE_COLORS[0]
    assert next_color([CURVE_COLORS[0]]) == CURVE_COLORS[1]


def test_names_from_files_are_no_markup() -> None:
    text = legend_of([trace([], [], "<b>")] * 7, most=2)
    assert "&lt;b&gt;" in text and "and 5 more" in text


spectra = st.lists(
    st.tuples(st.floats(0, 1000), st.floats(0, 1e6)), min_size=1, max_size=300
)


@given(spectra, st.integers(1, 20))
def test_thinning_keeps_what_is_seen(
    points: list[tuple[float, float]], columns: int
) -> None:
    points.sort(key=lambda p: p[0])
    mz, values = np.array(points).T
    x, y = thin_sticks(mz, values, 0, 1001, columns)
    assert len(x) <= max(2 * columns, columns + 1)
    assert y.max() == values.max()
    assert set(zip(x, y, strict=True)) <= set(zip(mz, values, strict=True))
    edges = np.linspace(0, 1001, columns + 1)
    if len(mz) > 2 * columns:  # the highest of each column, and nothing else
        owner = np.searchsorted(edges[1:-1], mz, "right")
        highest = {c: values[owner == c].max() for c in set(owner.tolist())}
        assert sorted(highest.values()) == sorted(y.tolist())
    x, y = thin_line(mz, values, 0, 1001, columns)
    assert len(x) <= 4 * columns + 2
    assert (y.max(), y.min()) == (values.max(), values.min())
    assert (np.diff(x) >= 0).all()


def test_a_line_leaves_the_picture_at_its_edges() -> None:
    mz = np.arange(10.0)
    x, _ = thin_line(mz, mz, 3.5, 5.5, 4)
    assert x.tolist() == [3, 4, 5, 6]
    x, _ = thin_sticks(mz, mz, 3.5, 5.5, 4)
    assert x.tolist() == [4, 5]


def test_from_peak_to_peak() -> None:
    mz = [100.0, 100.4, 101.0, 105.0, 110.0, 111.0]
    one = trace(mz, [5.0, 50.0, 7.0, 0.01, 20.0, 30.0])
    assert peak_beside([one], 90.0, True, 2.0) == 100.4
    assert peak_beside([one], 100.4, True, 2.0) == 111.0  # what is low is no peak
    assert peak_beside([one], 111.0, True, 2.0) is None
    assert peak_beside([one], 111.0, False, 2.0) == 100.4
    assert peak_beside([one], 100.4, False, 2.0) is None
    assert peak_beside([one], 111.0, False, 0.5) == 110.0
    other = trace([103.0], [1.0])
    assert peak_beside([one, other], 101.0, True, 0.9) == 103.0
    assert peak_beside([one, other], 109.0, False, 0.9) == 103.0
    assert peak_beside([], 1.0, True, 1.0) is None
    flat = trace([1.0, 2.0], [0.0, 0.0])
    assert flat.highest == 0.0 and peak_beside([flat], 0.0, True, 0.1) is None


def test_a_long_name_is_cut_in_the_middle() -> None:
    words = legend_of([trace([1.0], [1.0], "brain <FTMS + p MALDI Full ms>: Mean")])
    assert "brain &lt;FTMS +…ull ms&gt;: Mean" in words
    assert "FTMS + p" in legend_of([trace([1.0], [1.0], "FTMS + p")])

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.msi import msi_brute as brute

from napari_scope.errors import FormatError
from napari_scope.formats.msi import PixelTable, Spectrum
from napari_scope.formats.msi import memory as memory_module
from napari_scope.formats.msi.blocks import RaggedBlock
from napari_scope.formats.msi.memory import MemorySpectra

mz_values = st.integers(1, 9).map(float)
peaks = st.lists(st.tuples(mz_values, st.integers(0, 50)), max_size=6)
HOWS = ("sum", "max", "mean")


def _spectra(of_each: list[list[tuple[float, int]]], dtype: str) -> list[Spectrum]:
    return [
        Spectrum(
            np.array([m for m, _ in one], float), np.array([v for _, v in one], dtype)
        )
        for one in of_each
    ]


@given(
    st.lists(peaks, min_size=1, max_size=6),
    mz_values,
    mz_values,
    st.sampled_from(["u1", "i4", "f4", "f8"]),
)
def test_a_ragged_block_is_what_loops_say(
    of_each: list[list[tuple[float, int]]], low: float, high: float, dtype: str
) -> None:
    spectra = _spectra(of_each, dtype)
    table = PixelTable.of(range(len(spectra)), [0] * len(spectra))
    memory = MemorySpectra("", table, spectra)
    (block,) = memory.blocks()
    assert isinstance(block, RaggedBlock)
    for how in HOWS:
        expected = brute.window(spectra, low, high, how)
        assert memory.window(low, high, how).tolist() == expected.tolist()  # type: ignore[arg-type]
    _compare(block, spectra)


@given(
    st.lists(mz_values, max_size=5),
    st.integers(1, 4),
    mz_values,
    mz_values,
    st.randoms(use_true_random=False),
)
def test_a_common_block_is_what_loops_say(
    mz: list[float], n: int, low: float, high: float, random: Any
) -> None:
    values = np.array(
        [[random.randrange(200) for _ in mz] for _ in range(n)], "u1"
    ).reshape(n, len(mz))
    table = PixelTable.of(range(n), [0] * n)
    memory = MemorySpectra.over(np.array(mz), values, table)
    (block,) = memory.blocks()
    spectra = [Spectrum(np.array(mz), row) for row in values]
    for how in HOWS:
        expected = brute.window(spectra, low, high, how)
        assert memory.window(low, high, how).tolist() == expected.tolist()  # type: ignore[arg-type]
    _compare(block, spectra)
    bins = np.arange(len(mz))[::-1]
    assert memory.columns(bins).tolist() == values[:, bins].tolist()


def _compare(block: Any, spectra: list[Spectrum]) -> None:
    """Compare what is told of each spectrum with what numpy says of it alone."""
    ints = [one.intensities.astype(float) for one in spectra]
    assert block.totals().tolist() == [v.sum() for v in ints]
    assert block.squares().tolist() == [(v * v).sum() for v in ints]
    assert block.counts().tolist() == [len(v) for v in ints]
    heights = [v.max() if len(v) else 0.0 for v in ints]
    places = [
        float(one.mz[v.argmax()]) if len(v) else 0.0
        for one, v in zip(spectra, ints, strict=True)
    ]
    mz, found = block.base_peaks()
    assert (mz.tolist(), found.tolist()) == (places, heights)
    for k, one in enumerate(spectra):
        assert block.spectrum(k).mz.tolist() == one.mz.tolist()
        assert block.spectrum(k).intensities.tolist() == one.intensities.tolist()


def test_some_spectra_in_the_order_asked_for() -> None:
    table = PixelTable.of([0, 1, 2], [0, 0, 0])
    memory = MemorySpectra.over([5.0], [[1], [2], [3]], table)
    assert memory.window(0, 9, "sum", np.array([2, 0])).tolist() == [3.0, 1.0]
    assert memory.window(0, 9, "sum", np.array([], np.int64)).tolist() == []


def test_spectra_that_fit_nothing_are_refused() -> None:
    table = PixelTable.of([0], [0])
    with pytest.raises(FormatError, match="0 spectra for 1 pixels"):
        MemorySpectra("", table, [])
    with pytest.raises(FormatError, match="2 m/z values and 1 intensities"):
        MemorySpectra("", table, [Spectrum(np.zeros(2), np.zeros(1))])


@pytest.mark.parametrize("common", [False, True])
def test_many_spectra_come_in_several_blocks(
    common: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "BLOCK_BYTES", 100)
    table = PixelTable.of(range(7), [0] * 7)
    rows = np.arange(35.0).reshape(7, 5)
    each = [Spectrum(np.arange(5.0), row) for row in rows]
    memory = (
        MemorySpectra.over(np.arange(5.0), rows, table)
        if common
        else MemorySpectra("", table, each)
    )
    blocks = list(memory.blocks())
    assert [len(block) for block in blocks] == ([3, 3, 1] if common else [2, 2, 2, 1])
    assert np.concatenate([b.totals() for b in blocks]).tolist() == rows.sum(1).tolist()
    wanted = np.array([6, 0, 3])
    assert (
        memory.window(1, 2, "sum", wanted).tolist() == rows[wanted, 1:3].sum(1).tolist()
    )

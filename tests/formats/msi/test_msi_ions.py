from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.errors import CancelledError
from napari_scope.formats.msi import MSIData, PixelTable, Spectrum, ions
from napari_scope.formats.msi.ions import windows_of
from napari_scope.formats.msi.memory import MemorySpectra

HOWS = ("sum", "max", "mean")
edges = st.one_of(st.sampled_from([100.0, 250.0, 250.25, 400.1]), st.floats(90, 500))
pairs = st.lists(st.tuples(edges, edges), min_size=1, max_size=6)


def _memory(seed: int, n: int = 12, dtype: str = "f8") -> MemorySpectra:
    random = np.random.default_rng(seed)
    each = []
    for _ in range(n):
        size = int(random.integers(0, 9))
        mz = random.choice([100.0, 250.0, 250.25, 400.1], size).astype(dtype)
        # So far apart that the order counts in which they are added up.
        values = random.random(size) * 10.0 ** random.integers(0, 17, size)
        each.append(Spectrum(mz, values))
    return MemorySpectra("", PixelTable.of(range(n), [0] * n), each)


def _common(n: int = 6) -> MemorySpectra:
    rows = np.arange(n * 4, dtype="u2").reshape(n, 4)
    table = PixelTable.of(range(n), [0] * n, region=[i % 2 for i in range(n)])
    return MemorySpectra.over([100.0, 250.0, 250.25, 400.0], rows, table)


class Counted(MemorySpectra):
    passes = 0

    def blocks(self, numbers: Any = None) -> Any:
        type(self).passes += 1
        return super().blocks(numbers)


@given(st.integers(0, 20), pairs, st.sampled_from(["f4", "f8"]))
def test_many_windows_are_each_of_them(
    seed: int, windows: list[tuple[float, float]], dtype: str
) -> None:
    for memory in (_memory(seed, dtype=dtype), _common()):
        (block,) = memory.blocks()
        for how in HOWS:
            found = windows_of(block, windows, how)  # type: ignore[arg-type]
            for row, (low, high) in zip(found, windows, strict=True):
                assert row.tolist() == block.window(low, high, how).tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["ragged", "common", "index"])
@pytest.mark.parametrize("how", HOWS)
def test_images_are_those_of_each_ion(kind: str, how: Any) -> None:
    data = MSIData(_common() if kind == "common" else _memory(3))
    wanted: list[Any] = [(100.0, 0.1), (250.1, 800.0, "ppm"), (400.0, 0.5, "Da")] * 4
    if kind == "index":
        data.prepare_index()
    told: list[float] = []
    found = list(
        data.ion_images(wanted, how, normalise="tic", hotspot=0.9, progress=told.append)
    )
    assert len(found) == len(wanted)
    for image, ion in zip(found, wanted, strict=True):
        alone = data.ion_image(*ion, how=how, normalise="tic", hotspot=0.9)
        assert image.tolist() == alone.tolist()
    assert told == sorted(told)
    assert told[-1] == 1


def test_of_regions() -> None:
    odd = MSIData(_common()).of_regions([1])
    wanted = [(mz, 0.1) for mz in np.linspace(99.95, 400, 20)]
    for image, ion in zip(odd.ion_images(wanted), wanted, strict=True):
        assert image.tolist() == odd.ion_image(*ion).tolist()
    assert image.shape == (1, 5)


def test_one_pass_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = _memory(1, 10)
    counted = Counted("", memory.pixels, [memory.spectrum(i) for i in range(10)])
    data = MSIData(counted)
    wanted = [(100.0 + k, 0.5) for k in range(50)]
    Counted.passes = 0
    expected = [image.tolist() for image in data.ion_images(wanted)]
    assert Counted.passes == 1
    # What waits to be handed over is bounded.
    monkeypatch.setattr(ions, "_MOST_BYTES", 20 * 10 * 8)
    assert [image.tolist() for image in data.ion_images(wanted)] == expected
    assert Counted.passes == 1 + 3


def test_nothing_wanted_and_nothing_there() -> None:
    assert list(MSIData(_memory(1)).ion_images([])) == []
    with pytest.raises(ValueError, match="at least 0"):
        MSIData(_memory(1)).ion_images([(100, -1)])
    with pytest.raises(ValueError, match="quantile"):
        MSIData(_memory(1)).ion_images([(100, 1)], hotspot=99)


@pytest.mark.parametrize("kind", ["ragged", "common"])
def test_cancelled(kind: str) -> None:
    data = MSIData(_common() if kind == "common" else _memory(2))
    with pytest.raises(CancelledError, match="making ion images was cancelled"):
        list(data.ion_images([(100, 1), (250, 1)], cancelled=lambda: True))

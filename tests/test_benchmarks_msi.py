"""The benchmarks of mass-spectrometry images run, in a size that takes no time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from benchmarks import msi, msi_others
from benchmarks.harness import Benchmark, Result, Times, measure
from benchmarks.msi import MemoryLimit
from benchmarks.msi_data import Stored
from benchmarks.sheets import sheet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("pyimzml", reason="the peer")

# pyimzML and pyteomics leave files to the garbage collection.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:hdf5plugin is missing:UserWarning"),
]

COMMON = Stored("continuous", 60, 41)  # one of them is the m/z that is looked at
PEAKS = Stored("processed", 60, 30)
BENCHMARKS: dict[str, Callable[[], Benchmark]] = {
    "open": lambda: msi.opened(COMMON, over_peer=1),
    "open peaks": lambda: msi.opened(PEAKS, over_peer=1),
    "first": lambda: msi.first_image(COMMON, over_peer=1),
    "first of peaks": lambda: msi.first_image(PEAKS, over_peer=1),
    "later": lambda: msi.later_image(PEAKS, at_most_ms=1e9),
    "sorting": lambda: msi.sorting(PEAKS),
    "many": lambda: msi.many_images(PEAKS, 3),
    "sums": lambda: msi.totals(COMMON),
    "sums of peaks": lambda: msi.totals(PEAKS),
    "pixels": lambda: msi.pixels(COMMON, at_most_ms=1e9),
    "pixels of peaks": lambda: msi.pixels(PEAKS, at_most_ms=1e9),
    "mzml": lambda: msi_others.mzml_opened(60, 30),
    "mzml image": lambda: msi_others.mzml_image(60, 30),
    "spots": lambda: msi_others.spots_image(50, 200, at_most_ms=1e9),
    "sums of spots": lambda: msi_others.spots_total(50, 200),
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_msi(tmp_path: Path, name: str) -> None:
    result = measure(BENCHMARKS[name](), tmp_path, rounds=1, seed=0)
    assert result.times["napari-scope"].wall
    assert len(result.times) >= 2 or name in ("sorting", "mzml", "mzml image")
    assert sheet(result).rows
    assert not list(tmp_path.iterdir())


def test_a_wrong_image_is_seen(tmp_path: Path) -> None:
    benchmark = msi.first_image(PEAKS, over_peer=1)
    other = Stored("processed", 60, 31)
    wrong = replace(benchmark, data=lambda folder: other.write(folder / "data.imzML"))
    with pytest.raises(ValueError, match="not the image that was stored"):
        measure(wrong, tmp_path, rounds=1, seed=0)


def test_memory_is_what_a_larger_file_takes(tmp_path: Path) -> None:
    benchmark = msi.opened(COMMON, over_peer=1, most_mb=500)
    benchmark = replace(benchmark, cases=benchmark.cases[:1])
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    goal = benchmark.targets[-1]
    assert isinstance(goal, MemoryLimit)
    assert "target at most 500: met" in goal.line(result)
    result = Result(benchmark, {"napari-scope": Times([1.0], [1.0], [501_000_000])})
    assert "501 MB; target at most 500: missed" in goal.line(result)


def test_those_in_full_size_are_named_differently() -> None:
    for make in (msi.benchmarks, msi.large_benchmarks):
        titles = [one.title for one in make()]
        assert len(set(titles)) == len(titles)


def test_it_ends_when_the_time_is_up(tmp_path: Path) -> None:
    benchmark = msi.totals(COMMON)
    result = measure(benchmark, tmp_path, rounds=5, seed=0, seconds=0.0)
    assert [len(times.wall) for times in result.times.values()] == [1] * len(
        result.times
    )
    assert "1 of 5 rounds: the time was up" in result.notes
    assert "1 of 5 rounds: the time was up" in sheet(result).lines
    result = measure(benchmark, tmp_path, rounds=2, seed=0, seconds=1e9)
    assert len(result.times["napari-scope"].wall) == 2

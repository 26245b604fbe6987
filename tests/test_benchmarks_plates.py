from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from benchmarks.harness import measure
from benchmarks.plate_data import PLATE, PlateData
from benchmarks.plates import benchmarks, first_frame, reader_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.harness import Benchmark

SMALL = PlateData(1, 2, 2, side=1024, levels=2)


@pytest.mark.parametrize("make", [reader_call, first_frame])
def test_a_small_plate_is_measured(
    make: Callable[[PlateData], Benchmark], tmp_path: Path
) -> None:
    result = measure(make(SMALL), tmp_path, rounds=1, seed=1)
    assert all(len(times.wall) == 1 for times in result.times.values())
    assert any(case.role == "ours" for case in result.benchmark.cases)


def test_the_plates_are_valid(tmp_path: Path) -> None:
    yaozarrs = pytest.importorskip("yaozarrs")
    PlateData(2, 2, 1, side=16, levels=2).write(tmp_path)
    yaozarrs.validate_zarr_store(str(tmp_path / PLATE))


def test_every_goal_names_cases_that_are_measured() -> None:
    for benchmark in benchmarks():
        names = {case.name for case in benchmark.cases}
        assert all(target.cases() <= names for target in benchmark.targets)

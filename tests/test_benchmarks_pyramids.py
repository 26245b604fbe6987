"""The benchmark of pyramids runs, in a size that takes no time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from benchmarks.harness import measure
from benchmarks.pyramids import Planes, pyramid

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.filterwarnings("ignore")  # of the peers
def test_all_make_the_same_levels(tmp_path: Path) -> None:
    result = measure(pyramid(Planes(4, 64, 32, 3)), tmp_path, rounds=1, seed=1)
    assert set(result.times) >= {"napari-scope", "numpy in memory"}
    assert all(times.wall for times in result.times.values())
    assert all(goal.line(result) for goal in result.benchmark.targets)

"""Runs that are planned but not started, and kept as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import useq
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.acquire import EngineHooks, Output
from napari_scope.acquire.planned_run import PlannedRun
from napari_scope.errors import PlanError
from napari_scope.events import Plan

PLAN = useq.MDASequence(
    axis_order="tpzc",
    time_plan={"interval": 2, "loops": 3},
    stage_positions=[(0, 0, 0), {"x": 5, "y": 6, "z": 7, "name": "B"}],
    channels=[{"config": "DAPI", "exposure": 20}],
    z_plan={"range": 2, "step": 1},
)


def test_a_table_comes_back_as_it_was() -> None:
    output = Output(Path("x.ome.zarr"), "ome-zarr", compression="zstd", chunk_px=256)
    planned = PlannedRun(
        PLAN, "cells", Path("data"), (output,), None, frames=18, size=9, duration_s=4.5
    )
    again = PlannedRun.from_json(json.loads(json.dumps(planned.to_json())))
    assert again == planned
    assert list(again.plan) == list(PLAN)  # type: ignore[arg-type]


def test_a_list_of_events_comes_back() -> None:
    events = [{"axes": {"time": t}, "exposure": 3} for t in range(3)]
    planned = PlannedRun(events, "cells", Path())
    again = PlannedRun.from_json(json.loads(json.dumps(planned.to_json())))
    before = Plan.from_any(events)
    after = Plan.from_any(again.plan)
    assert after.n_frames == 3
    for one, other in zip(before.source, after.source, strict=True):
        assert (one.index, one.exposure) == (other.index, other.exposure)


@pytest.mark.parametrize(
    "planned",
    [
        PlannedRun(iter([useq.MDAEvent()]), "a", Path()),
        PlannedRun(PLAN, "a", Path(), hooks=EngineHooks()),
        PlannedRun(PLAN, "a", Path(), actions={"light": lambda *_: None}),
    ],
)
def test_code_cannot_be_kept(planned: PlannedRun) -> None:
    with pytest.raises(PlanError, match="cannot be kept"):
        planned.to_json()


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["sequence", "events", "name", "folder", "outputs", "frames"]),
        _json,
    )
)
def test_anything_else_is_refused(stored: dict[str, object]) -> None:
    try:
        found = PlannedRun.from_json(stored)
    except PlanError:
        return
    assert isinstance(found.name, str)


def test_names_count_up_at_the_start(tmp_path: Path) -> None:
    planned = PlannedRun(PLAN, "cells", tmp_path, (Output(Path("x.ndtiff"), "ndtiff"),))
    assert planned.placed()[0] == "cells_001"
    (tmp_path / "cells_001.ndtiff").mkdir()
    name, (output,) = planned.placed()
    assert (name, output.path) == ("cells_002", tmp_path / "cells_002.ndtiff")
    assert PlannedRun(PLAN, "cells", tmp_path).placed() == ("cells", ())

from __future__ import annotations

import pytest
from useq import MDAEvent, MDASequence

from napari_scope.events import Estimate, Plan, estimate


def test_frames_bytes_and_time_of_a_sequence() -> None:
    sequence = MDASequence(
        time_plan={"interval": 10, "loops": 4},
        channels=[{"config": "DAPI", "exposure": 100}, {"config": "FITC"}],
    )
    found = estimate(Plan.from_any(sequence), (512, 256), "uint16")
    assert found.frames == 8
    assert found.bytes == 8 * 512 * 256 * 2
    assert found.duration_s is not None
    assert found.duration_s >= 30


def test_a_colour_frame_counts_three_times() -> None:
    plan = Plan.from_any([MDAEvent(), MDAEvent()])
    assert estimate(plan, (4, 5, 3), "u1").bytes == 120


def test_a_list_lasts_as_long_as_its_clock_and_exposures() -> None:
    events = [
        MDAEvent(index={"t": 0}, exposure=500),
        MDAEvent(index={"t": 1}, min_start_time=3, exposure=250),
        MDAEvent(index={"t": 2}, min_start_time=1, exposure=250),
    ]
    found = estimate(Plan.from_any(events), (2, 2), "u1")
    assert found.duration_s == pytest.approx(3.5)


def test_dictionaries_count_like_events() -> None:
    plan = Plan.from_any(
        [
            {"axes": {"time": 0}, "exposure": 500},
            {"properties": [["LED", "State", "1"]], "exposure": 90000},
            {"axes": {"time": 1}, "exposure": 500, "min_start_time": 10},
        ]
    )
    assert estimate(plan, (10, 10), "u2") == Estimate(2, 400, 10.5)


def test_a_generator_keeps_it_open_and_is_not_read() -> None:
    events = iter([MDAEvent()])
    plan = Plan.from_any(events)
    assert estimate(plan, (2, 2), "u1") == Estimate(None, None, None)
    assert len(list(plan.source)) == 1


def test_an_empty_plan_takes_nothing() -> None:
    assert estimate(Plan.from_any([]), (2, 2), "u1") == Estimate(0, 0, 0.0)


@pytest.mark.filterwarnings("ignore")
def test_no_plan_makes_it_fail() -> None:
    tiles = MDASequence(grid_plan={"rows": 1, "columns": 2}, channels=["X"])
    for sequence in (
        MDASequence(),
        MDASequence(stage_positions=[{"x": 0, "sequence": tiles}, {"x": 1}]),
        MDASequence(
            time_plan=[{"interval": 0, "loops": 2}, {"interval": 1, "duration": 3}],
            channels=[{"config": "A", "acquire_every": 2}, "B"],
        ),
    ):
        plan = Plan.from_any(sequence)
        found = estimate(plan, (2, 2), "u1")
        assert found.frames == plan.n_frames
        assert found.duration_s is not None
        assert found.duration_s >= 0

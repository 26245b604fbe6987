"""Skipping waits and ending a run after a time point or a position."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq

from napari_scope.acquire import CoreOwner, Output, Run, RunState
from napari_scope.errors import AcquisitionError
from napari_scope.formats import open_dataset
from napari_scope.stream import StreamStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SLOW = useq.MDASequence(
    time_plan={"interval": 600, "loops": 4},
    channels=[{"config": "DAPI", "exposure": 1}, {"config": "FITC", "exposure": 1}],
)
PLACES = useq.MDASequence(
    axis_order="ptc",
    time_plan={"interval": 0, "loops": 30},
    stage_positions=[(0, 0), (50, 0), (100, 0)],
    channels=[{"config": "DAPI", "exposure": 5}, {"config": "FITC", "exposure": 5}],
)
BURST = useq.MDASequence(
    axis_order="tz",
    time_plan={"interval": 0, "loops": 2000},
    channels=[{"config": "DAPI", "exposure": 3}],
)


def until(condition: Callable[[], Any], timeout: float = 30) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


def waiting(run: Run, saved: int) -> bool:
    return run.state is RunState.WAITING and run.progress().saved == saved


def test_skipped_waits_bring_the_next_time_point_and_keep_intervals(
    owner: CoreOwner, tmp_path: Path
) -> None:
    run = Run(owner, SLOW, [Output(tmp_path / "a.ome.zarr", "ome-zarr")]).start()
    for number in range(1, 4):
        until(lambda n=number: waiting(run, 2 * n))
        # The whole interval is still to be waited for, not what is left of the plan's.
        left = run.progress().next_event_s
        assert left is not None and 500 < left <= 600
        assert run.skip_wait()
    report = run.wait(30)
    assert (report.state, report.saved) == (RunState.FINISHED, 8)
    assert report.duration_s < 60
    (image,) = open_dataset(tmp_path / "a.ome.zarr").images
    assert all(
        np.asarray(image.levels[0][t, c]).any() for t in range(4) for c in (0, 1)
    )


def test_a_wait_that_is_skipped_in_a_pause_ends_with_it(owner: CoreOwner) -> None:
    run = Run(owner, SLOW).start()
    until(lambda: waiting(run, 2))
    run.pause()
    until(lambda: run.state is RunState.PAUSED)
    assert run.skip_wait()
    time.sleep(0.2)
    assert run.state is RunState.PAUSED and run.progress().saved == 2
    run.resume()
    until(lambda: waiting(run, 4))
    run.cancel()
    run.wait(30)


def test_nothing_is_skipped_while_nothing_is_waited_for(owner: CoreOwner) -> None:
    run = Run(owner, PLACES)
    assert not run.skip_wait()
    run.start()
    run.cancel()
    run.wait(30)
    assert not run.skip_wait()


def test_the_rest_of_a_time_point_is_taken(owner: CoreOwner, tmp_path: Path) -> None:
    run = Run(owner, SLOW, [Output(tmp_path / "a.ome.zarr", "ome-zarr")]).start()
    until(lambda: waiting(run, 2))
    run.finish_after("t")  # the time point is over: the run ends instead of waiting
    report = run.wait(30)
    assert (report.state, report.saved, report.planned) == (RunState.FINISHED, 2, 8)
    assert (report.finished_after, report.left_out, report.skipped) == ("t", 6, ())
    (image,) = open_dataset(tmp_path / "a.ome.zarr").images
    assert np.asarray(image.levels[0][0, 1]).any()


def test_a_position_is_finished(owner: CoreOwner) -> None:
    run = Run(owner, PLACES).start()
    until(lambda: run.index.get("p") == 1)
    run.finish_after("p")
    assert run.state in (RunState.FINISHING, RunState.PREPARING)
    assert run.progress().finish_after == "p"
    report = run.wait(60)
    assert (report.state, report.saved, report.left_out) == (RunState.FINISHED, 120, 60)


def test_a_wish_can_be_taken_back(owner: CoreOwner) -> None:
    run = Run(owner, PLACES).start()
    until(lambda: run.index.get("p") == 0)
    run.finish_after("p")
    run.finish_after(None)
    until(lambda: run.index.get("p") == 1)
    assert run.state is not RunState.FINISHING
    run.finish_after("p")
    assert run.wait(60).saved == 120


def test_a_hardware_sequence_is_cut(owner: CoreOwner, tmp_path: Path) -> None:
    run = Run(owner, BURST, [Output(tmp_path / "a.ome.zarr", "ome-zarr")]).start()
    until(lambda: run.index.get("t", 0) > 5)
    run.finish_after("t")
    report = run.wait(30)
    assert report.state is RunState.FINISHED
    assert report.left_out == 2000 - report.saved > 1000
    # What was taken until then has no gap.
    (image,) = open_dataset(tmp_path / "a.ome.zarr").images
    last = report.saved - 1
    assert np.asarray(image.levels[0][last]).any()
    assert not owner.core.isSequenceRunning()


def test_a_wish_before_the_first_event_means_the_first_step(owner: CoreOwner) -> None:
    run = Run(owner, SLOW)
    run.finish_after("t")  # not started: nothing to end
    run.start()
    run.finish_after("t")
    assert run.wait(30).saved == 2


def test_a_generator_ends_where_it_is(owner: CoreOwner) -> None:
    gate = threading.Event()

    def events() -> Iterator[useq.MDAEvent]:
        for t in range(1000):
            if t == 4:
                gate.wait(30)
            for c in range(2):
                yield useq.MDAEvent(index={"t": t, "c": c}, exposure=1)

    run = Run(owner, events()).start()
    until(lambda: run.index == {"t": 3, "c": 1})
    run.finish_after("t")
    gate.set()
    report = run.wait(30)
    assert (report.saved, report.planned, report.left_out) == (8, None, 0)
    assert (report.state, report.finished_after) == (RunState.FINISHED, "t")


def test_an_axis_that_the_run_has_not_is_named(owner: CoreOwner) -> None:
    run = Run(owner, SLOW).start()
    until(lambda: waiting(run, 2))
    with pytest.raises(AcquisitionError, match="no axis 'p'"):
        run.finish_after("p")
    run.finish_after("t")
    assert run.wait(30).saved == 2


def test_a_paused_run_ends_when_it_goes_on(owner: CoreOwner) -> None:
    run = Run(owner, PLACES).start()
    until(lambda: run.progress().saved > 3)
    run.pause()
    until(lambda: run.state is RunState.PAUSED)
    run.finish_after("p")
    assert run.state is RunState.PAUSED
    run.resume()
    assert run.wait(60).saved == 60


def test_what_was_left_out_so_far_can_be_asked_for(
    owner: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    snap, count = owner.core.snapImage, [0]

    def failing() -> None:
        count[0] += 1
        if count[0] == 2:
            raise RuntimeError("the cable is loose")
        snap()

    monkeypatch.setattr(owner.core, "snapImage", failing)
    run = Run(owner, SLOW, on_error="skip", name="cells").start()
    until(lambda: run.state is RunState.WAITING and bool(run.skipped))
    (frame,) = run.skipped
    assert "cable" in frame.reason and frame.axes["channel"] == "FITC"
    assert run.name == "cells" and run.warnings == ()
    run.cancel()
    run.wait(30)


def test_an_eased_run_loses_nothing(owner: CoreOwner) -> None:
    plan = useq.MDASequence(time_plan={"interval": 0, "loops": 200})
    run = Run(owner, plan).start()
    while not run.done:
        with run.eased():
            time.sleep(0.02)
        time.sleep(0.02)
    assert run.wait().saved == 200


def test_a_run_lags_while_many_frames_wait(
    owner: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = BURST.replace(time_plan={"interval": 0, "loops": 60})
    run = Run(owner, plan)
    assert not run.lagging
    seen: list[bool] = []
    store = run._recorder.store

    def slow(*arguments: Any) -> None:
        if not seen:
            until(lambda: owner.core.getRemainingImageCount() > 40)
        store(*arguments)
        seen.append(run.lagging)

    monkeypatch.setattr(run._recorder, "store", slow)
    run.start().wait(60)
    # With the second frame it is known that more are there; at the end none is left.
    assert seen[1] and run._in_camera == 0 and not run.lagging
    monkeypatch.setattr(run, "_stats", lambda: StreamStats(appended=90, saved=60))
    assert run.lagging

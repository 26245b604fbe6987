"""Plans that wait for the microscope, run one after the other."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import useq

from napari_scope.acquire import CoreOwner, Output, RunState
from napari_scope.acquire.registry import add_guest, remove_guest
from napari_scope.acquire.run_queue import PlannedRun, RunQueue
from napari_scope.errors import AcquisitionError, PlanError, ScopeError
from napari_scope.formats import open_dataset

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK = useq.MDASequence(channels=[{"config": "DAPI", "exposure": 1}])
ENDLESS = useq.MDASequence(time_plan={"interval": 600, "loops": 3})
WRONG = useq.MDASequence(channels=[{"config": "Nothing", "exposure": 1}])


def until(condition: Callable[[], Any], timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def planned(plan: Any, name: str = "a", folder: Path | None = None) -> PlannedRun:
    outputs = () if folder is None else (Output(folder / "x.ome.zarr", "ome-zarr"),)
    return PlannedRun(plan, name, folder or Path(), outputs)


def states(queue: RunQueue) -> list[str]:
    return [entry.state for entry in queue.entries]


def names(queue: RunQueue) -> list[str]:
    return [entry.planned.name for entry in queue.entries]


@pytest.fixture
def queue(owner: CoreOwner) -> RunQueue:
    return RunQueue(owner)


def test_plans_are_run_in_their_order_and_counted(
    queue: RunQueue, tmp_path: Path
) -> None:
    for _ in range(2):
        queue.add(planned(QUICK, "cells", tmp_path))
    assert states(queue) == ["waiting", "waiting"] and queue.waiting == 2
    assert not queue.working  # nothing starts by itself
    queue.start()
    assert queue.wait(60)
    assert states(queue) == ["finished", "finished"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "cells_001.ome.zarr",
        "cells_002.ome.zarr",
    ]
    for entry in queue.entries:
        assert entry.report is not None and entry.report.saved == 1
        (output,) = entry.report.outputs
        assert open_dataset(output.path).images
    queue.clear_done()
    assert queue.entries == ()


@pytest.mark.parametrize("go_on", [False, True])
def test_a_failure_stops_it_or_not(queue: RunQueue, go_on: bool) -> None:
    queue.go_on_after_failure = go_on
    for plan in (WRONG, QUICK):
        queue.add(planned(plan))
    queue.start()
    assert queue.wait(60)
    assert states(queue) == ["failed", "finished" if go_on else "waiting"]
    assert isinstance(queue.entries[0].error, ScopeError)
    queue.again(queue.entries[0].number)
    assert states(queue)[0] == "waiting" and queue.entries[0].error is None


def test_it_waits_between_two_runs_if_wished(queue: RunQueue) -> None:
    queue.pause_between = True
    for _ in range(3):
        queue.add(planned(QUICK))
    queue.start()
    until(lambda: queue.held)
    assert states(queue) == ["finished", "waiting", "waiting"]
    queue.go_on()
    until(lambda: queue.held and states(queue)[1] == "finished")
    queue.stop()
    assert queue.wait(60)
    assert states(queue) == ["finished", "finished", "waiting"]
    queue.pause_between = False
    queue.start()
    assert queue.wait(60) and states(queue)[2] == "finished"


def test_stop_lets_the_present_run_end_and_cancel_does_not(queue: RunQueue) -> None:
    for _ in range(2):
        queue.add(planned(ENDLESS))
    queue.start()
    until(lambda: queue.run is not None and queue.run.state is RunState.WAITING)
    queue.stop()
    assert queue.stopping and queue.working
    assert queue.run is not None and not queue.run.done
    queue.remove(queue.entries[0].number)  # the one that is being run stays
    assert len(queue.entries) == 2
    queue.cancel()
    assert queue.wait(60)
    assert states(queue) == ["cancelled", "waiting"]


def test_cancelling_while_a_run_is_being_started(queue: RunQueue) -> None:
    class Slow:
        """A live view that takes its time to make way."""

        core = queue._owner.core
        asked, free = threading.Event(), threading.Event()

        def make_way(self) -> None:
            self.asked.set()
            assert self.free.wait(30)

    slow = Slow()
    add_guest(slow)
    for _ in range(2):
        queue.add(planned(ENDLESS))
    queue.start()
    assert slow.asked.wait(30)
    queue.cancel()
    remove_guest(slow)
    slow.free.set()
    assert queue.wait(60)
    assert states(queue) == ["cancelled", "waiting"]


def test_plans_are_moved_doubled_and_removed(queue: RunQueue) -> None:
    a, b, c = (queue.add(planned(QUICK, name)) for name in "abc")
    version = queue.version
    queue.reorder([c.number, a.number])
    assert names(queue) == ["c", "a", "b"] and queue.version > version
    queue.duplicate(a.number)
    assert names(queue) == ["c", "a", "a", "b"]
    queue.remove(b.number)
    assert names(queue) == ["c", "a", "a"]
    with pytest.raises(AcquisitionError, match=f"no plan {b.number}"):
        queue.remove(b.number)
    queue.add(planned(QUICK, "first"), 0)
    assert names(queue)[0] == "first"


def test_a_script_cannot_wait(queue: RunQueue) -> None:
    with pytest.raises(PlanError, match="cannot be kept"):
        queue.add(planned(iter([useq.MDAEvent()])))
    assert queue.entries == ()


def test_what_waits_outlives_the_program(queue: RunQueue, tmp_path: Path) -> None:
    queue.add(planned(QUICK, "done"))
    queue.start()
    queue.wait(60)
    queue.add(planned(WRONG, "later", tmp_path))
    stored = queue.to_json()
    again = RunQueue(queue._owner)
    again.restore([*stored, {"odd": 1}, None, 3])
    assert names(again) == ["later"] and states(again) == ["waiting"]
    assert not again.working
    again.restore("nothing of ours")
    assert names(again) == ["later"]


def test_a_microscope_that_is_in_use_is_a_failure(
    queue: RunQueue, owner: CoreOwner
) -> None:
    thread = owner.core.run_mda(ENDLESS)
    until(owner.core.mda.is_running)
    queue.add(planned(QUICK))
    queue.start()
    assert queue.wait(60)
    assert states(queue) == ["failed"]
    assert "runs an acquisition" in str(queue.entries[0].error)
    owner.core.mda.cancel()
    thread.join(30)

"""Many runs in one process: no thread, no handle, no memory stays behind."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import useq
from tests.acquire.scopes import small_frames, until

from napari_scope.acquire import CoreOwner, Output, Run, RunState
from napari_scope.errors import ScopeError
from napari_scope.stream import MemorySink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pymmcore_plus import CMMCorePlus

    from napari_scope.stream import StoreSpec
    from napari_scope.stream.sinks.base import FrameItem

RUNS = 200
WARM_UP = 30
# What the allocator of Python and the C library may differ by. A leaked frame buffer,
# thread or plan in each run would be several times as much.
MOST_MB = 8


@pytest.fixture(autouse=True)
def fast(core: CMMCorePlus) -> None:
    small_frames(core)
    core.setExposure(1)


def endings(owner: CoreOwner, folder: Path, number: int) -> None:
    """Make a run of one kind or another, which ends in one way or another."""
    kind, end = [("ome-zarr", ".ome.zarr"), ("ndtiff", ""), ("memory", "")][number % 3]
    outputs: Any = [Output(folder / f"r{number}{end}", kind)]  # type: ignore[arg-type]
    plan: Any = [useq.MDAEvent(index={"t": t}, exposure=1) for t in range(3)]
    way = number % 5
    if way == 1:
        plan = iter(plan)
    if way == 2:
        plan[-1] = plan[-1].replace(min_start_time=600)
    if way == 3:
        plan[-1] = plan[-1].replace(properties=[("Camera", "Nope", "1")])
    run = Run(owner, plan, outputs, use_hardware_sequencing=way != 4)
    run.events.saved.connect(lambda news: None)
    run.start()
    if way == 2:
        until(lambda: run.state is RunState.WAITING)
        run.cancel()
    if way == 3:
        with pytest.raises(ScopeError):
            run.wait(30)
    else:
        run.wait(30)


def measured() -> tuple[int, int, float]:
    """Return the threads, the open files and the megabytes of this process."""
    gc.collect()
    me = psutil.Process(os.getpid())
    handles = me.num_handles() if os.name == "nt" else me.num_fds()
    return threading.active_count(), handles, me.memory_info().rss / 1e6


def test_many_runs_leave_nothing(owner: CoreOwner, tmp_path: Path) -> None:
    for number in range(WARM_UP):
        endings(owner, tmp_path, number)
    threads, handles, megabytes = measured()
    for number in range(WARM_UP, WARM_UP + RUNS):
        endings(owner, tmp_path, number)
    until(lambda: threading.active_count() <= threads)
    now = measured()
    assert now[1] <= handles
    assert now[2] < megabytes + MOST_MB


def test_a_run_that_is_over_is_let_go(owner: CoreOwner) -> None:
    """With its stream and frames; also one whose plan is not read on."""

    def events() -> Iterator[useq.MDAEvent]:
        for t in range(100):
            yield useq.MDAEvent(index={"t": t // 2})

    plans: list[Any] = [useq.MDASequence(channels=["DAPI"]), events()]
    for plan in plans:
        run = Run(owner, plan).start()
        until(lambda run=run: run.done)
        gone = weakref.ref(run), weakref.ref(run.stream)
        del run
        gc.collect()
        until(lambda gone=gone: gc.collect() >= 0 and not any(r() for r in gone))


class Dropping(MemorySink):
    """A sink that keeps nothing."""

    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        pass


def test_events_of_a_generator_are_forgotten(
    owner: CoreOwner, core: CMMCorePlus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come: an event takes kilobytes, its place some bytes."""
    monkeypatch.setattr(core, "snapImage", lambda: None)
    frame = core.getImageWidth(), core.getImageHeight()
    monkeypatch.setattr(core, "getImage", lambda *a: np.zeros(frame, "u2"))
    marks: list[float] = []

    def events() -> Iterator[useq.MDAEvent]:
        for t in range(12_000):
            if t in (3_000, 11_999):
                marks.append(measured()[2])
            yield useq.MDAEvent(index={"t": t})

    run = Run(owner, events(), make_sinks=lambda spec: [Dropping()])
    assert run.start().wait(120).saved == 12_000
    before, after = marks
    assert after - before < 3

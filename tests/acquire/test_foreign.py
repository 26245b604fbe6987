from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from pymmcore_plus import CMMCorePlus
from pymmcore_plus.mda import MDAEngine

from napari_scope.acquire import CoreOwner, Run, foreign
from napari_scope.acquire.foreign_watch import ForeignWatch
from napari_scope.acquire.progress import RunState
from napari_scope.acquire.registry import (
    add_guest,
    remove_guest,
    runs_of,
    watch_runs,
)
from napari_scope.errors import AcquisitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PLAN = useq.MDASequence(
    channels=["DAPI", "FITC"], time_plan=useq.TIntervalLoops(interval=0, loops=3)
)


@pytest.fixture(scope="module")
def quick() -> Iterator[CoreOwner]:
    """A small microscope with signals of psygnal, also where Qt was used before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYMM_SIGNALS_BACKEND", "psygnal")
        core = CMMCorePlus()
    with CoreOwner(core) as owner:
        owner.load()
        core.setROI(0, 0, 32, 24)
        core.setExposure(1)
        yield owner


class Heard:
    """What those who watch runs are told."""

    def __init__(self) -> None:
        self.started: list[Any] = []
        self.ended: list[Any] = []

    def __call__(self, what: str, run: Any) -> None:
        (self.started if what == "started" else self.ended).append(run)

    def wait(self) -> Any:
        end = time.monotonic() + 30
        while not self.ended:
            assert time.monotonic() < end, "no run has ended"
            time.sleep(0.005)
        return self.ended[-1]


@pytest.fixture
def heard(quick: CoreOwner) -> Iterator[Heard]:
    """Watch the runs of others."""
    made = Heard()
    stop = watch_runs(made)
    watch = ForeignWatch(quick.core)
    watch.start()
    watch.start()
    yield made
    watch.stop()
    watch.stop()
    stop()
    names = [t.name for t in threading.enumerate()]
    assert "napari-scope other run" not in names


def _frames(run: Any) -> Any:
    return run.stream.view().images[0].levels[0]


def test_a_sequence_is_seen_whole(quick: CoreOwner, heard: Heard) -> None:
    taken: list[np.ndarray[Any, Any]] = []
    listener = quick.core.mda.events.frameReady.connect(
        lambda image, event: taken.append(image.copy())
    )
    quick.core.run_mda(_PLAN, block=True)
    run = heard.wait()
    assert heard.started == [run] and run.is_foreign
    report = run.wait(30)
    assert (run.state, report.saved, report.planned) == (RunState.FINISHED, 6, 6)
    assert report.warnings == () and report.dropped == 0
    assert run.plan == _PLAN and run.error is None and run.owner is None
    assert np.array_equal(np.asarray(_frames(run)).reshape(6, 24, 32), np.array(taken))
    progress = run.progress()
    assert (progress.acquired, progress.saved, progress.fraction) == (6, 6, 1.0)
    assert runs_of(quick.core) == []
    quick.core.mda.events.frameReady.disconnect(listener)


@pytest.mark.parametrize("lazy", [False, True], ids=["list", "generator"])
def test_events_without_a_sequence(quick: CoreOwner, heard: Heard, lazy: bool) -> None:
    events = [useq.MDAEvent(index={"t": t, "z": 0}, exposure=1) for t in range(4)]
    quick.core.run_mda((e for e in events) if lazy else events, block=True)
    run = heard.wait()
    assert run.wait(30).saved == 4
    assert run.plan is None and run.progress().planned is None
    assert np.asarray(_frames(run)).reshape(-1, 24, 32).any(axis=(1, 2)).all()


def test_a_run_that_saves_is_seen_too(
    quick: CoreOwner, heard: Heard, tmp_path: Any
) -> None:
    quick.core.run_mda(_PLAN, output=tmp_path / "theirs.ome.zarr", block=True)
    run = heard.wait()
    assert run.wait(30).saved == 6 and run.plan == _PLAN
    assert (tmp_path / "theirs.ome.zarr").is_dir()


def test_our_own_runs_are_no_foreign_ones(quick: CoreOwner, heard: Heard) -> None:
    run = Run(quick, _PLAN).start()
    run.wait(30)
    heard.wait()
    assert heard.started == [run] and heard.ended == [run]


def test_an_error_of_the_run(quick: CoreOwner, heard: Heard) -> None:
    class Broken(MDAEngine):
        def setup_event(self, event: useq.MDAEvent) -> None:
            if event.index.get("t") == 1:
                raise RuntimeError("the lamp is off")
            super().setup_event(event)

    before = quick.core.mda.set_engine(
        Broken(quick.core, use_hardware_sequencing=False)
    )
    try:
        with pytest.raises(RuntimeError, match="lamp"):
            quick.core.mda.run(_PLAN)
    finally:
        assert before is not None
        quick.core.mda.set_engine(before)
    run = heard.wait()
    assert run.state is RunState.FAILED and run.report.saved == 2
    with pytest.raises(AcquisitionError, match="stopped with an error"):
        run.wait(30)


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_it_can_be_paused_and_cancelled(quick: CoreOwner, heard: Heard) -> None:
    plan = useq.MDASequence(time_plan=useq.TIntervalLoops(interval=0.05, loops=500))
    quick.core.run_mda(plan)
    _until(lambda: bool(heard.started) and heard.started[0].progress().acquired > 1)
    run = heard.started[0]
    assert runs_of(quick.core) == [run] and not run.done
    # Its runner overlooks what is wished in the last half second before an event.
    for resume in (run.resume, lambda: quick.core.mda.set_paused(False)):
        run.pause()
        _until(lambda: run.state is RunState.PAUSED)
        seen = run.progress().acquired
        time.sleep(0.2)
        assert run.progress().acquired <= seen + 1
        assert run.state is RunState.PAUSED
        resume()
        _until(lambda n=seen: run.progress().acquired > n + 3)
    run.cancel()
    assert heard.wait() is run
    assert run.wait(30).state is RunState.CANCELLED
    assert 1 < run.report.saved < 500
    run.cancel()  # of no concern any more
    run.pause()


def test_a_run_that_goes_on_already_is_taken_up(quick: CoreOwner) -> None:
    plan = useq.MDASequence(time_plan=useq.TIntervalLoops(interval=0.02, loops=500))
    first = threading.Event()
    listener = quick.core.mda.events.frameReady.connect(lambda image: first.set())
    thread = quick.core.run_mda(plan)
    assert thread is not None and first.wait(30)
    quick.core.mda.events.frameReady.disconnect(listener)
    heard = Heard()
    stop, watch = watch_runs(heard), ForeignWatch(quick.core)
    watch.start()
    _until(lambda: bool(heard.started) and heard.started[0].progress().saved > 1)
    run = heard.started[0]
    run.cancel()
    assert heard.wait() is run and run.plan is None
    assert run.report.saved > 1
    thread.join(30)
    watch.stop()
    stop()


def test_frames_that_nobody_stores_in_time_are_left_out(
    quick: CoreOwner, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "_MOST_WAITING_BYTES", 3 * 24 * 32)
    gate = threading.Event()
    store = foreign.ForeignRun._store

    def slow(self: Any, *taken: Any) -> None:
        assert gate.wait(30)
        store(self, *taken)

    monkeypatch.setattr(foreign.ForeignRun, "_store", slow)
    quick.core.run_mda(_PLAN, block=True)  # is not held up
    run = heard.started[0]
    assert not run.done and run.state is RunState.CLOSING
    gate.set()
    report = heard.wait().report
    assert report.saved + report.dropped == 6
    assert 0 < report.dropped < 6 and run.progress().dropped == report.dropped


def test_nothing_that_goes_wrong_here_reaches_the_run(
    quick: CoreOwner, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise KeyError("no such axis")

    monkeypatch.setattr(foreign.Recorder, "store", fail)
    taken: list[object] = []
    listener = quick.core.mda.events.frameReady.connect(
        lambda image, event: taken.append(event)
    )
    quick.core.run_mda(_PLAN, block=True)
    quick.core.mda.events.frameReady.disconnect(listener)
    report = heard.wait().report
    assert len(taken) == 6
    assert (report.state, report.saved, report.dropped) == (RunState.FINISHED, 0, 6)
    assert report.warnings == ("not shown: 'no such axis'",)


def test_runs_that_are_not_wanted_and_those_after_the_end(quick: CoreOwner) -> None:
    heard = Heard()
    stop = watch_runs(heard)
    watch = ForeignWatch(quick.core, wanted=lambda: False)
    watch.start()
    quick.core.run_mda(_PLAN, block=True)
    watch.stop()
    quick.core.run_mda(_PLAN, block=True)
    stop()
    assert heard.started == []


def test_a_run_whose_end_was_never_told(quick: CoreOwner) -> None:
    heard = Heard()
    stop, watch = watch_runs(heard), ForeignWatch(quick.core)
    watch.start()
    watch._on_started(_PLAN)  # its runner dies behind this
    for _ in range(10):
        watch.look()
    assert heard.wait().done
    watch.stop()
    stop()


def test_a_run_that_follows_one_whose_end_was_never_told(
    quick: CoreOwner, heard: Heard
) -> None:
    watch = ForeignWatch(quick.core)
    for _ in range(2):
        watch._on_started(_PLAN)
    first, second = heard.started
    assert heard.wait() is first and first.done and not second.done
    watch.stop()
    _until(lambda: len(heard.ended) == 2)
    assert second.report.state is RunState.CANCELLED


def test_nothing_is_heard_after_the_end_while_the_signals_live(
    quick: CoreOwner,
) -> None:
    watch = ForeignWatch(quick.core)
    watch.start()
    slots = list(watch._connected)
    before = [len(signal) for signal, _ in slots]
    watch.stop()
    assert [len(signal) for signal, _ in slots] == [n - 1 for n in before]


def test_signals_that_qt_has_deleted_are_not_touched(quick: CoreOwner) -> None:
    touched: list[str] = []

    class Signal:
        def disconnect(self, _slot: object) -> None:
            touched.append("disconnected")

    watch = ForeignWatch(quick.core, alive=lambda _signals: False)
    watch._connected = [(Signal(), print)]
    watch.stop()
    assert touched == [] and watch._connected == []


def test_a_guest_that_does_not_answer_hides_no_run(
    quick: CoreOwner, heard: Heard
) -> None:
    class Stubborn:
        core = quick.core

        def make_way(self) -> None:
            raise AcquisitionError("the stage does not answer")

    guest = Stubborn()
    add_guest(guest)
    quick.core.run_mda(_PLAN, block=True)
    remove_guest(guest)
    run = heard.wait()
    assert run.wait(30).saved == 6 and run.plan == _PLAN

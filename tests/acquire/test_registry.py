from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import useq

from napari_scope.acquire import Run, registry
from napari_scope.acquire.registry import (
    add_guest,
    is_in_use,
    loading,
    remove_guest,
    runs_of,
    watch_runs,
)
from napari_scope.errors import AcquisitionError

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire import CoreOwner

_PLAN = useq.MDASequence(time_plan=useq.TIntervalLoops(interval=0, loops=3))


class Visitor:
    """A guest that notes what the core was doing when it was asked to make way."""

    def __init__(self, core: CMMCorePlus) -> None:
        self.core = core
        self.asked: list[bool] = []

    def make_way(self) -> None:
        self.asked.append(self.core.mda.is_running())


def test_watchers_hear_of_the_beginning_and_the_end(quick: CoreOwner) -> None:
    heard: list[tuple[str, object, str]] = []
    ended = threading.Event()

    def told(what: str, run: object) -> None:
        heard.append((what, run, threading.current_thread().name))
        if what == "ended":
            ended.set()

    stop = watch_runs(told)
    run = Run(quick, _PLAN).start()
    assert runs_of(quick.core) == [run] or run.done
    run.wait(30)
    assert ended.wait(30)
    assert [(what, who) for what, who, _ in heard] == [("started", run), ("ended", run)]
    assert heard[1][2] == "napari-scope run"
    assert runs_of(quick.core) == []
    stop()
    stop()
    Run(quick, _PLAN).start().wait(30)
    assert len(heard) == 2


def test_guests_make_way_before_a_run_and_before_a_loading(quick: CoreOwner) -> None:
    guest = Visitor(quick.core)
    add_guest(guest)
    run = Run(quick, _PLAN).start()
    assert guest.asked == [False]
    run.wait(30)
    with loading(quick.core):
        assert guest.asked == [False, False]
        assert is_in_use(quick.core)
    remove_guest(guest)
    remove_guest(guest)
    Run(quick, _PLAN).start().wait(30)
    assert len(guest.asked) == 2


def test_the_end_of_somebody_elses_run_is_waited_for(
    quick: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runner would set its state to idle in the middle of ours."""
    closing, closed = threading.Event(), threading.Event()

    def close(*_: object) -> None:
        closing.set()
        assert closed.wait(30)

    finished = quick.core.mda.events.sequenceFinished
    finished.connect(close)
    thread = quick.core.run_mda(_PLAN)
    assert closing.wait(30) and not quick.core.mda.is_running()
    monkeypatch.setattr(registry, "_CLOSING_S", 0)
    with pytest.raises(AcquisitionError, match="still closes"):
        Run(quick, _PLAN).start()
    assert is_in_use(quick.core)
    monkeypatch.undo()
    threading.Timer(0.1, closed.set).start()
    run = Run(quick, _PLAN).start()  # waits a moment
    assert closed.is_set() and run.wait(30).saved == 3
    thread.join(30)
    finished.disconnect(close)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_runner_that_stopped_in_the_middle_of_its_end_is_no_run(
    quick: CoreOwner,
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a slot of somebody")

    finished = quick.core.mda.events.sequenceFinished
    finished.connect(fail)
    quick.core.run_mda(_PLAN).join(30)
    finished.disconnect(fail)
    assert quick.core.mda.status.phase.value == "finishing"
    assert not is_in_use(quick.core)
    assert Run(quick, _PLAN).start().wait(30).saved == 3


def test_guests_of_other_cores_and_those_gone_are_not_asked(quick: CoreOwner) -> None:
    from pymmcore_plus import CMMCorePlus

    elsewhere = Visitor(CMMCorePlus())
    add_guest(elsewhere)
    gone = Visitor(quick.core)
    asked = gone.asked
    add_guest(gone)
    del gone
    Run(quick, _PLAN).start().wait(30)
    assert elsewhere.asked == [] and asked == []


def test_a_run_that_is_refused_is_not_told(quick: CoreOwner) -> None:
    heard: list[str] = []
    stop = watch_runs(lambda what, run: heard.append(what))
    guest = Visitor(quick.core)
    add_guest(guest)
    with loading(quick.core), pytest.raises(AcquisitionError, match="being loaded"):
        Run(quick, _PLAN).start()
    stop()
    assert heard == []
    assert guest.asked == [False]  # by the loading


def test_a_watcher_may_end_itself_while_it_is_told(quick: CoreOwner) -> None:
    heard: list[str] = []

    def once(what: str, _run: object) -> None:
        heard.append(what)
        stop()

    stop = watch_runs(once)
    others: list[str] = []
    stop_other = watch_runs(lambda what, run: others.append(what))
    Run(quick, _PLAN).start().wait(30)
    stop_other()
    assert heard == ["started"] and others == ["started", "ended"]


def test_a_guest_that_holds_on_and_a_watcher_that_fails(
    quick: CoreOwner, caplog: pytest.LogCaptureFixture
) -> None:
    class Stubborn(Visitor):
        def make_way(self) -> None:
            raise AcquisitionError("the camera hangs")

    guest = Stubborn(quick.core)
    add_guest(guest)
    with pytest.raises(AcquisitionError, match="the camera hangs"):
        Run(quick, _PLAN).start()
    assert not is_in_use(quick.core)
    remove_guest(guest)

    def bad(_what: str, _run: object) -> None:
        raise ValueError("oops")

    stop = watch_runs(bad)
    assert Run(quick, _PLAN).start().wait(30).saved == 3
    stop()
    assert caplog.text.count("told in vain") == 2

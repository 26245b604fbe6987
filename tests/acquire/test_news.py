"""What a run tells its listeners: in which order, at which cost, on which thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import useq
from tests.acquire.scopes import small_frames, until

from napari_scope.acquire import CoreOwner, Run, RunState
from napari_scope.acquire.hooks import EngineHooks
from napari_scope.acquire.news import FrameNews, RunNews
from napari_scope.errors import ScopeError
from napari_scope.stream import telling

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

STEPS = ("hardware", "exposure", "saved", "skipped")
PLAN = [useq.MDAEvent(index={"t": t}, exposure=1) for t in range(5)]


@pytest.fixture(autouse=True)
def fast(core: CMMCorePlus) -> None:
    small_frames(core)


def listen(run: Run) -> list[Any]:
    heard: list[Any] = []
    for name in ("started", *STEPS, "finished"):
        getattr(run.events, name).connect(lambda news, n=name: heard.append((n, news)))
    return heard


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("lazy", [True, False])
def test_order(owner: CoreOwner, merge: bool, lazy: bool) -> None:
    plan = iter(PLAN) if lazy else PLAN
    run = Run(owner, plan, name="mine", use_hardware_sequencing=merge)
    heard = listen(run)
    report = run.start().wait(30)
    assert heard[0] == ("started", "mine")
    assert heard[-1] == ("finished", report)
    frames = [news for name, news in heard[1:-1]]
    assert all(name == news.step for name, news in heard[1:-1])
    for t in range(5):
        steps = [n.step for n in frames if n.axes == {"time": t}]
        assert steps == ["hardware", "exposure", "saved"]
    for step in ("hardware", "exposure", "saved"):
        times = [n.axes["time"] for n in frames if n.step == step]
        assert times == list(range(5))
    assert len(frames) == 15
    stamps = [n.time_s for n in frames if n.step == "saved"]
    assert stamps == sorted(stamps)
    if merge and not lazy:
        first = [n.step for n in frames]
        assert first[:10] == ["hardware"] * 5 + ["exposure"] * 5


def test_labels_and_cameras_are_those_of_the_data(owner: CoreOwner) -> None:
    run = Run(owner, useq.MDASequence(channels=["DAPI", "FITC"]))
    heard = listen(run)
    run.start().wait(30)
    for step in ("hardware", "exposure", "saved"):
        axes = [n.axes for name, n in heard if name == step]
        assert axes == [{"channel": "DAPI"}, {"channel": "FITC"}]


def test_frames_that_do_not_come(owner: CoreOwner, core: CMMCorePlus) -> None:
    real, count = core.snapImage, 0

    def snap() -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise RuntimeError("no light")
        real()

    core.snapImage = snap  # type: ignore[method-assign]
    run = Run(owner, PLAN, on_error="skip", use_hardware_sequencing=False)
    heard = listen(run)
    run.start().wait(30)
    (gone,) = [n for name, n in heard if name == "skipped"]
    assert gone.axes == {"time": 2}
    assert "no light" in gone.reason
    assert [n.step for _, n in heard[1:-1] if n.axes == {"time": 2}] == [
        "hardware",
        "skipped",
    ]


@pytest.mark.parametrize("lazy", [True, False])
def test_dropped_by_a_hook(owner: CoreOwner, lazy: bool) -> None:
    """A plan that is made up as it goes has no place for them; they are told of."""
    hooks = EngineHooks(lambda events: [e for e in events if e.index["t"] != 1])
    plan = iter(PLAN) if lazy else PLAN
    run = Run(owner, plan, hooks=hooks, use_hardware_sequencing=False)
    heard = listen(run)
    run.start().wait(30)
    (gone,) = [n for name, n in heard if name == "skipped"]
    assert (gone.axes, gone.reason) == ({"time": 1}, "dropped by pre_hardware_hook_fn")


def test_failures_before_the_first_frame_are_told(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """There is no stream yet that could tell."""
    events = [useq.MDAEvent(index={"t": 0}, properties=[("Camera", "Nope", "1")])]
    run = Run(owner, iter(events + PLAN[1:]), on_error="skip")
    heard = listen(run)
    assert run.start().wait(30).saved == 4
    (gone,) = [n for name, n in heard if name == "skipped"]
    assert gone.axes == {"time": 0}
    assert "Nope" in gone.reason


def test_the_end_is_told_however_it_comes(owner: CoreOwner) -> None:
    for plan, ending in (
        ([{"axes": {"time": 0}, "min_start_time": 60}], RunState.CANCELLED),
        (useq.MDASequence(channels=["Nope"]), RunState.FAILED),
    ):
        run = Run(owner, plan)
        heard = listen(run)
        run.start()
        if ending is RunState.CANCELLED:
            until(lambda run=run: run.state is RunState.WAITING)
            run.cancel()
            run.wait(20)
        else:
            with pytest.raises(ScopeError):
                run.wait(20)
        assert heard[-1][0] == "finished"
        assert heard[-1][1].state is ending
        # A plan that the microscope cannot run never starts.
        assert ("started" in dict(heard)) is (ending is RunState.CANCELLED)


def test_listeners_have_a_thread_of_their_own(owner: CoreOwner) -> None:
    threads: set[str] = set()
    run = Run(owner, PLAN)
    for name in ("started", *STEPS, "finished"):
        getattr(run.events, name).connect(
            lambda news: threads.add(threading.current_thread().name)
        )
    run.start().wait(30)
    assert threads == {"napari-scope news"}
    until(lambda: not [t for t in threading.enumerate() if t.name in threads])


def test_nothing_is_made_for_nobody(
    owner: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: Any, **options: Any) -> FrameNews:
        raise AssertionError("news for nobody")

    monkeypatch.setattr("napari_scope.acquire.run.FrameNews", never)
    monkeypatch.setattr("napari_scope.acquire.news.FrameNews", never)
    run = Run(owner, PLAN)
    assert run.start().wait(30).saved == 5
    assert run.events._thread is None


def test_a_slow_listener_does_not_slow_the_run(owner: CoreOwner) -> None:
    """All frames are saved while the listener still has the first of its news."""
    let_go = threading.Event()
    heard: list[Any] = []
    run = Run(owner, PLAN, use_hardware_sequencing=False)

    def slow(news: FrameNews) -> None:
        let_go.wait(30)
        heard.append(news.axes["time"])

    run.events.saved.connect(slow)
    report = run.start().wait(30)
    assert (report.saved, heard) == (5, [])
    let_go.set()
    until(lambda: len(heard) == 5)
    assert heard == list(range(5))
    assert run.events.missed == 0


def test_a_broken_listener_harms_nobody(
    owner: CoreOwner, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(owner, PLAN)
    heard = listen(run)

    def fail(news: FrameNews) -> None:
        raise KeyError("mine")

    run.events.exposure.connect(fail)
    assert run.start().wait(30).saved == 5
    # A run does not wait long for its listeners.
    until(lambda: len(heard) == 17)
    assert "mine" in caplog.text


def test_none_is_lost_below_the_limit() -> None:
    """As many as are promised may wait; of more the oldest go, and are counted."""
    news, let_go, heard = RunNews(), threading.Event(), []
    first = threading.Event()

    def slow(item: FrameNews) -> None:
        first.set()
        let_go.wait(30)
        heard.append(item.axes["time"])

    news.saved.connect(slow)
    news.tell("saved", FrameNews("saved", {"time": -1}))
    assert first.wait(20)
    for t in range(telling._MOST_NEWS + 3):
        news.tell("saved", FrameNews("saved", {"time": t}))
        if t == telling._MOST_NEWS - 1:
            assert news.missed == 0
    assert news.missed == 3
    let_go.set()
    news.finish()
    until(lambda: len(heard) == telling._MOST_NEWS + 1)
    assert heard == [-1, *range(3, telling._MOST_NEWS + 3)]

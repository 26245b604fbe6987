"""Faults of devices, disks and people: what was taken is there, and the cause is said.

More of them are in `test_engine` (devices that refuse), `test_bursts` (cameras),
`test_hardware` (stages, autofocus), `test_hooks`, and `test_run` (disks, generators).
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import useq
from tests.acquire.scopes import HeldSink, Told, small_frames, until

from napari_scope.acquire import CoreOwner, Output, Run, RunState
from napari_scope.acquire.hooks import EngineHooks
from napari_scope.errors import HardwareError, ScopeError, StreamError
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff import Dataset
from napari_scope.stream import recover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pymmcore_plus import CMMCorePlus


@pytest.fixture(autouse=True)
def fast(core: CMMCorePlus) -> None:
    small_frames(core)
    core.setExposure(1)


PLAN = [useq.MDAEvent(index={"t": t}, exposure=1) for t in range(8)]
KINDS = {"ome-zarr": ".ome.zarr", "ndtiff": "", "ome-tiff": ".ome.tiff"}


def every(folder: Path) -> list[Output]:
    return [
        Output(folder / f"r{suffix}", kind)  # type: ignore[arg-type]
        for kind, suffix in KINDS.items()
    ]


def times_in(path: Path) -> list[int]:
    """Return the time points that a store has an image of."""
    if path.suffix == ".zarr":
        (image,) = open_dataset(path).images
        data = np.asarray(image.levels[0])
    elif path.suffix == ".tiff":
        data = tifffile.imread(path)
    else:
        return sorted(
            axes["time"] for axes in Dataset(path).get_image_coordinates_list()
        )
    taken = data.reshape(-1, 32 * 32).any(axis=1)
    return [int(t) for t in np.flatnonzero(taken)]


# ------------------------------------------------------------- devices


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_a_snap_that_fails(
    owner: CoreOwner, core: CMMCorePlus, tmp_path: Path, policy: Any
) -> None:
    """In every format the frames before it are there, and none has moved."""
    real, count = core.snapImage, 0

    def snap() -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise RuntimeError("shutter stuck")
        real()

    core.snapImage = snap  # type: ignore[method-assign]
    run = Run(
        owner, PLAN, every(tmp_path), on_error=policy, use_hardware_sequencing=False
    ).start()
    if policy == "stop":
        with pytest.raises(HardwareError, match=r"shutter stuck.*t=3"):
            run.wait(60)
    else:
        assert [s.axes for s in run.wait(60).skipped] == [{"time": 3}]
    saved = 3 if policy == "stop" else 7
    assert run.report is not None
    assert run.report.saved == saved
    for output in every(tmp_path):
        assert times_in(output.path) == [t for t in range(saved + 1) if t != 3]


def test_a_preset_that_goes_missing_during_the_run(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """Of a generator's events nobody can know before."""

    def events() -> Iterator[useq.MDAEvent]:
        yield useq.MDAEvent(index={"t": 0}, channel="DAPI")
        yield useq.MDAEvent(index={"t": 1}, channel="Nope")

    run = Run(owner, events()).start()
    with pytest.raises(HardwareError, match=r"Nope.*t=1"):
        run.wait(30)
    assert run.report is not None
    assert run.report.saved == 1
    run = Run(owner, events(), on_error="skip").start()
    assert [s.axes["time"] for s in run.wait(30).skipped] == [1]


# ------------------------------------------------------------- cancelling


class Phase:
    """Brings a run into a phase in which it is cancelled, and lets go after it."""

    def __init__(self, owner: CoreOwner) -> None:
        self.owner = owner
        self.core = owner.core
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def hold(self, *args: Any) -> None:
        self.reached.set()
        assert self.let_go.wait(60)

    def run(self, plan: Any = PLAN, **options: Any) -> Run:
        options.setdefault("use_hardware_sequencing", False)
        return Run(self.owner, plan, **options)


def while_preparing(phase: Phase) -> Run:
    def sinks(spec: Any) -> Any:
        phase.hold()
        return [HeldSink(lambda: False)]

    return phase.run(make_sinks=sinks)


def while_exposing(phase: Phase) -> Run:
    """A camera that exposes for an hour; nothing can interrupt it."""
    real = phase.core.snapImage
    phase.core.snapImage = lambda: (phase.hold(), real())  # type: ignore[method-assign]
    return phase.run(
        [useq.MDAEvent(index={"t": t}, exposure=3_600_000) for t in (0, 1)]
    )


def while_focusing(phase: Phase) -> Run:
    phase.core.fullFocus = phase.hold  # type: ignore[method-assign]
    focus = useq.MDAEvent(action=useq.HardwareAutofocus())
    return phase.run([focus, *PLAN])


def while_the_disk_stalls(phase: Phase) -> Run:
    def held() -> bool:
        phase.reached.set()
        return not phase.let_go.is_set()

    plan = [useq.MDAEvent(index={"t": t}, exposure=1) for t in range(5000)]
    return phase.run(
        plan,
        ring_bytes=1,
        make_sinks=lambda spec: [HeldSink(held)],
        use_hardware_sequencing=True,
    )


def while_the_plan_thinks(phase: Phase) -> Run:
    def events() -> Iterator[useq.MDAEvent]:
        yield PLAN[0]
        phase.hold()
        yield PLAN[1]

    return phase.run(events())


def while_an_action_runs(phase: Phase) -> Run:
    def act(*args: Any) -> None:
        phase.reached.set()

    action = useq.MDAEvent(action=useq.CustomAction(name="act"))
    later = [e.replace(min_start_time=60) for e in PLAN]
    return phase.run([PLAN[0], action, *later[1:]], actions={"act": act})


@pytest.mark.parametrize(
    "place",
    [
        while_preparing,
        while_exposing,
        while_focusing,
        while_the_disk_stalls,
        while_the_plan_thinks,
        while_an_action_runs,
    ],
)
def test_cancelling(owner: CoreOwner, place: Callable[[Phase], Run]) -> None:
    phase = Phase(owner)
    run = place(phase)
    run.start()
    assert phase.reached.wait(30)
    run.cancel()
    assert run.state in (RunState.CANCELLING, RunState.CLOSING, RunState.CANCELLED)
    if place in (while_exposing, while_focusing):
        # The files are closed although the device still goes on.
        until(lambda: run.stream is not None and run.stream.closed)
        assert run.state is RunState.CLOSING
        assert not run.done
    if place is while_the_disk_stalls:
        # The camera stops, whatever the disk does.
        until(lambda: not owner.core.isSequenceRunning())
        assert not run.done
    phase.let_go.set()
    report = run.wait(30)
    assert report.state is RunState.CANCELLED
    assert report.saved < 5000
    assert not owner.core.isSequenceRunning()
    assert not owner.core.getShutterOpen()
    assert not owner.core.mda.is_running()
    assert Run(owner, PLAN[:1]).start().wait(30).saved == 1


def test_cancelling_a_burst_with_open_shutter_behind_a_disk_that_stalls(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """The light goes off although the thread of the run is held by the disk."""
    let_go, holding = threading.Event(), threading.Event()

    def held() -> bool:
        holding.set()
        return not let_go.is_set()

    plan = [
        useq.MDAEvent(index={"t": t}, exposure=1, keep_shutter_open=True)
        for t in range(4000)
    ]
    run = Run(owner, plan, ring_bytes=1, make_sinks=lambda spec: [HeldSink(held)])
    run.start()
    assert holding.wait(30)
    until(core.getShutterOpen)
    run.cancel()
    until(lambda: not core.getShutterOpen())
    assert not run.done
    let_go.set()
    assert run.wait(30).state is RunState.CANCELLED


def test_a_camera_that_is_stopped_by_cancelling_has_not_failed(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """Whoever stops the camera, a cancelled run is none that failed."""
    plan = useq.MDASequence(time_plan={"interval": 0, "loops": 3000})
    for _ in range(5):
        run = Told(owner, plan).start()
        until(lambda run=run: run.progress().acquired >= 2)
        run.cancel()
        core.stopSequenceAcquisition()
        assert run.wait(30).state is RunState.CANCELLED


def test_progress_tells_the_truth(owner: CoreOwner) -> None:
    """A plan that thinks is waited for; a pause wished meanwhile is none yet."""
    phase = Phase(owner)
    run = while_the_plan_thinks(phase).start()
    assert phase.reached.wait(30)
    until(lambda: run.state is RunState.WAITING)
    assert run.progress().acquired == 1
    run.pause()
    assert run.progress().state is RunState.PAUSING
    phase.let_go.set()
    until(lambda: run.state is RunState.PAUSED)
    assert run.progress().acquired == 1
    run.resume()
    assert run.wait(30).saved == 2


def test_a_burst_is_finished_before_a_pause(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    let_go, popped = threading.Event(), core.popNextImageAndMD

    def pop() -> Any:
        assert let_go.wait(30)
        return popped()

    core.popNextImageAndMD = pop  # type: ignore[method-assign]
    plan = [
        useq.MDAEvent(index={"t": t}, min_start_time=t // 4 / 100) for t in range(8)
    ]
    run = Run(owner, plan).start()
    until(core.getRemainingImageCount)
    run.pause()
    assert run.state is RunState.PAUSING
    let_go.set()
    until(lambda: run.state is RunState.PAUSED)
    assert run.progress().acquired == 4
    run.resume()
    assert run.wait(30).saved == 8


# ------------------------------------------------------------- people and disks


def test_a_generator_that_raises_after_a_burst(owner: CoreOwner) -> None:
    """The burst before is complete; the error is the one of its author."""

    def events() -> Iterator[list[useq.MDAEvent]]:
        yield PLAN[:4]
        raise LookupError("no more cells")

    run = Told(owner, events()).start()
    with pytest.raises(ScopeError, match="LookupError: no more cells"):
        run.wait(30)
    assert [axes["time"] for axes, _ in run.frames] == [0, 1, 2, 3]


def test_a_full_disk_in_a_burst(
    owner: CoreOwner, core: CMMCorePlus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope.formats.ngff.writing.shards import ShardWriter

    real, count = ShardWriter.write, 0

    def failing(self: ShardWriter, *args: Any) -> None:
        nonlocal count
        count += 1
        if count > 5:
            raise OSError(28, "No space left on device")
        real(self, *args)

    monkeypatch.setattr(ShardWriter, "write", failing)
    plan = [useq.MDAEvent(index={"t": t}, exposure=1) for t in range(2000)]
    run = Run(owner, plan, [Output(tmp_path / "r.ome.zarr", "ome-zarr")]).start()
    with pytest.raises(StreamError, match="No space left"):
        run.wait(60)
    assert run.state is RunState.FAILED
    assert not core.isSequenceRunning()
    assert not core.getShutterOpen()
    assert len(times_in(tmp_path / "r.ome.zarr")) <= 5


# ------------------------------------------------------------- the end of the process

SCRIPT = """
    import sys, time, useq
    from pathlib import Path
    from pymmcore_plus import CMMCorePlus
    from napari_scope.acquire import CoreOwner, Output, Run

    owner = CoreOwner(CMMCorePlus())
    owner.load()
    owner.core.setProperty("Camera", "OnCameraCCDXSize", "32")
    owner.core.setProperty("Camera", "OnCameraCCDYSize", "32")
    owner.core.setExposure(1)
    folder = Path(sys.argv[1])
    kinds = {"ome-zarr": ".ome.zarr", "ndtiff": "", "ome-tiff": ".ome.tiff"}
    outputs = [Output(folder / f"r{end}", kind) for kind, end in kinds.items()]
    PLAN
    run = Run(owner, plan, outputs).start()
    while run.progress().acquired < 20:
        time.sleep(0.001)
"""
ENDINGS = {
    "burst": "plan = useq.MDASequence(time_plan={'interval': 0, 'loops': 5000})",
    "waiting": (
        "plan = [useq.MDAEvent(index={'t': t}, min_start_time=600 * (t > 19))"
        " for t in range(5000)]"
    ),
    "generator": ("plan = (useq.MDAEvent(index={'t': t}) for t in range(5000))"),
}


@pytest.mark.parametrize("when", ENDINGS)
def test_the_interpreter_ends_during_a_run(tmp_path: Path, when: str) -> None:
    """Nobody waits for the run: it is cancelled, and all files are whole."""
    script = textwrap.dedent(SCRIPT).replace("PLAN", ENDINGS[when])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = []
    for output in every(tmp_path):
        assert recover(output.path).lost == ()
        found.append(times_in(output.path))
    assert found[0] == found[1] == found[2] == list(range(len(found[0])))
    assert 20 <= len(found[0]) < 5000


@pytest.mark.parametrize("by_hardware", [False, True])
def test_frames_of_unloaded_devices_are_counted(
    owner: CoreOwner, by_hardware: bool
) -> None:
    def unload(events: list[useq.MDAEvent]) -> list[useq.MDAEvent]:
        if events[0].index["t"] == 4:
            owner.core.unloadAllDevices()
        return events

    channels = ["DAPI", "FITC"]  # a hardware sequence each
    plan = [
        useq.MDAEvent(index={"t": t}, exposure=1, channel=channels[t // 4])
        for t in range(8)
    ]
    run = Run(
        owner,
        plan,
        on_error="skip",
        hooks=EngineHooks(post_hardware=unload),
        use_hardware_sequencing=by_hardware,
        restore_hardware=False,
    )
    report = run.start().wait(30)
    assert (report.saved, len(report.skipped)) == (4, 4)

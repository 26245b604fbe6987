"""The strict engine: no hardware failure passes, and no frame loses its index."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from pymmcore_plus.mda import MDAEngine, MDARunner, SkipEvent

from napari_scope.acquire import CoreOwner, Output, Run, RunState
from napari_scope.errors import HardwareError
from napari_scope.formats import open_dataset
from napari_scope.stream import read_journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymmcore_plus import CMMCorePlus

TIMES = 6
PLAN = useq.MDASequence(
    axis_order="tpcz",
    time_plan={"interval": 0, "loops": TIMES},
    stage_positions=[{"x": 10, "y": 20, "z": 3}],
    channels=["DAPI", "FITC"],
)


class Failing:
    """Makes one method of a core fail once, after so many images were taken."""

    def __init__(self, core: CMMCorePlus, name: str, after: int) -> None:
        self._snap = core.snapImage
        self._real = getattr(core, name)
        self._after = after
        self._taken = 0
        self.fired = False
        core.snapImage = self._counted  # type: ignore[method-assign]
        setattr(core, name, self)

    def _counted(self) -> None:
        self._snap()
        self._taken += 1

    def __call__(self, *args: Any) -> Any:
        if self._taken == self._after and not self.fired:
            self.fired = True
            raise RuntimeError("the device did not answer")
        if self._real == self._snap:
            return self._counted()
        return self._real(*args)


def started(owner: CoreOwner, plan: Any, tmp_path: Path, **options: Any) -> Run:
    outputs = [
        Output(tmp_path / "r.ome.zarr", "ome-zarr"),
        Output(tmp_path / "r.ndtiff", "ndtiff"),
    ]
    return Run(owner, plan, outputs, use_hardware_sequencing=False, **options).start()


SETUP_CALLS = ["setXYPosition", "setZPosition", "setConfig", "systemBusy"]


@pytest.mark.parametrize("call", [*SETUP_CALLS, "snapImage", "getImage"])
def test_failure_stops_the_run(owner: CoreOwner, tmp_path: Path, call: str) -> None:
    failing = Failing(owner.core, call, 5 if call == "getImage" else 4)
    run = started(owner, PLAN, tmp_path)
    with pytest.raises(HardwareError, match="the device did not answer") as caught:
        run.wait(30)
    assert failing.fired
    assert "event t=2, p=0, c=0" in str(caught.value)
    assert run.state is RunState.FAILED
    assert run.report is not None
    assert run.report.saved == 4
    for output in run.report.outputs:
        (image,) = open_dataset(output.path).images
        # An NDTiff store is as large as what was saved, an OME-Zarr as planned.
        data = np.asarray(image.levels[0]).reshape(-1, 512 * 512)
        taken = data.any(axis=1).tolist()
        assert taken[: len(taken)] == [True] * 4 + [False] * (len(taken) - 4)
    assert not owner.core.getShutterOpen()
    assert owner.core.getAutoShutter()


@pytest.mark.parametrize("call", [*SETUP_CALLS, "snapImage"])
def test_skipped_frame_keeps_its_index(
    owner: CoreOwner, tmp_path: Path, call: str
) -> None:
    Failing(owner.core, call, 4)
    run = started(owner, PLAN, tmp_path, on_error="skip")
    report = run.wait(30)
    assert report.state is RunState.FINISHED
    assert report.saved == TIMES * 2 - 1
    (skipped,) = report.skipped
    assert {k: skipped.axes[k] for k in ("time", "channel")} == {
        "time": 2,
        "channel": "DAPI",
    }
    assert "the device did not answer" in skipped.reason
    assert "the device did not answer" in run.progress().skipped_reasons[-1]
    (image,) = open_dataset(tmp_path / "r.ome.zarr").images
    taken = np.asarray(image.levels[0]).reshape(TIMES, 2, -1).any(axis=2)
    assert taken.sum() == TIMES * 2 - 1
    assert not taken[2, 0]
    journal = read_journal(tmp_path / "r.ndtiff" / "frames.jsonl")
    (gap,) = [f for f in journal.frames if f["status"] == "skipped"]
    assert gap["axes"] == dict(skipped.axes)
    assert "did not answer" in gap["reason"]


@pytest.mark.parametrize(
    "event",
    [
        useq.MDAEvent(index={"t": 1}, properties=[("Camera", "Nope", "1")]),
        useq.MDAEvent(index={"t": 1}, properties=[("Nope", "Binning", "1")]),
        useq.MDAEvent(index={"t": 1}, roi=(0, 0, 100000, 100000)),
        useq.MDAEvent(index={"t": 1}, slm_image={"data": 1, "device": "Nope"}),
    ],
    ids=["property", "device", "roi", "slm"],
)
def test_refused_commands_are_errors(
    owner: CoreOwner, tmp_path: Path, event: useq.MDAEvent
) -> None:
    run = started(owner, [useq.MDAEvent(index={"t": 0}), event], tmp_path)
    with pytest.raises(HardwareError, match="event t=1"):
        run.wait(30)
    assert run.report is not None
    assert run.report.saved == 1


@pytest.mark.parametrize(
    ("role", "event", "text"),
    [
        ("XYStage", useq.MDAEvent(x_pos=1, y_pos=1), "no XY stage"),
        ("Focus", useq.MDAEvent(z_pos=1), "no focus drive"),
        (
            "AutoFocus",
            useq.MDAEvent(action={"type": "hardware_autofocus"}),
            "no autofocus device",
        ),
    ],
)
def test_missing_devices_are_errors(
    owner: CoreOwner, tmp_path: Path, role: str, event: useq.MDAEvent, text: str
) -> None:
    owner.core.setProperty("Core", role, "")
    plan = [useq.MDAEvent(index={"t": 5}), event]
    with pytest.raises(HardwareError, match=text):
        started(owner, plan, tmp_path).wait(30)


def test_no_camera(owner: CoreOwner, tmp_path: Path) -> None:
    owner.core.setCameraDevice("")
    with pytest.raises(HardwareError, match="camera"):
        started(owner, PLAN, tmp_path).wait(30)
    assert not list(tmp_path.iterdir())


def test_autofocus_failure(owner: CoreOwner, tmp_path: Path) -> None:
    plan = PLAN.replace(
        autofocus_plan={"autofocus_motor_offset": 1, "axes": ("t",)},
        time_plan={"interval": 0, "loops": 2},
    )

    def fail() -> None:
        raise RuntimeError("out of range")

    owner.core.fullFocus = fail  # type: ignore[method-assign]
    owner.core.setAutoFocusOffset = lambda offset: None  # type: ignore[method-assign]
    run = started(owner, plan, tmp_path)
    with pytest.raises(HardwareError, match=r"autofocus failed, out of range"):
        run.wait(30)
    run = Run(owner, plan, on_error="skip").start()
    report = run.wait(30)
    assert report.saved == 4
    assert len(report.warnings) == 2
    assert "last focus" in report.warnings[0]


def test_custom_action_takes_no_frame(owner: CoreOwner, tmp_path: Path) -> None:
    plan = [
        useq.MDAEvent(index={"t": 0}),
        useq.MDAEvent(action={"type": "custom", "name": "hello"}),
        useq.MDAEvent(index={"t": 1}),
    ]
    assert started(owner, plan, tmp_path).wait(30).saved == 2


SEQUENCE = useq.MDASequence(
    time_plan={"interval": 0, "loops": 20},
    channels=[{"config": "DAPI", "exposure": 1}],
)


def lose(core: CMMCorePlus, frames: set[int]) -> None:
    """Let the camera's buffer lose some frames of a hardware sequence."""
    real = core.popNextImageAndMD
    count = 0

    def pop(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        result = real(*args, **kwargs)
        count += 1
        if count - 1 in frames:
            return pop(*args, **kwargs)
        return result

    core.popNextImageAndMD = pop  # type: ignore[method-assign]


def overflow(core: CMMCorePlus) -> None:
    """Let the camera stop after 18 frames because its buffer is full."""
    real = core.startSequenceAcquisition
    core.startSequenceAcquisition = (  # type: ignore[method-assign]
        lambda count, *args: real(count - 2, *args)
    )
    core.isBufferOverflowed = lambda: True  # type: ignore[method-assign]


@pytest.mark.parametrize("fault", [lambda c: lose(c, {18, 19}), overflow])
def test_incomplete_hardware_sequence_stops(
    owner: CoreOwner, fault: Callable[[CMMCorePlus], None]
) -> None:
    fault(owner.core)
    run = Run(owner, SEQUENCE).start()
    text = "2 of 20 frames .* are missing" if fault is overflow else "camera failed"
    with pytest.raises(HardwareError, match=text):
        run.wait(60)
    assert run.report is not None
    assert run.report.saved == 18
    assert ("overflowed" in str(run.error)) is (fault is overflow)
    assert not owner.core.isSequenceRunning()


def test_last_image_that_comes_between_two_questions(owner: CoreOwner) -> None:
    """The camera stops right after it was asked in vain for an image."""
    core = owner.core
    real = core.getRemainingImageCount
    hidden = False

    def late() -> int:
        nonlocal hidden
        left = real()
        if left == 1 and not hidden and not core.isSequenceRunning():
            hidden = True
            return 0
        return left

    core.getRemainingImageCount = late  # type: ignore[method-assign]
    for _ in range(5):
        hidden = False
        assert Run(owner, SEQUENCE).start().wait(60).saved == 20
        if hidden:
            return
    pytest.skip("the camera never stopped before its last image was taken")


def test_incomplete_hardware_sequence_is_marked(
    owner: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = owner.core.startSequenceAcquisition

    def shorter(count: int, *args: Any) -> None:
        real(count - 3, *args)

    monkeypatch.setattr(owner.core, "startSequenceAcquisition", shorter)
    run = Run(owner, SEQUENCE, on_error="skip").start()
    report = run.wait(60)
    assert (report.saved, len(report.skipped)) == (17, 3)
    assert [s.axes["time"] for s in report.skipped] == [17, 18, 19]


def test_what_we_use_of_pymmcore_plus_is_there() -> None:
    """Our engine overrides names that may move in a new minor version."""
    for name in (
        "setup_sequence",
        "setup_event",
        "setup_single_event",
        "exec_event",
        "event_iterator",
        "get_frame_metadata",
        "_update_grid_fov_sizes",
        "_create_seqimg_payload_from_popped",
        "_get_current_props",
    ):
        assert callable(getattr(MDAEngine, name)), name
    assert list(inspect.signature(SkipEvent).parameters) == ["num_frames", "reason"]
    source = inspect.getsource(MDAEngine.__init__)
    for name in ("_autoshutter_was_set", "_z_correction", "_af_succeeded"):
        assert f"self.{name}" in source
    assert "isinstance(events, Iterator)" in inspect.getsource(MDARunner._run)

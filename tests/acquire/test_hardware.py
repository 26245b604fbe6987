"""Setting devices strictly, waiting for them, focusing, shutters and patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from tests.acquire.scopes import calls_of, sequenceable, small_frames, until

from napari_scope.acquire import CoreOwner, Run, RunState
from napari_scope.acquire.aside import Aside
from napari_scope.acquire.hardware import Hardware
from napari_scope.errors import HardwareError

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus


@pytest.fixture(autouse=True)
def fast(core: CMMCorePlus) -> None:
    small_frames(core)
    core.setExposure(1)


def hardware(core: CMMCorePlus, given_up: bool = False) -> Hardware:
    return Hardware(core, lambda: given_up, Aside(lambda: given_up))


# ------------------------------------------------------------- stages and regions


def test_one_coordinate_leaves_the_other(core: CMMCorePlus) -> None:
    core.setXYPosition(3, 4)
    core.waitForSystem()
    devices = hardware(core)
    devices.move_xy(useq.MDAEvent(x_pos=5))
    devices.wait()
    np.testing.assert_allclose(core.getXYPosition(), (5, 4), atol=0.02)


def test_stages_stand_still_before_the_exposure(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    busy: list[bool] = []
    snap = core.snapImage

    def snapped() -> None:
        busy.append(core.systemBusy())
        snap()

    core.snapImage = snapped  # type: ignore[method-assign]
    plan = [useq.MDAEvent(x_pos=x, y_pos=0, z_pos=x) for x in (0, 300, 20)]
    assert Run(owner, plan).start().wait(30).saved == 3
    assert busy == [False] * 3


def test_a_stage_that_never_arrives(owner: CoreOwner, core: CMMCorePlus) -> None:
    core.setTimeoutMs(150)
    core.systemBusy = lambda: bool(moved)  # type: ignore[method-assign]
    core.deviceBusy = lambda d: d == "XY" and bool(moved)  # type: ignore[method-assign]
    real = core.setXYPosition
    moved: list[Any] = []

    def move(*place: float) -> None:
        real(*place)
        if place[-2:] == (7, 7):
            moved.append(place)

    core.setXYPosition = move  # type: ignore[method-assign]
    plan = [useq.MDAEvent(index={"t": t}, x_pos=7 * t, y_pos=7 * t) for t in (0, 1)]
    run = Run(owner, plan).start()
    with pytest.raises(HardwareError, match=r"still busy after 0\.15 s: XY .*t=1"):
        run.wait(30)
    assert run.report is not None
    assert run.report.saved == 1


def test_stage_moves_that_are_given_up(owner: CoreOwner, core: CMMCorePlus) -> None:
    """A slow stage is stopped where it is."""
    calls = calls_of(core, ["setXYPosition", "stop"])
    core.systemBusy = (  # type: ignore[method-assign]
        lambda: bool(calls) and ("stop", "XY") not in calls
    )
    core.deviceBusy = lambda d: d == "XY"  # type: ignore[method-assign]
    run = Run(owner, [useq.MDAEvent(x_pos=9, y_pos=9)]).start()
    until(lambda: calls)
    run.cancel()
    report = run.wait(20)
    assert (report.state, report.saved) == (RunState.CANCELLED, 0)
    assert ("stop", "XY") in calls


def test_a_place_that_is_none(core: CMMCorePlus) -> None:
    with pytest.raises(HardwareError, match=r"moves the XY stage XY to '5'"):
        hardware(core).set_properties([("XY", "Position", "5")])


def test_region_that_is_set_already(core: CMMCorePlus) -> None:
    devices = hardware(core)
    event = useq.MDAEvent(roi=(2, 4, 16, 8))
    devices.set_roi(event)
    assert list(core.getROI()) == [2, 4, 16, 8]
    calls = calls_of(core, ["setROI", "clearROI"])
    devices.set_roi(event)
    assert calls == []


def test_a_camera_that_rounds_its_region(core: CMMCorePlus) -> None:
    real = core.setROI
    core.setROI = (  # type: ignore[method-assign]
        lambda x, y, width, height: real(x, y, width // 4 * 4, height)
    )
    with pytest.raises(HardwareError, match=r"18 x 8 pixels, the camera 16 x 8"):
        hardware(core).set_roi(useq.MDAEvent(roi=(0, 0, 18, 8)))


# ------------------------------------------------------------- autofocus


def focusing(core: CMMCorePlus, failures: int, moves: float = 2.0) -> list[str]:
    """Let the autofocus fail so many times; returns what it was told."""
    told: list[str] = []

    def focus() -> None:
        told.append("focus")
        if told.count("focus") <= failures:
            raise RuntimeError("no reflection")
        core.setZPosition(core.getZPosition() + moves)

    core.fullFocus = focus  # type: ignore[method-assign]
    core.setAutoFocusOffset = (  # type: ignore[method-assign]
        lambda offset: told.append(f"offset {offset:g}")
    )
    return told


def focus(p: int = 0, **options: Any) -> useq.MDAEvent:
    action = useq.HardwareAutofocus(**options)
    return useq.MDAEvent(index={"p": p, "t": 0}, action=action)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_autofocus_is_tried_again(
    owner: CoreOwner, core: CMMCorePlus, retries: int
) -> None:
    told = focusing(core, failures=retries)
    plan = [focus(max_retries=retries, autofocus_motor_offset=25), useq.MDAEvent()]
    report = Run(owner, plan).start().wait(30)
    assert (report.saved, report.warnings) == (1, ())
    assert told == ["offset 25"] + ["focus"] * (retries + 1)


@pytest.mark.parametrize("retries", [0, 2])
def test_autofocus_that_never_succeeds(
    owner: CoreOwner, core: CMMCorePlus, retries: int
) -> None:
    told = focusing(core, failures=99)
    run = Run(owner, [focus(max_retries=retries), useq.MDAEvent()]).start()
    with pytest.raises(HardwareError, match="autofocus failed, no reflection"):
        run.wait(30)
    assert told.count("focus") == retries + 1
    assert run.report is not None
    assert run.report.saved == 0


def test_the_correction_counts_for_its_position(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    focusing(core, failures=0, moves=2)
    seen: list[tuple[int, float]] = []

    class Heights(Run):
        def frame(self, image: Any, event: Any, meta: Any) -> None:
            seen.append((event.index["p"], core.getZPosition()))
            super().frame(image, event, meta)

    def image(p: int, t: int) -> useq.MDAEvent:
        return useq.MDAEvent(index={"p": p, "t": t}, z_pos=10)

    plan = [image(0, 0), focus(1), image(1, 0), image(0, 1), image(1, 1)]
    Heights(owner, plan).start().wait(30)
    assert seen == [(0, 10), (1, 12), (0, 10), (1, 12)]


def test_a_motor_of_its_own(owner: CoreOwner, core: CMMCorePlus) -> None:
    core.loadDevice("Motor", "DemoCamera", "DStage")
    core.initializeDevice("Motor")
    focusing(core, failures=0)
    seen: list[float] = []
    real = core.fullFocus
    core.fullFocus = (  # type: ignore[method-assign]
        lambda: (seen.append(core.getPosition("Motor")), real())
    )
    plan = [
        focus(autofocus_motor_offset=30, autofocus_device_name="Motor"),
        useq.MDAEvent(),
    ]
    Run(owner, plan).start().wait(30)
    assert seen == [30]
    assert core.getPosition("Motor") == 0


def test_focusing_is_given_up(owner: CoreOwner, core: CMMCorePlus) -> None:
    told = focusing(core, failures=10_000_000)
    run = Run(owner, [focus(max_retries=10_000_000), useq.MDAEvent()]).start()
    until(lambda: len(told) > 3)
    run.cancel()
    assert run.wait(20).state is RunState.CANCELLED


# ------------------------------------------------------------- shutters


def shutters(owner: CoreOwner, plan: Any, **options: Any) -> list[str]:
    """Run a plan; returns when the shutter was commanded, and the images."""
    core = owner.core
    told: list[str] = []

    def noting(name: str, word: str) -> None:
        real = getattr(core, name)

        def called(*args: Any) -> None:
            told.append(" ".join([word, *map(str, args)]))
            real(*args)

        setattr(core, name, called)

    noting("setShutterOpen", "open")
    noting("setAutoShutter", "auto")
    noting("snapImage", "snap")
    Run(owner, plan, **options).start().wait(30)
    return told


def test_shutter_stays_open_where_it_should(owner: CoreOwner) -> None:
    plan = [
        useq.MDAEvent(keep_shutter_open=keep) for keep in (True, True, False, False)
    ]
    assert shutters(owner, plan, use_hardware_sequencing=False) == [
        "auto False",
        "open True",
        "snap",
        "snap",
        "snap",
        "open False",
        "open False",
        "auto True",
        "snap",
        "open False",
        "auto True",
    ]
    assert owner.core.getAutoShutter()
    assert not owner.core.getShutterOpen()


def test_shutter_is_closed_after_the_last_event(owner: CoreOwner) -> None:
    told = shutters(owner, [useq.MDAEvent(keep_shutter_open=True)])
    assert told == ["auto False", "open True", "snap", "open False", "auto True"]


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_shutter_is_closed_after_a_failure(
    owner: CoreOwner, core: CMMCorePlus, policy: Any
) -> None:
    def fail() -> None:
        assert core.getShutterOpen()
        raise RuntimeError("no image")

    core.snapImage = fail  # type: ignore[method-assign]
    run = Run(owner, [useq.MDAEvent(keep_shutter_open=True)] * 1, on_error=policy)
    run.start()
    if policy == "stop":
        with pytest.raises(HardwareError, match="no image"):
            run.wait(30)
    else:
        assert len(run.wait(30).skipped) == 1
    assert core.getAutoShutter()
    assert not core.getShutterOpen()


def test_a_failure_in_between_leaves_the_shutter_open(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """The light stays on for the other frames, as planned."""
    real, seen = core.snapImage, []

    def snap() -> None:
        seen.append(core.getShutterOpen())
        if len(seen) == 2:
            raise RuntimeError("no image")
        real()

    core.snapImage = snap  # type: ignore[method-assign]
    plan = [useq.MDAEvent(index={"t": t}, keep_shutter_open=True) for t in range(4)]
    run = Run(owner, plan, on_error="skip", use_hardware_sequencing=False)
    assert run.start().wait(30).saved == 3
    assert seen == [True] * 4


def test_shutter_and_hardware_sequences(owner: CoreOwner, core: CMMCorePlus) -> None:
    sequenceable(core)
    open_at: list[tuple[bool, bool]] = []
    real = core.startSequenceAcquisition

    def start(*args: Any) -> None:
        open_at.append((core.getShutterOpen(), core.getAutoShutter()))
        real(*args)

    core.startSequenceAcquisition = start  # type: ignore[method-assign]
    plan = useq.MDASequence(
        axis_order="tz",
        time_plan=[{"interval": 0.01, "loops": 2}],
        z_plan={"range": 2, "step": 1},
        keep_shutter_open_across=("z", "t"),
    )
    Run(owner, plan).start().wait(30)
    assert open_at == [(True, False), (True, False)]
    assert core.getAutoShutter()
    assert not core.getShutterOpen()


def test_shutter_is_closed_between_sequences(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """One sequence holds the shutter, the next one does not."""
    closed: list[bool] = []
    plan = [
        useq.MDAEvent(
            index={"t": t}, keep_shutter_open=t < 3, min_start_time=t // 3 / 50
        )
        for t in range(6)
    ] + [useq.MDAEvent(index={"t": 6}, min_start_time=0.1)]
    run = Run(owner, plan)
    wait = run._due.wait_for

    def looked(event: useq.MDAEvent) -> useq.MDAEvent | None:
        closed.append(not core.getShutterOpen())
        return wait(event)

    run._engine._before_event = looked
    run.start().wait(30)
    assert closed[1:] == [False, True]


def test_shutter_of_the_user(owner: CoreOwner, core: CMMCorePlus) -> None:
    """Without automatic shutter a run leaves it alone."""
    core.setAutoShutter(False)
    core.setShutterOpen(True)
    plan = [useq.MDAEvent(keep_shutter_open=keep) for keep in (True, False)]
    told = shutters(owner, plan, use_hardware_sequencing=False)
    assert told == ["snap", "snap"]
    assert core.getShutterOpen()
    assert not core.getAutoShutter()


# ------------------------------------------------------------- light patterns


class Modulator:
    """Stands for a light modulator of 6 x 4 pixels; the demo adapter has none."""

    def __init__(self, core: CMMCorePlus, name: str = "GenericSLM") -> None:
        self.shown: list[Any] = []
        self._loaded: Any = None
        core.getSLMDevice = lambda: "SLM"  # type: ignore[method-assign]
        core.getSLMWidth = lambda d: 6  # type: ignore[method-assign]
        core.getSLMHeight = lambda d: 4  # type: ignore[method-assign]
        core.getDeviceName = lambda d: name  # type: ignore[method-assign]
        core.setSLMPixelsTo = self._load  # type: ignore[method-assign]
        core.setSLMImage = self._load  # type: ignore[method-assign]
        core.displaySLMImage = self._show  # type: ignore[method-assign]

    def _load(self, device: str, *pattern: Any) -> None:
        self._loaded = pattern[0] if len(pattern) == 1 else pattern

    def _show(self, device: str) -> None:
        self.shown.append(self._loaded)


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        (7, 7),
        (True, 255),
        ([1, 2, 3], (1, 2, 3)),
        (np.arange(24, dtype="u1").reshape(4, 6), np.arange(24).reshape(4, 6)),
        (np.arange(24, dtype="u1"), np.arange(24).reshape(4, 6)),
        (np.eye(4, 6, dtype=bool), np.eye(4, 6) * 255),
        (np.ones((4, 6, 3), "u1"), np.ones((4, 6, 3))),
    ],
    ids=["value", "on", "colour", "image", "bytes", "mask", "colours"],
)
def test_patterns(
    owner: CoreOwner, core: CMMCorePlus, pattern: Any, shown: Any
) -> None:
    """Also while the hardware runs a sequence."""
    slm = useq.SLMImage(data=pattern)
    for frames in (1, 3):
        modulator = Modulator(core)
        plan = [useq.MDAEvent(index={"t": t}, slm_image=slm) for t in range(frames)]
        assert Run(owner, plan).start().wait(30).saved == frames
        (found,) = modulator.shown
        np.testing.assert_array_equal(found, shown)


def test_on_of_a_modulator_that_counts_to_one(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    modulator = Modulator(core, "Mosaic3")
    Run(owner, [useq.MDAEvent(slm_image=True)]).start().wait(30)
    assert modulator.shown == [1]


def test_patterns_of_another_size(core: CMMCorePlus) -> None:
    Modulator(core)
    event = useq.MDAEvent(slm_image=np.zeros((5, 6), "u1"))
    with pytest.raises(HardwareError, match=r"5 x 6 on a light modulator of 4 x 6"):
        hardware(core).load_pattern(event)


# ------------------------------------------------------------- other actions


def test_custom_actions(owner: CoreOwner, core: CMMCorePlus) -> None:
    called: list[Any] = []
    plan = [
        useq.MDAEvent(index={"t": 0}),
        useq.MDAEvent(action=useq.CustomAction(name="pump", data={"ul": 5}), x_pos=3),
        useq.MDAEvent(action=useq.CustomAction(name="unknown")),
        useq.MDAEvent(index={"t": 1}),
    ]

    def pump(event: useq.MDAEvent, microscope: Any) -> None:
        assert microscope is core
        assert isinstance(event.action, useq.CustomAction)
        x = microscope.getXYPosition()[0]
        called.append((event.action.data, round(x, 1)))

    assert Run(owner, plan, actions={"pump": pump}).start().wait(30).saved == 2
    assert called == [({"ul": 5}, 3)]


def test_an_action_that_raises(owner: CoreOwner) -> None:
    def fail(*args: Any) -> None:
        raise KeyError("no such pump")

    plan = [useq.MDAEvent(), useq.MDAEvent(action=useq.CustomAction(name="pump"))]
    run = Run(owner, plan, actions={"pump": fail}).start()
    with pytest.raises(Exception, match="no such pump"):
        run.wait(30)
    assert run.report is not None
    assert run.report.saved == 1

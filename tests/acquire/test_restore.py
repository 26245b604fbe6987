"""Whatever a run changes is afterwards as it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import useq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymmcore_plus import CMMCorePlus
from tests.acquire.scopes import calls_of, sequenceable, small_frames, state_of
from tests.acquire.scopes import two_cameras as add_cameras

from napari_scope.acquire import CoreOwner, Run
from napari_scope.acquire.restore import HardwareMemory
from napari_scope.errors import ScopeError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def scope() -> Iterator[CoreOwner]:
    """One microscope for all examples: loading it takes longest."""
    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        small_frames(owner.core)
        sequenceable(owner.core)
        owner.core.setFocusDirection("Z", 1)
        # Moves of the demo stage take their time otherwise.
        yield owner


EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "x_pos": st.integers(-3, 3).map(float),
        "y_pos": st.integers(-3, 3).map(float),
        "z_pos": st.integers(-5, 5).map(float),
        "exposure": st.sampled_from([1.0, 2.0]),
        "channel": st.sampled_from(["DAPI", "FITC", "Cy5"]),
        "properties": st.lists(
            st.sampled_from(
                [
                    ("Camera", "Binning", "2"),
                    ("Camera", "PixelType", "8bit"),
                    ("Camera", "Gain", "3"),
                    ("Objective", "Label", "Nikon 20X Plan Fluor ELWD"),
                    ("Z", "Position", "4"),
                    ("XY", "Position", (2.0, 1.0)),
                    ("Core", "AutoShutter", "0"),
                    ("White Light Shutter", "State", "1"),
                ]
            ),
            max_size=3,
            unique_by=lambda item: item[:2],
        ),
        "roi": st.sampled_from([(0, 0, 8, 8), (4, 4, 16, 8)]),
        "keep_shutter_open": st.booleans(),
        "reset_event_timer": st.booleans(),
    },
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    parts=st.lists(EVENTS, min_size=1, max_size=5),
    before=st.sampled_from([None, (2, 2, 20, 20)]),
    autoshutter=st.booleans(),
    merge=st.booleans(),
    lazy=st.booleans(),
)
def test_nothing_that_a_run_did_remains(
    scope: CoreOwner,
    parts: list[dict[str, Any]],
    before: tuple[int, ...] | None,
    autoshutter: bool,
    merge: bool,
    lazy: bool,
) -> None:
    """Also of runs that fail on the way, since the frames have another size, say."""
    core = scope.core
    core.clearROI()
    if before is not None:
        core.setROI(*before)
    core.setAutoShutter(autoshutter)
    core.setShutterOpen(not autoshutter)
    state = state_of(core)
    events = [useq.MDAEvent(index={"t": t}, **part) for t, part in enumerate(parts)]
    run = Run(scope, iter(events) if lazy else events, use_hardware_sequencing=merge)
    run.start()
    try:
        report = run.wait(60)
    except ScopeError as error:
        assert "shape" in str(error) or "region" in str(error) or "reads" in str(error)
        assert run.report is not None
        report = run.report
    assert report.warnings == ()
    assert state_of(core) == state


def test_a_shutter_that_is_held_and_then_set(scope: CoreOwner) -> None:
    core = scope.core
    core.setAutoShutter(True)
    events = [
        useq.MDAEvent(index={"t": 0}, keep_shutter_open=True),
        useq.MDAEvent(index={"t": 1}, properties=[("Core", "AutoShutter", "0")]),
    ]
    Run(scope, events).start().wait(60)
    assert core.getAutoShutter()


def test_what_is_not_touched_is_not_read(scope: CoreOwner) -> None:
    core = scope.core
    memory = HardwareMemory(core)
    memory.exposure()
    memory.exposure()
    calls = calls_of(
        core, ["setExposure", "setXYPosition", "setPosition", "setProperty", "setROI"]
    )
    assert memory.restore() == []
    assert calls == []


def test_groups_may_have_any_name(scope: CoreOwner) -> None:
    """Even those that we use."""
    core = scope.core
    for name in ("xy", "z", "roi", "exposure", "group", "property"):
        core.defineConfig(name, "on", "Camera", "Gain", "5")
        memory = HardwareMemory(core)
        memory.exposure()
        memory.xy()
        memory.z()
        memory.roi()
        memory.group(name)
        gain = core.getProperty("Camera", "Gain")
        core.setConfig(name, "on")
        memory.restore()
        assert core.getProperty("Camera", "Gain") == gain
        core.deleteConfigGroup(name)


def test_binning_takes_the_region_with_it(scope: CoreOwner) -> None:
    core = scope.core
    core.setROI(2, 2, 20, 20)
    memory = HardwareMemory(core)
    memory.property("Camera", "Binning")
    core.setProperty("Camera", "Binning", "2")
    assert list(core.getROI()) != [2, 2, 20, 20]
    assert memory.restore() == []
    assert core.getProperty("Camera", "Binning") == "1"
    assert list(core.getROI()) == [2, 2, 20, 20]
    core.clearROI()


def test_properties_that_need_each_other(
    scope: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One can only be set when the other is back; a second round does it."""
    values = {("D", "a"): "new", ("D", "b"): "new"}
    core = scope.core

    def set_property(device: str, name: str, value: str) -> None:
        if name == "a" and values["D", "b"] == "new":
            raise RuntimeError("not in this mode")
        values[device, name] = value

    monkeypatch.setattr(core, "getProperty", lambda *key: values[key])
    monkeypatch.setattr(core, "setProperty", set_property)
    memory = HardwareMemory(core)
    memory._properties = {("D", "a"): "old", ("D", "b"): "old"}
    assert memory.restore() == []
    assert set(values.values()) == {"old"}


def test_what_cannot_be_set_back_is_said(
    scope: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = scope.core
    memory = HardwareMemory(core)
    memory.property("Camera", "Gain")
    memory.exposure()
    core.setProperty("Camera", "Gain", "7")
    core.setExposure(9)
    real = core.setProperty

    def refuse(*args: Any) -> None:
        raise RuntimeError("not\n now")

    monkeypatch.setattr(core, "setProperty", refuse)
    (problem,) = memory.restore()
    assert problem == "Camera-Gain could not be set back to 0, not now"
    assert core.getExposure() != 9
    real("Camera", "Gain", "0")


@pytest.mark.parametrize(
    ("direction", "z", "order"),
    [
        (1, 10, ["z", "xy"]),  # it is nearer to the sample than before: away first
        (1, -10, ["xy", "z"]),
        (-1, 10, ["xy", "z"]),
        (-1, -10, ["z", "xy"]),
        (0, 10, []),
    ],
)
def test_the_objective_does_not_meet_the_sample(
    scope: CoreOwner,
    monkeypatch: pytest.MonkeyPatch,
    direction: int,
    z: float,
    order: list[str],
) -> None:
    core = scope.core
    core.setFocusDirection("Z", direction)
    core.setXYPosition(0, 0)
    core.setZPosition(0)
    memory = HardwareMemory(core)
    memory.xy()
    memory.z()
    core.setXYPosition(3, 3)
    core.setZPosition(z)
    core.waitForSystem()
    moves: list[str] = []
    set_z, set_xy = core.setPosition, core.setXYPosition
    monkeypatch.setattr(core, "setPosition", lambda *a: (moves.append("z"), set_z(*a)))
    monkeypatch.setattr(
        core, "setXYPosition", lambda *a: (moves.append("xy"), set_xy(*a))
    )
    problems = memory.restore()
    assert moves == order
    assert len(problems) == (not order)
    if not order:
        assert "stays where the run ended" in problems[0]
    core.setFocusDirection("Z", 1)
    set_z("Z", 0)
    set_xy(0, 0)


def test_a_stage_that_moved_alone_goes_back(scope: CoreOwner) -> None:
    core = scope.core
    core.setFocusDirection("Z", 0)
    memory = HardwareMemory(core)
    memory.z()
    memory.xy()
    before = core.getZPosition()
    core.setZPosition(before + 5)
    assert memory.restore() == []
    assert core.getZPosition() == before
    core.setFocusDirection("Z", 1)


def test_the_autofocus_is_as_before(
    scope: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = scope.core
    state: dict[str, Any] = {"on": True, "offset": 1.5}
    monkeypatch.setattr(core, "isContinuousFocusEnabled", lambda: state["on"])
    monkeypatch.setattr(core, "enableContinuousFocus", lambda on: state.update(on=on))
    monkeypatch.setattr(core, "getAutoFocusOffset", lambda: state["offset"])
    monkeypatch.setattr(
        core, "setAutoFocusOffset", lambda offset: state.update(offset=offset)
    )
    memory = HardwareMemory(core)
    memory.focus_lock()
    state.update(on=False, offset=4)
    assert memory.restore() == []
    assert state == {"on": True, "offset": 1.5}


def test_each_of_several_cameras() -> None:
    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        core = owner.core
        small_frames(core)
        add_cameras(core)
        core.setExposure("Camera", 3)
        core.setExposure("Camera2", 5)
        plan = [useq.MDAEvent(exposure=1)]
        assert Run(owner, plan).start().wait(20).saved == 2
        assert core.getExposure("Camera") == 3
        assert core.getExposure("Camera2") == 5


def test_may_be_switched_off(scope: CoreOwner) -> None:
    core = scope.core
    before = core.getZPosition()
    plan = [useq.MDAEvent(z_pos=before + 2)]
    Run(scope, plan, restore_hardware=False).start().wait(20)
    assert core.getZPosition() == before + 2
    core.setZPosition(before)

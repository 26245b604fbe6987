"""Hardware sequences: which events are merged, and where their images end up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from pymmcore_plus.core._sequencing import SequencedEvent
from tests.acquire.scopes import (
    Told,
    burst_lengths,
    calls_of,
    sequenceable,
    small_frames,
    two_cameras,
    until,
)

from napari_scope.acquire import CoreOwner, RunState
from napari_scope.acquire.aside import Aside
from napari_scope.acquire.bursts import Burst, merged
from napari_scope.acquire.hooks import EngineHooks
from napari_scope.acquire.processing import FrameProcessor
from napari_scope.errors import HardwareError

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus


@pytest.fixture(autouse=True)
def fast(core: CMMCorePlus) -> None:
    small_frames(core)
    sequenceable(core)
    core.setExposure(1)


def event(**fields: Any) -> useq.MDAEvent:
    return useq.MDAEvent(exposure=fields.pop("exposure", 1), **fields)


def sizes(core: CMMCorePlus, events: Any, most: int = 100, **options: Any) -> list[int]:
    found = merged(core, events, lambda: most, **options)
    return [len(e.events) if isinstance(e, SequencedEvent) else 1 for e in found]


# ------------------------------------------------------------- which events are merged

Z = ("Z", "Position")
GAIN = ("Camera", "Gain")

RULES = {
    "time": ([event(index={"t": t}) for t in range(5)], [5]),
    "z": ([event(z_pos=z) for z in range(5)], [5]),
    "exposure": ([event(exposure=e) for e in (1, 2, 3)], [3]),
    "stage that cannot": ([event(x_pos=x, y_pos=0) for x in range(3)], [1, 1, 1]),
    "clock": ([event(index={"t": t}, min_start_time=t) for t in range(3)], [1, 1, 1]),
    "clock without a time axis": (
        [event(index={"z": z}, min_start_time=z // 2) for z in range(4)],
        [2, 2],
    ),
    "same time": ([event(index={"t": t}, min_start_time=0) for t in range(3)], [3]),
    "no time is zero": ([event(), event(min_start_time=0.0)], [2]),
    "clock starts anew": (
        [event(reset_event_timer=t == 2, min_start_time=0) for t in range(4)],
        [2, 2],
    ),
    "only some give z": ([event(), event(z_pos=1), event(z_pos=2)], [1, 2]),
    "only some give an exposure": (
        [event(), event(exposure=None), event(exposure=None)],
        [1, 2],
    ),
    "only some set a property": (
        [event(properties=[(*GAIN, 1)]), event(), event()],
        [1, 2],
    ),
    "another property": (
        [event(properties=[(*GAIN, 1)]), event(properties=[("Camera", "Offset", 1)])],
        [1, 1],
    ),
    "stage as a property": ([event(properties=[(*Z, z)]) for z in range(2)], [1, 1]),
    "region": ([event(roi=(0, 0, 8, 8)), event(roi=(0, 0, 4, 4))], [1, 1]),
    "same pattern": ([event(slm_image={"data": 1})] * 2, [2]),
    "other pattern": ([event(slm_image={"data": d}) for d in (1, 2)], [1, 1]),
    "channels that cannot": (
        [event(channel=c) for c in ("DAPI", "DAPI", "FITC", "FITC")],
        [2, 2],
    ),
    "action between": (
        [event(), event(action={"type": "custom"}), event(), event()],
        [1, 1, 2],
    ),
}


def test_what_is_merged(core: CMMCorePlus) -> None:
    for rule, (events, expected) in RULES.items():
        assert sizes(core, events) == expected, rule


def test_one_coordinate_alone_is_not_merged(core: CMMCorePlus) -> None:
    """A stage that can run sequences wants both."""
    core.isXYStageSequenceable = lambda d: True  # type: ignore[method-assign]
    core.getXYStageSequenceMaxLength = lambda d: 100  # type: ignore[method-assign]
    assert sizes(core, [event(x_pos=x, y_pos=0) for x in range(3)]) == [3]
    assert sizes(core, [event(x_pos=x) for x in range(3)]) == [1, 1, 1]
    assert sizes(core, [event(x_pos=1) for _ in range(3)]) == [3]


def test_no_more_than_fit(core: CMMCorePlus) -> None:
    assert sizes(core, [event() for _ in range(10)], most=4) == [4, 4, 2]


def test_room_is_asked_for_anew(core: CMMCorePlus) -> None:
    room = iter([2, 3, 5])
    found = merged(core, [event() for _ in range(10)], lambda: next(room))
    assert [len(e.events) for e in found] == [2, 3, 5]  # type: ignore[attr-defined]


def test_the_length_of_a_devices_sequence_counts(core: CMMCorePlus) -> None:
    labels = core.getStateLabels("Objective")[:2]
    events = [
        event(properties=[("Objective", "Label", labels[i % 2])]) for i in range(25)
    ]
    assert core.getPropertySequenceMaxLength("Objective", "Label") == 10
    assert sizes(core, events) == [10, 10, 5]


def test_heights_that_are_corrected_apart_are_not_merged(core: CMMCorePlus) -> None:
    events = [event(index={"p": p}, z_pos=1) for p in (0, 0, 1, 1)]
    shifts = {0: 0.5, 1: 0.7}
    assert sizes(core, events, z_shift=lambda e: shifts[e.index["p"]]) == [2, 2]


def test_a_run_that_is_given_up_merges_no_further(core: CMMCorePlus) -> None:
    taken = []

    def events() -> Any:
        for t in range(10_000):
            taken.append(t)
            yield event()

    assert sizes(core, events(), given_up=lambda: len(taken) > 20) == []
    assert len(taken) == 21


def test_merged_events_keep_what_counts(core: CMMCorePlus) -> None:
    events = [
        event(
            index={"t": t},
            metadata={"a": t},
            slm_image={"data": 1},
            properties=[(*GAIN, 2)],
            channel="DAPI",
            keep_shutter_open=t < 2,
        )
        for t in range(3)
    ]
    (whole,) = merged(core, events, lambda: 9)
    assert whole.index == {"t": 0}
    assert whole.metadata == {"a": 0}
    assert whole.slm_image == events[0].slm_image
    assert not whole.keep_shutter_open
    # What the preset sets is set with it, once.
    assert [tuple(p) for p in whole.properties or ()] == [(*GAIN, 2)]


# ------------------------------------------------------------- images at their places


def check_places(run: Told, key: str, values: list[Any]) -> None:
    """The images of a burst are numbered by the camera; each is at its place."""
    assert [axes[key] for axes, _ in run.frames] == values
    numbers = [int(facts["camera_tags"]["ImageNumber"]) for _, facts in run.frames]
    assert numbers == list(range(len(values)))
    assert all(facts["hardware_triggered"] for _, facts in run.frames)


def test_z_stack(owner: CoreOwner, core: CMMCorePlus) -> None:
    lengths = burst_lengths(core)
    calls = calls_of(
        core, ["loadStageSequence", "startStageSequence", "stopStageSequence"]
    )
    plan = useq.MDASequence(z_plan={"absolute": [3, 1, 4, 1.5]}, channels=["DAPI"])
    run = Told(owner, plan)
    assert run.start().wait(30).saved == 4
    assert lengths == [4]
    assert [c[0] for c in calls][-3:] == [
        "loadStageSequence",
        "startStageSequence",
        "stopStageSequence",
    ]
    assert [list(c[2]) for c in calls if c[0] == "loadStageSequence"] == [
        [3, 1, 4, 1.5]
    ]
    check_places(run, "z", [0, 1, 2, 3])
    assert [facts["z_um_intended"] for _, facts in run.frames] == [3, 1, 4, 1.5]


def test_exposures(owner: CoreOwner, core: CMMCorePlus) -> None:
    lengths = burst_lengths(core)
    plan = [event(index={"t": t}, exposure=t + 1) for t in range(4)]
    run = Told(owner, plan)
    assert run.start().wait(30).saved == 4
    assert lengths == [4]
    check_places(run, "time", [0, 1, 2, 3])
    assert [facts["exposure_ms"] for _, facts in run.frames] == [1, 2, 3, 4]
    assert core.getExposure() == 1


def test_channels(owner: CoreOwner, core: CMMCorePlus) -> None:
    """And the channel of the next event is set although it was the first of them."""
    labels = core.getStateLabels("Objective")[:2]
    for name, label in zip("AB", labels, strict=True):
        core.defineConfig("Lens", name, "Objective", "Label", label)
    lengths = burst_lengths(core)
    stop = core.stopPropertySequence

    def ended(*args: Any) -> None:
        """The device is where its sequence ended; that of the demo never moves."""
        stop(*args)
        if lengths:
            core.setProperty("Objective", "Label", labels[1])

    core.stopPropertySequence = ended  # type: ignore[method-assign]
    seen: list[str] = []

    class Lenses(Told):
        def frame(self, image: Any, event: Any, meta: Any) -> None:
            if not meta.get("hardware_triggered"):
                seen.append(core.getProperty("Objective", "Label"))
            super().frame(image, event, meta)

    def lens(name: str, **fields: Any) -> useq.MDAEvent:
        return event(channel={"group": "Lens", "config": name}, **fields)

    plan = [lens(name, index={"t": i}) for i, name in enumerate("ABAB")]
    plan += [lens("A", index={"t": 4}, min_start_time=0.01)]
    run = Lenses(owner, plan)
    assert run.start().wait(30).saved == 5
    assert lengths == [4]
    names = [facts["channel_config"] for _, facts in run.frames]
    assert names == ["A", "B", "A", "B", "A"]
    values = [{p[1]: p[2] for p in f["properties"]} for _, f in run.frames]
    expected = [labels["AB".index(name)] for name in names]
    assert [v["Label"] for v in values] == expected
    assert seen == [labels[0]]


def test_properties(owner: CoreOwner, core: CMMCorePlus) -> None:
    labels = core.getStateLabels("Objective")[:3]
    lengths = burst_lengths(core)
    calls = calls_of(core, ["loadPropertySequence", "stopPropertySequence"])
    plan = [
        event(index={"t": t}, properties=[("Objective", "Label", label)])
        for t, label in enumerate(labels)
    ]
    run = Told(owner, plan)
    before = core.getProperty("Objective", "Label")
    assert run.start().wait(30).saved == 3
    assert lengths == [3]
    loaded = [list(c[3]) for c in calls if c[0] == "loadPropertySequence"]
    assert loaded == [list(labels)]
    assert calls[-1][0] == "stopPropertySequence"
    wanted = [facts["properties_set"][0][2] for _, facts in run.frames]
    assert wanted == list(labels)
    assert core.getProperty("Objective", "Label") == before


def test_stage(owner: CoreOwner, core: CMMCorePlus) -> None:
    """The demo stage cannot; the core is told that it could."""
    calls: list[tuple[Any, ...]] = []
    core.isXYStageSequenceable = lambda d: True  # type: ignore[method-assign]
    core.getXYStageSequenceMaxLength = lambda d: 100  # type: ignore[method-assign]
    for name in (
        "loadXYStageSequence",
        "startXYStageSequence",
        "stopXYStageSequence",
        "setXYPosition",
    ):
        setattr(core, name, lambda *args, n=name: calls.append((n, *args)))
    lengths = burst_lengths(core)
    places = [(0, 0), (5, 0), (5, 5)]
    plan = [event(index={"p": i}, x_pos=x, y_pos=y) for i, (x, y) in enumerate(places)]
    run = Told(owner, plan)
    assert run.start().wait(30).saved == 3
    assert lengths == [3]
    assert calls == [
        ("stopXYStageSequence", "XY"),
        ("loadXYStageSequence", "XY", (0, 5, 5), (0, 0, 5)),
        ("startXYStageSequence", "XY"),
        ("stopXYStageSequence", "XY"),
    ]
    found = [(f["x_um_intended"], f["y_um_intended"]) for _, f in run.frames]
    assert found == places


def test_time_and_z_and_channels_together(owner: CoreOwner, core: CMMCorePlus) -> None:
    lengths = burst_lengths(core)
    plan = useq.MDASequence(
        axis_order="tcz",
        time_plan={"interval": 0, "loops": 3},
        channels=[{"config": "DAPI", "exposure": 1}, {"config": "FITC", "exposure": 2}],
        z_plan={"range": 2, "step": 1},
    )
    run = Told(owner, plan)
    assert run.start().wait(60).saved == 18
    assert lengths == [3] * 6
    exposures = {"DAPI": 1, "FITC": 2}
    for axes, facts in run.frames:
        assert facts["channel_config"] == axes["channel"]
        assert facts["exposure_ms"] == exposures[axes["channel"]]
        assert int(facts["camera_tags"]["ImageNumber"]) == axes["z"]


def test_same_channel_is_not_set_again(owner: CoreOwner, core: CMMCorePlus) -> None:
    """A filter wheel that is told where it is may take its time all the same."""
    calls = calls_of(core, ["setConfig", "setProperty"])
    plan = [
        event(index={"t": t}, channel="DAPI", min_start_time=0.001 * (t // 2))
        for t in range(6)
    ]
    assert Told(owner, plan).start().wait(30).saved == 6
    presets = [c for c in calls if c[0] == "setConfig"]
    assert presets == [("setConfig", "Channel", "DAPI")]
    assert {c[1] for c in calls[: calls.index(presets[0])]} == set()


def test_several_cameras_in_a_burst(owner: CoreOwner, core: CMMCorePlus) -> None:
    two_cameras(core)
    lengths = burst_lengths(core)
    plan = useq.MDASequence(
        time_plan={"interval": 0, "loops": 20},
        channels=[{"config": "DAPI", "exposure": 1}],
    )
    run = Told(owner, plan)
    report = run.start().wait(30)
    assert report.saved == report.planned == 40
    assert sum(lengths) == 20
    order = [(axes["time"], axes["channel"]) for axes, _ in run.frames]
    cameras = ("DAPI-Camera", "DAPI-Camera2")
    assert order == [(t, c) for t in range(20) for c in cameras]
    for axes, facts in run.frames:
        assert axes["channel"] == f"DAPI-{facts['camera']}"
        assert int(facts["camera_tags"]["ImageNumber"]) == axes["time"]


def test_images_of_cameras_come_in_any_order(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """One camera is far ahead of the other."""
    two_cameras(core)
    real = core.popNextImageAndMD
    waiting: list[Any] = []

    def pop() -> Any:
        if not waiting:
            until(lambda: core_left() == 12)
            waiting.extend(real() for _ in range(12))
            waiting.sort(key=lambda found: found[1]["Camera"], reverse=True)
        return waiting.pop(0)

    core_left = core.getRemainingImageCount
    core.popNextImageAndMD = pop  # type: ignore[method-assign]
    core.getRemainingImageCount = (  # type: ignore[method-assign]
        lambda: len(waiting) or core_left()
    )
    plan = useq.MDASequence(time_plan={"interval": 0, "loops": 6})
    run = Told(owner, plan)
    assert run.start().wait(30).saved == 12
    order = [(axes["time"], axes["channel"]) for axes, _ in run.frames]
    assert order == [(t, c) for t in range(6) for c in ("Camera", "Camera2")]


def test_a_dead_camera_loses_only_its_own_frames(
    owner: CoreOwner, core: CMMCorePlus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.acquire.engine._NEXT_IMAGE_S", 0.5)
    two_cameras(core)
    real, left = core.popNextImageAndMD, core.getRemainingImageCount
    alive: list[Any] = []

    def remaining() -> int:
        while left():
            image, tags = real()
            if tags["Camera"] == "Camera" or int(tags["ImageNumber"]) < 3:
                alive.append((image, tags))
        return len(alive)

    core.getRemainingImageCount = remaining  # type: ignore[method-assign]
    core.popNextImageAndMD = lambda: alive.pop(0)  # type: ignore[method-assign]
    plan = useq.MDASequence(time_plan={"interval": 0, "loops": 8})
    run = Told(owner, plan, on_error="skip")
    report = run.start().wait(30)
    assert (report.saved, len(report.skipped)) == (11, 5)
    assert {s.axes["channel"] for s in report.skipped} == {"Camera2"}
    assert [s.axes["time"] for s in report.skipped] == [3, 4, 5, 6, 7]
    for axes, facts in run.frames:
        assert axes["channel"] == facts["camera"]
        assert int(facts["camera_tags"]["ImageNumber"]) == axes["time"]


# ------------------------------------------------------------- what goes wrong


PLAN = useq.MDASequence(time_plan={"interval": 0, "loops": 12})


def test_a_full_buffer_is_an_error_after_what_it_held(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """The buffer of the camera really overflows."""
    for size in ("OnCameraCCDXSize", "OnCameraCCDYSize"):
        core.setProperty("Camera", size, "512")
    core.setProperty("Camera", "PixelType", "16bit")
    core.setCircularBufferMemoryFootprint(3)  # 6 frames
    let_go = []

    class Slow(Told):
        def frame(self, *args: Any) -> None:
            super().frame(*args)
            if not let_go:
                until(lambda: core.isBufferOverflowed())
                let_go.append(True)

    plan = useq.MDASequence(time_plan={"interval": 0, "loops": 40})
    run = Slow(owner, plan)
    run.start()
    with pytest.raises(HardwareError, match=r"buffer overflowed.*of 40 frames"):
        run.wait(60)
    assert run.state is RunState.FAILED
    assert run.report is not None
    assert 1 < run.report.saved < 40
    assert run.report.saved == len(run.frames)
    assert [axes["time"] for axes, _ in run.frames] == list(range(run.report.saved))
    assert run.stream is not None
    stored = np.asarray(run.stream.view().images[0].levels[0])
    assert stored.reshape(40, -1).any(axis=1).sum() == run.report.saved
    assert not core.isSequenceRunning()


def never_triggered(core: CMMCorePlus) -> list[tuple[Any, ...]]:
    """Let the camera wait for a trigger; returns how often it was started."""
    started: list[tuple[Any, ...]] = []
    core.startSequenceAcquisition = (  # type: ignore[method-assign]
        lambda *a: started.append(a)
    )
    core.stopSequenceAcquisition = started.clear  # type: ignore[method-assign]
    core.isSequenceRunning = lambda *a: bool(started)  # type: ignore[method-assign]
    core.getRemainingImageCount = lambda: 0  # type: ignore[method-assign]
    return started


def test_a_camera_that_sends_nothing(
    owner: CoreOwner, core: CMMCorePlus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.acquire.engine._NEXT_IMAGE_S", 0.1)
    never_triggered(core)
    run = Told(owner, PLAN, first_image_s=0.2)
    with pytest.raises(HardwareError, match=r"no image for 0\.2 s.*12 of 12"):
        run.start().wait(30)


def test_waiting_for_a_trigger_can_be_cancelled(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    started = never_triggered(core)
    run = Told(owner, PLAN).start()
    until(lambda: started)
    run.cancel()
    assert run.wait(20).state is RunState.CANCELLED


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_camera_that_was_stopped_on_purpose_has_no_problem(
    core: CMMCorePlus, cancelled: bool
) -> None:
    """It is given up between the look at the wish and the look at the camera."""
    looks: list[bool] = []

    def given_up() -> bool:
        looks.append(True)
        return cancelled and len(looks) > 1

    whole = SequencedEvent(events=(event(), event()))
    core.isSequenceRunning = lambda *a: False  # type: ignore[method-assign]
    burst = Burst(core, whole, given_up, first_s=1, next_s=1, aside=Aside(given_up))
    assert list(burst.images()) == []
    assert (burst.problem is None) is cancelled


def test_a_camera_that_falls_silent(
    owner: CoreOwner, core: CMMCorePlus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.acquire.engine._NEXT_IMAGE_S", 0.2)
    left = core.getRemainingImageCount
    popped = core.popNextImageAndMD
    count = 0

    def pop() -> Any:
        nonlocal count
        count += 1
        return popped()

    core.popNextImageAndMD = pop  # type: ignore[method-assign]
    core.getRemainingImageCount = (  # type: ignore[method-assign]
        lambda: 0 if count >= 5 else left()
    )
    stopped = calls_of(core, ["stopSequenceAcquisition"])
    running = core.isSequenceRunning
    core.isSequenceRunning = (  # type: ignore[method-assign]
        lambda *a: not stopped if count >= 5 else running()
    )
    run = Told(owner, PLAN, on_error="skip", first_image_s=5)
    report = run.start().wait(30)
    assert (report.saved, len(report.skipped)) == (5, 7)
    assert "no image for 0.2 s" in report.skipped[0].reason
    assert [s.axes["time"] for s in report.skipped] == list(range(5, 12))


def test_a_long_exposure_is_waited_for(
    owner: CoreOwner, core: CMMCorePlus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit between images grows with the exposure that the camera has."""
    seen: list[tuple[float, float]] = []

    class Noted(Burst):
        def __init__(self, *args: Any, **options: Any) -> None:
            seen.append((options["first_s"], options["next_s"]))
            super().__init__(*args, **options)

    monkeypatch.setattr("napari_scope.acquire.engine.Burst", Noted)
    core.getExposure = lambda *a: 8000.0  # type: ignore[method-assign]
    Told(owner, PLAN).start().wait(30)
    for name in ("setExposure", "loadExposureSequence", "startExposureSequence"):
        setattr(core, name, lambda *a: None)
    plan = [event(index={"t": t}, exposure=1 + 9999 * (t == 1)) for t in range(2)]
    Told(owner, plan).start().wait(30)
    assert seen == [(40, 40), (50, 50)]


def test_events_with_the_same_axes_lose_no_frame_unnoticed(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """Missing frames are counted, not looked up by their axes."""
    real = core.startSequenceAcquisition
    core.startSequenceAcquisition = (  # type: ignore[method-assign]
        lambda count, *args: real(count - 1, *args)
    )
    missing: list[Any] = []
    run = Told(owner, PLAN, on_error="skip")
    engine = run._engine
    note = engine._note_missing
    engine._note_missing = lambda e, d, r: note(  # type: ignore[method-assign]
        e.model_copy(
            update={
                "events": tuple(x.model_copy(update={"index": {}}) for x in e.events)
            }
        ),
        [x.model_copy(update={"index": {}}) for x in d],
        r,
    )
    engine._receiver.missing = (  # type: ignore[method-assign]
        lambda event, reason: missing.append(reason)
    )
    run.start()
    with pytest.raises(Exception, match="1 of 12 frames are missing"):
        run.wait(30)
    assert len(missing) == 1


def test_labels_that_are_words_or_numbers(owner: CoreOwner, core: CMMCorePlus) -> None:
    """Also where frames are looked up by them, to find those that a hook dropped."""
    plan = [{"axes": {"angle": label}, "exposure": 1} for label in ("s", "p", "u")]
    lengths = burst_lengths(core)
    run = Told(owner, plan, hooks=EngineHooks(lambda events: events[:-1]))
    report = run.start().wait(30)
    assert lengths == [2]
    assert [axes["angle"] for axes, _ in run.frames] == ["s", "p"]
    assert [skipped.axes["angle"] for skipped in report.skipped] == ["u"]


@pytest.mark.parametrize("processed", [True, False])
def test_images_that_are_processed_wait_in_the_cameras_buffer(
    owner: CoreOwner, core: CMMCorePlus, processed: bool
) -> None:
    """A slow function holds them up before they come into ours."""
    core.setCircularBufferMemoryFootprint(1)  # 512 frames
    lengths = burst_lengths(core)
    processor = FrameProcessor(lambda frame: [frame]) if processed else None
    plan = useq.MDASequence(time_plan={"interval": 0, "loops": 520})
    assert Told(owner, plan, processor=processor).start().wait(60).saved == 520
    assert lengths == ([512, 8] if processed else [520])

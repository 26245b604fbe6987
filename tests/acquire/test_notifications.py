"""Notifications: what happens, in order, to which frames."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from napari_scope.acquire import AcqNotification, Acquisition, CoreOwner
from napari_scope.events import acquires_image, from_pycro

HARDWARE, CAMERA, IMAGE, GLOBAL = (
    AcqNotification.Hardware,
    AcqNotification.Camera,
    AcqNotification.Image,
    AcqNotification.Acquisition,
)


def notes_of(quick: CoreOwner, *calls: Any, **options: Any) -> list[AcqNotification]:
    notes: list[AcqNotification] = []
    with Acquisition(
        core=quick, notification_callback_fn=notes.append, **options
    ) as acquisition:
        for events in calls:
            acquisition.acquire(events)
    return notes


def test_what_a_notification_says() -> None:
    note = AcqNotification(IMAGE, {"time": 1}, IMAGE.IMAGE_SAVED)
    assert note.is_image_saved_notification()
    assert not note.is_acquisition_finished_notification()
    assert not note.is_data_sink_finished_notification()
    assert note.to_json() == {
        "type": "image",
        "milestone": "image_saved",
        "payload": {"time": 1},
    }
    assert "image_saved" in repr(note)
    end = AcqNotification(GLOBAL, None, GLOBAL.ACQ_EVENTS_FINISHED)
    assert end.is_acquisition_finished_notification()
    assert end.to_json() == {"type": "global", "milestone": "acq_events_finished"}
    last = AcqNotification(IMAGE, None, IMAGE.DATA_SINK_FINISHED)
    assert last.is_data_sink_finished_notification()


def test_a_single_image(quick: CoreOwner) -> None:
    notes = notes_of(quick, {"axes": {"time": 0}, "z": 1.0})
    assert [(n.type, n.milestone) for n in notes] == [
        (GLOBAL, GLOBAL.ACQ_STARTED),
        (HARDWARE, HARDWARE.PRE_HARDWARE),
        (HARDWARE, HARDWARE.PRE_Z_DRIVE),
        (HARDWARE, HARDWARE.POST_HARDWARE),
        (CAMERA, CAMERA.PRE_SNAP),
        (CAMERA, CAMERA.POST_SNAP),
        (IMAGE, IMAGE.IMAGE_SAVED),
        (GLOBAL, GLOBAL.ACQ_EVENTS_FINISHED),
        (IMAGE, IMAGE.DATA_SINK_FINISHED),
    ]
    assert [n.payload for n in notes] == [None, *[{"time": 0}] * 6, None, None]


def test_a_hardware_sequence_is_told_as_one(quick: CoreOwner) -> None:
    notes = notes_of(quick, [{"axes": {"time": t}} for t in range(3)])
    frames = [{"time": t} for t in range(3)]
    told = [(n.milestone, n.payload) for n in notes if n.type in (HARDWARE, CAMERA)]
    assert told == [
        (HARDWARE.PRE_HARDWARE, frames),
        (HARDWARE.POST_HARDWARE, frames),
        (CAMERA.PRE_SEQUENCE_STARTED, frames),
        (CAMERA.POST_SEQUENCE_STOPPED, frames),
    ]
    saved = [n.payload for n in notes if n.is_image_saved_notification()]
    assert saved == frames


def test_without_sequences_each_is_told_alone(quick: CoreOwner) -> None:
    notes = notes_of(
        quick, [{"axes": {"time": t}} for t in range(3)], hardware_sequencing=False
    )
    snaps = [n.payload for n in notes if n.milestone == CAMERA.PRE_SNAP]
    assert snaps == [{"time": t} for t in range(3)]


def test_the_names_of_the_axes_are_those_of_the_events(quick: CoreOwner) -> None:
    event = {
        "axes": {"angle": "left", "z": 3},
        "channel": {"group": "Channel", "config": "DAPI"},
    }
    assert acquires_image(from_pycro(event))
    notes = notes_of(quick, event)
    payloads = [n.payload for n in notes if n.payload]
    assert payloads == [{"angle": "left", "z": 3, "channel": "DAPI"}] * 5


def test_nothing_about_hardware_alone(quick: CoreOwner) -> None:
    notes = notes_of(quick, {"properties": [["Camera", "Gain", "2"]]})
    assert [n.milestone for n in notes] == [
        GLOBAL.ACQ_STARTED,
        GLOBAL.ACQ_EVENTS_FINISHED,
        IMAGE.DATA_SINK_FINISHED,
    ]


def test_one_thread_calls_all_callbacks(quick: CoreOwner) -> None:
    threads: set[str] = set()
    axes: list[Any] = []

    def here(*_: object) -> None:
        threads.add(threading.current_thread().name)

    with Acquisition(
        core=quick,
        notification_callback_fn=here,
        image_saved_fn=lambda a, dataset: (here(), axes.append(a)),
        storage_monitor_callback_fn=lambda a: (here(), axes.append(a)),
    ) as acquisition:
        acquisition.acquire([{"axes": {"time": t}} for t in range(2)])
    assert threads == {"napari-scope callbacks"}
    assert axes == [{"time": 0}] * 2 + [{"time": 1}] * 2


def test_slow_callbacks_are_all_called(quick: CoreOwner) -> None:
    gate = threading.Semaphore(0)
    heard: list[Any] = []

    def saved(axes: Any, dataset: Any) -> None:
        assert gate.acquire(timeout=60)
        heard.append(axes["time"])

    with Acquisition(core=quick, image_saved_fn=saved) as acquisition:
        future = acquisition.acquire([{"axes": {"time": t}} for t in range(30)])
        assert future is not None
        future.await_image_saved(return_image=False)  # the microscope did not wait
        assert heard == []
        for _ in range(30):
            gate.release()
    assert heard == list(range(30))


@pytest.mark.parametrize("failing", [True, False])
def test_the_end_is_told_however_it_ended(quick: CoreOwner, failing: bool) -> None:
    notes: list[AcqNotification] = []
    acquisition = Acquisition(core=quick, notification_callback_fn=notes.append)
    if failing:
        acquisition.acquire({"axes": {}, "properties": [["None", "p", "1"]]})
        with pytest.raises(Exception, match="None"):
            acquisition.await_completion()
    else:
        acquisition.abort()
        acquisition.await_completion()
    assert [n.milestone for n in notes[-2:]] == [
        GLOBAL.ACQ_EVENTS_FINISHED,
        IMAGE.DATA_SINK_FINISHED,
    ]

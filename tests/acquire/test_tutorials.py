"""Patterns of pycro-manager's documentation, with nothing but the import changed.

Each test is a script as its users write them: what is imported below comes from
``pycromanager`` there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.compat import pycromanager
from napari_scope.compat.pycromanager import (
    AcqNotification,
    Acquisition,
    Bridge,
    Core,
    Dataset,
    XYTiledAcquisition,
    multi_d_acquisition_events,
    start_headless,
    stop_headless,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module", autouse=True)
def microscope() -> Iterator[None]:
    start_headless(python_backend=True)
    core = Core()
    core.set_roi(0, 0, 64, 48)
    core.set_exposure(1)
    yield
    stop_headless()


def test_multi_d(tmp_path: Path) -> None:
    with Acquisition(directory=str(tmp_path), name="multi_d") as acq:
        events = multi_d_acquisition_events(
            num_time_points=4,
            time_interval_s=0,
            channel_group="Channel",
            channels=["DAPI", "FITC"],
            channel_exposures_ms=[1, 2],
            z_start=0,
            z_end=6,
            z_step=2,
            order="tcz",
        )
        acq.acquire(events)
    dataset = Dataset(acq.get_dataset().path)
    assert dataset.as_array(axes=["time", "channel", "z"]).shape == (4, 2, 4, 48, 64)
    assert dataset.read_metadata(time=3, channel="FITC", z=1)["Exposure"] == 2
    assert dataset.read_metadata(time=3, channel="DAPI", z=3)["Channel"] == "DAPI"
    image = dataset.read_image(time=0, channel_name="DAPI", z=0)
    assert image.shape == (48, 64)
    assert dataset.has_image(time=2, channel="DAPI", z=2)


def test_the_loop_over_dictionaries(tmp_path: Path) -> None:
    with Acquisition(str(tmp_path), "loop", show_display=False) as acq:
        events = []
        for index, z_um in enumerate(np.arange(start=0, stop=10, step=2.5)):
            event = {
                # 'axes' is used by the image viewer and data storage
                "axes": {"z": index},
                # the 'z' field provides the z position in um
                "z": z_um,
            }
            events.append(event)
        acq.acquire(events)
    assert acq.get_dataset().axes == {"z": [0, 1, 2, 3]}
    facts = acq.get_dataset().read_metadata(z=3)
    assert facts["ZPosition_um_Intended"] == 7.5


def test_positions(tmp_path: Path) -> None:
    xy = np.array([[0, 0], [100, 0], [0, 50]])
    xyz = np.hstack([xy, [[0], [1], [2]]])
    with Acquisition(str(tmp_path), "xyz") as acq:
        acq.acquire(
            multi_d_acquisition_events(
                xyz_positions=xyz, z_start=0, z_end=2, z_step=1, order="pz"
            )
        )
    dataset = acq.get_dataset()
    assert dataset.axes == {"position": [0, 1, 2], "z": [0, 1, 2]}
    facts = dataset.read_metadata(position=2, z=1)
    assert facts["ZPosition_um_Intended"] == 3
    with Acquisition(str(tmp_path), "labels") as acq:
        acq.acquire(
            multi_d_acquisition_events(xy_positions=xy, position_labels=["a", "b", "c"])
        )
    facts = acq.get_dataset().read_metadata(position="b")
    assert (facts["PositionName"], facts["XPosition_um_Intended"]) == ("b", 100)


def test_hardware_only_and_properties(tmp_path: Path) -> None:
    """The event of the first specification that takes no image."""
    core = Core()
    with Acquisition(str(tmp_path), "hardware") as acq:
        acq.acquire({"properties": [["Camera", "Gain", "4"]]})
        future = acq.acquire(
            {
                "axes": {"power": 250},
                "channel": {"group": "Channel", "config": "Cy5"},
                "exposure": 2,
                "keep_shutter_open": True,
                "properties": [["Camera", "Offset", "10"]],
            }
        )
        future.await_image_saved(return_image=False)
        assert core.get_property("Camera", "Gain") == "4"
        assert core.get_property("Camera", "Offset") == "10"
    assert acq.get_dataset().axes == {"power": [250], "channel": ["Cy5"]}


def test_sequencing_is_seen_by_hooks() -> None:
    sizes = []

    def hook_fn(events: Any) -> Any:
        sizes.append(len(events) if isinstance(events, list) else 1)
        return events

    with Acquisition(show_display=False, pre_hardware_hook_fn=hook_fn) as acq:
        acq.acquire(multi_d_acquisition_events(num_time_points=6, time_interval_s=0))
    with Acquisition(show_display=False, pre_hardware_hook_fn=hook_fn) as acq:
        acq.acquire(multi_d_acquisition_events(num_time_points=3, time_interval_s=0.02))
    assert sizes == [6, 1, 1, 1]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_hooks(count: int) -> None:
    def one(event: Any) -> Any:
        seen.append(event)
        return event

    def two(event: Any, event_queue: Any) -> Any:
        if not seen:
            event_queue.put({"axes": {"time": 9}})
        return one(event)

    def three(event: Any, bridge: Any, event_queue: Any) -> Any:
        core = bridge.get_core()
        assert core.get_camera_device() == bridge.getCameraDevice() == "Camera"
        return two(event, event_queue)

    for name in (
        "event_generation_hook_fn",
        "pre_hardware_hook_fn",
        "post_hardware_hook_fn",
        "post_camera_hook_fn",
    ):
        seen: list[Any] = []
        with Acquisition(**{name: (one, two, three)[count - 1]}) as acq:
            acq.acquire({"axes": {"time": 0}})
        assert [e["axes"]["time"] for e in seen] == [0, 9][: 1 if count == 1 else 2]


def test_a_hook_cancels_events(tmp_path: Path) -> None:
    def hook_fn(event: Any) -> Any:
        return None if event["axes"]["time"] == 1 else event

    with Acquisition(str(tmp_path), "cancel", event_generation_hook_fn=hook_fn) as acq:
        acq.acquire(multi_d_acquisition_events(num_time_points=3))
    assert acq.get_dataset().axes == {"time": [0, 2]}


def test_image_processor_changes_pixels_and_axes(tmp_path: Path) -> None:
    def img_process_fn(image: Any, metadata: Any) -> Any:
        # add a new image in a new channel, as the tutorial does
        image_2 = np.array(image, copy=True)
        image_2[5:10, 5:10] = 0
        metadata["Axes"]["channel"] = "A_new_channel"
        md_2 = dict(metadata, Axes={**metadata["Axes"], "channel": "Another_channel"})
        return [(image, metadata), (image_2, md_2)]

    with Acquisition(str(tmp_path), "new", image_process_fn=img_process_fn) as acq:
        acq.acquire(multi_d_acquisition_events(num_time_points=3))
    dataset = acq.get_dataset()
    assert dataset.axes["channel"] == ["A_new_channel", "Another_channel"]
    assert not dataset.read_image(time=1, channel="Another_channel")[5:10, 5:10].any()
    assert dataset.read_image(time=1, channel="A_new_channel").all()


def test_saving_is_diverted() -> None:
    """Neither directory nor name: the images go elsewhere."""
    kept = []

    def img_process_fn(image: Any, metadata: Any) -> None:
        kept.append((metadata["Axes"]["time"], image.mean()))

    with Acquisition(image_process_fn=img_process_fn) as acq:
        acq.acquire(multi_d_acquisition_events(num_time_points=4))
    assert [number for number, _ in kept] == [0, 1, 2, 3]
    dataset = acq.get_dataset()
    assert dataset.get_image_coordinates_list() == []
    dataset.close()


def test_adaptive_with_the_queue_in_the_image_processor(tmp_path: Path) -> None:
    """The next event follows from the last image; None ends it."""

    def img_process_fn(image: Any, metadata: Any, event_queue: Any) -> Any:
        number = metadata["Axes"]["time"]
        if number < 4:
            event = {"axes": {"time": number + 1}, "exposure": 1 + image.mean() % 3}
            event_queue.put(event)
        else:
            event_queue.put(None)
        return image, metadata

    acq = Acquisition(str(tmp_path), "adaptive", image_process_fn=img_process_fn)
    acq.acquire({"axes": {"time": 0}})
    acq.await_completion()
    assert acq.get_dataset().axes == {"time": [0, 1, 2, 3, 4]}


def test_adaptive_with_bridge_and_queue(tmp_path: Path) -> None:
    """Four arguments, as the first versions had it."""

    def img_process_fn(image: Any, metadata: Any, bridge: Any, event_queue: Any) -> Any:
        if metadata["Axes"]["z"] == 0:
            z = bridge.get_core().get_position()
            event_queue.put({"axes": {"z": 1}, "z": z + 3})
        return image, metadata

    with Acquisition(str(tmp_path), "four", image_process_fn=img_process_fn) as acq:
        acq.acquire({"axes": {"z": 0}, "z": 2})
    facts = acq.get_dataset().read_metadata(z=1)
    assert facts["ZPosition_um_Intended"] == pytest.approx(5, abs=0.1)


def test_image_saved_callbacks(tmp_path: Path) -> None:
    saved: list[Any] = []

    def image_saved_fn(axes: Any, dataset: Any) -> None:
        pixels = dataset.read_image(**axes)
        saved.append((axes["time"], pixels.shape))

    def with_queue(axes: Any, dataset: Any, event_queue: Any) -> None:
        if axes["time"] == 0:
            event_queue.put({"axes": {"time": 5}})
        image_saved_fn(axes, dataset)

    for function, expected in ((image_saved_fn, [0, 1]), (with_queue, [0, 1, 5])):
        saved.clear()
        with Acquisition(str(tmp_path), "saved", image_saved_fn=function) as acq:
            acq.acquire(multi_d_acquisition_events(num_time_points=2))
        assert [number for number, _ in saved] == expected

    axes_only: list[Any] = []
    with Acquisition(
        str(tmp_path), "monitor", storage_monitor_callback_fn=axes_only.append
    ) as acq:
        acq.acquire(multi_d_acquisition_events(num_time_points=2))
    assert axes_only == [{"time": 0}, {"time": 1}]


def test_notifications(tmp_path: Path) -> None:
    notes: list[Any] = []
    with Acquisition(
        str(tmp_path), "notes", notification_callback_fn=notes.append
    ) as acq:
        acq.acquire(multi_d_acquisition_events(num_time_points=2))
    milestones = [note.milestone for note in notes]
    assert milestones[0] == AcqNotification.Acquisition.ACQ_STARTED
    assert milestones[-1] == AcqNotification.Image.DATA_SINK_FINISHED
    assert AcqNotification.Acquisition.ACQ_EVENTS_FINISHED in milestones
    assert milestones.count(AcqNotification.Image.IMAGE_SAVED) == 2
    assert sum(AcqNotification.is_image_saved_notification(n) for n in notes) == 2


def test_futures(tmp_path: Path) -> None:
    events = multi_d_acquisition_events(num_time_points=6, time_interval_s=0.02)
    with Acquisition(directory=str(tmp_path), name="futures") as acq:
        future = acq.acquire(events)
        future.await_execution(
            milestone=AcqNotification.Hardware.POST_HARDWARE, axes={"time": 1}
        )
        image = future.await_image_saved({"time": 2}, return_image=True)
        images = future.await_image_saved([{"time": 3}, {"time": 4}], return_image=True)
        _, metadata = future.await_image_saved(
            {"time": 5}, return_image=True, return_metadata=True
        )
    dataset = acq.get_dataset()
    assert np.all(image == dataset.read_image(time=2))
    for number, one in zip((3, 4), images, strict=True):
        assert np.all(one == dataset.read_image(time=number))
    assert metadata["Axes"] == {"time": 5}


def test_a_generator_that_waits_for_images(tmp_path: Path) -> None:
    acq = Acquisition(str(tmp_path), "generator")

    def event_generator() -> Iterator[Any]:
        exposure = 1.0
        for number in range(4):
            yield {"axes": {"time": number}, "exposure": exposure}
            image = future.await_image_saved({"time": number})
            exposure = 1 + float(image.mean()) % 2

    future = acq.acquire(event_generator())
    future.await_image_saved({"time": 0})
    acq.mark_finished()
    acq.await_completion()
    exposures = [acq.get_dataset().read_metadata(time=t)["Exposure"] for t in range(4)]
    assert exposures[0] == 1
    assert all(e >= 1 for e in exposures)


def test_abort_sequenced_timelapse(tmp_path: Path) -> None:
    core = Core()
    with Acquisition(str(tmp_path), "abort") as acq:
        acq.acquire([{"axes": {"time": t}, "exposure": 50} for t in range(500)])
        while not acq.get_dataset().get_index_keys():
            time.sleep(0.01)
        acq.abort()
    assert not core.is_sequence_running()
    assert 0 < len(acq.get_dataset().axes["time"]) < 500


def test_an_exception_of_a_hook_is_raised() -> None:
    def hook_fn(event: Any) -> Any:
        raise RuntimeError("in the hook")

    with (
        pytest.raises(Exception, match="in the hook"),
        Acquisition(pre_hardware_hook_fn=hook_fn) as acq,
    ):
        acq.acquire(multi_d_acquisition_events(num_time_points=2))


def test_the_core_by_both_names() -> None:
    with Bridge() as bridge:
        core = bridge.get_core()
        core.set_exposure(2)
        assert core.getExposure() == Core().get_exposure() == 2
        core.snap_image()
        tagged = core.get_tagged_image()
        pixels = np.reshape(tagged.pix, [tagged.tags["Height"], tagged.tags["Width"]])
        assert pixels.shape == (48, 64)
        groups = core.get_available_config_groups()
        assert "Channel" in [groups.get(i) for i in range(groups.size())]


def test_tiles(tmp_path: Path) -> None:
    with XYTiledAcquisition(
        tile_overlap=8, directory=str(tmp_path), name="tiles"
    ) as acq:
        acq.acquire(
            [{"axes": {"row": r, "column": c}} for r in range(2) for c in range(3)]
        )
    dataset = Dataset(acq.get_dataset().path, full_res_only=False)
    assert dataset.axes == {"row": [0, 1], "column": [0, 1, 2]}
    assert dataset.as_array(stitched=True).shape == (80, 168)
    assert dataset.read_image(row=1, col=2).shape == (48, 64)
    # The first versions had row and column beside the axes, and one class.
    with Acquisition(str(tmp_path), "old", tile_overlap=(8, 8)) as acq:
        acq.acquire([{"axes": {}, "row": 0, "col": c} for c in range(2)])
    assert acq.get_dataset().as_array(stitched=True).shape == (40, 112)


def test_reading_while_it_runs(tmp_path: Path) -> None:
    """The data set of the acquisition, asked for before anything was taken."""
    with Acquisition(str(tmp_path), "running") as acq:
        dataset = acq.get_dataset()
        future = acq.acquire(multi_d_acquisition_events(num_time_points=3))
        future.await_image_saved(return_image=False)
        assert dataset.axes == {"time": [0, 1, 2]}
        assert dataset.as_array().shape == (3, 48, 64)
        assert dataset.as_array(time=1).shape == (48, 64)
    assert "Acquisition" in dir(pycromanager)

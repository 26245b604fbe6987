"""`Acquisition` on the demo microscope: events at any time, and every way to end."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import traceback
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from pymmcore_plus import CMMCorePlus
from tests.threads import Thread, wait_until

from napari_scope.acquire import (
    Acquisition,
    AcquisitionFuture,
    CoreOwner,
    HookError,
    Output,
    cancel_runs,
)
from napari_scope.errors import (
    AcquisitionError,
    HardwareError,
    MissingImageError,
    OutputExistsError,
    PlanError,
    ScopeError,
    SettingsError,
)
from napari_scope.events import from_pycro
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOOKS = (
    "event_generation_hook_fn",
    "pre_hardware_hook_fn",
    "post_hardware_hook_fn",
    "post_camera_hook_fn",
)
CALLBACKS = (
    "image_saved_fn",
    "storage_monitor_callback_fn",
    "notification_callback_fn",
)


@pytest.fixture(autouse=True)
def nothing_goes_on(quick: CoreOwner) -> Iterator[None]:
    """Keep one failing test from failing all others."""
    yield
    cancel_runs(quick.core)


def times(count: int, start: int = 0, **more: Any) -> list[dict[str, Any]]:
    return [{"axes": {"time": t}, **more} for t in range(start, start + count)]


def keys(acquisition: Acquisition) -> list[dict[str, int | str]]:
    return acquisition.get_dataset().get_index_keys()


# ------------------------------------------------------------- what acquire takes


def test_events_of_every_kind(quick: CoreOwner, tmp_path: Path) -> None:
    def later() -> Iterator[Any]:
        yield {"axes": {"time": 5}}
        yield [{"axes": {"time": 6}}, {"axes": {"time": 7}}]
        yield useq.MDAEvent(index={"t": 8})
        yield useq.MDASequence(channels=["DAPI"])

    with Acquisition(tmp_path, "all", core=quick) as acquisition:
        acquisition.acquire({"axes": {"time": 0}})
        acquisition.acquire(times(2, 1))
        acquisition.acquire(useq.MDAEvent(index={"t": 3}))
        acquisition.acquire(tuple(times(1, 4)))
        acquisition.acquire(later())
        acquisition.acquire(useq.MDASequence(channels=["FITC"]))
    assert keys(acquisition) == [
        *({"time": t} for t in range(9)),
        {"channel": "DAPI"},
        {"channel": "FITC"},
    ]
    assert acquisition.path == tmp_path / "all_1"
    assert acquisition.report is not None
    assert acquisition.report.saved == 11
    assert acquisition.are_events_finished()


def test_a_grid_is_laid_out_by_the_size_of_the_field(quick: CoreOwner) -> None:
    grid = useq.MDASequence(grid_plan=useq.GridRowsColumns(rows=1, columns=3))
    with Acquisition(core=quick) as acquisition:
        acquisition.acquire(grid)
        acquisition.acquire(iter([grid.replace(channels=["DAPI"])]))
        acquisition.acquire(grid.replace(channels=["FITC"]), keep_shutter_open=True)
    dataset = acquisition.get_dataset()
    for more in ({}, {"channel": "DAPI"}, {"channel": "FITC"}):
        places = [
            dataset.read_metadata(**key)["XPosition_um_Intended"]
            for key in dataset.get_index_keys()
            if key.get("channel") == more.get("channel")
        ]
        assert np.diff(places).tolist() == [32.0, 32.0]


def test_shutter_stays_open_between_events(quick: CoreOwner) -> None:
    seen: list[Any] = []

    def look(event: dict[str, Any]) -> dict[str, Any]:
        seen.append(event.get("keep_shutter_open"))
        return event

    with Acquisition(
        core=quick, pre_hardware_hook_fn=look, hardware_sequencing=False
    ) as acquisition:
        acquisition.acquire({"axes": {"time": 0}}, keep_shutter_open=True)
        acquisition.acquire(iter(times(1, 1)), keep_shutter_open=True)
        acquisition.acquire([from_pycro({"axes": {"time": 2}})], keep_shutter_open=True)
        acquisition.acquire(times(1, 3, keep_shutter_open=False), True)
    assert seen == [True, True, True, None]


def test_callers_use_their_dictionaries_again(quick: CoreOwner) -> None:
    event: dict[str, Any] = {"axes": {"time": 0}, "channel": {}}
    event["channel"].update(group="Channel", config="DAPI")
    with Acquisition(core=quick) as acquisition:
        for time_point in range(3):
            event["axes"]["time"] = time_point
            acquisition.acquire(event)
    assert [key["time"] for key in keys(acquisition)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ({}, "empty"),
        ([], "empty"),
        ([{}, {}], "event 0"),
        ([{"axes": {}}, {"axes": {}, "exposre": 1}], "event 1.*exposre"),
        (5, "found int"),
        ("text", "found str"),
        ([3], "item 0"),
    ],
)
def test_what_is_no_event_is_refused_and_nothing_submitted(
    quick: CoreOwner, events: Any, said: str
) -> None:
    with Acquisition(core=quick) as acquisition:
        with pytest.raises(PlanError, match=said):
            acquisition.acquire(events)
        acquisition.acquire(times(1))
    assert keys(acquisition) == [{"time": 0}]


def test_what_a_generator_gives_is_refused_when_it_comes(quick: CoreOwner) -> None:
    acquisition = Acquisition(core=quick)
    acquisition.acquire(iter([{"axes": {"time": 0}}, {"axes": {}, "exposre": 1}]))
    acquisition.mark_finished()
    with pytest.raises(PlanError, match="exposre"):
        acquisition.await_completion()
    assert keys(acquisition) == [{"time": 0}]


def test_events_from_many_threads(quick: CoreOwner) -> None:
    with Acquisition(core=quick) as acquisition:

        def submit(first: int) -> None:
            for t in range(first, first + 5):
                future = acquisition.acquire({"axes": {"time": t}})
                assert future is not None
                assert future.await_image_saved({"time": t}).shape == (24, 32)

        threads = [Thread(submit, (first,)) for first in (0, 100, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(keys(acquisition)) == 15


def test_events_of_one_call_each(quick: CoreOwner) -> None:
    seen: list[Any] = []

    def look(event: Any) -> Any:
        seen.append(event)
        return event

    with Acquisition(core=quick, pre_hardware_hook_fn=look) as acquisition:
        acquisition.acquire(times(3))
        future = acquisition.acquire_each(times(3, 3))
        assert len(future.await_image_saved()) == 3
    assert [type(event) for event in seen] == [list, dict, dict, dict]


def test_an_event_that_only_sets_hardware(quick: CoreOwner) -> None:
    with Acquisition(core=quick) as acquisition:
        future = acquisition.acquire({"properties": [["Camera", "Gain", "3"]]})
        assert future is not None
        with pytest.raises(AcquisitionError, match="nothing to wait for"):
            future.await_execution()
        acquisition.acquire({"axes": {"time": 0}})
    assert keys(acquisition) == [{"time": 0}]


def test_several_cameras(quick: CoreOwner) -> None:
    core = quick.core
    core.loadDevice("Camera2", "DemoCamera", "DCam")
    core.loadDevice("Both", "Utilities", "Multi Camera")
    try:
        for device in ("Camera2", "Both"):
            core.initializeDevice(device)
        core.setProperty("Camera2", "BitDepth", "16")
        core.setProperty("Camera2", "PixelType", "16bit")
        core.setProperty("Both", "Physical Camera 1", "Camera")
        core.setProperty("Both", "Physical Camera 2", "Camera2")
        core.setCameraDevice("Camera2")
        core.setROI(0, 0, 32, 24)
        core.setCameraDevice("Both")
        core.setExposure(1)
        with Acquisition(core=quick) as acquisition:
            future = acquisition.acquire(times(2))
            assert future is not None
            assert len(future.await_image_saved()) == 4
        assert {key["channel"] for key in keys(acquisition)} == {"Camera", "Camera2"}
    finally:
        core.setCameraDevice("Camera")
        core.unloadDevice("Both")
        core.unloadDevice("Camera2")


# ------------------------------------------------------------- the data set


def test_the_dataset_before_during_and_after(quick: CoreOwner) -> None:
    acquisition = Acquisition(core=quick)
    dataset = acquisition.get_dataset()
    assert isinstance(dataset, Dataset)
    assert dataset.axes == {}
    assert dataset.path == acquisition.path
    assert not dataset.is_finished()
    assert not dataset.await_new_image(0.01)
    with pytest.raises(MissingImageError):
        dataset.read_image(time=0)
    future = acquisition.acquire(times(2))
    assert future is not None
    first = future.await_image_saved({"time": 0})
    np.testing.assert_array_equal(dataset.read_image(time=0), first)
    assert acquisition.get_dataset() is dataset
    acquisition.acquire(times(1, 2))
    assert dataset.await_new_image()
    acquisition.mark_finished()
    acquisition.await_completion()
    assert dataset.block_until_finished()
    assert dataset.is_finished()
    assert acquisition.get_dataset().as_array().shape == (3, 24, 32)
    dataset.close()
    assert len(acquisition.get_dataset().get_index_keys()) == 3


def test_a_dataset_that_waits(quick: CoreOwner) -> None:
    with Acquisition(core=quick) as acquisition:
        dataset = acquisition.get_dataset()
        assert not dataset.has_new_image()
        timer = threading.Timer(0.1, acquisition.acquire, [times(1)])
        timer.start()
        assert dataset.await_new_image()
        timer.join()
    assert dataset.block_until_finished(10)


def test_no_image_at_all(quick: CoreOwner) -> None:
    with Acquisition(core=quick) as acquisition:
        acquisition.acquire({"properties": [["Camera", "Gain", "3"]]})
    dataset = acquisition.get_dataset()
    assert dataset.is_finished()
    assert dataset.get_image_coordinates_list() == []
    assert not dataset.has_image(time=0)
    assert not dataset.await_new_image()
    dataset.close()
    assert dataset.path == acquisition.path


def test_other_outputs(quick: CoreOwner, tmp_path: Path) -> None:
    zarr = Output(tmp_path / "a.ome.zarr", "ome-zarr")
    with Acquisition(core=quick, outputs=[zarr]) as acquisition:
        future = acquisition.acquire(times(2))
        assert future is not None
        future.await_image_saved(return_image=False)
        with pytest.raises(AcquisitionError, match="open_dataset"):
            acquisition.get_dataset()
    (image,) = open_dataset(zarr.path).images
    assert image.levels[0].shape == (2, 24, 32)
    with pytest.raises(OutputExistsError):
        Acquisition(core=quick, outputs=[zarr])
    with pytest.raises(SettingsError, match="image_saved_fn"):
        Acquisition(
            core=quick,
            outputs=[Output(tmp_path / "b.ome.zarr", "ome-zarr")],
            image_saved_fn=lambda axes, dataset: None,
        )


def test_images_in_a_viewer(quick: CoreOwner) -> None:
    import npe2
    from napari.components import ViewerModel

    npe2.PluginManager.instance().discover()
    viewer = ViewerModel()
    with Acquisition(core=quick, napari_viewer=viewer) as acquisition:
        acquisition.acquire(times(2))
    assert acquisition.get_viewer() is viewer
    (layer,) = viewer.layers
    assert np.asarray(layer.data).squeeze().shape == (2, 24, 32)
    path = acquisition.path
    del acquisition
    gc.collect()
    assert path.exists()  # as long as the layer


# ------------------------------------------------------------- arguments


@pytest.mark.parametrize("name", [*HOOKS, *CALLBACKS, "image_process_fn"])
def test_functions_with_wrong_arguments(quick: CoreOwner, name: str) -> None:
    before = threading.active_count()
    with pytest.raises(SettingsError, match=f"{name} takes 5"):
        Acquisition(core=quick, **{name: lambda a, b, c, d, e: None})
    with pytest.raises(SettingsError, match=f"{name} takes 0"):
        Acquisition(core=quick, **{name: lambda: None})
    with pytest.raises(SettingsError, match="not callable"):
        Acquisition(core=quick, **{name: 3})
    assert threading.active_count() == before


def test_arguments_of_java_change_nothing(quick: CoreOwner, tmp_path: Path) -> None:
    with Acquisition(
        tmp_path,
        "java",
        show_display=False,
        saving_queue_size=5,
        bridge_timeout=100,
        port=4828,
        debug=True,
        core_log_debug=True,
        core=quick,
    ) as acquisition:
        acquisition.acquire(times(1))
    assert len(keys(acquisition)) == 1
    for more in ({"magellan_explore": True}, {"magellan_acq_index": 0}):
        with pytest.raises(SettingsError, match="Magellan"):
            Acquisition(core=quick, **more)  # type: ignore[arg-type]


def test_no_microscope() -> None:
    with pytest.raises(HardwareError, match="no microscope"):
        Acquisition(core=CMMCorePlus())


def test_two_at_once(quick: CoreOwner) -> None:
    before = threading.active_count()
    with Acquisition(core=quick) as acquisition:
        with pytest.raises(AcquisitionError, match="another run"):
            Acquisition(core=quick, notification_callback_fn=print)
        acquisition.acquire(times(1))
    assert len(keys(acquisition)) == 1
    assert threading.active_count() == before


def test_names_count_up(quick: CoreOwner, tmp_path: Path) -> None:
    for number in (1, 2):
        with Acquisition(tmp_path, "cells", core=quick) as acquisition:
            acquisition.acquire(times(number))
        assert acquisition.path == tmp_path / f"cells_{number}"
    assert len(Dataset(tmp_path / "cells_1").get_index_keys()) == 1


# ------------------------------------------------------------- errors


@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("sequencing", [True, False])
def test_an_error_of_a_hook_reaches_the_caller(
    quick: CoreOwner, tmp_path: Path, name: str, sequencing: bool
) -> None:
    def hook(event: Any) -> Any:
        some = event if isinstance(event, list) else [event]
        if any(e["axes"]["time"] >= 2 for e in some):
            raise KeyError("oops")
        return event

    acquisition = Acquisition(
        tmp_path, "bad", core=quick, hardware_sequencing=sequencing, **{name: hook}
    )
    acquisition.acquire(times(2))
    future = acquisition.acquire(times(2, 2))
    assert future is not None
    with pytest.raises(AcquisitionError, match="oops"):
        future.await_image_saved({"time": 3})
    with pytest.raises(HookError, match=f"{name} raised KeyError: 'oops'") as caught:
        acquisition.await_completion()
    text = "".join(traceback.format_exception(caught.value))
    assert 'raise KeyError("oops")' in text  # the line of the hook
    with pytest.raises(HookError, match="oops"):
        acquisition.acquire(times(1, 5))
    with pytest.raises(AcquisitionError, match="over"):
        acquisition.queue.put({"axes": {}})
    # What was taken is there, and the files are closed.
    assert [k["time"] for k in keys(acquisition)] == [0, 1]
    assert acquisition.get_dataset().is_finished()


@pytest.mark.parametrize("name", CALLBACKS)
def test_an_error_of_a_callback_reaches_the_caller(quick: CoreOwner, name: str) -> None:
    def callback(*given: Any) -> None:
        raise KeyError("oops")

    acquisition = Acquisition(core=quick, **{name: callback})
    future: AcquisitionFuture | None = None
    try:
        future = acquisition.acquire(times(1))
    except AcquisitionError as error:  # it was over before
        assert isinstance(error.__cause__, HookError)
    with pytest.raises(HookError, match=f"{name} raised KeyError") as caught:
        acquisition.await_completion()
    assert isinstance(caught.value.__cause__, KeyError)
    if future is not None:
        with pytest.raises(AcquisitionError):
            future.await_execution("pre_hardware", {"time": 9})


def test_an_error_of_a_generator_reaches_the_caller(quick: CoreOwner) -> None:
    def events() -> Iterator[Any]:
        yield {"axes": {"time": 0}}
        raise LookupError("no more")

    acquisition = Acquisition(core=quick)
    future = acquisition.acquire(events())
    assert future is not None
    with pytest.raises(ScopeError, match="LookupError: no more") as caught:
        acquisition.await_completion()
    assert isinstance(caught.value.__cause__, LookupError)
    assert future.await_image_saved({"time": 0}).shape == (24, 32)
    with pytest.raises(AcquisitionError):
        future.await_image_saved({"time": 1})


def test_an_error_of_the_block(quick: CoreOwner) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        Acquisition(core=quick) as acquisition,
    ):
        acquisition.acquire(times(3, min_start_time=60))
        raise ZeroDivisionError
    assert str(acquisition.report and acquisition.report.state) == "cancelled"


def test_an_error_of_the_block_and_one_of_a_hook(quick: CoreOwner) -> None:
    def hook(event: Any) -> Any:
        raise KeyError("oops")

    def body() -> None:
        with Acquisition(core=quick, pre_hardware_hook_fn=hook) as acquisition:
            acquisition.acquire(times(1))
            wait_until(acquisition.are_events_finished)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        body()
    assert "oops" in caught.value.__notes__[0]


def test_a_hardware_failure(quick: CoreOwner) -> None:
    event = {"axes": {}, "properties": [["Camera", "Nothing", "1"]]}
    with (
        pytest.raises(HardwareError, match="Nothing"),
        Acquisition(core=quick) as acquisition,
    ):
        acquisition.acquire(event)
    with Acquisition(core=quick, on_error="skip") as acquisition:
        future = acquisition.acquire([event, *times(1)])
        assert future is not None
        with pytest.raises(AcquisitionError, match="will not come"):
            future.await_image_saved({})
    assert keys(acquisition) == [{"time": 0}]


def test_a_full_disk_while_nothing_is_taken(
    quick: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run waits for events then, and nobody appends a frame that could fail."""
    from napari_scope.stream.sinks.ndtiff import NDTiffSink

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(NDTiffSink, "write", full)
    acquisition = Acquisition(core=quick)
    future = acquisition.acquire(times(1))
    assert future is not None
    with pytest.raises(AcquisitionError, match="space"):
        future.await_image_saved()
    with pytest.raises(ScopeError, match="space"):
        acquisition.await_completion()


# ------------------------------------------------------------- the end


def test_the_end_can_be_announced_early(quick: CoreOwner) -> None:
    acquisition = Acquisition(core=quick)
    acquisition.acquire(times(2, min_start_time=0.2))
    assert acquisition.acquire(None) is None
    acquisition.acquire(times(1, 2))  # the events before are still pending
    acquisition.await_completion()
    acquisition.await_completion()
    assert len(keys(acquisition)) == 3
    with pytest.raises(AcquisitionError, match="over"):
        acquisition.acquire(times(1, 9))
    with pytest.raises(AcquisitionError, match="over"):
        acquisition.acquire(iter(times(1, 9)))
    acquisition.mark_finished()
    acquisition.abort(ValueError("too late"))
    acquisition.await_completion()


@pytest.mark.parametrize("exception", [None, ValueError("enough")])
def test_abort_while_an_event_waits(
    quick: CoreOwner, exception: Exception | None
) -> None:
    acquisition = Acquisition(core=quick)
    acquisition.acquire(times(1))
    future = acquisition.acquire(times(3, 1, min_start_time=60))
    assert future is not None
    wait_until(lambda: keys(acquisition))
    acquisition.abort(exception)
    with pytest.raises(AcquisitionError, match="enough" if exception else "aborted"):
        future.await_image_saved()
    with pytest.raises(AcquisitionError, match="over") as caught:
        acquisition.acquire(times(1))
    if exception is None:
        acquisition.await_completion()
    else:
        assert caught.value.__cause__ is exception
        with pytest.raises(ValueError, match="enough"):
            acquisition.await_completion()
    assert keys(acquisition) == [{"time": 0}]
    assert str(acquisition.run.state) == "cancelled"


def test_abort_before_any_event(quick: CoreOwner) -> None:
    with Acquisition(core=quick) as acquisition:
        acquisition.abort()
    assert keys(acquisition) == []


def test_abort_in_a_hardware_sequence(quick: CoreOwner) -> None:
    with Acquisition(core=quick) as acquisition:
        acquisition.acquire(times(500, exposure=50))
        wait_until(lambda: keys(acquisition))
        acquisition.abort()
    assert not quick.core.isSequenceRunning()
    assert 0 < len(keys(acquisition)) < 500


def test_abort_while_a_generator_waits(quick: CoreOwner) -> None:
    release = threading.Event()

    def events() -> Iterator[Any]:
        yield {"axes": {"time": 0}}
        release.wait(60)

    with Acquisition(core=quick) as acquisition:
        acquisition.acquire(events())
        wait_until(lambda: keys(acquisition))
        acquisition.abort()
    release.set()
    assert keys(acquisition) == [{"time": 0}]


@pytest.mark.parametrize("name", [*HOOKS, *CALLBACKS, "image_process_fn"])
def test_abort_by_a_hook_or_callback(quick: CoreOwner, name: str) -> None:
    made: list[Acquisition] = []
    ready = threading.Event()

    def stop(first: Any, *more: Any) -> Any:
        assert ready.wait(60)
        made[0].abort()
        return (first, more[0]) if name == "image_process_fn" else first

    acquisition = Acquisition(core=quick, **{name: stop})
    made.append(acquisition)
    acquisition.acquire(times(3, exposure=20))
    ready.set()
    acquisition.await_completion()
    assert str(acquisition.run.state) == "cancelled"


def test_abort_while_it_is_paused(quick: CoreOwner) -> None:
    with Acquisition(core=quick, hardware_sequencing=False) as acquisition:
        acquisition.acquire(times(1))
        wait_until(lambda: keys(acquisition))
        acquisition.set_paused(True)
        acquisition.acquire(times(50, 1))
        wait_until(acquisition.is_paused)
        acquisition.abort()
    assert keys(acquisition) == [{"time": 0}]


def test_pause_and_go_on(quick: CoreOwner) -> None:
    with Acquisition(core=quick, hardware_sequencing=False) as acquisition:
        acquisition.set_paused(True)
        acquisition.acquire(times(3))
        wait_until(acquisition.is_paused)
        assert keys(acquisition) == []
        acquisition.set_paused(False)
        wait_until(lambda: not acquisition.is_paused())
    assert len(keys(acquisition)) == 3


@pytest.mark.skipif(os.name == "nt", reason="signals cannot be sent to a thread")
@pytest.mark.parametrize("where", ["block", "future", "end", "completion"])
def test_ctrl_c(quick: CoreOwner, where: str) -> None:
    """It ends what waits, the files are closed, and it reaches the caller."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT))
    made: list[Acquisition] = []

    def body() -> None:
        with Acquisition(core=quick) as acquisition:
            made.append(acquisition)
            acquisition.acquire(times(1))
            future = acquisition.acquire(times(1, 1, min_start_time=60))
            assert future is not None
            timer.start()
            if where == "block":
                time.sleep(60)
            elif where == "future":
                future.await_image_saved()
            elif where == "completion":
                acquisition.mark_finished()
                acquisition.await_completion()

    try:
        with pytest.raises(KeyboardInterrupt):
            body()
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    (acquisition,) = made
    assert acquisition.run.done
    assert keys(acquisition) == [{"time": 0}]
    assert acquisition.get_dataset().is_finished()


@pytest.mark.parametrize("name", [*HOOKS, *CALLBACKS, "image_process_fn"])
def test_nobody_waits_for_itself(quick: CoreOwner, name: str) -> None:
    made: list[Acquisition] = []
    ready = threading.Event()

    def wait(*given: Any) -> Any:
        assert ready.wait(60)
        made[0].await_completion()

    function: Callable[..., Any] = wait
    acquisition = Acquisition(core=quick, **{name: function})
    made.append(acquisition)
    acquisition.acquire(times(1))
    ready.set()
    with pytest.raises(AcquisitionError, match="its own acquisition"):
        acquisition.await_completion()


# ------------------------------------------------------------- feedback


def test_callbacks_may_submit_events_after_the_end_was_announced(
    quick: CoreOwner,
) -> None:
    def saved(axes: dict[str, Any], dataset: Dataset, queue: Any) -> None:
        assert dataset.read_image(**axes).shape == (24, 32)
        if axes["time"] < 4:
            queue.put({"axes": {"time": axes["time"] + 1}})

    with Acquisition(core=quick, image_saved_fn=saved) as acquisition:
        acquisition.acquire({"axes": {"time": 0}})
    assert len(keys(acquisition)) == 5


def test_hooks_and_images_may_submit_events(quick: CoreOwner) -> None:
    def once(what: str) -> Callable[..., Any]:
        state = {"done": False}

        def submit(first: Any, *more: Any) -> Any:
            if not state["done"]:
                state["done"] = True
                more[-1].put({"axes": {"by": what}})
            return (first, more[0]) if what == "image" else first

        return submit

    generation, before = once("generation"), once("before")
    after, camera, image = once("after"), once("camera"), once("image")
    with Acquisition(
        core=quick,
        event_generation_hook_fn=lambda e, q: generation(e, q),
        pre_hardware_hook_fn=lambda e, c, q: before(e, c, q),
        post_hardware_hook_fn=lambda e, q: after(e, q),
        post_camera_hook_fn=lambda e, c, q: camera(e, c, q),
        image_process_fn=lambda i, m, q: image(i, m, q),
    ) as acquisition:
        acquisition.acquire({"axes": {"by": "me"}})
    assert sorted(str(key["by"]) for key in keys(acquisition)) == [
        "after",
        "before",
        "camera",
        "generation",
        "image",
        "me",
    ]


# ------------------------------------------------------------- what is left


def test_nothing_is_left(quick: CoreOwner) -> None:
    before = set(threading.enumerate())

    def use() -> tuple[Any, ...]:
        with Acquisition(
            core=quick,
            image_process_fn=lambda image, tags: (image, tags),
            image_saved_fn=lambda axes, dataset: None,
            pre_hardware_hook_fn=lambda event: event,
        ) as acquisition:
            acquisition.acquire(times(2))
        dataset = acquisition.get_dataset()
        dataset.close()
        return acquisition.path, weakref.ref(acquisition), weakref.ref(acquisition.run)

    path, *gone = use()
    gc.collect()
    assert [one() for one in gone] == [None, None]
    assert not path.exists()
    assert set(threading.enumerate()) <= before


def test_a_dataset_outlives_its_acquisition(quick: CoreOwner) -> None:
    with Acquisition(core=quick) as acquisition:
        acquisition.acquire(times(1))
    dataset = acquisition.get_dataset()
    ref = weakref.ref(acquisition)
    del acquisition
    gc.collect()
    assert dataset.read_image(time=0).shape == (24, 32)
    path = dataset.path
    dataset.close()
    del dataset
    gc.collect()
    assert ref() is None
    assert not path.exists()


def test_callbacks_end_without_being_waited_for(quick: CoreOwner) -> None:
    before = set(threading.enumerate())
    acquisition = Acquisition(core=quick, notification_callback_fn=lambda note: None)
    acquisition.acquire(times(1))
    acquisition.mark_finished()
    wait_until(lambda: set(threading.enumerate()) <= before)
    assert acquisition.run.done


def test_many_in_one_process(quick: CoreOwner) -> None:
    before = threading.active_count()
    for _ in range(20):
        with Acquisition(core=quick) as acquisition:
            acquisition.acquire(times(1))
        assert acquisition.report is not None
        assert acquisition.report.saved == 1
    assert threading.active_count() == before

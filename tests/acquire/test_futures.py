"""Futures: they wait for frames, and never for ever."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.threads import Thread

from napari_scope.acquire import (
    AcqNotification,
    Acquisition,
    AcquisitionFuture,
    CoreOwner,
    cancel_runs,
)
from napari_scope.acquire.futures import key_of
from napari_scope.errors import AcquisitionError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Iterator

HARDWARE, CAMERA, IMAGE = (
    AcqNotification.Hardware,
    AcqNotification.Camera,
    AcqNotification.Image,
)


class Images:
    """Stands in for an acquisition."""

    holds_up = False

    def get_dataset(self) -> Any:
        return self

    def holds_up_the_run(self) -> bool:
        return self.holds_up

    def read_image(self, **axes: Any) -> Any:
        return np.array([axes["time"]])

    def read_metadata(self, **axes: Any) -> Any:
        return {"Axes": axes}


def future_of(*time_points: int, complete: bool = True) -> AcquisitionFuture:
    future = AcquisitionFuture(Images(), complete=complete)
    future.expect(key_of({"time": t}) for t in time_points)
    return future


def saved(future: AcquisitionFuture, *time_points: int) -> None:
    for t in time_points:
        future.reached(IMAGE.IMAGE_SAVED, key_of({"time": t}))


def test_keys_know_no_order_and_no_other_names() -> None:
    assert key_of({"z": 1, "col": 2}) == key_of({"column": 2, "z": 1})
    assert key_of({"time": np.int64(3)}) == key_of({"time": 3})


def test_what_is_returned() -> None:
    future = future_of(0, 1)
    saved(future, 0, 1, 7)
    one = {"time": 1}
    assert future.axes == [{"time": 0}, {"time": 1}]
    assert future.await_image_saved(one).tolist() == [1]
    assert future.await_image_saved(one, return_image=False) is None
    assert future.await_image_saved(one, return_image=False, return_metadata=True) == {
        "Axes": one
    }
    image, facts = future.await_image_saved(one, return_metadata=True)
    assert (image.tolist(), facts) == ([1], {"Axes": one})
    assert [i.tolist() for i in future.await_image_saved([one, {"time": 0}])] == [
        [1],
        [0],
    ]
    assert len(future.await_image_saved()) == 2
    assert future.await_image_saved([]) == []


def test_milestones() -> None:
    future = future_of(0, 1)
    with pytest.raises(TimeoutError):
        future.await_execution(HARDWARE.PRE_HARDWARE, timeout=0.01)
    future.reached(HARDWARE.PRE_HARDWARE, key_of({"time": 0}))
    future.await_execution(HARDWARE.PRE_HARDWARE, {"time": 0})
    with pytest.raises(TimeoutError):
        future.await_execution(HARDWARE.PRE_HARDWARE, timeout=0.01)
    with pytest.raises(TimeoutError):
        future.await_execution(axes={"time": 0}, timeout=0.01)
    future.reached(CAMERA.POST_SNAP, key_of({"time": 0}))
    future.reached(CAMERA.POST_SEQUENCE_STOPPED, key_of({"time": 1}))
    future.await_execution()  # one was snapped, the other was part of a sequence
    with pytest.raises(AcquisitionError, match="acq_started"):
        future.await_execution(AcqNotification.Acquisition.ACQ_STARTED)


def test_frames_of_others() -> None:
    future = future_of(0)
    with pytest.raises(AcquisitionError, match="not submitted"):
        future.await_image_saved({"time": 5})
    with pytest.raises(AcquisitionError, match="not submitted"):
        future.await_execution(axes={"z": 0})


def test_a_frame_that_was_left_out() -> None:
    future = future_of(0, 1)
    future.leave_out(key_of({"time": 0}))
    future.leave_out(key_of({"time": 8}))
    saved(future, 1)
    with pytest.raises(AcquisitionError, match="will not come"):
        future.await_image_saved({"time": 0})
    assert len(future.await_image_saved()) == 1  # the other one


def test_nothing_to_wait_for() -> None:
    for wait in (future_of().await_execution, future_of().await_image_saved):
        with pytest.raises(AcquisitionError, match="nothing to wait for"):
            wait()


@pytest.mark.parametrize("axes", [None, {"time": 3}])
def test_a_generator_that_goes_on(axes: Any) -> None:
    future = future_of(0, complete=False)
    saved(future, 0)
    with pytest.raises(TimeoutError):
        future.await_image_saved(axes, timeout=0.01)
    future.complete()
    if axes is None:
        assert len(future.await_image_saved()) == 1
    else:
        with pytest.raises(AcquisitionError, match="not submitted"):
            future.await_image_saved(axes)


@pytest.mark.parametrize("how", ["end", "leave_out", "complete", "save"])
def test_it_wakes_up(how: str) -> None:
    future = future_of(0, complete=False)
    error = ValueError("the disk burns")
    caught: list[BaseException | None] = []

    def wait() -> None:
        try:
            future.await_image_saved({"time": 1 if how == "complete" else 0})
        except AcquisitionError as found:
            caught.append(found)
        else:
            caught.append(None)

    thread = Thread(wait)
    thread.start()
    if how == "end":
        future.end(error)
        future.end(KeyError("later"))
    elif how == "leave_out":
        future.leave_out(key_of({"time": 0}))
    elif how == "complete":
        future.complete()
    else:
        saved(future, 0)
    thread.join()
    assert (caught[0] is None) == (how == "save")
    if how == "end":
        assert caught[0] is not None
        assert caught[0].__cause__ is error
        assert "the disk burns" in str(caught[0])


def test_what_was_saved_before_the_end_is_there() -> None:
    future = future_of(0, 1)
    saved(future, 0)
    future.end(ValueError("enough"))
    assert future.await_image_saved({"time": 0}).tolist() == [0]
    with pytest.raises(AcquisitionError, match="enough"):
        future.await_image_saved({"time": 1})


def test_who_holds_up_the_run_waits_for_what_is_exposed_only() -> None:
    images = Images()
    images.holds_up = True
    future = AcquisitionFuture(images, complete=True)
    future.expect(key_of({"time": t}) for t in range(2))
    with pytest.raises(AcquisitionError, match="for ever"):
        future.await_image_saved({"time": 0})
    future.reached(CAMERA.POST_SNAP, key_of({"time": 0}))
    threading.Timer(0.05, saved, [future, 0]).start()
    assert future.await_image_saved({"time": 0}).tolist() == [0]
    with pytest.raises(AcquisitionError, match="for ever"):
        future.await_image_saved()


# ------------------------------------------------------------- on a microscope


@pytest.fixture(autouse=True)
def nothing_goes_on(quick: CoreOwner) -> Iterator[None]:
    yield
    cancel_runs(quick.core)


def times(*time_points: int) -> list[dict[str, Any]]:
    return [{"axes": {"time": t}} for t in time_points]


def test_a_hook_may_wait_for_the_frame_before(quick: CoreOwner) -> None:
    futures: dict[int, Any] = {}
    seen: list[Any] = []
    ready = threading.Event()

    def hook(event: Any) -> Any:
        assert ready.wait(60)
        number = event["axes"]["time"]
        if number:
            before = {"time": number - 1}
            seen.append(futures[number - 1].await_image_saved(before).shape)
        return event

    with Acquisition(core=quick, pre_hardware_hook_fn=hook) as acquisition:
        for number in range(3):
            futures[number] = acquisition.acquire(times(number))
        ready.set()
    assert seen == [(24, 32)] * 2


@pytest.mark.parametrize("name", ["pre_hardware_hook_fn", "event_generation_hook_fn"])
def test_a_hook_that_waits_for_its_own_frame(quick: CoreOwner, name: str) -> None:
    futures: list[Any] = []
    ready = threading.Event()

    def hook(event: Any) -> Any:
        assert ready.wait(60)
        futures[0].await_image_saved({"time": 0})
        return event

    acquisition = Acquisition(core=quick, **{name: hook})
    futures.append(acquisition.acquire(times(0)))
    ready.set()
    with pytest.raises(AcquisitionError, match="for ever"):
        acquisition.await_completion()


def test_a_generator_may_wait_for_its_own_images(quick: CoreOwner) -> None:
    futures: list[Any] = []
    means: list[float] = []
    ready = threading.Event()

    def events() -> Iterator[Any]:
        assert ready.wait(60)
        for number in range(4):
            yield {"axes": {"time": number}}
            image = futures[0].await_image_saved({"time": number})
            means.append(float(image.mean()))

    with Acquisition(core=quick) as acquisition:
        futures.append(acquisition.acquire(events()))
        ready.set()
        assert len(futures[0].await_image_saved()) == 4
    assert len(means) == 4


@pytest.mark.parametrize(
    "name",
    ["event_generation_hook_fn", "pre_hardware_hook_fn", "post_hardware_hook_fn"],
)
@pytest.mark.parametrize("how", ["drop", "rename"])
@pytest.mark.parametrize("sequencing", [True, False])
def test_frames_that_a_hook_drops_or_renames(
    quick: CoreOwner, name: str, how: str, sequencing: bool
) -> None:
    def changed(event: Any) -> Any:
        if event["axes"]["time"] != 1:
            return event
        return None if how == "drop" else {**event, "axes": {"time": 11}}

    def hook(given: Any) -> Any:
        if isinstance(given, dict):
            return changed(given)
        return [one for event in given if (one := changed(event)) is not None]

    if (name, how) == ("post_hardware_hook_fn", "drop"):
        sequencing = False  # the hardware is set for the whole sequence
    with Acquisition(
        core=quick, hardware_sequencing=sequencing, **{name: hook}
    ) as acquisition:
        future = acquisition.acquire(times(0, 1, 2))
        assert future is not None
        with pytest.raises(AcquisitionError, match="will not come"):
            future.await_image_saved({"time": 1})
        assert len(future.await_image_saved()) == 2
    found = {key["time"] for key in acquisition.get_dataset().get_index_keys()}
    assert found == ({0, 2} if how == "drop" else {0, 2, 11})


@pytest.mark.parametrize("how", ["drop", "rename"])
def test_frames_that_an_image_function_drops_or_renames(
    quick: CoreOwner, how: str
) -> None:
    def process(image: Any, tags: Any) -> Any:
        if tags["Axes"]["time"] == 1:
            if how == "drop":
                return None
            tags["Axes"] = {"frame": 1}
        return image, tags

    with Acquisition(core=quick, image_process_fn=process) as acquisition:
        future = acquisition.acquire(times(0, 1, 2))
        assert future is not None
        with pytest.raises(AcquisitionError, match="will not come"):
            future.await_image_saved({"time": 1})
        assert len(future.await_image_saved()) == 2


def test_a_callback_waits_while_the_microscope_goes_on(quick: CoreOwner) -> None:
    futures: list[Any] = []
    ready = threading.Event()
    shapes: list[Any] = []

    def saved_one(axes: Any, dataset: Any) -> None:
        assert ready.wait(60)
        if axes == {"time": 0}:
            shapes.append(futures[0].await_image_saved({"time": 2}).shape)

    with Acquisition(core=quick, image_saved_fn=saved_one) as acquisition:
        futures.append(acquisition.acquire(times(0, 1, 2)))
        ready.set()
    assert shapes == [(24, 32)]


def test_nobody_keeps_its_future(quick: CoreOwner) -> None:
    with Acquisition(core=quick) as acquisition:
        for number in range(5):
            acquisition.acquire(times(number))
    assert acquisition._awaited.is_empty


def test_futures_after_the_end(quick: CoreOwner) -> None:
    with Acquisition(core=quick) as acquisition:
        future = acquisition.acquire(times(0))
    assert future is not None
    assert future.await_image_saved({"time": 0}).shape == (24, 32)
    with pytest.raises(ScopeError):
        future.await_image_saved({"time": 1})

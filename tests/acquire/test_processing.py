"""Images that pass through a function, on a thread and in a process."""

from __future__ import annotations

import os
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from tests.threads import wait_until

from napari_scope.acquire import (
    Acquisition,
    CoreOwner,
    FrameProcessor,
    HookError,
    Processed,
    Run,
    cancel_runs,
)
from napari_scope.errors import ScopeError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

BOTH = pytest.mark.parametrize("process", [False, True], ids=["thread", "process"])


@pytest.fixture(autouse=True)
def nothing_goes_on(quick: CoreOwner) -> Iterator[None]:
    yield
    cancel_runs(quick.core)


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module of functions, where a process finds it, too."""
    folder = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(folder)
    import imagefn

    return imagefn  # type: ignore[no-any-return]


def take(
    quick: CoreOwner, function: Callable[..., Any], count: int = 3, **options: Any
) -> Acquisition:
    with Acquisition(core=quick, image_process_fn=function, **options) as acquisition:
        acquisition.acquire([{"axes": {"time": t}} for t in range(count)])
    return acquisition


@BOTH
def test_images_are_changed(
    quick: CoreOwner, functions: ModuleType, process: bool
) -> None:
    dataset = take(quick, functions.invert, process=process).get_dataset()
    assert len(dataset.get_index_keys()) == 3
    image = dataset.read_image(time=1)
    assert image.shape == (24, 32)
    assert image.min() == 0
    assert (dataset.read_metadata(time=1)["pid"] == os.getpid()) != process


@BOTH
def test_one_image_becomes_two(
    quick: CoreOwner, functions: ModuleType, process: bool
) -> None:
    dataset = take(quick, functions.fan_out, process=process).get_dataset()
    assert dataset.axes == {"time": [0, 1, 2], "kind": ["raw", "doubled"]}
    for t in range(3):
        raw, doubled = (dataset.read_image(time=t, kind=k) for k in ("raw", "doubled"))
        np.testing.assert_array_equal(raw * 2, doubled)
        assert raw.any()


@pytest.mark.parametrize(
    ("name", "process"),
    [
        ("crop_to_bytes", False),
        ("pixels_alone", False),
        ("larger", False),
        ("crop_to_bytes", True),
    ],
)
def test_another_size_or_type(
    quick: CoreOwner, functions: ModuleType, name: str, process: bool
) -> None:
    function = getattr(functions, name)
    dataset = take(quick, function, process=process).get_dataset()
    image = dataset.read_image(time=2)
    shape, dtype = {
        "crop_to_bytes": ((10, 12), "u1"),
        "pixels_alone": ((24, 32), "u2"),
        "larger": ((72, 96), "u2"),
    }[name]
    assert (image.shape, image.dtype) == (shape, dtype)
    assert dataset.read_metadata(time=2)["Axes"] == {"time": 2}


@BOTH
def test_images_are_dropped(
    quick: CoreOwner, functions: ModuleType, process: bool
) -> None:
    acquisition = take(quick, functions.drop_odd, 5, process=process)
    assert acquisition.get_dataset().axes == {"time": [0, 2, 4]}
    assert acquisition.report is not None
    assert acquisition.report.saved == 3


@BOTH
def test_an_error(quick: CoreOwner, functions: ModuleType, process: bool) -> None:
    acquisition = Acquisition(
        core=quick, image_process_fn=functions.raise_at_two, process=process
    )
    acquisition.acquire([{"axes": {"time": t}} for t in range(6)])
    with pytest.raises(HookError, match="no twos") as caught:
        acquisition.await_completion()
    text = "".join(traceback.format_exception(caught.value))
    assert 'raise ValueError("no twos")' in text
    dataset = acquisition.get_dataset()
    assert dataset.axes == {"time": [0, 1]}
    assert dataset.is_finished()


@pytest.mark.parametrize(
    ("name", "said", "process"),
    [
        ("text", "returned a str", False),
        ("no_axes", "no 'Axes'", False),
        ("text", "returned a str", True),
    ],
)
def test_what_is_no_image(
    quick: CoreOwner, functions: ModuleType, name: str, said: str, process: bool
) -> None:
    with pytest.raises(HookError, match=said):
        take(quick, getattr(functions, name), process=process)


def test_colour(quick: CoreOwner) -> None:
    def colour(image: Any, tags: Any) -> Any:
        return np.dstack([(image // 256).astype("u1")] * 3), tags

    image = take(quick, colour).get_dataset().read_image(time=0)
    assert (image.shape, image.dtype) == ((24, 32, 3), "u1")


def test_images_of_different_sizes(quick: CoreOwner) -> None:
    def crop(image: Any, tags: Any) -> Any:
        return (image[:5] if tags["Axes"]["time"] else image), tags

    with pytest.raises(HookError, match="one size and type"):
        take(quick, crop)


def test_two_images_of_the_same_axes(quick: CoreOwner) -> None:
    def same(image: Any, tags: Any) -> Any:
        tags["Axes"] = {"time": 0}
        return image, tags

    with pytest.raises(HookError, match="axes of its own"):
        take(quick, same)


def test_the_tags(quick: CoreOwner) -> None:
    seen: list[Any] = []

    def look(image: Any, tags: Any) -> Any:
        seen.append(dict(tags))
        tags["note"] = "seen"
        return image, tags

    with Acquisition(core=quick, image_process_fn=look) as acquisition:
        acquisition.acquire(
            {
                "axes": {"channel": "DAPI"},
                "config_group": ["Channel", "DAPI"],
                "x": 12.0,
                "y": 3.0,
            }
        )
    (tags,) = seen
    assert tags["Axes"] == {"channel": "DAPI"}
    assert tags["Channel"] == "DAPI"
    assert tags["PixelSizeUm"] == 1.0
    assert tags["XPosition_um_Intended"] == 12.0
    assert tags["Core-Camera"] == "Camera"
    stored = acquisition.get_dataset().read_metadata(channel="DAPI")
    assert stored["note"] == "seen"
    for name in ("Axes", "Channel", "PixelSizeUm", "Exposure", "ElapsedTime-ms"):
        assert stored[name] == tags[name]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_queue_and_core(quick: CoreOwner, count: int) -> None:
    given: list[Any] = []
    functions: dict[int, Callable[..., Any]] = {
        2: lambda i, m: (given.append(()), (i, m))[1],
        3: lambda i, m, q: (given.append((q,)), (i, m))[1],
        4: lambda i, m, c, q: (given.append((c, q)), (i, m))[1],
    }
    acquisition = take(quick, functions[count], 1)
    more = (quick.core, acquisition.queue)[4 - count :]
    assert given == [more]


def test_the_camera_waits_for_a_slow_function(quick: CoreOwner) -> None:
    release = threading.Event()
    exposed: list[Any] = []

    def slow(image: Any, tags: Any) -> Any:
        assert release.wait(60)
        return image, tags

    def hook(event: Any) -> Any:
        exposed.append(event)
        return event

    with Acquisition(
        core=quick,
        image_process_fn=slow,
        post_camera_hook_fn=hook,
        hardware_sequencing=False,
        saving_queue_size=2,
    ) as acquisition:
        acquisition.acquire([{"axes": {"time": t}} for t in range(20)])
        wait_until(lambda: len(exposed) >= 4)
        time.sleep(0.05)
        assert len(exposed) == 4  # one in the function, two wait, one is handed over
        release.set()
    assert len(acquisition.get_dataset().get_index_keys()) == 20


def test_in_a_run_of_known_length_a_dropped_frame_keeps_its_place(
    quick: CoreOwner,
) -> None:
    def drop(frame: Processed) -> list[Processed]:
        return [] if frame.axes["time"] == 1 else [frame]

    plan = useq.MDASequence(time_plan={"interval": 0, "loops": 3})
    run = Run(quick, plan, processor=FrameProcessor(drop, name="drop"))
    report = run.start().wait()
    assert (report.saved, report.planned) == (2, 3)
    assert [dict(s.axes) for s in report.skipped] == [{"time": 1}]
    assert "dropped by drop" in report.skipped[0].reason


# ------------------------------------------------------------- processes only


def test_a_process_that_dies(quick: CoreOwner, functions: ModuleType) -> None:
    with pytest.raises(HookError, match="exit code 3"):
        take(quick, functions.die, process=True)


def test_ctrl_c_does_not_end_the_process(
    quick: CoreOwner, functions: ModuleType
) -> None:
    acquisition = take(quick, functions.interrupted, process=True)
    assert len(acquisition.get_dataset().get_index_keys()) == 3


def test_what_cannot_be_sent_back(quick: CoreOwner, functions: ModuleType) -> None:
    with pytest.raises(HookError, match="pickle"):
        take(quick, functions.no_pickle, process=True)


def test_what_cannot_be_sent(quick: CoreOwner) -> None:
    before = threading.active_count()
    with pytest.raises(SettingsError, match="top of a module"):
        Acquisition(core=quick, process=True, image_process_fn=lambda i, m: (i, m))
    with pytest.raises(SettingsError, match="process=False"):
        Acquisition(core=quick, process=True, image_process_fn=_with_queue)
    assert threading.active_count() == before


def _with_queue(image: Any, tags: Any, queue: Any) -> Any:
    return image, tags


def test_abort_with_a_process(quick: CoreOwner, functions: ModuleType) -> None:
    acquisition = Acquisition(
        core=quick, process=True, image_process_fn=functions.invert
    )
    acquisition.acquire([{"axes": {"time": t}, "exposure": 20} for t in range(200)])
    wait_until(lambda: acquisition.get_dataset().get_index_keys())
    acquisition.abort()
    acquisition.await_completion()
    assert 0 < len(acquisition.get_dataset().get_index_keys()) < 200


# ------------------------------------------------------------- the processor alone


class Recorder:
    def __init__(self, error: Exception | None = None) -> None:
        self.stored: list[Any] = []
        self.left_out: list[Any] = []
        self.error = error

    def store(self, image: Any, axes: Any, facts: Any) -> None:
        if self.error is not None:
            raise self.error
        self.stored.append(dict(axes))

    def leave_out(self, axes: Any, reason: str) -> None:
        self.left_out.append((dict(axes), reason))


def test_renamed_frames_are_left_out_under_their_own_name() -> None:
    recorder = Recorder()
    processor = FrameProcessor(lambda f: [Processed(f.image, {"n": 1}, {})])
    processor.start(recorder)
    processor.submit(np.zeros((2, 2)), {"time": 0}, {})
    processor.close()
    assert recorder.stored == [{"n": 1}]
    assert recorder.left_out == [({"time": 0}, "renamed by image_process_fn")]
    assert not processor.is_busy()


def test_an_error_of_storing_stops_it_and_whoever_waits() -> None:
    error = ScopeError("the disk is full")
    processor = FrameProcessor(lambda f: [f], most_waiting=1)
    processor.start(Recorder(error))
    with pytest.raises(ScopeError, match="full"):
        for number in range(10):
            processor.submit(np.zeros((2, 2)), {"time": number}, {})
            time.sleep(0.01)
    with pytest.raises(ScopeError, match="full"):
        processor.close()
    assert not processor.is_busy()


def test_its_end_is_called_once() -> None:
    calls: list[int] = []
    processor = FrameProcessor(lambda f: [f], finish=lambda: calls.append(1))
    processor.close()
    processor.start(Recorder())
    processor.close()
    processor.close()
    assert calls == [1]

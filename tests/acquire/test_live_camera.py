"""The live view without a window: newest frames, changes, faults, guests."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from pymmcore_plus import CMMCorePlus
from tests.acquire.scopes import two_cameras, until
from tests.threads import Thread

from napari_scope.acquire import CoreOwner, Run
from napari_scope.acquire.live import LiveCamera
from napari_scope.errors import AcquisitionError, HardwareError

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAN = useq.MDASequence(time_plan={"interval": 0, "loops": 5})


@pytest.fixture(scope="module")
def scope() -> Iterator[CoreOwner]:
    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        yield owner


@pytest.fixture
def owner(scope: CoreOwner) -> CoreOwner:
    """Give a demo microscope as new; a test that breaks it mends it."""
    core = scope.core
    if core.getCameraDevice() != "Camera":
        scope.load()
    core.clearROI()
    for name, value in (
        ("PixelType", "16bit"),
        ("Binning", "1"),
        ("OnCameraCCDXSize", "64"),
        ("OnCameraCCDYSize", "48"),
    ):
        core.setProperty("Camera", name, value)
    core.setExposure(1)
    core.setXYPosition(0, 0)
    core.waitForDevice(core.getXYStageDevice())
    return scope


@pytest.fixture
def core(owner: CoreOwner) -> CMMCorePlus:
    return owner.core


@pytest.fixture
def live(core: CMMCorePlus) -> Iterator[LiveCamera]:
    made = LiveCamera(core, patience_s=5)
    yield made
    made.close()
    for name in ("napari-scope live", "napari-scope stage"):
        until(lambda n=name: n not in [t.name for t in threading.enumerate()])


def frames_go_on(live: LiveCamera) -> bool:
    """Return whether new frames come."""
    before = live.newest()
    until(lambda: live.newest() is not before or live.error is not None)
    return live.error is None


class TestFrames:
    def test_newest_frame(self, live: LiveCamera, core: CMMCorePlus) -> None:
        assert live.newest() == ()
        live.start()
        live.start()  # again is harmless
        assert live.running
        assert frames_go_on(live)
        (frame,) = live.newest()
        assert frame.camera == "Camera"
        assert frame.image.shape == (48, 64)
        assert frame.image.dtype == np.uint16
        assert (frame.affine, frame.pixel_um) == ((1.0, 0.0, 0.0, 1.0), 1.0)
        assert (frame.bit_depth, frame.exposure_ms) == (16, 1.0)
        until(lambda: live.newest()[0].x_um is not None)
        until(lambda: live.fps > 0 and live.read_fps > 0)
        found = live.range_of("Camera")
        assert found is not None and found.high > found.low
        live.stop()
        live.stop()
        assert not live.running
        assert not core.isSequenceRunning()
        assert live.error is None
        assert live.fps == 0
        assert live.newest()  # what was seen last stays

    def test_counts_what_it_passes_over(self, live: LiveCamera) -> None:
        live.max_fps = 5
        live.start()
        until(live.newest)
        first = live.newest()[0].number
        assert frames_go_on(live)
        assert live.newest()[0].number - first > 3
        until(lambda: live.fps > 3 * live.read_fps > 0)

    def test_frames_are_never_written_again(self, live: LiveCamera) -> None:
        live.start()
        until(live.newest)
        (frame,) = live.newest()
        before = frame.image.copy()
        for _ in range(5):
            assert frames_go_on(live)
        assert np.array_equal(frame.image, before)
        assert not np.shares_memory(frame.image, live.newest()[0].image)

    def test_stage_moves(self, live: LiveCamera, core: CMMCorePlus) -> None:
        live.start()
        core.setXYPosition(123, -45)
        until(
            lambda: (
                live.newest() and live.newest()[0].x_um == pytest.approx(123, abs=0.1)
            )
        )
        assert live.newest()[0].y_um == pytest.approx(-45, abs=0.1)
        assert frames_go_on(live)

    @pytest.mark.parametrize(
        ("kind", "dtype", "shape", "bits"),
        [
            ("8bit", "u1", (48, 64), 8),
            ("32bit", "f4", (48, 64), None),
            ("32bitRGB", "u1", (48, 64, 3), 8),
            ("64bitRGB", "u2", (48, 64, 3), 16),
        ],
    )
    def test_pixel_types(
        self,
        live: LiveCamera,
        core: CMMCorePlus,
        kind: str,
        dtype: str,
        shape: tuple[int, ...],
        bits: int | None,
    ) -> None:
        core.setProperty("Camera", "PixelType", kind)
        live.start()
        until(live.newest)
        (frame,) = live.newest()
        assert (frame.image.dtype, frame.image.shape) == (np.dtype(dtype), shape)
        assert (frame.bit_depth, frame.is_rgb) == (bits, len(shape) == 3)
        assert np.isfinite(frame.image).all()

    def test_small_buffer_that_overflows_all_the_time(
        self, live: LiveCamera, core: CMMCorePlus
    ) -> None:
        before = core.getCircularBufferMemoryFootprint()
        core.setProperty("Camera", "OnCameraCCDXSize", "512")
        core.setProperty("Camera", "OnCameraCCDYSize", "512")
        core.setCircularBufferMemoryFootprint(1)  # two images
        try:
            live.start()
            assert core.getBufferTotalCapacity() == 4  # none is written while read
            for _ in range(15):
                assert frames_go_on(live)
            live.stop()
        finally:
            core.setCircularBufferMemoryFootprint(before)


class TestSnap:
    def test_snap_at_rest(self, live: LiveCamera, core: CMMCorePlus) -> None:
        (frame,) = live.snap()
        assert live.newest() == (frame,)
        assert frame.is_snap
        assert frame.x_um == pytest.approx(0, abs=0.1)
        assert not live.running
        assert live.range_of("Camera") is not None
        assert live.snap()[0].number > frame.number

    def test_snap_while_live_is_exposed_after_the_call(self, live: LiveCamera) -> None:
        live.start()
        live.set_exposure(80)
        until(live.newest)
        begun = time.monotonic()
        (frame,) = live.snap()
        # The image that was under way at the call does not count.
        assert time.monotonic() - begun > 0.07
        assert frame.exposure_ms == 80
        assert live.running and frames_go_on(live)

    def test_snap_fails(
        self, live: LiveCamera, core: CMMCorePlus, monkeypatch: Any
    ) -> None:
        def fail() -> None:
            raise RuntimeError("the camera is unplugged")

        monkeypatch.setattr(core, "snapImage", fail)
        with pytest.raises(
            HardwareError, match="no image could be taken, the camera is"
        ):
            live.snap()
        monkeypatch.undo()
        assert live.snap()

    def test_live_begins_in_the_moment_of_a_snap(
        self, live: LiveCamera, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        live.start()
        looks = iter([False])  # as it was a moment ago
        monkeypatch.setattr(
            LiveCamera, "going_on", property(lambda self: next(looks, self.running))
        )
        assert len(live.snap()) == 1 and live.running

    def test_live_ends_while_a_snap_waits(self, live: LiveCamera) -> None:
        live.start()
        live.set_exposure(300)
        found: list[Any] = []
        snapping = Thread(lambda: found.append(live.snap()))
        snapping.start()
        time.sleep(0.02)
        live.stop()
        snapping.join()
        assert len(found[0]) == 1  # a snap of its own then


class TestChanges:
    def test_changes_inside_held(self, live: LiveCamera, core: CMMCorePlus) -> None:
        live.start()
        with live.held():
            assert not core.isSequenceRunning()
            core.setProperty("Camera", "Binning", "2")
            core.setConfig("Channel", "FITC")
        until(lambda: live.newest() and live.newest()[0].image.shape == (24, 32))
        assert live.newest()[0].affine == (2.0, 0.0, 0.0, 2.0)
        live.set_exposure(3)
        until(lambda: live.newest()[0].exposure_ms == 3)
        assert live.running and live.error is None

    def test_a_hold_in_the_moment_of_the_start_waits_for_it(
        self, live: LiveCamera, core: CMMCorePlus, monkeypatch: Any
    ) -> None:
        real, starting, done = (
            core.startContinuousSequenceAcquisition,
            threading.Event(),
            threading.Event(),
        )

        def slowly(interval: float) -> None:
            starting.set()
            time.sleep(0.1)
            real(interval)
            done.set()

        monkeypatch.setattr(core, "startContinuousSequenceAcquisition", slowly)
        thread = Thread(live.start)
        thread.start()
        assert starting.wait(10)
        with live.held():
            # Images whose size changes under a camera that starts end the process.
            assert done.is_set() and not core.isSequenceRunning()
            core.setProperty("Camera", "Binning", "2")
        thread.join()
        assert frames_go_on(live)

    def test_no_start_and_no_snap_in_the_middle_of_a_change(
        self, live: LiveCamera, core: CMMCorePlus
    ) -> None:
        found: list[Any] = []
        with live.held():
            threads = [
                Thread(live.start),
                Thread(lambda: found.append(live.snap())),
            ]
            for thread in threads:
                thread.start()
            time.sleep(0.1)
            assert not core.isSequenceRunning() and not found
            own = live.snap()  # who holds it may, also while live is wanted
            assert own[0].image.shape == (48, 64)
        for thread in threads:
            thread.join()
        assert found[0][0].number > own[0].number and frames_go_on(live)

    def test_held_without_live(self, live: LiveCamera, core: CMMCorePlus) -> None:
        with live.held():
            core.setProperty("Camera", "Binning", "2")
        assert not live.running

    def test_held_whose_body_fails(self, live: LiveCamera) -> None:
        live.start()
        with pytest.raises(KeyError), live.held():
            raise KeyError("x")
        assert frames_go_on(live)

    def test_other_camera_inside_held(self, live: LiveCamera, owner: CoreOwner) -> None:
        core = owner.core
        two_cameras(core)
        core.setCameraDevice("Camera2")
        live.start()
        until(live.newest)
        with live.held():
            core.setCameraDevice("Camera")
        until(lambda: live.newest()[0].camera == "Camera")
        live.stop()
        owner.load()

    def test_region_that_somebody_else_sets(
        self, live: LiveCamera, core: CMMCorePlus
    ) -> None:
        live.start()
        until(live.newest)
        # The demo camera does not stand another size while it runs.
        core.stopSequenceAcquisition()
        core.setROI(0, 0, 20, 10)
        until(lambda: live.newest()[0].image.shape == (10, 20))
        assert live.error is None
        core.stopSequenceAcquisition()
        core.clearROI()
        until(lambda: live.newest()[0].image.shape == (48, 64))
        assert live.running

    def test_camera_that_runs_with_images_of_another_size(
        self, live: LiveCamera
    ) -> None:
        live.start()
        until(live.newest)
        live._reader._shape = (1, 1)  # as if somebody had started it anew
        assert frames_go_on(live)
        until(lambda: live._reader._shape == (48, 64))

    def test_exposure_that_the_camera_refuses(
        self, live: LiveCamera, core: CMMCorePlus, monkeypatch: Any
    ) -> None:
        def fail(exposure: float) -> None:
            raise RuntimeError("out of range")

        monkeypatch.setattr(core, "setExposure", fail)
        with pytest.raises(HardwareError, match="refuses an exposure of 7 ms, out of"):
            live.set_exposure(7)


def test_several_cameras(live: LiveCamera, owner: CoreOwner) -> None:
    two_cameras(owner.core)
    owner.core.setExposure(5)
    live.start()
    assert frames_go_on(live)
    names = [frame.camera for frame in live.newest()]
    assert names == ["Camera", "Camera2"]
    first, second = live.newest()
    assert first.number == second.number
    assert not np.shares_memory(first.image, second.image)
    assert [frame.camera for frame in live.snap()] == names
    live.stop()
    assert [frame.camera for frame in live.snap()] == names
    owner.load()


class TestFaults:
    def test_camera_does_not_start(
        self, live: LiveCamera, core: CMMCorePlus, monkeypatch: Any
    ) -> None:
        def fail(interval: float) -> None:
            raise RuntimeError("no light")

        monkeypatch.setattr(core, "startContinuousSequenceAcquisition", fail)
        with pytest.raises(HardwareError, match="the camera does not start, no light"):
            live.start()
        assert not live.running
        monkeypatch.undo()
        live.start()
        assert live.error is None

    def test_without_a_camera(self) -> None:
        with CoreOwner(CMMCorePlus()) as empty:
            live = LiveCamera(empty.core)
            with pytest.raises(HardwareError, match="there is no camera"):
                live.start()
            with pytest.raises(HardwareError, match="there is no camera"):
                live.snap()
            live.close()

    def test_camera_raises_in_the_middle(
        self, live: LiveCamera, core: CMMCorePlus, monkeypatch: Any
    ) -> None:
        live.start()
        until(live.newest)

        def fail() -> int:
            raise RuntimeError("the cable is loose")

        monkeypatch.setattr(core, "getRemainingImageCount", fail)
        until(lambda: not live.running)
        assert isinstance(live.error, HardwareError)
        assert "the cable is loose" in live.error.message
        monkeypatch.undo()
        assert not core.isSequenceRunning()
        live.start()
        assert live.error is None and frames_go_on(live)

    def test_camera_stops_by_itself(self, live: LiveCamera, core: CMMCorePlus) -> None:
        live.start()
        until(live.newest)
        core.stopSequenceAcquisition()
        until(lambda: not live.running)
        assert live.error is not None and "has stopped" in live.error.message

    def test_camera_that_somebody_starts_again(
        self, live: LiveCamera, core: CMMCorePlus
    ) -> None:
        live.start()
        until(live.newest)
        core.stopSequenceAcquisition()
        core.startContinuousSequenceAcquisition(0)
        assert frames_go_on(live)
        assert live.running

    def test_images_of_which_none_can_be_read(
        self, live: LiveCamera, core: CMMCorePlus, monkeypatch: Any
    ) -> None:
        def empty(back: int) -> Any:
            raise IndexError("Circular buffer is empty.")

        monkeypatch.setattr(core, "getNBeforeLastImageAndMD", empty)
        live.start()
        until(lambda: not live.running)
        assert live.error is not None and "buffer is empty" in live.error.message

    def test_buffer_that_is_emptied_between_asking_and_reading(
        self, live: LiveCamera, core: CMMCorePlus, monkeypatch: Any
    ) -> None:
        real, calls = core.getNBeforeLastImageAndMD, []

        def sometimes(back: int) -> Any:
            calls.append(back)
            if len(calls) % 2:
                raise IndexError("Circular buffer is empty.")
            return real(back)

        monkeypatch.setattr(core, "getNBeforeLastImageAndMD", sometimes)
        live.start()
        for _ in range(3):
            assert frames_go_on(live)

    def test_image_of_another_size_is_not_shown(
        self, live: LiveCamera, core: CMMCorePlus, monkeypatch: Any
    ) -> None:
        # An image from before a change of the region comes with wrong lines.
        real = core.getNBeforeLastImageAndMD
        wrong = [True]

        def torn(back: int) -> Any:
            image, tags = real(back)
            return (image[:7], tags) if wrong[0] else (image, tags)

        monkeypatch.setattr(core, "getNBeforeLastImageAndMD", torn)
        live.start()
        time.sleep(0.1)
        assert live.newest() == ()
        wrong[0] = False
        until(live.newest)
        assert live.newest()[0].image.shape == (48, 64)

    def test_camera_hangs_at_stop(self, core: CMMCorePlus, monkeypatch: Any) -> None:
        live = LiveCamera(core, patience_s=0.05)
        live.start()
        freed = threading.Event()
        real = core.stopSequenceAcquisition

        def hang(label: str) -> None:
            freed.wait(30)
            real(label)

        monkeypatch.setattr(core, "stopSequenceAcquisition", hang)
        with pytest.raises(HardwareError, match="the camera does not stop"):
            live.stop()
        with pytest.raises(HardwareError, match="the camera does not stop"):
            with live.held():
                pytest.fail("the camera still runs")
        with pytest.raises(HardwareError, match="the camera does not stop"):
            live.make_way()
        freed.set()
        until(lambda: not live.running)
        live.close()
        assert not core.isSequenceRunning()

    def test_camera_hangs_at_start(self, core: CMMCorePlus, monkeypatch: Any) -> None:
        live = LiveCamera(core)
        freed = threading.Event()
        monkeypatch.setattr(
            core, "startContinuousSequenceAcquisition", lambda _: freed.wait(30)
        )
        with pytest.raises(HardwareError, match=r"did not start within 0\.05 s"):
            live.start(timeout=0.05)
        freed.set()
        until(lambda: not live.running)
        live.close()


class TestGuest:
    def test_run_ends_it(self, live: LiveCamera, owner: CoreOwner) -> None:
        live.start()
        run = Run(owner, PLAN, []).start()
        assert not live.running
        assert live.made_way and live.error is None
        assert run.wait().saved == 5
        live.start()
        assert not live.made_way
        assert frames_go_on(live)

    def test_run_of_another_thread_ends_it(
        self, live: LiveCamera, owner: CoreOwner
    ) -> None:
        live.start()
        reports: list[Any] = []
        script = Thread(lambda: reports.append(Run(owner, PLAN, []).start().wait()))
        script.start()
        script.join()
        assert reports[0].saved == 5
        assert not live.running and live.made_way

    def test_run_waits_for_a_snap(self, live: LiveCamera, owner: CoreOwner) -> None:
        owner.core.setExposure(150)
        found: list[Any] = []
        snapping = Thread(lambda: found.append(live.snap()))
        snapping.start()
        time.sleep(0.03)
        run = Run(owner, PLAN, []).start()
        assert found or not snapping.is_alive() or run.state  # it was let finish
        snapping.join()
        assert len(found) == 1
        run.cancel()
        run.wait()

    def test_neither_live_nor_snap_during_a_run(
        self, live: LiveCamera, owner: CoreOwner
    ) -> None:
        plan = useq.MDASequence(time_plan={"interval": 30, "loops": 2})
        run = Run(owner, plan, []).start()
        with pytest.raises(AcquisitionError, match="in use by a run"):
            live.start()
        with pytest.raises(AcquisitionError, match="in use by a run"):
            live.snap()
        assert not live.running
        run.cancel()
        run.wait()

    def test_run_of_the_core_itself_ends_it(
        self, live: LiveCamera, core: CMMCorePlus
    ) -> None:
        live.start()
        until(live.newest)
        slow = useq.MDASequence(time_plan={"interval": 0.1, "loops": 5})
        thread = core.run_mda(slow)
        until(lambda: not live.running)
        assert live.made_way and live.error is None
        thread.join()

    def test_loading_ends_it(self, live: LiveCamera, owner: CoreOwner) -> None:
        live.start()
        owner.load()
        assert not live.running
        assert live.made_way and live.error is None
        live.start()
        assert frames_go_on(live)

    def test_start_and_run_at_the_same_time(
        self, live: LiveCamera, owner: CoreOwner
    ) -> None:
        for _ in range(8):
            refused: list[Any] = []

            def begin(refused: list[Any] = refused) -> None:
                try:
                    live.start()
                except AcquisitionError as error:
                    refused.append(error)

            starting = Thread(begin)
            starting.start()
            run = Run(owner, PLAN, []).start()
            assert run.wait().saved == 5
            starting.join()
            live.stop()

    def test_closed_for_good(self, core: CMMCorePlus) -> None:
        live = LiveCamera(core)
        live.start()
        live.close()
        live.close()
        assert not live.running
        with pytest.raises(AcquisitionError, match="was closed"):
            live.start()

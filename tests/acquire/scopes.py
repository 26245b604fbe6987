"""What several tests of runs share: waiting, witnesses, other microscopes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari_scope.acquire import CoreOwner, Run
from napari_scope.stream import MemorySink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from pymmcore_plus import CMMCorePlus

    from napari_scope.stream import StoreSpec
    from napari_scope.stream.sinks.base import FrameItem


def until(condition: Callable[[], Any], timeout: float = 20) -> None:
    """Wait for something that happens on another thread."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


def small_frames(core: CMMCorePlus) -> None:
    """Let the camera make frames of a kilobyte; fast ones."""
    core.setProperty("Camera", "OnCameraCCDXSize", "32")
    core.setProperty("Camera", "OnCameraCCDYSize", "32")


def sequenceable(core: CMMCorePlus) -> None:
    """Let all devices of the demo microscope that can run sequences."""
    core.setProperty("Z", "UseSequences", "Yes")
    core.setProperty("Camera", "UseExposureSequences", "Yes")


def two_cameras(core: CMMCorePlus) -> None:
    """Put two cameras behind one."""
    core.loadDevice("Camera2", "DemoCamera", "DCam")
    core.initializeDevice("Camera2")
    core.setProperty("Camera2", "PixelType", core.getProperty("Camera", "PixelType"))
    for size in ("OnCameraCCDXSize", "OnCameraCCDYSize"):
        core.setProperty("Camera2", size, core.getProperty("Camera", size))
    core.loadDevice("Both", "Utilities", "Multi Camera")
    core.initializeDevice("Both")
    core.setProperty("Both", "Physical Camera 1", "Camera")
    core.setProperty("Both", "Physical Camera 2", "Camera2")
    core.setCameraDevice("Both")


def state_of(core: CMMCorePlus) -> dict[str, Any]:
    """Return how the microscope is, as a user sees it."""
    found: dict[str, Any] = {
        f"{device}-{name}": core.getProperty(device, name)
        for device in core.getLoadedDevices()
        for name in core.getDevicePropertyNames(device)
        if not core.isPropertyReadOnly(device, name)
    }
    found["xy"] = tuple(round(v, 3) for v in core.getXYPosition())
    found["z"] = round(core.getZPosition(), 3)
    found["roi"] = list(core.getROI())
    found["exposure"] = core.getExposure()
    found["autoshutter"] = core.getAutoShutter()
    found["shutter"] = core.getShutterOpen()
    return found


class Told(Run):
    """Keeps what a run stores of each frame: its axes and its facts."""

    def __init__(
        self, owner: CoreOwner | CMMCorePlus, plan: Any, *args: Any, **options: Any
    ) -> None:
        super().__init__(owner, plan, *args, **options)
        self.frames: list[tuple[dict[str, Any], dict[str, Any]]] = []
        store = self._recorder.store

        def kept(image: np.ndarray, axes: Any, facts: Any) -> None:
            store(image, axes, facts)
            self.frames.append((dict(axes), dict(facts)))

        self._recorder.store = kept  # type: ignore[method-assign]


class HeldSink(MemorySink):
    """A sink whose disk stands still while it is held."""

    def __init__(self, held: Callable[[], bool]) -> None:
        super().__init__()
        self.held = held

    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        until(lambda: not self.held(), timeout=60)
        super().write(items, spec)

    def write_at_once(self, *args: Any) -> Any:
        until(lambda: not self.held(), timeout=60)
        return super().write_at_once(*args)


def burst_lengths(core: CMMCorePlus) -> list[int]:
    """Note how many images each hardware sequence is started for."""
    lengths: list[int] = []
    real = core.startSequenceAcquisition

    def start(count: int, *args: Any) -> None:
        lengths.append(count)
        real(count, *args)

    core.startSequenceAcquisition = start  # type: ignore[method-assign]
    return lengths


def calls_of(core: CMMCorePlus, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Note the calls of some methods of a core, with their arguments."""
    calls: list[tuple[Any, ...]] = []

    def noting(name: str) -> None:
        real = getattr(core, name)

        def called(*args: Any, **options: Any) -> Any:
            calls.append((name, *args))
            return real(*args, **options)

        setattr(core, name, called)

    for name in names:
        noting(name)
    return calls

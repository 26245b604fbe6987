"""Reading the newest frames of a running camera: what the core offers, and its traps.

`CameraReader` is used by the one thread of a live view. Facts that it rests on (Core
12.5, looked at and measured):

- A continuous sequence overwrites its buffer: when it is full it is emptied, and the
  number of images in it starts at zero again. Between asking for the number and reading
  an image it may have been emptied ("Circular buffer is empty"): no error.
- Cameras behind one (Multi Camera) put their images into the same buffer one by one,
  each with the name of its camera; there are no channels in it.
- Pixels are copied by each read, and nothing else writes to the copy. But the copy is
  made with the size that images have at that moment, from a buffer with the size that
  they had when the camera started, and without a lock: if somebody has made images
  larger meanwhile, memory behind the buffer is read, and the process may end. So the
  size is looked at right before each read, which waits for a change that is under way.
- A buffer with room for one image is written while it is read.
- A region that is set while the camera runs ends the sequence, without an error. The
  demo camera, for one, may crash by it.
- Four byte grey pixels are float, but arrive as integers.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.acquire.live_frame import LiveFrame, pixel_affine
from napari_scope.acquire.stage_watch import StagePlace
from napari_scope.acquire.store import camera_frame
from napari_scope.errors import HardwareError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus

__all__ = ["CameraReader"]

_NOWHERE = StagePlace()
_FEW_IMAGES = 4
_FEW_FAILURES = 20  # reads in a row that fail although there is an image


class CameraReader:
    """Starts, reads and stops the default camera of a core.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.

    Attributes
    ----------
    delivered : int
        Images that each camera has delivered so far, of all times that it ran.
    exposure_ms : float or None
        Exposure time when the camera was last started.
    """

    def __init__(self, core: CMMCorePlus) -> None:
        self._core = core
        self.delivered = 0
        self.exposure_ms: float | None = None
        self._label = ""
        self._cameras: tuple[str, ...] = ()
        self._shape: tuple[int, ...] = ()
        self._dtype: np.dtype[np.generic] = np.dtype("u2")
        self._capacity = 0
        self._before = 0
        self._seen: dict[str, str] = {}
        self._failures = 0
        self._active = False

    # ---- the camera

    def begin(self) -> None:
        """Start the camera; one that runs already is taken over.

        Raises
        ------
        HardwareError
            Without a camera, or if its pixels are of an unknown kind.
        RuntimeError
            If the camera refuses.
        """
        core = self._core
        self._look_at_camera()
        if not core.isSequenceRunning(self._label):
            self._make_room()
            core.startContinuousSequenceAcquisition(0)
        self._capacity = core.getBufferTotalCapacity()
        self._before = 0
        self._seen = {}
        self._failures = 0
        self._active = True

    def _make_room(self) -> None:
        """Let the core's buffer hold a few images; the camera must not run."""
        core = self._core
        image = core.getImageHeight() * core.getImageWidth() * core.getBytesPerPixel()
        needed = math.ceil(_FEW_IMAGES * image / 2**20)
        if core.getCircularBufferMemoryFootprint() < needed:
            core.setCircularBufferMemoryFootprint(needed)

    def end(self) -> None:
        """Stop the camera.

        Raises
        ------
        RuntimeError
            If the camera refuses.
        """
        core = self._core
        self._active = False
        # The camera may have been unloaded: then there is nothing to stop.
        if self._label in core.getLoadedDevices() and core.isSequenceRunning(
            self._label
        ):
            core.stopSequenceAcquisition(self._label)

    def is_running(self) -> bool:
        """Return whether the camera runs.

        Raises
        ------
        HardwareError
            If the camera is not there any more.
        """
        if self._label not in self._core.getLoadedDevices():
            raise HardwareError(
                f"the camera {self._label} is not there any more",
                hint="load the hardware configuration",
            )
        return bool(self._core.isSequenceRunning(self._label))

    def was_changed(self) -> bool:
        """Return whether images have another size, type or camera than at the start."""
        core = self._core
        if core.getCameraDevice() != self._label:
            return True
        return camera_frame(core) != (self._shape, self._dtype)

    def _look_at_camera(self) -> None:
        core = self._core
        self._shape, self._dtype = camera_frame(core)
        self._label = core.getCameraDevice()
        count = core.getNumberOfCameraChannels()
        self._cameras = (
            tuple(core.getPhysicalCameraDevice(i) for i in range(count))
            if count > 1
            else (self._label,)
        )
        self.exposure_ms = float(core.getExposure())

    # ---- frames

    def peek(self) -> int:
        """Return how many images each camera has delivered by now."""
        if not self._active:
            return self.delivered
        waiting = self._core.getRemainingImageCount()
        fresh = waiting - self._before
        if fresh < 0:  # the buffer was full and has been emptied
            fresh = self._capacity - self._before + waiting
        return self.delivered + max(0, fresh) // max(1, len(self._cameras))

    def has_news(self) -> bool:
        """Return whether there is an image that was not read."""
        waiting = self._core.getRemainingImageCount()
        return waiting > 0 and waiting != self._before

    def read(self, place: StagePlace | None) -> tuple[LiveFrame, ...]:
        """Return the newest frame of each camera; empty if they were not whole.

        Parameters
        ----------
        place : StagePlace, optional
            Where the stage is.

        Raises
        ------
        RuntimeError
            If the camera fails.
        """
        core = self._core
        delivered, waiting = self.peek(), core.getRemainingImageCount()
        found: dict[str, npt.NDArray[np.generic]] = {}
        numbers: dict[str, str] = {}
        # With several cameras the newest image of one may lie behind some of another.
        most = min(waiting, 1 if len(self._cameras) == 1 else 4 * len(self._cameras))
        try:
            for back in range(most):
                if self.was_changed():
                    return ()
                image, tags = core.getNBeforeLastImageAndMD(back)
                camera = self._camera_of(tags)
                if camera in found or not self._fits(image, tags):
                    continue
                found[camera] = self._typed(image)
                numbers[camera] = tags.get("ImageNumber", "")
                if len(found) == len(self._cameras):
                    break
        except (IndexError, RuntimeError):
            # Emptied in between; a camera that has failed stands still.
            self._failures += 1
            if self._failures > _FEW_FAILURES:
                raise
            return ()
        if self.was_changed():
            return ()
        if len(found) < len(self._cameras) or (
            any(numbers[camera] == self._seen.get(camera) for camera in found)
            and waiting == self._before
        ):
            return ()
        self._failures = 0
        self._seen = numbers
        self.delivered = max(delivered, self.delivered + 1)
        self._before = waiting
        return self._frames(found, place, is_snap=False)

    def snap(self, place: StagePlace | None) -> tuple[LiveFrame, ...]:
        """Return one frame of each camera, taken now; the camera must not run.

        Raises
        ------
        HardwareError
            Without a camera.
        RuntimeError
            If the camera fails.
        """
        core = self._core
        self._look_at_camera()
        core.snapImage()
        found = {
            camera: self._typed(
                core.getImage(number) if len(self._cameras) > 1 else core.getImage()
            )
            for number, camera in enumerate(self._cameras)
        }
        self.delivered += 1
        return self._frames(found, place, is_snap=True)

    def _frames(
        self,
        images: Mapping[str, npt.NDArray[np.generic]],
        place: StagePlace | None,
        *,
        is_snap: bool,
    ) -> tuple[LiveFrame, ...]:
        core = self._core
        place = place or _NOWHERE
        pixel = float(core.getPixelSizeUm(True))
        affine = pixel_affine(core)
        exposure = float(core.getExposure())
        now = time.time()
        bits = core.getImageBitDepth()
        return tuple(
            LiveFrame(
                camera=camera,
                image=images[camera],
                number=self.delivered,
                time_s=now,
                x_um=place.x_um,
                y_um=place.y_um,
                z_um=place.z_um,
                affine=affine,
                pixel_um=pixel if pixel > 0 else None,
                bit_depth=None if images[camera].dtype.kind == "f" else bits,
                exposure_ms=exposure,
                is_snap=is_snap,
            )
            for camera in self._cameras
        )

    def _camera_of(self, tags: Any) -> str:
        if len(self._cameras) == 1:
            return self._cameras[0]
        return str(tags.get("Camera", ""))

    def _fits(self, image: npt.NDArray[np.generic], tags: Any) -> bool:
        """Return whether pixels are what the camera took.

        The core gives images the size that they have now. One that lay in the buffer
        from before a change is made of wrong lines then.
        """
        height, width = image.shape[:2]
        known = tags.get("Height", ""), tags.get("Width", "")
        return known in (("", ""), (str(height), str(width)))

    def _typed(self, image: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return pixels with the type that they have."""
        if image.ndim == 2 and image.dtype.itemsize == 4:
            return image.view(np.dtype("f4"))
        return image

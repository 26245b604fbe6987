"""Bringing the hardware to where an event wants it, strictly.

Every command that a device refuses is an error that says what was wanted. What is
changed for the first time is remembered, so that it can be set back after the run.
Waiting for devices ends at once when the run is given up.
"""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING, cast

import numpy as np
from pymmcore_plus.core import DeviceType, Keyword

from napari_scope.acquire.restore import HardwareMemory
from napari_scope.errors import HardwareError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymmcore_plus import CMMCorePlus
    from pymmcore_plus.core._sequencing import SequencedEvent
    from useq import HardwareAutofocus, MDAEvent, PropertyTuple

    from napari_scope.acquire.aside import Aside

__all__ = ["Hardware"]

_LOOK_S = 0.001


class Hardware:
    """The devices of a microscope, as events set them; used by the thread of the run.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    given_up : callable
        Whether the run is to end at once.
    aside : Aside
        Runs what blocks for long.
    """

    def __init__(
        self, core: CMMCorePlus, given_up: Callable[[], bool], aside: Aside
    ) -> None:
        self._core = core
        self._given_up = given_up
        self._aside = aside
        self.memory = HardwareMemory(core)

    # ------------------------------------------------------------- single events

    def set(self, event: MDAEvent, z_correction: float) -> None:
        """Set stage, focus, pattern, channel, exposure, properties and region.

        Parameters
        ----------
        event : MDAEvent
            What is wanted.
        z_correction : float
            What the autofocus added at this position, in micrometers.
        """
        self.move_xy(event)
        if event.z_pos is not None:
            self.move_z(event.z_pos + z_correction)
        self.load_pattern(event)
        self.set_channel(event)
        if event.exposure is not None:
            self.memory.exposure()
            self._core.setExposure(event.exposure)
        if event.properties is not None:
            self.set_properties(event.properties)
        self.set_roi(event)

    def move_xy(self, event: MDAEvent) -> None:
        """Move the stage; a coordinate that is not given stays."""
        x, y = event.x_pos, event.y_pos
        if x is None and y is None:
            return
        core = self._core
        self._need_stage()
        self.memory.xy()
        if x is None or y is None:
            here_x, here_y = core.getXYPosition()
            x, y = (here_x if x is None else x), (here_y if y is None else y)
        core.setXYPosition(x, y)

    def _need_stage(self) -> None:
        if not self._core.getXYStageDevice():
            raise HardwareError(
                "the plan moves in x and y, but there is no XY stage",
                hint="choose one as default XY stage, or remove the positions",
            )

    def move_z(self, z_um: float) -> None:
        """Move the focus drive."""
        self._need_focus()
        self.memory.z()
        self._core.setZPosition(z_um)

    def _need_focus(self) -> None:
        if not self._core.getFocusDevice():
            raise HardwareError(
                "the plan moves in z, but there is no focus drive",
                hint="choose one as default focus device, or remove the z stack",
            )

    def set_channel(self, event: MDAEvent) -> None:
        """Set the preset of a channel, unless it was the last one that was set."""
        channel = event.channel
        core = self._core
        if channel is None:
            return
        if (channel.group, channel.config) != core._last_config:
            self.memory.group(channel.group)
            core.setConfig(channel.group, channel.config)

    def set_properties(self, properties: Sequence[PropertyTuple]) -> None:
        """Set properties in their order; the position of a stage moves it."""
        core = self._core
        # They may change what belongs to a channel: the next one must be set anew.
        core._last_config = ("", "")
        for device, name, value in properties:
            kind = core.getDeviceType(device) if name == Keyword.Position else None
            self.memory.property(device, name)
            if kind == DeviceType.XYStage:
                x, y = self._place(device, value)
                core.setXYPosition(device, x, y)
            elif kind == DeviceType.Stage:
                core.setPosition(device, float(value))
            else:
                core.setProperty(device, name, value)

    @staticmethod
    def _place(device: str, value: object) -> tuple[float, float]:
        """Return the place that an XY stage gets as a property."""
        try:
            x, y = (float(v) for v in cast("tuple[float, float]", value))
        except (TypeError, ValueError) as error:
            raise HardwareError(
                f"the plan moves the XY stage {device} to {value!r}",
                hint="give two numbers, x and y in micrometers",
            ) from error
        return x, y

    def set_roi(self, event: MDAEvent) -> None:
        """Let the camera read a region, unless it does already."""
        roi = event.roi
        if roi is None:
            return
        core = self._core
        wanted = [roi.offset_x, roi.offset_y, roi.width, roi.height]
        if list(core.getROI()) == wanted:
            return
        self.memory.roi()
        core.clearROI()
        width, height = core.getImageWidth(), core.getImageHeight()
        # Some cameras take any region and fail, or worse, when they use it.
        if roi.offset_x + roi.width > width or roi.offset_y + roi.height > height:
            raise HardwareError(
                f"the plan reads {roi.width} x {roi.height} pixels at "
                f"({roi.offset_x}, {roi.offset_y}) of a camera that has "
                f"{width} x {height}",
                hint="make the region smaller",
            )
        core.setROI(*wanted)
        found = list(core.getROI())
        # A camera may round; another size would not fit the images of the plan.
        if found[2:] != wanted[2:]:
            raise HardwareError(
                f"the plan reads {roi.width} x {roi.height} pixels, the camera "
                f"{found[2]} x {found[3]}",
                hint="cameras read regions in steps of some pixels; choose such a size",
            )

    def load_pattern(self, event: MDAEvent) -> None:
        """Give a light modulator its pattern; `show_pattern` shows it."""
        slm = event.slm_image
        if slm is None:
            return
        core = self._core
        device = slm.device or core.getSLMDevice()
        if not device:
            raise HardwareError("the plan shows a pattern, but there is no SLM")
        pattern = np.asarray(slm)
        if pattern.ndim == 0:
            value = int(pattern)
            if pattern.dtype == bool and core.getDeviceName(device) != "Mosaic3":
                value *= 255  # "on"; that one counts from 0 to 1
            core.setSLMPixelsTo(device, value)
        elif pattern.size == 3:
            red, green, blue = (int(v) for v in pattern.ravel())
            core.setSLMPixelsTo(device, red, green, blue)
        else:
            core.setSLMImage(device, self._shaped(device, pattern))
        if slm.exposure:
            core.setSLMExposure(device, slm.exposure)

    def _shaped(self, device: str, pattern: np.ndarray) -> np.ndarray:
        """Return a pattern in the shape of the modulator; bytes come without one."""
        core = self._core
        shape: tuple[int, ...] = (core.getSLMHeight(device), core.getSLMWidth(device))
        if pattern.size == math.prod(shape) * 3:
            shape = (*shape, 3)
        if pattern.size != math.prod(shape) or pattern.ndim not in (1, len(shape)):
            raise HardwareError(
                f"the plan shows a pattern of {' x '.join(map(str, pattern.shape))} "
                f"on a light modulator of {' x '.join(map(str, shape[:2]))} pixels",
                hint="give a pattern of (height, width)",
            )
        shaped = pattern.reshape(shape)
        if shaped.dtype == bool:
            return shaped * np.uint8(255)
        return shaped.astype(np.uint8)

    def show_pattern(self, event: MDAEvent) -> None:
        """Show the pattern that was loaded."""
        if event.slm_image is not None:
            device = event.slm_image.device or self._core.getSLMDevice()
            self._core.displaySLMImage(device)

    # ------------------------------------------------------------- hardware sequences

    def set_sequence(self, event: SequencedEvent, z_correction: float) -> None:
        """Load what the hardware runs by itself, set the rest, start the devices."""
        core = self._core
        if core.isSequenceRunning():
            core.stopSequenceAcquisition()
        self._load(event, z_correction)
        self.set_channel(event)
        if event.properties:
            self.set_properties(event.properties)
        self.load_pattern(event)
        self.set_roi(event)
        if event.x_sequence:
            core.startXYStageSequence(core.getXYStageDevice())
        else:
            self.move_xy(event)
        if event.z_sequence:
            core.startStageSequence(core.getFocusDevice())
        elif event.z_pos is not None:
            self.move_z(event.z_pos + z_correction)
        if event.exposure_sequence:
            core.startExposureSequence(core.getCameraDevice())
        elif event.exposure is not None:
            self.memory.exposure()
            core.setExposure(event.exposure)
        for device, name in event.property_sequences:
            core.startPropertySequence(device, name)

    def _load(self, event: SequencedEvent, z_correction: float) -> None:
        core = self._core
        if event.exposure_sequence:
            camera = core.getCameraDevice()
            self.memory.exposure()
            with contextlib.suppress(RuntimeError):
                core.stopExposureSequence(camera)
            core.loadExposureSequence(camera, event.exposure_sequence)
        if event.x_sequence:
            self._need_stage()
            self.memory.xy()
            stage = core.getXYStageDevice()
            with contextlib.suppress(RuntimeError):
                core.stopXYStageSequence(stage)
            core.loadXYStageSequence(stage, event.x_sequence, event.y_sequence)
        if event.z_sequence:
            self._need_focus()
            self.memory.z()
            focus = core.getFocusDevice()
            with contextlib.suppress(RuntimeError):
                core.stopStageSequence(focus)
            heights = [z + z_correction for z in event.z_sequence]
            core.loadStageSequence(focus, heights)
        for (device, name), values in event.property_sequences.items():
            self.memory.property(device, name)
            with contextlib.suppress(RuntimeError):
                core.stopPropertySequence(device, name)
            core.loadPropertySequence(device, name, values)

    def end_sequence(self, event: SequencedEvent) -> None:
        """Stop what `set_sequence` started; each device on its own."""
        core = self._core
        with contextlib.suppress(RuntimeError):
            if event.exposure_sequence:
                core.stopExposureSequence(core.getCameraDevice())
        with contextlib.suppress(RuntimeError):
            if event.x_sequence:
                core.stopXYStageSequence(core.getXYStageDevice())
        with contextlib.suppress(RuntimeError):
            if event.z_sequence:
                core.stopStageSequence(core.getFocusDevice())
        for device, name in event.property_sequences:
            with contextlib.suppress(RuntimeError):
                core.stopPropertySequence(device, name)
        if event.property_sequences:
            # They are where the sequence ended: the next channel must be set anew.
            core._last_config = ("", "")

    # ------------------------------------------------------------- autofocus

    def focus(self, action: HardwareAutofocus) -> float:
        """Focus by hardware; a failed attempt is repeated.

        Parameters
        ----------
        action : HardwareAutofocus
            With the offset, and how often to try again.

        Returns
        -------
        float
            How far the focus drive moved, in micrometers; 0 if the run is given up.

        Raises
        ------
        HardwareError, RuntimeError
            If there is no autofocus device, or its last attempt failed.
        """
        core = self._core
        if not core.getAutoFocusDevice():
            raise HardwareError(
                "the plan focuses by hardware, but there is no autofocus device",
                hint="choose one as default autofocus, or switch autofocus off",
            )
        self._need_focus()
        self.memory.z()
        self.memory.focus_lock()
        core.enableContinuousFocus(False)
        offset, motor = action.autofocus_motor_offset, action.autofocus_device_name
        if offset is not None and motor:
            self.memory.z(motor)
            core.setPosition(motor, offset)
        elif offset is not None:
            core.setAutoFocusOffset(offset)
        self.wait()
        before = core.getZPosition()
        tries = 1 + max(0, action.max_retries)
        for left in reversed(range(tries)):
            if self._given_up():
                return 0.0
            try:
                if not self._aside.call(core.fullFocus):
                    return 0.0
                self.wait()
                break
            except RuntimeError:
                if not left:
                    raise
        return core.getZPosition() - before

    # ------------------------------------------------------------- waiting

    def wait(self) -> None:
        """Wait until all devices are where they should be.

        A run that is given up does not wait: stages stop where they are.

        Raises
        ------
        HardwareError
            Naming the devices that are busy for longer than the core's time-out.
        """
        core = self._core
        if not core.systemBusy():
            return
        patience_s = core.getTimeoutMs() / 1000
        end = time.monotonic() + patience_s
        while core.systemBusy():
            if self._given_up():
                self._stop_stages()
                return
            if time.monotonic() > end:
                busy = [d for d in core.getLoadedDevices() if core.deviceBusy(d)]
                names = ", ".join(busy) or "an unknown device"
                raise HardwareError(
                    f"still busy after {patience_s:g} s: {names}",
                    hint="check the device; a slow one needs a longer time-out of the "
                    "core (TimeoutMs)",
                )
            time.sleep(_LOOK_S)

    def _stop_stages(self) -> None:
        core = self._core
        for device in (core.getXYStageDevice(), core.getFocusDevice()):
            with contextlib.suppress(RuntimeError):
                if device and core.deviceBusy(device):
                    core.stop(device)

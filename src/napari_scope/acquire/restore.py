"""How the hardware was before a run, and the way back.

Whoever changes a part of the hardware for the first time in a run says so here before:
`HardwareMemory` reads how it is. After the run each part that is not as it was is set
back. What a run never touches is never read and never set.

Stage and focus go back together only if it is known on which side the objective is: a
wrong order could drive it into the sample. If only one of them moved, it goes back.

What cannot be read cannot be set back: the pattern of a light modulator stays.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pymmcore_plus.core import DeviceType, FocusDirection, Keyword

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pymmcore_plus import CMMCorePlus

__all__ = ["HardwareMemory"]

# What the core raises when a device does not answer.
_ERRORS = (RuntimeError, ValueError)
_SAME_UM = 1e-3
# Properties that depend on each other come right when they are set a second time.
_ROUNDS = 2


class HardwareMemory:
    """Remembers and restores; used by the thread of the run.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    """

    def __init__(self, core: CMMCorePlus) -> None:
        self._core = core
        self._forget()

    def _forget(self) -> None:
        self._read: set[tuple[str, ...]] = set()
        self._properties: dict[tuple[str, str], str] = {}
        self._exposures: dict[str, float] = {}
        self._rois: dict[str, list[int]] = {}
        self._stages: dict[str, float] = {}
        self._xy_stages: dict[str, tuple[float, float]] = {}
        self._focus_offset: float | None = None
        self._holds_focus: bool | None = None

    def _is_new(self, *part: str) -> bool:
        if part in self._read:
            return False
        self._read.add(part)
        return True

    # ------------------------------------------------------------- remembering

    def xy(self, device: str = "") -> None:
        """Remember where a stage is; the default one if none is named."""
        stage = device or self._core.getXYStageDevice()
        if stage and self._is_new("xy", stage):
            with contextlib.suppress(*_ERRORS):
                x, y = self._core.getXYPosition(stage)
                self._xy_stages[stage] = (x, y)

    def z(self, device: str = "") -> None:
        """Remember where a drive is; that of the focus if none is named."""
        drive = device or self._core.getFocusDevice()
        if drive and self._is_new("z", drive):
            with contextlib.suppress(*_ERRORS):
                self._stages[drive] = self._core.getPosition(drive)

    def exposure(self) -> None:
        """Remember the exposure time, of each camera if there are several."""
        if not self._is_new("exposures of", self._core.getCameraDevice()):
            return
        for camera in self._cameras():
            if self._is_new("exposure", camera):
                with contextlib.suppress(*_ERRORS):
                    self._exposures[camera] = self._core.getExposure(camera)

    def roi(self) -> None:
        """Remember the region that the camera reads."""
        camera = self._core.getCameraDevice()
        if camera and self._is_new("roi", camera):
            with contextlib.suppress(*_ERRORS):
                self._rois[camera] = list(self._core.getROI(camera))

    def _cameras(self) -> list[str]:
        """Return the default camera, and those behind it if it stands for several."""
        core = self._core
        camera = core.getCameraDevice()
        if not camera:
            return []
        count = core.getNumberOfCameraChannels()
        behind = [core.getPhysicalCameraDevice(i) for i in range(count)]
        return list(dict.fromkeys([camera, *filter(None, behind)]))

    def focus_lock(self) -> None:
        """Remember whether the autofocus holds the focus, and at which offset."""
        if self._is_new("focus lock"):
            with contextlib.suppress(*_ERRORS):
                self._holds_focus = self._core.isContinuousFocusEnabled()
            with contextlib.suppress(*_ERRORS):
                self._focus_offset = self._core.getAutoFocusOffset()

    def group(self, group: str) -> None:
        """Remember all properties that a group of presets sets."""
        if not self._is_new("group", group):
            return
        with contextlib.suppress(*_ERRORS):
            for preset in self._core.getAvailableConfigs(group):
                for device, name, _ in self._core.getConfigData(group, preset):
                    self.property(device, name)

    def property(self, device: str, name: str) -> None:
        """Remember a property; the position of a stage is one, too."""
        if not self._is_new("property", device, name):
            return
        core = self._core
        with contextlib.suppress(*_ERRORS):
            kind = core.getDeviceType(device)
            if name == Keyword.Position and kind == DeviceType.XYStage:
                self.xy(device)
            elif name == Keyword.Position and kind == DeviceType.Stage:
                self.z(device)
            elif not core.isPropertyReadOnly(device, name):
                self._properties[device, name] = core.getProperty(device, name)
            if kind == DeviceType.Camera:
                # Binning and the like change the region and the exposure with them.
                self.roi()
                self.exposure()

    # ------------------------------------------------------------- the way back

    def restore(self) -> list[str]:
        """Set back what is not as it was; returns what could not be, in sentences."""
        problems = [
            *self._restored("a property", self._restore_properties()),
            *self._restored("the region of the camera", self._restore_rois()),
            *self._restored("the exposure", self._restore_exposures()),
            *self._restored("the stage", self._restore_places()),
            *self._restored("the autofocus", self._restore_focus_lock()),
            *self._restored("all devices", self._settle()),
        ]
        self._forget()
        return problems

    @staticmethod
    def _restored(what: str, steps: Iterator[str | None]) -> Iterator[str]:
        """Go through steps; one that raises ends those of its kind."""
        while True:
            try:
                note = next(steps)
            except StopIteration:
                return
            except _ERRORS as error:
                yield f"{what} could not be set back, {_one_line(error)}"
                return
            if note:
                yield note

    def _restore_properties(self) -> Iterator[str | None]:
        core = self._core
        notes: list[str] = []
        for _ in range(_ROUNDS):
            notes.clear()
            changed = False
            for (device, name), value in self._properties.items():
                try:
                    if core.getProperty(device, name) != value:
                        changed = True
                        core.setProperty(device, name, value)
                except _ERRORS as error:
                    notes.append(
                        f"{device}-{name} could not be set back to {value}, "
                        f"{_one_line(error)}"
                    )
            if not changed and not notes:
                break
        if self._properties:
            core._last_config = ("", "")
        yield from notes

    def _restore_rois(self) -> Iterator[str | None]:
        core = self._core
        for camera, roi in self._rois.items():
            if list(core.getROI(camera)) != roi:
                if camera == core.getCameraDevice():
                    core.clearROI()
                if list(core.getROI(camera)) != roi:
                    core.setROI(camera, *roi)
            yield None

    def _restore_exposures(self) -> Iterator[str | None]:
        core = self._core
        for camera, exposure_ms in self._exposures.items():
            if core.getExposure(camera) != exposure_ms:
                core.setExposure(camera, exposure_ms)
            yield None

    def _restore_places(self) -> Iterator[str | None]:
        core = self._core
        stage, focus = core.getXYStageDevice(), core.getFocusDevice()
        for device, place in self._xy_stages.items():
            if device != stage:
                self._move_xy(device, place)
                yield None
        for device, height in self._stages.items():
            if device != focus:
                self._move_z(device, height)
                yield None
        xy, z = self._xy_stages.get(stage), self._stages.get(focus)
        if xy is not None and not _far(core.getXYPosition(stage), xy):
            xy = None
        z_now = core.getPosition(focus) if z is not None else 0.0
        if z is not None and abs(z_now - z) <= _SAME_UM:
            z = None
        if xy is not None and z is not None:
            direction = core.getFocusDirection(focus)
            if direction == FocusDirection.Unknown:
                yield (
                    "the stage stays where the run ended: the configuration does not "
                    "say in which direction the focus drive moves towards the sample"
                )
                return
            towards = direction == FocusDirection.TowardSample
            # The objective leaves the sample before the stage moves, and comes back
            # after.
            if (z < z_now) == towards:
                self._move_z(focus, z)
                yield None
                z = None
        if xy is not None:
            self._move_xy(stage, xy)
            yield None
        if z is not None:
            self._move_z(focus, z)
            yield None

    def _move_xy(self, device: str, place: tuple[float, float]) -> None:
        core = self._core
        if _far(core.getXYPosition(device), place):
            core.setXYPosition(device, *place)
            core.waitForDevice(device)

    def _move_z(self, device: str, height: float) -> None:
        core = self._core
        if abs(core.getPosition(device) - height) > _SAME_UM:
            core.setPosition(device, height)
            core.waitForDevice(device)

    def _restore_focus_lock(self) -> Iterator[str | None]:
        core = self._core
        offset = self._focus_offset
        if offset is not None and core.getAutoFocusOffset() != offset:
            core.setAutoFocusOffset(offset)
        yield None
        holds = self._holds_focus
        if holds is not None and core.isContinuousFocusEnabled() != holds:
            core.enableContinuousFocus(holds)
        yield None

    def _settle(self) -> Iterator[str | None]:
        """Wait for filter wheels and the like."""
        if self._read:
            self._core.waitForSystem()
        yield None


def _far(here: Sequence[float], there: Sequence[float]) -> bool:
    return any(abs(a - b) > _SAME_UM for a, b in zip(here, there, strict=True))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__

"""How the hardware was before a run, and the way back.

Whoever changes a part of the hardware for the first time in a run says so here before:
`HardwareMemory` reads how it is. After the run each part that is not as it was is set
back. What a run never touches is never read and never set.

Stage and focus go back together only if it is known on which side the objective is: a
wrong order could drive it into the sample. If only one of them moved, it goes back.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pymmcore_plus.core import DeviceType, FocusDirection, Keyword

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymmcore_plus import CMMCorePlus

__all__ = ["HardwareMemory"]

# What the core raises when a device does not answer.
_ERRORS = (RuntimeError, ValueError)
_SAME_UM = 1e-3


class HardwareMemory:
    """Remembers and restores; used by the thread of the run.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    """

    def __init__(self, core: CMMCorePlus) -> None:
        self._core = core
        self._xy: tuple[float, float] | None = None
        self._z: float | None = None
        self._exposure: float | None = None
        self._roi: list[int] | None = None
        self._properties: dict[tuple[str, str], str] = {}
        self._stages: dict[str, Any] = {}
        self._read: set[str | tuple[str, str]] = set()

    def _is_new(self, part: str | tuple[str, str]) -> bool:
        if part in self._read:
            return False
        self._read.add(part)
        return True

    def xy(self) -> None:
        """Remember where the stage is."""
        if self._is_new("xy"):
            with contextlib.suppress(*_ERRORS):
                x, y = self._core.getXYPosition()
                self._xy = (x, y)

    def z(self) -> None:
        """Remember where the focus drive is."""
        if self._is_new("z"):
            with contextlib.suppress(*_ERRORS):
                self._z = self._core.getZPosition()

    def exposure(self) -> None:
        """Remember the exposure time."""
        if self._is_new("exposure"):
            with contextlib.suppress(*_ERRORS):
                self._exposure = self._core.getExposure()

    def roi(self) -> None:
        """Remember the region that the camera reads."""
        if self._is_new("roi"):
            with contextlib.suppress(*_ERRORS):
                self._roi = list(self._core.getROI())

    def group(self, group: str) -> None:
        """Remember all properties that a group of presets sets."""
        if not self._is_new(group):
            return
        with contextlib.suppress(*_ERRORS):
            for preset in self._core.getAvailableConfigs(group):
                for device, name, _ in self._core.getConfigData(group, preset):
                    self.property(device, name)

    def property(self, device: str, name: str) -> None:
        """Remember a property; the position of a stage is one, too."""
        if not self._is_new((device, name)):
            return
        core = self._core
        with contextlib.suppress(*_ERRORS):
            kind = core.getDeviceType(device) if name == Keyword.Position else None
            if kind == DeviceType.XYStage:
                self._stages[device] = core.getXYPosition(device)
            elif kind == DeviceType.Stage:
                self._stages[device] = core.getPosition(device)
            elif not core.isPropertyReadOnly(device, name):
                self._properties[device, name] = core.getProperty(device, name)

    def restore(self) -> list[str]:
        """Set back what is not as it was; returns what could not be, in sentences."""
        problems = [
            *self._restored("a property", self._restore_properties()),
            *self._restored("the region of the camera", self._restore_roi()),
            *self._restored("the exposure", self._restore_exposure()),
            *self._restored("the stage", self._restore_place()),
        ]
        self.__init__(self._core)  # type: ignore[misc]
        return problems

    @staticmethod
    def _restored(what: str, steps: Iterator[str | None]) -> Iterator[str]:
        """Go through steps, each of which may raise without ending the others."""
        while True:
            try:
                note = next(steps)
            except StopIteration:
                return
            except _ERRORS as error:
                cause = " ".join(str(error).split())
                yield f"{what} could not be set back, {cause}"
                return
            if note:
                yield note

    def _restore_properties(self) -> Iterator[str | None]:
        core = self._core
        for (device, name), value in self._properties.items():
            note = None
            try:
                if core.getProperty(device, name) != value:
                    core.setProperty(device, name, value)
            except _ERRORS as error:
                cause = " ".join(str(error).split())
                note = f"{device}-{name} could not be set back to {value}, {cause}"
            yield note
        if self._properties:
            core._last_config = ("", "")

    def _restore_roi(self) -> Iterator[str | None]:
        core = self._core
        if self._roi is not None and list(core.getROI()) != self._roi:
            core.clearROI()
            if list(core.getROI()) != self._roi:
                core.setROI(*self._roi)
        yield None

    def _restore_exposure(self) -> Iterator[str | None]:
        core = self._core
        if self._exposure is not None and core.getExposure() != self._exposure:
            core.setExposure(self._exposure)
        yield None

    def _restore_place(self) -> Iterator[str | None]:
        core = self._core
        for device, place in self._stages.items():
            if isinstance(place, float):
                if abs(core.getPosition(device) - place) > _SAME_UM:
                    core.setPosition(device, place)
            elif _far(core.getXYPosition(device), place):
                core.setXYPosition(device, *place)
            yield None
        xy, z = self._xy, self._z
        move_xy = xy is not None and _far(core.getXYPosition(), xy)
        z_now = core.getZPosition() if z is not None else 0.0
        move_z = z is not None and abs(z_now - z) > _SAME_UM
        if move_xy and move_z:
            direction = core.getFocusDirection(core.getFocusDevice())
            if direction == FocusDirection.Unknown:
                yield (
                    "the stage stays where the run ended: the configuration does not "
                    "say in which direction the focus drive moves towards the sample"
                )
                return
            towards = direction == FocusDirection.TowardSample
            assert z is not None  # it moves
            # The objective leaves the sample before the stage moves, and comes back
            # after.
            if (z < z_now) == towards:
                core.setZPosition(z)
                core.waitForDevice(core.getFocusDevice())
                move_z = False
        if move_xy:
            assert xy is not None  # it moves
            core.setXYPosition(*xy)
            core.waitForDevice(core.getXYStageDevice())
        if move_z:
            assert z is not None  # it moves
            core.setZPosition(z)
            core.waitForDevice(core.getFocusDevice())
        yield None


def _far(here: Any, there: Any) -> bool:
    return any(abs(a - b) > _SAME_UM for a, b in zip(here, there, strict=True))

"""Moving stages and focus drives, each call until the device has arrived.

A core starts a move and comes back; whoever wants to snap afterwards has to wait. Here
each call ends when the device is at rest, when `StageMoves.halt` was called, or with an
error. `halt` may be called from another thread while a move goes on; everything else
belongs to one thread at a time, and none of it to that of a window.

Examples
--------
>>> from napari_scope.acquire import CoreOwner
>>> with CoreOwner() as owner:
...     owner.load()
...     moves = StageMoves(owner.core)
...     moves.to(x_um=20.0, y_um=10.0)
...     facts = stage_facts(owner.core)
>>> facts.xy_device, facts.focus_device, facts.image_px
('XY', 'Z', (512, 512))
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from napari_scope.acquire.tiling import TileGrid
from napari_scope.errors import HardwareError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymmcore_plus import CMMCorePlus

__all__ = ["StageFacts", "StageMoves", "stage_facts"]

_LOOK_S: Final = 0.02
_LONGEST_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What there is to be moved, and what the camera sees of it.

    Parameters
    ----------
    xy_devices, z_devices : tuple of str
        XY stages and focus drives (one-axis stages).
    xy_device, focus_device : str
        Those in use; empty without one.
    grid : TileGrid, optional
        How images lie on the stage: row 0 and column 0 where it is now, no overlap.
        None where it is not known.
    why_not : str
        Why it is not known.
    bytes_per_pixel : int
        Of the camera, with all samples.
    exposure_ms : float
        Of the camera.
    channels : tuple of str
        Presets of the channel group.
    """

    xy_devices: tuple[str, ...] = ()
    z_devices: tuple[str, ...] = ()
    xy_device: str = ""
    focus_device: str = ""
    grid: TileGrid | None = None
    why_not: str = ""
    bytes_per_pixel: int = 2
    exposure_ms: float = 0.0
    channels: tuple[str, ...] = ()

    @property
    def image_px(self) -> tuple[int, int]:
        """Width and height of an image; (0, 0) where it is not known."""
        return (0, 0) if self.grid is None else self.grid.image_px


def stage_facts(core: CMMCorePlus) -> StageFacts:
    """Ask a microscope what it has; without devices there is nothing."""
    from pymmcore_plus import DeviceType

    grid, why_not = None, ""
    camera = core.getCameraDevice()
    try:
        if camera:
            grid = TileGrid.of(core, 0)
        else:
            why_not = "there is no camera"
    except ScopeError as error:
        why_not = error.message
    except RuntimeError as error:
        why_not = " ".join(str(error).split())
    group = core.getChannelGroup()
    return StageFacts(
        xy_devices=tuple(core.getLoadedDevicesOfType(DeviceType.XYStage)),
        z_devices=tuple(core.getLoadedDevicesOfType(DeviceType.Stage)),
        xy_device=core.getXYStageDevice(),
        focus_device=core.getFocusDevice(),
        grid=grid,
        why_not=why_not,
        bytes_per_pixel=core.getBytesPerPixel() if camera else 2,
        exposure_ms=core.getExposure() if camera else 0.0,
        channels=tuple(core.getAvailableConfigs(group)) if group else (),
    )


class StageMoves:
    """Moves the stages of a core.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    longest_s : float
        A move that takes longer counts as one that hangs.
    """

    def __init__(self, core: CMMCorePlus, *, longest_s: float = _LONGEST_S) -> None:
        self._core = core
        self._longest_s = longest_s
        self._halted = threading.Event()

    def to(
        self,
        *,
        x_um: float | None = None,
        y_um: float | None = None,
        z_um: float | None = None,
    ) -> None:
        """Move to a place and wait until it is reached; what is None stays.

        Raises
        ------
        HardwareError
            Without such a stage, if it refuses or does not arrive.
        """
        self._halted.clear()
        core = self._core
        for value in (x_um, y_um, z_um):
            if value is not None and not math.isfinite(value):
                raise HardwareError(f"there is no place at {value}")
        moved = []
        if x_um is not None or y_um is not None:
            xy = core.getXYStageDevice()
            if not xy:
                raise HardwareError(
                    "there is no XY stage", hint="choose one as default in the devices"
                )
            where = f"to x = {_text(x_um)}, y = {_text(y_um)}"
            if x_um is None or y_um is None:
                x, y = core.getXYPosition(xy)
                x_um, y_um = x if x_um is None else x_um, y if y_um is None else y_um
            target = (x_um, y_um)
            self._try(where, xy, lambda: core.setXYPosition(xy, *target))
            moved.append(xy)
        if z_um is not None:
            z = core.getFocusDevice()
            if not z:
                raise HardwareError(
                    "there is no focus drive", hint="choose one in the devices"
                )
            self._try(f"to z = {_text(z_um)}", z, lambda: core.setPosition(z, z_um))
            moved.append(z)
        for device in moved:
            self._arrive(device)

    def home(self) -> None:
        """Send the XY stage to its own zero; it may run to its limits for that.

        Raises
        ------
        HardwareError
            Without a stage, if it cannot or does not arrive.
        """
        self._halted.clear()
        xy = self._xy()
        self._try("home", xy, lambda: self._core.home(xy))
        self._arrive(xy)

    def set_origin(self) -> None:
        """Call the place where the XY stage is x = 0, y = 0; nothing moves.

        Raises
        ------
        HardwareError
            Without a stage, or if it cannot.
        """
        xy = self._xy()
        self._try("set its origin", xy, lambda: self._core.setOriginXY(xy))

    def choose(self, *, xy: str | None = None, focus: str | None = None) -> None:
        """Make stages the default ones.

        Raises
        ------
        HardwareError
            If the core refuses.
        """
        core = self._core
        if xy is not None:
            self._try("be chosen", xy, lambda: core.setXYStageDevice(xy))
        if focus is not None:
            self._try("be chosen", focus, lambda: core.setFocusDevice(focus))

    def halt(self) -> None:
        """Stop the stages now, whoever moves them; callable from any thread.

        Raises
        ------
        HardwareError
            If a stage cannot be stopped; the wait for it ends all the same.
        """
        self._halted.set()
        core = self._core
        for device in filter(None, (core.getXYStageDevice(), core.getFocusDevice())):
            self._try("be stopped", device, partial(core.stop, device))

    def _xy(self) -> str:
        xy = self._core.getXYStageDevice()
        if not xy:
            raise HardwareError(
                "there is no XY stage", hint="choose one as default in the devices"
            )
        return xy

    def _arrive(self, device: str) -> None:
        """Wait until a device is at rest or was halted."""
        end = time.monotonic() + self._longest_s
        busy = [False]

        def look() -> None:
            busy[0] = self._core.deviceBusy(device)

        while True:
            self._try("say whether it moves", device, look)
            if not busy[0] or self._halted.is_set():
                return
            if time.monotonic() > end:
                raise HardwareError(
                    f"{device} did not arrive within {self._longest_s:g} s",
                    hint="check that nothing is in its way and that it is on",
                )
            self._halted.wait(_LOOK_S)

    def _try(self, what: str, device: str, call: Callable[[], object]) -> None:
        try:
            call()
        except RuntimeError as error:
            text = " ".join(str(error).split())
            if what.startswith("to "):
                what, hint = f"go {what}", "is the place out of its range?"
            else:
                hint = "not every stage can do this; check that it is on"
            raise HardwareError(f"{device} cannot {what}: {text}", hint=hint) from error


def _text(value: float | None) -> str:
    return "as it is" if value is None else f"{value:.2f}"

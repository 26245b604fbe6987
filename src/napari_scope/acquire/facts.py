"""What is noted of each frame and of a whole run: plain JSON-able facts."""

from __future__ import annotations

import contextlib
import datetime
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymmcore_plus import CMMCorePlus
    from useq import MDAEvent

    from napari_scope.events import Plan

__all__ = ["FrameFacts", "frame_facts", "run_facts"]


class FrameFacts:
    """Makes the facts of frames; what hardly changes is asked for only when it may.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    """

    def __init__(self, core: CMMCorePlus) -> None:
        self._core = core
        self._camera: dict[str, Any] = {}
        self._last: tuple[object, ...] = ()

    def prepare(self) -> None:
        """Read how the camera is set; called once the hardware is set up."""
        self._read_camera()
        self._last = ()

    def of(self, event: MDAEvent, meta: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is stored with a frame; arguments as `frame_facts`."""
        facts = frame_facts(event, meta)
        # Only these can change the camera between two frames of a run.
        now = (event.roi, event.properties, event.channel)
        if now != self._last:
            self._last = now
            self._read_camera()
        facts.update(self._camera)
        pixel = meta.get("pixel_size_um")
        if pixel:
            facts["pixel_size_um"] = pixel
        return facts

    def _read_camera(self) -> None:
        core = self._core
        camera = core.getCameraDevice()
        found: dict[str, Any] = {}
        if camera:
            with contextlib.suppress(RuntimeError):
                found["roi"] = [int(v) for v in core.getROI()]
            with contextlib.suppress(RuntimeError):
                if core.hasProperty(camera, "Binning"):
                    found["binning"] = core.getProperty(camera, "Binning")
        self._camera = found


def frame_facts(event: MDAEvent, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored with a frame.

    Parameters
    ----------
    event : MDAEvent
        The event that took the frame.
    meta : mapping
        The frame metadata of pymmcore-plus.
    """
    now = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
    facts: dict[str, Any] = {"time": now}
    if "runner_time_ms" in meta:
        facts["elapsed_ms"] = round(float(meta["runner_time_ms"]), 3)
    exposure = meta.get("exposure_ms", event.exposure)
    if exposure is not None:
        facts["exposure_ms"] = float(exposure)
    facts.update(_stage(event, meta.get("position") or {}))
    if event.pos_name:
        facts["position_name"] = event.pos_name
    if meta.get("camera_device"):
        facts["camera"] = meta["camera_device"]
    if event.channel is not None:
        facts["channel_group"] = event.channel.group
        facts["channel_config"] = event.channel.config
    if meta.get("hardware_triggered"):
        facts["hardware_triggered"] = True
    if meta.get("camera_metadata"):
        facts["camera_tags"] = dict(meta["camera_metadata"])
    if meta.get("property_values"):
        facts["properties"] = [
            [p["dev"], p["prop"], p["val"]] for p in meta["property_values"]
        ]
    hidden = ("axes", "runner_t0")
    own = {k: v for k, v in event.metadata.items() if k not in hidden}
    if own:
        facts["event_metadata"] = own
    return facts


def _stage(event: MDAEvent, measured: Mapping[str, Any]) -> dict[str, float]:
    """Return where the stage is (measured, else as planned) and where it should be."""
    planned = {"x": event.x_pos, "y": event.y_pos, "z": event.z_pos}
    stage = {}
    for name, plan in planned.items():
        value = measured.get(name)
        value = plan if value is None else value
        if value is not None:
            stage[f"{name}_um"] = _rounded(value)
        if plan is not None:
            stage[f"{name}_um_intended"] = _rounded(plan)
    return stage


def _rounded(value: float) -> float:
    """Return a position to a tenth of a nanometer; adding zero avoids -0.0."""
    return round(float(value), 4) + 0.0


def run_facts(core: CMMCorePlus, plan: Plan, config: str | None) -> dict[str, Any]:
    """Return what is stored with a run: its plan, the microscope, the programs."""
    import pymmcore_plus

    import napari_scope

    facts: dict[str, Any] = {
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "software": {
            "napari_scope": napari_scope.__version__,
            "pymmcore_plus": pymmcore_plus.__version__,
            "python": platform.python_version(),
            "core": core.getVersionInfo(),
        },
        "microscope": {
            "config": config,
            "camera": core.getCameraDevice(),
            "focus": core.getFocusDevice(),
            "stage": core.getXYStageDevice(),
            "pixel_size_um": core.getPixelSizeUm(),
            "pixel_size_affine": list(core.getPixelSizeAffine()),
        },
    }
    if plan.sequence is not None:
        facts["plan"] = plan.sequence.model_dump(mode="json", exclude_unset=True)
    return facts

"""What is noted of each frame and of a whole run: plain JSON-able facts."""

from __future__ import annotations

import contextlib
import datetime
import platform
import time
from typing import TYPE_CHECKING, Any

from napari_scope.events import to_pycro_events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymmcore_plus import CMMCorePlus
    from useq import MDAEvent

    from napari_scope.events import Plan

_MOST_EVENTS = 1000  # of a list that are stored with the run

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
        self._clock = _WallClock()

    def prepare(self) -> None:
        """Read how the camera is set; called once the hardware is set up."""
        self._clock = _WallClock()
        self._read_camera()
        self._last = ()

    def hardware_set(self, event: MDAEvent) -> None:
        """Take note that the hardware is set for an event, before the camera runs."""
        # Only these can change the camera between two frames of a run.
        now = (event.roi, event.properties, event.channel)
        if now != self._last:
            self._last = now
            self._read_camera()

    def of(self, event: MDAEvent, meta: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is stored with a frame; arguments as `frame_facts`."""
        facts = frame_facts(event, meta, self._clock.time(meta.get("runner_time_ms")))
        facts.update(self._camera)
        pixel = meta.get("pixel_size_um")
        if pixel:
            facts["pixel_size_um"] = pixel
        return facts

    def _read_camera(self) -> None:
        """Ask the core; devices may take long to answer."""
        core = self._core
        camera = core.getCameraDevice()
        found: dict[str, Any] = {}
        if camera:
            with contextlib.suppress(RuntimeError):
                found["roi"] = [int(v) for v in core.getROI()]
            with contextlib.suppress(RuntimeError):
                if core.hasProperty(camera, "Binning"):
                    found["binning"] = self._known(camera, "Binning")
        self._camera = found

    def _known(self, device: str, name: str) -> str:
        """Return a property; the core knows those that were set or asked for."""
        try:
            return self._core.getPropertyFromCache(device, name)
        except (RuntimeError, ValueError):
            return self._core.getProperty(device, name)


class _WallClock:
    """Tells the time of day at which frames were there.

    Frames of a hardware sequence wait in the camera's buffer before they are seen, but
    know how long after the start of the run they came. No frame is seen before it is
    there, so the earliest start that any frame suggests is the best guess.
    """

    def __init__(self) -> None:
        self._wall_s, self._clock_s = time.time(), time.perf_counter()
        self._zone = datetime.datetime.now().astimezone().tzinfo
        self._start_s = float("inf")

    def time(self, elapsed_ms: float | None) -> str:
        seen = time.perf_counter()
        if elapsed_ms is not None:
            self._start_s = min(self._start_s, seen - elapsed_ms / 1000)
            seen = self._start_s + elapsed_ms / 1000
        moment = self._wall_s + seen - self._clock_s
        found = datetime.datetime.fromtimestamp(moment, self._zone)
        return found.isoformat(timespec="milliseconds")


def frame_facts(
    event: MDAEvent, meta: Mapping[str, Any], moment: str
) -> dict[str, Any]:
    """Return what is stored with a frame.

    Parameters
    ----------
    event : MDAEvent
        The event that took the frame.
    meta : mapping
        The frame metadata of pymmcore-plus.
    moment : str
        When it was there, in ISO 8601 with the time zone.
    """
    facts: dict[str, Any] = {"time": moment}
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
    if event.min_start_time is not None:
        facts["min_start_time_s"] = event.min_start_time
    if event.properties:
        facts["properties_set"] = [list(item) for item in event.properties]
    if event.keep_shutter_open:
        facts["keep_shutter_open"] = True
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
    elif plan.is_finite and (plan.n_frames or 0) <= _MOST_EVENTS:
        facts["events"] = to_pycro_events(plan.source)
    facts["system_state"] = _system_state(core)
    return facts


def _system_state(core: CMMCorePlus) -> dict[str, dict[str, str]]:
    """Return all properties by their devices, as the core knows them.

    They are not asked from the devices, which may take long.
    """
    state: dict[str, dict[str, str]] = {}
    for device, name, value in core.getSystemStateCache():
        state.setdefault(device, {})[name] = value
    return state

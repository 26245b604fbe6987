"""What a plan would do, without doing it: its size, and every event that is refused.

The configuration is loaded, because only the microscope knows the size of a frame and
which channels and devices there are; nothing is moved and no image is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from useq import MDAEvent, MDASequence

from napari_scope.errors import PlanError

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.events import Estimate, PlanLike, RefusedEvent

__all__ = ["Preview", "preview"]


@dataclass(frozen=True)
class Preview:
    """What a plan would do.

    Parameters
    ----------
    events : int or None
        Events of the plan; None for a generator, of which nothing is known.
    refused : tuple of RefusedEvent
        Those that would not be run.
    estimate : Estimate
        Size and duration of the others.
    """

    events: int | None
    refused: tuple[RefusedEvent, ...]
    estimate: Estimate

    def lines(self, n_outputs: int) -> list[str]:
        """Return what to print.

        Parameters
        ----------
        n_outputs : int
            How often each frame is stored.
        """
        size = self.estimate
        if size.frames is None:
            return ["a generator: its events are known only when it runs"]
        lines = [f"event {r.number} is refused: {r.reason}" for r in self.refused]
        if self.refused:
            lines.append(f"{len(self.refused)} of {self.events} events are refused")
        megabytes = (size.bytes or 0) * n_outputs / 1e6
        least = size.duration_s or 0.0
        return [
            *lines,
            f"{size.frames} frames, {megabytes:.1f} MB, at least {least:.1f} s",
        ]


def preview(plan: PlanLike, core: CMMCorePlus) -> Preview:
    """Return what a plan would do with a microscope.

    Parameters
    ----------
    plan : MDASequence, list of events, or generator
        As `load_plan` returns it; a generator is not touched.
    core : CMMCorePlus
        The microscope, with its configuration loaded.

    Raises
    ------
    PlanError
        If a sequence cannot be run as a whole.
    """
    from napari_scope.acquire.store import camera_frame, check_channels
    from napari_scope.events import Estimate, Plan, estimate, refused_events

    if isinstance(plan, Iterator):
        return Preview(None, (), Estimate(None, None, None))
    refused: dict[int, RefusedEvent] = {r.number: r for r in refused_events(plan)}
    events = 1
    if not isinstance(plan, MDASequence):
        items = [plan] if isinstance(plan, Mapping | MDAEvent) else [*_items(plan)]
        events = len(items)
        for found in _unknown(items, refused, core):
            refused[found.number] = found
        plan = [item for n, item in enumerate(items) if n not in refused]
    ready = Plan.from_any(plan)
    check_channels(core, ready)
    shape, dtype = camera_frame(core)
    pixel_um = core.getPixelSizeUm()
    if pixel_um:
        ready.set_field_of_view(shape[1] * pixel_um, shape[0] * pixel_um)
    elif ready.needs_field_of_view:
        raise PlanError(
            "the plan lays out a grid in fields of view, but the size of a pixel is "
            "not known",
            hint="set the pixel size in the hardware configuration, or fov_width and "
            "fov_height in the plan",
        )
    cameras = max(1, core.getNumberOfCameraChannels())
    size = estimate(ready, shape, dtype)
    size = Estimate(
        (size.frames or 0) * cameras, (size.bytes or 0) * cameras, size.duration_s
    )
    ordered = tuple(refused[n] for n in sorted(refused))
    return Preview(events, ordered, size)


def _items(plan: object) -> Iterable[Any]:
    assert isinstance(plan, Iterable)  # refused_events has looked
    return plan


def _unknown(
    items: list[Any], refused: Mapping[int, RefusedEvent], core: CMMCorePlus
) -> Iterator[RefusedEvent]:
    """Go through the events that want what the microscope does not have."""
    from napari_scope.events import RefusedEvent, from_pycro

    groups = {
        str(group): set(core.getAvailableConfigs(group))
        for group in core.getAvailableConfigGroups()
    }
    devices = {"Core", *core.getLoadedDevices()}
    for number, item in enumerate(items):
        if number in refused:
            continue
        event = item if isinstance(item, MDAEvent) else from_pycro(item)
        channel = event.channel
        if channel is not None and channel.group not in groups:
            yield RefusedEvent(
                number, f"the microscope has no channel group {channel.group!r}"
            )
        elif channel is not None and channel.config not in groups[channel.group]:
            yield RefusedEvent(
                number,
                f"the channel group {channel.group!r} has no preset {channel.config!r}",
            )
        else:
            for device, _, _ in event.properties or ():
                if device not in devices:
                    yield RefusedEvent(
                        number, f"the microscope has no device {device!r}"
                    )
                    break

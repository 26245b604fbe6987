"""The run underneath an `Acquisition`: it tells the acquisition what happens.

Milestones are noted on the thread where they happen, so that a future knows of a frame
before any callback is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from napari_scope.acquire.notifications import AcqNotification
from napari_scope.acquire.run import Run
from napari_scope.events import acquires_image

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    from useq import MDAEvent

    from napari_scope.acquire.receiver import EngineStep
    from napari_scope.stream import Stream
    from napari_scope.stream.events import FrameEvent

__all__ = ["RunListener", "ScriptRun"]


class RunListener(Protocol):
    """Who is told; on any thread."""

    def frames_of(self, event: MDAEvent) -> list[dict[str, int | str]]:
        """Return the axes of the frames of an event, one for each camera."""

    def note(
        self,
        kind: type,
        milestone: str,
        frames: Sequence[Mapping[str, int | str]] = (),
    ) -> None:
        """Take note of a milestone."""

    def gone(self, axes: Mapping[str, int | str]) -> None:
        """Take note of a frame that will not come."""

    def failing(self) -> None:
        """Take note that nothing can be stored any more."""

    def over(self) -> None:
        """Take note of the end: all files are closed."""


class ScriptRun(Run):
    """A run that tells a listener.

    Parameters
    ----------
    listener : RunListener
        The listener.
    arguments, options
        See `Run`.
    """

    def __init__(self, listener: RunListener, *arguments: Any, **options: Any) -> None:
        self._listener = listener
        super().__init__(*arguments, **options)

    @property
    def threads(self) -> tuple[threading.Thread, ...]:
        """The threads for which the microscope waits: of hooks, and of the plan."""
        puller = self._puller._thread if self._puller is not None else None
        return tuple(t for t in (self._thread, puller) if t is not None)

    def opened(self, stream: Stream) -> None:
        """Take note of the stream: its news are passed on."""
        super().opened(stream)
        stream.events.relay("frame_saved", self, "saved", lambda news: news)
        stream.events.relay("failed", self, "failed", lambda error: error)

    # A relay asks and tells, on the thread that has saved the frame.
    def wanted(self, kind: str) -> bool:
        """Return whether news of the stream are wanted: all."""
        return True

    def tell(self, kind: str, news: object) -> None:
        """Pass on news of the stream."""
        if kind == "failed":
            self._listener.failing()
            return
        axes = dict(cast("FrameEvent", news).axes)
        image = AcqNotification.Image
        self._listener.note(image, image.IMAGE_SAVED, [axes])

    def gone(self, axes: Mapping[str, int | str]) -> None:
        """Take note of a frame that will not come."""
        self._listener.gone(axes)

    def step(self, step: EngineStep, event: MDAEvent) -> None:
        """Take note of how far an event is."""
        super().step(step, event)
        if step == "exposure":
            return  # told of with the last image
        parts = [e for e in getattr(event, "events", (event,)) if acquires_image(e)]
        if not parts:
            return
        frames = [axes for e in parts for axes in self._listener.frames_of(e)]
        merged = parts[0] is not event
        hardware, camera = AcqNotification.Hardware, AcqNotification.Camera
        note = self._listener.note
        if step == "pre_hardware":
            note(hardware, hardware.PRE_HARDWARE, frames)
            if event.z_pos is not None:
                note(hardware, hardware.PRE_Z_DRIVE, frames)
        elif step == "hardware":
            note(hardware, hardware.POST_HARDWARE, frames)
        elif step == "pre_exposure":
            before = camera.PRE_SEQUENCE_STARTED if merged else camera.PRE_SNAP
            note(camera, before, frames)
        elif step == "exposed":
            after = camera.POST_SEQUENCE_STOPPED if merged else camera.POST_SNAP
            note(camera, after, frames)

    def _drive(self) -> None:
        kind = AcqNotification.Acquisition
        self._listener.note(kind, kind.ACQ_STARTED)
        try:
            super()._drive()
        finally:
            self._listener.note(kind, kind.ACQ_EVENTS_FINISHED)

    def _make_report(self) -> None:
        super()._make_report()
        self._listener.over()
        image = AcqNotification.Image
        self._listener.note(image, image.DATA_SINK_FINISHED)

"""The live view in napari: one layer for each camera, with one buffer each.

The viewer pulls. One timer asks for the newest frames, copies each into the buffer of
its layer and has napari draw that layer, nothing else. It ticks at most as often as the
preferences say, and always leaves half of the time to the user's hands: what a tick and
the painting after it took is rested before the next.

A layer lies where the stage is. Moving a layer costs napari more than new pixels, so it
is done when the stage has moved, and only then.

The GUI is the only one that touches layers and buffers; frames are made by the thread
of `LiveCamera` and never change, so no frame is ever shown half.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.acquire.live_frame import Rate
from napari_scope.widgets.common.preferences import preferences
from napari_scope.widgets.devices.live_layer import LiveLayer

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

    from napari_scope.acquire.live_frame import LiveFrame
    from napari_scope.layers.live_frame import ContrastMode
    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["LiveView"]

_IDLE_MS: Final = 100
_LOOK_MS: Final = 8
_LONGEST_MS: Final = 1000.0


class LiveView(QObject):
    """Shows the frames of a microscope's live view in a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    microscope : Microscope
        The microscope.
    parent : QObject, optional
        Owner.

    Attributes
    ----------
    shown : Signal
        New frames are on their way to the screen.
    failed : Signal
        Frames cannot be shown; carries the exception.
    following : bool
        Whether the view moves with the stage, so that the image stays in place.
    """

    shown = Signal()
    failed = Signal(object)

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        microscope: Microscope,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._microscope = microscope
        self._cameras: dict[str, LiveLayer] = {}
        self._mode: ContrastMode = "once"
        self._was_running = False
        self._closed = False
        self.following = True
        self._rate = Rate()
        self._count = 0
        self._begun = 0.0
        self._period_ms = 1000 / preferences().live_fps
        # Frames from before this view was made are nobody's wish.
        self._last = microscope.live.newest()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_timer)
        # Fires when what a tick has caused is painted.
        self._after = QTimer(self)
        self._after.setSingleShot(True)
        self._after.setInterval(0)
        self._after.timeout.connect(self._rest)
        self._timer.start(0)

    # ---- what there is

    @property
    def layers(self) -> list[napari.layers.Image]:
        """The layers, as long as the user has not removed them."""
        found = (camera.layer for camera in self._cameras.values())
        return [layer for layer in found if layer is not None]

    @property
    def frames(self) -> list[LiveFrame]:
        """The frames that are shown."""
        found = (camera.frame for camera in self._cameras.values())
        return [frame for frame in found if frame is not None]

    @property
    def shown_fps(self) -> float:
        """Frames of each camera that are shown in a second."""
        if not self._microscope.live.running:
            return 0.0
        return self._rate.per_second(time.monotonic())

    # ---- contrast

    @property
    def contrast_mode(self) -> ContrastMode:
        """When the contrast is set: from the first frame, from each, or never."""
        return self._mode

    @contrast_mode.setter
    def contrast_mode(self, mode: ContrastMode) -> None:
        self._mode = mode
        for camera in self._cameras.values():
            camera.contrast.mode = mode

    def set_contrast_now(self) -> None:
        """Set the contrast of all cameras from what they show."""
        for camera in self._cameras.values():
            camera.contrast.again()
            camera.set_contrast()

    # ---- the user's wishes

    def show_field(self) -> None:
        """Fit the view to what the cameras see."""
        if self.layers:
            self._viewer.fit_to_view(layers=self.layers)

    def keep(self) -> list[napari.layers.Image]:
        """Keep what is shown now as layers of their own, one for each camera.

        They are saved like all layers, by napari's File menu.
        """
        kept = [camera.keep() for camera in self._cameras.values()]
        return [layer for layer in kept if layer is not None]

    # ---- life

    def close(self) -> None:
        """Stop looking; the layers stay. Idempotent."""
        self._closed = True
        self._timer.stop()
        self._after.stop()
        self._cameras.clear()
        self._last = ()

    def tick(self) -> bool:
        """Show what is new; returns whether there was anything."""
        live = self._microscope.live
        running = live.running
        if running and not self._was_running:
            fps = preferences().live_fps
            live.max_fps, self._period_ms = fps, 1000 / fps
            self._rate.clear()
            for camera in self._cameras.values():
                camera.come_back()
        self._was_running = running
        frames = live.newest()
        if frames is self._last:
            return False
        self._last = frames
        shown = [self._show(frame, several=len(frames) > 1) for frame in frames]
        if not any(shown):
            return False
        self._count += 1
        self._rate.count(self._count, time.monotonic())
        self.shown.emit()
        return True

    def _show(self, frame: LiveFrame, *, several: bool) -> bool:
        camera = self._cameras.get(frame.camera)
        if camera is None:
            camera = LiveLayer(
                self._viewer, frame.camera, len(self._cameras), self._mode
            )
            self._cameras[frame.camera] = camera
        # The field moves once, however many cameras look at it.
        first = next(iter(self._cameras.values())) is camera
        return camera.show(frame, several=several, follow=self.following and first)

    def _on_timer(self) -> None:
        if self._closed:
            return
        self._begun = time.perf_counter()
        try:
            news = self.tick()
        except (RuntimeError, ValueError, TypeError, MemoryError) as error:
            # napari refuses the image, or a user's callback has failed on it.
            news = False
            self.failed.emit(error)
        if self._closed:
            return
        if news:
            self._after.start()
        else:
            self._timer.start(_LOOK_MS if self._was_running else _IDLE_MS)

    def _rest(self) -> None:
        """Wait as long as the tick and its painting took, and not less than a frame."""
        if self._closed:
            return
        took_ms = (time.perf_counter() - self._begun) * 1000
        rest_ms = max(took_ms, self._period_ms - took_ms)
        self._timer.start(round(min(_LONGEST_MS, rest_ms)))

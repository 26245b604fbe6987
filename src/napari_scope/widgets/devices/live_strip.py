"""The live strip: snap, live, exposure, contrast, and what the camera delivers.

A thin row of controls over `LiveCamera` and `LiveView`. Every call of the camera goes
through `Microscope.do`, so the window never waits for it; the strip looks a few times a
second how things stand, whoever changed them: another strip, a script, a run.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QApplication,
    QWidget,
)

from napari_scope.errors import ScopeError
from napari_scope.widgets.common.icons import GREEN, NEUTRAL, RED, icon
from napari_scope.widgets.common.preferences import preferences
from napari_scope.widgets.common.window_keys import window_key
from napari_scope.widgets.devices.live_controls import LiveControls
from napari_scope.widgets.devices.live_view import LiveView
from napari_scope.widgets.devices.live_words import (
    brightness_text,
    rate_text,
    saturation_text,
)

if TYPE_CHECKING:
    import napari.viewer

    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["LIVE_SHORTCUT", "SNAP_SHORTCUT", "LiveStrip"]

LIVE_SHORTCUT: Final = "F5"
SNAP_SHORTCUT: Final = "F6"

_LOOK_MS: Final = 100
_WORDS_EVERY: Final = 3  # looks
_NO_CAMERA: Final = "No camera is loaded"
_START: Final = "start the live view"

_strips: weakref.WeakSet[LiveStrip] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class _Failure:
    """What a call has raised."""

    error: BaseException


class LiveStrip(LiveControls):
    """Controls of the live view; shows it in a viewer.

    Parameters
    ----------
    microscope : Microscope
        The microscope.
    viewer : napari.viewer.Viewer
        The viewer that shows the images.
    parent : QWidget, optional
        Owner.
    """

    def __init__(
        self,
        microscope: Microscope,
        viewer: napari.viewer.Viewer,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._microscope = microscope
        self.view = LiveView(viewer, microscope, self)
        self._shut = False
        self._looks = 0
        self._told: BaseException | None = None
        self._was_live = self._starting = False
        self._wish = 0  # which of the user's wishes for live is the latest
        self._exposure_wanted: float | None = None
        self._connect_controls(viewer)
        _strips.add(self)
        microscope.hold(self)
        self.view.failed.connect(self._on_view_failed)
        microscope.lock_changed.connect(self._on_lock)
        microscope.loaded.connect(self._read_exposure)
        microscope.run_ended.connect(self._on_run_ended)
        microscope.core.events.exposureChanged.connect(self._on_exposure_changed)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.shut_down)
        self._read_exposure()
        self.look()

    # ---- what others may do

    def snap(self) -> None:
        """Take an image; live goes on."""
        live = self._microscope.live
        self._do("snap an image", live.snap, key="snap")

    def set_live(self, on: bool) -> None:
        """Start or stop the live view."""
        live = self._microscope.live
        self.error_panel.clear()
        self._wish += 1
        if on:
            self._starting = True
            self._do(_START, live.start, key="live", then=lambda _: self.look())
        else:
            # The thread of the camera is told at once; nobody waits for it here. A
            # start that has not begun is replaced.
            live.stop(wait=False)
            self._do("stop the live view", lambda: live.stop(wait=False), key="live")
            self._starting = False
        self.look()

    def toggle_live(self) -> None:
        """Start the live view, or stop it."""
        self.set_live(not (self._starting or self._microscope.live.going_on))

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        return {
            "contrast": self.view.contrast_mode,
            "follow": self.follow_button.isChecked(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state; what is not known is left as it is."""
        index = self.contrast_box.findData(state.get("contrast"))
        if index >= 0:
            self.contrast_box.setCurrentIndex(index)
        self.follow_button.setChecked(bool(state.get("follow", True)))

    def shut_down(self) -> None:
        """Stop the live view and everything here; idempotent."""
        if self._shut:
            return
        self._shut = True
        _strips.discard(self)
        self._timer.stop()
        self.view.close()
        microscope = self._microscope
        # Another window may look on; the last one that leaves stops the camera.
        if not any(strip._microscope is microscope for strip in _strips):
            microscope.live.stop(wait=False)
        for signal, slot in (
            (microscope.lock_changed, self._on_lock),
            (microscope.loaded, self._read_exposure),
            (microscope.run_ended, self._on_run_ended),
            (microscope.core.events.exposureChanged, self._on_exposure_changed),
        ):
            signal.disconnect(slot)
        microscope.release(self)

    # ---- the user's hands

    def _connect_controls(self, viewer: Any) -> None:
        for signal, slot in (
            (self.snap_button.clicked, lambda: self.snap()),
            (self.live_button.clicked, lambda: self.toggle_live()),
            (self.exposure_box.valueChanged, self._set_exposure),
            (self.contrast_box.currentIndexChanged, self._on_contrast),
            (self.contrast_button.clicked, lambda: self.view.set_contrast_now()),
            (self.fit_button.clicked, lambda: self.view.show_field()),
            (self.keep_button.clicked, lambda: self._keep()),
            (self.follow_button.toggled, self._on_follow),
        ):
            signal.connect(slot)
        self.follow_button.setChecked(True)
        for keys, action in (
            (LIVE_SHORTCUT, self._on_live_shortcut),
            (SNAP_SHORTCUT, self._on_snap_shortcut),
        ):
            window_key(self, viewer, keys, action)

    def _on_live_shortcut(self) -> None:
        if self.live_button.isEnabled() and not self._shut:
            self.toggle_live()

    def _on_snap_shortcut(self) -> None:
        if self.snap_button.isEnabled() and not self._shut:
            self.snap()

    def _on_contrast(self) -> None:
        self.view.contrast_mode = self.contrast_box.currentData()

    def _on_follow(self, on: bool) -> None:
        self.view.following = on
        self.follow_button.setIcon(icon("follow", GREEN if on else NEUTRAL))

    def _keep(self) -> None:
        self.view.keep()

    def _set_exposure(self, exposure_ms: float) -> None:
        live = self._microscope.live
        self._exposure_wanted = exposure_ms
        self._do(
            f"set the exposure to {exposure_ms:g} ms",
            lambda: live.set_exposure(exposure_ms),
            key="exposure of the camera",
            then=lambda _: self._on_exposure_set(exposure_ms),
        )

    def _do(self, what: str, function: Any, *, key: object, then: Any = None) -> None:
        """Make a call; its error is shown here and nowhere else."""
        wish = self._wish

        def guarded() -> object:
            try:
                return function()
            except (RuntimeError, ValueError, OSError, ScopeError) as error:
                return _Failure(error)

        def told(result: object) -> None:
            if self._shut:
                return
            # The outcome of an earlier click is told after the next one was made.
            if key == "live" and wish == self._wish:
                self._starting = False
            if isinstance(result, _Failure):
                self._exposure_wanted = None
                self._show(result.error, f"Could not {what}")
            elif then is not None:
                then(result)

        self._microscope.do(what, guarded, then=told, key=key)

    # ---- how things stand

    def look(self) -> None:
        """Show how things stand; called by a timer."""
        if self._shut:
            return
        live = self._microscope.live
        running = live.running
        if running != self._was_live:
            self._was_live = running
            self.live_button.setIcon(
                icon("live-stop", RED) if running else icon("live", GREEN)
            )
            if running:
                self._told = None
        on = live.going_on or self._starting
        if self.live_button.isChecked() != on:
            self.live_button.setChecked(on)
        error = live.error
        if error is not None and error is not self._told and not running:
            self._show(error, "The live view has ended")
        self._looks += 1
        if self._looks % _WORDS_EVERY == 1:
            self._tell()
            self._enable()
            # Before there is an image no empty lines are kept for it.
            for label in (self.rate_label, self.range_label):
                label.setVisible(bool(label.text()))

    def _tell(self) -> None:
        live = self._microscope.live
        frames = self.view.frames
        names = ", ".join(frame.camera for frame in frames)
        self.rate_label.setText(
            rate_text(names, live.fps, self.view.shown_fps, running=live.running)
        )
        ranges = [live.range_of(frame.camera) for frame in frames]
        self.range_label.setText(
            brightness_text(
                [
                    (found, frame.bit_depth)
                    for found, frame in zip(ranges, frames, strict=True)
                ]
            )
        )
        self.saturation_label.setText(saturation_text(ranges, RED))

    def _enable(self) -> None:
        microscope = self._microscope
        reason = microscope.lock_reason
        if not reason and not microscope.core.getCameraDevice():
            reason = _NO_CAMERA
        usable = not reason
        for widget, tip in (
            (self.snap_button, f"Take one image ({SNAP_SHORTCUT})"),
            (self.live_button, f"Show what the camera sees ({LIVE_SHORTCUT})"),
            (self.exposure_box, "Exposure time of the camera, also while live"),
        ):
            widget.setEnabled(usable)
            widget.setToolTip(tip if usable else reason)
        there = bool(self.view.layers)
        for tool in (self.contrast_button, self.fit_button, self.keep_button):
            tool.setEnabled(there)
        if reason and not microscope.live.running:
            self.rate_label.setText(reason)

    def _show(self, error: BaseException, what: str) -> None:
        self._told = error
        self.error_panel.show_error(error, what)

    # ---- news

    def _on_view_failed(self, error: BaseException) -> None:
        self._microscope.live.stop(wait=False)
        self._show(error, "The image cannot be shown")

    def _on_lock(self, _reason: str) -> None:
        self._enable()

    def _on_run_ended(self, _run: object) -> None:
        live = self._microscope.live
        if live.made_way and preferences().live_after_run and not live.running:
            self.set_live(True)
        self._read_exposure()

    def _on_exposure_changed(self, *_: object) -> None:
        self._read_exposure()

    def _read_exposure(self) -> None:
        core = self._microscope.real_core

        def read() -> object:
            return float(core.getExposure()) if core.getCameraDevice() else None

        self._do(
            "read the exposure", read, key="read exposure", then=self._show_exposure
        )

    def _on_exposure_set(self, exposure_ms: float) -> None:
        if self._exposure_wanted == exposure_ms:
            self._exposure_wanted = None
            self._read_exposure()

    def _show_exposure(self, exposure_ms: object) -> None:
        """Show what the camera has, unless the user is about to wish another."""
        edit = self.exposure_box.lineEdit()
        editing = edit is not None and edit.isModified() and edit.hasFocus()
        if (
            isinstance(exposure_ms, float)
            and self._exposure_wanted is None
            and not editing
        ):
            blocked = self.exposure_box.blockSignals(True)
            self.exposure_box.setValue(exposure_ms)
            self.exposure_box.blockSignals(blocked)

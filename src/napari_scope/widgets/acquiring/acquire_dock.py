"""The Acquire dock: build a plan, run it, watch it grow, own a file.

The dock puts the boxes together and moves facts between them. It owns no data: the
plan is in the editor, the outputs in the save box, the run in `napari_scope.acquire`.
A run is polled, so nothing in its data path ever waits for Qt.

Examples
--------
>>> import napari
>>> viewer = napari.Viewer()  # doctest: +SKIP
>>> viewer.window.add_dock_widget(AcquireDock(viewer), name="Acquire")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QGroupBox,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire import CoreOwner, Run
from napari_scope.acquire.registry import is_in_use
from napari_scope.errors import PlanError, ScopeError
from napari_scope.events import Plan, estimate
from napari_scope.layers.live import fill_order
from napari_scope.widgets.acquiring.hardware_box import HardwareBox
from napari_scope.widgets.acquiring.live_layers import LiveLayers
from napari_scope.widgets.acquiring.run_bar import RunBar
from napari_scope.widgets.acquiring.save_box import SaveBox
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.closing import (
    ClosingGuard,
    ask_to_cancel,
    main_window_of,
    wait_until,
)
from napari_scope.widgets.common.core_events import GuiCore
from napari_scope.widgets.common.error_panel import ErrorPanel, explain
from napari_scope.widgets.common.icons import serve_shipped_icons
from napari_scope.widgets.common.remembered import Remembered

if TYPE_CHECKING:
    import napari.viewer
    import useq
    from qtpy.QtGui import QShowEvent

    from napari_scope.events import Estimate
    from napari_scope.stream import StreamView

__all__ = ["AcquireDock"]

_POLL_MS = 100
_PATIENCE_MS = 150
_IN_USE = "Another part of the program uses the microscope"


class AcquireDock(QWidget):
    """Acquires with the microscope and shows it in a viewer.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; napari passes it.
    owner : CoreOwner, optional
        Owner of the microscope's core. By default the dock makes one, which adopts
        the core that other parts of the program use.
    load : bool
        Load the demo microscope when nothing is loaded yet.
    """

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        owner: CoreOwner | None = None,
        *,
        load: bool = True,
    ) -> None:
        super().__init__()
        self._docked = False
        self._closed = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._look_around)
        serve_shipped_icons()
        # After the icons are served, because its tables ask for them when imported.
        from napari_scope.widgets.acquiring.plan_editor import PlanEditor

        self._owner = CoreOwner() if owner is None else owner
        self._owns_owner = owner is None
        self._core = GuiCore(self._owner.core)
        self._run: Run | None = None
        self._running = False
        self._used_elsewhere = False
        self._saving = False
        remembered = Remembered()

        self.hardware = HardwareBox(self._owner, remembered)
        self.editor = PlanEditor(self._core)
        self.save_box = SaveBox(remembered)
        self.errors = ErrorPanel()
        self.run_bar = RunBar()
        self.live = LiveLayers(napari_viewer, self)
        self._lay_out()

        self._warm_up = BackgroundCall(self)
        self._warm_up.start(_import_what_napari_imports_late, "warm up")
        # A plan of a hundred million frames takes long; nobody waits for it to close.
        self._estimator = BackgroundCall(self, abandon=True)
        self._estimate_is_stale = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._poll_timer = QTimer(self)
        self._poll_timer.setInterval(_POLL_MS)
        self._guard = ClosingGuard(self, lambda: self.running, self._cancel_to_close)
        self._connect()

        if self._owner.has_devices:
            self._after_load()
        elif load:
            self.hardware.load(None)
        self._update_runnable()
        self._poll_timer.start()

    # ---- what a script may ask and do

    @property
    def run(self) -> Run | None:
        """The run that goes on, else the latest one."""
        return self._run

    @property
    def running(self) -> bool:
        """Whether a run goes on or its end has not been shown yet."""
        return self._running

    def start(self) -> None:
        """Start the plan as it is shown now; an error goes to the error panel."""
        if self.running or self.hardware.busy:
            return
        self.errors.clear()
        try:
            plan = self.editor.value()
            name = self.save_box.next_name()
            outputs = self.save_box.outputs()
            run = Run(self._owner, plan, outputs, name=name)
            self._core.suspended = True
            run.start()
        except (ScopeError, OSError, ValueError, RuntimeError) as error:
            self._core.suspended = False
            self.errors.show_error(error, "The run could not start")
            self.save_box.refresh()
            return
        self._run = run
        self._saving = bool(outputs)
        self.save_box.remember()
        self._set_locked(True)
        self.live.start(self._find_view, _order_of(plan))
        self._running = True
        self._poll()

    def pause(self) -> None:
        """Ask the run to pause."""
        if self._run is not None and self.running:
            self._run.pause()
            self._poll()

    def resume(self) -> None:
        """Ask the run to go on."""
        if self._run is not None and self.running:
            self._run.resume()
            self._poll()

    def cancel(self) -> None:
        """Ask the run to stop; its files are closed by the run itself."""
        if self._run is not None and self.running:
            self._run.cancel()
            self._poll()

    def shut_down(self) -> None:
        """Stop all timers and threads and let go of the core; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._running = False
        if self._run is not None and not self._run.done:
            self._run.cancel()
        self.live.stop()
        for timer in (self._poll_timer, self._patience, self._soon):
            timer.stop()
        self._guard.watch(None)
        self.save_box.close_down()
        self.hardware.close_down()
        self._estimator.close()
        self._warm_up.close()
        self._core.close()

    # ---- layout

    def _lay_out(self) -> None:
        self._plan_box = QGroupBox("Plan")
        QVBoxLayout(self._plan_box).addWidget(self.editor)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.hardware)
        column.addWidget(self._plan_box, 1)
        column.addWidget(self.save_box)
        # On a small screen the boxes scroll; the run bar is always in sight.
        scroll = _TallArea(inner)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.errors)
        layout.addWidget(self.run_bar)

    def _connect(self) -> None:
        self.hardware.loading.connect(self._on_loading)
        self.hardware.loaded.connect(self._after_load)
        self.hardware.failed.connect(self._on_load_failed)
        self._core.events.systemConfigurationLoaded.connect(self.hardware.show_status)
        self._core.events.pixelSizeChanged.connect(self._on_camera_changed)
        self._core.events.roiSet.connect(self._on_camera_changed)
        self.editor.valueChanged.connect(self._patience.start)
        self.editor.failed.connect(self._on_plan_failed)
        self._patience.timeout.connect(self._estimate)
        self._estimator.finished.connect(self._show_estimate)
        self._estimator.failed.connect(self._show_no_estimate)
        self.run_bar.run_requested.connect(self.start)
        self.run_bar.pause_requested.connect(self.pause)
        self.run_bar.resume_requested.connect(self.resume)
        self.run_bar.cancel_requested.connect(self.cancel)
        self.run_bar.follow_toggled.connect(self.live.set_following)
        self.live.following_changed.connect(self.run_bar.set_following)
        self.live.note_changed.connect(self.run_bar.set_note)
        self._poll_timer.timeout.connect(self._poll)
        # When napari goes without closing the dock first, these still run: they hold
        # on to nothing of the widget, which is half destroyed by then.
        core, owner = self._core, self._owner if self._owns_owner else None
        self.destroyed.connect(lambda: _let_go(core, owner))
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.shut_down)

    # ---- the microscope

    def _on_loading(self) -> None:
        self.errors.clear()
        self._core.suspended = True
        self._set_locked(True)
        self._update_runnable()

    def _after_load(self) -> None:
        self._core.suspended = False
        # The tables heard nothing while the configuration was being loaded.
        self._core.events.systemConfigurationLoaded.emit()
        self._set_locked(False)
        self._update_runnable()
        self._patience.start()

    def _on_load_failed(self, error: BaseException) -> None:
        self._after_load()
        self.errors.show_error(error, "The microscope could not be set up")

    def _on_camera_changed(self, *_: object) -> None:
        self.hardware.show_status()
        self._patience.start()

    # ---- the plan

    def _on_plan_failed(self, error: BaseException) -> None:
        self.errors.show_error(error, "The plan file could not be used")

    def _estimate(self) -> None:
        """Estimate in the background: an odd plan of a million frames takes seconds."""
        if self._estimator.busy:
            self._estimate_is_stale = True
            return
        self._estimate_is_stale = False
        if self.running:
            return
        camera = self.hardware.camera()
        if camera is None:
            self.save_box.set_estimate(None)
            return
        try:
            sequence = self.editor.value()
        except PlanError as error:
            self.save_box.set_estimate(None, error.message)
            return
        self._estimator.start(
            lambda: estimate(Plan.from_any(sequence), camera.frame_shape, camera.dtype),
            "estimate",
        )

    def _show_estimate(self, found: Estimate) -> None:
        self.save_box.set_estimate(found)
        if self._estimate_is_stale:
            self._estimate()

    def _show_no_estimate(self, error: BaseException) -> None:
        self.save_box.set_estimate(None, explain(error).message)
        if self._estimate_is_stale:
            self._estimate()

    # ---- the run

    def _find_view(self) -> StreamView | None:
        stream = None if self._run is None else self._run.stream
        return None if stream is None else stream.view()

    def _poll(self) -> None:
        run = self._run
        if run is None or not self._running:
            self._look_for_others()
            return
        # Asked before the snapshot: a run that ends in between is shown as it was and
        # its end at the next look, never an end with the numbers before it.
        done = run.done
        if not done:
            self.run_bar.show_progress(run.progress())
            return
        self._running = False
        self._on_end(run)

    def _look_for_others(self) -> None:
        """Notice a run of another dock, a script or another plugin, and its end."""
        used = not self.hardware.busy and is_in_use(self._owner.core)
        if used == self._used_elsewhere:
            return
        self._used_elsewhere = used
        self.hardware.set_in_use(_IN_USE if used else "")
        self._update_runnable()

    def _on_end(self, run: Run) -> None:
        self.live.finish()
        self._core.suspended = False
        self._set_locked(False)
        state = str(run.state.value)
        if run.report is not None:
            self.run_bar.show_report(run.report, state, self._saving)
        else:
            self.run_bar.show_failure("Failed")
        if run.error is not None:
            self.errors.show_error(run.error, "The run failed")
        self.save_box.refresh()
        self._update_runnable()
        self._patience.start()

    def _set_locked(self, locked: bool) -> None:
        """Lock what would disturb a run or a configuration that is being loaded."""
        # While it loads, the hardware box locks its own parts and shows that it does.
        self.hardware.setEnabled(self.hardware.busy or not locked)
        self._plan_box.setEnabled(not locked)
        self.save_box.setEnabled(not locked)

    def _update_runnable(self) -> None:
        if self.hardware.busy:
            self.run_bar.set_runnable(False, "Loading the microscope …")
        elif self._used_elsewhere:
            self.run_bar.set_runnable(False, _IN_USE)
        elif self.hardware.camera() is None:
            self.run_bar.set_runnable(False, "Load a microscope with a camera first")
        else:
            self.run_bar.set_runnable(True)

    # ---- the window

    def showEvent(self, event: QShowEvent | None) -> None:
        """Watch the window that the dock is in."""
        super().showEvent(event)
        self._look_around()

    def event(self, event: QEvent | None) -> bool:
        """Notice being docked and being taken out of the dock."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            # The new parent may itself not be in its window yet.
            self._soon.start()
        return bool(super().event(event))

    def _cancel_to_close(self) -> None:
        # The viewer may be half closed already; nothing more is shown in it.
        self.live.stop()
        self.cancel()

    def _look_around(self) -> None:
        if self._closed:
            return
        if self.parentWidget() is not None:
            window = main_window_of(self)
            if window is not None:
                self._docked = True
                self._guard.watch(window)
        elif self._docked:
            self._on_undocked()

    def _on_undocked(self) -> None:
        """React to the dock's close button: napari keeps nothing of a closed dock."""
        self._docked = False
        if self.running and not ask_to_cancel(None):
            self.live.viewer.window.add_dock_widget(self, name="Acquire", area="right")
            self.show()
            return
        if self.running:
            self._cancel_to_close()
            wait_until(lambda: not self.running, None)
        self.shut_down()
        self.deleteLater()


class _TallArea(QScrollArea):
    """Scrolls up and down only: it is never narrower than what it holds."""

    def __init__(self, inner: QWidget) -> None:
        super().__init__()
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        """Leave room for the content's width and for the scroll bar."""
        hint = super().minimumSizeHint()
        inner, bar = self.widget(), self.verticalScrollBar()
        if inner is not None and bar is not None:
            # A style sheet may draw a border all the same.
            edges = self.contentsMargins()
            width = bar.sizeHint().width() + edges.left() + edges.right()
            hint.setWidth(inner.minimumSizeHint().width() + width)
        return hint


def _import_what_napari_imports_late() -> None:
    # The first thumbnail makes napari import this; in the middle of a run that would
    # hold up the GUI for half a second.
    importlib.import_module("scipy.ndimage")


def _order_of(plan: useq.MDASequence) -> tuple[str, ...]:
    """Return the axes of a plan from slowest to fastest, nothing if they vary."""
    if any(position.sequence is not None for position in plan.stage_positions):
        return ()
    return fill_order(map(str, plan.axis_order), map(str, plan.used_axes))


def _let_go(core: GuiCore, owner: CoreOwner | None) -> None:
    core.close()
    if owner is not None:
        owner.close()

"""The Acquire dock: build a plan, run it, watch it grow, own a file.

The dock puts the boxes together and moves facts between them. It owns no data: the
plan is in the editor, the outputs in the save box, runs in `napari_scope.acquire`. It
shows every run of its microscope, whoever started it, and polls it, so nothing in the
data path ever waits for Qt.

Examples
--------
>>> import napari
>>> viewer = napari.Viewer()  # doctest: +SKIP
>>> viewer.window.add_dock_widget(AcquireDock(viewer), name="Acquire")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import useq
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QTabWidget, QVBoxLayout

from napari_scope.errors import AcquisitionError, ScopeError
from napari_scope.widgets.acquiring.kept_state import KeptState
from napari_scope.widgets.acquiring.live_layers import LiveLayers
from napari_scope.widgets.acquiring.plan_estimate import PlanEstimate
from napari_scope.widgets.acquiring.planned import planned_run
from napari_scope.widgets.acquiring.report_view import ReportView
from napari_scope.widgets.acquiring.run_bar import RunBar
from napari_scope.widgets.acquiring.run_queue_view import RunQueueView, queue_of
from napari_scope.widgets.acquiring.run_starter import RunStarter
from napari_scope.widgets.acquiring.run_watch import RunWatch
from napari_scope.widgets.acquiring.save_box import SaveBox
from napari_scope.widgets.acquiring.tall_area import TallArea
from napari_scope.widgets.common.closing import ask_to_cancel, wait_until
from napari_scope.widgets.common.dock import ScopeDock
from napari_scope.widgets.common.error_panel import ErrorPanel, explain
from napari_scope.widgets.common.icons import serve_shipped_icons
from napari_scope.widgets.common.microscope import Microscope
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.common.warm_up import LayerWarmUp
from napari_scope.widgets.devices.configuration_box import ConfigurationBox

if TYPE_CHECKING:
    from pathlib import Path

    import napari.viewer

    from napari_scope.acquire import CoreOwner
    from napari_scope.acquire.planned_run import PlannedRun

__all__ = ["AcquireDock"]

_START_ERRORS: Final = (ScopeError, OSError, ValueError, RuntimeError)
_PLAN, _QUEUE, _REPORTS = range(3)


class AcquireDock(ScopeDock):
    """Acquires with the microscope and shows it in a viewer.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; napari passes it.
    owner : Microscope or CoreOwner, optional
        The microscope, or the owner of its core. By default the one that all docks
        share.
    load : bool
        Load what the preferences say when nothing is loaded yet.
    """

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        owner: Microscope | CoreOwner | None = None,
        *,
        load: bool = True,
    ) -> None:
        super().__init__(napari_viewer, "acquire")
        self.setWindowTitle("Acquire")
        serve_shipped_icons()
        # After the icons are served, because its tables ask for them when imported.
        from napari_scope.widgets.acquiring.plan_box import PlanBox

        if owner is None:
            self.microscope = Microscope.shared()
        elif isinstance(owner, Microscope):
            self.microscope = owner
        else:
            self.microscope = Microscope(owner)
        self.microscope.hold(self)
        self._starter = RunStarter(self.microscope, self)
        self._refused = False  # the panel says why a run could not start

        self.hardware = ConfigurationBox(self.microscope, compact=True)
        self.plan_box = PlanBox(self.microscope)
        self.editor = self.plan_box.editor
        self.save_box = SaveBox(self.remembered)
        self.errors = ErrorPanel()
        self.run_bar = RunBar()
        self.live = LiveLayers(napari_viewer, self)
        self.queue = queue_of(self.microscope)
        self.queue_view = RunQueueView(self.queue)
        self._kept = KeptState(self.plan_box, self.queue, self.save_box)
        self.reports = ReportView()
        self.watch = RunWatch(
            self.microscope,
            self.run_bar,
            self.live,
            self,
            is_own=lambda: self.is_own,
            busy=self._is_busy,
            cancel=self._cancel_to_close,
        )
        self._lay_out()

        self._warm_up = LayerWarmUp(self, lambda: not self.running)
        self._warm_up.start()
        self._estimate = PlanEstimate(
            self.plan_box.estimable, self.hardware.camera, self
        )
        self._connect()

        self.restore_remembered()
        if load:
            self.microscope.load_at_start()
        if self.microscope.owner.has_devices:
            self._after_load()
        self._update_runnable()
        self._estimate.soon()
        self.watch.begin()

    # ---- what a script may ask and do

    @property
    def run(self) -> Any:
        """The run that goes on, else the latest one; None while one is starting."""
        return None if self._starting else self.watch.run

    @property
    def running(self) -> bool:
        """Whether a run is about to start, goes on, or its end was not shown yet."""
        return self._starting or self.watch.running

    @property
    def _starting(self) -> bool:
        return self._starter.starting

    @property
    def is_own(self) -> bool:
        """Whether the run was started here or by the queue."""
        run = self.watch.run
        if run is None or self._starting:
            return self._starting
        return self._starter.owns(run) or run is self.queue.run

    def start(self) -> None:
        """Start the plan as it is shown now; an error goes to the error panel."""
        if self.running:
            return
        self._clear_errors()
        self.microscope.look()  # what ended or began a moment ago
        if reason := self.microscope.lock_reason:
            self._show_refusal(AcquisitionError(reason, hint="wait for its end"))
            return
        try:
            planned = self._planned()
        except _START_ERRORS as error:
            self._show_refusal(error)
            return
        self.run_bar.show_starting()
        self._starter.start(planned)

    def enqueue(self) -> None:
        """Let the plan as it is shown now wait in the queue."""
        self.errors.clear()
        try:
            self.queue.add(self._planned())
        except _START_ERRORS as error:
            self.errors.show_error(error, "The plan cannot wait in the queue")
            return
        self.queue_view.look()

    def cancel(self) -> None:
        """Ask the run to stop; its files are closed by the run itself."""
        if self._starting:
            self._starter.give_up()
            return
        if self.run is not None and self.run is self.queue.run:
            self.queue.stop()
        self.watch.cancel()

    # ---- life

    def state(self) -> dict[str, Any]:
        """Return the plan, where it is saved, and the queue."""
        return self._kept.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the state of another session; nothing is started."""
        self._kept.restore(state)
        self.queue_view.look()

    def may_close(self) -> bool:
        """Return whether the dock may be closed; a run that it has started is ended.

        A run of somebody else goes on without this dock.
        """
        if not self.running or not self.is_own:
            return True
        if not ask_to_cancel(None):
            return False
        self._cancel_to_close()
        wait_until(lambda: not self.running, None)
        return True

    def on_shut_down(self) -> None:
        """Stop all timers and threads and let go of the microscope."""
        run, own = self.run, self.is_own
        # What is about to start ends at once, also if that takes longer than we wait.
        self._starter.give_up()
        self.live.stop()
        self.watch.close()
        self.queue_view.close_down()
        self._estimate.close()
        self.save_box.close_down()
        self.plan_box.close_down()
        self.hardware.close_down()
        self._starter.close()
        self._warm_up.close()
        if own:
            self.queue.cancel()
            if run is not None and not run.done:
                run.cancel()
            self._starter.cancel_all()
        self.microscope.release(self)

    def _is_busy(self) -> bool:
        """Whether a run is about to start or goes on: closing would lose it."""
        run = self.watch.run
        return self._starting or (self.watch.running and not run.done)

    def _cancel_to_close(self) -> None:
        # The viewer may be half closed already; nothing more is shown in it.
        self.live.stop()
        self.queue.stop()
        self.cancel()

    # ---- layout

    def _lay_out(self) -> None:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        # On a small screen the boxes scroll; the run bar is always in sight.
        boxes = (self.hardware, self.plan_box, self.save_box)
        self.tabs.addTab(TallArea(boxes), "Plan")
        self.tabs.addTab(self.queue_view, "Queue")
        self.tabs.addTab(self.reports, "Reports")
        layout = QVBoxLayout(self)
        # The image needs the width more than the edges of a dock do.
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.errors)
        layout.addWidget(self.run_bar)

    def _connect(self) -> None:
        microscope, bar = self.microscope, self.run_bar
        microscope.loading.connect(self._on_loading)
        microscope.loaded.connect(self._after_load)
        microscope.load_failed.connect(self._on_load_failed)
        microscope.lock_changed.connect(self._update_runnable)
        self.hardware.camera_changed.connect(self._on_camera_changed)
        self._starter.started.connect(self._on_started)
        self._starter.failed.connect(self._on_not_started)
        self.watch.ended.connect(self._on_end)
        self.watch.started.connect(self._on_run)
        self.plan_box.valueChanged.connect(self._estimate.soon)
        self.plan_box.failed.connect(self._on_plan_failed)
        self._estimate.found.connect(self.save_box.set_estimate)
        bar.run_requested.connect(self.start)
        bar.cancel_requested.connect(self.cancel)
        bar.queue_requested.connect(self.enqueue)
        bar.details_requested.connect(self._show_details)
        self.queue_view.edit_requested.connect(self._edit)
        self.queue_view.count_changed.connect(self._show_count)
        self._show_count(self.queue.waiting)
        self.reports.open_requested.connect(self._open_data)

    # ---- the microscope

    def _on_loading(self) -> None:
        self.errors.clear()
        self._update_runnable()

    def _after_load(self) -> None:
        # Only now the tables know the channels of the microscope.
        self._kept.take_up_plan()
        self._update_runnable()
        self._estimate.soon()

    def _on_load_failed(self, error: BaseException) -> None:
        self._update_runnable()
        self.errors.show_error(error, "The microscope could not be set up")

    def _on_camera_changed(self) -> None:
        self._update_runnable()
        self._estimate.soon()

    def _update_runnable(self, _reason: str = "") -> None:
        if self.microscope.is_loading:
            self.run_bar.set_runnable(False, "Loading the microscope …")
        elif self.running:
            self.run_bar.set_runnable(True)
        elif self.microscope.lock_reason:
            self.run_bar.set_runnable(False, self.microscope.lock_reason)
        elif self.hardware.camera() is None:
            self.run_bar.set_runnable(False, "Load a microscope with a camera first")
        else:
            self.run_bar.set_runnable(True)

    # ---- the plan

    def _planned(self) -> PlannedRun:
        return planned_run(self.plan_box, self.save_box, self._estimate.latest)

    def _edit(self, planned: PlannedRun) -> None:
        """Put a plan of the queue back into the editor; the queue keeps it."""
        if not isinstance(planned.plan, useq.MDASequence):
            notify("A list of events cannot be edited in tables.", "warning")
            return
        self.plan_box.setValue(planned.plan)
        self.save_box.name_edit.setText(planned.name)
        self.save_box.folder_edit.setText(str(planned.folder))
        self.tabs.setCurrentIndex(_PLAN)

    def _on_plan_failed(self, error: BaseException) -> None:
        self.errors.show_error(error, "The plan file could not be used")

    # ---- the run

    def _on_started(self, run: Any) -> None:
        self.watch.show(run)
        self.plan_box.note_run(self.watch.name_of(run))
        self.save_box.remember()

    def _on_not_started(self, error: BaseException) -> None:
        if self._starter.given_up:
            self.run_bar.show_failure("Cancelled")
        else:
            self._show_refusal(error)
        self.save_box.refresh()
        self._update_runnable()

    def _show_refusal(self, error: BaseException) -> None:
        self._refused = True
        self.run_bar.show_failure("Not started")
        self.errors.show_error(error, "The run could not start")
        self._update_runnable()

    def _on_run(self, _run: object) -> None:
        # A run of another window does not end the reason why ours could not start.
        if self.is_own or not self._refused:
            self._clear_errors()
        self._update_runnable()

    def _on_end(self, run: Any) -> None:
        """Show how a run has ended; a new one may have begun."""
        error = "" if run.error is None else explain(run.error).message
        if run.report is not None:
            self.reports.add(self.watch.name_of(run), run.report, error)
            self.tabs.setTabText(_REPORTS, f"Reports ({self.reports.count})")
        if run.error is not None:
            self.errors.show_error(run.error, "The run failed")
        # A look at the disk and the tables again: not in the moment of the end.
        QTimer.singleShot(0, self._after_end)

    def _after_end(self) -> None:
        if not self.is_shut_down:
            self.save_box.refresh()
            self._update_runnable()

    def _clear_errors(self) -> None:
        self._refused = False
        self.errors.clear()

    def _show_details(self) -> None:
        run = self.run
        if run is not None and not run.done:
            self.reports.show_running(run)
        self.tabs.setCurrentIndex(_REPORTS)

    def _show_count(self, waiting: int) -> None:
        self.tabs.setTabText(_QUEUE, f"Queue ({waiting})" if waiting else "Queue")

    def _open_data(self, path: Path) -> None:
        """Show saved data, without the layers of the run in front of them."""
        for layer in self.live.layers.values():
            layer.visible = False
        try:
            self.viewer.open(str(path), plugin="napari-scope")
        except (ScopeError, OSError, ValueError, RuntimeError) as error:
            self.errors.show_error(error, "The data could not be opened")

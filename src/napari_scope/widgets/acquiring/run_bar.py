"""The run bar: the buttons of a run and what it is doing.

It shows snapshots of a run's progress and asks for actions by signals. It holds no run
and decides nothing but which buttons make sense in a state. A snapshot changes texts
in place; nothing is laid out anew while a run goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.acquiring.calm_bar import CalmBar
from napari_scope.widgets.acquiring.run_words import (
    ENDING,
    STATES,
    STEPS,
    state_text,
    time_text,
)
from napari_scope.widgets.acquiring.text_line import TextLine
from napari_scope.widgets.common.icons import AMBER, GREEN, RED, icon
from napari_scope.widgets.common.wording import duration_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from qtpy.QtGui import QAction

    from napari_scope.acquire import RunProgress, RunReport

__all__ = ["RunBar"]

_PAUSE_TIP: Final = "Pause; the time of the plan stands still meanwhile"
_PAUSED = ("pausing", "paused")


class RunBar(QWidget):
    """Buttons, progress and counters of a run.

    Attributes
    ----------
    run_requested, pause_requested, resume_requested, cancel_requested : Signal
        A button was pressed.
    skip_wait_requested : Signal
        The run should not wait for the next event.
    finish_requested : Signal
        The run should end after this step of an axis; None takes it back.
    queue_requested : Signal
        The plan should wait for its turn.
    details_requested : Signal
        The user wants to know what was left out, and why.
    follow_toggled : Signal
        The user wants the newest frame to be shown, or not.
    """

    run_requested = Signal()
    pause_requested = Signal()
    resume_requested = Signal()
    cancel_requested = Signal()
    skip_wait_requested = Signal()
    finish_requested = Signal(object)
    queue_requested = Signal()
    details_requested = Signal()
    follow_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._running = False
        self._paused = False
        self._runnable = True
        self._reason = ""
        self._end_text = ""

        self.run_button = QPushButton(icon("run", GREEN), "&Run")
        self.pause_button = QPushButton(icon("pause", AMBER), "Pa&use")
        self.pause_button.setToolTip(_PAUSE_TIP)
        self.cancel_button = QPushButton(icon("cancel", RED), "Canc&el")
        self.cancel_button.setToolTip("Stop now; what was acquired is kept")
        self.skip_button = QPushButton("S&kip wait")
        self.skip_button.setToolTip("Go on with the next time point at once")
        self.finish_button = QPushButton("Fi&nish")
        self.finish_button.setToolTip(
            "End properly after this time point or position; nothing of it is lost"
        )
        menu = QMenu(self.finish_button)
        self.finish_actions: dict[str | None, QAction] = {}
        for axis, text in (
            ("t", "After this &time point"),
            ("p", "After this &position"),
            (None, "At the end, as &planned"),
        ):
            action = menu.addAction(text)
            assert action is not None
            action.triggered.connect(
                lambda _=False, axis=axis: self.finish_requested.emit(axis)
            )
            self.finish_actions[axis] = action
        self.finish_button.setMenu(menu)
        self.queue_button = QPushButton("En&queue")
        self.queue_button.setToolTip("Let this plan wait in the queue")
        self.follow_button = QPushButton(icon("follow"), "F&ollow")
        self.follow_button.setCheckable(True)
        self.follow_button.setChecked(True)
        self.follow_button.setToolTip(
            "Show the newest frame; moving a slider switches this off"
        )
        self.progress = CalmBar()
        self.progress.setAccessibleName("Progress")
        self.state_label = TextLine()
        self.left_label = TextLine()
        self.rate_label = TextLine()
        self.rate_label.setToolTip("How fast frames are saved")
        self.ring_bar = CalmBar()
        self.ring_bar.setAccessibleName("Buffer")
        self.ring_bar.setToolTip(
            "The buffer holds frames that the disk has not taken yet"
        )
        self.ring_bar.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.saved_label = TextLine("saved 88,888,888")
        self.skipped_label = TextLine("skipped 88,888")
        self.dropped_label = TextLine("dropped 88,888")
        self.warnings_label = TextLine()
        self.details_button = QToolButton()
        self.details_button.setIcon(icon("view-list"))
        self.details_button.setToolTip("What was left out, and why")
        self.details_button.setAccessibleName("Details of the run")
        self.details_button.setAutoRaise(True)
        self.note_label = QLabel()
        self.note_label.setWordWrap(True)
        self.note_label.setVisible(False)
        self.note_label.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self._lay_out()

        self.run_button.clicked.connect(self.run_requested)
        self.pause_button.clicked.connect(self._pause_or_resume)
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.skip_button.clicked.connect(self.skip_wait_requested)
        self.queue_button.clicked.connect(self.queue_requested)
        self.details_button.clicked.connect(self.details_requested)
        self.follow_button.toggled.connect(self.follow_toggled)
        for label in (self.skipped_label, self.dropped_label, self.warnings_label):
            label.clicked.connect(self.details_requested)
        self.show_idle()

    def _lay_out(self) -> None:
        buttons = QGridLayout()
        for column, (above, below) in enumerate(
            (
                (self.run_button, self.queue_button),
                (self.pause_button, self.skip_button),
                (self.cancel_button, self.finish_button),
            )
        ):
            for row, button in enumerate((above, below)):
                button.setSizePolicy(
                    QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed
                )
                buttons.addWidget(button, row, column)
            buttons.setColumnStretch(column, 1)
        state = QHBoxLayout()
        state.addWidget(self.state_label, 1)
        state.addWidget(self.follow_button)
        rate = QHBoxLayout()
        rate.addWidget(self.rate_label, 1)
        rate.addWidget(self.ring_bar)
        counts = QHBoxLayout()
        for label in (self.saved_label, self.skipped_label, self.dropped_label):
            counts.addWidget(label)
        counts.addWidget(self.warnings_label, 1)
        counts.addWidget(self.details_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addLayout(state)
        layout.addWidget(self.progress)
        # Hidden before the first run: the plan that is edited then has their room.
        self._facts = QWidget()
        facts = QVBoxLayout(self._facts)
        facts.setContentsMargins(0, 0, 0, 0)
        facts.addWidget(self.left_label)
        facts.addLayout(rate)
        facts.addLayout(counts)
        layout.addWidget(self._facts)
        layout.addWidget(self.note_label)

    # ---- what may be done

    def set_runnable(self, runnable: bool, reason: str = "") -> None:
        """Say whether a run could start now, and if not, why."""
        self._runnable = runnable
        self._reason = reason
        self.run_button.setEnabled(runnable and not self._running)
        idle = "A run goes on" if self._running else "Start this plan"
        self.run_button.setToolTip(reason or idle)
        if not self._running:
            self.state_label.setText(reason or self._end_text or STATES["ready"])

    def set_note(self, text: str) -> None:
        """Show a line about what the viewer shows of the run; empty for none."""
        if text != self.note_label.text():
            self.note_label.setText(text)
            self.note_label.setVisible(bool(text))

    def set_following(self, on: bool) -> None:
        """Show whether the newest frame is followed, without asking for it."""
        blocked = self.follow_button.blockSignals(True)
        self.follow_button.setChecked(on)
        self.follow_button.blockSignals(blocked)

    # ---- what is shown

    def show_idle(self) -> None:
        """Show that nothing has been run yet."""
        self._end_text = ""
        self._set_buttons(running=False, state="ready")
        self.progress.show_value(0, 1)
        self.state_label.setText(self._reason or STATES["ready"])
        for label in (self.left_label, self.rate_label, self.warnings_label):
            label.clear()
        self._show_counts(0, 0, 0, 0)
        self._show_ring(0)
        self._facts.setVisible(False)

    def show_starting(self) -> None:
        """Show that a run is about to start."""
        self.show_idle()
        self._facts.setVisible(True)
        self._set_buttons(running=True, state="closing")
        self.state_label.setText(STATES["preparing"])

    def show_progress(
        self,
        progress: RunProgress,
        axes: Collection[str] = (),
        *,
        steerable: bool = True,
    ) -> None:
        """Show a snapshot of a run that goes on.

        Parameters
        ----------
        progress : RunProgress
            The snapshot.
        axes : collection of str
            The axes of the run's events.
        steerable : bool
            Whether waits can be skipped, and the run ended after a step.
        """
        self._facts.setVisible(True)
        state = str(progress.state.value)
        self._set_buttons(running=True, state=state)
        goes_on = steerable and state not in ENDING
        waits = progress.next_event_s is not None and progress.next_event_s > 0
        self.skip_button.setEnabled(goes_on and waits)
        self.finish_button.setEnabled(goes_on)
        for axis, action in self.finish_actions.items():
            wished = progress.finish_after
            action.setEnabled(axis in axes if axis is not None else wished is not None)
        done = progress.acquired + progress.skipped + progress.dropped
        if progress.planned is None:
            # The end of a generator is not known: a bar that only moves.
            self.progress.show_value(0, 0)
        else:
            self.progress.show_value(
                min(done, progress.planned),
                max(1, progress.planned),
                f"{done:,} of {progress.planned:,} frames  (%p %)",
            )
        self.state_label.setText(
            state_text(state, progress.next_event_s, progress.finish_after or "")
        )
        self.left_label.setText(time_text(progress))
        self.rate_label.setText(
            f"{progress.fps:.1f} frames/s · {progress.mb_per_s:.1f} MB/s"
        )
        self._show_ring(progress.ring_fill)
        self._show_counts(
            progress.saved, progress.skipped, progress.dropped, progress.warnings
        )

    def show_report(self, report: RunReport, state: str, saving: bool) -> None:
        """Show how a run ended.

        Parameters
        ----------
        report : RunReport
            The report.
        state : str
            The last state of the run.
        saving : bool
            Whether it went to disk.
        """
        self._facts.setVisible(True)
        self._set_buttons(running=False, state=state)
        skipped = len(report.skipped)
        done = report.saved + skipped + report.dropped
        total = report.planned if report.planned is not None else done
        self.progress.show_value(
            done,
            max(1, total),
            f"{done:,} of {total:,} frames  (%p %)"
            if total
            else "nothing was acquired",
        )
        text = state_text(state)
        if not report.saved:
            text = text.partition(":")[0]
        elif not saving:
            text = text.replace("what was acquired is saved", "kept in memory")
        if report.finished_after is not None:
            step = STEPS.get(report.finished_after, report.finished_after)
            text = f"{text} after a {step}, as wished"
        self._end_text = text
        self.state_label.setText(text)
        self.left_label.setText(f"in {duration_text(report.duration_s)}")
        self.rate_label.setText(f"{report.mb_per_s:.1f} MB/s on average")
        self._show_ring(0)
        self._show_counts(report.saved, skipped, report.dropped, len(report.warnings))

    def show_failure(self, text: str) -> None:
        """Show that a run ended without a report."""
        self._end_text = text
        self._set_buttons(running=False, state="failed")
        if self.progress.maximum() == 0:
            self.progress.show_value(0, 1)
        self.state_label.setText(text)
        self.left_label.clear()
        self._show_ring(0)

    def _show_ring(self, fill: float) -> None:
        self.ring_bar.show_value(round(fill * 100), 100, "buffer %p %")

    def _show_counts(
        self, saved: int, skipped: int, dropped: int, warnings: int
    ) -> None:
        self.saved_label.setText(f"saved {saved:,}")
        for label, name, count in (
            (self.skipped_label, "skipped", skipped),
            (self.dropped_label, "dropped", dropped),
        ):
            label.setText(f"{name} {count:,}")
            label.set_color(RED if count else "")
        noun = "warning" if warnings == 1 else "warnings"
        self.warnings_label.setText(f"{warnings:,} {noun}" if warnings else "")
        self.warnings_label.set_color(AMBER)

    def _set_buttons(self, *, running: bool, state: str) -> None:
        self._running = running
        self._paused = state in _PAUSED
        self.run_button.setEnabled(self._runnable and not running)
        steerable = running and state not in ENDING
        self.pause_button.setEnabled(steerable)
        self.cancel_button.setEnabled(steerable)
        if not steerable:
            self.skip_button.setEnabled(False)
            self.finish_button.setEnabled(False)
        if self._paused:
            text, name, color = "&Resume", "run", GREEN
            tip = "Go on with the run"
        else:
            text, name, color = "Pa&use", "pause", AMBER
            tip = _PAUSE_TIP
        if self.pause_button.text() != text:
            self.pause_button.setText(text)
            self.pause_button.setIcon(icon(name, color))
            self.pause_button.setToolTip(tip)

    def _pause_or_resume(self) -> None:
        (self.resume_requested if self._paused else self.pause_requested).emit()

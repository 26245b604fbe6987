"""The run bar: the buttons of a run and what it is doing.

It shows snapshots of a run's progress and asks for actions by signals. It holds no run
and decides nothing but which buttons make sense in a state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.common.icons import AMBER, GREEN, RED, icon
from napari_scope.widgets.common.wording import duration_text

if TYPE_CHECKING:
    from napari_scope.acquire import RunProgress, RunReport

__all__ = ["RunBar", "state_text"]

_STATES: Final = {
    "ready": "Ready",
    "preparing": "Preparing the microscope and the files …",
    "waiting": "Waiting for the next time point",
    "acquiring": "Acquiring",
    "pausing": "Pausing after the frames that are under way …",
    "paused": "Paused",
    "cancelling": "Cancelling …",
    "closing": "Writing and closing files …",
    "finished": "Finished",
    "cancelled": "Cancelled: what was acquired is saved",
    "failed": "Failed: what was acquired is saved",
}
_PAUSED = ("pausing", "paused")
_ENDING = ("cancelling", "closing")


def state_text(state: str, next_event_s: float | None = None) -> str:
    """Return a state in words."""
    text = _STATES.get(state, state)
    if state == "waiting" and next_event_s is not None and next_event_s >= 0:
        text += f", in {duration_text(next_event_s)}"
    return text


class RunBar(QWidget):
    """Buttons, progress and counters of a run.

    Attributes
    ----------
    run_requested, pause_requested, resume_requested, cancel_requested : Signal
        A button was pressed.
    follow_toggled : Signal
        The user wants the newest frame to be shown, or not.
    """

    run_requested = Signal()
    pause_requested = Signal()
    resume_requested = Signal()
    cancel_requested = Signal()
    follow_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._running = False
        self._paused = False
        self._runnable = False
        self._reason = ""
        self._end_text = ""

        self.run_button = QPushButton(icon("run", GREEN), "&Run")
        self.pause_button = QPushButton(icon("pause", AMBER), "&Pause")
        self.cancel_button = QPushButton(icon("cancel", RED), "&Cancel")
        self.cancel_button.setToolTip("Stop now; what was acquired is kept")
        self.follow_button = QPushButton(icon("follow"), "&Follow")
        self.follow_button.setCheckable(True)
        self.follow_button.setChecked(True)
        self.follow_button.setToolTip(
            "Show the newest frame; moving a slider switches this off"
        )
        self.progress = QProgressBar()
        self.progress.setAccessibleName("Progress")
        self.state_label = QLabel(_STATES["ready"])
        self.state_label.setWordWrap(True)
        self.left_label = QLabel()
        self.left_label.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.rate_label = QLabel()
        self.counts_label = QLabel()
        self.buffer_label = QLabel()
        self.buffer_label.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.buffer_label.setToolTip(
            "The buffer holds frames that the disk has not taken yet"
        )
        self.counts_label.setTextFormat(Qt.TextFormat.RichText)
        self.note_label = QLabel()
        self.note_label.setWordWrap(True)
        self.note_label.setVisible(False)
        for label in (self.state_label, self.rate_label, self.note_label):
            label.setSizePolicy(
                QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
            )

        buttons = QHBoxLayout()
        for button in (self.run_button, self.pause_button, self.cancel_button):
            buttons.addWidget(button, 1)
        buttons.addWidget(self.follow_button)
        texts = QGridLayout()
        texts.setColumnStretch(0, 1)
        texts.addWidget(self.state_label, 0, 0)
        texts.addWidget(self.left_label, 0, 1)
        texts.addWidget(self.rate_label, 1, 0)
        texts.addWidget(self.buffer_label, 1, 1)
        texts.addWidget(self.counts_label, 2, 0, 1, 2)
        texts.addWidget(self.note_label, 3, 0, 1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addLayout(texts)

        self.run_button.clicked.connect(self.run_requested)
        self.pause_button.clicked.connect(self._pause_or_resume)
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.follow_button.toggled.connect(self.follow_toggled)
        self.show_idle()

    def set_runnable(self, runnable: bool, reason: str = "") -> None:
        """Say whether a run could start now, and if not, why."""
        self._runnable = runnable
        self._reason = reason
        self.run_button.setEnabled(runnable and not self._running)
        self.run_button.setToolTip(reason or "Start this plan")
        if not self._running:
            self.state_label.setText(reason or self._end_text or _STATES["ready"])

    def set_note(self, text: str) -> None:
        """Show a line about what the viewer shows of the run; empty for none."""
        self.note_label.setText(text)
        self.note_label.setVisible(bool(text))

    def set_following(self, on: bool) -> None:
        """Show whether the newest frame is followed, without asking for it."""
        blocked = self.follow_button.blockSignals(True)
        self.follow_button.setChecked(on)
        self.follow_button.blockSignals(blocked)

    def show_idle(self) -> None:
        """Show that nothing has been run yet."""
        self._end_text = ""
        self._set_buttons(running=False, state="ready")
        self.progress.setRange(0, 1)
        self.progress.setValue(0)
        self.progress.setFormat("")
        self.state_label.setText(self._reason or _STATES["ready"])
        for label in (self.left_label, self.rate_label, self.counts_label):
            label.clear()
        self.buffer_label.clear()

    def show_progress(self, progress: RunProgress) -> None:
        """Show a snapshot of a run that goes on."""
        state = str(progress.state.value)
        self._set_buttons(running=True, state=state)
        done = progress.acquired + progress.skipped + progress.dropped
        if progress.planned is None:
            # The end of a generator is not known: a bar that only moves.
            self.progress.setRange(0, 0)
        else:
            self.progress.setRange(0, max(1, progress.planned))
            self.progress.setValue(min(done, progress.planned))
            self.progress.setFormat(f"{done:,} of {progress.planned:,} frames  (%p %)")
        self.state_label.setText(state_text(state, progress.next_event_s))
        self.left_label.setText(
            ""
            if progress.eta_s is None or state in _ENDING
            else f"{duration_text(progress.eta_s)} left"
        )
        self.rate_label.setText(
            f"{progress.fps:.1f} frames/s · {progress.mb_per_s:.1f} MB/s"
        )
        self.buffer_label.setText(f"buffer {progress.ring_fill:.0%}")
        self.rate_label.setToolTip(
            f"{duration_text(progress.elapsed_s)} since the start"
        )
        self._show_counts(progress.saved, progress.skipped, progress.dropped)
        self.counts_label.setToolTip(
            "\n".join(progress.skipped_reasons) or "Nothing was left out so far"
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
        self._set_buttons(running=False, state=state)
        skipped = len(report.skipped)
        done = report.saved + skipped + report.dropped
        total = report.planned if report.planned is not None else done
        self.progress.setRange(0, max(1, total))
        self.progress.setValue(done)
        self.progress.setFormat(
            f"{done:,} of {total:,} frames  (%p %)" if total else "nothing was acquired"
        )
        text = state_text(state)
        if not report.saved:
            text = text.partition(":")[0]
        elif not saving:
            text = text.replace("what was acquired is saved", "kept in memory")
        self._end_text = text
        self.state_label.setText(text)
        self.left_label.setText(f"in {duration_text(report.duration_s)}")
        self.rate_label.setText(f"{report.mb_per_s:.1f} MB/s")
        self.rate_label.setToolTip("Mean over the whole run")
        self.buffer_label.clear()
        self._show_counts(report.saved, skipped, report.dropped)
        reasons = [f"{dict(frame.axes)}: {frame.reason}" for frame in report.skipped]
        reasons += report.warnings
        self.counts_label.setToolTip("\n".join(reasons[-20:]) or "Nothing is missing")
        if report.warnings:
            self.rate_label.setText(
                f"{self.rate_label.text()} · {len(report.warnings)} warnings"
            )

    def show_failure(self, text: str) -> None:
        """Show that a run ended without a report."""
        self._end_text = text
        self._set_buttons(running=False, state="failed")
        if self.progress.maximum() == 0:
            self.progress.setRange(0, 1)
        self.state_label.setText(text)
        self.left_label.clear()
        self.buffer_label.clear()

    def _show_counts(self, saved: int, skipped: int, dropped: int) -> None:
        parts = [f"saved <b>{saved:,}</b>"]
        for name, count in (("skipped", skipped), ("dropped", dropped)):
            text = f"{name} <b>{count:,}</b>"
            parts.append(f'<span style="color:{RED}">{text}</span>' if count else text)
        self.counts_label.setText(" · ".join(parts))

    def _set_buttons(self, *, running: bool, state: str) -> None:
        self._running = running
        self._paused = state in _PAUSED
        self.run_button.setEnabled(self._runnable and not running)
        steerable = running and state not in _ENDING
        self.pause_button.setEnabled(steerable)
        self.cancel_button.setEnabled(steerable)
        if self._paused:
            text, name, color = "&Resume", "run", GREEN
            tip = "Go on with the run"
        else:
            text, name, color = "&Pause", "pause", AMBER
            tip = "Pause; the time of the plan stands still meanwhile"
        if self.pause_button.text() != text:
            self.pause_button.setText(text)
            self.pause_button.setIcon(icon(name, color))
        self.pause_button.setToolTip(tip)

    def _pause_or_resume(self) -> None:
        (self.resume_requested if self._paused else self.pause_requested).emit()

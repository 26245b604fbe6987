"""The list of jobs: how far each is, what came of it, and buttons to cancel and open.

Examples
--------
>>> jobs = JobList(JobQueue(dock))  # doctest: +SKIP
>>> jobs.open_wanted.connect(print)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.common.icons import AMBER, GREEN, NEUTRAL, RED, icon

if TYPE_CHECKING:
    from napari_scope.widgets.browsing.job_queue import JobQueue, QueuedJob

__all__ = ["JobList"]

_ICONS: Final = {
    "waiting": ("pause", NEUTRAL),
    "running": ("run", GREEN),
    "finished": ("check-circle", GREEN),
    "problems": ("error", AMBER),
    "failed": ("error", RED),
    "cancelled": ("cancel", NEUTRAL),
}
_NONE: Final = "No jobs. Convert, export or check data sets from their menus."


class JobList(QWidget):
    """Shows the jobs of a queue.

    Parameters
    ----------
    queue : JobQueue
        The jobs.

    Attributes
    ----------
    open_wanted : Signal
        A data set that a job has made is to be opened; carries its path.
    """

    open_wanted = Signal(str)

    def __init__(self, queue: JobQueue) -> None:
        super().__init__()
        self._queue = queue
        self._items: dict[int, QTreeWidgetItem] = {}
        self._make_widgets()
        self._lay_out()
        self.view.itemSelectionChanged.connect(self._show_selection)
        self.view.itemActivated.connect(lambda *_: self._open())
        self.cancel_button.clicked.connect(self._cancel)
        self.open_button.clicked.connect(self._open)
        self.copy_button.clicked.connect(self._copy)
        self.clear_button.clicked.connect(queue.clear)
        queue.changed.connect(self.show_jobs)
        self.show_jobs()

    @property
    def selected(self) -> QueuedJob | None:
        """The job that is selected."""
        item = self.view.currentItem()
        jobs = [job for job in self._queue.jobs if self._items.get(id(job)) is item]
        return jobs[0] if item is not None and jobs else None

    def _make_widgets(self) -> None:
        self.view = QTreeWidget()
        self.view.setAccessibleName("Jobs")
        self.view.setHeaderLabels(["Job", "State"])
        self.view.setRootIsDecorated(False)
        self.view.setUniformRowHeights(True)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.view.header()
        if header is not None:
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
            header.setStretchLastSection(True)
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress of the running job")
        self.bar.setVisible(False)
        self.details_label = QLabel()
        self.details_label.setWordWrap(True)
        self.details_label.setTextFormat(Qt.TextFormat.PlainText)
        self.details_label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.details_label.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.cancel_button = _button("cancel", "Ca&ncel", "End the selected job")
        self.open_button = _button("load", "Open", "Open what the selected job made")
        self.copy_button = _button("copy", "Copy", "Copy all that is said of the job")
        self.clear_button = _button("dismiss", "Clear", "Forget jobs that are over")

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.cancel_button, self.open_button):
            buttons.addWidget(button, 1)
        for button in (self.copy_button, self.clear_button):
            # Words on all four would make the dock wider than anything else in it.
            button.setAccessibleName(button.text())
            button.setText("")
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view, 1)
        column.addWidget(self.bar)
        column.addWidget(self.details_label)
        column.addLayout(buttons)

    def show_jobs(self) -> None:
        """Show the jobs as they are now."""
        jobs = self._queue.jobs
        known = {id(job) for job in jobs}
        for key in [key for key in self._items if key not in known]:
            item = self._items.pop(key)
            self.view.takeTopLevelItem(self.view.indexOfTopLevelItem(item))
        for job in jobs:
            item = self._items.get(id(job)) or self._add(job)
            text = job.text
            if item.text(1) != text:
                item.setText(1, text)
                item.setIcon(0, icon(*_ICONS[job.state]))
                item.setToolTip(1, job.details)
        running = next((job for job in jobs if job.state == "running"), None)
        self.bar.setVisible(running is not None)
        if running is not None:
            _, done, total = running.progress
            self.bar.setRange(0, total)
            self.bar.setValue(done)
        self._show_selection()

    def _add(self, job: QueuedJob) -> QTreeWidgetItem:
        item = QTreeWidgetItem([job.job.title, ""])
        item.setToolTip(0, job.job.source)
        self.view.addTopLevelItem(item)
        self._items[id(job)] = item
        self.view.setCurrentItem(item)
        return item

    def _show_selection(self) -> None:
        job = self.selected
        self.clear_button.setEnabled(any(one.is_over for one in self._queue.jobs))
        self.copy_button.setEnabled(job is not None)
        if job is None:
            self.details_label.setText("" if self._queue.jobs else _NONE)
            self.cancel_button.setEnabled(False)
            self.open_button.setEnabled(False)
            return
        self.details_label.setText("\n".join(job.details.splitlines()[1:8]))
        can = job.state == "waiting" or (job.state == "running" and job.job.can_cancel)
        self.cancel_button.setEnabled(can and not job.stop.is_set())
        made = job.result is not None and job.result.made is not None
        self.open_button.setEnabled(made)

    def _cancel(self) -> None:
        if (job := self.selected) is not None:
            self._queue.cancel(job)

    def _open(self) -> None:
        job = self.selected
        if job is not None and job.result is not None and job.result.made is not None:
            self.open_wanted.emit(str(job.result.made))

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if (job := self.selected) is not None and clipboard is not None:
            clipboard.setText(job.details)


def _button(name: str, text: str, tip: str) -> QPushButton:
    button = QPushButton(icon(name), text)
    button.setToolTip(tip)
    return button

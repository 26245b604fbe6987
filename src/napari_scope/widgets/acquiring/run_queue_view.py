"""The queue of plans as a list: drag to reorder, run, duplicate, edit, remove.

It looks at a `RunQueue` a few times a second and shows what has changed. The queue
belongs to the microscope, so every dock shows the same one.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire.run_queue import RunQueue
from napari_scope.widgets.common.icons import AMBER, GREEN, NEUTRAL, RED, icon
from napari_scope.widgets.common.wording import duration_text, size_text

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent

    from napari_scope.acquire.run_queue import QueueEntry
    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["RunQueueView", "entry_words", "queue_of"]

_LOOK_MS = 250
_NUMBER = Qt.ItemDataRole.UserRole
_DONE = ("finished", "cancelled", "failed")
_SIGNS: Final = {
    "waiting": ("circle", NEUTRAL),
    "running": ("run", GREEN),
    "finished": ("check-circle", GREEN),
    "cancelled": ("cancel", AMBER),
    "failed": ("error", RED),
}

_queues: weakref.WeakKeyDictionary[Microscope, RunQueue] = weakref.WeakKeyDictionary()


def queue_of(microscope: Microscope) -> RunQueue:
    """Return the queue of a microscope; made when first asked for."""
    if microscope not in _queues:
        _queues[microscope] = RunQueue(microscope.owner)
    return _queues[microscope]


def entry_words(entry: QueueEntry, done: float | None = None) -> str:
    """Return an entry of the queue in words, in two lines.

    Parameters
    ----------
    entry : QueueEntry
        The entry.
    done : float, optional
        How far its run is, 0 to 1.
    """
    planned = entry.planned
    formats = ", ".join(output.format for output in planned.outputs) or "memory only"
    parts = [entry.state if done is None else f"{entry.state}, {done:.0%}"]
    if entry.report is not None:
        parts.append(f"{entry.report.saved:,} frames saved")
    elif planned.frames is not None:
        noun = "frame" if planned.frames == 1 else "frames"
        parts.append(f"{planned.frames:,} {noun}")
    if planned.duration_s is not None and entry.report is None:
        parts.append(f"at least {duration_text(planned.duration_s)}")
    if planned.size is not None and entry.report is None:
        parts.append(size_text(planned.size))
    return f"{planned.name}  ({formats})\n{' · '.join(parts)}"


class RunQueueView(QWidget):
    """Shows and steers the queue.

    Parameters
    ----------
    queue : RunQueue
        The queue.
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    edit_requested : Signal
        The user wants a plan back in the editor; carries the `PlannedRun`.
    count_changed : Signal
        How many plans wait.
    """

    edit_requested = Signal(object)
    count_changed = Signal(int)

    def __init__(self, queue: RunQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._version = -1
        self._waiting = -1
        self.list = QListWidget()
        self.list.setAccessibleName("Queue")
        self.list.setToolTip("Drag to reorder; Delete removes")
        self.list.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setWordWrap(True)
        self.empty_label = QLabel(
            "Nothing waits. Build a plan and press Enqueue; plans wait here until you "
            "start the queue, also when napari is closed in between."
        )
        self.empty_label.setWordWrap(True)
        self.start_button = QPushButton(icon("run", GREEN), "St&art queue")
        self.stop_button = QPushButton(icon("cancel", AMBER), "Stop after this run")
        self.pause_box = QCheckBox("Wait for me &between runs")
        self.go_on_box = QCheckBox("&Go on after a failure")
        self.edit_button = self._tool("pencil", "Put this plan back into the editor")
        self.duplicate_button = self._tool("copy", "Run this plan once more")
        self.again_button = self._tool("reload", "Let this plan wait for another turn")
        self.up_button = self._tool("arrow-up-thick", "Earlier")
        self.down_button = self._tool("arrow-down-thick", "Later")
        self.remove_button = self._tool("delete", "Remove this plan")
        self.clear_button = QToolButton()
        self.clear_button.setText("Clear done")
        self.clear_button.setToolTip("Remove what was run")
        self.clear_button.setAutoRaise(True)
        self._lay_out()

        self.start_button.clicked.connect(self._start)
        self.stop_button.clicked.connect(queue.stop)
        self.pause_box.toggled.connect(self._set_options)
        self.go_on_box.toggled.connect(self._set_options)
        self.edit_button.clicked.connect(self._edit)
        self.duplicate_button.clicked.connect(lambda: self._with(queue.duplicate))
        self.again_button.clicked.connect(lambda: self._with(queue.again))
        self.remove_button.clicked.connect(lambda: self._with(queue.remove))
        self.clear_button.clicked.connect(self._clear)
        self.up_button.clicked.connect(lambda: self._move(-1))
        self.down_button.clicked.connect(lambda: self._move(1))
        self.list.itemSelectionChanged.connect(self._update)
        self.list.itemDoubleClicked.connect(lambda _: self._edit())
        model = self.list.model()
        assert model is not None
        model.rowsMoved.connect(self._on_dragged)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()
        self.look()

    def _lay_out(self) -> None:
        tools = QHBoxLayout()
        for tool in (
            self.up_button,
            self.down_button,
            self.edit_button,
            self.duplicate_button,
            self.again_button,
            self.remove_button,
        ):
            tools.addWidget(tool)
        tools.addStretch()
        tools.addWidget(self.clear_button)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button, 1)
        buttons.addWidget(self.stop_button, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.empty_label)
        layout.addWidget(self.list, 1)
        layout.addLayout(tools)
        layout.addWidget(self.pause_box)
        layout.addWidget(self.go_on_box)
        layout.addLayout(buttons)

    def close_down(self) -> None:
        """Look no more; idempotent."""
        self._timer.stop()

    @property
    def selected(self) -> QueueEntry | None:
        """The entry that is selected."""
        item = self.list.currentItem()
        number = None if item is None else item.data(_NUMBER)
        return next((e for e in self._queue.entries if e.number == number), None)

    # ---- what is shown

    def look(self) -> None:
        """Show what has changed."""
        queue = self._queue
        if queue.version != self._version:
            self._version = queue.version
            self._fill()
            self._update()
        elif queue.working:
            self._show_progress()

    def _fill(self) -> None:
        entries = self._queue.entries
        chosen = self.list.currentItem()
        number = None if chosen is None else chosen.data(_NUMBER)
        blocked = self.list.blockSignals(True)
        self.list.clear()
        for entry in entries:
            name, color = _SIGNS[entry.state]
            item = QListWidgetItem(icon(name, color), entry_words(entry))
            item.setData(_NUMBER, entry.number)
            item.setToolTip(str(entry.error or entry.planned.folder))
            self.list.addItem(item)
            if entry.number == number:
                self.list.setCurrentItem(item)
        self.list.blockSignals(blocked)
        self.empty_label.setVisible(not entries)
        self.list.setVisible(bool(entries))
        if self._queue.waiting != self._waiting:
            self._waiting = self._queue.waiting
            self.count_changed.emit(self._waiting)

    def _show_progress(self) -> None:
        run = self._queue.run
        if run is None or run.done:
            return
        for place, entry in enumerate(self._queue.entries):
            item = self.list.item(place)
            if entry.state == "running" and item is not None:
                words = entry_words(entry, run.progress().fraction)
                if item.text() != words:
                    item.setText(words)

    def _update(self) -> None:
        queue, entry = self._queue, self.selected
        waiting = queue.waiting > 0
        self.start_button.setText("&Next run" if queue.held else "St&art queue")
        may_start = waiting and (not queue.working or queue.held or queue.stopping)
        self.start_button.setEnabled(may_start)
        self.stop_button.setEnabled(queue.working and not queue.stopping)
        running = entry is not None and entry.state == "running"
        for button in (self.up_button, self.down_button, self.duplicate_button):
            button.setEnabled(entry is not None)
        self.edit_button.setEnabled(entry is not None)
        self.remove_button.setEnabled(entry is not None and not running)
        again = entry is not None and entry.state in ("finished", "cancelled", "failed")
        self.again_button.setEnabled(again)
        done = any(
            e.state in ("finished", "cancelled", "failed") for e in queue.entries
        )
        self.clear_button.setEnabled(done)
        for box, value in (
            (self.pause_box, queue.pause_between),
            (self.go_on_box, queue.go_on_after_failure),
        ):
            blocked = box.blockSignals(True)
            box.setChecked(value)
            box.blockSignals(blocked)

    # ---- what is done

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Remove the selected plan with the Delete key."""
        if event is not None and event.key() == Qt.Key.Key_Delete:
            self._with(self._queue.remove)
            return
        super().keyPressEvent(event)

    def _start(self) -> None:
        if self._queue.held:
            self._queue.go_on()
        else:
            self._queue.start()
        self.look()

    def _set_options(self) -> None:
        self._queue.pause_between = self.pause_box.isChecked()
        self._queue.go_on_after_failure = self.go_on_box.isChecked()
        self._queue.version += 1

    def _with(self, action: object) -> None:
        entry = self.selected
        if entry is not None and callable(action):
            action(entry.number)
            self.look()

    def _edit(self) -> None:
        entry = self.selected
        if entry is not None:
            self.edit_requested.emit(entry.planned)

    def _clear(self) -> None:
        self._queue.clear_done()
        self.look()

    def _move(self, step: int) -> None:
        row, count = self.list.currentRow(), self.list.count()
        if 0 <= row < count and 0 <= row + step < count:
            numbers = [entry.number for entry in self._queue.entries]
            numbers.insert(row + step, numbers.pop(row))
            self._queue.reorder(numbers)
            self.look()

    def _on_dragged(self) -> None:
        items = (self.list.item(row) for row in range(self.list.count()))
        self._queue.reorder([i.data(_NUMBER) for i in items if i is not None])

    def _tool(self, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setAutoRaise(True)
        return button

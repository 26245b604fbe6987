"""The runs that are watched: frames saved so far, how fast, and what became of them.

Runs of any program and format that this package can follow. One thread looks at all of
them every second (`napari_scope.stream.run_watch`); a run that has ended is not looked
at any more. Following the pixels is the business of `store_watcher`.

Examples
--------
>>> watched = WatchList()  # doctest: +SKIP
>>> watched.watch("/data/run_1.ome.zarr")  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_scope.stream.run_state import StoredRun
from napari_scope.stream.run_watch import RunProgress, RunWatch
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.icons import AMBER, GREEN, NEUTRAL, icon
from napari_scope.widgets.common.wording import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WatchList", "progress_words"]

_INTERVAL_MS: Final = 1000
_STATE: Final = 1  # column
_STATES: Final = {
    StoredRun.WRITTEN: ("being written", "run", GREEN),
    StoredRun.CLOSED: ("finished", "check-circle", GREEN),
    StoredRun.INTERRUPTED: ("interrupted", "error", AMBER),
    StoredRun.UNKNOWN: ("being written?", "circle", AMBER),
    StoredRun.NONE: ("quiet", "circle", NEUTRAL),
}
_TIPS: Final = {
    StoredRun.WRITTEN: "Another program writes to it now",
    StoredRun.CLOSED: "The run has ended, its files are complete",
    StoredRun.INTERRUPTED: "What wrote it was stopped before it closed the files; "
    "Recover completes them, nothing that was saved is changed",
    StoredRun.UNKNOWN: "It was not closed; whether somebody writes cannot be found out",
    StoredRun.NONE: "It has no journal, and no frame came for half a minute",
}


class WatchList(QWidget):
    """Shows how far runs are.

    Parameters
    ----------
    interval_ms : int
        Time between two looks.

    Attributes
    ----------
    looked : Signal
        A run was looked at; carries its place and the `RunProgress`.
    recover_wanted : Signal
        An interrupted run is to be finished; carries its place.
    open_wanted : Signal
        A run is to be opened; carries its place.
    """

    looked = Signal(str, object)
    recover_wanted = Signal(str)
    open_wanted = Signal(str)

    def __init__(self, *, interval_ms: int = _INTERVAL_MS) -> None:
        super().__init__()
        self._watches: dict[str, RunWatch] = {}
        self._progress: dict[str, RunProgress] = {}
        self._items: dict[str, QTreeWidgetItem] = {}
        self._make_widgets()
        self._call = BackgroundCall(self, abandon=True)
        self._call.finished.connect(self._on_looked)
        self._call.failed.connect(lambda _: None)  # the next look may succeed
        self._timer = QTimer(self)
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self.look)
        self.view.itemSelectionChanged.connect(self._show_selection)
        self.view.itemActivated.connect(lambda *_: self._emit(self.open_wanted))
        self.recover_button.clicked.connect(lambda: self._emit(self.recover_wanted))
        self.open_button.clicked.connect(lambda: self._emit(self.open_wanted))
        self.stop_button.clicked.connect(self._remove)
        self._show_selection()

    def _make_widgets(self) -> None:
        self.view = QTreeWidget()
        self.view.setAccessibleName("Watched runs")
        self.view.setHeaderLabels(["Run", "State", "Frames", "Rate", "Last frame"])
        self.view.setRootIsDecorated(False)
        self.view.setUniformRowHeights(True)
        header = self.view.header()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setStretchLastSection(True)
        self.recover_button = QPushButton(icon("check-circle"), "Recover")
        self.recover_button.setToolTip(
            "Complete the files of the interrupted run; nothing that was saved is "
            "changed"
        )
        self.open_button = QPushButton(icon("load"), "Open")
        self.open_button.setToolTip("Open the run and follow it")
        self.stop_button = QPushButton(icon("dismiss"), "Stop")
        self.stop_button.setToolTip(
            "Stop watching: take the run from this list; it goes on"
        )
        self.stop_button.setAccessibleName("Stop watching")
        self.hint_label = QLabel(
            "No run is watched. Runs that other programs write are watched when they "
            "are opened, or by Watch in their menu."
        )
        self.hint_label.setWordWrap(True)
        row = QHBoxLayout()
        for button in (self.recover_button, self.open_button, self.stop_button):
            row.addWidget(button)
        row.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view, 1)
        column.addWidget(self.hint_label)
        column.addLayout(row)

    # ---- what a script may ask and do

    @property
    def progress(self) -> Mapping[str, RunProgress]:
        """How far each run was when it was looked at last."""
        return dict(self._progress)

    def watch(self, place: str) -> None:
        """Look at a run from now on; nothing happens if it is watched already."""
        place = str(Path(place))
        if place in self._watches or "://" in place:
            return
        self._watches[place] = RunWatch(place)
        item = QTreeWidgetItem([Path(place).name, "…", "", "", ""])
        item.setToolTip(0, place)
        item.setData(0, Qt.ItemDataRole.UserRole, place)
        self._items[place] = item
        self.view.addTopLevelItem(item)
        if self.view.currentItem() is None:
            self.view.setCurrentItem(item)
        self._show_selection()
        self.look()
        self._timer.start()

    def again(self, place: str) -> None:
        """Look anew at a run that had ended, because it was recovered or goes on."""
        place = str(Path(place))
        self._progress.pop(place, None)
        if place in self._watches:
            self._watches[place] = RunWatch(place)
            self._timer.start()

    def remove(self, place: str) -> None:
        """Do not look at a run any more."""
        self._watches.pop(place, None)
        self._progress.pop(place, None)
        item = self._items.pop(place, None)
        if item is not None:
            self.view.takeTopLevelItem(self.view.indexOfTopLevelItem(item))
        self._show_selection()

    def look(self) -> None:
        """Look now at all runs that have not ended."""
        if self._call.busy:
            return
        wanted = {
            place: watch
            for place, watch in self._watches.items()
            if place not in self._progress or not self._progress[place].ended
        }
        if not wanted:
            self._timer.stop()
            return
        self._call.start(lambda: _look_at(wanted), "napari-scope watch")

    def close_down(self) -> None:
        """Stop looking; idempotent."""
        self._timer.stop()
        self._call.close()

    # ---- slots

    def _on_looked(self, found: dict[str, RunProgress | str]) -> None:
        for place, progress in found.items():
            item = self._items.get(place)
            if item is None:
                continue
            if isinstance(progress, str):
                item.setText(_STATE, progress)
                continue
            self._progress[place] = progress
            words = progress_words(progress)
            title, name, color = _STATES[progress.state]
            for column, text in enumerate((title, *words), _STATE):
                item.setText(column, text)
            item.setIcon(_STATE, icon(name, color))
            item.setToolTip(_STATE, _TIPS[progress.state])
            self.looked.emit(place, progress)
        self._show_selection()
        if any(place not in self._progress for place in self._watches):
            self.look()

    @property
    def _selected(self) -> str | None:
        item = self.view.currentItem()
        return None if item is None else item.data(0, Qt.ItemDataRole.UserRole)

    def _show_selection(self) -> None:
        place = self._selected
        progress = None if place is None else self._progress.get(place)
        interrupted = progress is not None and progress.state is StoredRun.INTERRUPTED
        self.recover_button.setEnabled(interrupted)
        self.open_button.setEnabled(place is not None)
        self.stop_button.setEnabled(place is not None)
        self.hint_label.setVisible(not self._watches)

    def _emit(self, signal: object) -> None:
        if (place := self._selected) is not None:
            signal.emit(place)  # type: ignore[attr-defined]

    def _remove(self) -> None:
        if (place := self._selected) is not None:
            self.remove(place)


def progress_words(progress: RunProgress) -> tuple[str, str, str]:
    """Return frames, rate and the time since the last frame in words.

    Examples
    --------
    >>> progress_words(RunProgress(12, 80, 2.5, 0.4, StoredRun.WRITTEN))
    ('12 of 80', '2.5 / s', '0.4 s ago')
    """
    of = "" if progress.planned is None else f" of {progress.planned:,}"
    writing = not progress.ended and progress.state is not StoredRun.NONE
    rate = f"{progress.rate:.3g} / s" if writing and progress.rate else ""
    idle = "" if progress.idle_s is None else f"{duration_text(progress.idle_s)} ago"
    return f"{progress.frames:,}{of}", rate, idle


def _look_at(watches: Mapping[str, RunWatch]) -> dict[str, RunProgress | str]:
    found: dict[str, RunProgress | str] = {}
    for place, watch in watches.items():
        try:
            found[place] = watch.look()
        except OSError as error:
            found[place] = error.strerror or str(error)
    return found

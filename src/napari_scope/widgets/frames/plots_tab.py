"""The tab "Plots" of the Metadata dock: any number that was saved, over frames or time.

The table of frames is gone through in a thread, with progress and a button that stops
it; the curves grow meanwhile. The intensity of frames is only computed when it is asked
for, since that reads pixels. What is shown can be saved as a picture or as CSV.

It knows tables of frames, not the viewer: that a point was clicked is a signal.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.fileio import replace_file
from napari_scope.formats.frame_columns import INTERVAL
from napari_scope.formats.frame_intensity import INTENSITIES
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.frames.number_plot import NumberPlot
from napari_scope.widgets.frames.plot_chooser import PlotChooser
from napari_scope.widgets.frames.plot_curves import TableNumbers
from napari_scope.widgets.frames.table_reader import TableReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtpy.QtGui import QImage

    from napari_scope.formats.frame_columns import FrameColumns
    from napari_scope.formats.frame_table import FrameSheet
    from napari_scope.widgets.frames.table_reader import Opener

__all__ = ["PlotsTab"]

_LOOK_MS: Final = 100
_PATIENCE_S: Final = 0.8
_REDRAW_S: Final = 0.5
_SHARE: Final = 10  # drawing may take one part in so many of the time
_NO_TABLE: Final = "Select a layer of a data set."


class PlotsTab(QWidget):
    """Shows numbers of a table of frames.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    frame_clicked : Signal
        The user has clicked on a point; carries the number of its frame.
    read : Signal
        The table, or more of it, was read.
    """

    frame_clicked = Signal(int)
    read = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grown = False
        self._redraw_at_s = self._began_s = 0.0
        self.reader = TableReader(self)
        self.reader.finished.connect(self._on_read)
        self.reader.failed.connect(self._on_failed)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._show_progress)
        self._saved_as = Path()
        self._saving = BackgroundCall(self)
        self._saving.failed.connect(self._on_not_saved)
        self.chooser = PlotChooser()
        self.chooser.changed.connect(self._on_choice)
        self.plot = NumberPlot()
        self.plot.frame_clicked.connect(self.frame_clicked)
        self._make_widgets()
        self._lay_out()
        self._say(_NO_TABLE)

    # ---- layout

    def _make_widgets(self) -> None:
        self.progress_bar = QProgressBar()
        self.progress_bar.setAccessibleName("Frames read")
        self.stop_button = QToolButton()
        self.stop_button.setIcon(icon("cancel"))
        self.stop_button.setToolTip("Stop reading; what was read stays")
        self.stop_button.setAccessibleName("Stop reading")
        self.stop_button.clicked.connect(self.reader.stop)
        self.note_label = QLabel()
        self.note_label.setWordWrap(True)
        self.note_label.setTextFormat(Qt.TextFormat.PlainText)
        self.all_button = QPushButton("Whol&e plot")
        self.all_button.setToolTip("Zoom out to all points")
        self.all_button.clicked.connect(self.plot.show_all)
        self.picture_button = QPushButton("Save p&icture…")
        self.picture_button.setToolTip("Save what is shown as a PNG file")
        self.picture_button.clicked.connect(self._on_picture)
        self.csv_button = QPushButton("Save CSV…")
        self.csv_button.setToolTip("Save the numbers that are shown as a CSV file")
        self.csv_button.clicked.connect(self._on_csv)

    def _lay_out(self) -> None:
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.addWidget(self.chooser)
        self.splitter.addWidget(self.plot)
        self.splitter.setStretchFactor(0, 2)
        self.splitter.setStretchFactor(1, 4)
        self.splitter.setChildrenCollapsible(False)
        bar = QHBoxLayout()
        bar.addWidget(self.progress_bar, 1)
        bar.addWidget(self.stop_button)
        buttons = QHBoxLayout()
        for button in (self.all_button, self.picture_button, self.csv_button):
            buttons.addWidget(button)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.note_label)
        layout.addLayout(bar)
        layout.addLayout(buttons)
        self._show_busy(busy=False)

    # ---- the table

    @property
    def sheet(self) -> FrameSheet | None:
        """The table, once it is open."""
        table = self.reader.so_far
        return None if table is None else table.sheet

    @property
    def busy(self) -> bool:
        """Whether frames are being read."""
        return self.reader.busy

    @property
    def chosen(self) -> list[str]:
        """Names of the values that are plotted."""
        return self.chooser.wanted

    def set_chosen(self, names: Sequence[str]) -> None:
        """Plot other values."""
        self.chooser.set_wanted(names)
        self._on_choice()

    def set_source(self, key: object, opener: Opener | None) -> None:
        """Show another table.

        Parameters
        ----------
        key : object
            Says which table it is; nothing happens if it is the same as before.
        opener : callable, optional
            Opens the table and tells the images of its data set; called in a thread,
            and only when the tab is shown.
        """
        if key == self.reader.key:
            return
        self.reader.set_source(key, opener)
        self.chooser.clear()
        self.plot.show_curves([], "")
        self._show_busy(busy=False)
        self._say("" if opener else _NO_TABLE)
        self._go_on()

    def grow(self) -> None:
        """Read what was added to the store, if the tab is shown."""
        self._grown = True
        self._go_on()

    def showEvent(self, event: Any) -> None:
        """Begin to read when somebody looks."""
        super().showEvent(event)
        self._go_on()

    def shut_down(self) -> None:
        """Stop everything; idempotent."""
        self._timer.stop()
        self.reader.close()
        self._saving.close()

    def _go_on(self) -> None:
        """Read what is missing, in a thread."""
        if not self.isVisible() or self.reader.busy:
            return
        grown, self._grown = self._grown, False
        self.reader.read(
            grown=grown,
            intensities=any(name in INTENSITIES for name in self.chosen),
        )
        if self.reader.busy:
            self._began_s = time.monotonic()
            self._timer.start()

    def _on_read(self) -> None:
        self._show_busy(busy=False)
        self._show_table()
        self._tell_state()
        self.read.emit()
        self._go_on()

    def _on_failed(self, error: object) -> None:
        self._show_busy(busy=False)
        words = explain(error).message if isinstance(error, BaseException) else error
        self._say(f"The frames cannot be read: {words}")

    def _tell_state(self) -> None:
        table = self.reader.table
        if table is None:
            return
        read, total = table.columns.count, len(table.sheet)
        notes = []
        if not total:
            notes.append("There is no frame yet.")
        elif read < total:
            notes.append(f"{read:,} of {total:,} frames were read.")
        if table.intensities is not None and table.intensities.failed:
            failed = table.intensities.failed
            notes.append(f"The pixels of {failed:,} frames cannot be read.")
        if table.intensities is not None and table.intensities.coarse:
            notes.append("The images are so large that a coarser level was taken.")
        self._say(" ".join(notes))

    # ---- progress

    def _show_progress(self) -> None:
        if time.monotonic() > self._redraw_at_s:
            self._show_table()
        done, of = self.reader.progress
        if time.monotonic() < self._began_s + _PATIENCE_S:
            return  # short reads, as of a run that goes on, must not move the plot
        self._show_busy(busy=True)
        self.progress_bar.setRange(0, max(of, 0))
        self.progress_bar.setValue(done)
        self.progress_bar.setFormat(f"{done:,} of {of:,} frames" if of else "reading")

    def _show_busy(self, *, busy: bool) -> None:
        if not busy:
            self._timer.stop()
        self.progress_bar.setVisible(busy)
        self.stop_button.setVisible(busy)

    def _say(self, text: str) -> None:
        self.note_label.setText(text)
        self.note_label.setVisible(bool(text))

    # ---- curves

    def _on_choice(self) -> None:
        self.reader.resume()
        self._redraw()
        self._go_on()

    def _show_table(self) -> None:
        """Show what was read so far; it takes a bounded share of the time."""
        table = self.reader.so_far
        if table is None or not table.columns.count:
            return
        start = time.monotonic()
        if not self.chosen:
            self.chooser.set_wanted(_suggested(table.columns))
        self.chooser.offer(table.columns)
        self._redraw()
        self.plot.paint_now()  # most of the work, on a slow screen
        end = time.monotonic()
        self._redraw_at_s = end + max(_REDRAW_S, _SHARE * (end - start))

    def _numbers(self) -> TableNumbers | None:
        table = self.reader.so_far
        if table is None:
            return None
        return TableNumbers(table.columns, table.intensities)

    def _redraw(self) -> None:
        numbers = self._numbers()
        if numbers is None:
            return
        over = self.chooser.over
        curves = numbers.curves(self.chosen, over=over, split=self.chooser.split)
        self.plot.show_curves(curves, numbers.x(over)[1])

    def set_current(self, frame: int | None) -> None:
        """Mark the frame that the viewer shows."""
        numbers = self._numbers()
        if numbers is None or frame is None or frame >= numbers.count:
            self.plot.set_marker(None)
            return
        self.plot.set_marker(float(numbers.x(self.chooser.over)[0][frame]))

    # ---- export

    def _on_picture(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Save the plot", "plot.png", "Pictures (*.png)"
        )
        if name:
            self.save_picture(Path(name))

    def _on_csv(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Save the numbers", "plot.csv", "Tables (*.csv)"
        )
        if name:
            self.save_csv(Path(name))

    def save_picture(self, path: Path) -> None:
        """Save what is shown as a PNG file, in a thread."""
        self._save(path, partial(_save_picture, self.plot.picture(), path))

    def save_csv(self, path: Path) -> None:
        """Save the numbers that are shown, one line for each frame, in a thread."""
        numbers = self._numbers()
        if numbers is not None:
            names, over = self.chosen, self.chooser.over

            def write() -> None:
                replace_file(path, numbers.as_csv(names, over=over).encode())

            self._save(path, write)

    def _save(self, path: Path, write: Callable[[], None]) -> None:
        if self._saving.busy:
            notify("The file before is still being written", "warning")
            return
        self._saved_as = path
        self._saving.start(write, "napari-scope plot file")

    def _on_not_saved(self, error: BaseException) -> None:
        words = explain(error).message
        notify(f"{self._saved_as} could not be saved: {words}", "error")


def _suggested(columns: FrameColumns) -> list[str]:
    """Return what is worth to be seen first."""
    names = [c.name for c in columns.columns if c.numeric and c.varies]
    if INTERVAL in names:
        return [INTERVAL]
    return [name for name in names if not name.startswith("axes.")][:1]


def _save_picture(picture: QImage, path: Path) -> None:
    if not picture.save(str(path), "PNG"):
        raise OSError(f"no picture can be written to {path.parent}")

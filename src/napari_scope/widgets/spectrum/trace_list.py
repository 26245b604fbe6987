"""The spectra of the plot by name: shown or hidden, coloured, removed.

The list is the legend of the plot. It holds traces and knows not where they come from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QIcon, QKeySequence, QPixmap, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QListWidget,
    QListWidgetItem,
    QWidget,
)

from napari_scope.widgets.spectrum.trace import next_color

if TYPE_CHECKING:
    from napari_scope.widgets.spectrum.trace import Trace

__all__ = ["TraceList"]


class TraceList(QListWidget):
    """Keeps the traces.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    changed : Signal
        There are other traces, or they look different.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._traces: list[Trace] = []
        self.setAccessibleName("Spectra of the plot")
        self.setToolTip(
            "Ticked spectra are drawn. Double click: another colour. Delete: remove."
        )
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setUniformItemSizes(True)
        self.itemChanged.connect(self._on_item)
        self.itemDoubleClicked.connect(self._on_double_click)
        gone = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self)
        gone.setContext(Qt.ShortcutContext.WidgetShortcut)
        gone.activated.connect(self.remove_selected)

    @property
    def traces(self) -> tuple[Trace, ...]:
        """All traces, the shown ones and the others."""
        return tuple(self._traces)

    def sizeHint(self) -> QSize:
        """Ask for four lines."""
        return QSize(200, self.fontMetrics().height() * 6)

    def put(self, trace: Trace) -> None:
        """Add a trace, or replace that of its name, which keeps its colour."""
        for place, old in enumerate(self._traces):
            if old.name == trace.name:
                self._traces[place] = replace(trace, color=old.color, shown=True)
                self._show()
                return
        color = next_color(one.color for one in self._traces)
        self._traces.append(replace(trace, color=color))
        self._show()

    def remove(self, name: str) -> None:
        """Remove a trace."""
        self._traces = [trace for trace in self._traces if trace.name != name]
        self._show()

    def remove_selected(self) -> None:
        """Remove the selected traces."""
        rows = {index.row() for index in self.selectedIndexes()}
        self._traces = [t for n, t in enumerate(self._traces) if n not in rows]
        self._show()

    def clear_traces(self) -> None:
        """Remove all."""
        self._traces = []
        self._show()

    def put_aside(self, title: str, owner: str) -> None:
        """Name new ones after their data set: others of the same names are to come.

        Parameters
        ----------
        title : str
            What the data set is called.
        owner : str
            What tells it from all others.
        """
        self._traces = [
            trace
            if trace.owner
            else replace(
                trace, name=f"{title}: {trace.name}", owner=owner, own=trace.name
            )
            for trace in self._traces
        ]
        self._show()

    def take_back(self, owner: str) -> None:
        """Give those of a data set that is looked at again their own names."""
        self._traces = [
            replace(trace, name=trace.own, owner="") if trace.owner == owner else trace
            for trace in self._traces
        ]
        self._show()

    def set_color(self, row: int, color: str) -> None:
        """Give a trace another colour."""
        self._traces[row] = replace(self._traces[row], color=color)
        self._show()

    def _show(self) -> None:
        self.blockSignals(True)
        self.clear()
        for trace in self._traces:
            item = QListWidgetItem(_swatch(trace.color), trace.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            on = Qt.CheckState.Checked if trace.shown else Qt.CheckState.Unchecked
            item.setCheckState(on)
            item.setToolTip(f"{trace.name}: {len(trace.mz):,} values")
            self.addItem(item)
        self.blockSignals(False)
        self.changed.emit()

    def _on_item(self, item: QListWidgetItem) -> None:
        row = self.row(item)
        shown = item.checkState() == Qt.CheckState.Checked
        if self._traces[row].shown != shown:
            self._traces[row] = replace(self._traces[row], shown=shown)
            self.changed.emit()

    def _on_double_click(self, item: QListWidgetItem) -> None:
        row = self.row(item)
        dialog = QColorDialog(QColor(self._traces[row].color), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        name = self._traces[row].name

        def chosen(color: QColor) -> None:
            for place, trace in enumerate(self._traces):
                if trace.name == name:
                    self.set_color(place, color.name())

        dialog.colorSelected.connect(chosen)
        dialog.open()


def _swatch(color: str) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(color))
    return QIcon(pixmap)

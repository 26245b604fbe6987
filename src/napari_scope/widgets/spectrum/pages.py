"""The pages beside the plot: what they consist of, not what they do.

Ion image, list of m/z, spectra of the plot, and what the file says of itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.frames.field_view import FieldView
from napari_scope.widgets.spectrum.ion_form import IonForm
from napari_scope.widgets.spectrum.mz_table import MzTable
from napari_scope.widgets.spectrum.trace_list import TraceList

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Pages"]


class Pages(QTabWidget):
    """The pages.

    Attributes
    ----------
    form : IonForm
        How ion images are made.
    table : MzTable
        The list of m/z values.
    traces : TraceList
        The spectra of the plot.
    about : FieldView
        What the file says.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = IonForm()
        self.table = MzTable()
        self.traces = TraceList()
        self.about = FieldView()
        self.addTab(_scrolled(self.form), "Io&n image")
        self.addTab(self._spectra_page(), "Spect&ra")
        self.addTab(self._list_page(), "L&ist")
        self.addTab(self.about, "Fil&e")
        for place, tip in enumerate(
            (
                "The ion image of the marker",
                "The spectra of the plot",
                "Many ion images at once",
                "What the file says of itself",
            )
        ):
            self.setTabToolTip(place, tip)

    def sizeHint(self) -> QSize:
        """Ask for the room of the form."""
        return self.form.sizeHint() + QSize(30, 50)

    def minimumSizeHint(self) -> QSize:
        """Be lower than the form: it scrolls."""
        hint = super().minimumSizeHint()
        return QSize(hint.width(), self.fontMetrics().height() * 6)

    def _spectra_page(self) -> QWidget:
        self.mean_button = _button("&Mean", "Mean of the chosen regions, or of all")
        self.skyline_button = _button(
            "S&kyline", "The highest value at each m/z of the chosen regions, or of all"
        )
        self.drawn_button = _button(
            "&Drawn region",
            "Mean of the pixels within the shapes, or under the label, that are drawn",
        )
        self.log_box = QCheckBox("Lo&g")
        self.log_box.setToolTip("Intensities on a logarithmic scale")
        self.relative_box = QCheckBox("Each to &100 %")
        self.relative_box.setToolTip("Draw the highest peak of each spectrum as 100 %")
        self.remove_button = _tool("delete", "Remove the selected spectra")
        self.remove_button.clicked.connect(self.traces.remove_selected)
        top = _row((self.mean_button, self.skyline_button, self.drawn_button))
        bottom = _row((self.log_box, self.relative_box))
        bottom.addStretch(1)
        bottom.addWidget(self.remove_button)
        return _page(top, self.traces, bottom)

    def _list_page(self) -> QWidget:
        self.paste_button = _tool("copy", "Paste a list of name, m/z, tolerance")
        self.open_button = _tool("folder", "Open a list (CSV)")
        self.save_button = _tool("save", "Save the list as CSV")
        self.drop_button = _tool("delete", "Remove the selected rows")
        self.drop_button.clicked.connect(self.table.remove_selected)
        self.all_button = _button(
            "A&dd ticked", "Add the ion images of all ticked rows as coloured layers"
        )
        bottom = _row((self.all_button,))
        bottom.addStretch(1)
        for button in (
            self.paste_button,
            self.open_button,
            self.save_button,
            self.drop_button,
        ):
            bottom.addWidget(button)
        return _page(None, self.table, bottom)


def _page(top: QHBoxLayout | None, body: QWidget, bottom: QHBoxLayout) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(4, 4, 4, 4)
    if top is not None:
        layout.addLayout(top)
    layout.addWidget(body, 1)
    layout.addLayout(bottom)
    return page


def _row(widgets: Sequence[QWidget]) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row


def _scrolled(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _tool(name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(icon(name))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setAutoRaise(True)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button

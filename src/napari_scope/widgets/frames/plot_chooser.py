"""What is plotted: a list of values to check, over what, and a curve for each of what.

It knows the columns of a table of frames and nothing of how they are drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_scope.formats.frame_intensity import INTENSITIES
from napari_scope.widgets.frames.plot_curves import BY_NUMBER, BY_TIME, TITLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_scope.formats.frame_columns import FrameColumns

__all__ = ["PlotChooser"]

_NAME = Qt.ItemDataRole.UserRole


class PlotChooser(QWidget):
    """Offers the values of a table.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    changed : Signal
        The user has chosen something else.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wanted: list[str] = []
        self._filling = False
        self._chose_split = False
        self.filter_edit = QLineEdit()
        self.filter_edit.setPlaceholderText("Find a value")
        self.filter_edit.setAccessibleName("Find a value")
        self.filter_edit.setToolTip("List only values whose name contains this text")
        self.filter_edit.setClearButtonEnabled(True)
        self.list = QListWidget()
        self.list.setAccessibleName("Values to plot")
        self.list.setToolTip("Check the values to plot; those of one unit share a plot")
        self.x_box = QComboBox()
        self.x_box.setAccessibleName("Over")
        self.x_box.setToolTip("What the values are plotted over")
        self.split_box = QComboBox()
        self.split_box.setAccessibleName("A curve for each")
        self.split_box.setToolTip("Draw a curve of its own for each value of this axis")
        form = QFormLayout()
        form.addRow("&Over", self.x_box)
        form.addRow("&A curve for each", self.split_box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.filter_edit)
        layout.addWidget(self.list, 1)
        layout.addLayout(form)
        self.filter_edit.textChanged.connect(self._on_filter)
        self.list.itemChanged.connect(self._on_checked)
        self.x_box.currentIndexChanged.connect(self._on_choice)
        self.split_box.currentIndexChanged.connect(self._on_choice)

    # ---- what is chosen

    @property
    def wanted(self) -> list[str]:
        """Names of the values that are checked."""
        return list(self._wanted)

    def set_wanted(self, names: Sequence[str]) -> None:
        """Check other values; those that the table lacks are remembered."""
        self._wanted = list(dict.fromkeys(names))
        self._check()

    @property
    def over(self) -> str:
        """What the values are plotted over."""
        return str(self.x_box.currentData() or BY_NUMBER)

    @property
    def split(self) -> str:
        """The axis of whose values each has a curve; empty for none."""
        return str(self.split_box.currentData() or "")

    # ---- what is offered

    def clear(self) -> None:
        """Offer nothing."""
        self._filling = True
        for part in (self.list, self.x_box, self.split_box):
            part.clear()
        self._chose_split = False
        self._filling = False

    def offer(self, columns: FrameColumns) -> None:
        """Offer the columns with numbers; what was chosen stays."""
        found = [c for c in columns.columns if c.numeric]
        own = [c for c in found if not c.name.startswith("axes.")]
        rows = [(c.name, c.unit, True) for c in own if c.varies]
        rows += [(name, "", True) for name in INTENSITIES]
        rows += [(c.name, c.unit, False) for c in own if not c.varies]
        self._filling = True
        if [item.data(_NAME) for item in self._items()] != [row[0] for row in rows]:
            self.list.clear()
            for name, unit, varies in rows:
                self.list.addItem(_item(name, unit, varies=varies))
        overs = [(BY_TIME, "time (s)")] if BY_TIME in columns else []
        overs.append((BY_NUMBER, "frame number"))
        overs += [(c.name, c.name[5:]) for c in found if c not in own]
        _offer(self.x_box, overs)
        axes = [c.name for c in columns.columns if c.name.startswith("axes.")]
        splits = [("", "nothing: one curve")]
        splits += [(n, n[5:]) for n in axes if len(columns.groups(n)[1]) > 1]
        _offer(self.split_box, splits)
        channel = self.split_box.findData("axes.channel")
        if not self._chose_split and channel >= 0:
            self.split_box.setCurrentIndex(channel)
        self._filling = False
        self._check()
        self._on_filter(self.filter_edit.text())

    def _items(self) -> Iterator[QListWidgetItem]:
        for number in range(self.list.count()):
            item = self.list.item(number)
            if item is not None:
                yield item

    def _check(self) -> None:
        self._filling = True
        for item in self._items():
            on = item.data(_NAME) in self._wanted
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
        self._filling = False

    # ---- what the user does

    def _on_filter(self, text: str) -> None:
        wanted = text.strip().casefold()
        for item in self._items():
            item.setHidden(wanted not in item.text().casefold())

    def _on_checked(self, item: QListWidgetItem) -> None:
        if self._filling:
            return
        name = str(item.data(_NAME))
        self._wanted = [known for known in self._wanted if known != name]
        if item.checkState() == Qt.CheckState.Checked:
            self._wanted.append(name)
        self.changed.emit()

    def _on_choice(self, _: int) -> None:
        if not self._filling:
            self._chose_split = True
            self.changed.emit()


def _item(name: str, unit: str, *, varies: bool) -> QListWidgetItem:
    text = TITLES.get(name, name)
    if unit and name in TITLES:
        text = f"{text} ({unit})"
    item = QListWidgetItem(text if varies else f"{text}, always the same")
    item.setData(_NAME, name)
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
    item.setToolTip(
        "Computed from the pixels of all frames when it is checked"
        if name in INTENSITIES
        else name
    )
    return item


def _offer(box: QComboBox, choices: Sequence[tuple[str, str]]) -> None:
    """Offer choices; keep what is chosen."""
    before = box.currentData()
    if [box.itemData(n) for n in range(box.count())] == [data for data, _ in choices]:
        return
    box.clear()
    for data, text in choices:
        box.addItem(text, data)
    box.setCurrentIndex(max(box.findData(before), 0))

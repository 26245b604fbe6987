"""The list of positions: gathered from the stage, from points, from tiles, from files.

It holds a `PositionModel`, shows it and lets the user change it. Files are read and
written in a thread. Where to go and what becomes of the list is said by signals.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import useq
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.events.position_lists import (
    POSITION_SUFFIXES,
    PositionList,
    load_positions,
    save_positions,
)
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.space.position_table import PositionModel
from napari_scope.widgets.space.world import points_of

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtGui import QKeyEvent

    from napari_scope.acquire.stage_watch import StagePlace

__all__ = ["PositionBox"]

_MOST_REMEMBERED = 2000
_FILTER = "Positions ({})".format(
    " ".join(f"*{suffix}" for suffix in POSITION_SUFFIXES)
)


class PositionBox(QWidget):
    """Edits a list of positions.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer, for its layers of points.
    parent : QWidget, optional
        Owner.

    Attributes
    ----------
    changed : Signal
        The list is another one.
    go_requested : Signal
        Go to a position: a `useq.AbsolutePosition`.
    offered : Signal
        The list is to be put into a plan: a tuple of positions.
    failed : Signal
        An exception, and what did not happen.
    """

    changed = Signal()
    go_requested = Signal(object)
    offered = Signal(object)
    failed = Signal(object, str)

    def __init__(
        self, viewer: napari.viewer.Viewer, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._place: StagePlace | None = None
        self._devices = ("XYStage", "ZStage")
        self._folder = Path.home()
        self._file = BackgroundCall(self)
        self._file.finished.connect(self._on_file)
        self._file.failed.connect(self._on_no_file)
        self.model = PositionModel(self)
        self._build()
        self.model.changed.connect(self._on_changed)
        if (selection := self.table.selectionModel()) is not None:
            selection.selectionChanged.connect(self._show)
        self._show()

    # ---- what others may do

    @property
    def positions(self) -> tuple[useq.AbsolutePosition, ...]:
        """The list."""
        return self.model.positions

    @property
    def busy(self) -> bool:
        """Whether a file is being read or written."""
        return self._file.busy

    def set_place(self, place: StagePlace) -> None:
        """Say where the stage is."""
        self._place = place
        self._show()

    def set_devices(self, xy: str, focus: str) -> None:
        """Say what the stages are called, for Micro-Manager's files."""
        self._devices = (xy or "XYStage", focus or "ZStage")

    def add_here(self) -> None:
        """Add where the stage is."""
        here = self._here()
        if here:
            self.model.add([useq.AbsolutePosition(**here)])
            self.table.scrollToBottom()

    def add_points(self) -> None:
        """Add the points of the selected layers of points, else of all of them."""
        layers = [
            layer for layer in self._viewer.layers if layer._type_string == "points"
        ]
        chosen = [layer for layer in layers if layer in self._viewer.layers.selection]
        found = [
            (layer.name, x, y)
            for layer in chosen or layers
            for x, y in points_of(self._viewer, layer)
        ]
        if not found:
            notify("There are no points: add a layer of points and mark places in it.")
            return
        z = self._height()
        self.model.add(
            useq.AbsolutePosition(x=round(x, 3), y=round(y, 3), z=z, name=f"{name} {n}")
            for n, (name, x, y) in enumerate(found)
        )

    def load(self, path: str | Path) -> None:
        """Replace the list by that of a file."""
        if not self._file.busy:
            self._file.start(lambda: load_positions(path), "napari-scope positions")

    def save(self, path: str | Path) -> None:
        """Write the list to a file; the suffix says which kind."""
        if self._file.busy:
            return
        positions, (xy, focus) = self.positions, self._devices
        self._file.start(
            lambda: save_positions(path, positions, xy_device=xy, z_device=focus),
            "napari-scope positions",
        )

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered; long lists belong into a file."""
        kept = self.positions if len(self.positions) <= _MOST_REMEMBERED else ()
        return {
            "positions": [
                position.model_dump(mode="json", exclude_defaults=True)
                for position in kept
            ],
            "with_z": self.with_z.isChecked(),
            "folder": str(self._folder),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.with_z.setChecked(bool(state.get("with_z", True)))
        self._folder = Path(str(state.get("folder", Path.home())))
        self.model.set_positions(
            useq.AbsolutePosition.model_validate(item)
            for item in state.get("positions", [])
        )

    def close_down(self) -> None:
        """Wait for a file that is being written; idempotent."""
        self._file.close()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Remove with Delete."""
        if event is not None and event.key() == Qt.Key.Key_Delete:
            self._remove()
        else:
            super().keyPressEvent(event)

    # ---- the buttons

    def _height(self) -> float | None:
        place = self._place
        return place.z_um if place is not None and self.with_z.isChecked() else None

    def _here(self) -> dict[str, Any]:
        place = self._place
        if place is None:
            return {}
        found = {"x": place.x_um, "y": place.y_um, "z": self._height()}
        return {k: round(v, 3) for k, v in found.items() if v is not None}

    def _rows(self) -> list[int]:
        selection = self.table.selectionModel()
        if selection is None:
            return []
        return sorted({index.row() for index in selection.selectedIndexes()})

    def _select(self, rows: list[int]) -> None:
        self.table.clearSelection()
        mode = self.table.selectionMode()
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.MultiSelection)
        for row in rows:
            self.table.selectRow(row)
        self.table.setSelectionMode(mode)

    def _go(self) -> None:
        rows = self._rows()
        if rows:
            self.go_requested.emit(self.positions[rows[0]])

    def _go_to_index(self, row: int) -> None:
        self.go_requested.emit(self.positions[row])

    def _update(self) -> None:
        rows, here = self._rows(), self._here()
        if len(rows) == 1 and here:
            self.model.update(rows[0], **here)

    def _remove(self) -> None:
        rows = self._rows()
        if rows:
            self.model.remove(rows)
            left = len(self.positions)
            if left:
                self.table.selectRow(min(rows[0], left - 1))

    def _move(self, by: int) -> None:
        rows = self._rows()
        if rows:
            self._select(self.model.move(rows, by))

    def _ask_load(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Load positions", str(self._folder), _FILTER
        )
        if name:
            self._folder = Path(name).parent
            self.load(name)

    def _ask_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Save positions", str(self._folder / "positions.pos"), _FILTER
        )
        if name:
            path = Path(name)
            self._folder = path.parent
            self.save(path if path.suffix else path.with_suffix(".pos"))

    # ---- outcomes

    def _on_file(self, found: object) -> None:
        notes: tuple[str, ...]
        if isinstance(found, PositionList):
            self.model.set_positions(found.positions)
            notes = found.notes
        else:
            notes = tuple(found) if isinstance(found, tuple) else ()
        for note in notes:
            notify(note[:1].upper() + note[1:], "warning")

    def _on_no_file(self, error: object) -> None:
        self.failed.emit(error, "The list of positions")

    def _on_changed(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self, *_args: object) -> None:
        rows, there = self._rows(), bool(self.positions)
        for button in (self.remove_button, self.up_button, self.down_button):
            button.setEnabled(bool(rows))
        self.go_button.setEnabled(len(rows) == 1)
        self.update_button.setEnabled(len(rows) == 1 and self._place is not None)
        self.add_button.setEnabled(self._place is not None)
        self.save_button.setEnabled(there)
        self.offer_button.setEnabled(there)
        count = len(self.positions)
        words = {0: "No positions yet", 1: "1 position"}
        self.count.setText(words.get(count, f"{count} positions"))

    # ---- layout

    def _build(self) -> None:
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setAccessibleName("Positions")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        header = self.table.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            # The widths of a thousand rows are those of the first ones.
            header.setResizeContentsPrecision(50)
        rows = self.table.verticalHeader()
        if rows is not None:
            rows.setToolTip("Double click a number to go there")
            rows.sectionDoubleClicked.connect(self._go_to_index)
        self.table.setMinimumHeight(self.fontMetrics().lineSpacing() * 9)
        self.with_z = QCheckBox("With z")
        self.with_z.setChecked(True)
        self.with_z.setToolTip("Positions that are added get the height of the focus")
        self.add_button = self._button(
            "Add here", "Add where the stage is", self.add_here
        )
        self.points_button = self._button(
            "From points", "Add the points of the selected layers", self.add_points
        )
        self.go_button = self._button("Go to", "Go to the selected position", self._go)
        self.update_button = self._button(
            "Update", "Let the selected position be where the stage is", self._update
        )
        self.remove_button = self._button(
            "Remove", "Remove the selected positions (Delete)", self._remove
        )
        self.load_button = self._button(
            "Load", "Load a list: Micro-Manager's .pos, csv, yaml, json", self._ask_load
        )
        self.save_button = self._button(
            "Save",
            "Save the list: Micro-Manager's .pos, csv, yaml, json",
            self._ask_save,
        )
        self.offer_button = self._button(
            "Into the plan",
            "Put the positions into the plan of the Acquire dock",
            lambda: self.offered.emit(self.positions),
        )
        self.up_button = self._small("arrow-up-thick", "Move up", -1)
        self.down_button = self._small("arrow-down-thick", "Move down", 1)
        self.count = QLabel()
        line = QHBoxLayout()
        line.addWidget(self.count, 1)
        line.addWidget(self.with_z)
        line.addWidget(self.up_button)
        line.addWidget(self.down_button)
        grid = QGridLayout()
        for place, button in enumerate(
            (
                self.add_button,
                self.points_button,
                self.update_button,
                self.go_button,
                self.remove_button,
                self.offer_button,
                self.load_button,
                self.save_button,
            )
        ):
            grid.addWidget(button, place // 2, place % 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table, 1)
        layout.addLayout(line)
        layout.addLayout(grid)

    def _button(self, text: str, tip: str, call: Any) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda _=False: call())
        return button

    def _small(self, name: str, tip: str, by: int) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.clicked.connect(lambda _=False: self._move(by))
        return button

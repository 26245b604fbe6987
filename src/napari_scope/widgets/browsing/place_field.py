"""A field for the place of a store: typed, pasted, chosen, or one of those of late.

It knows neither trees nor stores; `place_chosen` says what the user wants to see. The
list of those of late is a file, which is read and written in a thread.

Examples
--------
>>> field = PlaceField()  # doctest: +SKIP
>>> field.place_chosen.connect(print)  # doctest: +SKIP
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtCore import QUrl, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QToolButton, QWidget

from napari_scope.widgets.browsing.recent_places import (
    load_places,
    recent_file,
    remember_place,
)
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.icons import icon

__all__ = ["PlaceField", "cleaned"]


class PlaceField(QWidget):
    """Lets the user say which folder or address is meant.

    Attributes
    ----------
    place_chosen : Signal
        The user wants a place; carries the path or address.
    """

    place_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.box = QComboBox()
        self.box.setEditable(True)
        self.box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(12)
        self.box.setAccessibleName("Place")
        self.box.setToolTip("Path, or http:// or s3:// address; Return reads it")
        self.button = QToolButton()
        self.button.setIcon(icon("folder"))
        self.button.setToolTip("Choose a folder to look into")
        self.button.setAccessibleName("Choose a folder to look into")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, 1)
        row.addWidget(self.button)

        self.box.activated.connect(lambda _: self._choose(self.box.currentText()))
        edit = self.box.lineEdit()
        if edit is not None:
            edit.setPlaceholderText("Folder or address")
            edit.returnPressed.connect(lambda: self._choose(self.box.currentText()))
        self.button.clicked.connect(self._ask)
        self._remembered: list[str] = []
        self._list = BackgroundCall(self, abandon=True)
        self._list.finished.connect(self._on_listed)
        # Which file that is is known now, whatever changes while the thread waits.
        self._list.start(
            partial(load_places, recent_file()), "napari-scope recent places"
        )

    @property
    def place(self) -> str:
        """What stands in the field."""
        return cleaned(self.box.currentText())

    def show_place(self, place: str) -> None:
        """Show a place; nothing is told."""
        self.box.setEditText(place)

    def remember(self, place: str) -> None:
        """Put a place that was read first among those of late."""
        self._remembered.append(place)
        self._go_on()

    def close_down(self) -> None:
        """Wait for no file any more; idempotent."""
        self._remembered.clear()
        self._list.close()

    def _go_on(self) -> None:
        if self._remembered and not self._list.busy:
            place = self._remembered.pop(0)
            self._list.start(
                partial(remember_place, place, recent_file()),
                "napari-scope recent places",
            )

    def _on_listed(self, places: list[str]) -> None:
        shown = self.box.currentText()
        self.box.blockSignals(True)
        self.box.clear()
        self.box.addItems(places)
        self.box.setCurrentIndex(-1)
        self.box.blockSignals(False)
        self.box.setEditText(shown)
        self._go_on()

    def _choose(self, text: str) -> None:
        if place := cleaned(text):
            self.place_chosen.emit(place)

    def _ask(self) -> None:
        here = self.place if "://" not in self.place else ""
        if chosen := QFileDialog.getExistingDirectory(self, "Look into a folder", here):
            self._choose(chosen)


def cleaned(place: str) -> str:
    """Return a place as it was pasted: without quotes, or as an address of a file.

    Examples
    --------
    >>> cleaned(' "/data/plate.zarr" ')
    '/data/plate.zarr'
    """
    place = place.strip().strip("\"'")
    if place.startswith("file://"):
        return QUrl(place).toLocalFile()
    return str(Path(place).expanduser()) if place.startswith("~") else place

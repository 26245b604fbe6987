"""How to explore, and how far it is: folder, channels, heights; start, pause, finish.

The box holds the wishes of the user and shows what it is told. It starts nothing: its
signals say what was clicked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.common.icons import AMBER, GREEN, RED, icon
from napari_scope.widgets.common.narrow import keep_narrow
from napari_scope.widgets.space.explore_wish import ExploreWish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.acquire.explore_parts import Explored

__all__ = ["ExploreBox"]

_LINES = 3.4


class ExploreBox(QWidget):
    """The form of an exploration.

    Parameters
    ----------
    folder : Path
        Where to save at first.
    parent : QWidget, optional
        Owner.

    Attributes
    ----------
    start_requested, finish_requested, clear_requested : Signal
        A button was clicked.
    pause_requested : Signal
        Rest or go on: a bool.
    resume_requested : Signal
        Go on with a mosaic: its folder, a str.
    wish_changed : Signal
        How many images are taken of each tile.
    """

    start_requested = Signal()
    finish_requested = Signal()
    clear_requested = Signal()
    pause_requested = Signal(bool)
    resume_requested = Signal(str)
    wish_changed = Signal(int)

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wanted: set[str] = set()
        self._own: dict[str, Any] | None = None
        self.latest = ""
        self._build()
        self.folder.setText(str(folder))
        self.show_state(None, running=False, ending=False)

    def wish(self, overlap_px: tuple[int, int] = (0, 0)) -> ExploreWish:
        """Return how to explore."""
        return ExploreWish(
            folder=self.folder.text().strip(),
            name=self.name.text().strip() or "explore",
            overlap_px=overlap_px,
            channels=tuple(self.chosen_channels()),
            z_step_um=self.z_step.value(),
            below=self.below.value(),
            above=self.above.value(),
        )

    def chosen_channels(self) -> list[str]:
        """Return the channels that are ticked."""
        items = [self.channels.item(n) for n in range(self.channels.count())]
        return [
            item.text()
            for item in items
            if item is not None and item.checkState() == Qt.CheckState.Checked
        ]

    def set_channels(self, names: Sequence[str]) -> None:
        """Offer other channels; those that were ticked stay so."""
        ticked = set(self.chosen_channels()) | self._wanted
        self.channels.blockSignals(True)
        self.channels.clear()
        for name in names:
            item = QListWidgetItem(name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            on = name in ticked
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.channels.addItem(item)
        self.channels.blockSignals(False)
        if names:
            self._wanted = set()
        self.channels.setVisible(bool(names))
        self._channels_label.setVisible(bool(names))
        self._tell()

    def show_state(
        self, explored: Explored | None, *, running: bool, ending: bool, why: str = ""
    ) -> None:
        """Show how far it is.

        Parameters
        ----------
        explored : Explored, optional
            What is known.
        running, ending : bool
            Whether tiles can be asked for; whether it is being closed.
        why : str
            Why it cannot begin; empty if it can.
        """
        busy = running or ending
        self._form.setEnabled(not busy)
        self.start_button.setVisible(not busy)
        self.start_button.setEnabled(not why)
        self.start_button.setToolTip(
            why or "Begin a mosaic here; double clicks and outlines fill it with tiles"
        )
        self.resume_button.setVisible(not busy)
        self.resume_button.setEnabled(not why)
        self.resume_button.setToolTip(
            why or "Open a mosaic that was finished or interrupted, and add tiles to it"
        )
        for button in (self.finish_button, self.pause_button, self.clear_button):
            button.setVisible(busy)
            button.setEnabled(running)
        if not busy:
            self.pause_button.setChecked(False)
        self.status.setText(_words(explored, running, ending))
        self.status.setVisible(bool(self.status.text()))

    def show_wish(self, wish: ExploreWish | None) -> None:
        """Show how it explores; None puts back what the user had chosen."""
        if self._own is None and wish is not None:
            self._own = self.state()
        own = self._own or {}
        if wish is None:
            self._own = None
            if own:
                self._show(own)
            return
        self._show(
            {
                "channels": wish.channels,
                "z_step": wish.z_step_um,
                "below": wish.below,
                "above": wish.above,
                "name": own.get("name", ""),
            }
        )

    def _show(self, state: dict[str, Any]) -> None:
        self.restore(state)
        for number in range(self.channels.count()):
            if (item := self.channels.item(number)) is not None:
                on = item.text() in self._wanted
                item.setCheckState(
                    Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
                )
        if self.channels.count():
            self._wanted = set()  # else they are ticked again with the next list

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        if self._own is not None:
            return self._own
        return {
            "name": self.name.text(),
            "channels": self.chosen_channels() or sorted(self._wanted),
            "z_step": self.z_step.value(),
            "below": self.below.value(),
            "above": self.above.value(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state; channels are ticked when they are known."""
        self.name.setText(str(state.get("name", "explore")))
        self._wanted = {str(name) for name in state.get("channels", [])}
        self.z_step.setValue(float(state.get("z_step", 1.0)))
        self.below.setValue(int(state.get("below", 0)))
        self.above.setValue(int(state.get("above", 0)))

    def _build(self) -> None:
        self.folder = QLineEdit()
        self.folder.setToolTip("Folder in which the mosaic is saved")
        self.folder.setAccessibleName("Folder")
        browse = QToolButton()
        browse.setIcon(icon("folder"))
        browse.setToolTip("Choose the folder")
        browse.setAccessibleName("Choose the folder")
        browse.clicked.connect(self._browse)
        self.name = QLineEdit("explore")
        self.name.setToolTip("Name of the mosaic; a number is added to it")
        self.name.setAccessibleName("Name")
        self.channels = QListWidget()
        self.channels.setToolTip(
            "Channels that are taken of each tile; none takes one image as the camera "
            "stands"
        )
        self.channels.setAccessibleName("Channels")
        self.channels.itemChanged.connect(self._tell)
        self.channels.setMaximumHeight(
            int(self.fontMetrics().lineSpacing() * 1.35 * _LINES)
        )
        self.below = self._count("Planes below the focus")
        self.above = self._count("Planes above the focus")
        self.z_step = QDoubleSpinBox()
        self.z_step.setRange(0.01, 1000)
        self.z_step.setValue(1.0)
        self.z_step.setSuffix(" µm")
        keep_narrow(self.z_step, "--- 0.00 µm +++")
        self.z_step.setToolTip("Distance of two planes of the stack")
        self.z_step.setAccessibleName("Distance of two planes of the stack")
        self._form = QWidget()
        form = QGridLayout(self._form)
        form.setContentsMargins(0, 0, 0, 0)
        place = QHBoxLayout()
        place.addWidget(self.folder, 1)
        place.addWidget(browse)
        form.addWidget(QLabel("Folder"), 0, 0)
        form.addLayout(place, 0, 1)
        form.addWidget(QLabel("Name"), 1, 0)
        form.addWidget(self.name, 1, 1)
        self._channels_label = QLabel("Channels")
        form.addWidget(self._channels_label, 2, 0, Qt.AlignmentFlag.AlignTop)
        form.addWidget(self.channels, 2, 1)
        heights = QHBoxLayout()
        for text, box in (("below", self.below), ("above", self.above)):
            box.setSuffix(f" {text}")
            heights.addWidget(box, 1)
        form.addWidget(QLabel("Z planes"), 3, 0)
        form.addLayout(heights, 3, 1)
        form.addWidget(QLabel("Z step"), 4, 0)
        form.addWidget(self.z_step, 4, 1)
        form.setColumnStretch(1, 1)

        self.start_button = self._button("Start exploring", "run", GREEN, "")
        self.resume_button = self._button("Go on with…", "folder", None, "")
        self.finish_button = self._button(
            "Finish", "cancel", RED, "Take what waits, close the files, free the stage"
        )
        self.pause_button = self._button(
            "Pause", "pause", AMBER, "Rest after the tile that is being taken"
        )
        self.pause_button.setCheckable(True)
        self.clear_button = self._button(
            "Clear", "dismiss", None, "Forget the tiles that wait"
        )
        self.start_button.clicked.connect(self.start_requested)
        self.resume_button.clicked.connect(self._choose)
        self.finish_button.clicked.connect(self.finish_requested)
        self.clear_button.clicked.connect(self.clear_requested)
        self.pause_button.toggled.connect(self.pause_requested)
        buttons = QHBoxLayout()
        for button in (
            self.start_button,
            self.resume_button,
            self.finish_button,
            self.pause_button,
            self.clear_button,
        ):
            buttons.addWidget(button)
        self.status = QLabel()
        self.status.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._form)
        layout.addLayout(buttons)
        layout.addWidget(self.status)

    def _button(self, text: str, name: str, color: str | None, tip: str) -> QPushButton:
        button = QPushButton(icon(name, color), text)
        button.setToolTip(tip)
        return button

    def _count(self, tip: str) -> QSpinBox:
        box = QSpinBox()
        box.setRange(0, 500)
        box.setToolTip(tip)
        box.setAccessibleName(tip)
        keep_narrow(box, "-- 0 above +++")
        box.valueChanged.connect(self._tell)
        return box

    def _tell(self, *_args: object) -> None:
        self.wish_changed.emit(self.wish().images_per_tile)

    def _browse(self) -> None:
        here = self.folder.text() or str(Path.home())
        if chosen := QFileDialog.getExistingDirectory(self, "Save mosaics in", here):
            self.folder.setText(chosen)

    def _choose(self) -> None:
        here = self.latest or self.folder.text() or str(Path.home())
        title = "Go on with the mosaic in the folder"
        if chosen := QFileDialog.getExistingDirectory(self, title, here):
            self.resume_requested.emit(chosen)


def _words(explored: Explored | None, running: bool, ending: bool) -> str:
    if explored is None:
        return "The mosaic is being begun" if running else ""
    count = len(explored.taken)
    parts = [f"{count} {'tile' if count == 1 else 'tiles'} saved"]
    if explored.waiting:
        parts.append(f"{len(explored.waiting)} wait")
    if explored.skipped:
        images = "image" if explored.skipped == 1 else "images"
        parts.append(f"{explored.skipped} {images} skipped")
    text = ", ".join(parts)
    if ending:
        text = f"Files are being closed: {text}"
    elif running and str(explored.state) in ("paused", "pausing"):
        text = f"Paused: {text}"
    if explored.reasons:
        text += f"\nThe last one: {explored.reasons[-1]}"
    return text

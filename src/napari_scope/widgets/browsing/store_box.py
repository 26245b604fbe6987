"""The group "Data" of the Browse dock: the store that is shown, and how to open others.

It shows name, state, place and problems of a data set, and holds the buttons and the
choices of how data are opened. Buttons and choices are signals of its parts: what
follows from them is the business of `napari_scope.widgets.browsing.browse_dock`. It
knows nothing of the viewer and reads no file.

Examples
--------
>>> box = StoreBox(BrowsePreferences(positions="tiles"))  # doctest: +SKIP
>>> box.show_dataset(open_dataset("/data/run_1"))  # doctest: +SKIP
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
)

from napari_scope.layers.preferences import BrowsePreferences
from napari_scope.stream.run_state import StoredRun
from napari_scope.widgets.browsing.store_facts import facts_line, msi_facts_line
from napari_scope.widgets.browsing.watch_list import progress_words
from napari_scope.widgets.common.icons import AMBER, GREEN, icon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.layers.msi import MSILayer
    from napari_scope.layers.preferences import Positions
    from napari_scope.model import Dataset
    from napari_scope.stream.run_watch import RunProgress

__all__ = ["StoreBox"]

_POSITIONS: Final[dict[Positions, tuple[str, str]]] = {
    "auto": ("Automatic", "Tiles, but a slider when there would be many layers"),
    "tiles": ("Tiles", "Each position is a layer of its own at its stage place"),
    "slider": ("Slider", "All positions share a layer, with a slider p"),
}


class StoreBox(QGroupBox):
    """Shows a data set, and holds the choices of how data are opened.

    Parameters
    ----------
    preferences : BrowsePreferences
        The choices at first.

    Attributes
    ----------
    preferences_changed : Signal
        The user has chosen something else; carries the `BrowsePreferences`.
    """

    preferences_changed = Signal(object)

    def __init__(self, preferences: BrowsePreferences) -> None:
        super().__init__("Data")
        self._make_widgets(preferences)
        self._lay_out()
        self.positions_box.currentIndexChanged.connect(self._on_choice)
        self.follow_check.toggled.connect(self._on_choice)

    @property
    def preferences(self) -> BrowsePreferences:
        """What is chosen."""
        return BrowsePreferences(
            positions=self.positions_box.currentData(),
            follow=self.follow_check.isChecked(),
        )

    def _on_choice(self, _: object = None) -> None:
        self.preferences_changed.emit(self.preferences)

    # ---- layout

    def _make_widgets(self, preferences: BrowsePreferences) -> None:
        self.name_label = QLabel()
        font = self.name_label.font()
        font.setBold(True)
        self.name_label.setFont(font)
        self.name_label.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.state_icon = QLabel()
        self.state_label = QLabel()
        self.path_edit = QLineEdit()
        self.path_edit.setReadOnly(True)
        self.path_edit.setFrame(False)
        self.path_edit.setAccessibleName("Path of the store")
        self.facts_label = QLabel()
        self.facts_label.setWordWrap(True)
        self.progress_label = QLabel()
        self.progress_label.setVisible(False)
        self.progress_label.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.problems_label = QLabel()
        self.problems_text = _ShortText()
        self.problems_text.setAccessibleName("Problems")

        self.positions_box = QComboBox()
        for value, (title, tip) in _POSITIONS.items():
            self.positions_box.addItem(title, value)
            self.positions_box.setItemData(
                self.positions_box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole
            )
        self.positions_box.setCurrentIndex(
            self.positions_box.findData(preferences.positions)
        )
        self.positions_box.setToolTip(
            "How positions are shown in data that are opened from now on"
        )
        self.positions_box.setAccessibleName("Positions")
        self.follow_check = QCheckBox("Follow while it is written")
        self.follow_check.setChecked(preferences.follow)
        self.follow_check.setToolTip(
            "Show new frames as they are saved; a time slider at its end moves on"
        )
        self.open_button = _button(
            "folder", "&Open…", "Open the folder of an NDTiff or OME-Zarr data set"
        )
        self.open_file_button = QToolButton()
        self.open_file_button.setIcon(icon("document-add-24-regular"))
        self.open_file_button.setToolTip(
            "Open a file: OME-TIFF, zipped OME-Zarr, imzML, mzML and other mass spectra"
        )
        self.open_file_button.setAccessibleName("Open a file")
        self.reopen_button = _button(
            "reload", "&Reopen", "Open this store anew, with positions as chosen here"
        )
        self.refresh_button = _button(
            "refresh", "Refresh", "Look now whether frames were added"
        )
        self.spectra_button = _button(
            "spectra",
            "Spectr&a",
            "Open the Spectra dock: spectra and ion images of this data",
        )
        self.spectra_button.setVisible(False)
        self.recover_button = _button(
            "check-circle",
            "Recover",
            "Complete the files of this run; nothing that was saved is changed",
        )
        self.recover_button.setVisible(False)
        self.note_label = QLabel()
        self.note_label.setWordWrap(True)
        # What is said for a moment must not decide how wide the dock is.
        self.note_label.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )

    def _lay_out(self) -> None:
        title = QHBoxLayout()
        title.addWidget(self.name_label, 1)
        title.addWidget(self.state_icon)
        title.addWidget(self.state_label)
        store = QVBoxLayout(self)
        store.addLayout(title)
        store.addWidget(self.path_edit)
        store.addWidget(self.facts_label)
        store.addWidget(self.progress_label)
        store.addWidget(self.problems_label)
        store.addWidget(self.problems_text)
        buttons = QHBoxLayout()
        for button in (
            self.open_button,
            self.open_file_button,
            self.reopen_button,
            self.refresh_button,
            self.recover_button,
            self.spectra_button,
        ):
            buttons.addWidget(button)
        buttons.addStretch()
        store.addLayout(buttons)
        form = QFormLayout()
        form.addRow("Positions", self.positions_box)
        store.addLayout(form)
        follow = QHBoxLayout()
        follow.addWidget(self.follow_check)
        follow.addStretch()
        store.addLayout(follow)
        store.addWidget(self.note_label)

    # ---- what is shown

    def show_dataset(self, dataset: Dataset) -> None:
        """Show a data set."""
        self._show_buttons(msi=False)
        path = Path(dataset.path)
        # A field of a plate is a folder with a number.
        part = len(dataset.images) == 1 and path.name.isdigit()
        name = dataset.images[0].name if part else path.name
        self._show_place(name, dataset.path)
        self._show_state(dataset)
        self.progress_label.setVisible(False)
        self.facts_label.setText(facts_line(dataset))
        self._show_problems(dataset.problems)

    def show_msi(self, origin: MSILayer) -> None:
        """Show a file of mass-spectrometry images."""
        place = origin.reader.basename
        self._show_place(Path(place).name, place)
        self.recover_button.setVisible(False)
        self.progress_label.setVisible(False)
        self.state_icon.clear()
        self.state_label.clear()
        self.note_label.clear()
        self.facts_label.setText(msi_facts_line(origin))
        self._show_buttons(msi=True)
        self._show_problems(origin.reader.problems)

    def _show_buttons(self, *, msi: bool) -> None:
        """Show what makes sense: mass spectra have no positions, and do not grow."""
        self.spectra_button.setVisible(msi)
        self.reopen_button.setVisible(not msi)
        self.refresh_button.setVisible(not msi)

    def _show_place(self, name: str, place: str) -> None:
        self.name_label.setText(name or place)
        self.name_label.setToolTip(place)
        self.path_edit.setText(place)
        self.path_edit.setToolTip(place)
        self.path_edit.setCursorPosition(0)
        self.path_edit.setVisible(True)

    def show_nothing(self, layer_name: str | None, *, of_run: bool = False) -> None:
        """Show that there is no data set: of a layer of others, or without any.

        The layer of a run shows frames that come from the microscope, not from a store.
        """
        self.name_label.setText("No data" if layer_name is None else layer_name)
        self.name_label.setToolTip("")
        self.path_edit.setVisible(False)
        self.progress_label.setVisible(False)
        self.recover_button.setVisible(False)
        self._show_buttons(msi=False)
        self.state_icon.clear()
        self.state_label.clear()
        self.note_label.clear()
        words = "This layer was not opened from a data set of a microscope."
        if layer_name is None:
            words = "Select a layer, or open a data set."
        elif of_run:
            words = "This layer shows a run. Open the folder that it is saved in."
        self.facts_label.setText(words)
        self._show_problems(())

    def show_run(self, state: StoredRun) -> None:
        """Show what became of the run of the store, after `show_dataset`."""
        interrupted = state is StoredRun.INTERRUPTED
        self.recover_button.setVisible(interrupted)
        if interrupted:
            self._set_state(
                "circle",
                AMBER,
                "interrupted",
                "What wrote it ended before the files were closed; nobody writes to it",
            )
        elif state is StoredRun.CLOSED:
            # Files of NDTiff that were recovered look as if they were still open.
            self._set_finished()

    def show_progress(self, progress: RunProgress) -> None:
        """Show how many frames the run has saved, while it goes on."""
        frames, rate, idle = progress_words(progress)
        words = [f"{frames} frames", rate, f"last one {idle}" if idle else ""]
        self.progress_label.setText(", ".join(word for word in words if word))
        self.progress_label.setVisible(not progress.ended)

    def enable_buttons(self, dataset: Dataset | None, *, opening: bool) -> None:
        """Let the user press what makes sense.

        Parameters
        ----------
        dataset : Dataset or None
            What is shown.
        opening : bool
            Whether a data set is being opened, or a run recovered.
        """
        self.recover_button.setEnabled(dataset is not None and not opening)
        self.open_button.setEnabled(not opening)
        self.open_file_button.setEnabled(not opening)
        self.reopen_button.setEnabled(dataset is not None and not opening)
        self.refresh_button.setEnabled(
            dataset is not None and dataset.reload is not None
        )

    def _show_state(self, dataset: Dataset) -> None:
        self.recover_button.setVisible(False)
        if dataset.finished:
            self._set_finished()
        else:
            tip = "The store is being written, or what wrote it was interrupted"
            self._set_state("circle", AMBER, "being written", tip)

    def _set_finished(self) -> None:
        self._set_state("check-circle", GREEN, "finished", "The store is complete")

    def _set_state(self, name: str, color: str, text: str, tip: str) -> None:
        size = self.state_label.fontMetrics().height()
        self.state_icon.setPixmap(icon(name, color).pixmap(QSize(size, size)))
        for label in (self.state_icon, self.state_label):
            label.setToolTip(tip)
        self.state_label.setText(text)

    def _show_problems(self, problems: Sequence[str]) -> None:
        count = len(problems)
        noun = "problem" if count == 1 else "problems"
        self.problems_label.setText(f"{count} {noun}; the rest is shown")
        self.problems_text.setPlainText("\n".join(f"• {text}" for text in problems))
        for widget in (self.problems_label, self.problems_text):
            widget.setVisible(bool(problems))


def _button(name: str, text: str, tip: str) -> QPushButton:
    button = QPushButton(icon(name), text)
    button.setToolTip(tip)
    return button


class _ShortText(QPlainTextEdit):
    """Text to read and to copy, a few lines high, with a scroll bar for more."""

    _MOST_LINES = 4

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.textChanged.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        """Be as high as the text, up to a few lines."""
        hint = super().sizeHint()
        lines = min(self.blockCount() * 2, self._MOST_LINES)
        margin = 2 * math.ceil(self.frameWidth() + 5)
        hint.setHeight(lines * self.fontMetrics().lineSpacing() + margin)
        return hint

    def minimumSizeHint(self) -> QSize:
        """Never be smaller than two lines."""
        hint = super().minimumSizeHint()
        hint.setHeight(min(hint.height(), self.sizeHint().height()))
        return hint

"""The line above the plan: choose a preset, keep one, files, plans of earlier runs.

It asks for the text of the plan when it is to be kept and hands out the text of the
plan that was chosen; it knows neither tables nor runs. Names are typed into a line that
appears for it, nothing waits for an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_scope.errors import PlanError
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.notices import notify

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QAction

    from napari_scope.widgets.acquiring.plan_shelf import KeptPlan, PlanShelf

__all__ = ["PlanPresets"]

_NONE = "Presets"


class PlanPresets(QWidget):
    """Chooses and keeps presets of plans.

    Parameters
    ----------
    shelf : PlanShelf
        Where they are kept.
    text : callable
        Returns the plan as it is now, as yaml; may raise `PlanError`.

    Attributes
    ----------
    chosen : Signal
        A plan is to be shown; carries its text and its name.
    open_requested, save_requested : Signal
        A file is to be opened; the plan is to be saved as a file.
    failed : Signal
        Something could not be done; carries the exception.
    """

    chosen = Signal(str, str)
    open_requested = Signal()
    save_requested = Signal()
    failed = Signal(object)

    def __init__(self, shelf: PlanShelf, text: Callable[[], str]) -> None:
        super().__init__()
        self._shelf = shelf
        self._text = text
        self._renaming = ""
        self.combo = QComboBox()
        self.combo.setToolTip("Plans that were kept under a name")
        self.combo.setAccessibleName("Presets of plans")
        self.combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.keep_button = QPushButton(icon("save"), "Keep …")
        self.keep_button.setToolTip("Keep this plan as a preset")
        self.menu_button = QPushButton()
        self.menu_button.setText("More")
        self.menu_button.setToolTip("Rename, delete, files, plans of earlier runs")
        self.menu_button.setAccessibleName("More about plans")
        self.menu_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._build_menu()
        self.name_edit = QLineEdit()
        self.name_edit.setPlaceholderText("Name of the preset")
        self.name_edit.setAccessibleName("Name of the preset")
        self.name_button = QPushButton("Keep")
        self.cancel_button = QPushButton("Cancel")
        self._lay_out()
        self.combo.activated.connect(self._on_chosen)
        self.keep_button.clicked.connect(lambda: self.ask_name())
        self.name_button.clicked.connect(self.take_name)
        self.name_edit.returnPressed.connect(self.take_name)
        self.cancel_button.clicked.connect(self._hide_name)
        QShortcut(
            QKeySequence(Qt.Key.Key_Escape),
            self.name_edit,
            context=Qt.ShortcutContext.WidgetShortcut,
        ).activated.connect(self._hide_name)
        self.refresh()

    def _lay_out(self) -> None:
        self._name_row = QWidget()
        name = QHBoxLayout(self._name_row)
        name.setContentsMargins(0, 0, 0, 0)
        name.addWidget(self.name_edit, 1)
        name.addWidget(self.name_button)
        name.addWidget(self.cancel_button)
        row = QHBoxLayout()
        row.addWidget(self.combo, 1)
        row.addWidget(self.keep_button)
        row.addWidget(self.menu_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self._name_row)
        self._name_row.setVisible(False)

    def _build_menu(self) -> None:
        self.menu = QMenu(self)
        self.menu.setToolTipsVisible(True)
        self.recent_menu = QMenu("Plans of earlier &runs", self.menu)
        self.recent_menu.aboutToShow.connect(self._fill_recent)
        self.open_action = self._action("&Open a plan …", self.open_requested.emit)
        self.save_action = self._action("&Save the plan as a file …", self._save)
        self.menu.addSeparator()
        self.menu.addMenu(self.recent_menu)
        self.menu.addSeparator()
        self.rename_action = self._action("Re&name the preset …", self._rename)
        self.delete_action = self._action("&Delete the preset", self.delete)
        self.menu_button.setMenu(self.menu)

    def _action(self, title: str, call: Callable[[], object]) -> QAction:
        action = self.menu.addAction(title)
        assert action is not None
        action.triggered.connect(lambda: call())
        return action

    # ---- presets

    @property
    def current(self) -> str:
        """Name of the preset that was chosen last; empty for none."""
        return str(self.combo.currentData() or "")

    def refresh(self, current: str = "") -> None:
        """Show what is on the shelf, and one of it as the current one."""
        self.combo.clear()
        presets = self._shelf.presets()
        self.combo.addItem(_NONE if presets else "No presets yet", "")
        for kept in presets:
            self.combo.addItem(kept.name, kept.name)
        self.combo.setCurrentIndex(max(0, self.combo.findData(current)))
        self._enable()

    def keep(self, name: str) -> None:
        """Keep the plan as it is now under a name."""
        try:
            text = self._text()
        except PlanError as error:
            self.failed.emit(error)
            return
        if not self._shelf.keep(name, text):
            self.failed.emit(
                PlanError("the plan is too long to be kept", hint="save it as a file")
            )
            return
        self.refresh(name)

    def delete(self) -> None:
        """Delete the current preset; it can be found among the recent plans."""
        name = self.current
        if name:
            self._shelf.drop(name)
            self.refresh()
            notify(f"The preset {name} is deleted; it is among the earlier plans")

    def ask_name(self, rename: str = "") -> None:
        """Show the line for a name."""
        self._renaming = rename
        self.name_button.setText("Rename" if rename else "Keep")
        self.name_edit.setText(rename or self.current)
        self.name_edit.selectAll()
        self._name_row.setVisible(True)
        self.name_edit.setFocus()

    def take_name(self) -> None:
        """Do what the name was asked for."""
        name = " ".join(self.name_edit.text().split())
        if not name:
            return
        self._hide_name()
        if self._renaming:
            self._shelf.rename(self._renaming, name)
            self.refresh(name)
        else:
            self.keep(name)

    def _hide_name(self) -> None:
        self._name_row.setVisible(False)
        self.keep_button.setFocus()

    def _rename(self) -> None:
        if self.current:
            self.ask_name(self.current)

    def _save(self) -> None:
        self.save_requested.emit()

    def _on_chosen(self, _: int) -> None:
        kept = self._shelf.find(self.current)
        if kept is not None:
            self.chosen.emit(kept.text, kept.name)
        self._enable()

    def _enable(self) -> None:
        for action in (self.rename_action, self.delete_action):
            action.setEnabled(bool(self.current))

    # ---- earlier plans

    def _fill_recent(self) -> None:
        self.recent_menu.clear()
        plans = self._shelf.recent()
        if not plans:
            nothing = self.recent_menu.addAction("None yet")
            if nothing is not None:
                nothing.setEnabled(False)
        for kept in plans:
            self._add_recent(kept)

    def _add_recent(self, kept: KeptPlan) -> None:
        action = self.recent_menu.addAction(f"{kept.when}   {kept.name}")
        if action is not None:
            action.setToolTip(kept.text[:600])
            action.triggered.connect(
                lambda _=False: self.chosen.emit(kept.text, kept.name)
            )

"""The page of groups and presets, and the window in which all of them are edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_scope.widgets.devices.group_table import GroupTable
from napari_scope.widgets.devices.pages import Page

if TYPE_CHECKING:
    from napari_scope.widgets.devices.group_editor import GroupEditor

__all__ = ["PresetsPage"]


class PresetsPage(Page):
    """Groups of properties and their presets."""

    title = "Presets"
    tip = "Groups of properties and their presets"
    _table: GroupTable | None = None
    edit_button: QPushButton | None = None
    editor: GroupEditor | None = None

    def make_body(self) -> QWidget:
        """Return the table of groups."""
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        self._table = GroupTable(self.core)
        layout.addWidget(self._table, 1)
        self.edit_button = QPushButton("&Edit all …")
        self.edit_button.setToolTip(
            "All groups and presets in a window, with undo and redo"
        )
        self.edit_button.clicked.connect(self._edit)
        layout.addWidget(self.edit_button)
        return body

    def discard(self) -> None:
        """Throw the table away; an open editor edits groups that are gone."""
        self._close_editor()
        self._table = self.edit_button = None
        super().discard()

    def set_locked(self, reason: str) -> None:
        """Let no preset be set or edited."""
        if self._table is not None:
            self._table.set_locked(bool(reason))
        if self.edit_button is not None:
            self.edit_button.setEnabled(not reason)
        if self.editor is not None:
            self.editor.set_locked(bool(reason))

    def show_truth(self) -> None:
        """Show the presets that are set."""
        if self._table is not None:
            self._table.show_truth()

    def close_down(self) -> None:
        """Close the editor; idempotent."""
        self._close_editor()

    def _edit(self) -> None:
        if self.editor is None:
            from napari_scope.widgets.devices.group_editor import GroupEditor

            self.editor = GroupEditor(self.microscope, self.core, self)
            self.editor.destroyed.connect(self._on_editor_gone)
        self.editor.show()
        self.editor.raise_()

    def _on_editor_gone(self) -> None:
        self.editor = None

    def _close_editor(self) -> None:
        editor, self.editor = self.editor, None
        if editor is not None:
            editor.destroyed.disconnect(self._on_editor_gone)
            editor.close()

"""The page of groups and presets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.widgets.devices.group_table import GroupTable
from napari_scope.widgets.devices.pages import Page

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

__all__ = ["PresetsPage"]


class PresetsPage(Page):
    """Groups of properties and their presets."""

    title = "Presets"
    tip = "Groups of properties and their presets"
    _table: GroupTable | None = None

    def make_body(self) -> QWidget:
        """Return the table of groups."""
        self._table = GroupTable(self.core)
        return self._table

    def discard(self) -> None:
        """Throw the table away."""
        self._table = None
        super().discard()

    def set_locked(self, reason: str) -> None:
        """Let no preset be set or edited."""
        if self._table is not None:
            self._table.set_locked(bool(reason))

    def show_truth(self) -> None:
        """Show the presets that are set."""
        if self._table is not None:
            self._table.show_truth()

"""All groups and presets: pymmcore-widgets' table, arranged for a dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pymmcore_widgets import GroupPresetTableWidget
from qtpy.QtWidgets import QAbstractScrollArea, QHeaderView, QLabel, QWidget

from napari_scope.widgets.devices.preset_box import PresetBox
from napari_scope.widgets.devices.property_table import PropertyBox, color_again
from napari_scope.widgets.devices.shielding import GONE, shielded

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["GroupTable"]


class GroupTable(GroupPresetTableWidget):
    """All groups and presets: set, make, edit and remove them."""

    def __init__(self, core: TableCore) -> None:
        self._table_core = core
        super().__init__(mmcore=cast("CMMCorePlus", core))
        # Else room is kept above the table for a title that there is not.
        self.setFlat(True)
        self.setStyleSheet("QGroupBox { margin-top: 0; padding-top: 0; border: none }")
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)
        # The configuration box does both, off the GUI thread.
        for button in (self.save_btn, self.load_btn):
            button.hide()
            row = button.parentWidget()
            if row is not None and row is not self:
                row.hide()  # it would keep room for them above the table
        for button, what in (
            (self.groups_add_btn, "Make a group of properties"),
            (self.groups_remove_btn, "Remove the selected groups"),
            (self.groups_edit_btn, "Choose the properties of the selected group"),
            (self.presets_add_btn, "Add a preset to the selected group"),
            (self.presets_remove_btn, "Remove the preset that is shown"),
            (self.presets_edit_btn, "Edit the preset that is shown"),
        ):
            button.setToolTip(what)
            button.setAccessibleName(what)
        self.table_wdg.setSizeAdjustPolicy(
            QAbstractScrollArea.SizeAdjustPolicy.AdjustIgnored
        )
        self.table_wdg.setAccessibleName("Groups and presets")
        header = self.table_wdg.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.table_wdg.setMinimumHeight(0)

    @property
    def editors(self) -> list[QWidget]:
        """What sets the groups, one for each row that can be set."""
        table = self.table_wdg
        found = (table.cellWidget(row, 1) for row in range(table.rowCount()))
        return [widget for widget in found if widget is not None]

    def set_locked(self, locked: bool) -> None:
        """Let nothing be set or edited; the table can still be read."""
        for widget in self.editors:
            widget.setEnabled(not locked)
        self._buttons.setEnabled(not locked)

    def show_truth(self) -> None:
        """Show what is set, whatever was chosen."""
        for widget in self.editors:
            if isinstance(widget, PresetBox | PropertyBox):
                widget.show_truth()

    def _add_groups_presets_buttons(self) -> QWidget:
        self._buttons: QWidget = super()._add_groups_presets_buttons()
        return self._buttons

    def _create_group_widget(  # type: ignore[override]
        self, group: str
    ) -> QWidget | None:
        try:
            presets = list(self._mmc.getAvailableConfigs(group))
            if not presets:
                return None
            device, name, _value, count = self._get_cfg_data(group, presets[0])
            if len(presets) == 1 and count == 1:
                return PropertyBox(device, name, self._table_core)
            return PresetBox(group, self._table_core)
        except GONE as error:
            shown = QLabel("cannot be shown")
            shown.setToolTip(" ".join(str(error).split()))
            return shown

    def _add_group(self) -> None:
        super()._add_group()
        color_again(self._add_group_wdg)

    def _edit_group(self) -> None:
        super()._edit_group()
        if hasattr(self, "_edit_group_wdg"):
            color_again(self._edit_group_wdg)

    @shielded
    def _on_new_group_preset(self, *setting: str) -> None:
        self._populate_table()

"""The presets of a group, and the group whose presets are the channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pymmcore_widgets import ChannelGroupWidget, PresetsWidget
from qtpy.QtWidgets import QSizePolicy

from napari_scope.widgets.devices.shielding import guard_wheel, shielded

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["ChannelGroupBox", "PresetBox"]


class PresetBox(PresetsWidget):
    """The presets of one group; choosing one sets it.

    Parameters
    ----------
    group : str
        The group; it must have a preset.
    core : TableCore
        The core.
    """

    def __init__(self, group: str, core: TableCore) -> None:
        super().__init__(group, mmcore=cast("CMMCorePlus", core))
        self._combo.setAccessibleName(f"Preset of {group}")
        for widget in (self, self._combo):
            widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        guard_wheel(self._combo)

    def show_truth(self) -> None:
        """Show what is set, whatever was chosen."""
        self._refresh()

    def _delete_presets_with_different_properties(self) -> None:
        """Leave the user's presets as they are."""

    def _on_new_group_preset(self, group: str, *_setting: str) -> None:
        if group == self._group:
            self._refresh()

    @shielded
    def _refresh(self) -> None:
        super()._refresh()

    @shielded
    def _on_cfg_set(self, group: str, preset: str) -> None:
        super()._on_cfg_set(group, preset)

    @shielded
    def _on_property_changed(self, device: str, name: str, value: str) -> None:
        super()._on_property_changed(device, name, value)

    @shielded
    def _update_tooltip(self, preset: str) -> None:
        super()._update_tooltip(preset)
        settings = self._mmc.getConfigData(self._group, preset) if preset else ()
        self._combo.setToolTip("\n".join(f"{d}-{p}: {v}" for d, p, v in settings))


class ChannelGroupBox(ChannelGroupWidget):
    """The group whose presets are the channels."""

    def __init__(self, core: TableCore) -> None:
        super().__init__(mmcore=cast("CMMCorePlus", core))
        self.setAccessibleName("Channel group")
        self.setToolTip("The group whose presets are the channels")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        guard_wheel(self)

    def adjustSize(self) -> None:
        """Leave the size to the layout."""

    def show_truth(self) -> None:
        """Show what is set, whatever was chosen."""
        self._update_channel_group_combo()

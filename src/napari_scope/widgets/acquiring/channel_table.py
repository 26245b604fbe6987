"""The table of channels, and columns of numbers that keep their decimals.

An exposure may be left as it is on the camera; pymmcore-widgets' own table makes it
100 ms without a word. Private parts of pymmcore-widgets: see `plan_tables`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pymmcore_widgets.mda._core_channels import CoreConnectedChannelTable
from pymmcore_widgets.useq_widgets._column_info import (
    FloatColumn,
    TableDoubleSpinBox,
    WdgGetSet,
)
from qtpy.QtWidgets import QVBoxLayout
from superqt.utils import signals_blocked

from napari_scope.widgets.acquiring.number_box import DECIMALS, trimmed
from napari_scope.widgets.acquiring.table_names import name_cells

__all__ = ["ChannelTable", "place_column"]

_FAR_UM = 99_999_999
AS_IT_IS = "as it is"


class _Number(TableDoubleSpinBox):
    """A number in a table, without zeros at its end."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        # Themes keep room for buttons that it has not: the last digits were cut off.
        self.setStyleSheet("QDoubleSpinBox { padding: 0 }")

    def textFromValue(self, v: float) -> str:
        """Return the number as it is shown."""
        return trimmed(v, str(self.locale().decimalPoint()))


_NUMBER: Any = WdgGetSet(
    _Number,
    _Number.value,
    _Number.setValue,
    lambda box, call: box.valueChanged.connect(call),
)


@dataclass(frozen=True)
class _NumberColumn(FloatColumn):
    data_type: Any = _NUMBER
    decimals: int = DECIMALS


@dataclass(frozen=True)
class _ExposureColumn(_NumberColumn):
    """Exposures; zero stands for leaving it as it is."""

    def _init_widget(self) -> Any:
        box: Any = super()._init_widget()
        box.setSpecialValueText(AS_IT_IS)
        return box

    def get_cell_data(self, table: Any, row: int, col: int) -> dict[str, Any]:
        """Return the exposure, None for as it is."""
        data = super().get_cell_data(table, row, col)
        return {key: value or None for key, value in data.items()}

    def set_cell_data(self, table: Any, row: int, col: int, value: Any) -> None:
        """Show an exposure."""
        super().set_cell_data(table, row, col, value or 0.0)


def place_column(key: str, header: str) -> Any:
    """Return a column of places in micrometres."""
    return _NumberColumn(
        key=key, header=header, default=0.0, minimum=-_FAR_UM, maximum=_FAR_UM
    )


class ChannelTable(CoreConnectedChannelTable):
    """The table of channels."""

    EXPOSURE = _ExposureColumn(
        key="exposure", header="ms", default=100.0, minimum=0.0, maximum=1e9
    )
    Z_OFFSET = _NumberColumn(
        key="z_offset", header="z offset", default=0.0, minimum=-1e6, maximum=1e6
    )

    def setChannelGroups(self, groups: Any) -> None:
        """Offer groups of presets."""
        layout = self.layout()
        # Beside the buttons of the table they would push some of these out of sight.
        if isinstance(layout, QVBoxLayout) and layout.indexOf(self._group_wdg) < 0:
            layout.insertWidget(0, self._group_wdg)
            self._group_combo.setAccessibleName("Group of the channels")
            self._group_combo.setToolTip("The group whose presets are the channels")
        self._groups = dict(groups or {})
        with signals_blocked(self._group_combo):
            self._group_combo.clear()
            self._group_combo.addItems(list(self._groups))
        self._group_wdg.setVisible(len(self._groups) > 1)
        self._on_group_changed()

    def setValue(self, value: Any) -> None:
        """Show channels; an exposure that is not given stays open."""
        super().setValue(
            [
                channel.model_copy(update={"exposure": channel.exposure or 0.0})
                for channel in value
            ]
        )

    def _on_group_changed(self) -> None:
        super()._on_group_changed()
        name_cells(self.table())  # the column of the presets is another one

    def fit_columns(self) -> None:
        """Give the presets' names the room they need; the table makes them anew."""
        table = self.table()
        for column, text, tip in (
            (self.EXPOSURE, "ms", f"Exposure; 0 is {AS_IT_IS} on the camera"),
            (self.ACQUIRE_EVERY, "Every", "Take it at every n-th time point"),
            (self.DO_STACK, "Stack", "Take the whole stack or its middle only"),
            (self.Z_OFFSET, "z offset", "Shift of the focus in micrometres"),
            (self._config_column, "Preset", "The channel; only ticked ones are taken"),
        ):
            item = table.horizontalHeaderItem(table.indexOf(column))
            if item is not None:
                item.setText(text)
                item.setToolTip(tip)
        header = table.horizontalHeader()
        if header is not None:
            place = table.indexOf(self._config_column)
            header.setSectionResizeMode(place, header.ResizeMode.ResizeToContents)
        name_cells(table)

    def close_down(self) -> None:
        """Let go of the core."""
        self._disconnect()

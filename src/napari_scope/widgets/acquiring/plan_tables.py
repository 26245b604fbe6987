"""The tables of a plan: those of pymmcore-widgets, mended and tied to a core.

What is mended: numbers keep their decimals, a channel may leave the exposure as it is,
a stack keeps its direction, plates open with the core that is used and stay plates,
a position's own plan loses nothing when the camera changes, no file error is raised
into Qt. Grids have an editor of their own.

The parts of pymmcore-widgets that have no public name are used here and in
`plan_editor` only; `tests/widgets/acquiring/test_plan_tables.py` holds on to each.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import useq
from pymmcore_widgets.mda._core_positions import CoreConnectedPositionTable
from pymmcore_widgets.useq_widgets._mda_sequence import MDATabs
from qtpy.QtCore import QSize, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_scope.errors import PlanError
from napari_scope.widgets.acquiring.channel_table import ChannelTable, place_column
from napari_scope.widgets.acquiring.grid_editor import GridEditor
from napari_scope.widgets.acquiring.own_plan import OwnPlanColumn
from napari_scope.widgets.acquiring.plate_wizard import PlateWizard
from napari_scope.widgets.acquiring.position_files import PositionFiles
from napari_scope.widgets.acquiring.table_names import name_cells
from napari_scope.widgets.acquiring.tight_tabs import TightTitles
from napari_scope.widgets.acquiring.time_table import TimeTable
from napari_scope.widgets.acquiring.z_editor import ZEditor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qtpy.QtGui import QResizeEvent

__all__ = ["ChannelTable", "PlanTabs", "PositionTable", "ZEditor"]

_EDGES = 2  # pixels; what the theme draws around the pages


class PositionTable(CoreConnectedPositionTable):
    """The table of positions, of a plate too.

    Attributes
    ----------
    failed : Signal
        Something could not be done; carries the exception.
    """

    failed = Signal(object)

    X = place_column("x", "X [µm]")
    Y = place_column("y", "Y [µm]")
    Z = place_column("z", "Z [µm]")
    AF = place_column("af", "AF")
    SEQ = OwnPlanColumn(key="sequence", header="Plan", default=None)

    def __init__(self, rows: int, core: Any) -> None:
        super().__init__(rows, core)
        self.files = PositionFiles(self)
        self.files.loaded.connect(self._on_loaded)
        self.files.failed.connect(self.failed)
        # All in one row they would make the dock wider than anything else in it.
        files = QHBoxLayout()
        for button, text, tip in (
            (self._hcs_button, "Plate …", "Choose wells of a plate and calibrate it"),
            (self._save_button, "Save …", "Save these positions as json"),
            (self._load_button, "Load …", "Load positions from json"),
        ):
            button.setText(text)
            button.setToolTip(tip)
            button.setFocusPolicy(button.focusPolicy().StrongFocus)
            self._btn_row.removeWidget(button)
            files.addWidget(button, 1)
        self._edit_hcs_pos.setStyleSheet("")
        self._edit_hcs_pos.setText("Make a list of it")
        self._edit_hcs_pos.setToolTip("Positions that can be edited instead of a plate")
        self.include_z.setText("Include z")
        self.include_z.setToolTip("Without, positions leave the focus where it is")
        self.af_per_position.setText("Autofocus offsets")
        self.move_to_selection.setText("Go to selected")
        self.move_to_selection.setToolTip("Move the stage to the row that is selected")
        layout = self.layout()
        if isinstance(layout, QVBoxLayout):
            layout.addLayout(files)
        self._name_columns()

    def _name_columns(self) -> None:
        table = self.table()
        table.setAccessibleName("Positions")
        sections = table.horizontalHeader()
        for column, tip, widths in (
            (self._xy_btn_col, "The arrow takes x and y from the stage", 2),
            (self._z_btn_col, "The arrow takes z from the stage", 2),
            (self.SEQ, "A plan for this position alone", 3),
        ):
            place = table.indexOf(column)
            header = table.horizontalHeaderItem(place)
            if header is not None:
                header.setToolTip(tip)
            if sections is not None:
                # Else they take part in the stretching until there is a first row,
                # stay as wide as they are then, and no coordinate can be read.
                sections.setSectionResizeMode(place, sections.ResizeMode.Fixed)
            table.setColumnWidth(place, self.fontMetrics().height() * widths)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep coordinates readable: a narrow table scrolls to the side instead."""
        super().resizeEvent(event)
        table, sections = self.table(), self.table().horizontalHeader()
        if sections is None or (view := table.viewport()) is None:
            return
        places = [table.indexOf(column) for column in (self.X, self.Y, self.Z)]
        shares = [*places, table.indexOf(self.NAME)]
        shown = [place for place in shares if not table.isColumnHidden(place)]
        fixed = [n for n in range(table.columnCount()) if n not in shares]
        least = table.fontMetrics().horizontalAdvance("-12540.55 ")
        room = view.width() - sum(map(table.columnWidth, fixed))
        mode = sections.ResizeMode
        narrow = room < least * len(shown)
        for place in shown:
            sections.setSectionResizeMode(place, mode.Fixed if narrow else mode.Stretch)
            if narrow:
                table.setColumnWidth(place, least)

    # ---- value

    def setValue(self, value: Any) -> None:
        """Show positions, or a plate."""
        plate = value if isinstance(value, useq.WellPlatePlan) else None
        if self._plate_plan is not None:
            self._plate_plan = None
            self._set_position_table_editable(True)
        super().setValue(list(value))
        self._plate_plan = plate
        if plate is not None:
            self._set_position_table_editable(False)

    def add(self, positions: Sequence[useq.Position]) -> None:
        """Add positions to those that are there."""
        before = [] if self._plate_plan is not None else list(self.value())
        self.setValue([*before, *positions])
        self.valueChanged.emit()

    # ---- plates

    @property
    def plate(self) -> useq.WellPlatePlan | None:
        """The plate, if the positions are those of one."""
        return self._plate_plan

    @property
    def _hcs(self) -> PlateWizard:
        if not isinstance(self._hcs_wizard, PlateWizard):
            wizard = PlateWizard(self, self._mmc)
            wizard.failed.connect(self.failed)
            wizard.accepted.connect(self._on_hcs_accepted)
            self._hcs_wizard: Any = wizard
            self._rename_hcs_position_button("Use these wells")
        found = self._hcs_wizard
        assert isinstance(found, PlateWizard)
        return found

    def _show_hcs(self) -> None:
        wizard = self._hcs
        if not wizard.isVisible() and self._plate_plan is not None:
            wizard.show_plate(self._plate_plan)
        wizard.restart()
        wizard.show()
        wizard.raise_()

    def _on_hcs_accepted(self) -> None:
        plate = self._hcs.value()
        if plate is None:
            self.failed.emit(
                PlanError("the plate is not calibrated", hint="calibrate it first")
            )
            return
        self.setValue(plate)
        self.valueChanged.emit()

    def _show_pos_editing_dialog(self) -> None:
        # Nothing is lost by it, so nothing is asked; the wizard keeps the plate.
        plate = self._plate_plan
        if plate is not None:
            # useq gives wells the z of 0: a list would drive the focus there.
            self.setValue([place.replace(z=None) for place in plate])
            self.valueChanged.emit()

    # ---- what the parent does otherwise

    def _set_position_table_editable(self, state: bool) -> None:
        # The very last thing it does is to disconnect what may not be connected.
        with contextlib.suppress(TypeError):
            super()._set_position_table_editable(state)

    def _update_fov_size(self) -> None:
        # It would make each position's own plan a mere grid. Grids without a field of
        # view get that of the camera when the plan is run.
        pass

    def _set_af_from_core(self, row: int, col: int = 0) -> None:
        core = self._mmc
        if core.getAutoFocusDevice() and core.isContinuousFocusLocked():
            self.table().setRowData(row, {self.AF.key: core.getAutoFocusOffset()})

    def load(self, file: str | Path | None = None) -> None:
        """Load positions from a json file, in the background."""
        self.files.load(file)

    def save(self, file: str | Path | None = None) -> None:
        """Save the positions as a json file, in the background."""
        self.files.save(self.value(), file)

    def _on_loaded(self, positions: object) -> None:
        assert isinstance(positions, list)
        self.setValue(positions)
        self.valueChanged.emit()

    def close_down(self) -> None:
        """Close the wizard and let go of the core."""
        self.files.close_down()
        if self._hcs_wizard is not None:
            self._hcs_wizard.close()
        self._disconnect()


class PlanTabs(MDATabs):
    """The tabs, tied to a core. A position's own plan opens the same in a dialog.

    Parameters
    ----------
    parent : QWidget, optional
        Parent; the dialog of a position passes itself and no core.
    core : GuiCore, optional
        The core; that of the tabs around the parent when None.
    """

    stage_positions: PositionTable
    channels: ChannelTable
    z_plan: ZEditor
    grid_plan: Any

    def __init__(self, parent: QWidget | None = None, core: Any = None) -> None:
        outer = parent
        while core is None and outer is not None:
            if isinstance(outer, PlanTabs):
                core = outer.core
            outer = outer.parentWidget()
        if core is None:
            raise ValueError("these tabs need a core")
        self.core: Any = core
        super().__init__(parent)
        self.setDocumentMode(True)
        self.setTabText(self.indexOf(self.z_plan), "Z")
        self.setTabToolTip(self.indexOf(self.z_plan), "Z stack")
        bar = self.tabBar()
        if bar is not None:
            bar.setUsesScrollButtons(False)  # all five are always in sight
            bar.setStyleSheet("QTabBar::tab { padding: 3px 2px }")
        self._tight = TightTitles(
            self,
            {
                self.indexOf(self.stage_positions): ("Positions", "Pos."),
                self.indexOf(self.channels): ("Channels", "Chan."),
            },
        )
        for box, place in zip(self._cboxes, range(self.count()), strict=True):
            title = self.tabText(place)
            box.setAccessibleName(f"Use {title}")
            box.setToolTip(f"Whether the plan has {title.lower()}")
            # Their words are the titles of the tabs: no room is needed for others.
            box.setStyleSheet("QCheckBox { spacing: 0 }")
        for part, words in (
            (self.time_plan, "Phases of time"),
            (self.stage_positions, "Positions"),
            (self.channels, "Channels"),
        ):
            name_cells(part.table(), words)
        self._fit_field()
        for signal in (
            core.events.systemConfigurationLoaded,
            core.events.pixelSizeChanged,
            core.events.roiSet,
        ):
            signal.connect(self._fit_field)
        core.events.propertyChanged.connect(self._on_property)

    def minimumSizeHint(self) -> QSize:
        """Return the size with short titles."""
        hint = super().minimumSizeHint()
        bar = self.tabBar()
        if bar is None:
            return hint
        # Without this the bar asks for the room of the titles that it has now.
        pages = [self.widget(place) for place in range(self.count())]
        widest = max(page.minimumSizeHint().width() for page in pages if page)
        hint.setWidth(max(self._tight.least_width(), widest) + _EDGES)
        return hint

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Choose titles that fit."""
        super().resizeEvent(event)
        self._tight.fit(self.width())

    def create_subwidgets(self) -> None:
        """Create the tables."""
        self.time_plan = TimeTable(1)
        self.stage_positions = PositionTable(0, self.core)
        self.z_plan = ZEditor(self.core)
        self.grid_plan = GridEditor(self._stage)
        self.channels = ChannelTable(1, self.core)

    def close_down(self) -> None:
        """Let go of the core."""
        self.stage_positions.close_down()
        self.channels.close_down()
        events = self.core.events
        for signal in (
            events.systemConfigurationLoaded,
            events.pixelSizeChanged,
            events.roiSet,
        ):
            signal.disconnect(self._fit_field)
        events.propertyChanged.disconnect(self._on_property)

    def _on_property(self, device: str, name: str, _value: str = "") -> None:
        # Binning changes the field without a word about pixels.
        if name == "Binning" or (device, name) == ("Core", "Camera"):
            self._fit_field()

    def _fit_field(self, *_: object) -> None:
        self.grid_plan.set_camera_field(self.camera_field())

    def camera_field(self) -> tuple[float, float] | None:
        """Return the field of view in micrometres, None where it is not known."""
        core = self.core
        try:
            pixel = core.getPixelSizeUm() if core.getCameraDevice() else 0.0
            if pixel <= 0:
                return None
            return core.getImageWidth() * pixel, core.getImageHeight() * pixel
        except RuntimeError:  # unloaded at this moment
            return None

    def _stage(self) -> tuple[float, float] | None:
        try:
            if not self.core.getXYStageDevice():
                return None
            return self.core.getXPosition(), self.core.getYPosition()
        except RuntimeError:
            return None

"""The editor of the plan: the tables of pymmcore-widgets, fitted into this dock.

It adds to them: plans are loaded and saved through `napari_scope.events` and errors
are handed to the dock; events of the core arrive in the GUI thread only; a plan
without positions starts where the stage is. It knows nothing of runs.

The parts of pymmcore-widgets that have no public name are gathered in `_tame` and
`_Tabs`; a test holds on to each of them.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import useq
from pymmcore_widgets.mda._core_channels import CoreConnectedChannelTable
from pymmcore_widgets.mda._core_grid import CoreConnectedGridPlanWidget
from pymmcore_widgets.mda._core_positions import CoreConnectedPositionTable
from pymmcore_widgets.mda._core_z import CoreConnectedZPlanWidget
from pymmcore_widgets.useq_widgets import MDASequenceWidget, TimePlanWidget
from pymmcore_widgets.useq_widgets._mda_sequence import MDATabs
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_scope.errors import PlanError
from napari_scope.events import load_sequence, save_plan
from napari_scope.widgets.common.icons import icon

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.widgets.common.core_events import GuiCore

__all__ = ["PlanEditor"]

_FILES = "Plans (*.yaml *.yml *.json)"


class _Positions(CoreConnectedPositionTable):
    """The table of positions; bad files are reported instead of raised into Qt."""

    failed = Signal(object)

    def __init__(self, rows: int, core: Any) -> None:
        super().__init__(rows, core)
        # All in one row they would make the dock wider than anything else in it.
        files = QHBoxLayout()
        for button in (self._hcs_button, self._save_button, self._load_button):
            self._btn_row.removeWidget(button)
            files.addWidget(button, 1)
        layout = self.layout()
        if isinstance(layout, QVBoxLayout):
            layout.addLayout(files)
        table = self.table()
        for column, text in ((self._xy_btn_col, "x and y"), (self._z_btn_col, "z")):
            place = table.indexOf(column)
            table.setColumnWidth(place, self.fontMetrics().height() * 2)
            header = table.horizontalHeaderItem(place)
            if header is not None:
                header.setToolTip(f"The arrow takes {text} from the stage")
        header = table.horizontalHeaderItem(table.indexOf(self.SEQ))
        if header is not None:
            header.setText("Own plan")
            header.setToolTip("A plan for this position alone")

    def load(self, file: str | Path | None = None) -> None:
        """Load positions from a json file."""
        try:
            super().load(file)
        except (OSError, ValueError) as error:
            self.failed.emit(
                PlanError(
                    f"the positions cannot be loaded, {error.__cause__ or error}",
                    hint="choose a json file that was saved from this table",
                )
            )

    def save(self, file: str | Path | None = None) -> None:
        """Save the positions as a json file."""
        try:
            super().save(file)
        except (OSError, ValueError) as error:
            self.failed.emit(PlanError(f"the positions cannot be saved, {error}"))


class _Tabs(MDATabs):
    """The tabs, tied to a core. A position's own sequence opens the same in a dialog.

    Parameters
    ----------
    parent : QWidget, optional
        Parent; the dialog of a position passes itself and no core.
    core : GuiCore, optional
        The core; that of the tabs around the parent when None.
    """

    def __init__(
        self, parent: QWidget | None = None, core: GuiCore | None = None
    ) -> None:
        outer = parent
        while core is None and outer is not None:
            if isinstance(outer, _Tabs):
                core = outer.core
            outer = outer.parentWidget()
        if core is None:
            raise ValueError("these tabs need a core")
        self.core: Any = core
        super().__init__(parent)
        self.setDocumentMode(True)

    stage_positions: _Positions
    channels: CoreConnectedChannelTable

    def create_subwidgets(self) -> None:
        """Create the tables."""
        self.time_plan = TimePlanWidget(1)
        self.stage_positions = _Positions(0, self.core)
        self.z_plan = CoreConnectedZPlanWidget(self.core)
        self.grid_plan = CoreConnectedGridPlanWidget(self.core)
        self.channels = CoreConnectedChannelTable(1, self.core)


class PlanEditor(MDASequenceWidget):
    """Edits a plan for the microscope of a core.

    Parameters
    ----------
    core : GuiCore
        The core.
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    valueChanged : Signal
        The plan has changed.
    failed : Signal
        A plan could not be loaded or saved; carries the exception.
    """

    failed = Signal(object)

    def __init__(self, core: GuiCore, parent: QWidget | None = None) -> None:
        self._core: Any = core
        tabs = _Tabs(None, core)
        super().__init__(parent, tab_widget=tabs)
        self._folder = ""
        self._tame()
        with signals_blocked(self):
            self.time_plan.setValue(
                useq.TIntervalLoops(interval=timedelta(seconds=1), loops=5)
            )
            self.z_plan.setValue(useq.ZRangeAround(range=4, step=1))
        tabs.stage_positions.failed.connect(self.failed)
        # A configuration that loads tells many things, some while it is half loaded;
        # the table of channels would forget its rows. So it is told once, afterwards.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._fit_to_core)
        for signal in (
            core.events.systemConfigurationLoaded,
            core.events.channelGroupChanged,
            core.events.configDefined,
            core.events.configGroupDeleted,
        ):
            signal.disconnect(tabs.channels._update_channel_groups)
            signal.connect(self._soon.start)
        self.channels._group_combo.currentTextChanged.connect(self._fit_channel_columns)
        self._fit_to_core()

    # ---- the plan

    def value(self) -> useq.MDASequence:
        """Return the plan.

        A plan without positions gets that of the stage: relative z stacks and grids
        would otherwise be taken around zero.

        Raises
        ------
        PlanError
            If the tables do not make a valid plan.
        """
        try:
            plan = super().value()
        except ValueError as error:
            raise PlanError(f"this is no valid plan yet, {error}") from error
        changes: dict[str, Any] = {}
        focus = plan.autofocus_plan
        if focus and focus.autofocus_motor_offset is None:
            if self._core.getAutoFocusDevice():
                offset = self._core.getAutoFocusOffset()
                changes["autofocus_plan"] = focus.replace(autofocus_motor_offset=offset)
        if not plan.stage_positions and (plan.z_plan or plan.grid_plan):
            changes["stage_positions"] = (self._here(plan),)
            order = "".join(map(str, plan.axis_order))
            if "p" not in order:
                changes["axis_order"] = _with_position(order)
        elif plan.z_plan and plan.z_plan.is_relative:
            if any(position.z is None for position in plan.stage_positions):
                changes["stage_positions"] = self._at_this_focus(plan)
        return plan.replace(**changes) if changes else plan

    def setValue(self, value: useq.MDASequence) -> None:
        """Show a plan."""
        if value.channels:
            # The table offers the presets of one group.
            self.channels._group_combo.setCurrentText(value.channels[0].group)
        super().setValue(value)
        self.valueChanged.emit()

    def load(self, file: str | Path | None = None) -> None:
        """Load a plan from a yaml or json file; without one, ask for it."""
        if not isinstance(file, str | Path):
            file, _ = QFileDialog.getOpenFileName(
                self, "Load a plan", self._folder, _FILES
            )
        if file:
            self._folder = str(Path(file).parent)
            self._guarded(lambda: self._show_loaded(Path(file)))

    def save(self, file: str | Path | None = None) -> None:
        """Save the plan as a yaml or json file; without one, ask for it."""
        if not isinstance(file, str | Path):
            file, _ = QFileDialog.getSaveFileName(
                self, "Save the plan", self._folder, _FILES
            )
        if file:
            path = Path(file)
            if not path.suffix:
                path = path.with_suffix(".yaml")
            self._folder = str(path.parent)
            self._guarded(lambda: save_plan(self.value(), path))

    # ---- the microscope

    def _fit_to_core(self) -> None:
        """Offer what the microscope has; keep the channels that it still has."""
        before = self.channels.value(exclude_unchecked=False)
        groups = {
            group: tuple(self._core.getAvailableConfigs(group))
            for group in self._core.getAvailableConfigGroups()
        }
        self.channels.setChannelGroups(groups)
        preferred = self._core.getChannelGroup()
        combo = self.channels._group_combo
        if preferred in groups:
            combo.setCurrentText(preferred)
        known = [c for c in before if c.config in groups.get(c.group, ())]
        if known:
            combo.setCurrentText(known[0].group)
            self.channels.setValue(known)
        self._fit_channel_columns()
        # The channel list of a microscope without presets would only hold a blank.
        self.tab_wdg.setChecked(self.channels, bool(groups))
        if self._core.getFocusDevice() and not self.stage_positions.table().rowCount():
            # Unchecked by the table itself as long as there was no focus drive.
            self.stage_positions.include_z.setChecked(True)
        device = self._core.getAutoFocusDevice()
        self.af_axis.setVisible(bool(device))
        self.stage_positions.af_per_position.setVisible(bool(device))
        self.valueChanged.emit()

    def _fit_channel_columns(self) -> None:
        """Give the presets' names the room they need; the table makes them anew."""
        table = self.channels.table()
        header = table.horizontalHeader()
        column = table.indexOf(self.channels._config_column)
        item = table.horizontalHeaderItem(column)
        if header is not None and item is not None:
            header.setSectionResizeMode(column, header.ResizeMode.ResizeToContents)
            item.setText("Preset")
            item.setToolTip("The channel; only ticked ones are taken")

    def _here(self, plan: useq.MDASequence) -> useq.Position:
        core = self._core
        stage, focus = core.getXYStageDevice(), core.getFocusDevice()
        absolute = plan.grid_plan is not None and not plan.grid_plan.is_relative
        with_xy = bool(stage) and not absolute
        return useq.Position(
            x=core.getXPosition() if with_xy else None,
            y=core.getYPosition() if with_xy else None,
            z=core.getPosition() if focus else None,
        )

    def _at_this_focus(self, plan: useq.MDASequence) -> tuple[useq.Position, ...]:
        z = self._core.getPosition() if self._core.getFocusDevice() else None
        return tuple(
            position.replace(z=z) if position.z is None else position
            for position in plan.stage_positions
        )

    # ---- fitting in

    def _update_time_estimate(self) -> None:
        # The dock estimates frames, bytes and duration together and not at every key.
        pass

    def _tame(self) -> None:
        """Fit the foreign parts into the dock."""
        self._duration_label.setVisible(False)
        self._time_warning.setVisible(False)
        self._save_button.setText("Save plan …")
        self._save_button.setIcon(icon("save"))
        self._save_button.setToolTip("Save this plan as yaml or json")
        self._load_button.setText("Load plan …")
        self._load_button.setIcon(icon("folder"))
        self._load_button.setToolTip("Load a plan from yaml or json")
        for button in (self._save_button, self._load_button):
            button.setFocusPolicy(button.focusPolicy().StrongFocus)
        channels = self.channels
        for column, text, tip in (
            (channels.EXPOSURE, "ms", "Exposure in milliseconds"),
            (channels.ACQUIRE_EVERY, "Every", "Take it at every n-th time point"),
            (channels.DO_STACK, "Stack", "Take the whole stack or its middle only"),
            (channels.Z_OFFSET, "z offset", "Shift of the focus in micrometres"),
        ):
            item = channels.table().horizontalHeaderItem(
                channels.table().indexOf(column)
            )
            if item is not None:
                item.setText(text)
                item.setToolTip(tip)
        z_plan = self.z_plan
        self.grid_plan._mode_bounds_radio.setText("Bounds")
        for radio, text in (
            (z_plan._btn_top_bot, "Top and bottom"),
            (z_plan._btn_range, "Around"),
            (z_plan._button_above_below, "Above and below"),
        ):
            radio.setText(text)
            radio.setFocusPolicy(radio.focusPolicy().StrongFocus)
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)

    def _show_loaded(self, path: Path) -> None:
        """Show a plan from a file, or leave everything as it was.

        The tables know less than useq: presets of one group, some kinds of stacks and
        grids. What they would change without a word is refused.
        """
        plan = load_sequence(path)
        before = super().value()
        try:
            self.setValue(plan)
            shown = super().value()
        except (TypeError, ValueError) as error:
            self.setValue(before)
            raise PlanError(
                f"the tables cannot show this plan, {error}",
                path=path,
                hint="run it with 'napari-scope acquire' or from Python",
            ) from error
        for what, wanted, got in (
            ("channels", _channel_facts(plan), _channel_facts(shown)),
            ("sizes", _sizes(plan), _sizes(shown)),
        ):
            if wanted != got:
                self.setValue(before)
                raise PlanError(
                    f"the tables cannot show the {what} of this plan, "
                    f"expected {wanted}, shown {got}",
                    path=path,
                    hint="load the microscope it was made for, or run it with "
                    "'napari-scope acquire'",
                )

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (PlanError, ValueError, TypeError) as error:
            self.failed.emit(error)


def _channel_facts(plan: useq.MDASequence) -> list[str]:
    return [f"{c.group}: {c.config}" for c in plan.channels]


def _sizes(plan: useq.MDASequence) -> dict[str, int]:
    return {str(axis): size for axis, size in plan.sizes.items() if size}


def _with_position(order: str) -> str:
    """Return an axis order with positions at their usual place, after time."""
    if order.startswith("t"):
        return f"tp{order[1:]}"
    return f"p{order}"

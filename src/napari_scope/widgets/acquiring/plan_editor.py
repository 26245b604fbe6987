"""The tables of a plan in one editor: what they show, and what is run of it.

`PlanEditor.shown` is the plan as the tables show it, `PlanEditor.value` what a run
gets: grids have the camera's field of view and a plan without positions starts where
the stage is. What useq has and the tables have not (metadata, the set-up event) is
carried along. `PlanEditor.show` tells what the tables cannot show of a plan, and then
leaves them as they were. It knows nothing of runs.

Parts of pymmcore-widgets without a public name: see `plan_tables`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import useq
from pymmcore_widgets.useq_widgets import MDASequenceWidget
from pymmcore_widgets.useq_widgets._z import Mode
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from superqt.utils import signals_blocked

from napari_scope.errors import PlanError
from napari_scope.events.plan_compare import own_metadata, plan_differences
from napari_scope.events.z_steps import numerical_aperture, nyquist_step_um
from napari_scope.widgets.acquiring.plan_completion import (
    completed,
    full_order,
    with_one_focus,
)
from napari_scope.widgets.acquiring.plan_extras import (
    AutofocusRow,
    name_axes,
    name_axis_order,
)
from napari_scope.widgets.acquiring.plan_tables import PlanTabs

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_scope.widgets.acquiring.plan_tables import (
        ChannelTable,
        PositionTable,
        ZEditor,
    )
    from napari_scope.widgets.common.core_events import GuiCore

__all__ = ["PlanEditor"]


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
        Something could not be done; carries the exception.
    """

    failed = Signal(object)
    tab_wdg: PlanTabs

    def __init__(self, core: GuiCore, parent: QWidget | None = None) -> None:
        self._core: Any = core
        self._carried: dict[str, Any] = {}
        self._order = ""
        self._showing = False
        self._offers_channels = False
        tabs = PlanTabs(None, self._core)
        super().__init__(parent, tab_widget=tabs)
        self._closed = False
        self._lay_out_more()
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
        for signal in self._told_once():
            signal.disconnect(tabs.channels._update_channel_groups)
            signal.connect(self._soon.start)
        core.events.propertyChanged.connect(self._on_property)
        self.channels._group_combo.currentTextChanged.connect(self.channels.fit_columns)
        self._fit_to_core()

    @property
    def channels(self) -> ChannelTable:
        """The channels."""
        return self.tab_wdg.channels

    @property
    def stage_positions(self) -> PositionTable:
        """The table of positions."""
        return self.tab_wdg.stage_positions

    @property
    def z_plan(self) -> ZEditor:
        """The editor of the z stack."""
        return self.tab_wdg.z_plan

    @property
    def grid_plan(self) -> Any:
        """The editor of the grid."""
        return self.tab_wdg.grid_plan

    # ---- the plan

    def shown(self) -> useq.MDASequence:
        """Return the plan as the tables show it, and what is carried along.

        Raises
        ------
        PlanError
            If the tables do not make a valid plan.
        """
        grid = self.grid_plan
        changes: dict[str, Any] = dict(self._carried)
        with_grid = self.tab_wdg.isAxisUsed("g")
        if with_grid and grid.problem:
            raise PlanError(f"this is no valid plan yet: {grid.problem}")
        try:
            plan = super().value()
            if with_grid:
                changes["grid_plan"] = grid.shown()
            focus = plan.autofocus_plan
            offset = self.af_row.offset_um()
            if focus and offset is not None:
                changes["autofocus_plan"] = focus.replace(autofocus_motor_offset=offset)
            changes["axis_order"] = full_order(
                self.axis_order.currentText(), self._order
            )
            changes.setdefault("metadata", {})
            return plan.replace(**changes)
        except (ValueError, TypeError) as error:
            raise PlanError(f"this is no valid plan yet, {error}") from error

    def sized(self) -> useq.MDASequence:
        """Return the plan for an estimate: with fields of view, no device is asked."""
        plan = self.shown()
        if plan.grid_plan is None:
            return plan
        return plan.replace(grid_plan=self.grid_plan.value())

    def value(self) -> useq.MDASequence:
        """Return the plan as it is to be run.

        A plan without positions gets that of the stage: relative z stacks and grids
        would otherwise be taken around zero.

        Raises
        ------
        PlanError
            If the tables do not make a valid plan.
        """
        return self.completed(self.sized())

    def completed(self, plan: useq.MDASequence) -> useq.MDASequence:
        """Return a plan with what it leaves to the microscope as it is now."""
        return completed(plan, self._core)

    def setValue(self, value: useq.MDASequence) -> None:
        """Show a plan.

        Raises
        ------
        TypeError, ValueError
            If a part of it is of a kind that the tables do not know; see `show`.
        """
        self._refuse_unknown(value)
        self._showing = True
        try:
            if value.channels:
                # The table offers the presets of one group.
                self.channels._group_combo.setCurrentText(value.channels[0].group)
            focus = value.autofocus_plan
            self.af_row.set_offset(
                None if focus is None else focus.autofocus_motor_offset
            )
            super().setValue(value)
        finally:
            self._showing = False
        self._carried = {}
        self._order = "".join(map(str, value.axis_order))
        if value.setup is not None:
            self._carried["setup"] = value.setup
        if own_metadata(value):
            self._carried["metadata"] = own_metadata(value)
        self._forbid_autofocus()
        self.valueChanged.emit()

    def show_plan(self, plan: useq.MDASequence) -> list[str]:
        """Show a plan if the tables can show all of it.

        Returns
        -------
        list of str
            What they cannot show, in words; they then are as they were before.
        """
        before = self._before()
        with signals_blocked(self):
            try:
                self.setValue(plan)
                reasons = plan_differences(plan, self.shown())
            except (TypeError, ValueError, PlanError) as error:
                reasons = [str(error).splitlines()[0]]
            if reasons and before is not None:
                self.setValue(before)
        if not reasons:
            self.valueChanged.emit()
        return reasons

    @property
    def carried(self) -> tuple[str, ...]:
        """What the plan has that the tables do not show: metadata, the set-up event."""
        titles = {"metadata": "metadata", "setup": "the set-up event"}
        return tuple(titles[key] for key in self._carried)

    def _before(self) -> useq.MDASequence | None:
        try:
            return self.shown()
        except PlanError:
            return None

    def _refuse_unknown(self, plan: useq.MDASequence) -> None:
        """Raise for what the tables would change with a mere warning."""
        if isinstance(plan.z_plan, useq.ZAbsolutePositions | useq.ZRelativePositions):
            raise TypeError("the z stack: a list of places has no row in the tables")
        places = plan.stage_positions
        if not isinstance(places, useq.WellPlatePlan):
            if len({place.z is None for place in places}) > 1:
                raise TypeError("the positions: some have a z and some have none")

    def with_one_focus(self, plan: useq.MDASequence) -> useq.MDASequence:
        """Return a plan whose positions all have a z, if one of them has."""
        return with_one_focus(plan, self._core)

    # ---- the microscope

    def close_down(self) -> None:
        """Stop the timer and let go of the core; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._soon.stop()
        for signal in self._told_once():
            signal.disconnect(self._soon.start)
            signal.connect(self.channels._update_channel_groups)
        self._core.events.propertyChanged.disconnect(self._on_property)
        self.tab_wdg.close_down()

    def _told_once(self) -> tuple[Any, ...]:
        events = self._core.events
        return (
            events.systemConfigurationLoaded,
            events.channelGroupChanged,
            events.configDefined,
            events.configGroupDeleted,
        )

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
        self.channels.fit_columns()
        # The channel list of a microscope without presets would only hold a blank. A
        # plan without channels stays so when a preset is defined.
        if bool(groups) != self._offers_channels:
            self._offers_channels = bool(groups)
            self.tab_wdg.setChecked(self.channels, self._offers_channels)
        if self._core.getFocusDevice() and not self.stage_positions.table().rowCount():
            # Unchecked by the table itself as long as there was no focus drive.
            self.stage_positions.include_z.setChecked(True)
        device = self._core.getAutoFocusDevice()
        self.af_row.setVisible(bool(device))
        self.stage_positions.af_per_position.setVisible(bool(device))
        self._suggest_step()
        self.valueChanged.emit()

    def _on_property(self, device: str, name: str, _value: str = "") -> None:
        if name == "Label" or device == "Core":
            self._suggest_step()

    def _suggest_step(self) -> None:
        """Offer the step that the objective asks for, if its name tells enough."""
        core, step = self._core, None
        try:
            for objective in core.guessObjectiveDevices():
                # From the cache: no device is asked.
                label = core.getPropertyFromCache(objective, "Label")
                aperture = numerical_aperture(label)
                step = None if aperture is None else nyquist_step_um(aperture)
        except RuntimeError:
            step = None
        self.z_plan.setSuggestedStep(step)

    # ---- fitting in

    def _update_time_estimate(self) -> None:
        # The dock estimates frames, bytes and duration together and not at every key.
        pass

    def _simplify_af_offsets(self, seq: useq.MDASequence) -> dict[str, Any]:
        # Positions keep their own offsets also when these are all the same: one plan
        # for all would be another plan.
        if not seq.stage_positions:
            return {}
        return {"stage_positions": self._update_af_axes(seq.stage_positions)}

    def _validate_af_with_z_plan(self) -> None:
        # The parent asks in a box that must be answered, also while a plan is loaded.
        if not self._showing:
            self._forbid_autofocus()
            self.valueChanged.emit()

    def _forbid_autofocus(self) -> None:
        absolute = self.z_plan.mode() == Mode.TOP_BOTTOM
        allowed = not (absolute and self.tab_wdg.isAxisUsed("z"))
        self._enable_af(allowed)
        self.af_row.set_allowed(allowed)

    def _lay_out_more(self) -> None:
        """Add the offset of the autofocus; the words are those of this dock."""
        self.af_row = AutofocusRow(self.af_axis)
        self.af_offset, self.af_note = self.af_row.offset, self.af_row.note
        self.af_offset.valueChanged.connect(self.valueChanged)
        layout: Any = self.layout()
        boxes = layout.itemAt(2).layout()
        boxes.insertWidget(1, self.af_row)
        boxes.insertWidget(2, self.af_note)
        name_axes(self.keep_shutter_open, "Shutter open over")
        name_axes(self.af_axis, "Autofocus")
        name_axis_order(layout.itemAt(0).layout().itemAt(0).widget(), self.axis_order)

    def _tame(self) -> None:
        """Fit the foreign parts into the dock."""
        self._duration_label.setVisible(False)
        self._time_warning.setVisible(False)
        # Files are for whoever has this editor: a plan may be more than its tables.
        self._save_button.setVisible(False)
        self._load_button.setVisible(False)
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)

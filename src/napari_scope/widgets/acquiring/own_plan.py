"""A position's own plan: the button in the table of positions, and its dialog.

The dialog has the tabs of the plan without positions. What they do not show of the
position's plan (its axis order, autofocus, metadata) stays as it was. A plan that they
cannot show is not opened: it is edited as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import useq
from pymmcore_widgets.useq_widgets._column_info import WdgGetSet
from pymmcore_widgets.useq_widgets._mda_sequence import MDATabs
from pymmcore_widgets.useq_widgets._positions import MDAButton, SubSeqColumn
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from napari_scope.errors import PlanError
from napari_scope.events.plan_compare import plan_differences

__all__ = ["OwnPlanButton", "OwnPlanColumn", "OwnPlanDialog"]


class OwnPlanDialog(QDialog):
    """Edits a position's own plan.

    Parameters
    ----------
    plan : MDASequence, optional
        What it is now.
    tabs : PlanTabs
        The tabs around the button.
    parent : QWidget
        Parent.

    Raises
    ------
    PlanError
        If the tabs cannot show it.
    """

    def __init__(
        self, plan: useq.MDASequence | None, tabs: Any, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Plan of this position")
        self._plan = useq.MDASequence() if plan is None else plan
        self._gone = False
        self.tabs: Any = type(tabs)(None, tabs.core)
        self.tabs.channels.setChannelGroups(tabs.channels.channelGroups())
        self.tabs.removeTab(self.tabs.indexOf(self.tabs.stage_positions))
        self.tabs.stage_positions.hide()
        self._show()
        self.tabs.channels.fit_columns()
        note = QLabel("What is ticked here replaces the plan at this position.")
        note.setWordWrap(True)
        kind = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(kind.Ok | kind.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(note)
        layout.addWidget(self.tabs)
        layout.addWidget(buttons)
        self.finished.connect(self._let_go)

    def value(self) -> useq.MDASequence | None:
        """Return the plan; None if nothing is ticked."""
        tabs = self.tabs
        made = {
            "time_plan": tabs.time_plan.value() if tabs.isAxisUsed("t") else None,
            "grid_plan": tabs.grid_plan.shown() if tabs.isAxisUsed("g") else None,
            "z_plan": tabs.z_plan.value() if tabs.isAxisUsed("z") else None,
            "channels": tabs.channels.value() if tabs.isAxisUsed("c") else (),
        }
        plan = self._plan.replace(**made)
        if not plan_differences(useq.MDASequence(), plan):
            return None
        return plan

    def _show(self) -> None:
        try:
            if self._plan.channels:
                combo = self.tabs.channels._group_combo
                combo.setCurrentText(self._plan.channels[0].group)
            self.tabs.setValue(self._plan)
            shown = self.value() or useq.MDASequence()
            reasons = plan_differences(self._plan, shown)
        except (TypeError, ValueError) as error:
            reasons = [str(error)]
        if reasons:
            self._let_go()
            raise PlanError(
                f"the tables cannot show this position's own plan, {reasons[0]}",
                hint="edit it in the Text tab",
            )

    def _let_go(self, _: int = 0) -> None:
        if not self._gone:
            self._gone = True
            self.tabs.close_down()
            self.deleteLater()


class OwnPlanButton(MDAButton):
    """The button in a row."""

    def __init__(self) -> None:
        super().__init__()
        self._dialog: OwnPlanDialog | None = None
        self.seq_btn.setToolTip("A plan for this position alone")
        self.clear_btn.setToolTip("Remove the plan of this position")

    def _on_click(self) -> None:
        tabs = self._tabs()
        if tabs is None:
            return
        try:
            dialog = OwnPlanDialog(self.value(), tabs, self)
        except PlanError as error:
            tabs.stage_positions.failed.emit(error)
            return
        self._dialog = dialog
        dialog.accepted.connect(lambda: self.setValue(dialog.value()))
        # Not a loop of its own: the program goes on behind the dialog.
        dialog.open()

    def _tabs(self) -> Any:
        parent: QWidget | None = self
        while parent is not None and not isinstance(parent, MDATabs):
            parent = parent.parentWidget()
        return parent


_BUTTON: Any = WdgGetSet(
    OwnPlanButton,
    OwnPlanButton.value,
    OwnPlanButton.setValue,
    lambda button, call: button.valueChanged.connect(call),
)


@dataclass(frozen=True)
class OwnPlanColumn(SubSeqColumn):
    """Column of such buttons."""

    data_type: Any = _BUTTON

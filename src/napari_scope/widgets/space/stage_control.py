"""The stage by hand: where it is, steps in x, y and z, typed places, halt, home.

pymmcore-widgets has a stage widget; it asks the core for positions and moves stages in
the GUI thread, by a timer of its own, so a slow stage holds up the window. This one
calls no stage: everything goes through a `StageDriver`.

Examples
--------
>>> control = StageControl(StageDriver(microscope), microscope)  # doctest: +SKIP
>>> control.step(right=1, down=0)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.common.icons import RED, icon
from napari_scope.widgets.common.narrow import keep_narrow
from napari_scope.widgets.space.confirm_button import ConfirmButton

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent

    from napari_scope.acquire.stage_moves import StageFacts
    from napari_scope.acquire.stage_watch import StagePlace
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.space.stage_driver import StageDriver

__all__ = ["StageControl"]

_FINE: Final = 0.1  # of a step
_FAR_UM: Final = 10_000_000.0

_PAD: Final = (
    (0, 1, "arrow-up-thick", 0, -1, "up in the image"),
    (1, 0, "arrow-left-thick", -1, 0, "to the left"),
    (1, 2, "arrow-right-thick", 1, 0, "to the right"),
    (2, 1, "arrow-down-thick", 0, 1, "down in the image"),
)
_KEYS: Final = {
    Qt.Key.Key_Left: (-1, 0, 0),
    Qt.Key.Key_Right: (1, 0, 0),
    Qt.Key.Key_Up: (0, -1, 0),
    Qt.Key.Key_Down: (0, 1, 0),
    Qt.Key.Key_PageUp: (0, 0, 1),
    Qt.Key.Key_PageDown: (0, 0, -1),
}


class StageControl(QWidget):
    """Controls the default XY stage and focus drive.

    Parameters
    ----------
    driver : StageDriver
        What moves them.
    microscope : Microscope
        The microscope, for its lock.
    parent : QWidget, optional
        Owner.
    """

    def __init__(
        self,
        driver: StageDriver,
        microscope: Microscope,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._driver = driver
        self._microscope = microscope
        self._typed_in: set[QDoubleSpinBox] = set()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._build()
        driver.place_changed.connect(self._show_place)
        driver.facts_changed.connect(self._show_facts)
        driver.state_changed.connect(self._show_state)
        self._show_facts(driver.facts)

    def step(
        self, right: int = 0, down: int = 0, up: int = 0, fine: bool = False
    ) -> None:
        """Go some steps of the sizes that are set, a tenth of them if fine."""
        xy = self.xy_step.value() * (_FINE if fine else 1)
        z = self.z_step.value() * (_FINE if fine else 1)
        self._driver.step_by(right * xy, down * xy, up * z)

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        return {"xy_step": self.xy_step.value(), "z_step": self.z_step.value()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        for name, box in (("xy_step", self.xy_step), ("z_step", self.z_step)):
            value = state.get(name)
            if isinstance(value, int | float) and value > 0:
                box.setValue(float(value))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Step with the arrow keys; PageUp and PageDown move the focus."""
        if event is None:
            return
        steps = _KEYS.get(Qt.Key(event.key()))
        if steps is not None and not self._microscope.lock_reason:
            fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.step(*steps, fine)
        elif event.key() == Qt.Key.Key_Escape:
            self._driver.halt()
        else:
            super().keyPressEvent(event)

    # ---- showing

    def _show_place(self, place: StagePlace) -> None:
        for box, value in (
            (self.x_box, place.x_um),
            (self.y_box, place.y_um),
            (self.z_box, place.z_um),
        ):
            box.setEnabled(value is not None)
            if value is None or box in self._typed_in:
                continue
            with QSignalBlocker(box):
                box.setValue(value)

    def _show_facts(self, facts: StageFacts) -> None:
        for combo, names, now in (
            (self.xy_choice, facts.xy_devices, facts.xy_device),
            (self.z_choice, facts.z_devices, facts.focus_device),
        ):
            with QSignalBlocker(combo):
                combo.clear()
                combo.addItems(names)
                combo.setCurrentText(now)
            combo.setVisible(len(names) > 1)
        self._show_state()

    def _show_state(self) -> None:
        facts, free = self._driver.facts, not self._microscope.lock_reason
        for widget in self._xy_parts:
            widget.setEnabled(free and bool(facts.xy_device))
        for widget in self._z_parts:
            widget.setEnabled(free and bool(facts.focus_device))
        self._places.setEnabled(free)
        for combo in (self.xy_choice, self.z_choice):
            combo.setEnabled(free)
        self.status.setText(self._driver.words)

    # ---- layout

    def _build(self) -> None:
        self.x_box = self._place_box("x", "Stage position in x, in micrometers")
        self.y_box = self._place_box("y", "Stage position in y, in micrometers")
        self.z_box = self._place_box("z", "Height of the focus, in micrometers")
        self.x_box.editingFinished.connect(lambda: self._typed(self.x_box, "x_um"))
        self.y_box.editingFinished.connect(lambda: self._typed(self.y_box, "y_um"))
        self.z_box.editingFinished.connect(lambda: self._typed(self.z_box, "z_um"))
        self.xy_step = self._step_box(50.0, "Step of the stage; fine steps are a tenth")
        self.z_step = self._step_box(1.0, "Step of the focus; fine steps are a tenth")
        self.xy_choice = self._choice("Which XY stage", "xy")
        self.z_choice = self._choice("Which focus drive", "focus")
        self.status = QLabel()
        self.status.setWordWrap(True)

        self._places = QWidget()
        row = QHBoxLayout(self._places)
        row.setContentsMargins(0, 0, 0, 0)
        for name, box in (("x", self.x_box), ("y", self.y_box), ("z", self.z_box)):
            row.addWidget(QLabel(name))
            row.addWidget(box, 1)

        self._pads = QWidget()
        pads = QGridLayout(self._pads)
        pads.setContentsMargins(0, 0, 0, 0)
        pads.setSpacing(2)
        self._buttons: dict[str, QToolButton] = {}
        for line, column, name, right, down, words in _PAD:
            button = self._arrow(name, f"Move the stage one step {words}")
            button.clicked.connect(
                lambda _=False, r=right, d=down: self.step(r, d, fine=_shift())
            )
            pads.addWidget(button, line, column)
            self._buttons[words] = button
        self.halt_button = QToolButton()
        self.halt_button.setIcon(icon("stage-halt", RED))
        self.halt_button.setToolTip("Halt all stages (Escape)")
        self.halt_button.setAccessibleName("Halt")
        self.halt_button.clicked.connect(self._driver.halt)
        up = self._arrow("arrow-up-thick", "Move the focus one step up (PageUp)")
        down_button = self._arrow(
            "arrow-down-thick", "Move the focus one step down (PageDown)"
        )
        up.clicked.connect(lambda: self.step(up=1, fine=_shift()))
        down_button.clicked.connect(lambda: self.step(up=-1, fine=_shift()))
        self._buttons |= {"focus up": up, "focus down": down_button}
        pads.addWidget(up, 0, 4)
        pads.addWidget(QLabel("z"), 1, 4, Qt.AlignmentFlag.AlignCenter)
        pads.addWidget(down_button, 2, 4)
        pads.setColumnMinimumWidth(3, up.sizeHint().width() // 2)

        steps = QGridLayout()
        steps.addWidget(QLabel("Steps"), 0, 1)
        steps.addWidget(QLabel("x, y"), 1, 0)
        steps.addWidget(self.xy_step, 1, 1)
        steps.addWidget(QLabel("z"), 2, 0)
        steps.addWidget(self.z_step, 2, 1)
        steps.setColumnStretch(1, 1)
        self.home_button = ConfirmButton("Home", "Really home?")
        self.home_button.setToolTip(
            "Send the XY stage to its own zero; it may run to its limits for that. "
            "Click twice."
        )
        self.home_button.confirmed.connect(self._driver.home)
        self.origin_button = ConfirmButton("Set origin", "Really here?")
        self.origin_button.setToolTip(
            "Call this place x = 0, y = 0. All positions in plans and lists mean "
            "other places then. Click twice."
        )
        self.origin_button.confirmed.connect(self._driver.set_origin)
        # The halt button stays alive when everything else is locked.
        self.halt_button.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred
        )
        self.halt_button.setText("Halt")
        self.halt_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        rare = QHBoxLayout()
        for rarely in (self.halt_button, self.home_button, self.origin_button):
            rare.addWidget(rarely, 1)
        middle = QHBoxLayout()
        middle.addWidget(self._pads)
        middle.addLayout(steps, 1)
        choices = QHBoxLayout()
        choices.addWidget(self.xy_choice, 1)
        choices.addWidget(self.z_choice, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(choices)
        layout.addWidget(self._places)
        layout.addLayout(middle)
        layout.addLayout(rare)
        layout.addWidget(self.status)
        self._xy_parts = (
            *(self._buttons[words] for *_, words in _PAD),
            self.xy_step,
            self.home_button,
            self.origin_button,
        )
        self._z_parts = (up, down_button, self.z_step)

    def _typed(self, box: QDoubleSpinBox, name: str) -> None:
        # Leaving a box in which nothing was typed is no wish to go anywhere.
        if box in self._typed_in:
            self._typed_in.discard(box)
            self._driver.move_to(**{name: box.value()})

    def _choice(self, tip: str, role: str) -> QComboBox:
        combo = QComboBox()
        combo.setToolTip(tip)
        combo.setAccessibleName(tip)
        combo.setVisible(False)
        combo.textActivated.connect(lambda name: self._driver.choose(**{role: name}))
        return combo

    def _place_box(self, name: str, tip: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(-_FAR_UM, _FAR_UM)
        box.setDecimals(2)
        box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        box.setKeyboardTracking(False)
        box.setToolTip(f"{tip}. Type another one and press Enter to go there.")
        box.setAccessibleName(f"Position {name}")
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        if (line := box.lineEdit()) is not None:
            line.textEdited.connect(lambda _: self._typed_in.add(box))
        # Ten million micrometers need not fit.
        keep_narrow(box, "-0000.00")
        return box

    def _step_box(self, value: float, tip: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(0.01, 100_000.0)
        box.setDecimals(2)
        box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        box.setSuffix(" µm")
        box.setValue(value)
        # Its own minimum is that of its largest value.
        keep_narrow(box, "-- 00.00 µm +++")
        box.setToolTip(f"{tip} (with Shift)")
        box.setAccessibleName(tip)
        return box

    def _arrow(self, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        size = self.fontMetrics().height() * 3 // 2
        button.setIconSize(QSize(size, size))
        button.setAutoRepeat(True)
        button.setToolTip(f"{tip}; with Shift a tenth of it")
        button.setAccessibleName(tip)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button


def _shift() -> bool:
    modifiers = QApplication.keyboardModifiers()
    return bool(modifiers & Qt.KeyboardModifier.ShiftModifier)

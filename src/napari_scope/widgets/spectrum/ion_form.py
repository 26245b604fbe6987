"""How ion images are made: m/z, tolerance, normalisation, clipping.

Examples
--------
>>> form = IonForm()  # doctest: +SKIP
>>> form.set_mz(885.55)  # doctest: +SKIP
>>> form.value().name  # doctest: +SKIP
'm/z 885.55 ± 10 ppm'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_scope.formats.msi import Reference
from napari_scope.widgets.common.narrow import keep_narrow
from napari_scope.widgets.spectrum.ion_choice import IonChoice

if TYPE_CHECKING:
    from napari_scope.formats.msi import Normalisation, ToleranceUnit
    from napari_scope.formats.msi.blocks import How

__all__ = ["IonForm"]

_HOW: Final = (("sum", "Sum"), ("max", "Highest"), ("mean", "Mean"))
_SCALES: Final = (
    ("none", "No normalisation"),
    ("tic", "Total ion count"),
    ("rms", "Root mean square"),
    ("median", "Median"),
    ("reference", "Reference peak"),
)
_TOLERANCES: Final = {"ppm": 10.0, "Da": 0.25}


class IonForm(QWidget):
    """Edits an `IonChoice`.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    changed : Signal
        Something is different now.
    add_wanted, list_wanted : Signal
        The user wants a layer of its own for it, or to keep it in the list.
    """

    changed = Signal()
    add_wanted = Signal()
    list_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own_tolerance = dict(_TOLERANCES)
        self._unit_before = "ppm"
        self.mz = _number(0.0, 1e6, 4, "m/z of the ion image", "0000.0000")
        self.mz.setSpecialValueText("none")
        self.tolerance = _number(0.0, 1e5, 3, "Half of the window's width", "000.000")
        self.unit = QComboBox()
        self.unit.addItems(["ppm", "Da"])
        self.unit.setToolTip("Unit of the tolerance")
        self.unit.setAccessibleName("Unit of the tolerance")
        self.how = _choice(_HOW, "What becomes of the intensities in the window")
        self.normalise = _choice(_SCALES, "What each spectrum is scaled by")
        self.reference = _number(
            0.0, 1e6, 4, "m/z of the peak that is made equal everywhere", "0000.0000"
        )
        self.reference_label = QLabel("Reference m/z")
        self.reference_label.setBuddy(self.reference)
        self.clip = QCheckBox("Clip &at")
        self.clip.setToolTip(
            "Cut bright pixels down to the value that this part of them lies below"
        )
        self.quantile = _number(50.0, 100.0, 1, "Part of the bright pixels", "00.0 %")
        self.quantile.setSuffix(" %")
        self.quantile.setSingleStep(0.1)
        self.log = QCheckBox("Lo&g")
        self.log.setToolTip("Show the logarithm of the values")
        self.preview = QCheckBox("F&ollow")
        self.preview.setToolTip("Show the ion image of the marker at once")
        self.add_button = QPushButton("A&dd ion image")
        self.add_button.setToolTip("Keep this ion image as a coloured layer of its own")
        self.list_button = QPushButton("To list")
        self.list_button.setToolTip("Keep this m/z in the list")
        self._lay_out()
        self.restore({})
        for box in (self.mz, self.tolerance, self.reference, self.quantile):
            box.valueChanged.connect(lambda _: self._on_changed())
        for combo in (self.how, self.normalise):
            combo.currentIndexChanged.connect(lambda _: self._on_changed())
        for check in (self.clip, self.log, self.preview):
            check.toggled.connect(lambda _: self._on_changed())
        self.unit.currentTextChanged.connect(self._on_unit)
        self.add_button.clicked.connect(lambda: self.add_wanted.emit())
        self.list_button.clicked.connect(lambda: self.list_wanted.emit())

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(4, 4, 4, 4)
        mz_label = QLabel("&m/z")
        mz_label.setBuddy(self.mz)
        first = QHBoxLayout()
        for widget, stretch in (
            (self.mz, 3),
            (QLabel("±"), 0),
            (self.tolerance, 2),
            (self.unit, 0),
        ):
            first.addWidget(widget, stretch)
        grid.addWidget(mz_label, 0, 0)
        grid.addLayout(first, 0, 1)
        second = QHBoxLayout()
        second.addWidget(self.how)
        second.addWidget(self.normalise, 1)
        grid.addWidget(QLabel("Values"), 1, 0)
        grid.addLayout(second, 1, 1)
        grid.addWidget(self.reference_label, 2, 0)
        grid.addWidget(self.reference, 2, 1)
        third = QHBoxLayout()
        third.addWidget(self.clip)
        third.addWidget(self.quantile)
        third.addStretch(1)
        third.addWidget(self.log)
        third.addWidget(self.preview)
        grid.addLayout(third, 3, 0, 1, 2)
        last = QHBoxLayout()
        last.addWidget(self.add_button, 1)
        last.addWidget(self.list_button)
        grid.addLayout(last, 4, 0, 1, 2)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(5, 1)

    # ---- value

    def value(self) -> IonChoice | None:
        """Return what is chosen; None without an m/z."""
        return self.pattern() if self.mz.value() > 0 else None

    def pattern(self) -> IonChoice:
        """Return how images are made, whether there is an m/z or not."""
        return IonChoice(
            self.mz.value(),
            self.tolerance.value(),
            cast("ToleranceUnit", self.unit.currentText()),
            cast("How", self.how.currentData()),
            self._normalise(),
            self.quantile.value() / 100 if self.clip.isChecked() else None,
            self.log.isChecked(),
        )

    def _normalise(self) -> Normalisation:
        scaled = str(self.normalise.currentData())
        if scaled != "reference":
            return cast("Normalisation", scaled)
        if self.reference.value() <= 0:
            return "none"
        unit = cast("ToleranceUnit", self.unit.currentText())
        return Reference(self.reference.value(), self.tolerance.value(), unit)

    def set_mz(self, mz: float) -> None:
        """Choose another m/z."""
        self.mz.setValue(mz)

    def show_mz(self, mz: float) -> None:
        """Show another m/z and tell nobody."""
        self.blockSignals(True)
        self.mz.setValue(mz)
        self.blockSignals(False)

    def set_window(
        self, mz: float, tolerance: float | None, unit: ToleranceUnit
    ) -> None:
        """Choose another m/z, and another tolerance if one is given."""
        self.blockSignals(True)
        if tolerance is not None:
            self.unit.setCurrentText(unit)
            self.tolerance.setValue(tolerance)
        self.mz.setValue(mz)
        self.blockSignals(False)
        self._on_changed()

    @property
    def follows(self) -> bool:
        """Whether the ion image is to be shown while one chooses."""
        return self.preview.isChecked()

    def state(self) -> dict[str, Any]:
        """Return what is remembered: all but the m/z."""
        return {
            "unit": self.unit.currentText(),
            "tolerances": {
                **self._own_tolerance,
                self.unit.currentText(): self.tolerance.value(),
            },
            "how": self.how.currentData(),
            "normalise": self.normalise.currentData(),
            "reference": self.reference.value(),
            "clip": self.clip.isChecked(),
            "quantile": self.quantile.value(),
            "log": self.log.isChecked(),
            "follow": self.preview.isChecked(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what was remembered."""
        stored = state.get("tolerances", {})
        self._own_tolerance = {
            unit: float(stored.get(unit, usual)) for unit, usual in _TOLERANCES.items()
        }
        unit = str(state.get("unit", "ppm"))
        self._unit_before = unit if unit in _TOLERANCES else "ppm"
        self.unit.setCurrentText(self._unit_before)
        self.tolerance.setValue(self._own_tolerance[self._unit_before])
        for combo, name in ((self.how, "how"), (self.normalise, "normalise")):
            combo.setCurrentIndex(max(0, combo.findData(state.get(name))))
        self.reference.setValue(float(state.get("reference", 0.0)))
        self.clip.setChecked(bool(state.get("clip", False)))
        self.quantile.setValue(float(state.get("quantile", 99.0)))
        self.log.setChecked(bool(state.get("log", False)))
        self.preview.setChecked(bool(state.get("follow", True)))
        self._show_parts()

    # ---- changes

    def _on_unit(self, unit: str) -> None:
        if unit == self._unit_before:
            return
        # Each unit has a tolerance of its own: 10 ppm are no 10 Da.
        self._own_tolerance[self._unit_before] = self.tolerance.value()
        self._unit_before = unit
        self.tolerance.blockSignals(True)
        self.tolerance.setValue(self._own_tolerance[unit])
        self.tolerance.blockSignals(False)
        self._on_changed()

    def _on_changed(self) -> None:
        self._show_parts()
        self.changed.emit()

    def _show_parts(self) -> None:
        asks = self.normalise.currentData() == "reference"
        self.reference.setVisible(asks)
        self.reference_label.setVisible(asks)
        self.quantile.setEnabled(self.clip.isChecked())
        chosen = self.mz.value() > 0
        self.add_button.setEnabled(chosen)
        self.list_button.setEnabled(chosen)


def _number(
    low: float, high: float, decimals: int, tip: str, sample: str
) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(low, high)
    box.setDecimals(decimals)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    box.setKeyboardTracking(False)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    keep_narrow(box, sample + "00")
    return box


def _choice(entries: tuple[tuple[str, str], ...], tip: str) -> QComboBox:
    combo = QComboBox()
    for data, text in entries:
        combo.addItem(text, data)
    combo.setToolTip(tip)
    combo.setAccessibleName(tip)
    combo.setSizeAdjustPolicy(
        QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
    combo.setMinimumContentsLength(6)
    return combo

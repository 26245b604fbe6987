"""Measuring the size of a pixel from the page of the pixel size: a line of widgets.

The stage is moved and images are taken in the thread of the device calls; live rests
meanwhile. What was measured is shown, and becomes that of the preset in use only when
the user says so.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QPushButton, QWidget

from napari_scope.acquire.pixel_calibration import (
    PixelCalibration,
    define_pixels,
    measure_pixels,
)
from napari_scope.acquire.stage_moves import StageMoves
from napari_scope.errors import CancelledError
from napari_scope.widgets.devices.pixel_facts import affine_words

if TYPE_CHECKING:
    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["PixelMeasure"]

_MEASURE = "&Measure with the stage"


class PixelMeasure(QWidget):
    """Measures pixels by moving the stage.

    Parameters
    ----------
    microscope : Microscope
        The microscope.
    parent : QWidget, optional
        Owner.

    Attributes
    ----------
    defined : Signal
        The preset in use has what was measured.
    """

    defined = Signal()

    def __init__(self, microscope: Microscope, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._microscope = microscope
        self._moves: StageMoves | None = None
        self._cancelled = threading.Event()
        self._found: PixelCalibration | None = None
        self._preset = ""
        self.measure_button = QPushButton(_MEASURE)
        self.measure_button.setToolTip(
            "Move the stage a little to all sides and compare the images: needs a "
            "sample with structure, in focus. Nothing is changed before you say so."
        )
        self.measure_button.clicked.connect(self._on_clicked)
        self.step = QDoubleSpinBox()
        self.step.setRange(0.1, 1000)
        self.step.setValue(10)
        self.step.setSuffix(" µm")
        self.step.setToolTip(
            "The first move: some pixels at least, a third of the field at most"
        )
        self.step.setAccessibleName("First move")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setVisible(False)
        self.use_button = QPushButton()
        self.use_button.setVisible(False)
        self.use_button.clicked.connect(self._use)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.measure_button, 0, 0)
        layout.addWidget(self.step, 0, 1)
        layout.addWidget(self.words, 1, 0, 1, 2)
        layout.addWidget(self.use_button, 2, 0, 1, 2)
        layout.setColumnStretch(0, 1)

    @property
    def busy(self) -> bool:
        """Whether the stage is being moved."""
        return self._moves is not None

    def stop(self) -> None:
        """End a measurement; the stage stays where it is."""
        self._cancelled.set()
        if self._moves is not None:
            moves = self._moves
            self._microscope.calls.at_once("stop the stage", moves.halt)

    def _on_clicked(self) -> None:
        if self.busy:
            self.stop()
            return
        core, live = self._microscope.real_core, self._microscope.live
        moves, step_um = StageMoves(core), self.step.value()
        self._moves, self._cancelled = moves, threading.Event()
        cancelled = self._cancelled.is_set

        def measure() -> tuple[PixelCalibration | None, str]:
            try:
                with live.held():
                    found = measure_pixels(
                        core, step_um=step_um, moves=moves, cancelled=cancelled
                    )
            except CancelledError:
                return None, ""
            return found, core.getCurrentPixelSizeConfig()

        self.use_button.setVisible(False)
        self._say("The stage moves to the sides and back …")
        self.measure_button.setText("&Stop")
        self._microscope.calls.do(
            "measure the pixels",
            measure,
            then=self._on_measured,
            failed=lambda _: self._rest(""),
        )

    def _rest(self, words: str) -> None:
        self._moves = None
        self.measure_button.setText(_MEASURE)
        self._say(words)

    def _say(self, words: str) -> None:
        self.words.setText(words)
        self.words.setVisible(bool(words))

    def _on_measured(self, result: object) -> None:
        assert isinstance(result, tuple)
        found, preset = result
        if found is None:
            self._rest("Stopped; the stage stays where it is")
            return
        self._found, self._preset = found, preset
        size = found.pixel_um
        self._rest(
            f"Measured: {size:.5g} µm, {affine_words(found.affine, size)}; "
            f"images fit within {found.error_px:.1f} pixels"
        )
        self.use_button.setVisible(True)
        self.use_button.setEnabled(bool(preset))
        self.use_button.setText(
            f"&Use it for {preset}" if preset else "No preset of pixel sizes is in use"
        )
        self.use_button.setToolTip(
            "Let the preset in use have this size and transform"
            if preset
            else "Define one for these settings first (Edit pixel sizes)"
        )

    def _use(self) -> None:
        core, found, preset = self._microscope.real_core, self._found, self._preset
        if found is None:
            return
        self.use_button.setVisible(False)
        self._microscope.do(
            f"define the pixel size of {preset}",
            lambda: define_pixels(core, found, preset),
            then=self._on_defined,
        )

    def _on_defined(self, _: object) -> None:
        self._say(f"{self._preset} has it; save the configuration to keep it")
        self.defined.emit()

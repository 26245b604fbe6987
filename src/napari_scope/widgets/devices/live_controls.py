"""What the live strip consists of, and how it is laid out.

Buttons, boxes and lines of text; what they do is `live_strip`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.common.error_panel import ErrorPanel
from napari_scope.widgets.common.icons import GREEN, icon

if TYPE_CHECKING:
    from napari_scope.layers.live_frame import ContrastMode

__all__ = ["LiveControls"]

_MODES: Final[tuple[tuple[ContrastMode, str], ...]] = (
    ("once", "Once"),
    ("always", "Always"),
    ("frozen", "Frozen"),
)


class _ExposureBox(QDoubleSpinBox):
    """Shows no zeros that say nothing: there is little room between the buttons."""

    def textFromValue(self, value: float) -> str:
        return f"{value:.7g}"


class LiveControls(QWidget):
    """The controls of a live view, connected to nothing.

    Parameters
    ----------
    parent : QWidget, optional
        Owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.snap_button = QPushButton(icon("snap"), "Snap")
        self.live_button = QPushButton(icon("live", GREEN), "Live")
        self.live_button.setCheckable(True)
        for button in (self.snap_button, self.live_button):
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.exposure_box = _ExposureBox()
        self.exposure_box.setRange(0.0, 999_999.0)
        self.exposure_box.setDecimals(2)
        self.exposure_box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.exposure_box.setKeyboardTracking(False)
        self.exposure_box.setAccessibleName("Exposure in milliseconds")
        exposure_label = QLabel("&Exposure, ms")
        exposure_label.setBuddy(self.exposure_box)

        self.contrast_box = QComboBox()
        for mode, words in _MODES:
            self.contrast_box.addItem(words, mode)
        self.contrast_box.setToolTip(
            "When the contrast is set by itself: once, from the first frame; always, "
            "from each frame; frozen, never"
        )
        self.contrast_box.setAccessibleName("Automatic contrast")
        self.contrast_button = _tool("contrast", "Set the contrast now")
        self.fit_button = _tool("fit-field", "Fit the view to what the camera sees")
        self.follow_button = _tool(
            "follow",
            "Keep the image in place while the stage moves: the view goes along",
        )
        self.follow_button.setCheckable(True)
        self.keep_button = _tool(
            "keep",
            "Keep this image as a layer of its own; napari's File menu saves it",
        )

        self.rate_label = QLabel()
        self.range_label = QLabel()
        self.saturation_label = QLabel()
        for label in (self.rate_label, self.range_label, self.saturation_label):
            label.setTextFormat(Qt.TextFormat.RichText)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.saturation_label.setSizePolicy(
            QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed
        )
        self.error_panel = ErrorPanel()

        first = QHBoxLayout()
        first.addWidget(self.snap_button)
        first.addWidget(self.live_button)
        first.addStretch()
        first.addWidget(self.contrast_button)
        first.addWidget(self.contrast_box)
        second = QHBoxLayout()
        second.addWidget(exposure_label)
        second.addWidget(self.exposure_box, 1)
        second.addSpacing(6)
        for tool in (self.fit_button, self.follow_button, self.keep_button):
            second.addWidget(tool)
        third = QHBoxLayout()
        third.addWidget(self.range_label, 1)
        third.addWidget(self.saturation_label)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for row in (first, second):
            layout.addLayout(row)
        layout.addWidget(self.rate_label)
        layout.addLayout(third)
        layout.addWidget(self.error_panel)


def _tool(name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(icon(name))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button

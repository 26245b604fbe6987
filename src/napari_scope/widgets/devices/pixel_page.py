"""The page of the pixel size: what holds now, what is defined, and its editor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QFormLayout,
    QLabel,
    QPushButton,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.devices.pages import Page
from napari_scope.widgets.devices.pixel_facts import (
    PixelFacts,
    affine_words,
    read_pixels,
)
from napari_scope.widgets.devices.pixel_measure import PixelMeasure
from napari_scope.widgets.devices.pixel_size_editor import PixelSizeEditor
from napari_scope.widgets.devices.plain_list import PlainList

if TYPE_CHECKING:
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["PixelPage"]

_SOON_MS = 150
_EDITOR_SIZE = (1000, 620)


class PixelPage(Page):
    """Pixel size and affine transform.

    Attributes
    ----------
    failed : Signal
        Pixel sizes could not be defined; carries the exception.
    """

    title = "Pixel size"
    tip = "Size of a pixel in the sample, and how the camera is turned"

    failed = Signal(object)

    def __init__(self, microscope: Microscope, core: TableCore) -> None:
        super().__init__(microscope, core)
        self.editor: PixelSizeEditor | None = None
        self.edit_button: QPushButton | None = None
        self.measure: PixelMeasure | None = None
        self.presets: PlainList | None = None
        self.lines: dict[str, QLabel] = {}
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self._ask)
        self._listening = True
        events = microscope.core.events
        for signal in self._signals(events):
            signal.connect(self._ask_soon)

    def make_body(self) -> QWidget:
        """Return what holds now and the table of presets."""
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        form = QFormLayout()
        for name, text, tip in (
            ("size", "Pixel", "With binning and magnifier, as images are saved"),
            ("field", "Field", "What one image covers"),
            ("camera", "Camera", "How the camera lies to the axes of the stage"),
            ("affine", "Transform", "Micrometers of the stage for a pixel in x and y"),
        ):
            label = QLabel()
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setToolTip(tip)
            form.addRow(text, label)
            self.lines[name] = label
        layout.addLayout(form)
        self.presets = tree = PlainList(
            ["Defined for", "µm", "Camera"], "Pixel sizes that are defined"
        )
        layout.addWidget(tree, 1)
        self.edit_button = QPushButton("&Edit pixel sizes …")
        self.edit_button.setToolTip(
            "Define pixel sizes and transforms for objectives and other settings"
        )
        self.edit_button.clicked.connect(self._edit)
        layout.addWidget(self.edit_button)
        self.measure = PixelMeasure(self.microscope)
        self.measure.defined.connect(self._ask_soon)
        layout.addWidget(self.measure)
        self._ask()
        return body

    def discard(self) -> None:
        """Throw everything away; an open editor edits devices that are gone."""
        self._soon.stop()
        self._close_editor()
        self._stop_measuring()
        self.presets = self.edit_button = self.measure = None
        self.lines = {}
        super().discard()

    def set_locked(self, reason: str) -> None:
        """Let no pixel size be defined."""
        if self.edit_button is not None:
            self.edit_button.setEnabled(not reason)
        if self.editor is not None:
            self.editor.setEnabled(not reason)
        if self.measure is not None:
            self.measure.setEnabled(not reason)

    def close_down(self) -> None:
        """Listen no longer; idempotent."""
        self._soon.stop()
        self._close_editor()
        self._stop_measuring()
        if self._listening:
            self._listening = False
            for signal in self._signals(self.microscope.core.events):
                signal.disconnect(self._ask_soon)

    # ---- inside

    @staticmethod
    def _signals(events: Any) -> list[Any]:
        names = ("pixelSizeChanged", "pixelSizeAffineChanged", "propertyChanged")
        return [getattr(events, name) for name in (*names, "roiSet")]

    def _ask_soon(self, *_: object) -> None:
        if self.built and not self._soon.isActive():
            self._soon.start()

    def _ask(self) -> None:
        core = self.microscope.real_core
        self.microscope.do(
            "read the pixel size",
            lambda: read_pixels(core),
            then=self._show,
            key=("read the pixel size", id(self)),
        )

    def _show(self, facts: object) -> None:
        if not isinstance(facts, PixelFacts) or self.presets is None:
            return
        size = facts.size_um
        name = f" ({facts.preset})" if facts.preset else ""
        known = size > 0
        self.lines["size"].setText(
            f"{size:.6g} µm{name}" if known else "not calibrated for these settings"
        )
        width, height = facts.frame
        self.lines["field"].setText(
            f"{width * size:.5g} × {height * size:.5g} µm" if known and width else "-"
        )
        # The transform is that of a pixel as it is now; so is the size.
        self.lines["camera"].setText(affine_words(facts.affine, size) if known else "-")
        a, b, d, e = facts.affine
        self.lines["affine"].setText(
            f"x: {a:.6g}, {b:.6g}\ny: {d:.6g}, {e:.6g}" if known else "-"
        )
        self.presets.clear()
        for preset in facts.presets:
            words = affine_words(preset.affine, preset.size_um)
            item = QTreeWidgetItem([preset.name, f"{preset.size_um:.6g}", words])
            font = item.font(0)
            font.setBold(preset.name == facts.preset)
            for column in range(3):
                item.setFont(column, font)
                item.setToolTip(column, words)
            self.presets.addTopLevelItem(item)

    def _edit(self) -> None:
        if self.editor is None:
            self.editor = editor = PixelSizeEditor(self.core, self)
            editor.resize(*_EDITOR_SIZE)
            editor.applied.connect(self._ask_soon)
            editor.failed.connect(self.failed)
            editor.destroyed.connect(self._on_editor_gone)
        self.editor.show()
        self.editor.raise_()

    def _stop_measuring(self) -> None:
        if self.measure is not None and self.measure.busy:
            self.measure.stop()

    def _on_editor_gone(self) -> None:
        self.editor = None

    def _close_editor(self) -> None:
        editor, self.editor = self.editor, None
        if editor is not None:
            editor.destroyed.disconnect(self._on_editor_gone)
            editor.close()

"""All groups and presets side by side in a window, with undo and redo.

pymmcore-widgets' editor, whose data are nobody else's until *Apply* is pressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pymmcore_widgets import ConfigGroupsEditor
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from napari_scope.acquire.preset_groups import PresetGroup, define_groups
from napari_scope.widgets.common.error_panel import ErrorPanel

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["GroupEditor"]

_SIZE = (1000, 640)


class GroupEditor(QWidget):
    """Edits all groups and presets of a microscope.

    Parameters
    ----------
    microscope : Microscope
        The microscope.
    core : TableCore
        Its core, as tables may read it.
    parent : QWidget, optional
        Owner.

    Attributes
    ----------
    applied : Signal
        The microscope has the groups as they are here.
    """

    applied = Signal()

    def __init__(
        self,
        microscope: Microscope,
        core: TableCore,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._microscope = microscope
        self.setWindowFlag(Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Groups and presets")
        self.editor = ConfigGroupsEditor.create_from_core(cast("CMMCorePlus", core))
        self.errors = ErrorPanel()
        self.words = QLabel("Nothing is changed until it is applied")
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Apply
            | QDialogButtonBox.StandardButton.Close
        )
        layout = QVBoxLayout(self)
        layout.addWidget(self.errors)
        layout.addWidget(self.editor, 1)
        layout.addWidget(self.words)
        layout.addWidget(self.buttons)
        self.buttons.rejected.connect(self.close)
        self.apply_button = self.buttons.button(QDialogButtonBox.StandardButton.Apply)
        assert self.apply_button is not None
        self.apply_button.clicked.connect(self.apply)
        self.apply_button.setToolTip("Let the microscope have these groups")
        self.editor.undoStack().cleanChanged.connect(self._on_clean)
        self._on_clean(True)
        self.resize(*_SIZE)

    @property
    def groups(self) -> list[PresetGroup]:
        """The groups as they are edited."""
        return [
            PresetGroup(
                name=str(group.name),
                presets=tuple(
                    (
                        str(preset.name),
                        tuple(
                            (str(device), str(prop), str(setting.value))
                            for setting in preset.settings
                            for device, prop in (setting.key(),)
                        ),
                    )
                    for preset in group.presets.values()
                ),
                is_channel=bool(group.is_channel_group),
            )
            for group in cast("Any", self.editor.data())
        ]

    def set_locked(self, locked: bool) -> None:
        """Let nothing be applied; it can still be edited."""
        self._locked = locked
        self._on_clean(self.editor.undoStack().isClean())

    def apply(self) -> None:
        """Let the microscope have the groups as they are here."""
        groups, core = self.groups, self._microscope.real_core
        self.errors.clear()
        self._microscope.calls.do(
            "define the groups and presets",
            lambda: define_groups(core, groups),
            then=self._on_applied,
            failed=self._on_failed,
        )

    _locked = False

    def _on_applied(self, changes: object) -> None:
        self.editor.undoStack().setClean()
        self.words.setText(
            f"{changes} groups changed; save the configuration to keep it"
        )
        self.applied.emit()

    def _on_failed(self, error: BaseException) -> None:
        self.errors.show_error(error, "The groups were not changed")

    def _on_clean(self, clean: bool) -> None:
        assert self.apply_button is not None
        self.apply_button.setEnabled(not clean and not self._locked)
        if not clean:
            self.words.setText("Changed; the microscope has it when it is applied")

"""Tables and text: two views of one sequence.

What is typed changes the tables; what is changed in the tables writes the text anew. A
plan that the tables cannot show wholly stays as the text has it: the tables then say
why and cannot be used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import useq
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_scope.errors import PlanError
from napari_scope.events.grids import with_field_of_view
from napari_scope.events.plan_compare import plan_differences
from napari_scope.events.plan_text import sequence_text
from napari_scope.widgets.acquiring.plan_editor import PlanEditor
from napari_scope.widgets.acquiring.plan_parts import note_words
from napari_scope.widgets.acquiring.text_tab import TextTab

if TYPE_CHECKING:
    from napari_scope.widgets.common.core_events import GuiCore

__all__ = ["PlanViews"]

_PATIENCE_MS = 120


class PlanViews(QObject):
    """Keeps tables and text in step.

    Parameters
    ----------
    core : GuiCore
        The core.
    parent : QObject
        Owner.

    Attributes
    ----------
    changed : Signal
        Another plan, or none any more.
    failed : Signal
        Something could not be done; carries the exception.
    editor, text, tables : QWidget
        The tables; the text; the tables with the note above them.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(self, core: GuiCore, parent: QObject) -> None:
        super().__init__(parent)
        self._kept: useq.MDASequence | None = None  # the plan, while the text has it
        self._reasons: list[str] = []
        self._quiet = False
        self._closed = False
        self.editor = PlanEditor(core)
        self.text = TextTab()
        self._lay_out()
        # Many signals for one change: the text is written once.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_PATIENCE_MS)
        self._soon.timeout.connect(self.write_text)
        self.editor.valueChanged.connect(self._on_tables)
        self.editor.failed.connect(self.failed)
        self.text.typed.connect(self._on_typed)
        self.text.plan_read.connect(self._on_read)
        self.text.refused.connect(self._on_refused)
        self.back_button.clicked.connect(self.use_tables)
        self.write_text()

    def _lay_out(self) -> None:
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.back_button = QPushButton("Go on with the tables")
        self.back_button.setToolTip(
            "Take what the tables show now; what only the text has is given up (undo "
            "in the Text tab brings it back)"
        )
        self.tables = QWidget()
        column = QVBoxLayout(self.tables)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.note)
        column.addWidget(self.back_button)
        column.addWidget(self.editor, 1)
        self._show_note()

    # ---- the plan

    @property
    def in_text_only(self) -> bool:
        """Whether the tables cannot be used: they cannot show what the text has."""
        return self.text.problem is not None or bool(self._reasons)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the tables cannot show."""
        return tuple(self._reasons)

    def plan(self) -> useq.MDASequence:
        """Return the plan as it is to be run; raises `PlanError` if there is none."""
        self.text.read_now()
        if self.text.problem is not None:
            raise self.text.problem
        if self._kept is None:
            return self.editor.value()
        return self.editor.completed(self._kept)

    def estimable(self) -> useq.MDASequence:
        """Return the plan for an estimate: no device is asked for it."""
        if self.text.problem is not None:
            raise self.text.problem
        if self._kept is None:
            return self.editor.sized()
        field = self.editor.tab_wdg.camera_field()
        return self._kept if field is None else with_field_of_view(self._kept, *field)

    def sequence(self) -> useq.MDASequence:
        """Return the plan as it is edited; raises `PlanError` if there is none."""
        if self.text.problem is not None:
            raise self.text.problem
        return self.editor.shown() if self._kept is None else self._kept

    def plan_text(self) -> str:
        """Return the plan as yaml, with the comments of the text."""
        self.text.read_now()
        if self._kept is not None:
            return self.text.plain_text()
        return sequence_text(self.sequence())

    @property
    def is_text(self) -> bool:
        """Whether the plan is what the text says, comments and all."""
        return self._kept is not None

    def set_text(self, text: str) -> None:
        """Show a plan from yaml, with its comments."""
        self._soon.stop()
        self.text.set_text(text)
        try:
            self.text.read_now()
        except PlanError:
            pass  # a long one is being read

    def use_tables(self) -> None:
        """Give up what only the text has, and go on with the tables."""
        try:
            self._kept, self._reasons = None, []
            self.text.show_plan(self.editor.shown())
        except PlanError as error:
            self.failed.emit(error)
        self._show_note()
        self._tell()

    def write_waiting(self) -> None:
        """Write the text now, if it waits to be written from the tables."""
        if self._soon.isActive():
            self.write_text()

    def write_text(self) -> None:
        """Write the text from the tables, now."""
        self._soon.stop()
        if self._kept is not None or self._closed:
            return
        try:
            self.text.show_plan(self.editor.shown())
        except PlanError as error:
            self.text.say(error.message, good=False)

    def close_down(self) -> None:
        """Stop timers and threads and let go of the core; idempotent."""
        self._closed = True
        self._soon.stop()
        self.text.close_down()
        self.editor.close_down()

    # ---- in step

    def _on_tables(self) -> None:
        if self._quiet:
            return
        if self._kept is not None:
            if self._reasons or self.text.pending:
                self._try_again()
                return
            try:
                if not plan_differences(self._kept, self.editor.shown()):
                    return  # the camera has another field, say
            except PlanError:
                pass
        self._kept = None
        self._soon.start()
        self._show_note()
        self._tell()

    def _try_again(self) -> None:
        """Show a plan that the tables could not show, now that they changed."""
        if self._kept is None or self.text.pending:
            return
        before = self._reasons
        self._reasons = self._show_in_tables(self._kept)
        if before != self._reasons:
            self._show_note()
            self._tell()

    def _show_in_tables(self, plan: useq.MDASequence) -> list[str]:
        self._quiet = True
        try:
            return self.editor.show_plan(plan)
        finally:
            self._quiet = False

    def _on_typed(self) -> None:
        self._soon.stop()
        self._tell()

    def _on_read(self, plan: object) -> None:
        assert isinstance(plan, useq.MDASequence)
        self._soon.stop()
        self._kept = plan
        self._reasons = self._show_in_tables(plan)
        self._show_note()
        self._tell()

    def _on_refused(self, _: object) -> None:
        self._show_note()
        self._tell()

    def _show_note(self) -> None:
        """Say in the Tables tab what it does not show."""
        problem = self.text.problem
        words = note_words(problem is not None, self._reasons, self.editor.carried)
        locked = problem is not None or bool(self._reasons)
        self.note.setText(words)
        self.note.setVisible(bool(words))
        self.back_button.setVisible(locked)
        self.editor.setEnabled(not locked)

    # ---- changes

    def _tell(self) -> None:
        if not self._closed:
            self.changed.emit()

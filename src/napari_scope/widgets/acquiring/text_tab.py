"""The plan as text: yaml that is read while it is typed.

What is typed is read after a pause, in a thread. While it is no plan, the line and the
reason are shown and the text stays as it is. A plan that comes from elsewhere replaces
the text; comments go with it, undo brings them back.
"""

from __future__ import annotations

from html import escape

import useq
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_scope.errors import PlanError
from napari_scope.events.plan_text import (
    PlanTextError,
    sequence_from_text,
    sequence_text,
)
from napari_scope.widgets.acquiring.text_box import TextBox
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.icons import GREEN, RED
from napari_scope.widgets.common.tones import toned

__all__ = ["TextTab", "message_of"]

_PATIENCE_MS = 400
_MOST_AT_ONCE = 100_000  # characters that are read without a thread when need be


def message_of(error: PlanError) -> str:
    """Return an error of a text in words for a label: line, reason, what to do."""
    line = error.line if isinstance(error, PlanTextError) else None
    reason = (getattr(error, "reason", "") or error.message).strip()
    reason = reason[:1].upper() + reason[1:]
    where = f"<b>Line {line}:</b> " if line is not None else ""
    hint = f"<br>{escape(error.hint)}" if error.hint else ""
    return f'<span style="color:{toned(RED)}">{where}{escape(reason)}</span>{hint}'


class TextTab(QWidget):
    """Edits a plan as yaml.

    Attributes
    ----------
    typed : Signal
        The text has changed; it is not read yet.
    plan_read : Signal
        What was typed is a plan; carries it.
    refused : Signal
        What was typed is no plan; carries the `PlanError`.
    """

    typed = Signal()
    plan_read = Signal(object)
    refused = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = TextBox("yaml")
        self.text.setAccessibleName("The plan as yaml")
        self.text.setToolTip(
            "The plan as yaml. What is typed here changes the tables after a moment"
        )
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.status)
        self._plan: useq.MDASequence | None = None
        self._problem: PlanError | None = None
        self._pending = False
        self._quiet = False
        self._reading = ""
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self._read)
        self._reader = BackgroundCall(self, abandon=True)
        self._reader.finished.connect(self._on_read)
        self._reader.failed.connect(self._on_refused)
        self.text.textChanged.connect(self._on_typed)

    @property
    def problem(self) -> PlanError | None:
        """Why the text is no plan, if it is none."""
        return self._problem

    @property
    def pending(self) -> bool:
        """Whether the text has not been read yet."""
        return self._pending

    def plain_text(self) -> str:
        """Return the text."""
        return str(self.text.toPlainText())

    def show_plan(self, plan: useq.MDASequence) -> None:
        """Replace the text by a plan.

        Raises
        ------
        PlanError
            If it holds what yaml cannot.
        """
        text = sequence_text(plan)
        self._patience.stop()
        self._pending, self._problem, self._plan = False, None, plan
        if text != self.plain_text():
            self._quiet = True
            try:
                self.text.replace_text(text)
            finally:
                self._quiet = False
        self.text.mark_line(None)
        self.say("")

    def set_text(self, text: str) -> None:
        """Replace the text as if it were typed."""
        self.text.replace_text(text)
        self._on_typed()

    def say(self, words: str, good: bool = True) -> None:
        """Show a word below the text."""
        colour = GREEN if good else RED
        self.status.setText(
            f'<span style="color:{toned(colour)}">{escape(words)}</span>'
            if words
            else ""
        )
        self.status.setVisible(bool(words))

    def read_now(self) -> None:
        """Read what was typed without the pause.

        Raises
        ------
        PlanError
            If the text is too long to be read here and now.
        """
        if not self._pending:
            return
        if len(self.plain_text()) > _MOST_AT_ONCE:
            self._read()
            raise PlanError("the text is being read", hint="try again in a moment")
        self._patience.stop()
        self._reading = self.plain_text()
        try:
            plan = _read_text(self._reading)
        except PlanError as error:
            self._on_refused(error)
        else:
            self._on_read(plan)

    def close_down(self) -> None:
        """Stop reading; idempotent."""
        self._patience.stop()
        self._reader.close()

    def _on_typed(self) -> None:
        if self._quiet:
            return
        self._pending = True
        self._patience.start()
        self.typed.emit()

    def _read(self) -> None:
        if self._reader.busy:
            self._patience.start()
            return
        self._reading = text = self.plain_text()
        self._reader.start(lambda: _read_text(text), "napari-scope plan text")

    def _on_read(self, plan: object) -> None:
        if self._is_old():
            return
        assert isinstance(plan, useq.MDASequence)
        self._pending, self._problem, self._plan = False, None, plan
        self.text.mark_line(None)
        self.say("")
        self.plan_read.emit(plan)

    def _on_refused(self, error: object) -> None:
        if self._is_old():
            return
        if not isinstance(error, PlanError):
            error = PlanError(f"the text is no plan, {error}")
        self._pending, self._problem, self._plan = False, error, None
        self.text.mark_line(getattr(error, "line", None))
        self.status.setText(message_of(error))
        self.status.setVisible(True)
        self.refused.emit(error)

    def _is_old(self) -> bool:
        """Whether the text has changed since it was given to the reader."""
        if not self._pending:
            return True
        if self._reading == self.plain_text():
            return False
        self._patience.start()
        return True


def _read_text(text: str) -> useq.MDASequence:
    # Nothing but comments is a plan in which nothing is said: one image.
    lines = (line.strip() for line in text.splitlines())
    if all(not line or line.startswith("#") for line in lines):
        return useq.MDASequence()
    return sequence_from_text(text)

"""A box for yaml or Python: colours, indentation, a line that is marked as wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QFontDatabase, QTextCursor, QTextFormat
from qtpy.QtWidgets import QPlainTextEdit, QTextEdit

from napari_scope.widgets.acquiring.colours import Colours
from napari_scope.widgets.common.icons import RED
from napari_scope.widgets.common.tones import toned

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent

__all__ = ["TextBox"]

_INDENT = {"yaml": "  ", "python": "    "}
_OPENS = (":", "{", "[", "(")
_FAINT = 60  # how strong the mark of a line is, of 255
_MOST_COLOURED = 200_000


class TextBox(QPlainTextEdit):
    """Edits yaml or Python.

    Parameters
    ----------
    language : {"yaml", "python"}
        What is edited.

    Attributes
    ----------
    submitted : Signal
        Ctrl+Return was pressed.
    """

    submitted = Signal()

    def __init__(self, language: Literal["yaml", "python"]) -> None:
        super().__init__()
        self._indent = _INDENT[language]
        self._language = language
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(self.font().pointSizeF())
        self.setFont(font)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        document = self.document()
        assert document is not None
        self._colours = Colours(document, language)
        self._minimum_lines(8)

    def _minimum_lines(self, lines: int) -> None:
        self.setMinimumHeight(self.fontMetrics().lineSpacing() * lines)

    def replace_text(self, text: str) -> None:
        """Show another text; what was there can be brought back by undo."""
        # Colouring a text of megabytes takes seconds.
        document = self.document() if len(text) < _MOST_COLOURED else None
        if self._colours.document() is not document:
            self._colours.setDocument(document)
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        cursor.setPosition(0)
        self.setTextCursor(cursor)

    def mark_line(self, line: int | None) -> None:
        """Mark a line, counted from 1, as wrong; None for no line."""
        document = self.document()
        if line is None or document is None or line > document.blockCount():
            self.setExtraSelections([])
            return
        mark = QTextEdit.ExtraSelection()
        colour = QColor(toned(RED))
        colour.setAlpha(_FAINT)
        mark.format.setBackground(colour)
        mark.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        mark.cursor = QTextCursor(document.findBlockByNumber(line - 1))
        self.setExtraSelections([mark])

    def keyPressEvent(self, e: QKeyEvent | None) -> None:
        """Indent with spaces (yaml knows no tabs), keep the indentation of a line."""
        if e is None:
            return
        plain = e.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        returned = e.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if returned and e.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.submitted.emit()
            return
        if e.key() == Qt.Key.Key_Tab and plain:
            self.insertPlainText(self._indent)
            return
        if returned and plain:
            cursor = self.textCursor()
            before = cursor.block().text()[: cursor.positionInBlock()]
            spaces = before[: len(before) - len(before.lstrip(" "))]
            if before.rstrip().endswith(_OPENS):
                spaces += self._indent
            self.insertPlainText(f"\n{spaces}")
            self.ensureCursorVisible()
            return
        super().keyPressEvent(e)

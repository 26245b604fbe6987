"""The error panel: what failed, where, and what to do about it.

Hidden while there is nothing to say. It knows exceptions, not microscopes.
"""

from __future__ import annotations

import errno
import logging
import traceback
from dataclasses import dataclass
from html import escape

from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.errors import ScopeError
from napari_scope.widgets.common.icons import RED, icon
from napari_scope.widgets.common.log_book import LogBook

__all__ = ["ErrorPanel", "Explanation", "explain"]

_log = logging.getLogger(__name__)

_OS_HINTS = {
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "this disk is read-only; choose another folder",
    errno.ENOSPC: "make room on the disk or choose another one",
    errno.EEXIST: "choose another name; nothing is overwritten",
    errno.ENOENT: "check that the folder still exists",
    errno.ENOTDIR: "a part of this path is a file; choose another folder",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """An error in words.

    Parameters
    ----------
    message : str
        What happened.
    place : str
        The file or folder, or nothing.
    hint : str
        What to do, or nothing.
    details : str
        The traceback.
    """

    message: str
    place: str
    hint: str
    details: str


def explain(error: BaseException) -> Explanation:
    """Return an exception in words; its causes are in the details."""
    details = "".join(traceback.format_exception(error)).rstrip()
    if isinstance(error, ScopeError):
        return Explanation(error.message, error.path or "", error.hint or "", details)
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        return Explanation(
            reason,
            str(error.filename or ""),
            _OS_HINTS.get(error.errno or 0, ""),
            details,
        )
    text = str(error).strip()
    name = type(error).__name__
    return Explanation(f"{name}: {text}" if text else name, "", "", details)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


class ErrorPanel(QFrame):
    """Shows one error until it is dismissed or replaced."""

    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._error: BaseException | None = None
        self._explanation: Explanation | None = None

        sign = QLabel()
        size = self.fontMetrics().height() * 3 // 2
        sign.setPixmap(icon("error", RED).pixmap(QSize(size, size)))
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.details_button = self._button(
            None, "Details", "Show where in the program it happened"
        )
        self.details_button.setCheckable(True)
        self.copy_button = self._button("copy", "", "Copy the message and its details")
        self.dismiss_button = self._button("dismiss", "", "Dismiss this message")
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.setVisible(False)
        self.details.setAccessibleName("Details of the error")

        buttons = QHBoxLayout()
        buttons.addStretch()
        for button in (self.details_button, self.copy_button, self.dismiss_button):
            buttons.addWidget(button)
        body = QVBoxLayout()
        body.addWidget(self.text)
        body.addLayout(buttons)
        top = QHBoxLayout()
        top.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(body, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.details)

        self.details_button.toggled.connect(self.details.setVisible)
        self.copy_button.clicked.connect(self._copy)
        self.dismiss_button.clicked.connect(self.clear)
        self.setVisible(False)

    @property
    def error(self) -> BaseException | None:
        """The error that is shown."""
        return self._error

    @property
    def explanation(self) -> Explanation | None:
        """What is shown, in words."""
        return self._explanation

    def show_error(self, error: BaseException, what: str) -> None:
        """Show an error.

        Parameters
        ----------
        error : BaseException
            The error.
        what : str
            What was being done, as a short title.
        """
        words = explain(error)
        LogBook.shared()
        _log.error("%s: %s\n%s", what, words.message, words.details)
        lines = [f"<b>{escape(what)}</b>", escape(_sentence(words.message))]
        if words.place:
            lines.append(f"<i>{escape(words.place)}</i>")
        if words.hint:
            lines.append(f"<b>What to do:</b> {escape(words.hint)}")
        self._error = error
        self._explanation = words
        self._title = what
        self.text.setText("<br>".join(lines))
        self.details.setPlainText(words.details)
        self.details_button.setChecked(False)
        self.setVisible(True)

    def clear(self) -> None:
        """Hide the panel."""
        had_one = self._error is not None
        self._error = self._explanation = None
        self.text.clear()
        self.details.clear()
        self.setVisible(False)
        if had_one:
            self.dismissed.emit()

    def _copy(self) -> None:
        words = self._explanation
        clipboard = QApplication.clipboard()
        if words is None or clipboard is None:
            return
        parts = [self._title, words.message, words.place, words.hint, words.details]
        clipboard.setText("\n".join(part for part in parts if part))

    def _button(self, name: str | None, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        if name is not None:
            button.setIcon(icon(name))
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(text or tip)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setAutoRaise(True)
        return button

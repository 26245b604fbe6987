"""Colours for yaml and Python text, readable on a dark and on a light background.

A few rules line by line: keys or keywords, strings, numbers, comments. It checks
nothing.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Final, Literal

from qtpy.QtGui import QColor, QFont, QSyntaxHighlighter, QTextCharFormat

from napari_scope.widgets.common.tones import AMBER, BLUE, GREEN, NEUTRAL, toned

if TYPE_CHECKING:
    from qtpy.QtGui import QTextDocument

__all__ = ["Colours"]

_STRING: Final = r"\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\"|'[^'\n]*'"
_NUMBER: Final = r"(?<![\w.])-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?(?![\w])"
_WORDS: Final = "|".join(keyword.kwlist)
_RULES: Final[dict[str, tuple[tuple[str, str, bool], ...]]] = {
    "yaml": (
        (_NUMBER, AMBER, False),
        (r"[\w.]+(?=\s*:(?:\s|$))", BLUE, False),
        (_STRING, GREEN, False),
        (r"(?:^|(?<=\s))#.*$", NEUTRAL, True),
    ),
    "python": (
        (_NUMBER, AMBER, False),
        (rf"\b(?:{_WORDS})\b", BLUE, False),
        (_STRING, GREEN, False),
        (r"#[^'\"]*$", NEUTRAL, True),
    ),
}


class Colours(QSyntaxHighlighter):
    """Colours a document.

    Parameters
    ----------
    document : QTextDocument
        The document.
    language : {"yaml", "python"}
        What it is.
    """

    def __init__(
        self, document: QTextDocument, language: Literal["yaml", "python"]
    ) -> None:
        super().__init__(document)
        self._rules = []
        for pattern, colour, slanted in _RULES[language]:
            look = QTextCharFormat()
            look.setFontItalic(slanted)
            look.setFontWeight(QFont.Weight.Normal)
            self._rules.append((re.compile(pattern), look, colour))

    def highlightBlock(self, text: str | None) -> None:
        """Colour one line."""
        for pattern, look, colour in self._rules:
            look.setForeground(QColor(toned(colour)))
            for found in pattern.finditer(text or ""):
                start, end = found.span()
                self.setFormat(start, end - start, look)

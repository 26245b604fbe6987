"""Problems of a file that show themselves while it is read, each told once.

Readers say what is wrong in words, with numbers that grow: "3 spectra could not be
unpacked so far …". Sentences that differ in their numbers only are one problem.

Examples
--------
>>> kind_of("3 spectra are damaged: the first is 17")
'# spectra are damaged'
>>> kind_of("12 spectra are damaged: the first is 4")
'# spectra are damaged'
"""

from __future__ import annotations

import re
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from napari_scope.formats.msi import MSIReader

__all__ = ["ProblemWatch", "kind_of"]

_NUMBER: Final = re.compile(r"\d[\d.,]*")


def kind_of(problem: str) -> str:
    """Return what a problem is about, whatever its numbers and particulars are."""
    return _NUMBER.sub("#", problem).partition(":")[0]


class ProblemWatch:
    """Knows which problems of which reader have been told.

    Readers are kept by weak references: they close their files when they go.
    """

    def __init__(self) -> None:
        self._told: weakref.WeakKeyDictionary[MSIReader, set[str]] = (
            weakref.WeakKeyDictionary()
        )
        self._last: weakref.WeakKeyDictionary[MSIReader, tuple[str, ...]] = (
            weakref.WeakKeyDictionary()
        )

    def look(self, reader: MSIReader) -> tuple[bool, tuple[str, ...]]:
        """Look whether there are other problems than the last time.

        Returns
        -------
        changed : bool
            Whether the sentences are others than the last time.
        news : tuple of str
            Those that are to be told: none at the first look, when the sign of the
            file says them already.
        """
        problems = tuple(reader.problems)
        if self._last.get(reader) == problems:
            return False, ()
        first = reader not in self._last
        self._last[reader] = problems
        told = self._told.setdefault(reader, set())
        news = tuple(problem for problem in problems if kind_of(problem) not in told)
        told.update(map(kind_of, problems))
        return True, () if first else news

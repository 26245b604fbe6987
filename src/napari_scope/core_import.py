"""Importing pymmcore-plus without what it does to everybody's log.

While it is imported pymmcore-plus (0.18) sets the level of Python's root logger to
DEBUG. Every library then makes records of all that it does, and a napari started from
a terminal also prints them: thousands of lines, and a slow window. Here the root logger
keeps its level, and pymmcore-plus alone the one it wants.

Whoever imports pymmcore-plus first must do it by this; `napari_scope.acquire` does.

Examples
--------
>>> import_pymmcore_plus()
>>> import pymmcore_plus
"""

from __future__ import annotations

import importlib
import logging
import sys

__all__ = ["import_pymmcore_plus"]

_NAME = "pymmcore_plus"


def import_pymmcore_plus() -> None:
    """Import pymmcore-plus; again is harmless, and so is that it was imported before.

    Raises
    ------
    OSError
        If it cannot make its log file.
    """
    if _NAME in sys.modules:
        return
    root = logging.getLogger()
    before = root.level
    try:
        importlib.import_module(_NAME)
        theirs = logging.getLogger("pymmcore-plus")
        if theirs.level == logging.NOTSET:
            theirs.setLevel(root.level)
    finally:
        root.setLevel(before)

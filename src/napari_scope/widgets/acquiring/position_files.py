"""Positions of the plan in json files, read and written in a thread.

The format is that of pymmcore-widgets' table: a list of useq positions.

Examples
--------
>>> files = PositionFiles(table)  # doctest: +SKIP
>>> files.save(table.value(), "positions.json")  # doctest: +SKIP
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import useq
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog

from napari_scope.errors import PlanError
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.common.small_files import load_text, save_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtWidgets import QWidget

__all__ = ["PositionFiles", "read_positions"]

_FILES = "Positions (*.json)"


def read_positions(path: Path) -> list[useq.Position]:
    """Read the positions of a file.

    Raises
    ------
    PlanError
        If it cannot be read, or holds no positions.
    """
    text = load_text(path, "the positions", PlanError)
    try:
        found = json.loads(text)
        if not isinstance(found, list):
            raise ValueError(f"a list was expected, found {type(found).__name__}")
        return [useq.Position.model_validate(place) for place in found]
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise PlanError(
            f"the positions cannot be loaded, {reason}",
            path=path,
            hint="choose a json file that was saved from this table",
        ) from error


class PositionFiles(QObject):
    """Loads and saves positions.

    Parameters
    ----------
    table : QWidget
        Owner; the parent of the windows that ask for a file.

    Attributes
    ----------
    loaded : Signal
        Positions were read; carries them as a list.
    failed : Signal
        A file could not be read or written; carries the error.
    """

    loaded = Signal(object)
    failed = Signal(object)

    def __init__(self, table: QWidget) -> None:
        super().__init__(table)
        self._table = table
        self._folder = ""
        self._reader = BackgroundCall(self, abandon=True)
        self._reader.finished.connect(self.loaded)
        self._saver = BackgroundCall(self)
        self._saver.finished.connect(
            lambda path: notify(f"The positions are saved as {path}", key="file-saved")
        )
        for call in (self._reader, self._saver):
            call.failed.connect(self.failed)

    def load(self, file: str | Path | None = None) -> None:
        """Read a file; without one, ask for it."""
        if not isinstance(file, str | Path):
            file, _ = QFileDialog.getOpenFileName(
                self._table, "Load positions", self._folder, _FILES
            )
        if not file or self._reader.busy:
            return
        path = Path(file)
        self._folder = str(path.parent)
        self._reader.start(lambda: read_positions(path), "napari-scope positions")

    def save(self, positions: Iterable[Any], file: str | Path | None = None) -> None:
        """Write a file; without one, ask for it."""
        if not isinstance(file, str | Path):
            file, _ = QFileDialog.getSaveFileName(
                self._table, "Save positions", self._folder, _FILES
            )
        if not file or self._saver.busy:
            return
        path = Path(file)
        path = path if path.suffix else path.with_suffix(".json")
        self._folder = str(path.parent)
        rows = ",\n".join(place.model_dump_json() for place in positions)
        self._saver.start(
            lambda: save_text(path, f"[\n{rows}\n]\n", "the positions", PlanError),
            "napari-scope positions",
        )

    def close_down(self) -> None:
        """Let what is being saved end; idempotent."""
        self._reader.close()
        self._saver.close()

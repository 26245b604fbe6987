"""What the docks remember from one session to the next.

A plain ini file of the user's, through Qt: the folder that was saved to last, the
hardware configurations that were loaded last, and the state of each dock. Nothing here
changes how a run works, and what cannot be read any more is forgotten.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSettings

__all__ = ["Remembered"]

_MOST_RECENT = 8


class Remembered:
    """Small facts that outlive the program."""

    def __init__(self) -> None:
        self._settings = QSettings(
            QSettings.Format.IniFormat,
            QSettings.Scope.UserScope,
            "napari-scope",
            "docks",
        )

    @property
    def folder(self) -> Path:
        """The folder that was saved to last."""
        stored = self._settings.value("save/folder", "")
        return Path(str(stored)) if stored else Path.home() / "napari-scope"

    @folder.setter
    def folder(self, folder: Path) -> None:
        self._settings.setValue("save/folder", str(folder))

    @property
    def configurations(self) -> list[Path]:
        """Hardware configurations that were loaded, the latest first."""
        stored = self._settings.value("hardware/recent", [])
        # One entry comes back as a plain text.
        entries = [stored] if isinstance(stored, str) else list(stored or [])
        return [Path(str(entry)) for entry in entries if entry]

    def add_configuration(self, path: Path) -> None:
        """Put a configuration at the top of the list."""
        others = [known for known in self.configurations if known != path]
        entries = [str(entry) for entry in [path, *others][:_MOST_RECENT]]
        self._settings.setValue("hardware/recent", entries)

    def state(self, name: str) -> dict[str, Any]:
        """Return what a dock or a part of one has stored; empty if nothing.

        Parameters
        ----------
        name : str
            Name of the dock or part, for example ``"acquire"``.
        """
        stored = self._settings.value(f"state/{name}", "")
        try:
            found = json.loads(str(stored)) if stored else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def set_state(self, name: str, state: dict[str, Any]) -> None:
        """Store the state of a dock, as plain JSON."""
        self._settings.setValue(f"state/{name}", json.dumps(state))

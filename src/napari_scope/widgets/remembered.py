"""What the docks remember from one session to the next.

A plain ini file of the user's, through Qt: the folder that was saved to last and the
hardware configurations that were loaded last. Nothing here changes how a run works.
"""

from __future__ import annotations

from pathlib import Path

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

"""Loading a hardware configuration in the background, and which one at the start.

Loads one at a time, remembers those that did load, and writes the log. What loading
means for widgets and events is `Microscope`'s.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.preferences import preferences

if TYPE_CHECKING:
    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.remembered import Remembered

__all__ = ["ConfigurationLoader", "path_of_widget"]

_log = logging.getLogger(__name__)
_DEMO_FILE = "MMConfig_demo.cfg"


class ConfigurationLoader(QObject):
    """Loads configurations; everything is called in the GUI thread.

    Parameters
    ----------
    owner : CoreOwner
        Loads them.
    remembered : Remembered
        Keeps the list of late.
    parent : QObject, optional
        Owner.

    Attributes
    ----------
    loaded : Signal
        A configuration is loaded.
    failed : Signal
        It could not be loaded; carries the exception.
    """

    loaded = Signal()
    failed = Signal(object)

    def __init__(
        self, owner: CoreOwner, remembered: Remembered, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._owner = owner
        self._remembered = remembered
        self._wanted: Path | None = None
        self._call = BackgroundCall(self)
        self._call.finished.connect(self._on_loaded)
        self._call.failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        """Whether one is being loaded."""
        return self._call.busy

    def load(self, path: Path | None) -> None:
        """Load a configuration, the demo microscope if it is None; not while busy."""
        self._wanted = path
        self._call.start(lambda: self._owner.load(path), "napari-scope load")
        _log.info("loading %s", "the demo microscope" if path is None else path)

    def close(self) -> None:
        """Wait for what is being loaded, and tell nobody; idempotent."""
        self._call.close()

    def wanted_at_start(self) -> tuple[Path | None] | None:
        """Return what the preferences want to be loaded at the start, in a tuple.

        Returns
        -------
        tuple of Path or None
            ``(None,)`` is the demo microscope, None is nothing.
        """
        wanted = preferences().startup_configuration
        latest = next(iter(self._remembered.configurations), None)
        if wanted == "last" and latest is not None and latest.is_file():
            return (latest,)
        return None if wanted == "none" else (None,)

    def _on_loaded(self, _result: object) -> None:
        if self._wanted is not None:
            self._remembered.add_configuration(self._wanted)
        camera = self._owner.core.getCameraDevice()
        _log.info("loaded, the camera is %s", camera or "none")
        self.loaded.emit()

    def _on_failed(self, error: object) -> None:
        _log.error("the microscope was not loaded: %s", error)
        self.failed.emit(error)


def path_of_widget(name: str) -> Path | None:
    """Return the path that a widget means; None for the demo microscope.

    Examples
    --------
    >>> path_of_widget("MMConfig_demo.cfg"), path_of_widget("mine.cfg").name
    (None, 'mine.cfg')
    """
    return None if Path(name).name == _DEMO_FILE else Path(name)

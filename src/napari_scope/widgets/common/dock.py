"""What every dock does: shares the microscope, keeps its state, closes cleanly.

napari tells a widget neither that it was docked nor that its dock was closed; it is
found out by the widget's parents. A dock that is closed by its button is shut down and
deleted, napari keeps nothing of it. A window that is closed shuts all its docks down.

A dock derives from `ScopeDock`, builds itself, and implements what it needs of
`state`, `restore` and `on_shut_down`.
"""

from __future__ import annotations

import contextlib
import logging
import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication, QMainWindow, QWidget

from napari_scope.widgets.common.closing import main_window_of
from napari_scope.widgets.common.drawing_context import finish_in_own_context
from napari_scope.widgets.common.keyboard_focus import KeyboardFocus
from napari_scope.widgets.common.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer
    from qtpy.QtGui import QHideEvent, QShowEvent

__all__ = ["ScopeDock"]

_log = logging.getLogger(__name__)


class ScopeDock(QWidget):
    """Base of the docks.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; napari passes it.
    name : str
        Under which the state of the dock is remembered.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, name: str) -> None:
        super().__init__()
        self.viewer = napari_viewer
        finish_in_own_context(napari_viewer)
        self.remembered = Remembered()
        self._name = name
        self._keyboard = KeyboardFocus(self)
        self._docked = False
        self._shut = False
        # Weak: a dock that somebody still holds must not keep the window alive.
        self._window: Callable[[], QMainWindow | None] = lambda: None
        # The new parent may itself not be in its window yet.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._look_around)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.shut_down)

    # ---- for the docks

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered, as plain JSON."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state from an earlier session; nothing in it can be relied on."""

    def on_shut_down(self) -> None:
        """Stop timers and threads and let go of everything; called once."""

    def may_close(self) -> bool:
        """Return whether the dock may be closed now; it may ask the user."""
        return True

    # ---- life

    def restore_remembered(self) -> None:
        """Take up the state of the last session; to be called when the dock is built.

        A state of another version that cannot be used any more is forgotten.
        """
        try:
            self.restore(self.remembered.state(self._name))
        except (AttributeError, KeyError, TypeError, ValueError):
            self.remembered.set_state(self._name, {})

    def remember(self) -> None:
        """Store the state now; it is stored by itself when the dock closes."""
        self.remembered.set_state(self._name, self.state())

    @property
    def is_shut_down(self) -> bool:
        """Whether the dock has been closed."""
        return self._shut

    def shut_down(self) -> None:
        """Remember the state, stop everything; idempotent."""
        if self._shut:
            return
        self._shut = True
        application = QApplication.instance()
        if application is not None:
            with contextlib.suppress(TypeError, RuntimeError):
                application.aboutToQuit.disconnect(self.shut_down)
        try:
            self._soon.stop()
            self.remember()
        except RuntimeError:
            pass  # Qt has deleted a part already: the state of the last hiding stays
        try:
            self.on_shut_down()
        except RuntimeError:
            # Called by Qt while it deletes the dock: nothing may be raised then.
            _log.debug("a dock was deleted before it was closed", exc_info=True)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Notice where the dock is."""
        super().showEvent(event)
        self._look_around()
        self._keyboard.put_into_order()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Keep the state also when the program is ended from outside later."""
        super().hideEvent(event)
        if not self._shut:
            # While the program ends, Qt may have deleted parts already.
            with contextlib.suppress(RuntimeError):
                self.remember()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice that the window is about to be deleted, while all is still there."""
        if event is not None and event.type() == QEvent.Type.DeferredDelete:
            if watched is not None and watched is self._window():
                self.shut_down()
        return False

    def event(self, event: QEvent | None) -> bool:
        """Notice being docked and being taken out of the dock."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self._soon.start()
        return bool(super().event(event))

    def _look_around(self) -> None:
        if self._shut:
            return
        if self.parentWidget() is not None:
            window = main_window_of(self)
            if window is not None and window is not self._window():
                self._docked = True
                self._window = weakref.ref(window)
                window.installEventFilter(self)
                window.destroyed.connect(self.shut_down)
        elif self._docked:
            self._docked = False
            if not self.may_close():
                title = str(self.windowTitle() or self._name)
                self.viewer.window.add_dock_widget(self, name=title, area="right")
                self.show()
                return
            self.shut_down()
            self.deleteLater()

"""Keys that work in the whole window of napari, also while their dock is behind others.

Qt lets a shortcut act only while its widget can be seen. The docks are tabs, so live,
snap and the like would be dead most of the time. These shortcuts belong to the window;
they go with the widget that made them.

Examples
--------
>>> window_key(dock, viewer, "F5", dock.toggle_live)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["window_key"]


def window_key(
    owner: QWidget, viewer: Any, keys: str, action: Callable[[], object]
) -> QShortcut:
    """Let keys do something wherever the focus is in the window of a viewer.

    Parameters
    ----------
    owner : QWidget
        Whose key it is; when it is deleted, the key is free again.
    viewer : napari.viewer.Viewer or napari.components.ViewerModel
        The viewer. Without a window the key works where the owner is seen.
    keys : str
        The keys, for example ``"F5"``.
    action : callable
        What they do.

    Returns
    -------
    QShortcut
        The shortcut.
    """
    # napari hands proxies to what is opened from its menus; Qt wants the window itself.
    holder = _unwrapped(getattr(_unwrapped(viewer), "window", None))
    window = _unwrapped(getattr(holder, "_qt_window", None))
    shortcut = QShortcut(
        QKeySequence(keys), window if isinstance(window, QWidget) else owner
    )
    shortcut.activated.connect(action)
    if shortcut.parent() is not owner:
        _let_go_with(owner, shortcut)
    return shortcut


def _unwrapped(thing: Any) -> Any:
    return getattr(thing, "__wrapped__", thing)


def _let_go_with(owner: QWidget, shortcut: QShortcut) -> None:
    # A child is deleted with its parent, and knows nothing that is deleted already.
    guard = QObject(owner)
    guard.destroyed.connect(shortcut.deleteLater)

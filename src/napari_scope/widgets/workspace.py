"""All docks of the microscope at once, as tabs beside the image.

`open_workspace` opens the docks that were open the last time (all of them the first
time) as one group of tabs on the right, so that the image keeps its room on a small
screen. It is a command of the plugin: File, Acquire, "Open the microscope's docks".

Examples
--------
>>> import napari
>>> viewer = napari.Viewer()  # doctest: +SKIP
>>> sorted(open_workspace(viewer))  # doctest: +SKIP
['Acquire', 'Browse data', 'Devices', 'Metadata', 'Stage and explorer']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_scope.widgets.common.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari.viewer
    from qtpy.QtWidgets import QWidget

__all__ = ["DOCKS", "open_dock", "open_workspace", "show_workspace"]

PLUGIN: Final = "napari-scope"
DOCKS: Final = (
    "Devices",
    "Acquire",
    "Stage and explorer",
    "Metadata",
    "Browse data",
)
"""Display names of the docks of a workspace, in the order of their tabs."""

# On the tabs of docks that share a place; the bar above a dock has its whole name.
_SHORT: Final = {"Stage and explorer": "Stage", "Browse data": "Browse"}

_STATE = "workspace"
_CONTROLS_GROW: Final = 48  # pixels; napari's layer controls are as narrow at first


def open_dock(viewer: napari.viewer.Viewer, name: str) -> QWidget:
    """Open a dock of this plugin beside those that are open; or show it again.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    name : str
        Display name of the dock, as in the menu Plugins.

    Returns
    -------
    QWidget
        The widget in the dock.
    """
    window: Any = viewer.window
    dock, widget = window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    dock.setWindowTitle(_SHORT.get(name, name))
    dock.show()
    dock.raise_()
    return widget  # type: ignore[no-any-return]


def open_workspace(
    viewer: napari.viewer.Viewer, names: Sequence[str] | None = None
) -> dict[str, QWidget]:
    """Open the docks of the microscope as tabs on the right.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    names : sequence of str, optional
        Display names of the docks; by default those of the last time.

    Returns
    -------
    dict of str to QWidget
        The widgets in the docks, by their names. The first one is in front.
    """
    remembered = Remembered()
    if names is None:
        stored = remembered.state(_STATE).get("docks")
        known = [name for name in stored or () if name in DOCKS]
        names = known or DOCKS
    opened = {name: open_dock(viewer, name) for name in names}
    remembered.set_state(_STATE, {"docks": list(opened)})
    if opened:
        first = next(iter(opened))
        open_dock(viewer, first)
        make_room_for_image(viewer, opened[first])
    return opened


def make_room_for_image(viewer: napari.viewer.Viewer, widget: QWidget) -> None:
    """Let a dock on the right take no more width than leaves the image half of it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    widget : QWidget
        What is in the dock, or in one of those that share a place. They get no
        narrower than they can be.
    """
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication, QDockWidget

    # A dock has its place, and with it its width, only then.
    QApplication.processEvents()
    dock = widget.parentWidget()
    while dock is not None and not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    if dock is None or dock.isFloating():
        return
    window: Any = viewer.window._qt_window
    canvas: Any = viewer.window._qt_viewer.canvas.native
    missing = (window.width() + 1) // 2 + _CONTROLS_GROW - canvas.width()
    if missing > 0:
        width = max(1, dock.width() - missing)
        window.resizeDocks([dock], [width], Qt.Orientation.Horizontal)


def show_workspace() -> None:
    """Open the docks in the viewer that the user works with (a command of napari)."""
    import napari

    viewer = napari.current_viewer()
    if viewer is not None:
        open_workspace(viewer, DOCKS)

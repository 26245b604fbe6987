"""All docks of the microscope open as tabs, and those that were open come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_scope.widgets.common.remembered import Remembered
from napari_scope.widgets.workspace import (
    DOCKS,
    open_dock,
    open_workspace,
    show_workspace,
)

if TYPE_CHECKING:
    import napari
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QWidget

    from napari_scope.widgets.common.microscope import Microscope

pytestmark = pytest.mark.gui


def titles(viewer: napari.Viewer) -> list[str]:
    docks = viewer.window._wrapped_dock_widgets
    return [name for name in docks if "napari-scope" in name]


def in_front(opened: dict[str, QWidget]) -> list[str]:
    return [n for n, widget in opened.items() if not widget.visibleRegion().isEmpty()]


def test_all_docks_share_one_place(
    shown_viewer: napari.Viewer, shared_microscope: Microscope, qtbot: QtBot
) -> None:
    shown_viewer.window.resize(1280, 800)
    show_workspace()
    opened = open_workspace(shown_viewer)
    assert tuple(opened) == DOCKS
    assert len(titles(shown_viewer)) == len(DOCKS), "none twice"
    qtbot.waitUntil(lambda: in_front(opened) == ["Devices"])
    assert open_dock(shown_viewer, "Acquire") is opened["Acquire"]
    qtbot.waitUntil(lambda: in_front(opened) == ["Acquire"])
    canvas = shown_viewer.window._qt_viewer.canvas.native
    assert canvas.width() > 1280 / 3, "the image keeps its room on a small screen"


def test_what_was_open_comes_back(
    shown_viewer: napari.Viewer, shared_microscope: Microscope, qtbot: QtBot
) -> None:
    Remembered().set_state("workspace", {"docks": ["Metadata", "nonsense"]})
    assert list(open_workspace(shown_viewer)) == ["Metadata"]

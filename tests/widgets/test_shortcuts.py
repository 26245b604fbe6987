"""Keys: what the page says is so, and none of them is napari's."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QAbstractButton, QGroupBox, QLabel, QMenu, QTabBar, QWidget

from napari_scope.acquire import CoreOwner
from napari_scope.widgets.common.microscope import Microscope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui

PAGE = Path(__file__).parents[2] / "docs" / "shortcuts.md"
DOCKS = (
    "devices.devices_dock:DevicesDock",
    "acquiring.acquire_dock:AcquireDock",
    "space.explorer_dock:ExplorerDock",
    "frames.metadata_dock:MetadataDock",
    "browsing.browse_dock:BrowseDock",
    "spectrum.spectrum_dock:SpectrumDock",
    "log.log_dock:LogDock",
)
WINDOW_KEYS = {
    "devices.devices_dock:DevicesDock": {"F5", "F6"},
    "space.explorer_dock:ExplorerDock": {"F7", "F8", "F9"},
}
# Menus of napari's window, and Alt+S, C and T: screenshots and the trace.
NAPARI_ALT = set("fvlpwh") | set("sct")


@pytest.fixture(scope="module")
def microscope(qapp: object) -> Iterator[Microscope]:
    from pymmcore_plus import CMMCorePlus

    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        microscope = Microscope(owner)
        yield microscope
        microscope.close()


@pytest.fixture(params=DOCKS)
def named(
    request: pytest.FixtureRequest, qtbot: QtBot, microscope: Microscope
) -> Iterator[tuple[str, Any]]:
    from napari.components import ViewerModel

    module, _, name = request.param.partition(":")
    made = getattr(importlib.import_module(f"napari_scope.widgets.{module}"), name)
    takes = len(inspect.signature(made).parameters) > 1
    dock = made(ViewerModel(), microscope) if takes else made(ViewerModel())
    qtbot.addWidget(dock, before_close_func=lambda dock: dock.shut_down())
    yield request.param, dock


def _texts(dock: QWidget) -> Iterator[tuple[str, QWidget]]:
    for widget in dock.findChildren(QWidget):
        if isinstance(widget, QAbstractButton):
            yield widget.text(), widget
        elif isinstance(widget, QLabel) and widget.buddy() is not None:
            yield widget.text(), widget
        elif isinstance(widget, QGroupBox):
            yield widget.title(), widget
        elif isinstance(widget, QTabBar):
            for index in range(widget.count()):
                yield widget.tabText(index), widget


def test_letters_of_a_dock_are_its_own(named: tuple[str, Any]) -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for text, widget in _texts(named[1]):
        if not isinstance(widget.parentWidget(), QMenu):
            for letter in re.findall("&(.)", text.replace("&&", "")):
                found[letter.lower()].append(text)
    assert not {key: found[key] for key in NAPARI_ALT & set(found)}


def test_keys_of_the_window_are_those_of_the_page(named: tuple[str, Any]) -> None:
    name, dock = named
    keys = {
        shortcut.key().toString()
        for shortcut in dock.findChildren(QShortcut)
        if re.fullmatch(r"F\d+", shortcut.key().toString())
    }
    assert keys == WINDOW_KEYS.get(name, set())
    page = PAGE.read_text("utf-8")
    for key in keys:
        assert f"| {key} |" in page


def test_keys_of_the_window_are_not_naparis() -> None:
    from napari._app_model import get_app_model
    from napari.settings import get_settings

    taken = {str(kept.keybinding) for kept in get_app_model().keybindings}
    for keys in get_settings().shortcuts.shortcuts.values():
        taken |= {str(key) for key in keys}
    sequences = {QKeySequence(key).toString() for key in taken}
    assert not sequences & set().union(*WINDOW_KEYS.values())

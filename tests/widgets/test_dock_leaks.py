"""Docks opened and closed again and again: nothing may be left of them.

NAPARI_SCOPE_LEAK_TIMES=200 opens every dock that often (minutes); by default each is
opened as often as it is light.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import os
import threading
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication

from napari_scope.acquire import CoreOwner
from napari_scope.widgets.common.log_book import LogLine
from napari_scope.widgets.common.microscope import Microscope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.dock import ScopeDock

pytestmark = pytest.mark.gui

# Each dock, and how often it is opened by default. Add yours here.
_DOCKS = (
    ("napari_scope.widgets.log.log_dock:LogDock", 200),
    ("napari_scope.widgets.acquiring.acquire_dock:AcquireDock", 5),
    ("napari_scope.widgets.devices.devices_dock:DevicesDock", 5),
    ("napari_scope.widgets.space.explorer_dock:ExplorerDock", 5),
    ("napari_scope.widgets.frames.metadata_dock:MetadataDock", 8),
    ("napari_scope.widgets.browsing.browse_dock:BrowseDock", 8),
)
_WARM = 3
# PyQt keeps a dead weak reference for each connection of a dock to a signal of the
# microscope until that one goes; it has nothing else to show for it.
_WEAK_A_DOCK = 20
# Caches that fill as they go (fonts, icons, regular expressions) are no leak.
_CACHES = 500
_GROWTH_A_DOCK = 15


@pytest.fixture(scope="module")
def demo(qapp: object) -> Iterator[CoreOwner]:
    from pymmcore_plus import CMMCorePlus

    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        yield owner


def _made(path: str) -> type[ScopeDock]:
    module, _, name = path.partition(":")
    found: type[ScopeDock] = getattr(importlib.import_module(module), name)
    return found


def _connections(signals: Any) -> int:
    """Count what listens to a group of psygnal signals; Qt's are found otherwise."""
    total = 0
    for name in dir(type(signals)):
        signal = getattr(signals, name, None)
        if hasattr(signal, "_slots"):
            total += len(signal)
    return total


def _emitters(events: Any) -> int:
    """Count what listens to the events of a viewer's model."""
    return sum(len(e.callbacks) for e in events.emitters.values())


class Census:
    """What there is of everything that a dock could leave behind."""

    def __init__(self, viewer: Any, core: Any) -> None:
        for thread in threading.enumerate():
            if thread.name.startswith("napari-scope"):
                thread.join(10)
        for _ in range(3):
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            QApplication.processEvents()
            gc.collect()
        everything = gc.get_objects()
        qt = [o for o in everything if isinstance(o, QObject) and isalive(o)]  # type: ignore[no-untyped-call]
        weak = [o for o in everything if type(o) is weakref.ReferenceType]
        self.weak = len(weak)
        # The log is bounded by itself.
        lines = sum(1 for o in everything if isinstance(o, LogLine))
        self.objects = len(everything) - len(weak) - lines
        self.qt = Counter(type(o).__name__ for o in qt)
        self.timers = sum(1 for o in qt if isinstance(o, QTimer) and o.isActive())
        self.widgets = len(QApplication.allWidgets())
        self.threads = Counter(
            t.name for t in threading.enumerate() if t.name.startswith("napari-scope")
        )
        self.layers = len(viewer.layers)
        self.listening = {
            "core": _connections(core.events),
            "runs": _connections(core.mda.events),
            "viewer": _emitters(viewer.events),
            "dims": _emitters(viewer.dims.events),
            "layers": _emitters(viewer.layers.events),
            "cursor": len(viewer.mouse_drag_callbacks),
        }


@pytest.mark.parametrize(("path", "often"), _DOCKS)
def test_nothing_is_left(demo: CoreOwner, qtbot: QtBot, path: str, often: int) -> None:
    from napari.components import ViewerModel

    dock_class = _made(path)
    often = int(os.environ.get("NAPARI_SCOPE_LEAK_TIMES", often))
    viewer = ViewerModel()
    microscope = Microscope(demo)
    known: list[weakref.ref[Any]] = []

    shared = "microscope" in inspect.signature(dock_class.__init__).parameters
    others = (microscope,) if shared else ()

    def open_and_close() -> None:
        dock = dock_class(viewer, *others)
        dock.show()
        QApplication.processEvents()
        dock.shut_down()
        dock.close()
        dock.deleteLater()
        known.append(weakref.ref(dock))

    for _ in range(_WARM):
        open_and_close()
    before = Census(viewer, demo.core)
    for _ in range(often):
        open_and_close()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    after = Census(viewer, demo.core)
    microscope.close()
    assert after.threads == before.threads == Counter()
    assert after.qt - before.qt == Counter()
    assert after.timers <= before.timers
    assert after.widgets <= before.widgets
    assert after.layers == before.layers
    assert after.listening == before.listening
    assert [ref for ref in known if ref() is not None] == []
    assert after.weak - before.weak <= _WEAK_A_DOCK * often
    assert after.objects - before.objects <= _CACHES + _GROWTH_A_DOCK * often

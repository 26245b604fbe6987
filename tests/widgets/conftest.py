"""What the tests of the docks share: settings in a temporary place, a microscope."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.browsing.browse_dock import BrowseDock
    from napari_scope.widgets.common.microscope import Microscope


@pytest.fixture(autouse=True)
def settings_folder(tmp_path: Path) -> Path:
    """Keep what the docks remember away from the user's own settings."""
    from qtpy.QtCore import QSettings

    folder = tmp_path / "settings"
    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder)
    )
    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt to fetch an icon fail loudly."""
    import pyconify.api

    def refuse(*args: object, **kwargs: object) -> bytes:
        raise AssertionError(f"an icon was asked for over the network: {args}")

    monkeypatch.setattr(pyconify.api, "svg", refuse)
    monkeypatch.setattr(pyconify.api, "_session", refuse)


@pytest.fixture
def empty_owner(qapp: object) -> Iterator[CoreOwner]:
    """Own a core of this test's own without any device."""
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire import CoreOwner

    with CoreOwner(CMMCorePlus()) as owner:
        yield owner


@pytest.fixture
def owner(empty_owner: CoreOwner) -> CoreOwner:
    """Own a core with the demo microscope."""
    empty_owner.load()
    return empty_owner


@pytest.fixture
def shared_microscope(owner: CoreOwner) -> Iterator[Microscope]:
    """Let docks that napari opens share a demo microscope of this test's own."""
    from napari_scope.widgets.common.microscope import Microscope

    before, microscope = Microscope._shared, Microscope(owner)
    Microscope._shared = microscope
    yield microscope
    microscope.close()
    Microscope._shared = before


@pytest.fixture
def shown_viewer(make_napari_viewer: Callable[..., napari.Viewer]) -> napari.Viewer:
    """Return a viewer with a window that is on the screen."""
    return make_napari_viewer(show=True)


@pytest.fixture
def browse_dock(shown_viewer: napari.Viewer, qtbot: QtBot) -> BrowseDock:
    """Return the Browse data dock of the viewer."""
    from napari_scope.widgets.browsing.browse_dock import BrowseDock

    made = BrowseDock(shown_viewer)
    shown_viewer.window.add_dock_widget(made, name="Browse data", area="right")
    qtbot.wait(20)
    return made


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    """Fail where a thread of ours outlives the test.

    Threads of tests before do not count: those that read the tiles of plates stay
    until the garbage collector comes by.
    """
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("napari-scope"):
            thread.join(10)
            assert not thread.is_alive(), thread.name

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from napari_scope.widgets.common.core_events import GuiCore

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui


@pytest.fixture(params=["qt", "psygnal"])
def core(request: pytest.FixtureRequest, qapp: object) -> object:
    """Return a core that emits its events in one way or the other."""
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire import CoreOwner

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYMM_SIGNALS_BACKEND", request.param)
        made = CMMCorePlus()
    owner = CoreOwner(made)
    request.addfinalizer(owner.close)
    return made


def test_events_of_another_thread_arrive_in_the_gui_thread(
    core: object, qtbot: QtBot
) -> None:
    gui_core = GuiCore(core)  # type: ignore[arg-type]
    heard: list[threading.Thread] = []
    gui_core.events.systemConfigurationLoaded.connect(
        lambda: heard.append(threading.current_thread())
    )
    worker = threading.Thread(
        target=gui_core.loadSystemConfiguration, args=("MMConfig_demo.cfg",)
    )
    with qtbot.waitSignal(gui_core.events.systemConfigurationLoaded, timeout=20_000):
        worker.start()
    worker.join()
    assert heard == [threading.main_thread()]
    gui_core.close()


def test_nothing_is_repeated_while_suspended_or_closed(
    owner: CoreOwner, qtbot: QtBot
) -> None:
    gui_core = GuiCore(owner.core)
    heard: list[tuple[object, ...]] = []
    gui_core.events.roiSet.connect(lambda *args: heard.append(args))
    gui_core.suspended = True
    owner.core.setROI(0, 0, 64, 64)
    qtbot.wait(50)
    assert heard == []
    gui_core.suspended = False
    owner.core.setROI(0, 0, 32, 32)
    qtbot.waitUntil(lambda: len(heard) == 1)
    assert heard[0][-2:] == (32, 32)
    gui_core.close()
    gui_core.close()
    owner.core.setROI(0, 0, 16, 16)
    qtbot.wait(50)
    assert len(heard) == 1


def test_everything_else_is_the_core_itself(owner: CoreOwner, qtbot: QtBot) -> None:
    gui_core = GuiCore(owner.core)
    assert gui_core.getCameraDevice() == "Camera"
    with pytest.raises(AttributeError):
        _ = gui_core.no_such_method
    gui_core.close()

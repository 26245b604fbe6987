from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from napari_scope.acquire.registry import is_in_use
from napari_scope.errors import HardwareError
from napari_scope.widgets.devices.device_program import SAVED, main, make_wizard
from napari_scope.widgets.devices.device_tools import DeviceTools
from napari_scope.widgets.devices.more_page import MorePage

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

pytestmark = pytest.mark.gui

_WAITS = "import sys; sys.stdin.read()"


def _runs(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the tools run this program instead of a window."""
    monkeypatch.setattr(DeviceTools, "_command", lambda *args: ["-c", code])


def test_the_wizard_has_the_devices_and_what_it_made_is_loaded(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = tmp_path / "made.cfg"
    microscope.real_core.saveSystemConfiguration(str(made))
    page = MorePage(microscope, table_core)
    qtbot.addWidget(page)
    _runs(monkeypatch, f"{_WAITS}; print('noise'); print({f'{SAVED}{made}'!r})")
    page.wizard_button.click()
    assert page.tools.tool == "wizard" and not page.wizard_button.isEnabled()
    qtbot.waitUntil(lambda: page.tools._process is not None, timeout=5000)
    assert is_in_use(microscope.real_core)
    qtbot.waitUntil(lambda: bool(microscope.lock_reason), timeout=5000)
    assert not microscope.owner.has_devices
    page.tools.wizard()  # one at a time
    page.tools.install()
    process = page.tools._process
    assert process is not None
    process.closeWriteChannel()
    # What the core itself tells of the loading may come before its end.
    qtbot.waitUntil(lambda: microscope.owner.config == str(made))
    qtbot.waitUntil(lambda: page.tools.tool == "" and page.wizard_button.isEnabled())
    page.close_down()
    page.close_down()


def test_a_wizard_that_is_cancelled_or_crashes_gives_the_devices_back(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = MorePage(microscope, table_core)
    qtbot.addWidget(page)
    _runs(monkeypatch, "raise SystemExit('a driver has crashed')")
    with qtbot.waitSignal(page.failed, timeout=20_000) as caught:
        page.wizard_button.click()
    assert caught.args is not None and isinstance(caught.args[0], HardwareError)
    assert "a driver has crashed" in str(caught.args[0])
    qtbot.waitUntil(lambda: microscope.owner.config == "demo", timeout=20_000)
    page.close_down()


def test_no_wizard_while_the_microscope_is_in_use(
    microscope: Microscope, qtbot: QtBot
) -> None:
    from napari_scope.acquire.registry import loading

    tools = DeviceTools(microscope)
    with (
        loading(microscope.real_core),
        qtbot.waitSignal(tools.failed, timeout=5000),
    ):
        tools.wizard()
        assert tools.tool == "wizard"
    assert tools.tool == "" and microscope.owner.has_devices
    tools.close_down()


def test_devices_that_could_not_be_loaded_again_are_not_let_go(
    microscope: Microscope, table_core: TableCore, qtbot: QtBot
) -> None:
    core = microscope.real_core
    core.unloadAllDevices()
    core.loadDevice("Cam", "DemoCamera", "DCam")
    microscope.owner._config = "unknown"
    page = MorePage(microscope, table_core)
    qtbot.addWidget(page)
    with qtbot.waitSignal(page.failed, timeout=5000):
        page.wizard_button.click()
    assert page.tools.tool == "" and "Cam" in core.getLoadedDevices()
    page.close_down()


def test_a_tool_that_is_open_ends_with_the_dock(
    microscope: Microscope, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    _runs(monkeypatch, _WAITS)
    tools = DeviceTools(microscope)
    tools.install()
    process = tools._process
    assert process is not None and process.waitForStarted(5000)
    tools.close_down()
    assert process.state() == process.ProcessState.NotRunning
    assert not is_in_use(microscope.real_core)
    tools.close_down()


def test_all_devices_are_listed(
    microscope: Microscope, table_core: TableCore, qtbot: QtBot
) -> None:
    from qtpy.QtWidgets import QTreeWidget

    page = MorePage(microscope, table_core)
    qtbot.addWidget(page)
    page.rebuild()
    (tree,) = page.findChildren(QTreeWidget)
    rows = [tree.topLevelItem(i) for i in range(tree.topLevelItemCount())]
    texts = [tuple(row.text(i) for i in range(3)) for row in rows]
    assert ("Camera", "Camera", "DemoCamera DCam") in texts
    page.close_down()


def test_the_wizard_says_what_it_has_saved(
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    no_network: None,
) -> None:
    from pymmcore_plus import find_micromanager
    from pymmcore_widgets.hcwizard.finish_page import DEST_CONFIG

    from napari_scope.widgets.common.icons import serve_shipped_icons

    serve_shipped_icons()
    folder = find_micromanager()
    assert folder is not None
    wizard = make_wizard(owner.core, str(Path(folder) / "MMConfig_demo.cfg"))
    qtbot.addWidget(wizard)
    wizard.show()
    wizard.next()  # the page of the devices
    assert wizard.currentId() == 1
    saved = tmp_path / "saved.cfg"
    wizard.setField(DEST_CONFIG, str(saved))
    wizard._model.mark_clean()
    wizard.accept()
    assert capsys.readouterr().out.splitlines()[-1] == f"{SAVED}{saved}"
    assert "DCam" in saved.read_text()
    owner.core.unloadAllDevices()
    wizard.reject()
    assert not owner.has_devices  # who started it loads what it had


def test_the_program_knows_its_tools(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2 and main(["dance"]) == 2
    assert "wizard" in capsys.readouterr().out


def test_the_program_starts(tmp_path: Path) -> None:
    """In a process of its own, closed as soon as it shows."""
    code = (
        "from qtpy.QtCore import QTimer; from qtpy.QtWidgets import QApplication;"
        "app = QApplication([]); timer = QTimer(); timer.setInterval(50);"
        "timer.timeout.connect(lambda: app.topLevelWidgets() and app.quit());"
        "timer.start();"
        "from napari_scope.widgets.devices.device_program import main;"
        "import os, sys; code = main(['wizard']); sys.stdout.flush(); os._exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_scope.errors import ConfigurationError
from napari_scope.widgets.acquiring.hardware_box import HardwareBox, read_camera
from napari_scope.widgets.common.remembered import Remembered

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui


def _demo_file(owner: CoreOwner) -> Path:
    from pymmcore_plus import find_micromanager

    folder = find_micromanager()
    assert folder is not None
    return Path(folder) / "MMConfig_demo.cfg"


def test_demo_is_the_first_choice_and_loads_off_the_gui_thread(
    empty_owner: CoreOwner, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = HardwareBox(empty_owner)
    qtbot.addWidget(box)
    assert box.choice.currentText() == "Demo microscope"
    assert box.status.text() == "Nothing is loaded yet."
    assert box.camera() is None
    threads: list[threading.Thread] = []
    load = empty_owner.load

    def spying(config: object = None) -> None:
        threads.append(threading.current_thread())
        load(config)  # type: ignore[arg-type]

    monkeypatch.setattr(empty_owner, "load", spying)
    with qtbot.waitSignal(box.loaded, timeout=20_000):
        box.load_button.click()
        assert box.busy and not box.load_button.isEnabled()
        assert box.camera() is None  # nobody asks the core meanwhile
    assert threads[0] is not threading.main_thread()
    assert box.status.text() == "Camera: 512 × 512, 16 bit, 1 µm per pixel"
    assert box.load_button.isEnabled()
    camera = box.camera()
    assert camera is not None and camera.frame_shape == (512, 512)


def test_a_microscope_that_is_set_up_is_kept(owner: CoreOwner, qtbot: QtBot) -> None:
    owner.core.setProperty("Camera", "BitDepth", "12")
    box = HardwareBox(owner)
    qtbot.addWidget(box)
    assert "512 × 512, 12 bit" in box.status.text()
    assert not box.busy


def test_devices_of_unknown_origin_are_shown_as_they_are(
    empty_owner: CoreOwner, qtbot: QtBot
) -> None:
    core = empty_owner.core
    core.loadDevice("Cam", "DemoCamera", "DCam")
    core.initializeDevice("Cam")
    core.setCameraDevice("Cam")
    box = HardwareBox(empty_owner)
    qtbot.addWidget(box)
    assert box.choice.currentText() == "As it is now"
    box.load_button.click()
    assert not box.busy and core.getCameraDevice() == "Cam"
    box.choice.setCurrentIndex(box.choice.findText("Demo microscope"))
    with qtbot.waitSignal(box.loaded, timeout=20_000):
        box.load_button.click()
    assert box.choice.findText("As it is now") < 0


def test_a_file_is_chosen_loaded_and_remembered(
    empty_owner: CoreOwner, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _demo_file(empty_owner)
    box = HardwareBox(empty_owner)
    qtbot.addWidget(box)
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *args, **kwargs: (str(path), "")
    )
    with qtbot.waitSignal(box.loaded, timeout=20_000):
        box.browse_button.click()
    assert box.choice.currentText() == path.name
    assert Remembered().configurations == [path]
    other = HardwareBox(empty_owner)
    qtbot.addWidget(other)
    assert other.choice.findText(path.name) >= 0


@pytest.mark.parametrize("content", [None, "Device,Nothing,NoSuchLibrary,NoDevice\n"])
def test_a_bad_file_is_reported_and_forgotten(
    content: str | None, owner: CoreOwner, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "broken.cfg"
    if content is not None:
        path.write_text(content)
    box = HardwareBox(owner)
    qtbot.addWidget(box)
    with qtbot.waitSignal(box.failed, timeout=20_000) as caught:
        box.load(path)
    assert caught.args is not None
    assert isinstance(caught.args[0], ConfigurationError)
    assert caught.args[0].path == str(path)
    assert box.load_button.isEnabled()
    assert Remembered().configurations == []


def test_read_camera_knows_colour(owner: CoreOwner) -> None:
    owner.core.setProperty("Camera", "PixelType", "32bitRGB")
    camera = read_camera(owner.core)
    assert camera is not None
    assert camera.frame_shape == (512, 512, 3) and camera.dtype == "u1"
    owner.core.setCameraDevice("")
    assert read_camera(owner.core) is None

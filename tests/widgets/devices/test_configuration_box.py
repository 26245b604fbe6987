from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QFileDialog

from napari_scope.errors import ConfigurationError
from napari_scope.widgets.common.microscope import Microscope
from napari_scope.widgets.common.remembered import Remembered
from napari_scope.widgets.devices import configuration_box
from napari_scope.widgets.devices.configuration_box import (
    ConfigurationBox,
    dropped_configuration,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui


@pytest.fixture
def empty_microscope(empty_owner: CoreOwner) -> Iterator[Microscope]:
    made = Microscope(empty_owner)
    made.hold(empty_owner)
    yield made
    made.close()


@pytest.fixture
def box(microscope: Microscope, qtbot: QtBot) -> Iterator[ConfigurationBox]:
    made = ConfigurationBox(microscope)
    qtbot.addWidget(made)
    yield made
    made.close_down()


def _dropped(*names: str) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(name) for name in names])
    return data


def test_the_demo_is_the_first_choice_and_loads_by_a_click(
    empty_microscope: Microscope, qtbot: QtBot
) -> None:
    box = ConfigurationBox(empty_microscope)
    qtbot.addWidget(box)
    assert box.choice.currentText() == "Demo microscope"
    assert box.status.text() == "Nothing is loaded yet."
    assert box.camera() is None and not box.save_button.isEnabled()
    with qtbot.waitSignal(empty_microscope.loaded, timeout=20_000):
        qtbot.mouseClick(box.load_button, Qt.MouseButton.LeftButton)
        assert empty_microscope.is_loading and not box.load_button.isEnabled()
        assert box.status.text() == "Loading Demo microscope …"
        assert box.camera() is None
    qtbot.waitUntil(lambda: box.camera() is not None, timeout=5000)
    assert box.status.text() == "Camera: 512 × 512, 16 bit, 1 µm per pixel"
    assert box.load_button.isEnabled() and "load" in box.load_button.text().replace(
        "&", ""
    )
    assert box.load_button.text() == "Reloa&d" and box.save_button.isEnabled()
    box.close_down()
    box.close_down()


def test_what_the_camera_delivers_is_followed(
    box: ConfigurationBox, microscope: Microscope, qtbot: QtBot
) -> None:
    microscope.core.setProperty("Camera", "Binning", "2")
    qtbot.waitUntil(lambda: "256 × 256" in box.status.text(), timeout=5000)
    camera = box.camera()
    assert camera is not None and camera.frame_shape == (256, 256)


def test_without_a_camera_it_says_so(
    box: ConfigurationBox, microscope: Microscope, qtbot: QtBot
) -> None:
    microscope.core.setProperty("Core", "Camera", "")
    qtbot.waitUntil(lambda: "no camera" in box.status.text(), timeout=5000)
    assert box.camera() is None


def test_a_configuration_is_saved_loaded_again_and_remembered(
    box: ConfigurationBox,
    microscope: Microscope,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settle: Callable[[], None],
) -> None:
    told: list[str] = []
    monkeypatch.setattr(configuration_box, "notify", told.append)
    path = tmp_path / "mine.cfg"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *a, **k: (str(path.with_suffix("")), "")
    )
    settle()
    box.save_button.click()
    settle()
    assert path.read_text().count("Camera") > 3 and str(path) in told[0]
    assert not list(tmp_path.glob("*.part"))
    assert Remembered().configurations == [path]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
    with qtbot.waitSignal(microscope.loaded, timeout=20_000):
        box.browse_button.click()
    assert box.choice.currentText() == "mine.cfg"
    assert box.load_button.text() == "Reloa&d"
    box.choice.setCurrentIndex(0)
    assert box.load_button.text() == "Loa&d"


def test_saving_that_fails_keeps_the_old_file(
    box: ConfigurationBox,
    microscope: Microscope,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "mine.cfg"
    path.write_text("old")

    def fail(name: str) -> None:
        Path(name).write_text("half")
        raise RuntimeError("disk full")

    monkeypatch.setattr(microscope.real_core, "saveSystemConfiguration", fail)
    with qtbot.waitSignal(microscope.call_failed, timeout=5000) as caught:
        box.save(path)
    assert caught.args is not None
    assert isinstance(caught.args[0], ConfigurationError)
    assert "disk full" in str(caught.args[0]) and caught.args[0].path == str(path)
    assert path.read_text() == "old" and not list(tmp_path.glob("*.part"))


def test_a_bad_file_is_reported_and_forgotten(
    box: ConfigurationBox, microscope: Microscope, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "broken.cfg"
    path.write_text("Device,Nothing,NoSuchLibrary,NoDevice\n")
    with qtbot.waitSignal(microscope.load_failed, timeout=20_000):
        box.load(path)
    assert box.load_button.isEnabled() and Remembered().configurations == []
    qtbot.waitUntil(lambda: box.status.text() == "Nothing is loaded yet.", timeout=5000)


def test_devices_of_unknown_origin_are_shown_as_they_are(
    empty_microscope: Microscope, qtbot: QtBot
) -> None:
    core = empty_microscope.real_core
    core.loadDevice("Cam", "DemoCamera", "DCam")
    core.initializeDevice("Cam")
    core.setCameraDevice("Cam")
    box = ConfigurationBox(empty_microscope)
    qtbot.addWidget(box)
    assert box.choice.currentText() == "As it is now"
    box.load_button.click()
    assert not empty_microscope.is_loading and core.getCameraDevice() == "Cam"
    box.choice.setCurrentIndex(box.choice.findText("Demo microscope"))
    with qtbot.waitSignal(empty_microscope.loaded, timeout=20_000):
        box.load_button.click()
    assert box.choice.findText("As it is now") < 0
    box.close_down()


def test_a_file_that_is_dropped_is_loaded(
    box: ConfigurationBox, microscope: Microscope, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "dropped.cfg"
    microscope.real_core.saveSystemConfiguration(str(path))
    assert dropped_configuration(_dropped(str(path))) == path
    for other in (None, QMimeData(), _dropped("a.cfg", "b.cfg"), _dropped("a.txt")):
        assert dropped_configuration(other) is None
    data = _dropped(str(path))  # the event does not keep it
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    with qtbot.waitSignal(microscope.loaded, timeout=20_000):
        box.dropEvent(event)
    assert box.choice.currentText() == "dropped.cfg"


def test_nothing_is_loaded_while_the_microscope_is_locked(
    box: ConfigurationBox,
    microscope: Microscope,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_scope.acquire.registry import loading

    told: list[str] = []
    monkeypatch.setattr(configuration_box, "notify", told.append)
    with loading(microscope.real_core):
        qtbot.waitUntil(lambda: not box.choice.isEnabled())
        for widget in (box.choice, box.browse_button, box.save_button, box.load_button):
            assert not widget.isEnabled()
            assert widget.toolTip() == microscope.lock_reason
        box.load(None)
        assert not microscope.is_loading
        assert told == [f"{microscope.lock_reason}: no configuration was loaded"]
    qtbot.waitUntil(box.load_button.isEnabled)


def test_compact_has_no_saving(microscope: Microscope, qtbot: QtBot) -> None:
    box = ConfigurationBox(microscope, compact=True)
    qtbot.addWidget(box)
    assert box.save_button.isHidden() and not box.load_button.isHidden()
    box.close_down()

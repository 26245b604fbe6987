from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import napari
import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QComboBox, QLabel, QWidget

from napari_scope.errors import HardwareError
from napari_scope.widgets.common.remembered import Remembered
from napari_scope.widgets.devices.camera_page import CameraPage
from napari_scope.widgets.devices.devices_dock import DevicesDock
from napari_scope.widgets.devices.more_page import MorePage
from napari_scope.widgets.devices.properties_page import PropertiesPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(
    no_thread_is_left: None,
    microscope: Microscope,
    qtbot: QtBot,
    no_network: None,
    settle: Callable[[], None],
) -> Iterator[DevicesDock]:
    made = DevicesDock(napari.components.ViewerModel(), microscope)  # type: ignore[arg-type]
    qtbot.addWidget(made)
    made.resize(380, 800)
    made.show()
    settle()
    qtbot.waitUntil(lambda: made.tabs.page.built, timeout=10_000)
    yield made
    made.shut_down()


def _see(dock: DevicesDock, title: str, qtbot: QtBot) -> QWidget:
    dock.show_page(title)
    qtbot.waitUntil(lambda: dock.tabs.page.built, timeout=10_000)
    return dock.tabs.page


def _is_said(dock: DevicesDock, text: str) -> bool:
    labels = dock.findChildren(QLabel)
    return any(text in label.text() for label in labels if label.isVisible())


def test_what_is_used_every_minute_is_in_sight(dock: DevicesDock) -> None:
    quick = dock.quick
    for widget in (
        dock.configuration.choice,
        dock.live,
        quick.group,
        quick.preset,
        quick.objective,
        quick.shutter,
    ):
        assert widget is not None and widget.isVisible()
    assert [page.built for page in dock.tabs.pages] == [True] + [False] * 5
    assert dock.minimumSizeHint().width() <= 400


def test_every_page_opens_without_a_network(dock: DevicesDock, qtbot: QtBot) -> None:
    for page in dock.tabs.pages:
        _see(dock, page.title, qtbot)
        assert page.width() <= dock.width()


def test_every_control_has_a_name_and_can_be_reached(
    dock: DevicesDock, qtbot: QtBot
) -> None:
    from qtpy.QtWidgets import QAbstractButton

    for page in dock.tabs.pages:
        _see(dock, page.title, qtbot)
    for kind in (QAbstractButton, QComboBox):
        for widget in dock.findChildren(kind):
            if not widget.isVisible() or not widget.isEnabled():
                continue
            text = widget.text() if isinstance(widget, QAbstractButton) else ""
            named = widget.accessibleName() or text
            parts = type(widget.parent()).__name__
            assert named or parts in ("QTabBar", "QLineEdit", "QTableWidget"), (
                type(widget),
                parts,
            )


def test_a_failing_device_is_told_and_the_true_value_shown(
    dock: DevicesDock,
    microscope: Microscope,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    settle: Callable[[], None],
) -> None:
    page = _see(dock, "Camera", qtbot)
    settle()
    assert isinstance(page, CameraPage)

    def fail(*args: object) -> None:
        raise RuntimeError("camera is unplugged")

    with monkeypatch.context() as patch:
        patch.setattr(microscope.real_core, "setProperty", fail)
        patch.setattr(microscope.real_core, "getProperty", fail)
        combo = page.settings["Camera", "Binning"].inner_widget
        assert isinstance(combo, QComboBox)
        combo.setFocus()
        qtbot.keyClick(combo, Qt.Key.Key_Down)
        qtbot.waitUntil(lambda: dock.errors.isVisible(), timeout=5000)
        settle()
        assert "Camera Binning" in dock.errors.text.text()
        assert dock.errors.explanation is not None
        assert "unplugged" in dock.errors.explanation.message
        assert combo.currentText() == "1"
    # Plugged in again it works as before.
    dock.errors.dismiss_button.click()
    combo.setFocus()
    qtbot.keyClick(combo, Qt.Key.Key_Down)
    settle()
    assert microscope.real_core.getProperty("Camera", "Binning") == "2"
    assert not dock.errors.isVisible()


def test_a_device_that_hangs_does_not_hold_up_the_dock(
    dock: DevicesDock,
    microscope: Microscope,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    settle: Callable[[], None],
) -> None:
    answers = threading.Event()
    threads: list[threading.Thread] = []

    def hang(*args: object) -> None:
        threads.append(threading.current_thread())
        answers.wait(20)

    monkeypatch.setattr(microscope.real_core, "setProperty", hang)
    box = dock.quick.objective
    assert box is not None
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: bool(threads), timeout=5000)
    assert threads[0] is not threading.main_thread()
    # Meanwhile the dock can be used: tabs, search, and a page that waits.
    for page in dock.tabs.pages:
        dock.show_page(page.title)
        qtbot.wait(20)
    dock.show_page("Presets")
    assert dock.tabs.page.built
    answers.set()
    settle()
    _see(dock, "Properties", qtbot)


def test_everything_is_locked_with_the_reason(
    dock: DevicesDock, microscope: Microscope, qtbot: QtBot
) -> None:
    from napari_scope.acquire.registry import loading

    with loading(microscope.real_core):
        qtbot.waitUntil(lambda: bool(microscope.lock_reason), timeout=5000)
        reason = microscope.lock_reason
        qtbot.waitUntil(lambda: _is_said(dock, reason), timeout=5000)
        assert dock.quick.preset is not None
        assert not dock.quick.preset.isEnabled()
        page = _see(dock, "Properties", qtbot)
        assert isinstance(page, PropertiesPage) and page.search.isEnabled()
        assert page.table is not None
        table = page.table
        qtbot.waitUntil(lambda: table.complete, timeout=20_000)
        (row,) = table.rows_of("Camera", "Gain")
        editor = table.cellWidget(row, 1)
        assert editor is not None and not editor.isEnabled()
    qtbot.waitUntil(lambda: not microscope.lock_reason, timeout=5000)
    qtbot.waitUntil(lambda: not _is_said(dock, reason), timeout=5000)
    assert dock.quick.preset.isEnabled() and editor.isEnabled()


def test_two_configurations_in_a_row_and_one_that_has_little(
    dock: DevicesDock,
    microscope: Microscope,
    qtbot: QtBot,
    tmp_path: Path,
    settle: Callable[[], None],
) -> None:
    little = tmp_path / "little.cfg"
    little.write_text(
        "Property,Core,Initialize,0\n"
        "Device,Wheel,DemoCamera,DWheel\n"
        "Property,Core,Initialize,1\n"
    )
    for page in dock.tabs.pages:
        _see(dock, page.title, qtbot)
    for path in (little, None, little):
        with qtbot.waitSignal(microscope.loaded, timeout=20_000):
            dock.configuration.load(path)
        settle()
        for page in dock.tabs.pages:
            _see(dock, page.title, qtbot)
            settle()
        assert (dock.quick.group is None) == (path is little)
    assert not dock.errors.isVisible()
    assert dock.configuration.choice.currentText() == "little.cfg"


def test_a_configuration_that_does_not_load_is_explained(
    dock: DevicesDock, microscope: Microscope, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "broken.cfg"
    path.write_text("Device,Nothing,NoSuchLibrary,NoDevice\n")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    arguments = (
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    enter = QDragEnterEvent(QPointF(5, 5).toPoint(), *arguments)
    dock.dragEnterEvent(enter)
    assert enter.isAccepted()
    with qtbot.waitSignal(microscope.load_failed, timeout=20_000):
        dock.dropEvent(QDropEvent(QPointF(5, 5), *arguments))
    words = dock.errors.explanation
    assert words is not None and words.place == str(path) and words.hint
    qtbot.waitUntil(lambda: dock.quick.group is None, timeout=5000)
    with qtbot.waitSignal(microscope.loaded, timeout=20_000):
        dock.configuration.load(None)
    assert not dock.errors.isVisible()
    # A wizard that has crashed is told also after what was there is loaded again.
    more = dock.page("More")
    assert isinstance(more, MorePage)
    more.failed.emit(HardwareError("the wizard has failed"))
    with qtbot.waitSignal(microscope.loaded, timeout=20_000):
        dock.configuration.load(None)
    assert dock.errors.isVisible()


def test_tab_and_filters_are_remembered(
    dock: DevicesDock, microscope: Microscope, qtbot: QtBot
) -> None:
    page = _see(dock, "Properties", qtbot)
    assert isinstance(page, PropertiesPage)
    page.search.setText("gain")
    page.filters["Stages"].setChecked(False)
    dock.shut_down()
    dock.shut_down()
    again = DevicesDock(napari.components.ViewerModel(), microscope)  # type: ignore[arg-type]
    qtbot.addWidget(again)
    assert again.tabs.page.title == "Properties"
    assert again.page("Properties").state() == page.state()
    again.shut_down()
    Remembered().set_state("devices", {"tab": 3, "pages": []})
    odd = DevicesDock(napari.components.ViewerModel(), microscope)  # type: ignore[arg-type]
    qtbot.addWidget(odd)
    assert odd.tabs.page.title == "Presets"
    odd.shut_down()


def test_the_dock_may_close_at_a_bad_moment(
    dock: DevicesDock, microscope: Microscope, qtbot: QtBot
) -> None:
    goes_on = threading.Event()
    microscope.do("turn the wheel", lambda: goes_on.wait(10))
    dock.show_page("Camera")
    microscope.load()
    dock.shut_down()
    goes_on.set()
    qtbot.waitUntil(lambda: not microscope.is_loading, timeout=20_000)
    qtbot.wait(50)


def test_in_a_viewer_it_is_closed_with_its_button(
    no_thread_is_left: None,
    shown_viewer: napari.Viewer,
    microscope: Microscope,
    qtbot: QtBot,
) -> None:
    dock = DevicesDock(shown_viewer, microscope)
    frame = shown_viewer.window.add_dock_widget(dock, name="Devices", area="right")
    qtbot.waitUntil(lambda: dock.tabs.page.built, timeout=10_000)
    frame.destroyOnClose()  # what the cross in its title does
    qtbot.waitUntil(lambda: dock.is_shut_down, timeout=5000)

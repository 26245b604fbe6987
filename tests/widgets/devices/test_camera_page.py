from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel, QScrollArea

from napari_scope.widgets.devices.camera_page import CameraPage, camera_settings
from napari_scope.widgets.devices.roi_box import CameraRegion, RoiBox, read_regions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

pytestmark = pytest.mark.gui


@pytest.fixture
def page(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    settle: Callable[[], None],
) -> Iterator[CameraPage]:
    made = CameraPage(microscope, table_core)
    qtbot.addWidget(made)
    made.resize(380, 500)
    made.show()
    made.rebuild()
    settle()
    yield made
    made.close_down()
    made.close_down()


def _second_camera(microscope: Microscope) -> None:
    core = microscope.real_core
    core.loadDevice("Camera 2", "DemoCamera", "DCam")
    core.setParentLabel("Camera 2", "DHub")
    core.initializeDevice("Camera 2")


def test_everyday_settings_are_found_whatever_adapters_call_them() -> None:
    names = ("Physical Camera 1", "CCDTemperature", "Pixel Type", "Vendor", "EM-Gain")
    assert camera_settings(names) == [
        ("Pixel Type", "Pixel type"),
        ("EM-Gain", "EM gain"),
        ("CCDTemperature", "Temperature (°C)"),
        ("Physical Camera 1", "Physical Camera 1"),
    ]


def test_binning_is_chosen_and_the_region_follows(
    page: CameraPage, microscope: Microscope, settle: Callable[[], None], qtbot: QtBot
) -> None:
    assert page.roi is not None and page.roi.lbl_info.text() == (
        "512 × 512 px, 512 × 512 µm"
    )
    combo = page.settings["Camera", "Binning"].inner_widget
    assert isinstance(combo, QComboBox)
    combo.setFocus()
    qtbot.keyClick(combo, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: page.roi.lbl_info.text().startswith("256 × 256"))
    assert microscope.real_core.getProperty("Camera", "Binning") == "2"
    assert page.roi.camera_roi_combo.currentText() == "Full Chip"
    assert "128 x 128" in [
        page.roi.camera_roi_combo.itemText(i)
        for i in range(page.roi.camera_roi_combo.count())
    ]


def test_a_region_is_set_seen_and_taken_back(
    page: CameraPage, microscope: Microscope, settle: Callable[[], None]
) -> None:
    core, roi = microscope.real_core, page.roi
    assert roi is not None and not roi.crop_btn.isEnabled()
    roi.camera_roi_combo.setCurrentText("256 x 256")
    settle()
    assert list(core.getROI("Camera")) == [128, 128, 256, 256]
    roi.camera_roi_combo.setCurrentText("Custom ROI")
    assert roi.crop_btn.isEnabled()
    roi.center_checkbox.setChecked(False)
    roi.roi_width.setValue(100)
    roi.start_x.setValue(10)
    assert "not set yet" in roi.lbl_info.text()
    assert list(core.getROI("Camera")) == [128, 128, 256, 256]
    roi.crop_btn.click()
    settle()
    assert list(core.getROI("Camera")) == [10, 128, 100, 256]
    assert "not set yet" not in roi.lbl_info.text()
    core.setROI("Camera", 0, 0, 64, 64)  # by somebody else
    settle()
    assert roi.lbl_info.text().startswith("64 × 64 px")
    roi.camera_roi_combo.setCurrentText("Full Chip")
    settle()
    assert list(core.getROI("Camera")) == [0, 0, 512, 512]
    assert roi.snap_checkbox.isHidden() or not roi.snap_checkbox.isVisible()


def test_a_region_that_is_set_already_is_not_taken_for_the_chip(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
) -> None:
    core = microscope.real_core
    core.setProperty("Camera", "Binning", "2")
    core.setROI("Camera", 16, 32, 64, 64)
    (found,) = read_regions(core)
    assert found == CameraRegion("Camera", (256, 256), (16, 32, 64, 64))
    roi = RoiBox(table_core, [found])
    qtbot.addWidget(roi)
    assert roi.camera_roi_combo.currentText() == "Custom ROI"
    assert roi._get_roi_values() == (16, 32, 64, 64)
    assert list(core.getROI("Camera")) == [16, 32, 64, 64]  # looking sets nothing
    with qtbot.waitSignal(roi.stale):
        roi._on_roi_set("Camera", 0, 0, 5000, 5000)
    roi._on_roi_set("Unknown", 0, 0, 5, 5)
    with qtbot.waitSignal(roi.stale):
        roi.show_truth()


def test_several_cameras(
    microscope: Microscope,
    page: CameraPage,
    settle: Callable[[], None],
    qtbot: QtBot,
) -> None:
    _second_camera(microscope)
    core = microscope.real_core
    core.setProperty("Camera 2", "Binning", "2")
    page.rebuild()
    settle()
    assert page.roi is not None and page.roi.camera_combo.count() == 2
    page.roi.camera_combo.setCurrentText("Camera 2")
    page.roi.camera_roi_combo.setCurrentText("32 x 32")  # of its binned chip
    settle()
    assert list(core.getROI("Camera 2"))[2:] == [32, 32]
    assert list(core.getROI("Camera"))[2:] == [512, 512]
    page.roi.camera_combo.setCurrentText("Camera")
    assert page.roi.camera_roi_combo.currentText() == "Full Chip"
    assert page.camera is not None
    page.camera.setCurrentText("Camera 2")
    page.camera.textActivated.emit("Camera 2")
    qtbot.waitUntil(lambda: core.getCameraDevice() == "Camera 2", timeout=5000)
    qtbot.waitUntil(lambda: ("Camera 2", "Binning") in page.settings, timeout=5000)


def test_nothing_is_cut_off_in_a_dock_of_usual_width(page: CameraPage) -> None:
    (area,) = page.findChildren(QScrollArea)
    body, viewport = area.widget(), area.viewport()
    assert body is not None and viewport is not None
    assert body.width() <= viewport.width() <= page.width() == 380


def test_locking_and_unlocking(page: CameraPage, settle: Callable[[], None]) -> None:
    page.set_locked("a run goes on")
    assert page.camera is not None and page.roi is not None
    boxes = [page.camera, page.roi, *page.settings.values()]
    assert not any(box.isEnabled() for box in boxes)
    page.set_locked("")
    assert all(box.isEnabled() for box in boxes)
    page.show_truth()
    settle()


def test_a_configuration_without_a_camera(
    microscope: Microscope, page: CameraPage, settle: Callable[[], None]
) -> None:
    microscope.real_core.unloadAllDevices()
    page.rebuild()
    settle()
    assert page.camera is None and page.roi is None
    assert any("no camera" in label.text() for label in page.findChildren(QLabel))
    page.set_locked("x")
    page.show_truth()


def test_an_unplugged_camera_has_no_region(
    microscope: Microscope,
    page: CameraPage,
    settle: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("no answer")

    monkeypatch.setattr(microscope.real_core, "getROI", fail)
    page.rebuild()
    settle()
    assert page.roi is not None
    assert page.roi.lbl_info.text() == "No camera that can be used."
    page.roi.crop_btn.click()

"""The page of the light: what it shows, switches, remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymmcore_plus import PropertyType
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QCheckBox, QTreeWidgetItem

from napari_scope.widgets.devices.light_page import LightPage
from napari_scope.widgets.devices.property_table import PropertyBox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

pytestmark = pytest.mark.gui

SHUTTER = ("White Light Shutter", "State")


@pytest.fixture
def page(
    microscope: Microscope, table_core: TableCore, qtbot: QtBot
) -> Iterator[LightPage]:
    made = LightPage(microscope, table_core)
    qtbot.addWidget(made)
    made.resize(380, 500)
    made.show()
    made.rebuild()
    yield made
    made.close_down()
    made.close_down()


def _item(page: LightPage, device: str, name: str) -> QTreeWidgetItem:
    assert page.tree is not None
    for row in range(page.tree.topLevelItemCount()):
        item = page.tree.topLevelItem(row)
        if item is not None and item.data(0, Qt.ItemDataRole.UserRole) == (
            device,
            name,
        ):
            return item
    raise AssertionError(f"no {device} {name}")


def _checked(page: LightPage, key: tuple[str, str]) -> bool:
    box = page.boxes[key]
    assert isinstance(box, PropertyBox)
    (inner,) = box.findChildren(QCheckBox)
    return bool(inner.isChecked())


def test_shutters_and_lamps_are_found_and_switched(
    page: LightPage, microscope: Microscope, qtbot: QtBot, settle: Callable[[], None]
) -> None:
    assert [*page.boxes] == [SHUTTER, ("LED", "Label")]
    core = microscope.real_core
    settle()
    core.setShutterOpen(False)
    qtbot.waitUntil(lambda: not _checked(page, SHUTTER), timeout=20_000)
    (box,) = page.boxes[SHUTTER].findChildren(QCheckBox)
    middle = QPoint(8, box.height() // 2)
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.waitUntil(lambda: core.getShutterOpen("White Light Shutter"), timeout=20_000)
    qtbot.mouseClick(page.off_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(
        lambda: not core.getShutterOpen("White Light Shutter"), timeout=20_000
    )
    qtbot.waitUntil(lambda: not _checked(page, SHUTTER))


def test_a_shutter_that_the_camera_has_moved_is_shown_as_it_is(
    page: LightPage, microscope: Microscope, qtbot: QtBot, settle: Callable[[], None]
) -> None:
    settle()
    microscope.real_core.setShutterOpen(True)
    qtbot.waitUntil(lambda: _checked(page, SHUTTER), timeout=20_000)
    # An exposure with the automatic shutter closes it; the core's memory does not know.
    microscope.real_core.setAutoShutter(True)
    microscope.real_core.snapImage()
    qtbot.waitUntil(lambda: not _checked(page, SHUTTER), timeout=20_000)
    page.rebuild()
    settle()
    assert not _checked(page, SHUTTER)


def test_what_is_chosen_is_shown_and_remembered_for_the_configuration(
    page: LightPage, microscope: Microscope, table_core: TableCore, qtbot: QtBot
) -> None:
    assert page.tree is not None and not page.tree.isVisible()
    page.choose_button.click()
    assert page.tree.isVisible() and page.choose_button.text() == "&Done"
    _item(page, *SHUTTER).setCheckState(0, Qt.CheckState.Unchecked)
    _item(page, "Path", "Label").setCheckState(0, Qt.CheckState.Checked)
    assert [*page.boxes] == [("Path", "Label"), ("LED", "Label")]
    page.choose_button.click()
    assert not page.tree.isVisible()
    assert not page.off_button.isEnabled()  # no switch is left
    again = LightPage(microscope, table_core)
    qtbot.addWidget(again)
    again.restore(page.state())
    again.rebuild()
    assert [*again.boxes] == [*page.boxes]
    microscope.owner._config = "another.cfg"
    again.rebuild()
    assert [*again.boxes] == [SHUTTER, ("LED", "Label")]
    again.close_down()


def test_an_intensity_is_a_slider(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    settle: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The demo microscope has none: a limit is given to a property of its stage."""
    real = table_core._core.hasPropertyLimits

    def limits(device: str, name: str) -> bool:
        return (device, name) == ("Path", "State") or bool(real(device, name))

    core: Any = table_core
    monkeypatch.setattr(core, "hasPropertyLimits", limits)
    monkeypatch.setattr(core, "getPropertyLowerLimit", lambda *_: 0.0, raising=False)
    monkeypatch.setattr(core, "getPropertyUpperLimit", lambda *_: 2.0, raising=False)
    kind = core.getPropertyType
    monkeypatch.setattr(
        core,
        "getPropertyType",
        lambda d, n: (
            PropertyType.Integer if d == "Path" and n == "State" else kind(d, n)
        ),
    )
    names = core.getDevicePropertyNames
    monkeypatch.setattr(
        core,
        "getDevicePropertyNames",
        lambda d: ("State",) if d == "Path" else names(d),
        raising=False,
    )
    page = LightPage(microscope, table_core)
    qtbot.addWidget(page)
    page.restore({"chosen": {"demo": [["Path", "State"], ["gone", "away"]]}})
    page.rebuild()
    (control,) = page.shown
    assert control.kind == "amount"
    box = page.boxes["Path", "State"]
    assert isinstance(box, PropertyBox)
    box.setValue(2)
    settle()
    assert microscope.real_core.getState("Path") == 2
    page.close_down()


def test_locked_while_a_run_goes_on_and_without_light(
    page: LightPage, qtbot: QtBot
) -> None:
    page.set_locked("A run goes on")
    assert not page.boxes[SHUTTER].isEnabled() and not page.off_button.isEnabled()
    page.set_locked("")
    assert page.boxes[SHUTTER].isEnabled() and page.off_button.isEnabled()
    page.restore({"chosen": {"demo": []}})
    page.rebuild()
    assert not page.boxes and not page.off_button.isEnabled()

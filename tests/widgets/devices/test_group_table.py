from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QComboBox, QLabel

from napari_scope.widgets.devices.group_table import GroupTable
from napari_scope.widgets.devices.preset_box import ChannelGroupBox, PresetBox
from napari_scope.widgets.devices.property_table import PropertyBox

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

pytestmark = pytest.mark.gui


def _choose(combo: QComboBox, text: str) -> None:
    """Choose as a user does who types the first letters."""
    combo.setCurrentIndex(combo.findText(text))
    combo.textActivated.emit(text)


def _wheel(widget: QComboBox) -> None:
    event = QWheelEvent(
        QPointF(3, 3),
        QPointF(3, 3),
        QPoint(0, -120),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def test_choosing_a_preset_sets_it_once_and_off_the_gui_thread(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    settle: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threading

    core = microscope.real_core
    calls: list[tuple[str, threading.Thread]] = []
    set_config = core.setConfig

    def spying(group: str, preset: str) -> None:
        calls.append((preset, threading.current_thread()))
        set_config(group, preset)

    monkeypatch.setattr(core, "setConfig", spying)
    box = PresetBox("Channel", table_core)
    qtbot.addWidget(box)
    _choose(box._combo, "FITC")
    settle()
    assert [preset for preset, _thread in calls] == ["FITC"]
    assert calls[0][1] is not threading.main_thread()
    assert box.value() == "FITC" and core.getCurrentConfig("Channel") == "FITC"
    assert "Dichroic" in box._combo.toolTip()
    core.setConfig("Channel", "Cy5")  # by somebody else
    settle()
    assert box.value() == "Cy5"
    _wheel(box._combo)
    assert box.value() == "Cy5"


def test_looking_at_presets_changes_none(
    microscope: Microscope, table_core: TableCore, qtbot: QtBot
) -> None:
    core = microscope.real_core
    core.defineConfig("Mixed", "one", "Camera", "Binning", "1")
    core.defineConfig("Mixed", "two", "Camera", "Gain", "2")
    core.defineConfig("Mixed", "three")
    before = [tuple(x) for x in core.getConfigData("Mixed", "two")]
    box = PresetBox("Mixed", table_core)
    qtbot.addWidget(box)
    assert [tuple(x) for x in core.getConfigData("Mixed", "two")] == before
    assert set(box.allowedValues()) == {"one", "two", "three"}


def test_a_preset_that_cannot_be_set_is_not_shown(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    settle: Callable[[], None],
) -> None:
    def fail(group: str, preset: str) -> None:
        raise RuntimeError("the turret is stuck")

    box = PresetBox("Channel", table_core)
    qtbot.addWidget(box)
    before = box.value()
    monkeypatch.setattr(microscope.real_core, "setConfig", fail)
    with qtbot.waitSignal(microscope.call_failed, timeout=5000):
        _choose(box._combo, "FITC")
    settle()
    assert box.value() == before


def test_the_table_shows_all_groups_and_locks(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    settle: Callable[[], None],
) -> None:
    core = microscope.real_core
    core.defineConfig("Gain only", "x", "Camera", "Gain", "1")
    core.defineConfigGroup("Empty")
    core.defineConfig("Lost", "x", "NoSuchDevice", "P", "1")
    table = GroupTable(table_core)
    qtbot.addWidget(table)
    kinds = {
        table.table_wdg.item(row, 0).text(): type(table.table_wdg.cellWidget(row, 1))
        for row in range(table.table_wdg.rowCount())
    }
    assert kinds["Channel"] is PresetBox and kinds["Gain only"] is PropertyBox
    assert kinds["Lost"] is QLabel and "Empty" in kinds
    assert table.save_btn.isHidden() and table.load_btn.isHidden()
    table.set_locked(True)
    assert not any(editor.isEnabled() for editor in table.editors)
    assert not table.groups_add_btn.isEnabled()
    table.set_locked(False)
    assert table.groups_add_btn.isEnabled()
    table.show_truth()
    # Made elsewhere, seen here.
    core.defineConfig("New", "a", "Camera", "Binning", "1")
    settle()
    assert table.table_wdg.findItems("New", Qt.MatchFlag.MatchExactly)
    core.deleteConfigGroup("New")
    settle()
    assert not table.table_wdg.findItems("New", Qt.MatchFlag.MatchExactly)


def test_the_channel_group_is_chosen(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    settle: Callable[[], None],
) -> None:
    box = ChannelGroupBox(table_core)
    qtbot.addWidget(box)
    assert box.currentText() == "Channel"
    _choose(box, "LightPath")
    settle()
    assert microscope.real_core.getChannelGroup() == "LightPath"
    _wheel(box)
    box.show_truth()
    assert box.currentText() == "LightPath"

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from pymmcore_widgets import PropertyWidget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel

from napari_scope.widgets.devices.properties_page import PropertiesPage
from napari_scope.widgets.devices.property_table import PropertyBox, PropertyTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

pytestmark = pytest.mark.gui


@pytest.fixture
def page(
    microscope: Microscope, table_core: TableCore, qtbot: QtBot
) -> Iterator[PropertiesPage]:
    made = PropertiesPage(microscope, table_core)
    qtbot.addWidget(made)
    made.resize(380, 500)
    made.show()
    made.rebuild()
    table = made.table
    assert table is not None and not table.complete  # the window is not held up
    qtbot.waitUntil(lambda: table.complete, timeout=20_000)
    yield made
    made.close_down()


def _editor(table: PropertyTable, device: str, name: str) -> PropertyWidget:
    (row,) = table.rows_of(device, name)
    editor = table.cellWidget(row, 1)
    assert isinstance(editor, PropertyWidget)
    return editor


def test_binning_is_a_choice_of_what_the_camera_allows(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    settle: Callable[[], None],
) -> None:
    box = PropertyBox("Camera", "Binning", table_core)
    qtbot.addWidget(box)
    combo = box.inner_widget
    assert isinstance(combo, QComboBox)
    assert [combo.itemText(i) for i in range(combo.count())] == ["1", "2", "4", "8"]
    box.show()
    combo.setFocus()
    with qtbot.assertNotEmitted(microscope.call_failed):
        qtbot.keyClick(combo, Qt.Key.Key_Down)
        qtbot.waitUntil(
            lambda: microscope.real_core.getProperty("Camera", "Binning") == "2",
            timeout=20_000,
        )
        settle()


def test_search_and_kinds_choose_the_rows(page: PropertiesPage, qtbot: QtBot) -> None:
    table = page.table
    assert table is not None and table.minimumWidth() < 300
    qtbot.keyClicks(page.search, "binn")
    (row,) = table.rows_of("Camera", "Binning")
    shown = [r for r in range(table.rowCount()) if not table.isRowHidden(r)]
    assert shown == [row]
    assert page.count.text() == f"1 of {table.rowCount()} properties"
    page.filters["Cameras"].setChecked(False)
    assert page.count.text().startswith("0 of")
    page.search.clear()
    for name in ("Shutters", "Stages", "Wheels and turrets", "Other devices"):
        page.filters[name].setChecked(False)
    assert page.count.text().startswith("0 of")
    state = page.state()
    page.restore({})
    assert page.filters["Cameras"].isChecked()
    page.restore(state)
    assert not page.filters["Cameras"].isChecked()
    page.filters["Cameras"].setChecked(True)
    (read_only,) = table.rows_of("Camera", "CameraName")
    assert not table.isRowHidden(read_only)
    page.filters["Read-only properties"].setChecked(False)
    assert table.isRowHidden(read_only)


def test_a_value_that_is_refused_shows_the_true_one_again(
    page: PropertiesPage,
    microscope: Microscope,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    settle: Callable[[], None],
) -> None:
    assert page.table is not None
    editor = _editor(page.table, "Camera", "Gain")

    def fail(*args: object) -> None:
        raise RuntimeError("no answer")

    # Unplugged: nothing can be set, nothing can be read.
    monkeypatch.setattr(microscope.real_core, "setProperty", fail)
    monkeypatch.setattr(microscope.real_core, "getProperty", fail)
    with qtbot.waitSignal(microscope.call_failed, timeout=5000) as caught:
        editor.setValue(5)
    assert caught.args is not None
    assert caught.args[0].device == "Camera" and caught.args[0].property == "Gain"
    settle()
    page.show_truth()
    assert editor.value() == 0


def test_locking_keeps_what_devices_never_let_change(page: PropertiesPage) -> None:
    table = page.table
    assert table is not None
    fixed = [
        row
        for row in range(table.rowCount())
        if isinstance(widget := table.cellWidget(row, 1), PropertyWidget)
        and widget._is_pre_init_and_initialized()
    ]
    assert fixed
    page.set_locked("a run goes on")
    assert not _editor(table, "Camera", "Gain").isEnabled()
    assert page.search.isEnabled() and table.isEnabled()
    page.set_locked("")
    assert _editor(table, "Camera", "Gain").isEnabled()
    for row in fixed:
        widget = table.cellWidget(row, 1)
        assert widget is not None and not widget.isEnabled()


def test_reading_from_the_devices_finds_what_nobody_told(
    page: PropertiesPage,
    microscope: Microscope,
    monkeypatch: pytest.MonkeyPatch,
    settle: Callable[[], None],
) -> None:
    core = microscope.real_core
    get = core.getProperty

    def odd(device: str, name: str) -> str:
        if (device, name) == ("Camera", "Offset"):
            raise RuntimeError("no answer")
        return "3" if (device, name) == ("Camera", "Gain") else str(get(device, name))

    monkeypatch.setattr(core, "getProperty", odd)
    page.read_button.click()
    assert not page.read_button.isEnabled()
    settle()
    table = page.table
    assert table is not None
    assert _editor(table, "Camera", "Gain").value() == 3
    (row,) = table.rows_of("Camera", "Offset")
    assert "no answer" in table.item(row, 0).toolTip()
    assert page.count.text().endswith("; 1 cannot be read")
    assert page.read_button.isEnabled()


def test_a_row_without_an_editor_leaves_the_others(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_only = table_core.isPropertyReadOnly

    def odd(device: str, name: str) -> bool:
        if (device, name) == ("Camera", "Offset"):
            raise RuntimeError("no answer")
        return bool(read_only(device, name))

    monkeypatch.setattr(table_core, "isPropertyReadOnly", odd, raising=False)
    table = PropertyTable(table_core)
    qtbot.addWidget(table)
    qtbot.waitUntil(lambda: table.complete, timeout=20_000)
    (row,) = table.rows_of("Camera", "Offset")
    assert isinstance(table.cellWidget(row, 1), QLabel)
    table.setPropertyWidgetsEnabled(False)
    table.setPropertyWidgetsEnabled(True)
    table.show_truth()
    assert _editor(table, "Camera", "Gain").isEnabled()


def test_icons_of_all_devices_are_shipped(
    no_network: None, table_core: TableCore, qtbot: QtBot
) -> None:
    from pymmcore_widgets._icons import _DEVICE_TYPE_MAP

    table = PropertyTable(table_core)
    qtbot.addWidget(table)
    assert not table.item(0, 0).icon().isNull()
    for kind in set(_DEVICE_TYPE_MAP.values()):
        assert not kind.icon().isNull()


def test_editors_are_made_a_few_at_a_time(
    table_core: TableCore, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from itertools import count

    from napari_scope.widgets.devices import property_table

    table = PropertyTable(table_core)
    qtbot.addWidget(table)
    seconds = count()
    with monkeypatch.context() as patched:
        clock = SimpleNamespace(perf_counter=lambda: 0.012 * next(seconds))
        patched.setattr(property_table, "time", clock)
        table._make_some()
    made = [table.cellWidget(row, 1) is not None for row in range(table.rowCount())]
    assert made == [True] + [False] * (table.rowCount() - 1) and not table.complete
    with qtbot.waitSignal(table.completed, timeout=20_000):
        pass
    assert table.complete and all(
        table.cellWidget(row, 1) is not None for row in range(table.rowCount())
    )

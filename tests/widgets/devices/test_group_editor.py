"""All groups and presets in a window: edited, undone, applied, refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import Qt

from napari_scope.widgets.devices.presets_page import PresetsPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.group_editor import GroupEditor
    from napari_scope.widgets.devices.table_core import TableCore

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_network")]


@pytest.fixture
def page(
    microscope: Microscope, table_core: TableCore, qtbot: QtBot
) -> Iterator[PresetsPage]:
    made = PresetsPage(microscope, table_core)
    qtbot.addWidget(made)
    made.show()
    made.rebuild()
    yield made
    made.close_down()
    made.close_down()


@pytest.fixture
def editor(page: PresetsPage) -> GroupEditor:
    assert page.edit_button is not None
    page.edit_button.click()
    assert page.editor is not None
    return page.editor


def test_edited_undone_and_applied(
    editor: GroupEditor,
    page: PresetsPage,
    microscope: Microscope,
    qtbot: QtBot,
) -> None:
    core = microscope.real_core
    before = editor.groups
    assert [g.name for g in before] == list(core.getAvailableConfigGroups())
    assert not editor.apply_button.isEnabled()
    tools = {a.text(): a for a in editor.editor._tb.actions() if a.text()}
    tools["Add Group"].trigger()
    editor.editor.setCurrentGroup("Channel")
    tools["Add Preset"].trigger()
    made = editor.groups
    assert len(made) == len(before) + 1 and editor.apply_button.isEnabled()
    with qtbot.waitActive(editor, timeout=20_000):
        editor.activateWindow()
    qtbot.keyClick(editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert editor.groups == before and not editor.apply_button.isEnabled()
    editor.editor.undoStack().redo()
    editor.editor.undoStack().redo()
    assert editor.groups == made
    assert len(core.getAvailableConfigGroups()) == len(before)  # not applied yet
    with qtbot.waitSignal(editor.applied, timeout=20_000):
        qtbot.mouseClick(editor.apply_button, Qt.MouseButton.LeftButton)
    assert len(core.getAvailableConfigGroups()) == len(made)
    assert "2 groups" in editor.words.text() and not editor.apply_button.isEnabled()
    table = page._table
    assert table is not None
    qtbot.waitUntil(lambda: len(table.editors) >= len(before), timeout=20_000)


def test_a_refusal_is_shown_and_nothing_is_lost(
    editor: GroupEditor,
    microscope: Microscope,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = microscope.real_core

    def refuse(name: str) -> None:
        raise RuntimeError(f"{name} is taken")

    monkeypatch.setattr(core, "defineConfigGroup", refuse)
    editor.editor._add_group()
    edited = editor.groups
    editor.apply()
    qtbot.waitUntil(lambda: editor.errors.error is not None, timeout=20_000)
    assert "is taken" in str(editor.errors.error)
    assert editor.groups == edited and editor.apply_button.isEnabled()


def test_locked_and_closed_with_the_devices(
    editor: GroupEditor, page: PresetsPage, qtbot: QtBot
) -> None:
    editor.editor._add_group()
    page.set_locked("A run goes on")
    assert not editor.apply_button.isEnabled()
    page.set_locked("")
    assert editor.apply_button.isEnabled()
    with qtbot.waitSignal(editor.destroyed, timeout=5000):
        page.discard()
    assert page.editor is None

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtWidgets import QDoubleSpinBox, QPushButton

from napari_scope.widgets.devices.pixel_page import PixelPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

pytestmark = pytest.mark.gui

_AFFINE = (0.0, -0.108334, 0.0, 0.108334, 0.0, 0.0)


@pytest.fixture
def page(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    settle: Callable[[], None],
) -> Iterator[PixelPage]:
    core = microscope.real_core
    core.setPixelSizeUm("Res10x", 0.108334)
    core.setPixelSizeAffine("Res10x", list(_AFFINE))
    made = PixelPage(microscope, table_core)
    qtbot.addWidget(made)
    made.show()
    made.rebuild()
    settle()
    yield made
    made.close_down()
    made.close_down()


def test_what_holds_now_is_shown_and_followed(
    page: PixelPage, microscope: Microscope, qtbot: QtBot
) -> None:
    assert page.lines["size"].text() == "0.108334 µm (Res10x)"
    assert page.lines["camera"].text() == "turned by 90°"
    assert page.lines["field"].text() == "55.467 × 55.467 µm"
    assert page.presets is not None and page.presets.topLevelItemCount() == 3
    assert page.presets.topLevelItem(0).font(0).bold()
    microscope.core.setConfig("Objective", "20X")
    qtbot.waitUntil(lambda: "0.5 µm" in page.lines["size"].text(), timeout=5000)
    assert "not calibrated" in page.lines["camera"].text()


def test_the_editor_keeps_all_digits_and_the_transform(
    page: PixelPage, microscope: Microscope, qtbot: QtBot
) -> None:
    assert page.edit_button is not None
    page.edit_button.click()
    editor = page.editor
    assert editor is not None and editor.isWindow()
    page.edit_button.click()
    assert page.editor is editor
    size = editor._px_table.table().cellWidget(0, 1)
    assert isinstance(size, QDoubleSpinBox) and size.value() == 0.108334
    # Who edits one number keeps all digits of the others.
    shift = editor._affine_table.cellWidget(0, 2)
    assert isinstance(shift, QDoubleSpinBox)
    shift.setValue(1.5)
    (apply,) = [
        b for b in editor.findChildren(QPushButton) if b.text() == "Apply and Close"
    ]
    with qtbot.waitSignal(editor.applied):
        apply.click()
    core = microscope.real_core
    assert core.getPixelSizeUmByID("Res10x") == 0.108334
    expected = (*_AFFINE[:2], 1.5, *_AFFINE[3:])
    assert tuple(core.getPixelSizeAffineByID("Res10x")) == pytest.approx(expected)
    qtbot.waitUntil(lambda: page.editor is None, timeout=5000)


def test_an_editor_of_devices_that_are_gone_is_closed(
    page: PixelPage, qtbot: QtBot
) -> None:
    assert page.edit_button is not None
    page.edit_button.click()
    editor = page.editor
    assert editor is not None
    page.set_locked("a run goes on")
    assert not editor.isEnabled() and not page.edit_button.isEnabled()
    page.set_locked("")
    with qtbot.waitSignal(editor.destroyed, timeout=5000):
        page.rebuild()
    assert page.editor is None

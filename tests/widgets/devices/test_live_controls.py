from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel, QToolButton, QWidget

from napari_scope.widgets.devices.live_controls import LiveControls

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture
def controls(qtbot: QtBot) -> LiveControls:
    made = LiveControls()
    qtbot.addWidget(made)
    made.resize(340, made.sizeHint().height())
    made.show()
    qtbot.waitExposed(made)
    return made


def test_the_exposure_has_no_zeros_and_is_told_once(controls: LiveControls) -> None:
    box, told = controls.exposure_box, []
    for value, text in ((10.0, "10"), (0.25, "0.25"), (12345.5, "12345.5")):
        box.setValue(value)
        assert box.text() == text
    box.valueChanged.connect(told.append)
    box.selectAll()
    QTest.keyClicks(box, "125")
    assert not told
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert told == [125.0]


def test_all_is_reached_by_keys_and_named(controls: LiveControls) -> None:
    controls.snap_button.setFocus()
    reached: list[QWidget | None] = []
    for _ in range(8):
        reached.append(controls.focusWidget())
        QTest.keyClick(controls.focusWidget(), Qt.Key.Key_Tab)
    assert reached == [
        controls.snap_button,
        controls.live_button,
        controls.contrast_button,
        controls.contrast_box,
        controls.exposure_box,
        controls.fit_button,
        controls.follow_button,
        controls.keep_button,
    ]
    for tool in controls.findChildren(QToolButton):
        if tool in reached:
            assert tool.accessibleName() and tool.toolTip()
    (label,) = (w for w in controls.findChildren(QLabel) if w.text() == "&Exposure, ms")
    assert label.buddy() is controls.exposure_box


def test_modes_and_what_stays_pressed(controls: LiveControls) -> None:
    box = controls.contrast_box
    modes = [box.itemData(n) for n in range(box.count())]
    assert modes == ["once", "always", "frozen"]
    assert controls.live_button.isCheckable() and controls.follow_button.isCheckable()
    assert not controls.snap_button.isCheckable()


def test_long_words_do_not_make_it_wider(controls: LiveControls) -> None:
    before = controls.minimumSizeHint().width()
    controls.rate_label.setText("30 frames a second " * 20)
    controls.range_label.setText("0 to 65535 " * 20)
    assert controls.minimumSizeHint().width() == before

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtWidgets import QHeaderView, QTreeWidgetItem

from napari_scope.widgets.devices.plain_list import PlainList

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


def test_columns_are_as_wide_as_their_texts(qtbot: QtBot) -> None:
    made = PlainList(("Device", "State"), "Devices")
    qtbot.addWidget(made)
    made.resize(400, 100)
    made.show()
    narrow = made.columnWidth(0)
    made.addTopLevelItem(QTreeWidgetItem(["A camera with a very long name", "x"]))
    qtbot.waitUntil(lambda: made.columnWidth(0) > narrow)
    head = made.headerItem()
    assert head is not None and (head.text(0), head.text(1)) == ("Device", "State")
    assert made.accessibleName() == "Devices" and not made.rootIsDecorated()
    assert not made.isSortingEnabled()
    header = made.header()
    assert header is not None and header.stretchLastSection()


def test_a_column_may_take_the_room_that_is_left(qtbot: QtBot) -> None:
    made = PlainList(("Preset", "Size", "Unit"), "Sizes", stretched=1)
    qtbot.addWidget(made)
    header = made.header()
    assert header is not None and not header.stretchLastSection()
    modes = [header.sectionResizeMode(n) for n in range(3)]
    fitted, stretched = (
        QHeaderView.ResizeMode.ResizeToContents,
        QHeaderView.ResizeMode.Stretch,
    )
    assert modes == [fitted, stretched, fitted]

"""The list of positions, as a user fills, orders, saves and loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from napari.components import ViewerModel
from qtpy.QtCore import QItemSelectionModel, Qt

from napari_scope.acquire.stage_watch import StagePlace
from napari_scope.errors import PlanError
from napari_scope.widgets.space.position_box import PositionBox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


@pytest.fixture
def box(qtbot: QtBot) -> Iterator[PositionBox]:
    made = PositionBox(ViewerModel())  # type: ignore[arg-type]
    qtbot.addWidget(made)
    yield made
    made.close_down()


def click(qtbot: QtBot, button: Any) -> None:
    assert button.isEnabled(), button.text()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def select(box: PositionBox, *rows: int) -> None:
    selection = box.table.selectionModel()
    assert selection is not None
    selection.clear()
    for row in rows:
        selection.select(
            box.model.index(row, 0),
            QItemSelectionModel.SelectionFlag.Select
            | QItemSelectionModel.SelectionFlag.Rows,
        )


def names(box: PositionBox) -> str:
    return "".join(str(p.name) for p in box.positions)


def fill(box: PositionBox, letters: str = "abcd") -> None:
    box.model.add(
        useq.AbsolutePosition(x=float(n), y=0.0, name=name)
        for n, name in enumerate(letters)
    )


def test_from_the_stage(box: PositionBox, qtbot: QtBot) -> None:
    assert not box.add_button.isEnabled()
    box.set_place(StagePlace(1.23456, 2.0, 3.0))
    click(qtbot, box.add_button)
    box.set_place(StagePlace(5.0, 6.0, 7.0))
    box.with_z.setChecked(False)
    click(qtbot, box.add_button)
    found = [(p.name, p.x, p.y, p.z) for p in box.positions]
    assert found == [("Pos0", 1.235, 2, 3), ("Pos1", 5, 6, None)]
    assert box.count.text() == "2 positions"
    box.with_z.setChecked(True)
    select(box, 0)
    click(qtbot, box.update_button)
    assert (box.positions[0].x, box.positions[0].z) == (5, 7)
    assert box.positions[0].name == "Pos0"


def test_from_points(box: PositionBox, qtbot: QtBot) -> None:
    viewer = box._viewer
    viewer.add_image(np.zeros((2, 2)))
    click(qtbot, box.points_button)  # there are none: a notice
    assert box.positions == ()
    viewer.add_points([[10, 20], [30, 40]], name="cells")
    viewer.add_points([[1, 2]], name="beads")  # is selected now
    click(qtbot, box.points_button)
    assert [(p.name, p.x, p.y) for p in box.positions] == [("beads 0", 2, 1)]
    viewer.layers.selection.clear()
    click(qtbot, box.points_button)
    assert len(box.positions) == 4


def test_ordered_and_removed(box: PositionBox, qtbot: QtBot) -> None:
    fill(box)
    select(box, 1, 2)
    click(qtbot, box.down_button)
    assert names(box) == "adbc"
    assert box._rows() == [2, 3]
    click(qtbot, box.down_button)
    assert names(box) == "adbc"
    click(qtbot, box.up_button)
    click(qtbot, box.up_button)
    click(qtbot, box.up_button)
    assert names(box) == "bcad"
    click(qtbot, box.remove_button)
    assert names(box) == "ad"
    qtbot.keyClick(box, Qt.Key.Key_Delete)
    qtbot.keyClick(box, Qt.Key.Key_Delete)
    qtbot.keyClick(box, Qt.Key.Key_Delete)
    assert box.positions == ()
    assert not box.save_button.isEnabled()


def test_typed_over(box: PositionBox) -> None:
    fill(box, "a")
    model = box.model
    assert model.setData(model.index(0, 1), "4,5")
    assert model.setData(model.index(0, 3), "7")
    assert model.setData(model.index(0, 0), "corner")
    for text in ("much", "nan", ""):
        assert not model.setData(model.index(0, 2), text)
    (place,) = box.positions
    assert (place.name, place.x, place.y, place.z) == ("corner", 4.5, 0, 7)
    assert model.setData(model.index(0, 3), "")
    assert box.positions[0].z is None
    assert model.data(model.index(0, 3)) == ""


def test_go_and_offer(box: PositionBox, qtbot: QtBot) -> None:
    fill(box)
    assert not box.go_button.isEnabled()
    select(box, 2)
    with qtbot.waitSignal(box.go_requested) as told:
        click(qtbot, box.go_button)
    assert told.args[0].name == "c"
    rows = box.table.verticalHeader()
    assert rows is not None
    with qtbot.waitSignal(box.go_requested) as told:
        rows.sectionDoubleClicked.emit(0)
    assert told.args[0].name == "a"
    with qtbot.waitSignal(box.offered) as told:
        click(qtbot, box.offer_button)
    assert told.args[0] == box.positions


@pytest.mark.parametrize("suffix", [".pos", ".csv", ".yaml"])
def test_saved_and_loaded(
    box: PositionBox, qtbot: QtBot, tmp_path: Path, suffix: str
) -> None:
    fill(box)
    before = [(p.name, p.x, p.y, p.z) for p in box.positions]
    box.set_devices("XY", "Z")
    path = tmp_path / f"list{suffix}"
    box.save(path)
    qtbot.waitUntil(lambda: not box.busy)
    if suffix == ".pos":
        assert '"XY"' in path.read_text()
    box.model.set_positions([])
    box.load(path)
    qtbot.waitUntil(lambda: len(box.positions) == 4)
    assert [(p.name, p.x, p.y, p.z) for p in box.positions] == before


def test_what_cannot_be_read_is_said_and_the_list_stays(
    box: PositionBox, qtbot: QtBot, tmp_path: Path
) -> None:
    fill(box)
    (tmp_path / "a.pos").write_text("{")
    for act in (
        lambda: box.load(tmp_path / "a.pos"),
        lambda: box.save(tmp_path / "none" / "b.csv"),
        lambda: box.load(tmp_path / "none.csv"),
    ):
        with qtbot.waitSignal(box.failed) as told:
            act()
        assert isinstance(told.args[0], PlanError | OSError)
    assert names(box) == "abcd"


def test_the_state_comes_back(box: PositionBox) -> None:
    import json

    fill(box)
    box.model.update(0, z=3.0)
    box.with_z.setChecked(False)
    state = json.loads(json.dumps(box.state()))
    box.model.set_positions([])
    box.with_z.setChecked(True)
    box.restore(state)
    assert names(box) == "abcd"
    assert box.positions[0].z == 3
    assert not box.with_z.isChecked()
    fill(box, "x" * 3000)
    assert box.state()["positions"] == []  # a list so long belongs into a file

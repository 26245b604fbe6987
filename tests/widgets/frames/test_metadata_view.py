from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_scope.widgets.frames.metadata_view import MetadataView, flattened

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

METADATA: dict[str, object] = {
    "Exposure": 10.5,
    "Camera": {"Gain": 2, "Name": "Zyla é", "ROI": [0, 0, 512, 512]},
    "Comment": "two\nlines",
    "Nothing": None,
    "On": True,
    "Positions": [{"x": 1}, {"x": 2}],
}


def test_nested_values_get_dotted_names() -> None:
    assert flattened(METADATA) == [
        ("Exposure", "10.5"),
        ("Camera.Gain", "2"),
        ("Camera.Name", "Zyla é"),
        ("Camera.ROI", "[0, 0, 512, 512]"),
        ("Comment", "two\nlines"),
        ("Nothing", ""),
        ("On", "true"),
        ("Positions.0.x", "1"),
        ("Positions.1.x", "2"),
    ]
    assert flattened({}) == []
    assert flattened({"a": {}, "b": []}) == [("a", "{}"), ("b", "[]")]


def test_whatever_a_file_holds_is_bounded() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = {"a": deep}
    ((name, value),) = flattened(deep)
    assert value == "1" and len(name) == 2 * 5000 - 1
    lists: Any = []
    for _ in range(100_000):
        lists = [lists]
    assert flattened({"x": lists}) == [("x", "(nested too deeply to be shown)")]
    assert flattened({"x": float("nan"), "y": {1}}) == [("x", "NaN"), ("y", '"{1}"')]
    many = flattened({str(i): i for i in range(50)}, most=10)
    assert len(many) == 11 and many[-1] == ("…", "more than 10 values")


pytestmark = pytest.mark.gui


@pytest.fixture
def view(qtbot: QtBot) -> MetadataView:
    made = MetadataView()
    qtbot.addWidget(made)
    made.show()
    made.set_metadata(METADATA)
    return made


def clipboard() -> str:
    found = QApplication.clipboard()
    assert found is not None
    return found.text()


def names(view: MetadataView) -> list[str]:
    return [name for name, _ in view.rows]


def select(view: MetadataView, *wanted: str) -> None:
    view.table.clearSelection()
    mode = view.table.SelectionMode.MultiSelection
    view.table.setSelectionMode(mode)
    for name in wanted:
        view.table.selectRow(names(view).index(name))


def test_rows_are_sorted_and_filtered(view: MetadataView, qtbot: QtBot) -> None:
    assert names(view) == sorted(names(view), key=str.lower)
    view.table.setFocus()
    qtbot.keyClick(view.table, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(view.filter_edit, "zYLA")
    assert view.rows == [("Camera.Name", "Zyla é")]
    assert view.count_label.text() == "1 of 9"
    view.filter_edit.setText("camera.")
    assert len(view.rows) == 3
    # The filter holds for what comes next.
    view.set_metadata({"Camera": {"Gain": 5}, "Other": 1})
    assert view.rows == [("Camera.Gain", "5")]
    view.filter_edit.setText("[")  # no pattern, just a sign
    assert view.rows == []


def test_rows_are_copied(view: MetadataView, qtbot: QtBot) -> None:
    select(view, "Camera.Gain", "Exposure")
    view.copy_rows()
    assert clipboard() == "Camera.Gain\t2\nExposure\t10.5"
    view.copy_values()
    assert clipboard() == "2\n10.5"
    view.copy_names()
    assert clipboard() == "Camera.Gain\nExposure"
    view.filter_edit.setText("gain")
    view.copy_button.click()
    assert json.loads(clipboard()) == METADATA
    assert "Zyla é" in clipboard()
    titles = [action.text() for action in view.table.actions()]
    assert titles == [
        "Copy value", "Copy name", "Copy name and value", "Copy everything as JSON",
    ]  # fmt: skip


def test_a_long_value_is_copied_whole(view: MetadataView) -> None:
    view.set_metadata({"long": "x" * 10_000})
    model = view.table.model()
    assert model is not None
    assert len(model.data(model.index(0, 1), Qt.ItemDataRole.DisplayRole)) == 500
    select(view, "long")
    view.copy_values()
    assert clipboard() == "x" * 10_000


def test_selection_stays_from_frame_to_frame(view: MetadataView) -> None:
    select(view, "Exposure")
    view.set_metadata({**METADATA, "Exposure": 20})
    view.copy_rows()
    assert clipboard() == "Exposure\t20"
    view.set_metadata({"Other": 1})
    assert view.rows == [("Other", "1")]


def test_without_metadata_it_says_why(view: MetadataView) -> None:
    view.set_metadata(None, "This frame was not saved.")
    assert view.empty_label.isVisible() and not view.table.isVisible()
    assert view.empty_label.text() == "This frame was not saved."
    assert view.rows == [] and view.metadata == {}
    assert not view.copy_button.isEnabled()
    view.set_metadata(METADATA)
    assert view.table.isVisible() and view.copy_button.isEnabled()

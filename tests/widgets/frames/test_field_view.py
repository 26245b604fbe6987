from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtWidgets import QApplication, QLineEdit

from napari_scope.widgets.frames.field_model import (
    CHANGED,
    PATH,
    FieldModel,
    find_value,
)
from napari_scope.widgets.frames.field_view import PINNED, FieldView

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui

DOCUMENT: dict[str, Any] = {
    "Frame": {"exposure_ms": 5.0, "z_um": 1, "note": "two\nlines"},
    "Properties": {
        "Camera": {"Gain": "2", "Bits": 12, "ROI": [0, 0, 4, 4], "On": True}
    },
    "More": {"curve": list(range(1000)), "a.b": {"c": 3}},
}


@pytest.fixture
def view(qtbot: QtBot) -> FieldView:
    made = FieldView()
    qtbot.addWidget(made)
    made.resize(400, 600)
    made.show()
    made.set_document(DOCUMENT)
    return made


def clipboard() -> str:
    found = QApplication.clipboard()
    assert found is not None
    return found.text()


def index_of(view: FieldView, path: str) -> QModelIndex:
    """Return the row of a field, unfolding what is above it."""
    stack = [QModelIndex()]
    while stack:
        parent = stack.pop()
        while view.model.canFetchMore(parent):
            view.model.fetchMore(parent)
        for row in range(view.model.rowCount(parent)):
            index = view.model.index(row, 0, parent)
            if index.data(PATH) == path:
                return index
            if path.startswith(f"{index.data(PATH)}."):
                stack.append(index)
    raise AssertionError(f"{path} is not shown")


def value(view: FieldView, path: str) -> str:
    return str(index_of(view, path).siblingAtColumn(1).data())


def select(view: FieldView, *paths: str) -> None:
    view.tree.clearSelection()
    selection = view.tree.selectionModel()
    assert selection is not None
    for path in paths:
        flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
        selection.select(index_of(view, path), flags)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=12)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=25,
)
DOCUMENTS = st.dictionaries(st.text(max_size=4), JSON, max_size=4)


@given(DOCUMENTS, DOCUMENTS)
def test_any_two_documents_can_follow_one_another(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    model = FieldModel()
    for document, before in ((first, None), (second, first), (second, second)):
        model.set_document(document, before)
        assert {**model.document} == document
        assert _read(model, QModelIndex()) == list(_walk(document))


def _walk(found: Any) -> Any:
    parts = found.items() if isinstance(found, dict) else enumerate(found)
    for name, part in parts:
        yield str(name)
        nested = isinstance(part, list) and any(
            isinstance(item, dict | list) for item in part
        )
        long = isinstance(part, list) and (len(part) > 8 or nested)
        if (isinstance(part, dict) and part) or long:
            yield from _walk(part)


def _read(model: FieldModel, parent: QModelIndex) -> list[str]:
    while model.canFetchMore(parent):
        model.fetchMore(parent)
    found = []
    for row in range(model.rowCount(parent)):
        index = model.index(row, 0, parent)
        assert model.parent(index) == parent
        found += [str(index.data()), *_read(model, index)]
        index.siblingAtColumn(1).data(int(Qt.ItemDataRole.ToolTipRole))
    return found


def test_values_have_units_and_sections_are_unfolded(view: FieldView) -> None:
    assert value(view, "Frame.exposure_ms") == "5 ms"
    assert value(view, "Frame.note") == "two lines"
    assert view.tree.isExpanded(index_of(view, "Frame"))
    assert not view.tree.isExpanded(index_of(view, "Properties.Camera"))
    assert value(view, "Properties.Camera") == "4 values"
    assert value(view, "Properties.Camera.ROI") == "[0, 0, 4, 4]"
    assert value(view, "More.a.b") == "c: 3"


def test_a_long_list_is_taken_a_page_at_a_time(view: FieldView) -> None:
    more = view.model.index(2, 0)
    curve = view.model.index(0, 0, more)
    assert curve.data() == "curve" and view.model.rowCount(curve) == 0
    view.tree.expand(curve)
    view.model.fetchMore(curve)
    assert 0 < view.model.rowCount(curve) < 1000
    assert value(view, "More.curve.999") == "999"


def test_typing_finds_names_and_values(view: FieldView, qtbot: QtBot) -> None:
    qtbot.keyClicks(view.filter_edit, "gain")
    qtbot.waitUntil(lambda: view.model.rowCount() == 1)
    assert view.model.index(0, 0).data() == "Properties.Camera.Gain"
    assert view.count_label.text().startswith("1 of ")
    view.filter_edit.setText("LINES")
    qtbot.waitUntil(lambda: view.model.index(0, 0).data() == "Frame.note")
    view.filter_edit.clear()
    qtbot.waitUntil(lambda: view.model.rowCount() == 3)


def test_pins_stay_on_top_whatever_comes(view: FieldView, qtbot: QtBot) -> None:
    select(view, "Frame.z_um", "Properties.Camera.Gain")
    qtbot.mouseClick(view.pin_button, Qt.MouseButton.LeftButton)
    assert view.pins == ("Frame.z_um", "Properties.Camera.Gain")
    assert view.model.index(0, 0).data() == PINNED
    assert value(view, f"{PINNED}.Frame.z_um") == "1 µm"
    view.set_document({"Frame": {"z_um": 7}})
    assert value(view, f"{PINNED}.Frame.z_um") == "7 µm"
    assert value(view, f"{PINNED}.Properties.Camera.Gain") == ""
    select(view, f"{PINNED}.Frame.z_um")
    qtbot.mouseClick(view.pin_button, Qt.MouseButton.LeftButton)
    assert view.pins == ("Properties.Camera.Gain",)
    assert find_value(DOCUMENT, "More.a.b.c", None) == 3


def test_what_differs_is_marked_and_what_is_open_stays(view: FieldView) -> None:
    view.tree.expand(index_of(view, "Properties.Camera"))
    select(view, "Frame.note")
    later = copy.deepcopy(DOCUMENT)
    later["Frame"]["z_um"] = 2
    later["Properties"]["Camera"]["Gain"] = "3"
    view.set_document(later, before=DOCUMENT)
    marked = {
        path: index_of(view, path).data(CHANGED)
        for path in (
            "Frame",
            "Frame.z_um",
            "Frame.exposure_ms",
            "Properties.Camera",
            "Properties.Camera.Gain",
        )
    }
    assert [bool(v) for v in marked.values()] == [False, True, False, True, True]
    assert view.tree.isExpanded(index_of(view, "Properties.Camera"))
    view.copy_values()
    assert clipboard() == "two\nlines"
    view.set_marks(False)
    assert not index_of(view, "Frame.z_um").data(CHANGED)
    # Another build: what was unfolded is unfolded again.
    later["Frame"]["new"] = 1
    view.set_document(later, before=DOCUMENT)
    assert view.tree.isExpanded(index_of(view, "Properties.Camera"))


def test_fields_are_copied_as_text_and_json(view: FieldView) -> None:
    select(view, "Frame.z_um", "Properties.Camera.ROI")
    view.tree.setFocus()
    view.copy_rows()
    assert clipboard() == "Frame.z_um\t1\nProperties.Camera.ROI\t[0, 0, 4, 4]"
    view.copy_selection()
    assert json.loads(clipboard()) == {
        "Frame.z_um": 1,
        "Properties.Camera.ROI": [0, 0, 4, 4],
    }
    view.copy_all()
    assert json.loads(clipboard()) == DOCUMENT


def test_a_value_opens_to_select_its_text_and_is_not_changed(
    view: FieldView, qtbot: QtBot
) -> None:
    index = index_of(view, "Frame.note").siblingAtColumn(1)
    view.tree.edit(index)
    editor = view.tree.findChild(QLineEdit)
    assert editor is not None and editor.isReadOnly()
    qtbot.keyClicks(editor, "x")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert view.document == DOCUMENT


def test_nothing_is_a_sentence(view: FieldView) -> None:
    view.set_document({}, "There is nothing here.")
    assert view.empty_label.isVisible() and not view.tree.isVisible()
    assert not view.copy_button.isEnabled()


def test_what_the_user_folded_stays_folded(view: FieldView) -> None:
    view.tree.expand(index_of(view, "Properties"))
    view.tree.collapse(index_of(view, "Properties"))
    view.set_document({**DOCUMENT, "Frame": {"z_um": 2}})
    assert not view.tree.isExpanded(index_of(view, "Properties"))
    assert view.tree.isExpanded(index_of(view, "Frame"))

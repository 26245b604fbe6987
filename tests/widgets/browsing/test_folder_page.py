"""The list of a folder, driven as a user does: seen, sorted, filtered, opened."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from tests.formats.ngff.ngff_stores import pixels, write_image
from tests.stream.streams import frame_of, make_sink, make_spec

from napari_scope.formats.folder_listing import FoundDataSet
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.layers.overview import Overview
from napari_scope.layers.overview_cache import OverviewCache
from napari_scope.stream import Stream
from napari_scope.stream.run_state import StoredRun
from napari_scope.widgets.browsing import folder_rows
from napari_scope.widgets.browsing.folder_model import PLACES_MIME
from napari_scope.widgets.browsing.folder_page import FolderPage
from napari_scope.widgets.browsing.folder_rows import FolderRow, Looked, arranged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


@pytest.fixture(autouse=True)
def preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SCOPE_CONFIG_DIR", str(tmp_path / "preferences"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write_image(folder / "cells.zarr", "cyx", pixels((2, 12, 16)))
    for number in (2, 10):
        with NDTiffWriter(folder / f"run_{number}") as writer:
            writer.put({"time": 0}, np.arange(64, dtype="u2").reshape(8, 8))
    (folder / "broken.zarr").mkdir()
    (folder / "broken.zarr" / "zarr.json").write_text('{"attributes": {"ome": {"plate"')
    return folder


@pytest.fixture
def page(qtbot: QtBot, tmp_path: Path) -> Iterator[FolderPage]:
    page = FolderPage(OverviewCache(tmp_path / "cache"))
    qtbot.addWidget(page)
    page.resize(420, 600)
    page.show()
    yield page
    page.close_down()


def names(page: FolderPage) -> list[str]:
    return [row.found.name for row in page.model.rows]


def state_of(page: FolderPage, name: str) -> str:
    return next((r.state for r in page.model.rows if r.found.name == name), "")


def shown(page: FolderPage, folder: Path, qtbot: QtBot, count: int = 4) -> None:
    page.show_folder(str(folder))
    qtbot.waitUntil(lambda: page.model.count == count)
    qtbot.waitUntil(lambda: all(row.looked for row in page.model.rows), timeout=20_000)


def test_a_folder_is_typed_and_read(
    page: FolderPage, folder: Path, qtbot: QtBot
) -> None:
    assert "drop one here" in page.count_label.text()
    edit: Any = page.place_field.box.lineEdit()
    qtbot.keyClicks(edit, str(folder))
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page.count_label.text() == "4 data sets")
    qtbot.waitUntil(lambda: state_of(page, "broken.zarr") == "damaged")
    row = next(r for r in page.model.rows if r.found.name == "broken.zarr")
    assert "damaged" in row.text("shape") or "JSON" in row.text("shape")
    qtbot.waitUntil(lambda: state_of(page, "run_2") == "finished")
    row = next(r for r in page.model.rows if r.found.name == "run_2")
    assert row.picture is not None and row.text("size") == "128 bytes"


def test_it_is_sorted_filtered_and_selected(
    page: FolderPage, folder: Path, qtbot: QtBot
) -> None:
    shown(page, folder, qtbot)
    page.sort_box.setCurrentIndex(page.sort_box.findData("name"))
    page.sort_box.activated.emit(page.sort_box.currentIndex())
    page.descending_button.setChecked(True)
    page.descending_button.click()
    assert names(page) == ["broken.zarr", "cells.zarr", "run_2", "run_10"]
    page.view.icon_view.setCurrentIndex(page.model.index(3, 0))
    assert [row.found.name for row in page.selected()] == ["run_10"]
    qtbot.keyClicks(page.filter_edit, "ndtiff")
    assert names(page) == ["run_2", "run_10"]
    # What is selected stays so wherever it goes, and in the other view.
    assert [row.found.name for row in page.selected()] == ["run_10"]
    page.list_button.click()
    assert page.view.mode == "list" and not page.sort_box.isVisible()
    assert [row.found.name for row in page.selected()] == ["run_10"]
    header: Any = page.view.list_view.header()
    header.setSortIndicator(0, Qt.SortOrder.DescendingOrder)
    assert names(page) == ["run_10", "run_2"]
    page.filter_edit.clear()
    page.state_box.setCurrentIndex(page.state_box.findData("damaged"))
    assert names(page) == ["broken.zarr"]
    assert page.count_label.text().startswith("1 of 4")


def test_what_is_wanted_is_told(page: FolderPage, folder: Path, qtbot: QtBot) -> None:
    shown(page, folder, qtbot)
    page.model.set_order("name", descending=False)
    view = page.view.icon_view
    view.setCurrentIndex(page.model.index(2, 0))
    selection: Any = view.selectionModel()
    selection.select(page.model.index(3, 0), selection.SelectionFlag.Select)
    places = [str(folder / "run_2"), str(folder / "run_10")]
    with qtbot.waitSignal(page.open_wanted) as opened:
        page.open_button.click()
    assert opened.args == [places, None]
    with qtbot.waitSignal(page.open_wanted) as opened:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert opened.args == [places, None]
    clipboard: Any = QApplication.clipboard()
    page.copy_action.trigger()
    assert clipboard.text() == "\n".join(places)
    page.info_action.trigger()
    assert (
        "Format: NDTiff" in clipboard.text() and "State: finished" in clipboard.text()
    )
    texts = [action.text() for action in page.menu().actions()]
    assert "&Convert to" in texts and "&Validate" not in texts  # not of NDTiff
    mime = page.model.mimeData(selection.selectedIndexes())
    dragged = [url.toLocalFile() for url in mime.urls()]
    assert sorted(dragged) == sorted(places) and mime.hasFormat(PLACES_MIME)


def test_it_follows_the_folder(page: FolderPage, folder: Path, qtbot: QtBot) -> None:
    shown(page, folder, qtbot)
    shutil.rmtree(folder / "run_2")
    path = folder / "live"
    with Stream(make_spec({"time": 9}), [make_sink("ndtiff", path)]) as stream:
        stream.append(frame_of(0))
        stream.flush()
        page.head.again_action.trigger()
        qtbot.waitUntil(
            lambda: state_of(page, "live") == "being written", timeout=20_000
        )
        assert "run_2" not in names(page)
    qtbot.waitUntil(lambda: state_of(page, "live") == "finished", timeout=20_000)


def test_a_writer_that_is_killed_leaves_no_trace_but_is_noticed(
    page: FolderPage, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = [StoredRun.WRITTEN]
    monkeypatch.setattr(folder_rows, "run_state", lambda _: state[0])
    shown(page, folder, qtbot)
    assert state_of(page, "run_2") == "being written"
    state[0] = StoredRun.INTERRUPTED
    page.head.again_action.trigger()
    qtbot.waitUntil(lambda: state_of(page, "run_2") == "interrupted", timeout=20_000)


def test_the_state_comes_back(page: FolderPage, folder: Path, qtbot: QtBot) -> None:
    shown(page, folder, qtbot)
    page.set_mode("list")
    page.model.set_order("size", descending=True)
    page.filter_edit.setText("run")
    state = page.state()
    page.filter_edit.clear()
    page.set_mode("icons")
    page.restore({"mode": 7, "sort": "colour", "folder": None, "state": []})
    assert page.view.mode == "icons"
    page.restore(state)
    assert page.state() == state and page.view.mode == "list"
    qtbot.waitUntil(lambda: len(names(page)) == 2)


def test_a_folder_that_is_not_there(
    page: FolderPage, tmp_path: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(page.failed):
        page.show_folder(str(tmp_path / "nowhere"))
    assert "cannot be read" in page.count_label.text()
    page.show_folder(str(tmp_path))
    qtbot.waitUntil(lambda: page.count_label.text() == "No data set in this folder.")


def rows() -> list[FolderRow]:
    made = []
    for name, nbytes, when in (("run_10", 5, 1.0), ("run_2", 9, 3.0), ("A", 1, 2.0)):
        overview = Overview(
            "NDTiff 3.3", shape="y 4", channels=("DAPI",), nbytes=nbytes
        )
        found = FoundDataSet(f"/d/{name}", name, "ndtiff", when, ())
        made.append(FolderRow(found, Looked(overview, None, "finished")))
    made.append(FolderRow(FoundDataSet("/d/b", "b", "ome-zarr", 4.0, ())))
    return made


@pytest.mark.parametrize(
    ("by", "descending", "expected"),
    [
        ("name", False, ["A", "b", "run_2", "run_10"]),
        ("name", True, ["run_10", "run_2", "b", "A"]),
        ("size", True, ["run_2", "run_10", "A", "b"]),
        ("date", False, ["run_10", "A", "run_2", "b"]),
        ("state", False, ["A", "run_2", "run_10", "b"]),
    ],
)
def test_the_order(by: Any, descending: bool, expected: list[str]) -> None:
    found = arranged(rows(), by, descending=descending)
    assert [row.found.name for row in found] == expected


def test_the_filter() -> None:
    def found(text: str, state: Any = "") -> list[str]:
        return [r.found.name for r in arranged(rows(), "name", text=text, state=state)]

    assert found("dapi RUN") == ["run_2", "run_10"]
    assert found("", "finished") == ["A", "run_2", "run_10"]
    assert found("nothing") == []

"""The tab "Contents": what it shows, that it never waits, and what it opens."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QItemSelectionModel, Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QApplication, QFileDialog
from tests.formats.ngff.ngff_stores import (
    pixels,
    set_attributes,
    write_image,
    write_plate,
)

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.plate.pixels import PlatePixels
from napari_scope.formats.ngff.store import Store
from napari_scope.formats.tree_node import Node
from napari_scope.layers.preferences import CONFIG_VARIABLE
from napari_scope.widgets.browsing import recent_places
from napari_scope.widgets.browsing.browse_tree import BrowseTree
from napari_scope.widgets.browsing.place_field import cleaned
from napari_scope.widgets.browsing.well_status import WellStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot
    from qtpy.QtCore import QModelIndex

    from napari_scope.widgets.browsing.browse_dock import BrowseDock

pytestmark = pytest.mark.gui

OPENED = 20_000


@pytest.fixture(autouse=True)
def preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "preferences"))


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        # Those that read the tiles of plates wait for more.
        if thread.name.startswith(("napari-scope tree", "napari-scope open")):
            thread.join(10)
            assert not thread.is_alive(), thread.name


@pytest.fixture
def tree(qtbot: QtBot) -> Iterator[BrowseTree]:
    made = BrowseTree()
    qtbot.addWidget(made)
    made.resize(500, 600)
    made.show()
    yield made
    made.shut_down()


@pytest.fixture
def viewer(shown_viewer: napari.Viewer) -> napari.Viewer:
    return shown_viewer


@pytest.fixture
def dock(browse_dock: BrowseDock) -> BrowseDock:
    return browse_dock


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    path = tmp_path / "p.zarr"
    write_plate(path, {"A/1": ["0", "1"], "A/2": ["0"], "B/1": ["0"]})
    return path


def shown(tree: BrowseTree, place: object, qtbot: QtBot) -> None:
    tree.show_place(str(place))
    qtbot.waitUntil(lambda: tree.root is not None, timeout=OPENED)


def find(tree: BrowseTree, qtbot: QtBot, *names: str) -> QModelIndex:
    """Return the index below the root that has these names; unfolds the way."""
    index = tree.filtered.index(0, 0)
    for name in names:
        tree.view.expand(index)
        qtbot.waitUntil(lambda i=index: tree.filtered.rowCount(i) > 0)  # type: ignore[misc]
        rows = range(tree.filtered.rowCount(index))
        found = {tree.filtered.index(n, 0, index).data(): n for n in rows}
        index = tree.filtered.index(found[name], 0, index)
    return index


def select(tree: BrowseTree, *indexes: QModelIndex) -> None:
    model = tree.view.selectionModel()
    assert model is not None
    flag = QItemSelectionModel.SelectionFlag
    for number, index in enumerate(indexes):
        how = flag.Select | flag.Rows | (flag.Clear if number == 0 else flag.NoUpdate)
        model.setCurrentIndex(index, flag.NoUpdate)
        model.select(index, how)


def rows_of(tree: BrowseTree, index: QModelIndex) -> list[str]:
    model = tree.filtered
    return [model.index(n, 0, index).data() for n in range(model.rowCount(index))]


def test_nothing_at_first(tree: BrowseTree) -> None:
    assert tree.root is None and tree.selected() == []
    assert not tree.open_button.isEnabled()
    assert "Type or choose" in tree.facts_label.text()
    tree.open_selected()
    tree.read_again()
    tree.show_place("  ")


def test_a_plate_unfolds_bit_by_bit(
    tree: BrowseTree, plate: Path, qtbot: QtBot
) -> None:
    shown(tree, plate, qtbot)
    top = tree.filtered.index(0, 0)
    assert top.data() == "plate of tests" and rows_of(tree, top) == ["A", "B"]
    assert top.siblingAtColumn(1).data() == "2 × 2, 3 wells"
    well = find(tree, qtbot, "A", "A1")
    qtbot.waitUntil(lambda: well.siblingAtColumn(1).data() == "2 fields")
    field = find(tree, qtbot, "A", "A1", "field 1")
    qtbot.waitUntil(lambda: field.siblingAtColumn(1).data() == "c 2 × y 6 × x 8")
    assert [field.siblingAtColumn(n).data() for n in (2, 3, 4)] == [
        "192 bytes",
        "uint16",
        "Channel 0, Channel 1",
    ]
    level = find(tree, qtbot, "A", "A1", "field 1", "level 0")
    qtbot.waitUntil(lambda: "zstd" in level.siblingAtColumn(4).data())
    select(tree, level)
    assert "2 × 6 × 8" in tree.facts_label.text()
    assert "A/1/1/0" in str(level.data(Qt.ItemDataRole.ToolTipRole))


def test_a_store_that_hangs_stops_nothing(
    tree: BrowseTree, plate: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, asked = threading.Event(), threading.Event()
    real = Store.attributes

    def hang(self: Store, path: str = "") -> Any:
        if path == "A/1":
            asked.set()
            release.wait(30)
        return real(self, path)

    monkeypatch.setattr(Store, "attributes", hang)
    shown(tree, plate, qtbot)
    tree.view.expand(find(tree, qtbot, "A", "A1"))
    qtbot.waitUntil(asked.is_set)
    # The window goes on: another well is read and shown meanwhile.
    other = find(tree, qtbot, "A", "A2")
    tree.view.expand(other)
    qtbot.waitUntil(lambda: rows_of(tree, other) == ["field 0"])
    assert not release.is_set() and tree.model.loader.busy
    # So does another store, and what comes late is not shown in it.
    write_image(plate.parent / "i.zarr", "yx", pixels((4, 4)))
    shown(tree, plate.parent / "i.zarr", qtbot)
    release.set()
    qtbot.waitUntil(lambda: not tree.model.loader.busy)
    assert tree.root is not None and tree.root.kind == "image"


def test_what_nobody_foresaw_is_shown_once(tree: BrowseTree, qtbot: QtBot) -> None:
    calls: list[int] = []

    def fail(node: Node) -> Node:
        calls.append(1)
        raise ZeroDivisionError("no such thing")

    child = Node("image", "odd", describe=fail)
    tree.show_root(Node("collection", "c", known=(child,), place="/c"))
    index = tree.filtered.index(0, 0, tree.filtered.index(0, 0))
    qtbot.waitUntil(lambda: not tree.model.loader.busy and bool(calls))
    assert "ZeroDivisionError" in str(index.data(Qt.ItemDataRole.ToolTipRole))
    assert rows_of(tree, index) == []
    qtbot.wait(100)
    assert len(calls) == 1


def test_a_place_that_cannot_be_read(
    tree: BrowseTree, tmp_path: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(tree.failed) as told:
        tree.show_place(str(tmp_path / "nowhere"))
    assert isinstance(told.args[0], FormatError)
    assert tree.root is None and recent_places.load_places() == []


def test_the_filter(tree: BrowseTree, plate: Path, qtbot: QtBot) -> None:
    shown(tree, plate, qtbot)
    top = tree.filtered.index(0, 0)
    tree.filter_edit.setText("A/02")
    assert rows_of(tree, top) == ["A"]
    assert rows_of(tree, tree.filtered.index(0, 0, top)) == ["A2"]
    assert tree.view.isExpanded(top)
    tree.filter_edit.setText("b1")
    assert rows_of(tree, top) == ["B"]
    tree.filter_edit.setText("plate")
    assert rows_of(tree, tree.filtered.index(0, 0)) == []
    tree.filter_edit.clear()
    assert rows_of(tree, tree.filtered.index(0, 0)) == ["A", "B"]
    # What is below a well that matches is there, too.
    tree.filter_edit.setText("A1")
    field = find(tree, qtbot, "A", "A1", "field 1")
    assert field.isValid()


def test_several_are_opened_together(
    tree: BrowseTree, plate: Path, qtbot: QtBot
) -> None:
    shown(tree, plate, qtbot)
    one, two = find(tree, qtbot, "A", "A2"), find(tree, qtbot, "A", "A1")
    select(tree, one, two)
    assert tree.open_button.text() == "Open 2 selected"
    with qtbot.waitSignal(tree.open_wanted) as told:
        tree.open_button.click()
    assert [node.name for node in told.args[0]] == ["A1", "A2"]
    assert told.args[1] is None
    tree.open_selected()
    titles = [action.text() for action in tree.menu().actions() if action.text()]
    assert titles[:3] == ["Open", "Open as mosaic", "Open on a slider"]
    with qtbot.waitSignal(tree.open_wanted) as told:
        tree.slider_action.trigger()
    assert told.args[1] == "slider"


def test_keys_and_the_mouse(tree: BrowseTree, plate: Path, qtbot: QtBot) -> None:
    shown(tree, plate, qtbot)
    well = find(tree, qtbot, "A", "A1")
    select(tree, well)
    with qtbot.waitSignal(tree.open_wanted):
        qtbot.keyClick(tree.view, Qt.Key.Key_Return)
    tree.copy_action.trigger()
    clipboard = QApplication.clipboard()
    assert clipboard is not None and clipboard.text() == str(plate / "A" / "1")
    with qtbot.waitSignal(tree.open_wanted):
        tree.view.doubleClicked.emit(well)
        tree.view.activated.emit(well)
    # What cannot be opened unfolds.
    tree.show_root(Node("folder", "f", known=(Node("image", "i"),), place="/f"))
    top = tree.filtered.index(0, 0)
    assert tree.view.isExpanded(top)
    tree.view.doubleClicked.emit(top)
    assert not tree.view.isExpanded(top)


def test_show_in_folder(
    tree: BrowseTree, plate: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    shown(tree, plate, qtbot)
    select(tree, find(tree, qtbot, "A", "A1"))
    tree.menu()
    tree.show_action.trigger()
    qtbot.waitUntil(lambda: bool(opened))  # the disk is looked at in a thread
    assert [url.toLocalFile() for url in opened] == [str(plate / "A" / "1")]
    tree.show_root(Node("image", "far", place="https://example.org/a.zarr"))
    select(tree, tree.filtered.index(0, 0))
    tree.menu()
    assert not tree.show_action.isEnabled()


def test_places_of_late_are_remembered(
    tree: BrowseTree,
    plate: Path,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_image(tmp_path / "i.zarr", "yx", pixels((4, 4)))
    shown(tree, plate, qtbot)
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "i.zarr")
    )
    tree.place_field.button.click()
    qtbot.waitUntil(lambda: tree.root is not None and tree.root.kind == "image")
    wanted = [str(tmp_path / "i.zarr"), str(plate)]
    qtbot.waitUntil(lambda: recent_places.load_places() == wanted)
    later = BrowseTree()
    qtbot.addWidget(later)
    box = later.place_field.box
    qtbot.waitUntil(lambda: box.count() == 2)
    assert [box.itemText(n) for n in range(box.count())] == wanted
    assert box.currentText() == ""
    box.setCurrentIndex(1)
    box.activated.emit(1)
    qtbot.waitUntil(lambda: later.root is not None)
    assert later.root is not None and later.root.kind == "plate"
    later.shut_down()


@pytest.mark.parametrize("content", ["{", "[1, null]", '{"a": 1}'])
def test_a_damaged_list_of_places_is_empty(content: str) -> None:
    file = recent_places.recent_file()
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert recent_places.load_places() == []
    assert recent_places.remember_place("/a") == ["/a"]
    assert recent_places.load_places() == ["/a"]


def test_a_list_that_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "preferences").write_text("a file in the way")
    assert recent_places.remember_place("/a") == ["/a"]


def test_tokens_are_not_kept(tmp_path: Path) -> None:
    recent_places.remember_place("https://me:secret@h.org/a.zarr?token=secret")
    assert recent_places.load_places() == ["https://h.org/a.zarr"]
    assert "secret" not in recent_places.recent_file().read_text()


def test_pasted_places() -> None:
    assert cleaned(' "/data/a b.zarr" ') == "/data/a b.zarr"
    assert cleaned("file:///data/a.zarr") == "/data/a.zarr"
    assert cleaned("https://h/a.zarr") == "https://h/a.zarr"
    assert not cleaned("~/a").startswith("~")


# ---- with a viewer


def opened(dock: BrowseDock, viewer: Any, count: int, qtbot: QtBot) -> list[str]:
    qtbot.waitUntil(
        lambda: not dock._opener.busy and len(viewer.layers) >= count, timeout=OPENED
    )
    return [layer.name for layer in viewer.layers]


def test_a_field_and_a_label_become_layers(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, plate: Path
) -> None:
    field = plate / "A/1/1"
    block = {"ome": {"version": "0.5", "labels": ["nuclei"]}}
    set_attributes(field / "labels", block, 3)
    write_image(field / "labels/nuclei", "yx", np.ones((6, 8), "u2"))
    tree = dock.tree
    shown(tree, plate, qtbot)
    select(tree, find(tree, qtbot, "A", "A1", "field 1", "level 0"))
    tree.open_selected()
    assert opened(dock, viewer, 2, qtbot) == [
        "plate of tests A/1/1/0 - Channel 0",
        "plate of tests A/1/1/0 - Channel 1",
    ]
    viewer.layers.clear()
    label = find(tree, qtbot, "A", "A1", "field 1", "labels", "nuclei")
    select(tree, label)
    tree.open_selected()
    names = opened(dock, viewer, 3, qtbot)
    assert names[0] == "plate of tests A/1/1 - Channel 0" and "nuclei" in names[2]
    # The image is there: only what is missing comes.
    viewer.layers.pop(2)
    tree.open_selected()
    assert len(opened(dock, viewer, 3, qtbot)) == 3
    # The tree stays where the user looks.
    assert tree.root is not None and tree.root.kind == "plate"
    assert dock.errors.error is None


def test_wells_become_a_mosaic_and_reopen_as_that(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, plate: Path
) -> None:
    tree = dock.tree
    shown(tree, plate, qtbot)
    select(tree, find(tree, qtbot, "A", "A1"))
    tree.open_selected()
    qtbot.waitUntil(
        lambda: not dock._opener.busy and bool(viewer.layers), timeout=OPENED
    )
    assert viewer.window.main_menu.window().findChild(WellStatus) is not None
    before = [layer.name for layer in viewer.layers]
    assert "plate of tests A/1 - Channel 0" in before
    pictures = [x for x in viewer.layers if x.name.endswith("Channel 0")]
    viewer.layers.selection.active = pictures[0]
    qtbot.waitUntil(lambda: dock.dataset is not None)
    shape = pictures[0].data.shape
    dock.reopen()
    qtbot.waitUntil(lambda: not dock._opener.busy, timeout=OPENED)
    assert dock.errors.error is None
    (again,) = [x for x in viewer.layers if x.name == pictures[0].name]
    assert again is not pictures[0] and again.data.shape == shape


def test_the_tree_follows_the_selected_layer_until_a_place_is_chosen(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, plate: Path, tmp_path: Path
) -> None:
    write_image(tmp_path / "i.zarr", "yx", pixels((16, 16)))
    write_image(tmp_path / "j.zarr", "yx", pixels((16, 16)))
    viewer.open(str(tmp_path / "i.zarr"), plugin="napari-scope")
    qtbot.waitUntil(lambda: dock.tree.root is not None)
    assert dock.tree.root is not None and dock.tree.root.place == str(
        tmp_path / "i.zarr"
    )
    viewer.open(str(tmp_path / "j.zarr"), plugin="napari-scope")
    qtbot.waitUntil(
        lambda: (
            dock.tree.root is not None
            and dock.tree.root.place == str(tmp_path / "j.zarr")
        )
    )
    shown(dock.tree, plate, qtbot)
    viewer.layers.selection.active = viewer.layers[0]
    qtbot.wait(200)
    assert dock.tree.root.place == str(plate)


def test_what_cannot_be_opened_is_explained(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, plate: Path
) -> None:
    (plate / "B/1/0/0/zarr.json").unlink()
    tree = dock.tree
    shown(tree, plate, qtbot)
    field = find(tree, qtbot, "B", "B1", "field 0")
    qtbot.waitUntil(lambda: "missing" in str(field.data(Qt.ItemDataRole.ToolTipRole)))
    select(tree, field)
    tree.open_selected()
    qtbot.waitUntil(dock.errors.isVisible, timeout=OPENED)
    assert not viewer.layers
    first = dock.errors.error
    tree.show_place(str(plate / "nowhere"))
    qtbot.waitUntil(lambda: dock.errors.error is not first, timeout=OPENED)


def test_where_a_slider_is_preferred_plates_open_on_one(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, plate: Path
) -> None:
    positions = dock.store_box.positions_box
    positions.setCurrentIndex(positions.findData("slider"))
    dock.open_path(str(plate))
    assert len(opened(dock, viewer, 2, qtbot)) == 2
    assert [layer.data.shape for layer in viewer.layers] == [(4, 6, 8)] * 2
    viewer.layers.selection.active = viewer.layers[0]
    qtbot.waitUntil(lambda: dock.dataset is not None)
    positions.setCurrentIndex(positions.findData("auto"))
    dock.reopen()
    qtbot.waitUntil(lambda: not dock._opener.busy, timeout=OPENED)
    assert viewer.layers[0].name == "rows and columns"
    viewer.layers.clear()
    positions.setCurrentIndex(positions.findData("slider"))
    dock.tree.view.setCurrentIndex(dock.tree.filtered.index(0, 0))
    dock.tree.open_selected()
    assert len(opened(dock, viewer, 2, qtbot)) == 2


def test_what_is_found_wrong_with_a_mosaic_is_told(
    dock: BrowseDock,
    viewer: napari.Viewer,
    qtbot: QtBot,
    plate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    for file in (plate / "B/1/0").glob("*/c/**/*"):
        if file.is_file():
            file.write_bytes(b"damaged")
    dock.open_path(str(plate))
    opened(dock, viewer, 3, qtbot)
    np.asarray(viewer.layers[-1].data)
    qtbot.waitUntil(lambda: any("B/1" in one for one in told), timeout=OPENED)
    assert dock.errors.error is None


def test_the_reader_shows_all_that_it_brings(
    viewer: napari.Viewer, qtbot: QtBot, plate: Path
) -> None:
    def seen() -> tuple[float, tuple[float, ...]]:
        camera = viewer.scene.camera
        return camera.zoom, tuple(camera.center)

    viewer.open(str(plate), plugin="napari-scope")
    qtbot.wait(50)
    fitted = seen()
    viewer.reset_view()
    assert fitted == seen()
    # Where there are layers the view stays where the user looks.
    viewer.scene.camera.zoom *= 3
    before = seen()
    viewer.open(str(plate / "A/1"), plugin="napari-scope")
    qtbot.wait(50)
    assert seen() == before


def test_a_plate_opens_in_the_middle_of_its_planes(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "deep.zarr"
    write_plate(path, {"A/1": ["0"], "A/2": ["0"]}, names="czyx")
    viewer.open(str(path), plugin="napari-scope")
    qtbot.waitUntil(lambda: viewer.dims.current_step[0] == 1, timeout=OPENED)
    viewer.layers.clear()
    read: list[object] = []
    real = PlatePixels.paint

    def paint(self: PlatePixels, *args: object, **options: object) -> object:
        if threading.current_thread() is not threading.main_thread():
            read.append(args)
        return real(self, *args, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlatePixels, "paint", paint)
        dock.open_path(str(path))
        names = opened(dock, viewer, 3, qtbot)
    assert names[0] == "rows and columns"
    assert viewer.layers.selection.active is viewer.layers[-1]
    assert viewer.dims.current_step[0] == 1
    # What napari shows first was read in the thread that opened it.
    assert read

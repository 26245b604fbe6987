"""Mass-spectrometry images in the Browse dock: found, opened in parts, converted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QFile
from qtpy.QtWidgets import QFileDialog, QMessageBox
from tests.formats.msi_folder import ENTRIES, write_mixed

from napari_scope.formats import open_dataset
from napari_scope.layers.msi import msi_of
from napari_scope.layers.preferences import CONFIG_VARIABLE
from napari_scope.widgets.browsing.browse_dock import BrowseDock
from napari_scope.widgets.browsing.store_menu import StoreTarget, StoreWish, targets_of

if TYPE_CHECKING:
    import napari
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QMenu

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


@pytest.fixture(autouse=True)
def preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "preferences"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_mixed(tmp_path / "mixed")


@pytest.fixture
def dock(shown_viewer: napari.Viewer, qtbot: QtBot) -> BrowseDock:
    made = BrowseDock(shown_viewer)
    shown_viewer.window.add_dock_widget(made, name="Browse")
    return made


def open_and_wait(dock: BrowseDock, places: list[Path], qtbot: QtBot) -> list[Any]:
    before = len(dock.viewer.layers)
    dock.open_places([str(place) for place in places])
    qtbot.waitUntil(
        lambda: len(dock.viewer.layers) > before and not dock._care.busy, timeout=20_000
    )
    return list(dock.viewer.layers)[before:]


def entries(menu: QMenu) -> list[str]:
    found = []
    for action in menu.actions():
        below = action.menu()
        if below is not None:
            found += [f"{action.text()} > {one.text()}" for one in below.actions()]
        elif action.text():
            found.append(action.text())
    return [text.replace("&", "") for text in found]


def test_a_mixed_folder_is_listed_and_opened(
    dock: BrowseDock, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock.show_folder(str(folder))
    page = dock.folder_page
    qtbot.waitUntil(
        lambda: (
            page.model.count == len(ENTRIES)
            and all(row.looked is not None for row in page.model.rows)
        ),
        timeout=20_000,
    )
    rows = {row.found.name: row for row in page.model.rows}
    assert rows["brain.imzML"].text("format") == "imzML"
    assert rows["brain.imzML"].state == "finished"
    assert rows["brain.imzML"].picture is not None

    # The two files of one image, dropped together, are opened once, and aside.
    layers = open_and_wait(dock, [folder / "brain.ibd", folder / "brain.imzML"], qtbot)
    assert [layer.name for layer in layers] == ["brain TIC", "brain m/z"]
    active = dock.viewer.layers.selection.active
    assert active == layers[0]  # not the stack, which is hidden

    box = dock.store_box
    assert box.name_label.text() == "brain.imzML"
    facts = box.facts_label.text().replace("\u2060", "")
    assert facts == "imzML · 3 × 2 pixels · 6 spectra · m/z 100 to 400"
    assert box.spectra_button.isVisible() and not box.reopen_button.isVisible()
    qtbot.waitUntil(lambda: dock.tree.root is not None)
    assert dock.tree.root is not None and dock.tree.root.name == "brain.imzML"
    qtbot.waitUntil(lambda: "Facts" in str(dock.store_view.document), timeout=9000)

    # The dock for spectra is one click away.
    opened: list[str] = []
    monkeypatch.setattr(
        "napari_scope.widgets.workspace.open_dock",
        lambda viewer, name: opened.append(name),
    )
    box.spectra_button.click()
    assert opened == ["Spectra"]

    # Another layer, and none.
    dock.viewer.layers.selection.active = layers[1]
    assert box.name_label.text() == "brain.imzML"
    dock.viewer.layers.clear()
    qtbot.waitUntil(lambda: not box.spectra_button.isVisible())
    assert dock.msi_facts.origin is None  # it keeps no file open
    assert box.reopen_button.isVisible()

    # A file is chosen like a folder.
    monkeypatch.setattr(
        QFileDialog,
        "getOpenFileName",
        lambda *_: (str(folder / "slide.hdr"), ""),
    )
    box.open_file_button.click()
    qtbot.waitUntil(lambda: len(dock.viewer.layers) == 2 and not dock._care.busy)
    assert dock.viewer.layers[0].name == "slide TIC"


def test_a_data_set_and_a_region_are_opened_alone(
    dock: BrowseDock, folder: Path, qtbot: QtBot
) -> None:
    dock._show_contents(str(folder / "tissue Spot List.txt"))
    qtbot.waitUntil(lambda: dock.tree.root is not None)
    root = dock.tree.root
    assert root is not None
    dock.tree.open_wanted.emit([root.children()[1]], None)
    qtbot.waitUntil(lambda: len(dock.viewer.layers) == 2 and not dock._care.busy)
    layer = dock.viewer.layers[0]
    assert layer.name == "tissue Spot List - R01 TIC"
    origin = msi_of(layer.metadata)
    assert origin is not None
    totals = origin.totals
    qtbot.waitUntil(lambda: totals is None or totals.done)
    assert layer.data.shape == (1, 2) and layer.data.min() > 0
    assert dock.tree.root is root  # what was looked at stays


def test_menus_offer_what_can_be_done(dock: BrowseDock, folder: Path) -> None:
    from napari_scope.formats.tree import open_tree

    page = dock.folder_page
    assert page.selected() == []
    tree = open_tree(folder / "scans.mzML")
    dock.tree.show_root(tree)
    (target,) = targets_of(tree, [tree.children()[1]])
    assert target == StoreTarget(
        tree.place, "msi", words="FTMS ms2", dataset=1, regions=None
    )
    listed = open_tree(folder / "tissue Spot List.txt")
    (target,) = targets_of(listed, listed.children())
    assert (target.dataset, target.regions) == (0, (0, 1))
    assert targets_of(listed, [listed, *listed.children()])[0].dataset is None
    inside = open_tree(folder)
    brain = inside.children()[0].described()
    assert targets_of(inside, [brain]) == [StoreTarget(brain.place, "msi")]

    from qtpy.QtWidgets import QMenu

    from napari_scope.widgets.browsing.store_menu import add_store_actions

    menu = QMenu(dock)
    add_store_actions(menu, [target], print, trash=True)
    texts = entries(menu)
    assert "Export this to > imzML …" in texts
    assert "Export this to > OME-Zarr (ion images) …" in texts
    assert not any("NDTiff" in text or text == "Watch" for text in texts)
    menu = QMenu(dock)
    add_store_actions(
        menu, [StoreTarget("a", "msi"), StoreTarget("b", "ndtiff")], print
    )
    assert not any("Convert" in text for text in entries(menu))


def test_conversion(dock: BrowseDock, folder: Path, qtbot: QtBot) -> None:
    page = dock.activity
    place = str(folder / "brain.imzML")
    page.do(StoreWish("convert", (StoreTarget(place, "msi"),), "ome-zarr"))
    assert dock.tabs.currentWidget() is page and not page.msi_form.isHidden()
    page.msi_form.ions_edit.setText("150 200")
    page.msi_form.start_button.click()
    assert page.msi_form.isHidden()
    qtbot.waitUntil(lambda: page.queue.jobs[-1].is_over, timeout=20_000)
    job = page.queue.jobs[-1]
    assert job.state == "finished", job.details
    assert len(open_dataset(folder / "brain.ome.zarr").images[0].channels) == 2

    # Several at once: each beside its source.
    targets = tuple(
        StoreTarget(str(folder / name), "msi") for name in ("brain.imzML", "slide.img")
    )
    page.do(StoreWish("convert", targets, "openmsi"))
    page.msi_form.start_button.click()
    qtbot.waitUntil(
        lambda: len(page.queue.jobs) == 3 and all(j.is_over for j in page.queue.jobs),
        timeout=20_000,
    )
    assert (folder / "brain.h5").exists() and (folder / "slide.h5").exists()


def test_all_files_go_to_the_trash(
    dock: BrowseDock, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []
    monkeypatch.setattr(
        QFile, "moveToTrash", lambda file: moved.append(file.fileName()) or True
    )
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *_: yes)
    page = dock.activity
    page.do(StoreWish("trash", (StoreTarget(str(folder / "slide.img"), "msi"),)))
    qtbot.waitUntil(lambda: bool(page.queue.jobs) and page.queue.jobs[-1].is_over)
    assert [Path(one).name for one in moved] == ["slide.img", "slide.hdr", "slide.t2m"]


def test_what_cannot_be_opened_says_why(
    dock: BrowseDock, folder: Path, qtbot: QtBot
) -> None:
    (folder / "brain.ibd").unlink()
    dock.open_places([str(folder / "brain.imzML")])
    qtbot.waitUntil(lambda: dock.errors.isVisible(), timeout=9000)
    assert not dock.viewer.layers

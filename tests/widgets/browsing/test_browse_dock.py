from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QWidget
from tests.layers.stores import Frames, make_dataset, make_image
from tests.threads import Thread

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.layers import dataset_to_layers
from napari_scope.layers.preferences import (
    CONFIG_VARIABLE,
    BrowsePreferences,
    load_preferences,
    save_preferences,
)
from napari_scope.widgets.browsing.browse_dock import BrowseDock

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.model import Dataset

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]

STORES = Path(__file__).parents[4] / "shared" / "data" / "ndtiff" / "v3"


@pytest.fixture(autouse=True)
def preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "preferences"))


@pytest.fixture
def viewer(shown_viewer: napari.Viewer) -> napari.Viewer:
    return shown_viewer


@pytest.fixture
def dock(browse_dock: BrowseDock) -> BrowseDock:
    return browse_dock


@pytest.fixture
def stores() -> Path:
    if not STORES.is_dir():
        pytest.skip(f"real NDTiff stores are not in this checkout: {STORES} is absent")
    return STORES


def add(viewer: napari.Viewer, dataset: Dataset, positions: Any = "auto") -> None:
    for data, arguments, _ in dataset_to_layers(dataset, positions):
        viewer.add_image(data, **arguments)


def opened(dock: BrowseDock, path: Path, qtbot: QtBot) -> None:
    dock.open_path(str(path))
    qtbot.waitUntil(
        lambda: not dock._opener.busy and bool(dock.frame_view.rows), timeout=20_000
    )


def value(dock: BrowseDock, name: str) -> str:
    """Return a value by the end of its name, whichever section it is in."""
    found = [v for n, v in dock.frame_view.rows if f".{n}".endswith(f".{name}")]
    return found[0] if found else ""


def shows(dock: BrowseDock, name: str, expected: str, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: value(dock, name) == expected)


def write(folder: Path, *, times: int = 4, positions: int = 2) -> NDTiffWriter:
    """Write a store of a few positions; the caller closes it."""
    writer = NDTiffWriter(folder, summary={"PixelSize_um": 0.5, "User": {"Name": "me"}})
    for t in range(times):
        for p in range(positions):
            metadata = {"Time": t, "Place": p, "Camera": {"Gain": 2 + t}}
            metadata |= {"XPositionUm": 40.0 * p, "YPositionUm": 0.0}
            frame = np.full((32, 32), 10 * t + p, "u2")
            writer.put({"time": t, "position": p}, frame, metadata)
    return writer


def test_without_a_layer_it_says_what_to_do(dock: BrowseDock) -> None:
    assert dock.dataset is None
    assert "open a data set" in dock.store_box.facts_label.text()
    assert dock.store_box.open_button.isEnabled()
    assert (
        not dock.store_box.reopen_button.isEnabled()
        and not dock.store_box.refresh_button.isEnabled()
    )
    dock.reopen()
    dock.refresh()


def test_a_layer_of_somebody_else(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    viewer.add_points([[1, 2]], name="spots")
    qtbot.waitUntil(lambda: dock.store_box.name_label.text() == "spots")
    assert "not opened from a data set" in dock.store_box.facts_label.text()
    assert dock.frame_view.rows == [] and not dock.store_box.reopen_button.isEnabled()


def test_a_real_store_and_its_frames(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, stores: Path
) -> None:
    opened(dock, stores / "ndtiff3.2_monochrome", qtbot)
    assert dock.store_box.name_label.text() == "ndtiff3.2_monochrome"
    assert dock.store_box.path_edit.text() == str(stores / "ndtiff3.2_monochrome")
    assert dock.store_box.facts_label.text() == "NDTiff 3.2 · 128 frames · 1 image"
    assert dock.store_box.state_label.text() == "finished"
    assert not dock.store_box.problems_text.isVisible()
    for t, z in ((0, 0), (7, 15), (3, 4)):
        viewer.dims.set_current_step((0, 1), (t, z))
        qtbot.waitUntil(lambda t=t: value(dock, "Axes.time") == str(t))  # type: ignore[misc]
        shows(dock, "Axes.z", str(z), qtbot)
        assert f"time {t}" in dock.frame_label.text()
        assert f"z {z}" in dock.frame_label.text()
    whole = dict(dock.store_view.rows)
    assert whole["image.shape"] == "t 8 × z 16 × y 64 × x 64"
    assert "summary.PixelSize_um" in whole or any("summary" in n for n in whole)


def test_the_tile_under_the_cursor_or_in_the_middle(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, stores: Path
) -> None:
    opened(dock, stores / "ndtiff3.2_magellan_explore_rgb", qtbot)
    shows(dock, "Axes.row", "12", qtbot)  # the middle one of three on a diagonal
    (layer,) = viewer.layers
    low, high = layer.extent.world
    viewer.mouse_over_canvas = True
    viewer.cursor.position = tuple(low + 1e-3)
    qtbot.waitUntil(lambda: value(dock, "Axes.row") not in ("12", ""))
    first = value(dock, "Axes.row")
    viewer.cursor.position = tuple(high - 1e-3)
    qtbot.waitUntil(lambda: value(dock, "Axes.row") not in ("12", first, ""))
    # On its way to the dock the cursor leaves the canvas: nothing changes.
    last = value(dock, "Axes.row")
    viewer.mouse_over_canvas = False
    viewer.cursor.position = tuple(low + 1e-3)
    qtbot.wait(400)
    assert value(dock, "Axes.row") == last
    # Where the grid is empty there is no frame.
    viewer.mouse_over_canvas = True
    viewer.cursor.position = (0, low[1], high[2])
    qtbot.waitUntil(lambda: "not saved" in value(dock, "Note.frame"))
    # Moving the view takes the middle again.
    viewer.scene.camera.zoom *= 1.1
    shows(dock, "Axes.row", "12", qtbot)


def test_the_selected_layer_counts(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    dataset = make_dataset(
        make_image("a", "tcyx", (2, 2, 8, 8), channels=("DAPI", "FITC")),
        make_image("b", "tcyx", (2, 1, 8, 8), channels=("DAPI",)),
    )
    add(viewer, dataset)
    for layer, image, channel in zip(viewer.layers, "aab", "010", strict=True):
        viewer.layers.selection.active = layer
        shows(dock, "Image", image, qtbot)
        shows(dock, "Index.c", channel, qtbot)
    viewer.layers.selection.clear()
    qtbot.waitUntil(lambda: dock.dataset is None)
    viewer.layers.selection.active = viewer.layers[0]
    shows(dock, "Image", "a", qtbot)
    viewer.layers.clear()
    qtbot.waitUntil(lambda: dock.frame_view.rows == [])


def test_a_frame_that_was_not_saved(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    add(viewer, make_dataset(make_image(missing=lambda index: index["t"] == 1)))
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: "not saved" in value(dock, "Note.frame"))
    viewer.dims.set_current_step(0, 2)
    shows(dock, "Index.t", "2", qtbot)


def test_problems_are_listed(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    problems = ("run_1.tif: 3 frames are missing", "the index is cut")
    add(viewer, make_dataset(make_image(), problems=problems, finished=True))
    qtbot.waitUntil(dock.store_box.problems_text.isVisible)
    assert dock.store_box.problems_label.text() == "2 problems; the rest is shown"
    assert all(text in dock.store_box.problems_text.toPlainText() for text in problems)


class Damaged(Frames):
    """Frames whose metadata are damaged at one time."""

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        if index["t"] == 1:
            raise FormatError("the metadata at byte 7 are damaged", path="/data/run")
        if index["t"] == 2:
            raise ValueError("a surprise")
        return super().metadata(index)


def test_metadata_that_cannot_be_read(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    add(viewer, make_dataset(make_image(frames=Damaged("cells", "tyx"))))
    for t, words in ((1, "at byte 7 are damaged"), (2, "a surprise")):
        viewer.dims.set_current_step(0, t)
        qtbot.waitUntil(
            lambda w=words: (  # type: ignore[misc]
                w in value(dock, "Note.frame") + dock.frame_view.empty_label.text()
            )
        )
        assert value(dock, "Index.t") == ""
    viewer.dims.set_current_step(0, 0)
    shows(dock, "Index.t", "0", qtbot)


def test_a_store_that_was_deleted(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, tmp_path: Path
) -> None:
    write(tmp_path / "run").close()
    opened(dock, tmp_path / "run", qtbot)
    shutil.rmtree(tmp_path / "run")
    dock.store_box.reopen_button.click()
    qtbot.waitUntil(dock.errors.isVisible)
    assert len(viewer.layers) == 2  # what there was is still here
    assert dock.store_box.reopen_button.isEnabled()
    dock.store_box.refresh_button.click()
    qtbot.waitUntil(dock.store_box.refresh_button.isEnabled)


def test_positions_are_chosen_and_remembered(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, tmp_path: Path
) -> None:
    write(tmp_path / "run").close()
    opened(dock, tmp_path / "run", qtbot)
    other = viewer.add_image(np.zeros((4, 4)), name="other")
    viewer.layers.selection.active = viewer.layers[0]
    assert [layer.name for layer in viewer.layers] == ["Pos0", "Pos1", "other"]
    qtbot.keyClicks(dock.store_box.positions_box, "Sl")
    # It is written in a thread.
    qtbot.waitUntil(lambda: load_preferences() == BrowsePreferences("slider", True))
    qtbot.waitUntil(dock.store_box.reopen_button.isEnabled)
    dock.store_box.reopen_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    assert other in viewer.layers
    viewer.layers.selection.active = viewer.layers[1]
    assert viewer.layers[1].data.shape == (2, 4, 1, 32, 32)
    viewer.dims.set_current_step((0, 1), (1, 2))
    shows(dock, "Place", "1", qtbot)
    shows(dock, "Time", "2", qtbot)
    assert BrowseDock(viewer).store_box.positions_box.currentText() == "Slider"


def test_a_store_that_is_being_written(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot, tmp_path: Path
) -> None:
    writer = write(tmp_path / "run", times=2, positions=1)
    opened(dock, tmp_path / "run", qtbot)
    assert dock.store_box.state_label.text() == "being written"
    (watcher,) = dock._follower.watchers
    viewer.dims.set_current_step(0, 1)
    shows(dock, "Time", "1", qtbot)
    thread = Thread(
        lambda: writer.put(
            {"time": 2, "position": 0}, np.ones((32, 32), "u2"), {"Time": "new"}
        )
    )
    thread.start()
    thread.join()
    shows(dock, "Time", "new", qtbot)
    qtbot.waitUntil(lambda: "3 frames" in dock.store_box.facts_label.text())
    assert viewer.layers[0].data.shape[0] == 3
    # Following is switched off, and by itself nothing comes any more.
    dock.store_box.follow_check.click()
    qtbot.waitUntil(lambda: dock._follower.watchers == [])
    assert load_preferences() == BrowsePreferences("auto", False)
    writer.put({"time": 3, "position": 0}, np.ones((32, 32), "u2"))
    qtbot.wait(1500)
    assert viewer.layers[0].data.shape[0] == 3
    dock.store_box.refresh_button.click()
    qtbot.waitUntil(lambda: viewer.layers[0].data.shape[0] == 4)
    qtbot.waitUntil(lambda: "New frames" in dock.store_box.note_label.text())
    qtbot.waitUntil(dock.store_box.refresh_button.isEnabled)
    dock.store_box.refresh_button.click()
    qtbot.waitUntil(lambda: "Nothing new" in dock.store_box.note_label.text())
    dock.store_box.follow_check.click()
    (watcher,) = dock._follower.watchers
    writer.close()
    watcher.look()
    qtbot.waitUntil(lambda: dock.store_box.state_label.text() == "finished")
    assert not watcher.active


def test_a_folder_is_chosen(
    dock: BrowseDock,
    viewer: napari.Viewer,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(tmp_path / "run").close()
    (tmp_path / "empty").mkdir()
    answers = ["", str(tmp_path / "run"), str(tmp_path), str(tmp_path / "empty")]
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *args: answers.pop(0)
    )
    dock.store_box.open_button.click()
    assert not dock._opener.busy
    dock.store_box.open_button.click()
    assert not dock.store_box.open_button.isEnabled()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    assert dock.errors.error is None
    # A folder of data sets is no data set: what it holds is shown.
    dock.store_box.open_button.click()
    qtbot.waitUntil(
        lambda: dock.tree.root is not None and dock.tree.root.kind == "folder"
    )
    assert dock.tabs.currentWidget() is dock.tree and len(viewer.layers) == 2
    dock.store_box.open_button.click()
    qtbot.waitUntil(dock.errors.isVisible)
    assert len(viewer.layers) == 2


def test_a_choice_that_cannot_be_kept_is_said(
    dock: BrowseDock, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "preferences").write_text("a file in the way")
    dock.store_box.positions_box.setCurrentIndex(1)
    qtbot.waitUntil(dock.errors.isVisible)


def test_the_choices_are_those_that_were_kept(
    viewer: napari.Viewer, qtbot: QtBot
) -> None:
    save_preferences(BrowsePreferences("tiles", False))
    dock = BrowseDock(viewer)
    qtbot.addWidget(dock)
    assert dock.store_box.positions_box.currentData() == "tiles"
    assert not dock.store_box.follow_check.isChecked()
    dock.shut_down()


def test_napari_makes_the_dock_from_the_manifest(viewer: napari.Viewer) -> None:
    _, widget = viewer.window.add_plugin_dock_widget("napari-scope", "Browse data")
    assert isinstance(widget, BrowseDock)


def test_a_dock_that_is_closed_lets_go(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    add(viewer, make_dataset(make_image()))
    shows(dock, "Index.t", "1", qtbot)
    with qtbot.waitSignal(dock.destroyed):
        viewer.window.remove_dock_widget(dock)
    viewer.dims.set_current_step(0, 2)
    viewer.layers.clear()
    qtbot.wait(300)


def test_everything_can_be_reached_with_the_keyboard(
    dock: BrowseDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    add(viewer, make_dataset(make_image(), reload=lambda: None))
    shows(dock, "Index.t", "1", qtbot)
    chain: set[QWidget] = set()
    widget = dock.nextInFocusChain()
    while widget is not None and widget not in chain:
        chain.add(widget)
        widget = widget.nextInFocusChain()
    reached = {w for w in chain if w.focusPolicy() & Qt.FocusPolicy.TabFocus}
    box, view = dock.store_box, dock.frame_view
    for wanted in (
        box.open_button, box.reopen_button, box.refresh_button, box.positions_box,
        box.follow_check, view.filter_edit, view.copy_button, view.tree,
    ):  # fmt: skip
        assert wanted in reached
        assert wanted.toolTip() or wanted.accessibleName()

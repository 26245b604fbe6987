from __future__ import annotations

import csv
import json
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QPointF, Qt
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_scope.acquire import Run
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff import NDTiffWriter
from napari_scope.layers import dataset_to_layers, image_to_layers
from napari_scope.layers.live_origin import live_origin
from napari_scope.stream import ImageSpec, Output, StoreSpec, Stream
from napari_scope.widgets.common.microscope import Microscope
from napari_scope.widgets.frames.metadata_dock import MetadataDock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]

_REAL = Path(__file__).parents[4] / "shared" / "data" / "ndtiff" / "v3"


@pytest.fixture
def viewer(qapp: object) -> ViewerModel:
    """Return a viewer without a window: the dock needs none."""
    return ViewerModel()


@pytest.fixture
def microscope(empty_owner: CoreOwner) -> Iterator[Microscope]:
    made = Microscope(empty_owner)
    yield made
    made.close()


@pytest.fixture
def menu_dock(
    viewer: ViewerModel, microscope: Microscope, qtbot: QtBot
) -> Iterator[MetadataDock]:
    """Return a dock as napari's menu makes it: with a proxy of the viewer."""
    made = MetadataDock(PublicOnlyProxy(viewer), microscope)  # type: ignore[arg-type]
    qtbot.addWidget(made)
    made.resize(400, 800)
    made.show()
    yield made
    made.shut_down()


@pytest.fixture
def dock(
    viewer: ViewerModel, microscope: Microscope, qtbot: QtBot
) -> Iterator[MetadataDock]:
    made = MetadataDock(viewer, microscope)  # type: ignore[arg-type]
    qtbot.addWidget(made)
    made.resize(400, 800)
    made.show()
    yield made
    made.shut_down()


def write(folder: Path, count: int = 6) -> Path:
    with NDTiffWriter(folder, summary={"Prefix": "cells"}) as writer:
        for t in range(count):
            for channel in ("DAPI", "FITC"):
                facts = {
                    "ElapsedTime-ms": 100.0 * t,
                    "Exposure": 5.0,
                    "Camera-Temperature": str(-20 - t),
                    "mark": f"{channel}{t}",
                }
                axes = {"time": t, "channel": channel}
                writer.put(axes, np.full((8, 9), t * 10, "u2"), facts)
    return folder


def add(viewer: Any, path: Path) -> list[Any]:
    """Add the layers of a store, as the reader does."""
    added = []
    for data, look, kind in dataset_to_layers(open_dataset(path)):
        added.append(getattr(viewer, f"add_{kind}")(data, **look))
    viewer.layers.selection.active = added[0]
    go(viewer, added[0], 0)
    return added


def go(viewer: Any, layer: Any, t: int) -> None:
    """Move the first slider."""
    viewer.dims.set_point(0, world_t(layer, t))


def world_t(layer: Any, t: int) -> float:
    return float(layer.data_to_world((t, *(0 for _ in range(layer.ndim - 1))))[0])


def shows(dock: MetadataDock, text: str) -> bool:
    return text in json.dumps(dict(dock.frame_tab.shown.document), default=str)


def test_the_frame_under_the_sliders_is_shown(
    dock: MetadataDock, viewer: ViewerModel, tmp_path: Path, qtbot: QtBot
) -> None:
    assert "Select a layer" in dock.frame_tab.view.empty_label.text()
    first, second = add(viewer, write(tmp_path / "run"))
    qtbot.waitUntil(lambda: shows(dock, "DAPI0"))
    go(viewer, first, 3)
    qtbot.waitUntil(lambda: shows(dock, "DAPI3"))
    assert "time 3" in dock.frame_tab.title_label.text()
    document: Any = dock.frame_tab.shown.document
    assert document["Properties"]["Camera"]["Temperature"] == "-23"
    assert document["Layer"]["name"] == first.name
    viewer.layers.selection.active = second
    qtbot.waitUntil(lambda: shows(dock, "FITC3"))
    dock.frame_tab.copy_frame()
    clipboard = QApplication.clipboard()
    assert clipboard is not None and json.loads(clipboard.text())["mark"] == "FITC3"
    viewer.dims.ndisplay = 3
    qtbot.waitUntil(lambda: not dock.busy)
    viewer.layers.clear()
    qtbot.waitUntil(lambda: dock.frame_tab.view.empty_label.isVisible())


def test_pixels_are_never_read_for_it(
    dock: MetadataDock,
    viewer: ViewerModel,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (layer, _) = add(viewer, write(tmp_path / "run"))
    qtbot.waitUntil(lambda: shows(dock, "DAPI0"))
    read: list[str] = []
    inner = type(layer.data).__array__
    name = threading.main_thread().name

    def array(self: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.current_thread().name != name:
            read.append(threading.current_thread().name)
        return inner(self, *args, **kwargs)

    monkeypatch.setattr(type(layer.data), "__array__", array)
    for t in range(1, 6):
        go(viewer, layer, t)
        qtbot.waitUntil(lambda t=t: shows(dock, f"DAPI{t}"))
    assert read == []


def test_a_layer_of_others_shows_what_napari_knows(
    dock: MetadataDock, viewer: ViewerModel, qtbot: QtBot
) -> None:
    viewer.add_image(np.zeros((4, 5)), name="mine", metadata={"author": "me"})
    qtbot.waitUntil(lambda: shows(dock, "author"))
    assert not dock.frame_tab.export_button.isEnabled()
    dock.tabs.setCurrentWidget(dock.store_view)
    assert "not opened from a data set" in dock.store_view.empty_label.text()
    viewer.add_labels(np.zeros((4, 5), int), name="cells")
    qtbot.waitUntil(lambda: shows(dock, "Labels"))


def test_a_dock_of_the_menu_sees_layers_as_they_are(
    menu_dock: MetadataDock, viewer: ViewerModel, tmp_path: Path, qtbot: QtBot
) -> None:
    dock = menu_dock
    viewer.add_points([[1, 2, 3]], name="spots")
    qtbot.waitUntil(lambda: shows(dock, '"kind": "Points"'))
    viewer.add_image(np.zeros((4, 5, 3), "u1"), rgb=True)
    qtbot.waitUntil(lambda: shows(dock, '"kind": "Image"'))
    (_, second) = add(viewer, write(tmp_path / "run"))
    dock.tabs.setCurrentWidget(dock.plots_tab)
    qtbot.waitUntil(lambda: dock.plots_tab.sheet is not None and not dock.busy)
    dock.plots_tab.frame_clicked.emit(7)
    qtbot.waitUntil(lambda: shows(dock, "FITC3"))
    assert viewer.layers.selection.active is second
    viewer.layers.selection = set(viewer.layers)  # several: none of them is meant
    qtbot.waitUntil(lambda: viewer.layers.selection.active is None)
    qtbot.waitUntil(lambda: not dock.frame_tab.title_label.isVisible())
    viewer.layers.selection.active = second
    qtbot.waitUntil(lambda: shows(dock, "FITC3"))
    viewer.layers.remove(second)
    qtbot.waitUntil(lambda: not shows(dock, "FITC3"))


def test_a_live_view_is_read_anew(
    dock: MetadataDock, viewer: ViewerModel, qtbot: QtBot
) -> None:
    facts = {"live": True, "exposure_ms": 7.0, "camera": "Cam"}
    layer = viewer.add_image(np.zeros((4, 5)), metadata={"napari_scope": facts})
    qtbot.waitUntil(lambda: shows(dock, "7.0"))
    layer.metadata["napari_scope"] = {**facts, "exposure_ms": 9.0}
    qtbot.waitUntil(lambda: shows(dock, "9.0"))
    assert dock.frame_tab.title_label.text() == "live frame"


def test_a_store_that_goes_away_is_a_sentence(
    dock: MetadataDock, viewer: ViewerModel, tmp_path: Path, qtbot: QtBot
) -> None:
    images = (ImageSpec("a", sizes={"time": 2}),)
    spec = StoreSpec("a", (8, 8), np.dtype("u2"), order=("time",), images=images)
    output = Output(tmp_path / "run.ome.zarr", "ome-zarr")
    with Stream(spec, [output.sink()]) as stream:
        for n in range(2):
            stream.append(np.zeros((8, 8), "u2"), {"mark": f"frame{n}"})
    (layer,) = add(viewer, output.path)
    qtbot.waitUntil(lambda: shows(dock, "frame0"))
    shutil.rmtree(output.path)
    dock.refresh()
    qtbot.waitUntil(lambda: not dock.busy)
    qtbot.waitUntil(lambda: shows(dock, "cannot be read"))
    dock.tabs.setCurrentWidget(dock.plots_tab)
    qtbot.waitUntil(lambda: dock.plots_tab.sheet is not None and not dock.busy)
    assert dock.plots_tab.plot.curves == ()
    dock.tabs.setCurrentWidget(dock.store_view)
    qtbot.waitUntil(lambda: not dock.busy)
    assert layer in viewer.layers


def test_the_store_says_what_it_is(
    dock: MetadataDock, viewer: ViewerModel, tmp_path: Path, qtbot: QtBot
) -> None:
    add(viewer, write(tmp_path / "run"))
    dock.tabs.setCurrentWidget(dock.store_view)
    qtbot.waitUntil(lambda: "Summary metadata" in dock.store_view.document)
    assert dock.store_view.document["Summary metadata"] == {"Prefix": "cells"}


def test_numbers_are_plotted_and_a_click_moves_the_sliders(
    dock: MetadataDock, viewer: ViewerModel, tmp_path: Path, qtbot: QtBot
) -> None:
    (first, second) = add(viewer, write(tmp_path / "run"))
    dock.tabs.setCurrentWidget(dock.plots_tab)
    tab = dock.plots_tab
    qtbot.waitUntil(lambda: bool(tab.plot.curves))
    qtbot.waitUntil(lambda: tab.plot.marker == 0)  # where the sliders are
    tab.chooser.filter_edit.setText("temper")
    shown = [i for i in tab.chooser._items() if not i.isHidden()]
    assert [i.text() for i in shown] == ["Camera-Temperature"]
    shown[0].setCheckState(Qt.CheckState.Checked)
    name = "Camera-Temperature"
    own = [c for c in tab.plot.curves if c.name.startswith(name)]
    assert [c.name for c in own] == [f"{name}, DAPI", f"{name}, FITC"]
    assert own[0].y.tolist() == [-20 - t for t in range(6)]
    tab.set_chosen([name])
    qtbot.wait(50)
    panel = tab.plot.panels[0]
    item = panel.vb.mapViewToScene(QPointF(0.4, -24))
    where = tab.plot._view.mapFromScene(item)
    viewport = tab.plot._view.viewport()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=where)
    at = world_t(first, 4)
    qtbot.waitUntil(lambda: viewer.dims.point[0] == pytest.approx(at))
    qtbot.waitUntil(lambda: shows(dock, "DAPI4"))
    qtbot.waitUntil(lambda: tab.plot.marker == pytest.approx(0.4))
    tab.frame_clicked.emit(3)  # of the other channel
    qtbot.waitUntil(lambda: viewer.layers.selection.active is second)


def test_intensities_are_computed_when_asked_for(
    dock: MetadataDock,
    viewer: ViewerModel,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add(viewer, write(tmp_path / "run"))
    dock.tabs.setCurrentWidget(dock.plots_tab)
    tab = dock.plots_tab
    qtbot.waitUntil(lambda: tab.sheet is not None and not tab.busy)
    assert tab.reader.table is not None and tab.reader.table.intensities is None
    tab.set_chosen(["mean"])
    qtbot.waitUntil(lambda: len(tab.plot.curves) == 2)
    assert tab.plot.curves[1].y.tolist() == [0, 10, 20, 30, 40, 50]
    target = tmp_path / "numbers.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(target), ""))
    qtbot.mouseClick(tab.csv_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(target.exists)
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert [row["mean"] for row in rows][:4] == ["0.0", "0.0", "10.0", "10.0"]


def test_reading_is_stopped_by_its_button(
    dock: MetadataDock, viewer: ViewerModel, tmp_path: Path, qtbot: QtBot
) -> None:
    gate, reached = threading.Event(), threading.Event()
    inner = dock.plots_tab.reader
    path = write(tmp_path / "run", 400)
    add(viewer, path)
    qtbot.waitUntil(lambda: shows(dock, "DAPI0"))
    frames: Any = open_dataset(path)
    from napari_scope.widgets.frames.metadata_dock import _open_table

    def slow() -> Any:
        sheet, images = _open_table(frames)
        record = sheet.source.record

        def waiting(number: int) -> Any:
            if number == 300:
                reached.set()
                gate.wait(5)
            return record(number)

        sheet.source.record = waiting  # type: ignore[method-assign]
        return sheet, images

    dock.plots_tab.set_source("slow", slow)
    inner.read(grown=False, intensities=False)
    qtbot.waitUntil(reached.is_set)
    inner.stop()
    gate.set()
    qtbot.waitUntil(lambda: not inner.busy)
    assert inner.table is not None and inner.table.columns.count == 512
    assert inner.stopped and not dock.plots_tab.busy
    inner.resume()
    inner.read(grown=False, intensities=False)
    qtbot.waitUntil(lambda: inner.table.columns.count == 800)  # type: ignore[union-attr]


def test_all_frames_are_exported_in_the_background(
    dock: MetadataDock,
    viewer: ViewerModel,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    where = "napari_scope.widgets.frames.frame_tab.notify"
    monkeypatch.setattr(where, lambda text, *args: told.append(text))
    add(viewer, write(tmp_path / "run"))
    qtbot.waitUntil(lambda: dock.frame_tab.export_button.isEnabled())
    target = tmp_path / "frames.csv"
    dock.frame_tab.export(target)
    qtbot.waitUntil(lambda: bool(told))
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert [row["mark"] for row in rows[:3]] == ["DAPI0", "FITC0", "DAPI1"]
    dock.frame_tab.copy_store()
    qtbot.waitUntil(lambda: not dock.frame_tab.busy)
    clipboard = QApplication.clipboard()
    assert clipboard is not None and len(json.loads(clipboard.text())) == 12
    told.clear()
    dock.frame_tab.export(tmp_path / "absent" / "frames.json")
    qtbot.waitUntil(lambda: bool(told))
    assert "not written" in told[0]


def test_a_run_is_followed_while_it_goes_on(
    dock: MetadataDock, viewer: ViewerModel, tmp_path: Path, qtbot: QtBot
) -> None:
    images = (ImageSpec("a", sizes={"time": 50}),)
    spec = StoreSpec("a", (8, 8), np.dtype("u2"), order=("time",), images=images)
    frame = np.zeros((8, 8), "u2")
    with Stream(spec, [Output(tmp_path / "run", "ndtiff").sink()]) as stream:
        view = stream.view()
        ((data, look, _),) = image_to_layers(view.images[0])
        facts: Any = look["metadata"]
        axes = facts["napari_scope"]["axes"]
        look["metadata"] = live_origin(view, (0,), 0, axes)
        layer = viewer.add_image(data, **look)
        go(viewer, layer, 0)
        dock.tabs.setCurrentWidget(dock.plots_tab)
        qtbot.waitUntil(lambda: shows(dock, "not there yet"))
        stream.append(frame, {"elapsed_ms": 0.0, "mark": "first"})
        stream.flush()
        qtbot.waitUntil(lambda: shows(dock, "first"))
        stream.append(frame, {"elapsed_ms": 70.0, "mark": "second"})
        stream.flush()
        go(viewer, layer, 1)
        qtbot.waitUntil(lambda: shows(dock, "second"))
        dock.plots_tab.grow()
        qtbot.waitUntil(lambda: not dock.busy)
        dock.plots_tab.grow()
        qtbot.waitUntil(
            lambda: any(70.0 in curve.y for curve in dock.plots_tab.plot.curves)
        )


def test_what_was_chosen_is_remembered(
    viewer: ViewerModel, microscope: Microscope, qtbot: QtBot
) -> None:
    first = MetadataDock(viewer, microscope)  # type: ignore[arg-type]
    qtbot.addWidget(first)
    first.frame_tab.view.set_pins(["Frame.z_um"])
    first.plots_tab.set_chosen(["z_um", "mean"])
    first.frame_tab.set_marks(False)
    first.tabs.setCurrentIndex(2)
    first.shut_down()
    first.shut_down()
    second = MetadataDock(viewer, microscope)  # type: ignore[arg-type]
    qtbot.addWidget(second)
    assert second.frame_tab.view.pins == ("Frame.z_um",)
    assert second.plots_tab.chosen == ["z_um", "mean"]
    assert not second.frame_tab.marks and second.tabs.currentIndex() == 2
    second.remembered.set_state("metadata", {"pins": 3, "tab": "x"})
    second.restore_remembered()
    second.shut_down()
    # Nothing of a dock that is closed hears of the viewer.
    viewer.add_image(np.zeros((3, 3)))
    viewer.dims.ndisplay = 3


@pytest.mark.parametrize(
    "name", ["labeled_positions_1", "no_magellan_explore_multi_channel"]
)
def test_real_stores_are_shown(
    dock: MetadataDock, viewer: ViewerModel, qtbot: QtBot, name: str
) -> None:
    if not (_REAL / name).is_dir():
        pytest.skip(f"real NDTiff stores are not in this checkout: {_REAL} is absent")
    add(viewer, _REAL / name)
    qtbot.waitUntil(lambda: shows(dock, "Camera"))
    dock.tabs.setCurrentWidget(dock.plots_tab)
    qtbot.waitUntil(lambda: dock.plots_tab.sheet is not None)
    qtbot.waitUntil(lambda: not dock.busy)
    assert dock.plots_tab.note_label.text() == ""


def test_a_run_of_the_microscope_in_a_window(
    shown_viewer: napari.Viewer, owner: CoreOwner, tmp_path: Path, qtbot: QtBot
) -> None:
    microscope = Microscope(owner)
    dock = MetadataDock(shown_viewer, microscope)
    shown_viewer.window.add_dock_widget(dock, name="Metadata", area="right")
    plan = useq.MDASequence(
        time_plan={"interval": 0, "loops": 3},  # type: ignore[arg-type]
        channels=["DAPI", "FITC"],  # type: ignore[arg-type]
    )
    output = Output(tmp_path / "run.ome.zarr", "ome-zarr")
    Run(owner, plan, [output]).start().wait()
    shown_viewer.open(str(output.path), plugin="napari-scope")
    qtbot.waitUntil(lambda: shows(dock, "channel_config"))
    document: Any = dock.frame_tab.shown.document
    assert document["Frame"]["camera"] == "Camera"
    assert document["Properties"]["Emission"]["Label"]
    layer: Any = shown_viewer.layers.selection.active
    shown_viewer.cursor.position = layer.data_to_world((0,) * layer.ndim)
    expected = np.asarray(layer.data[(0,) * layer.ndim]).item()
    qtbot.waitUntil(
        lambda: f"y 0, x 0 = {expected}" in dock.frame_tab.value_label.text()
    )
    shown_viewer.theme = "light"
    dock.tabs.setCurrentWidget(dock.store_view)
    qtbot.waitUntil(lambda: "Microscope" in dock.store_view.document)
    picture = dock.grab().toImage()
    colors = {picture.pixel(x, y) for x in range(0, 300, 3) for y in range(0, 300, 3)}
    assert len(colors) > 5
    dock.shut_down()
    microscope.close()

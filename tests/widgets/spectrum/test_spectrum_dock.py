from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QPoint, QPointF, Qt
from tests.widgets.dock_checks import faults, unnamed
from tests.widgets.spectrum.msi_samples import (
    DISC,
    EVERYWHERE,
    RING,
    TwoScans,
    write_peaks,
    write_profiles,
)

from napari_scope.formats.msi import open_msi
from napari_scope.layers.msi import MSILayer, msi_of
from napari_scope.layers.msi_build import reader_to_layers
from napari_scope.widgets.spectrum.mz_targets import MzTarget
from napari_scope.widgets.spectrum.spectrum_dock import SpectrumDock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.formats.msi import MSIReader

pytestmark = pytest.mark.gui


def add_layers(viewer: Any, reader: MSIReader) -> None:
    for data, arguments, kind in reader_to_layers(reader):
        viewer.add_layer(Layer.create(data, arguments, kind))
    viewer.layers.selection.active = viewer.layers[0]


def rest(qtbot: QtBot, dock: SpectrumDock) -> None:
    qtbot.waitUntil(lambda: not dock.busy)


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    made.mouse_over_canvas = True
    return made


@pytest.fixture
def dock(
    viewer: ViewerModel, qtbot: QtBot, no_thread_is_left: None
) -> Iterator[SpectrumDock]:
    made = SpectrumDock(viewer)
    qtbot.addWidget(made)
    made.resize(1000, 300)
    made.show()
    yield made
    made.shut_down()
    viewer.layers.clear()


@pytest.fixture
def peaks(dock: SpectrumDock, viewer: Any, tmp_path: Path, qtbot: QtBot) -> Path:
    path = write_peaks(tmp_path / "peaks.imzML")
    add_layers(viewer, open_msi(path))
    rest(qtbot, dock)
    return path


def names(dock: SpectrumDock) -> list[str]:
    return [trace.name for trace in dock.pages.traces.traces]


def of(dock: SpectrumDock, name: str) -> Any:
    return next(t for t in dock.pages.traces.traces if t.name == name)


def test_without_a_layer_it_says_what_to_open(dock: SpectrumDock, viewer: Any) -> None:
    assert dock.stack.currentWidget() is dock.empty_label
    assert "Open a mass-spectrometry image" in dock.empty_label.text()
    viewer.add_image(np.zeros((4, 4)))
    assert dock.looked_at.origin is None


def test_the_mean_is_shown_at_once(dock: SpectrumDock, peaks: Path) -> None:
    with open_msi(peaks) as reader:
        expected = reader.data.summary().mean
    found = of(dock, "Mean")
    np.testing.assert_allclose(found.intensities, expected.intensities)
    assert not found.is_profile
    assert dock.looked_at.origin.data.index_ready
    assert "Mean" in dock.legend.text()


def test_the_spectrum_under_the_mouse(
    dock: SpectrumDock, viewer: Any, peaks: Path, qtbot: QtBot
) -> None:
    layer = viewer.layers[0]
    viewer.cursor.position = layer.data_to_world((5, 7))
    rest(qtbot, dock)
    with open_msi(peaks) as reader:
        expected = reader.data.spectrum_at(7, 5)
    np.testing.assert_array_equal(dock.spectra.cursor.mz, expected.mz)
    assert dock.plot.traces[-1] is dock.spectra.cursor
    assert "7, 5" in dock.readout.text()
    # Of many places in a row the last one is what is shown.
    for x in range(10):
        viewer.cursor.position = layer.data_to_world((2, x))
    rest(qtbot, dock)
    with open_msi(peaks) as reader:
        expected = reader.data.spectrum_at(9, 2)
    np.testing.assert_array_equal(dock.spectra.cursor.mz, expected.mz)


def test_a_pixel_is_kept_and_another_one_beside_it(
    dock: SpectrumDock, peaks: Path, qtbot: QtBot
) -> None:
    for kept in (False, True):
        dock.spectra.watch.clicked.emit((3, 2, 0), kept)
        rest(qtbot, dock)
    assert names(dock) == ["Mean", "Clicked pixel", "Pixel 3, 2"]
    dock.spectra.watch.clicked.emit((4, 2, 0), False)
    rest(qtbot, dock)
    assert names(dock) == ["Mean", "Clicked pixel", "Pixel 3, 2"]
    assert len({trace.color for trace in dock.pages.traces.traces}) == 3


@pytest.mark.parametrize(("away", "clicks"), [(1.0, 1), (20.0, 0)])
def test_a_drag_is_no_click(
    dock: SpectrumDock, viewer: Any, peaks: Path, away: float, clicks: int
) -> None:
    told: list[Any] = []
    dock.spectra.watch.clicked.connect(lambda pixel, kept: told.append((pixel, kept)))
    event = SimpleNamespace(
        type="mouse_press",
        button=1,
        pos=(10.0, 10.0),
        modifiers=("Shift",),
        position=viewer.layers[0].data_to_world((2, 3)),
    )
    hand = dock.spectra.watch._on_press(viewer, event)
    next(hand)
    event.type, event.pos = "mouse_move", (10.0 + away, 10.0)
    next(hand)
    event.type = "mouse_release"
    assert list(hand) == []
    assert told == [((3, 2, 0), True)] * clicks


def test_the_layer_of_the_marker_is_changed_in_place(
    dock: SpectrumDock, viewer: Any, peaks: Path, qtbot: QtBot
) -> None:
    before = len(viewer.layers)
    with open_msi(peaks) as reader:
        data = reader.data
        for mz in (DISC, RING):
            dock.plot.picked.emit(mz)
            rest(qtbot, dock)
            assert len(viewer.layers) == before + 1
            layer = dock.ions.layers.preview
            np.testing.assert_allclose(
                layer.data, data.ion_image(mz, 10, "ppm"), rtol=1e-5
            )
    tic = viewer.layers[0]
    np.testing.assert_allclose(layer.scale, tic.scale)
    np.testing.assert_allclose(layer.translate, tic.translate)
    assert msi_of(layer.metadata).facts["mz"] == RING
    assert viewer.layers.selection.active is tic
    assert dock.plot.marker == RING
    viewer.layers.remove(layer)
    dock.plot.picked.emit(DISC)
    rest(qtbot, dock)
    assert dock.ions.layers.preview in viewer.layers


def test_kept_ion_images_have_colours_of_their_own(
    dock: SpectrumDock, viewer: Any, peaks: Path, qtbot: QtBot
) -> None:
    form = dock.pages.form
    for mz in (DISC, RING):
        form.set_mz(mz)
        rest(qtbot, dock)
        qtbot.mouseClick(form.add_button, Qt.MouseButton.LeftButton)
        rest(qtbot, dock)
    one, other = viewer.layers[-2:]
    assert one.name == "m/z 500.25 ± 10 ppm"
    assert (one.blending, other.blending) == ("additive", "additive")
    assert one.colormap.name != other.colormap.name
    assert not viewer.layers[0].visible  # it would shine through them
    assert not dock.ions.layers.preview.visible


def test_how_an_image_is_made(
    dock: SpectrumDock, viewer: Any, peaks: Path, qtbot: QtBot
) -> None:
    form = dock.pages.form
    form.set_mz(DISC)
    form.unit.setCurrentText("Da")
    assert form.tolerance.value() == 0.25
    form.how.setCurrentIndex(form.how.findData("max"))
    form.normalise.setCurrentIndex(form.normalise.findData("tic"))
    form.clip.setChecked(True)
    form.quantile.setValue(90)
    form.log.setChecked(True)
    rest(qtbot, dock)
    with open_msi(peaks) as reader:
        image = reader.data.ion_image(
            DISC, 0.25, "Da", "max", normalise="tic", hotspot=0.9
        )
    np.testing.assert_allclose(
        dock.ions.layers.preview.data, np.log1p(image), rtol=1e-4
    )
    form.normalise.setCurrentIndex(form.normalise.findData("reference"))
    assert form.reference.isVisibleTo(form)
    form.reference.setValue(EVERYWHERE)
    assert form.value().normalise.mz == EVERYWHERE
    form.unit.setCurrentText("ppm")
    assert form.tolerance.value() == 10


def test_an_image_without_anything_is_told(
    dock: SpectrumDock, peaks: Path, qtbot: QtBot
) -> None:
    dock.pages.form.set_mz(20.0)
    rest(qtbot, dock)
    assert "nothing there" in dock.readout.text()


@pytest.mark.parametrize("kind", ["shapes", "labels"])
def test_the_mean_of_what_is_drawn(
    dock: SpectrumDock, viewer: Any, peaks: Path, qtbot: QtBot, kind: str
) -> None:
    tic = viewer.layers[0]
    if kind == "shapes":
        corners = [tic.data_to_world(p) for p in ((0.6, 1.6), (3.4, 4.4))]
        (top, left), (low, right) = corners
        box = [[top, left], [top, right], [low, right], [low, left]]
        viewer.add_shapes([box], shape_type="rectangle", name="tumour")
    else:
        mask = np.zeros(tic.data.shape, int)
        mask[1:4, 2:5] = 3
        drawn = viewer.add_labels(
            mask, scale=tic.scale, translate=tic.translate, name="tumour"
        )
        drawn.selected_label = 3
    qtbot.mouseClick(dock.pages.drawn_button, Qt.MouseButton.LeftButton)
    rest(qtbot, dock)
    with open_msi(peaks) as reader:
        mask = np.zeros(tic.data.shape, bool)
        mask[1:4, 2:5] = True
        expected = reader.data.summary(reader.data.pixels.numbers_in(mask)).mean
    name = "tumour (9)" if kind == "shapes" else "tumour 3 (9)"
    np.testing.assert_allclose(of(dock, name).intensities, expected.intensities)


def test_a_drawing_beside_the_image_is_told(
    dock: SpectrumDock, viewer: Any, peaks: Path, qtbot: QtBot
) -> None:
    viewer.add_shapes([[[-50, -50], [-50, -10], [-10, -10]]], shape_type="polygon")
    dock.spectra.show_drawn()
    rest(qtbot, dock)
    assert "no spectrum lies within" in dock.error_panel.explanation.message


def test_the_list_becomes_layers(
    dock: SpectrumDock, viewer: Any, peaks: Path, qtbot: QtBot
) -> None:
    table = dock.pages.table
    table.add([MzTarget("disc", DISC), MzTarget("ring", RING, 0.3, "Da")])
    table.add([MzTarget("no", 600.0)])
    table.item(2, 0).setCheckState(Qt.CheckState.Unchecked)
    qtbot.mouseClick(dock.pages.all_button, Qt.MouseButton.LeftButton)
    rest(qtbot, dock)
    assert [layer.name for layer in viewer.layers[-2:]] == [
        "disc, m/z 500.25 ± 10 ppm",
        "ring, m/z 700.50 ± 0.3 Da",
    ]
    table.setCurrentCell(1, 0)
    rest(qtbot, dock)
    assert dock.plot.marker == RING
    assert dock.pages.form.value().unit == "Da"
    table.item(0, 1).setText("501,5")
    table.item(0, 2).setText("20 ppm")
    assert table.targets[0] == MzTarget("disc", 501.5, 20.0, "ppm")
    table.item(0, 1).setText("nonsense")
    assert table.item(0, 1).text() == "501.5"


def test_regions_and_linked_data_sets(
    dock: SpectrumDock, viewer: Any, qtbot: QtBot
) -> None:
    reader = TwoScans("nowhere")
    viewer.add_layer(
        Layer.create(
            np.zeros((1, 4)), {"name": "MS1", "metadata": {"msi": MSILayer(reader)}}
        )
    )
    rest(qtbot, dock)
    assert dock.bar.dataset_box.count() == 2
    assert not dock.bar.region_button.isHidden()
    left = next(a for a in dock.bar.region_menu.actions() if a.data() == 1)
    left.trigger()
    assert dock.looked_at.regions == (0,)
    dock.pages.form.set_mz(100.0)
    rest(qtbot, dock)
    assert dock.ions.layers.preview.data.tolist() == [[1, 2, 0, 0]]
    dock.spectra.show_summary("skyline")
    rest(qtbot, dock)
    assert of(dock, "Skyline of left (2)").intensities.tolist() == [2, 0]
    link = dock.bar.link_menu.actions()[0]
    assert link.text() == "MS2 100: MS2 of 100"
    link.trigger()
    rest(qtbot, dock)
    assert dock.looked_at.origin.dataset == 1
    assert dock.looked_at.regions is None
    dock.pages.form.set_mz(70.0)
    rest(qtbot, dock)
    assert dock.ions.layers.preview.data.tolist() == [[0, 9]]
    assert names(dock) == ["nowhere MS1: Skyline of left (2)"]
    dock.bar.dataset_chosen.emit(0)
    rest(qtbot, dock)
    assert dock.looked_at.origin.dataset == 0


def test_closing_the_layers_lets_go_of_the_file(
    dock: SpectrumDock, viewer: Any, peaks: Path, qtbot: QtBot
) -> None:
    dock.plot.picked.emit(DISC)
    rest(qtbot, dock)
    held = weakref.ref(dock.looked_at.origin.reader)
    dock.spectra.watch.clicked.emit((3, 2, 0), False)  # under way while it closes
    viewer.layers.clear()
    rest(qtbot, dock)
    assert dock.stack.currentWidget() is dock.empty_label
    assert names(dock) == []
    # napari itself keeps the layer that was current last.
    viewer.add_image(np.zeros((2, 2)))

    def is_gone() -> bool:
        gc.collect()
        return held() is None

    qtbot.waitUntil(is_gone, timeout=5000)


def test_a_file_that_was_cut_is_told_in_words(
    dock: SpectrumDock, viewer: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    path = write_profiles(tmp_path / "profiles.imzML", bins=20_000)
    add_layers(viewer, open_msi(path))
    rest(qtbot, dock)
    assert of(dock, "Mean").is_profile
    with path.with_suffix(".ibd").open("r+b") as file:
        file.truncate(300_000)
    viewer.cursor.position = viewer.layers[0].data_to_world((7, 9))
    rest(qtbot, dock)
    assert "cannot be read" in dock.readout.text()
    assert dock.error_panel.error is None
    dock.spectra.watch.clicked.emit((9, 7, 0), False)
    rest(qtbot, dock)
    assert "(9, 7) cannot be read" in dock.error_panel.text.text()


def test_a_closed_reader_is_told_in_words(
    dock: SpectrumDock, peaks: Path, qtbot: QtBot
) -> None:
    dock.looked_at.origin.reader.close_file()
    dock.spectra.watch.clicked.emit((1, 1, 0), False)
    rest(qtbot, dock)
    assert "closed" in dock.error_panel.text.text()


def test_what_the_file_says_is_searched(
    dock: SpectrumDock, viewer: Any, peaks: Path, qtbot: QtBot
) -> None:
    about = dock.pages.about
    assert ("Facts.spectra", "96") in about.rows
    assert any("20 x 20" in text for _, text in about.rows)


def test_it_remembers(viewer: ViewerModel, dock: SpectrumDock, qtbot: QtBot) -> None:
    dock.pages.table.add([MzTarget("disc", DISC, 5.0, "ppm"), MzTarget("x", 7.0)])
    dock.pages.form.unit.setCurrentText("Da")
    dock.pages.form.tolerance.setValue(0.1)
    dock.pages.log_box.setChecked(True)
    dock.pages.setCurrentIndex(2)
    dock.shut_down()
    other = SpectrumDock(ViewerModel())
    qtbot.addWidget(other)
    assert other.state() == dock.state()
    assert other.pages.table.targets == dock.pages.table.targets
    other.shut_down()


def test_hands_on_a_real_window(
    shown_viewer: napari.Viewer, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer: Any = shown_viewer
    viewer.window.resize(1280, 800)
    made = SpectrumDock(viewer)
    viewer.window.add_dock_widget(made, name="Spectra", area="bottom")
    reader = open_msi(write_peaks(tmp_path / "a.imzML"))
    add_layers(viewer, reader)
    qtbot.waitUntil(lambda: bool(made.plot.traces) and made.plot.box.width() > 100)
    rest(qtbot, made)

    # A click near a peak of the plot shows its image.
    box, view = made.plot.box, made.plot.view
    qtbot.waitUntil(lambda: made.plot.shown_range[1] > RING)

    def place(mz: float) -> QPoint:
        low, high = box.viewRange()[1]
        point = box.mapViewToScene(QPointF(mz, (low + high) / 2))
        return view.mapFromScene(point)

    near = place(RING) + QPoint(4, 0)
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=near)
    qtbot.waitUntil(lambda: made.ions.layers.preview is not None)
    assert made.plot.marker == pytest.approx(RING, abs=1e-3)

    # A click on the image shows its spectrum.
    canvas = viewer.window._qt_viewer.canvas
    viewer.reset_view()
    qtbot.wait(50)
    native = canvas.native
    middle = QPoint(native.width() // 2, native.height() // 2)

    def hovered() -> bool:
        # What is under a mouse that rests is read once; layers may come meanwhile.
        qtbot.mouseMove(native, middle + QPoint(3, 3))
        qtbot.mouseMove(native, middle)
        return made.spectra.cursor is not None

    qtbot.waitUntil(hovered)
    qtbot.mouseClick(native, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.waitUntil(lambda: "Clicked pixel" in names(made))
    x, y = 12 // 2, 8 // 2
    got = of(made, "Clicked pixel").mz.tolist()
    corner = [(x - a, y - b) for a in (0, 1) for b in (0, 1)]
    assert got in [reader.data.spectrum_at(*p).mz.tolist() for p in corner]

    # While a shape is drawn the mouse is not ours.
    shapes = viewer.add_shapes(name="drawn")
    shapes.mode = "add_rectangle"
    made.pages.traces.clear_traces()
    qtbot.mouseClick(native, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.wait(100)
    assert "Clicked pixel" not in names(made)
    viewer.layers.remove(shapes)

    for theme in ("dark", "light"):
        viewer.theme = theme
        for page in range(made.pages.count()):
            made.pages.setCurrentIndex(page)
            qtbot.wait(30)
            assert not faults(made), (theme, page)
    assert not unnamed(made)
    made.shut_down()

"""What the dock looks at, and how marker, slider and problems go with it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer
from tests.widgets.spectrum.msi_samples import (
    DISC,
    EVERYWHERE,
    RING,
    TwoScans,
    write_peaks,
)

from napari_scope.errors import CancelledError
from napari_scope.formats.msi import open_msi
from napari_scope.layers.msi import MSILayer
from napari_scope.layers.msi_build import reader_to_layers
from napari_scope.widgets.spectrum import ion_desk, slider_link, spectrum_dock
from napari_scope.widgets.spectrum.ion_choice import ion_image
from napari_scope.widgets.spectrum.looked_at import LookedAt, title_of
from napari_scope.widgets.spectrum.mz_targets import MzTarget
from napari_scope.widgets.spectrum.pixel_watch import PixelWatch
from napari_scope.widgets.spectrum.problem_watch import ProblemWatch, kind_of
from napari_scope.widgets.spectrum.spectrum_dock import SpectrumDock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


def layers_of(reader: Any) -> list[Any]:
    return [Layer.create(*one) for one in reader_to_layers(reader)]


@pytest.fixture
def viewer() -> Any:
    made = ViewerModel()
    made.mouse_over_canvas = True
    return made


@pytest.fixture
def at(viewer: Any, qtbot: QtBot) -> Iterator[LookedAt]:
    owner = QObject()
    made = LookedAt(viewer, owner)
    yield made
    made.stop()


def settle(qtbot: QtBot, at: LookedAt) -> None:
    qtbot.waitUntil(lambda: not at.pending)


def test_of_a_new_file_the_layer_that_is_seen_counts(
    viewer: Any, at: LookedAt, qtbot: QtBot
) -> None:
    told: list[Any] = []
    at.changed.connect(told.append)
    # The last one is a stack that is not seen.
    layers = [x for x in layers_of(TwoScans("two")) if "regions" not in x.name]
    for layer in layers:
        viewer.add_layer(layer)
    settle(qtbot, at)
    assert viewer.layers.selection.active is not layers[0]
    assert at.layer is layers[0] and at.origin.dataset == 0
    assert told == [None]  # once, whatever napari selects meanwhile
    # What comes later and is selected for a moment changes nothing.
    chosen = viewer.layers.selection.active
    viewer.add_image(np.zeros((2, 2)))
    viewer.layers.selection.active = chosen
    settle(qtbot, at)
    assert at.layer is layers[0]
    # What the user selects counts, seen or not.
    second = next(x for x in layers if x.name.endswith("MS2 of 100 TIC"))
    assert not second.visible
    viewer.layers.selection.active = second
    settle(qtbot, at)
    assert at.origin.dataset == 1
    assert title_of(at.origin) == "two MS2 of 100"


def test_a_second_file_is_looked_at_and_left_with_its_layers(
    viewer: Any, at: LookedAt, qtbot: QtBot
) -> None:
    one, other = TwoScans("one"), TwoScans("other")
    for reader in (one, other):
        for layer in layers_of(reader):
            viewer.add_layer(layer)
        settle(qtbot, at)
        assert at.origin.reader is reader
    for layer in [x for x in viewer.layers if x.name.startswith("other")]:
        viewer.layers.remove(layer)
    settle(qtbot, at)
    assert at.origin.reader is one


def test_without_a_mouse_on_the_image_nothing_is_under_it(
    viewer: Any, qtbot: QtBot
) -> None:
    owner = QObject()
    watch = PixelWatch(viewer, owner)
    image = viewer.add_image(np.zeros((4, 5)))
    watch.look_at(image, (5, 4, 1))
    told: list[Any] = []
    watch.hovered.connect(told.append)
    viewer.mouse_over_canvas = False
    viewer.cursor.position = (1, 2)
    assert not told
    viewer.mouse_over_canvas = True
    viewer.cursor.position = (1, 3)
    assert told == [(3, 1, 0)]
    watch.stop()


def test_problems_are_told_once_each() -> None:
    assert kind_of("3 spectra: 1") == kind_of("1,204 spectra: 77") == "# spectra"
    watch, reader = ProblemWatch(), TwoScans("x")
    reader.problems = ("no uuid",)
    assert watch.look(reader) == (True, ())  # the sign of the file says it
    assert watch.look(reader) == (False, ())
    reader.problems = ("no uuid", "1 spectrum is damaged: 7")
    assert watch.look(reader) == (True, ("1 spectrum is damaged: 7",))
    reader.problems = ("no uuid", "2 spectrum is damaged: 5")
    assert watch.look(reader) == (True, ())
    assert watch.look(TwoScans("y")) == (True, ())


class Slider:
    """As napari_scope.widgets.browsing.mz_slider.MzSlider, over two channels."""

    def __init__(self, viewer: Any, layer: Any) -> None:
        self.viewer, self.layer, self.shown = viewer, layer, []

    @property
    def mz(self) -> float:
        return (100.0, 200.0)[self.viewer.dims.current_step[0]]

    def show_mz(self, mz: float) -> None:
        self.shown.append(mz)
        self.viewer.dims.set_current_step(0, int(mz > 150))


def test_marker_and_slider_go_together(
    viewer: Any, at: LookedAt, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = TwoScans("two")
    stack = viewer.add_image(
        np.zeros((2, 1, 4)), metadata={"msi": MSILayer(reader, 0, "stack")}
    )
    slider = Slider(viewer, stack)
    monkeypatch.setattr(slider_link, "mz_slider", lambda _: slider)
    settle(qtbot, at)
    link = slider_link.SliderLink(viewer, at, at)
    told: list[float] = []
    link.moved.connect(told.append)
    viewer.dims.set_current_step(0, 0)
    link.show_mz(199.0)
    assert slider.mz == 200.0 and not told  # that was not the user
    viewer.dims.set_current_step(0, 0)
    assert told == [100.0]
    viewer.dims.set_current_step(1, 0)  # another slider
    assert told == [100.0]
    for step in (1, 0):  # there and back
        viewer.dims.set_current_step(0, step)
    assert told == [100.0, 200.0, 100.0]
    del told[1:]
    # napari moves sliders while layers come.
    viewer.add_image(np.zeros((5, 1, 4)))
    viewer.dims.set_current_step(0, 1)
    assert told == [100.0]
    qtbot.waitUntil(lambda: not link._settled.isActive())
    # The slider of another data set is left alone.
    at.origin = MSILayer(reader, 1)
    link.show_mz(100.0)
    viewer.dims.set_current_step(0, 0)
    assert slider.shown == [199.0] and told == [100.0]
    link.stop()


@pytest.fixture
def dock(viewer: Any, qtbot: QtBot, no_thread_is_left: None) -> Iterator[SpectrumDock]:
    made = SpectrumDock(viewer)
    qtbot.addWidget(made)
    made.resize(1000, 300)
    made.show()
    yield made
    made.shut_down()
    viewer.layers.clear()


def rest(qtbot: QtBot, dock: SpectrumDock) -> None:
    qtbot.waitUntil(lambda: not dock.busy)


def test_what_is_found_while_reading_is_told(
    dock: SpectrumDock, viewer: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(spectrum_dock, "notify", lambda text, level: told.append(text))
    reader = TwoScans("two")
    for layer in layers_of(reader):
        viewer.add_layer(layer)
    rest(qtbot, dock)
    assert dock.bar.problem_button.isHidden()
    for count in (1, 2):
        reader.problems = (f"{count} spectra could not be unpacked: {count}",)
        dock.spectra.watch.clicked.emit((0, 0, 0), False)
        rest(qtbot, dock)
    assert told == ["two MS1: 1 spectra could not be unpacked: 1"]
    assert not dock.bar.problem_button.isHidden()
    assert dock.bar.problem_button.toolTip() == reader.problems[0]
    assert any("2 spectra" in text for _, text in dock.pages.about.rows)


def test_the_mz_goes_along_but_covers_nothing(
    dock: SpectrumDock, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    dock.pages.form.set_mz(DISC)
    for layer in layers_of(open_msi(write_peaks(tmp_path / "a.imzML"))):
        viewer.add_layer(layer)
    rest(qtbot, dock)
    assert dock.plot.marker == DISC
    assert dock.ions.layers.preview is None  # the sums are to be seen first
    dock.plot.picked.emit(RING)
    rest(qtbot, dock)
    preview = dock.ions.layers.preview
    dock.ions._slider.moved.emit(EVERYWHERE)
    rest(qtbot, dock)
    assert dock.pages.form.mz.value() == EVERYWHERE == dock.plot.marker
    assert "885.55" in preview.name
    preview.visible = False  # the stack is looked at
    dock.ions._slider.moved.emit(RING)
    rest(qtbot, dock)
    assert dock.plot.marker == RING
    assert "885.55" in preview.name and not preview.visible


def test_what_is_to_be_kept_is_kept_whatever_comes_after(
    dock: SpectrumDock,
    viewer: Any,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for layer in layers_of(open_msi(write_peaks(tmp_path / "a.imzML"))):
        viewer.add_layer(layer)
    rest(qtbot, dock)
    gate = threading.Event()

    def slow(data: Any, choice: Any, regions: Any, cancelled: Any) -> Any:
        assert gate.wait(30)
        return ion_image(data, choice, regions, cancelled)

    monkeypatch.setattr(ion_desk, "ion_image", slow)
    monkeypatch.setattr(ion_desk, "_MOST_WAITING", 2)
    for mz in (RING, EVERYWHERE):
        dock.plot.picked.emit(mz)
        dock.ions.add()
    dock.plot.picked.emit(DISC)  # the marker moves on while they are read
    with qtbot.waitSignal(dock.ions.said) as said:
        dock.ions.add()
    assert said.args == ["2 ion images are being read: wait for them"]
    gate.set()
    rest(qtbot, dock)
    kept = [x.name for x in viewer.layers if x.name.startswith("m/z ")]
    assert len(kept) == 2 and "700" in kept[0] and "885.55" in kept[1], kept
    assert dock.ions.layers.preview.name == "Marker: m/z 500.25 ± 10 ppm"


def test_what_is_to_be_kept_of_a_file_that_is_gone_is_not(
    dock: SpectrumDock,
    viewer: Any,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layers = layers_of(open_msi(write_peaks(tmp_path / "a.imzML")))
    for layer in layers:
        viewer.add_layer(layer)
    rest(qtbot, dock)
    ended = threading.Event()

    def slow(data: Any, choice: Any, regions: Any, cancelled: Any) -> Any:
        while not cancelled():
            ended.wait(0.001)
        ended.set()
        raise CancelledError("it was cancelled")

    monkeypatch.setattr(ion_desk, "ion_image", slow)
    dock.pages.form.set_mz(RING)
    for _ in range(2):
        dock.ions.add()
    viewer.layers.clear()
    rest(qtbot, dock)
    qtbot.waitUntil(ended.is_set)
    assert not viewer.layers
    assert dock.error_panel.isHidden()


def test_the_dock_of_the_menu(
    shown_viewer: napari.Viewer, tmp_path: Path, qtbot: QtBot
) -> None:
    """napari gives such a dock a proxy, of which each layer is another object."""
    viewer: Any = shown_viewer
    viewer.window.resize(1280, 800)
    widget, made = viewer.window.add_plugin_dock_widget("napari-scope", "Spectra")
    assert isinstance(made, SpectrumDock)
    qtbot.waitExposed(made)
    assert widget.area == "bottom"
    viewer.open(str(write_peaks(tmp_path / "a.imzML")), plugin="napari-scope")
    qtbot.waitUntil(lambda: bool(made.plot.traces))
    rest(qtbot, made)
    tic = viewer.layers[0]
    assert made.looked_at.layer is tic
    changes: list[Any] = []
    made.looked_at.layer_changed.connect(lambda: changes.append(1))
    made.plot.picked.emit(DISC)
    rest(qtbot, made)
    assert made.looked_at.layer is tic and not changes
    # Plot and slider: the stack lies beside the sums, its slider has come along.
    slider = slider_link.mz_slider(viewer)
    step = float(np.diff(slider.layer.metadata["msi"].data.axis.mz).max())
    assert abs(slider.mz - DISC) <= step
    assert made.plot.marker == DISC
    # All fits into a small window, and the plot is no slit.
    qtbot.waitUntil(lambda: made.plot.box.height() > 60)
    assert viewer.window._qt_window.width() <= 1280
    made.shut_down()
    viewer.layers.clear()


@pytest.mark.parametrize("gone", ["dock", "layers"])
def test_closed_at_a_bad_moment(
    viewer: Any, qtbot: QtBot, no_thread_is_left: None, tmp_path: Path, gone: str
) -> None:
    made = SpectrumDock(viewer)
    qtbot.addWidget(made)
    made.show()
    for layer in layers_of(open_msi(write_peaks(tmp_path / "a.imzML"))):
        viewer.add_layer(layer)
    rest(qtbot, made)
    made.pages.table.add([MzTarget("disc", DISC), MzTarget("ring", RING)])
    # All at once, and nothing of it is done yet.
    made.spectra.show_summary("skyline")
    made.ions.add_ticked()
    made.saving.spectra(tmp_path / "s.csv")
    made.plot.picked.emit(RING)
    made.spectra.watch.clicked.emit((1, 1, 0), True)
    viewer.cursor.position = viewer.layers[0].data_to_world((3, 3))
    viewer.add_image(np.zeros((3, 8, 12)))
    if gone == "dock":
        made.shut_down()
        assert not made.busy
    else:
        viewer.layers.clear()
        rest(qtbot, made)
        assert made.looked_at.origin is None and not made.pages.traces.traces
        made.shut_down()
    before = [layer.name for layer in viewer.layers]
    viewer.add_image(np.zeros((4, 8, 12)))
    viewer.dims.set_current_step(0, 1)
    viewer.cursor.position = (0.0, 4.0, 4.0)
    viewer.theme = "light"
    qtbot.wait(60)
    assert [layer.name for layer in viewer.layers][:-1] == before
    assert not [timer for timer in made.findChildren(QTimer) if timer.isActive()]
    viewer.layers.clear()
